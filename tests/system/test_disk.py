# SPDX-License-Identifier: BSD-2-Clause
"""Disks, files and clocks that fail under the daemon: it says what to do, serves what it can, and heals by itself.

Where the right to mount is missing, a limit on the size of files stands in for a full disk.
"""

import errno
import os
import random
import resource
import shutil
import sqlite3
import subprocess
import time

import pytest

from lab import DAEMON, SLOW, wait_for, which
from relay import Relay
from scene import ZONE, Scene, check_db, copy_db, large_zone, look, zone_text
from strike import library

OTHER = "other.test"
LARGE = "large.test"
DAY = 86400


@pytest.fixture
def faults(lab):
    """Builds the library that makes the world fail; the folder that tells it how."""
    return Faults(library(lab, "faults"), lab.folder(os.path.join("relay", "faults")))  # where the daemon may look


class Faults:
    def __init__(self, library, folder):
        self.folder = folder
        self.env = {"LD_PRELOAD": library, "ZR_FAULTS": folder,
                    "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}

    def set(self, what, *values):
        path = os.path.join(self.folder, what)
        with open(path + ".new", "w") as f:
            f.write(" ".join(str(v) for v in values))
        os.rename(path + ".new", path)

    def clear(self, what):
        path = os.path.join(self.folder, what)
        if os.path.exists(path):
            os.unlink(path)


def served(s, zone=ZONE, serials=None):
    """The zone is served whole, in a version the primary had; its serial."""
    t = s.axfr(zone)
    assert t.kind == "full", (t.kind, t.rcode, t.broken)
    assert t.keys() == s.content(zone, t.serial)
    assert serials is None or t.serial in serials, (t.serial, serials)
    return t.serial


def refused(s, zone=ZONE):
    """NOTIFY is not answered NOERROR: it could not be kept."""
    answer = s.notify(zone, hint=False)
    return answer is not None and answer.rcode == "SERVFAIL"


def heals(s, zone=ZONE):
    """NOTIFY is answered again, and what it announces arrives; without a restart."""
    wait_for(lambda: (lambda a: a is not None and a.rcode == "NOERROR")(s.notify(zone, hint=False)), 30, "NOERROR")
    s.relay.wait_serial(zone, s.primary.zone(zone).serial, 30)
    s.settle(zone, 60)
    assert served(s, zone) == s.primary.zone(zone).serial
    p = s.relay.ctl("verify", check=False)
    assert p.returncode == 0, p.stdout


def said(s, *words):
    """A line of the log with all of these; also that it names the file."""
    for line in s.relay.process.output().splitlines():
        if all(w in line for w in words) and s.relay.db in line:
            return line
    raise AssertionError(f"nobody says {words}: {s.relay.process.output()[-3000:]}")


# ---- no space ----


def test_limit_on_files(lab):
    """RLIMIT_FSIZE at many sizes: marks and commits fail, zones are served, and all is well when it is lifted."""
    s = Scene(lab, {ZONE: zone_text(), LARGE: large_zone(zone=LARGE, records=300)})
    s.settle()
    s.settle(LARGE)
    pid = s.relay.process.pid
    hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
    for limit in (0, 4096, None):
        if limit is None:       # the log must have room to say what it is
            limit = os.path.getsize(s.relay.process.log) + 200000
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, hard))
        before = s.relay.serial(ZONE)
        # The WAL may lie below the limit for a while: it grows with every mark.
        wait_for(lambda: refused(s), 30, "SERVFAIL", every=0)
        s.update([f"a{limit} A 192.0.2.9"], notify=False, wait=False)
        assert refused(s)
        served(s, ZONE, (before, before + 1))
        served(s, LARGE)
        if limit > 4096:
            said(s, "mark-failed", "limit on the size of files")
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
        heals(s)
    s.relay.stop()
    check_db(s.relay.db)


def small_disk(lab, size):
    """A folder on a file system of its own, or None."""
    folder = lab.folder("disk")
    p = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "none", folder], capture_output=True,
                       check=False)
    if p.returncode != 0:
        return None

    class Disk:
        def stop(self):
            subprocess.run(["umount", "-l", folder], check=False)
    lab.add(Disk())
    return folder


