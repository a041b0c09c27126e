# SPDX-License-Identifier: BSD-2-Clause
"""Forged requests by the ten thousand: flood.c, and what they cost the daemon."""

import contextlib
import os
import subprocess

from lab import compiled
from tsigwire import append


def plain(wire):
    """Octets as they are, but for the ID."""
    return wire.hex()


def forged(wire, key, when):
    """The same with a TSIG of this name and algorithm, in time, whose MAC is another guess each time."""
    size = {"hmac-sha256": 32, "hmac-sha512": 64}[key.alg]
    signed = append(wire, key, when, b"\xaa" * size, 0, b"")
    at = signed.rindex(b"\xaa" * size)
    return f"~{at},{size}:{signed.hex()}"


@contextlib.contextmanager
def flood(lab, at, rate, seconds, sources, wires):
    """A process of its own; .rate is what it has reached, afterwards.  wires: of plain() and forged()."""
    with subprocess.Popen([compiled(lab, "flood.c", "flood"), at[0], str(at[1]), str(rate), str(seconds), ",".join(sources), *wires],
                          stdout=subprocess.PIPE, text=True) as p:
        try:
            assert p.stdout.readline() == "begun\n"
            yield p
            p.rate = float(p.stdout.readline())
        finally:
            p.kill()


def cpu_seconds(pid):
    """What a process has used so far, of the processor."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
