# SPDX-License-Identifier: BSD-2-Clause
"""DNS cookies (RFC 7873, RFC 9018), both ways: with dnspython, BIND and Knot."""

import os

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import pytest

from fakedownstream import FakeDownstream
from fakeprimary import FakePrimary
from lab import SLOW, free_port, wait_for
from relay import Relay
from scene import DOWNSTREAM, PRIMARY, STRANGER, ZONE, Scene, zone_text
from servers import Knot, Named

COOKIE = 10
SECRET, OLD = "00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100"
CLIENT = b"client8."


def ask(at, cookie, source="127.0.0.1", rdtype="SOA", tcp=False, zone=ZONE, opcode=None, timeout=2, questions=True):
    """(message, data of its COOKIE option or None); cookie: data, a list of several, or None for no EDNS."""
    q = dns.message.make_query(zone, rdtype)
    q.flags = 0
    if opcode is not None:
        q.set_opcode(opcode)
        q.flags |= dns.flags.AA
    if not questions:
        q.question = []
    if cookie is not None:
        options = cookie if isinstance(cookie, list) else [cookie]
        q.use_edns(0, options=[dns.edns.GenericOption(COOKIE, c) for c in options])
    send = dns.query.tcp if tcp else dns.query.udp
    r = send(q, at[0], port=at[1], source=source, timeout=timeout * SLOW)
    found = [o for o in r.options if o.otype == COOKIE]
    assert len(found) <= 1
    return r, found[0].to_wire() if found else None


def made(cookie):
    """When, in seconds (RFC 9018 section 4.3)."""
    return int.from_bytes(cookie[12:16], "big")


def test_server(lab):
    """C-05, C-06, C-07, C-09: whatever is asked, by whomever, the answer has a cookie that is then kept."""
    s = Scene(lab)
    s.settle()
    for tcp in (False, True):
        for source, rdtype, opcode, rcode in (("127.0.0.1", "SOA", None, "NOERROR"), (STRANGER, "SOA", None, "REFUSED"),
                                              (PRIMARY, "SOA", dns.opcode.NOTIFY, "NOERROR"),
                                              (STRANGER, "SOA", dns.opcode.NOTIFY, "REFUSED"),
                                              ("127.0.0.1", "A", None, "REFUSED")):
            r, first = ask(s.at, CLIENT, source, rdtype, tcp, opcode=opcode)
            assert r.rcode() == dns.rcode.from_text(rcode), r
            assert first[:8] == CLIENT and len(first) == 24 and first[8:12] == b"\1\0\0\0", first
            assert ask(s.at, first, source, rdtype, tcp, opcode=opcode)[1] == first
            # What is wrong counts as none, and is replaced.
            assert ask(s.at, first[:-1] + b"!", source, tcp=tcp)[1] not in (first[:-1] + b"!", None)
            fresh = ask(s.at, CLIENT + b"x" * 32, source, tcp=tcp)[1]
            assert fresh[:12] == first[:12] and made(first) <= made(fresh) <= made(first) + 2 * SLOW
            # Only the first one counts; another's is not ours.
            assert ask(s.at, [first, b"odd"], source, tcp=tcp)[1] == first
        for n in (0, 7, 9, 15, 41):
            r, c = ask(s.at, b"c" * n, tcp=tcp)
            assert (r.rcode(), c) == (dns.rcode.FORMERR, None), r
            assert ask(s.at, b"c" * n, PRIMARY, opcode=dns.opcode.NOTIFY, tcp=tcp)[0].rcode() == dns.rcode.FORMERR
        # C-09: nothing but the cookie
        r, c = ask(s.at, CLIENT, tcp=tcp, questions=False)
        assert r.rcode() == dns.rcode.NOERROR and not r.question and len(c) == 24
        assert ask(s.at, c, tcp=tcp, questions=False)[0].rcode() == dns.rcode.NOERROR
        r, c = ask(s.at, CLIENT + b"y" * 16, tcp=tcp, questions=False)
        assert r.rcode() == dns.rcode.BADCOOKIE and len(c) == 24
        assert ask(s.at, None, tcp=tcp, questions=False)[0].rcode() == dns.rcode.FORMERR
    # A cookie is bound to its address.
    mine = ask(s.at, CLIENT)[1]
    assert ask(s.at, mine, STRANGER)[1] != mine
    # It goes into every message of a transfer.
    q = dns.message.make_query(ZONE, "AXFR", use_edns=0, options=[dns.edns.GenericOption(COOKIE, mine)])
    r = dns.query.tcp(q, s.at[0], port=s.at[1], source="127.0.0.1", timeout=5 * SLOW, one_rr_per_rrset=True)
    assert [o.to_wire() for o in r.options if o.otype == COOKIE] == [mine]


