# SPDX-License-Identifier: BSD-2-Clause
# needs: kdig
"""Zone transfers over TLS (RFC 9103) with real servers; trustdoc.py has what is seen in a document."""

import os
import re
import subprocess
import time

import dns.name
import pytest

import trustdoc
from certs import Authority
from keyed import UP, edit
from lab import SLOW, Process, free_port, wait_for, which
from relay import Relay
from scene import ZONE, Scene, zone_text
from servers import Named, Nsd
from tlswire import Ear, TlsPrimary, server_context

HEAD = ["peer", "as", "trust", "result", "heard in the clear"]
PEER, RELAY = "peer.example.net", "relay.example.net"


class TlsNamed(Named):
    """BIND whose transfers go over TLS alone.  `us`: its certificate; `them`: a CA file it checks with."""

    us = them = key = None
    name_of_relay = RELAY
    notify_tls = ""

    def configure(self):
        super().configure()
        pair = f'cert-file "{self.us.cert}"; key-file "{self.us.key}"; ' if self.us else ""
        ca = f'ca-file "{self.them}"; ' if self.them else ""
        head, pairs = "", []
        k = self.key
        if k:
            head += f'key "{k.name}" {{ algorithm {k.alg}; secret "{k.text}"; }};\n'
        if self.primary is None:
            head += f"tls peers {{ {pair}{ca}}};\n"
            who = f'key "{k.name}"' if k else "any"
            pairs.append((r"allow-transfer { any; };",
                          f"listen-on port {self.tls_port} tls peers {{ {self.host}; }};\n"
                          f"  allow-transfer port {self.tls_port} transport tls {{ {who}; }};"))
            if self.notify_tls:
                head += f'tls told {{ ca-file "{self.ca}"; remote-hostname "{RELAY}"; {pair}}};\n'
                pairs.append((r"also-notify { *}", f"also-notify {{ {self.notify_tls} tls told; }}"))
                pairs.append((r"notify no;", "notify explicit;"))
        else:
            head += f'tls up {{ {pair}{ca}remote-hostname "{self.name_of_relay}"; }};\n'
            signed = f'key "{k.name}" ' if k else ""
            pairs.append((r"(primaries port \d+ {) ([0-9.]+);", rf"\1 \2 {signed}tls up;"))
        edit(os.path.join(self.dir, "named.conf"), (r"^", head), *pairs)


class TlsNsd(Nsd):
    """NSD likewise.  It does not ask for certificates of clients."""

    us = them = key = None
    name_of_relay = RELAY

    def configure(self):
        super().configure()
        pairs = []
        k = self.key
        if self.primary is None:
            pairs.append((r"(?m)^(  ip-address: .*)$", rf'\1\n  ip-address: {self.host}@{self.tls_port}\n'
                          f'  tls-service-key: "{self.us.key}"\n  tls-service-pem: "{self.us.cert}"\n'
                          f"  tls-port: {self.tls_port}"))
        else:
            pair = f'  client-cert: "{self.us.cert}"\n  client-key: "{self.us.key}"\n' if self.us else ""
            pairs += [(r"(?m)^server:", f'server:\n  tls-cert-bundle: "{self.them}"'),
                      (r"(?m)^remote-control:", f'tls-auth:\n  name: "up"\n  auth-domain-name: "{self.name_of_relay}"\n'
                                                f"{pair}remote-control:"),
                      (r"(request-xfr: \S+ NOKEY)", r"\1 up")]
        if k:
            pairs += [(r"((?:request-xfr|provide-xfr|allow-notify): \S+) NOKEY", rf"\1 {k.name}"),
                      (r"(?m)^remote-control:", f'key:\n  name: "{k.name}"\n  algorithm: {k.alg}\n'
                                                f'  secret: "{k.text}"\nremote-control:')]
        edit(os.path.join(self.dir, "nsd.conf"), *pairs)


