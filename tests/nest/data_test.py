"""Data of inner engines: kept over delete, guarded while in use, gone with the container; and what a failure leaves.

Layer: tests. Users: ctest (tests.nest.data).
SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import shutil
import subprocess

from nests import NestTest, main


class Data(NestTest):
    def test_it_survives_delete_and_goes_with_the_root(self):
        nest = self.nest().shell("echo kept > /var/lib/docker/file")
        layers = self.overlay(nest)
        nest.run()
        self.assertEqual(len(self.records()), 1)
        self.assertEqual(nest.shell("cat /var/lib/docker/file; echo; ls /var/lib").run().out.split()[0], "kept")
        self.unmount(nest.rootfs)
        shutil.rmtree(layers)
        self.nest("true").run()
        self.assertEqual(self.records(), [])
        self.assertEqual(self.ids_in_use(), [])

    def test_it_goes_with_a_root_that_a_caller_with_its_own_ids_mounted(self):
        nest = self.nest().shell("echo kept > /var/lib/docker/file; cat /var/lib/docker/file")
        nest.user_namespace(host=300000)
        layers = self.overlay(nest)
        self.assertEqual(nest.run().out, "kept\n")
        self.assertEqual(len(self.records()), 1)
        self.unmount(nest.rootfs)
        shutil.rmtree(layers)
        shutil.rmtree(nest.rootfs)
        self.nest("true").run()
        self.assertEqual(self.records(), [])

    def test_inner_overlays_work_where_engines_keep_them(self):
        nest = self.nest("/attempts", "overlay", "/var/lib/docker")
        self.overlay(nest)
        self.assertEqual(set(self.answers(nest.run()).values()), {"OK"})
        self.runtime("forget", nest.id)

    def test_what_it_writes_reaches_the_engines_layer(self):
        nest = self.nest().shell("echo new > /made; rm /etc/passwd; stat -c %u /made")
        layers = self.overlay(nest)
        self.assertEqual(nest.run().out.split(), ["0"])
        made = os.path.join(layers, "diff", "made")
        self.assertEqual(os.stat(made).st_uid, 0)
        self.assertEqual(sorted(os.listdir(layers)), ["diff", "lower", "work"])

    def test_what_an_image_brings_is_there_once(self):
        nest = self.nest().shell("cat /var/lib/docker/image/name; stat -c %u /var/lib/docker/image; rm -r /var/lib/docker/image; touch /var/lib/docker/x")
        nest.file("/var/lib/docker/image/name", "inner")
        self.overlay(nest)
        self.assertEqual(nest.run().out, "inner0\n")
        self.assertEqual(nest.shell("ls /var/lib/docker").run().out, "x\n")
        self.runtime("forget", nest.id)

    def test_layers_named_from_a_directory_of_the_engines_are_found(self):
        nest = self.nest().shell("cat /etc/passwd | head -c 4; touch /made")
        layers = os.path.join(self.directory, "driver")
        merged = os.path.join(layers, "ID", "merged")
        for name in ("l", "ID/diff", "ID/work", "ID/merged"):
            os.makedirs(os.path.join(layers, name))
        os.rename(nest.rootfs, os.path.join(layers, "base"))
        os.symlink("../base", os.path.join(layers, "l/BASE"))
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", "lowerdir=l/BASE,upperdir=ID/diff,workdir=ID/work", "ID/merged"],
                       check=True, cwd=layers)
        self.mounted.append(merged)
        nest.config["root"]["path"] = merged
        self.assertEqual(nest.run().out, "root")
        self.assertTrue(os.path.exists(os.path.join(layers, "ID/diff/made")))

    def test_an_id_used_again_on_another_root_has_no_old_data(self):
        nest = self.nest().shell("echo kept > /var/lib/docker/file")
        self.overlay(nest)
        nest.run()
        self.unmount(nest.rootfs)
        other = self.nest().shell("ls -A /var/lib/docker")
        self.overlay(other, "other")
        other.id = nest.id
        self.assertEqual(other.run().out, "")
        self.runtime("forget", nest.id)

    def test_forget_refuses_a_nest_that_lives_and_says_what_it_does_not_know(self):
        nest = self.nest()
        self.overlay(nest)
        nest.up()
        self.assertIn("still has its container", self.runtime("forget", nest.id, rc=1).said)
        nest.exec("touch", "/var/lib/docker/file")
        nest.delete("--force")
        self.assertEqual(len(self.records()), 1)
        self.runtime("forget", nest.id)
        self.assertEqual(self.records(), [])
        self.assertIn("does not exist", self.runtime("forget", nest.id, rc=1).said)

    def test_a_second_engine_on_the_same_volume_is_refused(self):
        volume = self.volume()
        first, second = self.nest(), self.nest("true")
        for nest in (first, second):
            nest.mount("/var/lib/docker", volume)
        first.up()
        outcome = second.run(rc=1)
        self.assertIn(f"{volume} is in use by nest {first.id}", outcome.said)
        self.assertEqual(len(outcome.err.strip().splitlines()), 1, outcome)
        first.delete("--force")
        second.run()

    def test_a_read_only_volume_is_shared(self):
        first, second = self.nest(), self.nest("true")
        for nest in (first, second):
            nest.mount("/var/lib/docker", self.volume(), options=("rbind", "ro"))
        first.up()
        second.run()

    def test_a_volume_takes_the_place_of_the_nests_own_directory(self):
        volume = self.volume()
        nest = self.nest().shell("echo mine > /var/lib/docker/file")
        self.overlay(nest)
        nest.mount("/var/lib/docker", volume)
        nest.run()
        self.assertEqual(os.listdir(volume), ["file"])


class Failures(NestTest):
    def refused(self, nest, word, *flags):
        log = os.path.join(self.directory, "log.json")
        nest.write()
        outcome = self.runtime("--log", log, "--log-format", "json", "create", "--bundle", nest.bundle, nest.id, rc=1)
        with open(log) as file:
            lines = [json.loads(line) for line in file]
        os.remove(log)
        self.assertEqual([line["level"] for line in lines], ["error"], lines)
        self.assertIn(word, lines[0]["msg"])
        self.assertEqual(outcome.out, "")
        self.assertEqual((self.records(), self.ids_in_use(), self.claims()), ([], [], []))

    def test_the_hosts_namespaces_are_refused_in_one_line(self):
        for kind in ("network", "pid", "ipc"):
            nest = self.nest("true")
            nest.namespace(kind, False)
            self.refused(nest, "a nest needs a")

    def test_a_namespace_by_path_is_refused(self):
        nest = self.nest("true")
        nest.namespace("network", "/proc/self/ns/net")
        self.refused(nest, "network namespace of its own")

    def test_a_bad_config_is_refused_by_the_field(self):
        nest = self.nest("true")
        nest.linux["namespaces"] = 7
        self.refused(nest, "linux.namespaces")

    def test_what_the_runtime_refuses_leaves_no_nest(self):
        nest = self.nest("/there/is/no/such/program")
        self.overlay(nest)
        self.refused(nest, "no such file or directory")

    def test_an_id_in_use_is_refused_and_its_nest_goes_on(self):
        nest = self.nest().up()
        other = self.nest("true")
        other.id = nest.id
        self.assertIn("already exists", other.create(rc=1).said)
        self.assertEqual(nest.status(), "running")
        nest.exec("true")


if __name__ == "__main__":
    main()
