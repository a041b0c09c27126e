# SPDX-License-Identifier: BSD-2-Clause
"""TS-09 over a restart: a signed NOTIFY that was overheard does nothing when it is sent again."""

import time

import dns.rcode
import pytest

from fakewire import notify_query
from keyed import UP, WATCH, KeyedScene, repeat
from lab import wait_for
from scene import ZONE, look, zone_text
from tsigwire import BADTIME, Chain

OTHER = "other.example"
OLD = "not newer than what was acted upon before the start"


def rcode(m):
    return dns.rcode.to_text(m.rcode())


def second():
    """Waits for the next second to begin: Time Signed has no finer one.  It, in seconds since 1970."""
    now = int(time.time())
    wait_for(lambda: int(time.time()) > now, 5, "the next second")
    return int(time.time())


class Eavesdropper:
    """What was sent and answered, octet by octet."""

    def __init__(self, s, qtype="AXFR", zone=ZONE, when=None):
        self.chain = Chain(UP)
        self.time = int(time.time()) if when is None else when
        self.wire = self.chain.sign(notify_query(zone, qtype).to_wire(), when=self.time)
        self.s = s

    def send(self):
        """(rcode, TSIG error)"""
        answer = repeat(self.s.at, self.wire)
        check = Chain(UP)
        check.prior, check.count = self.chain.prior, 1
        bare, t = check.verify(answer)
        assert t.mac, "not signed"
        return dns.rcode.to_text(bare[3] & 15), t.error


def floor(s, key=UP):
    rows = look(s.relay.db, "SELECT time FROM signed WHERE key = ?", key.wire())
    return rows[0][0] if rows else 0


@pytest.fixture
def scene(lab):
    return KeyedScene(lab, {ZONE: zone_text(), OTHER: zone_text(zone=OTHER)},
                      primary={"notify-key": UP.name}, template={"forced-interval": "1s", "forced-burst": 100})


def crash(s):
    s.relay.kill()
    s.relay.start()


def test_forced_after_crash(scene):
    """Replayed after kill -9 it is BADTIME and no transfer; the next one of its sender is taken."""
    s = scene
    heard = Eavesdropper(s)
    assert heard.send() == ("NOERROR", 0)
    s.relay.wait_event("forced-committed")
    s.settle()
    assert heard.send() == ("NOERROR", 0)   # by the same process: answered, and nothing else
    second()
    crash(s)
    s.settle()
    transfers = s.primary.count("AXFR")
    for _ in range(3):
        assert heard.send() == ("NOTAUTH", BADTIME)
    assert s.relay.wait_event("tsig-failed", 3, reason="badtime", key=UP.name, zone=ZONE, note=OLD)
    s.settle()
    assert s.primary.count("AXFR") == transfers and len(s.relay.events("forced-committed")) == 1
    m, _ = s.tell(UP, qtype="AXFR")
    assert rcode(m) == "NOERROR"
    s.relay.wait_event("forced-committed", 2)
    assert s.primary.count("AXFR") == transfers + 1
    # This one, too, is known to the next process, and the old one stays refused.
    s.settle()
    crash(s)
    assert heard.send() == ("NOTAUTH", BADTIME)


def test_written_before_the_answer(lab):
    """Killed as soon as the answer is there: the mark is owed, and its NOTIFY is not taken again."""
    s = KeyedScene(lab, primary={"notify-key": UP.name})
    heard = Eavesdropper(s)
    s.primary.stop()    # so the mark stays
    assert heard.send() == ("NOERROR", 0)
    s.relay.kill()
    assert look(s.relay.db, "SELECT pending FROM mark") == [(2,)]
    assert floor(s) == heard.time


def test_edges(scene):
    """Below the second of the last one nothing is taken; of that second only what costs no transfer."""
    s = scene
    now = second()
    assert Eavesdropper(s, "SOA", when=now).send() == ("NOERROR", 0)
    wait_for(lambda: floor(s) == now, 10, "the time on disk")
    crash(s)
    assert Eavesdropper(s, "SOA", OTHER, now).send() == ("NOERROR", 0)
    assert Eavesdropper(s, "AXFR", OTHER, now).send() == ("NOTAUTH", BADTIME)
    assert Eavesdropper(s, "SOA", OTHER, now - 1).send() == ("NOTAUTH", BADTIME)
    # Its own time is not that of another key; and who is late is late for this process alone.
    assert floor(s, WATCH) == 0
    second()
    assert Eavesdropper(s, "AXFR", OTHER, now + 1).send() == ("NOERROR", 0)
    assert Eavesdropper(s, "AXFR", OTHER, now).send() == ("NOTAUTH", BADTIME)


def test_owed_already(scene):
    """What came while a mark was owed has none of its own, and is not taken again either."""
    s = scene
    s.primary.behaviour.silence = True
    now = second()
    assert Eavesdropper(s, when=now).send() == ("NOERROR", 0)
    late = Eavesdropper(s, when=second())
    assert late.send() == ("NOERROR", 0)
    wait_for(lambda: floor(s) > now, 10, "the time on disk")
    s.primary.behaviour.silence = False
    crash(s)
    s.relay.wait_event("forced-committed")
    s.settle()
    assert late.send() == ("NOTAUTH", BADTIME)


def test_key_gone(scene):
    """A key that is no longer configured leaves nothing behind."""
    s = scene
    s.tell(UP)
    wait_for(lambda: floor(s) > 0, 10, "the time on disk")
    s.relay.stop()
    s.relay.primaries["up"].pop("notify-key")
    s.relay.primaries["up"].pop("key")
    s.primary.demand = False
    s.relay.keys.pop(UP.name)
    s.relay.write()
    s.relay.start()
    wait_for(lambda: floor(s) == 0, 10, "its row to go")
