#!/usr/bin/python3
# The laws of buildah_laws.py, under Debian 13's buildah 1.39.
# Layer: tests. Run by ctest as tests.engines.buildah1_39.
# SPDX-License-Identifier: Apache-2.0
import buildah
import laws

laws.run_laws(buildah.Buildah139, "buildah1_39", "buildah_laws.py")
