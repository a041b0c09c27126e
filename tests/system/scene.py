# SPDX-License-Identifier: BSD-2-Clause
"""A relay between a fake primary and a fake downstream, each at an address of its own.

    primary 127.0.0.11  -->  relay 127.0.0.1  -->  downstream 127.0.0.12

Tests look from 127.0.0.1, which is a downstream called "watch" that is not notified; every other address
is a stranger's.
"""

import collections
import hashlib
import os
import shutil
import sqlite3

import dns.edns
import dns.message
import dns.name
import dns.opcode
import dns.rdatatype
from dns.rdtypes.ANY.TXT import TXT

import fakedownstream
from fakedownstream import FakeDownstream
from fakeprimary import FakePrimary
from fakewire import IN, Record, notify_query, records_of, send_notify
from lab import SLOW, free_port, wait_for
from relay import Relay

ZONE = "example.test"
PRIMARY, DOWNSTREAM, STRANGER = "127.0.0.11", "127.0.0.12", "127.0.0.77"


def zone_text(serial=1, hosts=5, zone=ZONE, refresh=3600, retry=600, expire=604800, more=()):
    """A zone file: SOA, two NS, some hosts, and further lines."""
    lines = [f"{zone}. 3600 IN SOA ns1.{zone}. host.{zone}. {serial} {refresh} {retry} {expire} 300",
             f"{zone}. 3600 IN NS ns1.{zone}.", f"{zone}. 3600 IN NS ns2.{zone}.",
             f"ns1.{zone}. 3600 IN A 192.0.2.1", f"ns2.{zone}. 3600 IN AAAA 2001:db8::2"]
    lines += [f"host{i}.{zone}. 300 IN A 192.0.2.{i % 250 + 1}" for i in range(hosts)]
    return "\n".join(lines + list(more)) + "\n"


