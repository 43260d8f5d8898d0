# SPDX-License-Identifier: ISC
"""sessions_per_process: sessions of one uid in one process, the same to their
clients as each in its own; and what happens when that process dies."""

import fcntl
import json
import os
import re
import select
import signal
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import house                                                    # noqa: E402
from lib import nasty, spool                                    # noqa: E402
from lib.hang import Hanging                                    # noqa: E402
from lib.host import crypt                                      # noqa: E402
from lib.popper import PopError                                 # noqa: E402

VMAIL = 5000
VIRTUAL = ["v%d" % i for i in range(8)]
PASSWORD = house.family.PASSWORD
BIG = b"".join(nasty.FROM % (i % 60, i % 60) + b"Subject: %d\n\n" % i
               + b"x" * 76 + b"\n\n" for i in range(2000))
# The last is the sanitizers' own.
NOT_FILES = {"socket", "anon_inode", "/dev/null", "pipe",
             "/run/sanitizer-report"}
# What differs from one session to the next.
IDS = re.compile(r"popper\[\d+\]|sid=\w+|ms=\d+")

ODD_LINES = (b"", b"NOOP extra", b"\xff\xfe", b"XTND", b"XTND NONE", b"RETR",
             b"RETR 0", b"RETR 99", b"LIST x", b"A" * 2000, b"PASS x",
             b"QUIT now", b"TOP 1", b"UIDL 2", b"LIST 3", b"LAST", b"CAPA")
# Each is sent as it stands; after it the server closes, or we do.
DIALOGUES = {
    "look": [b"STAT", b"LIST", b"UIDL", b"LAST", b"TOP 1 2", b"NOOP", b"CAPA",
             b"QUIT"],
    "odd": [*ODD_LINES, b"QUIT"],
    "retrieve": [b"RETR 1", b"RETR 3", b"LAST", b"STAT", b"QUIT"],
    "delete": [b"DELE 2", b"STAT", b"LIST", b"LIST 2", b"RETR 1", b"LAST",
               b"QUIT"],
    "undo": [b"DELE 1", b"RETR 2", b"RSET", b"LAST", b"LIST", b"QUIT"],
    "leave": [b"DELE 1", b"RETR 2"],
    "bad": [b"WHAT"] * 20,
    "groups": [b"DELE 1", b"RETR 3", b"XTND BBOARDS", b"STAT", b"LAST", b"LIST",
               b"RSET", b"DELE 3", b"QUIT"],
    "send": [b"RETR 1", b"XTND XMIT", b"From: v0@example.org", b"To: x@example.org",
             b"", b"Hello", b".", b"STAT", b"LAST", b"QUIT"],
    "ahead": [b"STAT\r\nNOOP\r\nRETR 1\r\nDELE 1\r\nSTAT\r\nQUIT\r\nSTAT"],
    "ahead-unchanged": [b"STAT\r\nUIDL\r\nTOP 3 1\r\nQUIT\r\nNOOP"],
    "ahead-moved": [b"XTND BBOARDS\r\nSTAT\r\nXTND BBOARDS\r\nDELE 1\r\nQUIT"],
}
# One at a time, so that a session moves between those of a line.
BY_OCTETS = {name + " by octets": DIALOGUES[name] for name in (
    "delete", "groups", "send", "ahead-moved")}
DIALOGUES.update(BY_OCTETS)


