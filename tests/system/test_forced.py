# SPDX-License-Identifier: BSD-2-Clause
"""NOTIFY(AXFR) in: who may send one, what is answered, what it brings (AN-*, A-*, Q-01 to Q-04, Q-09)."""

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
from fakeprimary import FakePrimary, with_serial
from fakewire import SOA, notify_query, read_frame, write_frame
from forcing import ForcedScene, smuggle
from lab import SLOW, free_port, wait_for
from scene import DOWNSTREAM, PRIMARY, STRANGER, ZONE, tell, zone_text

AXFR_QUESTION = b"\7example\4test\0" + struct.pack("!HH", 252, 1)
EDE_PROHIBITED, EDE_NOT_AUTH = 18, 20


def nothing_forced(s, seconds=0.5):
    """Neither a transfer nor an onward NOTIFY(AXFR); time has to pass for that."""
    time.sleep(seconds)
    assert s.primary.count("AXFR") == 0 and s.primary.count("IXFR") == 0
    assert not s.down.notifies_of(ZONE, "AXFR")
    assert s.pending() == []


# ---- the answer ----


def test_no_transfer_on_that_connection(lab):
    """Q-01, AN-19: the opcode comes first; also for a peer that may transfer."""
    s = ForcedScene(lab, primary={"notify-from": ["127.0.0.1"]})
    for source in (PRIMARY, "127.0.0.1", STRANGER, DOWNSTREAM):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.bind((source, 0))
            sock.settimeout(10 * SLOW)
            sock.connect(s.at)
            for _ in range(3):
                q = notify_query(ZONE, "AXFR")
                write_frame(sock, q.to_wire())
                a = dns.message.from_wire(read_frame(sock))
                assert a.id == q.id and a.opcode() == dns.opcode.NOTIFY and a.flags & dns.flags.QR
                assert not a.answer and not a.authority
                allowed = source in (PRIMARY, "127.0.0.1")
                assert dns.rcode.to_text(a.rcode()) == ("NOERROR" if allowed else "REFUSED"), source
            # The next message on the connection answers the next query: there was nothing in between.
            q = query(ZONE, SOA)
            write_frame(sock, q.to_wire())
            assert dns.message.from_wire(read_frame(sock)).id == q.id
    # 127.0.0.1 may transfer, and does by a query.
    assert s.axfr().ok


@pytest.mark.parametrize("tcp", [False, True])
def test_answer_octet_by_octet(lab, tcp):
    """AN-09, draft 3.2: ID, QR, opcode 4, AA, NOERROR, one question as it was asked, nothing else."""
    s = ForcedScene(lab)
    for n, (name, flags) in enumerate(((b"\7example\4test\0", 0x2400), (b"\7eXamPle\4teST\0", 0x2400),
                                       (b"\7example\4test\0", 0x2000), (b"\3wWw\7exAmple\4test\0", 0x2400))):
        question = name + struct.pack("!HH", 252, 1)
        wire = struct.pack("!6H", 0x4700 + n, flags, 1, 0, 0, 0) + question
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as sock:
            sock.bind((PRIMARY, 0))
            sock.settimeout(10 * SLOW)
            sock.connect(s.at)
            if tcp:
                write_frame(sock, wire)
                answer = read_frame(sock)
            else:
                sock.send(wire)
                answer = sock.recv(4096)
        assert answer == struct.pack("!6H", 0x4700 + n, 0xA400, 1, 0, 0, 0) + question, answer.hex()
    s.relay.wait_event("forced-committed")


def test_answer_with_edns(lab):
    s = ForcedScene(lab)
    a = tell(s.at, qtype="AXFR").message
    assert a.rcode() == dns.rcode.NOERROR and a.edns == 0 and a.flags == dns.opcode.to_flags(
        dns.opcode.NOTIFY) | dns.flags.QR | dns.flags.AA
    assert a.question[0].rdtype == dns.rdatatype.AXFR and not a.answer


