# Security: users, capabilities, seccomp, devices, masks, namespaces shared and not shared.
# Layer: tests. Collected by laws.py.
# SPDX-License-Identifier: Apache-2.0
import json

from laws import Laws

STATUS = "/proc/self/status"


class UserLaws(Laws):
    def test_user_and_groups_are_as_asked(self):
        out = self.once("sh", "-c", "id -u; id -g; id -G", options=("-u", "1000:2000", "--group-add", "29"))
        self.assertEqual(out.splitlines()[:2], ["1000", "2000"])
        self.assertIn("29", out.splitlines()[2].split())

    def test_a_user_name_comes_from_the_image(self):
        self.assertEqual(self.once("sh", "-c", "id -u; id -G; echo $HOME", options=("-u", "app")).splitlines(),
                         ["1000", "1000 2000", "/home/app"])

    def test_a_plain_user_has_no_capabilities(self):
        self.assertEqual(self.once("grep", "CapEff", STATUS, options=("-u", "1000")).split()[1], "0" * 16)

    def test_a_user_namespace_maps_ids(self):
        self.only("podman", "Docker maps ids for the whole daemon only")
        out = self.once("sh", "-c", "id -u; cat /proc/self/uid_map; touch /srv/x && stat -c %u /srv/x; stat -c %u /bin/busybox",
                        options=("--uidmap", "0:200000:65536", "--gidmap", "0:200000:65536"))
        self.assertEqual(out.split(), ["0", "0", "200000", "65536", "0", "0"])


