# SPDX-License-Identifier: BSD-2-Clause
"""What a primary may do to us: streams without end or sense, crumbs, resets, silence by the thousand.

Every attack ends at a limit that the log names, leaves the version before it in force, costs a bounded
amount of memory and disk, and is over when the primary behaves again.
"""

import itertools
import os
import struct
import time

import pytest

import fakedownstream
from hostile import (A, APEX, AXFR, HOST_RECORD, IXFR, NS, NS_RECORD, RESET, SOA, TXT, Hostile, Octets, label,
                     message, rr, soa)
from lab import SLOW, wait_for
from relay import Relay
from scene import ZONE, look

WATCH = {"watch": {"notify": False, "transfer-from": ["127.0.0.1"]}}
MIB = 1 << 20


class Attacked:
    """A relay with serial 1 of ZONE, and its primary."""

    def __init__(self, lab, server=None, template=None, primary=None, zones=(ZONE,), **how):
        self.up = lab.add(Hostile(ZONE).start())
        self.relay = Relay(lab, primaries={"up": dict({"address": self.up.address}, **(primary or {}))},
                           downstreams=WATCH, zones=list(zones), server=server,
                           templates={"default": dict({"retry": "10m..20m"}, **(template or {}))}, **how).start()
        self.relay.wait_serial(ZONE, 1)
        self.before = self.content()
        self.base = self.relay.rss_peak()
        self.rounds = 0

    def content(self):
        t = fakedownstream.axfr(ZONE, (self.relay.host, self.relay.port))
        assert t.ok, t
        return t.keys()

    def attack(self, how, kind=AXFR, timeout=30):
        """One attack; the event transfer-failed that it ends with.  Nothing has changed then."""
        self.up.attack, self.up.attack_type, self.up.sent = how, kind, 0
        self.up.serial = 2
        self.relay.ctl("refresh", ZONE)
        self.rounds += 1

        def ended():
            return len(self.relay.events("transfer-failed")) + len(self.relay.events("transfer-done")) > self.rounds
        wait_for(ended, timeout, "the end of the attack")
        assert len(self.relay.events("transfer-done")) == 1, "taken for good"
        failed = self.relay.events("transfer-failed")[-1]
        self.unharmed()
        return failed

    def unharmed(self):
        self.relay.check_alive()
        assert self.relay.serial(ZONE) == 1
        assert self.content() == self.before

    def heal(self):
        self.up.attack, self.up.serial = None, 2
        self.relay.ctl("refresh", ZONE, "--wait")
        self.relay.wait_serial(ZONE, 2)
        assert look(self.relay.db, "SELECT count(*) FROM staging") == [(0,)]

    def grown(self):
        """MiB of memory above what it had before the attack, at its peak."""
        return (self.relay.rss_peak() - self.base) / MIB if SLOW == 1 else 0

    def disk(self):
        """MiB of the database with its WAL."""
        return sum(os.path.getsize(self.relay.db + e) for e in ("", "-wal")) / MIB


# ---- without end ----


def fat(q):
    """16 KiB of records in each message, for ever; nothing is kept."""
    yield message(q, [soa(2), NS_RECORD])
    text = b"\xff" + b"x" * 255
    for n in itertools.count():
        yield message(q, [rr(label(b"%08x%04x" % (n, i)), TXT, text * 4) for i in range(15)])


def thin(q):
    """One record in each message, for ever."""
    yield message(q, [soa(2), NS_RECORD])
    for n in itertools.count():
        yield message(q, [rr(label(b"%08x" % n), A, struct.pack("!I", n))])


def same(q):
    """One record again and again: none of it is anything new."""
    records = [HOST_RECORD] * 700
    yield message(q, [soa(2), NS_RECORD])
    m = message(q, records)
    while True:
        yield m


def four_gib(q):
    """As large as was asked for, and with a proper end."""
    yield message(q, [soa(2), NS_RECORD])
    text = b"\xff" + b"y" * 255
    for n in range(4 << 10):
        pieces = []
        for k in range(20):
            m = message(q, [rr(label(b"%08x%02x%02x" % (n, k, i)), TXT, text * 8) for i in range(25)])
            pieces.append(struct.pack("!H", len(m)) + m)
        yield Octets(b"".join(pieces))
    yield message(q, [soa(2)])


ENDLESS = {
    "octets": (fat, {"max-size": "32MiB"}, "limit of 33554432 octets", 40),
    "records": (same, {"max-records": 300000}, "more records than the limit of 300000", 40),
    "one record per message": (thin, {"max-messages": 50000}, "more messages than the limit of 50000", 8),
    "4 GiB": (four_gib, {"max-size": "64MiB"}, "limit of 67108864 octets", 80),
}


