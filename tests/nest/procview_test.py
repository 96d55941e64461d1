"""A nest's view of /proc and /sys through a real mount: every node, values of its own, servers that are killed.

Layer: tests. Users: ctest (tests.nest.procview). No container: nest_procview mounts and serves as a supervisor does.
SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import ctypes
import errno
import multiprocessing
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "runtime"))

from harness import LIBC, LONG, PATIENCE, SOURCE, cgroup_mounts, main, own_cgroups, wait_until  # noqa: E402

SERVER = os.environ.get("CAISSON_TEST_PROCVIEW") or os.path.join(SOURCE, "out/build/tests/nest/nest_procview")
CLONE_NEWNS = 0x20000
MEBI = 1 << 20


def read(path):
    with open(path, "rb", buffering=0) as file:
        return b"".join(iter(lambda: file.read(65536), b"")).decode()


def write(path, text):
    fd = os.open(path, os.O_WRONLY | os.O_TRUNC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def fields(text):
    """NAME: NUMBER lines."""
    return {line.split()[0].rstrip(":"): int(line.split()[1]) for line in text.splitlines() if len(line.split()) > 1}


def write_error(path, text):
    try:
        write(path, text)
    except OSError as error:
        return error.errno
    return 0


class Group:
    """A cgroup of our own in every hierarchy where one can be made."""

    def __init__(self):
        self.directories = {}
        own = own_cgroups()
        for name, mount in cgroup_mounts().items():
            if name.startswith("name=") or own.get(name) is None:
                continue
            path = f"{own[name].rstrip('/')}/caisson-procview-{os.getpid()}"
            if not os.path.isdir(mount + own[name]):
                continue
            os.mkdir(mount + path)
            self.directories[name] = (mount, path)
        if "cpuset" in self.directories:
            for file in ("cpuset.mems", "cpuset.cpus"):
                parent = os.path.dirname(self.path("cpuset"))
                self.set("cpuset", file, read(os.path.join(parent, file)).strip() or read(os.path.join(parent, "cpuset.effective" + file[6:])))

    def path(self, controller):
        mount, path = self.directories[controller]
        return mount + path

    def set(self, controller, file, value):
        write(os.path.join(self.path(controller), file), str(value))

    def join(self, controllers):
        for name in controllers:
            if name in self.directories:
                self.set(name, "cgroup.procs", os.getpid())

    def arguments(self):
        for name, (mount, path) in self.directories.items():
            controllers = "+".join(read(mount + path + "/cgroup.controllers").split()) if name == "unified" else name
            yield f"group={2 if name == 'unified' else 1},{controllers},{mount},{path}"

    def remove(self):
        for name in self.directories:
            wait_until(lambda: self.try_remove(self.path(name)), f"{name}: our cgroup is empty")

    @staticmethod
    def try_remove(path):
        with contextlib.suppress(FileNotFoundError):
            try:
                os.rmdir(path)
            except OSError as error:
                if error.errno == errno.EBUSY:
                    return False
                raise
        return True


class ViewTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="caisson-procview-")
        os.chmod(self.directory, 0o755)
        self.addCleanup(shutil.rmtree, self.directory)
        self.root = os.path.join(self.directory, "view")
        self.values = os.path.join(self.directory, "values")
        os.mkdir(self.root)
        self.group = Group()
        self.addCleanup(self.group.remove)

    def serve(self, *arguments):
        self.holder = subprocess.Popen(
            [SERVER, self.root, f"values={self.values}", f"init={os.getpid()}", "id=0123456789abcdef", *self.group.arguments(),
             *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.stop)
        self.server = int(self.holder.stdout.readline() or 0)
        self.assertNotEqual(self.server, 0, "no server")

    def stop(self):
        if self.holder:
            self.holder.stdin.close()
            self.holder.wait(PATIENCE)
            self.holder.stdout.close()
            self.holder = None
            LIBC.umount2(self.root.encode(), 2)

    def kill_server(self):
        """Kills the one that serves and returns when its successor has been started."""
        os.kill(self.server, signal.SIGKILL)
        line = self.holder.stdout.readline()
        if not line and self.holder.wait(PATIENCE) == 77:
            self.skipTest("machine: this kernel has no FUSE_NOTIFY_RESEND")
        self.server = int(line)

    def node(self, path):
        return os.path.join(self.root, path)

    def shown(self, path):
        return read(self.node(path))

    def files(self):
        for directory, _, names in os.walk(self.root):
            for name in names:
                path = os.path.join(directory, name)
                if not os.path.islink(path):
                    yield path


class Resources(ViewTest):
    def needs(self, controller, file):
        if controller not in self.group.directories or not os.path.exists(os.path.join(self.group.path(controller), file)):
            self.skipTest(f"machine: no {file}")

    def memory(self):
        if "memory" in self.group.directories:
            self.needs("memory", "memory.limit_in_bytes")
            return "memory", "memory.limit_in_bytes"
        self.needs("unified", "memory.max")
        return "unified", "memory.max"

    def test_memory_is_the_limit_at_once_also_when_it_changes(self):
        controller, file = self.memory()
        self.group.set(controller, file, 256 * MEBI)
        self.serve()
        self.assertEqual(fields(self.shown("proc/meminfo"))["MemTotal"], 256 * 1024)
        self.group.set(controller, file, 128 * MEBI)
        shown = fields(self.shown("proc/meminfo"))
        self.assertEqual(shown["MemTotal"], 128 * 1024)
        self.assertLessEqual(shown["MemFree"], shown["MemAvailable"])
        self.assertLessEqual(shown["MemAvailable"], shown["MemTotal"])

    def test_without_a_limit_memory_is_the_machine_s(self):
        self.serve()
        self.assertEqual(fields(self.shown("proc/meminfo"))["MemTotal"], fields(read("/proc/meminfo"))["MemTotal"])
        self.assertEqual(list(fields(self.shown("proc/meminfo"))), list(fields(read("/proc/meminfo"))))

    def test_a_quota_of_one_cpu_shows_one(self):
        if "cpu" in self.group.directories:
            self.needs("cpu", "cpu.cfs_quota_us")
            self.group.set("cpu", "cpu.cfs_quota_us", 100000)
        else:
            self.needs("unified", "cpu.max")
            self.group.set("unified", "cpu.max", "100000 100000")
        self.serve()
        online = self.shown("sys/devices/system/cpu/online").strip()
        self.assertTrue(online.isdigit(), online)
        self.assertEqual(self.shown("proc/cpuinfo").count("processor\t:"), 1)
        self.assertEqual([line.split()[0] for line in self.shown("proc/stat").splitlines() if line.startswith("cpu")],
                         ["cpu", f"cpu{online}"])
        states = {name: self.shown(f"sys/devices/system/cpu/{name}/online").strip()
                  for name in os.listdir(self.node("sys/devices/system/cpu")) if name[3:].isdigit()}
        self.assertEqual([name for name, state in states.items() if state == "1"], [f"cpu{online}"])
        self.assertEqual(len(states), os.cpu_count())

    def test_uptime_is_the_age_of_the_first_process(self):
        self.serve()
        with open(f"/proc/{os.getpid()}/stat") as file:
            start = int(file.read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
        before = time.clock_gettime(time.CLOCK_BOOTTIME) - start
        shown = float(self.shown("proc/uptime").split()[0])
        after = time.clock_gettime(time.CLOCK_BOOTTIME) - start
        self.assertTrue(before - 0.02 <= shown <= after + 0.02, (before, shown, after))

    def test_load_counts_its_own_tasks(self):
        if not self.group.directories:
            self.skipTest("machine: no cgroup can be made")
        self.serve()
        child = subprocess.Popen(["sleep", "600"], preexec_fn=lambda: self.group.join(self.group.directories))
        try:
            self.assertTrue(self.shown("proc/loadavg").split()[3].endswith("/1"), self.shown("proc/loadavg"))
        finally:
            child.kill()
            child.wait()


class Nodes(ViewTest):
    def test_every_node_reads_whole_and_in_pieces(self):
        self.serve()
        count = 0
        for path in self.files():
            if not os.stat(path).st_mode & 0o444 or path.endswith("/irq"):
                continue
            if "/proc/pressure/" in path and not os.path.exists("/proc/pressure"):
                continue
            whole = read(path)
            self.assertTrue(whole.endswith("\n") or whole == "", path)
            with open(path, "rb", buffering=0) as file:
                pieces = b"".join(iter(lambda: file.read(100), b"")).decode()
            self.assertEqual(pieces.count("\n"), whole.count("\n"), path)
            count += 1
        self.assertGreater(count, 80)

    def test_what_is_sent_through_the_page_cache_is_whole_each_time(self):
        self.serve()
        path = self.node("proc/sys/vm/dirty_expire_centisecs")
        for value in ("7", "70000", "7", "123456789", "1"):
            write(path, value)
            for _ in range(3):
                self.assertEqual((self.sent(path), read(path)), (f"{value}\n", f"{value}\n"))
        self.assertEqual(self.sent(self.node("proc/cpuinfo")).count("processor"), read("/proc/cpuinfo").count("processor"))

    def sent(self, path):
        """The text as sendfile(2) gives it, as busybox's cat reads."""
        ours, theirs = os.pipe()
        source = os.open(path, os.O_RDONLY)
        try:
            while os.sendfile(theirs, source, None, 65536):
                pass
            os.close(theirs)
            with os.fdopen(ours, "rb", closefd=False) as file:
                return file.read().decode()
        finally:
            os.close(source)
            os.close(ours)

    def test_what_it_lists_it_finds_and_what_it_does_not_list_is_not_there(self):
        self.serve()
        for directory, directories, names in os.walk(self.root):
            for name in directories + names:
                self.assertEqual(os.lstat(os.path.join(directory, name)).st_uid, 0)
        for path in ("proc/kcore", "proc/sys/vm/none", "sys/devices/system/cpu/cpu4711", "sys/devices/system/cpu/cpu00", "etc"):
            self.assertFalse(os.path.lexists(self.node(path)), path)

    def test_links_lead_to_what_they_name(self):
        if not os.path.exists("/sys/devices/system/node/node0/cpu0"):
            self.skipTest("machine: no memory nodes in /sys")
        self.serve()
        self.assertEqual(self.shown("sys/devices/system/node/node0/cpu0/online"), "1\n")
        self.assertEqual(self.shown("sys/devices/system/cpu/cpu0/node0/cpulist"), read("/sys/devices/system/node/node0/cpulist"))

    def test_nothing_can_be_made_removed_or_given_away(self):
        self.serve()
        for act in (lambda: os.mkdir(self.node("proc/new")), lambda: os.unlink(self.node("proc/meminfo")),
                    lambda: os.chmod(self.node("proc/meminfo"), 0o666), lambda: os.chown(self.node("proc/meminfo"), 1, 1),
                    lambda: os.rename(self.node("proc/meminfo"), self.node("proc/new")),
                    lambda: os.symlink("x", self.node("proc/new"))):
            with self.assertRaises(PermissionError):
                act()

    def test_files_belong_to_the_root_of_the_nest_and_others_may_only_read(self):
        self.serve("uid=100000")
        self.assertEqual(os.stat(self.node("proc/sys/vm/swappiness")).st_uid, 100000)
        for uid, expected in ((100000, 0), (100001, errno.EACCES)):
            pid = os.fork()
            if pid == 0:
                os.setresuid(uid, uid, uid)
                os._exit(write_error(self.node("proc/sys/vm/swappiness"), "10"))
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), expected)


