# SPDX-License-Identifier: ISC
"""popper ctl: what it shows, what it does, and who may."""

import concurrent.futures
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TESTS, os.path.join(TESTS, "serve")]

import house                                                    # noqa: E402
from lib.host import crypt                                      # noqa: E402
from lib.popper import Pop, PopError                            # noqa: E402

SOCKET = "/run/popper/ctl"
USERS = "/etc/popper/users"
PASSWORD = house.family.PASSWORD
MARK = 0x504c                   # of a message (sys/link.c)
ALL = b"\0" + b"\0" * 8 + b"\0" * 4 + b"\0" + b"\0" * 4 + b"\0" * 4


class Ctl(house.House):
    def ctl(self, *words, user=None, code=0):
        r = self.host.run(["/usr/sbin/popper", "ctl", *words], user=user)
        self.assertEqual(r.returncode, code, (words, r.stdout, r.stderr))
        return r.stdout.decode() if code == 0 else r.stderr.decode()

    def who(self, *words):
        return [json.loads(line) for line in
                self.ctl("--json", "who", *words).splitlines()]

    def status(self):
        return json.loads(self.ctl("--json", "status"))


class Who(Ctl):
    def test_sessions(self):
        self.serve()
        self.assertEqual(self.ctl("who"), "")
        alice, bob = self.login("alice"), self.login("bob")
        rows = {row["user"]: row for row in self.who()}
        self.assertEqual(sorted(rows), ["alice", "bob"])
        row = rows["alice"]
        self.assertEqual((row["ip"], row["maildrop"], row["stage"], row["db"],
                          row["method"]),
                         ("127.0.0.1", "/var/mail/alice", "session", "file",
                          "pass"))
        self.assertLess(row["age_s"], 60)
        self.log.wait("login sid=%s user=alice" % row["sid"], self.mark)
        self.assertEqual({row["pid"] for row in rows.values()},
                         {int(m.status["NSpid"][-1]) for m in self.sessions()})
        for words, users in (("alice", ["alice"]), (row["sid"], ["alice"]),
                             ("alice@", ["alice"]), ("nobody", []),
                             ("@127.0.0.1", ["alice", "bob"]),
                             ("@::ffff:127.0.0.1", ["alice", "bob"]),
                             ("@127.0.0.2", [])):
            self.assertEqual(sorted(r["user"] for r in self.who(words)), users,
                             words)
        table = self.ctl("who", "bob").splitlines()
        self.assertEqual(table[0].split(), ["SID", "PID", "AGE_S", "STAGE",
                                            "IP", "USER", "DB", "METHOD",
                                            "MAILDROP"])
        self.assertRegex(table[1], r"^%s +%d +\d+ +session +127.0.0.1 +bob +"
                         "file +pass +/var/mail/bob$" % (rows["bob"]["sid"],
                                             rows["bob"]["pid"]))
        alice.quit()
        bob.quit()
        self.wait_for(lambda: self.who() == [], "end of both")

    def test_update(self):
        """Who waits for a locked maildrop is in UPDATE, and shows it."""
        self.serve()
        pop = self.login()
        pop.dele(1)
        lock = self.host.call(make_lock)
        pop.send(b"QUIT\r\n")
        self.wait_for(lambda: [r["stage"] for r in self.who()] == ["update"],
                      "update")
        self.host.call(os.unlink, lock)
        self.assertIn(b"signing off", pop.reply())


class Kick(Ctl):
    def test_by_everything(self):
        self.serve()
        for words in (["alice"], ["@127.0.0.1"], None):
            pop = self.login()
            pop.dele(1)
            words = words or [self.who()[0]["sid"]]
            self.assertEqual(self.ctl("kick", *words), "1 session told to end\n")
            self.ended(pop)
            self.log.wait("session-end .*user=alice .*reason=stopped ",
                          self.mark)
            self.mark = self.log.mark()
            self.next_login()           # and nothing was deleted
        self.assertEqual(self.log.find("role-", self.mark), [])

    def test_only_whom_it_means(self):
        self.serve()
        alice, bob = self.login("alice"), self.login("bob")
        self.ctl("kick", "alice")
        self.ended(alice)
        bob.cmd("NOOP")
        bob.quit()
        self.log.wait("ctl-act text=\"kick alice\"", self.mark)

    def test_nobody(self):
        self.serve()
        self.ctl("kick", "nobody", code=1)
        self.ctl("kick", code=64)
        self.ctl("kick", "@nowhere", code=64)

    def test_after_its_spawner(self):
        """Who has outlived its spawner is the master's to be told."""
        self.serve()
        pop = self.login()
        self.named("popper-spawner")[0].kill()
        self.wait_for(lambda: self.count() == house.ROLES, "new spawner")
        row, = self.who("alice")
        self.assertEqual(row["maildrop"], "/var/mail/alice")
        self.ctl("kick", "alice")
        self.ended(pop)
        self.wait_for(lambda: self.who() == [], "end")

    def test_who_is_in_update_finishes(self):
        self.serve()
        pop = self.login()
        pop.dele(1)
        lock = self.host.call(make_lock)
        pop.send(b"QUIT\r\n")
        self.wait_for(lambda: [r["stage"] for r in self.who()] == ["update"],
                      "update")
        self.ctl("kick", "alice")
        self.host.call(os.unlink, lock)
        self.assertIn(b"signing off", pop.reply())
        self.no_sessions()
        with self.connect() as again:
            self.assertEqual(again.login("alice", PASSWORD)[0], 2)

    def test_who_hangs(self):
        """Its lock is seen, and broken."""
        self.serve()
        pop = self.login()
        session, = self.sessions()
        session.kill(signal.SIGSTOP)
        self.ctl("kick", "alice")
        with self.assertRaises(PopError) as e:
            self.login()
        self.assertIn(b"[IN-USE]", e.exception.args[0])
        self.assertEqual([r["maildrop"] for r in self.who("alice")
                          if r["maildrop"]], ["/var/mail/alice"])
        self.ctl("kick", "--hard", "alice")
        self.ended(pop)
        self.log.wait("session-end .*user=alice .*reason=crash status=137",
                      self.mark)
        self.next_login()
        self.unchanged()


