# SPDX-License-Identifier: BSD-2-Clause
"""zonerelayctl verify: says nothing against a sound store, finds every kind of damage, disturbs nobody."""

import hashlib
import json
import os
import random
import signal
import sqlite3
import threading
import time

import pytest

from lab import CTL, SLOW, Process
from scene import ZONE, Scene, copy_db, large_zone, look, zone_text

OTHER = "other.test"
LARGE = "large.test"


def verify(db, *args):
    """Exit status and what it says, as an object."""
    p = db.relay.ctl("--json", "verify", *args, check=False)
    return p.returncode, json.loads(p.stdout) if p.stdout else p.stderr


def history(s):
    """Some versions by IXFR and one by AXFR, so that there is a journal of both kinds."""
    for i in range(3):
        s.update([f"more{i} A 192.0.2.{i}", f"again{i} 300 TXT \"{i}\""], zone=LARGE)
    s.primary.update(LARGE, ["by-axfr A 192.0.2.7"], [s.primary.zone(LARGE).content[-1]])
    s.primary.once("IXFR", rcode="NOTIMP")
    assert s.notify(LARGE).rcode == "NOERROR"
    s.relay.wait_serial(LARGE, s.primary.zone(LARGE).serial)
    s.update(["last A 192.0.2.8"], ["more0 A 192.0.2.0"], zone=LARGE)
    s.settle(LARGE)


@pytest.fixture
def scene(lab):
    s = Scene(lab, {ZONE: zone_text(), OTHER: zone_text(zone=OTHER), LARGE: large_zone(zone=LARGE, records=60)})
    history(s)
    return s


def test_sound(scene):
    """While it runs, after it has ended, and by one who may only read."""
    s = scene
    status, said = verify(s)
    assert status == 0 and said["sound"] and said["faults"] == [] and said["zones"] == 3, said
    assert said["records"] == sum(len(s.content(z)) for z in (ZONE, OTHER, LARGE))
    assert said["segments"] > 5 and said["steps"] == 5, said
    assert verify(s, ZONE)[1]["zones"] == 1 and verify(s, ZONE, "LARGE.test.")[1]["zones"] == 2
    text = s.relay.ctl("verify").stdout
    assert text.endswith("sound\n") and text.count("\n") == 1
    s.relay.stop()
    assert verify(s)[0] == 0


def test_what_cannot_be_opened(scene, lab):
    s = scene
    assert s.relay.ctl("verify", "unknown.test", check=False).returncode == 4
    assert s.relay.ctl("verify", "a..b", check=False).returncode == 2
    p = s.relay.ctl("-d", os.path.join(lab.path, "none.db"), "verify", check=False)
    assert p.returncode == 2 and "none.db" in p.stderr, p
    newer = copy_db(s.relay.db, lab.folder("newer"))
    db = sqlite3.connect(newer)
    db.execute("PRAGMA user_version = 99")
    db.close()
    p = s.relay.ctl("-d", newer, "verify", check=False)
    assert p.returncode == 2 and "99" in p.stderr, p
    nothing = os.path.join(lab.path, "nothing.db")
    with open(nothing, "wb") as f:
        f.write(b"this is no database at all\n" * 1000)
    p = s.relay.ctl("-d", nothing, "verify", check=False)
    assert p.returncode == 1 and "nothing.db" in p.stdout and "move the file away" in p.stdout, p


def large_id(db):
    return db.execute("SELECT id FROM zone WHERE soa IS NOT NULL ORDER BY records DESC").fetchone()[0]


def live(db):
    """Segments of the large zone, in order."""
    return db.execute("SELECT s.key, s.born, s.id, c.data FROM segment AS s JOIN content AS c ON c.id = s.id"
                      " WHERE s.zone = ? AND s.died IS NULL ORDER BY s.key", (large_id(db),)).fetchall()


