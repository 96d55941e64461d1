"""Mounts: every option, every kind, and targets that must stay inside the root file system.

Layer: tests, on harness.py.
SPDX-License-Identifier: Apache-2.0
"""
import os
import stat

from harness import LIBC, PEER, RuntimeTest, main, since_runc
from machine import without_limit

MS_BIND, MS_REC, MS_PRIVATE, MS_SHARED, MS_SLAVE = 4096, 16384, 1 << 18, 1 << 20, 1 << 19


def parse_mountinfo(text):
    """Mount point to (options, optional fields, kind, source, super options); later mounts on a point win."""
    found = {}
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        fields, (kind, source, supers) = left.split(" "), right.split(" ")[:3]
        found[fields[4]] = {"options": fields[5].split(","), "fields": fields[6:], "kind": kind, "source": source,
                            "super": supers.split(","), "root": fields[3]}
    return found


class Mounting(RuntimeTest):
    def setUp(self):
        super().setUp()
        self.source = os.path.join(self.directory, "source")
        os.mkdir(self.source)
        with open(os.path.join(self.source, "file"), "w") as file:
            file.write("content\n")
        self.c = self.container()

    def mounts(self):
        self.seen = self.c.report()
        return parse_mountinfo(self.seen["mountinfo"])

    def host_mount(self, source, target, kind=None, flags=0, data=None):
        encode = lambda v: v.encode() if v is not None else None  # noqa: E731
        if LIBC.mount(encode(source), encode(target), encode(kind), flags, encode(data)) != 0:
            self.fail(f"mount {source} on {target}")
        self.addCleanup(lambda: LIBC.umount2(target.encode(), 2))