class Server(Ctl):
    def test_status(self):
        self.serve(max_sessions=7)
        alice = self.login()
        s = self.status()
        self.assertEqual((s["sessions"], s["max_sessions"], s["stopping"],
                          s["max_sessions_used"], s["max_sessions_refused"]),
                         (1, 7, "no", 1, 0))
        for name in ("auth0", "warden0", "spawner0", "ctl0", "front0",
                     "front1"):
            self.assertGreater(s[name + "_pid"], 0)
            self.assertEqual(s[name + "_deaths"], 0)
        self.named("popper-auth")[0].kill()
        self.wait_for(lambda: self.status()["auth0_deaths"] == 1, "its death")
        self.assertRegex(self.ctl("status"), r"(?m)^sessions +1$")
        alice.quit()
        self.wait_for(lambda: self.status()["session_ends_quit"] == 1, "end")
        self.assertEqual(self.status()["logins_ok"], 1)

    def test_stop(self):
        self.serve()
        pop = self.login()
        self.assertEqual(self.ctl("stop"),
                         "popper serve is ending, with 1 session\n")
        self.ended(pop)
        self.assertEqual(self.server.process.wait(60), 0)
        self.only_server()
        self.ctl("status", code=1)

    def test_role_has_no_rights(self):
        self.serve()
        self.ctl("status")      # it answers, so it is in its cage
        role, = self.named("popper-ctl")
        self.assertEqual((role.uid, role.status["Seccomp"],
                          role.status["CapEff"]), (990, ["2"], ["0" * 16]))
        self.assertIn("/empty", os.readlink("/proc/%d/root" % role.pid))

    def test_role_is_replaced(self):
        self.serve()
        self.named("popper-ctl")[0].kill()
        self.log.wait("role-died .*role=popper-ctl", self.mark)
        self.assertEqual(self.ctl("who"), "")

    def test_socket_of_an_earlier_server(self):
        self.serve()
        self.named("popper")[0].kill()
        self.only_server()
        self.serve()
        self.assertEqual(self.ctl("who"), "")


