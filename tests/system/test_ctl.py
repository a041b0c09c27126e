# SPDX-License-Identifier: BSD-2-Clause
"""zonerelayctl against a running daemon, and against one that is down."""

import datetime
import json
import os
import re
import signal
import subprocess
import threading
import time

import pytest

from fakedownstream import FakeDownstream, Fetcher
from fakeprimary import FakePrimary
from fakewire import records_of
from forcing import ForcedScene
from lab import CTL, SLOW, free_port, wait_for, which
from scene import ZONE, Scene, zone_text

OK, FAILED, USAGE, NO_DAEMON, NO_ZONE, NO_DATABASE = range(6)
BEHIND, NEVER, EXPIRED, ODD = "behind.test", "never.test", "expired.test", r"odd\.dot.test"

# What programs may rely on, by command: the columns of sql/query/tool.sql.
ZONES_KEYS = set("name state activity serial records octets loaded_at checked_at refresh_at expire_at pending"
                 " failures error_code error error_at next_at".split())
ZONE_KEYS = ZONES_KEYS | set(
    "id version segments digest pending_at error_peer lane queued_at primary_name primary_address transfer"
    " transfer_at transfer_records transfer_octets transfer_messages want_serial ahead_primary ahead_serial"
    " ahead_at error_address older pending_notifier forced_wait forced_wait_at".split())
ZONE_PARTS = ["running", "verdict", "hint", "zone", "event", "problems", "primaries", "downstreams", "hooks", "targets",
              "transfers"]
EVENT_KEYS = set("event event_at last_at serial verdict repeats notifier source duration_us pinned".split())
HOOK_KEYS = set("name state kind serial since_at tries next_at last_at last_state last_serial last_duration_us"
                " last_text".split())
TARGET_KEYS = set("host address downstream state why text".split())
ZONE_PRIMARY_KEYS = set("name address trust transport serial seen_at error error_code error_at failures"
                        " held_until_at".split())
ZONE_DOWNSTREAM_KEYS = set("name address state notified_serial notified_at acked_serial acked_at fetched_serial"
                           " fetched_at acked_only owed_type tries next_at forced_excused forced_state forced_at"
                           " forced_text"
                           " unsupported_until_at error error_code error_at".split())
ZONE_TRANSFER_KEYS = set("started_at duration_us direction kind peer address from_serial to_serial octets records"
                         " messages error_code error".split())
DAEMON_KEYS = set("version pid started_at config database workers log_level rss zone_octets tcp_in tcp_out transfers_in"
                  " transfers_out queued unseen outbox store_lag_us datagrams_lost listen".split())
DATABASE_KEYS = set("zones records octets pending outbox loaded_at".split())
PRIMARY_KEYS = set("name address trust transport failures held_until_at transfers queued error error_at".split())
DOWNSTREAM_KEYS = set("name trust zones current behind owed acked_only forced_verified forced_acked forced_unverified"
                      " forced_unsupported forced_refused forced_owed unsupported_until_at notified_at acked_at"
                      " fetched_at inflight transfers error error_at".split())
WAIT_KEYS = set("name state activity pending forced_wait forced_wait_at serial failures transfer primary_name transfer_records"
                " transfer_octets want_serial expire_at error error_code error_peer next_at".split())

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
SPAN = r"(?:<1ms|0s|\d+ms|\d+\.\ds|\d+[smhdw](?:\d+[smhdw])?)"
AGO = rf"(?:now|{SPAN} ago)"
DOWN = "zonerelayctl: zonerelayd is not running; showing what the database knows\n"


def check_times(value):
    """Times are RFC 3339 or null, durations whole numbers, everywhere in an answer."""
    if isinstance(value, list):
        for v in value:
            check_times(v)
    elif isinstance(value, dict):
        for k, v in value.items():
            if k.endswith("_at") and v is not None:
                assert isinstance(v, str) and v.endswith("Z"), (k, v)
                at = datetime.datetime.fromisoformat(v[:-1] + "+00:00").timestamp()
                # A zone of these tests has no time that is far away.
                assert abs(at - time.time()) < 60 * 86400, (k, v)
            if k.endswith("_us") and v is not None:
                assert isinstance(v, int) and v >= 0, (k, v)
            check_times(v)


def ask(relay, *args):
    """One JSON document, and nothing else."""
    value = json.loads(relay.ctl("--json", *args).stdout)
    check_times(value)
    return value


def tool(*args):
    return subprocess.run([CTL, *args], capture_output=True, text=True, timeout=60 * SLOW, check=False)


def verdict(relay, zone, **how):
    """The first line, without the name in front."""
    lines = relay.ctl("zone", zone, **how).stdout.splitlines()
    assert lines[0].startswith(zone + ": "), lines[0]
    return lines[0][len(zone) + 2:]


class Fleet(Scene):
    """Zones in every state but failing: current, behind its own primary, never loaded, and one with an odd name."""

    def __init__(self, lab):
        self.second = lab.add(FakePrimary("127.0.0.13", free_port()).start())
        self.second.add_zone(BEHIND, zone_text(zone=BEHIND))
        super().__init__(lab, {ZONE: zone_text(), NEVER: None, BEHIND: None, ODD: zone_text(zone=ODD)},
                         more_primaries={"second": {"address": self.second.address}},
                         zone_conf={ZONE: {"primaries": ["up"]}, ODD: {"primaries": ["up"]},
                                    NEVER: {"primaries": ["up"]}, BEHIND: {"primaries": ["second"]}})
        self.relay.wait_serial(BEHIND, 1)
        wait_for(lambda: self.zone(NEVER)["activity"] == "waiting", 10, "the first failure")
        self.settle()
        self.settle(BEHIND)
        self.settle(ODD)

    def zone(self, name):
        return self.relay.json("zone", name)["zone"]

    def fall_behind(self):
        """A newer version that cannot be fetched."""
        for kind in ("IXFR", "AXFR"):
            self.second.behave(kind, rcode="SERVFAIL")
        self.second.update(BEHIND, ["new A 192.0.2.9"])
        assert self.second.notify(BEHIND, self.at, timeout=20 * SLOW).rcode == "NOERROR"
        wait_for(lambda: self.zone(BEHIND)["activity"] == "waiting", 10, "the failure")


# ---- showing ----


