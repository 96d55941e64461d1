# The image every engine test uses: one static busybox, as a tar, so that no registry is needed.
# Layer: tests. Used by engine.py and the demo.
# SPDX-License-Identifier: Apache-2.0
import hashlib
import io
import json
import os
import subprocess
import tarfile

BUSYBOX = "/usr/bin/busybox"
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
    "etc/group": "root:x:0:\napp:x:1000:\nextra:x:2000:app\naudio:x:29:\nnogroup:x:65534:\n",
    "noexec.sh": "#!/bin/sh\necho never\n",
    "etc/shadow": "root:*:::::::\n",
}


def busybox_tar():
    """The root file system, as the bytes of a tar archive."""
    applets = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        def add(name, kind, mode, data=b"", link="", owner=0):
            member = tarfile.TarInfo(name)
            member.type, member.mode, member.size, member.linkname = kind, mode, len(data), link
            member.uid = member.gid = owner
            tar.addfile(member, io.BytesIO(data))

        for directory in ("bin", "dev", "etc", "home", "proc", "root", "sys", "usr", "usr/bin", "var", "srv"):
            add(directory, tarfile.DIRTYPE, 0o755)
        add("tmp", tarfile.DIRTYPE, 0o1777)
        add("home/app", tarfile.DIRTYPE, 0o755, owner=1000)
        with open(BUSYBOX, "rb") as f:
            add("bin/busybox", tarfile.REGTYPE, 0o755, f.read())
        for applet in applets:
            if applet != "busybox":
                add(f"bin/{applet}", tarfile.SYMTYPE, 0o777, link="busybox")
        for name, text in FILES.items():
            add(name, tarfile.REGTYPE, 0o644, text.encode())
    return out.getvalue()


def docker_archive(*names, entrypoint=(), user=""):
    """An image of that root file system as `docker save` writes one, under each of the names."""
    layer = busybox_tar()
    digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps({
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine], "os": "linux",
        "config": {"Entrypoint": list(entrypoint), "Cmd": None if entrypoint else ["sh"], "User": user, "Env": ["PATH=/usr/bin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]}, "history": [{"created_by": "busybox"}]}).encode()
    name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps([{"Config": name, "RepoTags": list(names), "Layers": ["layer.tar"]}]).encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, data in ((name, config), ("layer.tar", layer), ("manifest.json", manifest)):
            member = tarfile.TarInfo(path)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()