def test_answered_before_the_transfer_and_after_the_mark(lab):
    """AN-10, AN-24, A-35: the answer waits for the disk, not for the transfer."""
    slow = 500
    s = ForcedScene(lab, env={"ZONERELAY_TEST_SLOW_COMMIT_MS": str(slow)})
    hold = threading.Event()
    s.primary.behave("AXFR", hold=hold)
    a = s.force()
    assert a.seconds >= slow / 1000 * 0.95, a.seconds
    assert s.pending() == [(2,)]
    s.primary.wait_count("AXFR", 1)
    hold.set()
    s.wait_events(1)
    wait_for(lambda: s.pending() == [], 10, "no mark")


# ---- the hint, and NOTIFY(SOA) ----


def test_hint_does_not_matter(lab):
    """Q-02, AN-21: an answer section neither cancels nor changes a forced transfer."""
    s = ForcedScene(lab, {ZONE: zone_text(serial=100)})
    soa = s.primary.zone(ZONE).soa
    for n, serial in enumerate((100, 99, 101, 100 + 2**31), 1):
        assert tell(s.at, qtype="AXFR", hint=with_serial(soa, serial)).rcode == "NOERROR"
        s.wait_events(n)
    assert s.primary.count("AXFR") == 4
    assert s.relay.serial(ZONE) == 100
    # AN-22: NOTIFY(SOA) with the hint that says what we have is over at once.
    s.settle()
    s.forget()
    assert tell(s.at, hint=soa).rcode == "NOERROR"
    time.sleep(0.5)
    assert not s.primary.queries and not s.down.notifies


def test_notify_soa_is_what_it_was(lab):
    """AN-22: NOTIFY(SOA) under the same serial forces nothing, even when the content differs."""
    s = ForcedScene(lab)
    s.rewrite(["new A 192.0.2.9"])
    assert s.notify(hint=False).rcode == "NOERROR"
    s.primary.wait_count("SOA", 1)
    nothing_forced(s)
    assert not s.serves() and not s.events()
    s.update(["newer A 192.0.2.9"])
    assert s.primary.count("AXFR") <= 1     # the difference does not fit what we have
    assert s.down.wait_hint(ZONE, 2).qtype == "SOA" and not s.down.notifies_of(ZONE, "AXFR")


# ---- what it brings ----


def test_same_serial(lab):
    """Q-03, AN-05 to AN-08, A-10: added, removed and changed records arrive; the difference is void."""
    s = ForcedScene(lab)
    s.update(["step A 192.0.2.8"])
    s.settle()
    assert s.row()["journal_steps"] == 1 and s.ixfr(1).kind == "diff"
    s.forget()
    s.rewrite(add=["added A 192.0.2.9", "host1 300 A 192.0.2.200"],
              delete=["host1 300 A 192.0.2.2", "host2 300 A 192.0.2.3"])
    s.force()
    s.wait_events(1)
    assert s.relay.serial(ZONE) == 2 and s.serves()
    assert s.primary.count("AXFR") == 1 and s.primary.count("IXFR") == 0
    assert s.row()["journal_steps"] == 0 and s.row()["version"] == 3
    assert s.ixfr(1).kind == "full", "no difference leads to this content"
    assert s.ixfr(2).kind == "single", "A-10 (3)"
    e = s.wait_events(1)
    assert (e["serial"], e["old_serial"], e["verdict"]) == ("2", "2", "new"), e
    s.settle()
    s.relay.stop()
    s.relay.start()
    assert s.serves() and s.ixfr(1).kind == "full"


def test_database_that_is_wrong(lab):
    """AN-07, the first case of the draft's introduction: a record of ours that is not in the transfer goes."""
    s = ForcedScene(lab)
    s.relay.stop()
    smuggle(s.relay.db, "zzzz 300 TXT \"nobody sent this\"")
    s.relay.start()
    assert not s.serves() and any(r.type == "TXT" for r in s.axfr().records)
    s.force()
    s.wait_events(1)
    assert s.serves() and s.axfr().serial == 1


def test_missed_event_then_a_step(lab):
    """Q-04, A-10 (2), (4): from the ambiguous serial there is the whole zone, though a difference exists."""
    s = ForcedScene(lab)
    s.rewrite(["added A 192.0.2.9"])
    s.force()
    s.wait_events(1)
    s.settle()
    s.primary.forget()
    s.update(["step A 192.0.2.8"])
    assert s.primary.count("AXFR") == 1 and s.primary.count("IXFR") == 0, "A-10 (4)"
    s.settle()
    t = s.ixfr(1, source=DOWNSTREAM)
    assert t.kind == "full" and t.keys() == s.content()
    s.update(["step3 A 192.0.2.8"])
    assert s.primary.count("IXFR") == 1, "from then on by difference"
    assert s.ixfr(2).kind == "diff"
    assert s.ixfr(1).kind == "full"
    s.relay.restart()
    assert s.ixfr(2).kind == "diff" and s.ixfr(1).kind == "full", "it survives a restart"


