#!/usr/bin/python3
# Process 1 of a sandbox: prepares its mounts, then starts what the driver asks for and reports how it ended.
# Layer: tests. Started by sandbox.py through unshare(1); never by hand.
# SPDX-License-Identifier: Apache-2.0
"""usage: agent.py CONTROL_FD PLAN_JSON

CONTROL_FD is a SOCK_SEQPACKET socket. One message asks for one process: JSON and four descriptors, the process's
stdin, stdout and stderr and a socket on which {"pid": N} and then {"status": N} are answered. The namespaces end with
this process, and this process ends when the driver closes CONTROL_FD or dies.
"""
import ctypes
import encodings.idna  # noqa: F401  everything is imported before the root changes
import fcntl
import json
import os
import select
import signal
import socket
import sys
import termios
import warnings  # noqa: F401  os.execvpe wants it

LIBC = ctypes.CDLL(None, use_errno=True)
MS_RDONLY, MS_BIND, MS_REC, MS_PRIVATE, MS_SHARED, MNT_DETACH = 1, 4096, 16384, 1 << 18, 1 << 20, 2
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}[os.uname().machine]


def checked(result, what):
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def mount(source, target, kind=None, flags=0, data=None):
    args = [a.encode() if a is not None else None for a in (source, target, kind)]
    checked(LIBC.mount(*args, flags, data.encode() if data else None), f"mount {kind or source} on {target}")


def bind(source, target):
    """Binds a file or directory; makes what it is bound on."""
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    elif not os.path.exists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        open(target, "w").close()
    mount(source, target, flags=MS_BIND | MS_REC)


def mount_cgroups(root, hierarchies):
    """The same hierarchies as on the host, rooted at our own cgroup namespace."""
    top = root + "/sys/fs/cgroup"
    if [h["where"] for h in hierarchies] == ["/sys/fs/cgroup"]:
        mount("cgroup2", top, "cgroup2")
        return
    mount("cgroup", top, "tmpfs", data="mode=755,size=1m")
    for h in hierarchies:
        where = root + h["where"]
        os.makedirs(where, exist_ok=True)
        mount("cgroup", where, h["type"], data=h["options"])


def set_up(plan):
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    root = plan.get("root", "")
    if root:
        if plan.get("overlay"):
            mount("overlay", root, "overlay", data=plan["overlay"])
        else:
            mount(root, root, flags=MS_BIND | MS_REC)
        bind("/dev", root + "/dev")
    mount("proc", root + "/proc", "proc")
    mount("sysfs", root + "/sys", "sysfs")
    mount_cgroups(root, plan["cgroups"])
    for where in plan["copied"]:  # a private, writable copy: what an engine writes there is gone afterwards
        os.system(f"cp -a {where} {plan['work']}/copied{where.replace('/', '-')}")
        mount(f"{plan['work']}/copied{where.replace('/', '-')}", root + where, flags=MS_BIND)
    for source, target in plan["binds"]:
        bind(source, root + target)
    for where in plan["tmpfs"]:
        os.makedirs(root + where, exist_ok=True)
        mount("tmpfs", root + where, "tmpfs", data="mode=755" if where != "/tmp" else "mode=1777")
    if root:
        os.chdir(root)
        checked(LIBC.syscall(SYS_PIVOT_ROOT, b".", b"."), "pivot_root")
        checked(LIBC.umount2(b".", MNT_DETACH), "umount the old root")
        os.chdir("/")
    mount("none", "/", flags=MS_REC | MS_SHARED)  # as on a machine booted by systemd
    interface_up("lo")


def interface_up(name):
    """ioctl SIOCSIFFLAGS IFF_UP|IFF_RUNNING: netdevice(7)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, name.encode().ljust(16, b"\0") + (0x41).to_bytes(2, "little") + bytes(14))


def run_child(request, fds):
    """After fork: never returns."""
    try:
        os.setsid()
        if request.get("tty"):
            fcntl.ioctl(fds[0], termios.TIOCSCTTY, 0)
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in fds[:3]]
        for number, fd in enumerate(high):
            os.dup2(fd, number, inheritable=True)
        os.closerange(3, 4096)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.chdir(request.get("cwd", "/"))
        os.execvpe(request["argv"][0], request["argv"], request["env"])
    except BaseException as e:  # the exit status is the only thing that may leave this process
        os.write(2, f"agent: {request['argv'][0]}: {e}\n".encode())
    os._exit(127)


def serve(control):
    wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    running = {}
    while True:
        ready, _, _ = select.select([control, wake_read], [], [])
        if wake_read in ready:
            os.read(wake_read, 4096)
        if control in ready:
            message, fds, _, _ = socket.recv_fds(control, 1 << 18, 4)
            if not message:
                return
            request = json.loads(message)
            pid = os.fork()
            if pid == 0:
                run_child(request, fds)
            for fd in fds[:3]:
                os.close(fd)
            running[pid] = socket.socket(fileno=fds[3])
            tell(running[pid], {"pid": pid})
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid in running:
                tell(running[pid], {"status": os.waitstatus_to_exitcode(status)})
                running.pop(pid).close()


def tell(reply, value):
    try:
        reply.send(json.dumps(value).encode(), socket.MSG_NOSIGNAL)
    except OSError:
        pass  # the driver no longer wants to know


def main():
    control = socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(control.fileno(), False)
    try:
        set_up(json.loads(sys.argv[2]))
    except OSError as e:
        control.send(json.dumps({"error": str(e)}).encode())
        return
    control.send(b"{}")
    serve(control)


main()