@pytest.mark.parametrize("what", sorted(ENDLESS))
def test_endless(lab, what):
    """X-21: it is given up at the limit; memory does not follow it, and what was stored of it goes."""
    how, limit, word, most = ENDLESS[what]
    s = Attacked(lab, template=limit, primary={"ixfr": False})
    failed = s.attack(how, timeout=50)
    assert failed["code"] == "limit" and word in failed["reason"], failed
    # What lies in the buffers of the kernel was sent as well.
    assert int(failed["octets"]) <= most * MIB and s.up.sent < (most + 16) * MIB
    assert s.grown() < 64, f"{s.grown():.0f} MiB"
    wait_for(lambda: look(s.relay.db, "SELECT count(*) FROM segment")[0][0] < 10, 20, "staged pieces to be gone")
    disk = s.disk()
    s.attack(how, timeout=50)       # room is used again
    assert s.disk() < disk * 1.5 + 16, (disk, s.disk())
    s.heal()


def versions(count):
    """IXFR with so many versions, each without any change."""
    def stream(q):
        newest = 1 + count
        yield message(q, [soa(newest)])
        for at in range(1, newest, 200):
            yield message(q, [r for i in range(at, min(at + 200, newest)) for r in (soa(i), soa(i + 1))])
        yield message(q, [soa(newest)])
    return stream


def test_a_million_versions(lab):
    """I-06, I-12: a chain has so many steps and no more; the whole zone is fetched instead."""
    s = Attacked(lab)
    s.up.attack, s.up.attack_type, s.up.serial = versions(1000000), IXFR, 1000001
    start = time.monotonic()
    s.relay.ctl("refresh", ZONE)
    s.relay.wait_serial(ZONE, 1000001, 30)
    assert time.monotonic() - start < 20 * SLOW
    [e] = s.relay.events("ixfr-failed")
    assert "more steps than the limit of 10000" in e["reason"] and e["next"] == "AXFR", e
    assert s.up.sent < 8 * MIB and s.grown() < 32, (s.up.sent, s.grown())
    assert look(s.relay.db, "SELECT count(*) FROM journal")[0][0] <= 4


def test_many_versions_within_the_limit(lab):
    """What is allowed works, and is no more costly than it must be."""
    s = Attacked(lab, template={"max-steps": 3000, "journal-steps": 100})
    s.up.attack, s.up.attack_type, s.up.serial = versions(3000), IXFR, 3001
    s.relay.ctl("refresh", ZONE)
    s.relay.wait_serial(ZONE, 3001, 30)
    assert s.relay.events("transfer-done")[-1]["kind"] == "IXFR" and not s.relay.events("ixfr-failed")
    assert s.grown() < 32, s.grown()


# ---- too slow ----


def crumbs(q):
    """The zone, then the octets of a message one per second."""
    yield message(q, [soa(2), NS_RECORD])
    yield Octets(b"\x40\x00")
    while True:
        yield 1
        yield Octets(b"\0")


def drops(q):
    """A small message twice a second: never silent."""
    yield message(q, [soa(2), NS_RECORD])
    for n in itertools.count():
        yield 0.5
        yield message(q, [rr(label(b"%08x" % n), A, b"\0\0\0\0")])


SLOWLY = {
    "one octet per second": (crumbs, {"transfer-idle": "3s"}, {}, "no message for 3 s"),
    "one octet per second, rate": (crumbs, {"min-rate": "1KiB", "min-rate-time": "3s"}, {}, "slower than 1024 octets"),
    "below the rate": (drops, {"min-rate": "1KiB", "min-rate-time": "3s"}, {}, "slower than 1024 octets"),
    "for too long": (drops, {}, {"max-transfer-time": "4s"}, "not finished after 4 s"),
}


@pytest.mark.parametrize("what", sorted(SLOWLY))
def test_slow(lab, what):
    """TB-03: a primary that goes on for ever without getting anywhere."""
    how, server, template, word = SLOWLY[what]
    s = Attacked(lab, server=server, template=template, primary={"ixfr": False})
    start = time.monotonic()
    failed = s.attack(how)
    assert word in failed["reason"] and failed["code"] == "timeout", failed
    assert time.monotonic() - start < 12 * SLOW
    s.heal()


# ---- without sense ----


def once(make):
    return lambda q: [make(q)]


def whole(q, *more, first=None, last=None, **how):
    records = [first or soa(2), NS_RECORD, *more, last or soa(2)]
    return message(q, records, **how)


def after_good(piece):
    """A good beginning, then this message (made of the question)."""
    return lambda q: [message(q, [soa(2), NS_RECORD]), piece(q)]


def pointer(at):
    return struct.pack("!H", 0xC000 | at)


