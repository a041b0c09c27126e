# SPDX-License-Identifier: BSD-2-Clause
"""Confinement: users, capabilities, files, system calls, the process of the commands, the service manager."""

import base64
import os
import pwd
import random
import signal
import socket
import subprocess
import time

import pytest

from certs import Authority
from lab import DAEMON, SLOW, ask, free_port, wait_for
from scene import ZONE, Scene
from test_hooks import Hook, alive, at_rest, group_members, wait_result

USER = "daemon"
ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(not ROOT, reason="only root can become somebody else")


def status(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":", 1) for line in f)


def number(pid, key):
    return int(status(pid)[key].split()[0], 16 if key.startswith("Cap") else 10)


def memory_owner(pid):
    """Whose the process is for debuggers and core dumps."""
    return os.stat(f"/proc/{pid}/environ").st_uid


def helper_of(relay):
    """Pid of the process that runs commands."""
    def found():
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                s = status(pid)
            except (FileNotFoundError, ProcessLookupError):
                continue
            if s["Name"].strip() == "zonerelay-hooks" and int(s["PPid"]) == relay.process.pid:
                return int(pid)
        return None
    return wait_for(found, 5, "the process for commands")


def is_confined(relay):
    return bool(relay.events("confined"))


def give(relay, path=None):
    """The user may come to the folder of the daemon, which is then the user's."""
    path = path or relay.dir
    top = path
    while top not in ("/", "/tmp"):
        if os.stat(top).st_uid == os.getuid():
            os.chmod(top, os.stat(top).st_mode | 0o011)
        top = os.path.dirname(top)
    u = pwd.getpwnam(USER)
    os.chown(path, u.pw_uid, u.pw_gid)


def user_scene(lab, start=True, **how):
    server = dict({"user": USER}, **how.pop("server", {}))
    s = Scene(lab, start=False, server=server, **how)
    give(s.relay)
    os.chmod(s.relay.conf, 0o644)
    if start:
        s.relay.start()
        s.relay.wait_serial(ZONE, 1)
    return s


def low_port(host):
    for _ in range(100):
        port = random.randrange(600, 1000)
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(socket.AF_INET, kind) as s:
                    s.bind((host, port))
            return port
        except OSError:
            continue
    raise AssertionError("no free port")


# ---- who it is ----


@as_root
def test_becomes_user(lab):
    """Binds a low port, becomes the user with nothing left; transfers, commands and reloads go on."""
    u = pwd.getpwnam(USER)
    low = [low_port("127.0.0.1"), low_port("127.0.0.1")]
    hook = Hook(lab, "it", "id -u >\"$0.uid\"; grep -E '^(Cap|Seccomp:)' /proc/$$/status >\"$0.status\"")
    give(None, os.path.dirname(hook.path))
    os.chmod(hook.notes, 0o666)
    s = user_scene(lab, more_downstreams={"it": hook.conf()}, start=False)
    s.relay.server["listen"] = [s.relay.address, f"127.0.0.1@{low[0]}"]
    s.relay.write()
    s.relay.start()
    s.relay.wait_serial(ZONE, 1)
    assert ask(low[0], ZONE, "SOA", tcp=True).answer
    main, helper = s.relay.process.pid, helper_of(s.relay)
    for pid in (main, helper):
        assert status(pid)["Uid"].split() == [str(u.pw_uid)] * 4
        assert status(pid)["Gid"].split() == [str(u.pw_gid)] * 4
        assert "0" not in status(pid)["Groups"].split()
        assert [number(pid, "Cap" + c) for c in ("Inh", "Prm", "Eff", "Amb")] == [0] * 4
    assert number(main, "CapBnd") == 0 and number(main, "NoNewPrivs") == 1
    for thread in os.listdir(f"/proc/{main}/task"):
        with open(f"/proc/{main}/task/{thread}/status") as f:
            text = f.read()
        assert "CapEff:\t0000000000000000\n" in text
        if is_confined(s.relay):
            assert "Seccomp:\t2\n" in text and "NoNewPrivs:\t1\n" in text
    if is_confined(s.relay):
        assert memory_owner(main) == memory_owner(helper) == 0  # not for the user's other processes
    assert number(helper, "Seccomp") == 0
    assert os.stat(s.relay.db).st_uid == os.stat(s.relay.sock).st_uid == u.pw_uid
    # The whole road, with a command at its end.
    s.update(add=["a 300 A 192.0.2.1"])
    assert s.ixfr(1).ok
    wait_result(s.relay, "it", "done")
    at_rest(s.relay)
    with open(hook.path + ".uid") as f:
        assert f.read().strip() == str(u.pw_uid)
    with open(hook.path + ".status") as f:
        text = f.read()
    assert "CapEff:\t0000000000000000" in text and "Seccomp:\t0" in text
    # Another low port cannot be opened any more, and that is said with what to do; another high one can.
    high = free_port()
    s.relay.server["listen"] = [s.relay.address, f"127.0.0.1@{low[1]}", f"127.0.0.1@{high}"]
    s.relay.write()
    s.relay.ctl("reload")
    said = s.relay.wait_event("listen-failed")[0]
    assert str(low[1]) in said["reason"] and "restart zonerelayd" in said["reason"]
    assert ask(high, ZONE, "SOA", tcp=True).answer
    s.relay.restart()
    assert ask(low[1], ZONE, "SOA", tcp=True).answer


