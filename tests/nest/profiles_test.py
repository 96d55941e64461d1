"""Profiles: how a nest's /proc and /sys are closed, who makes new ones, and what is left when nobody answers.

Layer: tests. Users: ctest (tests.nest.profiles). DESIGN of the three: docs/guide/grants.md.
SPDX-License-Identifier: Apache-2.0
"""
import os
import signal
import subprocess
import unittest

from dockerd_test import IMAGE, Dockerd
from nests import LIBC, main, wait_until
from supervisor_test import SupervisedTest



def has_pidns_option():
    """Whether a proc can be made for another pid namespace (Linux 6.17); without that, profile hardened refuses all."""
    fsopen, fsconfig, set_fd = 430, 431, 5  # source: linux/mount.h, the numbers of all architectures
    context = LIBC.syscall(fsopen, b"proc", 0)
    space = os.open("/proc/self/ns/pid", os.O_RDONLY)
    try:
        return LIBC.syscall(fsconfig, context, set_fd, b"pidns", None, space) == 0
    finally:
        os.close(space)
        os.close(context)


EMULATED = has_pidns_option()
PROFILES = ("compat", "hardened", "minimal") if EMULATED else ("compat", "minimal")
NEEDS_PIDNS = unittest.skipUnless(EMULATED, "kernel: proc has no pidns option")
NESTED = "unshare -Urpf --mount-proc sh -c 'test $$ = 1 && echo proc'"
SYSFS = "unshare -Urn -m sh -c 'mkdir -p /tmp/s; mount -t sysfs s /tmp/s && ls /tmp/s/class/net && umount /tmp/s'"


class ProfileTest(SupervisedTest):
    def of(self, profile, script, user=0):
        nest = self.trapping().shell(f"exec 2>&1; {script}")
        nest.config["annotations"] = {"io.caisson.profile": profile}
        nest.process["user"] = {"uid": user, "gid": user}
        if user:
            nest.process["capabilities"] = {}
        return nest

    def out(self, profile, script, user=0):
        return self.of(profile, script, user).run(rc=None).out

    def orphaned(self, profile):
        """A nest whose shim and supervisor were killed."""
        nest = self.of(profile, "sleep 1000").up()
        wait_until(lambda: self.supervisors(), "a supervisor")
        for pid in self.shims():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self.shims(), "the shim has gone")
        for pid in self.supervisors():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self.supervisors(), "the supervisor has gone")
        return nest


    def natively(self, nest, kind):
        """What the kernel says to the nest's root when no filter is in between."""
        join = ["nsenter", "-t", str(nest.pid), "-U", "-m", "-p", "-n", "-S", "0", "-G", "0", "/bin/busybox", "sh", "-c"]
        done = subprocess.run([*join, f"mkdir -p /tmp/k; mount -t {kind} x /tmp/k && echo did && umount /tmp/k"], capture_output=True, text=True)
        return done.stdout + done.stderr


class InEveryProfile(ProfileTest):
    def test_a_user_namespace_inside_has_a_proc_and_a_sysfs_of_its_own(self):
        for profile in PROFILES:
            for user in (0, 1000):
                self.assertEqual(self.out(profile, NESTED, user).split(), ["proc"], (profile, user))
                self.assertEqual(self.out(profile, SYSFS, user).split(), ["lo"], (profile, user))

    def test_and_so_has_one_inside_that(self):
        script = "unshare -Urpf --mount-proc unshare -Urpf --mount-proc sh -c 'test $$ = 1 && echo proc'"
        for profile in PROFILES:
            self.assertEqual(self.out(profile, script).split(), ["proc"], profile)

    def test_root_mounts_and_unmounts_them(self):
        script = """mkdir /tmp/m; for kind in proc sysfs; do
        mount -t $kind x /tmp/m && umount /tmp/m && echo $kind; done; grep -c /tmp/m /proc/mounts; ls /tmp/m"""
        for profile in PROFILES:
            self.assertEqual(self.out(profile, script).split(), ["proc", "sysfs", "0"], profile)

    def test_who_may_not_mount_does_not(self):
        for profile in PROFILES:
            out = self.out(profile, "mkdir /tmp/m; mount -t proc x /tmp/m && echo did; unshare -Ur mount -t proc x /tmp/m && echo did", 1000)
            self.assertNotIn("did", out, profile)


class Compat(ProfileTest):
    def test_without_a_supervisor_the_kernel_mounts_them(self):
        nest = self.orphaned("compat")
        for kind in ("proc", "sysfs"):
            self.assertEqual(self.natively(nest, kind), "did\n")
        nest.delete("--force")