def test_off(lab):
    s = Scene(lab, server={"cookies": False})
    s.settle()
    assert ask(s.at, CLIENT)[1] is None
    assert ask(s.at, CLIENT + b"y" * 16, questions=False)[0].rcode() == dns.rcode.FORMERR
    assert s.notify().rcode == "NOERROR"


def test_under_load(lab):
    """C-10: above query-rate who may be forged gets next to nothing; with a cookie, or over TCP, all is well."""
    s = Scene(lab, server={"query-rate": 1})
    s.settle()
    mine = ask(s.at, CLIENT)[1]
    wait_for(lambda: ask(s.at, CLIENT)[0].rcode() == dns.rcode.BADCOOKIE, 10, "above the rate")
    for _ in range(20):
        r, c = ask(s.at, mine)
        assert r.rcode() == dns.rcode.NOERROR and len(r.answer) == 1 and c == mine
    seen = [ask(s.at, CLIENT) for _ in range(10)]
    bad = [(r, c) for r, c in seen if r.rcode() == dns.rcode.BADCOOKIE]
    # The second in it may be the next one, and its hash with it.
    assert len(bad) >= 8 and all(c[:12] == mine[:12] and len(c) == 24 and not r.answer for r, c in bad), seen
    seen = [ask(s.at, CLIENT + b"x" * 16)[0].rcode() for _ in range(10)]
    assert seen.count(dns.rcode.BADCOOKIE) >= 8, seen
    seen = [ask(s.at, None)[0] for _ in range(10)]
    assert sum(1 for r in seen if r.flags & dns.flags.TC and not r.answer) >= 8, seen
    assert ask(s.at, CLIENT, tcp=True)[0].rcode() == dns.rcode.NOERROR
    # NOTIFYs have a rate of their own, and are never sent away for want of a cookie.
    for _ in range(10):
        assert ask(s.at, CLIENT, PRIMARY, opcode=dns.opcode.NOTIFY)[0].rcode() == dns.rcode.NOERROR


def secret_file(lab, *lines):
    path = os.path.join(lab.folder("secrets"), "cookie")
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as f:
        f.write("# old ones below\n\n" + "\n".join(lines) + "\n")
    return path


class CookieNamed(Named):
    """Makes cookies of a known secret, and answers nobody over UDP who has none."""

    def known_options(self, conf):
        return super().known_options(conf).replace("options {", f"""options {{
  answer-cookie yes; require-server-cookie yes; cookie-algorithm siphash24; cookie-secret "{SECRET}"; querylog yes;""",
                                                   1)


class CookieKnot(Knot):
    """The same with mod-cookies."""

    def configure(self):
        super().configure()
        path = os.path.join(self.dir, "knot.conf")
        with open(path) as f:
            conf = f.read()
        conf = conf.replace("zone:\n", f"""mod-cookies:
  - id: c
    secret: 0x{SECRET}
    badcookie-slip: 1
template:
  - id: default
    global-module: mod-cookies/c
zone:
""", 1)
        with open(path, "w") as f:
            f.write(conf)


