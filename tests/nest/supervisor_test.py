"""The supervisor: what it answers, and that it can be killed, replaced and lost.

Layer: tests. Users: ctest (tests.nest.supervisor).
SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import json
import os
import select
import shutil
import signal
import stat
import struct
import subprocess
import threading
import time
import unittest

from nests import HERE, LIBC, NestTest, built, cgroup_mounts, main, wait_until

STORM_SECONDS = 60 if os.environ.get("CAISSON_LONG") else 6
KILL_EVERY = 0.05


def trapped_path():
    return built("CAISSON_TEST_TRAPPED", "nest_trapped", [os.path.join(HERE, "trapped.cc")], "-static")


def processes(name, directory):
    """Pids of our programs of this name that work for a directory below `directory`."""
    found = []
    for pid in os.listdir("/proc"):
        if not pid.isdigit():
            continue
        try:
            with open(f"/proc/{pid}/cmdline") as file:
                words = file.read().split("\0")
        except OSError:
            continue
        if os.path.basename(words[0]) == name and any(word.startswith(directory) for word in words):
            found.append(int(pid))
    return found


def is_working(pid):
    """Whether any thread of it is left. Nobody need have reaped it: we are its parent now."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            state = file.read().rpartition(")")[2].split()[0]
        return state != "Z" or len(os.listdir(f"/proc/{pid}/task")) > 1
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def deaf_file_system(directory):
    """A FUSE file system that shows its root and answers nothing else."""
    fuse = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={fuse},rootmode=40755,user_id=0,group_id=0,allow_other"
    if LIBC.mount(b"deaf", directory.encode(), b"fuse", 0, options.encode()) != 0:
        raise unittest.SkipTest("machine: no FUSE")

    def serve():
        attributes = struct.pack("<QIIQQQQQQIIIIIIIIII", 86400, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0o40755, 2, 0, 0, 0, 4096, 0)
        replies = {26: struct.pack("<IIIIHHIIHHI28x", 7, 31, 0, 0, 12, 10, 4096, 1, 1, 0, 0), 3: attributes}  # INIT, GETATTR
        while not stop.is_set():
            if select.select([fuse], [], [], 0.1)[0]:
                _, opcode, unique = struct.unpack_from("<IIQ", os.read(fuse, 1 << 17))
                if opcode in replies:
                    os.write(fuse, struct.pack("<IiQ", 16 + len(replies[opcode]), 0, unique) + replies[opcode])
    stop = threading.Event()
    server = threading.Thread(target=serve)
    server.start()
    try:
        yield directory
    finally:
        LIBC.umount2(directory.encode(), 2)
        stop.set()
        server.join()
        os.close(fuse)  # the connection ends, and with it who waits


class SupervisedTest(NestTest):
    def trapping(self, *arguments):
        nest = self.nest(*arguments)
        shutil.copy(trapped_path(), os.path.join(nest.rootfs, "trapped"))
        return nest

    def shims(self):
        return processes("caisson-shim", self.live)

    def supervisors(self):
        return processes("caisson-supervisor", self.live)

    def check_records(self):
        super().check_records()
        wait_until(lambda: not self.shims() + self.supervisors(), "shim and supervisor have ended")

    def storm(self, nest, disturb):
        """Trapped calls from eight threads while `disturb` is called again and again. Returns how often it was."""
        nest.process["args"] = ["/trapped", "storm", str(STORM_SECONDS), "/tmp"]
        times = 0
        stop = threading.Event()

        def disturber():
            nonlocal times
            while not stop.wait(KILL_EVERY):
                times += bool(disturb())

        thread = threading.Thread(target=disturber)
        thread.start()
        try:
            outcome = nest.run(seconds=STORM_SECONDS * 5 + 60)
        finally:
            stop.set()
            thread.join()
        words = outcome.out.split()
        self.assertEqual(words[-2:], ["failed", "0"], outcome.out)
        self.assertGreater(int(words[-3]), 1000)
        return times

    def kill_supervisors(self):
        killed = 0
        for pid in self.supervisors():
            try:
                os.kill(pid, signal.SIGKILL)
                killed += 1
            except ProcessLookupError:
                pass
        return killed


