# What a kubelet asks of containerd by CRI, with our runtimes as handlers: pods, containers, user namespaces, nests.
# Layer: tests. Collected by laws.py for containerd.
# SPDX-License-Identifier: Apache-2.0
import itertools
import json
import pathlib
import unittest

import cri
from sandbox import poll

NUMBERS = itertools.count(1)
SLEEPER = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done"]
RANGES = itertools.count(400000, 65536)


def own_users():
    """As a kubelet does it: a range that no other pod has. containerd 1.7 cannot make two roots for one at once."""
    ids = [{"host_id": next(RANGES), "container_id": 0, "length": 65536}]
    return {"mode": cri.POD, "uids": ids, "gids": ids}


class PodLaws(unittest.TestCase):
    e = None
    alone = False
    longMessage = True
    maxDiff = None


    def setUp(self):
        if self.e.cri is None:
            self.skipTest("python3-grpcio is not installed: no CRI client")

    def pod(self, handler="caisson", users=None, network=cri.POD, annotations=None, **linux):
        """A running pod: (its id, its configuration)."""
        name = f"p{next(NUMBERS)}"
        logs = self.e.sandbox.data / "logs" / name
        logs.mkdir(parents=True)
        options = {"network": network, "pid": cri.CONTAINER, "ipc": cri.POD, **({"userns_options": users} if users else {})}
        config = {"metadata": {"name": name, "uid": f"uid-{name}", "namespace": "tests"}, "log_directory": str(logs),
                  "annotations": annotations or {}, "linux": {"cgroup_parent": "/pods", "security_context": {"namespace_options": options}, **linux}}
        if network == cri.POD:
            config["hostname"] = name
        pod = self.e.cri.RunPodSandbox(config=config, runtime_handler=handler)["pod_sandbox_id"]
        self.addCleanup(self.remove, pod)
        return pod, config

    def remove(self, pod):
        for call in (self.e.cri.StopPodSandbox, self.e.cri.RemovePodSandbox):
            try:
                call(pod_sandbox_id=pod)
            except cri.CallFailed:
                pass

    def container(self, pod, command=(), start=True, security=None, resources=None, **more):
        """A container in the pod: its id."""
        pod, config = pod
        options = config["linux"]["security_context"]["namespace_options"]
        linux = {"security_context": {"namespace_options": options, **(security or {})}, "resources": resources or {}}
        made = self.e.cri.CreateContainer(pod_sandbox_id=pod, sandbox_config=config, config={
            "metadata": {"name": f"c{next(NUMBERS)}"}, "image": {"image": self.e.image}, "command": list(command or SLEEPER),
            "log_path": "c.log", "linux": linux, **more})["container_id"]
        if start:
            self.e.cri.StartContainer(container_id=made)
        return made

    def exec(self, container, *command, rc=0):
        got = self.e.cri.ExecSync(container_id=container, cmd=list(command), timeout=60)
        self.assertEqual(got["exit_code"], rc, got)
        return got["stdout"].decode().strip()

    def status(self, container):
        return self.e.cri.ContainerStatus(container_id=container)["status"]

    def ended(self, container):
        """Its status once it has ended."""
        return poll(lambda: (lambda s: s if s["state"] == cri.EXITED else None)(self.status(container)), 60, f"{container} ended")

    def needs_user_namespaces(self):
        if not self.e.user_namespaces:
            self.skipTest("this containerd's CRI knows no user namespaces")


