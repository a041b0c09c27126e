# SPDX-License-Identifier: BSD-2-Clause
"""What downstreams are served: SOA, AXFR and IXFR, over UDP and TCP, and what others are told."""

import select
import socket
import struct
import threading
import time

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import pytest

import fakedownstream
from fakedownstream import AXFR, IXFR, Connection, apply_steps, query
from fakewire import (EDE, KEEPALIVE, SOA, ede_of, exchange, expire_of, expire_option, keepalive_option, option,
                      read_frame, write_frame)
from lab import SLOW, free_port, wait_for
from scene import PRIMARY, STRANGER, ZONE, Scene, check_db, large_zone, look, tell, zone_text

BIG = dict(records=500, size=16000)     # 8 MB: more than the kernel's buffers take


def ask(s, q, tcp=False, source=None, timeout=5.0):
    """The answer to a query (message or octets), or None."""
    wire = q if isinstance(q, bytes) else q.to_wire()
    answer = exchange(wire, s.at, tcp, timeout * SLOW, source)
    return None if answer is None else dns.message.from_wire(answer)


def rcode(m):
    return None if m is None else dns.rcode.to_text(m.rcode())


# ---- SOA ----


@pytest.mark.parametrize("tcp", [False, True])
def test_soa(lab, tcp):
    """T-22, E-03, KA-01, KA-02, A-37: AA, the SOA as the primary has it, and nothing else."""
    s = Scene(lab)
    for rd in (0, dns.flags.RD):
        q = query("eXaMPle.tEST", SOA)
        q.flags = rd
        wire = exchange(q.to_wire(), s.at, tcp)
        assert wire[12:26] == b"\7eXaMPle\4tEST\0", "the question as it was asked"
        m = dns.message.from_wire(wire)
        assert m.flags == dns.flags.QR | dns.flags.AA | rd and m.rcode() == 0
        assert m.answer == [s.primary.zone(ZONE).soa.rrset()] and m.answer[0].ttl == 3600
        assert not m.authority and not m.additional and m.edns == 0
        assert 604700 < expire_of(m) <= 604800
        assert option(m, KEEPALIVE) == (struct.pack("!H", 100) if tcp else None)
    m = ask(s, query(ZONE, SOA, edns=False), tcp)
    assert m.edns == -1 and m.answer
    m = ask(s, query(ZONE, SOA, expire=False, keepalive=False), tcp)
    assert m.edns == 0 and option(m, dns.edns.OptionType.EXPIRE) is None


def test_expire_runs_down(lab):
    """E-03: what is left of our own timer."""
    s = Scene(lab, {ZONE: zone_text(expire=100)})
    first = expire_of(ask(s, query(ZONE, SOA)))
    assert 95 < first <= 100
    wait_for(lambda: expire_of(ask(s, query(ZONE, SOA))) < first, 5, "less")
    left = expire_of(ask(s, query(ZONE, SOA)))
    assert abs(s.axfr().expire - left) <= 1 and abs(s.ixfr(1).expire - left) <= 1


# ---- who gets what ----


def test_strangers(lab):
    """X-43, XO-11, A-16: refused with EDE 18, whether there is such a zone or not, and told nothing."""
    s = Scene(lab, {ZONE: zone_text(), "other.test": zone_text(zone="other.test")},
              more_downstreams={"else": {"notify": False, "transfer-from": ["127.0.0.30"]}},
              zone_conf={"other.test": {"downstreams": ["else", "watch"]},
                         ZONE: {"downstreams": ["down", "watch"]}})
    for tcp in (False, True):
        for rdtype, serial in ((SOA, None), (AXFR, None), (IXFR, 1)):
            if rdtype == AXFR and not tcp:
                continue
            # A stranger; one of another zone; the primary, which is no downstream.
            for source, zone in ((STRANGER, ZONE), (STRANGER, "nowhere.test"), ("127.0.0.30", ZONE),
                                 (PRIMARY, ZONE)):
                m = ask(s, query(zone, rdtype, serial), tcp, source)
                assert rcode(m) == "REFUSED" and ede_of(m) == 18, (source, zone, rdtype, tcp)
                assert not m.flags & dns.flags.AA and not m.answer and not m.authority
                assert expire_of(m) is None, "E-04"
                m = ask(s, query(zone, rdtype, serial, edns=False), tcp, source)
                assert rcode(m) == "REFUSED" and m.edns == -1
    assert ask(s, query("other.test", AXFR), True, "127.0.0.30").answer
    assert s.relay.events("query-refused")


