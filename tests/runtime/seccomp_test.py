"""Seccomp profiles as the process meets them, and the notify listener as an agent meets it.

Layer: tests, on harness.py. Numbers are x86_64's; other machines skip.
SPDX-License-Identifier: Apache-2.0
"""
import errno
import fcntl
import json
import os
import platform
import socket
import struct
import unittest

from harness import PATIENCE, PEER, RuntimeTest, main, since_runc
from terminal import receive_descriptors

GETPRIORITY, GETPGID, KEXEC = 140, 121, 246
NOTIF_RECV, NOTIF_SEND = 0xC0502100, 0xC0182101


@unittest.skipUnless(platform.machine() == "x86_64", "machine: not x86_64")
class Seccomp(RuntimeTest):
    def profile(self, *syscalls, default="SCMP_ACT_ALLOW", **more):
        c = self.container()
        c.linux["seccomp"] = {"defaultAction": default, "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
                              "syscalls": list(syscalls), **more}
        return c

    def call(self, c, *numbers):
        c.process["args"] = ["/probe", "syscall", *[str(n) for n in numbers]]
        return c.run().json()

    def rule(self, name, action, **more):
        return {"names": [name] if isinstance(name, str) else name, "action": action, **more}


class Profiles(Seccomp):
    def test_WithoutAProfileThereIsNoFilter(self):
        self.assertEqual(self.container().report()["seccomp"], 0)

    def test_AFilterIsInstalled(self):
        self.assertEqual(self.profile(self.rule("reboot", "SCMP_ACT_ERRNO")).report()["seccomp"], 2)

    def test_ErrnoIsEpermUnlessGiven(self):
        c = self.profile(self.rule("getpriority", "SCMP_ACT_ERRNO"))
        self.assertEqual(self.call(c, GETPRIORITY, 0, 0), {"result": -1, "errno": errno.EPERM})
        c = self.profile(self.rule("getpriority", "SCMP_ACT_ERRNO", errnoRet=123))
        self.assertEqual(self.call(c, GETPRIORITY, 0, 0), {"result": -1, "errno": 123})

    def test_OtherCallsAreNotTouched(self):
        c = self.profile(self.rule("getpriority", "SCMP_ACT_ERRNO"))
        self.assertEqual(self.call(c, GETPGID, 0)["errno"], 0)

    def test_ADefaultErrnoDeniesWhatIsNotNamed(self):
        allowed = """read write close fstat newfstatat mmap munmap mprotect brk exit_group exit execve arch_prctl set_tid_address rseq
            set_robust_list prlimit64 readlink readlinkat getrandom futex uname rt_sigaction rt_sigprocmask sched_getaffinity lseek ioctl
            capset capget prctl fchdir chdir getcwd setuid setgid setgroups openat open stat lstat fcntl clone getpid gettid tgkill
            getdents64 epoll_ctl epoll_pwait nanosleep mincore madvise sigaltstack rt_sigreturn statfs fstatfs setresuid setresgid
            getuid getgid geteuid getegid faccessat faccessat2 access pread64 writev close_range statx umask getppid""".split()
        c = self.profile(self.rule(allowed, "SCMP_ACT_ALLOW"), default="SCMP_ACT_ERRNO")
        self.assertEqual(self.call(c, GETPGID, 0), {"result": -1, "errno": errno.EPERM})
        c.linux["seccomp"]["defaultErrnoRet"] = 88
        self.assertEqual(self.call(c, GETPGID, 0)["errno"], 88)

    def test_ArgumentsAreCompared(self):
        arguments = [{"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}]
        c = self.profile(self.rule("getpriority", "SCMP_ACT_ERRNO", errnoRet=77, args=arguments))
        self.assertEqual(self.call(c, GETPRIORITY, 2, 0)["errno"], 77)
        c = self.profile(self.rule("getpriority", "SCMP_ACT_ERRNO", errnoRet=77, args=arguments))
        self.assertEqual(self.call(c, GETPRIORITY, 0, 0)["errno"], 0)

    def test_EachOperatorCompares(self):
        rows = [("SCMP_CMP_NE", 2, 0, (0, 1), (2,)), ("SCMP_CMP_LT", 1, 0, (0,), (1, 2)), ("SCMP_CMP_LE", 1, 0, (0, 1), (2,)),
                ("SCMP_CMP_GE", 1, 0, (1, 2), (0,)), ("SCMP_CMP_GT", 1, 0, (2,), (0, 1)), ("SCMP_CMP_MASKED_EQ", 1, 1, (1,), (0, 2))]
        for operator, value, second, denied, allowed in rows:
            argument = {"index": 0, "value": value, "op": operator}
            if second:
                argument["valueTwo"] = second
            script = "; ".join(f"/probe syscall {GETPRIORITY} {n} 0" for n in (*denied, *allowed))
            with self.subTest(operator=operator):
                c = self.profile(self.rule("getpriority", "SCMP_ACT_ERRNO", errnoRet=77, args=[argument]))
                got = [json.loads(line)["errno"] for line in c.shell(script).run().out.splitlines()]
                self.assertEqual(got, [77] * len(denied) + [0] * len(allowed))

    def test_UnknownCallsAreSkipped(self):
        c = self.profile(self.rule(["no_such_call_at_all", "getpriority"], "SCMP_ACT_ERRNO", errnoRet=9))
        self.assertEqual(self.call(c, GETPRIORITY, 0, 0)["errno"], 9)

    def test_KillAndTrapEndTheProcess(self):
        for action in ("SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"):
            with self.subTest(action=action):
                c = self.profile(self.rule("getpriority", action))
                c.process["args"] = ["/bin/sh", "-c", f"/probe syscall {GETPRIORITY} 0 0; echo $?"]
                self.assertEqual(c.run().out.split()[-1], str(128 + 31))

    def test_LogAllows(self):
        c = self.profile(self.rule("getpriority", "SCMP_ACT_LOG"))
        self.assertEqual(self.call(c, GETPRIORITY, 0, 0)["errno"], 0)

    def test_FlagsAreTaken(self):
        c = self.profile(self.rule("getpriority", "SCMP_ACT_ERRNO"), flags=["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"])
        if PEER == "runc-1.1":
            c.linux["seccomp"]["flags"] = []
        self.assertEqual(self.call(c, GETPRIORITY, 0, 0)["errno"], errno.EPERM)

    def test_UnknownActionsOperatorsArchitecturesAndFlagsAreRefused(self):
        rows = [dict(default="SCMP_ACT_BANANA"), dict(architectures=["SCMP_ARCH_BANANA"])]
        if PEER != "runc-1.1":
            rows.append(dict(flags=["SECCOMP_FILTER_FLAG_BANANA"]))
        for row in rows:
            with self.subTest(row=row):
                self.profile(self.rule("getpriority", "SCMP_ACT_ERRNO"), **row).run(rc=1)
                self.assert_nothing_left()
        for bad in (self.rule("getpriority", "SCMP_ACT_BANANA"),
                    self.rule("getpriority", "SCMP_ACT_ERRNO", args=[{"index": 0, "value": 1, "op": "SCMP_CMP_BANANA"}]),
                    self.rule("getpriority", "SCMP_ACT_ERRNO", args=[{"index": 9, "value": 1, "op": "SCMP_CMP_EQ"}])):
            with self.subTest(bad=bad):
                self.profile(bad).run(rc=1)
                self.assert_nothing_left()

    def test_ItHoldsWithoutNoNewPrivileges(self):
        c = self.profile(self.rule("getpriority", "SCMP_ACT_ERRNO", errnoRet=5))
        c.process["noNewPrivileges"] = False
        self.assertEqual(self.call(c, GETPRIORITY, 0, 0)["errno"], 5)
        c = self.profile(self.rule("getpriority", "SCMP_ACT_ERRNO", errnoRet=5))
        c.process["noNewPrivileges"] = False
        c.process["user"] = {"uid": 1000, "gid": 1000}
        self.assertEqual(self.call(c, GETPRIORITY, 0, 0)["errno"], 5)

    def test_CallsNewerThanTheProfileAreEnosys(self):
        c = self.profile(self.rule(["read", "write"], "SCMP_ACT_ALLOW"), self.rule("getpriority", "SCMP_ACT_ERRNO"))
        c.linux["seccomp"]["defaultAction"] = "SCMP_ACT_ALLOW"
        self.assertEqual(self.call(c, 9999), {"result": -1, "errno": errno.ENOSYS})

    def test_ManyRulesStillLetEverythingElsePass(self):
        names = "kexec_load reboot swapon swapoff init_module delete_module acct settimeofday mount umount2 pivot_root".split()
        c = self.profile(*[self.rule(name, "SCMP_ACT_ERRNO", errnoRet=n + 50) for n, name in enumerate(names)])
        self.assertEqual(self.call(c, KEXEC, 0, 0, 0, 0)["errno"], 50)


class Agent:
    """The other end of listenerPath: takes the descriptor and the state, answers each call with a value."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "agent.sock")
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self.listener.bind(self.path)
        self.listener.listen(8)
        self.listener.settimeout(PATIENCE)
        self.descriptors = []

    def receive(self):
        connection, _ = self.listener.accept()
        with connection:
            connection.settimeout(PATIENCE)
            text, descriptors = receive_descriptors(connection)
            self.descriptors += descriptors
            while True:  # the state may be longer than one read
                try:
                    return json.loads(text), descriptors
                except ValueError:
                    more = connection.recv(65536)
                    if not more:
                        raise
                    text += more

    def answer(self, fd, value=0, error=0):
        """Waits for one notification and answers it; returns (pid, number, arguments)."""
        buffer = bytearray(80)
        fcntl.ioctl(fd, NOTIF_RECV, buffer)
        identity, pid, _, number, _, _, *arguments = struct.unpack("=QIIiIQ6Q", buffer)
        fcntl.ioctl(fd, NOTIF_SEND, bytearray(struct.pack("=QqiI", identity, value, -error, 0)))
        return pid, number, arguments

    def close(self):
        self.listener.close()
        for fd in self.descriptors:
            os.close(fd)


class Notify(Seccomp):
    def setUp(self):
        super().setUp()
        self.agent = Agent(self.directory)
        self.addCleanup(self.agent.close)
        self.c = self.profile(self.rule("getpriority", "SCMP_ACT_NOTIFY"), listenerPath=self.agent.path, listenerMetadata="my metadata")

    def test_TheAgentReceivesTheDescriptorAndTheState(self):
        self.c.config["annotations"] = {"k": "v"}
        self.c.up()
        state, descriptors = self.agent.receive()
        self.assertEqual(len(descriptors), 1)
        self.assertEqual(state["fds"], ["seccompFd"])
        self.assertEqual(state["metadata"], "my metadata")
        self.assertEqual(state["pid"], self.c.pid)
        self.assertTrue(state["ociVersion"].startswith("1."))
        inner = state["state"]
        self.assertEqual((inner["id"], inner["bundle"], inner["annotations"]), (self.c.id, self.c.bundle, {"k": "v"}))
        self.assertEqual(inner["status"], "creating")
        self.assertEqual(inner["pid"], self.c.pid)
        self.assertIn("seccomp notify", os.readlink(f"/proc/self/fd/{descriptors[0]}"))

    def test_ItsAnswersReachTheProcess(self):
        self.c.shell(f"/probe syscall {GETPRIORITY} 1 7; /probe syscall {GETPRIORITY} 2 8")
        self.c.create()
        _, (fd,) = self.agent.receive()
        self.c.start()
        first = self.agent.answer(fd, value=4711)
        second = self.agent.answer(fd, error=61)
        self.assertEqual((first[1], first[2][:2]), (GETPRIORITY, [1, 7]))
        self.assertEqual((second[1], second[2][:2]), (GETPRIORITY, [2, 8]))
        self.c.wait_stopped()
        lines = [json.loads(line) for line in self.c.output.out().splitlines()]
        self.assertEqual(lines, [{"result": 4711, "errno": 0}, {"result": -1, "errno": 61}])

    def test_ExecSendsItsOwnDescriptor(self):
        self.c.up()
        self.agent.receive()
        call = self.begin("exec", self.c.id, "/probe", "syscall", str(GETPRIORITY), "3", "9")
        state, (fd,) = self.agent.receive()
        self.assertEqual(state["state"]["status"], "running")
        self.assertNotEqual(state["pid"], self.c.pid)
        self.agent.answer(fd, value=12)
        self.assertEqual(call.wait().json(), {"result": 12, "errno": 0})

    def test_NoAgentIsAnError(self):
        self.c.linux["seccomp"]["listenerPath"] = os.path.join(self.directory, "nobody.sock")
        self.assertIn("failed to connect with seccomp agent", self.c.run(rc=1).err)
        self.assert_nothing_left()

    def test_NotifyWithoutAListenerIsRefused(self):
        del self.c.linux["seccomp"]["listenerPath"], self.c.linux["seccomp"]["listenerMetadata"]
        self.c.run(rc=1)
        self.assert_nothing_left()

    def test_NotifyAsDefaultOrForWriteIsRefused(self):
        self.c.linux["seccomp"]["defaultAction"] = "SCMP_ACT_NOTIFY"
        self.c.run(rc=1)
        self.c.linux["seccomp"]["defaultAction"] = "SCMP_ACT_ALLOW"
        self.c.linux["seccomp"]["syscalls"] = [self.rule("write", "SCMP_ACT_NOTIFY")]
        self.c.run(rc=1)
        self.assert_nothing_left()

    @since_runc("1.2", "WAIT_KILLABLE_RECV")
    def test_WaitKillableIsTaken(self):
        self.c.linux["seccomp"]["flags"] = ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]
        self.c.up()
        _, descriptors = self.agent.receive()
        self.assertEqual(len(descriptors), 1)


if __name__ == "__main__":
    main()
