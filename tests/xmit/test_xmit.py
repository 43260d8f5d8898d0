# SPDX-License-Identifier: ISC
"""XTND XMIT with a real Postfix and a real Exim: the same tests for both.

A message that a user hands over is delivered to the recipients' spools with
the user's envelope sender; what may not be sent leaves no trace in the MTA.
"""

import os
import re
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib import spool                                           # noqa: E402
from lib.host import Host                                       # noqa: E402
from lib.mta import Exim, Postfix                               # noqa: E402
from lib.popper import Inetd, Pop, PopError, conf               # noqa: E402
from lib.unpack import unpack                                   # noqa: E402

BASIC = {"peer_check": "no", "auth_fail_delay": "1"}
SENT = b"Message sent successfully."

# What the user types, and what must arrive: no dot is lost or doubled.
BODY = (b"Hello\r\n.one dot\r\n..two dots\r\n...\r\n\r\n.\xe4\xff 8 bit\r\n"
        b"Bcc: text\r\n" + b"x" * 900 + b"\r\nend\r\n")

HOSTILE = [
    b"|/bin/touch /tmp/owned",
    b'"|/bin/touch /tmp/owned"',
    b'<"|/bin/touch /tmp/owned">',
    b"bob@example.org, |/bin/touch /tmp/owned",
    b"bob@example.org,\r\n |/bin/touch /tmp/owned",
    b"Bob <|/bin/touch /tmp/owned>",
    b"friends: /tmp/owned;",
    b"/tmp/owned",
    b'"/tmp/owned"',
    b"</tmp/owned>",
    b":include:/etc/passwd",
    b'":include:/etc/passwd"',
    b"-oQ/tmp/owned",
    b"<-fmallory@example.net>",
    b"<@relay.example.net:bob@example.org>",
    b'bob@example.org "|/bin/touch /tmp/owned"',
    b"(",
    b'"',
]

RECORDER = """#!/bin/sh
{
	echo "argv: $0 $*"
	id -u; id -g; id -G
	pwd
	umask
	env | sort
	ls -l /proc/self/fd | grep -c -- '->'
	readlink /proc/self/fd/0
} > "$HOME/record" 2>&1
cat > "$HOME/message"
"""


def stuff(text):
    return re.sub(rb"(?m)^\.", b"..", text)


def compose(*fields, body=BODY):
    return b"".join(f + b"\r\n" for f in fields) + b"\r\n" + body


