"""Called by an ordinary user: one mapped id, no cgroup of its own, and no way to more than it has.

Layer: tests, on harness.py. The runtime is called as uid 1000 with the configuration of `spec --rootless`.
SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import shutil
import unittest

from harness import PEER, RUNTIME, Call, RuntimeTest, Template, main, not_on

USER = 1000


class Rootless(RuntimeTest):
    def setUp(self):
        super().setUp()
        self.c = self.container("/probe")
        os.chown(self.directory, USER, USER)
        os.chown(self.c.bundle, USER, USER)
        shutil.rmtree(self.c.rootfs)
        # copies, not hard links: the user owns its root file system
        os.system(f"cp -a --no-preserve=links {Template.get()} {self.c.rootfs} && chown -R {USER}:{USER} {self.c.rootfs}")
        self.mine("spec", "--rootless", cwd=self.c.bundle)
        with open(os.path.join(self.c.bundle, "config.json")) as file:
            config = json.load(file)
        config["process"].update(terminal=False, args=["/probe"])
        config["root"]["readonly"] = False
        for kind in ("uidMappings", "gidMappings"):
            config["linux"][kind] = [{"containerID": 0, "hostID": USER, "size": 1}]
        self.c.config = config

    def mine(self, *arguments, **options):
        options.setdefault("env", {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": self.directory})
        return self.runtime(*arguments, user=USER, group=USER, extra_groups=[], **options)

    def run_mine(self, *flags, rc=0, **options):
        self.c.write()
        return self.mine("run", *flags, "--bundle", self.c.bundle, self.c.id, rc=rc, **options)

    def test_ItRunsAsRootOfItsOwnNamespaceOnly(self):
        seen = self.run_mine().json()
        self.assertEqual((seen["uid"], seen["gid"], seen["pid"]), (0, 0, 1))
        self.assertEqual(seen["uid_map"].split(), ["0", str(USER), "1"])
        self.assertEqual(seen["setgroups"].strip(), "deny")
        self.assertEqual(seen["open_fds"], [0, 1, 2])

    def test_FilesItMakesAreTheUsers(self):
        self.c.process["args"] = ["/bin/sh", "-c", "echo x > /made; id -u"]
        self.assertEqual(self.run_mine().out, "0\n")
        self.assertEqual(os.stat(self.c.rootfs + "/made").st_uid, USER)

    def test_TheWholeLifeWorks(self):
        self.c.process["args"] = ["/bin/sleep", "1000"]
        self.c.write()
        self.mine("create", "--bundle", self.c.bundle, self.c.id)
        self.assertEqual(self.mine("state", self.c.id).json()["status"], "created")
        self.mine("start", self.c.id)
        state = self.mine("state", self.c.id).json()
        self.assertEqual(state["status"], "running")
        self.assertEqual(os.stat(f"/proc/{state['pid']}").st_uid, USER)
        self.assertEqual(self.mine("exec", self.c.id, "/bin/echo", "inside").out, "inside\n")
        self.mine("kill", self.c.id, "KILL")
        self.mine("delete", "--force", self.c.id, meanwhile=self.reap)
        self.assert_nothing_left()

    @not_on("runc-1.1", "it needs --rootless to be guessed from the environment")
    def test_OtherUsersIdsAreRefused(self):
        for kind in ("uidMappings", "gidMappings"):
            self.c.linux[kind] = [{"containerID": 0, "hostID": 0, "size": 1}]
        self.run_mine(rc=1)
        self.assert_nothing_left()

    def test_WithoutAUserNamespaceItIsACleanError(self):
        self.c.namespace("user", False)
        del self.c.linux["uidMappings"], self.c.linux["gidMappings"]
        self.run_mine(rc=1)
        self.assert_nothing_left()

    def test_TheHostsCgroupsStayReadOnly(self):
        self.c.process["args"] = ["/bin/sh", "-c", "for d in /sys/fs/cgroup/*; do echo 0 > $d/cgroup.procs && echo wrote $d; done; true"]
        self.assertNotIn("wrote", self.run_mine().out)

    @unittest.skipUnless(PEER == "caisson", "peer: other words")
    def test_LimitsThatCannotBeSetAreAnError(self):
        self.c.linux["resources"] = {"memory": {"limit": 64 << 20}}
        self.assertIn("rootless needs no limits + no cgrouppath when no permission is granted for cgroups", self.run_mine(rc=1).said)

    def test_MasksAndReadOnlyPathsHold(self):
        self.c.process["args"] = ["/bin/sh", "-c", "cat /proc/kcore | head -c 10 | wc -c; echo 1 > /proc/sys/kernel/printk; true"]
        outcome = self.run_mine()
        self.assertEqual(outcome.out.strip(), "0")
        self.assertNotEqual(outcome.err, "")

    def test_RootsStateIsNotTouched(self):
        outcome = self.runtime("list", "-q", user=USER, group=USER, extra_groups=[], env={"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": self.directory})
        self.assertEqual(outcome.out, "")

    def test_TheDefaultRootIsTheUsersRuntimeDirectory(self):
        if PEER != "caisson":
            self.skipTest("peer: another directory")
        self.c.process["args"] = ["/bin/sleep", "1000"]
        self.c.write()
        environment = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": self.directory}
        options = dict(user=USER, group=USER, extra_groups=[], env=environment)
        self.assertEqual(Call(self, [RUNTIME, "run", "-d", "--bundle", self.c.bundle, self.c.id], **options).wait().rc, 0)
        try:
            self.assertTrue(os.path.isdir(os.path.join(self.directory, "caisson/runtime", self.c.id)))
        finally:
            Call(self, [RUNTIME, "delete", "--force", self.c.id], **options).wait(meanwhile=self.reap)


# Runs its arguments as root of a new user namespace with the first 65,536 ids as they are; a child outside writes the maps.
IN_A_USER_NAMESPACE = ["/usr/bin/python3", "-c", """
import ctypes, os, sys
ready, say = os.pipe()
first, child = os.getpid(), os.fork()
if child == 0:
    os.read(ready, 1)
    for kind in ("uid", "gid"):
        open(f"/proc/{first}/{kind}_map", "w").write("0 0 65536")
    os._exit(0)
ctypes.CDLL(None).unshare(0x10000000)
os.write(say, b"x")
os.waitpid(child, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""]


class InAUserNamespace(RuntimeTest):
    """How an engine of a user's calls it, and one in a container: as root of a namespace, with none in config.json."""

    def test_DevicesAreTheHostsBound(self):
        c = self.container().shell("echo x > /dev/null && head -c 3 /dev/zero | wc -c; grep -c ' /dev/null ' /proc/mounts")
        self.assertEqual(c.run(wrap=IN_A_USER_NAMESPACE).out.split(), ["3", "1"])
        self.assert_nothing_left()

    def test_ADeviceThatIsNotTheHostsIsRefused(self):
        c = self.container("/bin/true")
        c.linux["devices"] = [{"path": "/dev/random2", "type": "c", "major": 1, "minor": 3}]
        c.run(rc=1, wrap=IN_A_USER_NAMESPACE)
        self.assert_nothing_left()


if __name__ == "__main__":
    main()
