"""Whatever root of a nest writes in /proc and /sys stays in it: every node it may write, also in new network namespaces.

Layer: tests. Users: ctest (tests.nest.writes).
SPDX-License-Identifier: Apache-2.0
"""
import os
import re
import unittest

from nests import LIBC, NestTest, SOURCE, cgroup_mounts, main

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SHARED = "/proc/sys/net/netfilter/nf_hooks_lwtunnel"
PROC = "9fa0"  # statfs(2): the kernel's own, and no file system of ours

# Writes another number into every file that it may write, with what the shell can do without a child: there are hundreds.
WRITE_ALL = """
write_all() {
  while read f; do
    [ -w "$f" ] || continue
    v=; [ -r "$f" ] && read -r v 2>/dev/null <"$f"
    for n in 1 0 2 7 77 100 4096 65536; do
      [ "$n" != "$v" ] && echo $n 2>/dev/null >"$f" && echo "wrote $f $n" && break
    done
  done
}
"""
# What of it is the nest's by its namespaces needs no look; what would end the test is left out.
LEFT_OUT = "grep -v -e /sys/fs/cgroup -e '^/proc/[0-9]' -e /proc/self -e /proc/thread-self -e user/max_ -e /fs/mqueue"


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        return error.errno


def virtual_nodes():
    """The paths of the guide's table, which a unit test holds to the product's."""
    with open(os.path.join(SOURCE, "docs/guide/proc-and-sys.md")) as page:
        return set(re.findall(r"^\| (/\S+) \|", page.read(), re.M))


def network_files():
    for directory, _, names in os.walk("/proc/sys/net"):
        for name in names:
            yield os.path.join(directory, name)


class Writes(NestTest):
    def hosts(self):
        """What nobody writes is steady: the files whose two readings are alike."""
        files = [os.path.join(d, n) for d, _, names in os.walk("/proc/sys") for n in names if "/random/" not in d]
        files += ["/sys/module/nf_conntrack/parameters/" + n for n in ("hashsize", "acct", "expect_hashsize")]
        first = {path: read(path) for path in files}
        return {path: text for path, text in first.items() if read(path) == text}

    def check_host(self, before, written):
        def is_now(path):  # some change by themselves
            text = read(path)
            return text != before[path] and isinstance(text, bytes) and text.split()[:1] == [written[path].encode()]

        changed = [path for path in before if path in written and is_now(path)]
        for path in changed:  # not the next test's trouble
            with open(path, "wb") as file:
                file.write(before[path])
        self.assertEqual(changed, [])

    def written(self, nest):
        return dict(re.findall(r"^wrote (\S+) (\d+)$", nest.run(rc=None).out, re.M))

    def test_no_write_of_a_nest_reaches_the_host(self):
        before = self.hosts()
        written = self.written(self.nest().shell(WRITE_ALL + f"find /proc /sys -type f 2>/dev/null | {LEFT_OUT} | write_all"))
        self.check_host(before, written)
        ours = virtual_nodes() & written.keys()
        self.assertGreater(len(ours), 40 if os.path.exists("/dev/fuse") else -1)
        self.assertTrue(any(path.startswith("/proc/sys/net/") for path in written.keys() - ours), "the kernel's own too")

    def test_nor_does_one_through_a_proc_of_a_network_namespace_made_inside(self):
        before = self.hosts()
        nest = self.nest().shell("unshare -n -m sh /script")
        with open(os.path.join(nest.rootfs, "script"), "w") as file:
            file.write(WRITE_ALL + "mkdir -p /tmp/p && mount -t proc proc /tmp/p\n"
                       f"find /tmp/p/sys -type f | {LEFT_OUT} | write_all\n")
        written = {"/proc" + path[len("/tmp/p"):]: number for path, number in self.written(nest).items()}
        self.assertTrue(written)
        self.check_host(before, written)

    def test_a_setting_of_all_networks_is_refused_in_every_network_namespace(self):
        if not os.path.exists(SHARED):
            self.skipTest("machine: no " + SHARED)
        if "unified" not in cgroup_mounts():
            self.skipTest("machine: no v2 cgroup")
        write = f"echo 1 >{SHARED}"
        nest = self.nest().shell(f"cat {SHARED}; unshare -n sh -c '{write}'; umount {SHARED} 2>/dev/null; {write}; unshare -Urn sh -c '{write}'; true")
        outcome = nest.run()
        self.assertEqual(outcome.out, read(SHARED).decode())
        self.assertEqual(outcome.err.count("not permitted"), 2, outcome.err)

    def test_what_has_a_namespace_is_the_kernel_s_own_file(self):
        names = ["kernel/hostname", "kernel/domainname", "kernel/shmmax", "kernel/shmall", "kernel/shmmni", "kernel/msgmax",
                 "kernel/sem", "kernel/random/uuid", "kernel/ns_last_pid", "net/core/somaxconn", "net/ipv4/ip_forward",
                 "net/ipv4/ping_group_range", "net/ipv4/ip_local_port_range", "net/unix/max_dgram_qlen", "fs/mqueue/msg_max",
                 "user/max_user_namespaces", "net/netfilter/nf_conntrack_tcp_timeout_established"]
        names = [name for name in names if os.path.exists(f"/proc/sys/{name}")]
        paths = " ".join(f"/proc/sys/{name}" for name in names)
        out = self.nest().shell(f"for f in {paths}; do [ -e $f ] && stat -f -c '%t %n' $f; done; true").run().out.splitlines()
        self.assertGreater(len(out), 8)
        self.assertEqual([line for line in out if line.split()[0] != PROC], [])
        self.assertEqual(virtual_nodes() & {line.split()[1] for line in out}, set())


