"""linux.netDevices: devices of the caller's network namespace, moved into the container's.

Layer: tests, on harness.py. Every test has a network namespace of its own to call the runtime from; the machine's is not touched.
SPDX-License-Identifier: Apache-2.0
"""
import ctypes
import json
import os
import shutil
import signal
import subprocess
import unittest

from harness import LIBC, PEER, RuntimeTest, main, since_runc, wait_until

PR_SET_PDEATHSIG = 1


def can_make_veth():
    if not shutil.which("ip") or not shutil.which("nsenter"):
        return False
    command = ["unshare", "-n", "ip", "link", "add", "veth0", "type", "veth", "peer", "name", "veth1"]
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0


@since_runc("1.4", "linux.netDevices")
@unittest.skipUnless(can_make_veth(), "machine: no veth devices, or no ip(8)")
class NetDevices(RuntimeTest):
    def setUp(self):
        super().setUp()
        self.home = self.network()  # where the runtime is called
        self.ip("link", "add", "veth0", "type", "veth", "peer", "name", "veth1")
        self.ip("address", "add", "10.9.8.7/24", "dev", "veth0")
        self.ip("address", "add", "fd00::7/64", "dev", "veth0", "nodad")
        self.ip("link", "set", "veth0", "up")

    def network(self):
        """The pid of a process in a new network namespace, until the end of the test."""
        dies = lambda: LIBC.prctl(ctypes.c_int(PR_SET_PDEATHSIG), signal.SIGKILL, 0, 0, 0)  # noqa: E731
        holder = subprocess.Popen(["unshare", "-n", "sleep", "1000"], preexec_fn=dies)
        self.addCleanup(holder.wait)
        self.addCleanup(holder.kill)
        ours = os.readlink("/proc/self/ns/net")
        wait_until(lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != ours, "a network namespace")
        return holder.pid

    def ip(self, *arguments, pid=None):
        command = ["nsenter", "-t", str(pid or self.home), "-n", "ip", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, f"{command}: {done.stderr}")
        return done.stdout

    def links(self, pid=None):
        """{name: what ip(8) says of it}"""
        return {link["ifname"]: link for link in json.loads(self.ip("-j", "address", "show", pid=pid))}

    def addresses(self, link):
        return {f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"] if a["scope"] == "global"}

    def called_at_home(self):
        return ("nsenter", "-t", str(self.home), "-n")

    def device(self, name="veth0", inside=None):
        c = self.container("/bin/sleep", "1000")
        c.linux["netDevices"] = {name: {"name": inside} if inside else {}}
        return c

    def refused(self, c, text):
        self.assertIn(text, c.create(rc=1, wrap=self.called_at_home()).said)
        link = self.links()["veth0"]  # as it was
        self.assertEqual(self.addresses(link), {"10.9.8.7/24", "fd00::7/64"})
        self.assertIn("UP", link["flags"])

    def test_ItMovesWithItsAddressesAndIsUp(self):
        c = self.device()
        c.create(wrap=self.called_at_home())
        self.assertNotIn("veth0", self.links())
        link = self.links(c.pid)["veth0"]
        self.assertEqual(self.addresses(link), {"10.9.8.7/24", "fd00::7/64"})
        self.assertIn("UP", link["flags"])

    def test_ItIsRenamedOnTheWay(self):
        c = self.device(inside="lan0")
        c.create(wrap=self.called_at_home())
        self.assertEqual(self.addresses(self.links(c.pid)["lan0"]), {"10.9.8.7/24", "fd00::7/64"})

    def test_ATemplateIsGivenANumberByTheKernel(self):
        c = self.device(inside="lan%d")
        c.create(wrap=self.called_at_home())
        self.assertIn("UP", self.links(c.pid)["lan0"]["flags"])

    def test_OnlyPermanentAddressesOfGlobalScopeGoWithIt(self):
        self.ip("address", "add", "10.1.1.1/24", "dev", "veth0", "valid_lft", "1000", "preferred_lft", "1000")
        self.ip("address", "add", "169.254.3.3/16", "dev", "veth0", "scope", "link")
        c = self.device()
        c.create(wrap=self.called_at_home())
        self.assertEqual({a["local"] for a in self.links(c.pid)["veth0"]["addr_info"] if a["family"] == "inet"}, {"10.9.8.7"})

    def test_ItMovesToANamespaceGivenByItsPath(self):
        there = self.network()
        c = self.device()
        c.namespace("network", f"/proc/{there}/ns/net")
        c.create(wrap=self.called_at_home())
        self.assertIn("veth0", self.links(there))
        c.delete("--force")
        self.assertIn("veth0", self.links(there))  # nobody takes it back

    def test_ItIsThereBeforeTheHooksRun(self):
        seen = os.path.join(self.directory, "seen")
        c = self.device()
        c.config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", f"""
            pid=$(sed 's/.*"pid": *\\([0-9]*\\).*/\\1/'); nsenter -t $pid -n ip link show veth0 > {seen}"""]}]}
        c.create(wrap=self.called_at_home())
        with open(seen) as file:
            self.assertIn("veth0", file.read())

    def test_ADeviceThatIsNotThereIsNamed(self):
        c = self.device()
        c.linux["netDevices"]["eth77"] = {}
        self.refused(c, "eth77")

    def test_ANameThatIsTakenInsideIsAnErrorAndNothingIsMoved(self):
        there = self.network()
        self.ip("link", "add", "lan0", "type", "veth", "peer", "name", "lan1", pid=there)
        c = self.device(inside="lan0")
        c.namespace("network", f"/proc/{there}/ns/net")
        self.refused(c, "lan0")

    def test_ANameThatNoDeviceCanHaveIsRefused(self):
        for name in ("a/b", "sixteen-letters-", "a b", ".."):
            with self.subTest(name=name):
                self.refused(self.device(inside=name), "invalid network device name")

    def test_WithoutANetworkNamespaceItIsRefused(self):
        c = self.device()
        c.namespace("network", False)
        self.refused(c, "unable to move network devices without a private NET namespace")

    @unittest.skipUnless(PEER == "caisson", "peer: runc leaves it where it was put")
    def test_ACreationThatFailsLaterGivesItBack(self):
        c = self.device(inside="lan0")
        c.process["args"] = ["/none"]
        self.refused(c, "/none")

    @unittest.skipUnless(PEER == "caisson", "peer: runc renames a device of the host's")
    def test_TheCallersOwnNamespaceIsNoPlaceToMoveTo(self):
        c = self.device(inside="lan0")
        c.namespace("network", f"/proc/{self.home}/ns/net")
        self.refused(c, "the one the devices are in")

    def test_ItGoesToAContainerWithAUserNamespaceToo(self):
        c = self.device()
        c.user_namespace()
        c.create(wrap=self.called_at_home())
        self.assertEqual(self.addresses(self.links(c.pid)["veth0"]), {"10.9.8.7/24", "fd00::7/64"})


if __name__ == "__main__":
    main()
