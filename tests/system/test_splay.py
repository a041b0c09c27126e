# SPDX-License-Identifier: BSD-2-Clause
"""Many downstreams are told of a forced transfer one after the other (A-09, AN-14)."""

import time

from fakedownstream import Fetcher
from forcing import ForcedScene
from lab import SLOW, free_port
from scene import ZONE


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