@pytest.mark.parametrize("kind", [CookieNamed, CookieKnot])
def test_one_address(lab, kind):
    """C-08: a server with our secret takes our cookies and we take its, also while the secret changes."""
    if not kind.installed():
        pytest.skip("not installed")
    primary = lab.add(kind(lab, "primary", zones=[]))
    primary.add_zone(ZONE, zone_text())
    primary.start()
    path = secret_file(lab, OLD, SECRET)
    s = Scene(lab, server={"query-rate": 1, "cookie-secret-file": path})
    s.settle()
    theirs = ask((primary.host, primary.port), CLIENT)[1]
    assert len(theirs) == 24
    wait_for(lambda: ask(s.at, CLIENT)[0].rcode() == dns.rcode.BADCOOKIE, 10, "above the rate")
    for _ in range(5):
        r, new = ask(s.at, theirs)
        assert r.rcode() == dns.rcode.NOERROR and new not in (None, theirs), "of the second secret: it is replaced"
    secret_file(lab, SECRET, OLD)
    s.relay.ctl("reload")
    r, ours = ask(s.at, new)
    assert r.rcode() == dns.rcode.NOERROR and ours not in (None, new)
    r, back = ask((primary.host, primary.port), ours)
    assert r.rcode() == dns.rcode.NOERROR and back[:12] == ours[:12], (ours, back)
    secret_file(lab, SECRET)
    s.relay.ctl("reload")
    assert dns.rcode.BADCOOKIE in [ask(s.at, new)[0].rcode() for _ in range(3)]
    assert ask(s.at, ours)[1] == ours
    # A file that is not good is no reason to stop.
    secret_file(lab, SECRET[:-1] + "x")
    assert s.relay.ctl("reload", check=False).returncode != 0
    assert ask(s.at, ours)[1] == ours


@pytest.mark.parametrize("kind", [CookieNamed, CookieKnot])
def test_demanding_primary(lab, kind):
    """C-01, C-04: a primary that wants a server cookie gets one at the second try, and TCP is not needed."""
    if not kind.installed():
        pytest.skip("not installed")
    port = free_port()
    primary = lab.add(kind(lab, "primary", notify=[("127.0.0.1", port)], zones=[]))
    primary.add_zone(ZONE, zone_text())
    primary.start()
    down = lab.add(FakeDownstream(DOWNSTREAM, free_port()).start())
    relay = Relay(lab, primaries={"up": {"address": [primary.address]}}, port=port, zones=[ZONE],
                  downstreams={"down": {"address": [down.address]},
                               "watch": {"transfer-from": ["127.0.0.1"], "notify": False}}).start()
    relay.wait_event("committed", zone=ZONE)
    for _ in range(3):
        n = len(relay.events("soa-checked"))
        relay.ctl("refresh", ZONE)
        relay.wait_event("soa-checked", n + 1)
    assert not relay.events("soa-failed") and not relay.events("soa-spoofed")
    if kind is CookieNamed:  # its log of queries has V for a cookie that is right, T for TCP
        flags = [w[-2] for w in (line.split() for line in primary.process.output().splitlines()
                                         if f"query: {ZONE} IN SOA" in line)]
        assert any("V" in f for f in flags) and not any("T" in f for f in flags), flags
    serial = primary.update(ZONE, [(f"new.{ZONE}.", 300, "A", "192.0.2.9")])
    relay.wait_serial(ZONE, serial)


