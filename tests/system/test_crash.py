# SPDX-License-Identifier: BSD-2-Clause
"""kill -9 at any moment, orderly ends in the middle of work, and two daemons that want the same.

CRASH_ROUNDS: how often the campaign kills; by default 200, and 30 under sanitizers.
"""

import collections
import os
import random
import shutil
import signal
import socket
import threading
import time

import dns.message
import dns.name
import dns.rdatatype

import fakedownstream
from crashing import MOODS, History, brought, digest
from fakedownstream import FakeDownstream
from fakeprimary import FakePrimary
from fakewire import record
from lab import CTL, DAEMON, SLOW, Process, free_port, wait_for
from relay import Relay
from scene import (DOWNSTREAM, PRIMARY, ZONE, Scene, check_db, copy_db, large_zone, look, zone_text)

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "200" if SLOW <= 1 else "30"))
SEED = int(os.environ.get("CRASH_SEED", "0")) or random.SystemRandom().getrandbits(32)


# ---- between the answer and the transfer ----


def held(s, kind):
    """The next query of this kind gets no answer before the event is set."""
    hold = threading.Event()
    s.primary.once(kind, hold=hold)
    return hold


def test_killed_before_the_check(lab):
    """A-35: NOTIFY was answered, then kill -9: the transfer happens, without NOTIFY and long before REFRESH.

    It is the mark that brings it, not that such a start checks every zone.
    """
    s = Scene(lab)
    s.settle()
    hold = held(s, "SOA")
    s.update(["new A 192.0.2.9"], wait=False)       # answered NOERROR
    s.primary.wait_count("SOA", 2)
    s.relay.kill()
    s.relay.set_ended()
    hold.set()
    s.primary.forget()
    s.relay.start()
    s.relay.wait_serial(ZONE, 2, 5)
    assert s.primary.count("SOA") == 1 and s.primary.count("IXFR") == 1
    s.settle()
    assert look(s.relay.db, "SELECT count(*) FROM mark") == [(0,)]
    # Once done it is done.
    s.relay.kill()
    s.relay.set_ended()
    s.primary.forget()
    s.relay.start()
    time.sleep(0.5)
    assert not s.primary.queries


def test_power_cut(lab):
    """A power cut may take the newest commit, which nobody has synced; the mark was, and brings it again.

    The database goes back to what it was when NOTIFY was answered.
    """
    s = Scene(lab)
    s.settle()
    for serial in (2, 3):
        hold = held(s, "SOA")
        s.update([f"new{serial} A 192.0.2.9"], wait=False)
        synced = copy_db(s.relay.db, lab.folder(f"synced{serial}"))
        hold.set()
        s.relay.wait_serial(ZONE, serial)
        s.down.wait_hint(ZONE, serial)
        s.relay.kill()
        for end in ("", "-wal"):
            if os.path.exists(synced + end):
                shutil.copyfile(synced + end, s.relay.db + end)
        os.unlink(s.relay.db + "-shm")
        s.relay.set_ended()     # nothing but the mark
        s.down.forget()
        s.relay.start()
        s.relay.wait_serial(ZONE, serial, 5)
        s.down.wait_hint(ZONE, serial)
        assert s.axfr().keys() == s.content()
        s.settle()


def staged(s):
    """Pieces of a version under construction are in the database."""
    wait_for(lambda: look(s.relay.db, "SELECT count(*) FROM staging") == [(1,)], 20, "staged pieces")


def test_killed_during_the_transfer(lab):
    """The same with the transfer under way: IXFR, then AXFR, then a whole zone in many pieces."""
    s = Scene(lab, {ZONE: large_zone(records=700, size=1000)})
    s.settle()
    for serial, kind, how in ((2, "IXFR", {"silence": True}), (3, "AXFR", {"soa_alone_first": True,
                                                                           "silence_after": 1}),
                              (4, "AXFR", {"silence_after": 35})):
        s.primary.forget()
        s.primary.once(kind, **how)
        if kind == "AXFR":
            s.primary.once("IXFR", rcode="NOTIMP")
        s.primary.replace(ZONE, large_zone(serial, 700, 1000, fill="xyzab"[serial]))
        assert s.notify().rcode == "NOERROR"
        s.primary.wait_count(kind, 1)
        if serial == 4:
            staged(s)
        s.relay.kill()
        check_db(copy_db(s.relay.db, lab.folder("copy")), running=True)
        s.relay.start()
        s.relay.wait_serial(ZONE, serial)
        assert s.axfr().keys() == s.content()
        s.settle()
    s.relay.stop()
    check_db(s.relay.db)