@pytest.mark.parametrize("tcp", [False, True])
def test_other_queries(lab, tcp):
    """T-21, T-22, A-37, X-30, X-42: every well-formed query gets an answer, and the connection stays."""
    s = Scene(lab)
    cases = [("no zone", query("nowhere.test", SOA), "NOTAUTH", 20),
             ("below the zone", query("www.example.test", SOA), "NOTAUTH", 20),
             ("no zone", query("nowhere.test", IXFR, 1), "NOTAUTH", 20)]
    for rdtype in ("A", "NS", "ANY", "TXT", "TYPE65280"):
        cases.append((rdtype, query(ZONE, dns.rdatatype.from_text(rdtype)), "REFUSED", 21))
    for rdclass in (3, 4, 255):
        q = query(ZONE, SOA)
        q.question[0].rdclass = rdclass
        cases.append((f"class {rdclass}", q, "NOTAUTH", 20))
    for opcode in (1, 2, 5, 6, 15):
        wire = bytearray(query(ZONE, SOA, edns=False).to_wire())
        wire[2] |= opcode << 3
        answer = exchange(bytes(wire), s.at, tcp, 5 * SLOW)
        assert answer[2] >> 3 == 16 | opcode and answer[3] & 15 == dns.rcode.NOTIMP, opcode
    with Connection(s.at) as c:
        for what, q, want, ede in cases:
            if tcp:
                write_frame(c.sock, q if isinstance(q, bytes) else q.to_wire())
                m = dns.message.from_wire(read_frame(c.sock))
            else:
                m = ask(s, q)
            assert rcode(m) == want, what
            assert ede_of(m) == ede, what
            assert not m.flags & dns.flags.AA and not m.answer, what
        if tcp:
            write_frame(c.sock, query(ZONE, SOA).to_wire())
            assert dns.message.from_wire(read_frame(c.sock)).answer


@pytest.mark.parametrize("tcp", [False, True])
def test_malformed(lab, tcp):
    """ED-02, ED-04, ED-09, E-11, Q-24: FORMERR or BADVERS, with OPT where there was one."""
    s = Scene(lab)
    head = lambda *counts: struct.pack("!6H", 4711, 0, *counts)     # noqa: E731
    question = b"\7example\4test\0" + struct.pack("!HH", 6, 1)
    opt = lambda version, data: b"\0" + struct.pack("!HHBBHH", 41, 1232, 0, version, 0, len(data)) + data  # noqa: E731
    cases = [("no question", head(0, 0, 0, 0), "FORMERR", None),
             ("two questions", head(2, 0, 0, 0) + question * 2, "FORMERR", None),
             ("half a question", head(1, 0, 0, 0) + question[:-2], "FORMERR", None),
             ("pointer to itself", head(1, 0, 0, 0) + b"\xc0\x0c\0\6\0\1", "FORMERR", None),
             ("missing records", head(1, 0, 0, 1) + question, "FORMERR", None),
             ("two OPT", head(1, 0, 0, 2) + question + opt(0, b"") * 2, "FORMERR", True),
             ("option too long", head(1, 0, 0, 1) + question + opt(0, struct.pack("!HH", 10, 8)), "FORMERR", True),
             ("EXPIRE with octets", head(1, 0, 0, 1) + question + opt(0, struct.pack("!HHI", 9, 4, 1)), "FORMERR",
              True),
             ("version 1", head(1, 0, 0, 1) + question + opt(1, b""), "BADVERS", True),
             ("version 255, broken", head(1, 0, 0, 1) + question + opt(255, b"\1"), "BADVERS", True)]
    for what, wire, want, has_opt in cases:
        m = ask(s, wire, tcp)
        assert rcode(m) == want, (what, m)
        assert m.id == 4711 and not m.answer and not m.flags & dns.flags.AA
        if has_opt is not None:
            assert m.edns == 0, what
    # Unknown options and flags are nothing to us; DO comes back, the others not (ED-03, ED-05).
    q = query(ZONE, SOA)
    q.use_edns(0, 0x8000 | 0x1234, 1232, options=[dns.edns.GenericOption(65001, b"x" * 20), expire_option()])
    m = ask(s, q, tcp)
    assert rcode(m) == "NOERROR" and m.ednsflags & 0x7FFF == 0 and expire_of(m)
    # A response is no query.
    if not tcp:
        assert ask(s, head(1, 0, 0, 0)[:2] + b"\x80\0" + head(1, 0, 0, 0)[4:] + question, timeout=0.3) is None
        assert ask(s, b"\0\1\0\0\0", timeout=0.3) is None
    assert ask(s, query(ZONE, SOA)).answer


