# SPDX-License-Identifier: BSD-2-Clause
"""Random histories of odd zones, over a primary of many moods: whatever the road, the content is that of the primary.

After every version: what is served is what the primary has, and differences from versions a downstream may
have lead to it.  In the end the database is sound, and its segments are those that a relay would have which
has only seen the last version: the layout depends on nothing but the content.

ZONERELAY_TEST_ROUNDS and ZONERELAY_TEST_SEED make longer histories, and others.
"""

import os
import random

import pytest

import oddzones
import rawzone
from fakeprimary import FakePrimary
from lab import SLOW, wait_for
from rawzone import NS, SOA, Raw, axfr, difference, labels_name
from relay import Relay
from scene import check_db

WATCH = {"watch": {"notify": False, "transfer-from": ["127.0.0.1"]}}
ROUNDS = int(os.environ.get("ZONERELAY_TEST_ROUNDS", 100 if SLOW == 1 else 25))
SEED = os.environ.get("ZONERELAY_TEST_SEED", "0")
KEPT = 6    # versions that a downstream may still have

KINDS = {
    "binary": lambda: oddzones.binary("binary.test"),
    "nsec3": oddzones.nsec3_odd,
    "case": oddzones.case,
    "large": oddzones.large,
    "samekey": oddzones.samekey,
    "many": lambda: oddzones.many(names=4000),
    "optout": oddzones.optout,
    "tiny": oddzones.tiny,
}


class History:
    """One zone through its versions."""

    def __init__(self, records, seed):
        self.random = random.Random(seed)
        self.pool = list(records[1:])   # what may come back
        self.apex = records[0].owner
        self.soa = records[0]
        self.have = {rawzone.identity(r): r for r in records[1:]}
        self.versions = {self.soa.serial: self.content()}

    def content(self):
        return [self.soa] + list(self.have.values())

    def remember(self):
        self.versions.pop(self.soa.serial, None)
        self.versions[self.soa.serial] = self.content()
        while len(self.versions) > KEPT:
            del self.versions[next(iter(self.versions))]

    def add(self, r):
        self.have[rawzone.identity(r)] = r

    def drop(self, r):
        if r.rdtype != NS or r.owner != self.apex:
            self.have.pop(rawzone.identity(r), None)

    def new_record(self):
        rng, there = self.random, self.random.choice(list(self.have.values()))
        room = 255 - len(self.apex)
        owner = rng.choice((there.owner, self.apex,
                            labels_name(rng.randbytes(rng.randint(1, min(30, room - 2))), origin=self.apex)))
        kind = rng.randrange(4)
        if kind == 0:
            return Raw(owner, 1, rng.randrange(10000), rng.randbytes(4))
        if kind == 1:
            return Raw(owner, 15, 300, b"\0\1" + there.owner)
        if kind == 2:
            return Raw(owner, 65280 + rng.randrange(3), 300, rng.randbytes(rng.choice((0, 10, 700, 5000, 17000))))
        return Raw(owner, there.rdtype, there.ttl, there.octets)

    def edit(self):
        """One change of one of many kinds."""
        rng, there = self.random, self.random.choice(list(self.have.values()))
        kind = rng.randrange(7)
        if kind == 0:
            self.drop(there)
        elif kind == 1:     # the TTL alone, the spelling alone
            if there.rdtype != NS or there.owner != self.apex:
                self.add(Raw(rng.choice((there.owner, there.owner.swapcase())), there.rdtype, rng.randrange(2**31),
                             there.octets))
        elif kind == 2:     # all of a name
            for r in [r for r in self.have.values() if r.owner == there.owner and r.owner != self.apex]:
                self.drop(r)
        elif kind == 3 and self.pool:
            self.add(rng.choice(self.pool))
        else:
            self.add(self.new_record())

    def step(self, keep_serial=False):
        """The next version."""
        rng = self.random
        size = rng.choice((0, 1, 1, 3, 10, 60))
        if rng.random() < 0.1:
            size = len(self.have) // rng.choice((2, 5, 20))
        if rng.random() < 0.05:     # nearly all is gone; some of it comes back
            for r in list(self.have.values()):
                if rng.random() < 0.9:
                    self.drop(r)
        for _ in range(size):
            self.edit()
        if not keep_serial:
            self.soa = self.soa.replace((self.soa.serial + rng.choice((1, 1, 1, 2, 1000, 2**28))) % 2**32)
        self.remember()


