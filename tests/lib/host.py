# SPDX-License-Identifier: ISC
"""A private host: own files, accounts, processes, network and log.

    with Host(packages=[unpack("postfix")]) as host:
        host.add_user("alice", password="wonderland")
        host.run(["/usr/sbin/popper", "check"])
        sock = host.connect(110)

The host sees the real root through a read-only layer and writes into memory;
unpacked packages' files lie in their real places.
/var/mail, /var/lib/popper, /etc/popper, /home and /var/spool are real folders
(of a tmpfs, of store=FOLDER, or of image=FILE, see image.py, which is
unlinked).  Its processes end with it.  Needs root.

Host(system=TAR) is another system instead, as it lies in that archive: nothing
of the real root is in it and nothing is put there; its accounts are its own
(real_account).  With init=PROGRAM that runs there as process 1, and takes the
place of our log daemon.
"""

import contextlib
import ctypes
import fcntl
import glob
import json
import math
import os
import pickle
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest

from lib.flavour import REPORT_VARIABLE
from lib.unpack import HERE, build_dir

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000
CLONE_NEWUTS, CLONE_NEWIPC = 0x4000000, 0x8000000

GO_ON = 2                       # seconds until a process is told so

# Where the sanitizer flavour of popper reports to.
REPORT = "/run/sanitizer-report"

HOSTNAME = "pophost.example.org"

# name, uid, gid, home, shell
ACCOUNTS = [
    ("root", 0, 0, "/root", "/bin/sh"),
    ("daemon", 1, 1, "/", "/usr/sbin/nologin"),
    ("bin", 2, 2, "/", "/usr/sbin/nologin"),
    ("mail", 8, 8, "/var/mail", "/usr/sbin/nologin"),
    ("_popfront", 990, 990, "/nonexistent", "/usr/sbin/nologin"),
    ("_popauth", 989, 989, "/nonexistent", "/usr/sbin/nologin"),
    ("nobody", 65534, 65534, "/nonexistent", "/usr/sbin/nologin"),
]
GROUPS = [
    ("root", 0), ("daemon", 1), ("bin", 2), ("disk", 6), ("mail", 8),
    ("adm", 4), ("tty", 5), ("sudo", 27), ("shadow", 42), ("utmp", 43),
    ("staff", 50), ("users", 100), ("docker", 995), ("_popfront", 990),
    ("_popauth", 989),
    ("nogroup", 65534),
]
PAM = ("auth required pam_unix.so\naccount required pam_unix.so\n"
       "session required pam_permit.so\n")
FILES = {
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\n"
                          "hosts: files dns\nservices: files\n"
                          "protocols: files\nnetworks: files\n",
    "/etc/resolv.conf": "",
    "/etc/host.conf": "multi on\n",
    "/etc/hosts": "127.0.0.1\t%s localhost\n::1\tlocalhost ip6-localhost\n"
                  % HOSTNAME,
    "/etc/hostname": HOSTNAME + "\n",
    "/etc/mailname": "example.org\n",
    "/etc/shells": "/bin/sh\n/bin/bash\n",
    "/etc/services": "pop2 109/tcp\npop3 110/tcp pop-3\nsmtp 25/tcp\n"
                     "domain 53/udp\ndomain 53/tcp\n",
    "/etc/protocols": "ip 0 IP\nicmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\n",
    "/etc/securetty": "",
    "/etc/environment": "",
    "/etc/login.defs": "ENCRYPT_METHOD SHA512\n",
    "/etc/pam.d/popper": PAM,
    "/etc/pam.d/other": "auth required pam_deny.so\n"
                        "account required pam_deny.so\n"
                        "session required pam_deny.so\n",
}


def crypt(password, setting="$6$rounds=1000$popperhouse$"):
    """libcrypt's crypt(3): Python's own module is on its way out."""
    lib = ctypes.CDLL("libcrypt.so.1")
    lib.crypt.restype = ctypes.c_char_p
    return lib.crypt(password.encode(), setting.encode()).decode("ascii")


class Account:
    def __init__(self, name, uid, gid, home, shell, hashed="*"):
        self.name, self.uid, self.gid = name, uid, gid
        self.home, self.shell, self.hashed = home, shell, hashed
        self.expire = ""                # days since 1970, as in shadow(5)
        self.last_change = "19000"


