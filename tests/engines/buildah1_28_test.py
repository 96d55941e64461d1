#!/usr/bin/python3
# The laws of buildah_laws.py, under Debian 12's buildah 1.28.
# Layer: tests. Run by ctest as tests.engines.buildah1_28.
# SPDX-License-Identifier: Apache-2.0
import buildah
import laws

laws.run_laws(buildah.Buildah128, "buildah1_28", "buildah_laws.py")
