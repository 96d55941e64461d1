"""Which errors a system call is made to give, which calls cannot fail, and which may fail without the command failing.

Layer: tests. Users: tests/faults/sweep.py. A row of TOLERATED is a decision: a call that is not there must make the command fail.
SPDX-License-Identifier: Apache-2.0
"""
from errno import (EACCES, EAGAIN, EBUSY, EINTR, EIO, EMFILE, ENFILE, ENOBUFS, ENOMEM, ENOSPC, ENOSYS, EPERM, EROFS)

# The kernel gives them no error that a program could meet, or they do not return.
CANNOT_FAIL = frozenset("""exit exit_group rt_sigreturn getpid gettid getppid geteuid getuid getgid getegid umask set_tid_address
set_robust_list rseq arch_prctl restart_syscall alarm getpgrp getresuid getresgid rt_sigprocmask rt_sigaction""".split())

# The first is the one of the short form.
ERRORS = {
    "brk": (ENOMEM,), "mmap": (ENOMEM,), "munmap": (ENOMEM,), "mremap": (ENOMEM,), "mprotect": (ENOMEM,), "madvise": (EAGAIN,),
    "openat": (EMFILE, ENOMEM, EPERM, EINTR, ENFILE), "openat2": (ENOMEM, EMFILE, EPERM, EAGAIN, EINTR, ENOSYS),
    "open_tree": (ENOMEM, EMFILE, EPERM, ENOSYS), "move_mount": (ENOMEM, EPERM, ENOSPC, ENOSYS),
    "mount_setattr": (EPERM, ENOMEM, EBUSY, ENOSYS), "fsopen": (ENOMEM, EMFILE, EPERM, ENOSYS),
    "fsconfig": (ENOMEM, EPERM, ENOSPC), "fsmount": (ENOMEM, EMFILE, EPERM, ENOSPC), "mount": (ENOMEM, EPERM, ENOSPC),
    "umount2": (EPERM, ENOMEM, EBUSY), "pivot_root": (EPERM, EBUSY, ENOMEM),
    "close": (EIO, EINTR), "read": (EIO, EINTR, ENOMEM), "write": (ENOSPC, EIO, EINTR, ENOMEM), "pwrite64": (ENOSPC, EIO),
    "mkdirat": (ENOSPC, ENOMEM, EPERM, EROFS), "mknodat": (ENOSPC, ENOMEM, EPERM), "symlinkat": (ENOSPC, ENOMEM, EPERM),
    "renameat": (ENOSPC, EPERM, EIO), "renameat2": (ENOSPC, EPERM, ENOSYS), "linkat": (ENOSPC, EPERM), "unlinkat": (EPERM, EIO, EROFS),
    "fchmodat": (EPERM, EROFS), "fchownat": (EPERM, EROFS), "faccessat": (ENOMEM, EACCES), "faccessat2": (ENOMEM, EACCES, ENOSYS),
    "clone3": (EAGAIN, ENOMEM, EPERM, ENOSYS), "clone": (EAGAIN, ENOMEM), "fork": (EAGAIN,), "vfork": (EAGAIN,),
    "execve": (ENOMEM, EPERM, EACCES, EIO), "execveat": (ENOMEM, EPERM, ENOSYS), "wait4": (EINTR,),
    "pidfd_open": (EMFILE, ENOMEM, ENOSYS), "pidfd_send_signal": (EPERM, ENOSYS), "pidfd_getfd": (EMFILE, EPERM, ENOSYS),
    "kill": (EPERM,), "poll": (EINTR, ENOMEM), "ppoll": (EINTR, ENOMEM), "clock_nanosleep": (EINTR,), "nanosleep": (EINTR,),
    "close_range": (ENOMEM, EMFILE, ENOSYS), "dup3": (EMFILE, EINTR), "fcntl": (EMFILE, ENOMEM), "flock": (ENOMEM, EINTR),
    "sendmsg": (ENOBUFS, ENOMEM, EINTR), "recvmsg": (ENOMEM, EMFILE, EINTR), "socket": (EMFILE, ENOMEM, EPERM),
    "socketpair": (EMFILE, ENOMEM), "connect": (EPERM, EINTR), "ioctl": (EPERM, ENOMEM), "getdents64": (ENOMEM, EIO),
    "seccomp": (ENOMEM, EPERM), "capset": (EPERM,), "capget": (EPERM,), "setns": (ENOMEM, EPERM), "unshare": (ENOSPC, EPERM, ENOMEM),
    "setgroups": (EPERM, ENOMEM), "setresuid": (EAGAIN, EPERM), "setresgid": (EPERM,), "setsid": (EPERM,),
    "prctl": (EPERM, ENOMEM), "prlimit64": (EPERM,), "keyctl": (ENOMEM, EPERM, EACCES, ENOSYS), "getrandom": (EAGAIN, ENOSYS),
    "memfd_create": (EMFILE, ENOMEM), "sendfile": (EIO, ENOMEM), "bpf": (ENOMEM, EPERM), "sched_setaffinity": (EPERM,),
    "getcwd": (ENOMEM,), "statfs": (ENOMEM, EIO), "fstatfs": (ENOMEM, EIO),
}
DEFAULT = (ENOMEM, EPERM)

# Nothing that was asked for is lost when these fail. NAME, or (NAME, phase) with a phase of sweep.py: why
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
}


def reason(call, phase):
    return TOLERATED.get(call) or TOLERATED.get((call, phase))


def errors_of(call):
    return () if call in CANNOT_FAIL else ERRORS.get(call, DEFAULT)


# After these the command succeeds because it asks again.
RETRIED = frozenset((EINTR, EAGAIN))
