#!/usr/bin/python3
# The laws of laws_*.py, under Debian 12's Docker 20.10.
# Layer: tests. Run by ctest as tests.engines.docker20.
# SPDX-License-Identifier: Apache-2.0
import engine
import laws

laws.run_laws(engine.Docker20, "docker20")
