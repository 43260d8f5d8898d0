# SPDX-License-Identifier: ISC
"""SIGHUP: new settings for new connections, all or nothing, and nobody
notices."""

import os
import random
import re
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import family                                                   # noqa: E402
from lib import flavour, nasty, spool                           # noqa: E402
from lib.popper import Pop, Serve                             # noqa: E402
from test_manager import Case                                   # noqa: E402

CONF = "/etc/popper/popper.conf"
ROUNDS = 1000 if os.environ.get("POPPER_LONG") else 100


class Base(family.Family):
    def hup(self, expect="reloaded"):
        """The line of the log that tells what came of it."""
        mark = self.log.mark()
        self.server.process.send_signal(signal.SIGHUP)
        line = self.log.wait(r"popper\[\d+\]: (reloaded|reload-refused) ",
                             mark)[0]
        self.assertIn(" " + expect + " ", line)
        return line

    def again(self, *rows, expect="reloaded", **options):
        self.configure(*rows, **options)
        return self.hup(expect)

    def main(self):
        return family.Member(self.server.process.inner())

    def listeners(self):
        """{address: inode} of its listening sockets."""
        main = self.main()
        mine = {m.group(1) for m in map(
            re.compile(r"socket:\[(\d+)\]").match, main.fds().values()) if m}
        out = {}
        for name in ("tcp", "tcp6"):
            for line in main.read("net/" + name).decode().splitlines()[1:]:
                w = line.split()
                if w[3] == "0A" and w[9] in mine:
                    address, port = w[1].split(":")
                    out[(address, int(port, 16))] = w[9]
        return out

    def ports(self):
        return sorted(port for _, port in self.listeners())