class ContainerLaws(PodLaws):
    def test_a_pod_has_an_address_and_its_containers_share_it(self):
        pod = self.pod()
        address = self.e.cri.PodSandboxStatus(pod_sandbox_id=pod[0])["status"]["network"]["ip"]
        self.assertRegex(address, r"^10\.88\.77\.\d+$")
        first, second = self.container(pod), self.container(pod)
        self.assertIn(address, self.exec(first, "ip", "addr"))
        for kind in ("net", "ipc", "uts"):
            self.assertEqual(*(self.exec(c, "readlink", f"/proc/self/ns/{kind}") for c in (first, second)))
        self.assertNotEqual(*(self.exec(c, "readlink", "/proc/self/ns/pid") for c in (first, second)))
        self.assertEqual(self.exec(first, "hostname"), pod[1]["hostname"])

    def test_pods_reach_each_other(self):
        pod = self.pod()
        address = self.e.cri.PodSandboxStatus(pod_sandbox_id=pod[0])["status"]["network"]["ip"]
        self.container(pod, ["sh", "-c", "echo hello > /srv/index.html; exec httpd -f -p 80 -h /srv"])
        other = self.container(self.pod())
        request = f"printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 5 {address} 80"
        poll(lambda: self.e.cri.ExecSync(container_id=other, cmd=["sh", "-c", request], timeout=60)["stdout"].endswith(b"hello\n"), 60,
             "the page from the other pod")

    def test_it_is_our_runtime_that_runs(self):
        pod = self.pod()
        container = self.container(pod)
        self.assertLessEqual({pod[0], container}, set(self.e.runtime_ids("k8s.io")))

    def test_the_host_network_can_be_used(self):
        here = self.e.sandbox.run(["readlink", "/proc/self/ns/net"]).out.strip()
        self.assertEqual(self.exec(self.container(self.pod(network=cri.NODE)), "readlink", "/proc/self/ns/net"), here)

    def test_exec_has_both_streams_and_the_exit_code(self):
        container = self.container(self.pod())
        got = self.e.cri.ExecSync(container_id=container, cmd=["sh", "-c", "echo out; echo err >&2; exit 9"], timeout=60)
        self.assertEqual((got["stdout"], got["stderr"], got["exit_code"]), (b"out\n", b"err\n", 9))
        with self.assertRaisesRegex(cri.CallFailed, "executable file not found in \\$PATH"):
            self.e.cri.ExecSync(container_id=container, cmd=["nosuch"], timeout=60)

    def test_exec_ends_when_its_time_is_over(self):
        with self.assertRaisesRegex(cri.CallFailed, "DEADLINE_EXCEEDED|timeout"):
            self.e.cri.ExecSync(container_id=self.container(self.pod()), cmd=["sleep", "1000"], timeout=1)

    def test_exit_codes_and_logs(self):
        pod = self.pod()
        status = self.ended(self.container(pod, ["sh", "-c", "echo to-log; echo to-err >&2; exit 3"]))
        self.assertEqual((status["exit_code"], status["reason"]), (3, "Error"))
        lines = pathlib.Path(pod[1]["log_directory"], "c.log").read_text().splitlines()
        self.assertEqual(sorted(line.split(" ", 1)[1] for line in lines), ["stderr F to-err", "stdout F to-log"])

    def test_a_program_that_is_not_there_fails_the_start_and_is_told(self):
        container = self.container(self.pod(), ["nosuch"], start=False)
        with self.assertRaisesRegex(cri.CallFailed, "executable file not found in \\$PATH"):
            self.e.cri.StartContainer(container_id=container)
        self.assertEqual((self.status(container)["state"], self.status(container)["reason"]), (cri.EXITED, "StartError"))

    def test_stop_asks_and_then_kills(self):
        pod = self.pod()
        polite, stubborn = self.container(pod), self.container(pod, ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"])
        self.exec(polite, "true")
        self.e.cri.StopContainer(container_id=polite, timeout=60)
        self.e.cri.StopContainer(container_id=stubborn, timeout=1)
        self.assertEqual([self.ended(c)["exit_code"] for c in (polite, stubborn)], [0, 137])
        self.e.cri.RemoveContainer(container_id=polite)
        self.assertNotIn(polite, self.e.runtime_ids("k8s.io"))

    def test_limits_stats_and_update(self):
        pod = self.pod()
        container = self.container(pod, resources={"memory_limit_in_bytes": 64 << 20, "cpu_shares": 512, "oom_score_adj": 900})
        script = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max"
        self.assertEqual(self.exec(container, "sh", "-c", script), str(64 << 20))
        self.assertEqual(self.exec(container, "cat", "/proc/1/oom_score_adj"), "900")
        self.e.cri.UpdateContainerResources(container_id=container, linux={"memory_limit_in_bytes": 48 << 20, "memory_swap_limit_in_bytes": 48 << 20})
        self.assertEqual(self.exec(container, "sh", "-c", script), str(48 << 20))

        def measured():
            stats = self.e.cri.ContainerStats(container_id=container)["stats"]
            return stats["memory"] and stats["memory"]["working_set_bytes"]["value"] > 0 and stats["cpu"]["usage_core_nano_seconds"]["value"] > 0
        poll(measured, 60, "memory and processor time of the container")
        self.assertEqual(self.e.cri.PodSandboxStats(pod_sandbox_id=pod[0])["stats"]["attributes"]["id"], pod[0])

    def test_out_of_memory_is_told(self):
        limits = {"memory_limit_in_bytes": 24 << 20, "memory_swap_limit_in_bytes": 24 << 20}
        status = self.ended(self.container(self.pod(), ["dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"], resources=limits))
        self.assertEqual(status["exit_code"], 137)
        poll(lambda: status["reason"] == "OOMKilled" or self.status(status["id"])["reason"] == "OOMKilled", 30, "OOMKilled")

    def test_privileges_users_and_masks(self):
        pod = self.pod()
        options = {"run_as_user": {"value": 1000}, "run_as_group": {"value": 2000}, "supplemental_groups": [3000], "no_new_privs": True,
                   "readonly_rootfs": True, "masked_paths": ["/proc/keys"], "readonly_paths": ["/proc/sys"], "seccomp": {"profile_type": 0},
                   "capabilities": {"drop_capabilities": ["ALL"]}}
        container = self.container(pod, security=options)
        self.assertEqual(self.exec(container, "sh", "-c", "id -u; id -g; id -G; wc -c < /proc/keys").split(), ["1000", "2000", "2000", "3000", "0"])
        status = dict(line.split(":", 1) for line in self.exec(container, "cat", "/proc/self/status").splitlines())
        self.assertEqual([status[k].strip() for k in ("CapEff", "CapBnd", "NoNewPrivs", "Seccomp")], ["0" * 16, "0" * 16, "1", "2"])

    def test_mounts_devices_environment_and_sysctls(self):
        path = self.e.sandbox.data / f"d{next(NUMBERS)}"
        path.mkdir()
        (path / "f").write_text("given")
        container = self.container(self.pod(sysctls={"net.core.somaxconn": "77"}), envs=[{"key": "X", "value": b"y"}], working_dir="/srv",
                                   mounts=[{"container_path": "/mnt", "host_path": str(path), "readonly": True}],
                                   devices=[{"container_path": "/dev/inner", "host_path": "/dev/fuse", "permissions": "rw"}])
        script = "cat /mnt/f; touch /mnt/x 2>/dev/null || echo; pwd; cat /proc/sys/net/core/somaxconn; exec 3<>/dev/inner && echo opened"
        self.assertEqual(self.exec(container, "sh", "-c", script).split(), ["given", "/srv", "77", "opened"])
        self.assertEqual(self.exec(container, "sh", "-c", "tr '\\0' '\\n' < /proc/1/environ | grep ^X="), "X=y")

    def test_a_pid_namespace_of_the_pod_or_of_another_container(self):
        pod = self.pod()
        pod[1]["linux"]["security_context"]["namespace_options"]["pid"] = cri.CONTAINER
        first = self.container(pod)
        options = {"network": cri.POD, "ipc": cri.POD, "pid": cri.TARGET, "target_id": first}
        second = self.container(pod, security={"namespace_options": options})
        self.assertEqual(*(self.exec(c, "readlink", "/proc/self/ns/pid") for c in (first, second)))

    def test_nothing_is_left_of_a_removed_pod(self):
        pod = self.pod()
        container = self.container(pod)
        self.remove(pod[0])
        self.assertFalse({pod[0], container} & set(self.e.runtime_ids("k8s.io")))
        self.assertEqual(self.e.cgroups(container) + self.e.cgroups(pod[0]), [])


class UserNamespaceLaws(PodLaws):
    def setUp(self):
        super().setUp()
        self.needs_user_namespaces()

    def test_host_users_false_maps_ids(self):
        users = own_users()
        container = self.container(self.pod(users=users))
        self.assertEqual(self.exec(container, "cat", "/proc/self/uid_map").split(), ["0", str(users["uids"][0]["host_id"]), "65536"])
        self.assertEqual(self.exec(container, "sh", "-c", "touch /srv/x && stat -c %u /srv/x /bin/busybox").split(), ["0", "0"])

    def test_containers_of_a_pod_share_its_user_namespace(self):
        pod = self.pod(users=own_users())
        self.assertEqual(*(self.exec(self.container(pod), "readlink", "/proc/self/ns/user") for _ in range(2)))

    def test_volumes_are_id_mapped(self):
        path = self.e.sandbox.data / f"d{next(NUMBERS)}"
        path.mkdir()
        (path / "f").write_text("given")
        users = own_users()
        mount = {"container_path": "/mnt", "host_path": str(path), "uidMappings": users["uids"], "gidMappings": users["gids"]}
        pod = self.pod(users=users)
        if not self.e.idmapped_volumes:
            with self.assertRaisesRegex(cri.CallFailed, "idmap mounts not yet supported"):  # containerd's own words
                self.container(pod, mounts=[mount])
            return
        container = self.container(pod, mounts=[mount])
        self.assertEqual(self.exec(container, "sh", "-c", "cat /mnt/f; touch /mnt/made; stat -c %u /mnt/f /mnt/made").split(), ["given0", "0"])
        self.assertEqual((path / "made").stat().st_uid, 0)

    def test_features_say_what_the_handlers_can(self):
        if not self.e.handler_features:
            self.skipTest("this containerd asks no runtime for its features")
        handlers = {h["name"]: h["features"] for h in self.e.cri.Status()["runtime_handlers"]}
        for name in ("caisson", "caisson-nest"):
            self.assertEqual(handlers[name], {"recursive_read_only_mounts": 1, "user_namespaces": 1}, handlers)

    def test_recursive_read_only_mounts(self):
        if not self.e.handler_features:
            self.skipTest("this containerd asks no runtime for its features")
        path = self.e.sandbox.data / f"d{next(NUMBERS)}"
        (path / "sub").mkdir(parents=True)
        self.assertEqual(self.e.sandbox.run(["mount", "-t", "tmpfs", "below", path / "sub"]).rc, 0)
        self.addCleanup(lambda: self.e.sandbox.run(["umount", "-l", path / "sub"]))
        mount = {"container_path": "/mnt", "host_path": str(path), "readonly": True, "recursive_read_only": True}
        container = self.container(self.pod(), mounts=[mount])
        self.assertIn("Read-only", self.exec(container, "sh", "-c", "touch /mnt/sub/x 2>&1; true"))


class NestLaws(PodLaws):
    def nest(self, command=(), **more):
        self.needs_user_namespaces()
        return self.container(self.pod("caisson-nest", own_users()), command, **more)

    def test_a_nest_of_a_pod_has_the_pods_ids(self):
        self.needs_user_namespaces()
        users = own_users()
        nest = self.container(self.pod("caisson-nest", users))
        self.assertEqual(self.exec(nest, "cat", "/proc/self/uid_map").split(), ["0", str(users["uids"][0]["host_id"]), "65536"])

    def test_a_nest_may_mount_and_make_namespaces(self):
        script = "mkdir -p /m && mount -t tmpfs x /m && unshare -m -p -f true && ip link add v0 type veth peer name v1 && echo did"
        self.assertEqual(self.exec(self.nest(), "sh", "-c", script), "did")

    def test_a_nest_is_limited_updated_and_stopped(self):
        nest = self.nest(resources={"memory_limit_in_bytes": 64 << 20})
        self.e.cri.UpdateContainerResources(container_id=nest, linux={"memory_limit_in_bytes": 48 << 20, "memory_swap_limit_in_bytes": 48 << 20})
        script = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max"
        self.assertEqual(self.exec(nest, "sh", "-c", script), str(48 << 20))
        self.e.cri.StopContainer(container_id=nest, timeout=60)
        self.assertEqual(self.ended(nest)["exit_code"], 0)

    def test_a_nest_without_user_namespace_is_refused_and_told_why(self):
        with self.assertRaisesRegex(cri.CallFailed, "a nest needs a network namespace of its own"):
            self.container(self.pod("caisson-nest"))

    ASKED = {"io.caisson.rootfs-overlay": '{"lower":["/etc"]}', "io.caisson.locked-mounts": "true"}

    def annotations(self, handler):
        """Those of ASKED that the runtime was given for a container of a pod that asks for all: and the container."""
        self.needs_user_namespaces()
        container = self.container(self.pod(handler, own_users(), annotations=self.ASKED), annotations=self.ASKED)
        spec = json.loads(self.e.cri.ContainerStatus(container_id=container, verbose=1)["info"]["info"])["runtimeSpec"]
        return set(spec["annotations"]) & set(self.ASKED), container

    def test_annotations_of_a_pod_are_not_given_by_our_handlers(self):
        for handler in ("caisson", "caisson-nest"):
            self.assertEqual(self.annotations(handler)[0], set())

    def test_a_nest_that_is_given_annotations_obeys_none_of_ours(self):
        given, container = self.annotations("annotated")
        self.assertEqual(given, set(self.ASKED))
        self.assertEqual(self.exec(container, "sh", "-c", "test -x /bin/busybox && ! test -e /subuid && echo own-root"), "own-root")