class Kernel(unittest.TestCase):
    """By doing: what root of a network namespace may write there and another namespace then reads, the table must have."""

    def test_every_setting_that_all_network_namespaces_share_is_in_the_table(self):
        asked, told = os.pipe(), os.pipe()
        pid = os.fork()
        if pid == 0:
            os._exit(self.inside(asked, told))
        os.close(asked[1])
        os.close(told[0])
        answer = os.read(asked[0], 1)
        for name, text in (("setgroups", "deny"), ("uid_map", "0 0 1"), ("gid_map", "0 0 1")):
            if answer:
                with open(f"/proc/{pid}/{name}", "w") as file:
                    file.write(text)
        os.close(told[1])
        with os.fdopen(asked[0]) as lines:
            report = lines.read().split("\n")
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if status == 77:
            self.skipTest("machine: no user namespace may be made")
        self.assertEqual(status, 0)
        self.assertIn("done", report)
        self.assertEqual([line for line in report if line.startswith("shared")], [])

    @staticmethod
    def inside(asked, told):
        os.close(asked[0])
        os.close(told[1])
        if LIBC.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
            return 77
        os.write(asked[1], b"x")
        os.read(told[0], 1)  # our ids are mapped
        os.setresuid(0, 0, 0)
        namespace = os.open("/proc/self/ns/net", os.O_RDONLY)
        if LIBC.unshare(CLONE_NEWNET) != 0:
            return 77
        other = os.open("/proc/self/ns/net", os.O_RDONLY)
        known = virtual_nodes()
        count = 0
        for path in sorted(network_files()):
            if path in known:
                continue
            LIBC.setns(other, CLONE_NEWNET)
            before = read(path)
            LIBC.setns(namespace, CLONE_NEWNET)
            if Kernel.change(path, before):
                count += 1
                LIBC.setns(other, CLONE_NEWNET)
                if read(path) != before:
                    os.write(asked[1], f"\nshared {path}".encode())
        os.write(asked[1], b"\ndone\n")
        return 0 if count > 100 else 1

    @staticmethod
    def change(path, text):
        """Whether another number is there now. What other namespaces have is what it had, too: both are new."""
        words = text.split() if isinstance(text, bytes) else []
        if not words or not words[0].lstrip(b"-").isdigit():
            return False
        number = int(words[0])
        for other in (number + 1, number - 1, 0, 1, 2, number * 2):
            if other == number:
                continue
            try:
                fd = os.open(path, os.O_WRONLY)
            except OSError:
                return False
            try:
                os.write(fd, b" ".join([b"%d" % other, *words[1:]]) + b"\n")
            except OSError:
                continue
            finally:
                os.close(fd)
            if read(path) != text:
                return True
        return False


if __name__ == "__main__":
    main()