def rewrite(db, number, data):
    """Other octets with the digest that goes with them, in the segment and the zone."""
    key, born, row, old = live(db)[number]
    total = db.execute("SELECT digest FROM zone WHERE id = ?", (large_id(db),)).fetchone()[0]
    new = (int.from_bytes(total, "big") - int.from_bytes(hashlib.sha256(old).digest(), "big")
           + int.from_bytes(hashlib.sha256(data).digest(), "big")) % 2**256
    db.execute("UPDATE content SET data = ? WHERE id = ?", (data, row))
    db.execute("UPDATE segment SET digest = ?, octets = ? WHERE zone = ? AND key = ? AND born = ?",
               (hashlib.sha256(data).digest(), len(data), large_id(db), key, born))
    db.execute("UPDATE zone SET digest = ?, octets = octets + ? WHERE id = ?",
               (new.to_bytes(32, "big"), len(data) - len(old), large_id(db)))


def flip_bit(db):
    row, data = live(db)[2][2:]
    db.execute("UPDATE content SET data = ? WHERE id = ?", (data[:50] + bytes([data[50] ^ 1]) + data[51:], row))


def cut_short(db):
    rewrite(db, 2, live(db)[2][3][:-3])


def garbage(db):
    rewrite(db, 2, b"\xc0\xff" * 400)


def other_serial(db):
    db.execute("UPDATE zone SET serial = serial + 1 WHERE id = ?", (large_id(db),))


def lose_segment(db):
    key, born, _, _ = live(db)[3]
    db.execute("DELETE FROM segment WHERE zone = ? AND key = ? AND born = ?", (large_id(db), key, born))


def lose_content(db):
    db.execute("DELETE FROM content WHERE id = ?", (live(db)[3][2],))


def swap_content(db):
    a, b = live(db)[2], live(db)[3]
    for x, y in ((a, b), (b, a)):
        db.execute("UPDATE content SET data = ? WHERE id = ?", (y[3], x[2]))


def swap_segments(db):
    """The octets and all that is noted of them, but not the keys."""
    a, b = live(db)[2], live(db)[3]
    rows = [db.execute("SELECT id, rrs, octets, digest FROM segment WHERE id = ?", (x[2],)).fetchone() for x in (a, b)]
    for x, y in ((a, rows[1]), (b, rows[0])):
        db.execute("UPDATE segment SET id = ?, rrs = ?, octets = ?, digest = ? WHERE zone = ? AND key = ? AND born = ?",
                   (*y, large_id(db), x[0], x[1]))
    for x, y in ((a, b), (b, a)):
        db.execute("UPDATE content SET key = ?, born = ? WHERE id = ?", (y[0], y[1], x[2]))


def other_key(db):
    key, born, row, _ = live(db)[3]
    db.execute("UPDATE segment SET key = ? WHERE zone = ? AND key = ? AND born = ?",
               (key[:-3] + b"\x2b" + key[-3:], large_id(db), key, born))
    db.execute("UPDATE content SET key = ? WHERE id = ?", (key[:-3] + b"\x2b" + key[-3:], row))


def count(column):
    def change(db):
        db.execute(f"UPDATE zone SET {column} = {column} + 1 WHERE id = ?", (large_id(db),))
    change.__name__ = "count_" + column
    return change


def other_sum(db):
    db.execute("UPDATE zone SET digest = zeroblob(32) WHERE id = ?", (large_id(db),))


def record_count(db):
    db.execute("UPDATE segment SET rrs = rrs + 1 WHERE id = ?", (live(db)[2][2],))
    db.execute("UPDATE zone SET records = records + 1 WHERE id = ?", (large_id(db),))


def chunk(db, part, newest=True):
    return db.execute(f"SELECT version, step, part, chunk, id FROM journal WHERE zone = ? AND part = ?"
                      f" ORDER BY version {'DESC' if newest else ''}, step LIMIT 1", (large_id(db), part)).fetchone()


def lose_chunk(db):
    db.execute("DELETE FROM journal WHERE id = ?", (chunk(db, 0)[4],))


def lose_oldest_step(db):
    db.execute("DELETE FROM journal WHERE zone = ? AND version = ?", (large_id(db), chunk(db, 0, False)[0]))


