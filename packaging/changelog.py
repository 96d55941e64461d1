#!/usr/bin/env python3
"""CHANGELOG.md as Debian's changelog: the one text there is of what a release brought.

Layer: packaging. User: pack.py, CMakeLists.txt. usage: changelog.py --epoch CHANGELOG.md
SPDX-License-Identifier: Apache-2.0
"""
import datetime
import pathlib
import re
import sys
import textwrap


def releases(text):
    """[(version, date, [entries])], the newest first, from `## VERSION (DATE)` and its list."""
    out = []
    for line in text.splitlines():
        head = re.fullmatch(r"## (\S+) \((\d{4}-\d\d-\d\d)\)", line)
        if head:
            out.append((head[1], datetime.datetime.fromisoformat(head[2] + "T00:00:00+00:00"), []))
        elif out and line.startswith("* "):
            out[-1][2].append(line[2:].strip())
        elif out and line.startswith("  "):
            out[-1][2][-1] += " " + line.strip()
    return out


def debian(text, revision, maintainer):
    out = []
    for version, date, entries in releases(text):
        lines = [textwrap.fill(entry.replace("`", ""), 78, initial_indent="  * ", subsequent_indent="    ") for entry in entries]
        out.append(f"caisson ({version}-{revision}) unstable; urgency=medium\n\n" + "\n".join(lines) +
                   f"\n\n -- {maintainer}  {date.strftime('%a, %d %b %Y %H:%M:%S %z')}\n")
    return "\n".join(out)


if __name__ == "__main__":
    print(int(releases(pathlib.Path(sys.argv[2]).read_text())[0][1].timestamp()))