def test_status(lab):
    s = Fleet(lab)
    s.fall_behind()
    v = ask(s.relay, "status")
    assert set(v) == {"running", "daemon", "database", "states", "primaries", "certificates"} and v["running"] is True
    d = v["daemon"]
    assert set(d) == DAEMON_KEYS
    assert d["pid"] == s.relay.process.pid and d["config"] == s.relay.conf and d["database"] == s.relay.db
    assert d["listen"] == [s.relay.address] and d["log_level"] == "debug" and d["workers"] == 2
    assert 400 < d["zone_octets"] < 2000      # a table has some places to spare
    assert d["rss"] > 1 << 20 and d["transfers_in"] == 0
    assert set(v["database"]) == DATABASE_KEYS
    assert v["database"]["zones"] == 4 and v["database"]["records"] == 30
    assert {x["state"]: x["zones"] for x in v["states"]} == {"current": 2, "behind": 1, "never": 1}
    assert all(set(p) == PRIMARY_KEYS for p in v["primaries"])
    assert [(p["name"], p["address"]) for p in v["primaries"]] == \
        [("up", s.primary.address), ("second", s.second.address)]

    text = s.relay.ctl("status").stdout
    assert re.search(rf"^zonerelayd +{re.escape(d['version'])}, pid {d['pid']}, up {SPAN}, ", text, re.M), text
    assert re.search(r"^state +2 current, 1 behind, 1 never$", text, re.M), text
    assert re.search(r"^zones +4 with 30 records, ", text, re.M), text
    assert re.search(rf"^second +{re.escape(s.second.address)} ", text, re.M), text
    assert f"database        {s.relay.db}, " in text and f"configuration   {s.relay.conf}\n" in text


def test_zones(lab):
    s = Fleet(lab)
    s.fall_behind()
    v = ask(s.relay, "zones")
    assert all(set(z) == ZONES_KEYS for z in v)
    want = {BEHIND: "behind", ZONE: "current", NEVER: "never", ODD: "current"}
    assert {z["name"]: z["state"] for z in v} == want
    assert [z["name"] for z in v] == sorted(want)
    by_name = {z["name"]: z for z in v}
    assert by_name[ZONE]["serial"] == 1 and by_name[ZONE]["records"] == 10
    assert by_name[NEVER]["serial"] is None and by_name[NEVER]["error"]
    assert by_name[BEHIND]["error_code"] == "servfail" and by_name[BEHIND]["failures"] == 1
    for state in ("current", "behind", "failing", "expired", "never"):
        names = [z["name"] for z in ask(s.relay, "zones", "--state", state)]
        assert names == sorted(n for n, w in want.items() if w == state), state
        text = s.relay.ctl("zones", f"--state={state}").stdout
        if names:
            assert [line.split()[0] for line in text.splitlines()] == ["ZONE", *names], text
        else:
            assert text == f"no zone in state {state}\n"
    assert len(ask(s.relay, "zones", "--limit", "2")) == 2
    # Columns stand below their headings.
    head, *rows = s.relay.ctl("zones").stdout.splitlines()
    assert head.split()[:4] == ["ZONE", "STATE", "SERIAL", "RECORDS"] and len(rows) == 4
    at = head.index("STATE")
    assert all(row[at - 1] == " " and row[at:].split()[0] == want[row.split()[0]] for row in rows), rows


def test_zone_current(lab):
    s = Fleet(lab)
    s.update(["new A 192.0.2.9"])
    # Whoever fetches first is not waited for.
    wait_for(lambda: s.downstream_state()["acked_serial"] == 2, 10, "acknowledged")
    assert s.down.ixfr(ZONE, s.at, 1).kind == "diff"
    wait_for(lambda: s.downstream_state()["state"] == "current", 10, "fetched")
    s.settle()
    v = ask(s.relay, "zone", ZONE)
    assert list(v) == ZONE_PARTS
    assert v["event"] is None and v["problems"] == [] and v["hooks"] == []
    assert v["running"] is True and v["hint"] is None
    assert set(v["zone"]) == ZONE_KEYS
    z = v["zone"]
    assert (z["name"], z["state"], z["activity"], z["serial"], z["pending"], z["records"], z["error"]) == \
        (ZONE, "current", "idle", 2, "none", 11, None)
    assert len(z["digest"]) == 64 and z["checked_at"] < z["refresh_at"] < z["expire_at"]
    [p] = v["primaries"]
    assert set(p) == ZONE_PRIMARY_KEYS
    assert (p["name"], p["address"], p["serial"], p["error"]) == ("up", s.primary.address, 2, None)
    by_name = {d["name"]: d for d in v["downstreams"]}
    assert set(by_name) == {"down", "watch"}
    assert all(set(d) == ZONE_DOWNSTREAM_KEYS for d in v["downstreams"])
    d = by_name["down"]
    assert (d["state"], d["notified_serial"], d["acked_serial"], d["fetched_serial"]) == ("current", 2, 2, 2)
    assert all(set(t) == ZONE_TRANSFER_KEYS for t in v["transfers"])
    assert [(t["direction"], t["kind"], t["peer"], t["from_serial"], t["to_serial"], t["error"])
            for t in v["transfers"][:2]] == [("out", "IXFR", "down", 1, 2, None), ("in", "IXFR", "up", 1, 2, None)]

    text = s.relay.ctl("zone", ZONE).stdout
    assert re.fullmatch(rf"{ZONE}: current: serial 2, checked {AGO}", text.splitlines()[0]), text
    assert re.search(r"^content   serial 2, version 2, 11 records, \S+ \S?B in 1 segment$", text, re.M), text
    for label in ("loaded", "checked", "refresh", "expire"):
        assert re.search(rf"^{label} +{STAMP} \((in {SPAN}|{AGO})\)$", text, re.M), (label, text)
    assert re.search(rf"^up +{re.escape(s.primary.address)} +2 {AGO}", text, re.M), text
    assert re.search(rf"^down +{re.escape(s.down.address)} +current +2 {AGO} +2 {AGO} +2 {AGO}", text, re.M), text
    assert s.relay.ctl("zone", "--check", ZONE).returncode == OK


def test_zone_behind_and_never(lab):
    """Behind: who has what, why, and when next.  Never loaded: likewise."""
    s = Fleet(lab)
    s.fall_behind()
    line = verdict(s.relay, BEHIND)
    m = re.fullmatch(rf"behind: primary second has 2, we have 1, last attempt failed {AGO}: (.*),"
                     rf" next try in ({SPAN}) \(({STAMP})\)", line)
    assert m, line
    assert "SERVFAIL" in m[1] and "127.0.0.13" in m[1], line
    due = datetime.datetime.fromisoformat(m[3][:-1] + "+00:00").timestamp() - time.time()
    assert 500 < due < 605, "RETRY is 600, less up to a tenth"
    v = ask(s.relay, "zone", BEHIND)
    assert v["zone"]["ahead_primary"] == "second" and v["zone"]["ahead_serial"] == 2
    assert v["hint"] == ("the primary cannot serve the zone itself; its log says why;"
                         f" try: dig @127.0.0.13 -p {s.second.port} {BEHIND} SOA")
    assert v["verdict"].startswith("behind: primary second has 2, we have 1")
    assert f"\nhint      {v['hint']}\n" in s.relay.ctl("zone", BEHIND).stdout
    # More failures are counted.
    assert s.relay.ctl("refresh", "--wait", BEHIND, check=False).returncode == FAILED
    assert re.search(r"last attempt failed \S+( ago)? \(2 in a row\): ", verdict(s.relay, BEHIND))

    line = verdict(s.relay, NEVER)
    assert re.fullmatch(rf"never loaded, last attempt failed {AGO}(?: \(\d+ in a row\))?: .*NOTAUTH.*,"
                        rf" (next try in {SPAN} \({STAMP}\)|next try is due|now .*)", line), line
    assert not re.search("^content", s.relay.ctl("zone", NEVER).stdout, re.M)
    for zone in (BEHIND, NEVER):
        p = s.relay.ctl("zone", "--check", zone, check=False)
        assert p.returncode == FAILED and p.stdout and not p.stderr

    # The way out of it.
    s.second.behave()
    p = s.relay.ctl("refresh", "--wait", BEHIND)
    assert re.fullmatch(rf"{BEHIND}: current: serial 2 \(waited {SPAN}\)\n", p.stdout), p.stdout
    assert verdict(s.relay, BEHIND, check=False).startswith("current: serial 2")


