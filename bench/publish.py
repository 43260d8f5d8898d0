#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Lay what `make bench` has left into the documents: every plot that one of them
shows, and the tables between their marks.

usage: bench/publish.py [[RUN=]RESULTS...]     (build/bench-report/results.json)

A mark names one of BLOCKS, or a table of the report by its scenario and kind, as
in login-virtual.  "RUN: " before it has the results of that run, which was done
another way (--processors, --crlf).  Of a table that several of the files have, the
last one's counts; one that none has stays as it is.  Needs no root.
"""

import json
import os
import re
import statistics
import sys

sys.dont_write_bytecode = True

from house import MAILDIR, MBOX, TOP                            # noqa: E402
from peers import all_peers                                     # noqa: E402
from plots import plots, short                                  # noqa: E402
from report import MORE, Results, spread, table_lines           # noqa: E402
from scenarios import DROPS                                     # noqa: E402

DOCUMENTS = ("README.md", "docs/performance.md", "docs/benchmark.md")
MARK, END = "<!-- bench/publish.py: %s -->", "<!-- end -->"
BLOCK = re.compile(r"(%s).*?%s" % (MARK % r"(?:(\w+): )?([\w-]+)", END), re.S)
PLOT = re.compile(r"benchmark-([\w-]+)\.svg")
STALLS = "44 ms a message"
HEADS = {"popper": "popper", "dovecot-index": "Dovecot, with indexes",
         "popa3d": "popa3d", "courier": "Courier", "floor": "floor"}
FORMS = {MBOX: "mbox", MAILDIR: "Maildir"}
# What a number is, and its unit; CPU of the server in ms unless it stands here.
KINDS = {"cpu_ms_mb": ("CPU", "ms/MB"), "mb_s": ("speed", "MB/s"),
         "cold_ms": ("time", "ms")}

# What a session does to a maildrop of %s; the scenario, the key of its number.
NOTHING_NEW = "nothing new in %s: STAT, UIDL, LIST", "poll", "cpu_ms"
STAT_ALONE = "the same, STAT alone", "poll", "stat_cpu_ms"
ONE_NEW = "the same, with one new message", "poll", "new_cpu_ms"
COLD = "the same, never seen, not in memory", "poll", "cold_cpu_ms"
COLD_TIME = (*COLD[:2], "cold_ms")
FETCH = "%s fetched one by one", "fetch", "cpu_ms_mb"
FETCH_RATE = (*FETCH[:2], "mb_s")
AHEAD = "%s fetched, commands ahead", "fetch_pipelined", "cpu_ms_mb"
AHEAD_RATE = (*AHEAD[:2], "mb_s")
LARGE = "a large one fetched", "fetch_large", "cpu_ms_mb"
LARGE_RATE = (*LARGE[:2], "mb_s")
TOP_ALL = "TOP n 0 of %s", "top", "cpu_ms"
DRAIN = "%s deleted", "drain", "cpu_ms"
ALL = (NOTHING_NEW, STAT_ALONE, ONE_NEW, COLD, COLD_TIME, FETCH_RATE, FETCH,
       AHEAD_RATE, AHEAD, LARGE_RATE, LARGE, TOP_ALL, DRAIN)
ABOUT = NOTHING_NEW, STAT_ALONE, COLD, FETCH, DRAIN


def load(paths):
    """Whole tables, the last file's."""
    tables = {}
    for path in paths:
        with open(path, encoding="utf-8") as f:
            fresh = {}
            for run in json.load(f):
                fresh.setdefault((run["scenario"], run["kind"]),
                                 []).append(run)
        tables.update(fresh)
    return Results([run for runs in tables.values() for run in runs])


def largest(results, scenario, form):
    """The table of that with most messages, and how many; or None."""
    found = [(int(kind.rpartition("-")[2]), (s, kind))
             for s, kind in results.tables()
             if s == scenario and kind.startswith(form + "-")]
    return max(found)[::-1] if found else None


def kind(key):
    return KINDS.get(key, ("CPU", "ms"))


def median(values, key):
    """For people: 21 ms, 6.7 s."""
    x, unit = statistics.median(values), kind(key)[1]
    if unit == "ms" and x >= 1000:
        return "%.1f s" % (x / 1000)
    return "%s %s" % (short(x), unit)


def exact(values, key):
    """With the least and the greatest; the unit stands before."""
    return spread(values, "%.2f" if statistics.median(values) < 10 else "%.0f")