class Guesses(Ctl):
    """127.0.0.1 is the host's own, and has no penalty: another address."""

    FROM = "192.0.2.7"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.run(["ip", "address", "add", cls.FROM + "/32", "dev", "lo"],
                     check=True)

    def stranger(self):
        pop = Pop(self.host.in_network(socket.create_connection, (
            self.FROM, 110), 120, (self.FROM, 0)))
        self.addCleanup(pop.close)
        return pop

    def guess(self, user, password, pop=None):
        pop = pop or self.stranger()
        try:
            pop.login(user, password)
        except PopError as e:
            return e.args[0]
        pop.quit()
        return b""

    def penalties(self, *words):
        return json.loads(self.ctl("--json", "penalties", *words))

    def test_scores(self):
        self.serve(auth_fail_delay=1, auth_timeout=30)
        self.assertEqual(self.penalties(), {
            "scores": 0, "not_judged": 0, "known": 0, "delayed_addresses": 0,
            "delayed_networks": 0, "delayed_users": 0})
        for i in range(3):
            self.assertIn(b"[AUTH]", self.guess("bob", "wrong%d" % i))
        self.assertEqual(self.penalties("bob"), {
            "user_failures": 3, "not_judged_for_s": 0,
            "next_refusal_after_s": 1})
        self.assertEqual(self.penalties("@" + self.FROM), {
            "address_failures": 3, "network_failures": 3,
            "not_judged_for_s": 0, "next_refusal_after_s": 2})
        self.assertEqual(self.penalties("@127.0.0.1"), {
            "address_is_this_host": "yes", "not_judged_for_s": 0,
            "next_refusal_after_s": 1})
        s = self.penalties()
        self.assertEqual([s[k] for k in ("scores", "delayed_addresses",
                                         "delayed_networks", "delayed_users")],
                         [3, 1, 0, 0])
        self.assertEqual(self.guess("alice", PASSWORD), b"")
        self.assertEqual(self.penalties("alice@" + self.FROM), {
            "address_failures": 3, "network_failures": 3,
            "not_judged_for_s": 0, "user_failures": 0, "device_known": "yes",
            "network_known": "yes", "next_refusal_after_s": 1})
        self.ctl("penalties", "--clear", code=64)
        self.ctl("penalties", "--clear", "@" + self.FROM)
        self.assertEqual(self.penalties("@" + self.FROM)["address_failures"], 0)
        self.assertEqual(self.penalties("bob")["user_failures"], 3)
        self.ctl("penalties", "--clear", "bob")
        self.assertEqual(self.penalties()["scores"], 0)

    def test_not_judged(self):
        """Who waits is told so, and may be forgiven."""
        self.serve(auth_fail_delay=4, auth_timeout=60)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            waits = [pool.submit(self.guess, "bob", "wrong%d" % i)
                     for i in range(4)]
            self.wait_for(lambda: self.penalties("@" + self.FROM)
                          ["not_judged_for_s"] > 0, "penalty")
            self.assertGreater(self.why("bob")["not_judged_for_s"], 0)
            self.assertIn(b"[SYS/TEMP]", self.guess("bob", PASSWORD))
            self.ctl("penalties", "--clear", "@" + self.FROM)
            self.assertEqual(self.guess("bob", PASSWORD), b"")
            self.assertTrue(all(b"[AUTH]" in w.result() for w in waits))

    def test_master(self):
        """Who guesses a master user's password is told from who guesses the
        user's; and why shows what becomes of both."""
        self.host.write("/etc/popper/masters", "ops:{PLAIN}master\n", 0o600)
        self.serve("access = deny master=yes user=alice",
                   master_users="/etc/popper/masters")
        self.assertIn(b"[AUTH]", self.guess("bob*ops", "wrong"))
        self.assertEqual(self.guess("bob*ops", "master"), b"")
        self.assertIn(b"[AUTH]", self.guess("alice*ops", "master"))
        self.assertEqual(self.penalties("*ops")["user_failures"], 2)
        self.assertEqual(self.penalties("bob")["user_failures"], 0)
        self.assertEqual(self.rules("bob*ops"), ("passed", None))
        self.assertEqual(self.why("bob*ops")["account"], "bob")
        self.assertEqual(self.rules("alice*ops"), ("refused", "rule"))
        self.assertEqual(self.rules("bob*bob"), ("refused", "unknown-user"))

    def known(self):
        """What is known of alice and bob."""
        alice = self.penalties("alice@" + self.FROM)
        return (alice["address_failures"], alice["device_known"],
                self.penalties("bob")["user_failures"])

    def test_scores_survive(self):
        """The death of auth, and a reload, before and after the last of those
        who came before it."""
        self.serve(auth_fail_delay=1, auth_timeout=30)
        for i in range(3):
            self.assertIn(b"[AUTH]", self.guess("bob", "wrong%d" % i))
        self.assertEqual(self.guess("alice", PASSWORD), b"")
        self.assertEqual(self.known(), (3, "yes", 3))
        for deaths in (1, 2):
            self.named("popper-auth")[0].kill()
            self.wait_for(lambda: self.status()["auth0_deaths"] == deaths and
                          self.named("popper-auth"), "the next one")
            self.assertEqual(self.known(), (3, "yes", 3))
        old = [self.stranger() for _ in range(2)]
        self.configure(fronts=2, max_sessions_per_address=1000,
                       auth_fail_delay=1, auth_timeout=20)
        self.ctl("reload")
        self.log.wait("reloaded ", self.mark)
        self.assertEqual(len(self.named("popper-auth")), 2)
        self.assertEqual(self.known(), (3, "yes", 3))
        self.assertIn(b"[AUTH]", self.guess("bob", "wrong4", old[0]))
        self.assertEqual(self.known(), (4, "yes", 4))
        self.assertEqual(self.guess("alice", PASSWORD, old[1]), b"")
        self.wait_for(lambda: self.count() == house.ROLES, "end of the old")
        self.assertEqual(self.known(), (4, "yes", 4))

    # -- why --------------------------------------------------------------

    def why(self, user, *how):
        return json.loads(self.ctl("--json", "why", *how,
                                   user + "@" + self.FROM))

    def rules(self, user):
        said = self.why(user)
        return said["rules"], said.get("reason")

    def test_why(self):
        self.host.write("/etc/popper/deny", "bob\n", 0o644)
        self.addCleanup(self.host.call, os.unlink, "/etc/popper/deny")
        self.serve(max_sessions_per_address=9)
        said = self.why("alice")
        want = {"rules": "passed", "account": "alice", "uid": 1001, "gid": 1001,
                "not_known": "the password", "address_failures": 0,
                "maildrop": "/var/mail/alice",
                "user_failures": 0, "device_known": "no",
                "not_judged_for_s": 0, "sessions": 0,
                "address_connections": 0, "max_sessions_per_address": 9,
                "user_sessions": 0, "network_connections": 0}
        self.assertEqual({**said, **want}, said)
        self.assertEqual(self.rules("bob"), ("refused", "denied"))
        self.assertEqual(self.rules("nobody-here"), ("refused", "unknown-user"))
        self.assertEqual(self.rules(".x"), ("refused", "bad-name"))
        self.assertEqual(self.rules("a b"), ("refused", "bad-name"))
        self.ctl("why", "alice", code=64)
        self.ctl("why", "--method", "plian", "alice@192.0.2.1", code=64)
        self.ctl("why", "--listener", "995", "alice@192.0.2.1", code=64)

    def test_why_by_rules(self):
        self.serve("access = deny method=plain network=192.0.2.0/24",
                   "access = allow listener=*:995 tls=yes",
                   "access = deny user=bob")

        def why(user, *how):
            said = json.loads(self.ctl("--json", "why", *how,
                                       user + "@192.0.2.1"))
            return (said["rules"], said.get("reason"),
                    said.get("detail", "").partition(": ")[2])
        deny, allow, bob = [("refused", "rule", "access = deny method=plain "
                             "network=192.0.2.0/24"),
                            ("passed", None,
                             "access = allow listener=*:995 tls=yes"),
                            ("refused", "rule", "access = deny user=bob")]
        self.assertEqual(why("alice"), ("passed", None, ""))
        self.assertEqual(why("bob"), bob)
        self.assertEqual(why("alice", "--method", "plain"), deny)
        self.assertEqual(why("bob", "--listener", "*:995", "--tls"), allow)
        self.assertEqual(why("bob", "--listener", "192.0.2.9:995"), bob)
        self.ctl("why", "@192.0.2.1", code=64)

    def test_why_in_a_maildir(self):
        folder = "/home/alice/Maildir"
        mail = self.host.read("/var/mail/alice")
        self.addCleanup(self.host.spool, "alice", mail)
        self.addCleanup(self.host.run, ["rm", "-r", folder])
        self.host.call(os.unlink, "/var/mail/alice")
        for path in ("", "/cur", "/new", "/tmp"):
            self.host.mkdir(folder + path, 0o700, "alice")
        self.serve()
        said = self.why("alice")
        self.assertEqual((said["maildrop"], said["maildrop_by"]),
                         (folder, "maildrop_else"))

    def test_why_by_what_is_stored(self):
        """By a mechanism that cannot use it nobody logs in."""
        users = self.host.read("/etc/popper/users")
        self.addCleanup(self.host.write, "/etc/popper/users", users, 0o600)
        self.host.write("/etc/popper/users", users + b"hashed:%s:1001:1001"
                        b"::/home/alice\n" % crypt("x").encode(), 0o600)
        self.serve(sasl_mechanisms="plain scram-sha-256 cram-md5",
                   recoverable_secrets="yes")
        for method in ("scram-sha-256", "cram-md5", "apop", "plain"):
            for user, reason in (("hashed", "no-secret"), ("alice", None)):
                said = json.loads(self.ctl(
                    "--json", "why", "--tls", "--method", method,
                    user + "@192.0.2.1"))
                self.assertEqual(said["connection"], "passed")
                self.assertEqual(said.get("reason"),
                                 reason if method != "plain" else None,
                                 (user, method))
        for how, want in (("--tls", "behind STLS there is no APOP"), (None, None)):
            said = json.loads(self.ctl(
                "--json", "why", *([how] if how else []), "--method", "apop",
                "--listener", "127.0.0.1:110", "alice@127.0.0.1"))
            self.assertEqual(said.get("connection_detail"), want)

    def test_why_without_a_word_said(self):
        """Who is not even asked for a password is told so before any rule."""
        self.serve("listen = *:110", "listen = 127.0.0.1:1110 networks=10.0.0.0/8",
                   plaintext_networks="192.0.2.0/24")

        def why(where, *how):
            said = json.loads(self.ctl("--json", "why", *how, "alice@" + where))
            self.assertEqual(said["rules"], "passed")
            return said["connection"], said.get("connection_detail", "")
        self.assertEqual(why("192.0.2.1"), ("passed", ""))
        self.assertEqual(why("127.0.0.1"), ("passed", ""))
        for method in ("pass", "plain"):
            refused, text = why("198.51.100.1", "--method", method)
            self.assertEqual(refused, "refused")
            self.assertIn("plaintext_networks", text)
            self.assertEqual(why("198.51.100.1", "--tls", "--method", method),
                             ("passed", ""))
        for method in ("scram-sha-256", "external", "apop", "oauthbearer",
                       "gssapi"):
            self.assertEqual(why("192.0.2.1", "--method", method),
                             ("refused", "the method is not offered"))
        self.assertEqual(why("192.0.2.1", "--listener", "127.0.0.1:1110"),
                         ("refused", "networks= of that line of listen"))
        self.assertEqual(why("10.0.0.1", "--tls", "--listener",
                             "127.0.0.1:1110"), ("passed", ""))

    def test_why_by_a_host_that_vouches(self):
        """Whose user at that host is not known before he speaks."""
        self.host.write("/etc/popper/rpop", "# hosts\n192.0.2.1 annie alice\n")
        self.serve(rpop_file="/etc/popper/rpop")
        for user, reason in (("alice", None), ("bob", "rpop")):
            said = json.loads(self.ctl("--json", "why", "--method", "rpop", "--tls",
                                       user + "@192.0.2.1"))
            self.assertEqual(said["connection"], "passed")
            self.assertEqual(said.get("reason"), reason)
            self.assertEqual(said.get("not_known"), None if reason else
                             "the client's port and its user's name")
        said = json.loads(self.ctl("--json", "why", "--method", "rpop", "--tls",
                                   "alice@192.0.2.10"))
        self.assertEqual(said["reason"], "rpop")
        self.serve()
        said = self.why("alice", "--method", "rpop")
        self.assertEqual((said["connection"], said["reason"]),
                         ("refused", "rpop"))

    def test_why_with_accounts(self):
        self.host.add_user("low", 999, password="x")
        self.host.add_user("noshell", 1011, password="x", shell="/bin/nosh")
        self.host.add_user("locked", 1012)
        self.serve(auth="pam")
        self.assertEqual(self.why("alice")["not_known"],
                         "the password, and what PAM's modules say")
        for user, reason in (("low", "uid"), ("noshell", "shell"),
                             ("locked", "locked"), ("root", "uid"),
                             ("nobody-here", "unknown-user")):
            self.assertEqual(self.rules(user), ("refused", reason), user)

    def test_why_by_app_passwords(self):
        """Which would do from there, and no secret."""
        self.serve(app_passwords="yes")
        self.addCleanup(self.host.call, os.unlink, "/etc/popper/app-passwords")
        secrets = [self.host.run(
            ["/usr/sbin/popper", "passwd", "app", "add", *words],
            check=True).stdout.decode().split()[-1] for words in (
                ("alice", "phone"), ("bob", "tablet"),
                ("--networks", "10.0.0.0/8", "alice", "desk"),
                ("--expires", "2099-01-01", "alice", "old"))]
        rows = self.host.read("/etc/popper/app-passwords").decode()
        self.host.write("/etc/popper/app-passwords",
                        rows.replace("=2099-", "=2001-"), 0o600)
        text = self.ctl("--json", "why", "alice@192.0.2.1")
        for secret in secrets:
            self.assertNotIn(secret, text)
        said = json.loads(text)
        self.assertEqual(
            {k: v for k, v in said.items() if k.startswith("app_")},
            {"app_password_1": "phone passed",
             "app_password_2": "desk refused: it is for other networks, "
                               "networks=10.0.0.0/8",
             "app_password_3": "old refused: it has expired",
             "app_passwords": 3})
        self.assertEqual(self.why("alice", "--method", "apop")["rules"],
                         "passed")
        self.assertNotIn("app_passwords", self.why("alice", "--method", "apop"))

    def test_why_where_app_passwords_have_rules_of_their_own(self):
        """Of the account's password and of an app password access is asked."""
        apart = ("rules", "reason", "app_password_1", "app_passwords")
        deny = "deny app=%s network=192.0.2.0/24"
        self.addCleanup(self.host.call, os.unlink, "/etc/popper/app-passwords")
        for use, app, want in (
                ("yes", "yes", {"rules": "passed", "app_passwords": 1,
                                "app_password_1": "phone refused: line %d: "
                                "access = " + deny % "yes"}),
                ("yes", "no", {"rules": "refused", "reason": "rule",
                               "app_password_1": "phone passed",
                               "app_passwords": 1}),
                ("only", "no", {"rules": "passed",
                                "app_password_1": "phone passed",
                                "app_passwords": 1}),
                ("only", "yes", {"rules": "refused", "reason": "rule"})):
            with self.subTest(use=use, app=app):
                self.serve(app_passwords=use, access=deny % app)
                self.host.run(["/usr/sbin/popper", "passwd", "app", "add",
                               "alice", "phone"])
                text = self.ctl("--json", "why", "alice@192.0.2.1")
                said = {k: v for k, v in json.loads(text).items()
                        if k in apart}
                if "app_password_1" in want:
                    self.assertRegex(said.pop("app_password_1"), re.escape(
                        want.pop("app_password_1")).replace("%d", r"\d+"))
                self.assertEqual(said, want)

    def test_why_as_a_member(self):
        """What only root can read is not seen, and that is said."""
        self.host.add_group("popper", 700, ["bob"])
        self.serve()
        said = json.loads(self.ctl("--json", "why", "alice@" + self.FROM,
                                   user="bob"))
        self.assertEqual(said["rules"], "not seen")
        self.assertEqual(said["device_known"], "no")


