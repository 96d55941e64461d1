"""The escape suite must find the holes that Debian 12's own runtimes have: a suite that finds nothing there proves nothing.

Layer: tests. Runs escape_test.py against runc 1.1.5 and crun 1.8.1 (crun refuses a hybrid cgroup tree: it gets a mount
namespace of its own without the `unified` mount).
SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
HOLES = {
    ("runc", "1.1.5"): {
        "test_CVE_2026_41579_ADevThatIsASymlinkGetsNoNodesOnTheHost",  # five symlinks made in the host's directory
        "test_CVE_2025_31133_MasksDoNotTrustTheContainersDevNull",  # the masked file shows /proc/version
        "test_HooksGetNoDescriptorsOfTheRuntime",  # its pipe, socket and fifo in createContainer hooks
        "test_CVE_2026_30892_ExecAsUserOneIsNotRoot",  # exec -u 4294967296 is root
    },
    ("crun", "1.8.1"): {
        "test_CVE_2026_41579_ADevThatIsASymlinkGetsNoNodesOnTheHost",  # twelve nodes and symlinks
        "test_CVE_2024_21626_ALeakedDescriptorIsNoWorkingDirectory",  # reads a file of the host
        "test_CVE_2024_21626_ExecTakesNoneEither",
        "test_CVE_2026_30892_ExecAsUserOneIsNotRoot",
    },
}


def installed(name, version):
    path = shutil.which(name, path="/usr/sbin:/usr/bin")
    if path is None:
        return None
    text = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60).stdout
    first = text.splitlines()[0].split() if text else []
    return path if first and first[-1].split("+")[0] == version else None


class KnownHoles(unittest.TestCase):
    def findings(self, name, version):
        path = installed(name, version)
        if path is None:
            self.skipTest(f"machine: no {name} {version}")
        with tempfile.TemporaryDirectory(prefix="caisson-holes-") as directory:
            result = os.path.join(directory, "result.json")
            environment = {**os.environ, "CAISSON_TEST_RUNTIME": path, "CAISSON_TEST_RESULT": result}
            environment.pop("CI", None)  # what a peer cannot do is skipped there
            command = [sys.executable, "-B", os.path.join(HERE, "escape_test.py")]
            if name == "crun":
                script = 'while umount /sys/fs/cgroup/unified 2>/dev/null; do :; done; exec "$@"'
                command = ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", script, "sh", *command]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
            if not os.path.exists(result):
                self.fail(f"the suite did not end: {done.stdout[-2000:]} {done.stderr[-4000:]}")
            with open(result) as file:
                found = json.load(file)
        self.assertGreater(found["ran"], 30)
        self.assertLess(len(found["failed"]), found["ran"] // 2, f"everything fails: {done.stderr[-4000:]}")
        return set(found["failed"])

    def check(self, name, version):
        missed = HOLES[name, version] - self.findings(name, version)
        self.assertEqual(missed, set(), f"the suite no longer sees these holes of {name} {version}")

    def test_RuncOfDebian12(self):
        self.check("runc", "1.1.5")

    def test_CrunOfDebian12(self):
        self.check("crun", "1.8.1")


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: needs root")
        sys.exit(1 if os.environ.get("CI") else 77)
    unittest.main(verbosity=2)