class Reload(Base):
    # -- what counts from when --------------------------------------------

    def test_new_connections_have_the_new_settings(self):
        self.serve()
        old = self.login()
        self.assertIn(b"(version", old.greeting)
        line = self.again(hide_version="yes")
        self.assertRegex(line, r"reloaded listeners=\d sessions=1$")
        new = self.connect()
        self.assertNotIn(b"(version", new.greeting)
        self.assertIn(b"(version", old.multi("CAPA")[1].replace(
            b"IMPLEMENTATION popper", b"(version"))
        for n in old.list():
            old.retr(n)
        old.dele(1)
        old.quit()
        new.login("alice", family.PASSWORD)
        self.assertEqual(new.stat()[0], 2)

    def test_running_session_keeps_its_timeout(self):
        self.serve(timeout=600)
        old = self.login()
        self.again(timeout=1)
        new = self.login("bob")
        self.ended(new, 10)
        self.assertEqual(old.stat()[0], 3)

    def test_flags_still_win(self):
        self.configure("timeout = 300")
        self.server = Serve(self.host, args=["-T", "1"])
        self.addCleanup(self.server.stop)
        self.again("timeout = 400", hide_version="yes")
        pop = self.login()
        self.assertNotIn(b"(version", pop.greeting)
        self.ended(pop, 10)

    def test_fewer_sessions_than_there_are(self):
        self.serve()
        pops = [self.connect() for _ in range(6)]
        self.again(max_sessions=3)
        self.assertIn(b"Too many connections", self.connect().greeting)
        for pop in pops[:4]:
            pop.quit()
        # The server, and two of a monitor and a front.
        self.wait_for(lambda: len(self.members()) == 5, "end of four")
        more = self.connect()
        self.again(max_sessions=2000)
        for pop in [*pops[4:], more]:
            self.assertTrue(pop.multi("CAPA"))

    def test_host_name(self):
        self.serve()
        for name in ("other.example.net", ""):
            self.again(*(["hostname = " + name] if name else []))
            self.assertIn(b" at %s " % (name or "pophost.example.org").encode(),
                          self.connect().greeting)

    # -- refused ----------------------------------------------------------

    def test_bad_configuration(self):
        """Every mistake is told with its place; the old one runs on."""
        self.serve()
        session = self.login()
        mark = self.log.mark()
        self.configure("hide_version = yes", "timeout = soon", "uid_min = x",
                       "no_such_thing = 1", 'listen = nowhere')
        line = self.hup("reload-refused")
        self.assertIn("%s: mistakes: 3" % CONF, line)
        with open("/proc/%d/root%s" % (self.host.pid, CONF),
                  encoding="ascii") as f:
            rows = f.read().splitlines()
        for name, word in (("timeout", "error"), ("uid_min", "error"),
                           ("listen", "error"), ("no_such_thing", "warning")):
            at = next(i for i, row in enumerate(rows, 1)
                      if row.startswith(name + " "))
            self.assertEqual(len(self.log.find(r"conf-%s .*%s:%d: " % (
                word, CONF, at), mark)), 1)
        self.assertIn(b"(version", self.connect().greeting)
        self.assertEqual(session.stat()[0], 3)
        session.quit()
        self.again(hide_version="yes")
        self.assertNotIn(b"(version", self.connect().greeting)

    def test_what_cannot_be_changed(self):
        self.serve()
        for row, why in (("run_dir = /run/other", "run_dir cannot be changed"),
                         ("state_dir = /var/lib/popper/x", "state_dir cannot"),
                         ("isolation = single", "does not fit")):
            self.assertIn(why, self.again(row, expect="reload-refused"))
        self.next_login()

    def test_file_that_is_gone(self):
        self.serve()
        self.host.call(os.unlink, CONF)
        self.assertIn(CONF + " is gone", self.hup("reload-refused"))
        self.next_login()
        self.again()

    # -- listeners --------------------------------------------------------

    def test_listeners(self):
        self.serve("listen = 127.0.0.1:110", "listen = 127.0.0.1:109")
        before = self.listeners()
        mark = self.log.mark()
        self.again("listen = 127.0.0.1:1110", "listen = 127.0.0.1:110")
        self.assertEqual(self.ports(), [110, 1110])
        for address, inode in before.items():
            if address[1] == 110:
                self.assertEqual(self.listeners()[address], inode)
        self.assertEqual(len(self.log.find("listening ", mark)), 1)
        self.log.wait(r"listening text=127\.0\.0\.1:1110", mark)
        self.log.wait(r"listening-ended .*127\.0\.0\.1:109", mark)
        with self.assertRaises(ConnectionRefusedError):
            self.host.connect(109)
        for port in (110, 1110):
            with Pop(self.host.connect(port)) as pop:
                pop.quit()

    def test_listener_that_is_taken(self):
        """All is refused, also what could be had."""
        self.serve("listen = 127.0.0.1:110")
        before = self.listeners()
        taken = self.host.listen(995)
        self.addCleanup(taken.close)
        line = self.again("listen = 127.0.0.1:1110", "listen = 127.0.0.1:995",
                          expect="reload-refused", hide_version="yes")
        self.assertIn("listen = 127.0.0.1:995: ", line)
        self.assertEqual(self.listeners(), before)
        self.assertIn(b"(version", self.connect().greeting)
        taken.close()
        self.hup()
        self.assertEqual(self.ports(), [995, 1110])

    def test_wider_and_narrower(self):
        """The old one is in the way of the new one, and yet nobody is
        refused."""
        self.serve("listen = 127.0.0.1:110")
        for where in ("*:110", "0.0.0.0:110", "127.0.0.1:110", ":110",
                      "127.0.0.2:110", "127.0.0.1:110"):
            self.again("listen = " + where)
            address = "127.0.0.2" if where.startswith("127.0.0.2") \
                else "127.0.0.1"
            with Pop(self.host.connect(110, address)) as pop:
                pop.quit()
        # Others are kept out, as before.
        r = self.host.run(["/usr/sbin/popper", "serve"])
        self.assertEqual(r.returncode, 1)
        self.assertIn(b"Address already in use", r.stderr)

    def test_both_at_once_would_not_start(self):
        self.serve("listen = 127.0.0.1:110")
        for rows in (("listen = 127.0.0.1:110", "listen = *:110"),
                     ("listen = *:110", "listen = 127.0.0.1:110"),
                     ("listen = 127.0.0.1:110", "listen = 127.0.0.1:0110")):
            self.assertIn("is listened at already",
                          self.again(*rows, expect="reload-refused"))
        self.assertEqual(self.ports(), [110])

    def test_who_waits_at_a_listener_that_leaves(self):
        """They were accepted by the kernel before."""
        self.serve("listen = 127.0.0.1:110", "listen = 127.0.0.1:109",
                   max_sessions_per_address=100)
        self.configure("listen = 127.0.0.1:110", max_sessions_per_address=100)
        server = self.server.process
        inner = server.inner()
        os.kill(inner, signal.SIGSTOP)
        waiting = [self.host.connect(109) for _ in range(20)]
        os.kill(inner, signal.SIGHUP)
        os.kill(inner, signal.SIGCONT)
        os.kill(server.pid, signal.SIGCONT)     # nsenter stops along
        for s in waiting:
            with Pop(s) as pop:
                pop.quit()
        with self.assertRaises(ConnectionRefusedError):
            self.host.connect(109)

    # -- folders and files ------------------------------------------------

    def test_relative_paths(self):
        """They lead from where they did at the start, however often."""
        self.host.mkdir("/srv/pop/etc")
        self.host.write("/srv/pop/etc/users", "alice:{PLAIN}%s:1001:1001::/home"
                        "/alice\n" % family.PASSWORD, 0o600)
        text = family.conf(**family.OPTIONS) + "passwd_file = users\n"
        self.host.write("/srv/pop/etc/my.conf", text)
        self.host.write("/usr/bin/start-it", "#!/bin/sh\ncd /srv/pop && exec "
                        "/usr/sbin/popper serve --config etc/my.conf -t "
                        "trace\n", 0o755)
        process = self.host.popen(["/usr/bin/start-it"])
        self.addCleanup(process.stop)
        self.server = type("Server", (), {"process": process})
        self.host.wait_port(110)
        for i in range(3):
            self.next_login()
            self.host.write("/srv/pop/etc/my.conf", text + "timeout = x\n")
            self.assertIn("etc/my.conf: mistakes: 1", self.hup(
                "reload-refused"))
            self.next_login()
            self.host.write("/srv/pop/etc/my.conf", text
                            + "hide_version = %s\n" % ("yes", "no")[i % 2])
            self.hup()
        self.next_login()
        self.assertTrue(self.host.read("/srv/pop/trace"))
        self.assertFalse(self.host.exists("/srv/pop/etc/trace"))
        # No folder is held open.
        self.assertFalse([v for v in self.main().fds().values()
                          if v.startswith("/srv") and v[-5:] != "trace"])

    def logs(self):
        return ["log = file", "log_file = /var/log/popper/popper.log",
                "trace_file = /var/log/popper/trace.log"]

    def renamed(self, name):
        path = "/var/log/popper/" + name
        self.host.call(os.rename, path, path + ".1")

    def hup_file(self, word):
        """As hup, with a log that is a file."""
        self.server.process.send_signal(signal.SIGHUP)
        path = "/var/log/popper/popper.log"
        self.wait_for(lambda: self.host.exists(path) and re.search(
            rb"\b%s " % word, self.host.read(path)), word.decode())

    def test_log_files_that_were_renamed(self):
        self.host.mkdir("/var/log/popper", 0o750)
        self.serve(*self.logs())
        self.next_login()
        running = self.login()
        for name in ("popper.log", "trace.log"):
            self.renamed(name)
        self.next_login_of("bob")
        self.assertFalse(self.host.exists("/var/log/popper/popper.log"))
        self.hup_file(b"reloaded")
        self.next_login_of("bob")
        running.quit()
        log = self.host.read("/var/log/popper/popper.log")
        self.assertIn(b"user=bob", log)
        self.assertNotIn(b"user=alice", log)
        self.assertIn(b"dialogue", self.host.read("/var/log/popper/trace.log"))
        # What ran before goes on where it has begun.
        self.wait_for(lambda: self.host.read(
            "/var/log/popper/popper.log.1").count(
                b"session-end sid=") >= 3, "end of the session")

    def next_login_of(self, user):
        self.host.spool(user, self.mail)
        with Pop(self.host.connect(110)) as pop:
            pop.login(user, family.PASSWORD)
            pop.quit()

    def test_log_files_are_reopened_by_a_refused_reload(self):
        """logrotate does not know of mistakes."""
        self.host.mkdir("/var/log/popper", 0o750)
        self.serve(*self.logs())
        self.renamed("popper.log")
        self.configure(*self.logs(), "timeout = x")
        self.hup_file(b"reload-refused")
        self.assertIn(b"conf-error", self.host.read(
            "/var/log/popper/popper.log"))

    def test_log_goes_elsewhere(self):
        self.host.mkdir("/var/log/popper", 0o750)
        self.serve()
        self.configure(*self.logs())
        self.hup_file(b"reloaded")
        self.next_login_of("bob")
        self.assertIn(b"login sid=", self.host.read(
            "/var/log/popper/popper.log"))
        self.again()
        mark = self.log.mark()
        self.next_login_of("bob")
        self.log.wait("login .*user=bob", mark)

    def test_children_have_no_old_listeners(self):
        """... nor anything else that a reload opens."""
        self.serve("listen = 127.0.0.1:110", "listen = 127.0.0.1:109")
        first = self.connect()
        kinds = self.kinds()
        first.quit()
        self.only_server()
        for _ in range(3):
            self.again("listen = 127.0.0.1:110", "listen = 127.0.0.1:1110")
            self.again("listen = 127.0.0.1:110", "listen = 127.0.0.1:109")
        self.connect()
        self.assertEqual(self.kinds(), kinds)

    def kinds(self):
        """What a monitor has open, once it has come to rest."""
        last = None
        while True:
            now = sorted(re.sub(r"\d+", "N", v)
                         for v in self.monitor().fds().values())
            if now == last:
                return now
            last = now
            time.sleep(0.2)


