# SPDX-License-Identifier: BSD-2-Clause
"""NOTIFY in: who may, what is answered, what it causes.  NOTIFY out: when, to whom, how often."""

import random
import select
import socket
import struct
import threading
import time

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import pytest

from fakedownstream import FakeDownstream, query
from fakeprimary import with_serial
from fakewire import ede_of, notify_query
from lab import SLOW, free_port, serial_at, wait_for
from scene import DOWNSTREAM, PRIMARY, STRANGER, ZONE, Scene, copy_db, look, tell, zone_text

EDE_PROHIBITED, EDE_NOT_AUTH, EDE_NOT_SUPPORTED = 18, 20, 21


def nothing_more(scene, kind, count, seconds=1.0):
    """That no further query of this kind comes: the only place where time has to pass."""
    time.sleep(seconds)
    assert scene.primary.count(kind) == count


# ---- who ----


def test_sources(lab):
    """A-16, N-16, N-33: strangers are refused and cause no query; who is near a primary may be allowed."""
    s = Scene(lab, {ZONE: zone_text(), "other.test": None},
              primary={"notify-from": ["127.0.0.64/30"]},
              more_primaries={"second": {"address": f"127.0.0.13@{free_port()}"}},
              zone_conf={ZONE: {"primaries": ["up"]}, "other.test": {"primaries": ["second"]}})
    s.primary.forget()
    for tcp in (False, True):
        for source, zone in ((STRANGER, ZONE), (STRANGER, "nowhere.test"), ("127.0.0.68", ZONE),
                             (DOWNSTREAM, ZONE)):
            a = tell(s.at, zone, source=source, tcp=tcp)
            assert (a.rcode, a.aa, a.ede) == ("REFUSED", False, EDE_PROHIBITED), (source, zone, tcp)
        # A primary, but not of this zone.
        a = tell(s.at, source="127.0.0.13", tcp=tcp)
        assert (a.rcode, a.aa, a.ede) == ("REFUSED", False, EDE_PROHIBITED)
        # A primary, and a zone that is not configured.
        a = tell(s.at, "nowhere.test", tcp=tcp)
        assert (a.rcode, a.aa, a.ede) == ("NOTAUTH", False, EDE_NOT_AUTH)
    assert not s.relay.events("notify-received")
    # In order of arrival: had one of those caused a query, it would have come first.
    for n, source in enumerate((PRIMARY, "127.0.0.64", "127.0.0.67"), 1):
        a = tell(s.at, source=source)
        assert (a.rcode, a.aa) == ("NOERROR", True), source
        s.primary.wait_count("SOA", n)
        s.settle()
    nothing_more(s, "SOA", 3, 0.5)
    assert s.primary.count("AXFR") == s.primary.count("IXFR") == 0


def test_types_and_classes(lab):
    """A-18, N-34, A-37: what is no NOTIFY(SOA) of class IN is answered, and does nothing."""
    s = Scene(lab)
    s.primary.forget()
    for tcp in (False, True):
        for qtype in ("IXFR", "A", "NS", "ANY", "CDS", "TYPE65280"):
            a = tell(s.at, qtype=qtype, tcp=tcp)
            assert (a.rcode, a.aa, a.ede) == ("NOTIMP", False, EDE_NOT_SUPPORTED), qtype
        for rdclass in (3, 4, 255):
            q = notify_query(ZONE)
            q.question[0].rdclass = rdclass
            q.use_edns(0)
            a = tell_wire(s.at, q.to_wire(), tcp=tcp)
            assert dns.rcode.to_text(a.rcode()) in ("NOTAUTH", "REFUSED"), rdclass
    nothing_more(s, "SOA", 0, 0.3)


def tell_wire(at, wire, tcp=False, source=PRIMARY, timeout=5.0):
    """Octets as they are; the answer as a message, or None."""
    kind = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind((source, 0))
        sock.settimeout(timeout * SLOW)
        sock.connect(at)
        sock.sendall((struct.pack("!H", len(wire)) if tcp else b"") + wire)
        try:
            data = sock.recv(65535)
        except socket.timeout:
            return None
        return dns.message.from_wire(data[2:] if tcp else data) if data else None


def header(flags=0, opcode=4, counts=(1, 0, 0, 0), ident=0x1234):
    return struct.pack("!6H", ident, flags | opcode << 11, *counts)


