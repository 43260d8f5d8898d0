# SPDX-License-Identifier: ISC
"""File systems of a kind, for a private host's mail: an image that it mounts.

    Host(image=make("xfs"))
"""

import os
import shutil
import subprocess
import tempfile
import unittest

from lib.unpack import build_dir, unpack

PACKAGES = {"ext4": "e2fsprogs", "xfs": "xfsprogs"}
ARGS = {"ext4": ["-q", "-F"], "xfs": ["-q", "-f"]}
SIZE = 512 << 20                                # sparse; XFS wants 300 MB


def make(kind, *options):
    """A new image's path; its user unlinks it.  Skips the test where this
    kernel cannot mount it."""
    if os.geteuid() != 0:
        raise unittest.SkipTest("needs root")
    folder = os.path.join(build_dir(), "hosts")
    os.makedirs(folder, exist_ok=True)
    fd, path = tempfile.mkstemp(".img", kind + ".", folder)
    os.ftruncate(fd, SIZE)
    os.close(fd)
    try:
        _run_mkfs(kind, [*ARGS[kind], *options, path])
        _try_mount(kind, path)
    except BaseException:
        os.unlink(path)
        raise
    return path


def _run_mkfs(kind, args):
    """The host's, or one that is unpacked for this."""
    name = "mkfs." + kind
    program = shutil.which(name, path="/usr/sbin:/sbin")
    if program:
        subprocess.run([program, *args], check=True)
        return
    with tempfile.TemporaryDirectory() as root:
        subprocess.run(["tar", "-xf", unpack(PACKAGES[kind]), "-C", root],
                       check=True)
        paths = [folder for folder, _, files in os.walk(root)
                 if any(".so." in f for f in files)]
        program = shutil.which(name, path="%s/usr/sbin" % root)
        subprocess.run([program, *args], check=True,
                       env={"LD_LIBRARY_PATH": ":".join(paths)})


def _try_mount(kind, path):
    """In a name space of its own, which ends with it."""
    with tempfile.TemporaryDirectory() as folder:
        r = subprocess.run(
            ["unshare", "--mount", "mount", "-o", "loop", path, folder],
            check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True)
    if r.returncode != 0:
        print(r.stderr)
        raise unittest.SkipTest("this kernel mounts no image of " + kind)