def large_zone(serial=1, records=2000, size=1200, zone=ZONE, fill="x", **how):
    """About records * size octets, as Records in the order in which zones are stored."""
    out = records_of(zone_text(serial, 0, zone, **how), zone)
    strings = tuple(fill.encode() * 200 for _ in range(size // 200))
    for i in range(records):
        rdata = TXT(IN, dns.rdatatype.TXT, (str(i).encode(),) + strings)
        out.append(Record(dns.name.from_text(f"z{i:05d}.{zone}."), 300, rdata))
    return out


class Scene:
    """What most tests need.  zones: name -> text or Records, or None for one that the primary does not have."""

    def __init__(self, lab, zones=None, primary=None, downstream=None, server=None, template=None,
                 env=None, start=True, more_primaries=None, more_downstreams=None, zone_conf=None,
                 down=None, relay_port=None, up=None, keys=None):
        self.lab = lab
        self.primary = lab.add((up or FakePrimary)(PRIMARY, free_port()).start())
        self.down = lab.add((down or FakeDownstream)(DOWNSTREAM, free_port()).start())
        zones = zones if zones is not None else {ZONE: zone_text()}
        for name, text in zones.items():
            if text is not None:
                self.primary.add_zone(name, text)
        primaries = {"up": dict({"address": self.primary.address}, **(primary or {}))}
        primaries.update(more_primaries or {})
        downstreams = {"down": dict({"address": self.down.address}, **(downstream or {})),
                       "watch": {"notify": False, "transfer-from": ["127.0.0.1"]}}
        downstreams.update(more_downstreams or {})
        self.relay = Relay(lab, primaries=primaries, downstreams=downstreams, server=server, env=env,
                           zones={z: (zone_conf or {}).get(z, {}) for z in zones}, port=relay_port, keys=keys,
                           templates={"default": template} if template else None)
        if start:
            self.relay.start()
            for name, text in zones.items():
                if text is not None:
                    self.relay.wait_serial(name, self.primary.zone(name).serial)

    @property
    def at(self):
        return (self.relay.host, self.relay.port)

    def settle(self, zone=ZONE, timeout=20):
        """Waits until nothing is owed for the zone and nothing goes on: neither in nor out."""
        def quiet():
            z = self.relay.json("zone", zone)
            # "waiting": after a round that failed
            return (z["zone"]["activity"] in ("idle", "waiting") and z["zone"]["pending"] == "none"
                    and all(d["tries"] is None for d in z["downstreams"]))
        wait_for(quiet, timeout, f"{zone} at rest")

    def notify(self, zone=ZONE, hint=True, **how):
        """A NOTIFY from the primary; its answer."""
        return self.primary.notify(zone, self.at, hint=hint, timeout=20 * SLOW, **how)

    def update(self, add=(), delete=(), zone=ZONE, notify=True, wait=True, **how):
        """A new version at the primary, announced; returns its serial when the relay serves it."""
        serial = self.primary.update(zone, add, delete, **how)
        if notify:
            answer = self.notify(zone)
            assert answer is not None and answer.rcode == "NOERROR", answer
        if wait:
            self.relay.wait_serial(zone, serial)
        return serial

    def axfr(self, zone=ZONE, **how):
        return fakedownstream.axfr(zone, self.at, **how)

    def ixfr(self, since, zone=ZONE, **how):
        return fakedownstream.ixfr(zone, self.at, since, **how)

    def content(self, zone=ZONE, serial=None):
        """What the primary has, as Transfer.keys() gives it."""
        z = self.primary.zone(zone)
        return sorted(r.key() for r in z.versions[z.serial if serial is None else serial])

    def downstream_state(self, name="down", zone=ZONE):
        for d in self.relay.json("zone", zone)["downstreams"]:
            if d["name"] == name:
                return d
        raise AssertionError(f"no downstream {name}")


def tell(at, zone=ZONE, qtype="SOA", edns=0, source=PRIMARY, tcp=False, timeout=5.0, options=(), **how):
    """A NOTIFY in all freedom, by default with EDNS so that the answer can say why."""
    q = notify_query(zone, qtype, how.pop("hint", None))
    if edns is not None:
        q.use_edns(edns, 0, 1232, options=list(options))
    for key, value in how.items():
        setattr(q, key, value)
    return send_notify(q, at, tcp, timeout * SLOW, source)


# ---- the database ----


def copy_db(path, folder):
    """A copy of a database nobody writes to, with its WAL: looking at it changes nothing."""
    os.makedirs(folder, exist_ok=True)
    copy = os.path.join(folder, "copy.db")
    for end in ("", "-wal"):
        if os.path.exists(copy + end):
            os.unlink(copy + end)
        if os.path.exists(path + end):
            shutil.copyfile(path + end, copy + end)
    if os.path.exists(copy + "-shm"):
        os.unlink(copy + "-shm")
    return copy


def look(path, sql, *args):
    """Rows of a query."""
    db = sqlite3.connect(path, timeout=30)
    try:
        return db.execute(sql, args).fetchall()
    finally:
        db.close()


def check_db(path, running=False):
    """What must hold in every database, also in one a crash has left; then {wire name: row of zone}.

    running: versions under construction may be there; else, after an orderly end, not.
    """
    db = sqlite3.connect(path, timeout=30)
    try:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'zone'").fetchone():
            return {}       # ended before there was anything
        db.row_factory = sqlite3.Row
        zones = db.execute("SELECT * FROM zone WHERE name IS NOT NULL").fetchall()
        names = collections.Counter(bytes(z["name"]) for z in zones)
        assert all(n == 1 for n in names.values()), names
        for z in zones:
            _check_zone(db, z, running)
        stray = db.execute("SELECT count(*) FROM segment WHERE zone NOT IN (SELECT id FROM zone)").fetchone()[0]
        assert stray == 0, "segments of no zone"
        owners = db.execute("SELECT count(*) FROM content AS c WHERE NOT EXISTS (SELECT 1 FROM segment AS s"
                            " WHERE s.id = c.id) AND NOT EXISTS (SELECT 1 FROM journal AS j WHERE j.id = c.id)")
        assert owners.fetchone()[0] == 0, "octets that nobody refers to"
        return {bytes(z["name"]): dict(z) for z in zones}
    finally:
        db.close()


def _check_zone(db, z, running):
    live = db.execute("SELECT s.*, c.data FROM segment AS s LEFT JOIN content AS c ON c.id = s.id"
                      " WHERE s.zone = ? AND s.born <= ? AND (s.died IS NULL OR s.died > ?) ORDER BY s.key",
                      (z["id"], z["version"], z["version"])).fetchall()
    assert len(live) == z["segments"], (len(live), dict(z))
    assert sum(s["rrs"] for s in live) == z["records"]
    assert len({bytes(s["key"]) for s in live}) == len(live), "two live segments with one key"
    total = 0
    for s in live:
        assert s["data"] is not None, "segment without its octets"
        assert hashlib.sha256(s["data"]).digest() == bytes(s["digest"]), "octets are not those of the digest"
        total += int.from_bytes(s["digest"], "big")
    assert (total % 2**256).to_bytes(32, "big") == bytes(z["digest"]), "digest of the version"
    if z["version"] > 0 and z["soa"] is not None:
        assert int.from_bytes(bytes(z["soa"])[-20:-16], "big") == z["serial"]
    if not running:
        staged = db.execute("SELECT count(*) FROM segment WHERE zone = ? AND (born > ? OR died > ?)",
                            (z["id"], z["version"], z["version"])).fetchone()[0]
        assert staged == 0, "orphans of a version that never was"
        assert db.execute("SELECT count(*) FROM staging WHERE zone = ?", (z["id"],)).fetchone()[0] == 0
    _check_journal(db, z)


def _check_journal(db, z):
    """The steps that are in force lead without a gap to the serial served."""
    steps = db.execute("SELECT version, step, min(from_serial) AS f, max(to_serial) AS t,"
                       " count(DISTINCT part) AS parts FROM journal WHERE zone = ? AND version >= ?"
                       " AND version <= ? GROUP BY version, step ORDER BY version, step",
                       (z["id"], z["journal_from"], z["version"])).fetchall()
    assert len(steps) == z["journal_steps"], (len(steps), z["journal_steps"])
    for a, b in zip(steps, steps[1:]):
        assert a["t"] == b["f"], "gap in the journal"
    if steps:
        assert steps[-1]["t"] == z["serial"]
        assert all(s["parts"] == 2 for s in steps)
