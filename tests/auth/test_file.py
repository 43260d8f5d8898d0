# SPDX-License-Identifier: ISC
"""Virtual users: a password file, and popper passwd, which manages it."""

import base64
import os
import pty
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import logins                                                   # noqa: E402
from lib import nasty                                           # noqa: E402
from lib.host import crypt                                      # noqa: E402
from lib.popper import Pop, PopError                            # noqa: E402

POPPER = "/usr/sbin/popper"
USERS = "/etc/popper/users"
APPS = "/etc/popper/app-passwords"
SETTINGS = {
    "y": "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$",
    "six": "$6$rounds=1000$saltsalt$",
    "five": "$5$rounds=1000$saltsalt$",
    "two": "$2b$05$abcdefghijklmnopqrstuu",
}


class Virtual(logins.Logins, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.house()
        cls.host.add_user("vmail", uid=5000)
        cls.host.add_user("alice", password="host password")

    def setUp(self):
        logins.configure(self.host, auth="file", virtual_user="vmail",
                         maildrop="/var/mail/%u")
        if self.host.exists(USERS):
            self.host.call(os.unlink, USERS)

    def rows(self, *rows):
        self.host.write(USERS, "".join(r + "\n" for r in rows), mode=0o600)

    def passwd(self, *args, say=b"wonderland\n", code=0):
        r = self.host.run([POPPER, "passwd", *args], input=say)
        self.assertEqual(r.returncode, code, r.stderr)
        return r

    # -- logins -----------------------------------------------------------

    def test_every_scheme(self):
        rows = ["%s:%s" % (name, crypt("wonderland", setting))
                for name, setting in SETTINGS.items()]
        rows += ["b%s:{CRYPT}%s" % (name, crypt("wonderland", setting))
                 for name, setting in SETTINGS.items()]
        rows += ["p:{PLAIN}wonderland",
                 "s:{SHA512-CRYPT}" + crypt("wonderland", SETTINGS["six"]),
                 "b:{BLF-CRYPT}" + crypt("wonderland", SETTINGS["two"])]
        self.rows(*rows)
        users = [row.split(":")[0].encode() for row in rows]
        for user in users:
            with self.subTest(user=user):
                self.accepted(user, b"wonderland")
        self.all_refused([(u, b"wonderlanD", "bad-password") for u in users])

    def test_refusals(self):
        self.rows("ann:{PLAIN}wonderland", "star:*", "bang:!$6$x",
                  "closed:{PLAIN}wonderland::::::nologin",
                  "nets:{PLAIN}wonderland::::::allow_nets=127.0.0.1",
                  "relative:{PLAIN}wonderland::::home:",
                  "sdbox:{PLAIN}wonderland::::::userdb_mail=sdbox:/m",
                  "tab:{PLAIN}wonderland::::/h\th:",
                  "odd:{ODD}wonderland", "root:{PLAIN}wonderland:0:0",
                  "low:{PLAIN}wonderland:999:5000",
                  "wheel:{PLAIN}wonderland:5000:27",
                  "denied:{PLAIN}wonderland")
        self.host.write("/etc/popper/deny", "denied\n")
        self.all_refused([
                (b"nosuch", b"wonderland", "unknown-user"),
                (b"alice", b"host password", "unknown-user"),
                (b"ann", b"", "empty-password"),
                (b"star", b"wonderland", "locked"),
                (b"bang", b"wonderland", "locked"),
                (b"closed", b"wonderland", "locked"),
                (b"odd", b"wonderland", "row"),
                (b"nets", b"wonderland", "row"),
                (b"relative", b"wonderland", "row"),
                (b"sdbox", b"wonderland", "row"),
                (b"tab", b"wonderland", "row"),
                (b"root", b"wonderland", "uid"),
                (b"low", b"wonderland", "uid"),
                (b"wheel", b"wonderland", "gid"),
                (b"denied", b"wonderland", "denied"),
                (b".ann", b"wonderland", "bad-name")])

    def test_master_user(self):
        """By PASS and by PLAIN, with both names in the log."""
        self.rows("ann:{PLAIN}wonderland", "locked:!{PLAIN}x")
        self.host.write("/etc/popper/masters", "ops:{PLAIN}queen\n",
                        mode=0o600)
        logins.configure(self.host, auth="file", virtual_user="vmail",
                         maildrop="/var/mail/%u",
                         master_users="/etc/popper/masters")
        mark = self.host.syslog.mark()
        self.accepted(b"ann*ops", b"queen")
        with Pop(self.host.connect(110)) as pop:
            pop.cmd("AUTH", "PLAIN", base64.b64encode(
                b"ann\0ops\0queen").decode())
            pop.quit()
        for method in ("pass", "plain"):
            self.host.syslog.wait(r"master-login sid=\S+ user=ann ip=127.0.0.1 "
                                  r"method=%s master=ops" % method, mark)
        self.host.syslog.wait(r"\blogin sid=\S+ user=ann ", mark)
        self.refused(b"ann*ops", b"wonderland", "bad-password", shown="ann")
        self.refused(b"locked*ops", b"queen", "locked", shown="locked")

    def test_off_and_on(self):
        self.rows("ann:{PLAIN}wonderland:1::g:/h:s:x=1", "star:*",
                  "off:{PLAIN}wonderland::::::nologin pop3=no y=2",
                  "no:{PLAIN}wonderland::::::pop3=no",
                  "yes:{PLAIN}wonderland::::::pop3=yes")
        for _ in range(2):
            self.passwd("--disable", "ann")
            self.assertEqual(self.host.read(USERS).decode().split("\n")[0],
                             "ann:!{PLAIN}wonderland:1::g:/h:s:x=1")
        self.passwd("--enable", "ann")
        self.passwd("--enable", "off")
        self.passwd("--enable", "star", code=1)
        self.passwd("--disable", "nobody", code=1)
        self.passwd("--enable", "nobody", code=1)
        self.passwd("--enable", "--uid", "1", "--gid", "1", "ann", code=64)
        self.passwd("--disable", "--delete", "ann", code=64)
        rows = self.host.read(USERS).decode().split("\n")
        self.assertEqual(rows[:3],
                         ["ann:{PLAIN}wonderland:1::g:/h:s:x=1", "star:*",
                          "off:{PLAIN}wonderland::::::y=2"])
        self.refused(b"no", b"wonderland", "locked")
        self.accepted(b"yes", b"wonderland")
        self.passwd("--disable", "yes")
        self.refused(b"yes", b"wonderland", "locked")

    def test_rpop_that_is_off_is_no_failed_login(self):
        self.rows("ann:{PLAIN}wonderland")
        mark = self.host.syslog.mark()
        with Pop(self.host.connect(110)) as pop:
            for word in (b"RPOP", b"rpop"):
                pop.cmd("USER", "ann")
                with self.assertRaises(PopError) as e:
                    pop.cmd(word, "ann")
                self.assertEqual(e.exception.args[0], b"Unknown command.")
            pop.login(b"ann", b"wonderland")
            pop.quit()
        self.host.syslog.wait(r"\bsession-end ", mark)
        self.assertNotIn("login-failed",
                         "\n".join(self.host.syslog.lines[mark:]))

    def test_a_file_that_others_read_lets_nobody_in(self):
        self.rows("ann:{PLAIN}wonderland")
        self.host.write(USERS, "ann:{PLAIN}wonderland\n", mode=0o644)
        mark = self.host.syslog.mark()
        _, text = self.attempt(b"ann", b"wonderland")
        self.assertIsNotNone(text)
        self.host.syslog.wait("users: mode 0644", mark)

    def test_one_password_two_users_two_maildrops(self):
        self.rows("ann:{PLAIN}wonderland", "bob:{PLAIN}wonderland")
        mail = nasty.mbox(nasty.NASTY[:3])
        self.host.write("/var/mail/bob", mail, 0o660, "vmail", "mail")
        counts = {}
        for user in (b"ann", b"bob", b"ann", b"bob"):
            with Pop(self.host.connect(110)) as pop:
                counts.setdefault(user, []).append(
                    pop.login(user, b"wonderland")[0])
                pop.quit()
        self.assertEqual(counts[b"ann"], [0, 0])
        self.assertEqual(counts[b"bob"][0], counts[b"bob"][1])
        self.assertGreater(counts[b"bob"][0], 0)

    def test_a_maildrop_of_its_own(self):
        mail = nasty.mbox(nasty.NASTY[:3])
        self.host.mkdir("/srv/post", 0o700, "vmail")
        self.host.write("/srv/post/ann", mail, 0o600, "vmail")
        self.passwd("--scheme", "plain", "--maildrop", "/srv/post/ann", "ann")
        with Pop(self.host.connect(110)) as pop:
            self.assertGreater(pop.login(b"ann", b"wonderland")[0], 0)
            pop.quit()

    def test_a_maildrop_by_a_template(self):
        mail = nasty.mbox(nasty.NASTY[:3])
        self.host.mkdir("/srv/50%off", 0o700, "vmail")
        self.host.mkdir("/srv/50%off/a", 0o700, "vmail")
        self.host.write("/srv/50%off/a/ann", mail, 0o600, "vmail")
        self.passwd("--maildrop", "/srv/50%%off/%1/%u", "ann")
        with Pop(self.host.connect(110)) as pop:
            self.assertGreater(pop.login(b"ann", b"wonderland")[0], 0)
            pop.quit()

    def test_a_mail_location_with_an_inbox(self):
        mail = nasty.mbox(nasty.NASTY[:3])
        self.host.mkdir("/srv/inbox", 0o700, "vmail")
        self.host.write("/srv/inbox/ann", mail, 0o600, "vmail")
        extra = "{PLAIN}wonderland::::/srv/inbox::userdb_mail=mbox:~/mail"
        self.rows("ann:%s:INBOX=/srv/inbox/ann" % extra,
                  "bob:%s:INDEX=MEMORY" % extra)
        with Pop(self.host.connect(110)) as pop:
            self.assertGreater(pop.login(b"ann", b"wonderland")[0], 0)
            pop.quit()
        self.refused(b"bob", b"wonderland", "row")

    def test_blanks_and_odd_octets_in_passwords(self):
        wrong = []
        for i, password in enumerate((
                b"two words", b" before and after ", b"%s%n\\",
                b"\xc3\xa4\xff\x80", b"a\ttab", b"!", b"*", b"x" * 200)):
            user = "ann%d" % i
            with self.subTest(password=password):
                self.passwd(user, say=password + b"\n")
                self.accepted(user.encode(), password)
            wrong.append((user.encode(), password + b"x", "bad-password"))
        self.all_refused(wrong)

    def test_a_password_that_is_too_long_is_a_wrong_one(self):
        whole = b"x" * 512
        self.rows("ann:{PLAIN}" + whole.decode(),
                  "bob:" + crypt("wonderland", SETTINGS["five"]))
        self.accepted(b"ann", whole)
        self.all_refused([
            (b"ann", whole + b"x", "bad-password"),
            (b"bob", b"wonderland" + b"x" * 1000, "bad-password"),
            (b"nosuch", whole + b"x", "unknown-user")])

    def test_the_work_is_done_for_unknown_names_too(self):
        logins.configure(self.host, auth="file", virtual_user="vmail",
                         auth_fail_delay=0)
        self.rows("ann:" + crypt("wonderland", SETTINGS["y"]))
        self.alike(b"ann", [b"nosuch", b"-x"])

    # -- popper passwd ----------------------------------------------------

    def test_add_change_remove(self):
        self.rows("# the house", "", "bob:{PLAIN}b:1:2:Bob:/h:/s:k=v")
        for scheme, start in (("yescrypt", b"ann:{CRYPT}$y$"),
                              ("sha512", b"ann:{SHA512-CRYPT}$6$"),
                              ("bcrypt", b"ann:{BLF-CRYPT}$2y$"),
                              ("plain", b"ann:{PLAIN}wonderland:")):
            self.passwd("--scheme", scheme, "ann")
            lines = self.host.read(USERS).split(b"\n")
            self.assertEqual(lines[:3], [b"# the house", b"",
                                         b"bob:{PLAIN}b:1:2:Bob:/h:/s:k=v"])
            self.assertTrue(lines[3].startswith(start), lines[3])
            self.assertEqual(len(lines), 5)
            self.accepted(b"ann", b"wonderland")
        listing = self.passwd("--list").stdout
        self.assertEqual(listing, b"bob\tplain\t1\t2\t/h\t-\n"
                         b"ann\tplain\t-\t-\t-\t-\n")
        self.passwd("--delete", "ann")
        self.refused(b"ann", b"wonderland", "unknown-user")
        self.passwd("--delete", "ann", code=1)

    def test_a_new_file_is_for_root_alone(self):
        self.passwd("ann")
        st = self.host.call(os.stat, USERS)
        self.assertEqual((st.st_mode & 0o7777, st.st_uid), (0o600, 0))

    def test_owner_and_mode_stay(self):
        self.host.write(USERS, "bob:*\n", 0o640, "root", "mail")
        self.passwd("ann")
        st = self.host.call(os.stat, USERS)
        self.assertEqual((st.st_mode & 0o7777, st.st_uid, st.st_gid),
                         (0o640, 0, 8))

    def test_exit_codes(self):
        self.rows("ann:*")
        for code, args, say in [
                (0, ["--help"], b""),
                (64, [], b""),
                (64, ["--frob", "ann"], b""),
                (64, ["--scheme", "rot13", "ann"], b"x\n"),
                (64, ["--uid", "1000", "ann"], b"x\n"),
                (64, ["--uid", "-1", "--gid", "1", "ann"], b"x\n"),
                (64, ["a:b"], b"x\n"),
                (64, ["--maildrop", "/srv/50%off", "ann"], b"x\n"),
                (64, ["--maildrop", "/srv/50%", "ann"], b"x\n"),
                (64, ["--home", "", "--maildrop", "~/m", "ann"], b"x\n"),
                (64, ["--maildrop", "/" + "%u" * 2000, "ann"], b"x\n"),
                (64, ["a", "b"], b"x\n"),
                (64, ["--list", "ann"], b""),
                (64, ["--delete", "--uid", "1", "ann"], b""),
                (1, ["ann"], b"\n"),
                (1, ["ann"], b""),
                (1, ["ann"], b"x" * 513 + b"\n"),
                (1, ["--scheme", "plain", "ann"], b"a:b\n"),
                (1, ["--scheme", "bcrypt", "ann"], b"x" * 73 + b"\n"),
                (1, ["--file", "/etc/popper/none", "--delete", "ann"], b""),
                (77, ["--file", "/etc/popper", "ann"], b"x\n")]:
            with self.subTest(args=args):
                r = self.passwd(*args, say=say, code=code)
                self.assertEqual(bool(r.stderr), code != 0)
                self.assertNotIn(b"xxx", r.stderr)
        self.assertEqual(self.host.read(USERS), b"ann:*\n")

    def test_not_permitted(self):
        self.rows("ann:*")
        r = self.host.run([POPPER, "passwd", "ann"], user="alice",
                          input=b"x\n")
        self.assertEqual(r.returncode, 77)

    def test_a_locked_file_is_waited_for(self):
        self.rows("ann:*")
        holder = self.host.popen(["flock", USERS, "sleep", "1"])
        time.sleep(0.3)
        self.passwd("ann")
        holder.wait()
        self.assertIn(b"ann:{CRYPT}", self.host.read(USERS))

    def test_writers_at_once_lose_nothing(self):
        self.rows("# the house")
        running = []
        for i in range(8):
            p = self.host.popen([POPPER, "passwd", "--scheme", "plain",
                                 "u%d" % i], stdin=-1)
            p.stdin.write(b"wonderland\n")
            p.stdin.close()
            running.append(p)
        self.assertEqual([p.wait(60) for p in running], [0] * 8)
        rows = self.host.read(USERS).decode().split("\n")
        self.assertEqual(sorted(r.split(":")[0] for r in rows[1:-1]),
                         ["u%d" % i for i in range(8)])
        self.assertEqual(self.host.call(os.listdir, "/etc/popper").count(
            "users.new"), 0)

    def type(self, *lines):
        """Standard input and the controlling terminal are a terminal."""
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        p = self.host.popen(["setsid", "-c", "-w", POPPER, "passwd", "ann"],
                            stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        said = b""
        for line in lines:
            while not said.endswith(b": "):
                said += os.read(ours, 4096)
            os.write(ours, line)
            said += b"|"
        code = p.wait(60)
        try:
            while True:
                said += os.read(ours, 4096)
        except OSError:
            pass
        return code, said

    def test_the_terminal(self):
        code, said = self.type(b"wonder\n", b"wonder\n")
        self.assertEqual(code, 0, said)
        self.assertNotIn(b"wonder", said)
        self.accepted(b"ann", b"wonder")
        code, said = self.type(b"wonder\n", b"under\n")
        self.assertEqual(code, 1, said)
        self.assertIn(b"nothing was changed", said)
        self.accepted(b"ann", b"wonder")

    # -- app passwords ----------------------------------------------------

    def app(self, *args, code=0):
        r = self.host.run([POPPER, "passwd", "app", *args])
        self.assertEqual(r.returncode, code, r.stderr)
        self.said = r.stderr.decode()
        return r.stdout.decode().strip()

    def apps(self, use):
        logins.configure(self.host, auth="file", virtual_user="vmail",
                         maildrop="/var/mail/%u", app_passwords=use)
        if self.host.exists(APPS):
            self.host.call(os.unlink, APPS)
        self.rows("ann:{PLAIN}wonderland", "bob:{PLAIN}wonderland",
                  "gone:!{PLAIN}wonderland")

    def test_of_nobody(self):
        """It is made: a database may come to know him.  One that cannot be asked
        may know him."""
        self.apps("yes")
        self.assertNotEqual(self.app("add", "nosuch", "phone"), "")
        self.assertIn("no user database knows nosuch", self.said)
        logins.configure(self.host, app_passwords="yes", auth=(
            "pam one:file:%s two:file:/nonexistent" % USERS))
        self.app("add", "nosuch", "tablet")
        self.assertEqual(self.said, "")
        self.app("remove", "nosuch")

    def test_a_password_for_each_device(self):
        self.apps("yes")
        phone = self.app("add", "ann", "phone")
        tablet = self.app("add", "--networks", "127.0.0.0/8", "--expires",
                          "2199-12-31", "ann", "tablet")
        office = self.app("add", "--networks", "192.0.2.0/24", "ann", "office")
        closed = self.app("add", "gone", "phone")
        self.assertEqual(self.said, "")
        self.assertRegex(phone, "^([a-z0-9]{4}-){4}[a-z0-9]{4}$")
        kept = self.host.run(["cat", APPS]).stdout.decode()
        self.assertNotIn(phone, kept)
        self.assertNotIn(phone.replace("-", ""), kept)
        mark = self.host.syslog.mark()
        self.accepted(b"ann", phone.encode())
        self.host.syslog.wait(r"app-password sid=\S+ user=ann ip=127.0.0.1 "
                              "method=pass app=phone", mark)
        self.accepted(b"ann", tablet.replace("-", "").encode())
        self.accepted(b"ann", b"wonderland")
        self.refused(b"bob", phone.encode(), "bad-password")
        self.refused(b"ann", office.encode(), "app-password")
        self.refused(b"gone", closed.encode(), "locked")
        today = time.strftime("%Y-%m-%d", time.gmtime())
        self.assertEqual(
            [line.split("\t") for line in self.app("list", "ann").split("\n")],
            [["ann", "phone", today, today, "-", "-"],
             ["ann", "tablet", today, today, "2199-12-31", "127.0.0.0/8"],
             ["ann", "office", today, "-", "-", "192.0.2.0/24"]])
        self.app("remove", "ann", "phone")
        self.refused(b"ann", phone.encode(), "bad-password")
        self.accepted(b"ann", tablet.encode())
        self.app("remove", "ann", "phone", code=1)
        self.app("add", "ann", "tablet", code=1)
        self.app("add", "--expires", "1999-12-31", "ann", "x", code=64)

    def test_app_passwords_only(self):
        self.apps("only")
        phone = self.app("add", "ann", "phone")
        self.accepted(b"ann", phone.encode())
        self.refused(b"ann", b"wonderland", "app-password")


if __name__ == "__main__":
    unittest.main()
