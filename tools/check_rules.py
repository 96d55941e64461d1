#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fails on what the tree has decided not to contain. Each row of RULES is a rule and its reason.

usage: check_rules.py ROOT
"""
import pathlib
import re
import subprocess
import sys

# Calls that take a path, make or change a process, or change what a process may do, as ::name(...). Housekeeping on a
# descriptor that the caller owns (close, poll, fcntl, ioctl) and trivial getters are free to all.
CALLS = """open openat openat2 creat pipe pipe2 socketpair connect bind listen accept accept4 sendmsg recvmsg mount umount
umount2 pivot_root chroot chdir fchdir unshare setns clone clone3 fork vfork execv execve execvp execveat kill capset setuid setgid
setresuid setresgid setgroups chmod fchmod fchmodat chown fchown lchown fchownat mkdir mkdirat mknod mknodat unlink unlinkat rmdir
rename renameat symlink symlinkat link linkat truncate memfd_create epoll_create1 eventfd inotify_init1 sethostname setdomainname
setrlimit prlimit sched_setscheduler sched_setaffinity personality flock statfs seccomp""".split()

PRODUCT = r"^(caisson|apps)/.*\.(h|cc)$"
RULES = [  # (files, but not, pattern, reason)
    (PRODUCT, r"_(test|fuzz)\.cc$", r"\bthrow\b", "failure is a value: return an Error"),
    # A supervisor's workers each visit another namespace and root: a thread can, and a process would cost memory.
    (PRODUCT, r"^caisson/nest/supervisor\.cc$", r"\bstd::(thread|jthread|async)\b|\bpthread_create\b",
     "the product is single-threaded"),
    (PRODUCT, r"_(test|fuzz)\.cc$", r"#\s*include\s*<iostream>", "iostream costs start-up time and memory"),
    (PRODUCT, r"_(test|fuzz)\.cc$|^caisson/sys/", r"(?<![\w>):])::(" + "|".join(CALLS) + r")\(|\bsyscall\(",
     "system calls live in caisson/sys"),
    (r"", None, r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"]) + r")\b",
     "finish it, or write it down in docs/STATUS.md"),
    (r"", None, "/" + r"(work|farm)/\w|/" + r"root/\.\w", "a path of one machine"),
    (r"\.(h|cc)$", None, r"^\s*using namespace\b", "say the name"),
]
MAY_CALL = {  # files outside sys that make system calls, and why; a new one is a decision, not a habit
    "caisson/runtime/hooks.cc": "forks a hook and talks to it: between fork and exec nothing else may run",
    "caisson/runtime/id_maps.cc": "forks newuidmap",
    "caisson/runtime/terminal.cc": "owns a pty: every call is on its descriptors",
    "caisson/runtime/seal.cc": "copies the running executable into a sealed memfd, before anything else happens",
}
COMMENT = re.compile(r"//.*$")

root = pathlib.Path(sys.argv[1])
listed = subprocess.run(["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-z"], capture_output=True, text=True)
names = [n for n in listed.stdout.split("\0") if n] if listed.returncode == 0 else [
    str(p.relative_to(root)) for p in root.rglob("*") if p.is_file() and not {"out", ".git"} & set(p.relative_to(root).parts)]

bad = []
for name in sorted(names):
    path = root / name
    rules = [r for r in RULES if re.search(r[0], name) and not (r[1] and re.search(r[1], name))]
    if not path.is_file() or name.startswith("tests/data/") or not rules:
        continue
    try:
        lines = path.read_text().splitlines()
    except UnicodeDecodeError:
        continue
    for number, line in enumerate(lines, 1):
        if "rule-exempt:" in line:  # says why, on the line itself
            continue
        for files, _, pattern, reason in rules:
            if reason.startswith("system calls") and name in MAY_CALL:
                continue
            text = COMMENT.sub("", line) if files == PRODUCT else line
            if re.search(pattern, text):
                bad.append(f"{name}:{number}: {reason}: {line.strip()[:100]}")
sys.exit("\n".join(bad) or 0)