class Options(Mounting):
    @since_runc("1.3", "an explicit mode that wins")
    def test_ATmpfsLooksLikeTheDirectoryItCovers(self):
        c = self.container("/bin/stat", "-c", "%a", "/covered", "/given", "/new")
        for name in ("covered", "given"):
            os.mkdir(os.path.join(c.rootfs, name))
            os.chmod(os.path.join(c.rootfs, name), 0o710)
        c.mount("/covered", "tmpfs", "tmpfs", [])
        c.mount("/given", "tmpfs", "tmpfs", ["mode=1500"])
        c.mount("/new", "tmpfs", "tmpfs", [])
        self.assertEqual(c.run().out.split(), ["710", "1500", "1777"])

    def test_PerMountFlagsAreSet(self):
        rows = [(["ro"], {"ro"}), (["rw"], {"rw"}), (["nosuid"], {"nosuid"}), (["nodev"], {"nodev"}), (["noexec"], {"noexec"}),
                (["noatime"], {"noatime"}), (["nodiratime"], {"nodiratime"}), (["relatime"], {"relatime"}),
                (["ro", "nosuid", "nodev", "noexec"], {"ro", "nosuid", "nodev", "noexec"}), (["ro", "rw"], {"rw"}),
                (["nosuid", "suid"], set())]
        for i, (options, _) in enumerate(rows):
            self.c.mount(f"/t{i}", "tmpfs", "tmpfs", options)
            self.c.mount(f"/b{i}", self.source, "bind", ["bind", *options])
        found = self.mounts()
        for i, (options, expected) in enumerate(rows):
            for prefix in "tb":
                self.assertLessEqual(expected, set(found[f"/{prefix}{i}"]["options"]), (prefix, options))
        self.assertNotIn("nosuid", found["/t10"]["options"])

    def test_StrictAtimeMeansNoRelatime(self):
        self.c.mount("/t", "tmpfs", "tmpfs", ["strictatime"])
        options = self.mounts()["/t"]["options"]
        self.assertNotIn("relatime", options)
        self.assertNotIn("noatime", options)

    def test_SuperblockDataIsPassed(self):
        self.c.mount("/t", "tmpfs", "tmpfs", ["size=1m", "mode=1750", "uid=5", "gid=6", "nr_inodes=77"])
        found = self.mounts()["/t"]["super"]
        self.assertLessEqual({"size=1024k", "mode=1750", "uid=5", "gid=6", "nr_inodes=77"}, set(found))

    def test_TheSourceNameIsKept(self):
        self.c.mount("/t", "a-name", "tmpfs", [])
        self.assertEqual(self.mounts()["/t"]["source"], "a-name")

    def test_AnUnknownOptionIsAnError(self):
        self.c.mount("/t", "tmpfs", "tmpfs", ["banana=1"])
        self.c.run(rc=1)
        self.assert_nothing_left()

    @since_runc("1.2", "a refusal of data for bind mounts")
    def test_DataForABindMountIsAnError(self):
        self.c.mount("/t", self.source, "bind", ["bind", "size=1m"])
        self.c.run(rc=1)
        self.assert_nothing_left()

    def test_RecursiveAttributesReachSubmounts(self):
        inner = os.path.join(self.source, "inner")
        os.mkdir(inner)
        self.host_mount("tmpfs", inner, "tmpfs")
        rows = [("rro", "ro"), ("rnosuid", "nosuid"), ("rnodev", "nodev"), ("rnoexec", "noexec"), ("rnoatime", "noatime"),
                ("rnodiratime", "nodiratime")]
        for option, _ in rows:
            self.c.mount(f"/{option}", self.source, "bind", ["rbind", option])
        self.c.mount("/plain", self.source, "bind", ["rbind", "ro"])
        found = self.mounts()
        for option, flag in rows:
            self.assertIn(flag, found[f"/{option}"]["options"], option)
            self.assertIn(flag, found[f"/{option}/inner"]["options"], option)
        self.assertIn("ro", found["/plain"]["options"])
        self.assertNotIn("ro", found["/plain/inner"]["options"], "ro is not recursive")

    def test_ReadOnlyBindRefusesWrites(self):
        self.c.mount("/b", self.source, "bind", ["rbind", "ro"])
        self.c.shell("echo x > /b/new; cat /b/file")
        outcome = self.c.run()
        self.assertEqual(outcome.out, "content\n")
        self.assertIn("Read-only", outcome.err)
        self.assertEqual(os.listdir(self.source), ["file"])

    def test_BindKeepsTheFlagsTheSourceHas(self):
        locked = os.path.join(self.directory, "locked")
        os.mkdir(locked)
        self.host_mount("tmpfs", locked, "tmpfs", 2 | 4 | 8)  # nosuid nodev noexec
        self.c.mount("/b", locked, "bind", ["bind", "ro"])
        found = self.mounts()["/b"]["options"]
        self.assertIn("ro", found)

    def test_PropagationIsSet(self):
        for name, field in (("shared", "shared"), ("slave", "master"), ("private", None), ("rshared", "shared"), ("rslave", "master"),
                            ("rprivate", None), ("unbindable", "unbindable")):
            self.c.mount(f"/{name}", self.source, "bind", ["rbind", name])
        shared = os.path.join(self.directory, "shared")
        os.mkdir(shared)
        self.host_mount(shared, shared, flags=MS_BIND)
        self.host_mount(None, shared, flags=MS_SHARED)
        self.c.mount("/from-shared", shared, "bind", ["rbind", "rslave"])
        self.c.linux["rootfsPropagation"] = "slave"
        found = self.mounts()
        kinds = {name: " ".join(found[f"/{name}"]["fields"]) for name in ("shared", "private", "rshared", "rprivate", "unbindable", "from-shared")}
        self.assertIn("shared:", kinds["shared"])
        self.assertIn("shared:", kinds["rshared"])
        self.assertEqual(kinds["private"], "")
        self.assertEqual(kinds["rprivate"], "")
        self.assertIn("unbindable", kinds["unbindable"])
        self.assertIn("master:", kinds["from-shared"])
        self.assertNotIn("shared:", kinds["from-shared"])


