# SPDX-License-Identifier: ISC
"""Makes a process that waits in a system call do others: what somebody could
do who has taken it over.

    with Puppet(pid) as p:
        p.open("/etc/passwd", os.O_RDONLY)      # 7, or -13 (EACCES)

The process is of no use afterwards: end it.  x86-64 alone.
"""

import ctypes
import os
import platform
import struct
import unittest

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p,
                        ctypes.c_void_p]
SINGLESTEP, GETREGS, SETREGS, ATTACH, DETACH = 9, 12, 13, 16, 17
WALL = 0x40000000
NAMES = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax "
         "rip cs eflags rsp ss fs_base gs_base ds es fs gs").split()
SYSCALL = b"\x0f\x05"
RED_ZONE = 128
OPENAT, UNLINKAT, AT_FDCWD = 257, 263, -100

LANDLOCK_CREATE_RULESET, VERSION = 444, 1


def landlock():
    """The kernel's version of it; 0: none."""
    return max(0, libc.syscall(LANDLOCK_CREATE_RULESET, None, 0, VERSION))


class Puppet:
    def __init__(self, pid):
        if platform.machine() != "x86_64":
            raise unittest.SkipTest("no puppets on this architecture")
        self.pid = pid

    def __enter__(self):
        self._ptrace(ATTACH)
        os.waitpid(self.pid, WALL)
        self.start = self._regs()
        self.mem = open("/proc/%d/mem" % self.pid, "r+b", 0)
        self.mem.seek(self.start["rip"] - len(SYSCALL))
        if self.mem.read(len(SYSCALL)) != SYSCALL:
            raise AssertionError("it does not wait in a system call")
        return self

    def __exit__(self, *_):
        self.mem.close()
        self._ptrace(DETACH)

    def _ptrace(self, request, data=None):
        if libc.ptrace(request, self.pid, None, data) == -1:
            err = ctypes.get_errno()
            raise OSError(err, os.strerror(err))

    def _regs(self):
        raw = ctypes.create_string_buffer(8 * len(NAMES))
        self._ptrace(GETREGS, raw)
        return dict(zip(NAMES, struct.unpack("%dQ" % len(NAMES), raw.raw)))

    def call(self, number, *args):
        """The result of a system call: -errno when it failed."""
        regs = dict(self.start, rax=number, orig_rax=2**64 - 1,
                    rip=self.start["rip"] - len(SYSCALL))
        for name, value in zip(("rdi", "rsi", "rdx", "r10"), args):
            regs[name] = value % 2**64
        self._ptrace(SETREGS, struct.pack("%dQ" % len(NAMES),
                                          *(regs[n] for n in NAMES)))
        self._ptrace(SINGLESTEP)
        _, status = os.waitpid(self.pid, WALL)
        if not os.WIFSTOPPED(status):
            raise ProcessLookupError("it died of it: %x" % status)
        return struct.unpack("q", struct.pack("Q", self._regs()["rax"]))[0]

    def _text(self, text):
        at = self.start["rsp"] - RED_ZONE - 4096
        self.mem.seek(at)
        self.mem.write(os.fsencode(text) + b"\0")
        return at

    def open(self, path, flags, mode=0o600):
        return self.call(OPENAT, AT_FDCWD, self._text(path), flags, mode)

    def unlink(self, path):
        return self.call(UNLINKAT, AT_FDCWD, self._text(path), 0)
