#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Checks the sources under agent/ against agent/FLOORS and the house rules.

usage: floors.py [TREE]

Prints one line "file:line: what" per violation and ends with 1 when there was any.
"""

import re
import sys
from pathlib import Path

MAX_FILE = 600  # lines
MAX_FUNCTION = 100
MAX_FSM = 200  # a function with "/* lint: fsm */" on the line before it

# Third-party headers, and the name of their library in FLOORS.
LIBRARY = [
    ("ldns/", "ldns"),
    ("openssl/", "openssl"),
    ("event2/", "event"),
    ("event.h", "event"),
    ("ev", "event"),
    ("sqlite3", "sqlite3"),
    ("yaml.h", "yaml"),
    ("seccomp.h", "seccomp"),
]

# Whatever is in neither list is not known here: a new dependency needs a decision.
SYSTEM = set("""
assert.h ctype.h errno.h fcntl.h getopt.h grp.h inttypes.h limits.h math.h poll.h pthread.h pwd.h
sched.h signal.h spawn.h stdalign.h stdarg.h stdatomic.h stdbool.h stddef.h stdint.h stdio.h stdlib.h
stdnoreturn.h string.h strings.h syslog.h termios.h time.h unistd.h
arpa/inet.h net/if.h netinet/in.h netinet/ip.h netinet/tcp.h netinet/udp.h
sys/eventfd.h sys/file.h sys/ioctl.h sys/mman.h sys/random.h sys/resource.h sys/socket.h
sys/stat.h sys/statvfs.h sys/time.h sys/types.h sys/uio.h sys/un.h sys/wait.h sys/prctl.h
dirent.h ifaddrs.h libgen.h linux/capability.h linux/errqueue.h sys/syscall.h sysexits.h linux/sock_diag.h
linux/netlink.h
""".split())

# The pure rooms: values in, values out.  Of stdio.h they may have snprintf().
PURE = {"core"}
PURE_SYSTEM = set("""
assert.h ctype.h inttypes.h limits.h stdalign.h stdarg.h stdbool.h stddef.h stdint.h stdio.h
stdlib.h string.h strings.h
""".split())
PURE_FORBIDDEN = {"base/log.h", "base/mbox.h"}
IMPURE = re.compile(r"\b(clock_now|rand_\w+|log_\w+|v?f?printf|f?puts|perror|fopen|fread|fwrite"
                    r"|fgets|getenv|system|exit)\s*\(")

GENERATED = {"sql_text.h": {"store", "tool"}}  # made from sql/ by embed.awk

CLOCK = re.compile(r"\b(clock_gettime|gettimeofday|timespec_get|time|ftime)\s*\(")
CLOCK_IN = {"base/clock.c"}
THREAD = re.compile(r"\b(pthread_\w+|thrd_\w+|mtx_\w+|_Thread_local|__thread)\b")
THREAD_FILES = {"base/mbox.c", "base/log.c", "base/rand.c"}
THREAD_ROOMS = {"store", "app"}
STATE = re.compile(r"^static\b(?![^;={]*\bconst\b)[^;={(]*?(\w+)(?:\[[^\]]*\])*\s*[;=]", re.M)
STATE_FILES = {"base/log.c", "base/rand.c", "base/mem.c"}  # mem.c: the planned failure of tests
STATE_ROOMS = {"app", "tool"}
BANNED = re.compile(r"\b(sprintf|vsprintf|gets|strtok|alloca|rand|srand|random|atoi"
                    r"|atol|atoll)\s*\(")
# A statement, not a word of a message: the verb and what must follow it.
SQL = re.compile(
    r"\bselect\s.*\sfrom\s|\binsert\s+(or\s+\w+\s+)?into\s|\breplace\s+into\s"
    r"|\bupdate\s+\S+\s+set\s|\bdelete\s+from\s"
    r"|\bcreate\s+(temp\s+|temporary\s+|unique\s+)?(table|index|view|trigger)\b"
    r"|\b(drop|alter)\s+(table|index|view|trigger)\b|^\s*vacuum\b|\battach\s+database\b"
    r"|^\s*(begin|commit|rollback|end)(\s+(immediate|exclusive|deferred|transaction))+\s*;?\s*$"
    r"|^\s*(savepoint|release|rollback\s+to)\s+\w+\s*;?\s*$",
    re.IGNORECASE | re.DOTALL)
SQL_WORD = re.compile(r"^\s*(BEGIN|COMMIT|ROLLBACK)\s*;?\s*$")  # "commit" is only a word
PRAGMA = re.compile(r"^\s*pragma\s", re.IGNORECASE)
PRAGMA_IN = {"store/db.c"}

TOKEN = re.compile(
    r"""(?P<comment>/\*.*?\*/|//[^\n]*)"""
    r"""|(?P<string>"(?:\\.|[^"\\\n])*")"""
    r"""|(?P<char>'(?:\\.|[^'\\\n])*')""",
    re.DOTALL)