QUESTION = b"\7example\4test\0" + struct.pack("!HH", 6, 1)
FORMERRS = {
    "no question": header(counts=(0, 0, 0, 0)),
    "two questions": header(counts=(2, 0, 0, 0)) + QUESTION * 2,
    "no room for the question": header() + QUESTION[:-3],
    "name without its end": header() + b"\7example",
    "label of a reserved type": header() + b"\x47example\4test\0" + struct.pack("!HH", 6, 1),
    "pointer to itself": header() + b"\xc0\x0c" + struct.pack("!HH", 6, 1),
    "name that is too long": header() + (b"\x3f" + b"a" * 63) * 4 + b"\0" + struct.pack("!HH", 6, 1),
    "truncated": header(0x0200) + QUESTION,
    "counts of records that are not there": header(counts=(1, 3, 0, 0)) + QUESTION,
    "two OPT": header(counts=(1, 0, 0, 2)) + QUESTION + (b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0)) * 2,
    "option longer than OPT": header(counts=(1, 0, 0, 1)) + QUESTION + b"\0"
                              + struct.pack("!HHIHHH", 41, 1232, 0, 4, 10, 99),
}
SILENT = {
    "a response": header(0x8000) + QUESTION,
    "an rcode": header(0x0005) + QUESTION,
    "less than a header": header()[:11],
    "one octet": b"\x24",
}


def test_malformed(lab):
    """N-02, A-17, ED-02, ED-09, Q-24: an answer or silence as laid down, and nothing else happens."""
    s = Scene(lab)
    s.primary.forget()
    for what, wire in FORMERRS.items():
        for tcp in (False, True):
            a = tell_wire(s.at, wire, tcp)
            assert a is not None and a.rcode() == dns.rcode.FORMERR, (what, tcp)
            assert a.id == 0x1234 and a.opcode() == dns.opcode.NOTIFY and not a.flags & dns.flags.AA, what
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((PRIMARY, 0))
        sock.connect(s.at)
        sock.settimeout(5 * SLOW)
        for wire in SILENT.values():
            sock.send(wire)
        good = notify_query(ZONE, hint=s.primary.zone(ZONE).soa).to_wire()
        sock.send(good)
        assert sock.recv(4096)[:2] == good[:2], "the first answer is that of the good one"
    nothing_more(s, "SOA", 0, 0.3)


def test_flags_are_tolerated(lab):
    """A-17, N-06: AA may be missing; RD, AD, CD and Z, and further sections, do not matter."""
    s = Scene(lab)
    s.primary.forget()
    soa = s.primary.zone(ZONE).soa
    n = 0
    for flags in (0, dns.flags.AA | dns.flags.RD | dns.flags.AD | dns.flags.CD | 0x40):
        for section in ("authority", "additional"):
            q = notify_query(ZONE)
            q.flags = flags
            q.set_opcode(dns.opcode.NOTIFY)
            getattr(q, section).append(soa.rrset())
            a = tell_wire(s.at, q.to_wire())
            n += 1
            assert a.rcode() == dns.rcode.NOERROR and a.flags & dns.flags.AA
            assert a.flags & (dns.flags.AD | dns.flags.CD | 0x40) == 0
            assert not a.answer and not a.authority and not a.additional
            s.primary.wait_count("SOA", n)
            s.settle()


def test_question_is_echoed(lab):
    """A-37, A-02, N-28: case as sent (0x20); a name below the apex counts for the zone (A-01)."""
    s = Scene(lab)
    s.primary.forget()
    for n, name in enumerate((b"\7eXaMpLe\4tEST\0", b"\3wWw\7exAmple\4test\0"), 1):
        for tcp in (False, True):
            wire = header(0x0400, ident=n) + name + struct.pack("!HH", 6, 1)
            kind = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
            with socket.socket(socket.AF_INET, kind) as sock:
                sock.bind((PRIMARY, 0))
                sock.settimeout(5 * SLOW)
                sock.connect(s.at)
                sock.sendall((struct.pack("!H", len(wire)) if tcp else b"") + wire)
                answer = sock.recv(4096)[2 if tcp else 0:]
            assert answer[12:] == name + struct.pack("!HH", 6, 1)
            assert answer[:4] == struct.pack("!HH", n, 0x8000 | 4 << 11 | 0x0400), answer[:4].hex()
    s.primary.wait_count("SOA", 1)


