# podman as a user of the machine who is not root: ids from /etc/subuid, no cgroups but its own, a network by a helper.
# Layer: tests. Used by podman4_rootless_test.py and podman5_rootless_test.py.
# SPDX-License-Identifier: Apache-2.0
import os
import shutil

from engine import Podman4, Podman5, tool
from sandbox import Unavailable, open_to_all

UID = 1234
# /dev is the host's: nodes for everybody are the sandbox's own, bound over them.
PREPARE = """set -e
echo 'dev:x:{uid}:{uid}::{home}:/bin/sh' >> /etc/passwd
echo 'dev:x:{uid}:' >> /etc/group
echo dev:500000:65536 > /etc/subuid
echo dev:500000:65536 > /etc/subgid
mkdir -p {home} /run/user/{uid} {data}/dev
chown {uid}:{uid} {home} /run/user/{uid}
chmod 700 /run/user/{uid}
chmod 1777 /dev/shm
mknod -m 666 {data}/dev/tun c 10 200
mount --bind {data}/dev/tun /dev/net/tun
"""

CORE = r"ProcessLaws|ExecLaws|VolumeLaws|CopyLaws|BuildLaws|UserLaws|published_port|test_stop|test_kill|PodmanLaws|RemainsLaws"
NEST = "a user has no ids to give to a nest besides podman's own"
LEFT_OUT = {
    r"\.ResourceLaws\.(?!test_ulimits|test_oom_score)": "cgroup v1 gives a user no cgroups, so nothing is limited",
    r"test_a_paused_container": "the same: no freezer",
    r"made_for_systemd": "the same: there is no cgroup of systemd's to give",
    r"NestLaws|InnerEngineLaws": NEST,
    r"test_a_user_namespace_maps_ids": "it asks for ids that this user has not",
    r"test_privileged_has_all_the_host_has": "a user's containers cannot make nodes",
    r"test_a_device_": "devices are the host's own, with the host's modes",
    r"test_containers_on_one_bridge": "there is no bridge of root's",
    r"test_namespaces_of_the_host": "no /dev/mqueue of the host's here",
}


class Rootless:
    """Before an engine's class: the same engine as a user."""

    user = UID

    def start(self):
        tool("setpriv", "util-linux")
        tool("newuidmap", "uidmap")
        super().start()

    def enter_sandbox(self, *hidden):
        """A runtime that lies below a directory of root's own is copied to where the user may go."""
        super().enter_sandbox(*hidden)
        if open_to_all(self.runtime):
            return
        place = self.sandbox.data / "runtime"
        place.mkdir(mode=0o755)
        shutil.copy(self.runtime.resolve(), place / "caisson")
        for name in ("runtime", "nest"):
            if getattr(self, name):
                os.symlink("caisson", place / getattr(self, name).name)
                setattr(self, name, place / getattr(self, name).name)

    def load_image(self):
        data, home = self.sandbox.data, self.sandbox.data / "home"
        result = self.sandbox.run(["sh", "-c", PREPARE.format(uid=UID, home=home, data=data)])
        if result.rc != 0:
            raise Unavailable(f"no place for a user: {result!r}")
        self.cli = ["setpriv", "--reuid", str(UID), "--regid", str(UID), "--clear-groups",
                    "env", f"HOME={home}", f"XDG_RUNTIME_DIR=/run/user/{UID}", "/usr/bin/podman", "--runtime", self.runtime.name,
                    "--cgroup-manager", "cgroupfs", "--events-backend", "file", "--storage-driver", "overlay"]
        if self.sandbox.run([*self.cli[:6], "test", "-x", self.runtime]).rc != 0:
            raise Unavailable(f"{self.runtime} is in a directory that no other user may enter")
        super().load_image()


class Podman4Rootless(Rootless, Podman4):
    pass


class Podman5Rootless(Rootless, Podman5):
    pass