@as_root
def test_core_dumps(lab):
    """Allowed, they are allowed in spite of the change of user."""
    s = user_scene(lab, server={"core-dumps": True})
    assert memory_owner(s.relay.process.pid) == pwd.getpwnam(USER).pw_uid


@as_root
def test_as_root(lab):
    """Without a user it says that it stays root, and is confined all the same."""
    s = Scene(lab)
    assert "server: user" in s.relay.events("runs-as-root")[0]["next"]
    assert number(s.relay.process.pid, "NoNewPrivs") == 1


@as_root
@pytest.mark.parametrize("what", ["database", "control", "missing", "file", "user"])
def test_not_the_users(lab, what):
    """What is not the user's is said before anything is opened, with the command that mends it."""
    s = user_scene(lab, start=False)
    r = s.relay
    other = lab.folder("other")
    expect = [f"chown {USER}:{USER} {other}"]
    if what == "database":
        r.server["database"] = os.path.join(other, "z.db")
    elif what == "control":
        r.server["control"] = os.path.join(other, "s")
    elif what == "missing":
        r.server["database"] = os.path.join(other, "deeper", "z.db")
        expect = [f"mkdir -p {other}/deeper", f"chown {USER}:{USER} {other}/deeper"]
    elif what == "file":
        open(r.db, "w").close()
        os.chmod(r.db, 0o600)
        expect = [f"chown {USER}:{USER} {r.db}*"]
    else:
        r.server["user"] = "no-such-user"
        expect = ["server.user: there is no user no-such-user", "useradd"]
    r.write()
    p = subprocess.run([DAEMON, "-c", r.conf], capture_output=True, text=True, timeout=20 * SLOW, check=False)
    assert p.returncode == 1 and all(x in p.stderr for x in expect), p.stderr
    assert "listening" not in p.stderr
    assert "listening" not in p.stdout


@as_root
def test_reload_would_fail(lab):
    """A configuration that only root can read is noticed at the start, not at the next reload."""
    s = user_scene(lab, start=False)
    os.chmod(s.relay.conf, 0o600)
    s.relay.start()
    said = s.relay.events("reload-would-fail")[0]
    assert said["file"] == s.relay.conf and "chmod g+r" in said["next"]


# ---- the cage ----


def test_files(lab):
    """A reload reads what lies beside the configuration, new files too, and nothing elsewhere."""
    s = Scene(lab)
    if not is_confined(s.relay):
        pytest.skip("no cage here")
    assert number(s.relay.process.pid, "Seccomp") == 2
    near, far = os.path.join(s.relay.dir, "new.txt"), os.path.join(lab.folder("far"), "zones.txt")
    for path in (near, far):
        with open(path, "w") as f:
            f.write(os.path.basename(os.path.dirname(path)) + ".example\n")

    def lists(*files):
        s.relay.write()
        with open(s.relay.conf) as f:
            text = f.read().rstrip()
        assert text.endswith("}")
        with open(s.relay.conf, "w") as f:
            f.write(text[:-1] + ', "zone-lists": [' + ", ".join(f'{{"file": "{x}"}}' for x in files) + "]}")
    lists("new.txt")
    assert "1 added" in s.relay.ctl("reload").stdout
    lists("new.txt", far)
    p = s.relay.ctl("reload", check=False)
    assert p.returncode != 0 and far in p.stderr + p.stdout and "after a restart" in p.stderr + p.stdout
    # What is known at the start is: then its folder is named.
    s.relay.restart()
    assert s.relay.json("zone", "far.example")["zone"]["name"] == "far.example"
    os.rename(far, far + ".old")
    with open(far, "w") as f:
        f.write("far.example\nfurther.example\n")
    assert "1 added" in s.relay.ctl("reload").stdout


