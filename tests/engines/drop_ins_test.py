#!/usr/bin/python3
# packaging/'s drop-in files: each can be read, and all of them give the same two handlers the same two binaries.
# Layer: tests. Run by ctest as tests.engines.drop_ins. The engines' own tests use the same files.
# SPDX-License-Identifier: Apache-2.0
import json
import re
import tomllib
import unittest

from sandbox import SOURCE

PACKAGING = SOURCE / "packaging"
BINARIES = {"caisson": "/usr/bin/caisson-runtime", "caisson-nest": "/usr/bin/caisson-nest"}


def toml(path):
    return tomllib.loads((PACKAGING / path).read_text())


class DropIns(unittest.TestCase):
    def test_docker_has_both_runtimes(self):
        runtimes = json.loads((PACKAGING / "docker/daemon.json").read_text())["runtimes"]
        self.assertEqual({name: r["path"] for name, r in runtimes.items()}, BINARIES)

    def test_containerd_has_both_handlers(self):
        for path, version, plugin in (("containerd/config-v2.toml", 2, "io.containerd.grpc.v1.cri"),
                                      ("containerd/config-v3.toml", 3, "io.containerd.cri.v1.runtime")):
            config = toml(path)
            self.assertEqual(config["version"], version)
            runtimes = config["plugins"][plugin]["containerd"]["runtimes"]
            self.assertEqual({name: r["options"]["BinaryName"] for name, r in runtimes.items() if "options" in r}, BINARIES)

    def test_crio_has_both_handlers_with_a_root_each(self):
        runtimes = toml("crio/10-caisson.conf")["crio"]["runtime"]["runtimes"]
        self.assertEqual({name: r["runtime_path"] for name, r in runtimes.items()}, BINARIES)
        self.assertEqual(len({r["runtime_root"] for r in runtimes.values()}), 2)

    def test_podman_finds_each_by_the_name_of_its_file_and_reads_its_json(self):
        engine = toml("podman/caisson.conf")["engine"]
        self.assertEqual(engine["runtimes"], {path.rsplit("/", 1)[1]: [path] for path in BINARIES.values()})
        self.assertLessEqual(set(engine["runtimes"]), set(engine["runtime_supports_json"]))

    def test_buildkit_has_the_runtime(self):
        self.assertEqual(toml("buildkit/buildkitd.toml")["worker"]["oci"]["binary"], BINARIES["caisson"])

    def test_kubernetes_classes_name_the_handlers(self):
        text = (PACKAGING / "kubernetes/runtimeclass.yaml").read_text()
        self.assertEqual(re.findall(r"^handler: (\S+)$", text, re.M), list(BINARIES))


if __name__ == "__main__":
    unittest.main(verbosity=2)