class Source:
    """A file, its code without comments and literals, and its string literals."""

    def __init__(self, path, name):
        self.path = path
        self.name = name  # "room/file.c"
        self.room = name.split("/")[0]
        self.text = path.read_text(encoding="utf-8", errors="replace")
        self.lines = self.text.splitlines()
        self.strings = []  # (line, text); neighbours joined as the compiler does
        self.includes = []  # (line, kind, name)
        self._split()

    def _split(self):
        parts, at, end_of_string = [], 0, -1
        for m in TOKEN.finditer(self.text):
            between = self.text[at:m.start()]
            parts.append(between)
            # Line breaks stay, so that line numbers do.
            parts.append(re.sub(r"[^\n]", " ", m.group()))
            line_start = self.text.rfind("\n", 0, m.start()) + 1
            directive = re.match(r"\s*#\s*include\b", self.text[line_start:m.start()])
            if m.lastgroup == "string" and not directive:
                value = m.group()[1:-1]
                if end_of_string >= 0 and not self.text[end_of_string:m.start()].strip():
                    line, before = self.strings.pop()
                    self.strings.append((line, before + value))
                else:
                    self.strings.append((self.line_of(m.start()), value))
                end_of_string = m.end()
            at = m.end()
        parts.append(self.text[at:])
        self.code = "".join(parts)
        for m in re.finditer(r"^[ \t]*#[ \t]*include[ \t]*([<\"])([^>\"\n]+)", self.text, re.M):
            self.includes.append((self.line_of(m.start()), m.group(1), m.group(2)))

    def line_of(self, offset):
        return self.text.count("\n", 0, offset) + 1