def test_fetched_then_a_step(lab):
    """A-10 (2): when all who may transfer have fetched the new content, differences start from it again.

    "watch", which is never told, might have the old one for ever: it is not there.
    """
    s = ForcedScene(lab, start=False)
    del s.relay.downstreams["watch"]
    s.relay.write()
    s.relay.start()
    s.down.wait_hint(ZONE, 1)
    s.rewrite(["added A 192.0.2.9"])
    s.force()
    s.wait_events(1)
    s.down.wait_notifies(1, ZONE, "AXFR")
    assert s.down.axfr(ZONE, s.at).ok
    s.wait_peer("verified")
    s.settle()
    s.update(["step A 192.0.2.8"], wait=False)
    s.down.wait_hint(ZONE, 2)
    t = s.down.ixfr(ZONE, s.at, 1)
    assert t.kind == "diff" and [str(r.name) for r in t.steps[0][3]] == ["step.example.test."]


def test_downstream_comes_before_us(lab):
    """Q-09, A-31, A-04: who fetched before we had the new content is told afterwards, and ends with it."""
    s = ForcedScene(lab)
    s.rewrite(["added A 192.0.2.9"])
    hold = threading.Event()
    s.primary.behave("AXFR", hold=hold)
    s.force()
    s.primary.wait_count("AXFR", 1)
    old = s.down.axfr(ZONE, s.at)
    assert old.ok and old.keys() != s.content()
    hold.set()
    n = s.down.wait_notifies(1, ZONE, "AXFR")[0]
    assert n.hint is None
    new = s.down.axfr(ZONE, s.at)
    assert new.keys() == s.content()
    s.wait_peer("verified")


def test_identical(lab):
    """A-08, AN-11: the same content installs nothing, counts as success, and is passed on all the same."""
    s = ForcedScene(lab)
    before = s.row()
    s.force()
    e = s.wait_events(1)
    s.down.wait_notifies(1, ZONE, "AXFR")
    after = s.row()
    assert after["version"] == before["version"] and after["loaded_at"] == before["loaded_at"]
    assert after["checked_at"] > before["checked_at"] and after["expire_at"] > before["expire_at"]
    assert s.pending() == [] and e["verdict"] == "new"
    assert s.ixfr(1).kind == "single"


def test_greater_serial(lab):
    """A-08, I-26, A-32: a greater serial is an ordinary step; downstream hears NOTIFY(AXFR) and nothing else."""
    s = ForcedScene(lab)
    s.primary.update(ZONE, ["new A 192.0.2.9"])
    s.force()
    s.wait_events(1)
    assert s.serves() and s.primary.count("AXFR") == 1 and s.primary.count("IXFR") == 0
    assert s.ixfr(1).kind == "diff", "the difference is our own"
    s.down.wait_notifies(1, ZONE, "AXFR")
    s.settle()
    assert [n.qtype for n in s.down.notifies] == ["AXFR"]


# ---- serials that are not newer ----


LOWER = {"lower": (100, 99), "much lower": (100, 1), "incomparable": (100, 100 + 2**31),
         "to zero": (5, 0), "before the wrap": (0, 0xFFFFFFFF)}