class Told(Case):
    def test_the_manager_is_told(self):
        self.managed()
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.process.send_signal(signal.SIGHUP)
        got = self.manager.wait("RELOADING", "1")
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        # In milliseconds, made large.
        self.assertTrue(before - 1000 <= int(got["MONOTONIC_USEC"]) <= now)
        got = self.manager.wait("READY", "1")
        self.assertNotIn("refused", got["STATUS"])
        self.configure("timeout = x")
        self.process.send_signal(signal.SIGHUP)
        self.manager.wait("RELOADING", "1")
        got = self.manager.wait("READY", "1")
        self.assertIn("the last reload was refused", got["STATUS"])
        self.configure(max_sessions=5)
        self.process.send_signal(signal.SIGHUP)
        self.manager.wait("RELOADING", "1")
        got = self.manager.wait("READY", "1")
        self.assertEqual(got["STATUS"], "2 listeners, 0 of at most 5 sessions")


class Storm(Base):
    """Many reloads, good and bad ones, under load."""

    USERS = 4

    def setUp(self):
        super().setUp()
        self.failures = []
        self.sessions = 0
        self.stop = threading.Event()

    def client(self, user, mail):
        """Log in, read all, delete one, quit; at each step what must come is
        known."""
        sent = [m.wire for m in spool.messages(mail)]
        order = random.Random(user)
        while not self.stop.is_set():
            try:
                port = order.choice((110, 109))
                with Pop(self.host.connect(port)) as pop:
                    if pop.login(user, family.PASSWORD)[0] != len(sent):
                        raise AssertionError("%s: %r" % (user, pop.stat()))
                    for i, wire in enumerate(sent, 1):
                        if pop.retr(i) != wire:
                            raise AssertionError("another message")
                    pop.dele(order.randrange(len(sent)) + 1)
                    pop.cmd("RSET")
                    if not pop.quit():
                        raise AssertionError("QUIT")
                self.sessions += 1
            except Exception as e:
                self.failures.append("%s: %r" % (user, e))
                return

    def long_session(self, user):
        pop = self.connect()
        pop.login(user, family.PASSWORD)
        return pop

    def test_storm(self):
        rows = ("listen = 127.0.0.1:110", "listen = 127.0.0.1:109")
        users, mails = [], {}
        for i in range(self.USERS + 1):
            name = "storm%d" % i
            self.host.add_user(name, 1100 + i)
            users.append("%s:{PLAIN}%s:%d:%d::/home/%s\n" % (
                name, family.PASSWORD, 1100 + i, 1100 + i, name))
            mails[name] = nasty.mbox(nasty.NASTY[i:i + 3])
            self.host.spool(name, mails[name])
        self.host.write("/etc/popper/storm", "".join(users), 0o600)
        options = {"passwd_file": "storm", "status_headers": "no",
                   "max_sessions_per_address": 500}
        # Large blocks are mapped, so that malloc does not keep any.
        self.configure(*rows, **options)
        self.server = Serve(self.host,
                            env={"MALLOC_MMAP_THRESHOLD_": "65536"})
        self.addCleanup(self.server.stop)
        before = self.main().fds()
        kept = self.long_session("storm%d" % self.USERS)
        threads = [threading.Thread(target=self.client, args=(u, m))
                   for u, m in list(mails.items())[:self.USERS]]
        for t in threads:
            t.start()
        self.addCleanup(self.stop.set)
        order = random.Random(os.environ.get("POPPER_SEED", "1"))
        size = {}
        for i in range(ROUNDS):
            if order.random() < 0.3:
                self.again(*rows, "timeout = x", expect="reload-refused",
                           **options)
            else:
                extra = order.choice((
                    (), ("listen = 127.0.0.1:1110",), ("listen = [::1]:110",),
                    ("hide_version = yes",), ("statistics = yes",)))
                self.again(*rows, *extra, max_sessions=order.randrange(
                    100, 3000), **options)
            if i in (ROUNDS // 5, ROUNDS - 1):
                self.again(*rows, max_sessions=1000, **options)
                size[i] = self.memory()
            if self.failures:
                break
        self.stop.set()
        for t in threads:
            t.join(60)
        self.assertEqual(self.failures, [])
        self.assertGreater(self.sessions, ROUNDS // 10)
        self.assertEqual(kept.stat()[0], 3)
        self.assertEqual(kept.retr(1), spool.messages(
            mails["storm%d" % self.USERS])[0].wire)
        kept.quit()
        self.only_server(10)
        self.assertEqual(len(self.main().fds()), len(before))
        if not flavour.SANITIZED:
            self.assertLess(size[ROUNDS - 1] - size[ROUNDS // 5], 150)
        for user, mail in mails.items():
            self.assertEqual(self.host.spool(user), mail)
        print("%d reloads, %d sessions" % (ROUNDS, self.sessions))

    def memory(self):
        """In KiB, without files."""
        return int(re.search(rb"Anonymous:\s+(\d+)",
                             self.main().read("smaps_rollup")).group(1))


if __name__ == "__main__":
    unittest.main()
