# SPDX-License-Identifier: BSD-2-Clause
"""Transfers from primaries of every kind: odd but right, and wrong in every way."""

import os
import random
import threading

import dns.name
import dns.rdatatype
import pytest

from fakeprimary import FakePrimary
from fakewire import Record, record
from lab import SLOW, free_port, wait_for
from scene import ZONE, Scene, copy_db, large_zone, look, zone_text

SECOND = "127.0.0.13"


def fetched(scene, n=-1):
    """The n-th transfer in that brought something."""
    return [e for e in scene.relay.events("transfer-done") if e["kind"] != "current"][n]


def same(scene):
    return scene.axfr().keys() == scene.content()


def steps_of(transfer):
    """[(old serial, deletions, new serial, additions)] of a difference."""
    assert transfer.kind == "diff", transfer
    return transfer.steps


def shuffled(content):
    out = list(content)
    random.Random(4711).shuffle(out)
    return out


def nsec3_zone(serial=1):
    """Names and NSEC3 records; the order of the list is that of NSD: one tree for both."""
    rng = random.Random(5)
    more = []
    for i in range(300):
        label = "".join(rng.choice("0123456789ABCDEFGHIJKLMNOPQRSTUV") for _ in range(32))
        more.append(f"{label}.{ZONE}. 300 IN NSEC3 1 1 0 - {label[::-1]} A RRSIG")
        more.append(f"{label}.{ZONE}. 300 IN RRSIG NSEC3 13 3 300 20300101000000 20200101000000 1 {ZONE}. MTIz")
    return zone_text(serial, 300, more=more)


# ---- right, though unusual ----


RIGHT = {
    "one record per message": {"records_per_message": 1},
    "messages of 64 KiB": {"message_size": 65535},
    "empty messages": {"empty_first": 2, "empty_between": 3, "padding": 100},
    "SOA alone first": {"soa_alone_first": True},
    "question in the first message only": {"question_later": False, "records_per_message": 3},
    "not authoritative": {"aa": False},
    "TC set": {"tc": True},
    "no EDNS": {"edns": "formerr"},
    "EDNS is ignored": {"edns": "ignore"},
    "closes when done": {"close_when_done": True},
    "any order": {"order": shuffled},
    "a little slow": {"message_delay": 0.05, "records_per_message": 10},
}


@pytest.mark.parametrize("how", sorted(RIGHT))
def test_unusual(lab, how):
    """X-10, X-11, X-14, XO-30, I-10: by AXFR and by IXFR, record by record."""
    s = Scene(lab, {ZONE: zone_text(hosts=60)}, start=False)
    s.primary.behave("AXFR", **RIGHT[how])
    if how == "no EDNS":
        s.primary.behave("SOA", edns="formerr")
    s.relay.start()
    s.relay.wait_serial(ZONE, 1, 40)
    assert fetched(s)["kind"] == "AXFR"
    assert same(s)
    if how != "any order":
        s.primary.behave("IXFR", **RIGHT[how])
    s.update(["www 300 A 192.0.2.9", "a.b.c 60 TXT x"], [f"host3.{ZONE}. 300 A 192.0.2.4"])
    assert same(s)
    if how != "no EDNS":
        assert fetched(s)["kind"] == "IXFR"


@pytest.mark.parametrize("order", ["shuffled", "interleaved"])
def test_order_of_the_stream(lab, order):
    """Whatever the order, it is stored as if it had come sorted, and a repetition writes nothing."""
    text = nsec3_zone()
    s = Scene(lab, {ZONE: text}, start=False)

    def interleaved(content):
        return sorted(content, key=lambda r: r.name)  # canonical order, NSEC3 among the rest

    s.primary.behave("AXFR", order=shuffled if order == "shuffled" else interleaved)
    s.relay.start()
    s.relay.wait_serial(ZONE, 1, 30)
    assert same(s)
    db = copy_db(s.relay.db, s.relay.dir + "/copy")
    before = look(db, "SELECT id, key, digest FROM segment ORDER BY id")
    s.primary.behave("AXFR")
    s.relay.ctl("retransfer", ZONE, "--wait")
    assert look(copy_db(s.relay.db, s.relay.dir + "/copy"),
                "SELECT id, key, digest FROM segment ORDER BY id") == before
    left = set(os.listdir(s.relay.dir)) - {"zonerelay.yaml", "log", "s", "copy"}
    assert all(f.startswith("zonerelay.db") for f in left), left


