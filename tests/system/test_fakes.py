# SPDX-License-Identifier: BSD-2-Clause
"""The fakes among themselves, and before a real server: what other tests stand on."""

import threading
import time

import dns.rcode
import pytest

import fakedownstream
from fakedownstream import FakeDownstream, apply_steps, axfr, ixfr, serial, soa
from fakeprimary import FakePrimary
from fakewire import notify_query, send_notify
from lab import wait_for
from servers import Knot, Named, Nsd

ZONE = """
@ 3600 SOA ns1 root 7 3600 600 86400 300
@ 3600 NS ns1
ns1 300 A 192.0.2.53
Www 300 A 192.0.2.1
* 60 TXT "a" "b"
x 60 TYPE65280 \\# 2 C00C
"""
MORE = "".join(f"h{i:04} 300 A 192.0.2.{i % 250}\n" for i in range(1500))


@pytest.fixture
def primary():
    with FakePrimary() as p:
        p.add_zone("example.org", ZONE)
        yield p


def to(listener):
    return (listener.host, listener.port)


def test_soa(primary):
    for tcp in (False, True):
        m = soa("example.org", to(primary), tcp=tcp)
        assert m.rcode() == dns.rcode.NOERROR and m.answer[0][0].serial == 7
    assert primary.counts["SOA"] == 2 and primary.counts["SOA/udp"] == 1
    assert serial("other.example", to(primary)) is None
    q = primary.queries[0]
    assert q.edns and q.asked_expire and q.asked_keepalive and q.zone == "example.org."


def test_axfr_is_the_zone(primary):
    t = axfr("example.org", to(primary))
    assert t.ok and t.kind == "full" and t.serial == 7 and t.messages == 1 and t.opt_in_every_message
    assert t.keys() == sorted(r.key() for r in primary.zone("example.org").content)
    assert "Www.example.org. 300 A 192.0.2.1" in t.text()


def test_every_grouping_is_the_same(primary):
    primary.replace("example.org", ZONE + MORE)
    expected = axfr("example.org", to(primary)).keys()
    for how, messages in (
            (dict(records_per_message=1), 1507), (dict(message_size=65535), 1),
            (dict(message_size=512), None), (dict(empty_first=2, padding=100), None),
            (dict(empty_between=1, question_later=False), None),
            (dict(soa_alone_first=True), None)):
        primary.behave(**how)
        t = axfr("example.org", to(primary))
        assert t.ok and t.keys() == expected, how
        assert messages is None or t.messages == messages
        assert max(t.sizes) <= how.get("message_size", 16384)


def test_ixfr(primary):
    before = list(primary.zone("example.org").content)
    primary.update("example.org", add=["n 60 A 192.0.2.9"], delete=["Www 300 A 192.0.2.1"])
    assert primary.update("example.org", add=["n 60 A 192.0.2.10"]) == 9
    t = ixfr("example.org", to(primary), 7)
    assert t.kind == "diff" and [(s[0], s[2]) for s in t.steps] == [(7, 8), (8, 9)]
    after = sorted(r.key() for r in apply_steps(before, t))
    assert after == axfr("example.org", to(primary)).keys()
    assert ixfr("example.org", to(primary), 9).kind == "single"
    assert ixfr("example.org", to(primary), 3).kind == "full"
    assert ixfr("example.org", to(primary), 7, udp=True).kind == "single"
    primary.once("IXFR", ixfr="lone", close_when_done=True)
    assert ixfr("example.org", to(primary), 7).kind == "broken"
    primary.once("IXFR", ixfr="full")
    assert ixfr("example.org", to(primary), 7).kind == "full"
    primary.once("IXFR", ixfr="absent")
    with pytest.raises(ValueError, match="not there"):
        apply_steps(before, ixfr("example.org", to(primary), 7))
    primary.update("example.org", add=["n 60 A 192.0.2.11"])
    primary.once("IXFR", ixfr="gap")
    with pytest.raises(ValueError, match="step from 9"):
        apply_steps(before, ixfr("example.org", to(primary), 7))


@pytest.mark.parametrize("how, kind, rcode", [
    (dict(rcode="REFUSED", ede=18), "error", "REFUSED"), (dict(edns="formerr"), "error", "FORMERR"),
    (dict(close=True), "broken", None), (dict(silence=True), "broken", None),
    (dict(records_per_message=1, close_after=3), "broken", "NOERROR"),
    (dict(records_per_message=1, silence_after=3), "broken", "NOERROR"),
    (dict(records_per_message=1, rcode_after=3), "error", "SERVFAIL"),
    (dict(final="none"), "broken", "NOERROR"), (dict(wrong_id=True), "broken", None)])
def test_misbehaviour(primary, how, kind, rcode):
    primary.behave("AXFR", **how)
    t = axfr("example.org", to(primary), timeout=0.5)
    assert (t.kind, t.rcode, t.ede) == (kind, rcode, how.get("ede"))


