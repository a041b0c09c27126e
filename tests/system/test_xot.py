# SPDX-License-Identifier: BSD-2-Clause
"""XoT (RFC 9103) with fake peers: what must be refused, and that nothing goes in the clear afterwards (Q-14)."""

import os
import ssl
import time

import dns.edns
import dns.message
import dns.name
import dns.rcode
import pytest

import fakedownstream
from certs import Authority
from fakewire import ede_of, exchange, notify_query, option
from lab import SLOW, free_port, wait_for
from relay import Relay
from scene import DOWNSTREAM, PRIMARY, ZONE, Scene, large_zone, zone_text
from tlswire import Client, Ear, TlsDownstream, TlsPrimary, client_context, server_context

NAME = "ns1.example.net"        # of the primary
EDGE = "edge.example.net"       # of a downstream, at EDGE_AT
EDGE_AT = "127.0.0.14"
RELAY = "relay.example.net"


class XotScene(Scene):
    """A Scene with everything under TLS: fake primary, and a server at `tls` which knows EDGE."""

    def __init__(self, lab, zones=None, primary=None, context=None, trust=None, server=None, tls_down=False,
                 more_downstreams=None, **how):
        self.ca = Authority(lab)
        self.cert = self.ca.issue(NAME)
        self.edge = self.ca.issue(EDGE)
        self.own = self.ca.issue(RELAY)
        self.tls = ("127.0.0.1", free_port())
        ctx = context(self) if context else server_context(self.cert)
        tls = trust(self) if trust else {"name": NAME, "ca": self.ca.ca}
        downstreams = {"edge": {"notify": False, "transfer-from": [EDGE_AT], "client-name": EDGE}}
        downstreams.update(more_downstreams(self) if more_downstreams else {})
        down = None
        if tls_down:
            down_cert = self.ca.issue("down.example.net")
            down = lambda host, port: TlsDownstream(host, port, context=server_context(down_cert))  # noqa: E731
            how["downstream"] = {"tls": {"name": "down.example.net", "ca": self.ca.ca}}
        super().__init__(lab, zones, primary=dict({"tls": tls}, **(primary or {})), down=down,
                         up=lambda host, port: TlsPrimary(host, port, context=ctx),
                         server=dict({"tls": dict({"listen": [f"127.0.0.1@{self.tls[1]}"], "client-ca": self.ca.ca},
                                                  **self.own.pair)}, **(server or {})),
                         more_downstreams=downstreams, **how)

    def client(self, cert=None, source=EDGE_AT, **how):
        return Client(self.tls, client_context(self.ca.ca, cert, **how), source)


def query(kind, serial=None, padding=False):
    q = fakedownstream.query(ZONE, kind, serial)
    if padding:
        q.use_edns(0, 0, 1232, options=list(q.options) + [dns.edns.GenericOption(12, b"")])
    return q


def rcode(m):
    return dns.rcode.to_text(m.rcode())


def plain(q, at, source, tcp=True, timeout=5.0):
    """The answer to a query without TLS, or None."""
    wire = exchange(q.to_wire(), at, tcp, timeout * SLOW, source)
    return wire and dns.message.from_wire(wire)


# ---- out: to a primary ----


def test_in_over_one_connection(lab):
    """SOA, AXFR and IXFR over one connection, queries padded, and after a failed IXFR the AXFR as well (XO-32)."""
    s = XotScene(lab, primary={"max-transfers": 1})
    s.update(add=["a 300 A 192.0.2.1"])
    s.primary.once("IXFR", rcode="SERVFAIL")
    s.update(add=["b 300 A 192.0.2.1"])
    s.relay.wait_event("ixfr-failed")
    assert [q.kind for q in s.primary.queries if q.kind == "AXFR"] == ["AXFR"] * 2
    last = s.primary.queries[-2:]
    assert [q.kind for q in last] == ["IXFR", "AXFR"] and last[0].connection == last[1].connection
    assert not s.primary.clear
    assert s.primary.lengths and all(n % 128 == 0 for n in s.primary.lengths)
    assert {e["transport"] for e in s.relay.events("transfer-done")} == {"tls"}
    assert s.axfr().keys() == s.content()