class Answers(SupervisedTest):
    def test_a_nest_makes_the_devices_that_it_may_have(self):
        nest = self.trapping().shell("""
        umask 027; cd /tmp
        for d in "null 1 3" "zero 1 5" "full 1 7" "random 1 8" "urandom 1 9" "tty 5 0" "console 5 1" "ptmx 5 2" "fuse 10 229" "tun 10 200"; do
          set -- $d; mknod $1 c $2 $3 || echo failed $1
        done
        echo gone > null && head -c 2 zero | wc -c; stat -c '%a %u %g %F' null; mkdir -p sub; cd sub; mknod ../n c 1 3; ls /tmp/n
        """)
        self.assertEqual(nest.run().out.split("\n"), ["2", "640 0 0 character special file", "/tmp/n", ""])

    def test_an_exec_session_is_answered_too(self):
        nest = self.trapping("sleep", "60").up()
        self.assertEqual(nest.exec("sh", "-c", "mknod /tmp/null c 1 3 && echo x > /tmp/null && echo made").out, "made\n")

    def test_other_devices_stay_refused(self):
        nest = self.trapping().shell("for n in 'c 1 1' 'b 8 0' 'c 10 237' 'c 4 64'; do mknod /tmp/d $n 2>&1; done; ls /tmp")
        out = nest.run().out
        self.assertEqual(out.count("Operation not permitted"), 4, out)
        self.assertEqual(len(out.splitlines()), 4)

    def test_where_no_device_can_be_opened_none_is_made(self):
        nest = self.trapping().shell("mknod /dev/shm/null c 1 3 2>&1; ls /dev/shm; mknod /dev/shm/pipe p && ls /dev/shm")
        self.assertEqual(nest.run().out, "mknod: /dev/shm/null: Operation not permitted\npipe\n")

    def test_errors_are_the_kernels(self):
        nest = self.trapping().shell("""
        mknod /tmp/a c 1 3; mknod /tmp/a c 1 3 2>&1; mknod /tmp/no/a c 1 3 2>&1; ln -s gone /tmp/l; mknod /tmp/l c 1 3 2>&1
        mknod /proc/a c 1 3 2>&1 | grep -c 'null\\|a'
        """)
        out = nest.run().out
        self.assertEqual(out.count("File exists"), 2, out)
        self.assertEqual(out.count("No such file or directory"), 1, out)

    def test_without_the_capability_it_is_refused(self):
        nest = self.trapping("/trapped", "time", "mknod", "1", "/tmp")
        nest.process["user"] = {"uid": 1000, "gid": 1000}
        os.chmod(os.path.join(nest.rootfs, "tmp"), 0o1777)
        self.assertIn("Operation not permitted", nest.run(rc=None).err)

    def test_a_directory_of_the_hosts_gets_no_device(self):
        nest = self.trapping().shell("mknod /volume/null c 1 3 2>&1; ls /volume")
        volume = self.volume()
        nest.namespace("user")
        nest.linux["uidMappings"] = nest.linux["gidMappings"] = [{"containerID": 0, "hostID": 300000, "size": 65536}]
        subprocess.run(["chown", "-R", "300000:300000", nest.rootfs], check=True)
        nest.mount("/volume", volume)
        self.assertRegex(nest.run().out, "not permitted|Permission denied")
        self.assertEqual(os.listdir(volume), [])


