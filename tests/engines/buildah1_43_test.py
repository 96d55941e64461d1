#!/usr/bin/python3
# The laws of buildah_laws.py, under Debian forky's buildah 1.43. Long.
# Layer: tests. Run by ctest as tests.engines.buildah1_43.
# SPDX-License-Identifier: Apache-2.0
import buildah
import laws

laws.run_laws(buildah.Buildah143, "buildah1_43", "buildah_laws.py", long=True)
