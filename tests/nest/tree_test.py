"""`caisson tree`, against what the kernel says: a plain container in a nest in a nest, seen from each of them.

Layer: tests. Users: ctest (tests.nest.tree).
SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import re
import shutil
import subprocess

from nests import NestTest, main, wait_until
from harness import Template, default_config  # nests.py says where it is

NEST = os.environ["CAISSON_TEST_RUNTIME"]
CAISSON = os.path.join(os.path.dirname(NEST), "caisson")
SELF = "while read k v; do case $k in NSpid:|Uid:) echo $k $v;; esac; done < /proc/self/status"


def tree(*arguments, rc=0, **options):
    done = subprocess.run([CAISSON, "tree", *arguments], capture_output=True, text=True, **options)
    assert done.returncode == rc, f"tree {arguments}: {done}"
    return done


def containers(root):
    """Every container below, outermost first."""
    return [one for child in root["containers"] for one in [child, *containers(child)]]


def find(root, name):
    return next((c for c in containers(root) if c["id"] == name), None)


class Tree(NestTest):
    def inner(self, rootfs, path, name, args):
        """A bundle inside a root file system, to be run by the caisson that is there."""
        bundle = os.path.join(rootfs, path)
        os.makedirs(bundle)
        shutil.copytree(Template.get(), os.path.join(bundle, "rootfs"), symlinks=True, copy_function=os.link)
        config = default_config()
        config["process"].update(args=args, noNewPrivileges=False)
        config["linux"]["cgroupsPath"] = f"/{name}"
        if "run --bundle /leaf" in " ".join(args):  # a nest has no ids of its own to give away: the caller brings some
            config["linux"]["namespaces"].append({"type": "user"})
            for kind in ("uidMappings", "gidMappings"):
                config["linux"][kind] = [{"containerID": 0, "hostID": 0, "size": 65536}]
        with open(os.path.join(bundle, "config.json"), "w") as file:
            json.dump(config, file)
        shutil.copy(CAISSON, os.path.join(rootfs, "bin/caisson"))
        for program in ("caisson-nest", "caisson-runtime"):
            os.symlink("caisson", os.path.join(rootfs, "bin", program))
        return os.path.join(bundle, "rootfs")

    def three(self):
        """nest > middle (a nest) > leaf (a plain container), each a sleep of its own."""
        nest = self.nest("/bin/sh", "-c", "caisson-nest run --bundle /middle middle & wait")
        nest.process["rlimits"] = []
        root = self.inner(nest.rootfs, "middle", "middle", ["/bin/sh", "-c", "caisson-runtime run --bundle /leaf leaf & wait"])
        self.inner(root, "leaf", "leaf", ["/bin/sleep", "31417"])
        nest.create()
        nest.start()

        def leaf():
            found = find(json.loads(tree("--json").stdout)["root"], "leaf")
            if found and found["processes"][0]["command"] != ["/bin/sleep", "31417"]:
                found = None  # it is the runtime's still
            if found is None and nest.status() != "running":
                self.fail(nest.output.out() + nest.output.err())
            return found
        wait_until(leaf, "the innermost container is seen from the host", 60)
        return nest

    def test_it_draws_three_levels_as_the_kernel_has_them(self):
        nest = self.three()
        root = json.loads(tree("--json").stdout)["root"]
        found = [find(root, name) for name in (nest.id, "middle", "leaf")]
        for level, container in enumerate(found, 1):
            self.assertIsNotNone(container, root)
            self.assertEqual(container["level"], level)
            for process in container["processes"]:
                self.assertEqual(len(process["pids"]), level + 1)
                self.compare(process)
        self.assertEqual(found[0]["runtime"], "caisson-nest")
        self.assertEqual(found[0]["profile"], "compat")
        self.assertIn("mknod", found[0]["grants"].split(","))
        self.assertEqual(found[0]["pidNamespace"], os.stat(f"/proc/{nest.pid}/ns/pid").st_ino)
        self.assertEqual(found[0]["userNamespace"], os.stat(f"/proc/{nest.pid}/ns/user").st_ino)
        self.assertEqual(found[0]["init"], [nest.pid, 1])
        self.assertEqual(found[0]["uidMap"], [{"inside": 0, "ours": self.first_id(nest), "size": 65536}])
        leaf = found[2]["processes"][0]
        self.assertEqual(leaf["command"], ["/bin/sleep", "31417"])
        self.assertEqual(leaf["pids"][3], 1)
        self.assertEqual(leaf["uids"][0], self.first_id(nest))
        self.assertEqual(leaf["uids"][-1], 0)
        self.from_inside(nest, leaf)
        self.as_text(nest, leaf)

    def compare(self, process):
        with open(f"/proc/{process['pids'][0]}/status") as file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in file)
        self.assertEqual(process["pids"], [int(pid) for pid in status["NSpid"].split()])
        self.assertEqual(process["uids"][0], int(status["Uid"].split()[1]))
        self.assertEqual(process["name"], status["Name"])

    def from_inside(self, nest, leaf):
        """The nest sees what is below it, with its own numbers; and so does the nest in it."""
        root = json.loads(nest.exec("caisson", "tree", "--json").out)["root"]
        self.assertEqual((root["title"], root["hostName"]), ("here", "caisson-test"))
        self.assertEqual([c["id"] for c in containers(root)], ["middle", "leaf"])
        self.assertEqual([c["runtime"] for c in containers(root)], ["caisson-nest", None], "records of its own /run only")
        inside = find(root, "leaf")["processes"][0]
        self.assertEqual(inside["pids"], leaf["pids"][1:])
        self.assertEqual(inside["uids"], leaf["uids"][1:])
        deeper = nest.exec("caisson-nest", "exec", "middle", "caisson", "tree", "--json").json()["root"]
        self.assertEqual(find(deeper, "leaf")["processes"][0]["pids"], leaf["pids"][2:])
        self.assertEqual(find(deeper, "leaf")["runtime"], "caisson-runtime")

    def as_text(self, nest, leaf):
        text = tree(env={**os.environ, "LC_ALL": "C.UTF-8"}).stdout
        # "here" when the tests themselves are in a pid namespace
        self.assertRegex(text, r"(?m)^(host .* in no container|here: .* in no container below)$")
        self.assertRegex(text, rf"(?m)^[├└]─ \[1\] {nest.id}: caisson-nest, compat, \d+ process")
        pids, uids = ("/".join(map(str, leaf[key])) for key in ("pids", "uids"))
        self.assertRegex(text, rf"(?m)^.*└─ {re.escape(pids)}  {uids}  /bin/sleep 31417$")
        self.assertLessEqual(max(map(len, text.splitlines())), 100)
        plain = tree(env={**os.environ, "LC_ALL": "C"}).stdout
        self.assertTrue(plain.isascii())
        self.assertEqual(len(plain.splitlines()), len(text.splitlines()))
        only = tree("leaf").stdout + tree(str(leaf["pids"][0])).stdout
        self.assertEqual(only.count("31417"), 4, "once as the first process and once as a process, by ID and by process")
        self.assertEqual(len(only.splitlines()), 10, only)
        self.unprivileged(nest, leaf)

    def unprivileged(self, nest, leaf):
        """Others see processes, not namespaces, and are told so."""
        drop = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
        program = os.path.join(self.directory, "caisson")
        shutil.copy(CAISSON, program)
        done = subprocess.run([*drop, program, "tree"], capture_output=True, text=True, check=True)
        self.assertIn("are not yours to see", done.stderr)
        self.assertRegex(done.stdout, rf"(?m)^.* {'/'.join(map(str, leaf['pids']))} .*/bin/sleep 31417$")
        levels = re.findall(r"(?m)^\W*\[(\d)\] .* init .*sh -c caisson|^\W*\[(\d)\] .*sleep 31417$", done.stdout)
        self.assertEqual(["".join(level) for level in levels], ["1", "2", "3"])

    def test_an_error_is_one_line_that_names_what_there_is(self):
        nest = self.nest("/bin/sleep", "1000").up()
        for words, text in ((["nobody"], f"containers are .*{nest.id}"), ([str(os.getpid())], "in no container"),
                            (["--nothing"], "flag provided but not defined: -nothing"),
                            (["a", "b"], "maximum of 1 argument")):
            done = tree(*words, rc=1)
            self.assertEqual(done.stdout, "")
            self.assertEqual(done.stderr.count("\n"), 1)
            self.assertRegex(done.stderr, f"^caisson.*{text}")

    def test_two_thousand_processes_are_drawn_in_a_fifth_of_a_second(self):
        nest = self.nest("/bin/sh", "-c", "i=0; while [ $i -lt 2000 ]; do sleep 1000 & i=$((i+1)); done; echo all; wait")
        nest.process["rlimits"] = []
        nest.up()
        nest.wait_output("all")
        took = []
        for _ in range(5):
            with open(os.path.join(self.directory, "drawn"), "w") as file:
                process = subprocess.Popen([CAISSON, "tree", nest.id], stdout=file)
                _, process.returncode, usage = os.wait4(process.pid, 0)
            took.append(usage.ru_utime + usage.ru_stime)  # it waits for nothing: its time on a machine that rests
            with open(file.name) as drawn:
                self.assertGreater(len(drawn.readlines()), 2000)
        print(f"2,000 processes: {min(took) * 1000:.0f} ms")
        self.assertLess(min(took), 0.2)


if __name__ == "__main__":
    main()