# ---- where ----


def test_ipv6(lab):
    """A primary at ::1, asked and heard over IPv6, UDP and TCP."""
    s = Scene(lab, start=False)
    from fakeprimary import FakePrimary  # a second one, at the address under test
    p6 = lab.add(FakePrimary("::1", free_port()).start())
    p6.add_zone(ZONE, zone_text())
    s.relay.host = "::1"
    s.relay.server["listen"] = [f"::1@{s.relay.port}"]
    s.relay.primaries = {"up": {"address": p6.address}}
    s.relay.downstreams = {"watch": {"notify": False, "transfer-from": ["::1"]}}
    s.relay.write()
    s.relay.start()
    s.relay.wait_serial(ZONE, 1)
    for serial, tcp in ((2, False), (3, True)):
        p6.update(ZONE, [f"new{serial} A 192.0.2.9"])
        a = p6.notify(ZONE, ("::1", s.relay.port), tcp=tcp)
        assert (a.rcode, a.aa) == ("NOERROR", True)
        s.relay.wait_serial(ZONE, serial)


@pytest.mark.parametrize("dual", [False, True])
def test_replies_come_from_the_address_asked(lab, dual):
    """T-20: a listener on all addresses; IPv4 and IPv6 side by side, and v4 addresses stay v4 (A-38)."""
    port = free_port()
    listen = [f"0.0.0.0@{port}"] + ([f"::@{port}"] if dual else [])
    s = Scene(lab, server={"listen": listen}, relay_port=port,
              primary={"notify-from": ["127.0.0.0/8", "::1"]})
    asked = ["127.0.0.1", "127.0.0.5", "127.200.3.4"] + (["::1"] if dual else [])
    for host in asked:
        # The socket is connected: an answer from elsewhere would never be seen.
        a = tell((host, port), source="::1" if ":" in host else "127.0.0.1")
        assert a is not None and a.rcode == "NOERROR", host
    assert serial_at(port, ZONE, "127.9.9.9") == 1


# ---- what it causes ----


def test_hints(lab):
    """N-07, N-09, N-10, S-02: a hint that says nothing new ends the work; everything else is checked."""
    s = Scene(lab, {ZONE: zone_text(serial=100)})
    s.primary.forget()
    soa = s.primary.zone(ZONE).soa
    for serial in (100, 99, 0xFFFFFFF0):
        a = tell(s.at, hint=with_serial(soa, serial))
        assert a.rcode == "NOERROR" and a.aa
    # A newer one, none, one that belongs to another name, a distance of 2^31: all are checked.
    s.primary.behave(serial=100)
    other = soa._replace(name=dns.name.from_text("www.example.test."))
    for n, hint in enumerate((with_serial(soa, 101), None, other, with_serial(soa, 100 + 2**31)), 1):
        a = tell(s.at, hint=hint)
        assert a.rcode == "NOERROR" and a.aa
        s.primary.wait_count("SOA", n)
        s.settle()
    assert s.primary.count("SOA") == 4
    # N-08: the hint itself changed nothing.
    assert s.relay.serial(ZONE) == 100 and s.primary.count("AXFR") == s.primary.count("IXFR") == 0


def test_answered_when_durable(lab):
    """A-35: the answer leaves when the mark is on disk; what changes nothing is answered at once."""
    slow = 600
    s = Scene(lab, env={"ZONERELAY_TEST_SLOW_COMMIT_MS": str(slow)})
    s.settle()
    hold = threading.Event()
    s.primary.behave("SOA", hold=hold)
    a = s.notify(hint=False)
    assert a.rcode == "NOERROR" and a.seconds >= slow / 1000 * 0.95, a.seconds
    # On disk when the answer came, whatever happens now.
    assert look(copy_db(s.relay.db, lab.folder("copy")), "SELECT pending FROM mark") == [(1,)]
    # It waits for its check; another one adds nothing, so there is nothing to wait for.
    fast = min(s.notify(hint=False).seconds for _ in range(3))
    assert fast < slow / 2000 * SLOW, fast
    assert min(s.notify().seconds for _ in range(3)) < slow / 2000 * SLOW     # its hint is ours
    hold.set()


