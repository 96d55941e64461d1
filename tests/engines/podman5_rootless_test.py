#!/usr/bin/python3
# The laws of laws_*.py, under Debian 13's podman 5.4 as a user who is not root.
# Layer: tests. Run by ctest as tests.engines.podman5_rootless.
# SPDX-License-Identifier: Apache-2.0
import laws
import rootless

laws.run_laws(rootless.Podman5Rootless, "podman5_rootless", core=rootless.CORE, left_out=rootless.LEFT_OUT)
