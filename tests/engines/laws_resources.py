# Resources: limits as the container's own cgroup shows them, out of memory, update, stats, ulimits.
# Layer: tests. Collected by laws.py.
# SPDX-License-Identifier: Apache-2.0
from laws import Laws

MEMORY = ("memory/memory.limit_in_bytes", "memory.max")
PIDS = ("pids/pids.max", "pids.max")


class ResourceLaws(Laws):
    def test_memory_is_limited(self):
        self.assertEqual(self.cgroup_value(*MEMORY, options=("--memory", "48m")), str(48 << 20))

    def test_memory_reservation_and_swap_are_set(self):
        name = self.sleeper("--memory", "64m", "--memory-swap", "64m", "--memory-reservation", "32m")
        self.assertEqual(self.cgroup_value("memory/memory.soft_limit_in_bytes", "memory.low", name=name), str(32 << 20))

    def test_cpus_are_a_quota(self):
        name = self.sleeper("--cpus", "0.5", "--cpu-shares", "512")
        self.assertRegex(self.cgroup_value("cpu/cpu.cfs_quota_us", "cpu.max", name=name), "^50000")
        self.assertEqual(self.cgroup_value("cpu/cpu.shares", "cpu.weight", name=name).split()[0] in ("512", "20", "59"), True)

    def test_cpuset_is_what_the_process_may_use(self):
        self.assertEqual(self.once("grep", "Cpus_allowed_list", "/proc/self/status", options=("--cpuset-cpus", "0")).split()[1], "0")

    def test_processes_are_limited(self):
        name = self.sleeper("--pids-limit", "25")
        self.assertEqual(self.cgroup_value(*PIDS, name=name), "25")
        out = self.e("exec", name, "sh", "-c", "for i in $(seq 40); do sleep 5 & done; wait")
        self.assertRegex(out.out + out.err, "can't fork|[Rr]esource temporarily unavailable")

    def test_out_of_memory_kills_and_is_told(self):
        name = self.run_detached("dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1",
                                 options=("--memory", "24m", "--memory-swap", "24m"))
        self.assertEqual(self.e.ok("wait", name), "137")
        if self.e.kind == "docker":  # podman 4.3 with conmon 2.1.6 does not tell on cgroup v1, under runc neither
            self.eventually(lambda: self.e.state(name)["OOMKilled"], "State.OOMKilled")

    def test_update_changes_a_running_container(self):
        name = self.sleeper("--memory", "64m", "--memory-swap", "128m", "--cpus", "1")
        self.e.ok("update", "--memory", "40m", "--memory-swap", "80m", "--cpus", "0.25", name)
        self.assertEqual(self.cgroup_value(*MEMORY, name=name), str(40 << 20))
        self.assertRegex(self.cgroup_value("cpu/cpu.cfs_quota_us", "cpu.max", name=name), "^25000")
        self.assertTrue(self.e.state(name)["Running"])

    def test_update_keeps_what_it_is_not_told(self):
        name = self.sleeper("--memory", "64m", "--memory-swap", "64m", "--pids-limit", "77", "--device", "/dev/fuse:/dev/f")
        self.e.ok("update", "--cpu-shares", "300", name)
        self.assertEqual(self.cgroup_value(*MEMORY, name=name), str(64 << 20))
        if self.e.kind == "docker":  # podman 4.3 sends its own idea of everything
            self.assertEqual(self.cgroup_value(*PIDS, name=name), "77")
        self.assertIn(self.exec(name, "sh", "-c", "exec 3<>/dev/f && echo opened"), "opened")

    def test_stats_show_memory_and_processes(self):
        name = self.sleeper("--memory", "64m")
        template = {"docker": "{{.MemUsage}} {{.PIDs}}", "podman": "{{.MemUsage}} {{.PIDS}}"}[self.e.kind]

        def shown():
            used, _, limit, pids = self.e.ok("stats", "--no-stream", "--format", template, name).split()
            return not used.startswith("0B") and limit[:2] in ("64", "67") and int(pids) >= 1
        self.eventually(shown, "memory, its limit and the number of processes")

    def test_ulimits_are_set(self):
        options = ["--ulimit", "nofile=512:900", "--ulimit", "core=0"]
        if self.e.kind == "podman":  # it adds an nproc above the hard limit, which needs CAP_SYS_RESOURCE
            options += ["--ulimit", "nproc=4000:4000"]
        out = self.once("sh", "-c", "ulimit -Sn; ulimit -Hn; ulimit -c", options=options)
        self.assertEqual(out.split(), ["512", "900", "0"])

    def test_oom_score_and_shm_size_are_set(self):
        out = self.once("sh", "-c", "cat /proc/self/oom_score_adj; df -k /dev/shm | tail -1",
                        options=("--oom-score-adj", "500", "--shm-size", "16m"))
        self.assertEqual(out.split()[0], "500")
        self.assertEqual(out.split()[2], "16384")
