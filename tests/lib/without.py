#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Runs a program as if the kernel had been built without Landlock.

    without.py ERRNO PROGRAM ARGUMENT...

ERRNO is what each of its calls then says: ENOSYS, or EOPNOTSUPP as on a host
that has turned it off.  A seccomp filter does it; needs root, as popper does.
"""

import ctypes
import errno
import os
import struct
import sys

LANDLOCK = range(444, 447)      # on all architectures
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
LOAD, AT_LEAST, RETURN = 0x20, 0x35, 0x06
ALLOW, ERRNO = 0x7fff0000, 0x00050000


def main():
    code = b"".join(struct.pack("HBBI", *row) for row in (
        (LOAD, 0, 0, 0),
        (AT_LEAST, 0, 2, LANDLOCK[0]),
        (AT_LEAST, 1, 0, LANDLOCK[-1] + 1),
        (RETURN, 0, 0, ERRNO | getattr(errno, sys.argv[1])),
        (RETURN, 0, 0, ALLOW)))
    rows = ctypes.create_string_buffer(code)
    program = ctypes.create_string_buffer(
        struct.pack("HL", len(code) // 8, ctypes.addressof(rows)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0) != 0:
        sys.exit("seccomp: " + os.strerror(ctypes.get_errno()))
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
