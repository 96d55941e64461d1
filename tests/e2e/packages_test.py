"""Packages and programs that need more than a plain container: owners, device nodes, capabilities of files, 32 bits.

Layer: tests. Users: ctest (tests.e2e.packages.*).
SPDX-License-Identifier: Apache-2.0
"""
import os
import shutil
import subprocess

from workload import Workload, main

POSTINST = """#!/bin/sh
set -e
mknod -m 666 /opt/tried/null c 1 3
chown 1234:4321 /opt/tried/file
setcap cap_net_raw+ep /opt/tried/tool
setfattr -n user.tried -v yes /opt/tried/file
"""
# write(1, "i386\\n", 5); exit(0), by the 32-bit entry
PROGRAM = """.globl _start
_start: mov $4, %eax; mov $1, %ebx; mov $text, %ecx; mov $5, %edx; int $0x80
mov $1, %eax; xor %ebx, %ebx; int $0x80
.data
text: .ascii "i386\\n"
"""


class Packages(Workload):
    def test_a_package_that_makes_devices_owners_and_capabilities_is_installed(self):
        nest = self.idle()
        self.sh(nest, f"""mkdir -p /p/DEBIAN /p/opt/tried; echo x > /p/opt/tried/file; cp /bin/true /p/opt/tried/tool
printf 'Package: tried\\nVersion: 1\\nArchitecture: all\\nMaintainer: nobody <n@example.org>\\nDescription: tried\\n' > /p/DEBIAN/control
cat > /p/DEBIAN/postinst <<'END'
{POSTINST}END
chmod 755 /p/DEBIAN/postinst; dpkg-deb --root-owner-group -b /p /tried.deb && dpkg -i /tried.deb""")
        self.assertEqual(self.sh(nest, "stat -c '%u:%g %F' /opt/tried/file /opt/tried/null").splitlines(),
                         ["1234:4321 regular file", "0:0 character special file"])
        self.assertIn("cap_net_raw=ep", self.sh(nest, "getcap /opt/tried/tool"))
        self.assertEqual(self.sh(nest, "echo gone > /opt/tried/null; head -c 1 /opt/tried/null | wc -c"), "0")
        self.sh(nest, "dpkg -P tried; test ! -e /opt/tried/tool")

    def test_user_namespaces_nest(self):
        nest = self.idle()
        inside = "unshare -Urpf --mount-proc bash -c 'echo $$; unshare -Urpf --mount-proc bash -c \"echo \\$\\$; ls /proc | grep -c ^[0-9]\"'"
        self.assertEqual(self.sh(nest, inside).split()[:2], ["1", "1"])
        self.sh(nest, "useradd -m joe")
        self.assertEqual(self.sh(nest, "su joe -c \"unshare -Urpf --mount-proc id -u\""), "0")

    def test_a_32_bit_program_runs(self):
        if not shutil.which("as") or not shutil.which("ld"):
            self.skipTest("machine: no assembler")
        source, thing = (os.path.join(self.directory, name) for name in ("p.s", "p.o"))
        with open(source, "w") as file:
            file.write(PROGRAM)
        nest = self.debian("/i386")
        subprocess.run(["as", "--32", "-o", thing, source], check=True)
        subprocess.run(["ld", "-m", "elf_i386", "-o", os.path.join(nest.rootfs, "i386"), thing], check=True)
        self.assertEqual(nest.run().out, "i386\n")


if __name__ == "__main__":
    main()
