"""What the runtime says about itself: features, spec, version, help; checked against the schemas of the specification.

Layer: tests, on harness.py. Needs Debian's python3-jsonschema.
SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import subprocess

import jsonschema

from harness import PEER, RUNTIME, SOURCE, Outcome, RuntimeTest, default_config, main, not_on, since_runc

SCHEMAS = os.path.join(SOURCE, "tests/data/oci-schema")
COMMANDS = "create start state kill delete run exec list ps pause resume update events spec features".split()


def validator(name):
    directory = os.path.join(SCHEMAS, "schema")
    with open(os.path.join(directory, name)) as file:
        schema = json.load(file)
    store = {}
    for other in os.listdir(directory):
        if other.endswith(".json"):
            with open(os.path.join(directory, other)) as file:
                store[f"file://{directory}/{other}"] = json.load(file)
    for part in ("vm", "solaris", "windows", "zos", "freebsd"):  # only Linux is in the tree
        for kind in ("config", "defs", "features"):
            store.setdefault(f"file://{directory}/{kind}-{part}.json", {})
    resolver = jsonschema.RefResolver(f"file://{directory}/{name}", schema, store=store)
    return jsonschema.Draft4Validator(schema, resolver=resolver)


class Schema(RuntimeTest):
    def test_TheValidatorRejectsWhatIsBad(self):
        checked = 0
        for kind in ("config", "features", "state"):
            for verdict in ("good", "bad"):
                directory = os.path.join(SCHEMAS, kind, verdict)
                for name in os.listdir(directory) if os.path.isdir(directory) else []:
                    if any(part in name for part in ("freebsd", "zos", "invalid-json")):
                        continue
                    with open(os.path.join(directory, name)) as file:
                        text = json.load(file)
                    self.assertEqual(validator(f"{kind}-schema.json").is_valid(text), verdict == "good", name)
                    checked += 1
        self.assertGreater(checked, 5)

    def test_TheTestsOwnConfigIsValid(self):
        validator("config-schema.json").validate(default_config())

    def test_SpecIsValid(self):
        for flags in ([], ["--rootless"]):
            with self.subTest(flags=flags):
                bundle = os.path.join(self.directory, "spec" + "".join(flags))
                os.mkdir(bundle)
                self.assertEqual(self.runtime("spec", *flags, cwd=bundle).out, "")
                with open(os.path.join(bundle, "config.json")) as file:
                    config = json.load(file)
                validator("config-schema.json").validate(config)
                self.assertEqual(config["process"]["args"], ["sh"])
                self.assertTrue(config["root"]["readonly"])
                kinds = {n["type"] for n in config["linux"]["namespaces"]}
                self.assertEqual("user" in kinds, bool(flags))

    def test_SpecHasACgroupNamespaceWhereThereIsOnlyV2(self):
        self.runtime("spec", "--bundle", self.directory)
        with open(os.path.join(self.directory, "config.json")) as file:
            kinds = {n["type"] for n in json.load(file)["linux"]["namespaces"]}
        self.assertEqual("cgroup" in kinds, os.path.exists("/sys/fs/cgroup/cgroup.controllers"))

    def test_EveryCommandHasHelp(self):
        for command in ("create", "run", "exec", "checkpoint", "restore", "update", "events"):
            for flag in ("-h", "--help"):
                self.assertIn(f"{command} - ", self.runtime(command, flag).out)

    def test_SpecDoesNotOverwrite(self):
        self.runtime("spec", "--bundle", self.directory)
        outcome = self.runtime("spec", "--bundle", self.directory, rc=1)
        self.assertIn("config.json", outcome.err)

    def test_WhatSpecWritesRuns(self):
        c = self.container()
        self.runtime("spec", cwd=c.bundle)
        path = os.path.join(c.bundle, "config.json")
        with open(path) as file:
            config = json.load(file)
        config["process"].update(terminal=False, args=["/bin/echo", "ran"])
        config["linux"]["cgroupsPath"] = c.linux["cgroupsPath"]
        with open(path, "w") as file:
            json.dump(config, file)
        self.assertEqual(self.runtime("run", "--bundle", c.bundle, c.id).out, "ran\n")

    @since_runc("1.2", "features that fit the schema")
    def test_FeaturesAreValid(self):
        validator("features-schema.json").validate(self.runtime("features").json())

    def test_StateIsValid(self):
        c = self.container().up()
        validator("state-schema.json").validate(c.state())


class Features(RuntimeTest):
    def setUp(self):
        super().setUp()
        self.features = self.runtime("features").json()

    def test_WhatDockerAndContainerdReadIsThere(self):
        self.assertTrue(self.features["ociVersionMin"].startswith("1."))
        self.assertTrue(self.features["ociVersionMax"].startswith("1."))
        self.assertLessEqual({"ro", "rro", "rbind", "tmpcopyup", "rprivate"}, set(self.features["mountOptions"]))
        self.assertEqual(len(self.features["hooks"]), 6)
        linux = self.features["linux"]
        self.assertTrue(linux["seccomp"]["enabled"])
        self.assertIn("SCMP_ACT_NOTIFY", linux["seccomp"]["actions"])
        self.assertTrue(linux["cgroup"]["v1"])
        self.assertLessEqual({"pid", "network", "ipc", "uts", "mount", "user", "cgroup"}, set(linux["namespaces"]))
        self.assertIn("CAP_SYS_ADMIN", linux["capabilities"])

    @since_runc("1.2", "mountExtensions")
    def test_IdmappedMountsAreAnnounced(self):
        self.assertTrue(self.features["linux"]["mountExtensions"]["idmap"]["enabled"])
        self.assertIn("time", self.features["linux"]["namespaces"])

    def test_EveryAnnouncedSeccompActionAndFlagIsTaken(self):
        actions = self.features["linux"]["seccomp"]["actions"]
        for action in actions:
            if action in ("SCMP_ACT_NOTIFY",):
                continue
            with self.subTest(action=action):
                c = self.container("/bin/true")
                c.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["kexec_load"], "action": action}]}
                c.run(rc=0 if action not in ("SCMP_ACT_TRACE",) else None)

    @not_on("runc-1.1", "it announces options that the kernel then refuses")
    def test_EveryAnnouncedMountOptionIsTaken(self):
        c = self.container("/bin/true")
        special = {"bind", "rbind", "remount", "idmap", "ridmap", "mand", "tmpcopyup", "acl", "noacl", "iversion"}
        options = [option for option in self.features["mountOptions"] if option not in special]
        self.assertGreater(len(options), 30)
        source = os.path.join(self.directory, "source")
        os.mkdir(source)
        for option in options:
            recursive = option.startswith("r") and option not in ("relatime", "ro", "rw")
            if recursive:
                c.mount(f"/bind-{option}", source, "bind", ["rbind", option])
            else:
                c.mount(f"/tmpfs-{option}", "tmpfs", "tmpfs", [option])
        c.run()


class CommandLine(RuntimeTest):
    def test_TheVersionCanBeParsedByGoRuncAndDocker(self):
        for flag in ("--version", "-v"):
            out = self.runtime(flag).out
            lines = out.splitlines()
            self.assertRegex(lines[0], r"^(runc|\S*caisson\S*|crun) version \S+$")
            self.assertTrue(any(line.startswith("commit: ") for line in lines), out)
            self.assertTrue(any(line.startswith("spec: 1.") for line in lines), out)

    def test_HelpNamesEveryCommand(self):
        for flag in ("--help", "-h", "help"):
            out = self.runtime(flag).out
            for command in COMMANDS:
                self.assertRegex(out, rf"(?m)^\s+{command}\b", flag)

    def test_EveryCommandHasHelp(self):
        for command in COMMANDS:
            with self.subTest(command=command):
                outcome = self.runtime(command, "--help")
                self.assertIn(command, outcome.out)

    def test_TheRuntimeWithoutArgumentsShowsHelp(self):
        outcome = self.begin_bare()
        self.assertIn("create", outcome.out + outcome.err)

    def begin_bare(self):
        done = subprocess.run([RUNTIME], capture_output=True, text=True, timeout=60)
        return Outcome([RUNTIME], done.returncode, done.stdout, done.stderr)

    def test_PlanPrintsAndChangesNothing(self):
        if PEER != "caisson":
            self.skipTest("peer: ours alone")
        c = self.container()
        c.write()
        out = self.runtime("plan", "--bundle", c.bundle).out
        self.assertIn("/proc", out)
        self.assert_nothing_left()


if __name__ == "__main__":
    main()
