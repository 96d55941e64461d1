#!/usr/bin/python3
# The laws of containerd_laws_*.py, under Debian 12's containerd 1.6.
# Layer: tests. Run by ctest as tests.engines.containerd16.
# SPDX-License-Identifier: Apache-2.0
import containerd
import laws

laws.run_laws(containerd.Containerd16, "containerd16", "containerd_laws_*.py")
