#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Runs every fuzz target over its stored corpus, then on new inputs for a
few seconds (minutes in the long run).  Builds them with clang in a folder of
their own.  A crash leaves its input beside the build and fails.
"""

import glob
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(os.environ.get("POPPER_BUILD",
                                    os.path.join(TOP, "build")), "fuzz")
# For each target; 0: its share of what they have together.
SECONDS = int(os.environ.get("POPPER_FUZZ_SECONDS") or
              (600 if os.environ.get("POPPER_LONG") else 0))
TOGETHER = 44
SEED = os.environ.get("POPPER_SEED", "1")


def build():
    env = dict(os.environ, CC="clang")
    if not os.path.exists(os.path.join(BUILD, "build.ninja")):
        subprocess.run(["meson", "setup", BUILD, TOP, "-Dfuzz=true",
                        "-Dtests=disabled"], check=True, env=env,
                       stdout=subprocess.DEVNULL)
    targets = [os.path.relpath(p, HERE)[:-2]
               for p in sorted(glob.glob(HERE + "/fuzz_*.c"))]
    subprocess.run(["ninja", "-C", BUILD]
                   + ["tests/fuzz/" + t for t in targets], check=True,
                   stdout=subprocess.DEVNULL)
    return targets


def fuzz(target, seconds):
    """One target: None, or what it said when it failed."""
    name = target[len("fuzz_"):]
    corpus = os.path.join(HERE, "corpus", name)
    if not os.path.isdir(corpus):
        return "no corpus " + corpus
    found = os.path.join(BUILD, "found", name)
    os.makedirs(found, exist_ok=True)
    argv = [os.path.join(BUILD, "tests/fuzz", target), "-seed=" + SEED,
            "-max_total_time=%d" % seconds, "-timeout=20", "-rss_limit_mb=1024",
            "-print_final_stats=1",
            "-artifact_prefix=%s/%s-" % (BUILD, name)]
    words = os.path.join(HERE, "dict", name + ".dict")
    if os.path.exists(words):
        argv.append("-dict=" + words)
    r = subprocess.run(argv + [found, corpus], check=False, text=True,
                       errors="replace", stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=seconds + 120)
    runs = [line for line in r.stdout.splitlines()
            if "number_of_executed_units" in line]
    print("%-16s %s %s" % (name, "ok" if r.returncode == 0 else "FAILED",
                           runs[0].split()[-1] if runs else "?"), flush=True)
    return None if r.returncode == 0 else r.stdout[-4000:]


def main():
    passed, failed = 0, 0
    targets = build()
    for target in targets:
        said = fuzz(target, SECONDS or TOGETHER // len(targets))
        if said is None:
            passed += 1
        else:
            failed += 1
            print(said)
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
