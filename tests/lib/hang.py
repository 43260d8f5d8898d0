# SPDX-License-Identifier: ISC
"""A file system that does not answer, as that of a file server that is away: FUSE,
whose server reads no request.  Whoever looks into it waits until he is killed, or
until close().
"""

import ctypes
import os
import unittest

libc = ctypes.CDLL(None, use_errno=True)
MNT_DETACH = 2


def _mount(fd, path):
    data = ("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other" % fd).encode()
    if libc.mount(b"hang", path.encode(), b"fuse", 0, data) != 0:
        raise OSError(ctypes.get_errno(), "mount fuse on " + path)


def _unmount(path):
    libc.umount2(path.encode(), MNT_DETACH)


class Hanging:
    """One, on a folder of a host."""

    def __init__(self, host, path):
        try:
            self.fd = os.open("/dev/fuse", os.O_RDWR)
        except OSError as e:
            raise unittest.SkipTest("this kernel has no FUSE") from e
        self.host, self.path = host, path
        host.call(_mount, self.fd, path)

    def close(self):
        if self.fd >= 0:
            self.host.call(_unmount, self.path)
            os.close(self.fd)
        self.fd = -1


def hang_accounts(test, host):
    """Whoever looks an account up waits, until the test ends or close()."""
    host.mkdir("/etc/away")
    hanging = Hanging(host, "/etc/away")
    test.addCleanup(hanging.close)
    host.call(os.rename, "/etc/passwd", "/etc/passwd.here")
    test.addCleanup(host.call, os.rename, "/etc/passwd.here", "/etc/passwd")
    host.call(os.symlink, "/etc/away/passwd", "/etc/passwd")
    return hanging
