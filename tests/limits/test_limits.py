# SPDX-License-Identifier: ISC
"""Bad input and bad clients against popper with all its processes
(isolation = split): whatever comes, memory of every process is bounded, each
command is answered once or the connection is closed cleanly, no process stays
behind, and mail is deleted by QUIT alone.
"""

import os
import re
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

from lib.flavour import memory
from lib.popper import Pop, PopError
from lib.scene import PASSWORD, USER, Scene, message

LONG = os.environ.get("POPPER_LONG") == "1"
MEMORY = memory(48 << 10)       # KiB, each process, libraries and all
LOGIN = b"USER %s\r\nPASS %s\r\n" % (USER.encode(), PASSWORD.encode())


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid),
                  encoding="ascii") as f:
            return [int(x) for x in f.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def tree(pid):
    out = [pid]
    for child in children(pid):
        out += tree(child)
    return out


def peak(pid):
    """KiB that a process had at most so far."""
    try:
        with open("/proc/%d/status" % pid, encoding="ascii") as f:
            found = re.search(r"VmHWM:\s+(\d+) kB", f.read())
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(found.group(1)) if found else 0


class Session:
    """A connection over TCP to a popper of its own."""

    def __init__(self, scene):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.sock = socket.create_connection(listener.getsockname())
            theirs, _ = listener.accept()
        self.process = subprocess.Popen(
            scene.argv(), stdin=theirs, stdout=theirs, stderr=theirs)
        theirs.close()
        self.sock.settimeout(120)
        self.all, self.peak = set(), 0

    def measure(self):
        for pid in tree(self.process.pid):
            self.all.add(pid)
            self.peak = max(self.peak, peak(pid))
        return self.peak

    def say(self, data):
        """Send without waiting; what the server does not take is lost."""
        def send():
            try:
                self.sock.sendall(data)
            except OSError:
                pass
        t = threading.Thread(target=send, daemon=True)
        t.start()
        return t

    def rest(self, each=lambda data: None):
        """All until the end, which must be no reset; each gets the pieces."""
        out, n = bytearray(), 0
        while True:
            data = self.sock.recv(1 << 18)
            if not data:
                return bytes(out)
            each(data)
            n += 1
            if n % 16 == 1:
                self.measure()
            out += data
            # Only the end is looked at when it is much.
            if len(out) > 1 << 24:
                del out[:-4096]

    def vanish(self, reset):
        if reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                 struct.pack("ii", 1, 0))
        try:
            # A sender that waits would keep it open.
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()

    def ended(self, within=60):
        """All its processes, which are gone by then."""
        self.measure()
        try:
            self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return False
        deadline = time.monotonic() + within
        while any(peak(pid) for pid in self.all):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def close(self):
        self.sock.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class Limits(unittest.TestCase):
    def setUp(self):
        self.scene = Scene(base=self.folder(), max_bad_commands=1000000,
                           max_commands_before_login=1000000, timeout="60", lock_timeout=5)
        self.addCleanup(self.scene.remove)
        self.mail = [message(b"m%d" % i) for i in range(1, 4)]
        self.scene.put(self.mail)

    def folder(self):
        holder = tempfile.TemporaryDirectory(prefix="popper-limits.")
        self.addCleanup(holder.cleanup)
        os.chmod(holder.name, 0o755)
        return holder.name

    def session(self, login=False):
        s = Session(self.scene)
        self.addCleanup(s.close)
        if login:
            s.pop = Pop(s.sock, timeout=120)
            s.pop.login(USER, PASSWORD)
            s.measure()
        return s

    def bounded(self, s):
        self.assertGreater(s.peak, 0)
        self.assertLess(s.peak, MEMORY)

    def unharmed(self):
        self.assertEqual(self.scene.read(), b"".join(self.mail))

    # -- many commands ----------------------------------------------------

    def flood(self, command, n, reply_end, replies):
        """n times one command in one piece; the sender never looks."""
        s = self.session(login=True)
        s.say(command * n + b"QUIT\r\n")
        count, rest = 0, b""

        def each(data):
            nonlocal count, rest
            data = rest + data
            count += data.count(reply_end)
            keep = len(reply_end) - 1
            rest = data[-keep:] if keep else b""
        out = s.rest(each)
        self.assertTrue(s.ended())
        self.assertIn(b"+OK popper at pophost.example.org signing off.\r\n",
                      out)
        self.assertEqual(count, n * replies + (reply_end == b"\r\n"))
        self.bounded(s)

    def test_a_million_noops(self):
        self.flood(b"NOOP\r\n", 1000000, b"\r\n", 1)
        self.unharmed()

    def test_many_messages_in_one_piece(self):
        self.flood(b"RETR 1\r\n", 1000000 if LONG else 50000, b"\r\n.\r\n", 1)

    def test_many_lists_in_one_piece(self):
        self.flood(b"LIST\r\nUIDL\r\nTOP 2 0\r\n",
                   300000 if LONG else 30000, b"\r\n.\r\n", 3)
        self.unharmed()

    def test_commands_from_one_who_does_not_read(self):
        """The server stops reading; nothing piles up in it."""
        s = self.session(login=True)
        sender = s.say(b"RETR 1\r\nLIST\r\n" * 5000000)
        time.sleep(2)
        s.measure()
        self.bounded(s)
        self.assertTrue(sender.is_alive())
        s.vanish(reset=True)
        sender.join(60)
        self.assertTrue(s.ended())
        self.unharmed()

    # -- long and odd lines -----------------------------------------------

    def endless(self, s):
        block = b"x" * (1 << 20)
        for i in range(1024 if LONG else 64):
            s.sock.sendall(block)
            if i % 16 == 0:
                s.measure()
        s.measure()
        s.sock.sendall(b"\r\nQUIT\r\n")
        out = s.rest()
        self.assertRegex(out, rb"-ERR [^\r]*\r\n\+OK popper at [^\r]*\r\n\Z")
        self.assertNotIn(b"xx", out)
        self.bounded(s)

    def test_a_line_without_end_before_login(self):
        self.endless(self.session())

    def test_a_line_without_end_after_login(self):
        self.endless(self.session(login=True))
        self.unharmed()

    def test_nothing_but_nuls(self):
        for login in (False, True):
            s = self.session(login)
            s.say(b"\0" * (8 << 20) + b"\r\n" * 3 + b"QUIT\r\n")
            out = s.rest()
            self.assertTrue(out.endswith(b" signing off.\r\n"))
            self.assertEqual(len(re.findall(rb"(?m)^-ERR ", out)), 3)
            self.bounded(s)

    def test_every_octet_in_every_state(self):
        lines = [bytes([b]) for b in range(256) if b != 10]
        said = b"".join(line + b"\r\n" for line in lines)
        for name, before, more in (
                ("authorization", b"", 1),
                ("after USER", b"USER ann\r\n", 2),
                ("transaction", LOGIN, 3)):
            with self.subTest(state=name):
                s = self.session()
                s.say(before + said + b"QUIT\r\n")
                got = s.rest().split(b"\r\n")[:-1]
                self.assertEqual(len(got), len(lines) + more + 1)
                self.assertEqual({g[:5] for g in got[more:-1]}, {b"-ERR "})
                self.assertTrue(got[-1].startswith(b"+OK popper at "))
        self.unharmed()

    def test_every_octet_in_a_command(self):
        """No octet makes a command or a number of what is none."""
        s = self.session(login=True)
        odd = [b for b in range(256) if b not in b"\t\n\r 0123456789"]
        said = b"".join(b"DELE 1%c\r\nDELE %c1\r\n%cDELE 1\r\n" % (b, b, b)
                        for b in odd)
        s.say(said + b"STAT\r\nQUIT\r\n")
        got = s.rest().split(b"\r\n")[:-1]
        self.assertEqual(len(got), 3 * len(odd) + 2)
        self.assertEqual({g[:5] for g in got[:-2]}, {b"-ERR "})
        self.assertTrue(got[-2].startswith(b"+OK 3 "))
        self.unharmed()

    def test_binary_before_login(self):
        for data in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
                     + os.urandom(512),
                     b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                     b"SSH-2.0-OpenSSH_9.2\r\n" + os.urandom(1 << 20)):
            s = self.session()
            s.say(data + b"\r\nQUIT\r\n")
            out = s.rest()
            self.assertTrue(out.endswith(b" signing off.\r\n"), out[-200:])
            self.assertTrue(s.ended())
            self.bounded(s)
            for line in out.split(b"\r\n")[1:-2]:
                self.assertTrue(line.startswith(b"-ERR "), line)

    # -- those who go away ------------------------------------------------

    STAGES = [
        ("connected", b""),
        ("half a command", b"USE"),
        ("user", b"USER ann\r\n"),
        ("half a password", b"USER ann\r\nPASS sec"),
        ("logged in", LOGIN),
        ("deleted", LOGIN + b"DELE 1\r\nRETR 2\r\n"),
        ("half a QUIT", LOGIN + b"DELE 1\r\nQUIT"),
        ("within many messages", LOGIN + b"DELE 2\r\n" + b"RETR 3\r\n" * 9999),
        ("within XTND XMIT", LOGIN + b"DELE 2\r\nXTND XMIT\r\nTo: x\r\n\r\n"),
    ]

    def test_vanishing_at_each_stage(self):
        for name, said in self.STAGES:
            for reset in (False, True):
                with self.subTest(stage=name, reset=reset):
                    s = self.session()
                    s.say(said)
                    time.sleep(0.3)
                    s.measure()
                    s.vanish(reset)
                    self.assertTrue(s.ended())
                    self.unharmed()
                    self.assertEqual(self.scene.litter(), [])
                    # The lock is free at once.
                    again = self.session(login=True)
                    again.pop.quit()
                    self.assertTrue(again.ended())
        self.unharmed()

    def test_vanishing_while_the_password_is_judged(self):
        for _ in range(20):
            s = self.session()
            s.sock.sendall(LOGIN)
            s.measure()
            s.vanish(reset=True)
            self.assertTrue(s.ended())
        self.unharmed()

    def test_second_session_is_told(self):
        first = self.session(login=True)
        second = self.session()
        with self.assertRaises(PopError) as caught:
            Pop(second.sock).login(USER, PASSWORD)
        self.assertTrue(caught.exception.args[0].startswith(b"[IN-USE] "))
        self.assertTrue(second.ended())
        first.pop.quit()

    # -- those who are slow -----------------------------------------------

    def test_slow_reader_of_a_large_message(self):
        size = (1 << 30) if LONG else (64 << 20)
        head = message(b"large")[:-1]
        line = b"y" * 98 + b"\n"
        with open(self.scene.spool, "ab") as f:
            f.write(head)
            for _ in range(size // (len(line) * 1024) + 1):
                f.write(line * 1024)
            f.write(b"\n")
        s = self.session(login=True)
        want = s.pop.list()[4]
        s.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        s.sock.sendall(b"RETR 4\r\n")
        got = 0
        for _ in range(40):
            got += len(s.sock.recv(4096))
            time.sleep(0.05)
        s.measure()
        self.bounded(s)
        tail = b""
        while not tail.endswith(b"\r\n.\r\n"):
            data = s.sock.recv(1 << 20)
            got += len(data)
            tail = (tail + data)[-5:]
        status = b"+OK %d octets\r\n" % want
        self.assertEqual(got, len(status) + want + len(b".\r\n"))
        s.measure()
        self.bounded(s)
        s.sock.sendall(b"QUIT\r\n")
        s.rest()
        self.assertTrue(s.ended())


if __name__ == "__main__":
    unittest.main()
