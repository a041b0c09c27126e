# SPDX-License-Identifier: BSD-2-Clause
"""kill -9 in the middle of forced transfers (Q-07, A-35, AN-24): what was answered is done, and passed on."""

import os
import random
import threading
import time

import pytest

import fakedownstream
from fakedownstream import Fetcher
from fakeprimary import FakePrimary
from forcing import ForcedScene, forced_status, rows_of
from lab import SLOW, free_port, wait_for
from scene import ZONE, check_db, copy_db, large_zone, look, zone_text

ROUNDS = int(os.environ.get("FORCED_CRASH_ROUNDS", "80" if SLOW <= 1 else "8"))
SEED = int(os.environ.get("FORCED_CRASH_SEED", "0")) or random.SystemRandom().getrandbits(32)
SOON = {"retry": "1s..2w", "refresh": "1s..4w"}


def held(s, **how):
    hold = threading.Event()
    s.primary.once("AXFR", hold=hold, **how)
    return hold


def test_between_answer_and_transfer(lab):
    """Q-07: the mark, who it is from, and since when, are there again; the transfer happens once."""
    s = ForcedScene(lab, {ZONE: zone_text(retry=3600)})
    s.rewrite(["new A 192.0.2.9"])
    hold = held(s)
    s.force()
    s.primary.wait_count("AXFR", 1)
    mark = rows_of(s.relay.db, "SELECT * FROM mark")
    assert len(mark) == 1 and mark[0]["pending"] == 2 and mark[0]["notifier"] == "up"
    assert abs(mark[0]["since"] / 1e6 - time.time()) < 60
    s.relay.kill()
    hold.set()
    s.forget()
    s.relay.start()
    s.wait_events(1)
    assert s.serves() and s.primary.count("AXFR") == 1 and s.primary.count("IXFR") == 0
    assert s.last()["notifier"] == "up"
    s.down.wait_notifies(1, ZONE, "AXFR")
    s.settle()
    s.relay.kill()
    s.forget()
    s.relay.start()
    time.sleep(0.5)
    assert s.primary.count("AXFR") == 0 and s.pending() == [], "once done it is done"
    assert not s.down.notifies, "and so is what was owed for it"


def test_notifier_survives(lab):
    """A-03: after the restart it is still the notifier that is asked first."""
    second = lab.add(FakePrimary("127.0.0.13", free_port()).start())
    second.add_zone(ZONE, zone_text())
    s = ForcedScene(lab, more_primaries={"second": {"address": second.address}})
    hold = threading.Event()
    second.once("AXFR", hold=hold)
    second.forget()
    assert second.notify(ZONE, s.at, qtype="AXFR").rcode == "NOERROR"
    second.wait_count("AXFR", 1)
    s.relay.kill()
    hold.set()
    second.forget()
    s.forget()
    s.relay.start()
    s.wait_events(1)
    assert second.count("AXFR") == 1 and s.primary.count("AXFR") == 0
    assert s.last()["source"] == "second"


def test_mark_while_it_waits(lab):
    """A deferred one survives, and so does the limit it waits for."""
    interval = 8 * max(SLOW, 1)
    s = ForcedScene(lab, template={"forced-burst": 1, "forced-interval": f"{interval:g}s"})
    s.force()
    s.wait_events(1)
    first = s.primary.queries_of("AXFR")[0].time
    s.rewrite(["new A 192.0.2.9"])
    s.force()
    s.relay.kill()
    s.relay.start()
    z = forced_status(s.relay)
    assert z["pending"] == "force" and z["forced_wait"] == "zone limit", z
    s.force()
    s.relay.kill()
    s.relay.start()
    s.wait_events(2, timeout=3 * interval)
    assert s.primary.count("AXFR") == 2
    waited = s.primary.queries_of("AXFR")[1].time - first
    assert interval * 0.8 < waited < interval * 2 + 5 * SLOW, waited
    assert s.serves()


def test_onward_is_owed(lab):
    """27.1: committed, and killed before the downstream has answered: it is told after the restart, of AXFR."""
    s = ForcedScene(lab, down=Fetcher)
    s.down.at = s.at
    s.down.answer.silence = True
    s.down.fetches = False
    s.rewrite(["new A 192.0.2.9"])
    s.force()
    s.down.wait_notifies(1, ZONE, "AXFR")
    event = s.last()
    s.relay.kill()
    assert look(copy_db(s.relay.db, lab.folder("copy")), "SELECT qtype FROM outbox") == [(252,)]
    s.forget()
    s.down.answer.silence = False
    s.down.fetches = True
    s.relay.start()
    assert s.down.wait_fetched(1).keys() == s.content()
    s.wait_peer("verified")
    assert s.primary.count("AXFR") == 0, "the event was committed"
    assert s.last()["event"] == event["event"] and s.last()["digest"] == event["digest"]