def lose_middle_step(db):
    db.execute("DELETE FROM journal WHERE zone = ? AND version = ?", (large_id(db), chunk(db, 0)[0] - 2))


def lose_newest_step(db):
    db.execute("DELETE FROM journal WHERE zone = ? AND version = ?", (large_id(db), chunk(db, 0)[0]))


def lose_chunk_content(db):
    db.execute("DELETE FROM content WHERE id = ?", (chunk(db, 1)[4],))


def break_chunk(db):
    db.execute("UPDATE content SET data = substr(data, 1, length(data) - 2) WHERE id = ?", (chunk(db, 1)[4],))


def other_step_serial(db):
    db.execute("UPDATE journal SET from_serial = from_serial + 1 WHERE zone = ? AND version = ?",
               (large_id(db), chunk(db, 0)[0]))


def other_addition(db):
    """A well-made step that adds something else: "last" becomes "lost"."""
    row = chunk(db, 1)[4]
    data = db.execute("SELECT data FROM content WHERE id = ?", (row,)).fetchone()[0]
    assert b"\x04last" in data
    db.execute("UPDATE content SET data = ? WHERE id = ?", (data.replace(b"\x04last", b"\x04lost"), row))


def other_deletion(db):
    """One that deletes what stays: "more0" becomes "more1"."""
    row = chunk(db, 0)[4]
    data = db.execute("SELECT data FROM content WHERE id = ?", (row,)).fetchone()[0]
    assert b"\x05more0" in data
    # with the address of the other one
    data = data.replace(b"\x05more0", b"\x05more1").replace(b"\xc0\x00\x02\x00", b"\xc0\x00\x02\x01")
    db.execute("UPDATE content SET data = ? WHERE id = ?", (data, row))


def stray_mark(db):
    db.execute("INSERT INTO mark (zone, pending, since) VALUES (99, 1, 1)")


def stray_outbox(db):
    db.execute("INSERT INTO outbox VALUES (999, 99, 'down', '192.0.2.1@53', 6, 1, 0, 0)")


def stray_hook(db):
    db.execute("INSERT INTO hook VALUES (99, 'down', 1, 0, 1, NULL, '', 0, 0)")


def stray_segment(db):
    db.execute("UPDATE segment SET zone = 99 WHERE id = ?", (live(db)[3][2],))


def stray_content(db):
    db.execute("INSERT INTO content SELECT max(id) + 1, zone, x'00', 1, x'00', NULL FROM content")


DAMAGE = [
    (flip_bit, "digest that is noted"), (cut_short, "cannot be read"), (garbage, "cannot be read"),
    (other_serial, "its SOA has serial"), (lose_segment, "segments,"), (lose_content, "octets are not there"),
    (swap_content, "digest that is noted"), (swap_segments, "does not come behind"), (other_key, "key"),
    (count("segments"), "segments,"), (count("records"), "records,"), (count("octets"), "octets,"),
    (other_sum, "sum of those of its segments"), (record_count, "records,"),
    (lose_chunk, "does not lead"), (lose_oldest_step, "does not begin where it should"),
    (lose_middle_step, "does not lead to what comes behind"), (lose_newest_step, "does not lead to the content"),
    (lose_chunk_content, "octets are not there"), (break_chunk, "cannot be read"),
    (other_step_serial, "SOA of serial"), (count("journal_steps"), "steps,"), (count("journal_octets"), "octets,"),
    (other_addition, "added by it and is not there"), (other_deletion, "deleted by it and is there all the same"),
    (stray_mark, "of no zone"), (stray_outbox, "of no zone"), (stray_hook, "of no zone"),
    (stray_segment, "of no zone"), (stray_content, "belong to nothing"),
]