def test_query_does_not_wait_for_the_disk(lab):
    """The SOA query may leave while the mark is being written; only the answer waits."""
    s = Scene(lab, env={"ZONERELAY_TEST_SLOW_COMMIT_MS": "800"})
    s.settle(timeout=60)
    s.primary.forget()
    start = time.monotonic()
    a = s.notify(hint=False)
    assert a.seconds > 0.75
    s.primary.wait_count("SOA", 1)
    assert s.primary.queries[0].time - start < 0.5 * SLOW


def test_retransmission(lab):
    """A-11: the same datagram again is answered from memory; while the first waits, one answer is enough."""
    s = Scene(lab, env={"ZONERELAY_TEST_SLOW_COMMIT_MS": "400"})
    s.settle()
    s.primary.forget()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((PRIMARY, 0))
        sock.connect(s.at)
        sock.settimeout(10 * SLOW)
        wire = notify_query(ZONE).to_wire()
        for _ in range(5):
            sock.send(wire)
        assert sock.recv(512)[:2] == wire[:2]
        s.primary.wait_count("SOA", 1)
        s.settle()
        assert not select.select([sock], [], [], 0)[0], "one answer for all of them"
        for _ in range(5):
            sock.send(wire)
            assert sock.recv(512)[:2] == wire[:2]
        assert s.primary.count("SOA") == 1
        # A new one from the same socket is a new one.
        sock.send(b"\x77\x77" + wire[2:])
        assert sock.recv(512)[:2] == b"\x77\x77"
    s.primary.wait_count("SOA", 2)


def blast(at, count, make, source=PRIMARY, window=64):
    """Sends `count` requests, at most `window` without an answer; {id: rcode} of the answers."""
    answers = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        sock.bind((source, 0))
        sock.connect(at)
        sent, end = 0, time.monotonic() + 60 * SLOW
        while len(answers) < count and time.monotonic() < end:
            while sent < count and sent - len(answers) < window:
                sock.send(make(sent))
                sent += 1
            if select.select([sock], [], [], 1.0)[0]:
                data = sock.recv(512)
                answers[struct.unpack("!H", data[:2])[0]] = data[3] & 15
    return answers


@pytest.mark.parametrize("busy", ["transfer", "check", "check before a transfer"])
def test_10000_notifies_one_follow_up(lab, busy):
    """N-23, N-26, A-11, R-04: all of them are answered, and exactly one query follows for all of them.

    When a check that was under way leads to a transfer, its IXFR query is that follow-up: it is written after
    all of them came.
    """
    s = Scene(lab)
    s.settle()
    s.primary.forget()
    hold = threading.Event()
    kind = "IXFR" if busy == "transfer" else "SOA"
    s.primary.behave(kind, hold=hold)
    if busy == "check":
        s.notify(hint=False)
    else:
        s.update(["new A 192.0.2.9"], wait=False)
    s.primary.wait_count(kind, 1)
    wire = notify_query(ZONE).to_wire()[2:]
    answers = blast(s.at, 10000, lambda i: struct.pack("!H", i) + wire)
    assert len(answers) == 10000 and set(answers.values()) == {0}, len(answers)
    assert s.primary.count("SOA") == 1
    hold.set()
    s.relay.wait_serial(ZONE, 1 if busy == "check" else 2)
    s.settle()
    nothing_more(s, "SOA", 1 if busy == "check before a transfer" else 2)
    assert s.primary.count("IXFR") == (0 if busy == "check" else 1) and s.primary.count("AXFR") == 0


def test_10000_notifies_that_announce_what_comes(lab):
    """N-09 for hints: once the version they announce is committed there is nothing left to check."""
    s = Scene(lab)
    s.settle()
    s.primary.forget()
    hold = threading.Event()
    s.primary.behave("IXFR", hold=hold)
    s.update(["new A 192.0.2.9"], wait=False)
    s.primary.wait_count("IXFR", 1)
    wire = notify_query(ZONE, hint=s.primary.zone(ZONE).soa).to_wire()[2:]
    answers = blast(s.at, 10000, lambda i: struct.pack("!H", i) + wire)
    assert len(answers) == 10000 and set(answers.values()) == {0}
    hold.set()
    s.relay.wait_serial(ZONE, 2)
    s.settle()
    nothing_more(s, "SOA", 1)