class Shared(house.House):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.add_user("vmail", VMAIL)
        users = cls.host.read("/etc/popper/users").decode()
        cls.host.write("/etc/popper/users", users + "".join(
            "%s:{PLAIN}%s::::/home/%s\n" % (u, PASSWORD, u) for u in VIRTUAL)
            + "hashed:%s::::/home/v0\n" % crypt(PASSWORD, "$6$salt$"), 0o600)

    def setUp(self):
        super().setUp()
        for user in VIRTUAL:
            self.lay(user, self.mail)

    def serve(self, *rows, **options):
        super().serve(*rows, **{"virtual_user": "vmail",
                                "sessions_per_process": 100, "timeout": 600,
                                **options})

    def lay(self, user, data):
        self.host.write("/var/mail/" + user, data, 0o660, "vmail", "mail")

    def shared(self):
        return self.named("popper-shared")

    def ushers(self):
        return self.named("popper-usher")

    def number(self, user):
        return len(spool.messages(self.host.spool(user)))

    def lock(self, user):
        """As another program does that changes the maildrop."""
        holder = open("/proc/%d/root/var/mail/%s" % (self.host.pid, user),
                      "r+b")
        self.addCleanup(holder.close)
        fcntl.lockf(holder, fcntl.LOCK_EX)
        return holder

    def in_update(self, user):
        pop = self.login(user)
        pop.dele(1)
        holder = self.lock(user)
        pop.send(b"QUIT\r\n")
        self.wait_for(self.sessions, "process of its own")
        return pop, holder

    def over(self):
        """Nobody is logged in, nothing is locked."""
        self.no_sessions()
        self.wait_for(lambda: not self.host.call(os.listdir,
                                                 "/run/popper/lock"),
                      "end of all locks")


class Counts(Shared):
    def test_known_password(self):
        """The login line of a shared process says that it was not hashed."""
        self.serve()
        for _ in range(2):
            self.login("hashed").quit()
        lines = self.log.wait(" login .*user=hashed", self.mark, count=2)
        self.assertEqual([line.endswith(" uid=%d db=file cached=yes method=pass" % VMAIL)
                          for line in lines], [False, True])
        self.assertEqual(len(self.shared()), 1)

    def test_status(self):
        """Who shares a process counts as everybody does."""
        self.serve()
        quits, leaves, moves = (self.login(u) for u in VIRTUAL[:3])
        quits.retr(1)
        quits.quit()
        leaves.retr(1)
        leaves.retr(2)
        leaves.close()
        moves.retr(1)
        moves.dele(1)
        moves.quit()
        self.over()

        def counts():
            r = self.host.run(["/usr/sbin/popper", "ctl", "--json", "status"],
                              check=True)
            s = json.loads(r.stdout)
            return [s[k] for k in ("sessions", "session_ends_quit",
                                   "session_ends_client-gone",
                                   "messages_retrieved", "messages_deleted")]
        self.wait_for(lambda: counts() == [0, 2, 1, 4, 1], "counts")


class Same(Shared):
    def talk(self, lines, most):
        """All that the server says, and what the log has of it; so many octets are
        sent at a time."""
        mark = self.log.mark()
        pop = self.connect()
        pop.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pop.send(b"USER v0\r\nPASS %s\r\n" % PASSWORD.encode())
        said = pop.status() + pop.status()
        for line in lines:
            line += b"\r\n"
            try:
                for i in range(0, len(line), most):
                    pop.send(line[i:i + most])
            except (BrokenPipeError, ConnectionResetError):
                break
        pop.sock.shutdown(1)
        said += self.ended(pop)
        line, = self.log.wait(r"session-end .*user=v0", mark)
        self.over()
        return said, IDS.sub("", line), re.sub(
            rb"(?m)^Date:.*\n", b"", self.host.spool("v0"))

    def test_transcripts(self):
        """Octet by octet, and what is left of the maildrop."""
        self.host.write("/usr/local/bin/send", "#!/bin/sh\nexec cat >/dev/null\n",
                        0o755)
        self.host.write("/etc/popper/boards", "")
        said = {}
        for most in (1, 100):
            self.serve(sessions_per_process=most, bboards="/etc/popper/boards",
                       xmit_command="/usr/local/bin/send",
                       xmit_sender="%u@example.org")
            for mailbox in (nasty.mbox(nasty.NASTY[:4]), b"", b"no mailbox\n",
                            BIG):
                for name, lines in DIALOGUES.items():
                    self.lay("v0", mailbox)
                    said[most, name, mailbox] = self.talk(
                        lines, 1 if name in BY_OCTETS else 1 << 20)
            self.over()
            self.assertEqual(len(self.shared()), int(most > 1))
            self.server.stop()
        for (most, name, mailbox), one in said.items():
            with self.subTest(dialogue=name, mailbox=mailbox[:20]):
                self.assertEqual(one, said[1, name, mailbox])

    def test_promised_ids(self):
        """Who has unique-ids of another server has a process of his own."""
        self.serve()
        r = self.host.run(["/usr/sbin/popper", "uidl", "import", "v0"],
                          input=b"1 promised\n")
        self.assertEqual(r.returncode, 0, r.stderr)
        with self.login("v0") as pop:
            self.assertEqual(pop.uidl()[1], b"promised")
            self.assertEqual(len(self.sessions()), 1)
            pop.quit()
        self.host.run(["/usr/sbin/popper", "uidl", "--fresh", "import", "v0"],
                      input=b"", check=True)

    def test_what_is_moved_goes_on(self):
        """Marks, LAST and counts come along."""
        self.serve()
        pop = self.login("v1")
        body = pop.retr(2)
        pop.dele(1)
        pid, = (m.pid for m in self.shared())
        self.assertFalse(self.sessions())
        with self.assertRaises(PopError):
            pop.cmd("XTND", "XMIT")             # no xmit_sender
        self.assertEqual(len(self.sessions()), 1)
        self.assertEqual(pop.cmd("LAST"), b"2 is the last message seen.")
        self.assertEqual(sorted(pop.list()), [2, 3])
        self.assertEqual(pop.retr(2), body)
        pop.quit()
        self.assertEqual(self.number("v1"), 2)
        self.assertEqual(self.host.spool("v1").count(b"Status: RO"), 1)
        self.log.wait("session-end .*user=v1 .*reason=quit retrieved=2 "
                      "deleted=1 ", self.mark)
        self.log.wait("login .*user=v1", self.mark)
        self.assertEqual(len(self.log.find("login .*user=v1", self.mark)), 1)
        self.over()
        self.assertEqual([m.pid for m in self.shared()], [pid])


