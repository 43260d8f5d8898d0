# SPDX-License-Identifier: ISC
"""SIGHUP: new settings for new clients, all or nothing, and nobody notices."""

import os
import re
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import again                                                    # noqa: E402
from lib import spool                                           # noqa: E402
from lib.hang import Hanging, hang_accounts                     # noqa: E402
from lib.popper import Pop, PopError, Serve                     # noqa: E402
from test_manager import Manager                                # noqa: E402

family, CONF, PASSWORD = again.family, again.CONF, again.PASSWORD


# As long as old ones are left; of the old fronts there may be fewer.
OLD_AND_NEW = {"popper": 1, "popper-auth": 2, "popper-warden": 2,
               "popper-spawner": 2, "popper-front": 4}


class Reload(again.Again):
    # -- what counts from when --------------------------------------------

    def test_new_clients_have_the_new_settings(self):
        """A stranger and a session keep what they began with."""
        self.serve(hostname="old.example.org")
        stranger, old = self.connect(), self.login("bob")
        for pop in (stranger, old):
            self.assertIn(b" at old.example.org ", pop.greeting)
        line = self.again(hostname="new.example.org", hide_version="yes")
        self.assertRegex(line, r"reloaded listeners=\d sessions=1$")
        new = self.connect()
        self.assertIn(b"popper at new.example.org ", new.greeting)
        self.assertIn(b"IMPLEMENTATION popper 2", stranger.multi("CAPA")[1])
        self.assertNotIn(b"IMPLEMENTATION", new.multi("CAPA")[1])
        self.assertEqual(stranger.login("alice", PASSWORD)[0], 3)
        stranger.dele(1)
        self.assertIn(b" at old.example.org ", stranger.quit())
        self.assertIn(b" at old.example.org ", old.quit())
        self.assertEqual(new.login("alice", PASSWORD)[0], 2)
        self.assertIn(b" at new.example.org ", new.quit())
        self.settled()

    def test_running_session_keeps_its_timeout(self):
        self.serve(timeout=600)
        old = self.login()
        self.again(timeout=1)
        new = self.login("bob")
        self.ended(new)
        self.assertEqual(old.stat()[0], 3)

    def test_flags_still_win(self):
        self.configure("timeout = 300")
        self.server = Serve(self.host, args=["-T", "1"])
        self.addCleanup(self.server.stop)
        self.again("timeout = 400", hide_version="yes")
        pop = self.login()
        self.assertNotIn(b"(version", pop.greeting)
        self.ended(pop)

    def test_fewer_sessions_than_there_are(self):
        """Those of both settings count."""
        self.serve()
        names = ["alice", "bob"] + ["more%d" % i for i in range(4)]
        rows = self.host.read("/etc/popper/users").decode()
        self.addCleanup(self.host.write, "/etc/popper/users", rows, 0o600)
        for i, name in enumerate(names[2:], 1200):
            self.host.add_user(name, i)
            rows += "%s:{PLAIN}%s:%d:%d::/home/%s\n" % (name, PASSWORD, i, i,
                                                        name)
        self.host.write("/etc/popper/users", rows, 0o600)
        pops = [self.login(name) for name in names[:4]]
        self.again(max_sessions=4)
        with self.assertRaises(PopError):
            self.login(names[4])
        pops.pop().quit()
        self.known_sessions(3)
        pops.append(self.login(names[4]))
        with self.assertRaises(PopError):
            self.login(names[5])
        self.again(max_sessions=5)
        pops.append(self.login(names[5]))
        for pop in pops:
            pop.quit()
        self.settled()

    def test_clients_of_one_address(self):
        """Strangers of old fronts and of new ones count together."""
        self.serve(max_sessions_per_address=4)
        pops = [self.connect(), self.connect()]
        session = self.login("bob")
        for _ in range(3):
            self.again(max_sessions_per_address=4)
        pops.append(self.connect())
        self.assertIn(b"Too many connections", self.connect().greeting)
        self.again(max_sessions_per_address=5)
        pops.append(self.connect())
        self.assertIn(b"Too many connections", self.connect().greeting)
        session.quit()
        for pop in pops:
            pop.quit()
        self.settled()
        for _ in range(2):              # no count is left behind
            self.counted("address_connections", 0)
            pops = [self.connect() for _ in range(5)]
            self.assertTrue(all(b"starting" in p.greeting for p in pops))
            self.assertIn(b"Too many connections", self.connect().greeting)
            self.again(max_sessions_per_address=5)
            for pop in pops:
                pop.quit()
            self.settled()

    def test_number_of_fronts(self):
        self.serve()
        stranger = self.connect()
        for n in (4, 1, 2):
            self.again(fronts=n)
            self.next_login()
        stranger.login("bob", PASSWORD)
        stranger.quit()
        self.settled()

    def test_processes_of_old_settings_end_with_those_they_have(self):
        self.serve()
        stranger, session = self.connect(), self.login("bob")
        self.again()
        # Of two old fronts one has nobody.
        self.wait_for(lambda: self.count() == {**OLD_AND_NEW, "popper-front": 3},
                      "end of an idle front")
        stranger.quit()
        self.wait_for(lambda: self.count() == {
            **again.house.ROLES, "popper-spawner": 2}, "end of the old ones")
        session.cmd("NOOP")
        session.quit()
        self.settled()
        self.assertEqual(self.log.find("role-died|misbehaved", self.mark), [])

    def test_host_name(self):
        self.serve()
        for name in ("other.example.net", ""):
            self.again(*(["hostname = " + name] if name else []))
            self.assertIn(b" at %s " % (name or "pophost.example.org").encode(),
                          self.connect().greeting)

    # -- in the middle of something ------------------------------------------

    def judged(self, password):
        """A stranger whose password is being judged, and the worker."""
        self.next_login()               # a worker there is, and stays
        worker = self.named("popper-worker")
        for m in worker:
            m.kill(signal.SIGSTOP)
            self.addCleanup(m.kill, signal.SIGCONT)
        pop = self.connect()
        pop.cmd("USER", "alice")
        pop.send(b"PASS " + password + b"\r\n")
        # It is with the worker, and not in a buffer on the way there.
        self.heard(pop)
        return pop, worker

    def test_password_that_is_being_judged(self):
        self.serve(auth_workers=1)
        pop, worker = self.judged(PASSWORD.encode())
        for _ in range(3):
            self.again()
        for m in worker:
            m.kill(signal.SIGCONT)
        self.assertIn(b"3 messages", pop.reply())
        pop.quit()
        self.settled()

    def test_wrong_password_that_is_being_judged(self):
        self.serve(auth_workers=1, auth_tries=2)
        pop, worker = self.judged(b"wrong")
        self.again()
        for m in worker:
            m.kill(signal.SIGCONT)
        with self.assertRaisesRegex(PopError, "AUTH"):
            pop.reply()
        pop.login("alice", PASSWORD)
        pop.quit()
        self.log.wait("login-failed", self.mark)
        self.assertEqual(len(self.log.find("login-failed", self.mark)), 1)
        self.settled()

    def test_pipelined_login(self):
        """What a client has sent before its login goes along."""
        self.serve(auth_workers=1)
        pop, worker = self.judged(PASSWORD.encode() + b"\r\nSTAT\r\nQUIT")
        self.again()
        for m in worker:
            m.kill(signal.SIGCONT)
        self.assertIn(b"3 messages", pop.reply())
        self.assertTrue(pop.reply().startswith(b"3 "))
        self.assertIn(b"signing off", pop.reply())
        self.settled()

    def test_login_that_takes_its_time_is_bounded(self):
        self.serve(login_timeout=2)
        pop = self.connect()
        self.again(login_timeout=600)
        began = time.monotonic()
        self.ended(pop)
        self.assertLess(time.monotonic() - began, 60)
        self.settled()

    def left(self):
        return len(spool.messages(self.host.spool("alice")))

    def test_update(self):
        """Its questions are answered as before, by who knows it."""
        self.serve()
        alice = self.in_update()
        for _ in range(3):
            self.again(maildrop="/var/mail/elsewhere/%u")
        self.holder.close()
        self.assertIn(b"signing off", alice.reply())
        self.ended(alice)
        self.assertEqual(self.left(), 2)
        self.assertFalse(self.host.exists("/var/mail/alice.lock"))
        self.settled()

    def test_update_that_dies(self):
        """The recovery is where the session was, not where new ones go."""
        self.serve()
        alice = self.in_update()
        self.again(maildrop="/var/mail/elsewhere/%u")
        for m in self.sessions():
            m.kill()
        self.assertEqual(self.ended(alice), b"")
        self.holder.close()
        self.no_sessions()
        self.settled()
        self.assertIn(self.left(), (2, 3))
        self.assertFalse(self.host.exists("/var/mail/alice.lock"))
        self.again()
        self.assertIn(self.login().stat()[0], (2, 3))

    def test_spawner_of_old_settings_that_dies(self):
        """As long as it has sessions there is another one."""
        self.serve()
        alice = self.in_update()
        bob = self.login("bob")
        self.again()
        for m in self.named("popper-spawner"):
            m.kill()
        self.wait_for(lambda: len(self.named("popper-spawner")) == 2,
                      "new spawners")
        self.holder.close()
        self.assertIn(b"signing off", alice.reply())
        bob.cmd("NOOP")
        bob.quit()
        self.settled()
        self.assertEqual(self.left(), 2)

    def test_fronts_of_old_settings_that_die(self):
        """They cost whom they have, and are not replaced."""
        self.serve()
        strangers = [self.connect() for _ in range(6)]
        bob = self.login("bob")
        old = self.named("popper-front")
        self.again()
        new = self.connect()
        for m in old:
            m.kill()
        for pop in strangers:
            self.assertEqual(self.ended(pop), b"")
        new.login("alice", PASSWORD)
        new.quit()
        bob.quit()
        self.settled()

    def in_the_end(self, pop):
        """Who asks an auth that is dead is told to try again."""
        def done():
            try:
                return pop.login("alice", PASSWORD)
            except PopError as e:
                self.assertIn("[SYS/TEMP]", str(e))
        self.wait_for(done, "login", 120)

    def test_others_of_old_settings_that_die(self):
        """As long as there are strangers who need them there are others: the next
        one who logs in has the old settings still."""
        self.serve("peer_check = yes", hostname="old.example.org")
        strangers = [self.connect() for _ in range(5)]
        self.again("peer_check = yes", hostname="new.example.org")
        for name in ("popper-auth", "popper-warden", "popper-spawner",
                     "popper-resolver"):
            dead = self.named(name)
            for m in dead:
                m.kill()
            self.wait_for(lambda: all(
                len({m.pid for m in self.named(role)} - {m.pid for m in dead})
                == 2 for role in ("popper-auth", "popper-warden", name)),
                "new ones of " + name)
            pop = strangers.pop()
            self.in_the_end(pop)
            self.assertIn(b" at old.example.org ", pop.quit())
        strangers.pop().quit()
        self.settled()
        self.wait_for(lambda: len(self.named("popper-resolver")) == 1,
                      "end of a resolver")
        self.assertEqual(self.log.find("misbehaved", self.mark), [])

    def test_auth_that_dies_as_settings_get_old(self):
        """The next one has not begun yet when his crew is told to leave."""
        self.serve()
        for i in range(3):
            stranger, main = self.connect(), self.main()
            auth, = self.named("popper-auth")
            main.kill(signal.SIGSTOP)
            auth.kill()
            main.kill(signal.SIGHUP)
            mark = self.log.mark()
            main.kill(signal.SIGCONT)
            self.log.wait(": reloaded ", mark)
            self.wait_for(lambda: self.count()["popper-warden"] == 2 and
                          self.count()["popper-auth"] == 2, "the old crew")
            self.in_the_end(stranger)
            stranger.quit()
            self.settled()

    def test_stop_while_old_ones_are_left(self):
        self.serve()
        pops = [self.connect(), self.login("bob")]
        alice = self.in_update()
        self.again()
        pops.append(self.connect())
        self.server.process.send_signal(signal.SIGTERM)
        for pop in pops:
            self.assertEqual(self.ended(pop), b"")
        self.holder.close()
        self.assertIn(b"signing off", alice.reply())
        self.assertEqual(self.server.process.wait(60), 0)
        self.wait_for(lambda: not self.members(), "end of all")
        self.log.wait(r": stopped text=\"all connections", self.mark)
        self.assertEqual(self.left(), 2)

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
            what = r"conf-%s .*%s:%d: " % (word, CONF, at)
            self.log.wait(what, mark)
            self.assertEqual(len(self.log.find(what, mark)), 1)
        self.assertIn(b"(version", self.connect().greeting)
        self.assertEqual(session.stat()[0], 3)
        session.quit()
        self.again(hide_version="yes")
        self.assertNotIn(b"(version", self.connect().greeting)

    def test_what_fronts_and_auth_would_stumble_over(self):
        """It is tried before the old ones leave."""
        self.serve()
        self.host.mkdir("/srv/open", 0o777)
        self.host.call(os.chmod, "/srv/open", 0o777)
        for row, why in (("front_user = nobody-here", "nobody-here"),
                         ("auth_user = nobody-here", "nobody-here"),
                         ("auth_user = _popfront", "the uid of front_user"),
                         ("chroot_dir = /srv/open", "a front cannot begin: ")):
            mark = self.log.mark()
            line = self.again(row, expect="reload-refused")
            self.assertIn(why, line)
            if "begin" in why:
                self.assertIn("/srv/open", line)
                self.log.wait("front-cage .*/srv/open", mark)
            self.next_login()
        self.assertEqual(self.count(), again.house.ROLES)
        self.again("front_user = nobody")
        self.next_login()

    def test_what_nobody_could_log_in_with(self):
        """Each is tried, by who may read it, or does not fit together."""
        self.serve()
        for rows, why in (
                (("allow_file = /etc/popper/none",), "database file: open "
                 "/etc/popper/none: No such file"),
                (("auth = rest:sqlite:/etc/popper/none",), "database rest: "),
                (("auth = file",), "auth: there is a database file before"),
                (("uid_min = 60000", "uid_max = 50000"), "uid_min: 60000 is"),
                (("log = file",), "log: file needs log_file"),
                (("listen = 127.0.0.1:1110 proxy",), "listen: proxy, but "
                 "nobody may connect there")):
            with self.subTest(rows):
                self.assertIn(why, self.again(*rows, expect="reload-refused"))
                self.next_login()
        self.assertEqual(self.count(), again.house.ROLES)

    def test_file_system_that_hangs(self):
        """Who judges gives it up, and the server has not stood still."""
        self.serve()
        self.host.mkdir("/etc/popper/away", 0o755)
        hanging = Hanging(self.host, "/etc/popper/away")
        self.addCleanup(hanging.close)
        line = self.again(passwd_file="/etc/popper/away/users",
                          expect="reload-refused")
        self.assertIn("database file: wait for a message", line)
        self.next_login()
        self.wait_for(lambda: self.count() == again.house.ROLES, "no more")

    def who_judges(self):
        self.wait_for(lambda: self.named("popper-judge"), "who judges")
        return self.named("popper-judge")[0]

    def test_name_service_that_hangs(self):
        """Who judges waits for it, and the server goes on."""
        self.serve()
        away = hang_accounts(self, self.host)
        mark = self.log.mark()
        self.server.process.send_signal(signal.SIGHUP)
        self.who_judges()
        self.next_login()
        away.close()
        # The latter if that has taken half a minute.
        self.log.wait("reload-refused .*(account _popfront|not judged)", mark)
        self.next_login()

    def test_name_service_that_never_answers(self):
        """The bound of that wait is a signal."""
        self.serve()
        hang_accounts(self, self.host)
        mark = self.log.mark()
        self.server.process.send_signal(signal.SIGHUP)
        self.who_judges().kill(signal.SIGALRM)
        self.log.wait("reload-refused .*the configuration was not judged", mark)
        self.next_login()

    def test_stop_while_it_is_judged(self):
        self.serve()
        hang_accounts(self, self.host)
        self.server.process.send_signal(signal.SIGHUP)
        judge = self.who_judges()
        self.server.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.server.process.wait(60), 0)
        self.wait_for(lambda: not os.path.exists("/proc/%d" % judge.pid),
                      "end of who judges")
        self.assertEqual(self.log.find("reload-refused", self.mark), [])

    def test_what_cannot_be_changed(self):
        self.serve("ctl_group = adm")
        for row, why in (("run_dir = /run/other", "run_dir cannot be changed"),
                         ("state_dir = /var/lib/popper/x", "state_dir cannot"),
                         ("isolation = single", "isolation cannot be")):
            self.assertIn(why, self.again(row, expect="reload-refused"))
        self.assertIn(CONF + ": ctl_group cannot",      # no line has it
                      self.again(expect="reload-refused"))
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
        self.log.wait(r"listening text=127\.0\.0\.1:1110", mark)
        self.assertEqual(len(self.log.find("listening ", mark)), 1)
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
        for rows, why in (
                (("listen = 127.0.0.1:110", "listen = *:110"), "at already"),
                (("listen = *:110", "listen = 127.0.0.1:110"), "at already"),
                (("listen = 127.0.0.1:110", "listen = 127.0.0.1:0110"),
                 ":10: listen: 127.0.0.1:0110 is there twice")):
            self.assertIn(why, self.again(*rows, expect="reload-refused"))
        self.assertEqual(self.ports(), [110])

    def test_who_waits_at_a_listener_that_leaves(self):
        """They were accepted by the kernel before."""
        self.serve("listen = 127.0.0.1:110", "listen = 127.0.0.1:109")
        self.configure("listen = 127.0.0.1:110", fronts=2,
                       max_sessions_per_address=1000)
        fronts = self.named("popper-front")
        for m in fronts:
            m.kill(signal.SIGSTOP)
            self.addCleanup(m.kill, signal.SIGCONT)
        waiting = [self.host.connect(109) for _ in range(20)]
        kept = [self.host.connect(110) for _ in range(20)]
        self.server.process.send_signal(signal.SIGHUP)
        for s in kept:                  # new fronts take those
            with Pop(s) as pop:
                pop.quit()
        self.assertEqual(self.log.find(": reloaded ", self.mark), [])
        for m in fronts:
            m.kill(signal.SIGCONT)
        for s in waiting:
            with Pop(s) as pop:
                pop.quit()
        self.log.wait(": reloaded ", self.mark)
        self.settled()
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
        for name, text in (("popper", b"user=bob"), ("trace", b"dialogue")):
            path = "/var/log/popper/%s.log" % name
            self.wait_for(lambda p=path, t=text: t in self.host.read(p), path)
        self.assertNotIn(b"user=alice",
                         self.host.read("/var/log/popper/popper.log"))
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

    def test_nothing_is_left_open(self):
        """In no process, however often."""
        self.serve("listen = 127.0.0.1:110", "listen = 127.0.0.1:109")
        self.login("bob").quit()
        self.no_sessions()
        kinds = self.steady(self.kinds)
        for _ in range(3):
            self.again("listen = 127.0.0.1:110", "listen = 127.0.0.1:1110")
            self.again("listen = 127.0.0.1:110", "listen = 127.0.0.1:109")
        self.login("bob").quit()
        self.no_sessions()
        self.settled()
        self.wait_for(lambda: self.kinds() == kinds,
                      "same descriptors: %r" % kinds)

    def kinds(self):
        """How many descriptors each role has, but for those that stay for a
        worker's sake."""
        return sorted((m.status["Name"][0], self.open_files(m))
                      for m in self.members()
                      if m.status["Name"][0] in ("popper", "popper-front",
                                                 "popper-spawner"))

    # -- many at once ---------------------------------------------------------

    def test_a_hundred_at_once(self):
        self.serve()
        pop, bob = self.connect(), self.login("bob")
        main = self.main()
        for i in range(100):
            self.configure(fronts=2, max_sessions_per_address=1000,
                           hostname="n%d.example.org" % i)
            main.kill(signal.SIGHUP)
        end = time.monotonic() + 90
        while b" at n99.example.org " not in self.connect().greeting:
            self.assertLess(time.monotonic(), end, "the last one was lost")
            time.sleep(0.05)
        self.assertEqual(self.log.find("refused|died|misbehaved", self.mark),
                         [])
        pop.login("alice", PASSWORD)
        pop.quit()
        bob.quit()
        self.assertEqual(self.main().pid, main.pid)


