# SPDX-License-Identifier: ISC
"""popper uidl --from pop3://: an old server that is played here, and what it may do
wrong.  Its messages are found again by their headers.
"""

import os
import socket
import ssl
import sys
import tempfile
import threading
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TESTS, TESTS + "/tls"]

from house_tls import certificate                               # noqa: E402
from lib.host import Host                                       # noqa: E402
from lib.popper import Inetd, Pop, conf                         # noqa: E402

OLD = 1110
OURS = "/usr/sbin/popper"


def mail(n, *fields, body="text\n"):
    """A message as text; the same with other fields is the same message."""
    return "".join("%s\n" % f for f in fields) + \
        "Message-ID: <%d@x>\nSubject: folded\n\tline %d\n\n%s" % (n, n, body)


class Old:
    """It serves (unique-id, message) until stop."""

    def __init__(self, host, messages, address="127.0.0.1", top=True, tls=None,
                 password="secret", ids_then=None, hold=None):
        self.messages = [(i, m.replace("\n", "\r\n")) for i, m in messages]
        self.top, self.password, self.hold = top, password, hold
        self.ids = [i for i, _ in self.messages]
        self.ids_then, self.tls = ids_then, tls
        self.said = []
        self.sock = host.listen(OLD, address)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def stop(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        self.thread.join()

    def serve(self):
        while True:
            try:
                s, _ = self.sock.accept()
            except OSError:
                return
            try:
                if self.tls is not None:
                    s = self.tls.wrap_socket(s, server_side=True)
                self.talk(s)
            except OSError:
                pass
            finally:
                s.close()

    def talk(self, s):
        s.sendall(b"+OK ready\r\n")
        with s.makefile("rb") as lines:
            for line in lines:
                words = line.decode().split()
                self.said.append(words[0])
                s.sendall(self.answer(*words).encode())
                if words[0] == "QUIT":
                    return

    def answer(self, command, *args):
        if command == "CAPA":
            return "+OK\r\nUSER\r\nUIDL\r\n.\r\n"
        if command == "PASS":
            return "+OK\r\n" if args == (self.password,) else "-ERR no\r\n"
        if command == "UIDL":
            if self.hold is not None:
                self.hold()
            ids = self.ids
            self.ids = self.ids_then or ids
            return self.list(ids)
        if command == "LIST":
            return self.list(len(m) for _, m in self.messages)
        if command == "RETR" or (command == "TOP" and self.top):
            text = self.messages[int(args[0]) - 1][1]
            if command == "TOP":
                text = text.partition("\r\n\r\n")[0] + "\r\n\r\n"
            return "+OK\r\n" + text.replace("\r\n.", "\r\n..") + ".\r\n"
        return "+OK\r\n" if command in ("USER", "QUIT") else "-ERR what\r\n"

    @staticmethod
    def list(values):
        return "+OK\r\n" + "".join("%d %s\r\n" % (i, v) for i, v
                                   in enumerate(values, 1)) + ".\r\n"


class Live(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = Host()
        cls.addClassCleanup(cls.host.close)
        cls.host.add_user("ann", password="ann")
        cls.inetd = Inetd(cls.host)
        cls.addClassCleanup(cls.inetd.stop)
        cls.host.write("/etc/popper/popper.conf", conf(peer_check="no"))

    def setUp(self):
        self.host.run(["rm", "-rf", "/var/lib/popper/uidl"], check=True)
        self.host.spool("ann", b"".join(
            b"From a@x Mon Jan  1 10:00:00 2024\n%s\n" % m.encode()
            for m in (mail(1), mail(2, "Status: RO", "X-UID: 7"), mail(3),
                      mail(4, body="a\n"), mail(4, body="other\n"))))
        self.own = self.shown()

    def old(self, *messages, **kw):
        server = Old(self.host, messages, **kw)
        self.addCleanup(server.stop)
        return server

    def ask(self, *args, status=0, at="pop3://ann@127.0.0.1:%d" % OLD,
            password=b"secret\n", word="import"):
        r = self.host.run([OURS, "uidl", "--from", at, *args, word, "ann"],
                          input=password)
        self.assertEqual(r.returncode, status, (r.stdout, r.stderr))
        return r

    def shown(self):
        with Pop(self.host.connect(110)) as pop:
            pop.login("ann", "ann")
            ids = pop.uidl()
            pop.quit()
        return [ids[n].decode() for n in sorted(ids)]

    def test_found_again(self):
        """In another order, with fields of the server's; twins by their octets."""
        old = self.old(("four-b", mail(4, body="other\n")), ("gone", mail(9)),
                       ("two", mail(2, "X-UIDL: two")),
                       ("four-a", mail(4, body="a\n")),
                       ("one", mail(1, "Status: O", "Content-Length: 5")))
        r = self.ask("--dry-run")
        self.assertIn(b"5 messages, 4 with an id of the old server (dry run)",
                      r.stdout)
        self.assertIn(b"1 messages of the old server are not here", r.stderr)
        self.assertEqual(self.shown(), self.own)
        self.ask()
        want = ["one", "two", self.own[2], "four-a", "four-b"]
        self.assertEqual(self.shown(), want)
        r = self.ask(word="verify", status=1)
        self.assertEqual(r.stdout.decode(), "3 %s -\n" % want[2])
        self.assertNotIn("DELE", old.said)
        self.assertNotIn("RETR", old.said)

    def test_without_top(self):
        """The text is passed over, however long it is."""
        old = self.old(("one", mail(1, body="text.\n" * 200000)), top=False)
        self.ask()
        self.assertEqual(self.shown(), ["one"] + self.own[1:])
        self.assertEqual(old.said.count("TOP"), 1)

    def test_header_without_end(self):
        """What is too long to be looked at is no message of ours."""
        self.old(("one", mail(1)), ("long", "X: y\n" * 100000))
        self.assertIn(b"1 messages of the old server are not here",
                      self.ask().stderr)
        self.assertEqual(self.shown(), ["one"] + self.own[1:])

    def test_refused(self):
        for status, why, kw, messages in (
                (1, b"denied", {"password": "other"}, [("one", mail(1))]),
                (1, b"no number and unique-id", {}, [("o" * 71, mail(1))]),
                (1, b"would both be one", {}, [("one", mail(1)),
                                               ("one", mail(2))]),
                (75, b"changed meanwhile", {"ids_then": ["two"]},
                 [("one", mail(1))])):
            with self.subTest(why):
                server = Old(self.host, messages, **kw)
                r = self.ask(status=status)
                server.stop()
                self.assertIn(why, r.stderr)
        self.ask(status=75)                     # nobody listens
        for url in ("pop3://ann:secret@127.0.0.1", "pop3://127.0.0.1/1",
                    "pop3://127.0.0.1?x", "pop3x://127.0.0.1", "pop3://"):
            with self.subTest(url):
                self.ask(at=url, status=1)
        # What is told of another host drives no terminal.
        self.assertIn(b" pop3://?[2J", self.ask(at="pop3://\x1b[2J", status=1).stderr)
        self.ask("--plaintext", at="x-uidl", status=64)
        self.assertEqual(self.shown(), self.own)

    def test_clear(self):
        """No password in the clear to another host, unless one asks for it."""
        url = "pop3://ann@127.0.0.2:%d" % OLD
        old = self.old(("one", mail(1)), address="127.0.0.2")
        self.ask(at=url, status=75)
        self.assertNotIn("USER", old.said)
        self.ask("--plaintext", at=url)
        self.assertEqual(self.shown(), ["one"] + self.own[1:])

    def test_tls(self):
        """Only to a server that somebody vouches for."""
        cert, key = certificate("localhost")
        self.host.write("/tmp/cert.pem", cert)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile("w") as both:
            both.write(cert + key)
            both.flush()
            context.load_cert_chain(both.name)
        old = self.old(("one", mail(1)), tls=context)
        self.ask(at="pop3s://ann@localhost:%d" % OLD, status=75)
        self.assertEqual(old.said, [])
        self.ask("--ca-file", "/tmp/cert.pem",
                 at="pop3s://ann@localhost:%d" % OLD)
        self.assertEqual(self.shown(), ["one"] + self.own[1:])

    def test_rights(self):
        """Who reads what the server says is not root."""
        owners = []

        def look():
            table = self.host.run(["cat", "/proc/net/tcp"]).stdout.decode()
            owners.extend(row[7] for row in map(str.split,
                                                table.splitlines()[1:])
                          if row[2].endswith(":%04X" % OLD) and row[3] == "01")
        self.old(("one", mail(1)), hold=look)
        self.ask()
        self.assertEqual(set(owners), {str(self.host.account("_popfront").uid)})


if __name__ == "__main__":
    unittest.main()
