# SPDX-License-Identifier: BSD-2-Clause
"""Rings and meshes of relays come to rest after a forced transfer (Q-05, A-06)."""

import os
import random
import time

import pytest

from forcing import Agents
from lab import SLOW
from scene import check_db, zone_text

ROUNDS = int(os.environ.get("MESH_ROUNDS", "12" if SLOW <= 1 else "4"))
SEED = int(os.environ.get("MESH_SEED", "0")) or random.SystemRandom().getrandbits(32)


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


@pytest.mark.parametrize("shape", ["ring", "mesh"])
def test_killed(lab, shape):
    """kill -9 of members at random moments: everybody ends with the new content, nobody is rolled back (A-31).

    The next change waits until the last one has gone round: its echo would bring the old content, and nothing in
    the protocol could tell which is newer (RFC 1996 section 2.2 forbids circles).
    """
    print(f"MESH_SEED={SEED} MESH_ROUNDS={ROUNDS}")
    rng = random.Random(SEED)
    a = Agents(lab, ring(3) if shape == "ring" else mesh(4), text=zone_text(retry=1), template={"retry": "1s..2w"})
    for n in range(ROUNDS):
        a.rewrite([f"n{n} A 192.0.2.{n % 250 + 1}"])
        a.force("a0")
        for _ in range(rng.randint(1, 3)):
            r = rng.choice(list(a))
            time.sleep(rng.random() * rng.choice((0.005, 0.05)) * SLOW)
            r.kill()
            time.sleep(rng.random() * 0.1)
            r.start()
        a.wait_everywhere(timeout=60)
        a.settle()
    a.wait_silence(1)
    a.wait_everywhere()
    for r in a:
        r.stop()
        check_db(r.db)