def test_zone_failing_then_expired(lab):
    """No primary answers: what we have is served until it expires, then not any more; and the return."""
    s = Scene(lab, {ZONE: zone_text(refresh=1, retry=1, expire=6)},
              template={"refresh": "1s..1s", "retry": "1s..1s"}, server={"soa-timeout": "100ms", "soa-tries": 1,
                                                                       "connect-timeout": "100ms"})
    s.primary.stop()
    line = wait_for(lambda: (lambda v: v if v.startswith("failing") else None)(verdict(s.relay, ZONE)), 20,
                    "failing", every=0.05)
    assert re.match(rf"failing: no primary could be asked; serial 1 is served for another {SPAN} \(until {STAMP}\),"
                    rf" last attempt failed {AGO}", line), line
    assert s.relay.serial(ZONE) == 1
    line = wait_for(lambda: (lambda v: v if v.startswith("expired") else None)(verdict(s.relay, ZONE)), 20,
                    "expired", every=0.05)
    assert re.match(rf"expired since {STAMP} \({AGO}\): serial 1 is not served any more, last attempt failed ", line)
    assert s.relay.serial(ZONE) is None
    assert [z["state"] for z in ask(s.relay, "zones")] == ["expired"]
    assert ask(s.relay, "status")["states"] == [{"state": "expired", "zones": 1}]
    p = s.relay.ctl("export", ZONE)
    assert p.stderr == f"zonerelayctl: {ZONE} has expired; this is its last content\n" and p.stdout
    p = s.relay.ctl("notify", ZONE, check=False)
    assert (p.returncode, p.stdout) == (FAILED, "") and "not served" in p.stderr
    s.primary.start()
    assert s.relay.ctl("refresh", "--wait", ZONE).stdout.startswith(f"{ZONE}: current: serial 1")
    assert s.relay.serial(ZONE) == 1


def test_zone_behind_us(lab):
    """Primaries that answer with an older serial: that is said, and not that none could be asked."""
    s = Scene(lab, {ZONE: zone_text(serial=10)})
    s.settle()
    s.primary.update(ZONE, serial=7)
    assert s.relay.ctl("refresh", "--wait", ZONE, check=False).returncode == FAILED
    line = verdict(s.relay, ZONE)
    assert re.fullmatch(rf"failing: up has 7, which is not newer; serial 10 is served for another {SPAN} \(until"
                        rf" {STAMP}\), next try in {SPAN} \({STAMP}\)", line), line
    v = ask(s.relay, "zone", ZONE)
    assert v["zone"]["older"] == "up has 7" and v["zone"]["activity"] == "waiting"
    assert v["hint"] == ("raise the serial at the primary above 10; or, to take over what it has:"
                         f" zonerelayctl retransfer {ZONE}")
    assert s.relay.ctl("retransfer", "--wait", ZONE).stdout.startswith(f"{ZONE}: current: serial 7")
    assert verdict(s.relay, ZONE).startswith("current: serial 7")


# ---- forced transfers ----


class Forced(ForcedScene):
    """Downstreams of every kind: one that fetches, one that only says so, one that does not know, one that refuses."""

    def __init__(self, lab, **template):
        self.mute, self.old, self.strict = (lab.add(FakeDownstream(f"127.0.0.{n}", free_port()).start())
                                            for n in (14, 15, 16))
        more = {"mute": {"address": self.mute.address},
                "old": {"address": self.old.address}, "strict": {"address": self.strict.address}}
        super().__init__(lab, more_downstreams=more, down=Fetcher,
                         template=dict({"forced-verify": "1s", "forced-splay": "0s"}, **template))
        self.down.at = self.at
        self.old.answer.rcode = "FORMERR"
        self.strict.answer.rcode = "REFUSED"

    def states(self):
        return {d["name"]: d["forced_state"] for d in ask(self.relay, "zone", ZONE)["downstreams"]}

    def wait_states(self, **want):
        wait_for(lambda: {k: v for k, v in self.states().items() if k in want} == want, 20, f"{want}")


def test_forced_states(lab):
    """What became of a forced transfer at each downstream, what is a problem, and what to do about it."""
    s = Forced(lab)
    s.rewrite(["forced A 192.0.2.1"])
    s.force()
    want = {"down": "verified", "mute": "unverified", "old": "unsupported", "strict": "refused"}
    s.wait_states(**want)
    v = ask(s.relay, "zone", ZONE)
    assert list(v) == ZONE_PARTS and set(v["zone"]) == ZONE_KEYS and set(v["event"]) == EVENT_KEYS
    e = v["event"]
    assert (e["event"], e["serial"], e["verdict"], e["notifier"], e["source"], e["pinned"]) == (1, 1, "new", "up", "up", 0)
    assert all(set(d) == ZONE_DOWNSTREAM_KEYS for d in v["downstreams"])
    assert all(set(t) == TARGET_KEYS for t in v["targets"])
    assert {(t["downstream"], t["state"], t["why"]) for t in v["targets"]} == {(d, "in", "in") for d in want}
    text = s.relay.ctl("zone", ZONE).stdout
    first = text.splitlines()[0]
    assert first.startswith(f"{ZONE}: current: serial 1, checked "), first
    assert first.endswith("; acknowledged the forced transfer but has not come for it: mute; does not know NOTIFY(AXFR):"
                          " old; refused NOTIFY(AXFR): strict"), first
    assert v["verdict"].endswith(first[first.index(";"):])
    assert re.search(rf"^event     1 at {STAMP} \({AGO}\): serial 1 from up, asked for by up: other content than before,"
                     rf" passed on to all$", text, re.M), text
    problems = re.findall(r"^problem   (.*)$", text, re.M)
    assert problems == v["problems"] and len(problems) == 3, problems
    by_name = {p.split()[0]: p for p in problems}
    assert by_name["mute"].startswith(f"mute at {s.mute.address} acknowledged NOTIFY(AXFR), but has not come for the zone")
    assert "nsd-control force_transfer" in by_name["mute"] and "rndc retransfer" in by_name["old"]
    assert by_name["old"].startswith(f"old at {s.old.address} does not know NOTIFY(AXFR)")
    assert by_name["strict"].startswith(f"strict at {s.strict.address} refused NOTIFY(AXFR)")
    for name, words in (("down", "verified: fetched the whole zone at "), ("mute", "acknowledged, but has not come"),
                        ("old", r"does not know NOTIFY\(AXFR\), got NOTIFY\(SOA\); run a retransfer there; not tried again"
                                rf" until {STAMP} \(in 23h59m\)"), ("strict", f"refused at {STAMP}")):
        assert re.search(rf"^{name} +127\S+ +{words}", text, re.M), (name, text)
    # The same when the daemon is down.
    s.relay.stop()
    assert {d["name"]: d["forced_state"] for d in json.loads(read(s, "--json", "zone", ZONE))["downstreams"]
            if d["forced_state"]} == want
    assert re.findall(r"^problem   (.*)$", read(s, "zone", ZONE), re.M) == problems
    # And the fleet as a whole.
    s.relay.start()
    for how in (ask(s.relay, "downstreams"), None):
        if how is None:
            s.relay.stop()
            how = json.loads(read(s, "--json", "downstreams"))
        found = {d["name"]: d for d in how}
        for name, state in want.items():
            counts = {k: v for k, v in found[name].items() if k.startswith("forced_")}
            assert set(found[name]) == DOWNSTREAM_KEYS
            assert counts == {k: int(k == "forced_" + state) for k in counts}, (name, counts)
            assert (found[name]["unsupported_until_at"] is not None) == (name == "old")
    text = read(s, "downstreams")
    assert re.search(r"^mute .* 1 UNVERIFIED ", text, re.M) and re.search(r"^down .* 1 verified ", text, re.M), text
    assert f"problem   mute acknowledged NOTIFY(AXFR), but has not come, for 1 zone: {ZONE}\n" in text
    assert f"problem   strict refused NOTIFY(AXFR) of 1 zone: {ZONE}\n" in text