def test_full_disk(lab):
    """A transfer that does not fit fails with what to do; when there is room again it is done without being asked."""
    folder = small_disk(lab, "6m")
    zones = {ZONE: zone_text(), LARGE: large_zone(zone=LARGE, records=60, refresh=2, retry=1)}
    s = Scene(lab, zones, start=False, template={"refresh": "1s..4w", "retry": "1s..2w"})
    if folder:
        s.relay.db = os.path.join(folder, "zonerelay.db")
        s.relay.write()
    s.relay.start()
    s.relay.wait_serial(LARGE, 1)
    s.settle()
    pid = s.relay.process.pid
    if folder:
        with open(os.path.join(folder, "filler"), "wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"x" * 4096)
            except OSError:
                pass
            f.truncate(max(f.tell() - 500000, 0))
        words = "free space on its disk"
    else:
        hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1000000, hard))
        words = "limit on the size of files"
    s.primary.once("IXFR", 1000, rcode="NOTIMP")
    s.primary.replace(LARGE, large_zone(2, zone=LARGE, records=2000, fill="y", refresh=2, retry=1))
    s.notify(LARGE)
    s.relay.wait_event("transfer-failed", timeout=60)
    said(s, words)
    served(s, LARGE, (1,))
    served(s, ZONE)
    if folder:
        os.unlink(os.path.join(folder, "filler"))
    else:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
    if folder:
        # The new version would never fit beside the old one in 6 MB together with its journal.
        subprocess.run(["mount", "-o", "remount,size=40m", folder], check=True)
    s.relay.wait_serial(LARGE, 2, 60)       # nobody has asked for it
    heals(s, LARGE)
    heals(s)
    s.relay.stop()
    check_db(s.relay.db)


@pytest.mark.parametrize("error", ["ENOSPC", "EIO", "EROFS"])
def test_every_write(lab, faults, error):
    """From the first, second, third ... write on everything fails: never a mixed version, nothing promised in vain."""
    s = Scene(lab, {ZONE: zone_text(), OTHER: zone_text(zone=OTHER)}, env=faults.env)
    s.settle()
    reached = 0
    for after in (*range(0, 9), 12, 20) if error == "ENOSPC" else (0, 1, 4, 12):
        before = s.primary.zone(ZONE).serial
        faults.set("write", getattr(errno, error), after)
        s.primary.update(ZONE, [f"w{after} A 192.0.2.9"])
        answer = s.notify()
        if answer is not None and answer.rcode == "NOERROR":
            reached += 1
        served(s, ZONE, (before, before + 1))
        served(s, OTHER, (1,))
        assert s.relay.serial(ZONE) in (before, before + 1)
        faults.clear("write")
        heals(s)
        s.relay.check_alive()
    assert 0 < reached, "later faults leave the mark alone"
    faults.set("write", getattr(errno, error), 0)
    assert refused(s)
    said(s, "store-order-failed")
    faults.clear("write")
    heals(s)
    s.relay.stop()
    check_db(s.relay.db)


def test_end_on_full_disk(lab, faults):
    """It ends in order although nothing can be written, and the next start goes on."""
    s = Scene(lab, env=faults.env)
    s.settle()
    faults.set("write", errno.ENOSPC, 0)
    assert refused(s)
    s.relay.stop()
    faults.clear("write")
    s.relay.start()
    heals(s)


# ---- what it is to be started on ----


def starts_not(relay, *words):
    """It ends with status 1 and says why, with the name of the file."""
    at = len(relay.process.output()) if os.path.exists(relay.process.log) else 0
    relay.start(wait=False)
    status = relay.process.proc.wait(30 * SLOW)
    relay.may_end = True
    text = relay.process.output()[at:]
    assert status == 1, (status, text)
    assert all(w in text for w in words) and relay.db in text, text


def test_not_a_database(lab):
    s = Scene(lab, start=False)
    with open(s.relay.db, "wb") as f:
        f.write(b"A letter to my mother.\n" * 1000)
    with open(s.relay.db, "rb") as f:
        before = f.read()
    starts_not(s.relay, "no database", "move it away")
    with open(s.relay.db, "rb") as f:
        assert f.read() == before
    os.unlink(s.relay.db)
    sqlite3.connect(s.relay.db).execute("CREATE TABLE recipes (title)")
    starts_not(s.relay, "another program")
    os.unlink(s.relay.db)
    os.mkdir(s.relay.db)
    starts_not(s.relay, "cannot open")
    os.rmdir(s.relay.db)
    s.relay.start()
    s.relay.wait_serial(ZONE, 1)