class Told(again.Again):
    """By the service manager's protocol."""

    def test_the_manager_is_told(self):
        self.configure(fronts=2)
        manager = Manager(self.host, "@popper-reload")
        self.addCleanup(manager.close)
        self.server = Serve(self.host, env={"NOTIFY_SOCKET": manager.name})
        self.addCleanup(self.server.stop)
        manager.wait("READY", "1")
        hup = lambda: self.server.process.send_signal(signal.SIGHUP)
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        hup()
        got = manager.wait("RELOADING", "1")
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.assertTrue(before <= int(got["MONOTONIC_USEC"]) <= now)
        self.assertNotIn("refused", manager.wait("READY", "1")["STATUS"])
        self.configure("timeout = x")
        hup()
        manager.wait("RELOADING", "1")
        self.assertIn("the last reload was refused",
                      manager.wait("READY", "1")["STATUS"])
        self.configure(max_sessions=5)
        hup()
        manager.wait("RELOADING", "1")
        self.assertEqual(manager.wait("READY", "1")["STATUS"],
                         "2 listeners, 0 of at most 5 sessions")


class Single(again.Again):
    """isolation = single, as an ordinary user."""

    OWN = "/home/alice/pop"

    def single(self, **options):
        self.host.write(self.OWN + "/conf", family.conf(**{
            **family.OPTIONS, "isolation": "single", "maildrop": "~/mbox",
            "listen": "127.0.0.1:1110", "passwd_file": "users",
            "state_dir": "state", "run_dir": "run", "deny_file": "none",
            **options}), 0o644, "alice")

    def test_reload(self):
        self.host.mkdir(self.OWN, 0o755, "alice")
        self.host.write(self.OWN + "/users", "alice:{PLAIN}%s:1001:1001::"
                        "/home/alice\n" % PASSWORD, 0o600, "alice")
        self.host.write("/home/alice/mbox", self.mail, 0o600, "alice")
        self.host.write(self.OWN + "/none", "", 0o644, "alice")
        self.single()
        process = self.host.popen(["/usr/sbin/popper", "serve", "--config",
                                   self.OWN + "/conf"], user="alice")
        self.addCleanup(process.stop)
        self.server = type("Server", (), {"process": process})
        self.host.wait_port(1110)
        old = Pop(self.host.connect(1110))
        self.addCleanup(old.close)
        old.login("alice", PASSWORD)
        self.single(listen="127.0.0.1:1111", hide_version="yes")
        self.assertIn("reloaded listeners=1 sessions=1", self.hup())
        with self.assertRaises(ConnectionRefusedError):
            self.host.connect(1110)
        with Pop(self.host.connect(1111)) as new:
            self.assertNotIn(b"(version", new.greeting)
        for row, why in ({"timeout": "x"}, "mistakes: 1"), (
                {"isolation": "split"}, "isolation cannot be"):
            self.single(**row)
            self.assertIn(why, self.hup("reload-refused"))
        self.assertEqual(old.stat()[0], 3)
        old.dele(1)
        old.quit()


if __name__ == "__main__":
    unittest.main()