class HostProcess(subprocess.Popen):
    """A process of a private host; signals go to it, not to its wrapper."""

    def inner(self):
        """Its process id as the real host sees it."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            kids = _children(self.pid)
            if kids:
                return kids[0]
            if self.poll() is not None:
                break
            time.sleep(0.005)
        raise ProcessLookupError("the process has ended")

    def send_signal(self, sig):
        if self.poll() is not None:
            return
        try:
            os.kill(self.inner(), sig)
        except ProcessLookupError:
            pass

    def _bounded(self, function, timeout):
        """function(seconds) until it comes back.  nsenter stands still when its child
        did, be it for a moment since a sanitizer looks for leaks at its end; and
        goes on, with its child, when it is told so."""
        end = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            try:
                return function(min(max(left, 0), GO_ON))
            except subprocess.TimeoutExpired:
                if left <= GO_ON:
                    raise
                os.kill(self.pid, signal.SIGCONT)

    def wait(self, timeout=None):
        return self._bounded(super().wait, timeout)

    def communicate(self, told=None, timeout=None):
        """All that it says, once it was told so much."""
        first = iter([told])
        return self._bounded(lambda seconds: subprocess.Popen.communicate(
            self, next(first, None), seconds), timeout)

    def stop(self, sig=signal.SIGTERM, timeout=120):
        """Ask it to end, insist, and give its return code."""
        self.send_signal(sig)
        try:
            return self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.send_signal(signal.SIGKILL)
            return self.wait(timeout)


def _children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid),
              encoding="ascii") as f:
        return [int(x) for x in f.read().split()]


class Host:
    def __init__(self, packages=(), hostname=HOSTNAME, size="1g", store=None,
                 popper=True, system=None, init=None, image=None):
        if os.geteuid() != 0:
            raise unittest.SkipTest("needs root")
        hosts = os.path.join(build_dir(), "hosts")
        os.makedirs(hosts, exist_ok=True)
        self.base = tempfile.mkdtemp(prefix="host.", dir=hosts)
        self.env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C",
                    "HOME": "/root", "TZ": "UTC"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]
        self.env[REPORT_VARIABLE] = REPORT
        self.accounts = [Account(*a) for a in ACCOUNTS]
        self.groups = {name: [gid, []] for name, gid in GROUPS}
        self.syslog = self._report = None
        orders = {"base": self.base, "packages": list(packages), "size": size,
                  "hostname": hostname, "store": store, "image": image,
                  "system": [system] if system else [], "init": init}
        try:
            self._start(orders)
        except RuntimeError as e:
            # Not popper's doing: a busy machine, a kernel out of something.
            print("%s; once more" % e, file=sys.stderr, flush=True)
            os.makedirs(self.base, exist_ok=True)
            self._start(orders)
        finally:
            if image:
                os.unlink(image)
        try:
            if system and not init:
                self.syslog = Syslog(self)
            elif not system:
                self._furnish(popper)
        except BaseException:
            self.close()
            raise

    def _start(self, orders):
        self._init = subprocess.Popen(
            [sys.executable, "-I", os.path.join(HERE, "host_init.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._init.stdin.write(json.dumps(orders).encode())
        self._init.stdin.flush()
        first = self._init.stdout.readline().strip()
        second = self._init.stdout.readline()
        if second != b"ready\n":
            self.close()
            raise RuntimeError("the private host did not start: it said %r, "
                               "%r and ended with %s"
                               % (first, second, self._init.returncode))
        self.pid = int(first)

    def _furnish(self, popper):
        for path in ("/etc/pam.d", "/etc/security"):
            self.call(_empty_folder, path)
        for path, text in FILES.items():
            self.write(path, text)
        self.call(_layout)
        self._write_accounts()
        if popper:
            self.install(binary(), "/usr/sbin/popper")
            for module in modules():
                self.install(module, "/usr/sbin/" + os.path.basename(module))
        self.syslog = Syslog(self)
        self.call(os.mkfifo, REPORT)
        self.call(os.chmod, REPORT, 0o666)
        self._report = os.open("/proc/%d/root%s" % (self.pid, REPORT),
                               os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    # -- its life ---------------------------------------------------------

    def sanitizer_report(self):
        """What the sanitizers of any role said since the last call."""
        try:
            return os.read(self._report, 1 << 20).decode("utf-8", "replace")
        except BlockingIOError:
            return ""

    def close(self):
        """Ends all.  A sanitizer's report that nobody asked for is an
        error."""
        report = ""
        if self._report is not None:
            report = self.sanitizer_report()
            os.close(self._report)
            self._report = None
        self._end()
        if report:
            raise AssertionError("a sanitizer reports:\n" + report)

    def _end(self):
        if self.syslog:
            self.syslog.stop()
        if self._init.stdin:
            self._init.stdin.close()
        self._init.stdout.close()
        try:
            self._init.wait(30)
        except subprocess.TimeoutExpired:
            self._init.kill()
            self._init.wait()
        shutil.rmtree(self.base, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # -- processes --------------------------------------------------------

    def _argv(self, argv, user):
        head = ["nsenter", "--target", str(self.pid), "--mount", "--uts",
                "--ipc", "--net", "--pid", "--root", "--wd", "--"]
        if user is not None:
            a = self.account(user)
            head += ["setpriv", "--reuid=%d" % a.uid, "--regid=%d" % a.gid,
                     "--init-groups", "--inh-caps=-all", "--"]
        return head + list(argv)

    def _env(self, user, env):
        out = dict(self.env)
        if user is not None:
            a = self.account(user)
            out.update(HOME=a.home, USER=a.name, LOGNAME=a.name)
        out.update(env or {})
        return out

    def popen(self, argv, user=None, env=None, **kw):
        """subprocess.Popen within the host; see HostProcess."""
        kw.setdefault("stdin", subprocess.DEVNULL)
        return HostProcess(self._argv(argv, user), env=self._env(user, env),
                           **kw)

    def run(self, argv, user=None, env=None, input=None, timeout=120,
            check=False, **kw):
        """subprocess.run within the host; output is captured as bytes."""
        kw = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **kw}
        with contextlib.ExitStack() as stack:
            if input is not None:
                kw["stdin"] = stack.enter_context(_fed(input))
            p = stack.enter_context(self.popen(argv, user, env, **kw))
            try:
                out, err = p.communicate(timeout=timeout)
            except BaseException:
                p.stop(signal.SIGKILL)
                raise
        done = subprocess.CompletedProcess(p.args, p.returncode, out, err)
        if check:
            done.check_returncode()
        return done

    def call(self, function, *args, user=None):
        """function(*args) in a child that sees the host's files and network;
        gives its result or raises what it raised."""
        r, w = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(r)
            try:
                self._become(user)
                answer = (True, function(*args))
            except BaseException as e:
                answer = (False, e)
            try:
                data = pickle.dumps(answer)
            except Exception as e:
                data = pickle.dumps((False, RuntimeError(repr((answer, e)))))
            with os.fdopen(w, "wb") as f:
                f.write(data)
            os._exit(0)
        os.close(w)
        with os.fdopen(r, "rb") as f:
            data = f.read()
        os.waitpid(pid, 0)
        if not data:
            raise RuntimeError("%s died in the private host" % function)
        ok, value = pickle.loads(data)
        if not ok:
            raise value
        return value

    def _become(self, user):
        for name, flag in (("uts", CLONE_NEWUTS), ("ipc", CLONE_NEWIPC),
                           ("net", CLONE_NEWNET), ("mnt", CLONE_NEWNS)):
            _setns("/proc/%d/ns/%s" % (self.pid, name), flag)
        os.chdir("/")
        if user is not None:
            a = self.account(user)
            os.setgroups([g for g, members in self.groups.values()
                          if a.name in members])
            os.setgid(a.gid)
            os.setuid(a.uid)

    # -- files ------------------------------------------------------------

    def write(self, path, data, mode=0o644, owner="root", group=None):
        """A file with exactly this content; what was there is replaced."""
        if isinstance(data, str):
            data = data.encode()
        a = self.account(owner)
        gid = a.gid if group is None else self.groups[group][0]
        self.call(_write, path, data, mode, a.uid, gid)

    def read(self, path):
        return self.call(_read, path)

    def exists(self, path):
        return self.call(os.path.lexists, path)

    def mkdir(self, path, mode=0o755, owner="root", group=None):
        a = self.account(owner)
        gid = a.gid if group is None else self.groups[group][0]
        self.call(_mkdir, path, mode, a.uid, gid)

    def install(self, source, path, mode=0o755):
        with open(source, "rb") as f:
            self.write(path, f.read(), mode)

    def spool(self, user, data=None):
        """Set /var/mail/USER as Debian has it, or (without data) read it."""
        path = "/var/mail/" + user
        if data is None:
            return self.read(path) if self.exists(path) else b""
        self.write(path, data, 0o660, user, "mail")
        return data

    # -- accounts ---------------------------------------------------------

    def account(self, name):
        for a in self.accounts:
            if a.name == name:
                return a
        raise KeyError(name)

    def real_account(self, name, password):
        """An account in a system of its own, made by its own programs."""
        self.run(["useradd", "--create-home", "--shell", "/bin/sh", name],
                 check=True)
        self.run(["chpasswd"], input=("%s:%s\n" % (name, password)).encode(),
                 check=True)
        _, _, uid, gid, _, home, shell = self.run(
            ["getent", "passwd", name], check=True).stdout.decode().rstrip(
            "\n").split(":")
        self.accounts.append(Account(name, int(uid), int(gid), home, shell))

    def add_group(self, name, gid, members=()):
        self.groups[name] = [gid, list(members)]
        self._write_accounts()

    def add_user(self, name, uid=None, gid=None, password=None, home=None,
                 shell="/bin/sh", groups=(), hashed=None):
        """An account with a home folder; without a password it is locked."""
        if uid is None:
            uid = max([1000] + [a.uid for a in self.accounts
                                if a.uid < 60000]) + 1
        if gid is None:
            gid = uid
            self.groups.setdefault(name, [gid, []])
        if hashed is None:
            hashed = "!" if password is None else crypt(password)
        a = Account(name, uid, gid, home or "/home/" + name, shell, hashed)
        self.accounts.append(a)
        for g in groups:
            self.groups[g][1].append(name)
        self._write_accounts()
        if a.home.startswith("/home/"):
            self.mkdir(a.home, 0o700, name)
        return a

    def _write_accounts(self):
        self.write("/etc/passwd", "".join(
            "%s:x:%d:%d::%s:%s\n" % (a.name, a.uid, a.gid, a.home, a.shell)
            for a in self.accounts))
        self.write("/etc/group", "".join(
            "%s:x:%d:%s\n" % (n, gid, ",".join(members))
            for n, (gid, members) in self.groups.items()))
        self.write("/etc/shadow", "".join(
            "%s:%s:%s:0:99999:7::%s:\n"
            % (a.name, a.hashed, a.last_change, a.expire)
            for a in self.accounts), 0o640, "root", "shadow")

    # -- network ----------------------------------------------------------

    def in_network(self, function, *args):
        """function(*args) in a thread that stands in the host's network: for
        making sockets, which stay there."""
        box = []

        def body():
            try:
                _setns("/proc/%d/ns/net" % self.pid, CLONE_NEWNET)
                box.append((True, function(*args)))
            except BaseException as e:
                box.append((False, e))
        t = threading.Thread(target=body)
        t.start()
        t.join()
        ok, value = box[0]
        if not ok:
            raise value
        return value

    def connect(self, port, address="127.0.0.1", timeout=120):
        return self.in_network(socket.create_connection, (address, port),
                               timeout)

    def listen(self, port, address="127.0.0.1", backlog=64):
        def make():
            s = socket.socket(socket.AF_INET6 if ":" in address
                              else socket.AF_INET)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((address, port))
            s.listen(backlog)
            return s
        return self.in_network(make)

    def wait_port(self, port, address="127.0.0.1", timeout=120):
        """Until somebody listens there.  Asks the kernel, so that the
        listener never sees a connection for it."""
        deadline = time.monotonic() + timeout
        while not self._listening(port):
            if time.monotonic() > deadline:
                raise TimeoutError("nobody listens on %s:%d" % (address, port))
            time.sleep(0.02)

    def _listening(self, port):
        for name in ("tcp", "tcp6"):
            with open("/proc/%d/net/%s" % (self.pid, name),
                      encoding="ascii") as f:
                for line in f:
                    w = line.split()
                    if w[3] == "0A" and int(w[1].split(":")[1], 16) == port:
                        return True
        return False


class Syslog:
    """The host's log daemon: collects what comes to /dev/log."""

    PRIORITY = re.compile(rb"<(\d+)>(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d )?")

    def __init__(self, host, path="/dev/log"):
        self.host, self.path = host, path
        self.lines = []                 # text after the time, str
        self.priorities = []            # of each line
        self._sock = self._thread = None
        self.start()

    def start(self):
        r, w = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        pid = os.fork()                 # bind within the host, by its own path
        if pid == 0:
            try:
                self.host._become(None)
                if os.path.lexists(self.path):
                    os.unlink(self.path)
                s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                s.bind(self.path)
                os.chmod(self.path, 0o666)
                socket.send_fds(w, [b"x"], [s.fileno()])
            finally:
                os._exit(0)
        w.close()
        _, fds, _, _ = socket.recv_fds(r, 1, 1)
        os.waitpid(pid, 0)
        r.close()
        self._sock = socket.socket(fileno=fds[0])
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._thread = threading.Thread(target=self._collect,
                                        args=(self._sock,), daemon=True)
        self._thread.start()

    def stop(self, unlink=False):
        """As when the daemon dies; a restart is stop() and start()."""
        if self._sock is None:
            return
        self._sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(30)
        self._sock.close()
        self._sock = None
        if unlink:
            self.host.call(os.unlink, self.path)

    def _collect(self, sock):
        while True:
            try:
                # It stays in the queue until it is a line: see settle().
                data = sock.recv(65536, socket.MSG_PEEK)
            except OSError:
                return
            if not data:
                return
            m = self.PRIORITY.match(data)
            self.priorities.append(int(m.group(1)) if m else -1)
            text = data[m.end():] if m else data
            self.lines.append(text.rstrip(b"\n\0").decode("utf-8", "replace"))
            sock.recv(1)

    def settle(self):
        """Until all is in `lines` that was said before."""
        end = time.monotonic() + 120
        while self._waiting() and time.monotonic() < end:
            time.sleep(0.001)

    def _waiting(self):
        return self._sock is not None and any(fcntl.ioctl(
            self._sock, termios.FIONREAD, b"\0" * 4))

    def mark(self):
        """A place in the log, for find() and wait()."""
        self.settle()
        return len(self.lines)

    def find(self, pattern, start=0):
        self.settle()
        return [s for s in self.lines[start:] if re.search(pattern, s)]

    def wait(self, pattern, start=0, timeout=120, count=1):
        """The first `count` matching lines, or an AssertionError that shows
        what the log holds instead."""
        deadline = time.monotonic() + timeout
        while True:
            found = self.find(pattern, start)
            if len(found) >= count:
                return found
            if time.monotonic() > deadline:
                raise AssertionError("not in the log: %s\n  %s" % (
                    pattern, "\n  ".join(self.lines[start:][-40:])))
            time.sleep(0.02)


