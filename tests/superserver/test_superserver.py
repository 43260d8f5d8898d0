# SPDX-License-Identifier: ISC
"""A bare popper under real super-servers, as root, for accounts of PAM.

openbsd-inetd, xinetd and systemd-socket-activate (--inetd) each start it on
the POP3 port and on the POP2 port, as the manual says.  `popper serve`, which
needs none of them, must pass the same tests, and again with sockets that
systemd-socket-activate has handed over.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib import nasty, spool                                    # noqa: E402
from lib.host import HOSTNAME, Host                             # noqa: E402
from lib.popper import Pop, PopError                            # noqa: E402
from lib.unpack import unpack                                   # noqa: E402

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "tls"))

from house_tls import certificate                               # noqa: E402

PORTS = (110, 109)
CONF = "peer_check = no\nauth_fail_delay = 1\n"
MAIL = nasty.mbox(nasty.NASTY[:5])

# Lines of popper itself, whatever its super-server logs.
OURS = r"^popper(\[\d+\])?: "


class SuperServer:
    """The tests; a subclass says how its super-server is started."""

    packages = ()
    # Processes of popper that run as root while a session is on: its monitor.
    roots = 1

    @classmethod
    def setUpClass(cls):
        cls.host = Host(packages=[unpack(p) for p in cls.packages])
        cls.addClassCleanup(cls.host.close)
        cls.host.add_user("alice", 1001, password="wonderland")
        cls.host.write("/etc/popper/popper.conf", CONF)

    def begin(self, *flags):
        """The super-server, ready, with popper's flags in its table."""
        server = self.start(list(flags))
        self.addCleanup(server.stop)
        for port in PORTS:
            self.host.wait_port(port)
        return server

    def setUp(self):
        self.host.spool("alice", MAIL)
        self.log = self.host.syslog
        self.mark = self.log.mark()

    def pop(self, port=110, **kw):
        pop = Pop(self.host.connect(port), **kw)
        self.addCleanup(pop.close)
        return pop

    def test_session_on_both_ports(self):
        self.begin("-s")
        for port in PORTS:
            with self.subTest(port=port):
                self.host.spool("alice", MAIL)
                sent = spool.messages(MAIL)
                mark = self.log.mark()
                pop = self.pop(port)
                self.assertRegex(pop.greeting.decode(),
                                 r"^\+OK .+ at %s starting\.$" % HOSTNAME)
                self.assertEqual(pop.login("alice", "wonderland"),
                                 (5, sum(len(m.wire) for m in sent)))
                for i, m in enumerate(sent, 1):
                    self.assertEqual(pop.retr(i), m.wire)
                pop.dele(2)
                pop.dele(4)
                pop.quit()
                left = spool.messages(self.host.spool("alice"))
                self.assertEqual(
                    [nasty_name(m) for m in left],
                    [nasty.NAMES[i] for i in (0, 2, 4)])
                gone = len(sent[1].wire) + len(sent[3].wire)
                kept = sum(len(m.wire) for m in sent) - gone
                self.log.wait(OURS + r"Stats: alice 2 %d 3 %d 127\.0\.0\.1\b"
                              % (gone, kept), mark)
                self.log.wait(OURS + r"login .*\buser=alice", mark)
                self.log.wait(OURS + r"session-end .*\buser=alice", mark)

    def test_wrong_password_ends_the_session(self):
        self.begin()
        for user in ("alice", "nobody-of-that-name", "root"):
            with self.subTest(user=user):
                mark = self.log.mark()
                pop = self.pop()
                pop.cmd("USER", user)
                began = time.monotonic()
                with self.assertRaises(PopError) as e:
                    pop.cmd("PASS", "wrong")
                self.assertEqual(e.exception.args[0],
                                 b"[AUTH] Authentication failed.")
                self.assertGreater(time.monotonic() - began, 0.9)
                pop.at_end()
                self.log.wait(OURS + r"login-failed .*\buser=%s .*reason="
                              % user, mark)
        self.assertEqual(self.host.spool("alice"), MAIL)

    def test_bad_flag_is_a_line_in_the_log(self):
        for flags in (["-Z"], ["-T", "soon"], ["-b"]):
            with self.subTest(flags=flags):
                server = self.begin(*flags)
                mark = self.log.mark()
                for port in PORTS:
                    sock = self.host.connect(port)
                    self.assertEqual(sock.recv(100), b"")
                    sock.close()
                self.log.wait(OURS, mark, count=2)
                time.sleep(0.2)
                self.assertEqual(len(self.log.find(OURS, mark)), 2)
                server.stop()

    def test_bad_trace_path_does_not_stop_mail(self):
        self.begin("-t", "/nonexistent/folder/trace")
        pop = self.pop()
        pop.login("alice", "wonderland")
        self.assertEqual(len(pop.list()), 5)
        pop.quit()
        self.log.wait(OURS + ".*/nonexistent/folder/trace", self.mark)

    def test_trace_file_takes_the_debugging(self):
        """... and the log still has what an operator must see."""
        self.begin("-t", "/var/lib/popper/trace")
        pop = self.pop()
        pop.login("alice", "wonderland")
        pop.quit()
        pop = self.pop()
        pop.cmd("USER", "alice")
        with self.assertRaises(PopError):
            pop.cmd("PASS", "wonderlanD")
        pop.at_end()
        self.log.wait(OURS + "login-failed .*user=alice", self.mark)
        trace = self.host.read("/var/lib/popper/trace")
        self.assertIn(b"alice", trace)
        self.assertIn(b"dialogue", trace)
        self.assertNotIn(b"wonderlan", trace)
        self.assertEqual(self.log.find(OURS + "dialogue", self.mark), [])

    def test_second_session_is_told_in_use(self):
        self.begin()
        first = self.pop()
        first.login("alice", "wonderland")
        second = self.pop(109)
        second.cmd("USER", "alice")
        with self.assertRaises(PopError) as e:
            second.cmd("PASS", "wonderland")
        self.assertTrue(e.exception.args[0].startswith(b"[IN-USE] "))
        second.close()
        self.assertEqual(first.stat()[0], 5)
        first.quit()
        third = self.pop()
        third.login("alice", "wonderland")
        third.quit()

    def test_log_daemon_restart(self):
        self.begin("-s")
        waiting, logged_in = self.pop(), self.pop()
        logged_in.login("alice", "wonderland")
        self.log.stop(unlink=True)
        self.log.start()
        mark = self.log.mark()
        logged_in.dele(1)
        logged_in.quit()
        self.log.wait(OURS + r"session-end .*\buser=alice", mark)
        self.log.wait(OURS + r".*\balice 1 \d+ 4 \d+", mark)
        waiting.cmd("USER", "alice")
        with self.assertRaises(PopError):
            waiting.cmd("PASS", "wrong")
        self.log.wait(OURS + r"login-failed .*\buser=alice", mark)

    def test_session_runs_as_the_user(self):
        self.begin()
        pop = self.pop()
        pop.login("alice", "wonderland")
        # The recovery with which serve begins ends by itself.
        deadline = time.monotonic() + 60
        while (owners := self.host.call(processes, "popper")).count(0) \
                > self.roots and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertIn(1001, owners)
        self.assertEqual(owners.count(0), self.roots)
        pop.quit()

    def test_password_is_in_no_line(self):
        self.begin("-d")
        pop = self.pop()
        pop.login("alice", "wonderland")
        pop.quit()
        pop = self.pop()
        pop.cmd("USER", "alice")
        with self.assertRaises(PopError):
            pop.cmd("PASS", "queen-of-hearts")
        self.log.wait("login-failed", self.mark)
        self.assertEqual(self.log.find("wonderland|queen-of-hearts"), [])


