# SPDX-License-Identifier: BSD-2-Clause
"""REFRESH, RETRY and EXPIRE, over restarts too; primaries that are dead, late or behind; serial numbers."""

import datetime
import sqlite3
import time

import dns.rcode
import pytest

from fakedownstream import AXFR, IXFR, axfr, ixfr, query
from fakeprimary import FakePrimary, with_serial
from fakewire import SOA, ede_of, exchange, record
from lab import SLOW, free_port, serial_at, wait_for
from relay import Relay
from scene import PRIMARY, ZONE, Scene, tell, zone_text

import dns.message

SHORT = {"refresh": "1s..4w", "retry": "1s..2w"}
# A dead primary is found out quickly.
FAST = {"soa-timeout": "200ms", "soa-tries": 2, "connect-timeout": "500ms"}


def seconds_to(text):
    """From now to a time that zonerelayctl --json printed."""
    t = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (t - datetime.datetime.now(datetime.timezone.utc)).total_seconds()


def status(s, zone=ZONE):
    return s.relay.json("zone", zone)["zone"]


def soa_answer(port, host="127.0.0.1", zone=ZONE):
    answer = exchange(query(zone, SOA).to_wire(), (host, port), timeout=2 * SLOW)
    return None if answer is None else dns.message.from_wire(answer)


def is_expired(port, host="127.0.0.1"):
    m = soa_answer(port, host)
    return m is not None and m.rcode() == dns.rcode.SERVFAIL and ede_of(m) == 24


def gaps(queries):
    times = [q.time for q in queries]
    return [b - a for a, b in zip(times, times[1:])]


# ---- REFRESH and RETRY ----


def test_refresh(lab):
    """T-01, T-02, T-05, T-13, E-01, KA-01: checks every REFRESH, at most 10 % early; a change is found by them."""
    s = Scene(lab, {ZONE: zone_text(refresh=2, retry=1)}, template=SHORT)
    s.primary.wait_count("SOA", 4, 12)
    between = gaps(s.primary.queries_of("SOA"))[1:]
    assert all(1.75 < g < 2 + 0.7 * SLOW for g in between), between
    s.primary.update(ZONE, ["a A 192.0.2.1"])
    s.relay.wait_serial(ZONE, 2, 3)
    for q in s.primary.queries:
        assert q.asked_expire and q.asked_keepalive == (q.transport == "tcp"), q
    assert len({q.message.id for q in s.primary.queries}) == len(s.primary.queries)
    assert s.primary.count("AXFR") == 1 and s.primary.count("IXFR") == 1


def test_retry(lab):
    """T-03, N-35: what fails is tried again every RETRY, also when a NOTIFY asked for it; state and reason show."""
    s = Scene(lab, {ZONE: zone_text(refresh=3600, retry=2)}, template=SHORT)
    s.settle()
    s.primary.forget()
    s.primary.behave("SOA", rcode="SERVFAIL")
    s.primary.update(ZONE, ["a A 192.0.2.1"])
    assert s.notify(hint=False).rcode == "NOERROR"
    s.primary.wait_count("SOA", 3, 12)
    between = gaps(s.primary.queries_of("SOA"))
    assert all(1.75 < g < 2 + 0.7 * SLOW for g in between), between
    z = status(s)
    assert z["failures"] >= 2 and "SERVFAIL" in z["error"] and z["pending"] == "check", z
    assert 0 < seconds_to(z["next_at"]) <= 2
    assert s.relay.serial(ZONE) == 1
    s.primary.behave()
    s.relay.wait_serial(ZONE, 2, 4)
    z = status(s)
    assert z["failures"] == 0 and z["error"] is None and z["pending"] == "none"


