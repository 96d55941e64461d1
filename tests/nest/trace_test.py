"""`caisson trace`: exactly the grants that real workloads need, and that their result is the same as without it.

Layer: tests. Users: ctest (tests.nest.trace).
SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import unittest

import dockerd_test
from nests import HERE, main, wait_until
from harness import LONG, built  # nests.py says where it is
from supervisor_test import SupervisedTest

CAISSON = os.path.join(os.path.dirname(os.environ["CAISSON_TEST_RUNTIME"]), "caisson")
PRIVATE = ["unshare", "-m", "-n", "-u"]  # what is traced on the host changes nothing of it
ASKED = {  # script: the exact grants; each is traced on the host, and run in a nest with and without them
    "mknod node c 1 3": ["mknod"],
    "mkdir -p m && mount -t tmpfs x m && umount m": ["mount"],
    "ip addr add 10.9.8.7/32 dev lo": ["net"],
    "mknod node c 1 3 && mkdir -p m && mount -t tmpfs x m && ip addr add 10.9.8.7/32 dev lo": ["mount", "net", "mknod"],
    "chown 1:1 . && echo x > file && cat file > /dev/null && ls / > /dev/null": [],
}
DOCKERD = ["mount", "cgroup", "net", "mknod"]  # to start, and to run a container, which is given CAP_MKNOD


def calls_path():
    return built("CAISSON_TEST_CALLS", "nest_calls", [os.path.join(HERE, "calls.cc")], "-static")


class Trace(SupervisedTest):
    def trace(self, *command, rc=0, before=(), **options):
        """The report of a command that is traced on the host."""
        report = os.path.join(self.directory, "report")
        if os.path.exists(report):
            os.unlink(report)
        place = os.path.join(self.directory, "place")
        shutil.rmtree(place, ignore_errors=True)
        os.makedirs(place, mode=0o777)
        os.chmod(place, 0o777)
        done = subprocess.run([*before, CAISSON, "trace", "--json", "-o", report, "--", *command], cwd=place,
                              capture_output=True, text=True, timeout=120, **options)
        self.assertEqual(done.returncode, rc, done)
        self.said = done
        with open(report) as file:
            return json.load(file)

    def place(self, script):
        return self.trapping().shell(f"mkdir /place; cd /place; {script}")

    def test_the_set_is_exact_and_each_of_it_is_needed(self):
        for script, grants in ASKED.items():
            report = self.trace("sh", "-c", script, before=PRIVATE)
            self.assertEqual(report["grants"], grants, f"{script}: {report}")
            nest = self.place(f"({script}) 2>&1 && echo passed")
            nest.config["annotations"] = {"io.caisson.grants": report["list"]}
            self.assertIn("passed", nest.run(rc=None).out, f"{script}: with {report['list']}")
            for one in grants:
                nest = self.place(f"({script}) 2>&1 && echo passed")
                fewer = [other for other in grants if other != one]
                nest.config["annotations"] = {"io.caisson.grants": ",".join(["none", *fewer])}
                self.assertNotIn("passed", nest.run(rc=None).out, f"{script}: without {one}")

    def test_a_nest_sees_its_own_though_its_supervisor_answers(self):
        for script, grants in ASKED.items():
            nest = self.place(f"caisson trace --json -o /report sh -c '{script}'")
            shutil.copy(CAISSON, os.path.join(nest.rootfs, "bin/caisson"))
            self.assertEqual(nest.run().rc, 0)
            with open(os.path.join(nest.rootfs, "report")) as file:
                self.assertEqual(json.load(file)["grants"], grants, script)

    def test_verdicts_arguments_and_paths_are_the_kernels(self):
        report = self.trace("sh", "-c", "mknod here c 1 5; mknod here c 1 5; chroot / true; exit 3", rc=3)
        found = [(o["call"], o["verdict"], o["servedBy"], o["path"]) for o in report["operations"]]
        here = os.path.join(self.directory, "place/here")
        self.assertEqual(found, [("mknodat", "ok", "grant", here), ("mknodat", "EEXIST", "grant", here),
                                 ("chroot", "ok", "any", "/")])
        self.assertEqual(report["operations"][0]["arguments"], f"{here}, 020666, 1:5")
        self.assertEqual([o["counts"] for o in report["operations"]], [True, False, False])
        self.assertEqual((report["schema"], report["status"], report["total"]), (1, 3, 3))

    def test_a_refused_operation_counts_for_who_has_no_privilege(self):
        program = os.path.join(self.directory, "caisson")
        shutil.copy(CAISSON, program)
        drop = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
        done = subprocess.run([*drop, program, "trace", "--json", "sh", "-c", "mknod /tmp/none c 1 3 || exit 4"],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 4, done)
        report = json.loads(done.stderr.splitlines()[-1])
        self.assertEqual(report["operations"][0]["verdict"], "EPERM")
        self.assertEqual(report["grants"], ["mknod"])
        done = subprocess.run([*drop, program, "trace", "--json", "su", "--version"], capture_output=True, text=True)
        self.assertIn("set-id", json.loads(done.stderr.splitlines()[-1])["notes"][0])

    def test_limits_and_priorities_count_where_they_are_raised(self):
        self.assertEqual(self.trace(calls_path(), "limits", "4096")["grants"], ["rlimit"])
        self.assertEqual(self.trace("nice", "-n", "-5", "true")["grants"], ["priority"])
        report = self.trace("sh", "-c", "ulimit -S -n 64; ulimit -H -n 128; nice -n 5 true")
        self.assertEqual(report["grants"], [], "lowered only")

    def test_capabilities_that_are_kept_by_name_count(self):
        script = os.path.join(self.directory, "capset.py")
        with open(script, "w") as file:
            file.write("""import ctypes, sys