class May(Ctl):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.add_group("popper", 700, ["bob"])

    def test_group(self):
        """Members look; root alone changes anything."""
        self.serve()
        pop = self.login()
        self.assertEqual(stat(self.host), (0o660, 0, 700))
        for word in ("who", "status"):
            self.assertIn("alice" if word == "who" else "sessions",
                          self.ctl(word, user="bob"))
            self.assertIn("members of ctl_group",
                          self.ctl(word, user="alice", code=77))
        for words in (["kick", "alice"], ["kick", "--hard", "alice"], ["stop"],
                      ["reload"], ["flush"], ["flush", "alice"]):
            self.assertIn("not for this user",
                          self.ctl(*words, user="bob", code=77))
        pop.cmd("NOOP")

    def test_no_group(self):
        self.serve(ctl_group="", ctl_socket="/run/popper/other")
        self.assertEqual(stat(self.host, "/run/popper/other"), (0o600, 0, 0))
        self.assertEqual(self.ctl("who"), "")
        self.ctl("who", user="bob", code=77)

    def test_named_file_that_is_not_there(self):
        """Not the server of the default one, which nobody has meant."""
        self.serve()
        self.assertIn("/etc/none cannot be read", self.ctl(
            "--config", "/etc/none", "stop", code=78))
        self.assertEqual(self.ctl("who"), "")

    def test_who_connects_is_not_trusted(self):
        """The kernel says who it is, whatever the file's mode."""
        self.serve()
        self.host.call(os.chmod, SOCKET, 0o666)
        self.assertIn("not for this user",
                      self.ctl("who", user="alice", code=77))


