# SPDX-License-Identifier: BSD-2-Clause
"""Transfers in that take the long road: without order, in crumbs, broken off anywhere, many at once."""

import random
import socket
import struct

import pytest

import rawzone
from fakewire import Listener, record
from lab import SLOW, free_port
from rawzone import A, NS, NSEC3, SOA, axfr, wire_name
from relay import Relay
from scene import PRIMARY, ZONE, Scene, check_db, large_zone, zone_text

WATCH = {"watch": {"notify": False, "transfer-from": ["127.0.0.1"]}}
MEMORY = 100 * 1024 * 1024


# ---- without order, and large ----


class Bulk(Listener):
    """One zone as octets: records are written down once, and only IDs are put in when they are sent."""

    def __init__(self, zone, serial=1):
        super().__init__(PRIMARY, free_port())
        self.zone = wire_name(zone)
        self.soa = rawzone.soa(zone, serial)
        self.messages = []

    def soa_octets(self):
        return b"\xc0\x0c" + struct.pack("!HHIH", SOA, 1, self.soa.ttl, len(self.soa.octets)) + self.soa.octets

    def load(self, records):
        """records: octets of records whose names may point to the question."""
        soa = self.soa_octets()
        piece, size = [soa], len(soa)
        for r in [*records, soa]:
            if size + len(r) > 16000:
                self._message(piece)
                piece, size = [], 0
            piece.append(r)
            size += len(r)
        self._message(piece)
        return self

    def _message(self, piece):
        head = struct.pack("!HHHHH", 0x8400, 1, len(piece), 0, 0) + self.zone + struct.pack("!HH", rawzone.AXFR, 1)
        self.messages.append(head + b"".join(piece))

    def handle(self, wire, reply, transport, source, conn):
        qtype = struct.unpack("!H", wire[12 + len(self.zone):14 + len(self.zone)])[0]
        if wire[12:12 + len(self.zone)] != self.zone:
            return
        if qtype == SOA:
            head = wire[:2] + struct.pack("!HHHHH", 0x8400, 1, 1, 0, 0) + self.zone + struct.pack("!HH", SOA, 1)
            reply(head + self.soa_octets())
        elif qtype == rawzone.AXFR and transport == "tcp":
            for m in self.messages:
                reply(wire[:2] + m)


