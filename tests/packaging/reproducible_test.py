#!/usr/bin/env python3
"""Two builds from nothing, in directories of different names and depth, one after the other: the same packages.

Layer: tests. Long: CAISSON_LONG=1.
SPDX-License-Identifier: Apache-2.0
"""
import os
import re
import unittest

from packages import BUILD, LONG, SCRATCH, SOURCE, digests, main, make_packages, run


def build(place):
    """The packages of a copy of the tree at `place`, compiled without a cache."""
    place.mkdir(parents=True)
    names = run("git", "-c", "safe.directory=*", "-C", SOURCE, "ls-files", "-z").split("\0")
    present = "\n".join(name for name in names if name and (SOURCE / name).exists())
    (place / "names").write_text(present)
    run("tar", "-C", SOURCE, "-cf", place / "tree.tar", "-T", place / "names")
    run("tar", "-C", place, "-xf", place / "tree.tar")
    environment = {**os.environ, "CCACHE_DISABLE": "1", "SOURCE_DATE_EPOCH": "1796083200"}
    compiler = re.search(r"CMAKE_CXX_COMPILER:\w+=(\S+)", (BUILD / "CMakeCache.txt").read_text())[1]
    run("cmake", "-G", "Ninja", "-S", place, "-B", place / "b", f"-DCMAKE_CXX_COMPILER={compiler}", env=environment)
    run("ninja", "-C", place / "b", "caisson", "documents", env=environment)
    return digests(make_packages(place / "b", place / "packages", env=environment))


class Builds(unittest.TestCase):
    @unittest.skipUnless(LONG, "long: two builds from nothing, some minutes each")
    def test_TwoDirectoriesGiveTheSamePackages(self):
        first = build(SCRATCH / "one")
        second = build(SCRATCH / "two/of another/depth")
        self.assertEqual(len(first), 3)
        self.assertEqual(first, second)


if __name__ == "__main__":
    main()
