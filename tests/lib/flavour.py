# SPDX-License-Identifier: ISC
"""What the sanitizer flavour of popper changes for a test that measures."""

import os

SANITIZED = bool(os.environ.get("POPPER_SANITIZED"))
# Where its reports go: a FIFO or a file that any role can write to.
REPORT_VARIABLE = "POPPER_REPORT"


def memory(kib):
    """A bound of a process's memory: sanitizers bring their own libraries,
    keep notes on each octet, and freed memory for a while (tests/ci.py says
    how much)."""
    return kib + (64 << 10) if SANITIZED else kib