def test_failed_transfer_is_retried(lab):
    """X-21, N-35: the check was fine and the transfer was not: the old version stays, RETRY."""
    s = Scene(lab, {ZONE: zone_text(refresh=3600, retry=1)}, template=SHORT)
    s.settle()
    s.primary.forget()
    s.primary.behave("IXFR", rcode="REFUSED")
    s.primary.behave("AXFR", final="none", close_when_done=True)
    s.update(["a A 192.0.2.1"], wait=False)
    s.primary.wait_count("AXFR", 3, 12)
    assert s.relay.serial(ZONE) == 1 and s.axfr().keys() == s.content(serial=1)
    z = s.relay.json("zone", ZONE)
    assert z["zone"]["state"] == "behind" and z["zone"]["failures"] >= 1
    assert any(t["error"] for t in z["transfers"])
    s.primary.behave()
    s.relay.wait_serial(ZONE, 2, 4)


def test_rejected_serial(lab):
    """X-21, X-22: a version that is no zone is not fetched again and again, however often it is announced."""
    s = Scene(lab, {ZONE: zone_text(refresh=3600, retry=3)}, template=SHORT)
    s.settle()
    s.primary.forget()
    stranger = record("www.elsewhere.test. A 192.0.2.1", ZONE)
    for kind in ("AXFR", "IXFR"):
        s.primary.behave(kind, extra=[stranger], ixfr="full")
    s.update(["a A 192.0.2.1"], wait=False)
    s.relay.wait_event("transfer-failed")
    tried = s.primary.count("AXFR")
    for n in range(2, 10):
        assert s.notify(hint=False).rcode == "NOERROR"
        s.primary.wait_count("SOA", n)
    assert s.primary.count("AXFR") == tried <= 2
    assert s.relay.serial(ZONE) == 1 and s.axfr().keys() == s.content(serial=1)
    # The next serial is another one.
    s.primary.behave()
    assert s.update(["b A 192.0.2.2"]) == 3


def test_bounds(lab):
    """T-11: whatever the SOA says, checks are neither a storm nor postponed for ever; the SOA is served as it is."""
    zones = {"zero.test": zone_text(zone="zero.test", refresh=0, retry=0),
             "never.test": zone_text(zone="never.test", refresh=2**32 - 1, retry=2**31, expire=2**32 - 1),
             "usual.test": zone_text(zone="usual.test", refresh=1, retry=1),
             "short.test": zone_text(zone="short.test", refresh=3600, retry=600, expire=0)}
    conf = {"zero.test": SHORT, "never.test": {"refresh": "1s..1h", "retry": "1s..1h"}}
    s = Scene(lab, dict(list(zones.items())[:3]), zone_conf=conf)
    s.primary.forget()
    time.sleep(3)
    n = len([q for q in s.primary.queries_of("SOA") if q.zone == "zero.test."])
    assert 2 <= n <= 4, n
    assert 0 < seconds_to(status(s, "never.test")["refresh_at"]) <= 3600
    assert 260 < seconds_to(status(s, "usual.test")["refresh_at"]) <= 300, "300 s is the default minimum"
    assert seconds_to(status(s, "never.test")["expire_at"]) > 2**31
    for z in ("zero.test", "never.test", "usual.test"):
        assert s.axfr(z).keys() == s.content(z)
    # EXPIRE 0 is expired at once, and still no storm.
    s.primary.add_zone("short.test", zones["short.test"])
    s.relay.zones["short.test"] = SHORT
    s.relay.write()
    s.relay.ctl("reload")
    s.relay.wait_event("committed", zone="short.test")
    s.primary.forget()
    time.sleep(2)
    assert s.primary.count("SOA") + s.primary.count("AXFR") <= 8, dict(s.primary.counts)


def test_never_loaded(lab):
    """A zone that the primary does not have yet is asked for again soon, without NOTIFY."""
    s = Scene(lab, {"late.test": None})
    s.primary.wait_count("SOA", 1)
    time.sleep(0.5)
    assert s.primary.count("SOA") == 1
    z = status(s, "late.test")
    assert z["state"] == "never" and z["failures"] == 1 and "NOTAUTH" in z["error"]
    assert 3 < seconds_to(z["next_at"]) <= 5
    s.primary.add_zone("late.test", zone_text(zone="late.test"))
    s.relay.wait_serial("late.test", 1, 6)
    assert 4.2 < gaps(s.primary.queries_of("SOA"))[0] < 5 + SLOW