def moods(rng):
    """How the primary answers this time: (IXFR, AXFR)."""
    def order(records):
        return rng.choice((list, sorted, lambda r: list(reversed(r)), lambda r: rng.sample(r, len(r))))(records)
    shape = {"message_size": rng.choice((600, 16384, 65535)), "empty_between": rng.choice((0, 0, 2)),
             "soa_alone_first": rng.random() < 0.2, "close_when_done": rng.random() < 0.2}
    difference_how = rng.choice(({}, {}, {}, {}, {}, {"ixfr": "full"}, {"ixfr": "absent"}, {"ixfr": "gap"},
                                 {"rcode": "SERVFAIL"}, {"final": "other"}, {"close_after": 1, "message_size": 600}))
    return {**shape, "order": order, **difference_how}, {**shape, "order": order}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_history(lab, kind):
    records = KINDS[kind]()
    origin = ".".join(label.decode() for label in labels(records[0].owner))
    h = History(records, kind + SEED)
    rng = random.Random(f"moods of {kind} {SEED}")
    with FakePrimary() as primary:
        primary.add_zone(origin, h.content())
        relay = Relay(lab, primaries={"up": {"address": primary.address}}, downstreams=WATCH, zones=[origin]).start()
        relay.wait_serial(origin, h.soa.serial)
        for n in range(ROUNDS):
            axfr_next = play(primary, relay, origin, h, rng)
            where = f"{kind}, round {n}"
            got = axfr(rawzone.lower(h.apex), relay.port).records
            assert (why := difference(h.content(), got)) is None, f"{where}: {why}"
            since = rng.choice(list(h.versions))
            if axfr_next or since == h.soa.serial:
                continue
            stream = rawzone.ixfr(rawzone.lower(h.apex), since, relay.port)
            led = [r for r in rawzone.apply(h.versions[since], stream) if r.rdtype != SOA]
            assert (why := difference(h.content()[1:], led)) is None, f"{where}, from {since}: {why}"
            if rng.random() < 0.1:
                relay.restart()
        assert not relay.events("commit-failed")
        if ROUNDS >= 100:   # a short history may be all AXFR: after a broken difference none is asked for a while
            for event in ("transfer-done", "served"):
                kinds = [e["kind"] for e in relay.events(event)]
                assert min(kinds.count("AXFR"), kinds.count("IXFR")) > ROUNDS // 50, kinds
        fresh = Relay(lab, "fresh", primaries={"up": {"address": primary.address}}, downstreams=WATCH,
                      zones=[origin]).start()
        fresh.wait_serial(origin, h.soa.serial)
        one, other = (r.json("zone", origin)["zone"] for r in (relay, fresh))
        assert [one[k] for k in ("digest", "segments", "records", "octets")] == \
            [other[k] for k in ("digest", "segments", "records", "octets")]
    relay.stop()
    check_db(relay.db)


def labels(name):
    at = 0
    while name[at]:
        yield name[at + 1:at + 1 + name[at]]
        at += 1 + name[at]


def play(primary, relay, origin, h, rng):
    """One round: some versions, the mood, and until the relay has the last.  True: under the same serial."""
    for_ixfr, for_axfr = moods(rng)
    primary.behave("IXFR", **for_ixfr)
    primary.behave("AXFR", **for_axfr)
    if rng.random() < 0.07:     # the content changes under its serial: only a full transfer can see it
        h.step(keep_serial=True)
        primary.replace(origin, h.content(), keep_history=False)
        h.versions = {h.soa.serial: h.content()}
        relay.ctl("retransfer", "--wait", origin)
        return True
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        h.step()
        primary.replace(origin, h.content(), keep_history=rng.random() < 0.9)
    answer = primary.notify(origin, (relay.host, relay.port))
    assert answer.rcode == "NOERROR"
    wait_for(lambda: relay.serial(origin) == h.soa.serial, 30, f"serial {h.soa.serial}")
    return False
