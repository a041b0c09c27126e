# SPDX-License-Identifier: BSD-2-Clause
"""Scenes for NOTIFY(AXFR): forced transfers and what becomes of them."""

import hashlib
import sqlite3
import threading
import time

import dns.name

import fakedownstream
from fakeprimary import FakePrimary
from fakewire import record
from lab import SLOW, free_port, wait_for
from relay import Relay
from scene import PRIMARY, ZONE, Scene, look, zone_text

# Forced transfers without a limit that a test would meet.
FREE = {"forced-interval": "1s", "forced-burst": 1000}
FREE_PRIMARY = {"forced-burst": 1000, "forced-rate": 10000}
FREE_SERVER = {"forced-burst": 1000, "forced-rate": 10000}


class ForcedScene(Scene):
    """A Scene whose limits are out of the way unless the test sets them; nothing has been counted yet."""

    def __init__(self, lab, zones=None, template=None, primary=None, server=None, start=True, **how):
        super().__init__(lab, zones, template=dict(FREE, **(template or {})),
                         primary=dict(FREE_PRIMARY, **(primary or {})),
                         server=dict(FREE_SERVER, **(server or {})), start=start, **how)
        if start:
            for zone in self.primary.zones:
                self.settle(zone)
            self.forget()

    def forget(self):
        """Counts start from zero."""
        self.primary.forget()
        self.down.forget()

    def force(self, zone=ZONE, rcode="NOERROR", **how):
        """NOTIFY(AXFR) from the primary; its answer."""
        answer = self.notify(zone, hint=False, qtype="AXFR", **how)
        assert answer is not None, "no answer to NOTIFY(AXFR)"
        assert answer.rcode == rcode, answer.rcode
        return answer

    def rewrite(self, add=(), delete=(), zone=ZONE):
        """Other content under the same serial, announced to nobody."""
        return self.primary.update(zone, add, delete, serial=self.primary.zone(zone).serial)

    def events(self, zone=ZONE):
        return self.relay.events("forced-committed", zone=zone_name(zone))

    def wait_events(self, n, zone=ZONE, timeout=20):
        """Waits for the n-th commit of a forced transfer, whatever it brought; its log event."""
        found = self.relay.wait_event("forced-committed", n, timeout, zone=zone_name(zone))
        assert len(found) == n, f"{len(found)} forced transfers, not {n}"
        return found[-1]

    def last(self, zone=ZONE):
        return last_event(self.relay, zone)

    def peers(self, zone=ZONE):
        return peer_states(self.relay, zone)

    def wait_peer(self, state, name="down", zone=ZONE, timeout=20):
        wait_for(lambda: self.peers(zone).get(name) == state, timeout,
                 f"{name} {state}, it is {self.peers(zone)}")

    def row(self, zone=ZONE):
        return zone_row(self.relay, zone)

    def pending(self):
        return look(self.relay.db, "SELECT pending FROM mark")

    def serves(self, zone=ZONE):
        """Does the relay serve what the primary has?"""
        return self.axfr(zone).keys() == self.content(zone)


def zone_name(zone):
    """A zone as the log and the tool write it."""
    return zone.rstrip(".") or "."


def rows_of(path, sql, *args):
    """Rows as dicts."""
    db = sqlite3.connect(path, timeout=30)
    try:
        db.row_factory = sqlite3.Row
        return [dict(r) for r in db.execute(sql, args)]
    finally:
        db.close()


OF_ZONE = "zone = (SELECT id FROM zone WHERE name = ?)"


def wire_name(zone):
    return dns.name.from_text(zone).canonicalize().to_wire()


def last_event(relay, zone=ZONE):
    """What the database says of the last forced transfer; None when there was none."""
    found = rows_of(relay.db, f"SELECT * FROM forced WHERE {OF_ZONE}", wire_name(zone))
    return found[0] if found else None


def peer_states(relay, zone=ZONE):
    """{name of the downstream: state} of the last event; states of further addresses behind a comma."""
    out = {}
    for r in rows_of(relay.db, f"SELECT * FROM forced_peer WHERE {OF_ZONE} ORDER BY target", wire_name(zone)):
        out[r["name"]] = ", ".join(([out[r["name"]]] if r["name"] in out else []) + [r["state"]])
    return out


def zone_row(relay, zone=ZONE):
    return rows_of(relay.db, "SELECT * FROM zone WHERE name = ?", wire_name(zone))[0]


def forced_status(relay, zone=ZONE):
    """What `zonerelayctl --json zone NAME` says of the zone."""
    return relay.json("zone", zone)["zone"]


def smuggle(path, text, zone=ZONE):
    """Puts a record into the content of a zone that nobody has sent, as a software bug might (draft section 1).

    The daemon is down.  The record must sort behind every other one of the last segment.
    """
    r = record(text, zone)
    wire = r.name.to_wire() + r.rdata.rdtype.to_bytes(2, "big") + b"\0\1" + r.ttl.to_bytes(4, "big")
    rdata = r.rdata.to_wire()
    wire += len(rdata).to_bytes(2, "big") + rdata
    db = sqlite3.connect(path, timeout=30)
    db.row_factory = sqlite3.Row
    z = db.execute("SELECT * FROM zone WHERE name = ?", (wire_name(zone),)).fetchone()
    s = db.execute("SELECT s.*, c.data FROM segment AS s JOIN content AS c ON c.id = s.id WHERE s.zone = ?"
                   " AND s.died IS NULL ORDER BY s.key DESC LIMIT 1", (z["id"],)).fetchone()
    data = s["data"] + wire
    digest = hashlib.sha256(data).digest()
    total = (int.from_bytes(z["digest"], "big") - int.from_bytes(s["digest"], "big")
             + int.from_bytes(digest, "big")) % 2**256
    db.execute("UPDATE content SET data = ?, sum = NULL WHERE id = ?", (data, s["id"]))
    db.execute("UPDATE segment SET rrs = rrs + 1, octets = octets + ?, digest = ? WHERE id = ?",
               (len(wire), digest, s["id"]))
    db.execute("UPDATE zone SET records = records + 1, octets = octets + ?, digest = ? WHERE id = ?",
               (len(wire), total.to_bytes(32, "big"), z["id"]))
    db.commit()
    db.close()


