# SPDX-License-Identifier: ISC
"""Debian packages as files, without installing them.

unpack("postfix", "procmail") downloads the packages and those of their
dependencies that the host lacks, and makes one archive of their files in the
build folder (an archive, since the files' owners matter and an ordinary user
must be able to remove the folder).  No maintainer script runs and nothing of
the host changes.  The archive is laid out for a merged /usr: a private host
(see host.py) is made with it.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))


def build_dir():
    """The build folder that tests/run told us, or the usual one."""
    return os.path.abspath(os.environ.get("POPPER_BUILD")
                           or os.path.join(TOP, "build"))


def _apt(*args, cwd=None):
    env = dict(os.environ, LC_ALL="C", DEBIAN_FRONTEND="noninteractive")
    return subprocess.run(args, cwd=cwd, env=env, text=True, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)


def is_known(package):
    """In this release of Debian."""
    r = _apt("apt-cache", "show", package)
    return r.returncode == 0 and r.stdout != ""


def missing(*packages):
    """The packages that the host would have to install for these."""
    r = _apt("apt-get", "-s", "-o", "Debug::NoLocking=1",
             "--no-install-recommends", "install", *packages)
    if r.returncode != 0:
        raise RuntimeError("apt-get -s install %s: %s"
                           % (" ".join(packages), r.stderr.strip()))
    found = [line.split()[1] for line in r.stdout.splitlines()
             if line.startswith("Inst ")]
    # A package that the host has is unpacked all the same: the host's own
    # copy may be configured.
    return sorted(set(found) | set(packages))


def unpack(*packages, only=()):
    """A tar archive with the files of these packages.  only: no others than
    these (paths without the first /), and no dependencies."""
    base = os.path.join(build_dir(), "unpacked")
    debs = os.path.join(base, "debs")
    archive = os.path.join(base, "+".join(
        [*packages, *map(os.path.basename, only)]) + ".tar")
    if os.path.exists(archive):
        return archive
    os.makedirs(debs, exist_ok=True)
    with open(os.path.join(base, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)        # suites run side by side
        if not os.path.exists(archive):
            _make(packages, base, debs, archive, only)
    return archive


def _make(packages, base, debs, archive, only):
    with tempfile.TemporaryDirectory(dir=base) as root:
        for package in packages if only else missing(*packages):
            subprocess.run(["dpkg", "-x", _download(package, debs), root],
                           check=True)
        _merge_usr(root)
        # The folder itself is private, what stands for / is not.
        os.chmod(root, 0o755)
        subprocess.run(["tar", "--numeric-owner", "-cf", archive + ".new",
                        "-C", root, *(only or ["."])], check=True)
    os.rename(archive + ".new", archive)


def _download(package, debs):
    def stored():
        return [f for f in os.listdir(debs)
                if f.startswith(package + "_") and f.endswith(".deb")]
    if not stored():
        r = _apt("apt-get", "download", package, cwd=debs)
        if r.returncode != 0:
            raise RuntimeError("apt-get download %s: %s"
                               % (package, r.stderr.strip()))
    return os.path.join(debs, sorted(stored())[-1])


def _merge_usr(root):
    """/bin, /sbin and /lib* are links on Debian: a folder there would hide
    the link of the layer below."""
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        old = os.path.join(root, name)
        if os.path.isdir(old) and not os.path.islink(old):
            shutil.copytree(old, os.path.join(root, "usr", name),
                            symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(old)