class Hardened(ProfileTest):
    MASKED = "/keys", "/kcore", "/timer_list"

    def present(self):
        return [name for name in self.MASKED if os.path.exists("/proc" + name)]

    @NEEDS_PIDNS
    def test_what_is_masked_is_masked_in_every_new_proc(self):
        masks = self.present()
        self.assertTrue(masks)
        each = " ".join("$1" + name for name in masks)
        script = f"""look() {{ for f in {each}; do wc -c < $f; done; }}
        mkdir /tmp/m; mount -t proc x /tmp/m; look /tmp/m; look /proc
        unshare -Urpf --mount-proc sh -c 'set -- /proc; for f in {each}; do wc -c < $f; done'"""
        self.assertEqual(self.out("hardened", script).split(), ["0"] * len(masks) * 3)

    @NEEDS_PIDNS
    def test_no_mask_can_be_taken_away(self):
        name = self.present()[0]
        script = f"""mkdir /tmp/m /tmp/n; mount -t proc x /tmp/m
        for at in /proc /tmp/m; do
        umount $at{name}; umount -l $at{name}; mount --move $at{name} /tmp/n; mount --bind $at /tmp/n && cat /tmp/n{name} | wc -c
        done; mount -o remount,bind,rw /tmp/m/sysrq-trigger; (echo h > /tmp/m/sysrq-trigger) && echo written
        unshare -Urm sh -c 'umount /tmp/m{name}; umount -l /tmp/m{name}'
        wc -c < /tmp/m{name}; wc -c < /proc{name}; grep -c ' /tmp/n' /proc/mounts"""
        out = self.out("hardened", script)
        self.assertNotIn("written", out)
        self.assertEqual([line for line in out.split("\n") if line.isdigit()], ["0", "0", "0"], out)

    @NEEDS_PIDNS
    def test_its_view_is_in_every_new_proc_too(self):
        script = "mkdir /tmp/m; mount -t proc x /tmp/m; cut -d. -f1 /proc/uptime /tmp/m/uptime; unshare -Urpf --mount-proc cut -d. -f1 /proc/uptime"
        ages = [int(word) for word in self.out("hardened", script).split()]
        self.assertEqual(len(ages), 3)
        self.assertLess(max(ages), 60)

    def test_the_kernel_itself_makes_none(self):
        nest = self.of("hardened", "sleep 1000").up()
        for kind in ("proc", "sysfs"):
            self.assertRegex(self.natively(nest, kind), "(?i)permission denied|not permitted")
        nest.delete("--force")

    def test_without_a_supervisor_there_is_no_new_one(self):
        nest = self.orphaned("hardened")
        for kind in ("proc", "sysfs"):
            self.assertRegex(self.natively(nest, kind), "(?i)permission denied|not permitted")
        nest.delete("--force")

    @NEEDS_PIDNS
    def test_a_killed_supervisors_successor_goes_on(self):
        nest = self.of("hardened", "sleep 1000").up()
        script = "mkdir -p /tmp/m; mount -t proc x /tmp/m && wc -c < /tmp/m/keys && umount /tmp/m"
        for _ in range(3):
            self.assertEqual(nest.exec("sh", "-c", script).out.split(), ["0"])
            for pid in self.supervisors():
                os.kill(pid, signal.SIGKILL)
        self.assertEqual(nest.exec("sh", "-c", script).out.split(), ["0"])
        nest.delete("--force")

    @NEEDS_PIDNS
    def test_nothing_of_it_stays_on_the_host(self):
        self.out("hardened", "mkdir /tmp/m; mount -t proc x /tmp/m")
        with open("/proc/self/mountinfo") as file:
            text = file.read()
        self.assertNotIn("caisson-mask", text)
        self.assertNotIn(self.live, text)


class Minimal(ProfileTest):
    def test_nothing_covers_proc_and_sys(self):
        out = self.out("minimal", "cut -d' ' -f5 /proc/self/mountinfo")
        self.assertEqual([line for line in out.split() if line.startswith(("/proc/", "/sys/")) and not line.startswith("/sys/fs/cgroup")], [])

    def test_what_the_host_has_it_sees(self):
        with open("/proc/meminfo") as file:
            kib = file.readline().split()[1]
        self.assertEqual(self.out("minimal", "head -n 1 /proc/meminfo").split()[1], kib)


class Engines(Dockerd):
    """An unmodified dockerd inside."""

    def runs(self, profile):
        nest = self.daemon()
        nest.config["annotations"] = {"io.caisson.profile": profile}
        self.start(nest)
        nest.exec("/bin/sh", "-c", IMAGE)
        script = "id -u; cat /proc/self/status | grep -c Name; cat /sys/class/net/lo/operstate"
        self.assertEqual(self.docker(nest, "run", "--rm", "image", "/bin/sh", "-c", script).split()[:2], ["0", "1"])
        self.assertEqual(self.docker(nest, "run", "--rm", "--privileged", "image", "/bin/sh", "-c",
                                     "/bin/busybox mkdir -p /mnt && mount -t proc p /mnt && echo yes"), "yes\n")
        nest.delete("--force")
        self.runtime("forget", nest.id)

    @NEEDS_PIDNS
    def test_dockerd_runs_a_container_in_hardened(self):
        self.runs("hardened")

    def test_dockerd_runs_a_container_in_minimal(self):
        self.runs("minimal")

    test_it_does_what_it_does_on_a_host = None  # not once more


del Dockerd

if __name__ == "__main__":
    main()