class Kinds(Mounting):
    def test_AFileIsBoundOnAFileThatIsMade(self):
        self.c.mount("/etc/new/deep.conf", os.path.join(self.source, "file"), "bind", ["bind", "ro"])
        self.c.shell("cat /etc/new/deep.conf")
        self.assertEqual(self.c.run().out, "content\n")

    def test_ADestinationIsMadeWithItsParents(self):
        self.c.mount("/a/b/c/d", self.source)
        self.c.shell("cat /a/b/c/d/file")
        self.assertEqual(self.c.run().out, "content\n")

    def test_TheTypeNoneWithBindOptionIsABind(self):
        self.c.mount("/b", self.source, "none", ["bind"])
        self.c.config["mounts"].append({"destination": "/c", "source": self.source, "options": ["rbind"]})
        self.c.shell("cat /b/file /c/file")
        self.assertEqual(self.c.run().out, "content\n" * 2)

    def test_ARelativeSourceIsBelowTheBundle(self):
        os.mkdir(os.path.join(self.c.bundle, "volume"))
        with open(os.path.join(self.c.bundle, "volume", "f"), "w") as file:
            file.write("mine\n")
        self.c.mount("/b", "volume", "bind", ["rbind"])
        self.c.shell("cat /b/f")
        self.assertEqual(self.c.run().out, "mine\n")

    def test_ARelativeDestinationIsBelowTheRoot(self):
        self.c.mount("rel/dest", self.source, "bind", ["rbind"])
        self.c.shell("cat /rel/dest/file")
        self.assertEqual(self.c.run().out, "content\n")

    def test_MountsAreMadeInTheirOrder(self):
        self.c.mount("/m", "tmpfs", "tmpfs", [])
        self.c.mount("/m/in", self.source)
        self.c.mount("/over/in", self.source)
        self.c.mount("/over", "tmpfs", "tmpfs", [])
        self.c.shell("ls /m; ls /over; cat /m/in/file")
        self.assertEqual(self.c.run().out, "in\ncontent\n")

    def test_MqueueShmDevptsAndSysfsAreWhatTheySay(self):
        found = self.mounts()
        self.assertEqual({p: found[p]["kind"] for p in ("/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys")},
                         {"/proc": "proc", "/dev": "tmpfs", "/dev/pts": "devpts", "/dev/shm": "tmpfs", "/dev/mqueue": "mqueue", "/sys": "sysfs"})
        self.assertIn("ro", found["/sys"]["options"])
        self.assertIn("gid=5", found["/dev/pts"]["super"])

    def test_TmpfsCopiesUpWhatItHides(self):
        self.c.file("/data/sub/f", "kept\n", 0o644)
        os.symlink("sub/f", self.c.rootfs + "/data/link")
        os.chown(self.c.rootfs + "/data/sub/f", 7, 8)
        self.c.mount("/data", "tmpfs", "tmpfs", ["tmpcopyup", "mode=755"])
        self.c.shell("cat /data/link; stat -c '%u %g %a' /data/sub/f; echo x > /data/new; grep -c ' /data ' /proc/self/mountinfo")
        self.assertEqual(self.c.run().out.splitlines(), ["kept", "7 8 644", "1"])
        self.assertFalse(os.path.exists(self.c.rootfs + "/data/new"))

    @without_limit("cgroup-v1")
    def test_CgroupMountShowsTheContainersOwnGroup(self):
        self.c.namespace("cgroup")
        self.c.shell("cat /sys/fs/cgroup/pids/cgroup.procs | wc -l; mount | grep -c 'type cgroup'; "
                     "echo $$ > /sys/fs/cgroup/pids/cgroup.procs; mkdir /sys/fs/cgroup/pids/x")
        outcome = self.c.run(rc=None)
        lines = outcome.out.split()
        self.assertGreaterEqual(int(lines[0]), 1)
        self.assertGreaterEqual(int(lines[1]), 3)
        self.assertEqual(outcome.err.lower().count("read-only"), 2, outcome)

    @without_limit("cgroup-v1")
    def test_CgroupMountWithoutANamespaceShowsOnlyTheOwnGroup(self):
        self.c.shell("cat /sys/fs/cgroup/pids/cgroup.procs; ls /sys/fs/cgroup")
        outcome = self.c.run()
        self.assertIn("1\n", outcome.out)
        self.assertIn("memory", outcome.out)

    @without_limit("cgroup-v1")
    def test_CgroupMountCanBeWritable(self):
        for mount in self.c.config["mounts"]:
            if mount["type"] == "cgroup":
                mount["options"] = ["nosuid", "noexec", "nodev", "rw"]
        self.c.namespace("cgroup")
        self.c.shell("mkdir /sys/fs/cgroup/pids/x && rmdir /sys/fs/cgroup/pids/x 2>/dev/null || busybox rmdir /sys/fs/cgroup/pids/x; echo $?")
        self.assertEqual(self.c.run().out.strip(), "0")

    def test_ProcMayBeReadOnly(self):
        self.c.config["mounts"][0]["options"] = ["ro", "nosuid"]
        self.assertLessEqual({"ro", "nosuid"}, set(self.mounts()["/proc"]["options"]))

    @without_limit("cgroup-v2")
    def test_CgroupMountShowsTheOwnGroupOnV2(self):
        self.c.namespace("cgroup")
        self.c.shell("cat /sys/fs/cgroup/cgroup.procs | wc -l; echo 0 > /sys/fs/cgroup/cgroup.procs; mkdir /sys/fs/cgroup/x; true")
        outcome = self.c.run()
        self.assertGreaterEqual(int(outcome.out), 1)
        self.assertEqual(outcome.err.lower().count("read-only"), 2, outcome)

    @without_limit("overlay")
    def test_OverlayIsMounted(self):
        for name in ("lower", "upper", "work"):
            os.mkdir(os.path.join(self.directory, name))
        with open(os.path.join(self.directory, "lower", "f"), "w") as file:
            file.write("low\n")
        d = self.directory
        self.c.mount("/o", "overlay", "overlay", [f"lowerdir={d}/lower", f"upperdir={d}/upper", f"workdir={d}/work"])
        self.c.shell("cat /o/f; echo new > /o/g")
        self.assertEqual(self.c.run().out, "low\n")
        self.assertTrue(os.path.exists(f"{d}/upper/g"))


