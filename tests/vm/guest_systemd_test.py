#!/usr/bin/python3
# The systemd driver on a machine that systemd runs: scopes by hand, for a user, for a nest, from Docker and podman.
# Layer: tests, on tests/runtime/harness.py. Run in a guest only; the driver's words are tests/runtime/systemd_test.py's.
# SPDX-License-Identifier: Apache-2.0
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "runtime"))
from harness import PATIENCE, RUNTIME, RuntimeTest, Template, main, wait_until  # noqa: E402

V2 = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
USER = 1000


def said(*command, rc=0, **options):
    options = {"stdin": subprocess.DEVNULL, "timeout": 300, **options}
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert rc is None or done.returncode == rc, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()


def show(unit, *more):
    lines = said("systemctl", *more, "show", unit, "--no-pager").splitlines()
    out = {}
    for line in lines:
        key, _, value = line.partition("=")
        out.setdefault(key, []).append(value)
    return {key: "\n".join(values) for key, values in out.items()}


def is_there(unit, *more):
    return show(unit, *more)["LoadState"] != "not-found"


class SystemdTest(RuntimeTest):
    flags = ("--systemd-cgroup",)

    def setUp(self):
        if not os.path.isdir("/run/systemd/system"):
            self.skipTest("machine: no systemd")
        super().setUp()

    def begin(self, *arguments, globals=(), **options):
        return super().begin(*arguments, globals=(*globals, *self.flags), **options)

    def scope(self, *arguments, path=""):
        c = self.container(*(arguments or ("/bin/sleep", "1000")))
        c.linux["cgroupsPath"] = path
        c.unit = f"runc-{c.id}.scope"
        return c

    def assert_no_unit(self, unit):
        wait_until(lambda: not is_there(unit), f"{unit} is forgotten")

    @staticmethod
    def directory_of(unit, controller="memory", *more):
        group = show(unit, *more)["ControlGroup"]
        assert group, f"{unit} has a cgroup"
        return f"/sys/fs/cgroup{'' if V2 else '/' + controller}{group}"

    def value(self, unit, name, controller="memory"):
        with open(f"{self.directory_of(unit, controller)}/{name}") as file:
            return file.read().strip()


