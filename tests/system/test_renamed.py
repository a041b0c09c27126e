# SPDX-License-Identifier: BSD-2-Clause
"""The configuration changes while something is owed: it goes to the address, whatever that is called now (A-36)."""

import pytest

from fakedownstream import Fetcher
from forcing import ForcedScene, peer_states
from lab import free_port, wait_for
from scene import DOWNSTREAM, ZONE, Scene, look, zone_text


def outbox(s):
    return look(s.relay.db, "SELECT downstream, qtype FROM outbox")


def apply(s, how):
    """The new configuration; how: "reload" or "restart"."""
    if how == "restart":
        s.relay.kill()
        s.relay.write()
        s.relay.start()
    else:
        s.relay.write()
        s.relay.ctl("reload")


class Owing(ForcedScene):
    """NOTIFY(AXFR) is owed to `down`, which says nothing."""

    def __init__(self, lab, template=None, **how):
        port = free_port()
        super().__init__(lab, template=template, relay_port=port,
                         down=lambda host, p: Fetcher(host, p, ("127.0.0.1", port)), **how)
        self.down.fetches = False
        self.down.answer.silence = True
        self.rewrite(["new A 192.0.2.9"])
        self.force()
        self.wait_events(1)
        self.down.wait_notifies(1, ZONE, "AXFR")
        assert outbox(self) == [("down", 252)]
        self.wait_peer("owed")

    def comes_to_its_end(self, name, state):
        """Answered now, and fetched."""
        self.down.fetches = True
        self.down.answer.silence = False
        self.down.wait_notifies(1, ZONE, "AXFR", timeout=30)
        wait_for(lambda: outbox(self) == [], 30, "nothing owed")
        self.wait_peer(state, name)
        assert not self.relay.events("notify-dropped")


@pytest.mark.parametrize("how", ["reload", "restart"])
def test_renamed(lab, how):
    s = Owing(lab)
    s.relay.downstreams["renamed"] = s.relay.downstreams.pop("down")
    s.down.forget()
    apply(s, how)
    wait_for(lambda: outbox(s) == [("renamed", 252)], 10, "the row under the new name")
    wait_for(lambda: s.peers() == {"renamed": "owed"}, 10, "what is known under the new name")
    s.comes_to_its_end("renamed", "verified")


def test_two_of_one_address(lab):
    """Told apart by their keys: each is owed its own NOTIFY, after a crash as before it."""
    s = Scene(lab)
    s.settle()
    s.down.stop()
    s.relay.downstreams["twin"] = dict(s.relay.downstreams["down"])
    apply(s, "reload")
    s.update(add=["a 300 A 192.0.2.1"])
    wait_for(lambda: {e["downstream"] for e in s.relay.events("notify-sent", serial=2)} == {"down", "twin"})
    apply(s, "restart")
    owed = [d["name"] for d in s.relay.json("zone", ZONE)["downstreams"] if d["tries"] is not None]
    assert sorted(owed) == ["down", "twin"]
    s.relay.downstreams.pop("twin")
    apply(s, "reload")
    wait_for(lambda: outbox(s) == [("down", 6)], 10, "one row for both")


@pytest.mark.parametrize("how", ["reload", "restart"])
def test_moved_to_also_notify(lab, how):
    s = Owing(lab)
    s.relay.templates["default"]["also-notify"] = [s.relay.downstreams.pop("down")["address"]]
    s.relay.downstreams["any"] = {"notify": False, "transfer-from": [DOWNSTREAM]}
    s.down.forget()
    apply(s, how)
    wait_for(lambda: outbox(s) == [("also", 252)], 10, "the row of also-notify")
    s.comes_to_its_end("also", "acked")


def test_renamed_to_computed(lab):
    """The targets are computed now: who may transfer from that address is the one it is owed to."""
    s = Owing(lab)
    s.relay.templates["default"]["notify-targets"] = "acl"
    d = s.relay.downstreams.pop("down")
    s.relay.downstreams["renamed"] = {"address": d["address"], "transfer-from": [DOWNSTREAM]}
    s.down.forget()
    apply(s, "reload")
    wait_for(lambda: outbox(s) == [("renamed", 252)], 10, "the row under the new name")
    s.comes_to_its_end("renamed", "verified")


@pytest.mark.parametrize("how", ["reload", "restart"])
def test_nobody_has_the_address(lab, how):
    """It is struck off, aloud, and so is what was known of the address."""
    s = Owing(lab)
    s.relay.downstreams["down"]["address"] = "127.0.0.77@9"
    apply(s, how)
    (e,) = s.relay.wait_event("notify-dropped")
    assert (e["zone"], e["downstream"], e["address"], e["qtype"]) == (
        "example.test", "down", s.down.address, "AXFR"), e
    wait_for(lambda: outbox(s) == [], 10, "no row")
    wait_for(lambda: peer_states(s.relay) == {}, 10, "no state of it")


@pytest.mark.parametrize("how", ["reload", "restart"])
def test_command_that_has_gone(lab, how):
    s = ForcedScene(lab, downstream={"on-forced": ["/bin/false"], "hook-tries": 5})
    s.force()
    s.relay.wait_event("hook-failed")
    assert look(s.relay.db, "SELECT count(*) FROM hook") == [(1,)]
    s.relay.downstreams["renamed"] = s.relay.downstreams.pop("down")
    apply(s, how)
    (e,) = s.relay.wait_event("hook-dropped")
    assert (e["zone"], e["downstream"], e["kind"]) == ("example.test", "down", "AXFR"), e
    wait_for(lambda: look(s.relay.db, "SELECT count(*) FROM hook") == [(0,)], 10, "no row")