class Idmapped(Mounting):
    def owners(self):
        self.c.process["args"] = ["/probe", "stat", "/v/file", "/v"]
        return self.c.run().json()["/v/file"]

    @since_runc("1.2", "idmapped mounts")
    def test_PerMountMapsShift(self):
        os.chown(os.path.join(self.source, "file"), 3, 4)
        maps = [{"containerID": 0, "hostID": 5000, "size": 100}]
        self.c.mount("/v", self.source, "bind", ["rbind", "idmap"], uidMappings=maps, gidMappings=maps)
        seen = self.owners()
        self.assertEqual((seen["uid"], seen["gid"]), (5003, 5004))

    @since_runc("1.2", "idmapped mounts")
    def test_IdmapWithoutMapsTakesTheContainers(self):
        self.c.user_namespace()
        os.chown(os.path.join(self.source, "file"), 3, 4)
        self.c.mount("/v", self.source, "bind", ["rbind", "idmap"])
        seen = self.owners()
        self.assertEqual((seen["uid"], seen["gid"]), (3, 4))

    @since_runc("1.2", "idmapped mounts")
    def test_FilesMadeInsideBelongToTheSourcesIds(self):
        self.c.user_namespace()
        self.c.mount("/v", self.source, "bind", ["rbind", "idmap"])
        self.c.shell("echo x > /v/new")
        self.c.run()
        self.assertEqual(os.stat(os.path.join(self.source, "new")).st_uid, 0)

    @without_limit("tmpfs-idmap")
    @since_runc("1.2", "idmapped mounts")
    def test_RidmapReachesSubmounts(self):
        inner = os.path.join(self.source, "inner")
        os.mkdir(inner)
        self.host_mount("tmpfs", inner, "tmpfs", 0, "mode=755")
        maps = [{"containerID": 0, "hostID": 5000, "size": 100}]
        self.c.mount("/v", self.source, "bind", ["rbind", "ridmap"], uidMappings=maps, gidMappings=maps)
        self.c.mount("/w", self.source, "bind", ["rbind", "idmap"], uidMappings=maps, gidMappings=maps)
        self.c.process["args"] = ["/probe", "stat", "/v/inner", "/w/inner", "/v", "/w"]
        seen = self.c.run().json()
        self.assertEqual({p: seen[p]["uid"] for p in seen}, {"/v": 5000, "/v/inner": 5000, "/w": 5000, "/w/inner": 0})

    @since_runc("1.2", "idmapped mounts")
    def test_OneSidedMapsAreRefused(self):
        self.c.mount("/v", self.source, "bind", ["rbind", "idmap"], uidMappings=[{"containerID": 0, "hostID": 1, "size": 1}])
        self.c.run(rc=1)
        self.assert_nothing_left()

    @since_runc("1.2", "idmapped mounts")
    def test_IdmapWithoutAUserNamespaceOrMapsIsRefused(self):
        self.c.mount("/v", self.source, "bind", ["rbind", "idmap"])
        self.c.run(rc=1)
        self.assert_nothing_left()