class Scopes(SystemdTest):
    def test_AScopeLivesAsLongAsItsContainer(self):
        c = self.scope().up()
        shown = show(c.unit)
        self.assertEqual((shown["ActiveState"], shown["Slice"], shown["Delegate"], shown["ControlGroup"]),
                         ("active", "system.slice", "yes", f"/system.slice/{c.unit}"))
        self.assertEqual(self.value(c.unit, "cgroup.procs", "systemd"), str(c.pid), "the container's process alone")
        with open(f"/proc/{c.pid}/cgroup") as file:
            self.assertTrue(all(line.rstrip().endswith("/" + c.unit) for line in file if V2 or "memory" in line))
        directory = self.directory_of(c.unit)
        c.kill("KILL")
        c.wait_stopped()
        c.delete()
        self.assert_no_unit(c.unit)
        self.assertFalse(os.path.exists(directory))

    def test_ThePrivateSocketIsEnough(self):
        environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/none"}
        c = self.scope()
        c.create(env=environment)
        self.assertEqual(show(c.unit)["ActiveState"], "active")
        self.runtime("delete", "--force", c.id, env=environment, meanwhile=self.reap)
        self.assert_no_unit(c.unit)

    def test_ASliceIsBelowTheSlicesOfItsName(self):
        c = self.scope(path="caisson-test.slice:box:one")
        c.up()
        self.assertEqual(show("box-one.scope")["ControlGroup"], "/caisson.slice/caisson-test.slice/box-one.scope")
        c.delete("--force")
        said("systemctl", "stop", "caisson-test.slice", "caisson.slice", rc=None)

    def test_ANameThatIsASliceIsOne(self):
        c = self.scope(path="caisson.slice::caisson-own.slice").up()
        self.assertEqual(self.value("caisson-own.slice", "cgroup.procs"), str(c.pid))
        c.delete("--force")
        self.assertEqual(show("caisson-own.slice")["ActiveState"], "inactive")
        said("systemctl", "stop", "caisson.slice", rc=None)

    def test_LimitsStayWhenSystemdReadsItsUnitsAgain(self):
        c = self.scope()
        c.linux["resources"].update({"memory": {"limit": 64 << 20, "reservation": 32 << 20},
                                     "cpu": {"shares": 512, "quota": 50000, "period": 100000, "cpus": "0"}, "pids": {"limit": 42}})
        c.up()
        files = {"memory.max": str(64 << 20), "memory.low": str(32 << 20), "cpu.weight": "59", "cpu.max": "50000 100000",
                 "pids.max": "42", "cpuset.cpus": "0"} if V2 else {"memory.limit_in_bytes": str(64 << 20), "pids.max": "42",
                                                                   "cpu.cfs_quota_us": "50000", "cpu.shares": "512"}
        read = lambda: {name: self.value(c.unit, name, name.partition(".")[0]) for name in files}  # noqa: E731
        self.assertEqual(read(), files)
        said("systemctl", "daemon-reload")
        self.assertEqual(read(), files)
        shown = show(c.unit)
        self.assertEqual((shown["TasksMax"], shown["CPUQuotaPerSecUSec"]), ("42", "500ms"))
        c.delete("--force")

    def test_DevicesStayWhenSystemdReadsItsUnitsAgain(self):
        c = self.scope()
        c.process["capabilities"] = {kind: ["CAP_MKNOD"] for kind in ("bounding", "effective", "permitted")}
        c.up()
        probe = "echo >/dev/null && head -c1 /dev/urandom >/dev/null && mknod /tmp/mem$1 c 1 1 && ! cat /tmp/mem$1 2>/dev/null"
        c.exec("/bin/sh", "-c", probe, "sh", "a")
        said("systemctl", "daemon-reload")
        c.exec("/bin/sh", "-c", probe, "sh", "b")
        self.runtime("update", "--memory", "64M", c.id)
        c.exec("/bin/sh", "-c", probe, "sh", "c")
        c.delete("--force")

    def test_UpdateIsToldToSystemdToo(self):
        c = self.scope().up()
        self.flags = ()
        self.runtime("update", "--memory", "96M", "--pids-limit", "55", "--cpu-share", "1024", c.id)
        shown = show(c.unit)
        self.assertEqual((shown["MemoryMax" if V2 else "MemoryLimit"], shown["TasksMax"]), (str(96 << 20), "55"))
        said("systemctl", "daemon-reload")
        self.assertEqual(self.value(c.unit, "memory.max" if V2 else "memory.limit_in_bytes"), str(96 << 20))
        self.runtime("pause", c.id)
        self.assertEqual(c.status(), "paused")
        self.runtime("resume", c.id)
        c.exec("/bin/true")
        c.delete("--force")

    def test_AUnitThatFailedIsNoObstacle(self):
        c = self.scope(path=":x:failed")
        said("systemd-run", "--unit", "x-failed.scope", "--scope", "-p", "RuntimeMaxSec=1", "sleep", "1000", rc=None)
        self.assertEqual(show("x-failed.scope")["ActiveState"], "failed")
        c.up()
        self.assertEqual(show("x-failed.scope")["ActiveState"], "active")
        c.delete("--force")

    def test_OneProcessIsEnough(self):
        c = self.scope()
        c.linux["resources"]["pids"] = {"limit": 1}
        c.up()
        self.assertEqual(self.value(c.unit, "pids.max", "pids"), "1")
        c.delete("--force")

    def test_TwoOfOneNameAreAnError(self):
        first = self.scope(path=":x:same").up()
        self.assertIn("UnitExists", self.scope(path=":x:same").run(rc=1).said)
        self.assertEqual(show("x-same.scope")["ActiveState"], "active")
        first.delete("--force")

    def test_ADelegatedContainerMakesCgroupsOfItsOwn(self):
        c = self.scope()
        c.user_namespace()
        c.namespace("cgroup")
        c.config["annotations"] = {"io.caisson.delegate-cgroup": "true"}
        c.config["mounts"] = [m for m in c.config["mounts"] if m["destination"] != "/sys/fs/cgroup"]
        c.mount("/sys/fs/cgroup", "cgroup", "cgroup", ["nosuid", "noexec", "nodev", "rw"])
        c.up()
        where = "/sys/fs/cgroup" if V2 else "/sys/fs/cgroup/memory"
        c.exec("/bin/sh", "-c", f"mkdir {where}/below && echo 0 >{where}/below/cgroup.procs")
        if V2:
            c.exec("/bin/sh", "-c", f"echo '+memory +pids' >{where}/cgroup.subtree_control && echo 9 >{where}/below/pids.max")
        said("systemctl", "daemon-reload")
        c.exec("/bin/sh", "-c", f"test -d {where}/below")
        c.delete("--force")
        self.assert_no_unit(c.unit)