@pytest.mark.parametrize("case", LOWER)
@pytest.mark.parametrize("policy", ["authenticated", "always", "never"])
def test_lower_serial(lab, case, policy):
    """Q-10, A-08: taken by policy and loudly; else the old copy stays, and nobody is told."""
    old, new = LOWER[case]
    s = ForcedScene(lab, {ZONE: zone_text(serial=old)}, template={"forced-lower-serial": policy})
    s.primary.update(ZONE, ["back A 192.0.2.9"], serial=new)
    s.force()
    if policy == "always":
        s.wait_events(1)
        assert s.relay.serial(ZONE) == new and s.serves()
        s.down.wait_notifies(1, ZONE, "AXFR")
        # A newer serial than ours is told so (RFC 1995 section 2); nobody gets a difference.
        assert s.ixfr(old).kind == ("full" if case == "incomparable" else "single")
        loud = [e for e in s.relay.events() if e.level in ("warn", "error") and e.get("zone") == ZONE]
        assert loud, "a serial that goes back is not passed over in silence"
        # From there it goes on as usual.
        s.primary.behave()
        s.update(["on A 192.0.2.9"])
        assert s.serves()
        return
    s.primary.wait_count("AXFR", 1)
    s.relay.wait_event("zone-note", zone=ZONE)
    s.settle()
    assert s.relay.serial(ZONE) == old and not s.serves() and s.pending() == []
    time.sleep(0.3)
    assert not s.down.notifies, "AN-11: what was not taken is not passed on"
    # The operator may, whatever the policy says.
    s.relay.ctl("retransfer", ZONE)
    wait_for(lambda: s.relay.serial(ZONE) == new, 10, "the operator's word")
    assert s.serves()
    s.down.wait_notifies(1, ZONE, "AXFR")


@pytest.mark.parametrize("old,new", [(0xFFFFFFFF, 0), (0, 0), (0xFFFFFFFF, 0xFFFFFFFF), (2**31, 0)])
def test_wrap_and_zero(lab, old, new):
    """Q-10, S-*: 0 is a serial like any other, and what is behind the wrap is newer."""
    s = ForcedScene(lab, {ZONE: zone_text(serial=old)},
                    template={"forced-lower-serial": "always" if new == 0 and old == 2**31 else "never"})
    s.primary.update(ZONE, ["new A 192.0.2.9"], serial=new)
    s.force()
    s.wait_events(1)
    assert s.relay.serial(ZONE) == new and s.serves()
    assert s.ixfr(old).kind == ("diff" if (old, new) == (0xFFFFFFFF, 0) else "single" if old == new else "full")


# ---- where, and from whom ----


def test_below_the_apex(lab):
    """A-01, A-02: the enclosing zone, unless the name is a child's; onward it is the apex."""
    s = ForcedScene(lab, {ZONE: zone_text(more=["child.example.test. 300 IN NS ns.child.example.test.",
                                                "ns.child.example.test. 300 IN A 192.0.2.77"])})
    for name in ("child.example.test", "a.child.example.test", "ns.child.example.test"):
        a = tell(s.at, name, qtype="AXFR")
        assert (a.rcode, a.aa, a.ede) == ("NOTAUTH", False, EDE_NOT_AUTH), name
    nothing_forced(s)
    a = tell(s.at, "a.b.eXample.test", qtype="AXFR")
    assert (a.rcode, a.aa) == ("NOERROR", True)
    assert a.message.question[0].name.to_text() == "a.b.eXample.test."
    s.wait_events(1)
    assert str(s.down.wait_notifies(1, ZONE, "AXFR")[0].message.question[0].name) == "example.test."


def test_enclosing_off(lab):
    s = ForcedScene(lab, template={"notify-enclosing": False})
    assert tell(s.at, "www.example.test", qtype="AXFR").rcode == "NOTAUTH"
    nothing_forced(s)
    s.force()
    s.wait_events(1)


def test_strangers(lab):
    """AN-15, AN-16, A-16: not a primary, not of this zone, not configured, a response: nothing happens."""
    s = ForcedScene(lab, {ZONE: zone_text(), "other.test": None},
                    more_primaries={"second": {"address": f"127.0.0.13@{free_port()}"}},
                    zone_conf={ZONE: {"primaries": ["up"]}, "other.test": {"primaries": ["second"]}},
                    start=False)
    s.relay.start()
    s.relay.wait_serial(ZONE, 1)
    s.settle()
    s.forget()
    for tcp in (False, True):
        for source in (STRANGER, DOWNSTREAM, "127.0.0.1", "127.0.0.13"):
            a = tell(s.at, qtype="AXFR", source=source, tcp=tcp)
            assert (a.rcode, a.aa, a.ede) == ("REFUSED", False, EDE_PROHIBITED), source
        a = tell(s.at, "nowhere.test", qtype="AXFR", tcp=tcp)
        assert (a.rcode, a.aa, a.ede) == ("NOTAUTH", False, EDE_NOT_AUTH)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((PRIMARY, 0))
        sock.connect(s.at)
        for flags in (0xA400, 0x2405):
            sock.send(struct.pack("!6H", 7, flags, 1, 0, 0, 0) + AXFR_QUESTION)
    nothing_forced(s)
    assert not s.relay.events("notify-received")