def test_forced_pending(lab):
    """A forced transfer that has to wait: who asked, and until when, and why."""
    s = Forced(lab, **{"forced-interval": "60s", "forced-burst": 1})
    s.force()
    s.wait_events(1)
    s.wait_states(down="verified")
    s.force()
    line = verdict(s.relay, ZONE)
    m = re.search(rf", a forced transfer is pending since {SPAN} \(asked for by up\) and waits until ({STAMP}) \(zone limit:"
                  r" 1 per 1m\)", line)
    assert m, line
    due = datetime.datetime.fromisoformat(m[1][:-1] + "+00:00").timestamp() - time.time()
    assert 30 < due < 61
    z = ask(s.relay, "zone", ZONE)["zone"]
    assert (z["pending"], z["pending_notifier"], z["forced_wait"]) == ("force", "up", "zone limit")
    assert z["pending_at"] < z["forced_wait_at"]
    assert re.search(rf"^owed      forced transfer, since {STAMP} \({AGO}\), asked for by up$",
                     s.relay.ctl("zone", ZONE).stdout, re.M)
    s.relay.stop()
    line = read(s, "zone", ZONE).splitlines()[0]
    assert re.search(rf", a forced transfer is pending since {SPAN} \(asked for by up\)", line), line


def test_forced_hooks(lab):
    """Commands: the last result, the next try, and the one that failed for good."""
    mute = lab.add(FakeDownstream("127.0.0.14", free_port()).start())
    shell = ["/bin/sh", "-c"]
    s = ForcedScene(lab, down=Fetcher, template={"forced-verify": "1s", "forced-splay": "0s"}, more_downstreams={
        "good": {"address": mute.address, "on-forced": ["/bin/true"]},
        "bad": {"on-forced": [*shell, "echo no such zone >&2; exit 78"], "notify": False, "transfer-from": ["127.0.0.15"]},
        "again": {"on-forced": [*shell, "echo busy >&2; exit 1"], "notify": False, "transfer-from": ["127.0.0.16"]}})
    s.down.at = s.at
    s.force()

    def hooks():
        return {h["name"]: h for h in ask(s.relay, "zone", ZONE)["hooks"]}
    wait_for(lambda: {n: h["state"] for n, h in hooks().items()} == {"good": "done", "bad": "failed", "again": "retry"},
             20, "the commands")
    found = hooks()
    assert all(set(h) == HOOK_KEYS for h in found.values())
    assert {h["kind"] for h in found.values()} == {"AXFR"} and {h["last_serial"] for h in found.values()} == {1}
    assert "no such zone" in found["bad"]["last_text"] and found["again"]["next_at"] > found["again"]["last_at"]
    s.wait_peer("unverified", "good")
    text = s.relay.ctl("zone", ZONE).stdout
    assert re.search(rf"^good +AXFR +1  ended well {AGO}, took {SPAN}$", text, re.M), text
    assert re.search(rf"^bad +AXFR +1  failed {AGO}, took {SPAN}: .*no such zone; given up$", text, re.M), text
    assert re.search(rf"^again +AXFR +1  failed 1 time, next at {STAMP} \(in {SPAN}\); last: failed .*busy$", text, re.M), text
    [problem] = re.findall(r"^problem   (.*)$", text, re.M)
    assert problem.startswith("the command of bad failed for good"), "its command has just been run for good"
    assert text.splitlines()[0].endswith("; command failed: bad")
    s.relay.stop()
    text = read(s, "zone", ZONE)
    assert re.search(rf"^again +AXFR +1  failed 1 time, next ", text, re.M), text
    assert re.search(r"^bad +AXFR +1  failed .*; given up$", text, re.M), text


def test_targets(lab):
    """Who is notified without a list, and who is not and why."""
    text = zone_text(hosts=0, more=[f"ns1.{ZONE}. 300 IN A 127.0.0.12"])
    s = Scene(lab, {ZONE: text}, zone_conf={ZONE: {"notify-targets": "acl", "also-notify": ["127.0.0.19@9"]}})
    v = wait_for(lambda: ask(s.relay, "zone", ZONE)["targets"], 20, "targets")
    assert all(set(t) == TARGET_KEYS for t in v)
    assert {"in", "out"} >= {t["state"] for t in v} and any(t["why"] == "also-notify" for t in v), v
    text = s.relay.ctl("zone", ZONE).stdout
    assert re.search(r"^TARGET +ADDRESS +DOWNSTREAM +NOTIFIED +WHY$", text, re.M), text
    for t in v:
        assert re.search(rf"^\S+ +{re.escape(t['address'] or '-')} .*{t['state']} +{re.escape(t['text'])}$", text, re.M), (t, text)


