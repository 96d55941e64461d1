"""The annotations by which caisson-nest asks for more than the specification has; ours alone.

Layer: tests, on harness.py. A nest's mounts must be locked by the kernel: everything here is tried by the container's root
with all capabilities in its own user namespace.
SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import stat
import unittest

from harness import PEER, RuntimeTest, default_config, main
from machine import cgroup_mounts, without_limit

ALL = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP",
       "CAP_NET_ADMIN", "CAP_SYS_ADMIN", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_MKNOD", "CAP_SETFCAP"]
HOST = 100000


@unittest.skipUnless(PEER == "caisson", "peer: ours alone")
class Nest(RuntimeTest):
    def nest(self, **annotations):
        c = self.container(config=default_config())
        c.namespace("user")
        c.namespace("cgroup")
        for kind in ("uidMappings", "gidMappings"):
            c.linux[kind] = [{"containerID": 0, "hostID": HOST, "size": 65536}]
        c.process["capabilities"] = {kind: list(ALL) for kind in ("bounding", "effective", "permitted")}
        c.process["noNewPrivileges"] = False
        c.config["annotations"] = {"io.caisson." + name.replace("_", "-"): value for name, value in annotations.items()}
        return c


class Locked(Nest):
    def setUp(self):
        super().setUp()
        self.source = os.path.join(self.directory, "source")
        os.mkdir(self.source)
        with open(os.path.join(self.source, "file"), "w") as file:
            file.write("content\n")
        self.c = self.nest(locked_mounts="true", rootfs_idmap="true")
        self.c.mount("/vol", self.source, "bind", ["rbind", "ro"])

    def test_AReadOnlyVolumeStaysReadOnly(self):
        self.c.shell("mount -o remount,bind,rw /vol; echo x > /vol/new; cat /vol/file; id -u; umount /vol; cat /vol/file")
        outcome = self.c.run(rc=None)
        self.assertEqual(outcome.out, "content\n0\ncontent\n", outcome)
        self.assertEqual(os.listdir(self.source), ["file"])

    def test_TheNewMountApiCannotUnlockEither(self):
        # mount_setattr(AT_FDCWD, "/vol", 0, {attr_set 0, attr_clr MOUNT_ATTR_RDONLY}, 32): the attributes lie in a text argument
        self.c.shell("mount --bind /vol /mnt 2>/dev/null; mount -o remount,bind,rw /mnt; echo x > /mnt/new; true")
        os.makedirs(self.c.rootfs + "/mnt", exist_ok=True)
        self.c.run(rc=None)
        self.assertEqual(os.listdir(self.source), ["file"])

    def test_MasksCannotBeUnmounted(self):
        self.c.file("/secret", "secret\n")
        self.c.linux["maskedPaths"].append("/secret")
        self.c.shell("umount /secret; cat /secret; echo end")
        self.assertEqual(self.c.run(rc=None).out, "end\n")

    def test_AMountMarkedInsideIsNotLocked(self):
        self.c.mount("/inside", "tmpfs", "tmpfs", ["x-caisson.inside", "mode=755"])
        self.c.mount("/outside", "tmpfs", "tmpfs", ["mode=755"])
        self.c.shell("umount /inside && echo unmounted; umount /outside 2>/dev/null || echo locked")
        self.assertEqual(self.c.run(rc=None).out, "unmounted\nlocked\n")

    def test_TmpfsAndDevicesBelongToTheContainersRoot(self):
        self.c.mount("/t", "tmpfs", "tmpfs", ["mode=750"])
        self.c.mount("/u", "tmpfs", "tmpfs", ["uid=7", "gid=8"])
        self.c.process["args"] = ["/probe", "stat", "/t", "/u", "/dev", "/dev/null", "/dev/zero", "/dev/tty"]
        seen = self.c.run().json()
        owners = {path: (seen[path]["uid"], seen[path]["gid"]) for path in seen}
        self.assertEqual(owners["/t"], (0, 0))
        self.assertEqual(owners["/u"], (7, 8))
        self.assertEqual(owners["/dev"], (0, 0))
        self.assertEqual(owners["/dev/null"], (0, 0))
        self.assertTrue(stat.S_ISCHR(seen["/dev/null"]["mode"]))
        self.assertEqual(seen["/dev/null"]["dev"], seen["/dev"]["dev"], "made, not bound")

    def test_DevicesWork(self):
        self.c.shell("echo x > /dev/null && head -c 3 /dev/zero | wc -c")
        self.assertEqual(self.c.run().out.strip(), "3")

    def test_AProcCanStillBeMountedByAnInnerNamespace(self):
        self.c.linux["maskedPaths"], self.c.linux["readonlyPaths"] = [], []
        self.c.file("/mnt/.keep")
        self.c.shell("unshare -mpf sh -c 'mount -t proc proc /mnt && echo mounted'")
        self.assertIn("mounted", self.c.run(rc=None).out)

    def test_ExecSeesTheLockedMountsToo(self):
        self.c.process["args"] = ["/bin/sleep", "1000"]
        self.c.up()
        outcome = self.c.exec("/bin/sh", "-c", "cat /vol/file; umount /vol; mount -o remount,bind,rw /vol; echo x > /vol/new; id -u", rc=None)
        self.assertEqual(outcome.out, "content\n0\n")
        self.assertEqual(os.listdir(self.source), ["file"])

    def test_WithoutAUserNamespaceItIsRefused(self):
        self.c.namespace("user", False)
        del self.c.linux["uidMappings"], self.c.linux["gidMappings"]
        self.c.run(rc=1)
        self.assert_nothing_left()


class Roots(Nest):
    def test_AnIdmappedRootBelongsToTheContainersRoot(self):
        c = self.nest(locked_mounts="true", rootfs_idmap="true")
        os.chown(c.rootfs, 0, 0)
        c.shell("stat -c '%u %g' / /etc; echo x > /new; stat -c %u /new")
        self.assertEqual(c.run().out.splitlines(), ["0 0", "0 0", "0"])
        self.assertEqual(os.stat(c.rootfs + "/new").st_uid, 0, "on disk it is host root's: the map is the mount's")

    @without_limit("overlay-layers-by-descriptor")
    @without_limit("overlay")
    def test_AnOverlayRootIsMountedFromIdmappedLayers(self):
        c = self.nest(locked_mounts="true")
        layers = {name: os.path.join(self.directory, name) for name in ("top", "data/upper", "data/work")}
        for path in layers.values():
            os.makedirs(path)
        os.mkdir(layers["top"] + "/etc")
        with open(layers["top"] + "/etc/layered", "w") as file:
            file.write("top\n")
        c.config["annotations"]["io.caisson.rootfs-overlay"] = json.dumps(
            {"lower": [layers["top"], c.rootfs], "upper": layers["data/upper"], "work": layers["data/work"]})
        c.shell("cat /etc/layered; stat -c %u /etc/layered; echo new > /etc/new; rm /etc/passwd; id -u")
        before = sorted(os.listdir(c.rootfs + "/etc"))
        self.assertEqual(c.run().out.splitlines(), ["top", "0", "0"])
        self.assertEqual(sorted(os.listdir(c.rootfs + "/etc")), before, "lower layers stay")
        with open(layers["data/upper"] + "/etc/new") as file:
            self.assertEqual(file.read(), "new\n")
        self.assertEqual(os.stat(layers["data/upper"] + "/etc/new").st_uid, 0)


@without_limit("cgroup-v1")
class Delegated(Nest):
    def setUp(self):
        super().setUp()
        self.c = self.nest(locked_mounts="true", delegate_cgroup="true", rootfs_idmap="true")
        self.c.linux["resources"].update({"pids": {"limit": 50}, "memory": {"limit": 64 << 20}})
        for mount in self.c.config["mounts"]:
            if mount["type"] == "cgroup":
                mount["options"] = ["nosuid", "noexec", "nodev"]

    def test_ChildrenCanBeMadeAndEntered(self):
        self.c.shell("cd /sys/fs/cgroup/pids && mkdir inner && echo 0 > inner/cgroup.procs && cat /proc/self/cgroup | grep :pids:")
        self.assertTrue(self.c.run().out.strip().endswith("/inner"))

    def test_TheOwnLimitsCannotBeRaised(self):
        self.c.shell("echo 60 > /sys/fs/cgroup/pids/pids.max; echo -1 > /sys/fs/cgroup/memory/memory.limit_in_bytes; true")
        outcome = self.c.run()
        self.assertEqual(outcome.err.count("ermission denied"), 2, outcome)

    def test_ItIsTheDirectoryAndTheMembershipFilesOnly(self):
        self.c.process["args"] = ["/bin/sleep", "1000"]
        self.c.up()
        for name, owner in (("", HOST), ("cgroup.procs", HOST), ("tasks", HOST), ("cgroup.clone_children", HOST), ("pids.max", 0)):
            self.assertEqual(os.stat(self.c.cgroup("pids", name)).st_uid, owner, name)
        parent = os.path.join(cgroup_mounts()["pids"], self.cgroup.lstrip("/"))
        self.assertEqual(os.stat(parent).st_uid, 0)


class Announced(Nest):
    def test_FeaturesNameTheAnnotations(self):
        text = self.runtime("features").out
        for name in ("locked-mounts", "rootfs-idmap", "rootfs-overlay", "delegate-cgroup"):
            self.assertIn("io.caisson." + name, text)


if __name__ == "__main__":
    main()