class Values(ViewTest):
    def test_a_value_not_written_is_the_host_s(self):
        self.serve()
        for path in self.files():
            inside = path[len(self.root):]
            if inside.startswith("/proc/sys/") and os.stat(path).st_mode & 0o444:
                self.assertEqual(read(path), read(inside), inside)

    def test_what_is_written_is_kept_and_the_host_does_not_notice(self):
        kubelet = {"vm/overcommit_memory": "1", "vm/panic_on_oom": "0", "kernel/panic": "10", "kernel/panic_on_oops": "1",
                   "kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000"}
        host = {path: read("/proc/sys/" + path) for path in kubelet}
        self.serve()
        for path, value in kubelet.items():
            write(self.node("proc/sys/" + path), value)
        self.kill_server()
        for path, value in kubelet.items():
            self.assertEqual(self.shown("proc/sys/" + path), value + "\n")
            self.assertEqual(read("/proc/sys/" + path), host[path], path)
        self.stop()
        self.serve()  # another mount, the same directory of values
        self.assertEqual(self.shown("proc/sys/kernel/panic"), "10\n")

    def test_writes_of_every_stored_node_stay_inside(self):
        self.serve()
        before = {}
        for path in self.files():
            inside = path[len(self.root):]
            if os.stat(path).st_mode & 0o200 and "/pressure/" not in inside:
                before[inside] = read(inside) if os.stat(inside).st_mode & 0o444 else None
        self.assertGreater(len(before), 50)
        for inside, text in before.items():
            shown = text.strip() if text is not None else "1"
            other = {"0": "1", "1": "0"}.get(shown, shown)
            self.assertIn(write_error(self.node(inside[1:]), other + "\n"), (0, errno.EINVAL), inside)
        for inside, text in before.items():
            if text is not None:
                self.assertEqual(read(inside), text, inside)

    def test_numbers_are_taken_as_the_kernel_takes_them(self):
        self.serve()
        path = self.node("proc/sys/vm/overcommit_memory")
        for text, error in (("2", 0), (" 1\n", 0), ("0x2", 0), ("3", errno.EINVAL), ("-1", errno.EINVAL), ("x", errno.EINVAL),
                            ("1x", errno.EINVAL), ("", 0), ("\n", errno.EINVAL), ("99999999999999999999", errno.EINVAL)):
            self.assertEqual(write_error(path, text), error, text)
        self.assertEqual(read(path), "2\n")
        write(self.node("proc/sys/kernel/printk"), "7 4")
        self.assertEqual(self.shown("proc/sys/kernel/printk").split()[:2], ["7", "4"])
        self.assertEqual(self.shown("proc/sys/kernel/printk").split()[2:], read("/proc/sys/kernel/printk").split()[2:])

    def test_both_names_of_the_conntrack_table_s_size_show_one_value(self):
        buckets, size = "proc/sys/net/netfilter/nf_conntrack_buckets", "sys/module/nf_conntrack/parameters/hashsize"
        if not os.path.exists("/" + size) or not os.path.exists("/" + buckets):
            self.skipTest("machine: no nf_conntrack")
        host = read("/" + size)
        self.serve()
        write(self.node(size), "65000")
        self.assertEqual(self.shown(buckets), "65024\n")
        self.assertEqual(read("/" + size), host)


