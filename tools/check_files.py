#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fails on a source file that does not say what it is, has no SPDX line, or is longer than 500 lines without saying why.

A .cc that begins with its own header's include is described there. usage: check_files.py ROOT
"""
import pathlib
import re
import subprocess
import sys

SOURCES = {".h", ".cc", ".py", ".sh"}
LIMIT = 500


def problems(path, name):
    lines = path.read_text(errors="replace").splitlines()
    if not lines:
        return ["is empty"] if path.name != "__init__.py" else []
    if path.suffix not in SOURCES and not lines[0].startswith("#!"):
        return []
    out = []
    own_header = re.match(r'#include "caisson/[\w/]+\.h"', lines[0]) and path.suffix == ".cc"
    first = lines[1] if lines[0].startswith("#!") and len(lines) > 1 else lines[0]
    if not own_header:
        if not re.match(r'(//|#|r?""")', first):
            out.append("the first line must say what the file is")
        if not any("SPDX-License-Identifier: Apache-2.0" in line for line in lines[:12]):
            out.append("no SPDX line at the top")
    if path.suffix == ".h" and "#pragma once" not in lines:
        out.append("no #pragma once")
    if len(lines) > LIMIT and not any(re.search(r"\b(long|lines)\b.*\bbecause\b", line) for line in lines[:12]):
        out.append(f"{len(lines)} lines: split it, or say at the top 'N lines because ...'")
    return [f"{name}: {text}" for text in out]


root = pathlib.Path(sys.argv[1])
listed = subprocess.run(["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-z"], capture_output=True, text=True)
names = [n for n in listed.stdout.split("\0") if n] if listed.returncode == 0 else [
    str(p.relative_to(root)) for p in root.rglob("*") if p.is_file() and not {"out", ".git"} & set(p.relative_to(root).parts)]
bad = [line for name in sorted(names) if (root / name).is_file() for line in problems(root / name, name)]
sys.exit("\n".join(bad) or 0)