class Survival(SupervisedTest):
    def test_no_call_fails_when_the_supervisor_is_killed_again_and_again(self):
        self.assertGreater(self.storm(self.trapping(), self.kill_supervisors), STORM_SECONDS * 4)

    def test_no_call_fails_when_the_supervisor_is_upgraded_again_and_again(self):
        nest = self.trapping()
        self.assertGreater(self.storm(nest, lambda: self.runtime("upgrade", nest.id, rc=None).rc == 0), STORM_SECONDS)

    def test_an_upgrade_is_another_process_and_a_bad_one_is_none(self):
        nest = self.trapping("sleep", "60").up()
        before = self.runtime("supervisor", nest.id).json()
        self.runtime("upgrade", nest.id)
        after = self.runtime("supervisor", nest.id).json()
        self.assertNotEqual(before["supervisor"], after["supervisor"])
        self.assertEqual(after["generation"], before["generation"] + 1)
        self.assertEqual(nest.exec("mknod", "/tmp/null", "c", "1", "3").out, "")

    def test_without_its_shim_a_nest_goes_on_to_its_end(self):
        nest = self.trapping("sleep", "60").up()
        for pid in self.shims():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self.shims(), "the shim is gone")
        said = self.runtime("supervisor", nest.id, rc=1)
        self.assertIn("has no shim", said.err)
        self.assertEqual(nest.status(), "running")
        nest.kill("KILL")
        nest.wait_stopped()
        nest.delete()

    def test_a_call_that_waits_for_ever_gets_an_error_and_stops_no_other(self):
        """In a volume whose file system does not answer: the watchdog's ten seconds."""
        with deaf_file_system(self.volume("deaf")) as directory:
            nest = self.trapping("sleep", "600")
            nest.config["mounts"].append({"destination": "/deaf", "type": "bind", "source": directory, "options": ["bind"]})
            nest.up()
            started = time.monotonic()
            said = nest.exec("sh", "-c", "mknod /deaf/none/null c 1 3; mknod /tmp/null c 1 3 && echo made", seconds=90)
            self.assertIn("/deaf/none/null: Input/output error", said.err + said.out)
            self.assertIn("made", said.out)
            self.assertGreater(time.monotonic() - started, 5)  # it did wait
        nest.kill("KILL")
        nest.wait_stopped()
        nest.delete()

    def test_killed_together_with_its_shim_it_is_gone(self):
        """Also when it waited for the view that it serves itself: nothing hangs."""
        for _ in range(4):
            nest = self.trapping("/trapped", "storm", "60", "/tmp").up()
            wait_until(self.supervisors, "a supervisor")
            time.sleep(0.2)  # in the middle of it
            pids = self.shims() + self.supervisors()
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not any(map(is_working, pids)), "both have ended")
            nest.kill("KILL")
            nest.wait_stopped()
            nest.delete()

    def test_nothing_of_it_is_seen_inside(self):
        nest = self.trapping("sh", "-c", "mknod /tmp/n c 1 3; cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
        self.assertNotIn("caisson", nest.run().out)

    def test_a_supervisor_holds_only_the_privileges_of_its_handlers(self):
        nest = self.trapping("sleep", "60").up()
        self.assertEqual(nest.exec("mknod", "/tmp/null", "c", "1", "3").out, "")
        names = ("DAC_OVERRIDE 1", "DAC_READ_SEARCH 2", "SETGID 6", "SETUID 7", "SYS_CHROOT 18", "SYS_PTRACE 19", "SYS_ADMIN 21",
                 "SYS_NICE 23", "SYS_RESOURCE 24", "MKNOD 27")
        most = sum(1 << int(name.split()[1]) for name in names)
        pid = self.supervisors()[0]
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/status") as file:
                fields = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
            for kind in ("CapPrm", "CapEff", "CapBnd", "CapInh"):
                self.assertEqual(int(fields[kind], 16) & ~most, 0, (thread, kind, fields[kind]))
            self.assertEqual(fields["NoNewPrivs"], "1")

    def test_it_lives_in_a_cgroup_of_its_own(self):
        nest = self.trapping("sleep", "60").up()
        name = f"-{nest.id}"
        (supervisor,) = self.supervisors()
        os.kill(supervisor, signal.SIGKILL)  # its successor is there too
        wait_until(lambda: self.supervisors() not in ([], [supervisor]), "a supervisor")
        for pid in self.shims() + self.supervisors():
            with open(f"/proc/{pid}/cgroup") as file:
                own = [line.split(":", 2) for line in file.read().splitlines()]
            counted = [path for _, controllers, path in own if {"memory", "pids", "cpu"} & set(controllers.split(","))]
            self.assertTrue(counted or len(own) == 1, own)
            for path in counted or [own[0][2]]:
                self.assertRegex(path, f"/caisson/[^/]*{name}$")
        directories = [os.path.join(mount, "caisson") for mount in set(cgroup_mounts().values())]
        nest.kill("KILL")
        nest.wait_stopped()
        nest.delete()
        self.assertEqual([d for top in directories if os.path.isdir(top) for d in os.listdir(top) if d.endswith(name)], [])

    def test_a_create_that_fails_leaves_none(self):
        nest = self.trapping("true")
        nest.process["cwd"] = "relative"
        nest.create(rc=1)
        wait_until(lambda: not self.shims() + self.supervisors(), "both have ended")


class OtherRuntimes(SupervisedTest):
    """The other half is anybody's: a shim below a stock runtime by linux.seccomp.listenerPath."""

    def below(self, program):
        if not shutil.which(program):
            self.skipTest(f"machine: no {program}")
        nest = self.trapping().shell("mknod /tmp/null c 1 3 && echo x > /tmp/null && echo made")
        place = os.path.join(self.directory, "shim")
        os.makedirs(place)
        os.environ["CAISSON_NEST_RUN"] = place
        nest.user_namespace(host=300000)
        subprocess.run(["chown", "-R", "300000:300000", nest.rootfs], check=True)
        caps = nest.process["capabilities"]
        for kind in ("bounding", "effective", "permitted"):
            caps[kind] = sorted(set(caps.get(kind, [])) | {"CAP_MKNOD"})
        nest.linux["resources"] = {"devices": [{"allow": True, "access": "rwm"}]}
        nest.linux["seccomp"] = {
            "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": os.path.join(place, "shim.sock"),
            "syscalls": [{"names": [name], "action": "SCMP_ACT_NOTIFY",
                          "args": [{"index": index, "value": stat.S_IFMT(0xffff), "valueTwo": stat.S_IFCHR, "op": "SCMP_CMP_MASKED_EQ"}]}
                         for name, index in (("mknod", 1), ("mknodat", 2))]}
        nest.write()
        shim = os.path.join(self.directory, "caisson-shim")
        os.symlink(os.path.realpath(os.environ["CAISSON_TEST_RUNTIME"]), shim)
        self.addCleanup(lambda: [os.kill(pid, signal.SIGKILL) for pid in processes("caisson-shim", place)])
        subprocess.run([shim, "--directory", place, "--creator", str(os.getpid())], check=True)
        # crun refuses a hybrid cgroup tree.
        script = 'while umount /sys/fs/cgroup/unified 2>/dev/null; do :; done; exec "$@"'
        wrap = ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", script, "sh"]
        made = subprocess.run([*wrap, program, "--root", os.path.join(self.directory, program), "run", "-b", nest.bundle, "other"],
                              capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        self.assertEqual((made.stdout, made.returncode), ("made\n", 0), made.stderr)
        wait_until(lambda: not processes("caisson-shim", place), "the shim has ended with its container")

    def test_runc(self):
        self.below("runc")

    def test_crun(self):
        self.below("crun")


if __name__ == "__main__":
    main()
