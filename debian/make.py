#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""`make deb`: the Debian package, built from a copy below the build folder.

    python3 debian/make.py [--build FOLDER] [--version V] [--nocheck]

Leaves FOLDER/deb/popper_V_ARCH.deb, with its .dsc and .changes, looks at them
with lintian, and fails when that complains.  The source tree stays as it is.
"""

import argparse
import glob
import os
import re
import shutil
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
# What git would ignore, for a tree without git: at the top, and everywhere.
NOT_AT_TOP = shutil.ignore_patterns(".git", "build*", "run")
NOT_SOURCE = shutil.ignore_patterns("*.pyc", "__pycache__")


def tracked():
    """Names of the source's files, as git knows them (new ones as well);
    None without git."""
    if not shutil.which("git"):
        return None
    r = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", TOP, "ls-files", "-z",
         "--cached", "--others", "--exclude-standard"],
        check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if r.returncode != 0:
        return None
    return [n for n in r.stdout.decode().split("\0")
            if n and os.path.lexists(os.path.join(TOP, n))]


def copy(to):
    names = tracked()
    if names is None:
        shutil.copytree(TOP, to, symlinks=True, ignore=lambda d, n: (
            NOT_SOURCE(d, n) | (NOT_AT_TOP(d, n) if d == TOP else set())))
        return
    for name in names:
        target = os.path.join(to, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy2(os.path.join(TOP, name), target, follow_symlinks=False)


def set_version(tree, version):
    path = os.path.join(tree, "debian/changelog")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    with open(path, "w", encoding="utf-8") as f:
        f.write(re.sub(r"\A(\S+) \([^)]+\)", r"\1 (%s)" % version, text))


def build(folder, version=None, nocheck=False):
    """The path of the new .changes."""
    tree = os.path.join(folder, "popper")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    copy(tree)
    if version:
        set_version(tree, version)
    options = os.environ.get("DEB_BUILD_OPTIONS", "").split()
    options.append("parallel=%d" % len(os.sched_getaffinity(0)))
    # What steers a build or a test of another kind has no say here.
    env = {k: v for k, v in os.environ.items()
           if k not in ("CC", "CFLAGS", "LDFLAGS")
           and not re.match(r"POPPER|MAKE|[A-Z]+SAN_", k)}
    env.update(LC_ALL="C.UTF-8", DEB_BUILD_OPTIONS=" ".join(
        options + (["nocheck"] if nocheck else [])))
    subprocess.run(["dpkg-buildpackage", "-us", "-uc",
                    *(["-Pnocheck"] if nocheck else [])],
                   cwd=tree, env=env, check=True)
    shutil.rmtree(tree)
    return glob.glob(folder + "/*.changes")[0]


def lintian(changes):
    """Its complaints; none is what we want."""
    r = subprocess.run(
        ["lintian", "--fail-on", "error,warning", "--allow-root", changes],
        check=False, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return r.returncode, r.stdout


def main():
    p = argparse.ArgumentParser(description="build the Debian package")
    p.add_argument("--build", default=os.path.join(TOP, "build"))
    p.add_argument("--version", help="instead of debian/changelog's")
    p.add_argument("--nocheck", action="store_true",
                   help="without the unit tests")
    args = p.parse_args()
    os.umask(0o022)
    folder = os.path.join(os.path.abspath(args.build), "deb")
    try:
        changes = build(folder, args.version, args.nocheck)
    except subprocess.CalledProcessError as e:
        sys.exit("%s failed" % " ".join(e.cmd))
    code, said = lintian(changes)
    print(said, end="")
    if code != 0:
        sys.exit("lintian complains")
    print("\n".join(glob.glob(folder + "/*_*.deb")))


if __name__ == "__main__":
    main()