def test_not_confined(lab):
    s = Scene(lab, server={"confine": False, "core-dumps": True})
    pid = s.relay.process.pid
    assert number(pid, "Seccomp") == 0 and number(pid, "NoNewPrivs") == 1
    assert "confine: no" in s.relay.events("not-confined")[0]["reason"]
    s.relay.server["confine"] = True
    s.relay.write()
    s.relay.ctl("reload")
    assert s.relay.events("reload-needs-restart", key="server.confine")


# ---- the process of the commands ----


def test_helper_dies(lab):
    """kill -9 of it: what it ran dies, that is said, the rest goes on, and what is owed is run after a restart."""
    hang = Hook(lab, "hang", "[ -e \"$0.once\" ] && exit 0; touch \"$0.once\"; exec sleep 1000")
    s = Scene(lab, more_downstreams={"hang": hang.conf()})
    pid = hang.wait_calls(1)[0][0]
    os.kill(helper_of(s.relay), signal.SIGKILL)
    s.relay.wait_event("hook-helper-gone")
    wait_for(lambda: not alive(pid), 5, "the end of the command")
    failed = s.relay.wait_event("hook-failed")[0]
    assert "has ended" in failed["reason"]
    s.update(add=["a 300 A 192.0.2.1"])
    s.relay.ctl("reload")
    assert len(hang.calls()) == 1
    s.relay.restart()
    wait_result(s.relay, "hang", "done", 40)


def test_helper_dies_in_last_try(lab):
    """What was ended with it is no try: else the last one would be forgotten."""
    hang = Hook(lab, "hang", "[ -e \"$0.once\" ] && exit 0; touch \"$0.once\"; exec sleep 1000")
    s = Scene(lab, more_downstreams={"hang": hang.conf(hook_tries=1)})
    hang.wait_calls(1)
    os.kill(helper_of(s.relay), signal.SIGKILL)
    s.relay.wait_event("hook-failed")
    s.relay.restart()
    wait_result(s.relay, "hang", "done", 40)


def test_daemon_dies(lab):
    """kill -9 of the daemon: neither the helper nor what it ran is left."""
    hang = Hook(lab, "hang", "sleep 1000 & wait")
    s = Scene(lab, more_downstreams={"hang": hang.conf()})
    pid, helper = hang.wait_calls(1)[0][0], helper_of(s.relay)
    s.relay.kill()
    wait_for(lambda: not alive(pid) and not alive(helper), 5, "the end of both")
    wait_for(lambda: not group_members(pid), 5, "the end of what the command had started")


def test_helper_survives_signals(lab):
    """A signal to all processes of the service is for the daemon."""
    hook = Hook(lab, "it")
    s = Scene(lab, more_downstreams={"it": hook.conf()})
    hook.wait_calls(1)
    for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        os.kill(helper_of(s.relay), sig)
    s.update(add=["a 300 A 192.0.2.1"])
    hook.wait_calls(2)


# ---- the service manager ----


class Manager:
    """Where a service manager would listen."""

    def __init__(self, lab, abstract=False):
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.path = f"@zr-{os.getpid()}-{id(self)}" if abstract else os.path.join(lab.path, "notify")
        self.s.bind("\0" + self.path[1:] if abstract else self.path)
        self.s.settimeout(0.05)
        self.got = []
        lab.add(self)

    def stop(self):
        self.s.close()

    def read(self):
        try:
            while True:
                self.got.append((time.monotonic(), self.s.recv(1000).decode()))
        except TimeoutError:
            return [text for _, text in self.got]

    def wait(self, texts, timeout=20):
        wait_for(lambda: self.read() == texts, timeout, f"{texts}, not {self.got}")

    def dogs(self):
        self.read()
        return [when for when, text in self.got if text == "WATCHDOG=1"]