def test_transfers(lab):
    s = Fleet(lab)
    s.fall_behind()
    s.update(["new A 192.0.2.9"])
    assert s.down.axfr(ZONE, s.at).ok
    wait_for(lambda: s.downstream_state()["state"] == "current", 10, "fetched")
    v = wait_for(lambda: (lambda v: v if len(v) == 6 else None)(ask(s.relay, "transfers")), 10, "all transfers")
    assert all(set(t) == ZONE_TRANSFER_KEYS | {"name"} for t in v)
    assert [t["started_at"] for t in v] == sorted((t["started_at"] for t in v), reverse=True)
    got = {(t["name"], t["direction"], t["kind"], t["peer"], t["from_serial"], t["to_serial"], t["error_code"])
           for t in v}
    assert {(ZONE, "in", "AXFR", "up", None, 1, None), (ZONE, "in", "IXFR", "up", 1, 2, None),
            (ZONE, "out", "AXFR", "down", None, 2, None), (BEHIND, "in", "AXFR", "second", None, 1, None),
            (ODD, "in", "AXFR", "up", None, 1, None)} <= {g[:4] + (g[4] or None,) + g[5:] for g in got}, got
    assert [t["error_code"] for t in v if t["name"] == BEHIND and t["error"]] == ["servfail"]
    of_one = ask(s.relay, "transfers", ZONE)
    assert len(of_one) == 3 and {t["name"] for t in of_one} == {ZONE}
    assert ask(s.relay, "transfers", "--limit", "1", ZONE) == of_one[:1]
    assert len(ask(s.relay, "transfers", "-n2")) == 2
    assert ask(s.relay, "transfers", NEVER) == []
    assert s.relay.ctl("transfers", NEVER).stdout == "no transfer yet\n"
    head, *rows = s.relay.ctl("transfers").stdout.splitlines()
    assert head.split()[:4] == ["ZONE", "WHEN", "DIR", "KIND"] and len(rows) == 6
    assert sum(row.endswith(" ok") for row in rows) == 5


def test_downstreams(lab):
    s = Fleet(lab)
    v = ask(s.relay, "downstreams")
    assert all(set(d) == DOWNSTREAM_KEYS for d in v) and [d["name"] for d in v] == ["down", "watch"]
    d = v[0]
    assert (d["zones"], d["current"], d["behind"], d["owed"], d["acked_only"]) == (3, 0, 3, 0, 3), d
    assert s.down.axfr(ZONE, s.at).ok
    d = wait_for(lambda: (lambda d: d if d["current"] else None)(ask(s.relay, "downstreams")[0]), 10, "fetched")
    assert (d["zones"], d["current"], d["behind"], d["owed"], d["acked_only"]) == (3, 1, 2, 0, 2), d
    s.down.answer.silence = True
    s.update(["new A 192.0.2.9"])
    d = wait_for(lambda: (lambda d: d if d["owed"] else None)(ask(s.relay, "downstreams")[0]), 10, "owed")
    assert (d["zones"], d["current"], d["behind"], d["owed"], d["acked_only"]) == (3, 0, 2, 1, 2), d
    head, *rows = s.relay.ctl("downstreams").stdout.splitlines()
    assert head.split()[:5] == ["DOWNSTREAM", "ZONES", "CURRENT", "BEHIND", "OWED"]
    assert rows[0].split()[:5] == ["down", "3", "0", "2", "1"], rows


# ---- commanding ----


def test_refresh(lab):
    s = Fleet(lab)
    s.primary.forget()
    s.second.forget()
    p = s.relay.ctl("refresh", ZONE)
    assert p.stdout == f"{ZONE} will be checked\n"
    s.primary.wait_count("SOA", 1)
    s.settle()
    assert ask(s.relay, "refresh", ZONE) == {"kind": "order", "zones": 1}
    s.primary.wait_count("SOA", 2)
    s.settle()
    # Not announced: only the check can bring it.
    s.primary.update(ZONE, ["new A 192.0.2.9"])
    p = s.relay.ctl("refresh", "--wait", ZONE)
    assert re.fullmatch(rf"{ZONE}: current: serial 2 \(waited {SPAN}\)\n", p.stdout), p.stdout
    assert s.relay.serial(ZONE) == 2, "when it returns it is served"
    s.primary.update(ZONE, ["newer A 192.0.2.9"])
    v = ask(s.relay, "refresh", "-w", ZONE)
    assert set(v) == WAIT_KEYS
    assert (v["name"], v["serial"], v["failures"], v["pending"], v["activity"]) == (ZONE, 3, 0, "none", "idle")
    assert s.primary.count("AXFR") == 0 and s.primary.count("IXFR") == 2
    # All of them.
    s.settle()
    s.primary.forget()
    s.second.forget()
    assert s.relay.ctl("refresh", "--all").stdout == "4 zones will be checked\n"
    s.second.wait_count("SOA", 1)
    s.primary.wait_count("SOA", 3)
    assert {q.zone.rstrip(".") for q in s.primary.queries_of("SOA")} == {ZONE, NEVER, ODD}
    assert ask(s.relay, "refresh", "--all") == {"kind": "order", "zones": 4}
    # One that fails.
    p = s.relay.ctl("refresh", "--wait", NEVER, check=False)
    assert p.returncode == FAILED and p.stdout.startswith(f"{NEVER}: never loaded, last attempt failed"), p.stdout
    assert "NOTAUTH" in p.stdout


def test_wait_timeout(lab):
    """--timeout ends the waiting, not the work."""
    s = Scene(lab)
    s.settle()
    hold = threading.Event()
    s.primary.once("IXFR", hold=hold)
    s.primary.update(ZONE, ["new A 192.0.2.9"])
    start = time.monotonic()
    p = s.relay.ctl("refresh", "--wait", "--timeout", "300ms", ZONE, check=False)
    assert p.returncode == FAILED and 0.3 <= time.monotonic() - start < 5 * SLOW
    assert (p.stdout, p.stderr) == ("", f"zonerelayctl: {ZONE}: not done in time; it goes on without us\n")
    s.primary.wait_count("IXFR", 1)
    line = verdict(s.relay, ZONE)
    assert re.fullmatch(rf"behind: primary up has 2, we have 1, now transferring IXFR from up(: .*)?( in {SPAN})?",
                        line)
    hold.set()
    s.relay.wait_serial(ZONE, 2)


def test_retransfer(lab):
    s = Scene(lab)
    s.settle()
    s.primary.forget()
    p = s.relay.ctl("retransfer", ZONE)
    assert p.stdout == f"{ZONE} will be transferred\n"
    s.primary.wait_count("AXFR", 1)
    s.settle()
    # Same serial, other content: only a whole transfer can see it.
    s.primary.update(ZONE, ["silent A 192.0.2.9"], serial=1)
    p = s.relay.ctl("retransfer", "--wait", ZONE)
    assert p.stdout.startswith(f"{ZONE}: current: serial 1 (waited "), p.stdout
    assert s.primary.count("AXFR") == 2 and s.primary.count("IXFR") == 0
    assert s.axfr().keys() == s.content()
    s.settle()
    s.primary.behave("AXFR", rcode="REFUSED")
    p = s.relay.ctl("retransfer", "--wait", ZONE, check=False)
    assert p.returncode == FAILED and "REFUSED" in p.stdout, p.stdout