@pytest.mark.parametrize("what", ["NOTIFY", "SOA"])
def test_strangers_flood(lab, what):
    """R-02, R-03: above their rate strangers get no answer, and who may notify is not disturbed."""
    s = Scene(lab, server={"notify-in-rate": 100})
    s.settle()
    wire = (notify_query(ZONE) if what == "NOTIFY" else query(ZONE, "SOA")).to_wire()[2:]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        sock.bind((STRANGER, 0))
        sock.connect(s.at)
        start = time.monotonic()
        for i in range(2000):
            sock.send(struct.pack("!H", i) + wire)
            if i % 50 == 49:
                time.sleep(0.002)  # what the kernel drops would prove nothing
        assert s.update(["new A 192.0.2.9"]) == 2
        took = time.monotonic() - start
        n = 0
        while select.select([sock], [], [], 0.2)[0]:
            sock.recv(512)
            n += 1
    assert 1 <= n <= 11 + 12 * (took + 1), (n, took)


# ---- EDNS ----


def test_edns(lab):
    """ED-01 to ED-05: OPT for OPT, version 0 only, unknown options and flags are nothing to us."""
    s = Scene(lab)
    soa = s.primary.zone(ZONE).soa
    a = tell(s.at, edns=None, hint=soa).message
    assert a.rcode() == dns.rcode.NOERROR and a.edns == -1
    for zone, source, rcode in ((ZONE, STRANGER, dns.rcode.REFUSED), ("no.test", PRIMARY, dns.rcode.NOTAUTH)):
        assert tell(s.at, zone, edns=None, source=source).message.edns == -1
        a = tell(s.at, zone, source=source).message
        assert a.edns == 0 and a.rcode() == rcode
    unknown = [dns.edns.GenericOption(65001, b"abc"), dns.edns.GenericOption(65002, b"12345678")]
    a = tell(s.at, hint=soa, options=unknown).message
    assert a.rcode() == dns.rcode.NOERROR and a.edns == 0
    assert all(o.otype not in (65001, 65002) for o in a.options)
    for tcp in (False, True):
        a = tell(s.at, hint=soa, edns=1, tcp=tcp).message
        assert a.rcode() == dns.rcode.BADVERS and a.edns == 0 and not a.flags & dns.flags.AA
    q = notify_query(ZONE, hint=soa)
    q.use_edns(0, 0x8000 | 0x4321, 1232)
    a = tell_wire(s.at, q.to_wire())
    assert a.rcode() == dns.rcode.NOERROR and a.ednsflags & 0x7FFF == 0, "unknown flags are not copied"
    assert s.primary.count("SOA") == 1, "nothing but the first check"


# ---- NOTIFY out ----


class Watcher(FakeDownstream):
    """At the moment a NOTIFY comes: what does the relay serve, and what is in its database?"""

    relay = None

    def __init__(self, *args):
        super().__init__(*args)
        self.seen = []  # (hint, served, in the database, seconds since the change)

    def handle(self, wire, reply, transport, source, conn):
        m = dns.message.from_wire(wire)
        hint = m.answer[0][0].serial if m.answer else None
        served = serial_at(self.relay.port, ZONE)
        stored = look(self.relay.db, "SELECT serial FROM zone WHERE version > 0")
        self.seen.append((hint, served, stored[0][0] if stored else None, time.monotonic()))
        super().handle(wire, reply, transport, source, conn)


def test_notify_follows_the_commit(lab):
    """N-22: never before the version is committed and served, however slow the store is."""
    slow = 500
    s = Scene(lab, env={"ZONERELAY_TEST_SLOW_COMMIT_MS": str(slow)}, start=False, down=Watcher)
    s.down.relay = s.relay
    s.relay.start()
    s.down.wait_hint(ZONE, 1, 30)
    for n in range(2, 6):
        s.update([f"new{n} A 192.0.2.{n}"], wait=False)
        s.primary.wait_count("IXFR", n - 1)
        fetched = s.primary.queries_of("IXFR")[-1].time
        wait_for(lambda n=n: serial_at(s.relay.port, ZONE) == n, 10, f"serial {n}", every=0.005)
        served = time.monotonic()
        s.down.wait_hint(ZONE, n, 30)
        told = [t for h, _, _, t in s.down.seen if h == n][0]
        assert served - fetched > slow / 1000 * 0.9, "served before it was committed"
        assert told - fetched > slow / 1000 * 0.9, "announced before it was committed"
    for hint, served, stored, _ in s.down.seen:
        assert served >= hint and stored >= hint, s.down.seen
    # The log says the same.
    order = [(e.event, int(e["serial"])) for e in s.relay.events()
             if e.event in ("committed", "notify-sent") and "serial" in e]
    for n in range(1, 6):
        assert order.index(("committed", n)) < order.index(("notify-sent", n))