class Inside(Mounting):
    """Symlinks in the root file system are the container's: they mean its root, never the host's."""

    def setUp(self):
        super().setUp()
        self.canary = os.path.join(self.directory, "canary")
        os.mkdir(self.canary)

    def test_AnAbsoluteSymlinkIsResolvedInTheRoot(self):
        os.symlink(self.canary, self.c.rootfs + "/link")
        self.c.mount("/link/a", "tmpfs", "tmpfs", [])
        found = self.c.run(rc=None)
        self.assertEqual(os.listdir(self.canary), [], found)

    def test_ASymlinkToARealDirectoryIsFollowedInside(self):
        os.makedirs(self.c.rootfs + "/real")
        os.symlink("/real", self.c.rootfs + "/alias")
        self.c.mount("/alias/x", self.source)
        self.c.shell("cat /real/x/file")
        self.assertEqual(self.c.run().out, "content\n")

    def test_DotDotInADestinationStaysInside(self):
        self.c.mount("/../../../../a/../b", self.source)
        self.c.shell("cat /b/file")
        self.assertEqual(self.c.run().out, "content\n")

    def test_ADotDotSymlinkStaysInside(self):
        os.symlink("../../../../../../../" + self.canary, self.c.rootfs + "/up")
        self.c.mount("/up/deep", self.source)
        self.c.run(rc=None)
        self.assertEqual(os.listdir(self.canary), [])

    def test_AFileTargetThatIsASymlinkIsNotWrittenThrough(self):
        victim = os.path.join(self.canary, "victim")
        os.symlink(victim, self.c.rootfs + "/etc/hosts")
        self.c.mount("/etc/hosts", os.path.join(self.source, "file"), "bind", ["bind"])
        self.c.run(rc=None)
        self.assertEqual(os.listdir(self.canary), [])

    def test_ADanglingLinkAsFileTargetShowsTheFile(self):
        """/etc/resolv.conf of many images is one, and every engine binds a file there."""
        os.symlink("../run/systemd/resolve/stub-resolv.conf", self.c.rootfs + "/etc/resolv.conf")
        self.c.mount("/etc/resolv.conf", os.path.join(self.source, "file"), "bind", ["bind"])
        self.c.shell("cat /etc/resolv.conf")
        self.assertEqual(self.c.run().out, "content\n")

    def test_ALinkToARealDirectoryAboveTheTargetIsFollowed(self):
        """/var/run -> /run, with secrets or a socket below it."""
        os.symlink("/run", self.c.rootfs + "/var/run")
        self.c.mount("/var/run/secrets/account", self.source)
        self.c.shell("cat /run/secrets/account/file")
        self.assertEqual(self.c.run().out, "content\n")

    def test_ProcAndSysThatAreSymlinksAreRefused(self):
        for name in ("proc", "sys"):
            with self.subTest(name=name):
                c = self.container()
                os.rmdir(os.path.join(c.rootfs, name))
                os.mkdir(os.path.join(c.rootfs, "evil"))
                os.symlink("/evil", os.path.join(c.rootfs, name))
                c.run(rc=1)
                self.assert_nothing_left()

    def test_MountsBelowProcAreRefusedExceptAFew(self):
        c = self.container()
        c.mount("/proc/sys/net", self.source)
        c.run(rc=1)
        self.assert_nothing_left()
        c = self.container("/bin/cat", "/proc/uptime")
        c.mount("/proc/uptime", os.path.join(self.source, "file"), "bind", ["bind"])
        self.assertEqual(c.run().out, "content\n", "lxcfs does this")

    def test_ATmpfsOverProcIsRefused(self):
        c = self.container()
        c.mount("/proc", "tmpfs", "tmpfs", [])
        c.run(rc=1)
        self.assert_nothing_left()