def test_event_is_remembered(lab):
    """A-06: what went round already is known after the restart; who has it is not told again."""
    s = ForcedScene(lab, down=Fetcher)
    s.down.at = s.at
    s.rewrite(["new A 192.0.2.9"])
    s.force()
    s.wait_peer("verified")
    s.settle()
    for n in range(2, 4):
        s.relay.kill()
        s.forget()
        s.relay.start()
        s.force()
        assert s.wait_events(n)["verdict"] == "duplicate"
        time.sleep(0.5)
        assert not s.down.notifies and s.peers() == {"down": "verified"}
    assert s.last()["event"] == 1


def test_power_cut(lab):
    """The newest commit is lost with its NOTIFYs; the mark was on disk before the answer: all of it comes again."""
    s = ForcedScene(lab, down=Fetcher)
    s.down.at = s.at
    s.rewrite(["new A 192.0.2.9"])
    hold = held(s)
    s.force()
    s.primary.wait_count("AXFR", 1)
    synced = copy_db(s.relay.db, lab.folder("synced"))
    hold.set()
    s.down.wait_fetched(1)
    s.relay.kill()
    for end in ("", "-wal"):
        if os.path.exists(synced + end):
            os.replace(synced + end, s.relay.db + end)
    os.unlink(s.relay.db + "-shm")
    s.forget()
    s.relay.start()
    wait_for(lambda: s.last() is not None, 20, "the event")
    wait_for(s.serves, 20, "the new content")
    s.down.wait_notifies(1, ZONE, "AXFR")
    assert s.primary.count("AXFR") == 1


def content_of(t):
    return tuple(t.keys())


class Campaign:
    """Content changes under one serial; the relay is killed at random moments from the answer on."""

    def __init__(self, lab, zone):
        self.random = random.Random(SEED)
        self.lab = lab
        port = free_port()
        self.s = ForcedScene(lab, {ZONE: zone}, template=SOON, relay_port=port, down=Fetcher,
                             server={"transfer-idle": "5s"})
        self.s.down.at = self.s.at
        self.large = len(self.s.primary.zone(ZONE).content) > 100
        self.n = 0

    def change(self):
        self.n += 1
        old = [r for r in self.s.primary.zone(ZONE).content if r.type == "TXT"]
        gone = self.random.sample(old, len(old) // 2 if self.large and self.n % 2 else min(1, len(old)))
        self.s.rewrite([f"t{self.n}-{i} 300 TXT \"{self.n} {'x' * 200}\"" for i in range(max(1, len(gone)))], gone)

    def round(self):
        s = self.s
        before = tuple(s.axfr().keys())
        self.change()
        after = tuple(s.content())
        assert before != after
        s.forget()
        s.down.fetched.clear()
        self.trouble()
        s.force()
        for _ in range(self.random.randint(1, 3)):
            time.sleep(self.random.random() * (0.3 if self.large else 0.03) * SLOW)
            s.relay.kill()
            check_db(copy_db(s.relay.db, self.lab.folder("copy")), running=True)
            s.relay.start()
            t = fakedownstream.axfr(ZONE, s.at, timeout=20 * SLOW)
            assert t.ok and content_of(t) in (before, after), "neither the old version nor the new one"
        wait_for(lambda: content_of(s.axfr()) == after, 20, "the new content")
        # The downstream hears of it, however often we died, and its AXFR brings the new content.
        wait_for(lambda: any(content_of(t) == after for _, t in list(s.down.fetched)), 20,
                 f"the new content at the downstream, which fetched {[t.kind for _, t in s.down.fetched]}")
        wait_for(lambda: s.pending() == [], 20, "no mark")
        assert s.primary.count("IXFR") == 0

    def trouble(self):
        if self.random.random() < 0.3:
            self.s.primary.once("AXFR", **self.random.choice((
                {"close_after": 1}, {"rcode": "SERVFAIL"}, {"delay": 0.05}, {"records_per_message": 3})))


@pytest.mark.parametrize("large", [False, True])
def test_campaign(lab, large):
    """Q-07: old or new, never a mix; in the end the new one, here and downstream, by one NOTIFY(AXFR)."""
    print(f"FORCED_CRASH_SEED={SEED} FORCED_CRASH_ROUNDS={ROUNDS}")
    c = Campaign(lab, large_zone(records=400, size=1000) if large
                 else zone_text(more=["t0 300 TXT \"0\"".replace("t0", f"t0.{ZONE}.")]))
    for _ in range(ROUNDS if not large else ROUNDS // 3):
        c.round()
    c.s.relay.stop()
    check_db(c.s.relay.db)