def test_form_of_a_notify(lab):
    """N-01, N-03, N-05, N-07, N-27: AA and nothing else, one question, the SOA as the hint."""
    quiet = lab.add(FakeDownstream("127.0.0.14", free_port()).start())
    s = Scene(lab, downstream={"source": "127.0.0.9"},
              more_downstreams={"quiet": {"address": quiet.address, "notify-hint": False}})
    s.down.wait_notifies(1)
    s.update(["new A 192.0.2.9"])
    n = s.down.wait_hint(ZONE, 2)
    assert n.source[0] == "127.0.0.9" and n.transport == "udp"
    m = n.message
    assert m.flags == dns.flags.AA | dns.opcode.to_flags(dns.opcode.NOTIFY)
    assert m.question[0].rdtype == dns.rdatatype.SOA and len(m.question) == 1
    assert m.answer[0] == s.primary.zone(ZONE).soa.rrset() and len(m.answer) == 1
    assert not m.authority and not m.additional and m.edns == -1
    seen = quiet.wait_notifies(2)
    assert all(n.hint is None and not n.message.answer for n in seen)
    # F-01, F-09: neither IDs nor ports repeat themselves.
    for i in range(3, 13):
        s.update([f"new{i} A 192.0.2.9"])
        s.down.wait_hint(ZONE, i)
    assert len({n.id for n in s.down.notifies}) >= 10
    assert len({n.source[1] for n in s.down.notifies}) >= 10


def test_schedule(lab):
    """N-13, N-14, N-15: again after 3 s, after 6 s; only the right answer ends it."""
    s = Scene(lab)
    s.settle()
    s.down.forget()
    s.down.once(wrong_id=True)
    s.down.once(wrong_question=True)
    s.update(["new A 192.0.2.9"])
    first, second, third = s.down.wait_notifies(3, timeout=15)
    assert 2.8 < second.time - first.time < 3.0 + 1.0 * SLOW
    assert 5.8 < third.time - second.time < 6.0 + 1.0 * SLOW
    assert {n.hint for n in s.down.notifies} == {2}
    s.relay.wait_event("notify-acked", serial=2)
    d = s.downstream_state()
    assert d["acked_serial"] == 2 and d.get("error") is None


def test_silence_is_visible(lab):
    """A-36: what is owed, how often it was tried, and when next; newer absorbs older; then the answer."""
    s = Scene(lab)
    s.settle()
    s.down.forget()
    s.down.answer.silence = True
    s.update(["new2 A 192.0.2.2"])
    s.down.wait_hint(ZONE, 2)
    d = wait_for(lambda: (lambda v: v if v["state"] == "owed" else None)(s.downstream_state()), 10, "owed")
    assert d["notified_serial"] == 2 and d["acked_serial"] == 1, d
    s.update(["new3 A 192.0.2.3"])
    s.update(["new4 A 192.0.2.4"])
    s.down.wait_hint(ZONE, 4)
    s.down.answer.silence = False
    s.relay.wait_event("notify-acked", serial=4)    # 3 s later
    s.settle()
    assert len(look(s.relay.db, "SELECT id FROM outbox")) == 0
    d = s.downstream_state()
    assert (d["notified_serial"], d["acked_serial"], d["state"]) == (4, 4, "behind"), d


def test_nobody_there(lab):
    """N-13: ICMP ends the burst, the rest is tried later; the error stands in the zone's status."""
    s = Scene(lab)
    s.settle()
    s.down.stop()
    s.update(["new A 192.0.2.9"])
    s.relay.wait_event("notify-unanswered", serial=2)
    d = s.downstream_state()
    assert d["state"] == "owed" and d["error"], d
    row = look(s.relay.db, "SELECT serial, tries, not_before FROM outbox")
    assert len(row) == 1 and row[0][0] == 2 and row[0][1] == 1
    assert 40 < row[0][2] / 1e6 - time.time() < 70, "a pause of a minute"
    # Over a restart the pause goes on; a person need not wait for it.
    s.relay.restart()
    s.down.start()
    s.relay.ctl("notify", ZONE, "down")
    assert s.down.wait_hint(ZONE, 2).transport == "udp"
    s.relay.wait_event("notify-acked", serial=2)


