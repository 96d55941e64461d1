#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the manual pages and the shells' completions from templates and what the executable says of itself.

Layer: packaging (build time). usage: generate.py CAISSON-RUNTIME VERSION EPOCH TEMPLATES OUT
"""
import datetime
import pathlib
import re
import sys

import completions
from commands import read_program


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def flag_entry(flag):
    value = r" \fIvalue\fR" if flag.takes_value else ""
    names = rf"\fB\-\-{roff(flag.name)}\fR{value}"
    if flag.alias:
        names += rf", \fB\-{flag.alias}\fR{value}"
    return f".TP\n{names}\n{roff(flag.help)}\n"


def command_section(command):
    out = f".SS {roff(', '.join(command.names))}\n"
    out += f"\\fBcaisson\\-runtime\\fR [\\fIglobal options\\fR] \\fB{roff(command.name)}\\fR {roff(command.usage)}".rstrip() + "\n"
    summary = re.sub(rf"^{command.name} (?=\w+s )", "", command.summary)  # "kill sends ..."
    out += f".PP\n{roff(summary[0].upper() + summary[1:])}.\n"
    if command.description:
        out += "".join(roff(line) + "\n" for line in re.split(r"(?<=\.) (?=[A-Z])", command.description))
    return out + "".join(flag_entry(flag) for flag in command.flags if flag.name != "help")


def fold(text):
    """Lines of at most 80 bytes, as manual pages have them: roff fills them again."""
    out = []
    for line in text.splitlines():
        while len(line.encode()) > 79 and not line.startswith((".", "'", "\\f")) and " " in line[:79]:
            at = line.rindex(" ", 0, 79)
            head, line = line[:at], line[at + 1:]
            out.append(head)
            if line[:1] in (".", "'"):
                line = "\\&" + line
        out.append(line)
    return "\n".join(out) + "\n"


def page(template, program, version, date):
    values = {
        "VERSION": version,
        "DATE": date,
        "GLOBAL_OPTIONS": "".join(flag_entry(flag) for flag in program.flags).rstrip("\n"),
        "COMMANDS": "".join(command_section(command) for command in program.commands).rstrip("\n"),
    }
    for command in program.own:
        entries = "".join(flag_entry(flag) for flag in command.flags if flag.name != "help")
        values[f"{command.name.upper()}_OPTIONS"] = entries.rstrip("\n")
    return fold(re.sub(r"@([A-Z_]+)@", lambda found: values[found[1]], template))


def main(executable, version, epoch, templates, out):
    program = read_program(executable)
    date = datetime.datetime.fromtimestamp(int(epoch), datetime.timezone.utc).strftime("%Y-%m-%d")
    files = {}
    for template in sorted(pathlib.Path(templates).glob("*.in")):
        files[f"man/{template.stem}"] = page(template.read_text(), program, version, date)
    files["completions/caisson.bash"] = completions.bash(program)
    files["completions/_caisson"] = completions.zsh(program)
    files["completions/caisson-runtime.fish"] = completions.fish(program)
    files["completions/caisson-nest.fish"] = completions.FISH_NEST
    files["completions/caisson.fish"] = completions.fish_caisson(program)
    for name, text in files.items():
        path = pathlib.Path(out, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
