# SPDX-License-Identifier: BSD-2-Clause
"""Commands of downstreams: when they run, how they are called, and that nothing waits for them."""

import json
import os
import signal
import socket
import subprocess
import time

import pytest

from fakedownstream import FakeDownstream
from forcing import ForcedScene
from lab import BUILD, DAEMON, SLOW, free_port, records, wait_for
from moreservers import Pdns
from scene import ZONE, Scene, look, zone_text
from servers import Knot, Named, Nsd

KILLED = {"hook-timeout": "1s", "hook-tries": 1}


class Hook:
    """A command that notes how it was called, then does what `body` says.  Ends what is left at the end."""

    def __init__(self, lab, name, body="exit 0"):
        self.name = name
        self.path = os.path.join(lab.folder("hooks"), name)
        self.notes = self.path + ".notes"
        open(self.notes, "w").close()
        with open(self.path, "w") as f:
            f.write("#!/bin/sh\n"
                    f"echo \"$$ $ZONERELAY_ZONE $ZONERELAY_SERIAL $ZONERELAY_KIND $*\" >>'{self.notes}'\n"
                    f"{body}\n")
        os.chmod(self.path, 0o755)
        lab.add(self)

    def conf(self, key="on-change", *args, **more):
        """A downstream that is not notified and has this command."""
        return dict({"notify": False, "transfer-from": [f"127.0.1.{sum(self.name.encode()) % 250 + 1}"],
                     key: [self.path, *args]}, **{k.replace("_", "-"): v for k, v in more.items()})

    def calls(self, zone=None):
        """[(pid, zone, serial, kind, arguments)], in the order of their start."""
        out = []
        with open(self.notes) as f:
            for line in f.read().splitlines():
                pid, name, serial, kind, args = (line + " ").split(" ", 4)
                if zone is None or zone == name:
                    out.append((int(pid), name, int(serial), kind, args.strip()))
        return out

    def wait_calls(self, n, timeout=20, zone=None):
        wait_for(lambda: len(self.calls(zone)) >= n, timeout, f"{n} runs of {self.name}, not {self.calls(zone)}")
        return self.calls(zone)

    def running(self):
        """Pids of those that run, as leaders of their groups."""
        return [c[0] for c in self.calls() if alive(c[0])]

    def stop(self):
        for pid in self.running():
            try:
                os.killpg(pid, signal.SIGKILL)
            except ProcessLookupError:  # as its daemon was
                pass


