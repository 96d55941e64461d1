#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fails on a C++ file that clang-format-19 would change. Exit 77 (skipped) if it is not installed.

usage: check_format.py ROOT
"""
import pathlib
import shutil
import subprocess
import sys

root = pathlib.Path(sys.argv[1])
tool = shutil.which("clang-format-19") or shutil.which("/usr/bin/clang-format-19")
if not tool:
    print("SKIPPED: clang-format-19 is not installed (./dev setup installs it)")
    sys.exit(77)
listed = subprocess.run(["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-z", "*.h", "*.cc"], capture_output=True, text=True)
names = [n for n in listed.stdout.split("\0") if n and (root / n).is_file() and not n.startswith("tests/data/")]
if listed.returncode != 0:
    names = [str(p.relative_to(root)) for d in ("caisson", "apps", "tests", "bench") for p in (root / d).rglob("*") if p.suffix in (".h", ".cc")]
sys.exit(subprocess.run([tool, "--dry-run", "--Werror", "--ferror-limit=1", *names], cwd=root).returncode if names else 0)
