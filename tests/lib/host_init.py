# SPDX-License-Identifier: ISC
"""Process 1 of a private host (see host.py, which starts this script).

Reads its orders as one line of JSON, makes the namespaces and the file system,
says "PID ready", then reaps children until its standard input ends: then the
kernel ends every process of the host with it.  With orders["init"] that program
(systemd) becomes process 1, in a control group of its own, and is killed then.
"""

import ctypes
import fcntl
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)

CLONE = {"mnt": 0x20000, "uts": 0x4000000, "ipc": 0x8000000,
         "pid": 0x20000000, "net": 0x40000000}
CLONE_NEWCGROUP = 0x2000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = \
    1, 2, 4, 32, 4096, 16384, 1 << 18
MNT_DETACH = 2
PR_SET_PDEATHSIG = 1

# Folders with a file system of their own below the overlay: unnamed files,
# rename and kernel locks are those of a real one there.
REAL = ("/etc/popper", "/home", "/root", "/var/lib/popper", "/var/mail",
        "/var/spool")
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


def check(rc, what):
    if rc != 0:
        e = ctypes.get_errno()
        raise OSError(e, "%s: %s" % (what, os.strerror(e)))


def mount(source, target, fstype, flags=0, data=""):
    check(libc.mount(source.encode(), target.encode(),
                     fstype.encode() if fstype else None,
                     ctypes.c_ulong(flags), data.encode()),
          "mount %s on %s" % (fstype or source, target))


def folder(path, mode=0o755):
    os.makedirs(path, exist_ok=True)
    os.chmod(path, mode)
    return path


def layers(orders):
    """The overlay: the real root, read-only, and above it a tmpfs that begins
    with the unpacked packages and takes what is written.  (As layers of their
    own they would overlap the real root, which holds them: refused.)"""
    base = orders["base"]
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    mount("tmpfs", base, "tmpfs", 0, "mode=755,size=" + orders["size"])
    upper, work, root = (folder(base + "/" + n)
                         for n in ("upper", "work", "root"))
    if orders["system"]:                # nothing of the real root
        mount(root, root, None, MS_BIND)
        upper = root
    for archive in [*orders["system"], *orders["packages"]]:
        subprocess.run(["tar", "--numeric-owner", "-xpf", archive, "-C",
                        upper], check=True)
    if not orders["system"]:
        mount("overlay", root, "overlay", 0,
              "lowerdir=/,upperdir=%s,workdir=%s" % (upper, work))
    return root


def real_folders(orders, root):
    store = orders["store"] or orders["base"] + "/real"
    folder(store)
    if orders["image"]:
        image = orders["base"] + "/image"       # a disk that is memory
        subprocess.run(["cp", "--sparse=always", orders["image"], image],
                       check=True)
        subprocess.run(["mount", "-o", "loop", image, store], check=True)
        store += "/"
    for path in REAL:
        source = folder(store + path.replace("/", "_"))
        if os.path.islink(root + path):
            os.unlink(root + path)
        mount(source, folder(root + path), None, MS_BIND)


def devices(root):
    dev = root + "/dev"
    mount("tmpfs", dev, "tmpfs", MS_NOSUID, "mode=755")
    for name in DEVICES:
        os.close(os.open(dev + "/" + name, os.O_CREAT | os.O_WRONLY, 0o666))
        mount("/dev/" + name, dev + "/" + name, None, MS_BIND)
    for name, to in (("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"),
                     ("stdout", "/proc/self/fd/1"),
                     ("stderr", "/proc/self/fd/2")):
        os.symlink(to, dev + "/" + name)
    folder(dev + "/shm", 0o1777)
    try:                                        # apt wants a terminal
        mount("devpts", folder(dev + "/pts"), "devpts", MS_NOSUID,
              "newinstance,ptmxmode=0666")
        os.symlink("pts/ptmx", dev + "/ptmx")
    except OSError:                             # some containers forbid it
        pass


