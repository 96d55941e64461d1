"""Which errors a system call is made to give, which calls cannot fail, and which may fail without the command failing.

Layer: tests. Users: tests/faults/sweep.py. A row of TOLERATED is a decision: a call that is not there must make the command fail.
SPDX-License-Identifier: Apache-2.0
"""
from errno import (E2BIG, EACCES, EAGAIN, EBUSY, ECONNABORTED, EDQUOT, EINTR, EINVAL, EIO, EMFILE, ENFILE, ENOBUFS, ENODEV, ENOEXEC,
                   ENOMEM, ENOSPC, ENOSYS, EOPNOTSUPP, EPERM, EPIPE, EROFS, ETOOMANYREFS)

# The kernel gives them no error that a program could meet, or they do not return.
CANNOT_FAIL = frozenset("""exit exit_group rt_sigreturn getpid gettid getppid geteuid getuid getgid getegid umask set_tid_address
set_robust_list rseq arch_prctl restart_syscall alarm getpgrp getresuid getresgid rt_sigprocmask rt_sigaction""".split())

# The first is the one of the short form.
ERRORS = {
    "brk": (ENOMEM,), "mmap": (ENOMEM, EAGAIN, EPERM), "munmap": (ENOMEM,), "mremap": (ENOMEM, EAGAIN), "mprotect": (ENOMEM, EACCES),
    "madvise": (EAGAIN, ENOMEM), "openat": (EMFILE, ENOMEM, EPERM, EINTR, ENFILE, EIO),
    "openat2": (ENOMEM, EMFILE, EPERM, EAGAIN, EINTR, ENOSYS, EIO), "open_tree": (ENOMEM, EMFILE, EPERM, ENOSYS, EINVAL),
    "move_mount": (ENOMEM, EPERM, ENOSPC, ENOSYS, EINVAL, EBUSY), "mount_setattr": (EPERM, ENOMEM, EBUSY, ENOSYS, EINVAL),
    "fsopen": (ENOMEM, EMFILE, EPERM, ENOSYS, ENODEV), "fsconfig": (ENOMEM, EPERM, ENOSPC, EINVAL, EBUSY),
    "fsmount": (ENOMEM, EMFILE, EPERM, ENOSPC, EINVAL, EBUSY), "mount": (ENOMEM, EPERM, ENOSPC, EINVAL, EBUSY, EACCES),
    "umount2": (EPERM, ENOMEM, EBUSY, EINVAL), "pivot_root": (EPERM, EBUSY, ENOMEM, EINVAL),
    "close": (EIO, EINTR, ENOSPC), "read": (EIO, EINTR, ENOMEM, EPERM), "pwrite64": (ENOSPC, EIO),
    "write": (ENOSPC, EIO, EINTR, ENOMEM, EPERM, EBUSY, EINVAL), "mkdirat": (ENOSPC, ENOMEM, EPERM, EROFS, EACCES, EIO),
    "mknodat": (ENOSPC, ENOMEM, EPERM, EACCES, EROFS, EIO), "symlinkat": (ENOSPC, ENOMEM, EPERM, EROFS, EIO),
    "renameat": (ENOSPC, EPERM, EIO, EROFS, ENOMEM), "renameat2": (ENOSPC, EPERM, ENOSYS, EIO, EINVAL, ENOMEM),
    "linkat": (ENOSPC, EPERM, EIO, EROFS, ENOMEM), "unlinkat": (EPERM, EIO, EROFS, EACCES, ENOMEM),
    "fchmodat": (EPERM, EROFS, EIO), "fchownat": (EPERM, EROFS, EIO), "faccessat": (ENOMEM, EACCES, EIO),
    "faccessat2": (ENOMEM, EACCES, ENOSYS, EIO), "clone3": (EAGAIN, ENOMEM, EPERM, ENOSYS, ENOSPC, EBUSY, EINVAL),
    "clone": (EAGAIN, ENOMEM, EPERM, ENOSPC), "fork": (EAGAIN,), "vfork": (EAGAIN,),
    "execve": (ENOMEM, EPERM, EACCES, EIO, ENOEXEC, E2BIG), "execveat": (ENOMEM, EPERM, ENOSYS, EACCES, EIO), "wait4": (EINTR,),
    "pidfd_open": (EMFILE, ENOMEM, ENOSYS, EPERM), "pidfd_send_signal": (EPERM, ENOSYS), "pidfd_getfd": (EMFILE, EPERM, ENOSYS),
    "kill": (EPERM,), "poll": (EINTR, ENOMEM), "ppoll": (EINTR, ENOMEM), "clock_nanosleep": (EINTR,), "pause": (EINTR,), "nanosleep": (EINTR,),
    "close_range": (ENOMEM, EMFILE, ENOSYS), "dup3": (EMFILE, EINTR, EBUSY), "fcntl": (EMFILE, ENOMEM, EINVAL, EPERM),
    "flock": (ENOMEM, EINTR, EPERM), "sendmsg": (ENOBUFS, ENOMEM, EINTR, EPIPE, ETOOMANYREFS), "recvmsg": (ENOMEM, EMFILE, EINTR),
    "socket": (EMFILE, ENOMEM, EPERM, ENOBUFS), "socketpair": (EMFILE, ENOMEM, EPERM), "connect": (EPERM, EINTR, ENOMEM),
    "ioctl": (EPERM, ENOMEM, EIO), "getdents64": (ENOMEM, EIO), "seccomp": (ENOMEM, EPERM, EINVAL), "capset": (EPERM,),
    "capget": (EPERM,), "setns": (ENOMEM, EPERM, EINVAL), "unshare": (ENOSPC, EPERM, ENOMEM, EINVAL), "setgroups": (EPERM, ENOMEM),
    "setresuid": (EAGAIN, EPERM, EINVAL), "setresgid": (EPERM, EINVAL), "setsid": (EPERM,), "prctl": (EPERM, ENOMEM, EINVAL),
    "prlimit64": (EPERM, EINVAL), "keyctl": (ENOMEM, EPERM, EACCES, ENOSYS, EDQUOT), "getrandom": (EAGAIN, ENOSYS),
    "memfd_create": (EMFILE, ENOMEM, ENFILE), "sendfile": (EIO, ENOMEM), "bpf": (ENOMEM, EPERM), "sched_setaffinity": (EPERM,),
    "getcwd": (ENOMEM,), "statfs": (ENOMEM, EIO), "fstatfs": (ENOMEM, EIO), "newfstatat": (ENOMEM, EPERM, EIO, EACCES),
    "readlink": (ENOMEM, EPERM, EIO), "readlinkat": (ENOMEM, EPERM, EIO, EACCES), "fchdir": (ENOMEM, EPERM, EACCES, EIO),
    "chdir": (ENOMEM, EPERM, EACCES, EIO), "signalfd4": (ENOMEM, EMFILE, ENFILE), "pipe2": (EMFILE, ENFILE, ENOMEM),
    "eventfd2": (EMFILE, ENOMEM), "epoll_create1": (EMFILE, ENOMEM), "epoll_ctl": (ENOMEM, ENOSPC), "ftruncate": (ENOSPC, EIO),
    "bind": (ENOMEM, EACCES, ENOSPC), "listen": (EOPNOTSUPP,), "accept4": (EMFILE, ENOMEM, ECONNABORTED),
}
DEFAULT = (ENOMEM, EPERM)

