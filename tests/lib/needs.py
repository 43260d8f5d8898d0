# SPDX-License-Identifier: ISC
"""The Debian packages that building and testing need, and getting them.

As a program: installs what is missing (through sudo when not root);
`--build` leaves the tests' own needs out, `--deb` asks for what `make deb`
needs, `--list` only prints.
"""

import os
import re
import shutil
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))


def build_needs(check=True):
    """Without check: not those that only tests use."""
    with open(os.path.join(TOP, "debian/control"), encoding="utf-8") as f:
        field = re.search(r"^Build-Depends:(.*(?:\n[ \t].*)*)", f.read(),
                          re.M).group(1)
    names = [re.match(r"[a-z0-9+.-]+", w.strip()) for w in field.split(",")
             if check or "<!nocheck>" not in w]
    # debhelper makes packages, see deb_needs(); what every Debian build may
    # take for granted is not in that list.
    return ["gcc", "libc6-dev"] + [
        m.group(0) for m in names
        if m and not m.group(0).startswith("debhelper")]


def deb_needs():
    """For the package: what dpkg-buildpackage and lintian are."""
    return build_needs() + ["build-essential", "debhelper", "lintian"]


def test_needs():
    with open(os.path.join(TOP, "tests/packages"), encoding="utf-8") as f:
        lines = [line.split("#")[0].strip() for line in f]
    return deb_needs() + [line for line in lines if line]


def missing(names):
    r = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *names],
        check=False, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL)
    here = {line.split()[0] for line in r.stdout.splitlines()
            if line.endswith(" installed")}
    return [n for n in names if n not in here]


def install(names):
    """Gives False when it could not."""
    names = missing(names)
    if not names:
        return True
    root = [] if os.geteuid() == 0 else ["sudo"]
    if root and not shutil.which("sudo"):
        print("neither root nor sudo: let root type\n"
              "  apt-get install --no-install-recommends", " ".join(names))
        return False
    print("installing:", " ".join(names), flush=True)
    # A host that has just started may be at its own upgrades.
    apt = root + ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq",
                  "-o", "DPkg::Lock::Timeout=300"]
    if subprocess.run(apt + ["update"], check=False).returncode != 0:
        return False
    return subprocess.run(apt + ["-y", "--no-install-recommends", "install",
                                 *names], check=False,
                          stdout=subprocess.DEVNULL).returncode == 0


def main():
    if "--deb" in sys.argv:
        names = deb_needs()
    elif "--build" in sys.argv:
        names = build_needs(check=False)
    else:
        names = test_needs()
    if "--list" in sys.argv:
        print("\n".join(names))
    elif not install(names):
        sys.exit(1)


if __name__ == "__main__":
    main()