def test_notify(lab):
    other = lab.add(FakeDownstream("127.0.0.14", free_port()).start())
    s = Scene(lab, {ZONE: zone_text(), NEVER: None}, more_downstreams={"other": {"address": other.address}})
    s.settle()
    s.down.forget()
    other.forget()
    assert s.relay.ctl("notify", ZONE).stdout == f"{ZONE}: 2 NOTIFYs will be sent\n"
    s.down.wait_hint(ZONE, 1)
    other.wait_hint(ZONE, 1)
    s.settle()
    assert s.relay.ctl("notify", ZONE, "other").stdout == f"{ZONE}: 1 NOTIFY will be sent\n"
    other.wait_notifies(2)
    s.settle()
    assert ask(s.relay, "notify", ZONE, "other") == {"kind": "order", "zones": 1, "notifies": 1}
    other.wait_notifies(3)
    assert len(s.down.notifies) == 1
    for name in ("nobody", "watch"):    # unknown; not to be notified
        p = s.relay.ctl("notify", ZONE, name, check=False)
        assert p.returncode == NO_ZONE and name in p.stderr and not p.stdout, (name, p)
    p = s.relay.ctl("notify", NEVER, check=False)
    assert (p.returncode, p.stdout) == (FAILED, "") and "not served" in p.stderr


def test_notify_axfr(lab):
    """AN-20: by command, to all or to one; --wait says what became of each, and the exit status whether all is well."""
    s = Forced(lab)
    assert s.relay.ctl("notify", "--axfr", ZONE, "down").stdout == f"{ZONE}: 1 NOTIFY(AXFR) will be sent\n"
    s.down.wait_notifies(1, qtype="AXFR")
    s.wait_states(down="verified")
    p = s.relay.ctl("notify", "--axfr", "--wait", ZONE, "down")
    assert re.fullmatch(rf"DOWNSTREAM +ADDRESS +WHAT BECAME OF IT\ndown +{re.escape(s.down.address)}  verified: fetched the"
                        rf" whole zone at {STAMP} \({AGO}\)\n", p.stdout), p.stdout
    assert len(s.down.fetched) == 2
    assert re.search(r"^event     \d+ at .*: NOTIFY\(AXFR\) by command, no transfer$", s.relay.ctl("zone", ZONE).stdout, re.M)
    p = s.relay.ctl("notify", "--axfr", "--wait", ZONE, check=False)
    assert p.returncode == FAILED and not p.stderr, p
    rows = {line.split()[0]: line for line in p.stdout.splitlines()[1:]}
    assert set(rows) == {"down", "mute", "old", "strict"} and "  verified: " in rows["down"]
    assert "has not come for the zone" in rows["mute"] and "does not know" in rows["old"] and "refused" in rows["strict"]
    v = json.loads(s.relay.ctl("--json", "notify", "--axfr", "-w", ZONE, "old", check=False).stdout)
    assert [(r["name"], r["forced_state"]) for r in v] == [("old", "unsupported")]
    for n, asked in ((s.down, 4 - 1), (s.mute, 1)):
        assert len([x for x in n.notifies if x.qtype == "AXFR"]) == asked, n.notifies
    # A target that is down is not waited for for ever.
    s.mute.answer.silence = True
    start = time.monotonic()
    p = s.relay.ctl("notify", "--axfr", "--wait", "-t", "500ms", ZONE, "mute", check=False)
    assert p.returncode == FAILED and time.monotonic() - start < 5 * SLOW
    assert "no answer yet" in p.stdout and p.stderr == f"zonerelayctl: {ZONE}: not done in time; it goes on without us\n"
    s.mute.answer.silence = False
    wait_for(lambda: s.states()["mute"] == "unverified", 20, "the next try")
    # NOTIFY(SOA): the answer is the end of it.
    p = s.relay.ctl("notify", "--wait", ZONE, "mute")
    assert re.search(rf"^mute +{re.escape(s.mute.address)}  acknowledged at {STAMP} ", p.stdout, re.M), p.stdout
    p = s.relay.ctl("notify", "--wait", "-t", "20s", ZONE, "strict", check=False)
    assert p.returncode == FAILED and re.search(r"^strict .* refused at .*REFUSED$", p.stdout, re.M), p
    assert s.relay.ctl("notify", "--axfr", "--wait", ZONE, "nobody", check=False).returncode == NO_ZONE


def test_export(lab):
    """What was transferred comes out as a zone file, to a pipe, a file, and also when the daemon is down."""
    more = [f'txt.{ZONE}. 300 IN TXT "two" "quo\\"ted; \\233" ""', f"*.wild.{ZONE}. 300 IN MX 10 .",
            f"gen.{ZONE}. 300 IN TYPE65280 \\# 3 010203", f"a\\.b\\032c.{ZONE}. 300 IN A 192.0.2.7",
            f"sub.{ZONE}. 300 IN DNAME other.example.", f"_s._tcp.{ZONE}. 300 IN SRV 1 2 53 ns1.{ZONE}."]
    s = Scene(lab, {ZONE: zone_text(serial=77, hosts=300, more=more), NEVER: None, ODD: zone_text(zone=ODD)})
    folder = lab.folder("out")
    path = os.path.join(folder, "zone")
    text = s.relay.ctl("export", ZONE).stdout
    assert text.startswith(f"; {ZONE} serial 77, from the database of zonerelay ")
    assert sorted(r.key() for r in records_of(text, ZONE)) == s.content()
    assert "\tSOA\t" in text.splitlines()[1], "the SOA comes first"
    assert s.relay.ctl("export", ZONE, "-").stdout == text
    p = s.relay.ctl("export", ZONE, path)
    assert (p.stdout, p.stderr) == ("", "")
    with open(path) as f:
        assert f.read() == text
    assert os.listdir(folder) == ["zone"], "nothing is left beside it"
    v = ask(s.relay, "export", ZONE, path)
    assert v == {"serial": 77, "records": len(s.content())}
    if which("named-checkzone"):
        p = subprocess.run([which("named-checkzone"), "-i", "none", "-k", "ignore", ZONE, path], capture_output=True,
                           text=True, check=False)
        assert p.returncode == 0 and "loaded serial 77" in p.stdout, p.stdout + p.stderr
    if which("ldns-read-zone"):
        p = subprocess.run([which("ldns-read-zone"), path], capture_output=True, text=True, check=False)
        assert p.returncode == 0 and len(p.stdout.splitlines()) == len(s.content()), p.stdout + p.stderr
    # A name with a dot inside of a label.
    odd = s.relay.ctl("export", ODD).stdout
    assert sorted(r.key() for r in records_of(odd, ODD)) == s.content(ODD)
    # What cannot be: said, and what stood there stays.
    p = s.relay.ctl("export", NEVER, check=False)
    assert (p.returncode, p.stdout, p.stderr) == (FAILED, "", f"zonerelayctl: {NEVER} was never loaded\n")
    p = s.relay.ctl("export", NEVER, path, check=False)
    assert p.returncode == FAILED and os.path.getsize(path) == len(text.encode())
    p = s.relay.ctl("export", ZONE, os.path.join(folder, "none", "zone"), check=False)
    assert p.returncode == FAILED and "No such file or directory" in p.stderr
    s.relay.stop()
    p = s.relay.ctl("export", ZONE)
    assert p.stdout == text