def test_hostile_tcp(lab):
    """Frames without sense end their connection at most; the rest goes on."""
    s = Scene(lab)
    for data in (b"\0\0", b"\0\1x", struct.pack("!H", 11) + b"y" * 11, b"\xff\xff" + b"\0" * 65535,
                 b"\xff\xff" + b"\xff" * 65535, b"GET / HTTP/1.1\r\nHost: example.test\r\n\r\n", b"\x16\3\1\2\0\1\0"):
        with Connection(s.at) as c:
            c.sock.sendall(data)
            c.shut_writing()
            c.sock.settimeout(10 * SLOW)
            try:
                while c.sock.recv(65535):
                    pass
            except ConnectionError:
                pass
    assert s.axfr().keys() == s.content()


def test_not_loaded(lab):
    """A-20: configured and never transferred: SERVFAIL with EDE 14; NOTIFY for it is still taken."""
    s = Scene(lab, {ZONE: zone_text(), "empty.test": None})
    for tcp in (False, True):
        for rdtype, serial in ((SOA, None), (IXFR, 1), (AXFR, None)):
            if rdtype == AXFR and not tcp:
                continue
            m = ask(s, query("empty.test", rdtype, serial), tcp)
            assert rcode(m) == "SERVFAIL" and ede_of(m) == 14 and expire_of(m) is None
            assert not m.flags & dns.flags.AA
    s.primary.add_zone("empty.test", zone_text(7, zone="empty.test"))
    a = tell(s.at, "empty.test")
    assert (a.rcode, a.aa) == ("NOERROR", True)
    s.relay.wait_serial("empty.test", 7)


# ---- AXFR ----


def test_axfr(lab):
    """X-24 to X-27, X-31, X-33, X-36, X-45, X-46, XO-08, E-03, KA-02: every message of a long stream."""
    more = [f"wWw.{ZONE}. 300 IN CNAME HoSt0.{ZONE}.", f"sub.{ZONE}. 300 IN NS ns.sub.{ZONE}.",
            f"ns.sub.{ZONE}. 300 IN A 192.0.2.77", f"*.{ZONE}. 300 IN MX 10 mail.{ZONE}."]
    content = large_zone(records=300, size=2000, more=more)
    s = Scene(lab, {ZONE: content})
    with Connection(s.at) as c:
        q = query("exAMPle.TEST", AXFR)
        q.flags = dns.flags.RD
        write_frame(c.sock, q.to_wire())
        messages, records = [], []
        while len([r for r in records if r[2] == SOA]) < 2:
            messages.append(read_frame(c.sock))
            m = dns.message.from_wire(messages[-1], one_rr_per_rrset=True)
            records += [(str(r.name), r.ttl, r.rdtype, r[0].to_wire()) for r in m.answer]
    for i, wire in enumerate(messages):
        m = dns.message.from_wire(wire, one_rr_per_rrset=True)
        assert m.id == q.id and m.flags == dns.flags.QR | dns.flags.AA | dns.flags.RD and m.rcode() == 0
        assert m.edns == 0 and option(m, KEEPALIVE) is not None, "OPT in every message"
        assert not m.authority and not m.additional and m.answer
        assert len(m.question) <= 1 and (i > 0 or wire[12:26] == b"\7exAMPle\4TEST\0")
    assert expire_of(dns.message.from_wire(messages[0])) > 604000
    # Names come in the case of the question where they are compressed to it; which is the same name.
    fold = [(o.lower(), ttl, rdtype, rdata.lower()) for o, ttl, rdtype, rdata in records]
    assert fold[0] == fold[-1] and fold[0][2] == SOA
    assert len(set(fold)) == len(fold) - 1, "each record once"
    assert sorted(fold[:-1]) == sorted((str(r.name).lower(), r.ttl, r.rdata.rdtype, r.rdata.to_wire().lower())
                                       for r in content)
    size = sum(map(len, messages))
    assert size / len(messages) > 6000, "messages are filled"
    t = s.axfr(edns=False)
    assert t.ok and t.opts == 0 and t.keys() == s.content()
    # ED-11: the size in OPT is that of UDP.
    q = query(ZONE, AXFR)
    q.use_edns(0, 0, 512)
    with Connection(s.at) as c:
        c.send(q)
        assert max(c.finish()[0].sizes) > 4000