def reader(root, stop, loops, bad):
    names = ("proc/meminfo", "proc/uptime", "proc/stat", "proc/sys/vm/overcommit_memory", "sys/devices/system/cpu/online")
    while not stop.is_set():
        for name in names:
            try:
                if not read(os.path.join(root, name)).endswith("\n"):
                    raise OSError(0, "half a text")
                loops.value += 1
            except OSError as error:
                print(f"reader: {name}: {error}", flush=True)
                bad.value += 1


def writer(root, stop, loops, bad):
    path = os.path.join(root, "proc/sys/vm/swappiness")
    number = 0
    while not stop.is_set():
        number = (number + 1) % 200
        try:
            write(path, str(number))
            if not 0 <= int(read(path)) <= 200:
                raise OSError(0, "half a value")
            loops.value += 1
        except (OSError, ValueError) as error:
            print(f"writer: {error}", flush=True)
            bad.value += 1


class Crashes(ViewTest):
    def test_a_server_killed_every_50_ms_is_not_noticed(self):
        self.storm()

    def test_nor_where_the_kernel_sends_no_request_again(self):
        self.storm("resend=no")

    def storm(self, *arguments):
        self.serve(*arguments)
        self.kill_server()  # skips where the kernel cannot
        stop = multiprocessing.Event()
        workers = []
        for act in [reader] * 4 + [writer] * 4:
            loops, bad = multiprocessing.Value("l", 0, lock=False), multiprocessing.Value("l", 0, lock=False)
            process = multiprocessing.Process(target=act, args=(self.root, stop, loops, bad), daemon=True)
            process.start()
            workers.append((process, loops, bad))
        kills = 0
        deadline = time.monotonic() + (60 if LONG else 5)
        while time.monotonic() < deadline:
            time.sleep(0.05)
            self.kill_server()
            kills += 1
        stop.set()
        hung = 0
        for process, _, _ in workers:
            process.join(PATIENCE)
            hung += process.is_alive()
        if hung:
            self.stop()  # the connection's end frees those that wait
        loops = sum(loops.value for _, loops, _ in workers)
        print(f"{kills} kills, {loops} loops", flush=True)
        self.assertEqual((sum(bad.value for _, _, bad in workers), hung), (0, 0))
        self.assertTrue(all(loops.value > 0 for _, loops, _ in workers))
        self.assertFalse([name for name in os.listdir(self.values) if name.endswith(f".tmp.{self.server}")])

    def test_when_the_connection_ends_nobody_waits(self):
        self.serve()
        self.assertTrue(self.shown("proc/uptime"))
        os.kill(self.server, signal.SIGSTOP)
        pid = os.fork()
        if pid == 0:
            os.close(self.holder.stdin.fileno())  # its end is the holder's end
            try:
                read(self.node("proc/meminfo"))
            except OSError as error:
                os._exit(error.errno)
            os._exit(0)
        time.sleep(0.1)  # it waits for a server that does not answer, or comes later and is refused
        self.holder.stdin.close()
        self.holder.wait(PATIENCE)
        self.assertIn(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), (errno.ENOTCONN, errno.ECONNABORTED))
        self.holder.stdout.close()
        self.holder = None
        LIBC.umount2(self.root.encode(), 2)