def test_refresh_over_restarts(lab):
    """T-12: the deadline stands in the database: neither earlier nor later for a restart."""
    s = Scene(lab, {ZONE: zone_text(refresh=6, retry=1), "long.test": zone_text(zone="long.test")}, template=SHORT)
    s.settle()
    first = s.primary.queries_of("AXFR")[0].time
    s.primary.forget()
    s.relay.restart()
    time.sleep(0.7)
    s.relay.restart()
    s.primary.wait_count("SOA", 1, 8)
    q = s.primary.queries_of("SOA")[0]
    assert q.zone == "example.test." and 5.2 < q.time - first < 6 + SLOW, q.time - first
    assert len(s.primary.queries) == 1
    assert seconds_to(status(s, "long.test")["refresh_at"]) > 3000
    assert not s.relay.events("checking-all")


def asked(s):
    return sorted(q.zone for q in s.primary.queries_of("SOA"))


def test_start_that_checks_all(lab):
    """A-19: what may be older than what was served, or may have missed NOTIFYs, is checked at once, whatever the row says."""
    names = [ZONE, *(f"z{i}.test" for i in range(1, 5))]
    s = Scene(lab, {z: zone_text(zone=z) for z in names}, template=SHORT)
    every = sorted(z + "." for z in names)
    s.settle()

    def start():
        s.primary.forget()
        s.relay.start()
        s.primary.wait_count("SOA", 5)
        s.settle()
        wait_for(lambda: s.relay.json("status")["daemon"]["unseen"] == 0, 5, "nothing is unseen")
        assert asked(s) == every

    s.relay.kill()
    s.primary.update("z3.test", ["a A 192.0.2.1"])      # as if it had been fetched before, and lost
    start()
    s.relay.wait_serial("z3.test", 2)
    assert s.relay.events("checking-all")[-1]["zones"] == "5"
    # In order, but long ago; the clock was set back since.
    for ago in (3600, -3600):
        s.relay.stop()
        s.relay.set_ended(ago)
        start()
    # What was not done when it ended is done by the next one, though that end was orderly.
    s.relay.kill()
    s.primary.behave("SOA", silence=True)
    s.primary.forget()
    s.relay.start()
    s.primary.wait_count("SOA", 1)
    assert s.relay.json("status")["daemon"]["unseen"] == 5
    assert "5 not yet checked since the start" in s.relay.ctl("status").stdout
    s.relay.stop()
    s.primary.behave()
    start()
    s.primary.forget()
    s.relay.restart()
    time.sleep(0.5)
    assert not s.primary.queries


# ---- EXPIRE ----


def test_expiry_and_recovery(lab):
    """T-04, T-07, T-08, A-20, I-13: not served any more, still tried; back with AXFR, and announced."""
    s = Scene(lab, {ZONE: zone_text(refresh=1, retry=1, expire=4)}, template=SHORT)
    s.settle()
    s.primary.behave(rcode="REFUSED")
    s.primary.wait_count("SOA", s.primary.count("SOA") + 1)     # it fails from here on
    z = status(s)
    left = seconds_to(z["expire_at"])
    assert 2 < left <= 4 and z["state"] in ("failing", "current")
    assert s.relay.serial(ZONE) == 1, "served until then"
    start = time.monotonic()
    wait_for(lambda: is_expired(s.relay.port), 8, "expiry", every=0.02)
    assert abs(time.monotonic() - start - left) < 0.3 + 0.4 * SLOW
    for rdtype, serial in ((SOA, None), (IXFR, 1), (AXFR, None)):
        m = dns.message.from_wire(exchange(query(ZONE, rdtype, serial).to_wire(), s.at, tcp=True))
        assert m.rcode() == dns.rcode.SERVFAIL and ede_of(m) == 24 and not m.answer
    z = status(s)
    assert z["state"] == "expired"
    assert ZONE in s.relay.ctl("zones", "--state", "expired").stdout
    assert s.relay.events("zone-expired", zone=ZONE)
    # Still tried every RETRY (T-08), and NOTIFY is taken, also when it announces what we had.
    n = s.primary.count("SOA")
    s.primary.wait_count("SOA", n + 2, 5)
    s.primary.behave()
    s.primary.forget()
    s.down.forget()
    a = s.notify()
    assert (a.rcode, a.aa) == ("NOERROR", True)
    s.relay.wait_serial(ZONE, 1, 3)
    assert s.primary.count("AXFR") == 1 and s.primary.count("IXFR") == 0
    s.down.wait_hint(ZONE, 1)
    assert status(s)["state"] == "current" and s.relay.events("zone-unexpired", zone=ZONE)
    assert s.axfr().keys() == s.content()