def test_axfr_over_udp(lab):
    """X-39: FORMERR; no data, no TC, no silence."""
    s = Scene(lab)
    for edns in (False, True):
        m = ask(s, query(ZONE, AXFR, edns=edns))
        assert rcode(m) == "FORMERR" and not m.flags & dns.flags.TC and not m.answer


def test_framing(lab):
    """T-14, TC-13: a message in pieces of one octet; several messages in one piece."""
    s = Scene(lab)
    with Connection(s.at) as c:
        q = query(ZONE, SOA)
        c.open[q.id] = collector = fakedownstream.Collector(q)
        c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in struct.pack("!H", len(q.to_wire())) + q.to_wire():
            c.sock.sendall(bytes([octet]))
        c.read()
        assert collector.transfer.rcode == "NOERROR"
        both = [query(ZONE, AXFR) for _ in range(3)]
        for q in both:
            c.open[q.id] = fakedownstream.Collector(q)
        c.open.pop(collector.request.id)
        c.sock.sendall(b"".join(struct.pack("!H", len(q.to_wire())) + q.to_wire() for q in both))
        assert all(t.keys() == s.content() for t in c.finish())


# ---- IXFR ----


def test_ixfr(lab):
    """I-16 to I-19, I-23, I-27: up to date, one step, several steps, an unknown serial."""
    s = Scene(lab, {ZONE: zone_text(10, hosts=60)})
    s.update(["a A 192.0.2.1", "a A 192.0.2.2", "b TXT \"x\""])                     # 11
    s.update(["a A 192.0.2.3"], ["a A 192.0.2.2"])                                  # 12: a part of an RRset
    s.update(["b 77 TXT \"x\""], ["b TXT \"x\""])                                   # 13: only the TTL
    s.update(["c A 192.0.2.1"], ["host5 300 A 192.0.2.6"])                          # 14
    for serial in (14, 15, 14 + 2**31 - 1):
        for udp in (False, True):
            t = s.ixfr(serial, udp=udp)
            assert t.kind == "single" and t.serial == 14 and t.messages == 1, (serial, udp)
    for since in range(10, 14):
        for udp in (False, True):
            t = s.ixfr(since, udp=udp)
            assert t.kind == "diff" and t.serial == 14, (since, udp, t.kind)
            assert t.steps[0][0] == since and t.steps[-1][2] == 14
            assert all(a[2] == b[0] for a, b in zip(t.steps, t.steps[1:]))
            old = s.primary.zone(ZONE).versions[since]
            assert sorted(r.key() for r in apply_steps(old, t)) == s.content()
            assert all(f == dns.flags.QR | dns.flags.AA for f in t.flags) and t.opt_in_every_message
    t = s.ixfr(12)
    ttl = next(step for step in t.steps if step[0] == 12)
    assert [str(r) for r in ttl[1]] == ['b.example.test. 3600 TXT "x"'], "a TTL is changed by delete and add"
    assert [str(r) for r in ttl[3]] == ['b.example.test. 77 TXT "x"']
    for since in (9, 5, 14 - 2**31 + 1):
        t = s.ixfr(since % 2**32)
        assert t.kind == "full" and t.keys() == s.content(), since
        # I-20: by UDP it is the SOA alone, not truncated.
        t = s.ixfr(since % 2**32, udp=True)
        assert t.kind == "single" and t.serial == 14 and not t.flags[0] & dns.flags.TC


