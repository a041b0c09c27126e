# SPDX-License-Identifier: BSD-2-Clause
"""named, nsd and knotd as primary and as downstream, in all nine pairings."""

import random

import pytest

from lab import records, serial_at, wait_for, wait_serial
from relay import Relay
from servers import ALL

ZONE = "example.test"


def zone_text(serial=1):
    lines = [f"{ZONE}. 3600 IN SOA ns1.{ZONE}. host.{ZONE}. {serial} 3600 600 604800 300",
             f"{ZONE}. 3600 IN NS ns1.{ZONE}.", f"{ZONE}. 3600 IN NS ns2.{ZONE}.",
             f"ns1.{ZONE}. 3600 IN A 192.0.2.1", f"ns2.{ZONE}. 3600 IN AAAA 2001:db8::2"]
    for i in range(200):
        lines.append(f"host{i}.{ZONE}. 300 IN A 192.0.2.{i % 250}")
    return "\n".join(lines) + "\n"


class Model:
    """Random changes of a zone: what is there can be deleted, what is not can be added."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.there = {}  # (owner, type, rdata) -> ttl

    def change(self):
        adds, deletes = [], []
        for _ in range(self.random.randint(1, 4)):
            if self.there and self.random.random() < 0.4:
                key = self.random.choice(sorted(self.there))
                if key in [tuple(d) for d in deletes] or any(a[0] == key[0] and a[2] == key[1] for a in adds):
                    continue
                del self.there[key]
                deletes.append(key)
            else:
                owner = f"r{self.random.randint(0, 60)}.sub{self.random.randint(0, 3)}.{ZONE}."
                kind = self.random.choice(["A", "TXT", "MX"])
                rdata = {"A": f"198.51.100.{self.random.randint(1, 250)}",
                         "TXT": f'"t{self.random.randint(0, 10 ** 6)}"',
                         "MX": f"{self.random.randint(0, 100)} mx.{ZONE}."}[kind]
                key = (owner, kind, rdata)
                if key in self.there or any(d[0] == owner and d[1] == kind for d in deletes):
                    continue
                self.there[key] = 300
                adds.append((owner, 300, kind, rdata))
        return adds, deletes


def chain(lab, primary_kind, downstream_kinds):
    primary = ALL[primary_kind](lab, "primary-" + primary_kind)
    primary.add_zone(ZONE, zone_text())
    up = {"address": primary.address}
    if primary_kind == "nsd":
        up["ixfr-strict"] = False  # NSD 4.6.1 adds records again that are there
    relay = Relay(lab, primaries={"up": up}, zones=[ZONE])
    primary.notify = [(relay.host, relay.port)]
    downs = [ALL[k](lab, "down-" + k, primary=(relay.host, relay.port), zones=[ZONE]) for k in downstream_kinds]
    relay.downstreams = {d.name: {"address": d.address} for d in downs}
    relay.write()
    primary.start()
    relay.start()
    relay.wait_serial(ZONE, 1)
    for d in downs:
        d.start()
    for d in downs:
        wait_serial(d.port, ZONE, 1, 30, d.host)
    return primary, relay, downs


@pytest.mark.parametrize("kind", sorted(ALL))
def test_random_updates(lab, kind):
    """1,000 random updates in all, IXFR for all but the first transfer, the same content at the end."""
    if not all(c.installed() for c in ALL.values()):
        pytest.skip("named, nsd and knotd are needed")
    count = {"named": 500, "knotd": 250, "nsd": 250}[kind]
    primary, relay, downs = chain(lab, kind, sorted(ALL))
    model = Model(kind)
    serial = 1
    for i in range(count):
        adds, deletes = model.change()
        if not adds and not deletes:
            continue
        serial = primary.update(ZONE, adds, deletes)
        if i % 10 == 9 or kind == "nsd":
            relay.wait_serial(ZONE, serial)
        if i % 20 == 19:    # one that sleeps longer falls off the journal, which is no larger than 64 KiB
            for d in downs:
                wait_serial(d.port, ZONE, serial, 30, d.host)
    relay.wait_serial(ZONE, serial)
    for d in downs:
        wait_serial(d.port, ZONE, serial, 30, d.host)
    kinds = [e["kind"] for e in relay.events("transfer-done") if e["kind"] != "current"]
    assert kinds[0] == "AXFR" and set(kinds[1:]) == {"IXFR"}, kinds
    assert not relay.events("ixfr-failed")
    for d in downs:
        served = [e["kind"] for e in relay.events("served", downstream=d.name)]
        assert served.count("AXFR") <= 1, (d, served)
        assert "IXFR" in served, (d, served)
    want = records(primary.port, ZONE)
    assert records(relay.port, ZONE) == want
    for d in downs:
        assert records(d.port, ZONE, d.host) == want, d


@pytest.mark.parametrize("kind", sorted(ALL))
def test_without_ixfr(lab, kind):
    """A primary that is asked for AXFR only; downstreams get the computed difference by IXFR."""
    if not all(c.installed() for c in ALL.values()):
        pytest.skip("named, nsd and knotd are needed")
    primary, relay, downs = chain(lab, kind, sorted(ALL))
    relay.primaries["up"]["ixfr"] = False
    relay.write()
    relay.ctl("reload")
    model = Model("axfr" + kind)
    serial = 1
    for _ in range(5):
        serial = primary.update(ZONE, *model.change())
        relay.wait_serial(ZONE, serial)
        for d in downs:
            wait_serial(d.port, ZONE, serial, 30, d.host)
    want = records(primary.port, ZONE)
    for d in downs:
        assert records(d.port, ZONE, d.host) == want, d
        assert len([e for e in relay.events("served", downstream=d.name) if e["kind"] == "IXFR"]) >= 1
    assert [e["kind"] for e in relay.events("transfer-done") if e["kind"] != "current"] == ["AXFR"] * 6
    wait_for(lambda: serial_at(relay.port, ZONE) == serial, 5)
