# SPDX-License-Identifier: BSD-2-Clause
"""Rings and meshes of relays come to rest (Q-05, A-06); many downstreams are told one after the other (AN-14)."""

import time

import pytest

from fakedownstream import Fetcher
from forcing import Agents, ForcedScene
from lab import SLOW, free_port
from scene import ZONE


def ring(n):
    """Each fetches from the one before it, the first one from the top as well."""
    return {f"a{i}": (["top"] if i == 0 else []) + [f"a{(i - 1) % n}"] for i in range(n)}


def mesh(n):
    return {f"a{i}": ["top"] + [f"a{k}" for k in range(n) if k != i] for i in range(n)}


def go(a, name="a0"):
    """One NOTIFY(AXFR) at the top; AXFRs by each until there is silence."""
    before = a.fetched()
    a.force(name)
    a.wait_everywhere()
    after = a.wait_silence()
    a.settle()
    return {n: after[n] - before[n] for n in after}


@pytest.mark.parametrize("n", [2, 3, 4])
def test_ring(lab, n):
    """Q-05: the new content goes round once, and one AXFR more at the entry at most; then silence."""
    a = Agents(lab, ring(n))
    a.rewrite(["new A 192.0.2.9"])
    count = go(a)
    assert all(1 <= c <= 2 for c in count.values()), count
    assert sum(count.values()) <= n + 1, count
    # A second NOTIFY on purpose, same content: all have it, so it ends where it came in.
    count = go(a)
    assert count.pop("a0") in (1, 2) and sum(count.values()) <= 1, count
    # And new content goes round again.
    a.rewrite(["newer A 192.0.2.10"])
    count = go(a)
    assert all(1 <= c <= 2 for c in count.values()), count


@pytest.mark.parametrize("n", [2, 3, 4])
def test_ring_with_a_splay_above_the_window(lab, n):
    """Q-05: slower than the window: it dies down all the same, as the window doubles."""
    a = Agents(lab, ring(n), template={"forced-window": "1s", "splay": "2s"})
    a.rewrite(["new A 192.0.2.9"])
    before = a.fetched()
    a.force("a0")
    a.wait_everywhere()
    after = a.wait_silence(5)
    count = {name: after[name] - before[name] for name in after}
    assert all(1 <= c <= 3 for c in count.values()), count


def test_mesh(lab):
    """Q-05: everybody fetches from everybody; limits as they are by default, but for the interval."""
    a = Agents(lab, mesh(4), free=False, template={"forced-interval": "2s"})
    a.rewrite(["new A 192.0.2.9"])
    count = go(a)
    assert all(1 <= c <= 2 for c in count.values()), count


def test_mesh_all_told(lab):
    """The top tells every member: one event, not four."""
    a = Agents(lab, mesh(4), free=False, template={"forced-interval": "2s"})
    a.rewrite(["new A 192.0.2.9"])
    before = a.fetched()
    for name in a.relays:
        a.force(name)
    a.wait_everywhere()
    after = a.wait_silence(3)
    count = {name: after[name] - before[name] for name in after}
    assert all(1 <= c <= 2 for c in count.values()), count


# ---- many downstreams ----


class Crowd:
    """50 downstreams at addresses of their own."""

    def __init__(self, lab, n=50, fetches=True, **how):
        port = free_port()
        self.downs, more = {}, {}
        for i in range(n):
            d = Fetcher(f"127.0.1.{i + 1}", free_port(), ("127.0.0.1", port))
            d.fetches = fetches
            self.downs[f"d{i:02d}"] = lab.add(d.start())
            more[f"d{i:02d}"] = {"address": d.address}
        self.s = ForcedScene(lab, more_downstreams=more, relay_port=port, downstream={"notify": False}, start=False,
                             **how)
        self.s.relay.start()
        self.s.relay.wait_serial(ZONE, 1)
        self.s.relay.wait_event("notify-acked", n)
        self.s.primary.forget()

    def event(self, n):
        """A forced transfer with news; {name: seconds from the first NOTIFY(AXFR)}."""
        s = self.s
        for d in self.downs.values():
            d.forget()
        s.rewrite([f"n{n} A 192.0.2.9"])
        s.force()
        s.wait_events(n)
        committed = time.monotonic()
        out = {}
        for name, d in self.downs.items():
            out[name] = d.wait_notifies(1, ZONE, "AXFR", timeout=30)[0].time - committed
        return out


def order(times):
    return sorted(times, key=times.get)


def test_splay(lab):
    """AN-14, A-09: first sends are spread over the window, in another order each time."""
    window = 4.0
    c = Crowd(lab, template={"splay": f"{window:g}s"})
    first = c.event(1)
    assert max(first.values()) < window + 1 * SLOW
    assert max(first.values()) - min(first.values()) > window * 0.6
    quarters = [sum(window * q / 4 <= t + 0.05 < window * (q + 1) / 4 for t in first.values()) for q in range(4)]
    assert SLOW > 1 or all(4 <= q <= 25 for q in quarters), quarters
    second = c.event(2)
    assert order(first) != order(second) != sorted(second), "shuffled for each event"
    for name, d in c.downs.items():
        assert d.wait_fetched(2).keys() == c.s.content(), name
        c.s.wait_peer("verified", name)


def test_splay_by_need(lab):
    """A-09: without `splay`, as long as they need one after the other, at most forced-splay."""
    c = Crowd(lab, fetches=False, template={"forced-splay": "3s"})
    quick = c.event(1)
    assert max(quick.values()) - min(quick.values()) < 1.5 * SLOW, "a small zone is given to 50 at once"
    c.s.primary.behave("AXFR", records_per_message=2, message_delay=0.05)   # takes 0.3 s
    slow = c.event(2)
    spread = max(slow.values()) - min(slow.values())
    assert 1.5 < spread < 3 + 1 * SLOW, spread


def test_retries_are_not_splayed(lab):
    """A-09: splay applies to the first send; operator commands are not delayed."""
    c = Crowd(lab, n=5, template={"splay": "1s"})
    c.event(1)
    one = c.downs["d00"]
    one.forget()
    start = time.monotonic()
    c.s.relay.ctl("notify", ZONE, "d00")
    assert one.wait_notifies(1)[0].time - start < 3 * SLOW