class PrivilegeLaws(Laws):
    def capabilities(self, *options):
        return int(self.once("grep", "CapEff", STATUS, options=options).split()[1], 16)

    def test_capabilities_are_those_asked_for(self):
        self.assertEqual(self.capabilities("--cap-drop", "ALL"), 0)
        self.assertEqual(self.capabilities("--cap-drop", "ALL", "--cap-add", "NET_ADMIN"), 1 << 12)
        plain = self.capabilities()
        self.assertEqual(self.capabilities("--cap-add", "SYS_ADMIN"), plain | 1 << 21)
        self.assertEqual(plain & (1 << 21), 0)

    def test_privileged_has_all_the_host_has(self):
        host = int(self.e.sandbox.run(["grep", "CapBnd", STATUS]).out.split()[1], 16)
        known = (1 << 38) - 1  # Docker 20.10 knows no capability that came after AUDIT_READ
        self.assertEqual(self.capabilities("--privileged") & known, host & known)
        self.assertEqual(self.once("sh", "-c", "mount -t tmpfs x /srv && mknod /srv/n c 1 3 && echo hi > /srv/n && echo did",
                                   options=("--privileged",)), "did")

    def test_no_new_privileges(self):
        self.assertIn("1", self.once("grep", "NoNewPrivs", STATUS, options=("--security-opt", "no-new-privileges")))
        self.assertIn("0", self.once("grep", "NoNewPrivs", STATUS))

    def test_seccomp_filters_unless_unconfined(self):
        self.assertEqual(self.once("grep", "^Seccomp:", STATUS).split()[1], "2")
        self.assertEqual(self.once("grep", "^Seccomp:", STATUS, options=("--security-opt", "seccomp=unconfined")).split()[1], "0")

    def test_the_default_profile_refuses_new_user_namespaces(self):
        self.only("docker", "podman's profile allows them")
        self.assertNotEqual(self.e("run", "--rm", self.e.image, "unshare", "-U", "true").rc, 0)

    def test_a_profile_of_our_own_is_used(self):
        profile = self.directory() / "profile.json"
        profile.write_text(json.dumps({
            "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
            "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}))
        result = self.e("run", "--rm", "--security-opt", f"seccomp={profile}", self.e.image, "mkdir", "/srv/x")
        self.assertEqual(result.rc, 1, repr(result))
        self.assertRegex(result.err, "(Operation )?not (supported|permitted)")

    def test_masked_and_read_only_paths(self):
        script = ("cat /proc/keys | wc -c; ls /sys/firmware | wc -l; (echo 1 > /proc/sys/kernel/panic) 2>&1;"
                  "touch /sys/kernel/x 2>&1; mount -t tmpfs x /srv 2>&1; true")
        lines = self.once("sh", "-c", script).splitlines()
        self.assertEqual(lines[:2], ["0", "0"])
        self.assertEqual(sum("Read-only" in x or "denied" in x for x in lines[2:]), 3, lines)

    def test_a_sysctl_of_its_own_namespace_can_be_set(self):
        options = ("--sysctl", "net.core.somaxconn=77", "--sysctl", "kernel.msgmax=4242")
        out = self.once("cat", "/proc/sys/net/core/somaxconn", "/proc/sys/kernel/msgmax", options=options)
        self.assertEqual(out.split(), ["77", "4242"])

    def test_a_sysctl_of_the_host_cannot_be_set(self):
        self.assertEqual(self.e("run", "--rm", "--sysctl", "kernel.panic=5", self.e.image, "true").rc in (125, 126, 127), True)


class DeviceLaws(Laws):
    def test_the_usual_devices_are_there_and_work(self):
        out = self.once("sh", "-c", "head -c 3 /dev/zero | wc -c; head -c 5 /dev/urandom | wc -c; echo x > /dev/null;"
                        "echo x > /dev/full; for i in stdout fd ptmx; do readlink /dev/$i; done; ls -ld /dev/shm /dev/mqueue | wc -l")
        self.assertEqual(out.split(), ["3", "5", "/proc/self/fd/1", "/proc/self/fd", "pts/ptmx", "2"])

    def test_a_device_is_given_by_name_and_no_other(self):
        script = "exec 3<>/dev/inner && echo opened; exec 3<&-; mknod /srv/kmsg c 1 11; (cat < /srv/kmsg) 2>&1 | grep -o 'not permitted'"
        out = self.once("sh", "-c", script, options=("--device", "/dev/fuse:/dev/inner", "--cap-add", "MKNOD"))
        self.assertEqual(out.splitlines(), ["opened", "not permitted"])

    def test_a_device_can_be_given_for_reading_only(self):
        script = "exec 3</dev/z && echo opened; (echo x > /dev/z) 2>&1 | grep -o 'not permitted'"
        out = self.once("sh", "-c", script, options=("--device", "/dev/fuse:/dev/z:r"))
        self.assertEqual(out.splitlines(), ["opened", "not permitted"])


class NamespaceLaws(Laws):
    def test_hostname_is_its_own(self):
        self.assertEqual(self.once("hostname", options=("--hostname", "own-name")), "own-name")
        self.assertNotEqual(self.e.sandbox.run(["hostname"]).out.strip(), "own-name")

    def test_namespaces_of_the_host_can_be_used(self):
        for kind, option in (("pid", "--pid"), ("net", "--network"), ("ipc", "--ipc"), ("uts", "--uts")):
            with self.subTest(kind):
                here = self.e.sandbox.run(["readlink", f"/proc/self/ns/{kind}"]).out.strip()
                self.assertEqual(self.once("readlink", f"/proc/self/ns/{kind}", options=(option, "host")), here)
                self.assertNotEqual(self.once("readlink", f"/proc/self/ns/{kind}"), here)

    def test_namespaces_of_another_container_can_be_used(self):
        other = self.sleeper("--ipc", "shareable")
        for kind, option in (("pid", "--pid"), ("net", "--network"), ("ipc", "--ipc")):
            with self.subTest(kind):
                there = self.exec(other, "readlink", f"/proc/self/ns/{kind}")
                got = self.once("readlink", f"/proc/self/ns/{kind}", options=(option, f"container:{other}"))
                self.assertEqual(got, there)

    def test_a_private_cgroup_namespace_hides_the_path(self):
        out = self.once("cat", "/proc/self/cgroup", options=("--cgroupns", "private"))
        self.assertEqual({line.split(":")[2] for line in out.splitlines()}, {"/"})