def enter(root):
    folder(root + "/.old")
    os.chdir(root)
    subprocess.run(["/sbin/pivot_root", ".", ".old"], check=True)
    os.chdir("/")
    check(libc.umount2(b"/.old", MNT_DETACH), "umount of the old root")
    os.rmdir("/.old")


def network(hostname):
    socket.sethostname(hostname)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914,                  # SIOCSIFFLAGS: up, running
                    struct.pack("16sH14x", b"lo", 0x41))
    # A log daemon that waits for a processor is not one that hangs: ten lines are
    # soon said.  (Who sends may have 277 on their way.)
    try:
        fd = os.open("/proc/sys/net/unix/max_dgram_qlen", os.O_WRONLY)
        os.write(fd, b"200\n")
        os.close(fd)
    except OSError:                             # some containers forbid it
        pass


def control_group(base):
    """A new group for what this process starts, which sees no other one.
    Gives the folder above and the group's name."""
    top = base + "/cgroup"
    mount("cgroup2", folder(top), "cgroup2")
    above = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    name = "popper-test-%d" % os.getpid()
    os.mkdir(name, dir_fd=above)
    return above, name


def enter_group(above, name):
    fd = os.open(name + "/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC,
                 dir_fd=above)
    os.write(fd, b"0")
    os.close(fd)
    check(libc.unshare(CLONE_NEWCGROUP), "unshare")


def remove_group(above, name):
    """Without the processes that it had."""
    for tries in range(100):
        try:
            for path, names, _, fd in os.fwalk(name, topdown=False,
                                               dir_fd=above):
                for n in names:
                    os.rmdir(n, dir_fd=fd)
            os.rmdir(name, dir_fd=above)
            return
        except OSError:                         # they are still dying
            time.sleep(0.05)


def init(orders, group):
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if group:
        enter_group(*group)
    root = layers(orders)
    if not orders["system"]:
        real_folders(orders, root)
    mount("proc", root + "/proc", "proc", MS_NOSUID | MS_NODEV)
    try:
        mount("sysfs", root + "/sys", "sysfs", MS_RDONLY | MS_NOSUID)
    except OSError:                             # some containers forbid it
        pass
    devices(root)
    mount("tmpfs", root + "/tmp", "tmpfs", MS_NOSUID, "mode=1777")
    mount("tmpfs", root + "/run", "tmpfs", MS_NOSUID, "mode=755")
    if group:
        mount("cgroup2", root + "/sys/fs/cgroup", "cgroup2")
        # Settings of the kernel are not this host's own.
        mount(root + "/proc/sys", root + "/proc/sys", None, MS_BIND)
        mount("none", root + "/proc/sys", None,
              MS_BIND | MS_REMOUNT | MS_RDONLY)
    enter(root)
    network(orders["hostname"])
    os.write(1, b"ready\n")
    if group:
        null = os.open("/dev/null", os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        os.execve(orders["init"], [orders["init"]], {
            "container": "other", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    reap()


def reap():
    r, w = os.pipe()
    os.set_blocking(w, False)
    signal.set_wakeup_fd(w)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready, _, _ = select.select([0, r], [], [])
        if r in ready:
            os.read(r, 4096)
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                pass
        if 0 in ready and not os.read(0, 4096):
            os._exit(0)


def main():
    orders = json.loads(sys.stdin.buffer.raw.read(65536))
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    check(libc.unshare(sum(CLONE.values())), "unshare")
    group = None
    if orders["init"]:
        mount("none", "/", None, MS_REC | MS_PRIVATE)
        group = control_group(orders["base"])
    pid = os.fork()
    if pid == 0:
        try:
            init(orders, group)
        except BaseException as e:
            os.write(2, ("private host: %s\n" % e).encode())
        os._exit(1)
    os.write(1, b"%d\n" % pid)
    if group:
        while os.read(0, 4096):
            pass
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        remove_group(*group)
        os._exit(0)
    os.close(0)
    os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 0xff)


if __name__ == "__main__":
    main()