def alive(pid):
    """Not ended, and not a zombie."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def owed(relay):
    return look(relay.db, "SELECT name, forced, serial, tries FROM hook ORDER BY name")


def results(relay):
    """{downstream: (state, text)}"""
    return {name: (state, text) for name, state, text in
            look(relay.db, "SELECT name, state, text FROM hook_result")}


def wait_result(relay, name, state, timeout=20):
    wait_for(lambda: results(relay).get(name, ("", ""))[0] == state, timeout,
             f"{name} {state}, not {results(relay)}")
    return results(relay)[name][1]


def live(relay, zone=ZONE):
    """What the daemon says of the commands of a zone: {downstream: facts}."""
    with socket.socket(socket.AF_UNIX) as c:
        c.settimeout(20 * SLOW)
        c.connect(relay.sock)
        c.sendall(f"live {zone}\n".encode())
        with c.makefile() as f:
            lines = list(iter(lambda: f.readline().rstrip("\n"), "ok"))
    return {h["name"]: h for h in map(json.loads, lines) if h["kind"] == "hook"}


def at_rest(relay, timeout=20):
    wait_for(lambda: owed(relay) == [], timeout, "no hook owed")


# ---- when ----


def test_after_commits(lab):
    """After a change on-change, after a forced transfer on-forced or else, if it is a change, on-change."""
    forced, change, both = Hook(lab, "forced"), Hook(lab, "change"), Hook(lab, "both")
    s = ForcedScene(lab, more_downstreams={
        "f": forced.conf("on-forced", "{zone} {kind} {serial} {old-serial} {primary}"),
        "c": change.conf("on-change", "{zone}", "{kind}", "{serial}", "{old-serial}", "{primary}"),
        "b": dict(both.conf("on-forced", "forced"), **{"on-change": [both.path, "change"]})},
        template={"downstreams": ["down", "watch", "f", "c", "b"]})
    # The first version is a change too, and nothing was there before.
    change.wait_calls(1)
    both.wait_calls(1)
    at_rest(s.relay)
    assert change.calls()[0][1:] == (ZONE, 1, "SOA", f"{ZONE} SOA 1  up")
    s.update(add=["a 300 A 192.0.2.1"])
    change.wait_calls(2)
    both.wait_calls(2)
    assert change.calls()[1][1:] == (ZONE, 2, "SOA", f"{ZONE} SOA 2 1 up")
    # A NOTIFY of nothing new, a check, a reload: no commit.
    s.notify()
    s.relay.ctl("refresh", ZONE)
    s.relay.ctl("reload")
    s.settle()
    # Other content under the same serial.
    s.rewrite(add=["b 300 A 192.0.2.1"])
    s.force()
    s.wait_events(1)
    forced.wait_calls(1)
    change.wait_calls(3)
    both.wait_calls(3)
    at_rest(s.relay)
    assert change.calls()[2][1:] == (ZONE, 2, "SOA", f"{ZONE} SOA 2 2 up")
    assert forced.calls()[0][1:] == (ZONE, 2, "AXFR", f"{ZONE} AXFR 2 2 up")
    # By command, without new content.
    s.relay.ctl("retransfer", ZONE)
    forced.wait_calls(2)
    both.wait_calls(4)
    at_rest(s.relay)
    assert len(change.calls()) == 3 and len(forced.calls()) == 2
    assert [c[4] for c in both.calls()] == ["change", "change", "forced", "forced"]
    assert results(s.relay) == {n: ("done", "exit 0") for n in "fcb"}
    done = s.relay.events("hook-done", downstream="f")
    assert [(e["zone"], e["serial"], e["kind"], e["tries"]) for e in done] == [(ZONE, "2", "AXFR", "1")] * 2


def test_echo_of_a_ring(lab):
    """A-06: a duplicate does not run the command of whoever has fetched the zone since."""
    fetched, other = Hook(lab, "fetched"), Hook(lab, "other")
    never = lab.add(FakeDownstream("127.0.0.13", free_port()).start())
    s = ForcedScene(lab, downstream={"on-forced": [fetched.path]},
                    more_downstreams={"other": {"address": never.address, "on-forced": [other.path]}})
    s.rewrite(add=["b 300 A 192.0.2.1"])
    s.force()
    s.wait_events(1)
    fetched.wait_calls(1)
    other.wait_calls(1)
    assert s.axfr(source="127.0.0.12").ok
    s.wait_peer("verified")
    at_rest(s.relay)
    s.force()
    assert s.wait_events(2)["verdict"] == "duplicate"
    other.wait_calls(2)
    at_rest(s.relay)
    assert len(fetched.calls()) == 1


# ---- how ----


def test_what_it_gets(lab):
    """No shell; nothing of the daemon's: descriptors, environment, signals, folder, group."""
    out = os.path.join(lab.folder("out"), "facts")
    script = (f"( readlink /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2; ls -m /proc/$$/fd; "
              f"cut -d ' ' -f 1,5 /proc/$$/stat; readlink /proc/$$/cwd; grep -E '^Sig(Blk|Ign)' /proc/$$/status; "
              f"tr '\\0' '\\n' </proc/$$/environ ) >{out}.new; mv {out}.new {out}")
    s = Scene(lab, start=False, more_downstreams={"it": {
        "notify": False, "transfer-from": ["127.0.0.40"],
        "on-change": ["sh", "-c", script, "{kind}", "a b", "$(id)", "*", "{zone}{zone}", "{", "{}", ""]}})
    # As if a careless parent had left something open, and closed what should not be.
    s.relay.process.argv = ["/bin/sh", "-c", "trap '' HUP QUIT; SECRET=1; export SECRET; exec 0<&- 9</etc/passwd; "
                            "exec \"$@\"", "sh", DAEMON, "-c", s.relay.conf]
    s.relay.start()
    wait_for(lambda: os.path.exists(out), 20, "the facts")
    with open(out) as f:
        facts = f.read().splitlines()
    assert facts[0:2] == ["/dev/null", "/dev/null"] and facts[2].startswith("pipe:")
    assert [x.strip() for x in facts[3].split(",") if x.strip()] == ["0", "1", "2"]
    pid, group = facts[4].split()
    assert pid == group
    assert facts[5] == "/"
    assert facts[6] == "SigBlk:\t" + "0" * 16
    # The two that belong to the C library are its own business.
    assert facts[7].startswith("SigIgn:\t") and int(facts[7][8:], 16) & ~0x180000000 == 0
    env = dict(line.split("=", 1) for line in facts[8:])
    path = env.pop("PATH").split(":")
    assert {"/usr/sbin", "/usr/bin"} <= set(path) and all(p.startswith("/") for p in path)
    assert env == {"LANG": "C", "ZONERELAY_ZONE": ZONE, "ZONERELAY_SERIAL": "1", "ZONERELAY_OLD_SERIAL": "",
                   "ZONERELAY_PRIMARY": "up", "ZONERELAY_KIND": "SOA", "ZONERELAY_DOWNSTREAM": "it"}
    wait_result(s.relay, "it", "done")


