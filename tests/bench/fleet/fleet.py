# SPDX-License-Identifier: BSD-2-Clause
"""Many agents on loopback: a root that a made-up primary feeds, and agents below it in tiers.

    root 127.1.0.1  -->  tier 1: 127.1.1.1 ...  -->  tier 2: 127.1.2.1 ...  -->  tier 3

The root is a zonerelayd like the others; it stands for the primary of the fleet, since its load and its
splay are what is measured.  Times come from the logs of the agents, which share one clock.
"""

import datetime
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "system"))

from fakeprimary import FakePrimary  # noqa: E402
from lab import free_port, wait_for  # noqa: E402
from relay import Event, Relay  # noqa: E402
from scene import ZONE, zone_text  # noqa: E402

# Limits that a series of measurements would meet, and a single event does not.
UNLIMITED = {"forced-burst": 1000, "forced-rate": 100000}
TEMPLATE = {"forced-interval": "1s", "forced-burst": 1000}


def instant(text):
    """RFC 3339 as seconds."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def parents(tiers):
    """[[index of the parent in the tier above, ...], ...]: as even as the numbers allow."""
    out, above = [], 1
    for n in tiers:
        out.append([i * above // n for i in range(n)])
        above = n
    return out


class Agent:
    """One daemon of the fleet, and what its log said since the last mark()."""

    def __init__(self, fleet, tier, index):
        self.tier, self.index = tier, index
        self.host = f"127.1.{tier}.{index + 1}"
        self.fleet, self.children, self.offset, self.relay = fleet, [], 0, None

    def build(self, parent, template, server):
        down = {c.host.replace(".", "-"): {"address": c.address, "source": self.host} for c in self.children}
        down["watch"] = {"notify": False, "transfer-from": ["127.0.0.1"]}
        self.relay = Relay(
            self.fleet.lab, f"t{self.tier}-{self.index}", host=self.host, port=self.fleet.port, level="info",
            primaries={"up": dict(UNLIMITED, address=parent, source=self.host)}, downstreams=down, zones=[ZONE],
            server=dict(UNLIMITED, **(server or {})), templates={"default": dict(TEMPLATE, **(template or {}))})
        self.relay.start()

    @property
    def address(self):
        return f"{self.host}@{self.fleet.port}"

    def mark(self):
        self.offset = os.path.getsize(self.relay.process.log)

    def events(self, *names):
        with open(self.relay.process.log, errors="replace") as f:
            f.seek(self.offset)
            out = []
            for line in f:
                try:
                    e = Event(line)
                except ValueError:
                    continue
                if e.event in names:
                    out.append(e)
            return out

    def cpu(self):
        """Seconds of all its threads."""
        total, folder = 0, f"/proc/{self.relay.process.pid}/task"
        for task in os.listdir(folder):
            with open(f"{folder}/{task}/schedstat") as f:
                total += int(f.read().split()[0])
        return total / 1e9


class Fleet:
    """tiers: numbers of agents, from the root down.  root: keys of the root's template (its splay)."""

    def __init__(self, lab, tiers, records=20, template=None, root=None):
        self.lab, self.port = lab, free_port()
        self.primary = lab.add(FakePrimary("127.1.255.1", self.port).start())
        self.primary.add_zone(ZONE, zone_text(hosts=records))
        self.root = Agent(self, 0, 0)
        self.tiers = [[Agent(self, t + 1, i) for i in range(n)] for t, n in enumerate(tiers)]
        above = [self.root]
        for agents, up in zip(self.tiers, parents(tiers)):
            for a, p in zip(agents, up):
                above[p].children.append(a)
            above = agents
        self.root.build(self.primary.address, dict(template or {}, **(root or {})), None)
        self._build_below(self.root, template)
        self.wait(lambda a: a.relay.serial(ZONE) == 1, "the first version everywhere")

    def _build_below(self, agent, template):
        for c in agent.children:
            c.build(agent.address, template, None)
            self._build_below(c, template)

    @property
    def agents(self):
        return [a for tier in self.tiers for a in tier]

    @property
    def all(self):
        return [self.root] + self.agents

    def wait(self, condition, what, timeout=120):
        wait_for(lambda: all(condition(a) for a in self.all), timeout, what)

    def change(self):
        """One record changes, NOTIFY(SOA)."""
        serial = self.primary.zone(ZONE).serial
        self._start()
        self.primary.update(ZONE, add=[f"n{serial} 300 A 192.0.2.9"],
                            delete=[f"n{serial - 1} 300 A 192.0.2.9"] if serial > 1 else [])
        self._told(self.primary.notify(ZONE, (self.root.host, self.port)))
        return self._result("committed")

    def force(self):
        """Other content under the same serial, NOTIFY(AXFR)."""
        zone = self.primary.zone(ZONE)
        self._start()
        self.forces = getattr(self, "forces", 0) + 1
        self.primary.update(ZONE, add=[f"f{self.forces} 300 A 192.0.2.9"], serial=zone.serial)
        self._told(self.primary.notify(ZONE, (self.root.host, self.port), qtype="AXFR"))
        return self._result("forced-committed")

    @staticmethod
    def _told(answer):
        assert answer is not None and answer.rcode == "NOERROR", answer

    def _start(self):
        for a in self.all:
            a.mark()
        self.before = {a.host: a.cpu() for a in self.all}

    def _result(self, event):
        """Waits for every agent to have the news; what that took."""
        self.wait(lambda a: a.events(event), event, 300)
        self.wait(lambda a: len(a.events("notify-acked")) >= len(a.children), "acknowledgements")
        at = {a.host: instant(a.events(event)[0].time) for a in self.all}
        start = at[self.root.host]
        out = {"tiers": [[round(at[a.host] - start, 6) for a in tier] for tier in self.tiers],
               "cpu": [[round(a.cpu() - self.before[a.host], 6) for a in tier] for tier in [[self.root]] + self.tiers],
               "transfers": [len(a.events("served")) for a in self.all], "root": self._load(start)}
        out["last"] = max(t for tier in out["tiers"] for t in tier)
        return out

    def _load(self, start):
        """What the root served: when each transfer ended, and how long it took."""
        served = self.root.events("served")
        return [{"end": round(instant(e.time) - start, 6), "us": int(e.get("duration_us", 0)),
                 "octets": int(e.get("octets", 0)), "kind": e.get("kind", e.get("type", ""))} for e in served]