def test_recovery_without_notify(lab):
    """T-08: the primary comes back and says nothing."""
    s = Scene(lab, {ZONE: zone_text(refresh=1, retry=1, expire=2)}, template=SHORT)
    s.primary.behave(rcode="SERVFAIL")
    wait_for(lambda: is_expired(s.relay.port), 6, "expiry")
    s.primary.behave()
    s.primary.update(ZONE, ["a A 192.0.2.1"])
    s.relay.wait_serial(ZONE, 2, 3)


def test_expire_over_restarts(lab):
    """T-12: a restart extends nothing; what expired while nobody ran is expired from the start."""
    s = Scene(lab, {ZONE: zone_text(refresh=600, retry=600, expire=5)}, template=SHORT)
    s.settle()
    s.primary.behave(rcode="REFUSED")
    left = seconds_to(status(s)["expire_at"])
    end = time.monotonic() + left
    s.relay.restart()
    assert s.relay.serial(ZONE) == 1
    time.sleep(1)
    s.relay.kill()
    s.relay.start()
    assert s.relay.serial(ZONE) == 1
    wait_for(lambda: is_expired(s.relay.port), 8, "expiry", every=0.02)
    assert -0.2 < time.monotonic() - end < 0.3 + 0.4 * SLOW
    s.relay.restart()
    assert is_expired(s.relay.port)
    s.primary.behave()
    s.relay.ctl("refresh", ZONE)
    s.relay.wait_serial(ZONE, 1, 5)
    s.relay.stop()
    s.primary.behave(rcode="REFUSED")
    time.sleep(5.1)
    s.relay.start()
    assert is_expired(s.relay.port)


def test_clock_sanity(lab):
    """T-12: times in the database that the clock cannot have meant: nothing lives for ever, or dies at once."""
    s = Scene(lab, {ZONE: zone_text(refresh=3600, retry=600, expire=7200)})
    day = 86400 * 10**6

    def restart_with(checked, refresh, expire):
        s.relay.stop()
        now = int(time.time() * 1e6)
        db = sqlite3.connect(s.relay.db)
        with db:
            db.execute("UPDATE zone SET checked_at = ?, refresh_at = ?, expire_at = ?",
                       (now + checked, now + refresh, now + expire))
        db.close()
        s.primary.forget()
        s.relay.start()

    # The clock was set back by a day since: at most the whole intervals are left.
    restart_with(day, day + 3600 * 10**6, day + 7200 * 10**6)
    z = status(s)
    assert 0 < seconds_to(z["refresh_at"]) <= 3600 and 0 < seconds_to(z["expire_at"]) <= 7200
    assert s.relay.serial(ZONE) == 1
    # Nonsense.
    restart_with(-day, 2**62, 2**62)
    z = status(s)
    assert 0 < seconds_to(z["refresh_at"]) <= 3600 and 0 < seconds_to(z["expire_at"]) <= 7200
    # It was set forward by a year: expired for the moment it takes to ask.
    restart_with(-365 * day, -364 * day, -363 * day)
    s.relay.wait_serial(ZONE, 1, 3)
    assert s.primary.count("AXFR") == 1 and 7000 < seconds_to(status(s)["expire_at"]) <= 7200


# ---- EDNS EXPIRE ----


