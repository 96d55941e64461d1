# Processes: run, exec, terminals, logs, exit codes.
# Layer: tests. Collected by laws.py.
# SPDX-License-Identifier: Apache-2.0
from laws import Laws


class TerminalLaws(Laws):
    """What is waited for is never what was typed: the terminal echoes."""

    def talk(self, t):
        t.expect("# ")
        t.send("test -t 0 && test -t 1 && test -t 2 && echo all-$((40+2))\n")
        t.expect("all-42\n")
        t.send("echo on-$(tty)-\n")
        t.expect(r"on-/dev/(pts/\d+|console)-")
        t.send("for i in $(seq 100); do test \"$(stty size)\" = '31 97' && break; sleep 0.1; done; echo =$(stty size)=\n")
        t.expect("=31 97=\n")
        t.send("sh -c 'echo cat-$((40+2)); exec cat'\n")
        t.expect("cat-42\n")
        t.send("said\n")
        t.expect("said\nsaid\n")
        t.send("\x03")
        t.expect("# ")

    def test_run_with_a_terminal(self):
        t = self.e.terminal("run", "--rm", "-it", self.e.image, "sh")
        self.talk(t)
        t.send("exit 5\n")
        self.assertEqual(t.finish(), 5)

    def test_exec_with_a_terminal(self):
        name = self.sleeper()
        t = self.e.terminal("exec", "-it", name, "sh")
        self.talk(t)
        t.send("exit 6\n")
        self.assertEqual(t.finish(), 6)

    def test_a_detached_container_can_have_a_terminal(self):
        name = self.run_detached("sh", "-c", "test -t 1 && echo yes", options=("-t",))
        self.assertEqual(self.e.ok("wait", name), "0")
        self.eventually(lambda: self.e("logs", name).out.strip() == "yes", "the terminal's output is in the log")


class ProcessLaws(Laws):
    def test_output_and_errors_come_back_apart(self):
        result = self.e("run", "--rm", self.e.image, "sh", "-c", "echo out; echo err >&2")
        self.assertEqual((result.rc, result.out, result.err), (0, "out\n", "err\n"))

    def test_run_ends_with_the_exit_code_of_the_process(self):
        for code in (0, 3, 255):
            self.once("sh", "-c", f"exit {code}", rc=code)

    def test_what_cannot_be_found_is_127_and_what_cannot_be_run_is_126(self):
        for command, code in (("nosuch", 127), ("/no/such", 127), ("/noexec.sh", 126), ("/tmp", 126)):
            with self.subTest(command):
                self.once(command, rc=code)

    def test_an_error_of_the_engine_is_125(self):
        self.assertEqual(self.e("run", "--rm", "--no-such-option", self.e.image, "true").rc, 125)

    def test_stdin_reaches_the_process(self):
        result = self.e("run", "--rm", "-i", self.e.image, "wc", "-c", stdin="x" * 100_000)
        self.assertEqual((result.rc, result.out.strip()), (0, "100000"), repr(result))

    def test_environment_directory_and_entrypoint_are_as_asked(self):
        out = self.once("-c", 'echo "$A $PWD $HOME"', options=("-e", "A=b c", "-w", "/srv", "--entrypoint", "sh"))
        self.assertEqual(out, "b c /srv /root")

    def test_pid_1_is_the_process_itself(self):
        self.assertEqual(self.once("sh", "-c", "echo $$"), "1")

    def test_init_is_pid_1_and_reaps(self):
        name = self.sleeper("--init")
        self.exec(name, "sh", "-c", "(sleep 0.1 &)")
        self.assertRegex(self.exec(name, "cat", "/proc/1/comm"), "docker-init|tini|catatonit|podman-init")
        self.eventually(lambda: "Z" not in self.exec(name, "sh", "-c", "grep -h State /proc/[0-9]*/status"), "no zombies")

    def test_top_lists_the_processes(self):
        name = self.run_detached("sleep", "4321")
        self.assertIn("sleep 4321", self.e.ok("top", name))

    def test_attached_start_gives_output_and_exit_code(self):
        name = self.name()
        self.e.ok("create", "--name", name, self.e.image, "sh", "-c", "echo hello; exit 9")
        result = self.e("start", "-a", name)
        self.assertEqual((result.rc, result.out.strip()), (9, "hello"), repr(result))


