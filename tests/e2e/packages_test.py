"""Packages and programs that need more than a plain container: owners, device nodes, capabilities of files, 32 bits.

Layer: tests. Users: ctest (tests.e2e.packages.*).
SPDX-License-Identifier: Apache-2.0
"""
import io
import os
import shutil
import subprocess
import tarfile

from workload import Workload, main

POSTINST = """#!/bin/sh
set -e
mknod -m 666 /opt/tried/null c 1 3
chown 1234:4321 /opt/tried/file
setcap cap_net_raw+ep /opt/tried/tool
setfattr -n user.tried -v yes /opt/tried/file
"""
FILES = 20000
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

    def test_apt_installs_a_package_and_what_it_depends_on(self):
        nest = self.idle()
        control = "Package: %s\\nVersion: 1\\nArchitecture: all\\nMaintainer: nobody <n@example.org>\\nDescription: tried\\n%s"
        made = "mkdir -p /%s/DEBIAN; printf '" + control + "' > /%s/DEBIAN/control; dpkg-deb --root-owner-group -b /%s /%s.deb"
        self.sh(nest, "; ".join(made % (name, name, more, name, name, name) for name, more in (("below", ""), ("above", "Depends: below\\n"))))
        self.sh(nest, "apt-get -y install /above.deb /below.deb 2>&1")
        self.assertEqual(self.sh(nest, "dpkg-query -W -f '${db:Status-Abbrev} ' above below").split(), ["ii", "ii"])

    def test_a_tree_of_many_owners_is_unpacked_whole(self):
        nest = self.idle()
        with tarfile.open(os.path.join(nest.rootfs, "tree.tar"), "w") as tree:
            for i in range(FILES):
                entry = tarfile.TarInfo(f"tree/{i % 100}/{i}")
                entry.uid, entry.gid, entry.size, entry.mode = i % 65000, (i * 7) % 65000, 100, 0o4755 if i % 50 == 0 else 0o640
                tree.addfile(entry, io.BytesIO(b"x" * entry.size))
        self.sh(nest, "tar --numeric-owner -xpf /tree.tar -C /opt")
        found = self.sh(nest, "find /opt/tree -type f -printf '%f %U %G %m\\n'").splitlines()
        wrong = [line for line in found if line != "{0} {1} {2} {3}".format(
            (i := int(line.split()[0])), i % 65000, (i * 7) % 65000, 4755 if i % 50 == 0 else 640)]
        self.assertEqual((len(found), wrong[:3]), (FILES, []))

    def test_a_binary_format_is_the_nests_own(self):
        with open("/proc/filesystems") as file:
            if "binfmt_misc" not in file.read():
                self.skipTest("kernel: no binfmt_misc")
        nest = self.idle()
        self.sh(nest, """mkdir -p /b; mount -t binfmt_misc b /b; printf ':tried:M::TRIED::/bin/cat:' > /b/register
printf 'TRIED said' > /t; chmod 755 /t""")
        self.assertEqual(self.sh(nest, "/t"), "TRIED said")
        self.assertFalse(os.path.exists("/proc/sys/fs/binfmt_misc/tried"))

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