class Lint:
    def __init__(self, tree):
        self.tree = tree
        self.agent = tree / "agent"
        self.faults = []
        self.rooms = {}  # name -> (floor, libraries)
        self.sources = {}

    def fault(self, path, line, text):
        shown = path.relative_to(self.tree) if path.is_absolute() else path
        self.faults.append((str(shown), line, text))

    def run(self):
        self.read_floors()
        for path in sorted(self.agent.rglob("*")):
            name = path.relative_to(self.agent).as_posix()
            if path.suffix in (".c", ".h") and "/" in name:
                self.sources[name] = Source(path, name)
        self.check_rooms()
        for source in self.sources.values():
            self.check_includes(source)
            self.check_calls(source)
            self.check_strings(source)
            self.check_shape(source)
            self.check_functions(source)
        self.check_cycles()
        self.check_listed()

    def read_floors(self):
        path = self.agent / "FLOORS"
        for number, line in enumerate(path.read_text().splitlines(), 1):
            words = line.split("#")[0].split()
            if not words:
                continue
            if len(words) < 3 or not words[1].isdigit():
                self.fault(path, number, "expected: room floor libraries (or -)")
            elif words[0] in self.rooms:
                self.fault(path, number, f"room {words[0]} is listed twice")
            else:
                self.rooms[words[0]] = (int(words[1]), set(words[2:]) - {"-"})

    def check_rooms(self):
        for path in sorted(p for p in self.agent.iterdir() if p.is_dir()):
            if path.name not in self.rooms:
                self.fault(path, 0, "room is not listed in agent/FLOORS")
        for room in self.rooms:
            if not (self.agent / room).is_dir():
                self.fault(self.agent / "FLOORS", 0, f"there is no room {room}")

    def check_includes(self, s):
        for line, kind, name in s.includes:
            if kind == "<":
                self.check_system(s, line, name)
            elif name in GENERATED:
                if s.room not in GENERATED[name]:
                    self.fault(s.path, line, f"{name} is not for room {s.room}")
            elif name not in self.sources:
                self.fault(s.path, line, f"no file agent/{name}: write \"room/file.h\"")
            else:
                self.check_floor(s, line, name)

    def check_system(self, s, line, name):
        library = next((lib for head, lib in LIBRARY if name.startswith(head)), None)
        if library is not None:
            if library not in self.rooms.get(s.room, (0, set()))[1]:
                self.fault(s.path, line, f"<{name}>: agent/FLOORS gives room {s.room} no {library}")
        elif name not in SYSTEM:
            self.fault(s.path, line, f"<{name}> is not in the lists of tests/lint/floors.py")
        elif s.room in PURE and name not in PURE_SYSTEM:
            self.fault(s.path, line, f"<{name}>: room {s.room} is pure")

    def check_floor(self, s, line, name):
        other = name.split("/")[0]
        if s.room not in self.rooms or other not in self.rooms or other == s.room:
            return
        mine, theirs = self.rooms[s.room][0], self.rooms[other][0]
        if theirs > mine:
            self.fault(s.path, line, f"\"{name}\" is on floor {theirs}, above floor {mine}")
        elif theirs == mine:
            self.fault(s.path, line, f"\"{name}\": rooms of floor {mine} do not know each other")
        elif s.room in PURE and name in PURE_FORBIDDEN:
            self.fault(s.path, line, f"\"{name}\": room {s.room} is pure")

    def check_calls(self, s):
        def each(pattern, text):
            for m in pattern.finditer(s.code):
                self.fault(s.path, s.line_of(m.start()), text.format(m.group(1)))

        if s.name not in CLOCK_IN:
            each(CLOCK, "{} reads a clock: only base/clock.c does")
        if s.name not in THREAD_FILES and s.room not in THREAD_ROOMS:
            each(THREAD, "{}: threads and locks live in base/mbox, log, rand, in store and app")
        if s.room in PURE:
            each(IMPURE, "{}: this room is pure")
        if s.name not in STATE_FILES and s.room not in STATE_ROOMS:
            each(STATE, "{}: no mutable state of a file below app/")
        each(BANNED, "{} is not used here")

    def check_strings(self, s):
        if s.path.suffix != ".c":
            return
        for line, text in s.strings:
            if SQL.search(text) or SQL_WORD.search(text):
                self.fault(s.path, line, "SQL belongs in sql/query")
            elif PRAGMA.search(text) and s.name not in PRAGMA_IN:
                self.fault(s.path, line, "PRAGMA belongs in store/db.c")

    def check_shape(self, s):
        first = s.lines[0] if s.lines else ""
        if first != "/* SPDX-License-Identifier: BSD-2-Clause */":
            self.fault(s.path, 1, "the first line is not the SPDX line")
        if len(s.lines) > MAX_FILE:
            self.fault(s.path, MAX_FILE + 1, f"{len(s.lines)} lines; {MAX_FILE} are allowed")
        if s.path.suffix == ".h" and not re.search(r"^#pragma once$", s.text, re.M):
            self.fault(s.path, 1, "no #pragma once")
        for m in re.finditer(r"^\s*typedef\b[^;]*;", s.code, re.M):
            if "(" not in m.group():
                self.fault(s.path, s.line_of(m.start()), "typedef of something not a function")

    def check_functions(self, s):
        """A function begins with its name in column 0 and ends with a brace there."""
        start, in_body, before = None, False, ""
        for i, line in enumerate(s.code.splitlines()):
            if not in_body and re.match(r"[A-Za-z_]\w*\(", line):
                start = i
            if line.startswith("{"):
                if start is None and not re.match(r"(struct|union|enum)\b", before):
                    self.fault(s.path, i + 1, "a function whose name is not at a line's start")
                in_body = True
            elif line.startswith("}") and in_body:
                if start is not None:
                    self.check_length(s, start, i - start + 1)
                start, in_body = None, False
            elif not in_body and line.rstrip().endswith(";"):
                start = None  # a declaration
            before = line

    def check_length(self, s, start, length):
        limit = MAX_FSM if self.is_fsm(s, start) else MAX_FUNCTION
        if length > limit:
            name = s.lines[start].split("(")[0]
            self.fault(s.path, start + 1, f"{name}: {length} lines; {limit} are allowed")

    @staticmethod
    def is_fsm(s, start):
        # The name, above it the type, above that the mark.
        return "/* lint: fsm */" in (line.strip() for line in s.lines[max(0, start - 2):start])

    def check_cycles(self):
        """Depth first over the includes; a file met again on the way down closes a cycle."""
        done, way = set(), []

        def walk(name):
            if name in way:
                cycle = way[way.index(name):] + [name]
                line = next(l for l, k, n in self.sources[cycle[-2]].includes if n == name)
                self.fault(self.sources[cycle[-2]].path, line,
                           "include cycle: " + " -> ".join(cycle))
                return
            if name in done:
                return
            way.append(name)
            for _, kind, other in self.sources[name].includes:
                if kind == '"' and other in self.sources:
                    walk(other)
            way.pop()
            done.add(name)

        for name in self.sources:
            walk(name)

    def check_listed(self):
        for room in self.rooms:
            path = self.agent / room / "room.am"
            text = path.read_text() if path.exists() else ""
            listed = set(re.findall(r"\bagent/([\w./-]+\.[ch])\b", re.sub(r"#.*", "", text)))
            present = {n for n, s in self.sources.items() if s.room == room}
            for name in sorted(present - listed):
                self.fault(self.sources[name].path, 1, f"not listed in agent/{room}/room.am")
            for name in sorted(listed - set(self.sources)):
                if name.split("/")[0] == room:
                    self.fault(path, 0, f"agent/{name} does not exist")


def main():
    tree = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    lint = Lint(tree)
    lint.run()
    for path, line, text in sorted(set(lint.faults)):
        print(f"{path}:{line}: {text}")
    if lint.faults:
        print(f"floors: {len(set(lint.faults))} violations")
        return 1
    print(f"floors: {len(lint.sources)} files, all in order")
    return 0


if __name__ == "__main__":
    sys.exit(main())