def test_answers_that_end_it(lab):
    """N-20, N-29: complete, and said; not sent again."""
    cases = {"REFUSED": "notify-refused-by", "NOTAUTH": "notify-refused-by",
             "NOTIMP": "notify-unsupported", "FORMERR": "notify-unsupported"}
    downs = {rcode: lab.add(FakeDownstream(f"127.0.0.{20 + i}", free_port()).start())
             for i, rcode in enumerate(cases)}
    s = Scene(lab, more_downstreams={r: {"address": d.address} for r, d in downs.items()})
    s.settle()
    for rcode, d in downs.items():
        d.forget()
        d.once(rcode=rcode)
    s.update(["new A 192.0.2.9"])
    for rcode, event in cases.items():
        s.relay.wait_event(event, serial=2, downstream=rcode)
    s.settle()
    for rcode in cases:
        assert rcode in s.downstream_state(rcode)["error"], s.downstream_state(rcode)
    time.sleep(3.5)
    assert all(len(d.notifies) == 1 for d in downs.values())
    # The next event is another transaction.
    s.update(["new3 A 192.0.2.9"])
    for rcode in cases:
        s.relay.wait_event("notify-acked", serial=3, downstream=rcode)
        assert s.downstream_state(rcode)["error"] is None


def test_servfail_passes(lab):
    """SERVFAIL is no answer to stay with: it is sent again."""
    s = Scene(lab)
    s.settle()
    s.down.forget()
    s.down.once(rcode="SERVFAIL")
    s.update(["new A 192.0.2.9"])
    a, b = s.down.wait_notifies(2)
    assert 2.8 < b.time - a.time < 3.0 + 1.0 * SLOW
    s.relay.wait_event("notify-acked", serial=2)


def test_tcp(lab):
    """N-11, N-12: sent once; one that hangs stops nobody else."""
    other = lab.add(FakeDownstream("127.0.0.14", free_port()).start())
    s = Scene(lab, downstream={"notify-transport": "tcp"},
              more_downstreams={"other": {"address": other.address, "notify-transport": "tcp"}})
    s.settle()
    s.down.forget()
    other.forget()
    s.down.answer.silence = True
    for serial in range(2, 5):
        s.update([f"new{serial} A 192.0.2.9"])
        assert other.wait_hint(ZONE, serial).transport == "tcp"
        s.relay.wait_event("notify-acked", serial=serial, downstream="other")
    time.sleep(3.5)
    hints = [n.hint for n in s.down.notifies]
    assert len(hints) == len(set(hints)), "over TCP a NOTIFY is sent once"
    assert all(n.transport == "tcp" for n in s.down.notifies)


def test_tcp_refused_connection(lab):
    """A downstream that is down, over TCP: owed, with the reason."""
    s = Scene(lab, downstream={"notify-transport": "tcp"})
    s.settle()
    s.down.stop()
    s.update(["new A 192.0.2.9"])
    s.relay.wait_event("notify-unanswered", serial=2)
    d = s.downstream_state()
    assert d["state"] == "owed" and d["error"]


def test_not_to_ourselves(lab):
    """PL-04: our own address among the downstreams is left out, also behind a wildcard."""
    port = free_port()
    s = Scene(lab, relay_port=port, server={"listen": [f"0.0.0.0@{port}"]},
              more_downstreams={"self": {"address": f"127.0.0.1@{port}"}})
    s.update(["new A 192.0.2.9"])
    s.down.wait_hint(ZONE, 2)
    s.settle()
    assert not s.relay.events("notify-sent", downstream="self")
    assert all(e["from"].startswith(PRIMARY) for e in s.relay.events("notify-received"))


def test_owed_survives_kill(lab):
    """27.1: no commit without its NOTIFYs: what was not answered is sent after the restart."""
    s = Scene(lab)
    s.settle()
    s.down.answer.silence = True
    s.update(["new A 192.0.2.9"])
    s.down.wait_hint(ZONE, 2)
    s.relay.kill()
    s.down.forget()
    s.down.answer.silence = False
    s.relay.start()
    s.down.wait_hint(ZONE, 2)
    s.relay.wait_event("notify-acked", serial=2)
    s.settle()
    # And what was answered is not sent again.
    s.down.forget()
    s.relay.kill()
    s.relay.start()
    time.sleep(1)
    assert not s.down.notifies


