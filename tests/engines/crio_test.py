#!/usr/bin/python3
# The laws of crio_laws.py: CRI-O's exact calls, with Debian 12's conmon.
# Layer: tests. Run by ctest as tests.engines.crio.
# SPDX-License-Identifier: Apache-2.0
import crio
import laws

laws.run_laws(crio.Crio, "crio", "crio_laws.py")