def test_stop(lab):
    s = Scene(lab)
    for args, out in (((), "zonerelayd ends\n"), (("--json",), "{}\n")):
        p = s.relay.ctl("stop", *args)
        assert (p.stdout, p.stderr) == (out, "")
        wait_for(lambda: not s.relay.process.alive(), 20, "the end")
        assert s.relay.process.proc.returncode == 0 and not os.path.exists(s.relay.sock)
        assert s.relay.process.output().rstrip().endswith(" stopped")
        s.relay.start()
        assert s.relay.serial(ZONE) == 1


def test_reload(lab):
    """What it counts; test_config has what it does."""
    s = Scene(lab)
    assert s.relay.ctl("reload").stdout == "1 zone: 0 added, 0 removed, 0 changed\n"
    s.relay.zones["more.test"] = {}
    s.relay.zones["much.more.test"] = {}
    s.relay.write()
    assert s.relay.ctl("reload").stdout == "3 zones: 2 added, 0 removed, 0 changed\n"
    del s.relay.zones["more.test"]
    s.relay.zones[ZONE] = {"refresh": "1h"}
    s.relay.write()
    assert ask(s.relay, "reload") == {"kind": "order", "zones": 2, "added": 0, "removed": 1, "changed": 1}


# ---- names, and what is wrong ----


def test_names(lab):
    """A zone is named in any case, with and without its final dot, escaped as one likes."""
    s = Scene(lab, {ZONE: zone_text(), ODD: zone_text(zone=ODD)})
    s.settle()
    for name in (ZONE, ZONE + ".", ZONE.upper(), "eXaMpLe.TeSt.", r"ex\097mple.test", r"\e\x\a\mple.test"):
        assert ask(s.relay, "zone", name)["zone"]["name"] == ZONE, name
        assert [t["name"] for t in ask(s.relay, "transfers", name)] == [ZONE]
        assert s.relay.ctl("refresh", "--wait", name).stdout.startswith(f"{ZONE}: current"), name
        assert s.relay.ctl("notify", name).stdout.startswith(f"{ZONE}: 1 NOTIFY "), name
        assert s.relay.ctl("export", name).stdout.startswith(f"; {ZONE} serial 1, "), name
    for name in (ODD, r"ODD\046DOT.test."):
        assert ask(s.relay, "zone", name)["zone"]["name"] == ODD
        assert s.relay.ctl("refresh", "--wait", name).stdout.startswith(f"{ODD}: current")
    for name in ("a..b", "." + ZONE, "x" * 64 + ".test", r"bad\999.test", ""):
        for command in ("zone", "refresh", "export"):
            p = s.relay.ctl(command, name, check=False)
            assert (p.returncode, p.stdout) == (USAGE, "") and "not a domain name" in p.stderr, (command, name, p)


def test_unknown_zone(lab):
    s = Scene(lab)
    commands = (["zone"], ["zone", "--check"], ["transfers"], ["export"], ["refresh"], ["refresh", "--wait"],
                ["retransfer"], ["retransfer", "--wait"], ["notify"])
    for running in (True, False):
        for name in ("no.test", "www." + ZONE, "test", "."):
            for command in commands:
                for more in ([], ["--json"]):
                    p = s.relay.ctl(*command, *more, name, check=False)
                    order = command[0] in ("refresh", "retransfer", "notify")
                    want = NO_DAEMON if order and not running else NO_ZONE
                    assert p.returncode == want, (command, name, running, p)
                    assert p.stdout == "" and (name in p.stderr or want == NO_DAEMON), (command, p)
        s.relay.stop()
    # In the file, but the daemon has not seen it.
    s.relay.start()
    s.relay.zones["later.test"] = {}
    s.relay.write()
    p = s.relay.ctl("zone", "later.test", check=False)
    assert p.returncode == NO_ZONE and "configured" in p.stderr and "zonerelayctl reload" in p.stderr, p


@pytest.mark.parametrize("crash", [False, True])
def test_daemon_down(lab, crash):
    """Reads work, and say so; orders do not."""
    s = Fleet(lab)
    s.fall_behind()
    s.down.answer.silence = True
    s.update(["new A 192.0.2.9"])
    s.down.wait_hint(ZONE, 2)
    before = {z["name"]: z for z in ask(s.relay, "zones")}
    wait_for(lambda: ask(s.relay, "downstreams")[0]["owed"] == 1, 10, "owed")
    if crash:
        s.relay.kill()
        assert os.path.exists(s.relay.sock), "nobody has removed it"
    else:
        s.relay.stop()

    v = json.loads(read(s, "--json", "status"))
    check_times(v)
    assert v["running"] is False and v["daemon"] is None
    assert set(v["database"]) == DATABASE_KEYS
    assert (v["database"]["zones"], v["database"]["outbox"]) == (4, 1)
    assert {x["state"]: x["zones"] for x in v["states"]} == {"current": 2, "behind": 1, "never": 1}
    text = read(s, "status")
    assert "zonerelayd      not running\n" in text and "outbox          1 NOTIFYs owed\n" in text

    after = {z["name"]: z for z in json.loads(read(s, "--json", "zones"))}
    assert set(after) == set(before)
    for name, z in after.items():
        assert set(z) == ZONES_KEYS and z["activity"] is None
        assert all(z[k] == before[name][k] for k in ("state", "serial", "records", "loaded_at", "error")), (z, before)
    assert [z["name"] for z in json.loads(read(s, "--json", "zones", "--state", "behind"))] == [BEHIND]

    v = json.loads(read(s, "--json", "zone", BEHIND))
    check_times(v)
    assert v["running"] is False and set(v["zone"]) == ZONE_KEYS
    assert [p["name"] for p in v["primaries"]] == ["second"]
    assert {d["name"] for d in v["downstreams"]} == {"down", "watch"}
    line = read(s, "zone", BEHIND).splitlines()[0]
    assert re.match(rf"{BEHIND}: behind: primary second has 2, we have 1, last attempt failed {AGO}: .*SERVFAIL", line)
    assert read(s, "zone", ZONE).startswith(f"{ZONE}: current: serial 2")
    assert read(s, "zone", NEVER).startswith(f"{NEVER}: never loaded")

    assert {t["name"] for t in json.loads(read(s, "--json", "transfers"))} == {ZONE, BEHIND, ODD}
    assert len(json.loads(read(s, "--json", "transfers", ZONE))) == 2
    d = json.loads(read(s, "--json", "downstreams"))[0]
    assert (d["name"], d["owed"]) == ("down", 1)
    assert "not running" in s.relay.ctl("version").stdout
    assert ask(s.relay, "version")["zonerelayd"] is None

    for order in (["refresh", ZONE], ["refresh", "--all"], ["refresh", "--wait", ZONE], ["retransfer", ZONE],
                  ["notify", ZONE], ["notify", ZONE, "down"], ["reload"], ["stop"]):
        for more in ([], ["--json"]):
            p = s.relay.ctl(*more, *order, check=False)
            assert (p.returncode, p.stdout) == (NO_DAEMON, ""), (order, p)
            assert p.stderr.startswith("zonerelayctl: zonerelayd is not running ("), p.stderr
    # None of it has changed anything: it goes on where it was.
    s.down.answer.silence = False
    s.down.forget()
    s.relay.start()
    s.down.wait_hint(ZONE, 2)
    assert s.relay.serial(BEHIND) == 1