def test_expire_option(lab):
    """E-05 to E-09: what the primary has left counts, never more than the SOA's EXPIRE."""
    s = Scene(lab, {ZONE: zone_text(expire=1000)}, start=False)
    s.primary.behave(expire=50)
    s.relay.start()
    s.relay.wait_serial(ZONE, 1)
    left = lambda: seconds_to(status(s)["expire_at"])    # noqa: E731
    assert 45 < left() <= 50, "E-07"

    def check(option, low, high):
        s.primary.behave(expire=option)
        n = s.primary.count("SOA")
        s.relay.ctl("refresh", ZONE)
        s.primary.wait_count("SOA", n + 1)
        s.settle()
        assert low < left() <= high, (option, left())

    check(30, 44, 50)           # E-05: never less than it was
    check(500, 494, 500)
    check(5000, 994, 1000)      # E-08
    s.primary.behave(expire=20)
    s.update(["a A 192.0.2.1"])
    assert 15 < left() <= 20, "E-07 after IXFR"
    check(None, 994, 1000)      # E-09
    s.primary.behave(expire=5000)
    s.update(["b A 192.0.2.2"])
    assert 994 < left() <= 1000


def chain(lab, name, primary, loop):
    """A -> B -> C; with a loop B asks C as well."""
    hosts = {"b": "127.0.0.21", "c": "127.0.0.22"}
    ports = {"b": free_port(), "c": free_port()}
    at = {k: f"{hosts[k]}@{ports[k]}" for k in hosts}
    watch = {"notify": False, "transfer-from": ["127.0.0.1"]}
    up = {"a": {"address": primary.address, "source": hosts["b"]}}
    if loop:
        up["c"] = {"address": at["c"], "source": hosts["b"]}
    b = Relay(lab, name + "b", primaries=up, downstreams={"c": {"address": at["c"]}, "watch": watch},
              zones=[ZONE], host=hosts["b"], port=ports["b"], templates={"default": SHORT}, server=FAST)
    c = Relay(lab, name + "c", primaries={"b": {"address": at["b"], "source": hosts["c"]}},
              downstreams={"watch": watch, **({"b": {"address": at["b"]}} if loop else {})},
              zones=[ZONE], host=hosts["c"], port=ports["c"], templates={"default": SHORT}, server=FAST)
    b.start()
    c.start()
    return b, c


def test_expire_chain(lab):
    """E-10, Q-15: A -> B -> C, A stops: C expires when B does, also when B and C ask each other, and over a restart."""
    a = lab.add(FakePrimary(PRIMARY, free_port()).start())
    a.add_zone(ZONE, zone_text(refresh=2, retry=1, expire=7))
    relays = {name: chain(lab, name, a, loop=name == "loop") for name in ("line", "loop")}
    all_of = [r for pair in relays.values() for r in pair]
    for r in all_of:
        wait_for(lambda r=r: serial_at(r.port, ZONE, r.host) == 1, 15, f"{r} serves")
    # A few rounds of checks, so that nobody's timer comes from its first transfer.
    seen = a.count("SOA")
    a.wait_count("SOA", seen + 4, 15)
    a.stop()
    stopped = time.monotonic()
    expired = {}
    time.sleep(1.5)
    for r in (relays["line"][1], relays["loop"][0]):
        r.restart()

    def look_around():
        for r in all_of:
            if r.name not in expired and is_expired(r.port, r.host):
                expired[r.name] = time.monotonic()
        return len(expired) == len(all_of)

    wait_for(look_around, 15, f"expiry of all, so far {expired}", every=0.02)
    for name in relays:
        b, c = expired[name + "b"], expired[name + "c"]
        assert 4.5 < b - stopped < 7.5 + 0.5 * SLOW, (name, b - stopped)
        assert abs(b - c) < 1.0 + 0.5 * SLOW, (name, b - c)


# ---- primaries that are not there ----