# Nothing that was asked for is lost when these fail. NAME, (NAME, phase) with a phase of sweep.py, or (NAME, error): why
TOLERATED = {
    "close": "the kernel has closed it whatever it says",
    "brk": "malloc takes mmap then",
    "close_range": "each descriptor is closed by itself then; the report of the descriptors proves it",
    "munmap": "the memory goes with the process",
    "getrandom": "libc seeds its allocator with the clock then",
    "readlink": "libc looks for its own path, which a static program does not use",
    ("prlimit64", "libc"): "libc asks for the size of a stack that no thread of ours will have",
    ("fstatfs", "sealing"): "an executable of which nothing is known is sealed (again)",
    ("fcntl", "sealing"): "an executable of which nothing is known is sealed (again)",
    ("readlinkat", "sealing"): "a sealed copy in memory takes the place of the read-only clone",
    ("open_tree", "sealing"): "a sealed copy in memory takes the place of the read-only clone",
    ("mount_setattr", "sealing"): "a sealed copy in memory takes the place of the read-only clone",
    ("openat", "signals"): "all signals are reset when it cannot be read which are ignored",
    ("read", "signals"): "all signals are reset when it cannot be read which are ignored",
    "sched_setaffinity": "who may not widen its CPUs keeps those of the caller",
    ("mknodat", EPERM): "a device that may not be made is the host's, bound (may_differ)",
    ("unlinkat", EROFS): "a /dev that cannot be written has the link, or the link that is made next fails",
    ("chdir", EACCES): "the user may be allowed where its root is not: it is tried again",
    ("prctl", EINVAL): "the end of the kernel's capabilities: the report of the capabilities proves that it was",
    ("keyctl", ENOSYS): "a kernel without keyrings has no session of the caller's to hide",
}


def reason(call, phase, error):
    return TOLERATED.get(call) or TOLERATED.get((call, phase)) or TOLERATED.get((call, error))


def may_differ(call, error, key, extra, missing):
    """Whether a tolerated failure explains what the probe saw: `extra` and `missing` are the mounts that differ."""
    if (call, error, key) != ("mknodat", EPERM, "mounts"):
        return False
    return len(extra) == 1 and not missing and extra[0].split()[1].startswith("/dev/") and "devtmpfs" in extra[0]


def errors_of(call):
    return () if call in CANNOT_FAIL else ERRORS.get(call, DEFAULT)


# After these the command succeeds because it asks again.
RETRIED = frozenset((EINTR, EAGAIN))