PEERS = {"BIND": TlsNamed, "NSD": TlsNsd}
TRUST = ["server certificate", "mutual TLS", "TSIG inside TLS", "pins only"]
ROWS = {}


def note(*row):
    ROWS[row[:3]] = list(row)
    print("ROW", row)


def adds(n):
    return [(f"new{n}.{ZONE}.", 300, "A", f"192.0.2.{n}")]


class Up:
    """A real server as the primary of a relay."""

    def __init__(self, lab, peer, trust, tls=None, notify=False):
        self.ca = Authority(lab)
        self.lab = lab
        self.cert, self.own = self.ca.issue(PEER), self.ca.issue(RELAY)
        up = self.server = PEERS[peer](lab, "up")
        up.us, up.tls_port, up.ca = self.cert, free_port(), self.ca.ca
        self.tls = ("127.0.0.1", free_port())
        if notify:
            up.notify_tls = f"{self.tls[0]} port {self.tls[1]}"
        if trust == "mutual TLS":
            up.them = self.ca.ca
        if trust == "TSIG inside TLS":
            up.key = UP
        up.add_zone(ZONE, zone_text())
        up.start()
        self.good = {"name": PEER, "ca": self.ca.ca}
        if trust == "mutual TLS":
            self.good.update(self.own.pair)
        if trust == "pins only":
            self.good = {"pin": self.cert.pin}
        self.ear = lab.add(Ear(up.host, up.tls_port, dns.name.from_text(ZONE).to_wire()[:-1]))
        entry = {"address": f"{up.host}@{up.tls_port}", "tls": tls(self) if tls else self.good}
        if up.key:
            entry["key"] = UP.name
        self.relay = Relay(lab, primaries={"up": entry}, zones={ZONE: {"xot": "require", "downstreams": ["watch"]}},
                           downstreams={"watch": {"notify": False, "transfer-from": ["127.0.0.99"], "key": UP.name}},
                           server={"tls": dict({"listen": [f"127.0.0.1@{self.tls[1]}"]}, **self.own.pair)},
                           keys={UP.name: UP.conf}).start()

    def kinds(self):
        return sorted({e["kind"] for e in self.relay.events("transfer-done", transport="tls")})

    def serial(self):
        """What the relay has; it is asked by its command, as nobody may by a query."""
        return self.relay.json("zone", ZONE)["zone"]["serial"]

    def wait(self, serial):
        wait_for(lambda: self.serial() == serial, 20, f"serial {serial}")

    def heal(self):
        self.relay.primaries["up"]["tls"] = self.good
        self.relay.write()
        self.relay.ctl("reload")
        self.relay.ctl("retransfer", ZONE)
        self.wait(1)
        assert not self.ear.heard and self.ear.packets


@pytest.mark.parametrize("peer,trust", [("BIND", t) for t in TRUST])
def test_primary(lab, peer, trust):
    s = Up(lab, peer, trust)
    s.wait(1)
    serial = s.server.update(ZONE, adds=adds(1))
    s.relay.ctl("refresh", ZONE)
    s.wait(serial)
    assert not s.ear.heard and s.ear.packets
    assert s.kinds() == ["AXFR", "IXFR"], s.kinds()
    note(peer, "primary", trust, ", ".join(s.kinds()), "nothing")


FAULTS = {
    "wrong name": ("server certificate", lambda s: dict(s.good, name="other.example.net"), "other.example.net"),
    "unknown CA": ("server certificate", lambda s: {"name": PEER, "ca": Authority(s.lab, "ca2").ca}, ""),
    "pin mismatch": ("pins only", lambda s: {"pin": s.own.pin}, "pin"),
    "no client certificate": ("mutual TLS", lambda s: {"name": PEER, "ca": s.ca.ca}, ""),
}


