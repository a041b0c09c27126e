# SPDX-License-Identifier: BSD-2-Clause
"""NOTIFY(AXFR) out: to whom, when, and what became of it at each (A-04 to A-13, A-32, A-36, Q-08)."""

import sqlite3
import time

import pytest

from fakedownstream import FakeDownstream, Fetcher, NotifyBehaviour
from fakeprimary import FakePrimary
from fakewire import records_of
from forcing import ForcedScene, rows_of
from lab import SLOW, free_port, wait_for
from scene import PRIMARY, ZONE, look, zone_text

DAY_US = 86400 * 10**6
ZONE_DATA = records_of(zone_text(), ZONE)
ZONE_DATA += ZONE_DATA[:1]

# What a downstream does -> how it answers NOTIFY(AXFR), its configuration, its state, its state after the
# verify window, the types of the NOTIFYs that it gets.
DEEDS = {
    "formerr": ({"rcode": "FORMERR"}, {}, "unsupported", "unsupported", ["AXFR", "SOA"]),
    "notimp": ({"rcode": "NOTIMP"}, {}, "unsupported", "unsupported", ["AXFR", "SOA"]),
    "refused": ({"rcode": "REFUSED"}, {}, "refused", "refused", ["AXFR"]),
    "nxdomain": ({"rcode": "NXDOMAIN"}, {}, "refused", "refused", ["AXFR"]),
    "notauth": ({"rcode": "NOTAUTH"}, {}, "refused", "refused", ["AXFR"]),
    "lazy": ({}, {}, "acked", "unverified", ["AXFR"]),
    "silent": ({"silence": True}, {}, "owed", "owed", ["AXFR"]),
    "data": ({"zone_data": ZONE_DATA}, {"notify-transport": "tcp"}, "unsupported", "unsupported", ["AXFR", "SOA"]),
    "data-query": ({"zone_data": ZONE_DATA, "opcode": "QUERY"}, {"notify-transport": "tcp"}, "unsupported",
                   "unsupported", ["AXFR", "SOA"]),
    "good": ({}, {}, "verified", "verified", ["AXFR"]),
    "good-tcp": ({}, {"notify-transport": "tcp"}, "verified", "verified", ["AXFR"]),
}


# What zonerelayctl says of a state.
SAID = {"unsupported": ["does not know NOTIFY(AXFR)"], "refused": ["refused at"], "unverified": ["has not come"],
        "owed": ["owed: tried", "no answer yet"], "verified": ["verified"]}


class Many:
    """A relay with one downstream for each deed, and none besides that is notified."""

    def __init__(self, lab, deeds, **how):
        self.downs, more, port = {}, {}, free_port()
        for i, name in enumerate(deeds):
            d = Fetcher(f"127.0.0.{20 + i}", free_port(), ("127.0.0.1", port))
            behaviour, conf = DEEDS[name.split("/")[0]][:2]
            d.fetches = name.startswith("good")
            d.per_type["AXFR"] = NotifyBehaviour(**behaviour)
            self.downs[name] = lab.add(d.start())
            more[name.replace("/", "-")] = dict({"address": d.address}, **conf)
        self.s = ForcedScene(lab, more_downstreams=more, relay_port=port, start=False,
                             downstream={"notify": False}, **how)
        self.s.relay.start()
        self.s.relay.wait_serial(ZONE, self.s.primary.zone(ZONE).serial)
        wait_for(lambda: look(self.s.relay.db, "SELECT count(*) FROM outbox") == [(0,)], 20, "nothing owed")
        self.forget()

    def types(self, name):
        return [n.qtype for n in self.downs[name].notifies_of(ZONE)]

    def forget(self):
        self.s.forget()
        for d in self.downs.values():
            d.forget()

    def force(self, wait=True):
        n = len(self.s.events())
        self.s.force()
        if wait:
            self.s.wait_events(n + 1)


