#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Behind `make bench`: popper beside other POP3 servers, on loopback, in a
private host; see docs/benchmark.md.

Leaves report.md, a plot for each table and results.json (every run) in --out.
Needs root.  Ends with 1 when a run of popper was void.
"""

import argparse
import json
import os
import platform
import resource
import signal
import sys
import time

sys.dont_write_bytecode = True

from drops import DropHouse                                     # noqa: E402
from house import MAILDIR, MBOX, SYSTEM, TOP, VIRTUAL, House    # noqa: E402
from lib.unpack import build_dir                                # noqa: E402
from peers import Server, all_peers, archives                   # noqa: E402
from plots import plots                                         # noqa: E402
from report import (PAM, PAM_APART, SHAKE, SUBJECT, Results,    # noqa: E402
                    drop_kind, markdown)
from scenarios import (BULKY, DROPS, HOLDING, LARGE, POLLING,   # noqa: E402
                       PROBE_USERS, SCENARIOS, SHAKES, WHOLE, WITH_RSA,
                       WITH_SCRAM, WITH_TLS, Void, bare_pam, bare_shake)

WHOLE_OCTETS = 8000
SYSTEM_USERS_MAX = 1000     # /etc/passwd is read from its beginning each time


def names(text):
    return [w for w in text.split(",") if w]


def numbers(text):
    return [int(w) for w in names(text)]


def arguments(argv=None):
    p = argparse.ArgumentParser(description="compare POP3 servers")
    p.add_argument("--rounds", type=int, default=1)
    p.add_argument("--seconds", type=int, default=2,
                   help="of each measured stretch (2)")
    p.add_argument("--connections", type=int, default=8,
                   help="sessions at a time (8)")
    p.add_argument("--users", type=int, default=200,
                   help="for login and retr (200)")
    p.add_argument("--hold", type=int, default=200,
                   help="connections to hold (200)")
    p.add_argument("--rate", type=int, default=50,
                   help="logins a second beside others (50)")
    p.add_argument("--bulk", type=int, default=200, metavar="MIB",
                   help="size of the large message (200)")
    p.add_argument("--forms", type=names, default=[MBOX, MAILDIR],
                   metavar="FORM,...",
                   help="of large maildrops (mbox,maildir)")
    p.add_argument("--crlf", action="store_true",
                   help="in large Maildirs, and no line begins with a dot")
    p.add_argument("--counts", type=numbers, default=[1, 100, 10000, 100000],
                   metavar="N,...",
                   help="messages to poll (1,100,10000,100000)")
    p.add_argument("--octets", type=int, default=10000,
                   help="of each of those, about (10000)")
    p.add_argument("--polls", type=int, default=1000,
                   help="sessions of a stretch, at most (1000)")
    p.add_argument("--messages", type=int, default=10000,
                   help="to fetch and delete, 8,000 octets each (10000)")
    p.add_argument("--processors", type=int, metavar="N",
                   default=len(os.sched_getaffinity(0)),
                   help="for load and servers together; with 1, "
                   "nobody waits for another one to wake up (all)")
    p.add_argument("--peers", type=names, default=[], metavar="NAME,...")
    p.add_argument("--scenarios", type=names, metavar="NAME,...",
                   default=[s for s in SCENARIOS],
                   help=",".join(SCENARIOS))
    p.add_argument("--kinds", type=names, default=[VIRTUAL, SYSTEM],
                   metavar="KIND,...", help="virtual,system")
    p.add_argument("--out", default=os.path.join(build_dir(), "bench-report"))
    c = p.parse_args(argv)
    for given, known in ((c.peers, [x.name for x in all_peers()]),
                         (c.scenarios, SCENARIOS),
                         (c.kinds, (VIRTUAL, SYSTEM)),
                         (c.forms, (MBOX, MAILDIR))):
        for name in given:
            if name not in known:
                p.error("no %s; there are: %s" % (name, " ".join(known)))
    if not 1 <= c.processors <= len(os.sched_getaffinity(0)):
        p.error("no %d processors" % c.processors)
    return c


class Bench:
    """peers: objects as in peers.py, in the order in which they take turns."""

    def __init__(self, c, peers):
        self.c, self.peers = c, peers
        self.runs = []
        self.how = None             # how processor time was measured
        self.load = os.getloadavg()[0]

    def run(self):
        """Every table: a house, and in it the rounds."""
        for kind in self.c.kinds:
            peers = [p for p in self.peers if p.logins and kind in p.kinds]
            for group, words in self._houses(kind):
                wanted = [s for s in SCENARIOS if s in self.c.scenarios
                          and s in group and (kind == VIRTUAL
                                              or s not in WITH_SCRAM)]
                if wanted and peers:
                    self._in_house(kind, words, wanted, peers)
        for form in self.c.forms:
            peers = [p for p in self.peers if form in p.forms]
            for group, count, octets in self._drops():
                wanted = [s for s in SCENARIOS if s in self.c.scenarios
                          and s in group]
                if wanted and peers:
                    self._in_drop(form, count, octets, wanted, peers)
        return Results(self.runs)

    def _drops(self):
        """(scenarios, messages, octets of each) of large maildrops."""
        for count in self.c.counts:
            yield POLLING, count, self.c.octets
        yield WHOLE, self.c.messages, WHOLE_OCTETS
        yield LARGE, 1, self.c.bulk << 20

    def _in_drop(self, form, count, octets, wanted, peers):
        with DropHouse(form, count, octets, archives(peers),
                       self.c.crlf) as house:
            for n in range(1, self.c.rounds + 1):
                for scenario in wanted:
                    self._round(house, n, scenario, peers,
                                drop_kind(form, count))

    def _houses(self, kind):
        """(scenarios, what their users and mail are)."""
        n = self.c.hold + PROBE_USERS
        yield (set(SCENARIOS) - HOLDING - BULKY - DROPS,
               {"users": self.c.users})
        yield HOLDING, {"users": min(n, SYSTEM_USERS_MAX)
                        if kind == SYSTEM else n}
        # A large message does not know whose it is.
        if kind == VIRTUAL:
            yield BULKY, {"users": 2, "count": 1,
                          "octets": self.c.bulk << 20}

    def _in_house(self, kind, words, wanted, peers):
        with House(kind, packages=archives(peers), **words) as house:
            for n in range(1, self.c.rounds + 1):
                for scenario in wanted:
                    self._round(house, n, scenario, peers, kind)

    def _round(self, house, n, scenario, peers, kind):
        if scenario in WITH_TLS:
            house.lay_certificate(rsa=scenario in WITH_RSA)
        # Another one begins each time: the first to use memory may have to wait
        # for the virtual machine's host.
        first = (n - 1) % len(peers)
        for peer in peers[first:] + peers[:first]:
            if scenario not in peer.skips and (
                    peer.tls or scenario not in WITH_TLS) and (
                    peer.scram or scenario not in WITH_SCRAM):
                self._record(kind, n, scenario, peer.name,
                             lambda p=peer: self._serve(house, p, scenario))
        if scenario in SHAKES:
            self._record(kind, n, scenario, SHAKE,
                         lambda: bare_shake(house, self.c, *SHAKES[scenario]))
        if scenario == "login" and house.kind == SYSTEM:
            for name, words in ((PAM, ()), (PAM_APART, ("each",))):
                self._record(kind, n, scenario, name,
                             lambda w=words: bare_pam(house, self.c, *w))

    def _serve(self, house, peer, scenario):
        # Dovecot leaves fields of its own, which others do not hide.
        house.lay_mail()
        with Server(peer, house, scenario in WITH_TLS,
                    scenario in WITH_SCRAM) as server:
            self.how = server.group.how
            return SCENARIOS[scenario](server, self.c)

    def _record(self, kind, n, scenario, name, measure):
        run = {"scenario": scenario, "kind": kind, "peer": name, "round": n}
        try:
            run["values"] = measure()
            told = " ".join("%s=%.4g" % kv for kv in run["values"].items())
        except Void as e:
            run["void"] = str(e)
            told = "VOID: " + str(e)
        self.runs.append(run)
        print("round %d  %-15s %-13s %-16s %s" % (n, scenario, kind, name,
                                                told), flush=True)

    def facts(self):
        c = self.c
        with open("/proc/meminfo", encoding="ascii") as f:
            memory = int(f.readline().split()[1]) >> 10
        return [
            ("processors", "%d of %d" % (c.processors, os.cpu_count())),
            ("memory", "%d MiB" % memory),
            ("kernel", platform.release()),
            ("load average before", "%.2f" % self.load),
            ("rounds", "%d, interleaved" % c.rounds),
            ("sessions at a time", c.connections),
            ("seconds of a stretch", c.seconds),
            ("users", c.users), ("held", c.hold),
            ("logins a second beside others", c.rate),
            ("messages of large maildrops", "%s, %d" % (c.counts, c.messages)),
            ("processor time by", self.how)]


def write_all(out, results, facts):
    os.makedirs(out, exist_ok=True)
    text = markdown(results, facts)
    files = {"report.md": text,
             "results.json": json.dumps(results.runs, indent=1)}
    for name, plot in plots(results).items():
        files[name + ".svg"] = plot
    for name, data in files.items():
        with open(os.path.join(out, name), "w", encoding="utf-8") as f:
            f.write(data)
    give_back(out)
    return text


def give_back(path):
    """To who called sudo."""
    if "SUDO_UID" not in os.environ:
        return
    uid, gid = int(os.environ["SUDO_UID"]), int(os.environ["SUDO_GID"])
    for where in (path, os.path.join(build_dir(), "unpacked"),
                  os.path.join(build_dir(), "hosts")):
        for folder, _, files in os.walk(where):
            for name in [folder] + [os.path.join(folder, f) for f in files]:
                os.chown(name, uid, gid, follow_symlinks=False)


def main():
    c = arguments()
    if os.geteuid() != 0:
        sys.exit("the benchmark needs root")
    os.umask(0o022)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # not in a mess
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:c.processors])
    peers = [p for p in all_peers() if not c.peers or p.name in c.peers]
    bench = Bench(c, peers)
    began = time.monotonic()
    results = bench.run()
    text = write_all(c.out, results, bench.facts())
    print("\n" + text)
    print("%.0f s; all of it in %s" % (time.monotonic() - began,
                                       os.path.relpath(c.out, TOP)))
    return 1 if any("void" in r for r in results.runs
                    if r["peer"].startswith(SUBJECT)) else 0


if __name__ == "__main__":
    sys.exit(main())
