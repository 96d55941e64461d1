"""Grants: what each gives, and that without it the same thing cannot be had.

Layer: tests. Users: ctest (tests.nest.grants). The table is caisson/nest/grants.cc.
SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import shutil
import stat
import subprocess

from calls_test import calls_path
from nests import cgroup_mounts, main
from supervisor_test import SupervisedTest

CAPABILITIES = {"mount": 21, "net": 12, "mknod": 27, "rlimit": 24, "priority": 23, "modules": 16, "bpf": 39}
PLAIN = "/dev/null", "/dev/zero"


def host_device(*paths):
    """The first of these that this host has."""
    return next((path for path in paths if os.path.exists(path)), None)


def numbers(path):
    device = os.stat(path).st_rdev
    return f"{os.major(device):x}:{os.minor(device):x}"


class GrantsTest(SupervisedTest):
    def granted(self, grants, script, **more):
        nest = self.trapping().shell(script)
        nest.config["annotations"] = {"io.caisson.grants": grants, **more}
        return nest

    def out(self, grants, script):
        """Both streams: what a shell prints when a call fails is part of the answer."""
        return self.granted(grants, f"exec 2>&1; {script}").run(rc=None).out

    def refused(self, grants, **more):
        outcome = self.granted(grants, "true", **more).run(rc=1)
        self.assertEqual(self.shims(), [])
        return outcome.err


class EachGrant(GrantsTest):
    def test_a_capability_is_there_with_its_grant_only(self):
        for grant, bit in CAPABILITIES.items():
            for grants, there in (("none," + grant, 1), ("default,bpf,-" + grant if grant != "bpf" else "default", 0)):
                sets = self.out(grants, "grep -E 'Cap(Bnd|Eff|Prm)' /proc/self/status").split()[1::2]
                self.assertEqual([int(each, 16) >> bit & 1 for each in sets], [there] * 3, grants)

    def test_mount_mounts_and_without_it_no_user_namespace_helps(self):
        script = "mkdir -p /m; mount -t tmpfs x /m && echo did; unshare -Urm mount -t tmpfs x /m && echo nested; umount /m && echo undone"
        self.assertEqual(self.out("default", script).split(), ["did", "nested", "undone"])
        without = self.out("-mount", script)
        self.assertEqual(without.count("not permitted") + without.count("permission denied"), 3, without)
        self.assertNotRegex(without, "did|nested|undone")

    def test_cgroup_makes_groups(self):
        where = "/sys/fs/cgroup" if "" in cgroup_mounts() or not os.path.isdir("/sys/fs/cgroup/pids") else "/sys/fs/cgroup/pids"
        script = f"mkdir {where}/inner && echo made; rmdir {where}/inner"
        self.assertEqual(self.out("default", script), "made\n")
        self.assertRegex(self.out("-cgroup", script), "Read-only|denied")
        again = f"mkdir /m; mount -t cgroup2 c /m || mount -t cgroup -o pids c /m; mkdir /m/inner && echo made"
        self.assertNotIn("made", self.out("-cgroup", again))

    def test_net_sets_up_interfaces(self):
        script = "busybox ip link set lo up && busybox ip addr add 10.9.8.7/32 dev lo && echo did"
        self.assertEqual(self.out("default", script), "did\n")
        self.assertIn("not permitted", self.out("-net", script))

    def test_sysctl_sets_values_of_its_own(self):
        with open("/proc/sys/vm/overcommit_memory") as file:
            before = file.read()
        script = "echo 2 > /proc/sys/vm/overcommit_memory; cat /proc/sys/vm/overcommit_memory"
        if os.path.exists("/dev/fuse"):
            self.assertEqual(self.out("default", script), "2\n")
        without = self.out("-sysctl", script + "; mkdir /m; mount -t proc p /m; echo 2 > /m/sys/vm/overcommit_memory; cat /m/sys/vm/overcommit_memory")
        self.assertEqual(without.count("denied"), 2, without)
        self.assertEqual(without.count("\n" + before), 2, without)

    def test_mknod_makes_nodes(self):
        script = "busybox mknod /tmp/n c 1 3 && echo lost > /tmp/n && echo made"
        self.assertEqual(self.out("default", script), "made\n")
        self.assertIn("not permitted", self.out("-mknod", script))

    def test_fuse_and_tun_are_devices_that_can_be_had_in_no_other_way(self):
        for grant, path, node in (("fuse", "/dev/fuse", "c 10 229"), ("tun", "/dev/net/tun", "c 10 200")):
            if not os.path.exists(path):
                continue
            script = f"/attempts open {path}; busybox mknod /tmp/n {node} && /attempts open /tmp/n"
            self.assertEqual(self.out("default", script), "open OK\nopen OK\n")
            without = self.out("-" + grant, script).splitlines()
            self.assertEqual(without[0], "open ENOENT")
            self.assertIn("not permitted", without[1])

    def test_what_is_answered_for_a_grant_is_answered_with_it_only(self):
        answered = {"priority": "nice-5", "modules": "finit-fuse", "trusted-xattr": "trusted.overlay"}
        for grants, granted in (("default,trusted-xattr", True), ("default,-priority,-modules", False)):
            nest = self.granted(grants, "exec /calls all /tmp")
            shutil.copy(calls_path(), os.path.join(nest.rootfs, "calls"))
            said = dict(line.split(None, 1) for line in nest.run().out.splitlines() if " " in line)
            for grant, name in answered.items():
                self.assertEqual(said[name] == "ok", granted, (grant, said[name]))

    def test_bpf_reaches_the_kernel(self):
        self.assertEqual(self.out("+bpf", "/attempts bpf"), "bpf EFAULT\n")
        self.assertEqual(self.out("default", "/attempts bpf"), "bpf EPERM\n")

    def test_kmsg_is_the_hosts_and_else_empty(self):
        script = "stat -c %t:%T /dev/kmsg"
        self.assertEqual(self.out("+kmsg", script), numbers("/dev/kmsg") + "\n")
        self.assertEqual(self.out("default", script + "; cat /dev/kmsg"), "1:3\n")
        self.assertEqual(self.out("default", "busybox mknod /tmp/k c 1 11 2>/dev/null && echo made"), "")

    def test_a_device_is_the_one_that_is_named(self):
        path = host_device("/dev/kvm", "/dev/loop-control", "/dev/autofs")
        other = next(p for p in ("/dev/loop-control", "/dev/autofs", "/dev/hwrng", "/dev/rtc0", path) if os.path.exists(p) and p != path or p == path)
        grants = ["+device:" + path] + (["+kvm"] if path == "/dev/kvm" else [])
        script = f"stat -c %t:%T {path}; /attempts open {path}; ls {other}"
        for each in grants:
            lines = self.out(each, script).splitlines()
            self.assertEqual(lines[:2], [numbers(path), "open OK"], each)
            if other != path:
                self.assertIn("No such file", lines[2])
        device = os.stat(path).st_rdev
        without = self.out("default", f"ls {path}; busybox mknod /tmp/n c {os.major(device)} {os.minor(device)} && echo made")
        self.assertNotIn("made", without)
        self.assertIn("No such file", without)

    def test_loop_gives_the_loop_devices(self):
        if not os.path.exists("/dev/loop-control"):
            self.assertIn("grant loop: /dev/loop-control is needed", self.refused("+loop"))
            return
        self.assertEqual(self.out("+loop", "/attempts open /dev/loop-control"), "open OK\n")
        self.assertEqual(self.out("default", "/attempts open /dev/loop-control"), "open ENOENT\n")

    def test_its_mknod_makes_a_granted_device_too(self):
        path = host_device("/dev/kvm", "/dev/loop-control", "/dev/autofs")
        device = os.stat(path).st_rdev
        script = f"busybox mknod /tmp/n c {os.major(device)} {os.minor(device)} && /attempts open /tmp/n"
        self.assertEqual(self.out("+device:" + path, script), "open OK\n")


class Choosing(GrantsTest):
    def test_what_is_wrong_is_named_and_nothing_is_left(self):
        for grants, what in (("default,sudo", 'annotation io.caisson.grants: grant "sudo" is not known; known are default'),
                             ("kvm,kvm", '"kvm" is there twice'), ("+nfs", '"nfs" is refused'),
                             ("device:/dev/mem", "is the host's memory"), ("device:/dev/nosuch", "/dev/nosuch is needed, and this host has none"),
                             ("device:/dev/shm", "/dev/shm is no device")):
            self.assertIn(what, self.refused(grants))
        self.assertIn('profile "open" is not known', self.refused("default", **{"io.caisson.profile": "open"}))

    def test_memory_by_another_name_is_refused_too(self):
        path = f"/dev/caisson-test-{os.getpid()}"
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 1))
        self.addCleanup(os.unlink, path)
        self.assertIn("the host's memory and never given", self.refused("device:" + path))

    def test_a_flag_chooses_and_an_annotation_can_only_take_away(self):
        status = "grep CapBnd /proc/self/status"
        def bits(*globals, **annotations):
            nest = self.trapping().shell(status)
            nest.config["annotations"] = {f"io.caisson.{name}": value for name, value in annotations.items()}
            nest.write()
            outcome = self.runtime(*globals, "run", "--bundle", nest.bundle, nest.id, rc=None)
            return int(outcome.out.split()[1], 16) if outcome.out else outcome.err
        self.assertEqual(bits("--grants", "mount") >> 12 & 1, 0)
        self.assertEqual(bits("--grants=-net") >> 12 & 1, 0)
        self.assertEqual(bits("--grants", "mount,net", grants="net") >> 21 & 1, 0)
        self.assertIn('grant "mount" is not one of those of --grants: net', bits("--grants", "net", grants="mount"))

    def test_a_second_process_has_no_more_than_the_first(self):
        nest = self.granted("-net,-mount", "sleep 1000").up()
        process = {"args": ["grep", "CapBnd", "/proc/self/status"], "cwd": "/", "user": {"uid": 0, "gid": 0},
                   "env": ["PATH=/bin"], "capabilities": {"bounding": ["CAP_NET_ADMIN"], "ambient": ["CAP_NET_ADMIN"]}}
        path = os.path.join(self.directory, "process.json")
        with open(path, "w") as file:
            json.dump(process, file)
        sets = int(nest.exec(flags=("--process", path)).out.split()[1], 16)
        self.assertEqual(sets & (1 << 12 | 1 << 21), 0)
        self.assertNotEqual(sets & 1 << 27, 0)

    def test_a_killed_supervisor_remembers(self):
        nest = self.granted("-fuse", "sleep 1000").up()
        for pid in self.supervisors():
            os.kill(pid, 9)
        script = "busybox mknod /tmp/n c 1 3 && echo made; busybox mknod /tmp/f c 10 229 && echo made; true"
        self.assertEqual(nest.exec("sh", "-c", script).out, "made\n")


class Command(GrantsTest):
    """`caisson grants`, by the executable beside caisson-nest."""

    def grants(self, *arguments):
        caisson = os.path.join(os.path.dirname(os.environ["CAISSON_TEST_RUNTIME"]), "caisson")
        return subprocess.run([caisson, "grants", *arguments], capture_output=True, text=True)

    def test_it_lists_each_and_says_what_this_host_lacks(self):
        table = json.loads(self.grants("--json").stdout)
        self.assertEqual([line.split()[0] for line in self.grants().stdout.splitlines()[1:] if line[0] != " "], list(table))
        for path, name in (("/dev/kvm", "kvm"), ("/dev/fuse", "fuse"), ("/dev/loop-control", "loop")):
            self.assertEqual(table[name]["here"], os.path.exists(path), name)
        self.assertEqual((table["nfs"]["set"], table["nfs"]["here"]), ("refused", False))
        self.assertEqual(table["mount"]["set"], "default")

    def test_what_it_does_not_know_is_an_error(self):
        outcome = self.grants("--jsno")
        self.assertEqual((outcome.returncode, outcome.stdout), (1, ""))
        self.assertIn("--jsno", outcome.stderr)


if __name__ == "__main__":
    main()