def test_dead_primary(lab):
    """Back-off: 10 s, then 20 s, visible; nobody is asked meanwhile; a NOTIFY from it ends it."""
    s = Scene(lab, {ZONE: zone_text(refresh=1, retry=1)}, template=SHORT, server=FAST)
    s.settle()
    s.primary.stop()
    held = s.relay.wait_event("primary-held", timeout=10)
    began = time.monotonic()
    assert held[0]["hold_s"] in ("9", "10") and held[0]["primary"] == "up"
    p = s.relay.json("zone", ZONE)["primaries"][0]
    assert 5 < seconds_to(p["held_until_at"]) <= 10 and p["error"]
    p = s.relay.json("status")["primaries"][0]
    assert 5 < seconds_to(p["held_until_at"]) <= 10
    assert s.relay.serial(ZONE) == 1
    # It is back after 2 s, but nobody says so: asked when the hold is over, dead again by then.
    s.primary.start()
    s.primary.forget()
    time.sleep(2)
    assert not s.primary.queries
    s.primary.stop()
    held = s.relay.wait_event("primary-held", 2, timeout=15)
    assert time.monotonic() - began > 8.5
    assert held[1]["hold_s"] in ("19", "20")
    s.primary.start()
    s.primary.update(ZONE, ["a A 192.0.2.1"])
    s.primary.forget()
    assert s.notify().rcode == "NOERROR"
    s.relay.wait_serial(ZONE, 2, 2)
    p = s.relay.json("zone", ZONE)["primaries"][0]
    assert p["held_until_at"] is None and p["failures"] == 0


def test_silent_primary(lab):
    """It takes packets and connections and says nothing: UDP, again, then TCP, then it is held."""
    s = Scene(lab, {ZONE: zone_text(refresh=3600, retry=1)}, template=SHORT, server=FAST)
    s.settle()
    s.primary.forget()
    s.primary.behave(silence=True)
    s.relay.ctl("refresh", ZONE)
    s.relay.wait_event("primary-held", timeout=15)
    assert s.primary.count("SOA/udp") == 2 and s.primary.count("SOA/tcp") == 1
    udp = [q for q in s.primary.queries_of("SOA") if q.transport == "udp"]
    assert udp[0].edns and not udp[1].edns, "the last try goes without EDNS"
    s.primary.behave()
    s.primary.update(ZONE, ["a A 192.0.2.1"])
    assert s.notify().rcode == "NOERROR"
    s.relay.wait_serial(ZONE, 2)


def test_udp_is_lost(lab):
    """A primary that only TCP reaches is asked over TCP."""
    s = Scene(lab, {ZONE: zone_text()}, server=FAST)
    s.settle()
    s.primary.forget()
    s.primary.once("SOA/udp", 10, silence=True)
    assert s.update(["a A 192.0.2.1"]) == 2
    assert s.primary.count("SOA/udp") == 2 and s.primary.count("SOA/tcp") == 1


def two_primaries(lab, **how):
    second = lab.add(FakePrimary("127.0.0.13", free_port()).start())
    second.add_zone(ZONE, zone_text(**how))
    s = Scene(lab, {ZONE: zone_text(**how)}, template=SHORT, server=FAST,
              more_primaries={"second": {"address": second.address}})
    s.settle()
    s.primary.forget()
    second.forget()
    return s, second


def test_second_primary(lab):
    """T-06, N-19, A-03: the notifier first, then in order; the second is used while the first is dead."""
    s, second = two_primaries(lab)
    s.primary.update(ZONE, ["a A 192.0.2.1"])
    second.update(ZONE, ["a A 192.0.2.1"])
    assert second.notify(ZONE, s.at).rcode == "NOERROR"
    s.relay.wait_serial(ZONE, 2)
    assert second.count("SOA") == 1 and second.count("IXFR") == 1 and not s.primary.queries
    # One that announces what it has not: the others are asked as well.
    hint = with_serial(second.zone(ZONE).soa, 3)
    s.primary.update(ZONE, ["b A 192.0.2.2"])
    assert tell(s.at, source="127.0.0.13", hint=hint).rcode == "NOERROR"
    s.relay.wait_serial(ZONE, 3)
    assert second.count("SOA") == 2 and s.primary.count("IXFR") == 1
    s.settle()
    # Dead: the other one does it.
    s.primary.stop()
    second.update(ZONE, ["b A 192.0.2.2"])
    second.update(ZONE, ["c A 192.0.2.3"])
    s.relay.ctl("refresh", ZONE)
    s.relay.wait_serial(ZONE, 4, 10)
    assert s.relay.wait_event("soa-failed", primary="up")
    z = s.relay.json("zone", ZONE)
    assert [p["serial"] for p in z["primaries"]] == [3, 4]
    assert z["primaries"][0]["error"] and not z["primaries"][1]["error"]