def test_newer_schema(lab):
    s = Scene(lab)
    s.relay.stop()
    db = sqlite3.connect(s.relay.db)
    version = db.execute("PRAGMA user_version").fetchone()[0]
    db.execute("PRAGMA user_version = 77")
    db.close()
    starts_not(s.relay, "newer", "77", "update")
    assert s.relay.ctl("zones", check=False).returncode != 0
    db = sqlite3.connect(s.relay.db)
    db.execute(f"PRAGMA user_version = {version}")
    db.close()
    s.relay.start()
    served(s)


def test_no_right_to_write(lab):
    """A file or a folder of somebody else's."""
    run = lab.folder("run")
    s = Scene(lab, server={"control": os.path.join(run, "s")})
    s.relay.stop()
    if os.getuid() == 0:
        os.chown(run, 65534, 65534)
        os.chown(s.relay.dir, 65534, 65534)
        s.relay.process.argv = [which("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups",
                                *s.relay.process.argv]
        if os.stat(os.path.dirname(os.path.abspath(DAEMON))).st_mode & 1 == 0:
            os.chmod(os.path.dirname(os.path.abspath(DAEMON)), 0o755)
        for folder in (s.relay.dir, lab.path, os.path.dirname(lab.path), os.path.dirname(os.path.dirname(lab.path))):
            os.chmod(folder, os.stat(folder).st_mode | 0o11)
        os.chmod(s.relay.conf, 0o644)
        os.unlink(s.relay.db + ".lock")
        os.chmod(s.relay.db, 0o644)
        starts_not(s.relay, "cannot be written", f"chown 65534:65534 {s.relay.db}*")
        os.chmod(s.relay.db, 0)
        starts_not(s.relay, "cannot be written", f"chown 65534:65534 {s.relay.db}*")
        for end in ("", ".lock", "-wal", "-shm"):
            if os.path.exists(s.relay.db + end):
                os.chown(s.relay.db + end, 65534, 65534)
        os.chmod(s.relay.db, 0o600)
        os.chown(s.relay.dir, 0, 0)
        starts_not(s.relay, "cannot be written", f"chown 65534:65534 {s.relay.dir}")
        os.chown(s.relay.dir, 65534, 65534)
    else:
        os.chmod(s.relay.db, 0o400)
        starts_not(s.relay, "cannot be written", "chown")
        os.chmod(s.relay.db, 0)
        starts_not(s.relay, "cannot be written", "chown")
        os.chmod(s.relay.db, 0o600)
        os.chmod(s.relay.dir, 0o500)
        starts_not(s.relay, "cannot be written", "chown")
        os.chmod(s.relay.dir, 0o700)
    s.relay.start()
    served(s)


def test_read_only_disk(lab):
    """Mounted read-only, as after an error of the disk: it says so, and goes on when that is over.

    That a running daemon's disk becomes read-only is a case of test_every_write.
    """
    folder = small_disk(lab, "20m")
    if folder is None:
        pytest.skip("no right to mount")
    s = Scene(lab, start=False)
    s.relay.db = os.path.join(folder, "zonerelay.db")
    s.relay.write()
    s.relay.start()
    s.relay.wait_serial(ZONE, 1)
    s.settle()
    s.relay.stop()
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    starts_not(s.relay, "Read-only file system", "writable")
    assert s.relay.ctl("zones", check=False).returncode == 0, "what is there can be looked at"
    subprocess.run(["mount", "-o", "remount,rw", folder], check=True)
    s.relay.start()
    heals(s)


def test_two_daemons(lab):
    """The second one is told who has it; see also test_crash.py."""
    s = Scene(lab)
    second = Relay(lab, "second", primaries=s.relay.primaries, zones=[ZONE], server={"database": s.relay.db})
    second.db = s.relay.db
    starts_not(second, "in use by another zonerelayd", str(s.relay.process.pid), "stop that one")
    s.update(["new A 192.0.2.9"])


# ---- damaged ----


def spoil(path, octets, count=1):
    """Changes one bit in each place where the file has these octets."""
    with open(path, "rb") as f:
        data = f.read()
    at = [i for i in range(len(data)) if data.startswith(octets, i)] if len(data) < 10**6 else [data.index(octets)]
    assert len(at) >= count, f"{octets} is not in {path}"
    with open(path, "r+b") as f:
        for i in at:
            f.seek(i)
            f.write(bytes([octets[0] ^ 1]) + octets[1:])


def damaged_scene(lab, **how):
    zones = {LARGE: large_zone(zone=LARGE, records=100), OTHER: zone_text(zone=OTHER, more=["single TXT \"smallzone\""])}
    s = Scene(lab, zones, **how)
    for z in zones:
        s.settle(z)
    s.relay.stop()      # all is in the database itself
    return s


@pytest.mark.parametrize("zone, octets, first", [(LARGE, b"\x06z00090", False), (OTHER, b"smallzone", True)])
def test_damaged_segment(lab, zone, octets, first):
    """What is met damaged is not sent; one whole transfer makes it anew, without anybody asking."""
    s = damaged_scene(lab)
    spoil(s.relay.db, octets)
    s.relay.start()
    assert s.relay.serial(zone) == 1
    assert s.relay.ctl("verify", check=False).returncode == 1
    s.primary.forget()
    t = s.axfr(zone)
    assert t.kind != "full", "damaged octets were sent"
    if first:       # nothing had been sent: it is said in words
        assert t.rcode == "SERVFAIL", t.rcode
    served(s, OTHER if zone == LARGE else LARGE)
    found = s.relay.wait_event("zone-damaged")[0]
    assert found.level == "error" and found["zone"].rstrip(".") == zone and s.relay.db in found["reason"]
    wait_for(lambda: s.relay.ctl("verify", check=False).returncode == 0, 20, "sound again")
    s.settle(zone)
    assert s.primary.count("AXFR") == 1
    assert served(s, zone) == 1
    assert len(s.relay.events("zone-damaged")) == 1
    heals(s, zone)


def test_retransfer_mends(lab):
    """What verify says to do is enough, also when all the rest of the zone is the same."""
    s = damaged_scene(lab)
    spoil(s.relay.db, b"\x06z00050")
    s.relay.start()
    p = s.relay.ctl("verify", check=False)
    assert p.returncode == 1 and f"zonerelayctl retransfer {LARGE}" in p.stdout
    s.relay.ctl("retransfer", "--wait", LARGE)
    p = s.relay.ctl("verify", check=False)
    assert p.returncode == 0, p.stdout
    served(s, LARGE)


def test_difference_meets_damage(lab):
    """IXFR that touches a damaged segment becomes AXFR, which mends it."""
    s = damaged_scene(lab)
    spoil(s.relay.db, b"\x06z00050")
    s.relay.start()
    s.primary.forget()
    s.update(["z00050 A 192.0.2.9"], zone=LARGE)
    assert s.primary.count("IXFR") == 1 and s.primary.count("AXFR") == 1
    heals(s, LARGE)


def spoil_journal(s, last):
    """Other octets in the first or the last piece of the differences."""
    s.relay.stop()
    order = "ORDER BY version {0}, step {0}, part {0}, chunk {0} LIMIT 1".format("DESC" if last else "ASC")
    db = sqlite3.connect(s.relay.db)
    with db:
        n = db.execute("UPDATE content SET data = zeroblob(length(data)) WHERE id ="
                       f" (SELECT id FROM journal {order})").rowcount
        assert n == 1
    db.close()
    p = s.relay.ctl("verify", check=False)
    assert p.returncode == 1 and "its octets do not have the sum" in p.stdout and "journal" in p.stdout, p.stdout
    s.relay.set_ended()
    s.relay.start()
    s.primary.forget()


def journal_scene(lab):
    """Serial 2 differs from 1 by some messages' worth."""
    s = damaged_scene(lab)
    s.relay.start()
    s.update([f"y{i:05d} TXT \"{i} {'y' * 200}\" \"{'z' * 200}\" \"{'x' * 200}\"" for i in range(400)], zone=LARGE)
    s.settle(LARGE)
    s.down.wait_hint(LARGE, 2)
    return s


@pytest.mark.parametrize("last", [False, True], ids=["first piece", "last piece"])
def test_damaged_journal(lab, last):
    """The zone is sound: who asks for differences gets it whole, the primary is not asked, and it heals by itself."""
    s = journal_scene(lab)
    spoil_journal(s, last)
    t = s.ixfr(1, LARGE)
    if last:    # half of them had been sent
        assert t.kind not in ("full", "diff"), "damaged octets were sent"
        s.relay.wait_event("journal-damaged")
        t = s.ixfr(1, LARGE)
    assert t.kind == "full" and t.keys() == s.content(LARGE)
    found = s.relay.wait_event("journal-damaged")
    assert len(found) == 1 and found[0].level == "error" and found[0]["zone"].rstrip(".") == LARGE
    assert s.relay.db in found[0]["reason"] and "nothing" in found[0]["next"]
    wait_for(lambda: s.relay.ctl("verify", check=False).returncode == 0, 20, "sound again")
    assert served(s, LARGE) == 2 and not s.primary.queries and not s.relay.events("zone-damaged")
    heals(s, LARGE)
    s.update(["new A 192.0.2.9"], zone=LARGE)
    assert s.ixfr(2, LARGE).kind == "diff"
    assert len(s.relay.events("journal-damaged")) == 1


def test_damaged_journal_by_udp(lab):
    """By UDP one cannot have the whole zone, so it is told to come by TCP."""
    s = damaged_scene(lab)
    s.relay.start()
    s.update(["new A 192.0.2.9"], zone=LARGE)
    assert s.ixfr(1, LARGE, udp=True).kind == "diff"
    spoil_journal(s, False)
    assert s.ixfr(1, LARGE, udp=True).kind == "single"
    s.relay.wait_event("journal-damaged")
    wait_for(lambda: s.relay.ctl("verify", check=False).returncode == 0, 20, "sound again")
    t = s.ixfr(1, LARGE)
    assert t.kind == "full" and t.keys() == s.content(LARGE)


def root_page(path, name):
    db = sqlite3.connect(path)
    page = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).fetchone()[0]
    size = db.execute("PRAGMA page_size").fetchone()[0]
    db.close()
    return page, size


