# SPDX-License-Identifier: BSD-2-Clause
# needs: rndc
"""NOTIFY(AXFR) through chains and circles of relays (AN-18), with BIND and NSD behind them, also when they die."""

import os
import random
import subprocess
import time

import pytest

from forcing import Agents, mesh, peer_states, ring
from lab import CTL, SLOW, wait_for
from scene import ZONE, check_db, zone_text
from servers import Named, Nsd

ROUNDS = int(os.environ.get("CHAIN_ROUNDS", "20" if SLOW <= 1 else "4"))
SEED = int(os.environ.get("CHAIN_SEED", "0")) or random.SystemRandom().getrandbits(32)
CHAIN = {"one": ["top"], "two": ["one"], "three": ["two"]}


class Chain:
    """top -> one -> two -> three -> BIND and NSD, which do not know NOTIFY(AXFR) and are helped by commands."""

    def __init__(self, lab, template=None, text=None):
        last = ("127.0.0.33", None)
        self.named = Named(lab, "named", primary=last, zones=[ZONE], transfer_host="127.0.0.4", refresh=3600)
        self.nsd = Nsd(lab, "nsd", primary=last, zones=[ZONE], refresh=3600)
        behind = {"three": {
            "bind": {"address": self.named.address, "transfer-from": ["127.0.0.4"], "server": "bind",
                     "on-forced": self.named.retransfer()},
            "nsd": {"address": self.nsd.address, "server": "nsd", "on-forced": self.nsd.retransfer()}}}
        self.agents = Agents(lab, CHAIN, behind=behind, template=template, text=text, start=False)
        three = self.agents.relays["three"]
        for s in self.others:
            s.primary = (three.host, three.port)
            s.start().wait_up(ZONE)
        self.agents.start()
        for s in self.others:
            wait_for(lambda s=s: self.agents.has((s.host, s.port)), 30, f"{s} has the zone")
        self.agents.settle()

    @property
    def others(self):
        return (self.named, self.nsd)

    def wait_everywhere(self, timeout=30):
        self.agents.wait_everywhere(self.others, timeout)


def test_chain(lab):
    """One send-notify at the top: everybody ends with the new content, one forced AXFR for each."""
    c = Chain(lab, text=zone_text(serial=7))
    a = c.agents
    before = a.fetched()
    a.rewrite(["added A 192.0.2.99"], ["host1 300 A 192.0.2.2"])
    p = subprocess.run([CTL, "send-notify", "--type", "axfr", ZONE, a.relays["one"].address],
                       capture_output=True, text=True, timeout=30 * SLOW, check=False)
    assert p.returncode == 0, p.stdout + p.stderr
    c.wait_everywhere()
    three = a.relays["three"]
    wait_for(lambda: peer_states(three) == {"bind": "verified", "nsd": "verified"}, 20,
             f"what became of it behind the last one: {peer_states(three)}")
    assert peer_states(a.relays["one"]) == {"two": "verified"}
    assert peer_states(a.relays["two"]) == {"three": "verified"}
    a.settle()
    after = a.wait_silence()
    assert {n: after[n] - before[n] for n in after} == {"one": 1, "two": 1, "three": 1}
    assert a.forced() == {"one": 1, "two": 1, "three": 1}
    assert a.top.count("AXFR") == 1 and a.top.count("IXFR") == 0
    assert all(r.serial(ZONE) == 7 for r in a)
    # In order: nobody told anybody before it had stored the new content itself.
    for r in a:
        events = [e.event for e in r.events() if e.event in ("forced-committed", "notify-sent", "hook-started")]
        at = events.index("forced-committed")
        assert len([e for e in events[at:] if e == "notify-sent"]) >= 1


def test_chain_with_a_greater_serial(lab):
    """The same with an ordinary change in the meantime: also by differences from then on."""
    c = Chain(lab)
    a = c.agents
    a.top.update(ZONE, ["new A 192.0.2.9"])
    a.force("one")
    c.wait_everywhere()
    a.settle()
    a.top.update(ZONE, ["newer A 192.0.2.10"])
    one = a.relays["one"]
    a.top.notify(ZONE, (one.host, one.port))
    c.wait_everywhere()
    assert all(r.serial(ZONE) == 3 for r in a)


def test_killed_in_turn(lab):
    """kill -9 of each at random moments, from the answer to the only NOTIFY on: the new content arrives."""
    print(f"CHAIN_SEED={SEED} CHAIN_ROUNDS={ROUNDS}")
    rng = random.Random(SEED)
    c = Chain(lab, text=zone_text(retry=1), template={"retry": "1s..2w"})
    a = c.agents
    for n in range(ROUNDS):
        a.rewrite([f"n{n} A 192.0.2.{n % 250 + 1}"], [f"n{n - 1} A 192.0.2.{(n - 1) % 250 + 1}"] if n else [])
        a.force("one")
        names = list(CHAIN)
        if rng.random() < 0.5:
            rng.shuffle(names)
        for name in names:
            r = a.relays[name]
            time.sleep(rng.random() * rng.choice((0.005, 0.05, 0.2)) * SLOW)
            r.kill()
            if rng.random() < 0.3:
                time.sleep(rng.random() * 0.3)
            r.start()
        c.wait_everywhere(timeout=60)
    a.settle()
    a.wait_silence(0.5)
    for r in a:
        r.stop()
        check_db(r.db)


@pytest.mark.parametrize("shape", ["ring", "mesh"])
def test_killed_in_a_circle(lab, shape):
    """kill -9 of members at random moments: everybody ends with the new content, nobody is rolled back (A-31).

    The next change waits until the last one has gone round: its echo would bring the old content, and nothing in
    the protocol could tell which is newer (RFC 1996 section 2.2 forbids circles).
    """
    print(f"CHAIN_SEED={SEED} CHAIN_ROUNDS={ROUNDS}")
    rng = random.Random(SEED)
    a = Agents(lab, ring(3) if shape == "ring" else mesh(4), text=zone_text(retry=1), template={"retry": "1s..2w"})
    for n in range(ROUNDS // 2):
        a.rewrite([f"n{n} A 192.0.2.{n % 250 + 1}"])
        a.force("a0")
        for _ in range(rng.randint(1, 3)):
            r = rng.choice(list(a))
            time.sleep(rng.random() * rng.choice((0.005, 0.05)) * SLOW)
            r.kill()
            time.sleep(rng.random() * 0.1)
            r.start()
        a.wait_everywhere(timeout=60)
        a.settle()
    a.wait_silence(1)
    a.wait_everywhere()
    for r in a:
        r.stop()
        check_db(r.db)
