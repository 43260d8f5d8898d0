# SPDX-License-Identifier: ISC
"""A real MTA delivers while POP3 sessions retrieve, delete and quit.

Each message has a token and a checksum.  In the end every token was either
deleted by one session whose QUIT said +OK, or stands in the spool, exactly
once; and no session ever saw a torn message.
"""

import hashlib
import os
import random
import re
import smtplib
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib import spool                                           # noqa: E402
from lib.host import Host                                       # noqa: E402
from lib.mta import Exim, Postfix                               # noqa: E402
from lib.popper import Pop, PopError, Serve                     # noqa: E402
from lib.unpack import unpack                                   # noqa: E402

LONG = bool(os.environ.get("POPPER_LONG"))
SEED = int(os.environ.get("POPPER_SEED") or 1)
DELIVERIES = 5000 if LONG else 300
SENDERS = 3
PATIENCE = 1800 if LONG else 120        # seconds, until the queue is empty
SPEED = 1e9 if LONG else 60             # deliveries a second, each sender
MEETINGS = 10                           # sessions, at least, in that time

TOKEN = re.compile(rb"^X-Token: (\S+) ([0-9a-f]{64})\r?$", re.M)
LINES = ("", ".", "..", "From here on", ">From there", "ordinary text",
         "From a@b Mon Jan  1 00:00:00 2024", "x" * 900, "\ttab")


def compose(token, rng):
    body = "".join(rng.choice(LINES) + "\r\n"
                   for _ in range(rng.choice((1, 3, 20, 200)))).rstrip() + "\r\n"
    # Both agents quote a line that begins with From_, and neither keeps
    # blank lines at the end apart from the separator.
    stored = re.sub(r"(?m)^From ", ">From ", body)
    digest = hashlib.sha256(stored.encode()).hexdigest()
    return ("From: sender@example.net\r\nTo: alice@example.org\r\n"
            "Subject: %s\r\nX-Token: %s %s\r\n\r\n%s"
            % (token, token, digest, body)).encode()


def token_of(wire):
    """The token of a message, which must be whole."""
    header, _, body = wire.partition(b"\r\n\r\n")
    m = TOKEN.search(header)
    if not m:
        raise AssertionError("a message without a token: %r" % wire[:300])
    digest = hashlib.sha256(re.sub(rb"(?m)^>*From ", b">From ",
                                   body)).hexdigest()
    if digest != m.group(2).decode():
        raise AssertionError("a torn message: %r ... %r"
                             % (wire[:300], wire[-200:]))
    return m.group(1).decode()


class Sessions:
    """POP3 sessions one after another until told to stop."""

    def __init__(self, host, rng):
        self.host, self.rng = host, rng
        self.deleted = []               # tokens, by sessions that quit well
        self.quits = self.refused = self.broken = self.lost = 0
        self.faults = []
        self.going = threading.Event()
        self.going.set()

    def run(self):
        while self.going.is_set():
            try:
                self.session()
            except Exception as e:
                self.faults.append("%s: %s" % (type(e).__name__, e))
                if len(self.faults) > 20:
                    return
                time.sleep(0.2)

    def session(self):
        with Pop(self.host.connect(110), timeout=60) as pop:
            try:
                n, _ = pop.login("alice", "wonderland")
            except PopError as e:
                if not e.args[0].startswith(b"[IN-USE]"):
                    raise
                self.refused += 1
                time.sleep(0.05)
                return
            gone = []
            # Now and then an empty-handed session, so that the spool grows.
            greed = self.rng.choice((0, 0.3, 1))
            for i in range(1, n + 1):
                if self.rng.random() < 0.5 or greed:
                    token = token_of(pop.retr(i))
                    if self.rng.random() < greed:
                        pop.dele(i)
                        gone.append(token)
            if self.rng.random() < 0.15:
                self.broken += 1        # the line breaks: nothing is deleted
                return
            try:
                pop.quit()
            except PopError as e:
                self.lost += 1
                self.faults.append("QUIT: %r" % e.args[0])
                return
            self.quits += 1
            self.deleted += gone