@pytest.mark.parametrize("abstract", [False, True])
def test_notify(lab, abstract):
    m = Manager(lab, abstract)
    s = Scene(lab, env={"NOTIFY_SOCKET": m.path})
    m.wait(["READY=1"])
    before = time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6
    s.relay.ctl("reload")
    got = wait_for(lambda: len(m.read()) == 3 and m.read(), 10, "two more")
    assert got[2] == "READY=1" and got[1].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert before <= int(got[1].rsplit("=", 1)[1]) <= time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6
    s.relay.process.proc.send_signal(signal.SIGHUP)
    wait_for(lambda: len(m.read()) == 5, 10, "the same by signal")
    s.relay.stop()
    assert m.read()[5:] == ["STOPPING=1"]


def test_watchdog(lab):
    m = Manager(lab)
    s = Scene(lab, env={"NOTIFY_SOCKET": m.path, "WATCHDOG_USEC": "400000"})
    wait_for(lambda: len(m.dogs()) >= 10, 20, "ten signs of life")
    gaps = [b - a for a, b in zip(m.dogs(), m.dogs()[1:])]
    assert sum(gaps) / len(gaps) < 0.2 * SLOW
    s.relay.process.proc.send_signal(signal.SIGSTOP)
    try:
        m.read()
        n = len(m.dogs())
        time.sleep(0.6)
        assert len(m.dogs()) <= n + 1
    finally:
        s.relay.process.proc.send_signal(signal.SIGCONT)
    wait_for(lambda: len(m.dogs()) > n + 3, 10, "that it goes on")


def test_watchdog_store_stuck(lab):
    """The main loop alone is no sign of life: a store that does not answer trips it."""
    m = Manager(lab)
    s = Scene(lab, start=False, env={"NOTIFY_SOCKET": m.path, "WATCHDOG_USEC": "400000",
                                     "ZONERELAY_TEST_SLOW_COMMIT_MS": "5000"})
    s.relay.process.start()
    wait_for(lambda: m.dogs(), 10, "the first sign of life")
    time.sleep(2)
    assert len(m.dogs()) <= 2, m.got
    assert ask(s.relay.port, ZONE, "SOA") is not None  # the loop works
    s.relay.kill()


def test_watchdog_of_another(lab):
    m = Manager(lab)
    s = Scene(lab, env={"NOTIFY_SOCKET": m.path, "WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"})
    time.sleep(0.5)
    assert m.dogs() == []
    assert s.relay.process.alive()


def test_configuration_from_a_pipe(lab):
    """It can be read once, and its commands are run all the same."""
    hook = Hook(lab, "hook")
    s = Scene(lab, start=False, more_downstreams={"hook": hook.conf()})
    with open(s.relay.conf, "rb") as f:
        text = f.read()
    with open(os.path.join(s.relay.dir, "piped"), "wb") as out, \
            subprocess.Popen([DAEMON, "-c", "/dev/stdin"], stdin=subprocess.PIPE, stdout=out, stderr=out) as p:
        try:
            p.stdin.write(text)
            p.stdin.close()
            hook.wait_calls(1, 20)
        finally:
            p.terminate()
        assert p.wait(20 * SLOW) == 0


# ---- secrets ----


def test_secrets(lab):
    """No secret of a key in any output, at any level, whether things go well or not; no core file."""
    secrets = [os.urandom(32) for _ in range(2)]
    folder = lab.folder("keys")
    path = os.path.join(folder, "k")
    with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w") as f:
        f.write(base64.b64encode(secrets[1]).decode())
    texts = [base64.b64encode(x).decode() for x in secrets]
    keys = {"in.line.": {"secret": texts[0]}, "in.file.": {"secret-file": path}}
    s = Scene(lab, keys=keys, downstream={"key": "in.line."},
              more_downstreams={"other": {"address": "127.0.0.40@9", "key": "in.file."}})
    out = []
    s.update(add=["a 300 A 192.0.2.1"])
    for args in (["status"], ["--json", "status"], ["zone", ZONE], ["--json", "zone", ZONE], ["downstreams"],
                 ["reload"]):
        p = s.relay.ctl(*args)
        out += [p.stdout, p.stderr]
    p = subprocess.run([DAEMON, "-nv", "-c", s.relay.conf], capture_output=True, text=True, check=False)
    out += [p.stdout, p.stderr]
    if ROOT and is_confined(s.relay):
        nothing_in_memory(s.relay, secrets, texts)
    # In the wrong place, and damaged.
    for wrong in ({"secret": [texts[0]]}, {"secret": texts[0] + "!"}, {"algorithm": texts[0]},
                  {"secret": texts[0], "secret-file": path}, {"min-mac": texts[0]}):
        s.relay.keys = {"in.line.": wrong, "in.file.": keys["in.file."]}
        s.relay.write()
        p = s.relay.ctl("reload", check=False)
        out += [p.stdout, p.stderr]
        assert p.returncode != 0
        p = subprocess.run([DAEMON, "-n", "-c", s.relay.conf], capture_output=True, text=True, check=False)
        out += [p.stdout, p.stderr]
        assert p.returncode == 2
    out.append(s.relay.process.output())
    for secret, text in zip(secrets, texts):
        for form in (text, text[:20], text[12:], secret.hex(), secret.hex()[:24]):
            found = [o for o in out if form.lower() in o.lower()]
            assert not found, found[0][:300]
    with open(s.relay.db, "rb") as f:
        stored = f.read()
    assert not any(x in stored for x in secrets) and not any(t.encode() in stored for t in texts)
    with open(f"/proc/{s.relay.process.pid}/limits") as f:
        core = next(line for line in f if line.startswith("Max core file size"))
    if is_confined(s.relay):
        assert core.split()[4:6] == ["0", "0"]