class Together(Shared):
    def holder_of(self, pop):
        """Who has the server's end of that connection, ushers apart."""
        port = pop.sock.getsockname()[1]
        text = self.members()[0].read("net/tcp").decode()
        inode, = re.findall(r"(?m)^ *\d+: \S+:006E \S+:%04X .{2} \S+ \S+ \S+ "
                            r"+\d+ +\d+ (\d+)" % port, text)
        return {(m.status["Name"][0], m.uid) for m in self.members()
                if "socket:[%s]" % inode in m.fds().values()}

    def test_one_process(self):
        self.serve()
        pops = [self.login(u) for u in VIRTUAL]
        process, = self.shared()
        self.assertFalse(self.sessions())
        for key in ("Uid", "Gid"):
            self.assertEqual(process.status[key], [str(VMAIL)] * 4)
        self.assertEqual(process.status["Groups"], [])
        self.assertEqual(process.status["CapEff"], ["0" * 16])
        self.assertEqual(process.status["NoNewPrivs"], ["1"])
        self.assertEqual(process.status["Seccomp"], ["2"])
        # No file is open but copies.
        self.assertIn("/memfd", self.open_in(process))
        self.assertLessEqual(self.open_in(process) - {"/memfd"}, NOT_FILES)
        for pop in pops:
            self.assertEqual(pop.stat()[0], 3)
            pop.quit()
        self.over()
        self.assertLessEqual(self.open_in(process), NOT_FILES)

    def open_in(self, process):
        return {re.sub(r"[:\[].*", "", what)
                for what in process.fds().values()}

    def test_never_two_uids(self):
        self.serve()
        pops = {u: self.login(u) for u in ("v0", "alice", "v1", "bob", "v2")}
        own = {"alice": 1001, "bob": 1002}
        for user, pop in pops.items():
            self.assertEqual(self.holder_of(pop), {
                ("popper-shared", own.get(user, VMAIL)), ("popper-usher", 0)})
        self.assertEqual(sorted(m.uid for m in self.shared()),
                         [1001, 1002, VMAIL])
        for pop in pops.values():
            pop.quit()

    def test_full(self):
        self.serve(sessions_per_process=3)
        pops = [self.login(u) for u in VIRTUAL[:7]]
        self.assertEqual(len(self.shared()), 3)
        pops.pop(0).quit()
        self.known_sessions(6)
        pops += [self.login("v7"), self.login("v0")]
        self.assertEqual(len(self.shared()), 3)
        for pop in pops:
            pop.quit()

    def test_off(self):
        self.serve(sessions_per_process=1)
        pop = self.login("v0")
        self.assertEqual((len(self.sessions()), self.shared(), self.ushers()),
                         (1, [], []))
        pop.quit()

    def test_system_users_have_their_own(self):
        self.serve(auth="pam")
        pop = self.login("alice")
        self.assertEqual((len(self.sessions()), self.shared()), (1, []))
        pop.quit()

    def test_options_that_are_not_for_it(self):
        for options in ({"bulletins": "/var/bull"}, {"status_headers": "no"}):
            with self.subTest(**options):
                self.host.mkdir("/var/bull")
                self.serve(**options)
                pop = self.login("v0")
                self.assertEqual((len(self.sessions()), self.shared()),
                                 (1, []))
                pop.quit()
                self.over()
                self.server.stop()

    def test_maildrops_that_are_not_for_it(self):
        self.serve()
        pops = []
        # Too many messages, too many octets, mail of an older popper's.
        self.lay("v0", BIG)
        self.lay("v1", nasty.FROM % (1, 1) + b"Subject: x\n\n"
                 + b"y" * 70 + b"\n" + b"x" * (600 << 10) + b"\n")
        self.host.write("/var/mail/.v2.pop", nasty.mbox(nasty.NASTY[:1]), 0o600,
                        "vmail")
        for i, count in enumerate((2000, 1, 4)):
            pop = self.connect()
            self.assertEqual(pop.login(VIRTUAL[i], PASSWORD)[0], count)
            pops.append(pop)
            self.assertEqual(len(self.sessions()), i + 1)
        for pop in pops:
            pop.quit()
        self.over()

    def test_in_use(self):
        """Two of one process are two, and a third program has the dotlock."""
        self.serve()
        first = self.login("v0")
        with self.assertRaisesRegex(
                PopError, r"IN-USE\] Maildrop is in use since \d+ second"):
            self.login("v0")
        self.log.wait(r"drop-in-use .*user=v0 .*other_pid=%s other_ip=127" %
                      self.shared()[0].status["NSpid"][-1], self.mark)
        # One that has moved tells of its own process, and of its age.
        time.sleep(1.1)
        self.no_sessions()              # who was refused is heard out
        with self.assertRaises(PopError):
            first.cmd("XTND", "XMIT")
        own, = self.sessions()
        with self.assertRaisesRegex(PopError, r"since [1-9]\d* second"):
            self.login("v0")
        self.log.wait(r"drop-in-use .*user=v0 .*other_pid=%s other_ip=127" %
                      own.status["NSpid"][-1], self.mark)
        first.quit()
        self.login("v0").quit()
        self.over()

    def test_free_when_quit_is_answered(self):
        """Though the client is still there, whom we hear out."""
        self.serve(drain_timeout=5)
        first = self.login("v0")
        first.cmd("QUIT")
        self.login("v0").quit()
        first.at_end()
        self.over()

    def test_much_at_a_time(self):
        """More than a turn of the loop: it goes on by itself."""
        self.serve()
        pop = self.login("v0")
        pop.sock.settimeout(60)
        size = len(pop.retr(1))
        pop.send(b"TOP 1 100\r\n" * 500 + b"STAT\r\n")
        for _ in range(500):
            pop.reply()
            self.assertEqual(len(pop.body()), size)
        pop.reply()
        pop.quit()
        self.over()

    def test_locked_at_login(self):
        """Its own process waits; the others go on."""
        self.serve()
        other = self.login("v1")
        holder = self.lock("v0")
        pop = self.connect()
        pop.send(b"USER v0\r\nPASS %s\r\n" % PASSWORD.encode())
        pop.status()
        self.wait_for(self.sessions, "process of its own")
        other.cmd("NOOP")
        self.login("v2").quit()
        holder.close()
        self.assertIn(b"3 messages", pop.reply())
        pop.quit()
        other.quit()
        self.over()

    def test_nobody_waits_for_another(self):
        """A reader who takes nothing, one in UPDATE: the rest is answered."""
        self.serve()
        self.lay("v1", nasty.FROM % (1, 1) + b"Subject: x\n\n"
                 + (b"y" * 70 + b"\n") * 7000)
        slow = self.connect()
        slow.login("v1", PASSWORD)
        slow.send(b"RETR 1\r\n" * 200)
        update, holder = self.in_update("v2")
        good = self.login("v3")
        good.sock.settimeout(60)
        for n in (1, 2, 3):
            good.retr(n)
        good.quit()
        slow.close()
        holder.close()
        update.reply()
        self.assertEqual(self.number("v2"), 2)
        self.over()

    def test_pipelined(self):
        """All in one piece, the login, too: the rest comes by the front."""
        self.serve()
        pop = self.connect()
        pop.send(b"USER v0\r\nPASS %s\r\nSTAT\r\nRETR 1\r\nQUIT\r\n"
                 % PASSWORD.encode())
        said = self.ended(pop)
        self.assertEqual(said.count(b"+OK"), 5)
        self.assertTrue(said.endswith(b"signing off.\r\n"))
        self.over()

    def test_timeout(self):
        self.serve(timeout=1)
        pop = self.login("v0")
        pop.dele(1)
        self.assertEqual(self.ended(pop), b"")
        self.log.wait("session-end .*user=v0 .*reason=timeout", self.mark)
        self.over()
        self.assertEqual(self.number("v0"), 3)

    def test_clients_that_go(self):
        self.serve()
        for user in VIRTUAL:
            pop = self.login(user)
            pop.dele(1)
            pop.close()
        self.log.wait("session-end .*reason=client-gone", self.mark,
                      count=len(VIRTUAL))
        self.over()
        self.assertEqual([self.number(u) for u in VIRTUAL], [3] * 8)