class Deliveries:
    """Mail of unique tokens, at most SPEED a second, from one thread; on a
    slow machine it waits for the sessions that it is to meet."""

    def __init__(self, host, name, count, rng, sessions):
        self.host, self.name, self.count, self.rng = host, name, count, rng
        self.sessions = sessions
        self.tokens = []
        self.fault = None

    def run(self):
        try:
            self.host.in_network(self.deliver)
        except Exception as e:
            self.fault = e

    def deliver(self):
        smtp, began = None, time.monotonic()
        for i in range(self.count):
            if smtp is None or i % 50 == 0:
                if smtp:
                    smtp.quit()
                smtp = smtplib.SMTP("127.0.0.1", 25, "client.example.net",
                                    timeout=120)
            while sum(s.quits for s in self.sessions) \
                    < i * MEETINGS // self.count \
                    and time.monotonic() < began + PATIENCE:
                time.sleep(0.01)
            token = "%s-%05d" % (self.name, i)
            smtp.sendmail("sender@example.net", ["alice@example.org"],
                          compose(token, self.rng))
            self.tokens.append(token)
            pause = began + i / SPEED - time.monotonic()
            if pause > 0:
                time.sleep(pause)
        smtp.quit()


# What strangers may call themselves: more words than any name has, a date, CR.
ODD_SENDERS = (b'"a b c d e f g h i j k l m n o p q r s t u v w"@evil.example',
               b'"x Mon Jan 1 00:00:00 2024 y"@evil.example',
               b'"Mon Jan 1 00:00:00 a b c d"@evil.example',
               b'"a\rb"@evil.example', b"")


