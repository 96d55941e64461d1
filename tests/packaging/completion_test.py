#!/usr/bin/env python3
"""Completion in bash, as a shell would ask for it, and the scripts of zsh and fish, which have to parse.

Layer: tests.
SPDX-License-Identifier: Apache-2.0
"""
import os
import re
import subprocess
import unittest

from packages import BUILD, DOCUMENTS, RUNTIME, SCRATCH, SOURCE, main, needs, run
from commands import read_program  # packages.py says where it is

FOLDER = DOCUMENTS / "completions"
# COMP_WORDS as bash splits them; calls the function and prints what it proposes.
ASK = """source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
_caisson
((${#COMPREPLY[@]} == 0)) || printf '%s\\n' "${COMPREPLY[@]}"
"""


def ask(*words, **options):
    return run("/bin/bash", "--norc", "-c", ASK, "bash", str(FOLDER / "caisson.bash"), *words, **options).split()


def flags_of(*command):
    text = run(RUNTIME, "help", *command)
    part = text[text.index("OPTIONS:\n"):]
    return sorted(re.findall(r"(?<![\w-])--?[a-z][\w-]*(?= value|,|  )", re.sub(r"(?m)^(   --.*?)  .*$", r"\1  ", part)))


def command_names():
    part = re.search(r"COMMANDS:\n((?:   .*\n)+)", run(RUNTIME, "help"))[1]
    return [name for line in part.splitlines() for name in re.split(r"  +", line.strip())[0].split(", ")]


class Bash(unittest.TestCase):
    def test_ProposesEveryCommand(self):
        self.assertEqual(sorted(ask("caisson-runtime", "")), sorted(command_names() + ["help"]))
        self.assertEqual(ask("caisson-runtime", "--log-format", "json", "del"), ["delete"])
        self.assertEqual(ask("caisson-runtime", "--log-format", "=", "json", "del"), ["delete"])
        self.assertEqual(ask("caisson-runtime", "help", "feat"), ["features"])

    def test_ProposesEveryFlagOfEachCommandAndNoOther(self):
        self.assertEqual(sorted(ask("caisson-runtime", "-")), flags_of())
        for name in command_names():
            self.assertEqual(sorted(ask("caisson-runtime", "--debug", name, "-")), flags_of(name), name)

    def test_ProposesTheWordsThatAFlagTakes(self):
        self.assertEqual(ask("caisson-runtime", "--log-format", ""), ["text", "json"])
        self.assertEqual(ask("caisson-runtime", "--log-format", "="), ["text", "json"])
        self.assertEqual(ask("caisson-runtime", "--cgroup-manager", "=", "s"), ["systemd"])
        self.assertEqual(ask("caisson-runtime", "list", "-f", "j"), ["json"])

    def test_ProposesDirectoriesForABundleAndFilesForAPidFile(self):
        place = SCRATCH / "place"
        (place / "bundle").mkdir(parents=True)
        (place / "beside").write_text("")
        self.assertEqual(ask("caisson-runtime", "create", "-b", "b", cwd=place), ["bundle"])
        self.assertEqual(sorted(ask("caisson-runtime", "run", "--pid-file", "b", cwd=place)), ["beside", "bundle"])
        self.assertEqual(ask("caisson-runtime", "exec", "--cwd", "b", cwd=place), [])

    def test_ProposesContainersBelowTheRootThatWasGiven(self):
        fake = SCRATCH / "caisson-runtime"
        fake.write_text('#!/bin/sh\n[ "$*" = "--root /somewhere list --quiet" ] && echo first second\n')
        fake.chmod(0o755)
        for command in ("state", "kill", "exec", "ps", "update", "unpause"):
            self.assertEqual(ask(str(fake), "--root", "/somewhere", command, ""), ["first", "second"], command)
        self.assertEqual(ask(str(fake), "--root=/somewhere", "state", "f"), [])
        self.assertEqual(ask(str(fake), "--root", "=", "/somewhere", "state", "s"), ["second"])
        self.assertEqual(ask(str(fake), "--root", "/somewhere", "spec", ""), [])

    def test_ProposesSignalsToKillWith(self):
        self.assertIn("SIGKILL", ask("caisson-runtime", "kill", "one", "SIGK"))

    def test_LeavesTheWordsOfAnotherProgramAlone(self):
        self.assertEqual(ask("caisson-runtime", "exec", "one", "-"), [])
        self.assertEqual(ask("caisson-runtime", "ps", "one", "-"), [])

    def test_KnowsAllThreeNames(self):
        self.assertIn("forget", ask("/usr/bin/caisson-nest", ""))
        self.assertNotIn("forget", ask("caisson-runtime", ""))
        own = [command.name for command in read_program(RUNTIME).own]
        self.assertIn("tree", own)
        self.assertEqual(ask("caisson", ""), ["runtime", "nest", *own, "help"])
        self.assertEqual(ask("caisson", "nest", "forg"), ["forget"])
        self.assertEqual(sorted(ask("caisson", "runtime", "delete", "-")), flags_of("delete"))

    def test_ProposesTheFlagsThatOnlyNestHas(self):
        for words in (["--gr"], ["run", "--gr"], ["create", "--gr"]):
            self.assertEqual(ask("/usr/bin/caisson-nest", *words), ["--grants"], words)
            self.assertEqual(ask("caisson", "nest", *words), ["--grants"], words)
            self.assertEqual(ask("caisson-runtime", *words), [], words)
        self.assertEqual(ask("caisson-nest", "exec", "--gr"), [])
        self.assertEqual(ask("caisson-nest", "--profile", "h"), ["hardened"])
        self.assertEqual(ask("caisson-nest", "run", "--grants", "kv"), ["kvm"])
        self.assertIn("forget", ask("caisson-nest", "--profile", "hardened", ""))

    def test_ProposesTheFlagsOfCaissonsOwnCommands(self):
        for command in read_program(RUNTIME).own:
            words = [word for flag in command.flags for word in (f"--{flag.name}", f"-{flag.alias}") if len(word) > 1]
            self.assertEqual(sorted(ask("caisson", command.name, "-")), sorted(words))
            self.assertEqual(ask("caisson", command.name, "one", "-"), [])
        place = SCRATCH / "own"
        (place / "folder").mkdir(parents=True)
        self.assertEqual(ask("caisson", "tree", "--json", "--root", "f", cwd=place), ["folder"])
        self.assertEqual(ask("caisson", "tree", "--root", "=", "f", cwd=place), ["folder"])

    def test_IsRegisteredWhereItIsInstalled(self):
        listed = run("/bin/bash", "--norc", "-c", 'source "$1"; complete -p', "bash", str(FOLDER / "caisson.bash"))
        self.assertEqual(sorted(re.findall(r"-F _caisson (\S+)", listed)), ["caisson", "caisson-nest", "caisson-runtime"])

    @needs("shellcheck")
    def test_ShellcheckHasNothingToSay(self):
        run("shellcheck", "-s", "bash", str(FOLDER / "caisson.bash"))


