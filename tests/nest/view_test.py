"""A nest's own /proc and /sys: its limits and its values, also in what it mounts, and after its supervisor was killed.

Layer: tests. Users: ctest (tests.nest.view). The file system behind it: procview_test.py.
SPDX-License-Identifier: Apache-2.0
"""
import os
import re
import signal
import unittest

from nests import NestTest, cgroup_mounts, main, wait_until
from supervisor_test import SupervisedTest

LIMIT = 192 << 20
SYSCTLS = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys", "fs/file-max")


def host(name):
    with open(f"/proc/sys/{name}") as file:
        return file.read()


@unittest.skipUnless(os.path.exists("/dev/fuse"), "machine: no /dev/fuse")
class View(SupervisedTest):
    def limited(self, script):
        nest = self.trapping().shell(script)
        nest.linux.setdefault("resources", {})["memory"] = {"limit": LIMIT}
        return nest

    def kib(self):
        return str(LIMIT >> 10) if "memory" in cgroup_mounts() else None

    def test_it_shows_the_limits_of_the_nest(self):
        if not self.kib():
            self.skipTest("machine: no memory controller")
        out = self.limited("head -n 1 /proc/meminfo; free | sed -n 2p; cat /proc/uptime").run().out.split("\n")
        self.assertEqual(out[0].split()[1], self.kib())
        self.assertEqual(out[1].split()[1], self.kib())
        self.assertLess(float(out[2].split()[0]), 60)

    def test_a_proc_that_it_mounts_shows_the_same(self):
        if not self.kib():
            self.skipTest("machine: no memory controller")
        nest = self.limited("""
        mkdir -p /tmp/p && mount -t proc -o hidepid=0 proc /tmp/p && head -n 1 /tmp/p/meminfo && ls /tmp/p/self/ns/pid
        umount /tmp/p && grep -c /tmp/p /proc/mounts
        unshare -Urpf --mount-proc sh -c 'echo $$; head -n 1 /proc/meminfo'
        chroot / sh -c 'cd /tmp && mount -t proc proc p && head -n 1 p/meminfo; umount p'
        """)
        self.assertEqual(re.findall(r"MemTotal: *(\d+)", nest.run().out), [self.kib()] * 3)
        self.assertEqual(nest.run().out.split("\n")[1:4], ["/tmp/p/self/ns/pid", "0", "1"])

    def test_a_proc_of_the_new_mount_api_shows_the_same(self):
        if not self.kib():
            self.skipTest("machine: no memory controller")
        nest = self.limited("""
        mkdir -p /tmp/p /tmp/q /tmp/s && /trapped attach proc /tmp/p && head -n 1 /tmp/p/meminfo && ls -d /tmp/p/self/ns/pid
        umount /tmp/p && grep -c /tmp/p /proc/mounts
        unshare -Urpf --mount sh -c '/trapped attach proc /proc && echo pid $$ && head -n 1 /proc/meminfo'
        cd /tmp && /trapped attach proc p && /trapped clone p q && mount --rbind q q && head -n 1 q/meminfo; ls -d q/self
        mount --move p q && head -n 1 q/meminfo && mount -o remount,ro,bind q && head -n 1 q/meminfo
        /trapped attach sysfs s && cmp /sys/devices/system/cpu/online s/devices/system/cpu/online && ls s/class/net
        """)
        out = nest.run().out
        self.assertEqual(re.findall(r"MemTotal: *(\d+)", out), [self.kib()] * 5)
        self.assertEqual([line for line in out.split("\n") if "Mem" not in line],
                         ["/tmp/p/self/ns/pid", "0", "pid 1", "q/self", "lo", ""])

    def test_a_sysfs_that_it_mounts_shows_the_same(self):
        nest = self.trapping().shell("""
        mkdir -p /tmp/s && mount -t sysfs none /tmp/s && cmp /sys/devices/system/cpu/online /tmp/s/devices/system/cpu/online && echo same
        ls /tmp/s/class/net; umount /tmp/s && ls /tmp/s
        """)
        self.assertEqual(nest.run().out.split(), ["same", "lo"])

    def test_what_it_writes_stays_in_it(self):
        before = [host(name) for name in SYSCTLS]
        names = " ".join(SYSCTLS)
        nest = self.trapping().shell(f"cd /proc/sys; for n in {names}; do echo 1 > $n && cat $n; done")
        self.assertEqual(nest.run().out.split(), ["1"] * len(SYSCTLS))
        self.assertEqual([host(name) for name in SYSCTLS], before)
        again = self.trapping().shell("cat /proc/sys/kernel/panic")
        self.assertEqual(again.run().out, host("kernel/panic"))

    def test_values_survive_the_supervisor(self):
        nest = self.trapping("sleep", "60").up()
        nest.exec("sh", "-c", "echo 77 > /proc/sys/kernel/panic")
        for pid in self.supervisors():
            os.kill(pid, signal.SIGKILL)
        self.assertEqual(nest.exec("cat", "/proc/sys/kernel/panic").out, "77\n")

    def test_a_wrong_value_is_refused_as_by_the_kernel(self):
        nest = self.trapping().shell("echo 9 > /proc/sys/vm/overcommit_memory")
        self.assertIn("nvalid argument", nest.run(rc=None).err)

    def test_a_callers_own_file_wins(self):
        path = os.path.join(self.directory, "meminfo")
        with open(path, "w") as file:
            file.write("mine\n")
        nest = self.trapping("cat", "/proc/meminfo")
        nest.mount("/proc/meminfo", path)
        self.assertEqual(nest.run().out, "mine\n")

    def test_a_hung_supervisor_is_replaced(self):
        nest = self.trapping("sleep", "60").up()
        before = self.supervisors()
        os.kill(before[0], signal.SIGSTOP)
        self.assertEqual(nest.exec("sh", "-c", "mknod /tmp/n c 1 3 && head -n 1 /proc/uptime >/dev/null && echo done").out, "done\n")
        wait_until(lambda: self.supervisors() != before, "another supervisor")

    def test_nothing_of_it_stays_mounted(self):
        self.trapping("true").run()
        with open("/proc/self/mountinfo") as file:
            self.assertNotIn(self.live, file.read())


class WithoutFuse(NestTest):
    def test_a_nest_of_a_joined_user_namespace_has_the_hosts_view(self):
        nest = self.nest("head", "-n", "1", "/proc/meminfo")
        self.assertIn("MemTotal", nest.run().out)


if __name__ == "__main__":
    main()