@pytest.mark.parametrize("peer,fault", [("BIND", f) for f in FAULTS])
def test_primary_refused(lab, peer, fault):
    """The zone does not come, nothing goes in the clear, and it comes when that is mended (XO-24)."""
    trust, tls, word = FAULTS[fault]
    s = Up(lab, peer, trust, tls)
    e = s.relay.wait_event("soa-failed", zone=ZONE)[0]
    assert word in e["reason"], e
    assert not s.kinds() and not s.ear.heard
    s.heal()
    note(peer, "primary", fault, "refused, then healed", "nothing")


def test_nsd_primary(lab):
    """NSD 4.6 selects no ALPN as a server, which RFC 9103 section 7.1 demands: it is refused (XO-20)."""
    s = Up(lab, "NSD", "server certificate")
    e = s.relay.wait_event("soa-failed", zone=ZONE)[0]
    assert "ALPN" in e["reason"], e
    assert not s.kinds() and not s.ear.heard
    note("NSD", "primary", "server certificate", "refused: no ALPN (XO-20)", "nothing")


def test_notify_from_bind(lab):
    """BIND 9.18 takes "also-notify ... tls" and sends over UDP nevertheless: it does not come through at a port for TLS."""
    s = Up(lab, "BIND", "server certificate", notify=True)
    s.wait(1)
    ear = lab.add(Ear(*s.tls, dns.name.from_text(ZONE).to_wire()[:-1]))
    s.server.update(ZONE, adds=adds(1))
    wait_for(lambda: ear.heard or s.relay.events("notify-received"), 20, "a NOTIFY")
    seen = s.relay.events("notify-received")
    how = "arrives over TLS" if seen and seen[0]["transport"] == "tls" else "is sent over UDP"
    note("BIND", "primary", "also-notify with tls", "NOTIFY " + how, "NOTIFY" if ear.heard else "nothing")


class Down:
    """A real server as a secondary of a relay."""

    def __init__(self, lab, peer, trust, **wrong):
        ca = Authority(lab)
        self.cert, self.own = ca.issue(PEER), ca.issue(RELAY)
        self.tls = ("127.0.0.1", free_port())
        d = self.server = PEERS[peer](lab, "real", primary=self.tls, zones=[ZONE], refresh=1)
        d.them = ca.ca
        entry = {"address": d.address, "transfer-from": [d.host, "127.0.0.1"]}
        if trust in ("mutual TLS", "pins only"):
            d.us = self.cert
            entry.update({"client-name": PEER} if trust == "mutual TLS" else {"client-pin": self.cert.pin})
        if trust == "TSIG inside TLS":
            d.key = UP
            entry["key"] = UP.name
        self.good = dict(entry)
        if "entry" in wrong:
            entry.update(wrong.pop("entry")(self))
        for name, value in wrong.items():
            setattr(d, name, value(lab))
        context = server_context(ca.issue("ns1.example.net"))
        self.s = Scene(lab, keys={UP.name: UP.conf} if d.key else None, start=False,
                       primary={"tls": {"name": "ns1.example.net", "ca": ca.ca}},
                       up=lambda host, port: TlsPrimary(host, port, context=context),
                       server={"tls": dict({"listen": [f"127.0.0.1@{self.tls[1]}"], "client-ca": ca.ca},
                                           **self.own.pair)})
        self.s.relay.downstreams = {"real": entry}
        if trust != "server certificate":
            self.s.relay.zones[ZONE] = {"xot": "require"}
        self.s.relay.write()
        self.s.relay.start()
        self.s.relay.wait_event("committed")
        self.ear = lab.add(Ear(*self.tls, dns.name.from_text(ZONE).to_wire()[:-1]))
        d.configure()

    def start(self):
        """Without waiting for its zone."""
        d = self.server
        d.process = Process(d.argv(), os.path.join(d.dir, "log"), d.dir).start()

    def wait(self, serial):
        self.try_again_until(lambda: self.server.serial(ZONE) == serial, f"serial {serial}")

    def try_again_until(self, condition, what):
        """NSD waits long after a failure, and its first connection lacks the client's certificate: it is told to go on."""
        def there():
            if condition():
                return True
            if isinstance(self.server, Nsd):
                subprocess.run(self.server.control() + ["transfer", ZONE], capture_output=True, check=False,
                               timeout=10 * SLOW)
            return False
        wait_for(there, 20, what, every=0.5)

    def in_the_clear(self):
        """What was heard at our port for TLS that has the zone's name in it."""
        assert self.ear.packets
        return "queries" if self.ear.heard else "nothing"