def in_memory(pid, what):
    """Those of `what` that are in what a process may write."""
    found = set()
    with open(f"/proc/{pid}/maps") as f:
        areas = [line.split() for line in f]
    with open(f"/proc/{pid}/mem", "rb") as mem:
        for area in areas:
            if "w" not in area[1]:
                continue
            start, end = (int(x, 16) for x in area[0].split("-"))
            if end - start > 1 << 30:
                continue    # what a sanitizer keeps of memory, not memory
            mem.seek(start)
            data = mem.read(end - start)
            found |= {w for w in what if w in data}
    return found


def nothing_in_memory(relay, secrets, texts):
    """The helper has no secret, and the daemon none as it was written."""
    texts = [t.encode() for t in texts]
    assert not in_memory(helper_of(relay), secrets + texts)
    assert not in_memory(relay.process.pid, texts)


@as_root
@pytest.mark.parametrize("user", [False, True])
def test_tls_keys(lab, user):
    """The process that runs commands is forked before the keys of certificates are read."""
    ca = Authority(lab)
    own, client = ca.issue("relay.example.net"), ca.issue("client.example.net")
    folder = os.path.dirname(own.key)
    s = Scene(lab, start=False, server={"tls": dict({"listen": [f"127.0.0.1@{free_port()}"]}, **own.pair),
                                        **({"user": USER} if user else {})},
              more_downstreams={"over": {"address": "127.0.0.40@9", "tls": dict(
                  {"name": "down.example.net", "ca": ca.ca}, **client.pair)}})
    if user:
        give(s.relay)
        give(s.relay, folder)
        for path in (own.key, client.key):
            os.chown(path, pwd.getpwnam(USER).pw_uid, -1)
        os.chmod(s.relay.conf, 0o644)
    s.relay.start()
    s.relay.wait_serial(ZONE, 1)
    helper, forms = helper_of(s.relay), []
    for cert in (own, client):
        scalar = cert.secret.private_numbers().private_value
        forms += [scalar.to_bytes(32, "big"), scalar.to_bytes(32, "little")]
        with open(cert.key, "rb") as f:
            forms.append(f.read().splitlines()[1])
    assert in_memory(s.relay.process.pid, forms), "what is looked for can be found"
    assert not in_memory(helper, forms)
    s.relay.ctl("reload")
    assert not in_memory(helper, forms)
    if user:
        u = pwd.getpwnam(USER)
        assert status(helper)["Uid"].split() == [str(u.pw_uid)] * 4
        assert status(helper)["Gid"].split() == [str(u.pw_gid)] * 4
        assert number(helper, "CapPrm") == 0
        assert memory_owner(helper) == 0 or not is_confined(s.relay)    # a sanitizer looks into its own process
        assert number(s.relay.process.pid, "CapPrm") == 0


def test_config_can_be_rewritten(lab):
    """Who takes over the daemon could give it other commands for its next start."""
    s = Scene(lab)
    said = s.relay.events("config-can-be-rewritten")[0]
    assert said["file"] == s.relay.conf and "folder of its own" in said["next"]
    s.relay.stop()
    s.relay.server["database"] = os.path.join(lab.folder("data"), "zonerelay.db")
    s.relay.write()
    s.relay.start()
    assert len(s.relay.events("config-can-be-rewritten")) == 1
