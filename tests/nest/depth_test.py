"""A nest in a nest, and so on: each is a nest to what is inside it.

Layer: tests. Users: ctest (tests.nest.depth).
SPDX-License-Identifier: Apache-2.0
"""
import copy
import json
import os
import shutil

from nests import NestTest, main

DEPTH = 5
LIMIT = 300 << 20
SAYS = """echo level LEVEL uid $(id -u); grep MemTotal /proc/meminfo; mkdir -p /tmp/proc && mount -t proc proc /tmp/proc
grep MemTotal /tmp/proc/meminfo; umount /tmp/proc && echo unmounted; mknod /tmp/null c 1 3 && echo x > /tmp/null && echo null
cat /proc/self/uid_map"""


class Depth(NestTest):
    def fill(self, nest, rootfs, level):
        """What the root of this level needs to start the next one. Returns the level's command."""
        script = SAYS.replace("LEVEL", str(level))
        if level == DEPTH:
            return script
        inner = os.path.join(rootfs, "inner")
        shutil.copytree(nest.rootfs, os.path.join(inner, "rootfs"), symlinks=True, ignore=lambda *_: ["inner"])
        for name in ("caisson-nest", "caisson-runtime"):
            shutil.copy(os.path.realpath(os.environ["CAISSON_TEST_RUNTIME"]), os.path.join(rootfs, "bin", name))
        config = copy.deepcopy(nest.config)
        config["process"]["args"] = ["sh", "-c", self.fill(nest, os.path.join(inner, "rootfs"), level + 1)]
        config["linux"]["cgroupsPath"] = f"/inner{level}"
        with open(os.path.join(inner, "config.json"), "w") as file:
            json.dump(config, file)
        return script + f"\ncaisson-nest --root /run/inner run --bundle /inner inner{level} 2>&1"

    def test_five_levels_have_devices_and_see_the_limits_of_the_first(self):
        nest = self.nest()
        nest.linux.setdefault("resources", {})["memory"] = {"limit": LIMIT}
        nest.process["args"] = ["sh", "-c", self.fill(nest, nest.rootfs, 1)]
        said = nest.run(seconds=120).out
        shown = f"MemTotal:{LIMIT >> 10:>15} kB"
        for level, text in enumerate(said.split("level ")[1:], 1):
            lines = [" ".join(line.split()) for line in text.splitlines()]
            self.assertEqual(lines[:5], [f"{level} uid 0", *2 * [" ".join(shown.split())], "unmounted", "null"], said)
            self.assertRegex(lines[5], "^0 [0-9]+ 65536$" if level == 1 else "^0 0 65536$")
        self.assertEqual(said.count("level "), DEPTH, said)


if __name__ == "__main__":
    main()
