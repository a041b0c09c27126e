# SPDX-License-Identifier: BSD-2-Clause
# needs: rndc pdns_server pdns_control
"""What real servers make of NOTIFY(AXFR), and what zonerelayd makes of their answers.

The table of contrib/interop.md is what this test sees; a line that is no longer so fails it.  With
ZONERELAY_INTEROP=write the file is written anew, with the rows of ixfrdist and YADIFA when they are installed.
"""

import os
import re
import subprocess
import time

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import pytest

from fakeprimary import FakePrimary
from fakewire import exchange, notify_query
from forcing import ForcedScene, peer_states
from lab import SLOW, ask, free_port, wait_for, which
from moreservers import MORE
from scene import ZONE, zone_text
from servers import ALL

DOC = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "contrib", "interop.md")
WRITE = os.environ.get("ZONERELAY_INTEROP") == "write"
SERVERS = {**ALL, **MORE}
NAMES = {"named": "BIND", "nsd": "NSD", "knotd": "Knot DNS", "pdns": "PowerDNS", "ixfrdist": "ixfrdist",
         "yadifad": "YADIFA"}
KINDS = {"named": "bind", "nsd": "nsd", "knotd": "knot", "pdns": "powerdns"}
TOLD = "127.0.0.1"      # where primaries of this test are


def installed():
    """Always those that contrib/deps installs; the further ones only for the file."""
    return [s for s in SERVERS if s in KINDS or (WRITE and SERVERS[s].installed())]


def version(name):
    argv = {"named": ["named", "-v"], "nsd": ["nsd", "-v"], "knotd": ["knotd", "-V"],
            "pdns": ["pdns_server", "--version"], "ixfrdist": ["ixfrdist", "--version"],
            "yadifad": ["yadifad", "-V"]}[name]
    p = subprocess.run([which(argv[0])] + argv[1:], capture_output=True, text=True, check=False, timeout=30)
    return re.search(r"(\d+\.\d+(\.\d+)?)", p.stdout + p.stderr).group(1)


def started(lab, name, primary, tag):
    s = SERVERS[name](lab, f"{name}-{tag}", primary=primary, zones=[ZONE], refresh=3600).start()
    if name == "yadifad":
        serve_at_last(s)
    wait_for(lambda: s.serial(ZONE) is not None or s.check_alive(), 20, f"{s} serves the zone")
    return s


def serve_at_last(s):
    """YADIFA sometimes does nothing with its first transfer, and does not come back to it."""
    end = time.monotonic() + 60 * SLOW
    while s.serial(ZONE) is None and time.monotonic() < end:
        time.sleep(4)
        if s.serial(ZONE) is None:
            s.stop()
            s.start()


# ---- the server alone ----


def what_it_says(wire):
    if wire is None:
        return "nothing"
    m = dns.message.from_wire(wire, ignore_trailing=True)
    out = dns.rcode.to_text(m.rcode())
    if m.opcode() != dns.opcode.NOTIFY:
        out += f", opcode {dns.opcode.to_text(m.opcode())}"
    if m.flags & dns.flags.AA:
        out += ", AA"
    if m.answer:
        out += ", then the zone"
    return out


def alone(lab, name, tcp):
    """(answer, what it did then) of a server whose primary has new content under the same serial."""
    primary = lab.add(FakePrimary(TOLD, free_port()).start())
    primary.add_zone(ZONE, zone_text(serial=5))
    s = started(lab, name, (TOLD, primary.port), "tcp" if tcp else "udp")
    time.sleep(0.5)
    primary.update(ZONE, ["new A 192.0.2.99"], serial=5)
    primary.forget()
    q = notify_query(ZONE, "AXFR").to_wire()
    wire = exchange(q, (s.host, s.port), tcp, 3.0 * SLOW, source=TOLD)
    time.sleep(1.0 * SLOW)
    kinds = [k for k in ("SOA", "IXFR", "AXFR") if primary.count(k)]
    s.stop()
    return what_it_says(wire), "asks for " + ", ".join(kinds) if kinds else "nothing"


# ---- behind zonerelayd ----