@pytest.mark.parametrize("trust", TRUST)
@pytest.mark.parametrize("peer", PEERS)
def test_secondary(lab, peer, trust):
    d = Down(lab, peer, trust)
    d.start()
    d.wait(1)
    serial = d.s.primary.update(ZONE, ["new 300 A 192.0.2.99"])
    d.s.notify()
    d.wait(serial)
    e = d.s.relay.wait_event("served", 2, downstream="real")
    assert {x["transport"] for x in e} == {"tls"}
    if peer == "BIND":
        d.server.run(*d.server.control(), "refresh", ZONE)      # its SOA query
        time.sleep(1.0 * SLOW)
    note(peer, "secondary", trust, ", ".join(sorted({x["kind"] for x in e})), d.in_the_clear())


REFUSED = {
    "wrong name": ("mutual TLS", {"name_of_relay": lambda lab: "other.example.net"}, None),
    "unknown CA": ("mutual TLS", {"them": lambda lab: Authority(lab, "ca2").ca}, None),
    "pin mismatch": ("pins only", {"entry": lambda d: {"client-pin": d.own.pin}}, "not its client certificate"),
    "no client certificate": ("mutual TLS", {"us": lambda lab: None}, "no client certificate"),
}


@pytest.mark.parametrize("fault", REFUSED)
@pytest.mark.parametrize("peer", PEERS)
def test_secondary_refused(lab, peer, fault):
    """Nothing is served, whichever side refuses; in the clear there is no transfer either."""
    trust, wrong, reason = REFUSED[fault]
    d = Down(lab, peer, trust, **wrong)
    good = dict(d.good)
    d.start()
    d.try_again_until(lambda: d.ear.packets > 5 and (not reason or d.s.relay.events("query-refused", reason=reason)),
                      "an attempt that fails")
    time.sleep(1.0 * SLOW)
    assert reason or not d.s.relay.events("query-refused"), "it asks one whom it should not trust"
    assert d.server.serial(ZONE) is None and not d.s.relay.events("served")
    clear = d.in_the_clear()
    d.server.stop()
    d.server.name_of_relay, d.server.them, d.server.us = RELAY, os.path.join(lab.path, "ca", "ca.pem"), d.cert
    d.s.relay.downstreams["real"] = good
    d.s.relay.write()
    d.s.relay.ctl("reload")
    d.server.configure()
    d.start()
    d.wait(1)
    note(peer, "secondary", fault, "refused, then healed", clear)


# ---- another zonerelayd ----


