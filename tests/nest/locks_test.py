"""What a nest's root cannot undo, and what it can do all the same.

Layer: tests. Users: ctest (tests.nest.locks).
SPDX-License-Identifier: Apache-2.0
"""
import os

from nests import NestTest, main


class Locks(NestTest):
    def test_a_read_only_volume_stays_so_by_every_call_there_is(self):
        nest = self.nest("/attempts", "locked", "/v")
        volume = self.volume()
        nest.mount("/v", volume, options=("rbind", "ro"))
        answers = self.answers(nest.run())
        self.assertEqual(len(answers), 7, answers)
        for attempt, answer in answers.items():
            self.assertIn(answer, ("EPERM", "EINVAL", "EROFS", "EBUSY"), attempt)
        self.assertEqual(os.listdir(volume), [])

    def test_a_mask_and_a_read_only_path_stay(self):
        for path in ("/proc/bus", "/proc/acpi", "/sys/firmware"):
            nest = self.nest("/attempts", "locked", path)
            answers = self.answers(nest.run())
            for attempt in ("remount", "mount_setattr", "umount", "umount_detach", "move"):
                self.assertNotEqual(answers[attempt], "OK", (path, attempt))

    def test_a_read_only_root_stays_so(self):
        nest = self.nest().shell("mount -o remount,bind,rw /; mount -o remount,rw /; touch /x; echo $?")
        nest.config["root"]["readonly"] = True
        self.assertEqual(nest.run().out.split()[-1], "1")

    def test_every_kind_of_mount_can_be_made_inside(self):
        script = """
        for kind in proc sysfs tmpfs mqueue devpts; do mount -t $kind $kind /mnt && umount /mnt && echo $kind; done
        """
        nest = self.nest().shell("mkdir -p /mnt;" + script)
        self.assertEqual(nest.run().out.split(), ["proc", "sysfs", "tmpfs", "mqueue", "devpts"])

    def test_a_mount_that_fails_ends_run_with_its_error(self):
        nest = self.nest("true")
        nest.mount("/v", "none", kind="nosuchfs", options=())
        self.assertIn("no such device", nest.run(rc=1).err)

    def test_an_inner_user_namespace_has_its_own_proc_and_sysfs(self):
        answers = self.answers(self.nest("/attempts", "nested").run())
        self.assertEqual(answers, {"proc": "OK", "sysfs": "OK"})

    def test_inner_overlays_work_on_a_plain_directory(self):
        nest = self.nest("/attempts", "overlay", "/var")
        self.assertEqual(set(self.answers(nest.run()).values()), {"OK"})

    def test_its_own_tmpfs_may_be_unmounted(self):
        nest = self.nest().shell("umount /dev/shm && echo gone")
        nest.mount("/run", kind="tmpfs", options=("nosuid",))
        nest.process["args"][-1] += "; umount /run && echo gone"
        self.assertEqual(nest.run().out.split(), ["gone", "gone"])


class Ids(NestTest):
    def test_two_nests_share_no_id(self):
        first, second = self.nest().up(), self.nest().up()
        self.assertNotEqual(self.first_id(first), self.first_id(second))
        for nest in (first, second):
            with open(f"/proc/{nest.pid}/status") as file:
                uids = next(line for line in file if line.startswith("Uid:")).split()[1:]
            self.assertEqual(set(uids), {str(self.first_id(nest))})
            self.assertGreaterEqual(self.first_id(nest), 65536)

    def test_files_keep_their_owners_on_both_sides(self):
        nest = self.nest().shell("stat -c %u /v/given; touch /v/made /made; chown 7:7 /v/made; stat -c %u /v/made")
        volume = self.volume()
        with open(os.path.join(volume, "given"), "w"):
            pass
        os.chown(os.path.join(volume, "given"), 5, 5)
        nest.mount("/v", volume)
        self.assertEqual(nest.run().out.split(), ["5", "7"])
        self.assertEqual(os.stat(os.path.join(volume, "made")).st_uid, 7)
        self.assertEqual(os.stat(os.path.join(nest.rootfs, "made")).st_uid, 0)

    def test_a_callers_user_namespace_is_kept(self):
        nest = self.nest().shell("cat /proc/self/uid_map")
        nest.user_namespace(host=300000)
        self.assertEqual(nest.run().out.split(), ["0", "300000", "65536"])

    def test_root_has_the_capabilities_of_its_grants_and_other_users_none(self):
        nest = self.nest().shell("grep CapEff /proc/self/status")
        with open("/proc/sys/kernel/cap_last_cap") as file:
            every = (1 << int(file.read()) + 1) - 1
        perfmon, bpf = 38, 39  # source: linux/capability.h
        self.assertEqual(int(nest.run().out.split()[1], 16), every & ~(1 << perfmon | 1 << bpf))
        other = self.nest().shell("grep CapEff /proc/self/status")
        other.process["user"] = {"uid": 1000, "gid": 1000}
        other.process["capabilities"] = {"bounding": []}
        self.assertEqual(int(other.run().out.split()[1], 16), 0)


if __name__ == "__main__":
    main()
