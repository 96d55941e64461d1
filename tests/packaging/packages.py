"""What the tests of packaging stand on: the build tree, packages made of it, and tools that may be missing.

Layer: tests. Users: tests/packaging/*_test.py. CAISSON_BUILD names the build tree.
SPDX-License-Identifier: Apache-2.0
"""
import atexit
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("CAISSON_BUILD") or SOURCE / "out/build")
RUNTIME = BUILD / "caisson-runtime"
DOCUMENTS = BUILD / "packaging/documents"
LONG = os.environ.get("CAISSON_LONG") == "1"
SCRATCH = pathlib.Path(tempfile.mkdtemp(prefix="caisson-packaging-"))
atexit.register(shutil.rmtree, SCRATCH, ignore_errors=True)
os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
os.environ["LC_ALL"] = "C.UTF-8"
sys.path.insert(0, str(SOURCE / "packaging"))


def needs(*tools):
    missing = [tool for tool in tools if not shutil.which(tool)]
    return unittest.skipIf(missing, f"machine: not installed: {', '.join(missing)} (./dev setup installs it)")


def run(*command, **options):
    """Its output; an assertion with all it said if it fails."""
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, **options)
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def make_packages(build, out, **options):
    """The files that cpack makes of a build tree, without what it works with."""
    run("cpack", "--config", str(build / "CPackConfig.cmake"), "-B", str(out), cwd=build, **options)
    return sorted(path for path in pathlib.Path(out).iterdir() if path.suffix in (".deb", ".gz") or path.name == "SHA256SUMS")


def digests(files):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def main():
    """unittest.main with ctest's codes: 77 when everything was skipped."""
    if not RUNTIME.exists():
        sys.exit(f"no {RUNTIME}: build first")
    result = unittest.main(module="__main__", exit=False, verbosity=2).result
    if result.testsRun and len(result.skipped) == result.testsRun:
        print("\n".join(f"skipped: {reason}" for _, reason in result.skipped))
        sys.exit(77)
    sys.exit(not result.wasSuccessful())
