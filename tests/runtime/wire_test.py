"""What crosses the wire to shims and service managers: pid files, pidfd and notify sockets, and how a shim calls.

Layer: tests, on harness.py. anchors: containerd's go-runc, conmon, systemd's sd_notify.
SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import signal
import socket
import threading

from harness import PATIENCE, RuntimeTest, main, not_on, since_runc, wait_until
from machine import cgroup_mounts, v2_controllers
from terminal import receive_descriptors


class Listener:
    def __init__(self, test, name):
        self.path = os.path.join(test.directory, name)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self.socket.bind(self.path)
        self.socket.listen(4)
        self.socket.settimeout(PATIENCE)
        test.addCleanup(self.socket.close)

    def receive(self):
        connection, _ = self.socket.accept()
        with connection:
            connection.settimeout(PATIENCE)
            return receive_descriptors(connection)


class Pidfd(RuntimeTest):
    def pid_of(self, fd):
        with open(f"/proc/self/fdinfo/{fd}") as file:
            return int([line.split()[1] for line in file if line.startswith("Pid:")][0])

    @since_runc("1.2", "--pidfd-socket")
    def test_CreateSendsThePidfdOfInit(self):
        listener = Listener(self, "pidfd.sock")
        c = self.container("/bin/sleep", "1000")
        c.create("--pidfd-socket", listener.path)
        text, (fd,) = listener.receive()
        self.addCleanup(os.close, fd)
        self.assertEqual(text, b"init")
        self.assertEqual(self.pid_of(fd), c.pid)

    @since_runc("1.2", "--pidfd-socket")
    def test_ExecSendsItsOwn(self):
        c = self.container().up()
        listener = Listener(self, "pidfd.sock")
        pid_file = os.path.join(self.directory, "pid")
        c.exec("/bin/sleep", "1000", flags=("-d", "--pidfd-socket", listener.path, "--pid-file", pid_file))
        text, (fd,) = listener.receive()
        self.addCleanup(os.close, fd)
        self.assertEqual(text, b"exec")
        with open(pid_file) as file:
            self.assertEqual(self.pid_of(fd), int(file.read()))

    @since_runc("1.2", "--pidfd-socket")
    def test_NobodyListeningIsAnError(self):
        c = self.container("/bin/sleep", "1000")
        c.create("--pidfd-socket", os.path.join(self.directory, "nobody"), rc=1)
        self.assert_nothing_left()


class Notify(RuntimeTest):
    """NOTIFY_SOCKET: the container gets its own; only READY=1 passes on."""

    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.directory, "notify.sock")
        self.host = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.host.bind(self.path)
        self.host.settimeout(0.1)
        self.messages, self.over = [], False
        self.reader = threading.Thread(target=self.read)
        self.reader.start()
        self.addCleanup(self.end)
        self.environment = {**os.environ, "NOTIFY_SOCKET": self.path}

    def read(self):
        """As a service manager does: at once, closing the descriptor that a barrier carries."""
        while not self.over:
            try:
                text, descriptors = receive_descriptors(self.host)
            except TimeoutError:
                continue
            self.messages.append(text)
            for fd in descriptors:
                os.close(fd)

    def end(self):
        self.over = True
        self.reader.join()
        self.host.close()

    def received(self):
        return wait_until(lambda: self.messages and b"\n".join(self.messages), "the manager has heard something")

    def test_StartWaitsForReadyAndPassesOnNothingElse(self):
        c = self.container()
        c.shell("/probe notify STATUS=evil; echo before >&2; /probe notify READY=1; exec sleep 1000")
        c.create(env=self.environment)
        c.start(env=self.environment)
        self.assertIn("before", c.output.err(), "start returned before READY=1")
        text = self.received()
        self.assertIn(b"READY=1", text)
        self.assertNotIn(b"evil", text)
        wait_until(lambda: f"MAINPID={c.pid}".encode() in b"".join(self.messages), "the manager knows the pid")

    def test_ADetachedRunWaitsToo(self):
        c = self.container()
        c.shell("/probe notify READY=1; exec sleep 1000")
        c.run("-d", env=self.environment)
        self.assertIn(b"READY=1", self.received())
        self.assertEqual(c.status(), "running")

    def test_AForegroundRunPassesItOnToo(self):
        c = self.container()
        c.shell("/probe notify READY=1; exec sleep 1000")
        c.write()
        call = self.begin("run", "--bundle", c.bundle, c.id, env=self.environment)
        self.assertIn(b"READY=1", self.received())
        c.kill("KILL")
        self.assertEqual(call.wait().rc, 137)
        self.assert_nothing_left()

    def test_AnotherUserMayNotifyInAUserNamespace(self):
        c = self.container()
        c.user_namespace()
        c.process["user"] = {"uid": 1000, "gid": 1000}
        c.shell("/probe notify READY=1; exec sleep 1000")
        c.run("-d", env=self.environment)
        self.assertIn(b"READY=1", self.received())

    def test_TheContainersSocketIsNotTheHosts(self):
        c = self.container()
        c.shell("echo $NOTIFY_SOCKET; /probe notify READY=1; exec sleep 1000")
        c.create(env=self.environment)
        c.start(env=self.environment)
        self.assertTrue(c.output.out().startswith("/run/notify/"), c.output.out())

    def test_AContainerThatEndsWithoutReadyDoesNotHang(self):
        c = self.container("/bin/true")
        c.create(env=self.environment)
        c.start(env=self.environment, rc=None, meanwhile=self.reap)
        c.wait_stopped()


class Shim(RuntimeTest):
    """The lines that containerd, conmon and buildkit run."""

    @not_on("runc-1.1", "its lines are others")
    def test_DebugTellsWhatIsDone(self):
        log = os.path.join(self.directory, "log")
        c = self.container("/bin/sleep", "1000")
        c.write()
        globals_ = ("--debug", "--log", log, "--log-format", "json")
        self.assertEqual(self.runtime("create", "--bundle", c.bundle, c.id, globals=globals_).err, "")
        self.runtime("start", c.id, globals=globals_)
        self.runtime("exec", c.id, "/bin/true", globals=globals_)
        with open(log) as file:
            lines = [json.loads(line) for line in file]
        self.assertEqual({line["level"] for line in lines}, {"debug"})
        said = " ".join(line["msg"] for line in lines)
        for what in ("config.json of", "cgroup /", "first process", "created", "started", "made in container"):
            self.assertIn(what, said)
        self.assertIn("level=debug", self.runtime("exec", c.id, "/bin/true", globals=["--debug"]).err)

    def test_ContainerdsSequence(self):
        c = self.container("/bin/sleep", "1000")
        c.write()
        log = os.path.join(c.bundle, "log.json")
        pid_file = os.path.join(c.bundle, "init.pid")
        options = dict(globals=("--log", log, "--log-format", "json"))
        self.runtime("create", "--bundle", c.bundle, "--pid-file", pid_file, c.id, **options)
        with open(pid_file) as file:
            pid = int(file.read())
        self.runtime("start", c.id, **options)
        self.assertEqual(self.runtime("state", c.id, **options).json()["pid"], pid)
        process, exec_pid = os.path.join(self.directory, "process"), os.path.join(c.bundle, "e.pid")
        with open(process, "w") as file:
            json.dump({"args": ["/bin/sh", "-c", "exit 3"], "cwd": "/", "user": {"uid": 0, "gid": 0}, "env": []}, file)
        self.runtime("exec", "--process", process, "--detach", "--pid-file", exec_pid, c.id, **options)
        with open(exec_pid) as file:
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(int(file.read()), 0)[1]), 3)
        self.assertEqual(self.runtime("ps", "--format", "json", c.id, **options).json(), [pid])
        limits = '{"pids":{"limit":33}}' if "pids" in cgroup_mounts() or "pids" in v2_controllers() else "{}"
        self.runtime("update", "--resources=-", c.id, stdin=limits, **options)
        self.runtime("pause", c.id, **options)
        self.runtime("resume", c.id, **options)
        self.runtime("kill", "--all", c.id, "9", **options)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), -9)
        self.runtime("delete", c.id, **options)
        self.assertTrue(not os.path.exists(log) or os.path.getsize(log) == 0, "no line on success")
        self.assert_nothing_left()

    def test_BuildkitsRunIsKilledByItsCaller(self):
        c = self.container("/bin/sleep", "1000")
        c.write()
        call = self.begin("run", "--bundle", c.bundle, c.id)
        wait_until(lambda: self.runtime("state", c.id, rc=None).rc == 0 and c.status() == "running", "running")
        self.runtime("kill", c.id, "9")
        self.assertEqual(call.wait().rc, 137)
        self.assert_nothing_left()

    def test_ARuntimeWhoseCallerDiesIsKilledAndCleanedAway(self):
        """go-runc gives the runtime PDEATHSIG=SIGKILL."""
        c = self.container("/bin/sleep", "1000")
        c.write()
        call = self.begin("run", "--bundle", c.bundle, c.id)
        wait_until(lambda: self.runtime("state", c.id, rc=None).rc == 0 and c.status() == "running", "running")
        call.process.send_signal(signal.SIGKILL)
        call.process.wait()
        c.delete("--force")
        self.assert_nothing_left()

    def test_KillAllSignalsEveryProcess(self):
        c = self.container()
        c.namespace("pid", False)
        c.shell("sleep 1000 & sleep 1000 & echo up; wait")
        c.up()
        c.wait_output("up")
        self.runtime("kill", "--all", c.id, "KILL")
        c.wait_stopped()
        wait_until(lambda: self.reap() or not c.cgroup_value("pids", "cgroup.procs"), "nobody is left")


if __name__ == "__main__":
    main()