def test_fetched_is_current(lab):
    """A-12: acknowledged is not fetched; who asks with the new serial has it, and need not be told."""
    s = Scene(lab)
    s.settle()
    assert s.downstream_state()["state"] != "current"
    assert s.down.axfr(ZONE, s.at).ok
    d = wait_for(lambda: (lambda v: v if v["state"] == "current" else None)(s.downstream_state()), 10, "current")
    assert d["fetched_serial"] == 1
    s.down.answer.silence = True
    s.update(["new A 192.0.2.9"])
    s.down.wait_hint(ZONE, 2)
    wait_for(lambda: s.downstream_state()["state"] == "owed", 10, "owed")
    assert s.down.ixfr(ZONE, s.at, 1).kind == "diff"
    wait_for(lambda: s.downstream_state()["state"] == "current", 10, "current")
    # It may lose it yet: it is told until it answers.
    assert look(s.relay.db, "SELECT count(*) FROM outbox") == [(1,)]
    s.down.answer.silence = False
    s.settle()
    s.down.answer.silence = True
    assert look(s.relay.db, "SELECT count(*) FROM outbox") == [(0,)]
    # "Up to date" is as good.
    s.update(["new3 A 192.0.2.9"])
    s.down.wait_hint(ZONE, 3)
    assert s.down.ixfr(ZONE, s.at, 3).kind == "single"
    wait_for(lambda: s.downstream_state()["state"] == "current", 10, "current")
    # An SOA query proves nothing.
    s.update(["new4 A 192.0.2.9"])
    s.down.wait_hint(ZONE, 4)
    assert s.down.soa(ZONE, s.at) is not None
    assert s.downstream_state()["state"] == "owed"


def test_rate(lab):
    """NOTIFYs out keep to their rate; all of them leave."""
    zones = {f"zone{i}.test": zone_text(zone=f"zone{i}.test") for i in range(20)}
    s = Scene(lab, zones, server={"notify-rate": 5})
    seen = s.down.wait_notifies(20, timeout=30)
    assert len({n.zone for n in seen}) == 20
    took = max(n.time for n in seen) - min(n.time for n in seen)
    assert 2.5 < took < 4 + 4 * SLOW, took


def test_order_of_a_person(lab):
    """zonerelayctl notify: at once, to all or to one; an unknown one is said so."""
    other = lab.add(FakeDownstream("127.0.0.14", free_port()).start())
    s = Scene(lab, more_downstreams={"other": {"address": other.address}})
    s.settle()
    s.down.forget()
    other.forget()
    s.relay.ctl("notify", ZONE, "other")
    other.wait_hint(ZONE, 1)
    assert not s.down.notifies
    s.relay.ctl("notify", ZONE)
    s.down.wait_hint(ZONE, 1)
    other.wait_notifies(2)
    assert s.relay.ctl("notify", ZONE, "nobody", check=False).returncode != 0
    assert s.relay.ctl("notify", "no.test", check=False).returncode != 0


def test_downstream_leaves(lab):
    """What is owed to a downstream that is configured no more is struck off."""
    s = Scene(lab)
    s.settle()
    s.down.answer.silence = True
    s.update(["new A 192.0.2.9"])
    s.down.wait_hint(ZONE, 2)
    wait_for(lambda: look(s.relay.db, "SELECT count(*) FROM outbox") == [(1,)], 5, "a row")
    del s.relay.downstreams["down"]
    s.relay.write()
    s.relay.ctl("reload")
    wait_for(lambda: look(s.relay.db, "SELECT count(*) FROM outbox") == [(0,)], 5, "no row")
    s.down.forget()
    time.sleep(3.5)
    assert not s.down.notifies


def test_splay(lab):
    """N-24, N-25: first NOTIFYs are spread over the time configured."""
    zones = {f"zone{i}.test": zone_text(zone=f"zone{i}.test") for i in range(30)}
    s = Scene(lab, zones, template={"splay": "3s"})
    seen = s.down.wait_notifies(30, timeout=30)
    times = sorted(n.time for n in seen)
    assert 1.0 < times[-1] - times[0] < 3.5 + 2 * SLOW, times[-1] - times[0]
    assert len({n.zone for n in seen}) == 30
