# SPDX-License-Identifier: BSD-2-Clause
"""Rings and meshes of relays come to rest after a forced transfer (Q-05, A-06)."""

import pytest

from forcing import Agents, mesh, ring


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


@pytest.mark.parametrize("n", [2, 4])
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