def test_duplicates_and_case(lab):
    """X-12, U-06: a record that comes twice is stored once; owners differ without regard to case."""
    s = Scene(lab, start=False)
    zone = s.primary.zone(ZONE)
    twice = [r for r in zone.content if r.rdata.rdtype != dns.rdatatype.SOA]
    upper = [Record(dns.name.from_text("HOST1." + ZONE.upper() + "."), 300, r.rdata)
             for r in zone.content if str(r.name).startswith("host1.")]
    s.primary.behave("AXFR", extra=twice + upper)
    s.relay.start()
    s.relay.wait_serial(ZONE, 1)
    got = s.axfr()
    assert sorted({k[:1] + k[2:] for k in (r.key(fold=True) for r in got.records)}) == sorted(
        {k[:1] + k[2:] for k in (r.key(fold=True) for r in zone.content)})
    assert len(got.records) == len(zone.content)


# ---- wrong ----


WRONG = {
    "closed in the middle": ({"close_after": 1, "records_per_message": 5}, "closed"),
    "SERVFAIL in the middle": ({"rcode_after": 1, "records_per_message": 5}, "SERVFAIL"),
    "another final SOA": ({"final": "other"}, "SOA"),
    "no final SOA": ({"final": "none", "close_when_done": True}, "closed"),
    "a record behind the end": ({"final": "twice"}, None),
    "REFUSED": ({"rcode": "REFUSED"}, "REFUSED"),
    "NOTAUTH": ({"rcode": "NOTAUTH"}, "NOTAUTH"),
    "closed at once": ({"close": True}, "closed"),
    "garbage": ({"raw": b"\x84\x00\x00\x01\x00\x09\x00\x00\x00\x00\xc0\x0c"}, None),
    "a foreign record": ({"extra": [record("www.example.org. 300 A 192.0.2.1", "example.org.")]}, "example.org"),
    "another question": ({"wrong_question": True}, "question"),
}


@pytest.mark.parametrize("how", sorted(WRONG))
def test_wrong(lab, how):
    """X-09, X-13, X-15, X-21: the old version stays, the reason is told, and it is tried again."""
    s = Scene(lab, {ZONE: zone_text(hosts=40)}, template={"retry": "10s..20s"}, primary={"ixfr": False})
    before = s.axfr().keys()
    behaviour, word = WRONG[how]
    s.primary.behave("AXFR", **behaviour)
    s.update(["www 300 A 192.0.2.9"], wait=False)
    failed = s.relay.wait_event("transfer-failed")[0]
    if word is not None:
        assert word.lower() in failed["reason"].lower(), failed
    assert s.relay.serial(ZONE) == 1
    assert s.axfr().keys() == before
    z = s.relay.json("zone", ZONE)["zone"]
    assert z["error"] and z["failures"] >= 1, z
    # Healed: the next try, by itself or on demand, brings it.
    s.primary.behave("AXFR")
    s.relay.ctl("refresh", ZONE, "--wait")
    assert s.relay.serial(ZONE) == 2
    assert same(s)
    assert s.relay.json("zone", ZONE)["zone"]["failures"] == 0


def test_next_primary(lab):
    """A-03, F of the list: the second primary is used when the first fails, for each kind of failure."""
    second = lab.add(FakePrimary(SECOND, free_port()).start())
    second.add_zone(ZONE, zone_text())
    s = Scene(lab, more_primaries={"second": {"address": second.address}}, primary={"ixfr": False})
    serial = 1
    for how in ({"final": "other"}, {"rcode": "REFUSED"}, {"close_after": 1, "records_per_message": 2}):
        s.primary.behave("AXFR", **how)
        second.update(ZONE, [f"n{serial} 300 A 192.0.2.9"])
        serial = s.update([f"n{serial} 300 A 192.0.2.9"])
        assert fetched(s)["primary"] == "second"
        assert same(s)


def test_no_apex_ns(lab):
    """T-17: a zone without NS at its apex is not taken."""
    s = Scene(lab)
    content = [r for r in s.primary.zone(ZONE).content if r.rdata.rdtype != dns.rdatatype.NS]
    soa = next(r for r in content if r.rdata.rdtype == dns.rdatatype.SOA)
    content[content.index(soa)] = soa._replace(rdata=soa.rdata.replace(serial=2))
    s.primary.replace(ZONE, content, keep_history=False)
    s.notify()
    assert "NS" in s.relay.wait_event("transfer-failed")[0]["reason"]
    assert s.relay.serial(ZONE) == 1


@pytest.mark.parametrize("limit", ["max-records", "max-size"])
def test_limits(lab, limit):
    """X-21: larger than allowed is not taken, and the limit is named."""
    value = {"max-records": 100, "max-size": "64KiB"}[limit]
    s = Scene(lab, template={limit: value})
    s.primary.replace(ZONE, large_zone(2, 150), keep_history=False)
    s.notify()
    reason = s.relay.wait_event("transfer-failed")[0]["reason"]
    assert str({"max-records": 100, "max-size": 65536}[limit]) in reason, reason
    assert s.relay.serial(ZONE) == 1