def test_what_became_of_it(lab):
    """Q-08, A-12: what each answer to NOTIFY(AXFR) is taken for, what is sent then, who is called out."""
    m = Many(lab, DEEDS, template={"forced-verify": "4s"})
    s = m.s
    s.rewrite(["new A 192.0.2.9"])
    m.force()
    for name, (_, _, state, _, types) in DEEDS.items():
        s.wait_peer(state, name)
        wait_for(lambda name=name, types=types: m.types(name)[:len(types)] == types, 10,
                 f"{name}: {types}, not {m.types(name)}")
    # Fallback carries the hint as ever; NOTIFY(AXFR) never.
    for name, d in m.downs.items():
        for n in d.notifies:
            assert n.hint == (1 if n.qtype == "SOA" else None), (name, n)
    # After the window.
    said = s.relay.wait_event("forced-unverified", zone=ZONE)[0]
    assert said.level == "warn"
    text = " ".join(str(v) for e in s.relay.events("forced-unverified") for v in e.values())
    assert "lazy" in text and "good" not in text and "refused" not in text, text
    text = " ".join(str(v) for e in s.relay.wait_event("forced-unsupported") for v in e.values())
    for name in ("formerr", "notimp", "data"):
        assert name in text, text
    assert "lazy" not in text
    for name, (_, _, _, state, types) in DEEDS.items():
        s.wait_peer(state, name)
        assert name == "silent" or m.types(name) == types, name
    assert len(m.types("silent")) >= 2 and set(m.types("silent")) == {"AXFR"}, "A-36: it goes on"
    # By name, in the status.
    text = s.relay.ctl("zone", ZONE).stdout
    for name, (_, _, _, state, _) in DEEDS.items():
        assert any(line.split()[:1] == [name] and any(w in line for w in SAID[state]) for line in text.splitlines()), text
    text = s.relay.ctl("downstreams").stdout
    assert "lazy" in text, text
    for d in s.relay.json("zone", ZONE)["downstreams"]:
        if d["name"] in DEEDS:
            state = DEEDS[d["name"]][3]
            assert d["forced_state"] in ((state, "sent") if state == "owed" else (state,)), d


def test_unsupported_is_remembered(lab):
    """A-12: for 24 hours, over a restart; then it is asked again."""
    m = Many(lab, ["formerr", "good"])
    s = m.s
    s.rewrite(["new A 192.0.2.9"])
    m.force()
    s.wait_peer("unsupported", "formerr")
    until = look(s.relay.db, "SELECT until FROM no_axfr")[0][0]
    assert abs(until - time.time() * 1e6 - DAY_US) < 60e6
    wait_for(lambda: m.types("formerr") == ["AXFR", "SOA"], 10, "both")
    s.relay.kill()
    s.relay.start()
    m.forget()
    s.rewrite(["newer A 192.0.2.9"])
    m.force()
    wait_for(lambda: m.types("formerr") == ["SOA"], 10, "NOTIFY(SOA) without asking again")
    wait_for(lambda: m.types("good") == ["AXFR"], 10, "the other one")
    s.wait_peer("unsupported", "formerr")
    s.relay.stop()
    db = sqlite3.connect(s.relay.db)
    db.execute("UPDATE no_axfr SET until = ?", (int(time.time() * 1e6) - 10**6,))
    db.commit()
    db.close()
    s.relay.start()
    m.forget()
    m.downs["formerr"].per_type.clear()     # it has learnt it
    m.downs["formerr"].fetches = True
    s.rewrite(["newest A 192.0.2.9"])
    m.force()
    s.wait_peer("verified", "formerr")
    assert m.types("formerr") == ["AXFR"]


def test_what_verifies(lab):
    """A-12: an AXFR that began after the commit and came to its end; no IXFR, no SOA, nobody else's."""
    s = ForcedScene(lab)
    s.rewrite(["new A 192.0.2.9"])
    s.force()
    s.down.wait_notifies(1, ZONE, "AXFR")
    s.wait_peer("acked")
    assert s.down.soa(ZONE, s.at) is not None
    assert s.down.ixfr(ZONE, s.at, 1).kind == "single" and s.down.ixfr(ZONE, s.at, 0).kind == "full"
    assert s.axfr().ok, "somebody else's"
    time.sleep(0.5)
    assert s.peers() == {"down": "acked"}
    assert s.down.axfr(ZONE, s.at).ok
    s.wait_peer("verified")
    s.relay.kill()
    s.relay.start()
    assert s.peers() == {"down": "verified"}
    # A difference builds upon what may be wrong there.
    s.primary.update(ZONE, ["newer A 192.0.2.10"])
    s.force()
    s.wait_peer("acked")
    s.primary.update(ZONE, ["newest A 192.0.2.11"])
    s.force()
    s.relay.wait_serial(ZONE, 3)
    s.wait_peer("acked")
    assert s.down.ixfr(ZONE, s.at, 2).kind == "diff"
    time.sleep(0.5)
    assert s.peers() == {"down": "acked"}