@unittest.skipUnless(V2, "machine: a user's systemd has cgroups on v2 only")
class OfAUser(SystemdTest):
    def setUp(self):
        super().setUp()
        try:
            said("loginctl", "enable-linger", str(USER))
        except (AssertionError, FileNotFoundError) as error:
            self.skipTest(f"machine: {error}")
        self.addCleanup(said, "loginctl", "disable-linger", str(USER), rc=None)
        self.runtime_directory = f"/run/user/{USER}"
        wait_until(lambda: os.path.exists(f"{self.runtime_directory}/systemd/private"), "the user's systemd", 2 * PATIENCE)
        os.chown(self.directory, USER, USER)

    def begin(self, *arguments, **options):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("DBUS_")}
        options["env"] = {**environment, "XDG_RUNTIME_DIR": self.runtime_directory, "HOME": "/tmp", "USER": "user"}
        return super().begin(*arguments, user=USER, group=USER, extra_groups=[], **options)

    def mine(self, **resources):
        c = self.scope()
        c.namespace("user")
        c.namespace("network", False)
        for kind in ("uidMappings", "gidMappings"):
            c.linux[kind] = [{"containerID": 0, "hostID": USER, "size": 1}]
        c.linux["resources"] = resources
        c.config["mounts"] = [m for m in c.config["mounts"] if m["destination"] in ("/proc", "/dev", "/dev/shm")]
        for path in (c.bundle, c.rootfs):
            os.chown(path, USER, USER)
        return c

    def test_AUsersContainerIsAScopeOfTheUsersSystemd(self):
        c = self.mine(memory={"limit": 64 << 20}, pids={"limit": 42}).up()
        user = ("--user", "--machine=user@")
        shown = show(c.unit, *user)
        self.assertEqual((shown["ActiveState"], shown["Slice"], shown["TasksMax"]), ("active", "user.slice", "42"))
        self.assertIn(f"user@{USER}.service/user.slice/{c.unit}", shown["ControlGroup"])
        with open(f"/sys/fs/cgroup{shown['ControlGroup']}/memory.max") as file:
            self.assertEqual(file.read().strip(), str(64 << 20))
        with open(f"/sys/fs/cgroup{shown['ControlGroup']}/cgroup.procs") as file:
            self.assertEqual(file.read().split(), [str(c.pid)])
        c.exec("/bin/sleep", "1000", flags=("--detach", "--pid-file", self.directory + "/pid"))
        with open(self.directory + "/pid") as file, open(f"/proc/{file.read()}/cgroup") as cgroup:
            self.assertIn(c.unit, cgroup.read())
        self.runtime("update", "--pids-limit", "50", c.id)
        self.assertEqual(show(c.unit, *user)["TasksMax"], "50")
        c.delete("--force")
        wait_until(lambda: not is_there(c.unit, *user), "the unit is forgotten")


