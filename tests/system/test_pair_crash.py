# SPDX-License-Identifier: BSD-2-Clause
"""Two agents in a chain, loaded, and killed at any moment: nothing acknowledged is lost, never a mixed version.

    primary 127.0.0.11  -->  first 127.0.0.31  -->  second 127.0.0.32  -->  downstream 127.0.0.12

Each round: zones change, are announced and forced, configurations are read again, everybody transfers; one
agent or both die: after a while, or at a call to the kernel that was chosen (strike.c), some with a power cut,
some while they start, some again while they recover.  Then nothing more is announced, and with time passing by
leaps everybody must end with what the primary has, knowing it from NOTIFYs alone.

PAIR_CRASH_ROUNDS, PAIR_CRASH_SEED: how often, and which.  PAIR_CRASH_FIRST: number of the first round.
PAIR_CRASH_SECONDS: no further round begins after so long.
"""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time

import dns.exception
import dns.message
import dns.rdatatype

import fakedownstream
from crashing import MOODS, History, brought, digest
from fakedownstream import FakeDownstream
from fakeprimary import FakePrimary
from fakewire import record
from forcing import FREE, FREE_PRIMARY, FREE_SERVER
from lab import CTL, SLOW, free_port, wait_for
from relay import Relay
from scene import DOWNSTREAM, PRIMARY, check_db, copy_db, large_zone, zone_text
from strike import AFTER, BEFORE, HALF, Clock, Strike

OTHER = "second has other zones than first"
ROUNDS = int(os.environ.get("PAIR_CRASH_ROUNDS", "50" if SLOW <= 1 else "12"))
SEED = int(os.environ.get("PAIR_CRASH_SEED", "0")) or random.SystemRandom().getrandbits(32)
FIRST = int(os.environ.get("PAIR_CRASH_FIRST", "0"))
SECONDS = float(os.environ.get("PAIR_CRASH_SECONDS", "1e9"))

NEVER = {"refresh": 20 * 86400, "retry": 2, "expire": 300 * 86400}      # only a NOTIFY leads to a transfer
PATIENCE = 900      # seconds of the daemons' time until it counts as forgotten
DESCRIPTORS = 100
OCTETS = 24 << 20
ZONES = {
    "tiny.test": lambda z: zone_text(zone=z, hosts=2, more=[f"t0.{z}. 300 TXT \"0\""], **NEVER),
    "small.test": lambda z: zone_text(zone=z, hosts=8, more=[f"t{i}.{z}. 300 TXT \"{i}\"" for i in range(20)], **NEVER),
    "medium.test": lambda z: large_zone(zone=z, records=60, size=200, **NEVER),
    "large.test": lambda z: large_zone(zone=z, records=150, size=1000, **NEVER),
}
COMES = "comes.test"    # and goes


class Tail(FakeDownstream):
    """Fetches what it is told of until it has got it; sometimes it does not answer."""

    def __init__(self, host, port, history, at):
        super().__init__(host, port)
        self.history, self.at = history, at
        self.have = {}      # zone -> (serial, records, digest)
        self.wanted = {}    # zone -> True: AXFR
        self.busy = False   # with one that it has taken from there

    def handle(self, wire, reply, transport, source, conn):
        if self.answer.silence:
            return
        m = dns.message.from_wire(wire)
        zone = m.question[0].name.to_text(omit_final_dot=True)
        with self.lock:
            forced = dns.rdatatype.to_text(m.question[0].rdtype) == "AXFR"
            self.wanted[zone] = self.wanted.get(zone, False) or forced
            self.changed.notify_all()
        super().handle(wire, reply, transport, source, conn)
        with self.lock:
            self.notifies.clear()

    def begin(self):
        self._thread(self.work)
        return self

    def work(self):
        while not self.stopping:
            with self.lock:
                if not self.wanted:
                    self.changed.wait(0.2)
                    continue
                zone = next(iter(self.wanted))
                forced = self.wanted.pop(zone)
                self.busy = True
            try:
                done = self.fetch(zone, forced)
            except (OSError, EOFError, dns.exception.DNSException):
                done = False
            with self.lock:
                if not done:
                    self.wanted[zone] = self.wanted.get(zone, False) or forced
                self.busy = False
            if not done:
                self.pause(0.02)

    def fetch(self, zone, forced):
        have = self.have.get(zone)
        if have is None or forced:
            t = self.axfr(zone, self.at, timeout=5 * SLOW)
        else:
            t = self.ixfr(zone, self.at, have[0], timeout=5 * SLOW)
        if t.kind not in ("full", "diff"):
            return t.kind == "single" or t.rcode in ("REFUSED", "NOTAUTH")
        records = brought(self.history, zone, have, t)
        if records is not None:
            self.have[zone] = (t.serial, records, digest(records))
        return True