class Devices(Mounting):
    def test_TheDefaultNodesAndLinksAreThere(self):
        nodes = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
        links = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx"}
        self.c.process["args"] = ["/probe", "stat"] + [f"/dev/{n}" for n in (*nodes, *links)]
        seen = self.c.run().json()
        for name, (major, minor) in nodes.items():
            node = seen[f"/dev/{name}"]
            self.assertTrue(stat.S_ISCHR(node["mode"]), name)
            self.assertEqual((node["major"], node["minor"], node["mode"] & 0o777), (major, minor, 0o666), name)
        self.assertEqual({n: seen[f"/dev/{n}"]["link"] for n in links}, links)

    def test_AskedNodesAreMade(self):
        self.c.linux["devices"] = [
            {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o600, "uid": 5, "gid": 6},
            {"path": "/dev/deep/er/blk", "type": "b", "major": 7, "minor": 0, "fileMode": 0o640},
            {"path": "/dev/unbuf", "type": "u", "major": 1, "minor": 5}, {"path": "/dev/pipe", "type": "p"}]
        self.c.process["args"] = ["/probe", "stat", "/dev/fuse", "/dev/deep/er/blk", "/dev/unbuf", "/dev/pipe"]
        seen = self.c.run().json()
        fuse, block = seen["/dev/fuse"], seen["/dev/deep/er/blk"]
        self.assertEqual((fuse["major"], fuse["minor"], fuse["mode"], fuse["uid"], fuse["gid"]), (10, 229, stat.S_IFCHR | 0o600, 5, 6))
        self.assertEqual((block["major"], block["minor"], block["mode"]), (7, 0, stat.S_IFBLK | 0o640))
        self.assertTrue(stat.S_ISCHR(seen["/dev/unbuf"]["mode"]))
        self.assertTrue(stat.S_ISFIFO(seen["/dev/pipe"]["mode"]))

    def test_ADefaultNodeMayBeReplaced(self):
        self.c.linux["devices"] = [{"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o644, "uid": 9, "gid": 9}]
        self.c.linux["resources"]["devices"].append({"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"})
        self.c.process["args"] = ["/probe", "stat", "/dev/null"]
        self.assertEqual(self.c.run().json()["/dev/null"]["major"], 1)

    def test_AnUnknownTypeIsRefused(self):
        self.c.linux["devices"] = [{"path": "/dev/x", "type": "z", "major": 1, "minor": 1}]
        self.c.run(rc=1)
        self.assert_nothing_left()

    def test_DevicesOutsideDevStayInTheRoot(self):
        os.symlink(self.source, self.c.rootfs + "/out")
        self.c.linux["devices"] = [{"path": "/out/node", "type": "c", "major": 1, "minor": 3}]
        self.c.run(rc=None)
        self.assertEqual(os.listdir(self.source), ["file"])

    def test_ABoundDevIsNotTouched(self):
        dev = os.path.join(self.directory, "dev")
        os.mkdir(dev)
        self.c.config["mounts"] = [m for m in self.c.config["mounts"] if not m["destination"].startswith("/dev")]
        self.c.mount("/dev", dev, "bind", ["rbind"])
        self.c.run(rc=None)
        if PEER == "caisson":
            self.assertEqual(os.listdir(dev), [])


if __name__ == "__main__":
    main()