@pytest.mark.parametrize("policy", ["off", "key"])
def test_policy_of_the_primary(lab, policy):
    """A-14, AN-04: what this primary may not demand is refused; NOTIFY(SOA) is as before."""
    s = ForcedScene(lab, primary={"forced": policy}, template={"notify-enclosing": True})
    for tcp in (False, True):
        a = tell(s.at, qtype="AXFR", tcp=tcp)
        assert (a.rcode, a.aa, a.ede) == ("REFUSED", False, EDE_PROHIBITED)
    nothing_forced(s)
    assert s.update(["new A 192.0.2.9"]) == 2
    # The operator may.
    s.relay.ctl("retransfer", ZONE)
    s.wait_events(1)


@pytest.mark.parametrize("policy", ["auto", "address"])
def test_policy_that_takes_it(lab, policy):
    s = ForcedScene(lab, primary={"forced": policy})
    s.force()
    s.wait_events(1)


class Two:
    """A zone with two primaries."""

    def __init__(self, lab, text=None, back=None, **how):
        self.second = lab.add(FakePrimary("127.0.0.13", free_port()).start())
        self.second.add_zone(ZONE, text or zone_text())
        self.s = ForcedScene(lab, {ZONE: text or zone_text()},
                             more_primaries={"second": {"address": self.second.address}},
                             more_downstreams={"back": back} if back else None, **how)
        self.second.forget()


def test_the_notifier_first(lab):
    """AN-17, A-03: asked first is who sent it, at its configured address; then the others in order."""
    t = Two(lab)
    s = t.s
    t.second.update(ZONE, ["new A 192.0.2.9"], serial=1)
    assert t.second.notify(ZONE, s.at, qtype="AXFR").rcode == "NOERROR"
    s.wait_events(1)
    assert t.second.count("AXFR") == 1 and s.primary.count("AXFR") == 0
    assert s.last()["notifier"] == "second" and s.last()["source"] == "second"
    for how in ({"rcode": "REFUSED"}, {"close": True}, {"close_after": 1, "records_per_message": 2}):
        n = len(s.events())
        s.rewrite([f"n{n} A 192.0.2.9"])
        t.second.once("AXFR", **how)
        assert t.second.notify(ZONE, s.at, qtype="AXFR").rcode == "NOERROR"
        s.wait_events(n + 1)
        assert s.last()["notifier"] == "second" and s.last()["source"] == "up", how
        assert s.serves()


def test_nothing_new_elsewhere(lab):
    """A-31: the notifier cannot be asked, and one that we feed as well has what we have: that is no news yet."""
    back = lab.add(FakeDownstream(PRIMARY, free_port()).start())
    t = Two(lab, zone_text(retry=2), back={"address": back.address}, template={"retry": "1s..2w"})
    s = t.s
    t.second.update(ZONE, ["new A 192.0.2.9"], serial=1)
    t.second.once("AXFR", rcode="SERVFAIL")
    assert t.second.notify(ZONE, s.at, qtype="AXFR").rcode == "NOERROR"
    s.primary.wait_count("AXFR", 1)
    assert s.pending() == [(2,)] and not s.events() and not s.down.notifies
    s.wait_events(1)
    assert s.last()["source"] == "second"
    assert s.axfr().keys() == sorted(r.key() for r in t.second.zone(ZONE).content)
    # When it stays away, the other one is believed in the end.
    t.second.stop()
    s.forget()
    s.primary.update(ZONE, ["new A 192.0.2.9"], serial=1)
    a = tell(s.at, qtype="AXFR", source="127.0.0.13")
    assert a.rcode == "NOERROR"
    s.primary.wait_count("AXFR", 2, timeout=20)
    s.wait_events(2)
    s.down.wait_notifies(1, ZONE, "AXFR")