class Homes(Shared):
    """Of who has no spool something is looked for there (maildrop_else)."""

    def lose(self, *users):
        for user in users:
            self.host.call(os.unlink, "/var/mail/" + user)

    def ask(self, user, ahead=b""):
        pop = self.connect()
        pop.cmd("USER", user)
        pop.send(b"PASS %s\r\n" % PASSWORD.encode() + ahead)
        return pop

    def test_nothing_there(self):
        """He has an empty maildrop, and shares a process as others do."""
        self.lose("v0")
        self.serve()
        for ahead in (b"", b"STAT\r\n"):
            pop = self.ask("v0", ahead)
            self.assertIn(b"0 messages", pop.reply())
            self.assertEqual(pop.reply() if ahead else pop.cmd("STAT"), b"0 0")
            self.assertEqual(len(self.shared()), 1)
            self.no_sessions()          # but one that has looked there
            pop.quit()
            self.over()

    def test_maildir(self):
        """Who has one there has a process of his own."""
        self.lose("v4")
        for part in ("", "/cur", "/new", "/tmp"):
            self.host.mkdir("/home/v4/Maildir" + part, 0o700, "vmail")
        self.addCleanup(self.host.run, ["rm", "-rf", "/home/v4/Maildir"])
        self.host.write("/home/v4/Maildir/new/1.a", b"Subject: x\n\nx\n", 0o600,
                        "vmail")
        self.serve()
        pop = self.login("v4")
        self.assertEqual((pop.stat()[0], len(self.sessions())), (1, 1))
        pop.dele(1)
        pop.quit()
        self.over()

    def test_hangs(self):
        """He is told so in time, and nobody else waits for it."""
        self.lose("v0", "v1")
        self.host.mkdir("/home/v0", 0o700, "vmail")
        away = Hanging(self.host, "/home/v0")
        self.addCleanup(away.close)
        self.serve(lock_timeout=2)
        other = self.login("v2")
        pop = self.ask("v0")
        self.wait_for(self.sessions, "a look")
        for user in ("v1", "v3"):
            self.login(user).quit()
        self.assertEqual(select.select([pop.sock], [], [], 0)[0], [])
        with self.assertRaisesRegex(PopError, r"^b.\[SYS/TEMP\] "):
            pop.reply()
        self.assertEqual(self.ended(pop), b"")
        self.assertEqual(other.stat()[0], 3)
        other.quit()
        line, = self.log.wait("drop-failed", self.mark)
        self.assertIn("/home/v0", line)
        self.log.wait("session-end .*user=v0 .*reason=no-maildrop", self.mark)
        self.over()
        away.close()
        self.login("v0").quit()

    def test_hangs_alone(self):
        """With a process for each nobody can tell the client, who sees the end."""
        self.lose("v0")
        self.host.mkdir("/home/v0", 0o700, "vmail")
        away = Hanging(self.host, "/home/v0")
        self.addCleanup(away.close)
        self.serve(sessions_per_process=1, lock_timeout=1)
        pop = self.ask("v0")
        self.wait_for(self.sessions, "a look")
        self.login("v3").quit()
        self.assertEqual(self.ended(pop), b"")
        self.log.wait("login-failed .*user=v0 .*see drop-failed", self.mark)
        self.log.wait("drop-failed .*user=v0 .*umount", self.mark)
        self.assertEqual(self.log.find("user=v0 .*crash", self.mark), [])
        self.no_sessions()
        away.close()
        self.login("v0").quit()


