# SPDX-License-Identifier: ISC
"""Bulletins from the operator's command to the user's maildrop.

What a user must receive is computed here from the bulletin's file, apart
from popper.
"""

import os
import re
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib import nasty, spool                                    # noqa: E402
from lib.host import HOSTNAME, Host                             # noqa: E402
from lib.popper import Inetd, Pop, conf                         # noqa: E402

FOLDER = "/var/lib/bulletins"
FROM = b"From root@example.org Sat Jan  1 00:00:00 2000\n"
BASIC = {"peer_check": "no", "auth_fail_delay": "1", "bulletins": FOLDER}
STATUS = re.compile(rb"\r\nStatus: R?O(?=\r\n)")
MAIL = nasty.mbox(nasty.NASTY[:3])


def bulletin(text, *fields):
    fields = fields or (b"To: everybody", b"Status: RO")
    return FROM + b"From: root@example.org\n" + \
        b"".join(f + b"\n" for f in fields) + \
        b"Subject: " + text + b"\n\nbody of " + text + b"\n.\n\n"


def wire(data, user):
    """The one message of a bulletin as its user must receive it."""
    head, _, body = data.replace(b"\r\n", b"\n").partition(b"\n\n")
    fields = re.findall(rb"[^\n]+(?:\n[ \t][^\n]*)*", head)[1:]
    out, to = [], False
    for field in fields:
        name = field.split(b":")[0].strip().lower()
        if name == b"to":
            if not to:
                out.append(b"To: %s@%s" % (user.encode(), HOSTNAME.encode()))
            to = True
        elif name not in (b"status", b"x-uidl"):
            out.append(field)
    if body.endswith(b"\n\n"):
        body = body[:-1]
    return (b"\n".join(out) + b"\n\n" + body).replace(b"\n", b"\r\n")


