# SPDX-License-Identifier: BSD-2-Clause
"""Limits of forced transfers (AN-13, A-07, draft section 5): deferred and visible, never dropped."""

import collections
import struct
import threading
import time

import pytest

from fakewire import notify_query
from forcing import ForcedScene, forced_status, rows_of
from lab import SLOW, wait_for
from scene import PRIMARY, ZONE, zone_text
from test_notify import blast


def storm(s, count, zone=ZONE):
    """So many NOTIFY(AXFR), each a transaction of its own; all of them are answered NOERROR."""
    wire = notify_query(zone, "AXFR").to_wire()[2:]
    answers = blast(s.at, count, lambda i: struct.pack("!H", i) + wire, PRIMARY)
    assert len(answers) == count and set(answers.values()) == {0}


def zones_of(n):
    return {f"zone{i}.test": zone_text(zone=f"zone{i}.test") for i in range(n)}


def test_1000_while_one_runs(lab):
    """Q-06, A-11: exactly one more for all that came meanwhile."""
    s = ForcedScene(lab)
    hold = threading.Event()
    s.primary.once("AXFR", hold=hold)
    s.force()
    s.primary.wait_count("AXFR", 1)
    storm(s, 1000)
    assert s.primary.count("AXFR") == 1
    hold.set()
    s.wait_events(2)
    s.settle()
    time.sleep(1)
    assert s.primary.count("AXFR") == 2 and len(s.events()) == 2
    assert s.primary.count("IXFR") == 0


@pytest.mark.parametrize("burst", [1, 3])
def test_1000_in_a_second(lab, burst):
    """Q-06, AN-13: at most `burst` at once, exactly one afterwards; until then the status says why it waits."""
    interval = 6 * max(SLOW, 1)
    s = ForcedScene(lab, template={"forced-burst": burst, "forced-interval": f"{interval:g}s"})
    start = time.monotonic()
    storm(s, 1000)
    took = time.monotonic() - start
    time.sleep(0.5)
    n = s.primary.count("AXFR")
    assert 1 <= n <= burst, (n, took)
    assert n == burst or SLOW > 1, "the burst is there to be used"
    if n < burst:   # so slow that the last of them came before the last transfer
        return
    assert s.pending() == [(2,)]
    z = forced_status(s.relay)
    assert z["pending"] == "force" and z["pending_notifier"] == "up", z
    assert z["forced_wait"] == "zone limit", z
    left = z["forced_wait_at"] - time.time() if isinstance(z["forced_wait_at"], (int, float)) else None
    assert left is None or 0 < left <= interval, z
    text = s.relay.ctl("zone", ZONE).stdout
    assert "a forced transfer is pending" in text and "waits until" in text and "zone limit" in text, text
    s.wait_events(n + 1, timeout=interval * 2)
    last = s.primary.queries_of("AXFR")[-1].time
    assert last - start > interval * 0.8, "it waited for its token"
    s.settle()
    time.sleep(1)
    assert s.primary.count("AXFR") == n + 1, "and that was all"


def test_new_content_is_not_lost(lab):
    """A-07: what changed after the last transfer and before the deferred one arrives."""
    s = ForcedScene(lab, template={"forced-burst": 1, "forced-interval": "3s"})
    s.force()
    s.wait_events(1)
    s.rewrite(["new A 192.0.2.9"])
    s.force()
    s.rewrite(["newer A 192.0.2.10"])
    s.wait_events(2)
    assert s.serves()


def test_check_while_it_waits(lab):
    """A deferred forced transfer keeps nobody from an ordinary update."""
    s = ForcedScene(lab, template={"forced-burst": 1, "forced-interval": "60s"})
    s.force()
    s.wait_events(1)
    s.force()
    assert s.pending() == [(2,)]
    assert s.update(["new A 192.0.2.9"]) == 2
    assert s.pending() == [(2,)], "only an AXFR pays for it"
    assert s.down.wait_hint(ZONE, 2)
    # The operator need not wait.
    s.relay.ctl("retransfer", ZONE)
    s.wait_events(2)
    assert s.pending() == []