class Delivery:
    """The tests; a subclass names the agent."""

    agent = None
    long_senders = ()       # that it takes

    @classmethod
    def setUpClass(cls):
        cls.host = Host(packages=[unpack(*cls.agent.packages)], size="2g")
        cls.addClassCleanup(cls.host.close)
        cls.host.add_user("alice", 1001, password="wonderland")
        cls.host.add_user("bob", 1002, password="builder")
        cls.host.write("/etc/popper/popper.conf", "peer_check = no\n"
                       "max_sessions_per_address = 1000\n")
        mta = cls.agent(cls.host)
        cls.addClassCleanup(mta.stop)
        cls.mta = mta
        server = Serve(cls.host)
        cls.addClassCleanup(server.stop)

    def setUp(self):
        self.host.spool("alice", b"")
        self.host.spool("bob", b"")

    def test_nothing_is_lost_or_doubled(self):
        sessions = [Sessions(self.host, random.Random(SEED + 100 + i))
                    for i in range(2)]
        senders = [Deliveries(self.host, "s%d" % i, DELIVERIES // SENDERS,
                              random.Random(SEED + i), sessions)
                   for i in range(SENDERS)]
        workers = [threading.Thread(target=s.run) for s in senders]
        readers = [threading.Thread(target=s.run) for s in sessions]
        for t in workers + readers:
            t.start()
        try:
            for t in workers:
                t.join()
            self.mta.wait_empty(PATIENCE)
            self.wait_until_met(sessions)
        finally:
            for s in sessions:
                s.going.clear()
            for t in readers:
                t.join()
        self.settle()

        self.assertEqual([s.fault for s in senders if s.fault], [])
        faults = [f for s in sessions for f in s.faults]
        if faults:
            self.fail("%d sessions failed:\n%s\nthe log says\n%s" % (
                len(faults), "\n".join(sorted(set(faults))),
                "\n".join(self.host.syslog.find(r"^popper.*(fail|drop-)")[:20])))
        deleted = [t for s in sessions for t in s.deleted]
        left = [token_of(m.wire)
                for m in spool.messages(self.host.spool("alice"))]
        quits = sum(s.quits for s in sessions)
        print("seed %d: %d delivered, %d deleted in %d sessions, %d left, "
              "%d refused in use, %d broken off" % (
                  SEED, sum(len(s.tokens) for s in senders), len(deleted), quits, len(left),
                  sum(s.refused for s in sessions),
                  sum(s.broken for s in sessions)))
        all_of_them = [t for s in senders for t in s.tokens]
        self.assertEqual(sorted(deleted + left), sorted(all_of_them))
        # The suite is worth something only when both really met.
        self.assertGreater(quits, 5)
        self.assertGreater(len(deleted), DELIVERIES // 10)

    def wait_until_met(self, sessions):
        """Deliveries may all have come while those at work kept their mail."""
        deadline = time.monotonic() + PATIENCE
        while sum(len(s.deleted) for s in sessions) <= DELIVERIES // 10 \
                and time.monotonic() < deadline:
            time.sleep(0.05)

    def settle(self):
        """Until no session holds the maildrop."""
        deadline = time.monotonic() + 30
        while True:
            with Pop(self.host.connect(110)) as pop:
                try:
                    pop.login("alice", "wonderland")
                    pop.quit()
                    return
                except PopError:
                    if time.monotonic() > deadline:
                        raise
            time.sleep(0.2)

    def test_message_comes_as_it_was_delivered(self):
        rng = random.Random(SEED)

        def send():
            with smtplib.SMTP("127.0.0.1", 25, "client.example.net") as smtp:
                for i in range(20):
                    smtp.sendmail("sender@example.net", ["bob@example.org"],
                                  compose("b%d" % i, rng))
        self.host.in_network(send)
        self.mta.wait_empty()
        stored = spool.messages(self.host.spool("bob"))
        with Pop(self.host.connect(110)) as pop:
            n, _ = pop.login("bob", "builder")
            self.assertEqual(n, 20)
            got = [pop.retr(i) for i in range(1, n + 1)]
            pop.quit()
        self.assertEqual(got, [m.wire for m in stored])
        self.assertEqual(sorted(map(token_of, got)),
                         sorted("b%d" % i for i in range(20)))

    def mail(self, senders):
        """A message from each of them for bob, in this order."""
        def send():
            with smtplib.SMTP("127.0.0.1", 25, "client.example.net") as smtp:
                smtp.ehlo()
                smtp.send(b"MAIL FROM:<%s>\r\n" % sender)
                self.assertEqual(smtp.getreply()[0], 250, sender)
                self.assertEqual(smtp.rcpt("bob@example.org")[0], 250)
                self.assertEqual(smtp.data(compose(
                    "o%d" % i, random.Random(i)))[0], 250)
        for i, sender in enumerate(senders):
            self.host.in_network(send)
            self.mta.wait_empty()

    def test_no_sender_hides_his_message_or_the_mailbox(self):
        """A From_ line that is not found makes one message of two, or no
        mailbox of the spool."""
        for sender in ODD_SENDERS + self.long_senders:
            with self.subTest(sender[:60]):
                self.host.spool("bob", b"")
                self.mail([sender, b"ann@example.net"] * 2)
                with Pop(self.host.connect(110)) as pop:
                    self.assertEqual(pop.login("bob", "builder")[0], 4)
                    self.assertEqual([token_of(pop.retr(i + 1))
                                      for i in range(4)],
                                     ["o0", "o1", "o2", "o3"])
                    pop.dele(2)
                    pop.dele(3)
                    pop.quit()
                left = spool.messages(self.host.spool("bob"))
                self.assertEqual([token_of(m.wire) for m in left],
                                 ["o0", "o3"])

    def test_mail_sent_by_xtnd_xmit_arrives(self):
        with Pop(self.host.connect(110)) as pop:
            pop.login("alice", "wonderland")
            pop.cmd("XTND", "XMIT")
            pop.send(b"From: alice@example.org\r\nTo: bob@example.org\r\n"
                     b"Subject: by pop\r\n\r\n..a dot\r\n.\r\n")
            pop.reply()
            pop.quit()
        self.mta.wait_empty()
        deadline = time.monotonic() + 60
        while not self.host.spool("bob") and time.monotonic() < deadline:
            time.sleep(0.1)
        (m,) = spool.messages(self.host.spool("bob"))
        self.assertRegex(m.from_line, rb"^From alice@example\.org ")
        self.assertTrue(m.disk.endswith(b"\n\n.a dot\n"), m.disk)


class WithPostfix(Delivery, unittest.TestCase):
    agent = Postfix
    long_senders = (b"x" * 1100 + b"@evil.example",
                    b"x" * 2000 + b"@evil.example",
                    b'"' + b"x " * 1000 + b'"@evil.example')


class WithExim(Delivery, unittest.TestCase):
    agent = Exim
    long_senders = (b"x" * 240 + b"@evil.example",
                    b'"' + b"x " * 120 + b'"@evil.example')


if __name__ == "__main__":
    unittest.main()
