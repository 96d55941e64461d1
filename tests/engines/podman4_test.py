#!/usr/bin/python3
# The laws of laws_*.py, under Debian 12's podman 4.3.
# Layer: tests. Run by ctest as tests.engines.podman4.
# SPDX-License-Identifier: Apache-2.0
import engine
import laws

laws.run_laws(engine.Podman4, "podman4")