def test_not_from_one_that_lags(lab):
    """A-03: another primary with a lower serial does not roll us back because the notifier fails."""
    t = Two(lab, template={"forced-lower-serial": "always"})
    s = t.s
    s.update(["new A 192.0.2.9"])
    s.settle()
    s.forget()
    s.primary.once("AXFR", rcode="SERVFAIL")
    s.force()
    wait_for(lambda: t.second.queries, 10, "a query at the other one")
    time.sleep(0.5)
    if s.events():      # then every one that could be reached was lower
        assert s.relay.serial(ZONE) in (1, 2)
    s.primary.update(ZONE, serial=2, add=["again A 192.0.2.9"])
    s.force()
    wait_for(s.serves, 10, "what the notifier has")


# ---- while something else goes on ----


@pytest.mark.parametrize("kind", ["IXFR", "AXFR"])
def test_a_transfer_is_running(lab, kind):
    """A-11: what began before proves nothing; it is not broken off, and the forced one follows."""
    s = ForcedScene(lab)
    hold = threading.Event()
    s.primary.once(kind, hold=hold)
    if kind == "AXFR":
        s.primary.once("IXFR", rcode="NOTIMP")
    s.update(["step A 192.0.2.8"], wait=False)
    s.primary.wait_count(kind, 1)
    before = s.primary.count("AXFR")
    s.force()
    time.sleep(0.3)
    assert s.primary.count("AXFR") == before, "one transfer at a time"
    hold.set()
    s.wait_events(1)
    assert s.primary.count("AXFR") == before + 1 and s.relay.events("committed", serial=2)
    assert s.serves()


def test_a_forced_one_is_running(lab):
    """A-11: NOTIFY(SOA) during it: one check afterwards.  NOTIFY(AXFR): exactly one more."""
    s = ForcedScene(lab)
    for qtype in ("SOA", "AXFR"):
        n = len(s.events())
        s.forget()
        hold = threading.Event()
        s.primary.once("AXFR", hold=hold)
        s.force()
        s.primary.wait_count("AXFR", 1)
        for _ in range(5):
            assert s.notify(hint=False, qtype=qtype).rcode == "NOERROR"
        assert s.primary.count("AXFR") == 1 and s.primary.count("SOA") == 0
        hold.set()
        s.wait_events(n + (2 if qtype == "AXFR" else 1))
        s.settle()
        time.sleep(0.3)
        assert (s.primary.count("AXFR"), s.primary.count("SOA")) == ((2, 0) if qtype == "AXFR" else (1, 1))


def test_expired_zone(lab):
    """A-20: an expired zone comes back, and everybody hears of it."""
    s = ForcedScene(lab, {ZONE: zone_text(refresh=1, retry=1, expire=3)},
                    template={"refresh": "1s..4w", "retry": "1s..2w"})
    s.primary.behave(rcode="SERVFAIL")
    s.relay.wait_event("zone-expired")
    assert s.relay.serial(ZONE) is None
    s.down.forget()
    s.primary.behave("SOA", rcode="SERVFAIL")
    s.primary.behave("AXFR")
    s.force()
    s.wait_events(1, timeout=30)
    s.relay.wait_event("zone-unexpired")
    assert s.relay.serial(ZONE) == 1
    s.down.wait_notifies(1, ZONE, "AXFR")


def test_ids_of_transactions(lab):
    """AN-01 to AN-03, A-13: onward NOTIFY(AXFR) has AA alone, the apex, no hint, an ID of its own."""
    s = ForcedScene(lab)
    for n in range(1, 6):
        s.rewrite([f"n{n} A 192.0.2.9"])
        s.force()
        s.down.wait_notifies(n, ZONE, "AXFR")
    for n in s.down.notifies:
        m = n.message
        assert m.flags == dns.flags.AA | dns.opcode.to_flags(dns.opcode.NOTIFY) and m.rcode() == 0
        assert len(m.question) == 1 and m.question[0].rdtype == dns.rdatatype.AXFR
        assert str(m.question[0].name) == ZONE + "." and m.question[0].rdclass == 1
        assert not m.answer and not m.authority and not m.additional and n.transport == "udp"
    assert len({n.id for n in s.down.notifies}) == 5