def read(s, *args):
    p = s.relay.ctl(*args)
    assert p.stderr == DOWN, (args, p.stderr)
    return p.stdout


def test_wrong_command_lines(lab):
    s = Scene(lab)
    for args in ([], ["frobnicate"], ["zone"], ["zone", ZONE, ZONE], ["status", "x"], ["zones", "--state"],
                 ["zones", "--state", "fine"], ["zones", "--limit", "many"], ["zones", "--check"], ["refresh"],
                 ["refresh", "--all", ZONE], ["refresh", "--all", "--wait"], ["refresh", "--timeout", "5s", ZONE],
                 ["refresh", "--wait", "--timeout", "soon", ZONE], ["retransfer", "--all"], ["notify"],
                 ["notify", ZONE, "down", "x"], ["export"], ["--frob", "status"], ["-z", "status"],
                 ["status", "--json=1"]):
        p = s.relay.ctl(*args, check=False)
        assert (p.returncode, p.stdout) == (USAGE, "") and p.stderr.startswith("zonerelayctl: "), (args, p)
    p = tool("--help")
    assert p.returncode == OK and p.stdout.startswith("usage: ") and not p.stderr
    assert tool("-V").stdout.startswith("zonerelayctl ")
    v = ask(s.relay, "version")
    assert v["zonerelayctl"] == v["zonerelayd"] == tool("-V").stdout.split()[1]
    # Behind "--" nothing is an option; options may stand at the end.
    assert s.relay.ctl("zone", "--", "--json", check=False).returncode == NO_ZONE
    assert json.loads(s.relay.ctl("zone", ZONE, "-j").stdout)["zone"]["name"] == ZONE


def test_where_things_are(lab):
    """-d and -s do without the configuration; what is wrong with either of the three is said."""
    s = Scene(lab)
    s.settle()
    there = ["-d", s.relay.db, "-s", s.relay.sock]
    v = json.loads(tool(*there, "-j", "status").stdout)
    assert v["running"] and v["daemon"]["pid"] == s.relay.process.pid
    assert tool(*there, "refresh", "--wait", ZONE).returncode == OK
    p = tool("-c", os.path.join(lab.path, "none.yaml"), "status")
    assert p.returncode == USAGE and "none.yaml: cannot be read: No such file or directory" in p.stderr
    broken = os.path.join(lab.path, "broken.yaml")
    with open(broken, "w") as f:
        f.write("server:\n  workers: many\n")
    p = tool("-c", broken, "status")
    assert p.returncode == USAGE and f"zonerelayctl: {broken}:2:12: workers: 'many' is not a whole number\n" in p.stderr
    assert tool("-c", broken, *there, "status").returncode == OK
    # The daemon of another place: what is shown is what the database says.
    p = tool("-d", s.relay.db, "-s", s.relay.sock + "x", "zones")
    assert p.returncode == OK and p.stderr == DOWN and ZONE in p.stdout
    missing = os.path.join(lab.path, "none.db")
    for command in (["status"], ["zones"], ["zone", ZONE], ["transfers"], ["downstreams"], ["export", ZONE]):
        p = tool("-d", missing, "-s", s.relay.sock, *command)
        assert (p.returncode, p.stdout) == (NO_DATABASE, "") and missing in p.stderr, (command, p)
        assert not os.path.exists(missing)
        p = tool("-d", broken, "-s", s.relay.sock, *command)
        assert (p.returncode, p.stdout) == (NO_DATABASE, ""), (command, p)
    # Orders do not need it.
    assert tool("-d", missing, "-s", s.relay.sock, "refresh", ZONE).returncode == OK


def test_broken_configuration(lab):
    """Somebody breaks the file while the daemon runs: it is looked into all the same, and commanded."""
    s = Scene(lab)
    s.settle()
    with open(s.relay.conf) as f:
        good = f.read()
    warning = f"going on with database {s.relay.db} and socket {s.relay.sock}\n"
    yaml = f"server:\n  workers: many\n  database: '{s.relay.db}'   # here\n  control: {s.relay.sock}\n"
    elsewhere = f"server:\n  workers: many\n  database: /nonexistent/db\n  control: {s.relay.sock}\n"
    for text in (good.replace('"zones"', '"zoness"'), good[:-20], yaml, elsewhere):
        with open(s.relay.conf, "w") as f:
            f.write(text)
        p = s.relay.ctl("--json", "zone", ZONE)
        assert json.loads(p.stdout)["running"] is True and p.stderr.endswith(warning), p.stderr
        assert p.stderr.startswith(f"zonerelayctl: {s.relay.conf}:"), "and what is wrong is said"
        assert s.relay.ctl("refresh", "--wait", ZONE).stdout.startswith(f"{ZONE}: current")
        p = s.relay.ctl("reload", check=False)      # this is what the file is for
        assert p.returncode == USAGE and warning not in p.stderr, p
    # One of both that is given is used.
    p = s.relay.ctl("-d", s.relay.db, "status")
    assert p.stderr.endswith(warning) and "pid" in p.stdout
    # A file that is not there, or says nothing of use.
    assert tool("-c", s.relay.conf + "x", "status").returncode == USAGE
    with open(s.relay.conf, "w") as f:
        f.write("what is this\n")
    p = s.relay.ctl("status", check=False)
    assert p.returncode == USAGE and "-d and -s do without" in p.stderr, p
    s.relay.stop()
    with open(s.relay.conf, "w") as f:
        f.write(yaml)
    p = s.relay.ctl("zone", ZONE)
    assert p.stderr.endswith(warning + DOWN) and p.stdout.startswith(f"{ZONE}: current")


def test_output_that_cannot_be_written(lab):
    """A full disk is said; a reader that has left needs no words.  Neither does the daemon any harm."""
    s = Scene(lab)
    for command in (["zones"], ["zone", ZONE], ["-j", "status"], ["export", ZONE]):
        with open("/dev/full", "w") as full:
            p = subprocess.run([CTL, "-c", s.relay.conf, *command], stdout=full, stderr=subprocess.PIPE, text=True,
                               timeout=60 * SLOW, check=False)
        assert p.returncode == FAILED and "No space left on device" in p.stderr, (command, p)
        reader, writer = os.pipe()
        os.close(reader)
        p = subprocess.run([CTL, "-c", s.relay.conf, *command], stdout=writer, stderr=subprocess.PIPE, text=True,
                           timeout=60 * SLOW, check=False)
        os.close(writer)
        assert p.returncode in (FAILED, -signal.SIGPIPE) and not p.stderr, (command, p)
    assert ask(s.relay, "status")["running"] is True