class Behind:
    """All servers behind one relay, notified over one transport."""

    def __init__(self, lab, names, tcp):
        self.lab, self.names, self.tag = lab, names, "tcp" if tcp else "udp"
        port = free_port()
        self.s = ForcedScene(lab, {ZONE: zone_text(serial=5)}, relay_port=port, downstream={"notify": False},
                             template={"forced-verify": f"{4 * max(SLOW, 1):g}s"})
        r = self.s.relay
        r.downstreams["watch"]["transfer-from"] = ["127.0.0.99"]   # 127.0.0.1 is BIND's
        r.downstreams["watch"]["notify"] = False
        self.servers = {n: SERVERS[n](lab, f"{n}-behind-{self.tag}", primary=(TOLD, port), zones=[ZONE],
                                      refresh=3600) for n in names}
        for n, s in self.servers.items():
            r.downstreams[n] = {"address": s.address, "notify-transport": self.tag}
        r.write()
        r.ctl("reload")
        for n, s in self.servers.items():
            s.start()
            if n == "yadifad":
                serve_at_last(s)
            wait_for(lambda s=s: s.serial(ZONE) == 5 or s.check_alive(), 20, f"{s} serves the zone")
        self.s.settle()

    def event(self, n):
        """New content under the same serial."""
        self.s.rewrite([f"event{n} A 192.0.2.{n}"])
        self.s.force()
        self.s.wait_events(n)

    def has(self, name, n):
        """Has it the content of the n-th event?"""
        s = self.servers[name]
        a = ask(s.port, f"event{n}.{ZONE}", "A", s.host)
        return a is not None and bool(a.answer)

    def sent(self, name):
        return [e["qtype"] for e in self.s.relay.events("notify-sent", downstream=name) if "qtype" in e]

    def conclusions(self):
        """{name: (state at first, state in the end, NOTIFYs sent, has it the content)} without help."""
        before = {n: len(self.sent(n)) for n in self.names}
        self.event(1)
        time.sleep(1.5 * SLOW)
        first = peer_states(self.s.relay)
        time.sleep(5.0 * max(SLOW, 1))
        last = peer_states(self.s.relay)
        out = {}
        for n in self.names:
            kinds = []
            for kind in self.sent(n)[before[n]:]:
                if not kinds or kinds[-1] != kind:
                    kinds.append(kind)
            states = first[n] if first[n] == last[n] else f"{first[n]}, then {last[n]}"
            out[n] = (states, " ".join(f"NOTIFY({k})" for k in kinds), self.has(n, 1))
        return out

    def with_commands(self):
        """{name: has it the new content} with the server's own command in the configuration."""
        r = self.s.relay
        for n, s in self.servers.items():
            if n in KINDS:
                r.downstreams[n].update({"server": KINDS[n], "on-forced": s.retransfer()})
        r.write()
        r.ctl("reload")
        self.event(2)
        for n in self.names:
            if n in KINDS:
                wait_for(lambda n=n: self.has(n, 2), 20, f"the new content at {n}")
                wait_for(lambda n=n: peer_states(self.s.relay)[n] == "verified", 20,
                         f"{n} verified, not {peer_states(self.s.relay)}")


# ---- the table ----

HEAD = ["server", "NOTIFY(AXFR) over", "it answers", "and then", "zonerelayd takes it for", "and sends",
        "new content by that", "by its command"]


def rows_of(text):
    out = {}
    for line in text.splitlines():
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) == len(HEAD) and cells[1] in ("UDP", "TCP"):
            out[cells[0], cells[1]] = cells
    return out


def table(rows):
    lines = [HEAD, ["---"] * len(HEAD)] + rows
    return "".join("| " + " | ".join(r) + " |\n" for r in lines)


@pytest.mark.parametrize("tcp", [False, True])
def test_interop(lab, tcp):
    names, rows = installed(), []
    b = Behind(lab, names, tcp)
    concluded = b.conclusions()
    b.with_commands()
    for s in b.servers.values():
        s.stop()
    b.s.relay.stop()
    for n in names:
        answer, then = alone(lab, n, tcp)
        state, sent, has = concluded[n]
        rows.append([NAMES[n], "TCP" if tcp else "UDP", answer, then, state, sent, "yes" if has else "no",
                     "yes" if n in KINDS else "-"])
    print(table(rows))
    with open(os.path.join(lab.path, "interop.md"), "w") as f:
        f.write(table(rows))
    if WRITE:
        write(rows, names)
    with open(DOC) as f:
        stands = rows_of(f.read())
    for row in rows:
        assert stands.get((row[0], row[1])) == row, f"contrib/interop.md says {stands.get((row[0], row[1]))}, seen: {row}"


def write(rows, names):
    """Puts the rows into the table, and says which versions they are of."""
    with open(DOC) as f:
        text = f.read()
    before, _, rest = text.partition("<!-- table -->\n")
    _, _, after = rest.partition("<!-- end -->\n")
    all_rows = rows_of(text)
    all_rows.update({(r[0], r[1]): r for r in rows})
    rows = sorted(all_rows.values(), key=lambda r: (list(NAMES.values()).index(r[0]), r[1] == "TCP"))
    said = ", ".join(f"{NAMES[n]} {version(n)}" for n in names)
    with open(DOC, "w") as f:
        f.write(f"{before}<!-- table -->\nSeen with {said}.\n\n{table(rows)}<!-- end -->\n{after}")