has = int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("CapPrm")), 16)
keep = eval(sys.argv[1])
words = [keep & 0xffffffff, keep & 0xffffffff, 0, keep >> 32, keep >> 32, 0]
sys.exit(ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(*words)))
""")
        report = self.trace(sys.executable, script, "has & (1 << 27 | 1)")
        self.assertEqual([(o["call"], o["arguments"], o["grant"]) for o in report["operations"]], [("capset", "CAP_MKNOD", "mknod")])
        for most in ("has & ~1", "has", "0"):
            self.assertEqual(self.trace(sys.executable, script, most)["grants"], [], most)

    def test_every_way_into_the_kernel_is_followed(self):
        """32-bit and x32 calls, threads, children of children."""
        report = self.trace(calls_path(), "all", ".", before=PRIVATE, rc=0)
        calls = {o["call"] for o in report["operations"]}
        self.assertLessEqual({"setpriority", "init_module", "finit_module", "swapon"}, calls)
        self.assertIn("umount", calls, "a call that only 32-bit programs have")
        script = os.path.join(self.directory, "thread.py")
        with open(script, "w") as file:
            file.write("import os, threading\nt = threading.Thread(target=lambda: os.mknod('node', 0o20600, 259))\nt.start()\nt.join()\n")
        report = self.trace("sh", "-c", f"(sh -c 'exec {sys.executable} {script}'; true)")
        self.assertEqual(report["grants"], ["mknod"])

    def test_what_is_left_running_is_followed_to_its_end(self):
        report = self.trace("sh", "-c", "(sleep 0.3; mknod late c 1 3) > /dev/null 2>&1 & exit 5", rc=5)
        self.assertEqual(report["grants"], ["mknod"])

    def test_input_output_and_the_way_it_ends_are_the_commands(self):
        self.trace("sh", "-c", "cat; echo error >&2; exit 9", rc=9, input="through")
        self.assertEqual((self.said.stdout, self.said.stderr), ("through", "error\n"))
        for name in ("TERM", "KILL"):
            number = getattr(signal, f"SIG{name}")
            self.assertEqual(self.trace("sh", "-c", f"kill -{name} $$", rc=-number)["status"], 128 + number)
        self.assertEqual(subprocess.run([CAISSON, "trace", "/no/such"], capture_output=True).returncode, 127)
        self.assertEqual(subprocess.run([CAISSON, "trace", "/etc"], capture_output=True).returncode, 126)
        self.assertEqual(subprocess.run([CAISSON, "trace"], capture_output=True).returncode, 125)

    def test_signals_are_passed_on(self):
        script = "trap 'echo got; exit 6' TERM; echo ready; while :; do sleep 0.05; done"
        process = subprocess.Popen([CAISSON, "trace", "sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "ready\n")
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
        self.assertEqual((out, process.returncode), ("got\n", 6))

    def test_a_package_that_makes_a_device_needs_mknod_alone(self):
        if not shutil.which("dpkg-deb"):
            self.skipTest("machine: no dpkg")
        tree, root = os.path.join(self.directory, "tree"), os.path.join(self.directory, "root")
        os.makedirs(os.path.join(tree, "DEBIAN"))
        os.makedirs(os.path.join(tree, "usr/share/noded"))
        for path in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers"):
            os.makedirs(os.path.join(root, path))
        for path in (os.path.join(root, "var/lib/dpkg/status"), os.path.join(tree, "usr/share/noded/file")):
            with open(path, "w"):
                pass
        with open(os.path.join(tree, "DEBIAN/control"), "w") as file:
            file.write("Package: noded\nVersion: 1\nArchitecture: all\nMaintainer: A B <a@example.org>\nDescription: makes a node\n")
        with open(os.path.join(tree, "DEBIAN/postinst"), "w") as file:
            file.write('#!/bin/sh\nset -e\nmknod "$DPKG_ROOT/usr/share/noded/null" c 1 3\nchown 1:1 "$DPKG_ROOT/usr/share/noded/file"\n')
        os.chmod(os.path.join(tree, "DEBIAN/postinst"), 0o755)
        package = os.path.join(self.directory, "noded.deb")
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, package], check=True, capture_output=True)
        report = self.trace("dpkg", f"--root={root}", "--force-script-chrootless", "-i", package)
        self.assertEqual(report["list"], "none,mknod", report)
        self.assertTrue(os.path.exists(os.path.join(root, "usr/share/noded/null")))
        self.assertIn("any", [o["servedBy"] for o in report["operations"]], "files get their owners")


@unittest.skipUnless(LONG, "long: CAISSON_LONG=1")
class Engine(dockerd_test.Dockerd):
    """dockerd from Debian, followed from its start to its end with a container in between."""

    test_it_does_what_it_does_on_a_host = None  # Dockerd's own

    def nest_of(self, grants, command):
        nest = self.daemon()
        nest.config["annotations"] = {"io.caisson.grants": ",".join(["none", *grants]) if grants is not None else "default"}
        self.upper = os.path.join(self.directory, "layers/diff")
        shutil.copy(CAISSON, os.path.join(self.upper, "caisson"))
        nest.process["args"] = ["/bin/sh", "-c", f"mkdir -p /run /root; exec {command} > /root/dockerd.log 2>&1"]
        self.addCleanup(self.forget, nest)
        return nest.up()

    def forget(self, nest):
        nest.delete("--force", rc=None)
        self.runtime("forget", nest.id, rc=None)

    def works(self, nest):
        """Whether it starts and runs a container."""
        answers = lambda: nest.exec("docker", "version", rc=None).rc == 0  # noqa: E731
        if wait_until(lambda: "up" if answers() else nest.status() == "stopped" and "down", "dockerd answers or ends", 200) == "down":
            return False
        nest.exec("/bin/sh", "-c", dockerd_test.IMAGE, rc=None)
        self.ran = nest.exec("docker", "run", "--rm", "image", "/bin/echo", "did", rc=None, seconds=120)
        return self.ran.out == "did\n"

    def log(self):
        with open(os.path.join(self.upper, "root/dockerd.log")) as file:
            return file.read()[-3000:]

    def test_dockerd_asks_for_exactly_these(self):
        nest = self.nest_of(None, "/caisson trace --json -o /root/report dockerd")
        self.assertTrue(self.works(nest))
        nest.kill("TERM")
        nest.wait_stopped()
        with open(os.path.join(self.upper, "root/report")) as file:
            report = json.load(file)
        self.assertEqual(report["grants"], DOCKERD, [o for o in report["operations"] if o["counts"]])

    def test_dockerd_works_with_these(self):
        self.assertTrue(self.works(self.nest_of(DOCKERD, "dockerd")), getattr(self, "ran", None) or self.log())

    def without(self, grant):
        self.assertFalse(self.works(self.nest_of([other for other in DOCKERD if other != grant], "dockerd")))

    def test_dockerd_does_not_work_without_mount(self):
        self.without("mount")

    def test_dockerd_does_not_work_without_cgroup(self):
        self.without("cgroup")

    def test_dockerd_does_not_work_without_net(self):
        self.without("net")

    def test_dockerd_does_not_work_without_mknod(self):
        self.without("mknod")


if __name__ == "__main__":
    main()
