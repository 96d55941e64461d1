#!/usr/bin/env python3
"""The manual pages: what the executable has is in them, nothing else is, and the formatters have nothing to say.

Layer: tests.
SPDX-License-Identifier: Apache-2.0
"""
import re
import unittest

from packages import DOCUMENTS, RUNTIME, SOURCE, main, needs, run
import completions  # packages.py says where these are
from commands import read_program

PAGES = sorted((DOCUMENTS / "man").glob("*.?"))


def text_of(page):
    """Without fonts and escapes, as a reader sees it."""
    text = "\n".join(line for line in (DOCUMENTS / "man" / page).read_text().splitlines() if not line.startswith(r'.\"'))
    return re.sub(r"\\f[BIR]", "", text).replace(r"\-", "-")


def flags_in(text):
    return set(re.findall(r"(?<![\w-])(--[a-z][\w-]*|-[a-z])(?![\w-])", text))


def rows(title, text):
    """The first column of a part of a help text."""
    part = re.search(rf"^{title}:\n((?:   .*\n)+)", text, re.M)
    return [re.split(r"  +", line.strip())[0] for line in part[1].splitlines()]


def help_of(*words):
    return run(RUNTIME, "help", *words)


def own_commands():
    """Of `caisson` itself."""
    return read_program(RUNTIME).own


def nest_flags():
    """Those that caisson-nest takes out before it becomes the runtime."""
    text = (SOURCE / "caisson/nest/command_line.cc").read_text()
    return {f"--{name}" for name in re.findall(r'flag\.name == "(\w+)"\) return &line\.terms|flag\.name == "(\w+)" \? &line\.terms', text)
            for name in name if name}


def commands():
    return [row.split(", ") for row in rows("COMMANDS", help_of())]


class Runtime(unittest.TestCase):
    def test_HasEveryCommandWithExactlyItsFlags(self):
        sections = dict(re.findall(r"^\.SS (.*)\n((?:(?!\.S[SH] ).*\n)+)", text_of("caisson-runtime.8"), re.M))
        self.assertEqual(sorted(sections), sorted(", ".join(names) for names in commands()))
        for names in commands():
            entries = re.findall(r"^\.TP\n(-.*)$", sections[", ".join(names)], re.M)
            expected = set(rows("OPTIONS", help_of(names[0]))) - {"--help, -h"}
            self.assertEqual(set(entries), expected, names[0])

    def test_HasExactlyTheGlobalFlags(self):
        part = re.search(r"^\.SH GLOBAL OPTIONS\n((?:(?!\.SH ).*\n)+)", text_of("caisson-runtime.8"), re.M)[1]
        self.assertEqual(set(re.findall(r"^\.TP\n(-.*)$", part, re.M)), set(rows("GLOBAL OPTIONS", help_of())))

    def test_NamesEveryAnnotationThatFeaturesLists(self):
        listed = re.search(r'"io.caisson.annotations": *"([^"]+)"', run(RUNTIME, "features"))[1].split()
        part = re.search(r"^\.SH ANNOTATIONS\n((?:(?!\.SH ).*\n)+)", text_of("caisson-runtime.8"), re.M)[1]
        self.assertEqual(set(re.findall(r"^\.BR (io\.caisson\.[\w-]+) ?=", part, re.M)), set(listed))


class Caisson(unittest.TestCase):
    def test_EveryCommandHasAPageWithExactlyItsFlags(self):
        for command in own_commands():
            part = re.search(r"^\.SH OPTIONS\n((?:(?!\.SH ).*\n)+)", text_of(f"caisson-{command.name}.1"), re.M)[1]
            names = {line.split()[0].rstrip(",") for line in re.findall(r"^\.TP\n(-.*)$", part, re.M)}
            self.assertEqual(names, {f"--{flag.name}" for flag in command.flags} - {"--help"})
            self.assertIn(f".BR caisson-{command.name} (1)", text_of("caisson.1"))


class AllPages(unittest.TestCase):
    def test_NameNoFlagThatNobodyHas(self):
        known = set()
        for text in [help_of()] + [help_of(names[0]) for names in commands()]:
            known |= flags_in(" ".join(rows("OPTIONS" if "\nOPTIONS:" in text else "GLOBAL OPTIONS", text)))
        own = [flag for command in own_commands() for flag in command.flags]
        known |= {f"--{flag.name}" for flag in own} | {f"-{flag.alias}" for flag in own} | nest_flags()
        others = re.compile(r"^(dockerd?|podman|mmdebstrap|mkdir) .*$", re.M)  # other programs, in examples
        for page in PAGES:
            prose = others.sub("", text_of(page.name)).replace("--privileged", "")
            self.assertEqual(flags_in(prose) - known, set(), page.name)

    def test_NameEveryVariableThatTheProgramsRead(self):
        read = set()
        for path in SOURCE.glob("caisson/*/*.cc"):
            if not path.stem.endswith(("_test", "_fuzz")):
                read |= set(re.findall(r'\b(?:getenv|environment)\("([A-Z_]+)"', path.read_text()))
        read.discard("USER")  # only tells a user namespace's root from who is called so
        texts = "".join(text_of(page.name) for page in PAGES)
        named = set(re.findall(r"(?m)^\.BR? ([A-Z_]{4,})$", texts)) | {"LC_ALL", "LC_CTYPE", "LANG"} & set(texts.split())
        self.assertEqual(read - named, set(), "not in a page's ENVIRONMENT")

    def test_NestHasItsOwnFlags(self):
        part = re.search(r"^\.SH OPTIONS OF ITS OWN\n((?:(?!\.SH ).*\n)+)", text_of("caisson-nest.8"), re.M)[1]
        self.assertEqual(set(re.findall(r"^\.TP\n(--\w+) ", part, re.M)), nest_flags())
        self.assertEqual({f"--{name}" for name in completions.NEST_FLAGS}, nest_flags())

    def test_NestHasItsOwnCommands(self):
        table = re.search(r"constexpr Command commands\[\] = \{(.*?)\n\};", (SOURCE / "caisson/nest/main.cc").read_text(), re.S)[1]
        own = set(re.findall(r'\{"(\w+)"', table)) - {name for names in commands() for name in names}
        self.assertEqual(own, set(re.findall(r"^\.B (\w+) container-id$", text_of("caisson-nest.8"), re.M)))

    @needs("mandoc")
    def test_MandocHasNothingToSay(self):
        for page in PAGES:
            self.assertEqual(run("mandoc", "-Tlint", str(page)), "")

    @needs("man")
    def test_GroffHasNothingToSay(self):
        for page in PAGES:
            self.assertEqual(run("sh", "-c", 'man --warnings -E UTF-8 -l -Tutf8 -Z "$1" 2>&1 >/dev/null', "sh", str(page)), "")


if __name__ == "__main__":
    main()
