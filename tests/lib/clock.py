# SPDX-License-Identifier: ISC
"""What the kernel says of the clock, asked by ourselves."""

import ctypes

STA_UNSYNC = 0x40


class Timex(ctypes.Structure):
    _fields_ = [("modes", ctypes.c_uint), ("offset", ctypes.c_long),
                ("freq", ctypes.c_long), ("maxerror", ctypes.c_long),
                ("esterror", ctypes.c_long), ("status", ctypes.c_int),
                ("rest", ctypes.c_char * 512)]


def clock_is_kept():
    """Whether a time service keeps the clock of this host."""
    timex = Timex()
    return ctypes.CDLL(None).adjtimex(ctypes.byref(timex)) != -1 and \
        not timex.status & STA_UNSYNC
