"""The commands and flags of caisson-runtime, and of the commands of caisson itself, read from what their `help` prints: that is
the one table there is.

Layer: packaging (build time). Users: generate.py and tests/packaging.
SPDX-License-Identifier: Apache-2.0
"""
import dataclasses
import os
import re
import subprocess


PROGRAMS = ("runtime", "nest")  # of `caisson`: they have manual pages and completions as programs


@dataclasses.dataclass
class Flag:
    name: str
    alias: str  # one letter, or empty
    takes_value: bool
    help: str

    @property
    def choices(self):
        """The words of a help text that ends with `a, b or c`."""
        found = re.search(r"(?:^|: )((?:\w+, )*\w+ or \w+)$", self.help.split(" (default")[0])
        return re.split(r", | or ", found.group(1)) if found else []

    @property
    def kind(self):
        """What its value is to a shell: directory, file, or nothing it could know."""
        if not self.takes_value or "in the container" in self.help or self.choices:
            return ""
        if re.search(r"\bdirectory\b", self.help):
            return "directory"
        return "file" if re.search(r"\b(file|socket)\b", self.help) else ""

    @property
    def repeats(self):
        return "may be repeated" in self.help


@dataclasses.dataclass
class Command:
    name: str
    alias: str
    summary: str
    usage: str
    description: str
    flags: list

    @property
    def takes_id(self):
        return "<container-id>" in self.usage

    @property
    def names(self):
        return [name for name in (self.name, self.alias) if name]


@dataclasses.dataclass
class Program:
    flags: list
    commands: list
    own: list  # of `caisson` itself, beside the programs that it is


def sections(text):
    """{"OPTIONS": [its lines], ...}."""
    out, lines = {}, []
    for line in text.splitlines():
        if re.fullmatch(r"[A-Z ]+:", line):
            lines = out.setdefault(line[:-1], [])
        elif line:
            lines.append(line)
    return out


def columns(lines):
    return [re.split(r"  +", line.strip(), maxsplit=1) for line in lines]


def read_flags(lines):
    out = []
    for left, text in columns(lines):
        words = re.fullmatch(r"--([\w-]+)( value)?(?:, -(\w)(?: value)?)?", left)
        out.append(Flag(words[1], words[3] or "", bool(words[2]), text))
    return out


def read_command(program, names, summary):
    name, _, alias = names.partition(", ")
    parts = sections(ask(program, "help", name))
    usage = parts["USAGE"][0].strip().split(" ", 2)
    description = " ".join(line.strip() for line in parts.get("DESCRIPTION", []))
    return Command(name, alias, summary, usage[2] if len(usage) > 2 else "", description, read_flags(parts["OPTIONS"]))


def ask(program, *words):
    env = {**os.environ, "LC_ALL": "C.UTF-8"}
    return subprocess.run([program, *words], capture_output=True, text=True, check=True, env=env).stdout


def read_own(caisson):
    """Commands that have a table as the runtime's have; the other rows of `caisson help` are programs."""
    rows = [line.split(None, 1) for line in ask(caisson, "help").splitlines() if re.match(r"  \w", line)]
    return [read_command(caisson, *row) for row in rows if row[0] not in PROGRAMS]


def read_program(program):
    parts = sections(ask(program, "help"))
    return Program(read_flags(parts["GLOBAL OPTIONS"]),
                   [read_command(program, *row) for row in columns(parts["COMMANDS"])],
                   read_own(os.path.join(os.path.dirname(program), "caisson")))
