# Lifecycle: start, stop, kill, pause, restart, wait, health, events, and what is left afterwards.
# Layer: tests. Collected by laws.py.
# SPDX-License-Identifier: Apache-2.0
import json

from laws import Laws


class LifecycleLaws(Laws):
    def test_inspect_tells_the_state(self):
        name = self.name()
        self.e.ok("create", "--name", name, self.e.image, "sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.1; done")
        self.assertIn(self.e.state(name)["Status"], ("created", "configured"))
        self.e.ok("start", name)
        state = self.e.state(name)
        self.assertEqual((state["Status"], state["Running"], state["Paused"]), ("running", True, False))
        self.assertGreater(state["Pid"], 1)
        self.e.ok("stop", name)
        state = self.e.state(name)
        self.assertEqual((state["Status"], state["Running"], state["ExitCode"], state["Pid"]), ("exited", False, 7, 0))

    def test_stop_kills_what_does_not_listen(self):
        name = self.run_detached("sh", "-c", "trap '' TERM; while :; do sleep 0.1; done")
        self.e.ok("stop", "-t", "1", name)
        self.assertEqual(self.e.state(name)["ExitCode"], 137)

    def test_the_stop_signal_can_be_chosen(self):
        name = self.run_detached("sh", "-c", "trap 'exit 11' USR2; while :; do sleep 0.1; done",
                                 options=("--stop-signal", "SIGUSR2"))
        self.exec(name, "true")
        self.e.ok("stop", "-t", "60", name)
        self.assertEqual(self.e.state(name)["ExitCode"], 11)

    def test_kill_sends_the_signal_it_is_told(self):
        name = self.run_detached("sh", "-c", "trap 'echo got-usr1' USR1; echo ready; while :; do sleep 0.1; done")
        self.eventually(lambda: "ready" in self.e("logs", name).out, "the trap is set")
        self.e.ok("kill", "-s", "USR1", name)
        self.eventually(lambda: "got-usr1" in self.e("logs", name).out, "the signal arrived")
        self.e.ok("kill", name)
        self.eventually(lambda: self.e.state(name)["ExitCode"] == 137, "killed: 137")

    def test_killing_what_is_stopped_is_an_error(self):
        name = self.run_detached("true")
        self.e.ok("wait", name)
        self.assertNotEqual(self.e("kill", name).rc, 0)

    def test_a_paused_container_stands_still(self):
        name = self.run_detached("sh", "-c", "i=0; while :; do i=$((i+1)); echo $i > /tmp/n; sleep 0.05; done")
        count = lambda: int(self.exec(name, "cat", "/tmp/n") or 0)  # noqa: E731
        self.eventually(lambda: self.e("exec", name, "cat", "/tmp/n").rc == 0 and count() > 2, "it counts")
        self.e.ok("pause", name)
        state = self.e.state(name)
        self.assertEqual((state["Status"], state["Paused"]), ("paused", True))
        self.assertNotEqual(self.e("exec", name, "true").rc, 0)
        self.e.ok("unpause", name)
        before = count()
        self.eventually(lambda: count() > before, "it counts again")
        self.assertEqual(self.e.state(name)["Status"], "running")

    def test_restart_is_a_new_process_in_the_same_files(self):
        name = self.sleeper()
        self.exec(name, "sh", "-c", "echo kept > /srv/mark")
        before = self.e.state(name)["Pid"]
        self.e.ok("restart", "-t", "20", name)
        self.assertNotEqual(self.e.state(name)["Pid"], before)
        self.assertEqual(self.exec(name, "cat", "/srv/mark"), "kept")

    def test_stop_and_start_again(self):
        name = self.sleeper()
        for _ in range(2):
            self.e.ok("stop", name)
            self.e.ok("start", name)
        self.assertEqual(self.exec(name, "echo", "here"), "here")

    def test_a_failing_container_is_restarted_as_often_as_asked(self):
        name = self.run_detached("sh", "-c", "echo again; exit 1", options=("--restart", "on-failure:2"))
        self.eventually(lambda: self.e("logs", name).out.count("again") == 3, "three runs")
        self.e.wait_for(name, "exited")

    def test_wait_gives_the_exit_code(self):
        name = self.run_detached("sh", "-c", "sleep 0.5; exit 21")
        self.assertEqual(self.e.ok("wait", name), "21")

    def test_a_name_can_be_used_once(self):
        name = self.sleeper()
        self.assertEqual(self.e("run", "--name", name, self.e.image, "true").rc, 125)

    def test_removing_a_running_container_needs_force(self):
        name = self.sleeper()
        self.assertNotEqual(self.e("rm", name).rc, 0)
        self.e.ok("rm", "-f", name)
        self.assertNotEqual(self.e("inspect", "--type", "container", name).rc, 0)

    def test_health_is_checked_in_the_container(self):
        command = ("--health-cmd", "test -e /tmp/well", "--health-interval", "1s", "--health-retries", "1")
        name = self.sleeper(*command)
        if self.e.kind == "podman":  # without systemd nothing runs the check by itself
            self.assertNotEqual(self.e("healthcheck", "run", name).rc, 0)
            self.exec(name, "touch", "/tmp/well")
            self.e.ok("healthcheck", "run", name)
            return
        health = lambda: self.e.inspect(name, "{{.State.Health.Status}}")  # noqa: E731
        self.eventually(lambda: health() == "unhealthy", "unhealthy")
        self.exec(name, "touch", "/tmp/well")
        self.eventually(lambda: health() == "healthy", "healthy")

    def test_events_tell_what_happened(self):
        name = self.run_detached("sh", "-c", "exit 2")
        self.e.ok("wait", name)
        end = ("--stream=false",) if self.e.kind == "podman" else ("--until", "0s")
        wanted = {"docker": ["create", "start", "die"], "podman": ["create", "start", "died"]}[self.e.kind]
        field = "Action" if self.e.kind == "docker" else "Status"

        def happened():
            lines = self.e.ok("events", "--since", "10m", *end, "--filter", f"container={name}", "--format",
                              "{{json .}}").splitlines()
            found = [json.loads(line).get(field) for line in lines]
            return all(action in found for action in wanted)
        self.eventually(happened, f"the events {wanted} of {name}")


class RemainsLaws(Laws):
    """Looks at everything there is: alone."""

    alone = True

    def test_nothing_is_left_of_removed_containers(self):
        before = self.e.sandbox.run(["cat", "/proc/self/mountinfo"]).out.count("\n")
        names = [self.run_detached("sleep", "1000") for _ in range(3)] + [self.run_detached("true"), self.name()]
        self.e("run", "--name", names[-1], self.e.image, "nosuch")
        self.e.ok("rm", "-f", "-t", "0", *names) if self.e.kind == "podman" else self.e.ok("rm", "-f", *names)
        self.eventually(lambda: self.e.container_cgroups() == [], "no cgroup of a container")
        self.eventually(lambda: "sleep 1000" not in self.e.sandbox.run(["ps", "ax"]).out, "no process of a container")
        self.eventually(lambda: self.e.sandbox.run(["cat", "/proc/self/mountinfo"]).out.count("\n") <= before, "no mount")
        self.eventually(lambda: self.e.runtime_states() == [], "no state of the runtime")