class CookiePrimary(FakePrimary):
    """Deals with the cookies of SOA queries as `mode` says."""

    mode = "good"

    def __init__(self, *args, **how):
        super().__init__(*args, **how)
        self.seen = []      # (transport, cookie or None), of SOA queries
        self.server_cookie = b"s" * 16

    def handle(self, wire, reply, transport, source, conn):
        q = dns.message.from_wire(wire)
        if dns.rdatatype.to_text(q.question[0].rdtype) != "SOA":
            super().handle(wire, reply, transport, source, conn)
            return
        got = next((o.to_wire() for o in q.options if o.otype == COOKIE), None)
        self.seen.append((transport, got))

        def dress(answer):
            for cookie, rcode in self.dressed(got, transport):
                r = dns.message.from_wire(answer)
                options = [] if cookie is None else [dns.edns.GenericOption(COOKIE, cookie)]
                r.use_edns(0, options=options)
                if rcode:
                    r.set_rcode(rcode)
                    r.answer = []
                reply(r.to_wire())
        super().handle(wire, dress, transport, source, conn)

    def dressed(self, got, transport):
        if got is None:
            return [(None, 0)]
        good = (got[:8] + self.server_cookie, 0)
        if self.mode == "forged first":
            return [(b"forger!!" + b"f" * 16, dns.rcode.REFUSED), (got[:8] + b"short", dns.rcode.REFUSED), good]
        if self.mode == "never right" and transport == "udp":
            return [(good[0], dns.rcode.BADCOOKIE)]
        if self.mode == "none":
            return [(None, 0)]
        return [good]


def cookies_of(primary, relay, transport="udp"):
    """What the next SOA check sends."""
    n, seen = len(relay.events("soa-checked")), len(primary.seen)
    relay.ctl("refresh", ZONE)
    relay.wait_event("soa-checked", n + 1, timeout=30)
    return [c for t, c in primary.seen[seen:] if t == transport]


def test_client(lab):
    """C-01 to C-04 against a server that does everything wrong."""
    s = Scene(lab, up=CookiePrimary, server={"soa-timeout": "300ms"})
    s.settle()
    p = s.primary
    wait_for(lambda: p.seen, 10, "a SOA query")
    first = [c for t, c in p.seen if c][0][:8]
    assert cookies_of(p, s.relay) == [first + b"s" * 16], "what was learned comes back"
    p.server_cookie = b"t" * 20
    cookies_of(p, s.relay)
    assert cookies_of(p, s.relay) == [first + b"t" * 20]
    p.mode = "forged first"
    assert cookies_of(p, s.relay) == [first + b"t" * 20], "forged answers are passed over"
    assert not s.relay.events("soa-failed") and not s.relay.events("soa-spoofed")
    p.mode, p.server_cookie = "never right", b"u" * 16
    assert cookies_of(p, s.relay) == [first + b"t" * 20, first + b"u" * 16], "asked once more, then over TCP"
    assert p.seen[-1][0] == "tcp"
    p.mode = "none"
    assert cookies_of(p, s.relay) == [first + b"u" * 16], "it is not believed"
    assert p.seen[-1] == ("tcp", None), "but over TCP it is"
    assert cookies_of(p, s.relay) == [None], "and then left alone"
    # C-02: another server, or the same at another address, sees another cookie.
    assert len({c[:8] for t, c in p.seen if c}) == 1


def test_notify_out(lab):
    """NOTIFY carries cookies to those who know them, and none to those that do not know EDNS."""
    relay2_port = free_port()
    s = Scene(lab, start=False, more_downstreams={"next": {"address": [f"127.0.0.1@{relay2_port}"]}})
    nxt = Relay(lab, "next", primaries={"up": {"address": [s.relay.address]}}, port=relay2_port, zones=[ZONE],
                downstreams={"watch": {"transfer-from": ["127.0.0.1"], "notify": False}}).start()
    s.relay.start()
    nxt.wait_serial(ZONE, 1)
    s.settle()
    for serial in (2, 3):
        s.primary.update(ZONE, serial=serial)
        s.notify()
        nxt.wait_serial(ZONE, serial)
        s.relay.wait_event("notify-acked", downstream="next", serial=serial)
    # The fake one answers with OPT and without cookies: the first NOTIFY has one, the next ones have none.
    assert len(s.relay.events("notify-acked", downstream="down", serial=3)) == 1
    options = [[o.otype for o in n.message.options] for n in s.down.notifies]
    assert options[0] == [COOKIE] and all(o == [] for o in options[1:]), options
    assert not s.relay.events("notify-unanswered")