ODD_NAMES = {
    "-x.example": "\\045x.example",
    "--help": "\\045-help",
    "\\$\\(touch\\032pwned\\).example": "\\$\\(touch\\032pwned\\).example",
    "a\\;b.`id`.example": "a\\;b.`id`.example",
    "*.example": "*.example",
    "a\\010b.example": "a\\010b.example",
    "x\\.y.example": "x\\.y.example",
    "UPPER.Example": "upper.example",
    "0/25.2.0.192.in-addr.arpa": "0/25.2.0.192.in-addr.arpa",
    ".": ".",
}


def odd_zone(name):
    z = name if name == "." else name + "."
    return f"{z} 3600 IN SOA ns.test. host.test. 1 3600 600 604800 300\n{z} 3600 IN NS ns.test.\n"


def test_odd_names(lab):
    """A name is one argument, whatever is in it, and never looks like an option."""
    folder = lab.folder("args")
    script = os.path.join(folder, "hook")
    with open(script, "w") as f:
        f.write(f"#!/bin/sh\nf=$(mktemp {folder}/new.XXXXXX)\nfor a in \"$@\" \"$ZONERELAY_ZONE\"; do\n"
                "printf '%s\\0' \"$a\"\ndone >\"$f\"\nmv \"$f\" \"$f.done\"\n")
    os.chmod(script, 0o755)
    Scene(lab, {n: odd_zone(n) for n in ODD_NAMES}, more_downstreams={"it": {
        "notify": False, "transfer-from": ["127.0.0.40"],
        "on-change": [script, "{zone}", "--zone={zone}", "[{zone}"]}})

    def args():
        found = []
        for name in os.listdir(folder):
            if name.endswith(".done"):
                with open(os.path.join(folder, name), "rb") as f:
                    found.append(f.read().decode().split("\0")[:-1])
        return found
    wait_for(lambda: len(args()) == len(ODD_NAMES), 20, "every zone")
    assert sorted(args()) == sorted([t, "--zone=" + t, "[" + t, t] for t in ODD_NAMES.values())


# ---- how it ends ----