def test_failing_transfer_goes_to_the_other(lab):
    """The first has it and cannot give it: the second."""
    s, second = two_primaries(lab)
    for p in (s.primary, second):
        p.update(ZONE, ["a A 192.0.2.1"])
    s.primary.behave("IXFR", close=True)
    s.primary.behave("AXFR", rcode="SERVFAIL")
    assert s.notify().rcode == "NOERROR"
    s.relay.wait_serial(ZONE, 2)
    assert s.primary.count("AXFR") == 1 and second.count("IXFR") == 1


def test_second_address(lab):
    """Several addresses of one primary are tried in turn."""
    dead = f"127.0.0.13@{free_port()}"
    s = Scene(lab, start=False, server=FAST)
    s.relay.primaries["up"]["address"] = [dead, s.primary.address]
    s.relay.write()
    s.relay.start()
    s.relay.wait_serial(ZONE, 1)
    assert s.relay.wait_event("soa-failed", address=dead)
    z = s.relay.json("zone", ZONE)
    assert [p["address"] for p in z["primaries"]] == [dead, s.primary.address]
    assert z["primaries"][0]["held_until_at"] and not z["primaries"][1]["held_until_at"]
    s.update(["a A 192.0.2.1"])


# ---- serial numbers ----


def test_serials(lab):
    """S-01 to S-04, O-02, O-03: RFC 1982, its corners, and the recipe of RFC 2182 section 7."""
    s = Scene(lab, {ZONE: zone_text(10)})
    s.settle()

    def announced(serial):
        s.primary.update(ZONE, [f"s{serial} A 192.0.2.1"] if f"s{serial}" not in known else (), serial=serial,
                         keep_history=False)
        known.add(f"s{serial}")
        n = s.primary.count("SOA")
        assert s.notify(hint=False).rcode == "NOERROR"
        s.primary.wait_count("SOA", n + 1)

    known = set()
    # Lower, and at a distance of 2^31 exactly: not taken, and said.
    for serial, note in ((9, "lower"), (10 + 2**31, "compared")):
        announced(serial)
        wait_for(lambda note=note: any(note in e["note"] for e in s.relay.events("zone-note")), 5, note)
        s.settle()
        assert s.relay.serial(ZONE) == 10
        p = s.relay.json("zone", ZONE)["primaries"][0]
        assert p["serial"] == serial
    for serial in (1000, 2000000000, 4000000000, 11, 11 + 2**31 - 1, 0xFFFFFFFF, 0, 1):
        announced(serial)
        s.relay.wait_serial(ZONE, serial)
        assert s.axfr().keys() == s.content()
        s.settle()


@pytest.mark.parametrize("serial", [0, 0xFFFFFFFF])
def test_first_serial(lab, serial):
    """S-04: 0 is a serial like any other, also over a restart and in hints."""
    s = Scene(lab, {ZONE: zone_text(serial)})
    s.settle()
    assert s.down.wait_hint(ZONE, serial)
    s.relay.restart()
    assert s.relay.serial(ZONE) == serial
    t = ixfr(ZONE, s.at, serial)
    assert t.kind == "single" and t.serial == serial
    assert axfr(ZONE, s.at).keys() == s.content()
    n = s.primary.count("SOA")
    assert s.notify().rcode == "NOERROR"        # its hint is ours
    assert s.update(["a A 192.0.2.1"]) == (serial + 1) % 2**32
    assert s.primary.count("SOA") == n + 1
    assert ixfr(ZONE, s.at, serial).kind == "diff"