class Agents:
    """Relays that fetch from one another: feeds = {name: [names of its primaries]}, "top" is the FakePrimary.

    Each has an address of its own and sends from there, so that it is known to the others.
    """

    def __init__(self, lab, feeds, zone=ZONE, text=None, template=None, behind=None, start=True, free=True,
                 server=None, downstream=None):
        """behind: {name of an agent: {name: downstream}}; downstream: keys of every one that is an agent."""
        self.lab, self.zone, self.feeds = lab, zone, feeds
        self.top = lab.add(FakePrimary(PRIMARY, free_port()).start())
        self.top.add_zone(zone, text or zone_text(zone=zone))
        hosts = {name: f"127.0.0.{31 + i}" for i, name in enumerate(feeds)}
        at = {name: f"{host}@{free_port()}" for name, host in hosts.items()}
        at["top"] = self.top.address
        self.relays = {}
        for name, above in feeds.items():
            own = {"source": hosts[name]}
            extra = dict(FREE_PRIMARY) if free else {}
            primaries = {p: dict({"address": at[p]}, **own, **extra) for p in above}
            if "top" in primaries:
                primaries["top"]["notify-from"] = ["127.0.0.1"]
            downs = {d: dict({"address": at[d]}, **own, **(downstream or {})) for d in feeds if name in feeds[d]}
            for d, conf in (behind or {}).get(name, {}).items():
                downs[d] = dict(own, **conf)
            downs["watch"] = {"notify": False, "transfer-from": ["127.0.0.1"]}
            self.relays[name] = Relay(
                lab, name, primaries, downs, [zone], host=hosts[name], port=int(at[name].split("@")[1]),
                server=dict(FREE_SERVER if free else {}, **(server or {})),
                templates={"default": dict(FREE if free else {}, **(template or {}))})
        if start:
            self.start()

    def __iter__(self):
        return iter(self.relays.values())

    def start(self):
        """Nobody gets the zone before all of them are there: else the first NOTIFYs would find nobody."""
        hold = threading.Event()
        self.top.behave(hold=hold)
        for r in self:
            r.start()
        self.top.behave()
        hold.set()
        for r in self:
            r.wait_serial(self.zone, self.top.zone(self.zone).serial)
        self.settle()
        self.top.forget()
        return self

    def settle(self):
        """Nothing is owed by anybody."""
        for r in self:
            wait_for(lambda r=r: look(r.db, "SELECT (SELECT count(*) FROM mark) + (SELECT count(*) FROM outbox)")
                     == [(0,)], 30, f"{r} at rest")

    def rewrite(self, add=(), delete=()):
        return self.top.update(self.zone, add, delete, serial=self.top.zone(self.zone).serial)

    def force(self, name):
        """NOTIFY(AXFR) from the top to one of them."""
        r = self.relays[name]
        a = self.top.notify(self.zone, (r.host, r.port), qtype="AXFR", hint=False, timeout=20 * SLOW)
        assert a is not None and a.rcode == "NOERROR", a

    def content(self):
        return sorted(r.key() for r in self.top.zone(self.zone).content)

    def has(self, at):
        """Does the server there, a relay or any other, have what the top has?"""
        try:
            t = fakedownstream.axfr(self.zone, at, timeout=10 * SLOW)
        except OSError:
            return False
        return t.ok and t.keys() == self.content()

    def wait_everywhere(self, others=(), timeout=30):
        for r in self:
            wait_for(lambda r=r: self.has((r.host, r.port)), timeout, f"{r} with the new content", every=0.05)
        for s in others:
            wait_for(lambda s=s: self.has((s.host, s.port)), timeout, f"{s} with the new content", every=0.05)

    def forced(self):
        """{name: forced transfers committed}, from the log."""
        return {r.name: len(r.events("forced-committed")) for r in self}

    def fetched(self):
        """{name: AXFRs from another one that came to their end}."""
        return {r.name: len(r.events("transfer-done", kind="AXFR")) for r in self}

    def wait_silence(self, seconds=1.5, timeout=60):
        """Until nobody has transferred anything for so long."""
        last, since = None, time.monotonic()

        def quiet():
            nonlocal last, since
            now = self.fetched()
            if now != last:
                last, since = now, time.monotonic()
            return time.monotonic() - since > seconds * SLOW
        wait_for(quiet, timeout, "silence", every=0.1)
        return last


def ring(n):
    """Each fetches from the one before it, the first one from the top as well."""
    return {f"a{i}": (["top"] if i == 0 else []) + [f"a{(i - 1) % n}"] for i in range(n)}


def mesh(n):
    return {f"a{i}": ["top"] + [f"a{k}" for k in range(n) if k != i] for i in range(n)}
