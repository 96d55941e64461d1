#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fails if a library includes one that is not below it. The table is the architecture.

usage: check_layers.py ROOT
"""
import pathlib
import re
import sys

MAY_USE = {  # library: what it may include, besides itself
    "base": set(),
    "sys": {"base"},
    "oci": {"base"},
    "idmap": {"base", "sys", "oci"},
    "dbus": {"base", "sys"},
    "cgroup": {"base", "sys", "oci", "dbus"},
    "seccomp": {"base", "sys", "oci"},
    "procview": {"base", "sys", "oci", "cgroup"},
    "runtime": {"base", "sys", "oci", "idmap", "cgroup", "seccomp"},
    "shim": {"base", "sys"},
    "nest": {"base", "sys", "oci", "idmap", "cgroup", "seccomp", "shim", "procview"},
    "trace": {"base", "sys", "oci", "seccomp", "procview", "runtime", "nest"},
    "tree": {"base", "sys", "oci", "runtime", "nest"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"caisson/([a-z_]+)/')

bad = []
for path in sorted(pathlib.Path(sys.argv[1], "caisson").rglob("*.[ch]*")):
    lib = path.relative_to(pathlib.Path(sys.argv[1], "caisson")).parts[0]
    for number, line in enumerate(path.read_text().splitlines(), 1):
        m = INCLUDE.match(line)
        if m and m[1] != lib and m[1] not in MAY_USE[lib]:
            bad.append(f"{path}:{number}: {lib} may not include {m[1]}")
sys.exit("\n".join(bad) or 0)
