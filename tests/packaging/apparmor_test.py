#!/usr/bin/env python3
"""The AppArmor profiles: parsed, never loaded.

Layer: tests.
SPDX-License-Identifier: Apache-2.0
"""
import pathlib
import subprocess
import unittest

from packages import SOURCE, main, needs, run

FOLDER = SOURCE / "packaging/apparmor"


def parse(name):
    """The profiles' names, once they compile."""
    run("apparmor_parser", "-Q", "-K", str(FOLDER / name))
    return subprocess.run(["apparmor_parser", "-N", "-K", str(FOLDER / name)], capture_output=True, text=True).stdout.split()


class Profiles(unittest.TestCase):
    @needs("apparmor_parser")
    def test_TheNestsParses(self):
        self.assertEqual(parse("caisson-nest"), ["caisson-nest"])

    @needs("apparmor_parser")
    def test_TheOneForUserNamespacesParsesWhereTheParserKnowsThem(self):
        if not pathlib.Path("/etc/apparmor.d/abi/4.0").exists():
            self.skipTest("machine: this parser is older than 4.0 and knows no user namespaces")
        self.assertEqual(parse("caisson"), ["caisson"])

    def test_TheOneForUserNamespacesConfinesNothing(self):
        text = (FOLDER / "caisson").read_text()
        self.assertIn("flags=(unconfined)", text)
        self.assertIn("\n  userns,\n", text)


if __name__ == "__main__":
    main()