def test_once_is_once(primary):
    primary.once("AXFR", times=2, rcode="SERVFAIL")
    assert [axfr("example.org", to(primary)).kind for _ in range(3)] == ["error", "error", "full"]
    primary.once("SOA/tcp", rcode="NOTIMP")
    assert serial("example.org", to(primary)) == 7
    assert serial("example.org", to(primary), tcp=True) is None


def test_options(primary):
    primary.behave(expire=1234, keepalive=50)
    t = axfr("example.org", to(primary))
    assert t.expire == 1234 and t.keepalive == 50
    t = axfr("example.org", to(primary), edns=False)
    assert t.expire is None and t.opts == 0
    primary.behave(edns="ignore")
    assert axfr("example.org", to(primary)).opts == 0


def test_delays_do_not_block_others(primary):
    primary.once("AXFR", delay=1.0)
    slow = threading.Thread(target=axfr, args=("example.org", to(primary)))
    slow.start()
    start = time.monotonic()
    primary.wait_count("AXFR", 1)
    assert serial("example.org", to(primary)) == 7
    assert time.monotonic() - start < 0.8
    slow.join()


def test_several_queries_on_a_connection(primary):
    with fakedownstream.Connection(to(primary)) as c:
        c.send(fakedownstream.query("example.org", fakedownstream.AXFR))
        c.send(fakedownstream.query("example.org", fakedownstream.IXFR, 7))
        c.shut_writing()
        assert [t.kind for t in c.finish()] == ["full", "single"]
    assert {q.connection for q in primary.queries} == {1}


def test_notify(primary):
    with FakeDownstream() as d:
        for tcp in (False, True):
            a = primary.notify("example.org", to(d), tcp=tcp)
            assert a.rcode == "NOERROR" and a.aa
        assert primary.notify("example.org", to(d), qtype="AXFR").rcode == "NOERROR"
        first, _, forced = d.wait_notifies(3)
        assert (first.hint, first.transport, first.qtype) == (7, "udp", "SOA")
        assert (forced.hint, forced.qtype) == (None, "AXFR")
        d.once(rcode="REFUSED", ede=18, aa=False)
        a = primary.notify("example.org", to(d))
        assert (a.rcode, a.aa, a.ede) == ("REFUSED", False, 18)
        for how in (dict(silence=True), dict(wrong_id=True)):
            d.once(**how)
            assert primary.notify("example.org", to(d), timeout=0.2) is None
        d.once(close=True)
        assert primary.notify("example.org", to(d), tcp=True, timeout=1) is None
        d.once(wrong_question=True)
        assert str(primary.notify("example.org", to(d)).message.question[0].name) == "wrong.example."
        d.once(delay=0.3)
        assert primary.notify("example.org", to(d)).seconds >= 0.3
        assert len(d.notifies_of("example.org")) == 9 and d.wait_hint("example.org", 7)


def test_odd_octets_are_kept(primary):
    with FakeDownstream() as d:
        wire = bytearray(notify_query("example.org").to_wire())
        wire[2] |= 0x80
        assert send_notify(bytes(wire), to(d), timeout=0.2) is None
        assert len(d.unexpected) == 1 and not d.notifies


def test_stop_ends_everything(primary):
    with fakedownstream.Connection(to(primary)) as c:
        c.send(fakedownstream.query("example.org", fakedownstream.AXFR))
        c.finish()
        primary.once("AXFR", delay=30)
        c.send(fakedownstream.query("example.org", fakedownstream.AXFR))
        primary.wait_count("AXFR", 2)
        start = time.monotonic()
        primary.stop()
        assert time.monotonic() - start < 5
        assert [t.kind for t in c.finish()] == ["full", "broken"]
    primary.start()
    assert serial("example.org", to(primary)) == 7


def test_raw(primary):
    primary.once("SOA", raw=b"\x84\x00" + bytes(8))
    assert soa("example.org", to(primary)).flags == 0x8400


@pytest.mark.parametrize("server", [Named, Nsd, Knot])
def test_a_real_secondary_takes_it(lab, primary, server):
    """A real server takes the fake primary's AXFR, NOTIFY and IXFR, and the fake downstream reads it.

    NSD and Knot keep owner names in lower case."""
    if not server.installed():
        pytest.skip(f"no {server.program}")
    real = server(lab, "real", primary=to(primary), zones=["example.org"])
    real.start()
    at = (real.host, real.port)

    def same():  # NSD's other processes may be a moment behind the one that told the serial
        return axfr("example.org", at).keys(fold=True) == axfr("example.org", to(primary)).keys(fold=True)

    primary.wait(lambda: real.serial("example.org") == 7, 20, "first transfer")
    wait_for(same, 10, "the content of the first transfer")
    primary.update("example.org", add=["n 60 A 192.0.2.9"], delete=["Www 300 A 192.0.2.1"])
    primary.update("example.org", add=["n 60 A 192.0.2.10"])
    primary.behave(records_per_message=1, expire=5000)
    assert primary.notify("example.org", at).rcode == "NOERROR"
    primary.wait(lambda: real.serial("example.org") == 9, 20, "second transfer")
    assert primary.count("IXFR") >= 1
    wait_for(same, 10, "the content of the second transfer")