def test_ixfr_without_serial(lab):
    """I-15: exactly one SOA of the zone in the authority section, or FORMERR."""
    s = Scene(lab)
    for change in ("none", "two", "other name", "no SOA"):
        q = query(ZONE, IXFR, 1)
        if change == "none":
            q.authority.clear()
        elif change == "two":
            q.authority.append(query(ZONE, IXFR, 2).authority[0])
        elif change == "other name":
            q.authority = query("www.example.test", IXFR, 1).authority
        else:
            q.authority = [dns.rrset.from_text(f"{ZONE}.", 0, "IN", "NS", "ns1.example.test.")]
        for tcp in (False, True):
            m = ask(s, q, tcp)
            if change == "two" and m.rcode() == 0:      # dnspython puts both into one RRset
                continue
            assert rcode(m) == "FORMERR", (change, tcp)
    # What else stands there does not matter.
    q = query(ZONE, IXFR, 1)
    q.authority.append(dns.rrset.from_text(f"{ZONE}.", 0, "IN", "NS", "ns1.example.test."))
    assert rcode(ask(s, q, True)) == "NOERROR"


def test_ixfr_over_udp_keeps_its_size(lab):
    """I-20, ED-06: 512 octets without EDNS, the client's size up to 1232; beyond it the SOA alone."""
    s = Scene(lab)
    s.update(["a A 192.0.2.1"])                                     # 2
    s.update([f"b{i} TXT \"{'x' * 80}\"" for i in range(6)])         # 3: about 700 octets
    s.update([f"c{i} TXT \"{'x' * 200}\"" for i in range(10)])       # 4: more than 2000
    for since, serial, size, fits in ((3, 4, 512, False), (3, 4, 4096, False), (2, 3, 512, False)):
        t = ask_ixfr(s, since, size)
        assert t.kind == "single" and t.serial == 4 and t.octets <= size
    s.update(["d A 192.0.2.1"])                                     # 5
    for size in (None, 100, 512, 1232, 65535):
        t = ask_ixfr(s, 4, size)
        assert t.kind == "diff" and t.octets <= 512, size
    s.update([f"e{i} TXT \"{'x' * 80}\"" for i in range(6)])         # 6
    assert ask_ixfr(s, 5, None).kind == "single" and ask_ixfr(s, 5, 100).kind == "single"
    t = ask_ixfr(s, 5, 1232)
    assert t.kind == "diff" and 512 < t.octets <= 1232


def ask_ixfr(s, since, size):
    q = query(ZONE, IXFR, since, edns=size is not None)
    if size is not None:
        q.use_edns(0, 0, size)
    c = fakedownstream.Collector(q)
    c.take(exchange(q.to_wire(), s.at))
    if not c.done:
        c.end("single")
    return c.transfer


def test_same_serial_other_content(lab):
    """A-10, I-25, O-01: after a change without a new serial no difference leads over it."""
    s = Scene(lab)
    s.update(["a A 192.0.2.1"])
    s.primary.update(ZONE, ["b A 192.0.2.2"], ["a A 192.0.2.1"], serial=2)
    s.relay.ctl("retransfer", ZONE)
    wait_for(lambda: s.axfr().keys() == s.content(), 10, "the new content")
    assert s.ixfr(1).kind == "full", "the journal is void"
    assert s.ixfr(2).kind == "single", "equal serials are up to date, whatever happened (I-16)"
    s.primary.forget()
    s.update(["c A 192.0.2.3"])
    assert s.primary.count("AXFR") == 1 and s.primary.count("IXFR") == 0, "our own base is not trusted (A-10 (4))"
    t = s.ixfr(2)
    assert t.kind == "full" and t.keys() == s.content(), "serial 2 may be the other content"
    s.update(["d A 192.0.2.4"])
    assert s.ixfr(3).kind == "diff" and s.ixfr(2).kind == "full"


