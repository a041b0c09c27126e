# SPDX-License-Identifier: BSD-2-Clause
"""The guards against disks, files and clocks that fail, and against crashes; see guards.py."""

from guards import U, guard

DISK, VERIFY, TIMERS = "test_disk.py::test_", "test_verify.py::test_", "test_timers.py::test_"
CRASH = ("test_pair_crash.py::test_campaign", U + "store/test_crash")
MIGRATE, FILE = "agent/store/migrate.c", "agent/store/file.c"

STORAGE = [
    # ---- nothing can be written ----
    *guard("a full disk: NOTIFY is answered all the same", "-", "agent/app/route.c",
           "answer_marked(en, arg.marked.seq, ok);", "answer_marked(en, arg.marked.seq, true);",
           DISK + "every_write[ENOSPC]", DISK + "limit_on_files"),
    *guard("a read-only disk: the same", "-", "agent/app/route.c",
           "answer_marked(en, arg.marked.seq, ok);", "answer_marked(en, arg.marked.seq, true);",
           DISK + "every_write[EROFS]"),
    *guard("a limit on the size of files is a signal", "-", "agent/app/main.c",
           "signal(SIGXFSZ, SIG_IGN);", "signal(SIGXFSZ, SIG_DFL);", DISK + "limit_on_files"),
    # ---- what is read is not what was written ----
    *guard("a damaged segment is sent", "-", "agent/store/reader.c",
           "rc = sum_of(data, len, (uint64_t)id) == sum;", "rc = 1;",
           DISK + "damaged_segment", U + "store/test_damage"),
    *guard("a damaged difference is sent", "-", "agent/store/journal.c",
           "else if (!q_null(&q, 7) && sum_of(", "else if (false && sum_of(", DISK + "damaged_journal",
           U + "store/test_journal"),
    *guard("a damaged journal is kept", "-", "agent/app/serve.c",
           "if (d->journal.code == ZR_DAMAGED)", "if (false)", DISK + "damaged_journal"),
    *guard("verify believes it", "-", "agent/tool/verify_zone.c",
           "if (!digest_of(w->data.data, w->data.len, digest) ||", "if (false ||", VERIFY + "every_damage_is_found"),
    *guard("a newer schema", "-", MIGRATE, "if (h.version > SQL_MIGRATIONS)", "if (h.version > 1000)",
           DISK + "newer_schema"),
    *guard("the database of another program", "-", MIGRATE, "if (h.application != DB_APPLICATION_ID)", "if (false)",
           DISK + "not_a_database"),
    *guard("the file is deleted or replaced", "-", FILE, "if (!f->known || (there &&", "if (true || (there &&",
           DISK + "deleted_under_the_daemon", DISK + "replaced_under_the_daemon", DISK + "folder_deleted"),
    *guard("two daemons", "-", "agent/store/lock.c",
           "if (flock(fd, LOCK_EX | LOCK_NB) < 0) {", "if (fd < 0) {", DISK + "two_daemons"),
    # ---- the clock ----
    *guard("a clock set back makes zones live longer", "-", "agent/core/zone_time.c",
           "left = min64(left, whole_us);", "(void)whole_us;", TIMERS + "clock_sanity", U + "core/test_zone_time"),
    # ---- crashes and power cuts ----
    *guard("a power cut: marks are not synced", "-", "agent/store/sync.c",
           "if (fdatasync(c->fd) != 0) {", "if (c->fd < 0) {", U + "store/test_group", *CRASH),
    *guard("a mark found at the start is taken for synced", "-", "agent/store/sync.c",
           "if (c->fd >= 0 && fdatasync(c->fd) != 0)", "if (false)", U + "store/test_group"),
    *guard("a power cut: other content under the same serial, fetched and lost", "-", "agent/core/zone_store.c",
           "c->durable = anew ||", "c->durable =", U + "core/test_zone_force"),
    *guard("a sync that failed is forgotten", "-", "agent/store/sync.c",
           "if (c == NULL || !atomic_load(&c->broken))", "if (c == NULL || true)", U + "store/test_group"),
    *guard("a power cut: what was served and is lost is not looked for", "-", "agent/app/restore.c",
           "if (ended.us == 0)", "if (false)", TIMERS + "start_that_checks_all"),
    *guard("an end with checks left over counts as orderly", "-", "agent/app/restore.c",
           "if (a->stopping && a->unseen == 0)", "if (a->stopping)", TIMERS + "start_that_checks_all"),
    *guard("the file keeps saying that the last end was orderly", "-", "agent/store/ending.c",
           "if (s->end_open || put(s, 0, e) == 0)", "if (true)", U + "store/test_ending"),
]