def nasty_name(message):
    for line in message.disk.split(b"\n"):
        if line.startswith(b"Subject: "):
            return line[9:].decode()
    raise AssertionError("no subject")


def processes(name):
    """The uids of the processes of this name."""
    out = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/status" % pid, encoding="ascii") as f:
                lines = f.read().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if lines[0].split()[1].split("-")[0] == name:
            out.append(next(int(line.split()[1]) for line in lines
                            if line.startswith("Uid:")))
    return out


class Inetd(SuperServer, unittest.TestCase):
    packages = ("openbsd-inetd",)

    def start(self, flags):
        # The words after the program are its argv, argv[0] included.
        self.host.write("/etc/inetd.conf", "".join(
            "%s stream tcp nowait.1000 root /usr/sbin/popper popper %s\n"
            % (name, " ".join(flags)) for name in ("pop3", "pop2")))
        return self.host.popen(["/usr/sbin/inetd", "-i", "/etc/inetd.conf"])


class InetdWait(unittest.TestCase):
    """inetd's other way: it hands its socket over, to one server for all who
    come, and has it back when that has ended."""

    PACKAGE = "openbsd-inetd"
    PORTS = {"pop3": 110}
    IDLE = "inetd_idle = 1\n"

    def setUp(self):
        self.host = Host(packages=[unpack(self.PACKAGE), unpack("curl")])
        self.addCleanup(self.host.close)
        self.host.add_user("alice", 1001, password="wonderland")
        self.host.spool("alice", MAIL)
        self.log = self.host.syslog

    def start(self, argv, conf=CONF, user="root"):
        self.host.write("/etc/popper/popper.conf",
                        "listen = 127.0.0.1:1110\n" + conf)
        self.addCleanup(self.super_server(argv, user).stop)
        for port in self.PORTS.values():
            self.host.wait_port(port)

    def super_server(self, argv, user):
        self.host.write("/etc/inetd.conf", "".join(
            "%s stream tcp wait %s /usr/sbin/popper %s\n"
            % (port, user, argv) for port in self.PORTS.values()))
        return self.host.popen(["/usr/sbin/inetd", "-i", "/etc/inetd.conf"])

    def pop(self):
        pop = Pop(self.host.connect(110))
        self.addCleanup(pop.close)
        return pop

    def session(self):
        pop = self.pop()
        self.assertEqual(pop.login("alice", "wonderland")[0], 5)
        pop.quit()

    def ended(self):
        return len(self.log.find(OURS + "listening-ended "))

    def test_a_bare_popper_serves_all(self):
        self.start("popper -s")
        for _ in range(3):
            self.session()
        self.log.wait(OURS + "Stats: alice ", count=3)
        self.log.wait(r"listening text=\S+:110 by=inetd$")
        self.assertEqual(len(self.log.find(OURS + "listening ")), 1)
        with self.assertRaises(ConnectionRefusedError):
            self.host.connect(1110)
        self.assertEqual(self.ended(), 0)

    def test_it_ends_without_clients_and_comes_again(self):
        """A stranger, or who has logged in, is one."""
        self.start("popper serve", CONF + self.IDLE)
        pop = self.pop()
        time.sleep(2.5)
        pop.login("alice", "wonderland")
        time.sleep(2.5)
        self.assertEqual(self.ended(), 0)
        pop.quit()
        self.log.wait(OURS + "stopped ")
        self.assertEqual(self.ended(), 1)
        self.session()
        self.log.wait(OURS + "listening ", count=2)

    def signal(self, who, name):
        self.host.run(["sh", "-c", "grep -lx %s /proc/[0-9]*/comm |"
                       " cut -d/ -f3 | xargs kill -%s" % (who, name)])

    def test_who_comes_at_the_end_is_served(self):
        """... to his end, and keeps nobody out."""
        self.start("popper serve", CONF + self.IDLE + "fronts = 1\n")
        self.session()
        self.signal("popper-front", "STOP")
        sock = self.host.connect(110)
        self.addCleanup(sock.close)
        time.sleep(3)
        self.signal("popper-front", "CONT")
        stays = Pop(sock)
        time.sleep(2.5)
        self.session()
        stays.login("alice", "wonderland")
        stays.quit()
        self.log.wait(OURS + "stopped ")
        self.session()

    def test_tls(self):
        """A line of its own for port 995, and STLS on the other: a client of
        others gets his mail by both."""
        self.PORTS = {"pop3": 110, "pop3s": 995}
        cert, key = certificate(HOSTNAME)
        self.host.write("/etc/popper/cert.pem", cert)
        self.host.write("/etc/popper/key.pem", key, 0o600)
        self.start("popper serve", CONF + "listen = *:995 tls\nlogin_delay = 0\n"
                   "tls_certificate = /etc/popper/cert.pem"
                   " key=/etc/popper/key.pem\nplaintext_networks =\n")
        for scheme, more in (("pop3", ["--ssl-reqd"]), ("pop3s", [])):
            with self.subTest(scheme):
                self.host.spool("alice", MAIL)
                r = self.host.run(
                    ["curl", "-sS", "--cacert", "/etc/popper/cert.pem",
                     *more, "-u", "alice:wonderland", "--connect-to",
                     "::127.0.0.1:", "%s://%s/3" % (scheme, HOSTNAME)])
                self.assertEqual((r.returncode, r.stdout),
                                 (0, spool.messages(MAIL)[2].wire), r.stderr)
        for port in self.PORTS.values():
            self.log.wait(r"listening text=\S+:%d by=inetd$" % port)
        self.assertEqual(len(self.log.find(OURS + "listening ")), 2)

    def test_whatever_dies_the_mail_is_whole(self):
        """A session, a front, and the whole of it: inetd starts the next."""
        self.start("popper serve", CONF + "fronts = 1\n")
        for who in ("popper-session", "popper-front", "popper"):
            with self.subTest(who):
                pop = self.pop()
                if who != "popper-front":
                    pop.login("alice", "wonderland")
                    pop.dele(1)
                self.signal(who, "KILL")
                with self.assertRaises((EOFError, OSError)):
                    while True:
                        pop.cmd("NOOP")
                self.assertEqual(self.host.spool("alice"), MAIL)
                self.session()
        self.log.wait(OURS + "listening .*by=inetd", count=2)

    def ctl(self, *words):
        r = self.host.run(["/usr/sbin/popper", "ctl", *words])
        self.assertEqual(r.returncode, 0, r.stderr)
        return r.stdout.decode()

    def test_ctl_speaks_to_all(self):
        """Servers side by side, one for each port; who ends takes no other's
        socket along, and leaves his own to the next."""
        self.PORTS = {"pop3": 110, "pop2": 109}
        self.host.add_user("bob", 1002, password="builder")
        self.start("popper serve")
        pops = {}
        for port, user, password in ((110, "alice", "wonderland"),
                                     (109, "bob", "builder")):
            pop = pops[user] = Pop(self.host.connect(port))
            self.addCleanup(pop.close)
            pop.login(user, password)
        self.assertEqual([w[5] for w in map(str.split, self.ctl(
            "who").splitlines()[1:])], ["alice", "bob"])
        status = [json.loads(line) for line in self.ctl(
            "--json", "status").splitlines()]
        self.assertEqual([s["sessions"] for s in status], [1, 1])
        trace = self.host.popen(["/usr/sbin/popper", "ctl", "trace",
                                 "@127.0.0.1"], stdout=subprocess.PIPE)
        self.addCleanup(trace.stdout.close)
        self.log.wait(OURS + "trace-begin ", count=2)
        for pop in pops.values():
            pop.cmd("NOOP")
        seen = b""
        while seen.count(b"NOOP") < 2:
            line = trace.stdout.readline()
            self.assertNotEqual(line, b"")
            seen += line
        trace.stop()
        self.assertEqual(self.ctl("kick", "bob"), "1 session told to end\n")
        pops["bob"].at_end()
        # The first one ends: the other is still there, and the next one of
        # inetd's is found beside it.
        self.host.run(["sh", "-c", "kill -KILL $(sed -n 's/^PPid://p'"
                       " /proc/%d/status)" % status[0]["auth0_pid"]])
        with self.assertRaises((EOFError, OSError)):
            while True:
                pops["alice"].cmd("NOOP")
        deadline = time.monotonic() + 120       # its roles end by themselves
        while True:
            r = self.host.run(["/usr/sbin/popper", "ctl", "--json", "status"])
            if r.returncode == 0 and r.stdout.count(b"\n") == 1:
                break
            self.assertLess(time.monotonic(), deadline, r)
            time.sleep(0.05)
        self.session()
        self.assertEqual(len(self.ctl("--json", "status").splitlines()), 2)
        self.ctl("stop")
        self.log.wait(OURS + "stopped ", count=2)

    def test_full_disk(self):
        """Nothing is lost, nor what was deleted there again."""
        self.host.run(["mount", "-t", "tmpfs", "-o",
                       "size=4m,mode=2775,gid=8", "none", "/var/mail"])
        self.addCleanup(self.host.run, ["umount", "/var/mail"])
        self.host.spool("alice", MAIL)
        self.start("popper serve", CONF + self.IDLE)
        self.host.run(["sh", "-c", "cat /dev/zero > /var/mail/.full"])
        sent = spool.messages(MAIL)
        pop = self.pop()
        self.assertEqual(pop.login("alice", "wonderland")[0], 5)
        self.assertEqual(pop.retr(1), sent[0].wire)
        pop.dele(1)
        pop.quit()
        left = spool.messages(self.host.spool("alice"))
        self.assertEqual([nasty_name(m) for m in left],
                         [nasty.NAMES[i] for i in range(1, 5)])
        self.log.wait(OURS + "stopped ")
        pop = self.pop()
        self.assertEqual(pop.login("alice", "wonderland")[0], 4)
        self.assertEqual([pop.retr(i) for i in range(1, 5)],
                         [m.wire for m in left])
        pop.quit()
        self.log.wait(OURS + "listening .*by=inetd", count=2)

    def test_it_stays_for_those_who_come_and_go(self):
        """Nobody is there whenever it looks."""
        self.start("popper serve", CONF + self.IDLE)
        end = time.monotonic() + 4
        while time.monotonic() < end:
            self.host.connect(110).close()
            time.sleep(0.2)
        self.assertEqual(self.ended(), 0)

    def test_mistake_in_the_configuration(self):
        """inetd starts it again at once, and gives a service up that is
        started too often."""
        self.start("popper serve", CONF + "max_sessions = none\n")
        pop = self.host.connect(110)
        self.addCleanup(pop.close)
        self.log.wait(OURS + "conf-error .*max_sessions", count=2)
        time.sleep(1.5)
        self.assertLess(len(self.log.find(OURS + "conf-error ")), 5)
        self.host.write("/etc/popper/popper.conf", CONF)
        self.assertIn(b"starting", Pop(pop).greeting)

    def test_one_process_for_each(self):
        """isolation = single, as an ordinary user."""
        self.host.write("/home/alice/users", "alice:{PLAIN}wonderland:1001:"
                        "1001::/home/alice\n", 0o600, "alice")
        self.host.write("/home/alice/mbox", MAIL, 0o600, "alice")
        self.start("popper", CONF + self.IDLE + "isolation = single\n"
                   "auth = file\npasswd_file = /home/alice/users\n"
                   "maildrop = ~/mbox\nstate_dir = /home/alice/s\n"
                   "run_dir = /home/alice/r\n", user="alice")
        for n in (1, 2):
            self.session()
            self.log.wait(OURS + "listening .*by=inetd", count=n)
            self.log.wait(OURS + "stopped ", count=n)