class Bulletins(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = Host()
        cls.addClassCleanup(cls.host.close)
        cls.host.add_user("ann", password="ann")
        cls.host.add_user("homeless", password="homeless",
                          home="/nonexistent/homeless")
        cls.inetd = Inetd(cls.host)
        cls.addClassCleanup(cls.inetd.stop)

    def setUp(self):
        self.host.run(["rm", "-rf", FOLDER, "/home/ann/.popbull",
                       "/var/mail/ann", "/var/mail/homeless"], check=True)
        self.host.run(["find", "/var/lib/popper", "-name", "popbull",
                       "-delete"])
        self.host.mkdir(FOLDER)
        self.host.write("/etc/popper/popper.conf", conf(**BASIC))
        self.mark = self.host.syslog.mark()

    def put(self, name, data=None):
        data = bulletin(name.encode()) if data is None else data
        self.host.write(FOLDER + "/" + name, data)
        return wire(data, "ann")

    def known(self, number, user="ann"):
        """The user has received bulletins up to this number."""
        self.host.write("/home/%s/.popbull" % user, "%d\n" % number, 0o600,
                        user)

    def login(self, user="ann"):
        pop = Pop(self.host.connect(110))
        self.addCleanup(pop.close)
        pop.login(user, user)
        return pop

    def fetch(self, pop):
        """{number: (unique-id, octets)} of all messages, without the mark
        that an earlier session has left."""
        uidl = pop.uidl()
        return {n: (uidl[n], STATUS.sub(b"", pop.retr(n), count=1))
                for n in pop.list()}

    def session(self, user="ann", end="quit"):
        """The texts that one session shows."""
        pop = self.login(user)
        found = [text for _, text in self.fetch(pop).values()]
        getattr(pop, end)()
        if end == "close":
            self.inetd.wait()
        return found

    def popbull(self):
        return self.host.read("/home/ann/.popbull")

    # -- what the manual promises -----------------------------------------

    def test_new_user(self):
        self.put("7.old")
        self.put("23.pophost_down_sunday")
        self.put("3.oldest")
        # Seeded at the login, not at QUIT.
        self.assertEqual(self.session(end="close"), [])
        self.assertEqual(self.popbull(), b"23\n")
        st = self.host.call(os.stat, "/home/ann/.popbull")
        self.assertEqual((st.st_mode & 0o7777, st.st_uid),
                         (0o600, self.host.account("ann").uid))
        new = self.put("24.new")
        self.assertEqual(self.session(), [new])
        self.assertEqual(self.popbull(), b"24\n")

    def test_new_user_without_bulletins(self):
        self.assertEqual(self.session(), [])
        self.assertEqual(self.popbull(), b"0\n")
        first = self.put("1")
        self.assertEqual(self.session(), [first])

    def test_order_and_mail(self):
        """By number, equal ones by name, behind the user's own mail."""
        self.known(8)
        self.host.spool("ann", MAIL)
        own = [m.wire for m in spool.messages(MAIL)]
        want = [self.put(n) for n in
                ("9", "10.b", "10.c", "0011.a", "100zzz")]
        self.put("8.known")
        self.put("README")
        self.put(".12")
        self.assertEqual(self.session(), own + want)
        self.assertEqual(self.session(), own + want)
        self.assertEqual(self.popbull(), b"100\n")

    def test_unique_ids_stay(self):
        self.known(0)
        self.put("1.a")
        self.put("2.b")
        pop = self.login()
        first = self.fetch(pop)
        pop.close()                     # no QUIT: nothing has happened
        self.inetd.wait()
        self.assertEqual(self.popbull(), b"0\n")
        self.assertEqual(self.host.spool("ann"), b"")
        for end in ("quit", "quit", "close"):
            pop = self.login()
            self.assertEqual(self.fetch(pop), first)
            getattr(pop, end)()
        self.inetd.wait()
        self.assertEqual(len(spool.messages(self.host.spool("ann"))), 2)

    def test_transformed(self):
        self.known(0)
        want = [
            self.put("1", bulletin(b"one", b"To: a,\n b,\n\tc", b"Cc: d",
                                   b"to: e\n f", b"X-UIDL: g\n h",
                                   b"STATUS: R", b"X-Status: i")),
            self.put("2", bulletin(b"two", b"Topic: no To here")),
            self.put("3", bulletin(b"three", b"To: a").replace(b"\n",
                                                               b"\r\n")),
        ]
        self.assertIn(b"\r\nTo: ann@" + HOSTNAME.encode() + b"\r\nCc: d\r\n"
                      b"X-Status: i\r\n", want[0])
        self.assertEqual(self.session(), want)
        self.assertEqual(self.session(), want)

    def test_deleted_stays_deleted(self):
        self.known(0)
        kept = self.put("1.kept")
        self.put("2.deleted")
        pop = self.login()
        pop.dele(2)
        pop.cmd("RSET")
        pop.dele(2)
        pop.quit()
        self.assertEqual(self.popbull(), b"2\n")
        self.assertEqual(self.session(), [kept])

    def test_all_deleted_at_once(self):
        """Nothing to add, but the number must be recorded."""
        self.known(0)
        self.put("1")
        pop = self.login()
        pop.dele(1)
        pop.quit()
        self.assertEqual(self.popbull(), b"1\n")
        self.assertEqual(self.session(), [])

    # -- what may break ----------------------------------------------------

    def test_killed_session(self):
        self.known(0)
        want = self.put("1")
        for _ in range(3):
            pop = self.login()
            self.assertEqual([t for _, t in self.fetch(pop).values()], [want])
            pop.dele(1)
            self.inetd.children[-1].send_signal(signal.SIGKILL)
            pop.close()
            self.inetd.children[-1].wait(60)
            # The session ends by itself when its monitor is gone.
            self.ends()
            self.assertEqual(self.popbull(), b"0\n")
        self.assertEqual(self.session(), [want])
        self.assertEqual(len(self.session()), 1)

    def ends(self):
        deadline = time.monotonic() + 60
        while self.host.run(["pgrep", "-u", "ann"]).stdout:
            if time.monotonic() > deadline:
                self.fail("the session runs on")
            time.sleep(0.05)

    def test_bad_ones_are_skipped(self):
        self.known(0)
        first = self.put("1.good")
        self.put("2.empty", b"")
        self.put("3.no_from", b"Subject: x\n\nb\n")
        self.put("4.two", bulletin(b"a") + bulletin(b"b"))
        self.host.run(["mkfifo", FOLDER + "/5.fifo"], check=True)
        self.host.run(["ln", "-s", "1.good", FOLDER + "/6.link"], check=True)
        self.host.mkdir(FOLDER + "/7.folder")
        self.host.write(FOLDER + "/8.secret", bulletin(b"x"), 0o600)
        self.put("1234567890123456789")
        last = self.put("9.good")
        self.assertEqual(self.session(), [first, last])
        for name in ("2.empty", "3.no_from", "4.two", "5.fifo", "6.link",
                     "7.folder", "8.secret", "1234567890123456789"):
            self.host.syslog.wait("bulletin-.*" + re.escape(name), self.mark)
        self.assertEqual(self.popbull(), b"9\n")

    def test_half_written(self):
        """An operator's editor has made the file, and not yet filled it."""
        self.known(0)
        self.put("1", b"")
        self.assertEqual(self.session(), [])
        want = self.put("1")
        self.assertEqual(self.session(), [want])

    def test_no_folder(self):
        self.known(0)
        self.host.run(["rmdir", FOLDER], check=True)
        self.host.spool("ann", MAIL)
        self.assertEqual(len(self.session()), 3)
        self.host.syslog.wait("bulletin-folder-unreadable", self.mark)

    def test_hostile_popbull(self):
        self.put("1")
        victim = "/home/ann/victim"
        for make in (["ln", "-s", victim], ["ln", victim], ["mkfifo"],
                     ["mkdir"]):
            with self.subTest(make=make):
                self.host.run(["rm", "-rf", "/home/ann/.popbull"], check=True)
                self.host.write(victim, "0\n", 0o600, "ann")
                self.host.run(make + ["/home/ann/.popbull"], user="ann",
                              check=True)
                self.assertEqual(self.session(), [])
                self.assertEqual(self.host.read(victim), b"0\n")

    def test_states_of_popbull(self):
        want = [self.put("1"), self.put("2")]
        for text, got, after in (
                (b"", [], b"2\n"), (b"hello\n", [], b"2\n"),
                (b"1", want[1:], b"2\n"), (b"1\r\nx", want[1:], b"2\n"),
                (b"2\n", [], b"2\n"), (b"99\n", [], b"99\n"),
                (b"1" * 19 + b"\n", [], b"1" * 19 + b"\n")):
            with self.subTest(text=text):
                self.host.write("/home/ann/.popbull", text, 0o600, "ann")
                self.host.spool("ann", b"")
                self.assertEqual(self.session(), got)
                self.assertEqual(self.popbull(), after)

    def test_home_not_writable(self):
        self.put("1")
        self.host.run(["chmod", "500", "/home/ann"], check=True)
        try:
            self.assertEqual(self.session(), [])
            self.host.syslog.wait("bulletin-number-not-written", self.mark)
            self.assertFalse(self.host.exists("/home/ann/.popbull"))
        finally:
            self.host.run(["chmod", "700", "/home/ann"], check=True)

    def test_user_without_home(self):
        self.put("1")
        self.assertEqual(self.session("homeless"), [])
        data = bulletin(b"2")
        self.put("2", data)
        want = wire(data, "homeless")
        self.assertEqual(self.session("homeless"), [want])
        self.assertEqual(self.session("homeless"), [want])
        self.assertFalse(self.host.exists("/nonexistent/homeless"))

    # -- the operator's command --------------------------------------------

    def popper(self, *args, **kw):
        return self.host.run(["/usr/sbin/popper", "bulletin", *args], **kw)

    def test_command(self):
        self.known(0)
        self.put("22.by_hand")
        r = self.popper("add", input=b"From: root\nTo: all\n"
                        b"Subject: Down on Sunday!\n\nFrom 8 to 9.\n")
        self.assertEqual((r.returncode, r.stdout),
                         (0, b"bulletin 23 published\n"), r.stderr)
        name = FOLDER + "/23.Down_on_Sunday"
        self.assertEqual(self.session()[1], wire(self.host.read(name), "ann"))
        self.assertRegex(self.host.read(name), rb"\n\n>From 8 to 9\.\n\n$")
        r = self.popper("list")
        self.assertEqual((r.returncode, r.stdout, r.stderr), (
            0, b"22\t22.by_hand\t22.by_hand\n"
            b"23\t23.Down_on_Sunday\tDown on Sunday!\n", b""))
        self.assertEqual(self.popper("remove", "23").returncode, 0)
        self.assertFalse(self.host.exists(name))
        r = self.popper("--dir", FOLDER, "add", "--title", "again", "-",
                        input=b"Subject: x\n\nb\n")
        self.assertEqual(r.stdout, b"bulletin 24 published\n")
        self.assertTrue(self.host.exists(FOLDER + "/24.again"))

    def test_command_refuses(self):
        for args, given, code, said in (
                (["add"], b"hello\n", 1, b"does not begin with a header"),
                (["add"], bulletin(b"a") + bulletin(b"b"), 1,
                 b"more than one message"),
                (["remove", "5"], b"", 1, b"there is no bulletin 5"),
                (["remove", "x"], b"", 64, b"remove wants the number"),
                (["remove"], b"", 64, b"--help"),
                (["list", "--title", "x"], b"", 64, b"--help"),
                ([], b"", 64, b"--help"),
                (["--dir", "/nonexistent", "list"], b"", 1,
                 b"/nonexistent"),
                (["--config", "/nonexistent", "list"], b"", 78,
                 b"cannot be read")):
            with self.subTest(args=args):
                r = self.popper(*args, input=given)
                self.assertEqual(r.returncode, code, r.stderr)
                self.assertIn(said, r.stderr)
                self.assertEqual(r.stdout, b"")
        self.assertEqual(self.host.call(os.listdir, FOLDER).count("1"), 0)
        r = self.popper("--dir", FOLDER, "add", user="ann",
                        input=b"Subject: x\n\nb\n")
        self.assertEqual(r.returncode, 77, r.stderr)
        self.assertIn(FOLDER.encode(), r.stderr)
        r = self.popper("--help")
        self.assertEqual((r.returncode, r.stdout[:6]), (0, b"usage:"))

    def test_publishing_at_once(self):
        """Many publish at the same time: no number twice, no torn file."""
        adds = []
        for i in range(12):
            adds.append(self.host.popen(
                ["/bin/sh", "-c", "printf 'Subject: %d\\n\\nb\\n' | "
                 "/usr/sbin/popper bulletin add" % i],
                stdout=subprocess.DEVNULL))
        for p in adds:
            self.assertEqual(p.wait(60), 0)
        names = [n for n in self.host.call(os.listdir, FOLDER)
                 if n[0].isdigit()]
        self.assertEqual(sorted(int(n.split(".")[0]) for n in names),
                         list(range(1, 13)))
        self.assertEqual(self.popper("list").returncode, 0)


if __name__ == "__main__":
    unittest.main()