class Xmit:
    """The tests; a subclass says which MTA."""

    mta_class = None

    @classmethod
    def setUpClass(cls):
        cls.host = Host(packages=[unpack(*cls.mta_class.packages)])
        cls.addClassCleanup(cls.host.close)
        for name in ("ann", "bob", "carol"):
            cls.host.add_user(name, password=name)
        cls.mta = cls.mta_class(cls.host)
        cls.addClassCleanup(cls.mta.stop)
        cls.inetd = Inetd(cls.host)
        cls.addClassCleanup(cls.inetd.stop)

    def setUp(self):
        self.configure()
        for name in ("ann", "bob", "carol"):
            self.host.spool(name, b"")
        # The count of the hour is the run folder's.
        self.host.run(["rm", "-rf", "/run/popper/xmit"], check=True)
        self.mark = self.host.syslog.mark()

    def configure(self, **options):
        self.host.write("/etc/popper/popper.conf",
                        conf(**dict(BASIC, **options)))

    def login(self, user="ann", password=None, **kw):
        pop = Pop(self.host.connect(110), **kw)
        self.addCleanup(pop.close)
        pop.login(user, password or user)
        return pop

    def xmit(self, pop, message):
        self.assertEqual(pop.cmd("XTND", "XMIT"), b"Start sending message.")
        pop.send(stuff(message) + b".\r\n")
        return pop.reply()

    def refused(self, pop, message):
        with self.assertRaises(PopError) as e:
            self.xmit(pop, message)
        return e.exception.args[0]

    def mail(self, user, count=1, timeout=120):
        """The messages in the user's spool, once there are so many."""
        deadline = time.monotonic() + timeout
        while True:
            found = spool.messages(self.host.spool(user))
            if len(found) >= count:
                self.mta.wait_empty()
                found = spool.messages(self.host.spool(user))
                self.assertEqual(len(found), count)
                return [m.disk for m in found]
            if time.monotonic() > deadline:
                self.fail("%d messages for %s, %d wanted\n%s" % (
                    len(found), user, count,
                    "\n".join(self.host.syslog.lines[self.mark:])))
            time.sleep(0.05)

    def nothing_was_sent(self):
        time.sleep(0.5)
        self.mta.wait_empty()
        for name in ("ann", "bob", "carol"):
            self.assertEqual(self.host.spool(name), b"")
        self.assertFalse(self.host.exists("/tmp/owned"))

    # -- what is sent -----------------------------------------------------

    def test_arrives(self):
        pop = self.login()
        said = self.xmit(pop, compose(
            b"From: Ann <ann@example.org>", b"To: Bob <bob@example.org>,",
            b"\tnobody-else:;", b"Bcc: carol@example.org",
            b"Subject: one", b"Message-Id: <1@example.org>"))
        self.assertEqual(said, SENT)
        pop.quit()
        for name in ("bob", "carol"):
            message, = self.mail(name)
            header, _, body = message.partition(b"\n\n")
            self.assertEqual(body.rstrip(b"\n"),
                             BODY.replace(b"\r\n", b"\n").rstrip(b"\n"))
            self.assertIn(b"Return-path: <ann@example.org>".lower(),
                          header.lower())
            self.assertNotIn(b"carol", re.sub(
                rb"(?im)^(?:delivered-to|x-original-to|envelope-to"
                rb"|received|\tfor).*$", b"", header).lower())
            self.assertNotRegex(header, rb"(?im)^bcc:")
            self.assertIn(b"\nSubject: one", b"\n" + header)
        self.assertEqual(self.host.spool("ann"), b"")

    def test_old_client(self):
        """Bare LF, no From:, recipients by local name, resent fields."""
        pop = self.login()
        pop.send(b"xtnd xmit\n")
        pop.reply()
        pop.send(b"To: bob\nSubject: old\n\nhi\n.\n")
        self.assertEqual(pop.reply(), SENT)
        self.assertEqual(self.xmit(pop, compose(
            b"Resent-From: ann@example.org", b"Resent-To: carol@example.org",
            b"To: bob@example.org", b"Subject: again")), SENT)
        pop.quit()
        self.assertIn(b"Subject: old", self.mail("bob")[0])
        self.assertIn(b"Subject: again", self.mail("carol")[0])

    def test_commands_follow(self):
        """What is pipelined behind the final line is a command again, and
        nothing of the message is."""
        pop = self.login()
        pop.send(b"XTND XMIT\r\nTo: bob@example.org\r\n\r\nDELE 1\r\nQUIT\r\n"
                 b".\r\nSTAT\r\nQUIT\r\n")
        self.assertEqual(pop.reply(), b"Start sending message.")
        self.assertEqual(pop.reply(), SENT)
        self.assertEqual(pop.reply(), b"0 0")
        pop.reply()
        pop.at_end()
        self.assertIn(b"\nDELE 1\nQUIT\n", self.mail("bob")[0])

    def test_octet_by_octet(self):
        pop = self.login()
        self.xmit_slowly(pop, b"To: bob@example.org\r\n\r\n..\r\n.\r\n")
        pop.quit()
        self.assertTrue(self.mail("bob")[0].endswith(b"\n\n.\n"))

    def xmit_slowly(self, pop, wire):
        pop.cmd("XTND", "XMIT")
        for i in range(len(wire)):
            pop.send(wire[i:i + 1])
            time.sleep(0.005)
        self.assertEqual(pop.reply(), SENT)

    # -- what is not ------------------------------------------------------

    def test_hostile_recipients(self):
        pop = self.login()
        for field in (b"To", b"Cc", b"bcc", b"Resent-To"):
            for address in HOSTILE:
                with self.subTest(field=field, address=address):
                    said = self.refused(pop, compose(
                        b"To: bob@example.org", field + b": " + address))
                    self.assertEqual(
                        said, b"A recipient of the message is not allowed.")
        self.assertEqual(pop.stat(), (0, 0))
        pop.quit()
        self.nothing_was_sent()
        self.host.syslog.wait("xmit-refused", self.mark)

    def test_no_message(self):
        pop = self.login()
        for message, want in (
                (compose(b"From: ann@example.org", b"Subject: s"),
                 b"The message names no recipient."),
                (compose(b"To: friends:;"),
                 b"The message names no recipient."),
                (b"Subject: s\r\n\r\nTo: bob@example.org\r\n",
                 b"The message names no recipient."),
                (b"", b"The header of the message is not well formed."),
                (b"Hello\r\n",
                 b"The header of the message is not well formed."),
                (b"\r\nTo: bob@example.org\r\n",
                 b"The header of the message is not well formed."),
                (b"To: bob@example.org\r\ngarbage\r\n\r\n",
                 b"The header of the message is not well formed."),
                (b"Subject: s\rTo: |x\r\nTo: bob@example.org\r\n\r\n",
                 b"The header of the message is not well formed."),
                (b"Subject: \0\r\nTo: bob@example.org\r\n\r\n",
                 b"The header of the message is not well formed."),
                (b"To: bob@example.org\r\nX: " + b"y" * (300 << 10)
                 + b"\r\n\r\n",
                 b"The header of the message is not well formed.")):
            with self.subTest(message=message[:60]):
                self.assertEqual(self.refused(pop, message), want)
        pop.quit()
        self.nothing_was_sent()

    def test_too_large(self):
        self.configure(xmit_max_size="4K")
        pop = self.login()
        head = b"To: bob@example.org\r\n\r\n"
        room = 4096 - len(head.replace(b"\r\n", b"\n"))
        for extra in (1, 1 << 20):
            self.assertEqual(
                self.refused(pop, head + b"x" * (room - 1 + extra) + b"\r\n"),
                b"The message is too large.")
        self.nothing_was_sent()
        line = b"x" * 63
        exact = head + (line + b"\r\n") * (room // 64)
        exact += b"y" * (room % 64 - 1) + b"\r\n"
        self.assertEqual(len(exact.replace(b"\r\n", b"\n")), 4096)
        self.assertEqual(self.xmit(pop, exact), SENT)
        pop.quit()
        self.mail("bob")

    def test_broken_connection(self):
        head = b"To: bob@example.org\r\n\r\n"
        for rest in (b"half a mess", b"whole\r\n", b"whole\r\n.", b"\r\n.\r"):
            with self.subTest(rest=rest):
                pop = self.login()
                pop.cmd("XTND", "XMIT")
                pop.send(head + rest)
                pop.close()
        self.inetd.wait()
        self.nothing_was_sent()

    def test_timeout(self):
        self.configure(timeout="2")
        pop = self.login()
        pop.cmd("XTND", "XMIT")
        pop.send(b"To: bob@example.org\r\n\r\nhalf")
        with self.assertRaises((EOFError, PopError)):
            pop.reply()
        self.inetd.wait()
        self.nothing_was_sent()

    def test_rate(self):
        self.configure(xmit_rate="3")
        pop = self.login()
        # What was refused for other reasons does not count.
        self.refused(pop, b"Hello\r\n")
        for _ in range(3):
            self.assertEqual(self.xmit(pop, compose(b"To: bob@example.org")),
                             SENT)
        self.assertEqual(self.refused(pop, compose(b"To: bob@example.org")),
                         b"[SYS/TEMP] Too many messages, try again later.")
        pop.quit()
        # Nor does another session help, but another user is not concerned.
        pop = self.login()
        self.refused(pop, compose(b"To: bob@example.org"))
        pop.quit()
        pop = self.login("bob")
        self.assertEqual(self.xmit(pop, compose(b"To: carol@example.org")),
                         SENT)
        pop.quit()
        self.mail("bob", 3)
        self.mail("carol")

    def test_off(self):
        self.configure(xmit="no")
        pop = self.login()
        with self.assertRaises(PopError):
            pop.cmd("XTND", "XMIT")
        self.assertEqual(pop.stat(), (0, 0))
        pop.quit()

    def test_before_login(self):
        pop = Pop(self.host.connect(110))
        self.addCleanup(pop.close)
        with self.assertRaises(PopError):
            pop.cmd("XTND", "XMIT")

    def test_mta_fails(self):
        self.configure(xmit_command="/bin/false")
        pop = self.login()
        self.assertEqual(self.refused(pop, compose(b"To: bob@example.org")),
                         b"[SYS/PERM] Unable to send message.")
        pop.quit()
        for command in ("/nonexistent/sendmail", "/etc/passwd"):
            with self.subTest(command=command):
                self.configure(xmit_command=command)
                pop = self.login()
                with self.assertRaisesRegex(
                        PopError, r"\[SYS/PERM\] Unable to send message\."):
                    pop.cmd("XTND", "XMIT")
                self.assertEqual(pop.stat(), (0, 0))
                pop.quit()
        self.nothing_was_sent()

    # -- how the program is started ----------------------------------------

    def test_environment(self):
        self.host.write("/usr/local/bin/recorder", RECORDER, 0o755)
        self.configure(xmit_command="/usr/local/bin/recorder")
        pop = self.login()
        self.assertEqual(self.xmit(pop, compose(b"To: bob@example.org")), SENT)
        pop.quit()
        uid = self.host.account("ann").uid
        lines = self.host.read("/home/ann/record").decode().splitlines()
        self.assertRegex(lines[0], r"^argv: \S+ -oi -t\b")
        self.assertEqual(lines[1:4], [str(uid)] * 3)
        self.assertEqual(lines[4], "/")
        names = {line.split("=")[0] for line in lines[6:-2]}
        self.assertEqual(names - {"PWD", "OLDPWD", "SHLVL", "_"},
                         {"HOME", "LC_ALL", "LOGNAME", "PATH", "USER"})
        # 0, 1, 2 and the folder that ls reads.
        self.assertEqual(lines[-2], "4")
        self.assertEqual(
            self.host.read("/home/ann/message"),
            compose(b"To: bob@example.org").replace(b"\r\n", b"\n"))

    # -- virtual users ----------------------------------------------------

    def virtual(self, **options):
        self.host.write("/etc/popper/users",
                        "dora:{PLAIN}secret\n", 0o600)
        self.configure(auth="file", passwd_file="users",
                       virtual_user="carol", maildrop="/home/carol/%u.mbox",
                       **options)
        return self.login("dora", "secret")

    def test_virtual_user(self):
        pop = self.virtual(xmit_sender="%u@example.org")
        good = compose(b"From: Dora <dora@example.org>",
                       b"To: bob@example.org", b"Subject: good")
        self.assertEqual(self.xmit(pop, good), SENT)
        for field in (b"From: ann@example.org", b"Sender: ann@example.org",
                      b"From: dora@example.org, ann@example.org",
                      b"From: dora@example.org (\r\nFrom: ann@example.org)",
                      b"Resent-From: ann@example.org"):
            with self.subTest(field=field):
                self.assertRegex(
                    self.refused(pop, compose(field, b"To: bob@example.org")),
                    rb"^You may not send from that address\.$"
                    rb"|^The header of the message is not well formed\.$")
        # Without From: the MTA makes one.
        self.assertEqual(self.xmit(pop, compose(
            b"To: bob@example.org", b"Subject: none")), SENT)
        pop.quit()
        for message in self.mail("bob", 2):
            self.assertRegex(message,
                             rb"(?im)^return-path: <dora@example\.org>$")
            self.assertRegex(message, rb"(?m)^From: .*dora@example\.org")
            self.assertNotRegex(message, rb"(?m)^Sender:")

    def test_virtual_user_without_sender(self):
        pop = self.virtual()
        with self.assertRaises(PopError):
            self.xmit(pop, compose(b"To: bob@example.org"))
        pop.close()
        self.nothing_was_sent()


class WithPostfix(Xmit, unittest.TestCase):
    mta_class = Postfix


class WithExim(Xmit, unittest.TestCase):
    mta_class = Exim


if __name__ == "__main__":
    unittest.main()
