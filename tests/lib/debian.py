# SPDX-License-Identifier: ISC
"""The Debian package, and clean Debian systems to install it in.

package() builds it once for all who ask (debian/make.py); clean_system(deb)
makes a minimal system of the host's own release, from the host's own sources,
as an archive for Host(system=...).  The packages that `deb` depends on lie in
apt's cache there, so that a host without a network can install it.
"""

import fcntl
import glob
import hashlib
import importlib.util
import os
import re
import subprocess
import tempfile

from lib.unpack import TOP, build_dir


def _make():
    spec = importlib.util.spec_from_file_location(
        "deb_make", os.path.join(TOP, "debian/make.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make = _make()


def folder():
    path = os.path.join(build_dir(), "deb-test")
    os.makedirs(path, exist_ok=True)
    return path


def build(version=None):
    """(.deb, .changes); the unit tests are another suite."""
    to = os.path.join(folder(), version or "own")
    changes = make.build(to, version, nocheck=True)
    debs = [d for d in glob.glob(to + "/*.deb") if "-dbgsym" not in d]
    return debs[0], changes


def field(deb, name):
    return subprocess.run(["dpkg-deb", "--field", deb, name], check=True,
                          text=True, stdout=subprocess.PIPE).stdout.strip()


def repack(deb, version, change=None):
    """The same package with another version; change(tree) may alter it."""
    with tempfile.TemporaryDirectory(dir=folder()) as tree:
        os.chmod(tree, 0o755)
        subprocess.run(["dpkg-deb", "--raw-extract", deb, tree], check=True)
        if change:
            change(tree)
        control = os.path.join(tree, "DEBIAN/control")
        with open(control, encoding="utf-8") as f:
            text = f.read()
        with open(control, "w", encoding="utf-8") as f:
            f.write(re.sub(r"(?m)^Version: .*", "Version: " + version, text))
        out = os.path.join(folder(), "popper_%s.deb" % version)
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree,
                        out], check=True, stdout=subprocess.DEVNULL)
    return out


def _release():
    with open("/etc/os-release", encoding="utf-8") as f:
        return re.search(r'(?m)^VERSION_CODENAME="?([a-z]+)', f.read()).group(1)


def clean_system(deb, include=()):
    """An archive, made once for each set of dependencies; other packages may
    be installed in it."""
    needs = "".join(field(deb, n) for n in ("Pre-Depends", "Depends"))
    needs += "".join(include)
    path = os.path.join(build_dir(), "unpacked", "debian-%s-%s.tar" % (
        _release(), hashlib.sha256(needs.encode()).hexdigest()[:12]))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(os.path.join(os.path.dirname(path), "lock"), "w",
              encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)        # suites run side by side
        if not os.path.exists(path):
            _bootstrap(deb, path, include)
    return path


def other_system(include, folder, codename=None, arch=None):
    """A minimal system of another release or architecture (Debian's name of it),
    of the host's own mirror."""
    codename = codename or _release()
    here = " %s " % _release()
    sources = [s.replace(here, " %s " % codename) for s in _sources()
               if here in s]
    subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", *_proxies(),
                    *(["--arch=" + arch] if arch else []),
                    "--include=" + ",".join(include), codename, folder,
                    *sources], check=True, stdin=subprocess.DEVNULL)


def _sources():
    """The host's own sources of Debian, and of nobody else."""
    form = "$(CODENAME)|deb [signed-by=$(SIGNED_BY)] $(REPO_URI) $(RELEASE) " \
        "$(COMPONENT)"

    def ask():
        r = subprocess.run(
            ["apt-get", "indextargets", "--format", form,
             "Created-By: Packages", "Origin: Debian"], check=True, text=True,
            stdout=subprocess.PIPE)
        found = [line.split("|", 1) for line in r.stdout.splitlines()]
        # A key may stand in the source itself, or in apt's own folder.
        return sorted({re.sub(r" \[signed-by=(?!/)[^]]*\]", "", line)
                       for codename, line in found
                       if codename.startswith(_release())})
    if not ask():                       # a host that never asked apt before
        subprocess.run(["apt-get", "-qq", "update"], check=True)
    return ask()


def _proxies():
    """How the host reaches its sources."""
    out = subprocess.run(["apt-config", "dump", "--format", "%f \"%v\";%n",
                          "Acquire"], check=True, text=True,
                         stdout=subprocess.PIPE).stdout
    return ["--aptopt=" + line for line in out.splitlines()
            if re.match(r'Acquire::https?::\S+ "[^"]+";$', line)]


def _bootstrap(deb, path, include):
    get = 'chroot "$1" apt-get -qq -y --no-install-recommends --download-only' \
        " install /popper.deb >/dev/null"
    argv = ["mmdebstrap", "--quiet", "--variant=minbase", "--format=tar",
            "--skip=cleanup/apt", *_proxies(),
            *(["--include=" + ",".join(include)] if include else []),
            "--customize-hook=upload '%s' /popper.deb" % deb,
            "--customize-hook=" + get,
            '--customize-hook=rm -f "$1/popper.deb"'
            ' "$1/etc/apt/apt.conf.d/99mmdebstrap"',
            _release(), path + ".new", *_sources()]
    r = subprocess.run(argv, check=False, text=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if r.returncode != 0:
        raise RuntimeError("mmdebstrap: " + r.stdout[-2000:])
    os.rename(path + ".new", path)