class Reader(threading.Thread):
    """Transfers zones from both agents all the time: whole versions only, and none older than before."""

    def __init__(self, pair, seed):
        super().__init__(daemon=True)
        self.pair, self.random = pair, random.Random(seed)
        self.seen = {}          # (agent, zone) -> serial
        self.lives = 0          # counted up when what was seen does not hold any more
        self.lock = threading.Lock()
        self.going = threading.Event()
        self.ending = False
        self.count = 0

    def run(self):
        while not self.ending:
            self.going.wait(1)
            if self.going.is_set():
                self.read(self.random.choice(self.pair.agents), self.random.choice(list(ZONES)))
            time.sleep(self.random.random() * 0.04)

    def read(self, agent, zone):
        with self.lock:
            lives, floor = self.lives, self.seen.get((agent.name, zone))
        try:
            t = fakedownstream.axfr(zone, (agent.relay.host, agent.relay.port), timeout=5 * SLOW)
        except OSError:
            return
        if t.kind != "full":
            return
        self.count += 1
        where = f"read from {agent.name}"
        self.pair.history.check(zone, t.records, t.serial, where)
        with self.lock:
            if lives == self.lives:
                if floor is not None and t.serial < floor:
                    self.pair.history.faults.append(f"{where}: {zone} went back from {floor} to {t.serial}")
                self.seen[agent.name, zone] = max(t.serial, floor or 0)

    def forget(self):
        with self.lock:
            self.lives += 1
            self.seen.clear()


class Agent:
    """One of the two, and how it is to die."""

    def __init__(self, pair, relay, strike):
        self.pair, self.relay, self.strike, self.name = pair, relay, strike, relay.name
        self.weapon = None
        self.seen = False       # since its start, it has checked every zone

    @property
    def random(self):
        return self.pair.random

    def aim(self):
        """A call to the kernel soon to come, or just a while."""
        self.weapon = self.random.choice(("while", "call", "call"))
        if self.weapon == "call":
            classes = self.random.choice((("disk",), ("net",), ("disk", "net")))
            self.strike.arm(self.random.choice((BEFORE, AFTER, HALF)), classes, int(300 ** self.random.random()))

    def start(self):
        log = self.relay.process.log
        if os.path.exists(log):
            os.replace(log, log + ".before")
        self.seen = False
        self.relay.start(wait=False)

    def alive(self):
        return self.relay.process.alive()

    def dead(self):
        """Has it died of what we did to it?  Of anything else it may not."""
        if self.alive():
            return False
        if self.relay.may_end:
            return True     # seen before
        status = self.relay.process.proc.returncode
        assert status in (-signal.SIGKILL, -signal.SIGSYS) and self.weapon, (
            f"{self.name} has ended with {status}: {self.relay.process.output()[-3000:]}")
        return True

    def finish(self, seconds):
        """It dies within so long."""
        end = time.monotonic() + seconds
        while not self.dead() and time.monotonic() < end:
            time.sleep(0.002)
        if not self.dead():
            self.relay.kill()
        self.relay.may_end = True
        self.strike.disarm()

    def look_at_wreck(self):
        """The database as it was left; sometimes the power failed, too."""
        if self.random.random() < 0.4:
            way, lost = self.strike.cut_power(self.relay.db, self.random)
            self.pair.say(f"{self.name}: power cut, disk has {way}, {lost} sectors lost")
            self.pair.reader.forget()
        check_db(copy_db(self.relay.db, self.pair.lab.folder("copy")), running=True)
        self.weapon = None

    def rows(self, sql):
        db = sqlite3.connect(f"file:{self.relay.db}?mode=ro", uri=True, timeout=30)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()

    def owes(self):
        """What is in the database and should go away when nothing happens."""
        return self.rows("SELECT (SELECT count(*) FROM mark), (SELECT count(*) FROM outbox),"
                         " (SELECT count(*) FROM staging), (SELECT count(*) FROM segment WHERE died IS NOT NULL)")[0]

    def content(self, zone):
        t = fakedownstream.axfr(zone, (self.relay.host, self.relay.port), timeout=20 * SLOW)
        assert t.kind == "full", f"{zone} is not served by {self.name}: {t.kind} {t.rcode} {t.broken}"
        return t.serial, digest(t.records)

    def look_at_leaks(self):
        held = len(os.listdir(f"/proc/{self.relay.process.pid}/fd"))
        assert held < DESCRIPTORS, f"{self.name} holds {held} descriptors"
        size = sum(os.path.getsize(self.relay.db + e) for e in ("", "-wal") if os.path.exists(self.relay.db + e))
        assert size < OCTETS, f"the database of {self.name} has {size} octets"
        return held, size


