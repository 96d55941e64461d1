#!/usr/bin/python3
# The laws of containerd_laws_*.py, under Debian 13's containerd 1.7.
# Layer: tests. Run by ctest as tests.engines.containerd17.
# SPDX-License-Identifier: Apache-2.0
import containerd
import laws

laws.run_laws(containerd.Containerd17, "containerd17", "containerd_laws_*.py")
