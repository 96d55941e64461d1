#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fails where a document names a test, a law or a test's file that is not there, or a cell of the table of engines names none.

usage: check_names.py ROOT BUILD      BUILD: a configured build tree; ctest lists its cases
"""
import pathlib
import re
import subprocess
import sys

ROOT, BUILD = map(pathlib.Path, sys.argv[1:3])
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
# Not of this tree: the suites of other runtimes.
FOREIGN = {"test_checkpoint_restore.py", "test_*.py", "*_test.py"}

listed = subprocess.run(["ctest", "--test-dir", BUILD, "-N"], capture_output=True, text=True, check=True).stdout
cases = set(re.findall(r"^ *Test +#\d+: (\S+)", listed, re.M))
sources = {path: path.read_text() for path in (ROOT / "tests").rglob("*.py")}
files = {path.name for path in sources}
guests = (ROOT / "tests/vm/guest.py").read_text()
bad = []


def known_case(name):
    """A case, or the beginning of some: `tests.engines`, `tests.runtime.*`, `tests.e2e.NAME.compat`."""
    name = re.sub(r"\.[A-Z]+\b.*", "", name)
    stem = name.removesuffix("*").removesuffix(".")
    return name in cases or any(case.startswith(stem + ".") for case in cases)


def known_law(name):
    """`Class.test_law`, in one file."""
    group, law = name.split(".")
    return any(re.search(rf"^class {group}\b", text, re.M) and re.search(rf"^    def {law}\b", text, re.M) for text in sources.values())


def check_words(place, line):
    for name in re.findall(r"`([^`]+)`", line):
        if re.fullmatch(r"(tests|lint)\.[\w.]+\*?", name) and not known_case(name):
            bad.append(f"{place}: ctest has no {name}")
        if re.fullmatch(r"\w+\.test_\w+", name) and not known_law(name):
            bad.append(f"{place}: no law {name}")
        if re.fullmatch(r"[\w/*]+(_test|laws_\w+)\.py", name) and name not in FOREIGN and not any(
                path.match(name) for path in sources):
            bad.append(f"{place}: no file {name}")
    for name, lane in re.findall(r"`(\w+)` in `tests\.vm\.engines\.([\d.]+)`", line):
        if f"{name}_test.py" not in files or f'"{name}":' not in guests:
            bad.append(f"{place}: {name} is not driven in a guest ({lane})")


def check_cells(path, text):
    """Engine, version, and a cell for each machine: empty, "not run", or with the name of what ran."""
    for number, line in enumerate(text.splitlines(), 1):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| engine | version") or set(line) <= set("|- ") or not line.startswith("| ") or len(cells) != 5:
            continue
        for cell in cells[2:]:
            if cell and cell != "not run" and not re.search(r"`[\w.]*test[\w.]*`", cell):
                bad.append(f"{path}:{number}: no test's name in: {cell}")


for document in DOCUMENTS:
    content = document.read_text()
    for at, words in enumerate(content.splitlines(), 1):
        check_words(f"{document.relative_to(ROOT)}:{at}", words)
    if document.name == "compatibility.md":
        check_cells(document.relative_to(ROOT), content)
sys.exit("\n".join(bad) or 0)