def chain(q, length):
    """Records whose owners are pointers, each to the one before."""
    records, target, at = [], 12, 12 + len(q.octets)
    for _ in range(length):
        records.append(rr(pointer(target), A, b"\0\0\0\0"))
        target, at = at, at + len(records[-1])
    return records


LOOPS = {
    "owner points to itself": lambda q: rr(pointer(12 + len(q.octets)), A, b"\0\0\0\0"),
    "owner points forward": lambda q: rr(pointer(12 + len(q.octets) + 12), A, APEX + b"\0\0"),
    "two that point to each other": lambda q: rr(
        pointer(12 + len(q.octets) + 12), NS, pointer(12 + len(q.octets)) + b"\0"),
    "label and pointer back to it": lambda q: rr(b"\x01a" + pointer(12 + len(q.octets)), A, b"\0\0\0\0"),
    "RDATA that points to itself": lambda q: rr(APEX, NS, pointer(12 + len(q.octets) + 12)),
    "pointer into the header": lambda q: rr(pointer(0), A, b"\0\0\0\0"),
    "pointer behind the end": lambda q: rr(pointer(0x3FFF), A, b"\0\0\0\0"),
    "reserved label type": lambda q: rr(b"\x80abc", A, b"\0\0\0\0"),
    "name of 300 octets": lambda q: rr((b"\x3b" + b"a" * 59) * 5 + APEX, A, b"\0\0\0\0"),
    "name that does not end": lambda q: b"\x3fabc",
}


def test_compression(lab):
    """Q-24: names that have no end, or none that is theirs."""
    s = Attacked(lab, server={"transfer-idle": "2s"}, primary={"ixfr": False})
    for what, record in sorted(LOOPS.items()):
        failed = s.attack(after_good(lambda q, record=record: message(q, [record(q)])))
        assert failed["code"] == "formerr" and "record" in failed["reason"], (what, failed)
    # As many pointers as there is room for: refused or not, in no time.
    start = time.monotonic()
    s.attack(lambda q: [message(q, [soa(2), NS_RECORD]), message(q, chain(q, 1000)), 0.1, RESET])
    assert time.monotonic() - start < 3 * SLOW
    s.heal()


def test_compression_in_a_difference(lab):
    """I-12: AXFR mends it."""
    s = Attacked(lab)
    loop = LOOPS["owner points to itself"]
    s.up.attack = lambda q: [message(q, [soa(2), soa(1), soa(2)]), message(q, [loop(q)])]
    s.up.attack_type, s.up.serial = IXFR, 2
    s.relay.ctl("refresh", ZONE, "--wait")
    s.relay.wait_serial(ZONE, 2)
    assert s.relay.events("ixfr-failed")[0]["reason"]
    assert s.relay.events("transfer-done")[-1]["kind"] == "AXFR"


OTHER = b"\x05other\x04test\x00"


def other_question(q, name=None, rdtype=None, rdclass=1):
    return (name or q.name) + struct.pack("!HH", q.type if rdtype is None else rdtype, rdclass)


SENSELESS = {
    "another ID": once(lambda q: whole(q, ident=bytes([q.id[0] ^ 1, q.id[1]]))),
    "a query": once(lambda q: whole(q, flags=0)),
    "another opcode": once(lambda q: whole(q, flags=0x8400 | 4 << 11)),
    "another zone in the question": once(lambda q: whole(q, question=other_question(q, OTHER))),
    "another type in the question": once(lambda q: whole(q, question=other_question(q, rdtype=A))),
    "another class in the question": once(lambda q: whole(q, question=other_question(q, rdclass=3))),
    "two questions": once(lambda q: whole(q, counts=(2, 4, 0, 0), question=q.octets * 2)),
    "no question": once(lambda q: whole(q, first=soa(2, q.name), question=b"", counts=(0, 3, 0, 0))),
    "SOA of another zone": once(lambda q: whole(q, first=soa(2, OTHER))),
    "SOA of class CH": once(lambda q: whole(q, first=soa(2, rdclass=3))),
    "no SOA at the beginning": once(lambda q: whole(q, first=HOST_RECORD)),
    "SOA too short": once(lambda q: whole(q, first=rr(APEX, SOA, APEX + APEX + b"\0" * 19))),
    "SOA too long": once(lambda q: whole(q, first=rr(APEX, SOA, APEX + APEX + b"\0" * 21))),
    "another SOA in the middle": once(lambda q: whole(q, soa(3), HOST_RECORD)),
    "another SOA at the end": once(lambda q: whole(q, HOST_RECORD, last=soa(3))),
    "SOA of another name in the middle": once(lambda q: whole(q, soa(2, label(b"x")), HOST_RECORD)),
    "record of another zone": once(lambda q: whole(q, rr(OTHER, A, b"\0\0\0\0"))),
    "record of the zone above": once(lambda q: whole(q, rr(b"\x04test\0", NS, APEX))),
    "record of class CH": once(lambda q: whole(q, rr(APEX, A, b"\0\0\0\0", rdclass=3))),
    "NS with something behind it": once(lambda q: whole(q, rr(APEX, NS, APEX + b"\0"))),
    "AXFR as a record": once(lambda q: whole(q, rr(APEX, AXFR, b""))),
    "OPT among the answers": once(lambda q: whole(q, rr(b"\0", 41, b"", rdclass=1232))),
    "more records said than are there": once(lambda q: whole(q, counts=(1, 65535, 0, 0))),
    "fewer records said than are there": once(lambda q: whole(q, counts=(1, 2, 0, 0))),
    "length beyond the message": once(lambda q: whole(q)[:-3]),
    "nothing but a header": once(lambda q: q.id + b"\x84\0" + b"\0" * 8 + b"\xff"),
    "less than a header": once(lambda q: q.id + b"\x84"),
    "an empty frame": once(lambda q: Octets(b"\0\0" * 1000)),
    "text": once(lambda q: Octets(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 5000)),
    "no NS": once(lambda q: message(q, [soa(2), HOST_RECORD, soa(2)])),
    "SERVFAIL later": lambda q: [message(q, [soa(2), NS_RECORD]), message(q, [], flags=0x8402)],
}


