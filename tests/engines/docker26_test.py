#!/usr/bin/python3
# The laws of laws_*.py, under Debian 13's Docker 26.
# Layer: tests. Run by ctest as tests.engines.docker26.
# SPDX-License-Identifier: Apache-2.0
import engine
import laws

laws.run_laws(engine.Docker26, "docker26")