def overwrite(path, page, size):
    with open(path, "r+b") as f:
        f.seek((page - 1) * size + (100 if page == 1 else 0))
        f.write(random.Random(page).randbytes(size - (100 if page == 1 else 0)))


def test_damaged_schema(lab):
    """Page 1: it does not start and says what to do; doing that is enough."""
    s = damaged_scene(lab)
    overwrite(s.relay.db, 1, 4096)
    starts_not(s.relay, "damaged", "move it away", "transferred anew")
    p = s.relay.ctl("verify", check=False)
    assert p.returncode == 1 and "move the file away" in p.stdout
    os.rename(s.relay.db, s.relay.db + ".broken")
    s.relay.start()
    for z in (LARGE, OTHER):
        s.relay.wait_serial(z, 1)
    heals(s, LARGE)


@pytest.mark.parametrize("name", ["sqlite_autoindex_zone_1", "zone_removed", "segment_dead", "outbox_target", "mark",
                                  "segment", "content", "journal", "outbox", "transfer", "downstream_state", "zone",
                                  "hook", "meta"])
def test_damaged_tree(lab, name):
    """The root of any table or index: it starts or says why not; it never dies, and never sends what is wrong."""
    s = damaged_scene(lab)
    overwrite(s.relay.db, *root_page(s.relay.db, name))
    p = s.relay.ctl("verify", check=False)
    assert p.returncode == 1 and "move the file away" in p.stdout, p
    os.unlink(s.relay.process.log)
    s.relay.start(wait=False)
    wait_for(lambda: not s.relay.process.alive() or s.relay.events("ready"), 20, "ready or ended")
    if s.relay.events("ready"):
        for z in (LARGE, OTHER):
            s.update([f"new.{z}. A 192.0.2.9"], zone=z, notify=False, wait=False)
            s.notify(z)
            t = s.axfr(z)
            assert t.kind != "full" or t.keys() == s.content(z, t.serial)
        s.relay.ctl("zones", check=False)
        time.sleep(0.3)
        s.relay.check_alive()
        s.relay.may_end = True
        assert s.relay.process.stop() == 0
    else:
        s.relay.may_end = True
        assert s.relay.process.proc.wait(5) == 1
    # Indexes that it has no need of are found by verify alone.
    if name not in ("zone_removed", "segment_dead", "sqlite_autoindex_zone_1"):
        said(s, "is damaged")