@contextlib.contextmanager
def dockerd(directory):
    socket = f"unix://{directory}/docker.sock"
    log = open(f"{directory}/dockerd.log", "wb")
    daemon = subprocess.Popen(
        ["dockerd", "-H", socket, "--data-root", f"{directory}/data", "--exec-root", f"{directory}/exec", "--pidfile", f"{directory}/pid",
         "--exec-opt", "native.cgroupdriver=systemd", "--add-runtime", f"caisson={RUNTIME}", "--default-runtime", "caisson",
         "--bridge", "none", "--iptables=false"], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    docker = lambda *words, rc=0: said("docker", "-H", socket, *words, rc=rc)  # noqa: E731
    try:
        wait_until(lambda: daemon.poll() is not None or docker("version", rc=None).count("Version") > 1, "dockerd is up", 4 * PATIENCE)
        yield docker
    finally:
        daemon.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            daemon.wait(PATIENCE)
        daemon.kill()
        daemon.wait()
        log.close()


class Engines(SystemdTest):
    def image(self):
        path = f"{self.directory}/root.tar"
        said("tar", "-C", Template.get(), "-cf", path, ".")
        return path

    @unittest.skipUnless(shutil.which("dockerd"), "machine: no dockerd")
    def test_DockersSystemdDriver(self):
        with dockerd(self.directory) as docker:
            docker("import", self.image(), "box")
            docker("run", "-d", "--name", "one", "--network", "none", "-m", "64m", "--pids-limit", "42", "box", "/bin/sleep", "1000")
            unit = f"docker-{docker('inspect', '-f', '{{.Id}}', 'one')}.scope"
            shown = show(unit)
            self.assertEqual((shown["ActiveState"], shown["Slice"], shown["TasksMax"]), ("active", "system.slice", "42"))
            self.assertEqual(self.value(unit, "memory.max" if V2 else "memory.limit_in_bytes"), str(64 << 20))
            docker("exec", "one", "/bin/true")
            docker("update", "-m", "96m", "--memory-swap", "-1", "one")
            self.assertEqual(self.value(unit, "memory.max" if V2 else "memory.limit_in_bytes"), str(96 << 20))
            docker("pause", "one")
            docker("unpause", "one")
            self.assertIn("MiB", docker("stats", "--no-stream", "one"))
            docker("restart", "-t", "1", "one")
            self.assertEqual(show(unit)["ActiveState"], "active")
            docker("rm", "-f", "one")
            self.assert_no_unit(unit)

    def podman(self, *words, rc=0):
        return said("podman", "--root", f"{self.directory}/storage", "--runroot", f"{self.directory}/run", "--runtime", RUNTIME,
                    "--cgroup-manager", "systemd", "--storage-driver", "vfs", *words, rc=rc)

    @unittest.skipUnless(shutil.which("podman") and V2, "machine: no podman, or no v2")
    def test_ASystemdInPodmanHasItsUnitsBelowTheScope(self):
        root = f"{self.directory}/root"
        os.makedirs(root)
        said("mount", "-t", "tmpfs", "tmpfs", root)
        self.addCleanup(said, "umount", "-l", root, rc=None)
        for name in ("upper", "work", "all"):
            os.mkdir(f"{root}/{name}")
        said("mount", "-t", "overlay", "-o", f"lowerdir=/,upperdir={root}/upper,workdir={root}/work", "overlay", f"{root}/all")
        self.addCleanup(said, "umount", "-l", f"{root}/all", rc=None)
        self.addCleanup(self.podman, "rm", "--all", "--force", "-t", "0", rc=None)
        shutil.rmtree(f"{root}/all/etc/systemd/system")  # a plain basic.target
        pathlib.Path(root, "all/etc/fstab").write_text("")
        one = self.podman("run", "-d", "--network", "none", "--systemd=always", "--rootfs", f"{root}/all",
                          "/lib/systemd/systemd", "--unit=basic.target")
        wait_until(lambda: self.podman("exec", one, "systemctl", "is-active", "basic.target", rc=None) == "active",
                   "systemd is up in the container", 4 * PATIENCE)
        group = show(f"libpod-{one}.scope")["ControlGroup"]
        self.assertTrue(os.path.isdir(f"/sys/fs/cgroup{group}/init.scope"))
        said("systemctl", "daemon-reload")
        self.podman("exec", one, "systemd-run", "--wait", "-p", "MemoryMax=20M", "/bin/true")
        self.podman("rm", "-f", "-t", "0", one)
        self.assert_no_unit(f"libpod-{one}.scope")

    @unittest.skipUnless(shutil.which("podman"), "machine: no podman")
    def test_PodmansSystemdManager(self):
        podman = self.podman
        self.addCleanup(podman, "rm", "--all", "--force", "-t", "0", rc=None)
        podman("import", self.image(), "box")
        one = podman("run", "-d", "--name", "one", "--network", "none", "-m", "64m", "--pids-limit", "42", "box", "/bin/sleep", "1000")
        unit = f"libpod-{one}.scope"
        shown = show(unit)
        self.assertEqual((shown["ActiveState"], shown["Slice"], shown["TasksMax"]), ("active", "machine.slice", "42"))
        self.assertEqual(self.value(unit, "memory.max" if V2 else "memory.limit_in_bytes"), str(64 << 20))
        podman("exec", "one", "/bin/true")
        podman("pause", "one")
        podman("unpause", "one")
        self.assertIn("MB", podman("stats", "--no-stream", "one"))
        self.assertEqual(json.loads(podman("inspect", "one"))[0]["State"]["Status"], "running")
        podman("rm", "-f", "-t", "0", "one")
        self.assert_no_unit(unit)


if __name__ == "__main__":
    main()
