#!/usr/bin/env python3
"""Makes the .deb, the tarball and SHA256SUMS of a staged install: the same bytes wherever and whenever it runs.

Layer: packaging. Called by cpack (pack.cmake.in).
SPDX-License-Identifier: Apache-2.0
"""
import argparse
import gzip
import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile

import changelog

HERE = pathlib.Path(__file__).resolve().parent
REVISION = 1  # of the .deb, for the same VERSION
# What is linked statically: policy 7.8 wants the sources named.
BUILT_USING = ("libc6-dev", "libstdc++-12-dev", "libseccomp-dev", "libboost-json1.81-dev")


def run(*command, **options):
    return subprocess.run(command, check=True, text=True, capture_output=True, **options).stdout


def compress(path, name=None):
    target = path.with_name((name or path.name) + ".gz")
    with open(target, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as out:
        out.write(path.read_bytes())
    path.unlink()
    target.chmod(0o644)


def settle(root, epoch):
    """Modes and times that do not depend on who builds when, with which umask."""
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        os.utime(path, (epoch, epoch), follow_symlinks=False)


def source_of(package):
    found = subprocess.run(["dpkg-query", "-W", "-f", "${source:Package} (= ${source:Version})", package],
                           capture_output=True, text=True)
    return found.stdout if found.returncode == 0 else ""


def control(root, options):
    files = [path for path in root.rglob("*") if "DEBIAN" not in path.parts]
    size = sum(max(1, (path.stat().st_size + 1023) // 1024) if path.is_file() and not path.is_symlink() else 1 for path in files)
    text = (HERE / "debian/control").read_text()
    fields = {"VERSION": f"{options.version}-{REVISION}", "MAINTAINER": options.maintainer, "SIZE": str(size),
              "ARCHITECTURE": run("dpkg", "--print-architecture").strip(),
              "SOURCES": ", ".join(sorted(filter(None, map(source_of, BUILT_USING))))}
    for name, value in fields.items():
        text = text.replace(f"@{name}@", value)
    return "".join(line + "\n" for line in text.splitlines() if not line.startswith("#") and not line.endswith(": "))


def make_deb(stage, options):
    root = stage.parent / "deb"
    shutil.copytree(stage, root, symlinks=True)
    doc = root / "usr/share/doc/caisson"
    for page in sorted((root / "usr/share/man").glob("*/*")):
        compress(page)
    (doc / "LICENSE").unlink()  # /usr/share/common-licenses has it
    text = (doc / "CHANGELOG.md").read_text()
    compress(doc / "CHANGELOG.md", "changelog")
    log = doc / "changelog.Debian"
    log.write_text(changelog.debian(text, REVISION, options.maintainer))
    compress(log)
    overrides = root / "usr/share/lintian/overrides"
    overrides.mkdir(parents=True)
    shutil.copyfile(HERE / "debian/lintian-overrides", overrides / "caisson")
    area = root / "DEBIAN"
    area.mkdir()
    (area / "control").write_text(control(root, options))
    shutil.copyfile(HERE / "debian/postrm", area / "postrm")
    sums = [f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(root)}\n" for path in sorted(root.rglob("*"))
            if path.is_file() and not path.is_symlink() and area not in path.parents]
    (area / "md5sums").write_text("".join(sums))
    settle(root, options.epoch)
    (area / "postrm").chmod(0o755)
    architecture = run("dpkg", "--print-architecture").strip()
    target = options.out / f"caisson_{options.version}-{REVISION}_{architecture}.deb"
    run("dpkg-deb", "--root-owner-group", "-Zxz", "--threads-max=1", "--build", root, target,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(options.epoch)})
    return target


def make_tarball(stage, options):
    name = f"caisson-{options.version}-linux-amd64"
    root = stage.parent / name
    shutil.copytree(stage / "usr", root, symlinks=True)
    settle(root, options.epoch)
    plain = stage.parent / f"{name}.tar"
    run("tar", "--format=ustar", "--sort=name", "--owner=root:0", "--group=root:0", "--numeric-owner",
        f"--mtime=@{options.epoch}", "-C", stage.parent, "-cf", plain, name)
    compress(plain)
    return shutil.move(plain.with_name(plain.name + ".gz"), options.out / f"{name}.tar.gz")


def main():
    parser = argparse.ArgumentParser()
    for name, kind in {"stage": pathlib.Path, "version": str, "epoch": int, "maintainer": str, "out": pathlib.Path}.items():
        parser.add_argument(f"--{name}", type=kind, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="caisson-pack-") as scratch:
        stage = pathlib.Path(scratch, "stage")
        shutil.copytree(options.stage, stage, symlinks=True)
        made = sorted(pathlib.Path(make(stage, options)) for make in (make_deb, make_tarball))
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in made]
    (options.out / "SHA256SUMS").write_text("".join(sums))


if __name__ == "__main__":
    main()