# ---- gone ----


def test_deleted_under_the_daemon(lab):
    """Served on from what is open; NOTIFY is not promised; put back, all goes on."""
    s = Scene(lab)
    s.settle()
    kept = s.relay.db + ".kept"
    os.link(s.relay.db, kept)
    os.unlink(s.relay.db)
    gone = s.relay.wait_event("store-file-gone", timeout=30)[0]      # without any work to do
    assert gone.level == "error" and gone["file"] == s.relay.db and "put it back" in gone["next"]
    s.primary.update(ZONE, ["new A 192.0.2.9"])
    assert refused(s)
    assert served(s) == 1
    os.rename(kept, s.relay.db)
    heals(s)
    s.relay.wait_event("store-file-back")
    assert len(s.relay.events("store-file-gone")) == 1
    s.relay.restart()
    assert served(s) == 2


def test_replaced_under_the_daemon(lab):
    """A backup moved over it: nothing is written into either; a restart takes what is there."""
    s = Scene(lab)
    s.settle()
    backup = copy_db(s.relay.db, lab.folder("backup"))
    sqlite3.connect(backup).execute("PRAGMA wal_checkpoint(TRUNCATE)")
    s.update(["one A 192.0.2.9"])
    s.settle()
    os.rename(backup, s.relay.db)
    assert refused(s)
    s.relay.wait_event("store-file-gone")
    said(s, "store-order-failed", "replaced")
    assert served(s) == 2
    with open(s.relay.db, "rb") as f:
        before = f.read()
    s.relay.stop()
    with open(s.relay.db, "rb") as f:
        assert f.read() == before
    for end in ("-wal", "-shm"):
        if os.path.exists(s.relay.db + end):
            os.unlink(s.relay.db + end)     # of the one before
    s.relay.start()
    heals(s)