class Pressure(ViewTest):
    def test_a_trigger_wakes_its_waiter_also_after_the_server_was_killed(self):
        if "unified" not in self.group.directories or not os.path.exists(self.group.path("unified") + "/cpu.pressure"):
            self.skipTest("machine: no pressure of cgroups")
        self.serve()
        self.assertEqual(write_error(self.node("proc/pressure/cpu"), "nonsense"), errno.EINVAL)
        fd = os.open(self.node("proc/pressure/cpu"), os.O_RDWR | os.O_NONBLOCK)
        self.addCleanup(os.close, fd)
        os.write(fd, b"some 100000 2000000")  # the shortest without CAP_SYS_RESOURCE
        poll = select.poll()
        poll.register(fd, select.POLLPRI)
        self.assertEqual(poll.poll(0), [])
        burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"], preexec_fn=lambda: self.group.join(["unified"]))
                   for _ in range(2 * os.cpu_count())]
        try:
            self.assertEqual(poll.poll(PATIENCE * 1000), [(fd, select.POLLPRI)])
            self.kill_server()
            self.assertEqual(poll.poll(PATIENCE * 1000), [(fd, select.POLLPRI)])
        finally:
            for burner in burners:
                burner.kill()
                burner.wait()

    def test_pressure_is_that_of_its_own_cgroup(self):
        if "unified" not in self.group.directories or not os.path.exists(self.group.path("unified") + "/cpu.pressure"):
            self.skipTest("machine: no pressure of cgroups")
        self.serve()
        self.assertEqual(self.shown("proc/pressure/memory"), read(self.group.path("unified") + "/memory.pressure"))


def setUpModule():
    if LIBC.unshare(CLONE_NEWNS) != 0 or LIBC.mount(None, b"/", None, 0x4000 | 0x40000, None) != 0:
        raise OSError(ctypes.get_errno(), "a mount namespace of our own")
    if not os.path.exists("/dev/fuse"):
        raise unittest.SkipTest("machine: no /dev/fuse")


if __name__ == "__main__":
    main()
