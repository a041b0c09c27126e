# SPDX-License-Identifier: BSD-2-Clause
"""Where NOTIFYs go when no list is given: PL-01..PL-11, N-30, Q-22 from outside."""

import json
import socket
import threading
import time

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from fakedownstream import FakeDownstream
from lab import SLOW, free_port, wait_for
from scene import DOWNSTREAM, PRIMARY, ZONE, Scene, copy_db, look

SECOND, THIRD, FOURTH, FAR = "127.0.0.14", "127.0.0.15", "127.0.0.16", "127.0.0.99"


class Resolver:
    """A recursive resolver that knows what it is told: hosts[name] is a list of addresses; a name that it
    does not know does not exist.  Of names in `mute`, or when silent, it says nothing."""

    def __init__(self):
        self.hosts, self.mute, self.silent = {}, set(), False
        self.asked = []     # (name, type) of every query
        self.sources = set()
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.settimeout(0.1)
        self.ending = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    @property
    def address(self):
        return "127.0.0.1@%d" % self.sock.getsockname()[1]

    def stop(self):
        self.ending = True
        self.thread.join()
        self.sock.close()

    def run(self):
        while not self.ending:
            try:
                wire, source = self.sock.recvfrom(4096)
            except socket.timeout:
                continue
            q = dns.message.from_wire(wire)
            host = q.question[0].name.to_text(True).lower()
            self.asked.append((host, dns.rdatatype.to_text(q.question[0].rdtype)))
            self.sources.add(source)
            if not self.silent and host not in self.mute:
                self.sock.sendto(self.answer(q, host).to_wire(), source)

    def answer(self, q, host):
        r = dns.message.make_response(q, recursion_available=True)
        if host not in self.hosts:
            r.set_rcode(dns.rcode.NXDOMAIN)
            return r
        for address in self.hosts[host]:
            rdtype = "AAAA" if ":" in address else "A"
            if dns.rdatatype.to_text(q.question[0].rdtype) == rdtype:
                r.answer.append(dns.rrset.from_text(q.question[0].name, 300, "IN", rdtype, address))
        return r


def zone(ns, glue=(), serial=1, name=ZONE, mname="ns0", expire=604800):
    """A zone file: names without a final dot are those of the zone."""
    lines = [f"{name}. 3600 IN SOA {full(mname, name)} host.{name}. {serial} 3600 600 {expire} 300"]
    lines += [f"{name}. 3600 IN NS {full(n, name)}" for n in ns]
    lines += [f"{full(n, name)} 3600 IN {'AAAA' if ':' in a else 'A'} {a}" for n, a in glue]
    lines += [f"www.{name}. 300 IN A 192.0.2.80"]
    return "\n".join(lines) + "\n"


def full(host, name):
    return host if host.endswith(".") else f"{host}.{name}."