def rate_of_starts(times, burst):
    """Seconds between those that came after the burst."""
    later = sorted(times)[burst:]
    return [b - a for a, b in zip(later, later[1:])]


@pytest.mark.parametrize("where", ["primary", "server"])
def test_many_zones(lab, where):
    """AN-13: the primary's own limit, and that of all together: deferred, in the status, none lost."""
    n, burst = 12, 4
    limit = {"forced-burst": burst, "forced-rate": round(120 / SLOW)}    # the status of each takes a while
    s = ForcedScene(lab, zones_of(n), **{where: limit})
    for i in range(n):
        s.force(f"zone{i}.test")
    time.sleep(0.4)
    at_once = s.primary.count("AXFR")
    assert burst <= at_once <= burst + 1 + 2 * SLOW, at_once
    waits = [forced_status(s.relay, f"zone{i}.test") for i in range(n)]
    held = [z for z in waits if z["pending"] == "force" and z["forced_wait"] is not None]
    assert len(held) >= n // 3 and {z["forced_wait"] for z in held} == {"primary limit" if where == "primary" else "global limit"}
    for i in range(n):
        s.wait_events(1, f"zone{i}.test", timeout=30)
    queries = s.primary.queries_of("AXFR")
    assert collections.Counter(q.zone for q in queries) == {f"zone{i}.test.": 1 for i in range(n)}
    gaps = rate_of_starts([q.time for q in queries], burst)
    assert sum(gaps) / len(gaps) > 0.4, gaps


@pytest.mark.parametrize("where", ["primary", "server"])
def test_at_the_same_time(lab, where):
    """max-forced: so many forced transfers at once; ordinary ones are not held up by them."""
    n = 8
    s = ForcedScene(lab, zones_of(n), **{where: {"max-forced": 2}})
    hold = threading.Event()
    s.primary.behave("AXFR", hold=hold)
    for i in range(n - 1):
        s.force(f"zone{i}.test")
    s.primary.wait_count("AXFR", 2)
    time.sleep(0.3)
    assert s.primary.count("AXFR") == 2
    z = [forced_status(s.relay, f"zone{i}.test") for i in range(n - 1)]
    assert sum(x["pending"] == "force" for x in z) == n - 1, "none is forgotten"
    assert s.update(["new A 192.0.2.9"], zone=f"zone{n - 1}.test") == 2
    hold.set()
    for i in range(n - 1):
        s.wait_events(1, f"zone{i}.test")


def test_limits_are_of_forced_transfers(lab):
    """NOTIFY(SOA) and its transfers are not counted."""
    s = ForcedScene(lab, template={"forced-burst": 1, "forced-interval": "60s"})
    for serial in range(2, 8):
        assert s.update([f"n{serial} A 192.0.2.9"]) == serial
    s.force()
    s.wait_events(1)
    for serial in range(8, 12):
        assert s.update([f"n{serial} A 192.0.2.9"]) == serial


def test_strangers_take_nothing(lab):
    """AN-16: who may not demand it does not use up anybody's tokens."""
    s = ForcedScene(lab, template={"forced-burst": 1, "forced-interval": "60s"})
    wire = notify_query(ZONE, "AXFR").to_wire()[2:]
    blast(s.at, 100, lambda i: struct.pack("!H", i) + wire, "127.0.0.77", window=8)
    s.force()
    s.wait_events(1)


def test_command_while_a_forced_transfer_is_stored(lab):
    """A-06: each event has a number of its own, and only who came after both has what they brought."""
    s = ForcedScene(lab, env={"ZONERELAY_TEST_SLOW_COMMIT_MS": "1500"})
    s.rewrite(["new A 192.0.2.9"])
    s.force()
    s.relay.wait_event("transfer-done", 2)
    s.relay.ctl("notify", "--axfr", ZONE)
    event = s.wait_events(1)
    wait_for(lambda: [r["event"] > int(event["event"])
                      for r in rows_of(s.relay.db, "SELECT event FROM forced_peer")] == [True],
             what="the event of the command, which is stored behind that of the transfer")
    s.wait_peer("acked")
    assert s.down.axfr(ZONE, s.at).ok
    s.wait_peer("verified")