def test_ends(lab):
    """Exit statuses, signals, what cannot be started, time limits, tries, stored and logged."""
    once = os.path.join(lab.folder("hooks"), "once.flag")
    bodies = {
        "ok": "echo heard by nobody; exit 0",
        "second": f"[ -e {once} ] && exit 0; touch {once}; echo 'not  yet\\0033[31m' >&2; echo more >&2; exit 1",
        "never": "echo; echo '  wrong key' >&2; exit 78",
        "signal": "kill -9 $$",
        "quits": "trap 'echo bye >&2; exit 0' TERM; sleep 1000 & wait",
        "deaf": "trap '' TERM; echo deaf >&2; sleep 1000; sleep 1000",
        "half": "sh -c 'trap \"\" TERM; sleep 1000; sleep 1000' & wait",
        "leaves": "sleep 1000 & exit 0",
        "long": "head -c 100000 /dev/zero | tr '\\000' x >&2; exit 3",
    }
    hooks = {n: Hook(lab, n, b) for n, b in bodies.items()}
    downs = {n: h.conf() for n, h in hooks.items()}
    for n in ("signal", "quits", "deaf", "half", "long"):
        downs[n].update(KILLED)
    for n, argv in {"absent": ["no-such-program", "{zone}"], "nofile": ["/nonexistent/program"],
                    "folder": ["/etc"], "noexec": ["/etc/passwd"]}.items():
        downs[n] = {"notify": False, "transfer-from": [f"127.0.2.{len(downs)}"], "on-change": argv, "hook-tries": 2}
    bad = os.path.join(lab.folder("hooks"), "bad")
    with open(bad, "w") as f:
        f.write("exit 0\n")
    os.chmod(bad, 0o755)
    downs["format"] = {"notify": False, "transfer-from": ["127.0.2.99"], "on-change": [bad], "hook-tries": 1}
    s = Scene(lab, more_downstreams=downs, server={"max-hooks": 64})
    began = time.monotonic()
    # While they run, and wait for their second try.
    assert wait_result(s.relay, "second", "retry") == "exit 1: not  yet?[31m"
    it = live(s.relay)["second"]
    assert (it["zone"], it["state"], it["tries"], it["serial"], it["forced"]) == (ZONE, "retry", 1, 1, False)
    assert it["text"] == "exit 1: not  yet?[31m"
    now = time.time() * 1e6
    assert 10e6 - 2e6 * SLOW < it["next_at"] - now <= 10e6 and abs(it["since_at"] - now) < 2e6 * SLOW
    it = live(s.relay)["deaf"]
    assert it["state"] == "running" and "text" not in it and abs(it["next_at"] - it["since_at"] - 1e6) < 1e4
    # And so says the tool, the end of the last try from the database.
    it = {h["name"]: h for h in s.relay.json("zone", ZONE)["hooks"]}["second"]
    assert (it["state"], it["tries"], it["last_text"]) == ("retry", 1, "exit 1: not  yet?[31m")
    assert wait_result(s.relay, "ok", "done") == "exit 0"
    assert wait_result(s.relay, "leaves", "done") == "exit 0"
    assert wait_result(s.relay, "never", "failed") == "exit 78: wrong key"
    assert wait_result(s.relay, "signal", "failed") == "signal 9"
    assert wait_result(s.relay, "format", "failed").endswith("Exec format error")
    assert wait_result(s.relay, "long", "failed") == "exit 3: " + "x" * 200
    assert wait_result(s.relay, "quits", "failed") == "not done in 1s: bye"
    assert wait_result(s.relay, "deaf", "failed") == "not done in 1s: deaf"
    assert time.monotonic() - began >= 5
    assert wait_result(s.relay, "half", "failed") == "not done in 1s"
    assert wait_result(s.relay, "second", "done") == "exit 0"
    assert time.monotonic() - began >= 9
    assert [len(hooks[n].calls()) for n in ("ok", "second", "never", "signal", "deaf")] == [1, 2, 1, 1, 1]
    for name, text in {"absent": "no-such-program is not in /", "nofile": "/nonexistent/program: No such file",
                       "folder": "/etc: ", "noexec": "/etc/passwd: Permission denied"}.items():
        assert wait_result(s.relay, name, "failed").startswith(text)
        found = s.relay.events("hook-failed", downstream=name)
        assert [(e.level, e["tries"], e["again"]) for e in found] == [
            ("warn", "1", "true"), ("error", "2", "false")], name
    at_rest(s.relay)
    for n in ("quits", "deaf"):
        assert not hooks[n].running()
    # What it left behind on purpose goes on; the test ends it.
    left = hooks["leaves"].calls()[0][0]
    assert group_members(left)
    os.killpg(left, signal.SIGKILL)
    for n in ("deaf", "half"):
        assert not group_members(hooks[n].calls()[0][0])
    again = s.relay.events("hook-failed", downstream="second")[0]
    assert abs(int(again["again_us"]) - 10_000_000) < 1000


def group_members(group):
    out = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as f:
                fields = f.read().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            out.append(int(pid))
    return out


def test_flood(lab):
    """Whoever floods its errors is neither held up nor does it hold up anything."""
    flood = Hook(lab, "flood", "echo first >&2; head -c 50000000 /dev/zero >&2; exit 5")
    stays = Hook(lab, "stays", "sleep 1000 & exit 6")
    s = Scene(lab, more_downstreams={"flood": flood.conf(hook_tries=1), "stays": stays.conf(hook_tries=1)})
    assert wait_result(s.relay, "flood", "failed", 60) == "exit 5: first"
    # The errors are still open in somebody's hands.
    assert wait_result(s.relay, "stays", "failed") == "exit 6"
    slowest = 0
    flood2 = s.update(add=["a 300 A 192.0.2.1"])
    end = time.monotonic() + 1
    while time.monotonic() < end:
        began = time.monotonic()
        assert s.relay.serial(ZONE) == flood2
        slowest = max(slowest, time.monotonic() - began)
    assert slowest < 0.3 * SLOW
    for pid, *_ in stays.calls():
        os.killpg(pid, signal.SIGKILL)