class Pair:
    """What the rounds share."""

    def __init__(self, lab):
        self.lab = lab
        self.random = random.Random(f"{SEED}")
        self.history = History()
        self.clock = Clock(lab)
        ports = free_port(), free_port()
        self.at = ("127.0.0.31", ports[0])
        self.primary = lab.add(FakePrimary(PRIMARY, free_port()).start())
        for z in (*ZONES, COMES):
            self.primary.add_zone(z, ZONES.get(z, ZONES["tiny.test"])(z))
            self.history.note(z, self.primary.zone(z).content)
        self.tail = lab.add(Tail(DOWNSTREAM, free_port(), self.history, ("127.0.0.32", ports[1])).start())
        self.agents = [
            self.agent("first", "127.0.0.31", ports[0], {"up": {"address": self.primary.address}},
                       {"second": {"address": f"127.0.0.32@{ports[1]}"}}),
            self.agent("second", "127.0.0.32", ports[1], {"first": {"address": f"127.0.0.31@{ports[0]}"}},
                       {"down": {"address": self.tail.address}})]
        self.count = 0
        self.told = []      # what this round did
        self.owed = {}      # zone -> does the first agent owe exactly what the primary has?
        self.floor = {}     # zone -> serial it has promised at least
        self.reader = Reader(self, SEED)
        self.worst = [0, 0, 0.0]

    def agent(self, name, host, port, primaries, downstreams):
        strike = Strike(self.lab, name, self.clock, undo=True)
        own = {"source": host}
        relay = Relay(
            self.lab, name, {n: dict(FREE_PRIMARY, **own, **c) for n, c in primaries.items()},
            dict({n: dict(own, **c) for n, c in downstreams.items()},
                 watch={"notify": False, "transfer-from": ["127.0.0.1"]}),
            dict.fromkeys((*ZONES, COMES), {}), host, port=port, env=strike.env, server=FREE_SERVER,
            templates={"default": dict(FREE, **{"refresh": "1s..52w", "retry": "1s..2w", "forced-splay": "0s"})})
        return Agent(self, relay, strike)

    def say(self, what):
        self.told.append(what)

    # ---- load ----

    def change(self, zone, serial=None):
        z = self.primary.zone(zone)
        body = [r for r in z.content if r.type == "TXT"]
        gone = self.random.sample(body, min(len(body), self.random.choice((1, 1, 2, 3, len(body) // 2 or 1))))
        grow = self.random.choice((-1, 0, 0, 1)) if len(body) > 5 else 0
        add = [self.text(zone) for _ in range(max(1, len(gone) + grow))]
        with self.primary.lock:
            self.primary.update(zone, add, gone, serial=serial, keep_history=self.random.random() > 0.07)
            while len(z.versions) > 6:
                z.versions.popitem(last=False)
            self.history.note(zone, z.content)

    def text(self, zone):
        self.count += 1
        size = {"large.test": 900, "medium.test": 180}.get(zone, self.random.choice((20, 200)))
        words = " ".join('"' + chr(97 + self.count % 26) * 180 + '"' for _ in range(size // 180))
        return record(f"t{self.random.randint(0, 10**6):06d} 300 TXT \"{self.count}\" {words}", zone)

    def announce(self, zone, qtype, again=False):
        tcp = self.random.random() < 0.25
        a = self.primary.notify(zone, self.at, qtype, hint=self.random.random() < 0.7, tcp=tcp,
                                timeout=(0.25 if not again else 5) * SLOW)
        self.say(f"{zone} {self.primary.zone(zone).serial}: NOTIFY({qtype}) {a and a.rcode}")
        if a is None:
            return False
        assert a.rcode == "NOERROR", (zone, a.rcode)
        self.floor[zone] = self.primary.zone(zone).serial
        self.owed[zone] = True
        return True

    def act(self):
        zone = self.random.choices(list(ZONES), (4, 4, 2, 1))[0]
        what = self.random.random()
        if what < 0.08:
            self.reload()
        elif what < 0.14:
            self.announce(zone, "SOA")      # nothing new
        elif what < 0.3 or self.owed.get(zone) is False:
            if self.owed.get(zone) is not False:
                self.change(zone, self.primary.zone(zone).serial)
            # Until it knows of this it may not get differences to what it does not have.
            self.owed[zone] = False
            self.announce(zone, "AXFR")
        else:
            self.change(zone)
            self.owed.setdefault(zone, None)
            if self.owed[zone] is True:
                self.owed[zone] = None
            self.announce(zone, "SOA")
        if self.random.random() < 0.25:
            kind, how = self.random.choice(MOODS)
            self.primary.once(kind, **how)

    def reload(self):
        comes = COMES not in self.agents[0].relay.zones
        self.say("reload with " + COMES if comes else "reload without " + COMES)
        for a in self.agents:
            a.relay.zones = dict.fromkeys((*ZONES, COMES) if comes else ZONES, {})
            a.relay.write()
            if a.alive():
                a.relay.process.proc.send_signal(signal.SIGHUP)

    # ---- a round ----

    def start(self):
        dead = [a for a in self.agents if not a.alive()]
        for a in dead:
            a.start()
        for a in dead:
            wait_for(lambda a=a: a.relay._is_ready(0), 30, f"{a.name} ready", every=0.002)

    def round(self, number):
        self.random = random.Random(f"{SEED}.{number}")
        self.told = []
        self.owed.clear()
        self.floor.clear()
        self.tail.answer.silence = self.random.random() < 0.25
        victims = self.random.choice((self.agents[:1], self.agents[1:], self.agents))
        self.reader.going.set()
        for a in victims:
            a.aim()
        for _ in range(self.random.randint(2, 8)):
            self.act()
            time.sleep(self.random.random() ** 2 * 0.03)
            if any(a.dead() for a in victims) and self.random.random() < 0.7:
                break
        self.kill(victims)
        if self.random.random() < 0.15:
            for a in victims:       # while it starts
                a.aim()
                a.start()
            self.kill(victims)
        self.start()
        if self.random.random() < 0.2:
            a = self.random.choice(self.agents)     # while it recovers
            a.aim()
            self.kill([a])
            self.start()
        self.settle()

    def kill(self, victims):
        for a in victims:
            a.finish(self.random.random() * 0.12 * SLOW)
            self.say(f"{a.name} killed by {a.weapon}")
        for a in victims:
            a.look_at_wreck()
        self.look_at_faults()

    def look_at_faults(self):
        assert not self.history.faults, self.history.faults
        for a in self.agents:
            a.dead()

    # ---- afterwards ----

    def settle(self):
        self.tail.answer.silence = False
        with self.primary.lock:
            self.primary._once.clear()
        for zone, owed in list(self.owed.items()):
            if owed is False:
                assert self.announce(zone, "AXFR", again=True), f"no answer for {zone}"
        self.rest()
        self.reader.going.clear()
        self.look_at_content()
        for a in self.agents:
            held, size = a.look_at_leaks()
            self.worst[:2] = max(self.worst[0], held), max(self.worst[1], size)
            p = subprocess.run([CTL, "-c", a.relay.conf, "verify"], capture_output=True, text=True, check=False,
                               timeout=60 * SLOW)
            assert p.returncode == 0, p.stdout + p.stderr
        self.look_at_faults()

    def rest(self):
        """Until nothing is owed by anybody, with time passing by leaps."""
        start = self.clock.seconds
        last, since = None, time.monotonic()
        while True:
            what = self.unsettled()
            if not what:
                break
            self.look_at_faults()
            if what != last:
                last, since = what, time.monotonic()
            assert self.clock.seconds - start < PATIENCE, f"forgotten: {what}"
            if time.monotonic() - since > 0.04 * SLOW:
                self.clock.jump(1.6)
                since = time.monotonic()
            time.sleep(0.004)
        self.worst[2] = max(self.worst[2], self.clock.seconds - start)

    def unsettled(self):
        """What is still to come; empty: nothing."""
        for a in self.agents:
            a.seen = a.seen or a.relay.json("status")["daemon"]["unseen"] == 0
        out = [f"{a.name} has not checked every zone" for a in self.agents if not a.seen]
        if out:
            return out
        for a in self.agents:
            owes = a.owes()
            if any(owes):
                out.append(f"{a.name} owes (marks, NOTIFYs, staged, dead segments) {owes}")
        if out:
            return out
        state = [dict(a.rows("SELECT name, serial || hex(digest) FROM zone WHERE soa IS NOT NULL AND removed_at = 0"))
                 for a in self.agents]
        if len(state[0]) < len(self.agents[0].relay.zones):
            return ["first has not all zones yet"]
        if state[0] != state[1]:
            return [OTHER]
        with self.tail.lock:
            return ["downstream fetches"] if self.tail.wanted or self.tail.busy else []

    def look_at_content(self):
        """Everybody has the same, and it is what was promised."""
        comes = [COMES] if COMES in self.agents[0].relay.zones else []
        for zone in (*(self.owed or {self.random.choice(list(ZONES)): None}), *comes):
            serial, d = self.agents[0].content(zone)
            z = self.primary.zone(zone)
            assert d in self.history.digests[zone].get(serial, ()), f"{zone} {serial} was never that"
            assert serial >= self.floor.get(zone, 0), f"{zone} {serial} is served, {self.floor[zone]} was promised"
            if self.owed.get(zone):
                assert d == digest(z.content), f"{zone} {serial} is not what the primary has"
            assert self.agents[1].content(zone) == (serial, d), f"{zone} {serial} is not what second has"
            have = self.tail.have[zone]
            assert have[2] == d, f"downstream has {zone} {have[0]}, not {serial}, and nobody tells it"


def keep(lab):
    """A copy of everything there is of a round that failed."""
    folder = tempfile.mkdtemp(prefix="zr-crash-")
    shutil.copytree(lab.path, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("s", "*.so", "*.control"))
    return folder


def test_campaign(lab):
    print(f"PAIR_CRASH_SEED={SEED} PAIR_CRASH_ROUNDS={ROUNDS}")
    c = Pair(lab)
    c.start()
    c.tail.begin()
    c.reader.start()
    c.settle()
    start, number = time.monotonic(), FIRST
    try:
        while number < FIRST + ROUNDS and time.monotonic() - start < SECONDS:
            c.round(number)
            number += 1
    except BaseException:
        print(f"round {number} failed: PAIR_CRASH_SEED={SEED} PAIR_CRASH_FIRST={number}; kept: {keep(lab)}")
        print("\n".join(c.told))
        raise
    finally:
        c.reader.ending = True
        c.reader.going.set()
        c.reader.join(10 * SLOW)
    took = time.monotonic() - start
    print(f"{number - FIRST} rounds in {took:.0f} s, {c.reader.count} transfers read; at most {c.worst[0]} descriptors,"
          f" {c.worst[1] >> 10} KiB, {c.worst[2]:.0f} s until all was done")
    for a in c.agents:
        a.relay.stop()
        check_db(a.relay.db)