class Tier:
    """A relay and the one behind it: all that goes between the two is over TLS, NOTIFY as well."""

    def __init__(self, lab, trust):
        ca = Authority(lab)
        one, two = ca.issue(RELAY), ca.issue(PEER)
        at = [("127.0.0.1", free_port()), ("127.0.0.21", free_port())]
        pins, key = trust == "pins only", {"key": UP.name} if trust == "TSIG inside TLS" else {}
        keys = {UP.name: UP.conf} if key else None
        show_one = one.pair if trust != "server certificate" else {}
        show_two = two.pair if trust in ("mutual TLS", "pins only") else {}
        known = {"client-pin": two.pin} if pins else {"client-name": PEER} if show_two else {}
        down = dict({"address": f"{at[1][0]}@{at[1][1]}", "transfer-from": [at[1][0]],
                     "tls": dict({"pin": two.pin} if pins else {"name": PEER, "ca": ca.ca}, **show_one)}, **known, **key)
        self.s = Scene(lab, keys=keys, more_downstreams={"tier": down},
                       server={"tls": dict({"listen": [f"{at[0][0]}@{at[0][1]}"], "client-ca": ca.ca}, **one.pair)})
        up = dict({"address": f"{at[0][0]}@{at[0][1]}", "source": at[1][0],
                   "tls": dict({"pin": one.pin} if pins else {"name": RELAY, "ca": ca.ca}, **show_two)}, **key)
        if not show_one:
            up["forced"] = "address"
        self.second = Relay(lab, "second", host=at[1][0], primaries={"up": up}, zones={ZONE: {"xot": "require"}}, keys=keys,
                            server={"tls": dict({"listen": [f"{at[1][0]}@{at[1][1]}"], "client-ca": ca.ca}, **two.pair)})
        self.ears = [lab.add(Ear(*a, dns.name.from_text(ZONE).to_wire()[:-1])) for a in at]
        self.second.start()

    def wait(self, serial):
        wait_for(lambda: self.second.json("zone", ZONE)["zone"]["serial"] == serial, 20, f"serial {serial} at the second")


@pytest.mark.parametrize("trust", TRUST)
def test_tiers(lab, trust):
    t = Tier(lab, trust)
    t.wait(1)
    t.s.update(add=["new 300 A 192.0.2.99"])
    t.wait(2)
    assert t.s.notify(qtype="AXFR").rcode == "NOERROR"
    e = t.second.wait_event("notify-received", qtype="AXFR", transport="tls")
    assert all(x["transport"] == "tls" for x in t.second.events("transfer-done"))
    assert e and not any(ear.heard for ear in t.ears) and all(ear.packets for ear in t.ears)
    kinds = [x["kind"] for x in t.second.wait_event("transfer-done", 3)]
    assert kinds == ["AXFR", "IXFR", "AXFR"], kinds
    note("zonerelayd", "primary and secondary", trust, "NOTIFY, NOTIFY(AXFR), AXFR, IXFR", "nothing")


# ---- kdig ----


def kdig(d, *args):
    p = subprocess.run([which("kdig"), f"@{d.tls[0]}", "-p", str(d.tls[1]), "-b", d.server.host, "+tls", "+retry=0",
                        "+timeout=5", *args], capture_output=True, text=True, check=False, timeout=60 * SLOW)
    return p.stdout + p.stderr


@pytest.mark.parametrize("trust", ["server certificate", "mutual TLS"])
def test_kdig(lab, trust):
    """Knot DNS 3.2 has no transfers over TLS; its kdig has."""
    d = Down(lab, "BIND", trust)
    how = [f"+tls-ca={d.server.them}", f"+tls-hostname={RELAY}"]
    if trust == "mutual TLS":
        how += [f"+tls-certfile={d.cert.cert}", f"+tls-keyfile={d.cert.key}"]
    seen = []
    for kind in ("SOA", "AXFR", "IXFR=0"):
        out = kdig(d, *how, ZONE, kind)
        if re.search(r"\sSOA\s.*\s1 3600 600", out):
            seen.append(kind.split("=", maxsplit=1)[0])
    note("kdig", "secondary", trust, ", ".join(seen) or "refused", d.in_the_clear())
    assert seen == ["SOA", "AXFR", "IXFR"], out
    bad = [how[0], "+tls-hostname=other.example.net"] + how[2:]
    assert "ns1.example.test" not in kdig(d, *bad, ZONE, "AXFR")


# ---- the document ----


def test_document(capsys):
    """What the tests before saw is what stands there."""
    if not ROWS:
        pytest.skip("nothing was run")
    rows = list(ROWS.values())
    with capsys.disabled():
        print("\n" + trustdoc.table(HEAD, rows))
    trustdoc.check("xot", HEAD, rows, lambda: f"BIND {trustdoc.version('named', '-v')}, "
                   f"NSD {trustdoc.version('nsd', '-v')}, kdig {trustdoc.version('kdig', '-V')}")
