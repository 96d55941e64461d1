#!/usr/bin/python3
# The laws of laws_*.py, under Debian forky's Docker 28.
# Layer: tests. Run by ctest as tests.engines.docker28.
# SPDX-License-Identifier: Apache-2.0
import engine
import laws

laws.run_laws(engine.Docker28, "docker28", core=laws.CORE)