class Deaths(Shared):
    def setUp(self):
        super().setUp()
        self.serve()

    def kill(self, name, sig=signal.SIGKILL):
        for m in self.named(name):
            m.kill(sig)

    def all_in(self):
        """Some who are seated and have deleted, one in UPDATE."""
        self.pops = [self.login(u) for u in VIRTUAL[:4]]
        for pop in self.pops:
            pop.dele(1)
        self.update, self.holder = self.in_update("v4")

    def finish(self, left=2):
        self.holder.close()
        self.assertIn(b"signing off", self.update.reply())
        self.ended(self.update)
        self.over()
        self.assertEqual([self.number(u) for u in VIRTUAL[:5]],
                         [3] * 4 + [left])
        for user in VIRTUAL:
            self.assertFalse(self.host.exists("/var/mail/%s.lock" % user))
        for user in VIRTUAL:
            self.login(user).quit()

    def test_shared(self):
        """Its sessions are lost, and nothing else."""
        self.all_in()
        self.kill("popper-shared")
        for pop in self.pops:
            self.assertEqual(self.ended(pop), b"")
        self.log.wait("session-end .*reason=crash status=137", self.mark,
                      count=4)
        self.log.wait("role-died .*role=popper-shared status=137", self.mark)
        time.sleep(1.1)             # not at once: one that dies at its start
        self.login("v0").quit()
        self.assertEqual(len(self.shared()), 1)
        self.finish()

    def test_login_right_after_its_death(self):
        first = self.login("v0")
        self.kill("popper-shared")
        self.ended(first)
        pop = self.login("v1")
        pop.stat()
        pop.quit()
        self.over()

    def test_usher(self):
        self.all_in()
        self.kill("popper-usher")
        for pop in self.pops:
            self.assertEqual(self.ended(pop), b"")
        self.wait_for(lambda: not self.shared(), "end of the shared process")
        self.log.wait("role-died .*role=popper-usher status=137", self.mark)
        self.log.wait("session-end .*reason=crash status=137", self.mark,
                      count=4)
        self.finish()

    def test_spawner(self):
        """Who is in stays in; the next have a new usher."""
        self.all_in()
        self.kill("popper-spawner")
        self.wait_for(lambda: self.count() == house.ROLES, "new spawner")
        for pop in self.pops:
            self.assertEqual(pop.stat()[0], 2)
        pop = self.login("v5")
        self.assertEqual(len(self.shared()), 2)
        pop.quit()
        for pop in self.pops:
            pop.cmd("RSET")
            pop.quit()
        self.finish()
        self.wait_for(lambda: len(self.ushers()) == 1 and
                      len(self.shared()) == 1, "end of the old usher")
        self.assertEqual(self.log.find("login-failed|reason=crash",
                                       self.mark), [])

    def test_reload(self):
        """It takes nobody away; who comes after it has a new usher."""
        old = self.login("v0")
        self.server.process.send_signal(signal.SIGHUP)
        self.log.wait(": reloaded", self.mark)
        new = self.login("v1")
        self.assertEqual(len(self.shared()), 2)
        old.dele(1)
        old.quit()
        new.quit()
        self.over()
        self.wait_for(lambda: len(self.ushers()) == 1, "end of the old usher")
        self.assertEqual((self.number("v0"), self.number("v1")), (2, 3))

    def test_master(self):
        self.all_in()
        self.kill("popper")
        for pop in self.pops:
            self.assertEqual(self.ended(pop), b"")
        self.holder.close()
        self.ended(self.update)
        self.only_server()
        self.assertEqual([self.number(u) for u in VIRTUAL[:4]], [3] * 4)
        self.assertIn(self.number("v4"), (2, 3))
        # Files, not locks: whose they were are gone.
        self.host.run(["sh", "-c", "rm -f /run/popper/lock/*"], check=True)

    def test_stop(self):
        self.all_in()
        self.server.process.send_signal(signal.SIGTERM)
        for pop in self.pops:
            self.assertEqual(self.ended(pop), b"")
        self.holder.close()
        self.assertIn(b"signing off", self.update.reply())
        self.assertEqual(self.server.process.wait(60), 0)
        self.only_server()
        self.log.wait("session-end .*reason=stopped", self.mark, count=4)
        self.assertEqual([self.number(u) for u in VIRTUAL[:5]], [3] * 4 + [2])

    def test_stop_without_spawner(self):
        """They are told all the same, and QUIT finishes what it has begun."""
        self.all_in()
        self.kill("popper-spawner")
        self.wait_for(lambda: self.count() == house.ROLES, "new spawner")
        self.server.process.send_signal(signal.SIGTERM)
        for pop in self.pops:
            self.assertEqual(self.ended(pop), b"")
        self.log.wait("session-end .*reason=stopped", self.mark, count=4)
        self.holder.close()
        self.assertIn(b"signing off", self.update.reply())
        self.assertEqual(self.server.process.wait(60), 0)
        self.only_server()
        self.assertEqual([self.number(u) for u in VIRTUAL[:5]], [3] * 4 + [2])

    def test_sigterm_to_it(self):
        self.all_in()
        self.kill("popper-shared", signal.SIGTERM)
        for pop in self.pops:
            self.assertEqual(self.ended(pop), b"")
        self.log.wait("session-end .*reason=stopped", self.mark, count=4)
        self.login("v5").quit()
        self.finish()

    def test_end_between_quit_and_its_answer(self):
        """The usher is told once that a session has left, or it would take that for
        nonsense and end all of them."""
        pops = [self.login(u) for u in VIRTUAL[:2]]
        usher, = self.ushers()
        usher.kill(signal.SIGSTOP)
        pops[0].send(b"QUIT\r\n")
        self.heard(pops[0])
        self.kill("popper-shared", signal.SIGTERM)
        self.log.wait("session-end .*reason=stopped", self.mark, count=2)
        usher.kill(signal.SIGCONT)
        for pop in pops:
            self.assertEqual(self.ended(pop), b"")
        self.over()
        self.assertEqual(self.log.find("misbehaved|reason=crash", self.mark), [])

    def test_sigterm_to_all(self):
        """As the end of a unit of systemd is."""
        self.all_in()
        for m in self.members():
            m.kill(signal.SIGTERM)
        for pop in self.pops:
            self.assertEqual(self.ended(pop), b"")
        self.holder.close()
        self.assertIn(b"signing off", self.update.reply())
        self.only_server()
        self.assertEqual([self.number(u) for u in VIRTUAL[:5]], [3] * 4 + [2])

    def test_killed_in_update(self):
        """It is its own process's death, and recovery follows."""
        self.all_in()
        self.kill("popper-session")
        self.assertEqual(self.ended(self.update), b"")
        self.log.wait("session-end .*user=v4 .*reason=crash", self.mark)
        self.holder.close()
        for pop in self.pops:
            self.assertEqual(pop.stat()[0], 2)
            pop.quit()
        self.over()
        self.assertEqual([self.number(u) for u in VIRTUAL[:5]], [2] * 4 + [3])

    def test_many_deaths_under_load(self):
        """No wrong answer, no lost mail, whoever dies."""
        for i in range(24):
            pops = [self.login(u) for u in VIRTUAL]
            for pop in pops:
                self.assertEqual(pop.stat()[0], 3)
            pops.pop().quit()
            self.kill(("popper-shared", "popper-usher")[i % 2])
            self.kill("popper-session")     # who came while it was away
            for pop in pops:
                self.assertEqual(self.ended(pop), b"")
            self.over()
        self.assertEqual([self.number(u) for u in VIRTUAL], [3] * 8)


del Shared

if __name__ == "__main__":
    unittest.main()
