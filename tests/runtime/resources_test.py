"""Resources beyond what every machine has: RDT, RDMA, network, huge pages; and what update does with odd values.

Layer: tests, on harness.py.
SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import unittest

from harness import PEER, RuntimeTest, main, not_on, without_limit
from machine import cgroup_mounts


def mounted(kind):
    with open("/proc/self/mounts") as file:
        return any(line.split()[2] == kind for line in file)


class NotHere(RuntimeTest):
    """What this machine cannot give is an error that names it, and leaves nothing behind."""

    def refused(self, *texts, **linux):
        c = self.container("/bin/true")
        c.linux.update(linux.pop("linux", {}))
        c.linux["resources"].update(linux)
        outcome = c.create(rc=1)
        for text in texts:
            self.assertIn(text, outcome.said)

    @unittest.skipIf(mounted("resctrl"), "machine: has resctrl")
    def test_IntelRdtWithoutItsFileSystem(self):
        for rdt in ({"closID": "gold"}, {"l3CacheSchema": "L3:0=f"}, {"memBwSchema": "MB:0=20"}, {"enableMonitoring": True}):
            with self.subTest(rdt=rdt):
                self.refused("Intel RDT is not enabled", linux={"intelRdt": rdt})

    @unittest.skipUnless(PEER == "caisson", "peer: its own words")
    def test_IntelRdtOfAnInvalidNameIsRefused(self):
        for name in ("..", "a/b"):
            self.refused("invalid intelRdt.ClosID", linux={"intelRdt": {"closID": name}})

    @unittest.skipIf("net_cls" in cgroup_mounts(), "machine: has net_cls")
    def test_NetworkClasses(self):
        self.refused("net_cls", network={"classID": 0x100001})

    @unittest.skipIf("net_prio" in cgroup_mounts(), "machine: has net_prio")
    def test_NetworkPriorities(self):
        self.refused("net_prio", network={"priorities": [{"name": "lo", "priority": 5}]})

    @not_on("crun", "has no rdma")
    @unittest.skipIf("rdma" in cgroup_mounts(), "machine: has rdma")
    @without_limit("cgroup-v1")
    def test_Rdma(self):
        self.refused("rdma", rdma={"mlx5_0": {"hcaHandles": 2}})


@unittest.skipUnless(PEER == "caisson", "peer: fails with any huge page limit")
class HugePages(RuntimeTest):
    @without_limit("cgroup-v1")
    @unittest.skipUnless("unified" in cgroup_mounts(), "machine: no v2 hierarchy beside v1")
    def test_TheRootOfTheHostsUnifiedHierarchyIsNeverChanged(self):
        control = os.path.join(cgroup_mounts()["unified"], "cgroup.subtree_control")
        with open(control) as file:
            before = file.read()
        c = self.container("/bin/true")
        c.linux["resources"]["hugepageLimits"] = [{"pageSize": "2MB", "limit": 4 << 20}]
        c.create(rc=0 if "hugetlb" in before else 1)
        with open(control) as file:
            self.assertEqual(file.read(), before)


@without_limit("cgroup-v1")
class Update(RuntimeTest):
    def setUp(self):
        super().setUp()
        self.c = self.container().up()

    def update(self, *flags, **options):
        return self.runtime("update", *flags, self.c.id, **options)

    @unittest.skipUnless(PEER == "caisson", "peer: 0 was nothing before runc 1.4")
    def test_APidsLimitOfZeroIsTheSmallestThereIs(self):
        self.update("--pids-limit", "0")
        self.assertEqual(self.c.cgroup_value("pids", "pids.max"), "1")
        self.update("--pids-limit", "-1")
        self.assertEqual(self.c.cgroup_value("pids", "pids.max"), "max")

    @unittest.skipUnless(PEER == "caisson", "peer: its own words")
    def test_RdtOfAContainerWithoutIt(self):
        for flag, value in (("--l3-cache-schema", "L3:0=f"), ("--mem-bw-schema", "MB:0=20")):
            self.assertIn("Intel RDT", self.update(flag, value, rc=1).said)

    def test_ResourcesAsJsonFromAFileAndFromStdin(self):
        path = os.path.join(self.directory, "resources.json")
        with open(path, "w") as file:
            json.dump({"pids": {"limit": 77}}, file)
        self.update("--resources", path)
        self.assertEqual(self.c.cgroup_value("pids", "pids.max"), "77")
        self.update("--resources", "-", stdin=json.dumps({"pids": {"limit": 78}}))
        self.assertEqual(self.c.cgroup_value("pids", "pids.max"), "78")


class Announced(RuntimeTest):
    @unittest.skipUnless(PEER == "caisson", "peer: an older one says less")
    def test_FeaturesNamesWhatIsThere(self):
        linux = self.runtime("features").json()["linux"]
        self.assertTrue(linux["netDevices"]["enabled"])
        self.assertTrue(linux["intelRdt"]["enabled"])
        self.assertTrue(linux["cgroup"]["rdma"])


if __name__ == "__main__":
    main()