# ---- turns ----


def test_one_hangs(lab):
    """200 zones whose command hangs for one downstream: nothing else waits, and the end is in order."""
    zones = {f"z{i}.test": zone_text(zone=f"z{i}.test") for i in range(200)}
    hang = Hook(lab, "hang", "exec sleep 1000")
    quick = Hook(lab, "quick")
    s = Scene(lab, zones, start=False, more_downstreams={"hang": hang.conf(), "quick": quick.conf()},
              server={"max-hooks": 4})
    s.relay.start()
    for z in zones:
        s.relay.wait_serial(z, 1)
    quick.wait_calls(200, 30)
    for n in (2, 3):
        serial = s.update(add=[f"a{n} 300 A 192.0.2.1"], zone="z7.test")
        began = time.monotonic()
        assert s.axfr("z7.test").serial == serial
        quick.wait_calls(n, 5, zone="z7.test")
        assert time.monotonic() - began < 2 * SLOW
        assert quick.calls("z7.test")[-1][2] == serial
        s.relay.wait_event("hook-done", zone="z7.test", downstream="quick", serial=serial)   # not only begun
    # Half of the places, each taken once.
    assert len(hang.calls()) == len(hang.running()) == 2
    zone = hang.calls()[0][1]
    it = live(s.relay, zone)["hang"]
    assert it["state"] == "running" and it["serial"] == 1 and it["tries"] == 0
    other = next(z for z in zones if z not in {c[1] for c in hang.calls()})
    assert live(s.relay, other)["hang"]["state"] == "waiting"
    began = time.monotonic()
    s.relay.stop()
    assert time.monotonic() - began < 4 * SLOW
    assert not hang.running()
    assert look(s.relay.db, "SELECT name, count(*), max(tries) FROM hook GROUP BY name") == [("hang", 200, 0)]
    # They are run after the next start.
    s.relay.start()
    wait_for(lambda: len(hang.running()) == 2, 10, "two that run again")


def test_turns(lab):
    """Two downstreams share the places though one was there first; never more run than may."""
    body = 'd=$0.d; mkdir -p "$d"; : >"$d/$$"; ls "$d" | wc -l >>"$0.most"; sleep 0.05; rm "$d/$$"'
    one = Hook(lab, "one", body)
    two = Hook(lab, "two", "sleep 0.05")
    zones = {f"z{i}.test": zone_text(zone=f"z{i}.test") for i in range(60)}
    s = Scene(lab, zones, start=False, server={"max-hooks": 3},
              more_downstreams={"one": one.conf(), "two": two.conf()})
    s.relay.start()
    two.wait_calls(60, 60)
    one.wait_calls(60, 60)
    at_rest(s.relay)
    with open(one.path + ".most") as f:
        assert max(int(n) for n in f.read().split()) == 1  # half of 3, or 1


def test_coalesced(lab):
    """What happens while one runs is one more run, of the newest."""
    go = os.path.join(lab.folder("hooks"), "go")
    slow = Hook(lab, "slow", f"while [ ! -e {go} ]; do sleep 0.05; done")
    s = Scene(lab, more_downstreams={"slow": slow.conf()})
    slow.wait_calls(1)
    for i in range(10):
        s.update(add=[f"a{i} 300 A 192.0.2.1"])
    assert len(slow.calls()) == 1
    assert owed(s.relay) == [("slow", 0, 11, 0)]
    open(go, "w").close()
    slow.wait_calls(2)
    at_rest(s.relay)
    assert [c[2] for c in slow.calls()] == [1, 11]
    assert [(e["serial"]) for e in s.relay.events("hook-done")] == ["1", "11"]


def test_newer_does_not_wait(lab):
    """A new version is not kept waiting by the pause after a failure; its tries are its own."""
    fails = Hook(lab, "fails", 'exit 1')
    s = Scene(lab, more_downstreams={"fails": fails.conf(hook_tries=2)})
    wait_result(s.relay, "fails", "retry")
    began = time.monotonic()
    s.update(add=["a 300 A 192.0.2.1"])
    fails.wait_calls(2)
    assert time.monotonic() - began < 5 * SLOW
    wait_for(lambda: owed(s.relay) == [("fails", 0, 2, 1)], 10, "one try of the newer")
    # The pause and the tries outlive the daemon.
    s.relay.kill()
    s.relay.start()
    fails.wait_calls(3)
    assert time.monotonic() - began > 9
    assert wait_result(s.relay, "fails", "failed") == "exit 1"
    at_rest(s.relay)
    assert s.relay.events("hook-failed", again="false")[0]["tries"] == "2" and len(fails.calls()) == 3