def test_axfr_from_primary_gives_ixfr(lab):
    """I-26: a zone that came whole can be had as a difference; unchanged content writes nothing."""
    s = Scene(lab, {ZONE: zone_text(hosts=200)}, primary={"ixfr": False})
    s.update(["a A 192.0.2.1"], ["host7 300 A 192.0.2.8"])
    t = s.ixfr(1)
    assert t.kind == "diff" and len(t.steps) == 1
    assert [str(r) for r in t.steps[0][1]] == ["host7.example.test. 300 A 192.0.2.8"]
    assert [str(r) for r in t.steps[0][3]] == ["a.example.test. 3600 A 192.0.2.1"]
    before = look(s.relay.db, "SELECT max(id) FROM content")
    s.relay.ctl("retransfer", ZONE)
    s.settle()
    assert look(s.relay.db, "SELECT max(id) FROM content") == before
    assert s.ixfr(1).kind == "diff"


# ---- many things at once ----


def test_transfers_on_one_connection(lab):
    """X-40, XO-02, XO-03, TC-11: AXFR, IXFR and SOA of several zones, each by its ID, none waits for all."""
    zones = {"one.test": large_zone(zone="one.test", **BIG), "two.test": large_zone(zone="two.test", **BIG),
             ZONE: zone_text()}
    s = Scene(lab, zones)
    s.update(["a A 192.0.2.1"])
    with Connection(s.at, timeout=60 * SLOW) as c:
        one, two = c.send(query("one.test", AXFR)), c.send(query("two.test", AXFR))
        soa, diff, small, no = (c.send(query(ZONE, SOA)), c.send(query(ZONE, IXFR, 1)), c.send(query(ZONE, AXFR)),
                                c.send(query("nowhere.test", AXFR)))
        order = []
        while any(not x.done for x in (one, two, diff, small)) or not soa.transfer.messages:
            order.append(c.read())
        assert soa.transfer.rcode == "NOERROR" and soa.transfer.serial == 2
        assert no.transfer.rcode == "NOTAUTH"
        assert diff.transfer.kind == "diff" and small.transfer.keys() == s.content()
        for name, x in (("one.test", one), ("two.test", two)):
            assert x.transfer.ok and x.transfer.keys() == s.content(name), x.transfer.broken
        last = max(i for i, x in enumerate(order) if x is one)
        assert order.index(soa) < last and order.index(two) < last, "interleaved"
        assert [x for x in (diff, small) if max(i for i, y in enumerate(order) if y is x) < last]
        # And again on the same connection.
        c.open.clear()
        c.send(query(ZONE, AXFR))
        assert c.finish()[0].keys() == s.content()


def test_pipelined(lab):
    """TC-03: several hundred queries in one go, all answered, each once."""
    s = Scene(lab)
    n = 500
    queries = {i: query(ZONE, SOA if i % 3 else AXFR) for i in range(n)}
    data = b""
    for i, q in queries.items():
        q.id = i
        data += struct.pack("!H", len(q.to_wire())) + q.to_wire()
    with Connection(s.at, timeout=30 * SLOW) as c:
        sender = threading.Thread(target=c.sock.sendall, args=(data,))
        sender.start()
        seen = [struct.unpack("!H", read_frame(c.sock)[:2])[0] for _ in range(n)]
        sender.join()
        assert sorted(seen) == list(range(n))


def test_half_closed(lab):
    """TC-15: who says it will ask no more still gets all its answers."""
    s = Scene(lab, {ZONE: large_zone(**BIG)})
    with Connection(s.at, timeout=60 * SLOW) as c:
        c.send(query(ZONE, AXFR))
        c.send(query(ZONE, SOA))
        c.shut_writing()
        time.sleep(0.2)     # so that the FIN is seen before the end of the stream
        t = [x for x in c.open.values() if x.rdtype == AXFR][0]
        while not t.done:
            c.read()
        assert t.transfer.keys() == s.content()
        assert c.sock.recv(1) == b"", "then the connection ends"


def test_slow_readers(lab):
    """Ten that read slowly hold up nobody and cost little memory, and get the whole zone in the end."""
    s = Scene(lab, {ZONE: large_zone(**BIG), "small.test": zone_text(zone="small.test")})
    base = s.relay.rss_peak()
    slow = [Connection(s.at, timeout=60 * SLOW, window=4096) for _ in range(10)]
    try:
        for c in slow:
            c.send(query(ZONE, AXFR))
            c.read()
        wait_for(lambda: s.relay.json("status")["daemon"]["transfers_out"] == 10, 10, "ten streams")
        for _ in range(20):
            start = time.monotonic()
            assert s.axfr("small.test").ok
            assert time.monotonic() - start < 1.0 * SLOW
        assert s.relay.json("status")["daemon"]["transfers_out"] == 10, "they are still at it"
        if SLOW == 1:
            assert s.relay.rss_peak() - base < 16 << 20, (s.relay.rss_peak() - base) >> 20
        for c in slow:
            c.widen()
        for c in slow[:3]:
            assert c.finish()[0].keys() == s.content()
    finally:
        for c in slow:
            c.close()
    wait_for(lambda: s.relay.json("status")["daemon"]["transfers_out"] == 0, 20, "no stream left")