def test_many_zones_one_connection(lab):
    zones = {f"z{i}.test": zone_text(zone=f"z{i}.test") for i in range(100)}
    s = XotScene(lab, zones, primary={"max-transfers": 1}, server={"workers": 2})
    used = {q.connection for q in s.primary.queries}
    # Who was never loaded is asked for at once, without an SOA query before it.
    assert [q.kind for q in s.primary.queries].count("AXFR") == 100 and len(used) <= 3, used
    assert not s.primary.clear


def test_session_is_resumed(lab):
    s = XotScene(lab)
    s.primary.drop_connections()
    s.update(add=["a 300 A 192.0.2.1"])
    assert ("ok", True) in s.primary.handshakes
    s.relay.wait_event("transfer-done", session="resumed")


# How the primary or our trust is wrong, and what the log says about it.
WRONG = {
    "no ALPN": (lambda s: server_context(s.cert, alpn=None), None, "ALPN"),
    "other ALPN": (lambda s: server_context(s.cert, alpn=["h2"]), None, ""),
    "TLS 1.2": (lambda s: server_context(s.cert, version=ssl.TLSVersion.TLSv1_2), None, ""),
    "wrong name": (lambda s: server_context(s.ca.issue("other.example.net")), None, NAME),
    "expired": (lambda s: server_context(s.ca.issue(NAME, days=-1)), None, "expired"),
    "other CA": (lambda s: server_context(Authority(s.lab, "ca2").issue(NAME)), None, ""),
    "pin mismatch": (None, lambda s: {"pin": s.edge.pin}, "pin"),
    "pin besides CA": (None, lambda s: {"name": NAME, "ca": s.ca.ca, "pin": s.edge.pin}, "pin"),
    "no client certificate": (lambda s: server_context(s.cert, ca=s.ca.ca), None, ""),
    "client certificate of another CA": (
        lambda s: server_context(s.cert, ca=s.ca.ca),
        lambda s: dict({"name": NAME, "ca": s.ca.ca}, **Authority(s.lab, "ca3").issue("we.example.net").pair), ""),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_primary(lab, what):
    """Q-14: the old version stays, the log names zone, primary and reason, and nothing goes in the clear."""
    context, trust, word = WRONG[what]
    s = XotScene(lab)
    good = server_context(s.cert)
    s.primary.context = context(s) if context else good
    s.primary.drop_connections()
    failed = 0
    if trust:
        s.relay.primaries["up"]["tls"] = trust(s)
        s.relay.write()
        s.relay.ctl("reload")
        failed = len(s.relay.wait_event("soa-failed", zone=ZONE))  # whom it trusts is new: it asks at once
    ear = lab.add(Ear(PRIMARY, s.primary.port, dns.name.from_text(ZONE).to_wire()[:-1]))
    before = len(s.primary.queries)
    s.primary.update(ZONE, ["a 300 A 192.0.2.1"])
    assert s.notify().rcode == "NOERROR"
    e = s.relay.wait_event("soa-failed", failed + 1, zone=ZONE, primary="up")[-1]
    assert word in e["reason"], e["reason"]
    s.relay.ctl("retransfer", ZONE)
    s.relay.wait_event("transfer-failed", zone=ZONE, primary="up", transport="tls", code="tls")
    s.relay.ctl("refresh", ZONE)
    s.relay.wait_event("soa-failed", failed + 2, zone=ZONE)
    assert s.relay.serial(ZONE) == 1 and s.axfr().serial == 1
    text = s.relay.ctl("zone", ZONE, check=False).stdout
    assert "up" in text and "tls" in text.lower(), text
    assert len(s.primary.queries) == before and not s.primary.clear
    assert ear.packets and not ear.heard
    # And it heals.
    s.primary.context = good
    s.relay.primaries["up"]["tls"] = {"name": NAME, "ca": s.ca.ca}
    s.relay.write()
    s.relay.ctl("reload")
    s.relay.ctl("refresh", ZONE)
    s.relay.wait_serial(ZONE, s.primary.zone(ZONE).serial)
    assert not s.primary.clear and not ear.heard


def test_client_certificate_is_shown(lab):
    s = XotScene(lab, context=lambda s: server_context(s.cert, ca=s.ca.ca),
                 trust=lambda s: dict({"pin": [s.edge.pin, s.cert.pin]}, **s.edge.pair))
    assert [EDGE] in s.primary.shown
    assert s.axfr().serial == 1


# ---- in: from downstreams ----


def test_served(lab):
    s = XotScene(lab, {ZONE: large_zone(records=300)})
    with s.client(s.edge) as c:
        assert c.sock.version() == "TLSv1.3" and c.sock.selected_alpn_protocol() == "dot"
        m = c.ask(query("SOA", padding=True))
        assert rcode(m) == "NOERROR" and m.octets % 468 == 0 and option(m, 12) is not None
        assert option(c.ask(query("SOA")), 12) is None
        messages = c.transfer(query("AXFR", padding=True))
        assert sum(len(m.answer) for m in messages) > 300
        assert all(m.octets % 468 == 0 for m in messages)
        serial = s.update(add=["a 300 A 192.0.2.1"])
        assert len(c.transfer(query("IXFR", serial - 1))[0].answer) > 1
        m = c.ask(fakedownstream.query(ZONE, "A"))
        assert (rcode(m), ede_of(m)) == ("REFUSED", 21)
        m = c.ask(fakedownstream.query("elsewhere.test", "A"))
        assert (rcode(m), ede_of(m)) == ("REFUSED", 21)
    e = s.relay.wait_event("served", 2, downstream="edge")[0]
    assert e["transport"] == "tls" and EDGE in e["certificate"]


def test_clients_session_is_resumed(lab):
    s = XotScene(lab)
    ctx = client_context(s.ca.ca, s.edge)
    with Client(s.tls, ctx, EDGE_AT) as c:
        assert rcode(c.ask(query("SOA"))) == "NOERROR"
        session = c.sock.session
    with Client(s.tls, ctx, EDGE_AT, session=session) as c:
        assert c.sock.session_reused
        assert rcode(c.transfer(query("AXFR"))[0]) == "NOERROR"     # the certificate still counts


def test_downstream_must_prove_itself(lab):
    """XO-25, XO-27: neither address nor a certificate of somebody else is enough; without TLS nothing is."""
    s = XotScene(lab, more_downstreams=lambda s: {
        "pin": {"notify": False, "transfer-from": ["127.0.0.15"], "client-pin": s.edge.pin},
        "moving": {"notify": False, "transfer-from": ["127.0.0.16"], "client-name": EDGE, "xot": "no"}})
    other, foreign = s.ca.issue("other.example.net"), Authority(lab, "ca2").issue(EDGE)
    for kind in ("SOA", "AXFR", "IXFR"):
        q = query(kind, 0 if kind == "IXFR" else None)
        for cert, why in ((None, "no client certificate"), (other, "not its client certificate"),
                          (s.cert, "not its client certificate")):
            with s.client(cert) as c:
                m = c.ask(q)
                assert (rcode(m), ede_of(m), m.answer) == ("REFUSED", 18, []), (kind, why)
        with s.client(s.edge, source="127.0.0.17") as c:      # the right one from elsewhere
            assert rcode(c.ask(q)) == "REFUSED"
        with s.client(s.edge, source="127.0.0.15") as c:      # pinned
            assert rcode(c.ask(q)) == "NOERROR"
        with s.client(other, source="127.0.0.15") as c:
            assert rcode(c.ask(q)) == "REFUSED"
        with s.client(None, source="127.0.0.16") as c:
            assert rcode(c.ask(q)) == "REFUSED"
        m = plain(q, s.at, EDGE_AT)
        assert (rcode(m), ede_of(m)) == ("REFUSED", 18)
        assert rcode(plain(q, s.at, "127.0.0.16")) == "NOERROR"
    for why in ("no client certificate", "not its client certificate", "xot is required"):
        s.relay.wait_event("query-refused", reason=why)
    # One of another CA does not come through the handshake, or counts as none.
    try:
        with s.client(foreign) as c:
            assert rcode(c.ask(query("AXFR"))) == "REFUSED"
    except (ssl.SSLError, OSError, EOFError):
        pass


def test_client_pins(lab):
    """RFC 7858 section 4.2: with a name, the pin of its CA will do, also when it resumes; without, of its own key."""
    s = XotScene(lab, more_downstreams=lambda s: {
        "both": {"notify": False, "transfer-from": ["127.0.0.15"], "client-name": EDGE, "client-pin": s.ca.pin},
        "wrong": {"notify": False, "transfer-from": ["127.0.0.16"], "client-name": EDGE, "client-pin": s.cert.pin},
        "pin": {"notify": False, "transfer-from": ["127.0.0.17"], "client-pin": s.ca.pin}})
    other = s.ca.issue("other.example.net")
    for source, cert, want in (("127.0.0.15", s.edge, "NOERROR"), ("127.0.0.15", other, "REFUSED"),
                               ("127.0.0.16", s.edge, "REFUSED"), ("127.0.0.17", s.edge, "REFUSED")):
        ctx, session = client_context(s.ca.ca, cert), None
        for _ in range(2):
            with Client(s.tls, ctx, source, session=session) as c:
                assert rcode(c.ask(query("SOA"))) == want, (source, cert.name)
                assert c.sock.session_reused == (session is not None)
                session = c.sock.session


@pytest.mark.parametrize("how", [{"alpn": ("h2",)}, {"version": ssl.TLSVersion.TLSv1_2}])
def test_handshake_refused(lab, how):
    """XO-20, XO-21: no other protocol, no older version; what is no TLS gets nothing."""
    s = XotScene(lab)
    with pytest.raises((ssl.SSLError, OSError, EOFError)):
        with s.client(s.edge, **how) as c:
            c.ask(query("SOA"))
    assert plain(query("SOA"), s.tls, EDGE_AT, timeout=2) is None
    with s.client(s.edge) as c:
        assert rcode(c.ask(query("SOA"))) == "NOERROR"


def test_zone_requires_xot(lab):
    """xot: require of a zone, by certificate and by key; soa-over-tls: no lets the SOA pass."""
    s = XotScene(lab, start=False, zones={ZONE: zone_text(), "b.test": zone_text(zone="b.test")})
    s.relay.zones[ZONE] = {"xot": "require", "downstreams": ["edge"]}
    s.relay.zones["b.test"] = {"xot": "require", "soa-over-tls": False, "downstreams": ["edge"]}
    s.relay.write()
    s.relay.start()
    s.relay.wait_event("committed", 2)
    for zone, soa in ((ZONE, "REFUSED"), ("b.test", "NOERROR")):
        for tcp in (False, True):
            m = plain(fakedownstream.query(zone, "SOA"), s.at, EDGE_AT, tcp)
            assert rcode(m) == soa, (zone, tcp)
        assert rcode(plain(fakedownstream.query(zone, "AXFR"), s.at, EDGE_AT)) == "REFUSED"
        with s.client(s.edge) as c:
            assert rcode(c.ask(fakedownstream.query(zone, "SOA"))) == "NOERROR"
            assert rcode(c.transfer(fakedownstream.query(zone, "AXFR"))[0]) == "NOERROR"


# ---- NOTIFY ----


def test_notify_in(lab):
    """NT-04, A-14: a primary with tls must prove a NOTIFY(AXFR); its certificate does."""
    s = XotScene(lab, template={"forced-interval": "1s", "forced-burst": 100})
    q = notify_query(ZONE, "AXFR")
    q.use_edns(0, 0, 1232)
    other = s.ca.issue("other.example.net")
    for cert, want in ((None, "REFUSED"), (other, "REFUSED"), (s.cert, "NOERROR")):
        with s.client(cert, source=PRIMARY) as c:
            assert rcode(c.ask(q)) == want
            assert rcode(c.ask(notify_query(ZONE))) == "NOERROR"
    with s.client(s.cert, source=EDGE_AT) as c:
        assert rcode(c.ask(q)) == "REFUSED"
    assert s.notify(qtype="AXFR").rcode == "REFUSED"
    e = s.relay.wait_event("notify-received", qtype="AXFR")[0]
    assert e["transport"] == "tls" and NAME in e["certificate"]
    s.relay.wait_event("forced-committed")


OWN_CA = {
    # client-ca of the server; name and file of the CA that is the primary's own, and its pins
    "another CA for clients": (lambda s: s.ca.ca, lambda s: {"ca": s.second.ca}),
    "no CA for clients": (lambda s: None, lambda s: {"ca": s.second.ca}),
    "pin of its CA": (lambda s: s.ca.ca, lambda s: {"ca": s.second.ca, "pin": [s.second.pin]}),
    "pin of its key": (lambda s: s.ca.ca, lambda s: {"pin": [s.right.pin]}),
}


@pytest.mark.parametrize("what", sorted(OWN_CA))
def test_notify_own_ca(lab, what):
    """NT-04: what the primary proves is what its own tls says, not the CA of the clients."""
    client_ca, trust = OWN_CA[what]
    s = XotScene(lab, start=False, template={"forced-interval": "1s", "forced-burst": 100})
    s.second = Authority(lab, "second")
    s.right = s.second.issue(NAME)
    third = Authority(lab, "third").issue(NAME)
    tls = s.relay.server["tls"]
    if client_ca(s) is None:
        tls.pop("client-ca")
        s.relay.downstreams.pop("edge")
    s.relay.primaries["up"]["tls"] = dict({"name": NAME}, **trust(s))
    s.primary.context = server_context(s.right)
    s.relay.write()
    s.relay.start()
    s.relay.wait_serial(ZONE, 1)
    q = notify_query(ZONE, "AXFR")
    q.use_edns(0, 0, 1232)
    for cert, want in ((s.cert, "REFUSED"), (third, "REFUSED"), (s.second.issue("other.example.net"), "REFUSED"),
                       (s.right, "NOERROR")):
        with s.client(cert, source=PRIMARY) as c:
            for _ in range(2):      # the second time it is remembered
                assert rcode(c.ask(q)) == want, cert.name


def test_notify_out(lab):
    """NT-02, NT-03: to a downstream with tls under TLS, and never otherwise."""
    s = XotScene(lab, tls_down=True)
    s.update(add=["a 300 A 192.0.2.1"])
    s.relay.wait_event("notify-acked", downstream="down")
    assert not s.down.clear
    s.down.context = server_context(s.ca.issue("other.example.net"))
    s.down.drop_connections()
    s.update(add=["b 300 A 192.0.2.1"])
    wait_for(lambda: any(isinstance(h, str) for h in s.down.handshakes), what="a refused handshake")
    e = s.relay.wait_event("notify-unanswered", downstream="down", timeout=90)[0]
    assert "down.example.net" in e["reason"], e
    assert not s.down.clear and s.relay.host != DOWNSTREAM


def test_handshakes_of_strangers(lab):
    """R-02: a handshake costs us more than it costs its client, so who may do nothing gets few of them."""
    s = XotScene(lab, server={"notify-in-rate": 40})    # strangers have a tenth

    def shake(source, count):
        done, begun = 0, time.monotonic()
        for _ in range(count):
            try:
                with s.client(s.edge, source=source):
                    done += 1
            except OSError:
                pass
        return done, time.monotonic() - begun

    done, took = shake("127.0.0.77", 60)
    assert 1 <= done <= 6 + 5 * took, (done, took)
    assert shake(EDGE_AT, 60)[0] == 60
    with s.client(s.edge) as c:
        assert rcode(c.ask(query("SOA"))) == "NOERROR"


# ---- certificates ----


def test_files_are_checked(lab):
    """A fault at the start refuses it with its place; at a reload the old one stays."""
    s = XotScene(lab)
    conf = s.relay.server["tls"]
    for broken, word in (({"cert": "/nonexistent.pem"}, "nonexistent"), ({"key": s.edge.key}, ""),
                         ({"client-ca": s.own.key}, "")):
        s.relay.server["tls"] = dict(conf, **broken)
        s.relay.write()
        p = s.relay.ctl("reload", check=False)
        assert p.returncode != 0 and "tls of the server" in p.stdout + p.stderr and word in p.stdout + p.stderr
        with s.client(s.edge) as c:
            assert rcode(c.ask(query("SOA"))) == "NOERROR"
    s.relay.stop()
    s.relay.process.start()
    assert s.relay.process.proc.wait(20) == 2
    assert s.relay.conf + ":" in s.relay.process.output().splitlines()[-2]
    s.relay.may_end = True


def test_reload_during_a_transfer(lab):
    """XO-39: new connections have the new certificate, a running transfer goes on with the old one."""
    s = XotScene(lab, {ZONE: large_zone(records=20000)}, server={"tcp-stall": "60s"})
    pin = s.own.pin
    with s.client(s.edge) as c:
        c.send(query("AXFR"))
        first = c.receive()
        fresh = s.ca.issue(RELAY)       # the same files
        assert fresh.cert == s.own.cert and fresh.pin != pin
        s.relay.ctl("reload")
        with s.client(s.edge) as other:
            der = other.sock.getpeercert(True)
            assert rcode(other.ask(query("SOA"))) == "NOERROR"
        assert der != c.sock.getpeercert(True)
        soas, records = sum(r.rdtype == 6 for r in first.answer), len(first.answer)
        while soas < 2:
            m = c.receive()
            soas += sum(r.rdtype == 6 for r in m.answer)
            records += len(m.answer)
        assert records > 20000
    # What is the same goes on.
    s.primary.drop_connections()
    before = len(s.primary.handshakes)
    s.relay.ctl("reload")
    s.update(add=["a 300 A 192.0.2.1"])
    assert ("ok", True) in s.primary.handshakes[before:]


def test_expiry(lab):
    """Certificates of ours that end within 30 days are in the log and in the status."""
    s = XotScene(lab, start=False)
    s.ca.issue(RELAY, days=20)
    s.relay.start()
    e = s.relay.wait_event("certificate-expires")[0]
    assert e["of"] == "server" and e["days"] in ("19", "20") and RELAY in e["certificate"]
    text = s.relay.ctl("status").stdout
    assert "CERTIFICATE OF" in text and RELAY in text, text
    s.ca.issue(RELAY, days=-1)
    s.relay.ctl("reload")
    assert s.relay.wait_event("certificate-expired")
    assert "expired" in s.relay.ctl("status").stdout


def test_expiry_of_a_peer_over_a_reload(lab):
    """What a peer has shown is known after a reload as before it, and its end is not said again the same day."""
    s = XotScene(lab, context=lambda s: server_context(s.ca.issue(NAME, days=20)))

    def told():
        return [e for e in s.relay.events("certificate-expires") if e["of"] == "primary"]

    def shown():
        return sorted(line for line in s.relay.ctl("status").stdout.splitlines()
                      if line.split()[:1] in (["primary"], ["downstream"]))

    with s.client(s.edge) as c:
        c.transfer(query("AXFR"))
    wait_for(lambda: len(told()) == 1 and len(shown()) > 1, what="certificates of both")
    before = shown()
    s.relay.ctl("reload")
    assert shown() == before
    s.primary.drop_connections()
    s.update(add=["a 300 A 192.0.2.1"])
    assert len(told()) == 1


def test_status_shows_transport(lab):
    s = XotScene(lab)
    with s.client(s.edge) as c:
        c.transfer(query("AXFR"))
    status = s.relay.ctl("status").stdout
    assert "TLS" in status and NAME in status, status
    zone = s.relay.json("zone", ZONE)
    assert zone["primaries"][0]["transport"] == "tls"
    downs = s.relay.ctl("downstreams").stdout
    assert EDGE in downs, downs
    assert os.path.exists(s.relay.db)


def test_chain(lab):
    """Two relays: the second knows nothing but TLS."""
    s = XotScene(lab)
    s.relay.downstreams["second"] = {"address": f"127.0.0.18@{free_port()}", "client-name": "second.example.net",
                                     "tls": {"name": "second.example.net", "ca": s.ca.ca},
                                     "source": ["127.0.0.1"], "transfer-from": ["127.0.0.18"]}
    cert = s.ca.issue("second.example.net")
    second = Relay(lab, "second", host="127.0.0.18", zones={ZONE: {"xot": "require", "downstreams": []}},
                   primaries={"first": {"address": f"127.0.0.1@{s.tls[1]}", "source": ["127.0.0.18"],
                                        "tls": dict({"name": RELAY, "ca": s.ca.ca}, **cert.pair)}},
                   downstreams={"watch": {"notify": False, "transfer-from": ["127.0.0.1"]}},
                   server={"tls": dict({"listen": [s.relay.downstreams["second"]["address"]], "client-ca": s.ca.ca},
                                       **cert.pair)})
    s.relay.downstreams["second"]["tls"].update(s.own.pair)
    s.relay.write()
    s.relay.ctl("reload")
    second.start()
    second.wait_event("committed")
    serial = s.update(add=["a 300 A 192.0.2.1"])
    second.wait_event("committed", serial=serial)
    e = second.wait_event("notify-received")[0]
    assert e["transport"] == "tls" and RELAY in e["certificate"]
