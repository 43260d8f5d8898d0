# SPDX-License-Identifier: ISC
"""What a server costs: processor time and memory of all its processes, also of
those that have come and gone.

    group = Group.make(host)            # before the server starts
    host.popen(argv, preexec_fn=group.enter)
    group.cpu_ms(); group.pss_kib()

A control group (v2) counts exactly.  Where none can be made, the processes of
the private host are added up from /proc, with the time of the children that
they have waited for; then it is the host's only server that is measured.
"""

import os
import re
import tempfile

TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")


def _read(path):
    with open(path, encoding="ascii", errors="replace") as f:
        return f.read()


def available_kib():
    """What the kernel thinks is left, its own memory counted."""
    return int(re.search(r"^MemAvailable:\s+(\d+)",
                         _read("/proc/meminfo"), re.M).group(1))


def _pss_kib(pid):
    """Of one process; 0 when it has gone."""
    try:
        found = re.search(r"^Pss:\s+(\d+)",
                          _read("/proc/%d/smaps_rollup" % pid), re.M)
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(found.group(1)) if found else 0


class Group:
    """The processes of one server."""

    @staticmethod
    def make(host):
        base = _cgroup_base()
        if base:
            try:
                return _Cgroup(tempfile.mkdtemp(prefix="popper-bench.",
                                                dir=base))
            except OSError:
                pass
        return _Namespace(host)

    def pss_kib(self):
        return sum(_pss_kib(pid) for pid in self.pids())

    def count(self):
        return len(self.pids())


def _cgroup_base():
    """Where control groups of version 2 hang, if root may make one."""
    for line in _read("/proc/mounts").splitlines():
        _, path, kind = line.split()[:3]
        if kind == "cgroup2" and os.access(path, os.W_OK):
            return path
    return None


class _Cgroup(Group):
    how = "control group"

    def __init__(self, path):
        self.path = path

    def enter(self):
        """Between fork and exec: the process and all that it starts."""
        with open(self.path + "/cgroup.procs", "w", encoding="ascii") as f:
            f.write("0")

    def cpu_ms(self):
        return int(re.search(r"^usage_usec (\d+)",
                             _read(self.path + "/cpu.stat"),
                             re.M).group(1)) / 1000

    def pids(self):
        return [int(p) for p in _read(self.path + "/cgroup.procs").split()
                if p != "0"]

    def close(self):
        os.rmdir(self.path)


class _Namespace(Group):
    how = "/proc, 10 ms steps for each process"

    def __init__(self, host):
        self.own = os.readlink("/proc/%d/ns/pid" % host.pid)
        self.others = set(self.pids())      # the host's first process, a log
        self.first = host.pid

    def enter(self):
        pass

    def pids(self):
        found = []
        for name in os.listdir("/proc"):
            try:
                if name.isdigit() and os.readlink(
                        "/proc/%s/ns/pid" % name) == self.own:
                    found.append(int(name))
            except OSError:
                pass
        return [p for p in found if p not in getattr(self, "others", ())
                and not self._is_ours(p)]

    @staticmethod
    def _is_ours(pid):
        """The load generators are no part of the server."""
        try:
            return _read("/proc/%d/comm" % pid).strip() in ("load", "barepam")
        except OSError:
            return True

    def cpu_ms(self):
        """Live processes, the dead ones they have waited for, and orphans,
        for whom the host's first process has."""
        sum_ms = self._stat(self.first, 15, 17)
        for pid in self.pids():
            sum_ms += self._stat(pid, 13, 17)
        return sum_ms

    @staticmethod
    def _stat(pid, begin, end):
        try:
            words = _read("/proc/%d/stat" % pid).rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return 0
        # rpartition has taken the first two fields
        return sum(int(w) for w in words[begin - 2:end - 2]) * TICK_MS

    def close(self):
        pass