def test_silent_in_the_middle(lab):
    """A transfer that stops is given up after its idle time, and others go on meanwhile."""
    s = Scene(lab, {ZONE: zone_text(hosts=40), "other.test": zone_text(zone="other.test")},
              server={"transfer-idle": "3s"}, primary={"ixfr": False}, template={"retry": "10s..20s"})
    s.primary.once("AXFR", records_per_message=5, silence_after=1)
    s.update(["www 300 A 192.0.2.9"], wait=False)
    s.update(["www 300 A 192.0.2.9"], zone="other.test")
    failed = s.relay.wait_event("transfer-failed", timeout=30)[0]
    assert "no message for" in failed["reason"]
    s.relay.ctl("refresh", ZONE, "--wait")
    assert same(s)


# ---- IXFR ----


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED", "FORMERR", "NOTIMP", "NXDOMAIN"])
def test_ixfr_refused(lab, rcode):
    """I-05, I-12: AXFR at once, on the same connection."""
    s = Scene(lab)
    s.primary.behave("IXFR", rcode=rcode)
    s.update(["www 300 A 192.0.2.9"])
    assert fetched(s)["kind"] == "AXFR"
    assert rcode in s.relay.events("ixfr-failed")[-1]["reason"]
    assert same(s)
    ixfr, axfr = s.primary.queries_of("IXFR")[-1], s.primary.queries_of("AXFR")[-1]
    assert ixfr.connection == axfr.connection


@pytest.mark.parametrize("how", ["wrong-base", "gap", "absent", "lone"])
def test_ixfr_that_does_not_fit(lab, how):
    """I-06, I-08, I-10: the chain is checked, and AXFR mends it."""
    s = Scene(lab, server={"transfer-idle": "3s"})
    s.primary.update(ZONE, ["first 300 A 192.0.2.7"])
    s.primary.behave("IXFR", ixfr=how, close_when_done=how == "lone")
    s.update(["www 300 A 192.0.2.9"], wait=False)
    s.relay.wait_serial(ZONE, 3, 30)
    assert fetched(s)["kind"] == "AXFR"
    assert s.relay.events("ixfr-failed")
    assert same(s)


def test_ixfr_adds_what_is_there(lab):
    """I-08, and the setting for primaries that do it."""
    s = Scene(lab)
    again = next(r for r in s.primary.zone(ZONE).content if str(r.name).startswith("host1."))
    s.primary.behave("IXFR", extra=[again])
    s.update(["www 300 A 192.0.2.9"])
    assert fetched(s)["kind"] == "AXFR" and same(s)
    s.relay.primaries["up"]["ixfr-strict"] = False
    s.relay.write()
    s.relay.ctl("reload")
    serial = s.update(["www2 300 A 192.0.2.9"])
    assert fetched(s)["kind"] == "IXFR" and same(s)
    # What is passed on does not hold the needless record.
    for _, deleted, _, added in steps_of(s.ixfr(serial - 1)):
        assert not deleted and [r.name.to_text() for r in added] == [f"www2.{ZONE}."]


def test_ixfr_of_many_steps(lab):
    """I-06, I-27: steps are kept as they came."""
    s = Scene(lab)
    for i in range(30):
        s.primary.update(ZONE, [f"step{i} 300 A 192.0.2.{i + 1}"],
                         [f"step{i - 1} 300 A 192.0.2.{i}"] if i % 3 == 2 else [])
    s.notify()
    s.relay.wait_serial(ZONE, 31)
    assert fetched(s)["kind"] == "IXFR" and same(s)
    assert [(old, new) for old, _, new, _ in steps_of(s.ixfr(1))] == [(i, i + 1) for i in range(1, 31)]


def test_whole_zone_as_answer_to_ixfr(lab):
    """I-02: taken as it is; the difference for downstreams is computed (I-26)."""
    s = Scene(lab)
    s.primary.behave("IXFR", ixfr="full")
    serial = s.update(["www 300 A 192.0.2.9"], [f"host1.{ZONE}. 300 A 192.0.2.2"])
    assert same(s) and not s.primary.count("AXFR") > 1
    [(old, deleted, new, added)] = steps_of(s.ixfr(serial - 1))
    assert (old, len(deleted), new, len(added)) == (serial - 1, 1, serial, 1)


