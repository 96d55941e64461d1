#!/usr/bin/python3
# The laws of laws_*.py, under Debian forky's podman 5.8. Long.
# Layer: tests. Run by ctest as tests.engines.podman58.
# SPDX-License-Identifier: Apache-2.0
import engine
import laws

laws.run_laws(engine.Podman58, "podman58", long=True)