def test_every_damage_is_found(scene, lab):
    """Each by itself, in the right zone, with what to do; the other zones are sound all the same."""
    s = scene
    s.relay.stop()
    folder = lab.folder("copy")
    for change, words in DAMAGE:
        path = copy_db(s.relay.db, folder)
        db = sqlite3.connect(path)
        with db:
            change(db)
        db.close()
        p = s.relay.ctl("--json", "-d", path, "verify", check=False)
        assert p.returncode == 1, (change.__name__, p)
        said = json.loads(p.stdout)
        assert not said["sound"] and said["fault_count"] == len(said["faults"]) > 0
        assert any(words in f["what"] for f in said["faults"]), (change.__name__, said["faults"])
        for f in said["faults"]:
            if f["zone"] is not None:
                assert f["zone"] == LARGE and f["next"] == f"zonerelayctl retransfer {LARGE}", (change.__name__, f)
        # In words: one line for each fault.
        p = s.relay.ctl("-d", path, "verify", check=False)
        assert p.returncode == 1 and p.stdout.count("\n") == said["fault_count"] + 1, p.stdout
        assert s.relay.ctl("-d", path, "verify", ZONE, OTHER).stdout.endswith("sound\n"), change.__name__


def test_damaged_pages(scene, lab):
    """Pages overwritten, one at a time: always an answer, never sound when a page in use is gone."""
    s = scene
    s.relay.stop()
    folder = lab.folder("copy")
    size = os.path.getsize(s.relay.db)
    [(free,)] = look(s.relay.db, "PRAGMA freelist_count")
    found = 0
    for page in range(0, size // 4096):
        path = copy_db(s.relay.db, folder)
        with open(path, "r+b") as f:
            f.seek(page * 4096)
            f.write(b"\xa5" * 4096)
        p = s.relay.ctl("-d", path, "verify", check=False)
        assert p.returncode in (0, 1), (page, p)
        assert p.returncode == 1 or p.stdout.endswith("sound\n"), (page, p)
        found += p.returncode
    assert found > 0.8 * (size // 4096 - free), (found, size // 4096, free)


def test_while_zones_change(scene):
    """Nobody waits, and nothing is reported that is not so."""
    s = scene
    ending = threading.Event()
    failures = []

    def work():
        i = 0
        try:
            while not ending.is_set():
                i += 1
                gone = s.primary.zone(LARGE).content[-2:] if i % 3 == 0 else []
                s.primary.update(LARGE, [f"busy{i} A 192.0.2.9"], gone)
                if i % 7 == 0:
                    s.primary.once("IXFR", rcode="NOTIMP")
                s.notify(LARGE)
        except Exception as e:  # pylint: disable=broad-except
            failures.append(repr(e))

    t = threading.Thread(target=work)
    t.start()
    try:
        for _ in range(100 if SLOW <= 1 else 30):
            status, said = verify(s)
            assert status == 0, said
    finally:
        ending.set()
        t.join()
    assert not failures, failures
    assert len(s.relay.events("committed")) > 20
    assert not s.relay.events("store-order-failed")


def test_zone_moves_on(lab):
    """Stopped while it reads a version that is then swept away: it reads the next one, and finds no fault."""
    s = Scene(lab, {LARGE: large_zone(zone=LARGE, records=3000)})
    s.settle(LARGE)
    out = os.path.join(lab.path, "verify.log")
    rng = random.Random(1)
    for i in range(200):
        if os.path.exists(out):
            os.unlink(out)
        p = Process([CTL, "-c", s.relay.conf, "-j", "verify", LARGE], out, lab.path).start()
        time.sleep(rng.uniform(0, 0.03 * SLOW))
        p.proc.send_signal(signal.SIGSTOP)
        s.update([f"zz{i} A 192.0.2.9"], zone=LARGE)
        s.settle(LARGE)
        time.sleep(0.15 * SLOW)     # the old version is swept a moment after the commit
        p.proc.send_signal(signal.SIGCONT)
        assert p.proc.wait(30 * SLOW) == 0, p.output()
        if json.loads(p.output())["again"] > 0:
            return
    raise AssertionError("the zone never moved on while it was read")


def test_progress_is_for_terminals(scene):
    """Nothing on standard error of a pipe."""
    assert scene.relay.ctl("verify").stderr == ""