def cells(results, table, key, peers, say):
    stalls = {p.name for p in all_peers() if table[0] in p.skips
              and any(table[1].startswith(form) for form in p.forms)}
    for peer in peers:
        values = results.values(table, peer, key)
        yield say(values, key) if values else \
            "(%s)" % STALLS if peer in stalls else ""


def by_best(results, table, key):
    """popper's by that of the best of the others, who is named."""
    peer = results.best(table, key)
    found = results.ratios(table, "popper", peer, key)
    return "%s (%s%s)" % (spread(found, "%.2f"), peer, ": more is better" if
                          key in MORE else "") if found else ""


def label(form, text, count, key, full):
    what = "{:,} message{}".format(count, "s" * (count > 1))
    out = "%s: %s" % (FORMS[form], text % what if "%" in text else text)
    name, unit = kind(key)
    if full:
        return "%s; %s, %s" % (out, name, unit)
    return out if name == "CPU" else "%s; %s" % (out, name)


def lines(results, rows, peers, full):
    """A table, Maildirs below mboxes; full: with spreads and ratios."""
    heads = ["CPU of the server, a session", *(HEADS[p] for p in peers)]
    if full:
        heads = ["", *heads[1:], "popper by the best of the others"]
    yield "| " + " | ".join(heads) + " |"
    yield "|---" * len(heads) + "|"
    for form in FORMS:
        for text, scenario, key in rows:
            found = largest(results, scenario, form)
            if found is None:
                continue
            table, count = found
            row = [label(form, text, count, key, full)]
            row += cells(results, table, key, peers,
                         exact if full else median)
            if not any(row[1:]):
                continue
            row += [by_best(results, table, key)] * full
            yield "| " + " | ".join(row) + " |"


EVERYONE = tuple(HEADS)
BLOCKS = {"summary": (ABOUT, EVERYONE[:-1], False),
          "peers": (ALL, EVERYONE, False), "drops": (ALL, EVERYONE, True)}


def how_many(results, scenarios):
    """Rounds: one table may be of more than another."""
    most = {}
    for r in results.runs:
        if r["scenario"] in scenarios:
            of = r["scenario"], r["kind"]
            most[of] = max(r["round"], most.get(of, 1))
    low, high = min(most.values()), max(most.values())
    if high == 1:
        return "One round."
    return "Medians of %s rounds." % (
        high if low == high else "%d to %d" % (low, high))


def drops_block(results, name):
    if any(scenario in DROPS for scenario, _ in results.tables()):
        yield from (how_many(results, DROPS), "",
                    *lines(results, *BLOCKS[name]), "")


def report_block(results, name):
    """As the report has it, without its head."""
    table = tuple(name.split("-", 1))
    if table in results.tables():
        yield from (how_many(results, table[:1]), "",
                    *list(table_lines(results, table))[2:])


def replace(text, runs):
    """A document, with those of its blocks made anew that were measured."""
    def anew(found):
        mark, run, name = found.groups()
        results = runs.get(run or "")
        make = drops_block if name in BLOCKS else report_block
        fresh = list(make(results, name)) if results else []
        return "\n".join([mark, "", *fresh, END]) if fresh else found[0]
    return BLOCK.sub(anew, text)


def publish(runs, top):
    """Every document below the folder, and the plots that they show."""
    drawn, shown = plots(runs.get("") or Results([])), set()
    for name in DOCUMENTS:
        path = os.path.join(top, name)
        with open(path, encoding="utf-8") as f:
            old = f.read()
        new = replace(old, runs)
        shown.update(PLOT.findall(new))
        with open(path, "w", encoding="utf-8") as f:
            f.write(new)
    for name in shown & set(drawn):
        with open(os.path.join(top, "docs", "benchmark-%s.svg" % name), "w",
                  encoding="utf-8") as f:
            f.write(drawn[name])
    return shown - set(drawn)


def main():
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__.strip())
        return
    paths = {}
    for arg in sys.argv[1:] or [
            os.path.join(TOP, "build", "bench-report", "results.json")]:
        run, _, path = arg.rpartition("=")
        paths.setdefault(run, []).append(path)
    for name in sorted(publish({run: load(of) for run, of in paths.items()},
                               TOP)):
        print("not measured, as it was: docs/benchmark-%s.svg" % name)


if __name__ == "__main__":
    main()
