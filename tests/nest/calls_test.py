"""Calls that a nest's supervisor answers, by every way into the kernel, and those that it leaves to the kernel on purpose.

Layer: tests. Users: ctest (tests.nest.calls). Mounts and mknod: supervisor_test.py, view_test.py.
SPDX-License-Identifier: Apache-2.0
"""
import os
import resource
import shutil
import signal

from nests import HERE, built, main
from supervisor_test import SupervisedTest

SYS_RESOURCE = 24


def calls_path():
    return built("CAISSON_TEST_CALLS", "nest_calls", [os.path.join(HERE, "calls.cc")], "-static")


def has_capability(number):
    with open("/proc/self/status") as file:
        return int(file.read().split("\nCapEff:\t")[1].split()[0], 16) >> number & 1


class Calls(SupervisedTest):
    def calling(self, *arguments):
        nest = self.trapping("/calls", *arguments)
        shutil.copy(calls_path(), os.path.join(nest.rootfs, "calls"))
        return nest

    def said(self):
        """What `calls all` said, once for all laws."""
        if not hasattr(Calls, "lines"):
            Calls.lines = self.calling("all", "/tmp").run().out.splitlines()
        return Calls.lines

    def check(self, *expected):
        for line in expected:
            self.assertIn(line, self.said())

    def test_32_bit_programs_are_answered_too(self):
        if any(line.startswith("mknod32 signal") for line in self.said()):
            self.skipTest("machine: no 32-bit calls in this kernel")
        self.check("mknod32 ok", "mknodat32 ok", "sysinfo32 ok", "uptime32 ok", "mount32 ok", "umount32 ok")

    def test_x32_programs_are_answered_too(self):
        self.check("mknodx32 ok")

    def test_its_root_raises_priorities_within_bounds(self):
        lines = self.said()
        self.check("nice-5 ok", "nice-19 EACCES", "nice5 ok", "nice-child ok", "nice-nobody ESRCH")
        self.assertEqual([line for line in lines if line.startswith("is ")], ["is -5", "is -3"])

    def test_real_time_stays_the_kernels_to_refuse(self):
        self.check("sched-fifo EPERM", "sched-batch ok", "ioprio-realtime EPERM", "ioprio-best-effort ok")

    def test_a_module_that_the_host_has_counts_as_loaded(self):
        self.check("finit-fuse ok", "init-fuse ok")
        for name in ("finit-no-such-thing", "init-no-such-thing", "delete-module"):
            said = [line for line in self.said() if line.startswith(name + " ")]
            self.assertIn(said, [[f"{name} EPERM"], [f"{name} ENOSYS"]])  # ENOSYS: a kernel without modules

    def test_the_clock_and_swap_are_refused_clearly(self):
        self.check("settimeofday EPERM", "clock-settime EPERM", "adjtimex EPERM", "adjtimex-read ok", "swapon EPERM", "swapoff EPERM")

    def test_what_archives_need_is_the_kernels(self):
        self.check("security.capability ok", "user ok", "whiteout ok", "trusted.overlay EPERM", "trusted.other EPERM")

    def test_with_the_grant_its_root_has_overlays_attributes(self):
        nest = self.calling("all", "/tmp")
        nest.config.setdefault("annotations", {})["io.caisson.grants"] = "default,trusted-xattr"
        lines = nest.run().out.splitlines()
        for expected in ("security.capability ok", "user ok", "trusted.overlay ok", "trusted.other EPERM", "trusted.overlay-get ok",
                         "trusted.overlay-listed yes", "trusted.overlay-remove ok", "ring-trusted-xattr EPERM"):
            self.assertIn(expected, lines)

    def test_io_uring_reaches_nothing_more(self):
        if "ring ok" not in self.said():
            self.skipTest("machine: no io_uring for nests")
        self.check("ring-trusted-xattr EPERM", "ring-open-mem ENOENT")
        self.assertNotIn("ring-open-sysrq ok", self.said())

    def test_a_reboot_ends_the_nest_by_the_kernels_signals(self):
        for flags, name in (((), signal.SIGHUP), (("halt",), signal.SIGINT)):
            nest = self.calling("reboot", *flags)
            outcome = nest.run(rc=None)
            self.assertEqual(outcome.rc, 128 + name, outcome)

    def test_limits_are_raised_up_to_the_hosts_own(self):
        if not has_capability(SYS_RESOURCE):
            self.skipTest("machine: root has no CAP_SYS_RESOURCE")
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self.assertEqual(self.calling("limits", str(min(most, 4096))).run().out.split("\n"),
                         ["raise ok", "was 128", "raise-child ok", f"is {min(most, 4096)}", "raise-beyond EPERM", "lower ok", ""])

    def test_limits_are_not_raised_where_the_host_cannot(self):
        if has_capability(SYS_RESOURCE):
            self.skipTest("machine: root has CAP_SYS_RESOURCE")
        self.assertIn("raise EPERM", self.calling("limits", "4096").run().out)


if __name__ == "__main__":
    main()
