#!/usr/bin/python3
# The laws of laws_*.py, under Debian 12's podman 4.3 as a user who is not root.
# Layer: tests. Run by ctest as tests.engines.podman4_rootless.
# SPDX-License-Identifier: Apache-2.0
import laws
import rootless

laws.run_laws(rootless.Podman4Rootless, "podman4_rootless", core=rootless.CORE, left_out=rootless.LEFT_OUT)