class LogLaws(Laws):
    def test_logs_keep_both_streams_and_their_order(self):
        name = self.run_detached("sh", "-c", "for i in 1 2 3 4 5; do echo line $i; done; echo oops >&2")
        self.e.ok("wait", name)
        result = self.e("logs", name)
        self.assertEqual((result.out, result.err), ("line 1\nline 2\nline 3\nline 4\nline 5\n", "oops\n"), repr(result))
        self.assertEqual(self.e("logs", "--tail", "2", name).out.splitlines()[-1], "line 5")

    def test_following_logs_ends_with_the_container(self):
        name = self.run_detached("sh", "-c", "sleep 1; echo last")
        self.assertEqual(self.e.ok("logs", "-f", name), "last")


class ExecLaws(Laws):
    def test_exec_gives_output_and_exit_code(self):
        name = self.sleeper()
        self.assertEqual(self.exec(name, "sh", "-c", "echo in; exit 4", rc=4), "in")
        self.assertEqual(self.exec(name, "cat", options=("-i",)), "")
        result = self.e("exec", "-i", name, "cat", stdin="through")
        self.assertEqual((result.rc, result.out), (0, "through"), repr(result))

    def test_exec_of_what_is_not_there_fails_and_the_container_lives(self):
        name = self.sleeper()
        self.assertIn(self.e("exec", name, "nosuch").rc, (126, 127))
        self.assertEqual(self.e("exec", name, "/noexec.sh").rc, 126)
        self.assertTrue(self.e.state(name)["Running"])

    def test_exec_takes_user_directory_and_environment(self):
        name = self.sleeper()
        out = self.exec(name, "sh", "-c", 'id -u; id -g; pwd; echo "$X"', options=("-u", "app", "-w", "/tmp", "-e", "X=y"))
        self.assertEqual(out.split(), ["1000", "1000", "/tmp", "y"])

    def test_exec_joins_the_namespaces_and_cgroups_of_the_container(self):
        name = self.sleeper("--hostname", "joined")
        for kind in ("mnt", "pid", "net", "ipc", "uts"):
            here, first = (self.exec(name, "readlink", f"/proc/{p}/ns/{kind}") for p in ("self", "1"))
            self.assertEqual(here, first)
        self.assertEqual(self.exec(name, "cat", "/proc/self/cgroup"), self.exec(name, "cat", "/proc/1/cgroup"))
        self.assertEqual(self.exec(name, "hostname"), "joined")

    def test_exec_has_the_limits_of_the_container(self):
        name = self.sleeper("--cap-drop", "ALL", "--security-opt", "no-new-privileges")
        first, status = (self.exec(name, "cat", f"/proc/{p}/status") for p in ("1", "self"))
        for field in ("CapEff", "CapBnd", "CapPrm", "CapInh", "NoNewPrivs", "Seccomp"):
            line = next(x for x in first.splitlines() if x.startswith(field + ":"))
            self.assertIn(line, status)

    def test_privileged_exec_has_more(self):
        name = self.sleeper()
        plain = self.exec(name, "grep", "CapEff", "/proc/self/status")
        more = self.exec(name, "grep", "CapEff", "/proc/self/status", options=("--privileged",))
        self.assertGreater(int(more.split()[1], 16), int(plain.split()[1], 16))

    def test_detached_exec_goes_on_by_itself(self):
        name = self.sleeper()
        self.e.ok("exec", "-d", name, "sh", "-c", "sleep 0.5; echo done > /tmp/mark; sleep 2345")
        self.eventually(lambda: self.e("exec", name, "cat", "/tmp/mark").out == "done\n", "the detached exec wrote")
        self.assertIn("sleep 2345", self.exec(name, "ps"))

    def test_many_execs_at_once(self):
        name = self.sleeper()
        script = f"for i in $(seq 8); do {' '.join(map(str, self.e.cli))} exec {name} echo e$i & done; wait"
        out = self.e.sandbox.run(["sh", "-c", script])
        self.assertEqual(sorted(out.out.split()), [f"e{i}" for i in range(1, 9)], repr(out))

    def test_exec_in_a_stopped_container_fails(self):
        name = self.run_detached("true")
        self.e.ok("wait", name)
        self.assertNotEqual(self.e("exec", name, "true").rc, 0)