def bulk_records(count):
    """(plain, NSEC3) as octets, each in canonical order: delegations with glue, and a chain."""
    rng = random.Random(3)
    plain, chain = [b"\xc0\x0c" + struct.pack("!HHIH", NS, 1, 300, 12) + b"\x02ns\x07example\0"], []
    bitmap = struct.pack("!HHI", NSEC3, 1, 300)
    for i in range(count // 3):
        label = b"n%07x" % (i * 37)
        owner = bytes([len(label)]) + label + b"\xc0\x0c"
        plain.append(owner + struct.pack("!HHIH", NS, 1, 300, 15) + b"\x03ns%d" % (i % 10) + b"\x09elsewhere\0")
        plain.append(owner + struct.pack("!HHIHI", A, 1, 300, 4, i))
        octets = b"\1\0\0\0\0\x14" + rng.randbytes(20) + b"\0\1\x40"
        chain.append(b"\x20" + b"%032x" % (i * 2**96 // (count // 3)) + b"\xc0\x0c" + bitmap
                     + struct.pack("!H", len(octets)) + octets)
    return plain, chain


def content_sum(messages, zone):
    """Records and the sum of their hashes, whatever their order; the closing SOA counted."""
    n = total = 0
    for wire in messages:
        names = {12: zone}
        at = 16 + len(zone)
        for _ in range(struct.unpack_from("!H", wire, 6)[0]):
            start = at
            if wire[at] >= 0xC0:
                target = struct.unpack_from("!H", wire, at)[0] & 0x3FFF
                owner = names.get(target) or rawzone.read_name(wire, target)[0]
                at += 2
            else:
                owner, at = rawzone.read_name(wire, at)
                names[start] = owner
            fixed = wire[at:at + 8]
            length = struct.unpack_from("!H", wire, at + 8)[0]
            at += 10
            if fixed[1] in (NS, SOA):
                rdata = rawzone.read_rdata(wire, at, at + length, fixed[1])
            else:
                rdata = wire[at:at + length]
            at += length
            total += hash((owner, fixed, rdata))
            n += 1
    return n, total


ORDERS = {"shuffled": 1000000, "one tree for names and hashes": 600000, "backwards": 300000}


@pytest.mark.parametrize("order", sorted(ORDERS))
def test_large_without_order(lab, order):
    """The spill: memory does not grow with the zone, whatever order it comes in; nothing is lost or doubled."""
    count = ORDERS[order] if SLOW == 1 else 60000
    plain, chain = bulk_records(count)
    if order == "one tree for names and hashes":    # as NSD sends it
        both = sorted(plain[1:] + chain, key=lambda r: r[1:9])
        stream = plain[:1] + both
    else:
        stream = plain + chain
        if order == "backwards":
            stream.reverse()
        else:
            random.Random(1).shuffle(stream)
    primary = lab.add(Bulk("bulk.test").load(stream).start())
    relay = Relay(lab, primaries={"up": {"address": primary.address}}, downstreams=WATCH, zones=["bulk.test"],
                  level="info").start()
    relay.wait_serial("bulk.test", 1, 120)
    want = content_sum([b"\0\0" + m for m in primary.messages], primary.zone)
    assert want[0] == len(stream) + 2
    assert content_sum(axfr("bulk.test", relay.port).messages, primary.zone) == want
    if SLOW == 1:
        assert relay.rss_peak() < MEMORY, f"{relay.rss_peak() / 1048576:.1f} MiB"
    before = relay.json("zone", "bulk.test")["zone"]
    assert before["records"] == len(stream) + 1
    # The same in another order is the same to the octet: nothing is written.
    primary.messages.clear()
    primary.load(reversed(stream))
    relay.ctl("retransfer", "--wait", "bulk.test")
    after = relay.json("zone", "bulk.test")["zone"]
    assert (after["digest"], after["version"]) == (before["digest"], before["version"])


# ---- in crumbs, and broken off ----


def cut_with(primary, cut):
    """From now on it sends over TCP the pieces that cut(frame, connection) yields of each message."""
    handle = type(primary).handle

    def in_pieces(wire, reply, transport, source, conn):
        def send(message):
            for piece in cut(struct.pack("!H", len(message)) + message, conn):
                conn["socket"].sendall(piece)
        if transport == "tcp":
            conn["socket"].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        handle(primary, wire, send if transport == "tcp" else reply, transport, source, conn)
    primary.handle = in_pieces
    primary.drop_connections()      # they wait for their next query in the old way


def fetched(scene):
    """The last transfer in that brought something."""
    return [e for e in scene.relay.events("transfer-done") if e["kind"] != "current"][-1]


def same(scene, zone=ZONE):
    return scene.axfr(zone).keys() == scene.content(zone)


def test_crumbs(lab):
    """T-14: the octets come one by one, the length of a message in two pieces, or several messages in one."""
    s = Scene(lab, {ZONE: zone_text(hosts=300)})
    rng, kept = random.Random(2), []

    def crumbs(frame, _):
        at = 0
        while at < len(frame):
            n = 1 if at < 4 else rng.choice((1, 2, 3, 50, 700))
            yield frame[at:at + n]
            at += n

    def heaps(frame, _):    # the last message of a transfer is a short one
        kept.append(frame)
        if len(kept) == 3 or len(frame) < 600:
            yield b"".join(kept)
            kept.clear()

    for cut in (crumbs, heaps):
        cut_with(s.primary, cut)
        for kind in ("IXFR", "AXFR"):
            s.primary.behave("IXFR", **({} if kind == "IXFR" else {"rcode": "SERVFAIL"}))
            s.primary.behave("AXFR", message_size=700)
            s.update([f"n{s.primary.zone(ZONE).serial} 300 A 192.0.2.9"])
            assert same(s) and fetched(s)["kind"] == kind


@pytest.mark.parametrize("where", [1, 2, 3, 14, 60, -1])
def test_closed_within_a_message(lab, where):
    """X-15, X-20, I-12: the connection ends behind so many octets of a message: nothing of it counts."""
    s = Scene(lab, {ZONE: zone_text(hosts=100)}, template={"retry": "10s..20s"})
    s.primary.behave(records_per_message=20)

    def cut(frame, conn):
        conn["messages"] = conn.get("messages", 0) + 1
        if conn["messages"] == 3:
            yield frame[:where]
            conn["socket"].shutdown(socket.SHUT_RDWR)
            raise OSError
        yield frame

    s.settle()
    before = s.axfr().keys()
    s.primary.behave("SOA")
    s.primary.behave("AXFR", records_per_message=20)
    s.primary.behave("IXFR", records_per_message=5)
    cut_with(s.primary, cut)
    s.update([f"n{i} 300 A 192.0.2.9" for i in range(30)], wait=False)
    failed = s.relay.wait_event("transfer-failed")[0]
    assert failed["code"] == "closed" and "after" in failed["reason"] and int(failed["records"]) == 40, failed
    assert "closed" in s.relay.events("ixfr-failed")[0]["reason"], "the difference broke off before the zone did"
    assert s.axfr().keys() == before
    z = s.relay.json("zone", ZONE)
    assert z["zone"]["failures"] == 1 and "closed" in z["zone"]["error"] and z["verdict"].startswith("behind"), z
    del s.primary.handle
    s.primary.drop_connections()
    s.relay.ctl("refresh", ZONE, "--wait")
    assert same(s)


BROKEN_IXFR = {
    "closed in the middle": ({"close_after": 2, "records_per_message": 5}, "closed"),
    "SERVFAIL in the middle": ({"rcode_after": 2, "records_per_message": 5}, "SERVFAIL"),
    "another final SOA": ({"final": "other"}, "closing SOA"),
    "no final SOA": ({"final": "none", "close_when_done": True}, "closed"),
    "a record behind the end": ({"final": "twice"}, "after the closing SOA"),
    "closed at once": ({"close": True}, "closed"),
    "garbage": ({"raw": b"\x84\x00\x00\x01\x00\x09\x00\x00\x00\x00\xc0\x0c"}, ""),
    "a foreign record": ({"extra": [record("www.example.org. 300 A 192.0.2.1", "example.org.")]}, "in the zone"),
    "another question": ({"wrong_question": True}, "question"),
    "no records": ({"nodata": True}, "without records"),
    "nothing but empty messages": ({"empty_first": 1100}, "without records in a row"),
    "silence in the middle": ({"silence_after": 2, "records_per_message": 5}, "no message for"),
}


@pytest.mark.parametrize("how", sorted(BROKEN_IXFR))
def test_broken_ixfr(lab, how):
    """I-11, I-12: AXFR follows at once, and nothing of the difference is left."""
    s = Scene(lab, {ZONE: zone_text(hosts=50)}, server={"transfer-idle": "1s"})
    s.settle()
    behaviour, word = BROKEN_IXFR[how]
    s.primary.behave("IXFR", **behaviour)
    s.primary.update(ZONE, [f"step{i} 300 A 192.0.2.9" for i in range(20)])
    s.update([f"n{i} 300 A 192.0.2.9" for i in range(20)], [f"step{i} 300 A 192.0.2.9" for i in range(10)])
    assert fetched(s)["kind"] == "AXFR" and same(s)
    [e] = s.relay.events("ixfr-failed")
    assert word in e["reason"] and e["next"] == "AXFR", e
    assert s.primary.count("AXFR") == 2 and not s.relay.events("transfer-failed")
    z = s.relay.json("zone", ZONE)["zone"]
    assert (z["state"], z["failures"]) == ("current", 0)
    # The difference to the version before was computed: downstream has it as if all had gone well.
    t = s.ixfr(1)
    assert t.kind == "diff" and len(t.steps) == 1 and len(t.steps[0][3]) == 30
    s.relay.stop()
    check_db(s.relay.db)


def test_only_empty_messages(lab):
    """XO-30 has an end: a primary that sends empty messages for ever is given up."""
    s = Scene(lab, primary={"ixfr": False}, template={"retry": "10s..20s"})
    s.primary.behave("AXFR", empty_first=900, empty_between=50, records_per_message=1, padding=10)
    s.update(["www 300 A 192.0.2.9"])
    assert same(s)
    s.primary.behave("AXFR", empty_between=5000, records_per_message=1)
    s.update(["www2 300 A 192.0.2.9"], wait=False)
    assert "messages without records in a row" in s.relay.wait_event("transfer-failed")[0]["reason"]
    assert s.relay.serial(ZONE) == 2


def test_foreign_ids(lab):
    """X-07: messages that answer no question of ours are passed over; when there is no end of them, so is it."""
    s = Scene(lab, {ZONE: zone_text(hosts=50)}, primary={"ixfr": False}, template={"retry": "10s..20s"})
    s.primary.behave("AXFR", records_per_message=10)

    def strays(count):
        def cut(frame, _):
            other = frame[:2] + bytes([frame[2] ^ 1]) + frame[3:]
            yield other * count + frame
        return cut
    cut_with(s.primary, strays(3))
    s.update(["www 300 A 192.0.2.9"])
    assert same(s)
    cut_with(s.primary, strays(100))
    s.update(["www2 300 A 192.0.2.9"], wait=False)
    assert "answer no question of ours" in s.relay.wait_event("transfer-failed")[0]["reason"]
    assert s.relay.serial(ZONE) == 2


# ---- slow ----


def test_slow(lab):
    """Slow is not silent; but there is an end to it, and nobody else waits for it."""
    s = Scene(lab, {ZONE: zone_text(hosts=50), "other.test": zone_text(zone="other.test")},
              server={"transfer-idle": "1s"}, primary={"ixfr": False},
              template={"max-transfer-time": "5s", "retry": "10s..20s"})
    s.primary.once("AXFR", records_per_message=10, message_delay=0.5)
    s.update(["www 300 A 192.0.2.9"])       # 6 messages, 2.5 s
    assert same(s)
    s.primary.once("AXFR", records_per_message=2, message_delay=0.5)
    s.update(["www2 300 A 192.0.2.9"], wait=False)
    s.primary.wait_count("AXFR", 4)         # two at the start
    s.update(["www 300 A 192.0.2.9"], zone="other.test")
    assert same(s, "other.test") and s.relay.serial(ZONE) == 2
    failed = s.relay.wait_event("transfer-failed", timeout=20)[0]
    assert failed["code"] == "timeout" and "not finished after 5 s" in failed["reason"], failed
    assert 10 < int(failed["records"]) < 40 and s.relay.serial(ZONE) == 2


# ---- a primary that contradicts itself ----


def test_farm(lab):
    """A-28: the SOA comes from one server and the zone from another: what is newer is taken, and asked for again."""
    s = Scene(lab, template={"retry": "1s..2s"})
    s.settle()
    s.primary.behave("SOA", serial=9)
    s.update(["www 300 A 192.0.2.9"])       # the zone has serial 2
    assert same(s)
    s.relay.wait_event("zone-note", note="SOA answer and transfer of the primary disagree")
    # The other one follows: no NOTIFY is needed to find out.
    s.primary.update(ZONE, ["www2 300 A 192.0.2.9"], serial=9)
    s.relay.wait_serial(ZONE, 9, 30)
    assert same(s)
    # Behind the announcement, and not even newer than ours: no error, no version, no hurry.
    s.settle()
    s.primary.behave("SOA", serial=20)
    s.primary.forget()
    s.notify(hint=False)
    s.primary.wait_count("IXFR", 2, 20 * SLOW)      # RETRY has passed
    assert s.relay.serial(ZONE) == 9 and same(s)
    times = [q.time for q in s.primary.queries_of("IXFR")]
    assert times[1] - times[0] > 0.85, times


# ---- many at once ----


def test_many_at_once_with_a_slow_store(lab):
    """Twelve zones of a megabyte, each without order, two workers, a disk that takes its time: all of them whole."""
    names = [f"z{i}.test" for i in range(12)]
    s = Scene(lab, {n: large_zone(1, 700, 1400, zone=n) for n in names}, start=False,
              env={"ZONERELAY_TEST_SLOW_COMMIT_MS": "5"}, primary={"max-transfers": 12})
    for i, n in enumerate(names):
        random.Random(i).shuffle(s.primary.zone(n).content)
    s.relay.start()
    for n in names:
        s.relay.wait_serial(n, 1, 60)
        assert same(s, n)
    for n in names:
        s.primary.replace(n, large_zone(2, 700, 1400, zone=n, fill="y"))
        random.Random(n).shuffle(s.primary.zone(n).content)
        s.primary.zone(n).versions.pop(1)
        s.notify(n)
    for n in names:
        s.relay.wait_serial(n, 2, 60)
        assert same(s, n)
    assert not s.relay.events("transfer-failed") and not s.relay.events("commit-failed")
    s.relay.stop()
    check_db(s.relay.db)