# ---- over the life of the daemon ----


def test_killed_between(lab):
    """kill -9 between commit and command, and while one runs: it is run after the start."""
    go = os.path.join(lab.folder("hooks"), "go")
    blocks = Hook(lab, "blocks", f"[ -e {go} ] || exec sleep 1000")
    waits = Hook(lab, "waits")
    s = Scene(lab, {"first.test": zone_text(zone="first.test")}, server={"max-hooks": 1},
              zone_conf={"first.test": {"downstreams": ["watch", "blocks"]}},
              more_downstreams={"blocks": blocks.conf(), "waits": waits.conf()})
    blocks.wait_calls(1)
    # No place for the second: the first has the only one.
    s.primary.add_zone(ZONE, zone_text())
    s.relay.zones[ZONE] = {"downstreams": ["watch", "waits"]}
    s.relay.write()
    s.relay.ctl("reload")
    s.relay.wait_serial(ZONE, 1)
    assert [o[0] for o in owed(s.relay)] == ["blocks", "waits"]
    s.relay.kill()
    blocks.stop()
    open(go, "w").close()
    assert waits.calls() == []
    s.relay.start()
    waits.wait_calls(1)
    blocks.wait_calls(2)
    at_rest(s.relay)
    assert waits.calls()[0][1:4] == (ZONE, 1, "SOA")
    s.relay.restart()
    s.settle()
    assert len(waits.calls()) == 1 and len(blocks.calls()) == 2


def test_stop_is_bounded(lab):
    """One that does not end at TERM keeps the daemon for 5 s, and is owed still."""
    deaf = Hook(lab, "deaf", "trap '' TERM; sleep 1000; sleep 1000")
    mild = Hook(lab, "mild", "exec sleep 1000")
    zones = {ZONE: zone_text(), "gone.test": zone_text(zone="gone.test")}
    s = Scene(lab, zones, more_downstreams={"deaf": deaf.conf(), "mild": mild.conf()}, server={"max-hooks": 8})
    deaf.wait_calls(2)
    mild.wait_calls(2)
    # What runs for a zone that has gone is ended like the others.
    del s.relay.zones["gone.test"]
    s.relay.write()
    s.relay.ctl("reload")
    began = time.monotonic()
    s.relay.stop()
    took = time.monotonic() - began
    assert 4.5 < took < 8 * SLOW
    wait_for(lambda: not any(group_members(c[0]) for c in deaf.calls() + mild.calls()), 5, "the end of the groups")
    assert [o[:3] for o in owed(s.relay)] == [("deaf", 0, 1), ("mild", 0, 1)]
    # What has lost its command meanwhile is struck off.
    del s.relay.downstreams["deaf"]["on-change"]
    s.relay.write()
    s.relay.start()
    mild.wait_calls(3)
    wait_for(lambda: [o[0] for o in owed(s.relay)] == ["mild"], 5, "one that is owed")
    assert len(deaf.calls()) == 2


