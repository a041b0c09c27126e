# SPDX-License-Identifier: BSD-2-Clause
"""Ends a daemon at a call that was chosen, lets calls fail, cuts the power, moves the clock: see strike.c."""

import mmap
import os
import struct

from lab import SLOW, compiled

CLASSES = ("disk", "net", "memory", "sql")
BEFORE, AFTER, HALF, FAIL = 1, 2, 3, 4
_FIELDS = ("armed", "action", "classes", "left", "site", "error", "times", "hits") + CLASSES + ("caller",)
_HEAD, _SITE, _SITES = 4096, 88, 16384
_SECTOR = 512


def library(lab, name):
    """Builds a library to be loaded before the daemon; its path."""
    return compiled(lab, name + ".c", name + ".so", "-shared", "-fPIC", *(["-DZR_NO_MEMORY"] if SLOW > 1 else []), "-ldl")


def _shared(path, size):
    with open(path, "w+b") as f:
        f.truncate(size)
        return mmap.mmap(f.fileno(), size)


class Clock:
    """Seconds by which daemons are ahead; it only goes on."""

    def __init__(self, lab):
        self.path = os.path.join(lab.path, "clock")
        self._map = _shared(self.path, 4096)
        self.seconds = 0.0

    def jump(self, seconds):
        self.seconds += seconds
        struct.pack_into("<q", self._map, 0, int(self.seconds * 1e9))


class Site:
    """One place in the program that calls something, with the six that called it."""

    def __init__(self, number, calls, kind, name, caller, pcs):
        self.number, self.calls, self.kind, self.name = number, calls, CLASSES[kind], name
        self.caller, self.pcs = caller, pcs

    def __repr__(self):
        return f"{self.name} from {' '.join(hex(p) for p in self.pcs if p)}"


class Strike:
    """What is to happen to one daemon; env is the environment it needs."""

    def __init__(self, lab, name, clock=None, undo=False):
        self.name = os.path.join(lab.path, name)
        self._map = _shared(self.name + ".control", _HEAD + _SITE * _SITES)
        asan = os.environ.get("ASAN_OPTIONS", "")
        self.env = {"LD_PRELOAD": library(lab, "strike"), "ZR_STRIKE": self.name + ".control",
                    "ASAN_OPTIONS": asan + (":" if asan else "") + "verify_asan_link_order=0"}
        if clock is not None:
            self.env["ZR_CLOCK"] = clock.path
        if undo:
            self.env["ZR_UNDO"] = self.name

    def __getitem__(self, field):
        return struct.unpack_from("<q", self._map, 8 * _FIELDS.index(field))[0]

    def __setitem__(self, field, value):
        struct.pack_into("<q", self._map, 8 * _FIELDS.index(field), value)

    def disarm(self):
        self["armed"] = 0

    def arm(self, action, classes, left, site=None, error=0, times=1):
        """After `left` calls of these classes (from this site) it acts."""
        self.disarm()
        for field, value in (("action", action), ("classes", sum(1 << CLASSES.index(c) for c in classes)),
                             ("left", left), ("site", site.number if site else 0),
                             ("caller", site.caller if site else 0), ("error", error), ("times", times), ("hits", 0)):
            self[field] = value
        self["armed"] = 1

    def watch(self, classes):
        """Only notes from where calls come."""
        self.disarm()
        self._map[_HEAD:] = bytes(_SITE * _SITES)
        self["action"] = 0
        self["classes"] = sum(1 << CLASSES.index(c) for c in classes)
        self["armed"] = 2

    def sites(self):
        out = []
        for i in range(_SITES):
            h, calls, kind, name, caller, *pcs = struct.unpack_from("<Qqq24s5Q", self._map, _HEAD + _SITE * i)
            if h:
                out.append(Site(h, calls, kind, name.rstrip(b"\0").decode(), caller, pcs))
        return sorted(out, key=lambda s: s.number)

    # ---- power cuts ----

    def clear_undo(self):
        """Everything is on the disk now."""
        for end in (".db", ".wal"):
            if os.path.exists(self.name + end):
                os.unlink(self.name + end)

    def cut_power(self, db, random):
        """The daemon is dead.  Of what was not synced the disk has nothing, all but the end, or some; the way."""
        way = random.choice(("nothing", "beginning", "some"))
        lost = 0
        for end, path in ((".db", db), (".wal", db + "-wal")):
            if os.path.exists(self.name + end) and os.path.exists(path):
                lost += _forget(self.name + end, path, way, random)
        if os.path.exists(db + "-shm"):
            os.unlink(db + "-shm")
        self.clear_undo()
        return way, lost


def _forget(undo, path, way, random):
    with open(undo, "rb") as f:
        data = f.read()
    states, order, at = {}, [], 0       # sector -> what it was before each of the writes to it
    while at + 24 <= len(data):
        offset, n, _ = struct.unpack_from("<3q", data, at)
        at += 24
        if at + n > len(data):
            break       # ended before it was written itself
        for i in range(0, n, _SECTOR):
            states.setdefault(offset + i, []).append((len(order), data[at + i:at + i + _SECTOR]))
        order.append(offset)
        at += n
    from_write = random.randint(0, len(order)) if way == "beginning" else 0
    lost = 0
    with open(path, "r+b") as f:
        for sector, before in states.items():
            if way == "some":
                before = before if random.random() < 0.5 else []
                before = before[random.randrange(len(before)):] if before else []
            else:
                before = [b for b in before if b[0] >= from_write]
            if before:
                f.seek(sector)
                f.write(before[0][1])
                lost += 1
    return lost
