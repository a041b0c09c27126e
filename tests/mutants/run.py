#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""run.py SRCDIR [--only REGEX] [--list] [--no-baseline]: does each guard's test fail without the guard?

In the folder where it is started it makes mutants/: a copy of the sources (of what git knows), and a build of it.
Each edit of guards.py and storage.py is made there, the daemon or the unit test built, the test run, the edit taken
back.  First every test is run as it is.  A guard whose test passes without it, or whose edit does not apply, is a failure.
Needs what the system tests need.  Environment: CC, MAKE, and those of tests/system/run.
"""

import argparse
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import time

from guards import GUARDS
from storage import STORAGE

LIMIT = 240         # seconds for a test
FILE_MAX = 1 << 30  # octets: a daemon that stores without end dies of it


def words(args, **how):
    return subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **how)


def small_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_MAX, FILE_MAX))
    os.setpgid(0, 0)


class Copy:
    """The sources and their build."""

    def __init__(self, srcdir):
        self.top = pathlib.Path.cwd() / "mutants"
        self.source, self.build = self.top / "source", self.top / "build"
        self.make = os.environ.get("MAKE", "make").split()
        names = words(["git", "-C", srcdir, "ls-files", "-z"]).stdout.split("\0")
        for name in filter(None, names):
            at, old = self.source / name, pathlib.Path(srcdir) / name
            if not old.is_file() or (at.exists() and at.read_bytes() == old.read_bytes()):
                continue
            at.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(old, at)
        self.build.mkdir(exist_ok=True)
        if not (self.build / "Makefile").exists():
            self.check(["autoreconf", "-fi"], self.source)
            cc = ["CC=" + os.environ["CC"]] if os.environ.get("CC") else []
            self.check(["../source/configure", "--quiet", *cc], self.build)

    def check(self, args, cwd):
        done = words(args, cwd=cwd)
        if done.returncode:
            sys.exit(f"{' '.join(args)}:\n{done.stdout[-4000:]}")

    def test(self, test):
        """(passed, what it said)."""
        unit = test.startswith("tests/unit/")
        made = words([*self.make, "-j2", *([test] if unit else ["zonerelayd", "zonerelayctl"])], cwd=self.build)
        if made.returncode:
            return None, made.stdout
        if unit:
            args = [self.build / test]
        else:
            args = [self.source / "tests/system/run", f"{self.source}/tests/system/{test}"]
        env = dict(os.environ, srcdir=str(self.source), PYTEST_ARGS="-x --tb=line")
        with subprocess.Popen(args, cwd=self.build, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", preexec_fn=small_files) as p:
            try:
                said, _ = p.communicate(timeout=LIMIT)
            except subprocess.TimeoutExpired:
                os.killpg(p.pid, 15)
                said = p.communicate()[0] + "\nit never ended"
        if p.returncode == 77:
            sys.exit(f"{test}: cannot be run here\n{said}")
        return p.returncode == 0, said


def reason(said):
    """The line of a failure that says most."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    for mark in ("E   ", "Error", "assert", "error:", "AddressSanitizer", "never ended"):
        for line in lines:
            if mark in line and not line.startswith("[ RUN"):
                return line.rpartition("/tests/")[2][:100]
    return lines[-1][:100] if lines else "it died without a word"


def mutate(copy, g):
    """True: the guard is guarded."""
    path = copy.source / g.file
    text = path.read_text()
    if text.count(g.old) != 1:
        return False, f"the text stands {text.count(g.old)} times in {g.file}"
    try:
        path.write_text(text.replace(g.old, g.new))
        passed, said = copy.test(g.test)
    finally:
        path.write_text(text)
        os.utime(path)
    if passed is None:
        return False, "does not build: " + reason(said)
    return not passed, "lives" if passed else reason(said)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("srcdir")
    p.add_argument("--only", default="", help="guards in whose lines this regular expression is found")
    p.add_argument("--list", action="store_true")
    p.add_argument("--no-baseline", action="store_true")
    o = p.parse_args()
    guards = [g for g in GUARDS + STORAGE if re.search(o.only, " ".join(g))]
    if o.list:
        for g in guards:
            print(f"{g.attack:55} {g.key:24} {g.test}")
        return 0
    copy = Copy(o.srcdir)
    failures = 0
    for test in [] if o.no_baseline else sorted({g.test for g in guards}):
        passed, said = copy.test(test)
        if not passed:
            print(f"FAILS AS IT IS: {test}: {reason(said)}", flush=True)
            failures += 1
    for g in guards:
        start = time.monotonic()
        killed, why = mutate(copy, g)
        failures += not killed
        print(f"{'killed' if killed else 'LIVES '} {time.monotonic() - start:4.0f} s  {g.attack} ({g.key}), {g.test}: {why}",
              flush=True)
    print(f"{len(guards)} guards, {failures} failures")
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