class Field:
    """A scene with a resolver, and a second and third downstream."""

    def __init__(self, lab, text, mode, template=None, server=None, more=None, zones=None, **how):
        self.resolver = lab.add(Resolver())
        self.second = lab.add(FakeDownstream(SECOND, free_port()).start())
        self.third = lab.add(FakeDownstream(THIRD, free_port()).start())
        downs = {"second": {"address": self.second.address}, "third": {"address": self.third.address}}
        downs.update(more or {})
        self.scene = Scene(lab, zones if zones is not None else {ZONE: text},
                           template=dict({"notify-targets": mode}, **(template or {})),
                           server=dict({"resolver": [self.resolver.address]}, **(server or {})),
                           more_downstreams=downs, start=False, **how)
        self.relay = self.scene.relay
        self.down = self.scene.down
        self.before = None

    def start(self, serial=1, name=ZONE):
        self.relay.start()
        self.relay.wait_serial(name, serial)
        return self

    def live(self, kind="target", name=ZONE):
        """Lines of a kind from the control socket."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10 * SLOW)
            s.connect(self.relay.sock)
            s.sendall(f"live {name}\n".encode())
            data = b""
            while not data.endswith((b"\nok\n",)) and data != b"ok\n":
                piece = s.recv(65536)
                assert piece, data
                data += piece
        lines = [json.loads(x) for x in data.decode().splitlines()[:-1]]
        return [x for x in lines if x["kind"] == kind]

    def targets(self, name=ZONE):
        """{(host, address): why}"""
        return {(t.get("host"), t.get("address")): t["why"] for t in self.live(name=name)}

    def owed(self):
        """Rows of the outbox as (downstream, target)."""
        return sorted(look(self.relay.db, "SELECT downstream, target FROM outbox"))

    def update(self, add=("new 300 A 192.0.2.99",), delete=(), **how):
        self.before = time.monotonic()
        return self.scene.update(list(add), list(delete), **how)

    def forget(self):
        for d in (self.down, self.second, self.third):
            d.forget()

    def wait_owed(self, rows):
        """Waits for exactly these rows in the outbox."""
        end = time.monotonic() + 20 * SLOW
        while self.owed() != sorted(rows):
            assert time.monotonic() < end, f"owed: {self.owed()}"
            time.sleep(0.01)

    def settled(self):
        self.wait_owed([])


def test_ns(lab):
    """PL-03, PL-04, PL-07, PL-08, PL-09, PL-10: hosts of the NS records, glue first, then the resolver."""
    text = zone(["ns0", "ns1", "NS.Elsewhere.test.", "own", "up", "twice", "none", "invalid.", ".", "far"],
                [("ns0", "192.0.2.1"), ("ns1", DOWNSTREAM), ("own", "127.0.0.1"), ("up", PRIMARY),
                 ("twice", DOWNSTREAM), ("far", FAR)])
    f = Field(lab, text, "ns", server={"self-address": ["127.0.0.1"]})
    f.resolver.hosts["ns.elsewhere.test"] = [SECOND]
    f.start()
    for d in (f.down, f.second):
        d.wait_notifies(1, ZONE)
    z, own = f"{ZONE}", f.relay
    wait_for(lambda: f.targets().get(("ns.elsewhere.test", f.second.address)) == "in", what="the far host")
    assert f.targets() == {
        (f"ns0.{z}", "192.0.2.1@53"): "mname", (f"ns1.{z}", f.down.address): "in",
        ("ns.elsewhere.test", f.second.address): "in", (f"own.{z}", "127.0.0.1@53"): "own",
        (f"up.{z}", f"{PRIMARY}@53"): "primary", (f"twice.{z}", f.down.address): "twice",
        (f"none.{z}", None): "unresolved", ("invalid", None): "unresolved", (".", None): "unresolved",
        (f"far.{z}", f"{FAR}@53"): "in"}
    shown = f.relay.json("zone", ZONE)["targets"]
    assert {(t["host"], t["address"]): t["why"] for t in shown} == f.targets()
    assert all(t["text"] and t["state"] in ("in", "out") for t in shown)
    assert {t["state"] for t in f.live() if t["why"] in ("in", "also-notify")} == {"in"}
    assert {t["state"] for t in f.live() if t["why"] not in ("in", "also-notify")} == {"out"}
    assert all(t["text"] for t in f.live())
    # Names of the zone itself, and of no host, are not looked up; the other one once, for two types.
    assert sorted(f.resolver.asked) == [("ns.elsewhere.test", "A"), ("ns.elsewhere.test", "AAAA")]
    assert not f.third.notifies
    told = f.relay.events("target-unresolved")
    assert sorted(e["host"] for e in told) == sorted([f"none.{z}", "invalid", "."])
    assert own.events("targets-found", zone=ZONE, asking=0)
    # Nobody else is owed anything but the one at which nobody listens.
    f.wait_owed([("ns", f"{FAR}@53")])


def test_ns_and_acl(lab):
    """PL-05: no NOTIFY to a host that may not transfer; a prefix matches, and gives the default port."""
    text = zone(["a", "b", "c", "far"], [("a", DOWNSTREAM), ("b", "127.0.0.50"), ("c", THIRD), ("far", FAR)])
    f = Field(lab, text, "ns-and-acl", more={"net": {"transfer-from": ["127.0.0.48/28"]}})
    f.start()
    f.down.wait_notifies(1, ZONE)
    f.third.wait_notifies(1, ZONE)
    assert f.targets() == {(f"a.{ZONE}", f.down.address): "in", (f"b.{ZONE}", "127.0.0.50@53"): "in",
                           (f"c.{ZONE}", f.third.address): "in", (f"far.{ZONE}", f"{FAR}@53"): "not-allowed"}
    f.wait_owed([("net", "127.0.0.50@53")])
    assert not f.second.notifies


def test_acl(lab):
    """PL-06: the single addresses that may transfer, whatever the NS records say."""
    f = Field(lab, zone(["a"], [("a", FAR)]), "acl",
              more={"net": {"transfer-from": ["127.0.0.48/28"]},
                    "quiet": {"notify": False, "transfer-from": ["127.0.0.77"]}})
    f.start()
    for d in (f.down, f.second, f.third):
        d.wait_notifies(1, ZONE)
    f.settled()
    assert f.targets() == {
        (None, f.down.address): "in", (None, f.second.address): "in", (None, f.third.address): "in",
        (None, "127.0.0.48/28"): "prefix", (None, "127.0.0.77@53"): "silent", (None, "127.0.0.1@53"): "silent"}
    assert not f.resolver.asked


@pytest.mark.parametrize("mode", ["explicit", "ns", "ns-and-acl", "acl"])
def test_also_notify(lab, mode):
    """PL-06: in every mode; one that is a target by itself is notified once."""
    fourth = lab.add(FakeDownstream(FOURTH, free_port()).start())
    f = Field(lab, zone(["a"], [("a", DOWNSTREAM)]), mode, template={"also-notify": [fourth.address]})
    f.relay.templates["default"]["also-notify"].append(f.down.address)
    f.relay.write()
    f.start()
    fourth.wait_notifies(1, ZONE)
    f.down.wait_notifies(1, ZONE)
    f.settled()
    t = {x["address"]: x["why"] for x in f.live() if x["state"] == "in"}
    assert t[fourth.address] == "also-notify" and t[f.down.address] in ("in", "also-notify")
    assert (f.second.address in t) == (mode in ("explicit", "acl"))
    f.update()
    fourth.wait_notifies(2, ZONE)
    f.down.wait_notifies(2, ZONE)
    f.settled()
    assert len(f.down.notifies) == len(fourth.notifies) == 2


def test_explicit(lab):
    """The addresses of the downstreams, each with why it is a target or not."""
    f = Field(lab, zone(["a"], [("a", FAR)]), "explicit", more={"quiet": {"notify": False, "address": FAR}})
    f.relay.server["self-address"] = [f.third.address]
    f.relay.write()
    f.start()
    for d in (f.down, f.second):
        d.wait_notifies(1, ZONE)
    f.settled()
    assert not f.third.notifies
    assert f.targets() == {
        (None, f.down.address): "in", (None, f.second.address): "in", (None, f.third.address): "own",
        (None, f"{FAR}@53"): "silent"}


def test_unresolvable(lab):
    """PL-09: what does not resolve is reported once and tried again, and keeps nobody waiting."""
    f = Field(lab, zone(["a", "gone.elsewhere.test.", "ns.elsewhere.test."], [("a", DOWNSTREAM)]), "ns")
    f.resolver.hosts["ns.elsewhere.test"] = [SECOND]
    f.start()
    f.down.wait_notifies(1, ZONE)
    f.second.wait_notifies(1, ZONE)
    told = f.relay.wait_event("target-unresolved", host="gone.elsewhere.test")
    assert (told[0]["zone"], told[0]["reason"]) == (ZONE, "there is no such name")
    gone = [t for t in f.live() if t.get("host") == "gone.elsewhere.test"]
    assert [(t["state"], t["why"], t["text"]) for t in gone] == [("out", "unresolved", "there is no such name")]
    # The row that stands for it is kept, and nobody is shown to be owed it.
    f.wait_owed([("", "")])
    assert all(d["name"] and d["owed_type"] is None for d in f.relay.json("zone", ZONE)["downstreams"])
    serial = f.update()
    n = f.down.wait_hint(ZONE, serial)
    assert n.time - f.before < 2 * SLOW
    f.second.wait_hint(ZONE, serial)
    f.wait_owed([("", "")])
    assert len(f.relay.events("target-unresolved")) == 1
    # A reload asks again at once; now it is there.
    f.resolver.hosts["gone.elsewhere.test"] = [THIRD]
    f.relay.ctl("reload")
    f.third.wait_hint(ZONE, serial)
    f.settled()
    assert len(f.down.notifies) == len(f.second.notifies) == 2 and len(f.third.notifies) == 1
    assert f.targets()[("gone.elsewhere.test", f.third.address)] == "in"


def test_silent_resolver(lab):
    """A resolver that says nothing holds up nothing but the names it was asked for."""
    text = zone(["a", "ns.elsewhere.test."], [("a", DOWNSTREAM)])
    f = Field(lab, text, "ns")
    f.resolver.silent = True
    f.resolver.hosts["ns.elsewhere.test"] = [SECOND]
    f.start()
    f.down.wait_notifies(1, ZONE)
    for _ in range(5):
        serial = f.update()
        assert f.down.wait_hint(ZONE, serial).time - f.before < 2 * SLOW
    before = time.monotonic()
    assert f.targets()[("ns.elsewhere.test", None)] == "unresolved"
    assert time.monotonic() - before < 1 * SLOW
    assert f.relay.wait_event("target-unresolved")[0]["reason"] == "no resolver answers"
    assert not f.second.notifies
    f.wait_owed([("", "")])
    f.resolver.silent = False
    f.relay.ctl("reload")
    assert f.second.wait_hint(ZONE, serial)
    f.settled()
    assert len(f.second.notifies) == 1
    # Every lookup from a port of its own, so that answers are not forged easily.
    assert len(f.resolver.sources) >= 2


def test_kill_before_found(lab):
    """kill -9 while a name is looked up: the row that stands for all is expanded after the start."""
    f = Field(lab, zone(["ns.elsewhere.test.", "a"], [("a", DOWNSTREAM)]), "ns")
    f.resolver.silent = True
    f.resolver.hosts["ns.elsewhere.test"] = [SECOND]
    f.start()
    serial = f.update()
    f.down.wait_hint(ZONE, serial)
    # The row says by now that the other host has got its own.
    wait_for(lambda: look(f.relay.db, "SELECT tries FROM outbox WHERE target = ''")[0][0] != 0, what="a note")
    f.wait_owed([("", "")])
    f.down.forget()
    f.relay.kill()
    assert ("", "") in look(copy_db(f.relay.db, lab.folder("copy")), "SELECT downstream, target FROM outbox")
    f.resolver.silent = False
    f.relay.start()
    f.second.wait_hint(ZONE, serial)
    f.settled()
    assert len(f.second.notifies) == 1 and not f.down.notifies


def test_kill_before_expansion(lab):
    """kill -9 between the commit and the rows that come of it."""
    f = Field(lab, zone(["a", "b"], [("a", DOWNSTREAM), ("b", SECOND)]), "ns",
              env={"ZONERELAY_TEST_SLOW_COMMIT_MS": "700"})
    f.start()
    f.second.wait_notifies(1, ZONE)
    f.settled()
    f.forget()
    serial = f.update(wait=False)
    wait_for(lambda: ("", "") in f.owed(), 20, "the row without target", every=0.002)
    f.relay.kill()
    assert not f.down.notifies and not f.second.notifies
    f.relay.process.env.pop("ZONERELAY_TEST_SLOW_COMMIT_MS")
    f.relay.start()
    for d in (f.down, f.second):
        d.wait_hint(ZONE, serial)
    f.settled()


def test_owed_over_restart(lab):
    """A target that does not answer stays owed over a restart, also when its name cannot be looked up then."""
    f = Field(lab, zone(["ns.elsewhere.test."]), "ns")
    f.resolver.hosts["ns.elsewhere.test"] = [SECOND]
    f.second.answer.silence = True
    f.start()
    f.second.wait_notifies(1, ZONE)
    f.wait_owed([("second", f.second.address)])
    f.relay.stop()
    f.resolver.silent = True
    f.second.forget()
    f.second.answer.silence = False
    f.relay.start()
    f.second.wait_notifies(1, ZONE)
    f.settled()


def test_ns_change(lab):
    """PL-09: the NS records of the version just committed count."""
    f = Field(lab, zone(["a", "b"], [("a", DOWNSTREAM), ("b", SECOND)]), "ns")
    f.start()
    for d in (f.down, f.second):
        d.wait_notifies(1, ZONE)
    f.settled()
    f.forget()
    serial = f.update(add=[f"@ 3600 NS c.{ZONE}.", f"c 3600 A {THIRD}"], delete=[f"@ 3600 NS b.{ZONE}."])
    for d in (f.down, f.third):
        d.wait_hint(ZONE, serial)
    f.settled()
    assert not f.second.notifies
    assert f.targets() == {(f"a.{ZONE}", f.down.address): "in", (f"c.{ZONE}", f.third.address): "in"}
    # And an address of one of them.
    f.forget()
    serial = f.update(add=[f"c 3600 A {SECOND}"], delete=[f"c 3600 A {THIRD}"])
    f.second.wait_hint(ZONE, serial)
    f.settled()
    assert not f.third.notifies


def test_modes_over_reload(lab):
    """A new mode counts from the next commit on; what is owed to those who are no targets then is dropped."""
    f = Field(lab, zone(["a", "far"], [("a", DOWNSTREAM), ("far", FAR)]), "ns")
    f.start()
    f.down.wait_notifies(1, ZONE)
    f.wait_owed([("ns", f"{FAR}@53")])
    f.relay.templates["default"]["notify-targets"] = "ns-and-acl"
    f.relay.write()
    f.relay.ctl("reload")
    f.settled()
    assert f.targets() == {(f"a.{ZONE}", f.down.address): "in", (f"far.{ZONE}", f"{FAR}@53"): "not-allowed"}
    f.relay.templates["default"]["notify-targets"] = "explicit"
    f.relay.write()
    f.relay.ctl("reload")
    serial = f.update()
    for d in (f.down, f.second, f.third):
        d.wait_hint(ZONE, serial)
    f.settled()


def test_explicit_over_restart(lab):
    """A row without target that was written in another mode goes to whom the mode of now says."""
    f = Field(lab, zone(["ns.elsewhere.test."]), "ns")
    f.start()
    f.relay.wait_event("target-unresolved")
    f.wait_owed([("", "")])
    f.relay.stop()
    f.relay.templates["default"]["notify-targets"] = "explicit"
    f.relay.write()
    f.relay.start()
    for d in (f.down, f.second, f.third):
        d.wait_hint(ZONE, 1)
    f.settled()


@pytest.mark.parametrize("mode", ["ns", "ns-and-acl", "acl"])
def test_forced(lab, mode):
    """AN-11: NOTIFY(AXFR) goes to the same targets; what cannot be looked up gets it later."""
    f = Field(lab, zone(["a", "ns.elsewhere.test."], [("a", DOWNSTREAM)]), mode, template={"forced-splay": "0s"})
    f.resolver.hosts["ns.elsewhere.test"] = [SECOND]
    f.start()
    for d in (f.down, f.second):
        d.wait_notifies(1, ZONE)
    f.settled()
    f.forget()
    if mode != "acl":
        f.resolver.hosts.clear()
    f.relay.ctl("reload")   # the addresses are looked up again
    assert f.scene.primary.notify(ZONE, f.scene.at, "AXFR").rcode == "NOERROR"
    f.down.wait_notifies(1, ZONE, "AXFR")
    if mode != "acl":
        f.relay.wait_event("target-unresolved", host="ns.elsewhere.test")
        f.wait_owed([("", "")])
        assert look(f.relay.db, "SELECT qtype FROM outbox") == [(252,)]
        # A plain change meanwhile does not make less of it.
        f.update()
        f.down.wait_notifies(2, ZONE)
        assert look(f.relay.db, "SELECT qtype FROM outbox WHERE target = ''") == [(252,)]
        f.resolver.hosts["ns.elsewhere.test"] = [SECOND]
        f.relay.ctl("reload")
    f.second.wait_notifies(1, ZONE, "AXFR")
    f.settled()


def test_many_zones(lab):
    """Zones that name the same hosts cost two lookups, however many they are."""
    names = [f"z{i}.test" for i in range(200)]
    hosts = ["ns1.elsewhere.test.", "ns2.elsewhere.test."]
    f = Field(lab, None, "ns", zones={n: zone(hosts, name=n) for n in names})
    f.resolver.hosts["ns1.elsewhere.test"] = [SECOND]
    f.resolver.hosts["ns2.elsewhere.test"] = [THIRD]
    f.start(name=names[-1])
    f.second.wait_notifies(len(names), timeout=60)
    f.third.wait_notifies(len(names), timeout=60)
    f.settled()
    assert {n.zone for n in f.second.notifies} == {n + "." for n in names}
    assert len(f.resolver.asked) == 4, f.resolver.asked
