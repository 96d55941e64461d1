#!/usr/bin/python3
# The laws of containerd_laws_*.py, under Debian forky's containerd 2.
# Layer: tests. Run by ctest as tests.engines.containerd2.
# SPDX-License-Identifier: Apache-2.0
import containerd
import laws

laws.run_laws(containerd.Containerd2, "containerd2", "containerd_laws_*.py")