def test_ttl_only(lab):
    """I-18: a change of a TTL travels."""
    s = Scene(lab)
    serial = s.update([f"host1.{ZONE}. 301 A 192.0.2.2"], [f"host1.{ZONE}. 300 A 192.0.2.2"])
    assert fetched(s)["kind"] == "IXFR" and same(s)
    s.relay.primaries["up"]["ixfr"] = False
    s.relay.write()
    s.relay.ctl("reload")
    s.update([f"host1.{ZONE}. 302 A 192.0.2.2"], [f"host1.{ZONE}. 301 A 192.0.2.2"])
    assert fetched(s)["kind"] == "AXFR" and same(s)
    [(_, deleted, _, added)] = steps_of(s.ixfr(serial))
    assert [r.ttl for r in deleted] == [301] and [r.ttl for r in added] == [302]


# ---- serials ----


def test_serial_arithmetic(lab):
    """S-02, S-03, S-04, O-02, Q-10: wrap, zero, lower, incomparable."""
    s = Scene(lab, {ZONE: zone_text(4294967295)}, template={"retry": "10s..20s"})
    s.update(["wrapped 300 A 192.0.2.9"], serial=0)
    assert fetched(s)["kind"] == "IXFR" and same(s)
    s.update(["one 300 A 192.0.2.9"], serial=1)
    s.update(["half 300 A 192.0.2.9"], serial=2147483648)
    content = s.axfr().keys()
    count = len(s.relay.events("transfer-done"))
    for serial, note in ((2147483600, "lower"), (0, "cannot be compared")):
        s.primary.update(ZONE, ["never 300 A 192.0.2.9"], serial=serial, keep_history=False)
        s.notify(hint=False)
        wait_for(lambda note=note: [e for e in s.relay.events("zone-note") if note in e["note"]], 20, note)
        assert s.relay.serial(ZONE) == 2147483648
        assert s.axfr().keys() == content
    assert len(s.relay.events("transfer-done")) == count


def test_same_content_writes_nothing(lab):
    """An AXFR of what we have leaves every row of the content as it is."""
    s = Scene(lab, {ZONE: large_zone(1, 300)})
    s.settle()
    sql = "SELECT id, zone, key, born, died FROM segment ORDER BY id"
    before = look(copy_db(s.relay.db, s.relay.dir + "/copy"), sql)
    s.relay.ctl("retransfer", ZONE, "--wait")
    assert s.primary.count("AXFR") == 2
    assert look(copy_db(s.relay.db, s.relay.dir + "/copy"), sql) == before


# ---- SOA queries ----


def test_soa_over_tcp_when_udp_is_lost(lab):
    s = Scene(lab, server={"soa-timeout": "500ms", "soa-tries": 2})
    s.primary.behave("SOA", silence=False)
    s.primary.once("SOA/udp", times=10, silence=True)
    s.update(["www 300 A 192.0.2.9"], wait=False)
    s.relay.wait_serial(ZONE, 2, 30)
    assert s.primary.count("SOA/tcp") >= 1


@pytest.mark.parametrize("how", [{"tc": True}, {"edns": "formerr"}, {"edns": "notimp"}])
def test_soa_oddities(lab, how):
    """Truncated: TCP; no EDNS: without it (X-05)."""
    s = Scene(lab)
    s.primary.behave("SOA", **how)
    s.update(["www 300 A 192.0.2.9"])
    assert same(s)


@pytest.mark.parametrize("how", [{"aa": False}, {"rcode": "REFUSED"}, {"nodata": True}, {"wrong_question": True}])
def test_soa_not_acceptable(lab, how):
    """T-10, F-01: such an answer starts nothing; the second primary is asked."""
    second = lab.add(FakePrimary(SECOND, free_port()).start())
    second.add_zone(ZONE, zone_text())
    s = Scene(lab, more_primaries={"second": {"address": second.address}},
              server={"soa-timeout": "500ms", "soa-tries": 1})
    s.primary.behave("SOA", **how)
    s.primary.update(ZONE, ["bad 300 A 192.0.2.66"])
    second.update(ZONE, ["good 300 A 192.0.2.9"])
    s.notify()
    s.relay.wait_serial(ZONE, 2, 30)
    assert fetched(s)["primary"] == "second"


def test_old_version_is_served_during_a_transfer(lab):
    """A version is whole or not there: readers see the old one until the commit."""
    s = Scene(lab, {ZONE: large_zone(1, 400)}, primary={"ixfr": False})
    gate = threading.Event()
    s.primary.behave("AXFR", hold=gate)
    s.primary.replace(ZONE, large_zone(2, 400, fill="y"), keep_history=False)
    s.notify()
    s.primary.wait_count("AXFR", 2, 20 * SLOW)
    assert s.relay.serial(ZONE) == 1
    old = s.axfr().keys()
    gate.set()
    s.relay.wait_serial(ZONE, 2)
    assert same(s) and s.axfr().keys() != old
