"""A nest under its own AppArmor profile, and without those that were written for plain containers.

Layer: tests. Users: ctest (tests.nest.apparmor), and tests/vm where the machine has no AppArmor.
SPDX-License-Identifier: Apache-2.0
"""
import os
import shutil
import subprocess
import unittest

from nests import SOURCE, NestTest, main

PROFILE = os.path.join(SOURCE, "packaging/apparmor/caisson-nest")
KINDS = ("proc", "sysfs", "tmpfs", "mqueue", "devpts")


def enabled():
    try:
        with open("/sys/module/apparmor/parameters/enabled") as file:
            return file.read().strip() == "Y" and shutil.which("apparmor_parser") is not None
    except OSError:
        return False


def loaded():
    with open("/sys/kernel/security/apparmor/profiles") as file:
        return any(line.split()[0] == "caisson-nest" for line in file)


class Others(NestTest):
    def test_a_profile_for_plain_containers_is_left_out(self):
        nest = self.nest().shell("mount -t tmpfs none /mnt && cat /proc/self/attr/current 2>/dev/null; true")
        os.makedirs(os.path.join(nest.rootfs, "mnt"), exist_ok=True)
        nest.process["apparmorProfile"] = "docker-default"
        self.assertIn(nest.run().out.strip(), ("", "unconfined"))


@unittest.skipUnless(enabled(), "machine: AppArmor is not enabled, or has no parser")
class Confined(NestTest):
    def setUp(self):
        super().setUp()
        if not loaded():
            self.addCleanup(subprocess.run, ["apparmor_parser", "-R", PROFILE], check=True)
            subprocess.run(["apparmor_parser", "-r", "-K", PROFILE], check=True)

    def confined(self):
        nest = self.nest()
        nest.process["apparmorProfile"] = "caisson-nest"
        os.makedirs(os.path.join(nest.rootfs, "mnt"), exist_ok=True)
        return nest

    def test_it_mounts_and_makes_namespaces(self):
        script = f"cat /proc/self/attr/current; for kind in {' '.join(KINDS)}; do mount -t $kind $kind /mnt && umount /mnt && echo $kind; done"
        nest = self.confined().shell(script + "; unshare -m -u -i -n -p -f -U -r true && echo namespaces")
        self.assertEqual(nest.run().out.split("\n")[:-1], ["caisson-nest (enforce)", *KINDS, "namespaces"])

    def test_a_command_of_exec_is_confined_too_and_both_can_be_killed(self):
        nest = self.confined().up()
        self.assertEqual(nest.exec("cat", "/proc/self/attr/current").out.strip(), "caisson-nest (enforce)")
        nest.kill("KILL")
        nest.wait_stopped()
        nest.delete()

    def test_it_does_not_see_the_firmware_that_nobody_masked(self):
        for profile in ("", "caisson-nest"):
            nest = self.confined().shell("ls -d /sys/firmware/*/ | wc -l; "
                                         "ls /sys/firmware/*/ >/dev/null 2>&1; echo $?")
            nest.process["apparmorProfile"] = profile
            nest.linux["maskedPaths"] = []
            folders, status = nest.run().out.split()
            if folders == "0":
                self.skipTest("machine: nothing in /sys/firmware")
            self.assertEqual(status == "0", profile == "", profile)


if __name__ == "__main__":
    main()