@pytest.mark.parametrize("end", ["-wal", "-shm"])
def test_deleted_beside_the_database(lab, end):
    s = Scene(lab)
    s.settle()
    os.unlink(s.relay.db + end)
    wait_for(lambda: refused(s), 10, "SERVFAIL")
    assert s.relay.wait_event("store-file-gone")[0]["file"] == s.relay.db + end
    assert served(s) == 1


def test_folder_deleted(lab):
    s = Scene(lab, start=False)
    folder = lab.folder("away")
    s.relay.db = os.path.join(folder, "zonerelay.db")
    s.relay.write()
    s.relay.start()
    s.relay.wait_serial(ZONE, 1)
    s.settle()
    shutil.rmtree(folder)
    wait_for(lambda: refused(s), 10, "SERVFAIL")
    assert served(s) == 1
    s.relay.stop()
    starts_not(s.relay, "there is no such folder", "mkdir -p")
    os.mkdir(folder)
    s.relay.start()
    s.relay.wait_serial(ZONE, 1)


# ---- the clock ----


@pytest.mark.parametrize("seconds", [DAY, -DAY])
def test_clock_jumps(lab, faults, monkeypatch, seconds):
    """Under the running daemon: no zone expires by it, no timer stops, NOTIFYs owed are sent again in time."""
    s = Scene(lab, {ZONE: zone_text(refresh=3600, retry=600, expire=7200), OTHER: zone_text(zone=OTHER, refresh=2, retry=1)},
              env=faults.env, template={"refresh": "1s..4w", "retry": "1s..2w"})
    s.settle()
    for name in ("LD_PRELOAD", "ZR_FAULTS", "ASAN_OPTIONS"):
        monkeypatch.setenv(name, faults.env[name])      # zonerelayctl lives in the same time
    s.down.once(2, silence=True)
    s.update(["new A 192.0.2.9"])
    s.down.wait_notifies(1, ZONE)
    s.primary.forget()
    faults.set("clock", seconds)
    assert served(s) == 2
    s.down.wait_notifies(3, ZONE, timeout=60)       # tried again, and answered now
    s.settle(timeout=60)
    s.primary.wait_count("SOA", 2, timeout=20)      # OTHER goes on being refreshed
    s.update(["more A 192.0.2.9"])
    s.settle()
    z = s.relay.json("zone", ZONE)["zone"]
    assert z["state"] == "current", z
    # And the same over a restart, and back.
    s.relay.restart()
    s.relay.wait_serial(ZONE, 3, 5)
    s.update(["restarted A 192.0.2.9"])
    s.settle()
    faults.clear("clock")
    s.update(["back A 192.0.2.9"])
    s.settle()
    s.relay.restart()
    s.relay.wait_serial(ZONE, 5, 5)
    heals(s)


@pytest.mark.parametrize("seconds", [DAY, -DAY])
def test_clock_jumped_while_it_was_down(lab, faults, seconds):
    """What is owed and due is not put off by a day, nor are marks forgotten."""
    s = Scene(lab, env=faults.env)
    s.settle()
    s.down.answer.silence = True
    s.update(["new A 192.0.2.9"])
    s.down.wait_notifies(1, ZONE)
    s.relay.kill()
    assert look(s.relay.db, "SELECT count(*) FROM outbox") == [(1,)]
    s.down.answer.silence = False
    s.down.forget()
    faults.set("clock", seconds)
    s.relay.start()
    s.down.wait_notifies(1, ZONE, timeout=60)
    s.settle(timeout=60)
    assert served(s) == 2
