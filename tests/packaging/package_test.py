#!/usr/bin/env python3
"""The .deb and the tarball: what is in them, lintian, a root that has nothing else, and nothing left after a purge.

Layer: tests.
SPDX-License-Identifier: Apache-2.0
"""
import os
import re
import shutil
import stat
import subprocess
import tarfile
import unittest

from packages import BUILD, LONG, SCRATCH, SOURCE, digests, main, make_packages, needs, run

# A mount namespace of its own: /proc is there for one command.
IN_ROOT = 'mount -t proc proc "$1/proc" && cd "$1" && exec chroot . "/usr/bin/$2" "$3"'
VERSION = (SOURCE / "VERSION").read_text().strip()


def setUpModule():
    global DEB, TARBALL, MADE
    MADE = make_packages(BUILD, SCRATCH / "made")
    DEB, = [path for path in MADE if path.suffix == ".deb"]
    TARBALL, = [path for path in MADE if path.suffix == ".gz"]


def listing(root):
    """Every path below root, but dpkg's own books."""
    out = set()
    for directory, folders, files in os.walk(root):
        out |= {os.path.relpath(os.path.join(directory, name), root) for name in folders + files}
    return {path for path in out if not re.match(r"var/(lib/dpkg|log)(/|$)", path)}


def bare_root(name):
    """What the package's scripts need, and nothing else."""
    root = SCRATCH / name
    for folder in ("bin", "dev", "proc", "run", "usr", "var/log", "var/lib/dpkg/updates", "var/lib/dpkg/info"):
        (root / folder).mkdir(parents=True)
    (root / "var/lib/dpkg/status").write_text("")
    os.mknod(root / "dev/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    shutil.copy("/bin/busybox", root / "bin/busybox")
    for applet in ("sh", "find", "rmdir"):
        os.symlink("busybox", root / "bin" / applet)
    return root


def deb_contents():
    return [line.split(None, 5)[5].split(" -> ")[0] for line in run("dpkg-deb", "-c", DEB).splitlines()]


class Install(unittest.TestCase):
    def test_PutsEverythingBelowThePrefixAndNothingBesideIt(self):
        run("cmake", "--install", BUILD, "--prefix", "/opt/caisson", env={**os.environ, "DESTDIR": str(SCRATCH / "destination")})
        self.assertEqual(os.listdir(SCRATCH / "destination"), ["opt"])
        root = SCRATCH / "destination/opt/caisson"
        for path in """bin/caisson share/man/man8/caisson-runtime.8 share/man/man8/caisson-nest.8 share/man/man1/caisson.1 share/man/man1/caisson-tree.1 share/man/man1/caisson-trace.1
                share/bash-completion/completions/caisson-runtime share/zsh/vendor-completions/_caisson
                share/fish/vendor_completions.d/caisson-runtime.fish share/caisson/apparmor/caisson-nest
                share/doc/caisson/LICENSE share/doc/caisson/docs/guide/install.md""".split():
            self.assertTrue((root / path).is_file(), path)
        for link in ("caisson-runtime", "caisson-nest"):
            self.assertEqual(os.readlink(root / "bin" / link), "caisson")

    def test_EverySettingOfPackagingIsInstalled(self):
        own = {"man", "debian", "__pycache__"}
        expected = {str(path.relative_to(SOURCE / "packaging")) for folder in (SOURCE / "packaging").iterdir()
                    if folder.is_dir() and folder.name not in own for path in folder.rglob("*") if path.is_file()}
        prefix = "./usr/share/caisson/"
        found = {name[len(prefix):] for name in deb_contents() if name.startswith(prefix) and not name.endswith("/")}
        self.assertEqual(found, expected)


class Deb(unittest.TestCase):
    def test_TouchesNothingButUsr(self):
        self.assertEqual([name for name in deb_contents() if not name.startswith("./usr/") and name != "./"], [])

    def test_NeedsNoOtherPackage(self):
        fields = run("dpkg-deb", "-f", DEB)
        self.assertNotRegex(fields, r"(?m)^(Pre-)?Depends:")
        self.assertRegex(fields, rf"(?m)^Version: {re.escape(VERSION)}-\d+$")
        self.assertRegex(fields, r"(?m)^Section: admin$")

    @needs("lintian")
    def test_LintianHasNothingToSay(self):
        said = run("lintian", "--allow-root", "--fail-on", "error,warning", "--tag-display-limit", "0", DEB)
        self.assertEqual([line for line in said.splitlines() if re.match(r"[EWPI]:", line)], [])

    @unittest.skipIf(os.geteuid() != 0, "machine: needs root")
    @needs("busybox", "dpkg")
    def test_RunsInARootThatHasNothingElseAndAPurgeLeavesNothing(self):
        root = bare_root("root")
        before = listing(root)
        dpkg = ("dpkg", f"--root={root}", "--force-unsafe-io")
        run(*dpkg, "--install", DEB)
        for program in ("caisson-runtime", "caisson-nest"):
            said = run("unshare", "--mount", "sh", "-c", IN_ROOT, "sh", str(root), program, "--version")
            self.assertTrue(said.startswith(f"caisson-runtime version {VERSION}\n"), said)
        self.assertEqual(run(*dpkg, "--verify", "caisson"), "")
        for folder in ("run/caisson/runtime", "run/caisson/nest/claims", "var/lib/caisson/nests"):
            (root / folder).mkdir(parents=True)
        run(*dpkg, "--purge", "caisson")
        self.assertEqual(listing(root) - before, set())
        self.assertNotIn("caisson", (root / "var/lib/dpkg/status").read_text())

    @unittest.skipIf(os.geteuid() != 0, "machine: needs root")
    @needs("busybox")
    def test_APurgeKeepsDataOfInnerEngines(self):
        root = bare_root("kept")
        (root / "var/lib/caisson/nests/one/data").mkdir(parents=True)
        (root / "var/lib/caisson/nests/one/data/layer").write_text("precious")
        shutil.copy(SOURCE / "packaging/debian/postrm", root / "postrm")
        said = run("chroot", str(root), "/bin/sh", "/postrm", "purge")
        self.assertIn("/var/lib/caisson is not empty and was kept", said)
        self.assertTrue((root / "var/lib/caisson/nests/one/data/layer").exists())

    @unittest.skipUnless(LONG, "long: a Debian 12 root from the network")
    @unittest.skipIf(os.geteuid() != 0, "machine: needs root")
    @needs("mmdebstrap")
    def test_ComesAndGoesInDebian12(self):
        root = SCRATCH / "bookworm"
        mirror = os.environ.get("CAISSON_DEBIAN_MIRROR", "http://deb.debian.org/debian")
        made = subprocess.run(["mmdebstrap", "--variant=minbase", "bookworm", str(root), mirror], capture_output=True, text=True)
        if made.returncode != 0:
            self.skipTest("machine: no Debian 12 root: " + made.stderr[-300:])
        shutil.copy(DEB, root / "tmp/caisson.deb")
        before = listing(root)
        run("chroot", root, "dpkg", "--install", "/tmp/caisson.deb")
        run("chroot", root, "caisson-runtime", "--version")
        run("chroot", root, "dpkg", "--purge", "caisson")
        self.assertEqual(listing(root) - before, set())


class Tarball(unittest.TestCase):
    def test_HasOneFolderThatIsAPrefix(self):
        with tarfile.open(TARBALL) as archive:
            names = archive.getnames()
            self.assertEqual({(member.uid, member.gid) for member in archive}, {(0, 0)})
        top = f"caisson-{VERSION}-linux-amd64"
        self.assertEqual({name.split("/")[0] for name in names}, {top})
        for path in """bin/caisson bin/caisson-runtime bin/caisson-nest share/man/man8/caisson-nest.8 share/caisson/apparmor/caisson
                share/bash-completion/completions/caisson share/doc/caisson/LICENSE""".split():
            self.assertIn(f"{top}/{path}", names)

    def test_RunsWhereItIsUnpacked(self):
        place = SCRATCH / "anywhere"
        place.mkdir()
        run("tar", "-C", place, "--strip-components=1", "-xzf", TARBALL)
        self.assertIn(f"version {VERSION}\n", run(place / "bin/caisson-runtime", "--version"))

    def test_TheSumsAreThoseOfTheFiles(self):
        self.assertIn("OK", run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=SCRATCH / "made"))


class Again(unittest.TestCase):
    def test_PackagesMadeLaterByOthersAreTheSameBytes(self):
        """Another directory, umask, time zone and language."""
        out = SCRATCH / "a longer path/again"
        out.mkdir(parents=True)
        os.utime(BUILD / "packaging/documents/man/caisson.1")
        environment = {**os.environ, "TZ": "Pacific/Auckland", "LC_ALL": "C", "TMPDIR": str(out.parent)}
        again = make_packages(BUILD, out, env=environment, umask=0o077)
        self.assertEqual(digests(again), digests(MADE))

    def test_TheExecutableKnowsNoDirectoryOfItsBuild(self):
        for path in (SOURCE, BUILD):
            self.assertNotIn(str(path).encode(), (BUILD / "caisson").read_bytes())


if __name__ == "__main__":
    main()
