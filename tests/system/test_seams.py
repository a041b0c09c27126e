# SPDX-License-Identifier: BSD-2-Clause
"""Where rooms and threads meet: reloads, removals and failures in the middle of something."""

import random
import sqlite3
import time

import pytest

from fakedownstream import FakeDownstream
from lab import free_port, wait_for
from scene import ZONE, Scene, large_zone, zone_text

OTHER = "other.test"


def lock(path):
    """Somebody else writes into the database: every order of the store fails until rollback()."""
    db = sqlite3.connect(path, timeout=30, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    return db


def reload_with(scene, zones):
    scene.relay.zones = zones
    scene.relay.write()
    scene.relay.ctl("reload")


# ---- reload ----


def test_reload_while_a_check_is_out(lab):
    """The tries after a reload still leave from the configured source."""
    scene = Scene(lab, primary={"source": "127.0.0.1"},
                  server={"soa-timeout": "500ms", "soa-tries": 4})
    scene.settle()
    scene.primary.forget()
    scene.primary.once("SOA", 3, silence=True)
    serial = scene.primary.update(ZONE, [f"new.{ZONE}. 60 IN A 192.0.2.9"])
    assert scene.notify().rcode == "NOERROR"
    scene.primary.wait_count("SOA", 1)
    reload_with(scene, {ZONE: {}, OTHER: {}})
    scene.relay.wait_serial(ZONE, serial)
    assert all(q.source[0] == "127.0.0.1" for q in scene.primary.queries_of("SOA"))


def test_zone_that_comes_back_is_checked(lab):
    """A-19: what it missed while it was not configured is fetched at once, not at REFRESH."""
    scene = Scene(lab)
    scene.settle()
    reload_with(scene, {OTHER: {}})
    serial = scene.primary.update(ZONE, [f"new.{ZONE}. 60 IN A 192.0.2.9"])
    wait_for(lambda: scene.notify().rcode == "NOTAUTH", what="gone")
    reload_with(scene, {ZONE: {}, OTHER: {}})
    scene.relay.wait_serial(ZONE, serial)


def test_zone_that_leaves_while_it_is_added(lab):
    """It stays away, also after a restart."""
    scene = Scene(lab, env={"ZONERELAY_TEST_SLOW_COMMIT_MS": "1000"})
    scene.settle()
    reload_with(scene, {ZONE: {}, OTHER: {}})
    reload_with(scene, {ZONE: {}})
    time.sleep(3)
    db = sqlite3.connect(scene.relay.db, timeout=30)
    assert db.execute("SELECT count(*) FROM zone WHERE removed_at = 0").fetchone()[0] == 1
    db.close()


def test_downstream_moves(lab):
    """What was owed to an address that is no longer the downstream's is struck off."""
    scene = Scene(lab)
    scene.settle()
    scene.down.once(100, silence=True)
    scene.update([f"new.{ZONE}. 60 IN A 192.0.2.9"])
    scene.down.wait_notifies(2, ZONE)
    scene.relay.downstreams["down"]["address"] = f"127.0.0.13@{free_port()}"
    reload_with(scene, {ZONE: {}})
    scene.settle()


def test_notify_from_beside_a_primary(lab):
    """N-17: refused, and the log says whom it may have come from."""
    scene = Scene(lab)
    scene.settle()
    assert scene.notify(source="127.0.0.14").rcode == "REFUSED"
    assert scene.relay.wait_event("notify-refused")[0]["near"] == "up"


# ---- cancelled in the middle ----


@pytest.mark.parametrize("order", ["sorted", "reversed"])
def test_removed_while_it_is_loaded(lab, order):
    """A transfer that is cancelled in any phase leaves nothing behind, and the next one works."""
    scene = Scene(lab, env={"ZONERELAY_TEST_SLOW_COMMIT_MS": "30"}, server={"workers": 1})
    scene.settle()
    scene.primary.add_zone(OTHER, large_zone(1, 3000, zone=OTHER))
    if order == "reversed":
        scene.primary.behave("AXFR", order=lambda v: v[:1] + v[:0:-1])
    rng = random.Random(1)
    for _ in range(12):
        reload_with(scene, {ZONE: {}, OTHER: {}})
        time.sleep(rng.uniform(0.05, 1.5))
        reload_with(scene, {ZONE: {}})
    reload_with(scene, {ZONE: {}, OTHER: {}})
    scene.relay.wait_serial(OTHER, 1, timeout=60)


# ---- a store that cannot ----


def test_zone_is_added_when_the_store_can(lab):
    """A zone whose row could not be written is not forgotten."""
    scene = Scene(lab)
    scene.settle()
    scene.primary.add_zone(OTHER, zone_text(7, zone=OTHER))
    db = lock(scene.relay.db)
    reload_with(scene, {ZONE: {}, OTHER: {}})
    scene.relay.wait_event("zone-add-failed", timeout=60)
    db.rollback()
    scene.relay.wait_serial(OTHER, 7, timeout=60)


def test_mark_that_fails(lab):
    """A-35: NOERROR means that it is on disk; else SERVFAIL, and the sender tries again."""
    scene = Scene(lab)
    scene.settle()
    db = lock(scene.relay.db)
    answer = scene.notify(hint=False)
    assert answer is None or answer.rcode == "SERVFAIL"
    db.rollback()
    wait_for(lambda: (lambda a: a is not None and a.rcode == "NOERROR")(scene.notify(hint=False)),
             30, "NOERROR again")


def test_ambiguous_serial_survives_a_restart(lab):
    """A-10 (4): the refresh after a change under the same serial is by AXFR."""
    scene = Scene(lab)
    scene.settle()
    serial = scene.primary.zone(ZONE).serial
    scene.primary.replace(ZONE, zone_text(serial, hosts=9), keep_history=False)
    scene.relay.ctl("retransfer", ZONE)
    wait_for(lambda: scene.axfr().keys() == scene.content(), 20, "the forced content")
    scene.settle()
    scene.relay.restart()
    scene.primary.forget()
    scene.update([f"new.{ZONE}. 60 IN A 192.0.2.9"])
    assert scene.primary.count("AXFR") == 1 and scene.primary.count("IXFR") == 0


# ---- limits ----


def test_silent_downstream_delays_nobody(lab):
    """When all sockets wait for a dead downstream, NOTIFY to the others still leaves (A-14)."""
    names = [f"z{i}.test" for i in range(150)]
    dead = lab.add(FakeDownstream("127.0.0.13", free_port()).start())
    dead.once(100000, silence=True)
    scene = Scene(lab, {n: zone_text(zone=n) for n in names}, start=False,
                  more_downstreams={"dead": {"address": dead.address}})
    argv = scene.relay.process.argv
    scene.relay.process.argv = ["sh", "-c", 'ulimit -n 400; exec "$@"', "sh", *argv]
    scene.relay.start()
    for n in names:
        scene.relay.wait_serial(n, 1, 60)
    wait_for(lambda: len({x.zone for x in scene.down.notifies}) == len(names), 10,
             "a NOTIFY for every zone")


# ---- what is known of a failure ----


def test_failed_transfer_says_how_far_it_came(lab):
    scene = Scene(lab)
    scene.settle()
    scene.primary.replace(ZONE, zone_text(5, hosts=3000), keep_history=False)
    scene.primary.once("IXFR", rcode="NOTIMP")
    scene.primary.once("AXFR", rcode_after=2)
    scene.notify()
    failed = scene.relay.wait_event("transfer-failed")[0]
    assert int(failed["octets"]) > 0 and int(failed["records"]) > 0