XINETD = """service %s
{
	type = UNLISTED
	port = %d
	socket_type = stream
	protocol = tcp
	wait = %s
	user = root
	server = /usr/sbin/popper
	server_args = %s
	cps = 1000 1
	disable = no
}
"""


def xinetd(host, *services):
    host.write("/etc/xinetd.conf", "defaults\n{\n\tinstances = UNLIMITED\n}\n"
               + "".join(XINETD % s for s in services))
    return host.popen(["/usr/sbin/xinetd", "-dontfork", "-f",
                       "/etc/xinetd.conf"])


class Xinetd(SuperServer, unittest.TestCase):
    packages = ("xinetd",)

    def start(self, flags):
        return xinetd(self.host, *(
            (name, port, "no", " ".join(flags) or "-T 600")
            for name, port in (("pop3", 110), ("pop2", 109))))


class XinetdWait(InetdWait):
    PACKAGE = "xinetd"
    # These say nothing about who has started it.
    test_it_ends_without_clients_and_comes_again = None
    test_it_stays_for_those_who_come_and_go = None
    test_who_comes_at_the_end_is_served = None
    test_mistake_in_the_configuration = None
    test_one_process_for_each = None
    test_whatever_dies_the_mail_is_whole = None
    test_full_disk = None
    test_ctl_speaks_to_all = None

    def super_server(self, argv, user):
        return xinetd(self.host, *(
            (name, port, "yes", argv.partition(" ")[2])
            for name, port in self.PORTS.items()))