def test_one_snapshot_per_stream(lab):
    """I-24, X-47: a stream that began before commits ends with the version it began with."""
    s = Scene(lab, {ZONE: large_zone(**BIG)})
    first = s.content()
    s.settle()
    with Connection(s.at, timeout=60 * SLOW, window=4096) as c:
        t = c.send(query(ZONE, AXFR))
        c.read()
        for serial in (2, 3, 4):
            s.primary.replace(ZONE, large_zone(serial, fill="abcde"[serial], **BIG), keep_history=False)
            assert s.notify().rcode == "NOERROR"
            s.relay.wait_serial(ZONE, serial)
        assert not t.done
        assert s.relay.json("status")["daemon"]["transfers_out"] == 1
        with Connection(s.at, timeout=60 * SLOW) as other:     # meanwhile others get the new one
            other.send(query(ZONE, AXFR))
            assert other.finish()[0].keys() == s.content()
        kept = look(s.relay.db, "SELECT count(*) FROM segment WHERE died = 2")[0][0]
        assert kept > 100, "what the stream still reads is not swept"
        c.widen()
        assert c.finish()[0].keys() == first
    wait_for(lambda: look(s.relay.db, "SELECT count(*) FROM segment WHERE died IS NOT NULL") == [(0,)], 20,
             "old versions swept")
    s.relay.stop()
    check_db(s.relay.db)


def test_one_snapshot_per_difference(lab):
    """The same for IXFR: the journal it reads from may be cut meanwhile."""
    how = dict(records=800, size=16000)
    s = Scene(lab, {ZONE: large_zone(**how)}, template={"journal-steps": 1})
    old = list(s.primary.zone(ZONE).content)
    new = large_zone(2, fill="n", **how)
    merged = [n if i % 5 < 2 or n.rdata.rdtype != dns.rdatatype.TXT else o for i, (o, n) in enumerate(zip(old, new))]
    s.primary.replace(ZONE, merged)
    assert s.notify().rcode == "NOERROR"
    s.relay.wait_serial(ZONE, 2, 60)
    second = s.content()
    with Connection(s.at, timeout=60 * SLOW, window=4096) as c:
        t = c.send(query(ZONE, IXFR, 1))
        c.read()
        for i in range(3):
            s.update([f"zz{i} A 192.0.2.1"])
        assert not t.done
        assert s.ixfr(2).kind == "full", "the first steps are void for those who come now"
        c.widen()
        done = c.finish()[0]
    assert done.kind == "diff" and done.serial == 2
    assert sorted(r.key() for r in apply_steps(old, done)) == second
    s.settle()
    wait_for(lambda: look(s.relay.db, "SELECT count(*) FROM journal WHERE version = 2") == [(0,)], 20, "swept")


def test_closed_in_the_middle(lab):
    """X-41: who leaves is forgotten, with the version it read; nothing else is touched."""
    s = Scene(lab, {ZONE: large_zone(**BIG)})
    for reset in (False, True):
        with Connection(s.at, window=4096) as c:
            c.send(query(ZONE, AXFR))
            c.send(query(ZONE, AXFR))
            c.read()
            wait_for(lambda: s.relay.json("status")["daemon"]["transfers_out"] == 2, 10, "two streams")
            if reset:
                c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wait_for(lambda: s.relay.json("status")["daemon"]["transfers_out"] == 0, 10, "no stream left")
    assert len(s.relay.events("serve-failed")) == 4
    s.primary.replace(ZONE, large_zone(2, fill="y", **BIG), keep_history=False)
    assert s.notify().rcode == "NOERROR"
    s.relay.wait_serial(ZONE, 2)
    wait_for(lambda: look(s.relay.db, "SELECT count(*) FROM segment WHERE died IS NOT NULL") == [(0,)], 20, "swept")
    assert s.downstream_state("watch")["state"] != "current", "half a transfer is none"


