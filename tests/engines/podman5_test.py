#!/usr/bin/python3
# The laws of laws_*.py, under Debian 13's podman 5.4.
# Layer: tests. Run by ctest as tests.engines.podman5.
# SPDX-License-Identifier: Apache-2.0
import engine
import laws

laws.run_laws(engine.Podman5, "podman5", core=laws.CORE)