class OtherShells(unittest.TestCase):
    @needs("zsh")
    def test_ZshParsesItsScript(self):
        self.assertEqual(run("zsh", "-f", "-n", str(FOLDER / "_caisson")), "")
        self.assertTrue((FOLDER / "_caisson").read_text().startswith("#compdef caisson caisson-runtime caisson-nest\n"))

    @needs("zsh")
    def test_ZshFindsItForAllThreeNames(self):
        script = "fpath=($1 $fpath); autoload -Uz compinit; compinit -D -u; print $_comps[caisson] $_comps[caisson-runtime] $_comps[caisson-nest]"
        self.assertEqual(run("zsh", "-f", "-c", script, "zsh", str(FOLDER)).split(), ["_caisson"] * 3)

    @needs("fish")
    def test_FishParsesItsScripts(self):
        for script in sorted(FOLDER.glob("*.fish")):
            self.assertEqual(run("fish", "--no-config", "-n", str(script)), "")

    @needs("fish")
    def test_FishProposesCommandsAndFlags(self):
        home = SCRATCH / "home"
        home.mkdir()
        environment = {**os.environ, "HOME": str(home), "PATH": f"{BUILD}:/usr/bin:/bin"}
        script = f"source {FOLDER}/caisson-runtime.fish; source {FOLDER}/caisson-nest.fish; complete -C "
        def propose(line):
            done = subprocess.run(["fish", "--no-config", "-c", script + f"'{line}'"], env=environment, text=True,
                                  stdin=subprocess.DEVNULL, capture_output=True, check=True)
            return [row.split("\t")[0] for row in done.stdout.splitlines()]
        self.assertEqual(propose("caisson-runtime feat"), ["features"])
        self.assertEqual(propose("caisson-runtime delete --f"), ["--force"])
        self.assertEqual(sorted(propose("caisson-runtime list --format ")), ["json", "table"])
        self.assertEqual(propose("caisson-nest forg"), ["forget"])


class Tree(unittest.TestCase):
    def test_NoScriptIsKeptBesideTheTable(self):
        kept = [path for path in (SOURCE / "packaging").rglob("*") if path.suffix in (".bash", ".fish", ".zsh")]
        self.assertEqual(kept, [])


if __name__ == "__main__":
    main()