@contextlib.contextmanager
def _fed(octets):
    """The end of a pipe out of which they come, as fast as they are read:
    communicate() forgets what it has not yet written when its time is up."""
    def feed():
        try:
            with os.fdopen(w, "wb") as f:
                f.write(octets)
        except BrokenPipeError:
            pass
    r, w = os.pipe()
    thread = threading.Thread(target=feed)
    thread.start()
    try:
        yield r
    finally:
        os.close(r)
        thread.join()


def binary():
    """The popper under test."""
    return os.environ.get("POPPER") or os.path.join(build_dir(),
                                                    "src/cmd/popper")


def modules(popper=None):
    """What popper opens by itself, and looks for beside itself first."""
    return glob.glob(os.path.join(os.path.dirname(popper or binary()),
                                  "popper-*.so"))


def _setns(path, flag):
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(fd, flag) != 0:
            e = ctypes.get_errno()
            raise OSError(e, "setns %s: %s" % (path, os.strerror(e)))
    finally:
        os.close(fd)


# -- what runs within the host: its paths are meant, not ours --------------

def _write(path, data, mode, uid, gid):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.lexists(path) and not os.path.isfile(path):
        os.unlink(path)
    if os.path.islink(path):
        os.unlink(path)
    fresh = "%s.~house" % path
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW,
                 0o600)
    with os.fdopen(fd, "wb") as f:
        f.write(data)
        os.fchown(f.fileno(), uid, gid)
        os.fchmod(f.fileno(), mode)
    os.rename(fresh, path)


def _read(path):
    with open(path, "rb") as f:
        return f.read()


def _mkdir(path, mode, uid, gid):
    os.makedirs(path, exist_ok=True)
    os.chown(path, uid, gid)
    os.chmod(path, mode)


def _empty_folder(path):
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path, exist_ok=True)


def _layout():
    _mkdir("/var/mail", 0o2775, 0, 8)
    os.symlink("../mail", "/var/spool/mail")
    _mkdir("/var/lib/popper", 0o755, 0, 0)
    _mkdir("/var/lib/popper/empty", 0o755, 0, 0)
    _mkdir("/etc/popper", 0o755, 0, 0)
    _mkdir("/run/popper", 0o755, 0, 0)
    _mkdir("/run/lock", 0o1777, 0, 0)
    _mkdir("/root", 0o700, 0, 0)