def test_retransfer_survives(lab):
    """An operator's full transfer is owed over a crash as well."""
    s = Scene(lab)
    s.settle()
    hold = held(s, "AXFR")
    s.primary.forget()
    p = Process([CTL, "-c", s.relay.conf, "retransfer", ZONE], os.path.join(lab.path, "ctl.log"), lab.path).start()
    s.primary.wait_count("AXFR", 1)
    wait_for(lambda: look(copy_db(s.relay.db, lab.folder("copy")), "SELECT pending FROM mark") == [(2,)], 5,
             "the mark")
    s.relay.kill()
    p.kill()
    hold.set()
    s.primary.forget()
    s.relay.start()
    s.primary.wait_count("AXFR", 1)
    s.settle()
    assert look(s.relay.db, "SELECT count(*) FROM mark") == [(0,)]


# ---- the campaign ----


class Writer(threading.Thread):
    """Changes zones at the primary without end, announces them, and lets the primary have its moods."""

    def __init__(self, primary, history, to, seed):
        super().__init__(daemon=True)
        self.primary, self.history, self.to = primary, history, to
        self.random = random.Random(seed)
        self.ending = threading.Event()
        self.count = 0

    def run(self):
        try:
            while not self.ending.is_set():
                zone = "large.test" if self.random.random() < 0.15 else "small.test"
                self.change(zone)
                if self.random.random() < 0.3:
                    kind, how = self.random.choice(MOODS)
                    self.primary.once(kind, **how)
                self.announce(zone)
                self.ending.wait(self.random.random() * 0.03)
        except Exception as e:  # pylint: disable=broad-except
            self.history.faults.append(f"writer: {e!r}")
            raise

    def change(self, zone):
        z = self.primary.zone(zone)
        body = [r for r in z.content if r.rdata.rdtype == dns.rdatatype.TXT]
        n = self.random.randint(1, 3) if zone == "small.test" or self.random.random() < 0.5 else len(body) // 2
        gone = self.random.sample(body, min(n, len(body) - 1))
        with self.primary.lock:
            self.count += 1
            add = [self.text(zone, i) for i in range(len(gone) + self.random.choice((-1, 0, 0, 1)))]
            self.primary.update(zone, add, gone, keep_history=self.random.random() > 0.1)
            while len(z.versions) > 8:
                z.versions.popitem(last=False)
            self.history.note(zone, z.content)

    def text(self, zone, i):
        size = 900 if zone == "large.test" else self.random.choice((20, 200))
        words = " ".join('"' + chr(97 + (self.count + i) % 26) * 225 + '"' for _ in range(size // 225))
        return record(f"t{self.random.randint(0, 10**6):06d} 300 TXT \"{self.count}.{i}\" {words}", zone)

    def announce(self, zone):
        self.primary.notify(zone, self.to, hint=self.random.random() < 0.7, timeout=0.5 * SLOW)

    def end(self):
        self.ending.set()
        self.join(30)


class Follower(FakeDownstream):
    """Fetches what it is told of, and checks it; sometimes it does not answer."""

    def __init__(self, host, port, history, to):
        super().__init__(host, port)
        self.history, self.to = history, to
        self.have = {}      # zone -> (serial, records)
        self.wanted = collections.OrderedDict()
        self.ending = False

    def begin(self):
        self._thread(self.fetch)
        return self

    def handle(self, wire, reply, transport, source, conn):
        m = dns.message.from_wire(wire)
        zone = m.question[0].name.to_text(omit_final_dot=True)
        if self.answer.silence:
            return      # as if it were not there
        with self.history.lock:
            self.history.told[zone].add(m.answer[0][0].serial)
        super().handle(wire, reply, transport, source, conn)
        with self.lock:
            self.wanted[zone] = True
            self.changed.notify_all()

    def fetch(self):
        while not self.stopping:
            with self.lock:
                if not self.wanted:
                    self.changed.wait(0.2)
                    continue
                zone, _ = self.wanted.popitem(last=False)
            self.fetch_one(zone)

    def fetch_one(self, zone):
        have = self.have.get(zone)
        try:
            if have is None:
                t = self.axfr(zone, self.to, timeout=5 * SLOW)
            else:
                t = self.ixfr(zone, self.to, have[0], timeout=5 * SLOW)
        except OSError:
            return      # the relay is down
        if t.serial is not None:
            with self.history.lock:
                self.history.seen[zone].add(t.serial)
        if t.kind not in ("full", "diff"):
            return
        records = brought(self.history, zone, have, t)
        if records is not None:
            self.have[zone] = (t.serial, records)


class Campaign:
    """What the rounds share."""

    ZONES = ("small.test", "large.test")

    def __init__(self, lab):
        self.lab = lab
        self.random = random.Random(SEED)
        self.history = History()
        port = free_port()
        self.at = ("127.0.0.1", port)
        self.primary = lab.add(FakePrimary(PRIMARY, free_port()).start())
        self.primary.add_zone("small.test", zone_text(zone="small.test", hosts=20,
                                                      more=[f"t{i} 300 TXT \"{i}\"" for i in range(30)]))
        self.primary.add_zone("large.test", large_zone(records=450, size=1000, zone="large.test"))
        for z in self.ZONES:
            self.history.note(z, self.primary.zone(z).content)
        self.down = lab.add(Follower(DOWNSTREAM, free_port(), self.history, self.at).start().begin())
        self.relay = Relay(lab, primaries={"up": {"address": self.primary.address}},
                           downstreams={"down": {"address": self.down.address},
                                        "watch": {"notify": False, "transfer-from": ["127.0.0.1"]}},
                           zones=self.ZONES, port=port, level="info", server={"transfer-idle": "5s"})
        self.writer = Writer(self.primary, self.history, self.at, self.random.getrandbits(32))
        self.newest = {z: None for z in self.ZONES}     # serial last known to be committed

    def start(self, wait=True):
        log = self.relay.process.log
        if os.path.exists(log):
            os.replace(log, log + ".before")
        self.relay.start(wait)

    def look_at_wreck(self):
        """The database as the crash left it."""
        copy = copy_db(self.relay.db, self.lab.folder("copy"))
        rows = check_db(copy, running=True)
        for z in self.ZONES:
            row = next((r for n, r in rows.items() if n == dns.name.from_text(z).to_wire()), None)
            if row is None or row["soa"] is None:
                assert self.newest[z] is None, f"{z} is gone"
                continue
            serial = row["serial"]
            assert self.newest[z] is None or serial >= self.newest[z], f"{z} went back to {serial}"
            self.newest[z] = serial
            assert serial in self.history.digests[z]
            owed = look(copy, "SELECT serial FROM outbox WHERE zone = ? AND downstream = 'down'", row["id"])
            with self.history.lock:
                knows = serial in self.history.told[z] or serial in self.history.seen[z]
            assert knows or owed == [(serial,)], f"nobody will ever hear of {z} {serial}: owed {owed}"

    def look_at_served(self):
        """Every zone that was ever committed is served, whole, and no older than before."""
        for z in self.ZONES:
            t = fakedownstream.axfr(z, self.at, timeout=30 * SLOW)
            if self.newest[z] is None and t.kind == "error":
                continue
            assert t.kind == "full", (z, t.kind, t.rcode, t.broken)
            assert self.newest[z] is None or t.serial >= self.newest[z], (z, t.serial)
            self.newest[z] = t.serial
            self.history.check(z, t.records, t.serial, "served after a crash")

    def kill_after(self, seconds):
        time.sleep(seconds)
        self.relay.kill()
        self.look_at_wreck()
        assert not self.history.faults, self.history.faults

    def round(self):
        self.down.answer.silence = self.random.random() < 0.3
        if self.random.random() < 0.15:     # while it starts
            self.start(wait=False)
            self.kill_after(self.random.random() * 0.05 * SLOW)
        self.start()
        if self.random.random() < 0.7:
            self.look_at_served()
        self.kill_after(self.random.random() * 0.2 * SLOW)


def test_campaign(lab):
    """kill -9 at random moments: always a whole version, nothing that was committed is unknown downstream."""
    print(f"CRASH_SEED={SEED} CRASH_ROUNDS={ROUNDS}")
    c = Campaign(lab)
    c.writer.start()
    for _ in range(ROUNDS):
        c.round()
    c.writer.end()
    c.down.answer.silence = False
    c.start()
    c.look_at_served()
    # Once more undisturbed: everybody ends with what the primary has.
    for z in c.ZONES:
        c.primary.behave()
        c.primary._once.clear()
        c.writer.change(z)
        answer = c.primary.notify(z, c.at, timeout=20 * SLOW)
        assert answer is not None and answer.rcode == "NOERROR"
    for z in c.ZONES:
        serial = c.primary.zone(z).serial
        c.relay.wait_serial(z, serial, 40)
        wait_for(lambda z=z, serial=serial: c.down.have.get(z, (None,))[0] == serial, 40, f"{z} at the downstream")
        assert digest(c.down.have[z][1]) in c.history.digests[z][serial]
    c.look_at_served()
    wait_for(lambda: look(c.relay.db, "SELECT count(*) FROM outbox") == [(0,)], 20, "nothing owed")
    assert not c.history.faults, c.history.faults
    kinds = {z: len(c.history.seen[z]) for z in c.ZONES}
    assert all(kinds.values()), kinds
    c.relay.stop()
    check_db(c.relay.db)


# ---- orderly ends ----


def test_sigterm_during_transfers(lab):
    """It ends within seconds while a primary stalls, and while a downstream does not read; then all goes on."""
    s = Scene(lab, {ZONE: large_zone(records=2500), "other.test": zone_text(zone="other.test")})
    s.settle()
    s.primary.once("IXFR", rcode="NOTIMP")
    s.primary.once("AXFR", silence_after=40)
    s.primary.replace(ZONE, large_zone(2, 2500, fill="y"))
    assert s.notify().rcode == "NOERROR"
    staged(s)
    with fakedownstream.Connection(s.at, window=4096) as c:
        c.send(fakedownstream.query(ZONE, fakedownstream.AXFR))
        c.read()
        start = time.monotonic()
        s.relay.stop()
        assert time.monotonic() - start < 3 * SLOW
        c.widen()
        c.finish()
        assert not c.open[next(iter(c.open))].transfer.ok, "half a zone must not look like a whole one (X-47)"
    failed = s.relay.events("transfer-failed", reason="cancelled")
    assert failed and int(failed[0]["octets"]) > 100000
    assert look(s.relay.db, "SELECT max(failures), max(error), (SELECT pending FROM mark) FROM zone") == [(0, "", 1)]
    check_db(s.relay.db, running=True)
    s.relay.start()
    s.relay.wait_serial(ZONE, 2)
    assert s.axfr().keys() == s.content()
    s.settle()
    s.relay.stop()
    check_db(s.relay.db)


def test_sigterm_with_much_to_write(lab):
    """What was taken is written before the end: a NOTIFY answered, a version committed."""
    s = Scene(lab, env={"ZONERELAY_TEST_SLOW_COMMIT_MS": "300"})
    s.settle()
    hold = held(s, "SOA")
    s.update(["new A 192.0.2.9"], wait=False)
    s.relay.stop()
    hold.set()
    assert look(s.relay.db, "SELECT pending FROM mark") == [(1,)]
    s.relay.start()
    s.relay.wait_serial(ZONE, 2)


def test_stop_by_ctl_and_sigint(lab):
    s = Scene(lab)
    s.relay.ctl("stop")
    assert s.relay.process.proc.wait(10 * SLOW) == 0
    s.relay.may_end = True
    assert not os.path.exists(s.relay.sock), "the control socket is gone"
    s.relay.start()
    s.relay.process.proc.send_signal(signal.SIGINT)
    assert s.relay.process.proc.wait(10 * SLOW) == 0
    s.relay.may_end = True
    s.relay.start()
    assert s.relay.serial(ZONE) == 1


# ---- two of them ----


def second(lab, first, **server):
    r = Relay(lab, "second", primaries=first.primaries, downstreams=first.downstreams, zones=first.zones,
              server=server)
    r.start(wait=False)
    status = r.process.proc.wait(20 * SLOW)
    r.may_end = True
    return status, r.process.output()


def test_two_on_one_database(lab):
    """The second says why it does not start, and the first does not even notice."""
    s = Scene(lab)
    status, said = second(lab, s.relay, database=s.relay.db)
    assert status == 1 and "in use by another zonerelayd" in said and str(s.relay.process.pid) in said, said
    s.update(["new A 192.0.2.9"])
    s.relay.kill()      # the lock of a dead one is nobody's
    s.relay.start()
    assert s.relay.serial(ZONE) == 2


def test_two_on_one_control_socket(lab):
    s = Scene(lab)
    status, said = second(lab, s.relay, control=s.relay.sock)
    assert status == 1 and s.relay.sock in said, said
    assert s.relay.json("status")["running"] is True
    assert s.update(["new A 192.0.2.9"]) == 2


def test_two_on_one_port(lab):
    s = Scene(lab)
    status, said = second(lab, s.relay, listen=[s.relay.address])
    assert status == 1 and s.relay.address in said, said
    assert s.update(["new A 192.0.2.9"]) == 2


def test_stale_control_socket(lab):
    """After kill -9 the socket's file is still there: it is replaced; in between the tool says it is down."""
    s = Scene(lab)
    s.settle()
    s.relay.kill()
    assert os.path.exists(s.relay.sock)
    for args in (("status",), ("zones",), ("zone", ZONE), ("transfers",)):
        p = s.relay.ctl(*args, check=False)
        assert "not running" in p.stdout + p.stderr, p
    assert s.relay.json("zone", ZONE)["running"] is False
    assert s.relay.json("zone", ZONE)["zone"]["serial"] == 1
    assert s.relay.ctl("refresh", ZONE, check=False).returncode != 0
    s.relay.start()
    assert s.relay.json("status")["running"] is True
    s.relay.ctl("refresh", ZONE)


def test_second_start_after_failed_one(lab):
    """A daemon that could not start leaves nothing behind that hinders the next one."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    r = Relay(lab, primaries={"up": {"address": "127.0.0.11@1"}}, zones=[ZONE], port=taken.getsockname()[1])
    r.start(wait=False)
    assert r.process.proc.wait(20 * SLOW) == 1
    r.may_end = True
    taken.close()
    r.start()
    assert os.path.exists(r.sock) and os.access(DAEMON, os.X_OK)