# ---- limits ----


def closed_after(c, limit):
    """Seconds until the other side closes."""
    start = time.monotonic()
    readable = select.select([c.sock], [], [], limit)[0]
    assert readable, "still open"
    try:
        assert c.sock.recv(1) == b""
    except ConnectionError:
        pass
    return time.monotonic() - start


def test_idle(lab):
    """TB-07, TC-08: without a query, and with pieces of one only, the connection ends; not during a stream."""
    s = Scene(lab, {ZONE: large_zone(**BIG)}, server={"tcp-idle": "1s"})
    with Connection(s.at) as c:
        assert 0.8 < closed_after(c, 10 * SLOW) < 1 + 2 * SLOW
    with Connection(s.at) as c:
        c.send(query(ZONE, SOA))
        c.read()
        assert 0.8 < closed_after(c, 10 * SLOW) < 1 + 2 * SLOW
    with Connection(s.at) as c:
        wire = query(ZONE, SOA).to_wire()
        start = time.monotonic()
        c.sock.sendall(struct.pack("!H", len(wire)))
        for octet in wire[:20]:
            if select.select([c.sock], [], [], 0.3)[0]:
                break
            c.sock.sendall(bytes([octet]))
        assert time.monotonic() - start < 1 + 2 * SLOW, "octets without a message do not count"
    with Connection(s.at, timeout=60 * SLOW, window=4096) as c:
        t = c.send(query(ZONE, AXFR))
        c.read()
        time.sleep(1.5)
        assert not t.done
        c.widen()
        assert c.finish()[0].keys() == s.content()


def test_keepalive_tells_the_idle_time(lab):
    """KA-02: in units of 100 ms."""
    s = Scene(lab, server={"tcp-idle": "7s"})
    assert s.axfr().keepalive == 70 and s.ixfr(1).keepalive == 70


def test_connections(lab):
    """TC-05, TB-06: so many of one stranger, so many in all; who is configured is let in before strangers."""
    s = Scene(lab, server={"tcp-clients": 6, "tcp-per-client": 2})
    count = lambda: s.relay.json("status")["daemon"]["tcp_in"]    # noqa: E731

    def is_open(c):
        return not select.select([c.sock], [], [], 0.3)[0]

    strangers = [Connection(s.at, source=STRANGER) for _ in range(2)]
    wait_for(lambda: count() == 2, 5, "two connections")
    with Connection(s.at, source=STRANGER) as c:
        closed_after(c, 5 * SLOW)
    assert all(is_open(c) for c in strangers)
    known = [Connection(s.at) for _ in range(10)]       # more than both limits
    wait_for(lambda: count() == 12, 5, "twelve connections")
    assert all(is_open(c) for c in known[:1] + strangers)
    with Connection(s.at, source="127.0.0.78") as c:    # its first one, but there is no room for strangers
        closed_after(c, 5 * SLOW)
    known[-1].send(query(ZONE, AXFR))
    assert known[-1].finish()[0].ok
    for c in known + strangers:
        c.close()
    wait_for(lambda: count() == 0, 5, "none")
    with Connection(s.at, source=STRANGER) as c:
        assert is_open(c)


@pytest.mark.parametrize("limit", ["max-transfers-out", "max-transfers-out-per-downstream"])
def test_transfer_limit(lab, limit):
    """XO-09, A-24: SERVFAIL, which passes; SOA and "up to date" are no transfers."""
    s = Scene(lab, {ZONE: large_zone(**BIG)}, server={limit: 1})
    with Connection(s.at, window=4096) as c:
        c.send(query(ZONE, AXFR))
        c.read()
        assert s.axfr().rcode == "SERVFAIL"
        assert s.ixfr(5).kind == "single" and s.ixfr(2**32 - 5).rcode == "SERVFAIL"
        assert ask(s, query(ZONE, SOA), True).answer
        t = fakedownstream.axfr(ZONE, s.at, source="127.0.0.12")
        assert t.kind == ("error" if limit == "max-transfers-out" else "full")
    wait_for(lambda: s.axfr().ok, 10, "room again")