class Systemd(SuperServer, unittest.TestCase):
    packages = ("systemd",)

    def start(self, flags):
        return self.host.popen(
            ["/usr/bin/systemd-socket-activate", "--inetd", "--accept",
             "-E", "POPPER_REPORT", "-l", "127.0.0.1:110", "-l", "127.0.0.1:109",
             "/usr/sbin/popper", *flags], stderr=-3)


class Serve(SuperServer, unittest.TestCase):
    roots = 3                           # master, warden, spawner

    def start(self, flags):
        self.host.write("/etc/popper/popper.conf", CONF + "".join(
            "listen = 127.0.0.1:%d\n" % port for port in PORTS))
        return self.host.popen(["/usr/sbin/popper", "serve", *flags])

    def test_bad_flag_is_a_line_in_the_log(self):
        """It does not start at all, and says so where it was typed."""
        for flags in (["-Z"], ["-T", "soon"], ["-b"]):
            with self.subTest(flags=flags):
                r = self.host.run(["/usr/sbin/popper", "serve", *flags])
                self.assertEqual(r.returncode, 64)
                self.assertEqual(len(r.stderr.splitlines()), 1, r.stderr)
                self.assertEqual(r.stdout, b"")


class ServeSystemd(SuperServer, unittest.TestCase):
    """One popper serve with two sockets from outside; `listen` is another."""

    packages = ("systemd",)
    roots = 3

    def activate(self, *how, argv=("/usr/sbin/popper", "serve"), **kw):
        self.host.write("/etc/popper/popper.conf",
                        CONF + "listen = 127.0.0.1:1110\n")
        process = self.host.popen(
            ["/usr/bin/systemd-socket-activate", "-E", "POPPER_REPORT", *how,
             *argv], **kw)
        self.addCleanup(process.stop)
        return process

    def start(self, flags):
        return self.activate("-l", "127.0.0.1:110", "-l", "127.0.0.1:109",
                             argv=["/usr/sbin/popper", "serve", *flags],
                             stderr=-3)

    def test_bad_flag_is_a_line_in_the_log(self):
        """It does not start at all."""
        process = self.begin("-Z")
        try:
            self.host.connect(110).close()
        except ConnectionError:
            pass                        # begin() has already been one
        self.assertEqual(process.wait(60), 64)
        self.log.wait(OURS + "conf-error ", self.mark)

    def test_they_replace_listen(self):
        self.begin()
        for port in (109, 110):
            self.pop(port).quit()
        with self.assertRaises(ConnectionRefusedError):
            self.host.connect(1110)
        self.log.wait(r"listening text=127\.0\.0\.1:110 by=manager", self.mark)
        self.log.wait("listening ", self.mark, count=2)
        self.assertEqual(len(self.log.find("listening ", self.mark)), 2)

    def test_reload_keeps_them(self):
        process = self.begin()
        self.pop().quit()
        self.host.write("/etc/popper/popper.conf",
                        CONF + "hide_version = yes\n")
        process.send_signal(signal.SIGHUP)
        self.log.wait(OURS + "reloaded listeners=2 ", self.mark)
        for port in PORTS:
            pop = self.pop(port)
            self.assertNotIn(b"(version", pop.greeting)
            pop.quit()

    def test_ipv6(self):
        self.activate("-l", "[::1]:110", "-l", "1110", stderr=-3)
        for port, address in ((110, "::1"), (1110, "::1"),
                              (1110, "127.0.0.1")):
            self.host.wait_port(port)
            pop = Pop(self.host.connect(port, address))
            pop.login("alice", "wonderland")
            pop.quit()
            self.log.wait(r"session-end .*ip=%s\b" % address, self.mark)

    def refused(self, why, *how, trigger):
        process = self.activate(*how, stderr=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        deadline = time.monotonic() + 60
        while process.poll() is None:
            self.assertLess(time.monotonic(), deadline, "it runs")
            try:
                trigger().close()
            except OSError:
                pass                    # does not listen yet
            time.sleep(0.1)
        self.assertEqual(process.returncode, 1)
        self.assertRegex(process.stderr.read().decode(), "popper: .*" + why)
        self.log.wait(OURS + "listen .*" + why, self.mark)

    def test_local_socket_is_refused(self):
        def knock():
            s = socket.socket(socket.AF_UNIX)
            self.addCleanup(s.close)
            s.connect("/proc/%d/root/run/pop.socket" % self.host.pid)
            return s
        self.refused(r"descriptor 3 is a local \(AF_UNIX\) socket; POP3 is"
                     " served over TCP", "-l", "/run/pop.socket",
                     trigger=knock)

    def test_datagrams_are_refused(self):
        def knock():
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.sendto(b"x", ("127.0.0.1", 110))
            return s
        self.refused("descriptor 3 is no TCP socket", "--datagram",
                     "-l", "127.0.0.1:110",
                     trigger=lambda: self.host.in_network(knock))

    def test_connections_are_refused(self):
        """Accept=yes without StandardInput=socket; its child ends, and the
        super-server does not."""
        self.activate("--accept", "-l", "127.0.0.1:110", stderr=-3)
        self.host.wait_port(110)
        sock = self.host.connect(110)
        self.assertEqual(sock.recv(100), b"")
        sock.close()
        self.log.wait(r"listen .*descriptor 3 does not listen.*Accept=no",
                      self.mark)


class Debugging(unittest.TestCase):
    """-d sets SO_DEBUG on the client's socket, as the manual says."""

    def start(self, *flags):
        """popper on one end of a connection: that end, and the other."""
        def connect():
            with socket.create_server(("127.0.0.1", 0)) as listener:
                client = socket.create_connection(listener.getsockname())
                return listener.accept()[0], client
        server, client = self.host.in_network(connect)
        process = self.host.popen(["/usr/sbin/popper", *flags], stdin=server,
                                  stdout=server, stderr=server)
        self.addCleanup(server.close)
        self.addCleanup(client.close)
        self.addCleanup(process.stop)
        Pop(client)                     # its greeting: the socket is set
        return server

    def setUp(self):
        self.host = Host()
        self.addCleanup(self.host.close)
        self.host.write("/etc/popper/popper.conf", CONF)

    def debugging(self, *flags):
        return self.start(*flags).getsockopt(socket.SOL_SOCKET,
                                             socket.SO_DEBUG)

    def test_on(self):
        with socket.socket() as s:
            try:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_DEBUG, 1)
            except PermissionError:     # a container's root
                return self.assertEqual(self.debugging("-d"), 0)
        self.assertNotEqual(self.debugging("-d"), 0)

    def test_off(self):
        self.assertEqual(self.debugging(), 0)


if __name__ == "__main__":
    unittest.main()