class Reload(Ctl):
    GOOD = "the configuration is good, and for those who connect from now on\n"

    def change(self, *rows, **options):
        self.configure(*rows, **{"fronts": 2, "max_sessions_per_address": 1000,
                                 **options})

    def settled(self):
        self.wait_for(lambda: self.count() == house.ROLES and
                      len(self.named("popper-ctl")) == 1, "one crew")

    def test_good(self):
        self.serve()
        pop = self.login()
        before, = self.named("popper-ctl")
        self.change(max_sessions=9, hide_version="yes")
        self.assertEqual(self.ctl("reload"), self.GOOD)
        self.log.wait("reloaded ", self.mark)
        self.log.wait("ctl-act text=reload", self.mark)
        self.wait_for(lambda: before.pid not in [
            m.pid for m in self.named("popper-ctl")], "the next one")
        s = self.status()
        self.assertEqual((s["max_sessions"], s["sessions"], s["ctl0_deaths"],
                          s["earlier_settings_in_use"]), (9, 1, 0, 1))
        new = self.login("bob")
        self.assertNotIn(b"(version", new.greeting)
        self.assertEqual(sorted(r["user"] for r in self.who()),
                         ["alice", "bob"])
        self.ctl("penalties", "alice@192.0.2.1")
        self.ctl("kick", "alice")       # of the earlier one
        self.ended(pop)
        self.settled()
        self.wait_for(lambda: self.status()["earlier_settings_in_use"] == 0,
                      "end of the earlier one")
        new.quit()
        self.assertEqual(self.log.find("role-", self.mark), [])

    def test_refused(self):
        self.serve()
        # With another socket in the file, who asks would not find it.
        old = "/etc/popper/before.conf"
        self.host.call(shutil.copy, "/etc/popper/popper.conf", old)
        before = self.count(), [m.pid for m in self.members()]
        for row, why in (("timeout = soon", r"mistakes: 1, the first %s: .*soon"),
                         ("run_dir = /run/other", "%s: run_dir cannot be"),
                         ("ctl_socket = /run/other", "%s: ctl_socket cannot"),
                         ("ctl_group = mail", "%s: ctl_group cannot be"),
                         ("metrics = 127.0.0.1:9110", "%s: metrics cannot be")):
            self.change(row)
            said = self.ctl("--config", old, "reload", code=78)
            self.assertRegex(said, why % r"/etc/popper/popper.conf:\d+")
            self.wait_for(lambda: (self.count(), [m.pid for m in self.members()])
                          == before, "end of who has judged")
        self.log.wait("reload-refused", self.mark, count=5)
        self.change()
        self.assertEqual(self.ctl("reload"), self.GOOD)
        self.settled()

    # Option, what is not there, popper check's words, and could some not log in?
    MISSING = (("oauth_jwks", "/etc/popper/none.jwks", "tokens: open %s: No such",
                True),
               ("gssapi_keytab", "/etc/popper/none.keytab",
                "nobody can log in by GSSAPI: gssapi_keytab: open %s: No such", True),
               ("deny_file", "/etc/popper/none", "%s does not exist; make it", True),
               ("bulletins", "/srv/none", "open %s: .*; make the folder", False),
               ("bboards", "/etc/popper/none", "open %s: .*; make the file", False),
               ("temp_dir", "/srv/none", "%s does not exist; make it", False))

    def test_missing(self):
        """A reload keeps the settings by which all can log in; what may come later is
        told, to who has asked for it as well."""
        self.serve()
        for option, path, words, refused in self.MISSING:
            self.change("%s = %s" % (option, path))
            words = r"popper\.conf:\d+: %s: %s" % (option, words % path)
            mark = self.log.mark()
            code, out, err = self.said(self.ask())
            self.assertEqual((code, out.decode()), (78, "") if refused else
                             (0, self.GOOD))
            self.assertRegex(err.decode(), "popper ctl: %s/etc/popper/%s" % (
                "" if refused else "warning: ", words))
            self.assertEqual(err.count(b"\n"), 1)
            self.log.wait("%s .*%s" % ("conf-error" if refused else "conf-warning",
                                       words), mark)
        self.login().quit()

    NO_SERVICE = r"popper\.conf:\d+: auth: /etc/pam\.d/none does not exist; PAM asks"

    def test_missing_service(self):
        self.serve()
        self.change(auth="file sys:pam:none")
        self.assertRegex(self.ctl("reload", code=78), self.NO_SERVICE)
        for there in ("/usr/lib/pam.d/none", "/etc/pam.d/none"):
            self.host.write(there, "auth required pam_deny.so\n", 0o644)
            self.assertEqual(self.ctl("reload"), self.GOOD)
            self.host.call(os.unlink, there)
        self.login().quit()

    def test_missing_service_at_a_start(self):
        self.serve(auth="file sys:pam:none")
        self.log.wait("conf-warning .*" + self.NO_SERVICE, self.mark)
        self.login().quit()

    def test_missing_at_a_start(self):
        self.serve(*("%s = %s" % row[:2] for row in self.MISSING))
        for option, path, words, _ in self.MISSING:
            self.log.wait("conf-warning .*: %s: %s" % (option, words % path), self.mark)
        self.login().quit()

    def test_one_after_the_other(self):
        """Each is done when it says so: who connects then has its settings."""
        self.serve()
        for i in range(12):
            self.change(hide_version=("yes", "no")[i % 2])
            self.assertEqual(self.ctl("reload"), self.GOOD)
            with self.connect() as pop:
                self.assertEqual(b"(version" in pop.greeting, i % 2 == 1)
        self.settled()
        self.assertEqual(len(self.log.find("reloaded ", self.mark)), 12)
        self.assertEqual(self.log.find("role-", self.mark), [])

    def freeze(self):
        front = self.named("popper-front")[0]
        front.kill(signal.SIGSTOP)
        self.addCleanup(front.kill, signal.SIGCONT)
        return front

    def ask(self):
        return self.host.popen(["/usr/sbin/popper", "ctl", "reload"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def asked(self, n):
        self.log.wait("ctl-act text=reload", self.mark, count=n)

    def test_at_once(self):
        """One is under way, since a front takes its time: others are one more, and
        nobody is told before it is done."""
        self.serve()
        front = self.freeze()
        first = self.ask()
        self.asked(1)
        self.wait_for(lambda: len(self.named("popper-front")) == 3, "next fronts")
        others = [self.ask() for _ in range(3)]
        self.asked(4)
        self.change("timeout = soon")
        self.assertEqual([p.poll() for p in (first, *others)], [None] * 4)
        front.kill(signal.SIGCONT)
        self.assertEqual(self.said(first), (0, self.GOOD.encode(), b""))
        for p in others:
            code, out, err = self.said(p)
            self.assertEqual((code, out), (78, b""))
            self.assertIn(b"mistakes: 1", err)
        self.change()
        self.assertEqual(self.ctl("reload"), self.GOOD)
        self.settled()
        self.assertEqual(len(self.log.find("reload-refused", self.mark)), 1)
        self.assertEqual(len(self.log.find("reloaded ", self.mark)), 2)

    def said(self, p):
        out, err = p.communicate(timeout=120)
        return p.wait(), out, err

    def test_stopped(self):
        """Who waits for one is told when the server ends."""
        self.serve()
        self.freeze()
        asked = self.ask()
        self.asked(1)
        self.ctl("stop")
        code, _, err = self.said(asked)
        self.assertEqual((code, err), (75, b"popper ctl: popper stops\n"))


class Flush(Ctl):
    """Right passwords that are forgotten; PLAIN ones never were remembered."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.add_user("dora", 1004)
        cls.host.add_user("eve", 1005)
        cls.host.write(USERS, "".join(
            "%s:%s:%d:%d::/home/%s\n" % (u, crypt(PASSWORD, "$6$salt$"), n, n, u)
            for u, n in (("dora", 1004), ("eve", 1005))), 0o600)

    def known(self, user):
        """Was the password known?"""
        mark = self.log.mark()
        self.login(user).quit()
        line, = self.log.wait(" login .*user=" + user, mark)
        self.no_sessions()
        return " cached=yes " in line

    def test_user_and_all(self):
        self.serve()
        for user in ("dora", "eve"):
            self.assertEqual([self.known(user), self.known(user)],
                             [False, True])
        self.assertEqual(self.ctl("flush", "nobody"), "0 passwords forgotten\n")
        self.assertEqual(self.ctl("flush", "dora"), "1 password forgotten\n")
        self.assertEqual([self.known("dora"), self.known("eve")], [False, True])
        self.assertEqual(self.ctl("flush"), "2 passwords forgotten\n")
        self.assertEqual([self.known("dora"), self.known("eve")],
                         [False, False])
        self.log.wait("ctl-act text=\"flush dora\"", self.mark)
        self.log.wait("ctl-act text=flush$", self.mark)

    def test_who_leaves_forgets_too(self):
        """After a reload, that of those who were connected before."""
        self.serve()
        before = self.connect()
        self.known("dora")
        self.configure(fronts=2, max_sessions_per_address=1000)
        self.ctl("reload")
        self.log.wait("reloaded ", self.mark)
        self.assertEqual(self.known("dora"), False)
        self.assertEqual(self.ctl("flush", "dora"), "2 passwords forgotten\n")
        mark = self.log.mark()
        before.login("dora", PASSWORD)
        line, = self.log.wait(" login .*user=dora", mark)
        self.assertNotIn("cached", line)
        before.quit()

    def test_nothing_is_remembered(self):
        self.serve(auth_cache_ttl=0)
        self.known("dora")
        self.assertEqual(self.ctl("flush"), "0 passwords forgotten\n")
        for word in ("@127.0.0.1", "dora@127.0.0.1", "0123456789ab"):
            self.ctl("flush", word, code=64)


class Nonsense(Ctl):
    def open(self):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(s.close)
        s.settimeout(60)
        s.connect("/proc/%d/root%s" % (self.host.pid, SOCKET))
        return s

    def message(self, kind, body):
        return struct.pack("!HHI", MARK, kind, len(body)) + body

    def test_requests(self):
        self.serve()
        pop = self.login()
        who = self.types()["MSG_CTL_WHO"]
        for kind in range(len(self.types()) + 3):
            for body in (b"", b"\0" * 5, ALL, ALL + b"\0", b"\x09" + ALL[1:]):
                if kind == who + 4 and body == ALL:
                    continue            # stop
                s = self.open()
                s.send(self.message(kind, body))
                answer = s.recv(1 << 16)
                self.assertIn(answer[:2], (b"", struct.pack("!H", MARK)))
                s.close()
        for data in (b"", b"x", b"\xff" * 200000):
            s = self.open()
            try:
                s.send(data)
            except OSError:
                pass
            s.close()
        self.assertEqual(self.ctl("who"), "")   # "kick all" was among them
        self.ended(pop)
        self.assertEqual(self.log.find("role-", self.mark), [])

    def test_what_comes_behind_a_question(self):
        """It is thrown away before the master has the socket, which would else
        be who closes a descriptor that came along."""
        self.serve()
        question = self.message(self.types()["MSG_CTL_STATUS"], ALL)
        for _ in range(10):
            s = self.open()
            r, w = os.pipe2(os.O_NONBLOCK)
            try:
                s.send(question)
                socket.send_fds(s, [b"x"], [w])
            except BrokenPipeError:
                pass
            os.close(w)
            self.assertNotEqual(s.recv(1 << 16), b"")
            with open(r, "rb") as pipe:
                self.assertEqual(pipe.read(), b"")
            s.close()

    def test_who_says_nothing(self):
        """There is a bound of them, and a time."""
        self.serve()
        silent = [self.open() for _ in range(40)]
        began = time.monotonic()
        self.assertEqual(self.ctl("who"), "")
        self.assertLess(time.monotonic() - began, 60)
        for s in silent:
            s.close()

    def test_who_takes_no_answer(self):
        """Children wait, a few of them; the server does not."""
        self.serve()
        self.login()
        who = self.types()["MSG_CTL_WHO"]
        deaf = []
        for _ in range(20):
            deaf.append(self.open())
            deaf[-1].send(self.message(who, ALL))
        self.login("bob").quit()
        self.wait_for(self.answered, "an answer")
        self.wait_for(lambda: len(self.who()) == 1, "the end of bob's")

    def answered(self):
        """Not "too many ask at a time", as long as their children wait."""
        return self.host.run(["/usr/sbin/popper", "ctl",
                              "who"]).returncode == 0

    @staticmethod
    def types():
        """{name: number} of the messages."""
        with open(os.path.join(os.path.dirname(TESTS), "src/role/permit.h"),
                  encoding="ascii") as f:
            names = re.findall(r"^\t(MSG_\w+)", f.read(), re.M)
        return {name: i for i, name in enumerate(names, 1)}


def stat(host, path=SOCKET):
    st = host.call(os.stat, path)
    return st.st_mode & 0o777, st.st_uid, st.st_gid


def make_lock():
    with open("/var/mail/alice.lock", "x", encoding="ascii") as f:
        f.write("1")
    return "/var/mail/alice.lock"


if __name__ == "__main__":
    unittest.main()