def test_answered_before_it_was_sent(lab):
    """A downstream that fetches while its NOTIFY waits for the splay needs none."""
    s = ForcedScene(lab, template={"splay": "30s"}, start=False)
    s.relay.start()
    s.relay.wait_serial(ZONE, 1)
    s.force()
    s.wait_events(1)
    assert s.down.axfr(ZONE, s.at).ok
    s.wait_peer("verified")


def test_only_after_the_commit(lab):
    """AN-12, A-04: who asks the moment it is told gets the new content."""
    port = free_port()
    s = ForcedScene(lab, env={"ZONERELAY_TEST_SLOW_COMMIT_MS": "300"}, down=Fetcher, relay_port=port)
    s.down.at = s.at
    for n in range(1, 4):
        s.rewrite([f"new{n} A 192.0.2.9"])
        s.force()
        t = s.down.wait_fetched(n)
        assert t.ok and t.keys() == s.content()


def test_failed_transfer_is_not_passed_on(lab):
    """A-04: the event stays open until the first success, and is passed on then."""
    s = ForcedScene(lab, {ZONE: zone_text(retry=1)}, template={"retry": "1s..2w"})
    s.primary.behave("AXFR", rcode="SERVFAIL")
    s.rewrite(["new A 192.0.2.9"])
    s.force()
    s.primary.wait_count("AXFR", 2, timeout=20)
    assert not s.down.notifies and s.pending() == [(2,)]
    s.primary.behave("AXFR")
    s.wait_events(1, timeout=30)
    s.down.wait_notifies(1, ZONE, "AXFR")
    assert s.serves()


# ---- absorbing ----


def test_axfr_absorbs_soa(lab):
    """A-32: what was owed as NOTIFY(SOA) becomes NOTIFY(AXFR), and never the other way."""
    s = ForcedScene(lab)
    s.down.answer.silence = True
    s.update(["new A 192.0.2.9"])
    s.down.wait_hint(ZONE, 2)
    s.rewrite(["newer A 192.0.2.9"])
    s.force()
    s.down.wait_notifies(1, ZONE, "AXFR")
    assert look(s.relay.db, "SELECT qtype, serial FROM outbox") == [(252, 2)]
    s.update(["newest A 192.0.2.9"])
    assert wait_for(lambda: look(s.relay.db, "SELECT qtype, serial FROM outbox") == [(252, 3)], 10, "the newer one")
    n = len(s.down.notifies_of(ZONE, "SOA"))
    s.down.wait_notifies(3, ZONE, "AXFR", timeout=20)
    assert len(s.down.notifies_of(ZONE, "SOA")) == n
    s.relay.kill()
    s.down.forget()
    s.down.answer.silence = False
    s.relay.start()
    s.wait_peer("acked")
    assert [x.qtype for x in s.down.notifies] == ["AXFR"]


# ---- loops ----


def test_duplicates(lab):
    """A-06 refined: the same content again goes to those who have not fetched it since, to nobody else."""
    m = Many(lab, ["good", "lazy"])
    s = m.s
    s.rewrite(["new A 192.0.2.9"])
    m.force()
    s.wait_peer("verified", "good")
    s.wait_peer("acked", "lazy")
    version = s.row()["version"]
    for _ in range(3):
        m.forget()
        m.force()
        wait_for(lambda: m.types("lazy") == ["AXFR"], 10, "who needs it")
        time.sleep(0.3)
        assert m.types("good") == [], "who has it"
    assert [e["verdict"] for e in s.events()] == ["new"] + ["duplicate"] * 3
    assert s.primary.count("AXFR") == 1 and s.row()["version"] == version
    # A new content is a new event.
    m.forget()
    s.rewrite(["newer A 192.0.2.9"])
    m.force()
    s.wait_peer("verified", "good")
    assert m.types("good") == ["AXFR"] and s.events()[-1]["verdict"] == "new"
    # It comes for it in the end: then nobody is left.
    assert m.downs["lazy"].axfr(ZONE, s.at).ok
    s.wait_peer("verified", "lazy")
    m.forget()
    m.force()
    time.sleep(0.5)
    assert m.types("good") == m.types("lazy") == []