def test_reload(lab):
    """Without its command it is struck off, also while it runs; a changed command is used for the next try."""
    fails = Hook(lab, "fails", "exit 1")
    hangs = Hook(lab, "hangs", "exec sleep 3")
    other = Hook(lab, "other")
    downs = {"a": fails.conf(), "b": fails.conf(), "c": hangs.conf(hook_timeout="1s")}
    downs["b"]["transfer-from"] = ["127.0.0.41"]
    s = Scene(lab, more_downstreams=downs, server={"max-hooks": 8})
    wait_result(s.relay, "a", "retry")
    wait_result(s.relay, "b", "retry")
    hangs.wait_calls(1)
    del s.relay.downstreams["a"]["on-change"]
    del s.relay.downstreams["c"]["on-change"]
    s.relay.downstreams["b"]["on-change"] = [other.path, "new"]
    s.relay.write()
    s.relay.ctl("reload")
    wait_for(lambda: [o[0] for o in owed(s.relay)] == ["b"], 10, "two of them struck off")
    other.wait_calls(1, 20)
    wait_result(s.relay, "b", "done")
    wait_result(s.relay, "c", "failed")
    at_rest(s.relay)
    assert other.calls()[0][4] == "new"
    assert len(hangs.calls()) == 1 and len(fails.calls()) == 2
    # A zone that goes takes what is owed with it; what runs is let alone.
    s.relay.downstreams["c"]["on-change"] = [hangs.path]
    s.relay.write()
    s.relay.ctl("reload")
    s.update(add=["a 300 A 192.0.2.1"])
    hangs.wait_calls(2)
    s.relay.zones = {"else.test": {}}
    s.primary.add_zone("else.test", zone_text(zone="else.test"))
    s.relay.write()
    s.relay.ctl("reload")
    s.relay.wait_serial("else.test", 1)
    hangs.wait_calls(3)
    wait_for(lambda: not hangs.running(), 20, "the end of all")
    assert look(s.relay.db, "SELECT count(*) FROM hook AS h JOIN zone AS z ON z.id = h.zone"
                            " WHERE z.removed_at <> 0") == [(0,)]


# ---- real servers ----

class SettledNsd(Nsd):
    """NSD forgets a force_transfer that comes before it has taken note of its own last reload."""

    def settled(self, zone, serial):
        return f'served-serial: "{serial} ' in self.run(*self.control(), "zonestatus", zone)


REAL = {"named": (Named, "bind"), "nsd": (SettledNsd, "nsd"), "knotd": (Knot, "knot"), "pdns": (Pdns, "powerdns")}


@pytest.mark.parametrize("kind", REAL)
def test_real_servers(lab, kind):
    """A server that does not know NOTIFY(AXFR) has the new content under the same serial."""
    cls, word = REAL[kind]
    if not cls.installed():
        pytest.skip(f"{kind} is not installed")
    s = ForcedScene(lab, start=False)
    # `refresh`: it does nothing by itself within the test.
    server = cls(lab, kind, primary=("127.0.0.1", s.relay.port), zones=[ZONE], refresh=3000)
    s.relay.downstreams = {"real": {"address": server.address, "server": word, "on-forced": server.retransfer()},
                           "watch": {"notify": False, "transfer-from": [
                               "127.0.0.0/32" if server.host == "127.0.0.1" else "127.0.0.1"]}}
    s.relay.write()
    s.relay.start()
    s.relay.wait_serial(ZONE, 1)
    server.start()
    wait_for(lambda: server.serial(ZONE) == 1 or server.check_alive(), 20, f"the zone at {kind}")
    if kind == "nsd":
        wait_for(lambda: server.settled(ZONE, 1), 20, "NSD at rest")
    before = records(server.port, ZONE, server.host)
    s.rewrite(add=["new 300 TXT same-serial"], delete=["host1 300 A 192.0.2.2"])
    assert server.serial(ZONE) == 1
    s.force()
    s.wait_events(1)
    done = s.relay.wait_event("hook-done", 1, 30, downstream="real")[0]
    assert done["kind"] == "AXFR" and done["serial"] == "1"
    want = sorted((str(r.name).lower(), r.ttl, int(r.rdata.rdtype), r.rdata.to_wire())
                  for r in s.primary.zone(ZONE).content)

    def has_all():
        try:
            return records(server.port, ZONE, server.host) == want
        except ConnectionError:
            return False    # NSD reloads, and ends the process that was asked
    wait_for(has_all, 20, f"the new content at {kind}")
    assert before != want and server.serial(ZONE) == 1
    s.wait_peer("verified", "real")


def test_default_commands(lab):
    """Without on-forced the kind of the server says it; here none of them finds its server."""
    s = ForcedScene(lab, start=False, server={"max-hooks": 64})
    s.relay.downstreams = {w: {"address": f"127.0.3.{n}@9", "server": w, "hook-tries": 1}
                           for n, w in enumerate(("bind", "nsd", "knot", "powerdns"), 1)}
    s.relay.downstreams["watch"] = {"notify": False, "transfer-from": ["127.0.0.1"]}
    s.relay.downstreams["none"] = {"address": "127.0.3.9@9", "server": "bind", "on-forced": []}
    s.relay.write()
    s.relay.start()
    s.relay.wait_serial(ZONE, 1)
    assert owed(s.relay) == []
    s.force()
    s.wait_events(1)
    programs = {"bind": "rndc", "nsd": "nsd-control", "knot": "knotc", "powerdns": "pdns_control"}
    for word in programs:
        wait_for(lambda w=word: w in results(s.relay), 30, f"the end of {word}")
    started = {e["downstream"]: e["program"] for e in s.relay.events("hook-started")}
    for word, program in programs.items():
        assert started.get(word, program) == program
        if word not in started:
            assert results(s.relay)[word][1].startswith(program + " is not in ")
    assert "none" not in results(s.relay)