def test_senseless(lab):
    """F-01, X-09, X-13, Q-11, Q-21: answers that are not, or not to what was asked."""
    s = Attacked(lab, server={"transfer-idle": "1s"}, primary={"ixfr": False})
    for what, how in sorted(SENSELESS.items()):
        try:
            failed = s.attack(lambda q, how=how: itertools.chain(how(q), [0.2, RESET]))
        except AssertionError as e:
            raise AssertionError(what) from e
        assert failed["code"] not in ("ok", "internal"), (what, failed)
    assert s.grown() < 16
    s.heal()


def test_reset_in_every_phase(lab):
    """X-15, X-20: wherever the connection breaks, nothing of it counts, and the next one works."""
    s = Attacked(lab, primary={"ixfr": False})
    first = lambda q: message(q, [soa(2), NS_RECORD])       # noqa: E731
    framed = lambda m: struct.pack("!H", len(m)) + m        # noqa: E731
    phases = [
        lambda q: [RESET],
        lambda q: [Octets(b"\0"), RESET],
        lambda q: [Octets(framed(first(q))[:7]), RESET],
        lambda q: [first(q), RESET],
        lambda q: [first(q), 0.1, Octets(framed(first(q))[:20]), 0.1, RESET],
        lambda q: itertools.chain(itertools.islice(fat(q), 500), [RESET]),
        lambda q: [first(q), message(q, [HOST_RECORD]), 0.1, RESET],
        lambda q: [first(q), Octets(framed(message(q, [soa(2)]))[:-1]), 0.1, RESET],
    ]
    for how in phases:
        failed = s.attack(how)
        assert failed["code"] in ("closed", "io"), failed
    # Behind the end it does not matter any more.
    s.up.attack = lambda q: [message(q, [soa(2), NS_RECORD, HOST_RECORD, soa(2)]), 0.3, RESET]
    s.relay.ctl("refresh", ZONE, "--wait")
    s.relay.wait_serial(ZONE, 2)
    s.relay.check_alive()


# ---- by the thousand ----


def test_a_thousand_zones_that_hang(lab):
    """A-14, TB-12: a primary that accepts every connection and says nothing holds up only its own zones."""
    dead = lab.add(Hostile("z.test", host="127.0.0.13").start())
    dead.any_zone, dead.attack = True, lambda q: [3600.0]
    names = [f"z{i}.test" for i in range(1000)]
    up = lab.add(Hostile(ZONE).start())
    zones = {n: {"primaries": ["dead"]} for n in names}
    zones[ZONE] = {"primaries": ["up"]}
    relay = Relay(lab, primaries={"up": {"address": up.address, "ixfr": False},
                                  "dead": {"address": dead.address, "max-transfers": 30}},
                  downstreams=WATCH, zones=zones, level="info").start()
    relay.wait_serial(ZONE, 1)
    dead.wait(lambda: dead.running >= 24, 20 * SLOW, "hanging transfers")
    slowest = 0.0
    for serial in range(2, 12):
        up.serial = serial
        start = time.monotonic()
        relay.ctl("refresh", ZONE, "--wait")
        relay.wait_serial(ZONE, serial)
        slowest = max(slowest, time.monotonic() - start)
    assert slowest < 2 * SLOW, slowest
    assert dead.running <= 32 and len(os.listdir(f"/proc/{relay.process.pid}/fd")) < 400
    if SLOW == 1:
        assert relay.rss_peak() < 64 * MIB