def test_repeat_after_the_window(lab):
    """A-06: outside the window it goes to all again, and the window doubles; a trigger counts in whole seconds."""
    m = Many(lab, ["good"], template={"forced-window": "1s", "forced-splay": 0})
    s = m.s
    m.force()
    s.wait_peer("verified", "good")
    for pause, verdict, repeats in ((0, "duplicate", 0), (2.2, "repeat", 1), (0.5, "duplicate", 1), (3.3, "repeat", 2)):
        time.sleep(pause)
        m.forget()
        m.force()
        assert s.events()[-1]["verdict"] == verdict, [e["verdict"] for e in s.events()]
        assert s.last()["repeats"] == repeats
        if verdict == "repeat":
            wait_for(lambda: m.types("good") == ["AXFR"], 10, "everybody")
            s.wait_peer("verified", "good")
        else:
            time.sleep(0.3)
            assert m.types("good") == []


def test_primaries_that_disagree(lab):
    """A-06: two contents by turns under one serial: it ends, with an alarm, and the first primary counts."""
    second = lab.add(FakePrimary("127.0.0.13", free_port()).start())
    second.add_zone(ZONE, zone_text(more=["other.example.test. 300 IN A 192.0.2.99"]))
    s = ForcedScene(lab, more_primaries={"second": {"address": second.address}})
    verdicts = []
    for n in range(8):
        who = second if n % 2 == 0 else s.primary
        assert who.notify(ZONE, s.at, qtype="AXFR").rcode == "NOERROR"
        s.wait_events(n + 1)
        s.settle()
        verdicts.append(s.events()[-1]["verdict"])
        if verdicts[-1] == "alternating":
            break
    assert verdicts[-1] == "alternating" and 3 <= len(verdicts) <= 5, verdicts
    assert s.relay.wait_event("forced-alternating")[0].level == "error"
    n = len(s.down.notifies)
    for _ in range(3):
        assert second.notify(ZONE, s.at, qtype="AXFR").rcode == "NOERROR"
        time.sleep(0.4)
    s.settle()
    time.sleep(0.3)
    assert s.serves(), "the first of them is believed"
    assert len(s.down.notifies) <= n + 1


@pytest.mark.parametrize("back", [True, False])
def test_not_back_to_where_it_came_from(lab, back):
    """A-05: to each, as the draft says; with forced-return: no, not to notifier and source."""
    to_primary = lab.add(FakeDownstream(PRIMARY, free_port()).start())
    s = ForcedScene(lab, template={"forced-return": back},
                    more_downstreams={"up-again": {"address": to_primary.address}})
    to_primary.forget()
    s.rewrite(["new A 192.0.2.9"])
    s.force()
    s.down.wait_notifies(1, ZONE, "AXFR")
    if back:
        to_primary.wait_notifies(1, ZONE, "AXFR")
    else:
        time.sleep(0.5)
        assert not to_primary.notifies
    s.update(["newer A 192.0.2.9"])
    assert to_primary.wait_hint(ZONE, 2), "NOTIFY(SOA) is not concerned"


def test_several_addresses(lab):
    """AN-03: a transaction for each address, a state for each."""
    other = lab.add(FakeDownstream("127.0.0.21", free_port()).start())
    other.per_type["AXFR"] = NotifyBehaviour(rcode="NOTIMP")
    s = ForcedScene(lab, start=False)
    s.relay.downstreams["down"]["address"] = [s.down.address, other.address]
    s.relay.write()
    s.relay.start()
    s.relay.wait_serial(ZONE, 1)
    s.force()
    s.wait_events(1)
    wait_for(lambda: sorted(s.peers().get("down", "").split(", ")) == ["acked", "unsupported"], 10, "two states")
    a, b = s.down.wait_notifies(1, ZONE, "AXFR")[0], other.wait_notifies(1, ZONE, "AXFR")[0]
    assert a.source[1] != b.source[1]
    assert {r["target"] for r in rows_of(s.relay.db, "SELECT target FROM no_axfr")} == {other.address}


def test_a_slow_one_holds_nobody_up(lab):
    """One that never reads, one that is dead: the others are notified at once."""
    m = Many(lab, ["silent", "good", "good-tcp"])
    m.downs["silent"].stop()
    start = time.monotonic()
    m.force()
    m.s.wait_peer("verified", "good")
    m.s.wait_peer("verified", "good-tcp")
    assert time.monotonic() - start < 3 * SLOW