# ---- those of contrib/hooks ----

EXAMPLES = os.path.join(os.path.dirname(__file__), "..", "..", "contrib", "hooks")


def test_nsd_reload(lab):
    """An NSD that fetches nothing serves what the relay holds, after every commit."""
    s = ForcedScene(lab, start=False)
    nsd = Nsd(lab, "nsd")
    nsd.add_zone(ZONE, zone_text(7))
    nsd.start()
    wait_for(lambda: nsd.serial(ZONE) == 7, 10, "NSD with what it had")
    command = ["/usr/bin/env", f"PATH={BUILD}:/usr/sbin:/usr/bin:/bin", os.path.abspath(EXAMPLES) + "/nsd-reload",
               "-c", s.relay.conf, "-n", os.path.join(nsd.dir, "nsd.conf"), nsd.dir, "{zone}"]
    s.relay.downstreams = {"nsd": {"notify": False, "transfer-from": ["127.0.0.1"], "on-forced": command,
                                   "on-change": command}}
    s.relay.write()
    s.relay.start()
    wait_for(lambda: nsd.serial(ZONE) == 1, 10, "NSD with the relay's")
    s.rewrite(add=["new 300 TXT same-serial"])
    s.force()
    s.wait_events(1)
    want = sorted((str(r.name).lower(), r.ttl, int(r.rdata.rdtype), r.rdata.to_wire())
                  for r in s.primary.zone(ZONE).content)
    wait_for(lambda: records(nsd.port, ZONE) == want, 20, "the new content")
    assert {r[0] for r in results(s.relay).values()} == {"done"}
    assert not [f for f in os.listdir(nsd.dir) if f.startswith(".")]


def example(name, *args, path=""):
    return subprocess.run([os.path.join(EXAMPLES, name), *args], capture_output=True, text=True, check=False,
                          timeout=20 * SLOW, env={"PATH": f"{path}:/usr/bin:/bin", "LANG": "C"})


@pytest.mark.parametrize("name", ["nsd-reload", "ssh-retransfer"])
def test_examples_refuse(name):
    """What is wrong for ever says so by 78, what may get better by another status."""
    for args in ((), ("one",), ("a", "b", "c"), ("-q", "a", "b")):
        p = example(name, *args)
        assert p.returncode == 78 and p.stderr, (args, p)


def test_nsd_reload_names(lab):
    folder = lab.folder("zones")
    for zone in (".", "..", "../x", "a/b", "a b", "\\045x.example", "$(id)", "UPPER"):
        p = example("nsd-reload", folder, zone)
        assert p.returncode == 78 and "file name" in p.stderr, zone
    assert example("nsd-reload", folder + "/none", "a.example").returncode == 78
    p = example("nsd-reload", folder, "a.example")  # there is no zonerelayctl
    assert p.returncode not in (0, 78) and os.listdir(folder) == []


def test_ssh_retransfer(lab):
    """The zone arrives as a line of input, whatever is in it; nothing reads it as a command."""
    bin_ = lab.folder("bin")
    with open(os.path.join(bin_, "ssh"), "w") as f:
        f.write(f"#!/bin/sh\nprintf '%s\\n' \"$@\" >{bin_}/args\ncat >{bin_}/input\nexit 9\n")
    os.chmod(os.path.join(bin_, "ssh"), 0o755)
    for zone in ("a.example", "\\045x.example", "\\$\\(touch\\032pwned\\).example", "`id`"):
        p = example("ssh-retransfer", "-i", "/k", "-k", "/h", "me@host", zone, path=bin_)
        assert p.returncode == 9
        with open(os.path.join(bin_, "args")) as f:
            args = f.read().splitlines()
        assert args[-2:] == ["--", "me@host"] and "/k" in args and "UserKnownHostsFile=/h" in args
        with open(os.path.join(bin_, "input")) as f:
            assert f.read() == zone + "\n"
