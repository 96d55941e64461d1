"""A nest's cgroups, devices, limits and sysctls: what is its own, and what stays the host's.

Layer: tests. Users: ctest (tests.nest.resources).
SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import resource

from nests import NestTest, cgroup_mounts, main

HOST_SYSCTLS = ("vm/swappiness", "kernel/panic", "kernel/core_pattern", "fs/file-max", "kernel/pid_max")


# A mount namespace in which the machine looks as if it had the v2 hierarchy only.
V2_ALONE = ("unshare", "-m", "/bin/sh", "-c", """
set -e; for m in $(awk '$5 ~ "^/sys/fs/cgroup/" {print $5}' /proc/self/mountinfo | tac); do umount $m; done
if ! stat -f -c %T /sys/fs/cgroup | grep -q cgroup2; then umount /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; fi
exec "$@" """, "sh")


class Cgroups(NestTest):
    def test_it_makes_children_and_moves_into_them(self):
        nest = self.nest().shell("""
        for d in /sys/fs/cgroup/*/; do
          case $d in */cpuset/) continue;; esac
          mkdir $d/inner && echo 0 > $d/inner/cgroup.procs && echo made || echo $d
        done
        mkdir /sys/fs/cgroup/inner 2>/dev/null && echo 0 > /sys/fs/cgroup/inner/cgroup.procs && echo made
        """)
        out = nest.run().out.split()
        self.assertTrue(out)
        self.assertEqual(set(out), {"made"})

    def test_it_sees_itself_at_the_root(self):
        for line in self.nest("cat", "/proc/self/cgroup").run().out.splitlines():
            # On v2 its first process is in a leaf, so that the nest's own root can have controllers.
            self.assertIn(line.split(":")[2], ("/", "/init.scope") if line.startswith("0:") else ("/",), line)

    def test_it_cannot_raise_its_own_limits(self):
        name = "memory/memory.limit_in_bytes" if "memory" in cgroup_mounts() else "memory.max"
        nest = self.nest().shell(f"echo 900000000 > /sys/fs/cgroup/{name}; echo $?; cat /sys/fs/cgroup/{name} || true")
        nest.linux["resources"]["memory"] = {"limit": 67108864}
        out = nest.run().out.split()
        self.assertEqual(out[0], "1")
        self.assertEqual(out[1:], ["67108864"] if "memory" in cgroup_mounts() else out[1:])

    def test_on_v2_alone_its_own_cgroup_is_free_for_controllers(self):
        if "unified" not in cgroup_mounts():
            self.skipTest("machine: no v2 hierarchy")
        with open(os.path.join(cgroup_mounts()["unified"], "cgroup.controllers")) as file:
            controllers = file.read().split()
        if not controllers:
            self.skipTest("machine: no controller on v2")
        nest = self.nest().shell(f"""
        grep ^0: /proc/self/cgroup; cd /sys/fs/cgroup; mkdir inner
        echo +{controllers[-1]} > cgroup.subtree_control && echo enabled; echo 0 > inner/cgroup.procs && grep ^0: /proc/self/cgroup
        """)
        self.assertEqual(nest.run(wrap=V2_ALONE).out.split(), ["0::/init.scope", "enabled", "0::/inner"])

    def test_an_inner_hierarchy_can_be_mounted_again(self):
        if "memory" not in cgroup_mounts():
            self.skipTest("machine: no v1 memory hierarchy")
        nest = self.nest().shell("mkdir /c; mount -t cgroup -o memory c /c && cat /c/cgroup.procs")
        self.assertIn("1", nest.run().out.split())


class Devices(NestTest):
    def test_nodes_belong_to_its_root_and_work(self):
        nest = self.nest().shell("""
        stat -c '%n %u %g' /dev/null /dev/fuse /dev/net/tun /dev/kmsg
        echo x > /dev/null && head -c 1 /dev/zero | wc -c
        /attempts open /dev/fuse; /attempts open /dev/net/tun; wc -c < /dev/kmsg
        """)
        out = nest.run().out.splitlines()
        self.assertEqual([line.split(None, 1)[1] for line in out[:4]], ["0 0"] * 4)
        self.assertEqual(out[4:], ["1", "open OK", "open OK", "0"])

    def test_the_hosts_disks_are_not_there_even_when_all_was_asked_for(self):
        nest = self.nest().shell("ls /dev; mknod /tmp/disk b 254 0 && echo made; true")
        nest.linux["resources"]["devices"] = [{"allow": True, "access": "rwm"}]
        nest.linux["devices"] = [{"path": "/dev/disk0", "type": "b", "major": 254, "minor": 0, "fileMode": 0o666}]
        nest.linux["maskedPaths"], nest.linux["readonlyPaths"] = [], []
        out = nest.run().out.split()
        self.assertNotIn("disk0", out)
        self.assertNotIn("made", out)

    def test_a_device_that_was_asked_for_is_there(self):
        nest = self.nest().shell("stat -c %u:%g /dev/mine; head -c 1 /dev/mine | wc -c")
        nest.linux["devices"] = [{"path": "/dev/mine", "type": "c", "major": 1, "minor": 5, "fileMode": 0o600, "uid": 3, "gid": 4}]
        self.assertEqual(nest.run().out.split(), ["3:4", "1"])


class Limits(NestTest):
    def test_limits_beyond_our_own_are_clamped(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        with open("/proc/sys/fs/nr_open") as file:
            if hard >= int(file.read()):
                self.skipTest("machine: the limit is the kernel's own, fs.nr_open")
        nest = self.nest().shell("ulimit -Hn")
        nest.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": hard + 5, "hard": hard + 5}]
        self.assertIn(int(nest.run().out), (hard, hard + 5))  # hard + 5: with CAP_SYS_RESOURCE

    def test_a_negative_oom_score_is_no_error(self):
        nest = self.nest().shell("cat /proc/self/oom_score_adj")
        nest.process["oomScoreAdj"] = -500
        self.assertIn(int(nest.run().out), (0, -500))


class Sysctls(NestTest):
    def test_the_networks_are_its_own_and_the_hosts_are_not(self):
        before = {}
        for name in HOST_SYSCTLS + ("net/ipv4/ip_forward",):
            with open(f"/proc/sys/{name}") as file:
                before[name] = file.read()
        script = "".join(f"(echo 1 > /proc/sys/{name}) 2>/dev/null;" for name in HOST_SYSCTLS)
        flipped = "0" if before["net/ipv4/ip_forward"].strip() == "1" else "1"
        nest = self.nest().shell(script + f"echo {flipped} > /proc/sys/net/ipv4/ip_forward; cat /proc/sys/net/ipv4/ip_forward")
        self.assertEqual(nest.run().out.split(), [flipped])
        for name, value in before.items():
            with open(f"/proc/sys/{name}") as file:
                self.assertEqual(file.read(), value, name)

    def test_what_engines_ask_for_is_given_and_the_hosts_left_out(self):
        nest = self.nest().shell("cat /proc/sys/net/ipv4/ping_group_range /proc/sys/net/ipv4/ip_forward")
        nest.linux["sysctl"] = {"net.ipv4.ping_group_range": "0 2147483647", "net.ipv4.ip_forward": "1", "vm.swappiness": "1"}
        self.assertEqual(nest.run().out.split(), ["0", "65535", "1"])


class Exec(NestTest):
    def test_a_process_of_an_engine_gets_what_the_first_one_has(self):
        nest = self.nest().up()
        process = {"args": ["grep", "CapEff", "/proc/self/status"], "cwd": "/", "user": {"uid": 0, "gid": 0},
                   "env": ["PATH=/bin"], "capabilities": {"bounding": [], "effective": [], "permitted": []}}
        path = os.path.join(self.directory, "process.json")
        with open(path, "w") as file:
            json.dump(process, file)
        by_file = nest.exec(flags=("--process", path))
        by_words = nest.exec("grep", "CapEff", "/proc/self/status")
        self.assertEqual(by_file.out, by_words.out)
        self.assertGreater(int(by_file.out.split()[1], 16), 1 << 36)

    def test_nothing_of_ours_stays_open_in_it(self):
        nest = self.nest().up()
        path = os.path.join(self.directory, "process.json")
        with open(path, "w") as file:
            json.dump({"args": ["ls", "/proc/self/fd"], "cwd": "/", "user": {"uid": 0, "gid": 0}, "env": ["PATH=/bin"]}, file)
        self.assertLessEqual(len(nest.exec(flags=("--process", path)).out.split()), 4)


if __name__ == "__main__":
    main()
