"""An older kernel, call by call: what has a fallback works without the call, what has none fails in one line that names it.

Layer: tests, on harness.py and tests/tools/without. The container lacks the call too: busybox alone runs in it.
SPDX-License-Identifier: Apache-2.0
"""
import os
import unittest

from harness import PEER, SOURCE, RuntimeTest, built, main, without_limit

SPARE = "keyctl memfd_create statx getrandom rseq pidfd_getfd copy_file_range ioprio_set".split()
NEEDED = "openat2 open_tree move_mount mount_setattr fsopen fsconfig fsmount clone3 close_range execveat faccessat2 renameat2".split()


def without_path():
    return built("CAISSON_TEST_WITHOUT", "without", [os.path.join(SOURCE, "tests/tools/without.cc")], "-static", "-lseccomp")


@unittest.skipUnless(PEER == "caisson", "peer: ours alone")
class Without(RuntimeTest):
    def wrap(self, *calls):
        return (without_path(), ",".join(calls), "--")

    def mounted(self, *arguments):
        """A container in a user namespace of its own, with a bind mount, an idmapped one and a read-only one."""
        c = self.container(*arguments)
        c.user_namespace()
        source = os.path.join(self.directory, "shared")
        os.makedirs(source, exist_ok=True)
        c.mount("/mnt/plain", source)
        c.mount("/mnt/mapped", source, options=("rbind", "idmap"))
        c.mount("/mnt/fixed", source, options=("rbind", "ro"))
        return c

    def whole_life(self, *calls):
        wrap = self.wrap(*calls)
        c = self.mounted().shell("touch /mnt/mapped/it && ! touch /mnt/fixed/no 2>/dev/null && stat -c %u /mnt/mapped/it && hostname")
        self.assertEqual(c.run(wrap=wrap).out.split(), ["0", "caisson-test"])
        self.assertEqual(os.stat(os.path.join(self.directory, "shared/it")).st_uid, 0, "idmapped")
        c = self.container("/bin/sleep", "1000")
        c.create(wrap=wrap)
        c.start(wrap=wrap)
        self.assertEqual(c.exec("/bin/echo", "here", wrap=wrap).out, "here\n")
        self.assertEqual(self.runtime("state", c.id, wrap=wrap).json()["status"], "running")
        self.runtime("kill", c.id, "KILL", wrap=wrap)
        c.wait_stopped()
        self.runtime("delete", c.id, wrap=wrap)
        self.assert_nothing_left(f"without {calls}")

    def refused(self, call, outcome):
        self.assertIn(outcome.rc, (1, 255), outcome)
        self.assertRegex(outcome.err, rf"^[^\n]*\b{call}\b[^\n]*: function not implemented\n$", outcome)

    def test_AContainerLivesWithoutEachCallThatHasAFallback(self):
        for call in SPARE:
            with self.subTest(call):
                self.whole_life(call)

    def test_AndWithoutAllOfThem(self):
        self.whole_life(*SPARE)

    def test_ACallWithoutAFallbackIsNamedAndNothingIsLeft(self):
        for call in NEEDED:
            with self.subTest(call):
                self.refused(call, self.container("/bin/true").run(rc=None, wrap=self.wrap(call)))
                self.assert_nothing_left(f"without {call}")

    def test_AnIdmappedMountIsNeverLeftUnmapped(self):
        self.refused("mount_setattr", self.mounted("/bin/true").run(rc=None, wrap=self.wrap("mount_setattr")))
        self.assert_nothing_left()

    def test_ThePlainCommandsNeedNoNewCalls(self):
        wrap = self.wrap(*NEEDED[:7], "clone3", "faccessat2")
        c = self.container("/bin/sleep", "1000").up()
        self.assertEqual(self.runtime("state", c.id, wrap=wrap).json()["status"], "running")
        self.assertIn(c.id, self.runtime("list", wrap=wrap).out)
        self.runtime("features", wrap=wrap).json()
        self.runtime("kill", c.id, "KILL", wrap=wrap)
        c.wait_stopped()
        self.runtime("delete", c.id, wrap=wrap)
        self.assert_nothing_left()

    def test_TheExecutableIsProtectedByAReadOnlyCloneOrASealedCopyNeverByNothing(self):
        c = self.container("/bin/sleep", "1000").up()
        for call in ("open_tree", "mount_setattr"):
            with self.subTest(call):
                self.assertEqual(c.exec("/bin/echo", "here", wrap=self.wrap(call)).out, "here\n")
                self.refused("memfd_create", c.exec("/bin/echo", rc=None, wrap=self.wrap(call, "memfd_create")))

    def test_ASignalThatCannotBeSentSafelyIsRefusedAndTheContainerStaysWhole(self):
        for call in ("pidfd_open", "pidfd_send_signal"):
            with self.subTest(call):
                c = self.container("/bin/sleep", "1000").up()
                self.refused(call, self.runtime("kill", c.id, "KILL", rc=None, wrap=self.wrap(call)))
                self.assertEqual(c.status(), "running")
                self.runtime("kill", c.id, "KILL")
                c.wait_stopped()
                c.delete()

    def test_AnExecThatLacksACallLeavesTheContainerWhole(self):
        c = self.container("/bin/sleep", "1000").up()
        for call in ("clone3", "close_range", "execveat", "faccessat2", "setns", "pidfd_open"):
            with self.subTest(call):
                self.refused(call, c.exec("/bin/true", rc=None, wrap=self.wrap(call)))
                self.assertEqual(c.status(), "running")

    @without_limit("cgroup-v1")
    def test_OnVersion1DevicesNeedNoBpf(self):
        self.whole_life("bpf")

    @without_limit("cgroup-v2")
    def test_OnVersion2DevicesAreNotLeftOpenWithoutBpf(self):
        self.refused("bpf", self.container("/bin/true").run(rc=None, wrap=self.wrap("bpf")))
        self.assert_nothing_left()

    def test_AFilterThatCannotBeLoadedIsNotLeftOut(self):
        c = self.container("/bin/true")
        c.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
                              "syscalls": [{"names": ["kexec_load"], "action": "SCMP_ACT_ERRNO"}]}
        outcome = c.run(rc=1, wrap=self.wrap("seccomp"))
        self.assertIn("seccomp", outcome.err)
        self.assertEqual(len(outcome.err.splitlines()), 1, outcome)


if __name__ == "__main__":
    main()
