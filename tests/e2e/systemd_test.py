"""systemd as the first process of a nest: boots whole, runs units of every kind, ends when it is told to.

Layer: tests. Users: ctest (tests.e2e.systemd.*).
SPDX-License-Identifier: Apache-2.0
"""
from workload import Workload, main

UNIT = """[Service]
Type=oneshot
RemainAfterExit=yes
Nice=-5
LimitNOFILE=4096
PrivateTmp=yes
PrivateDevices=yes
ProtectSystem=strict
ProtectKernelTunables=yes
ProtectProc=invisible
MemoryMax=64M
TasksMax=50
ExecStart=/bin/bash -ec 'nice; ulimit -n; ls /dev | grep -c . ; cat /proc/sys/kernel/panic; grep -q . /proc/meminfo; echo done'
"""


class Systemd(Workload):
    def test_it_boots_without_a_failed_unit(self):
        nest = self.systemd()
        failed = self.sh(nest, "systemctl list-units --failed --no-legend --plain")
        self.assertEqual(failed, "")
        self.assertEqual(self.sh(nest, "systemctl is-system-running"), "running")
        self.assertEqual(self.sh(nest, "systemd-detect-virt --container"), "container-other")

        self.sh(nest, f"cat > /etc/systemd/system/tried.service <<'END'\n{UNIT}END\nsystemctl daemon-reload && systemctl start tried")
        said = self.sh(nest, "journalctl -u tried -o cat --no-pager")
        self.assertIn("-5\n4096\n", said)
        self.assertIn("done", said)
        self.assertIn("user@0.service", self.sh(nest, "systemctl start user@0 && systemctl list-units --no-legend --plain 'user@*'"))
        self.assertEqual(self.sh(nest, "systemd-run --quiet --pipe --wait -p PrivateUsers=yes -p PrivateNetwork=yes id -u"), "0")

        nest.exec("systemctl", "poweroff", rc=None)
        nest.wait_stopped()

    def test_it_ends_by_the_signal_of_container_managers(self):
        nest = self.systemd()
        nest.kill("SIGRTMIN+3")
        nest.wait_stopped()


if __name__ == "__main__":
    main()
