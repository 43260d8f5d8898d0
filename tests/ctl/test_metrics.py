# SPDX-License-Identifier: ISC
"""The metrics of popper serve: read by Prometheus' own parser, and the same facts
as in the log."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest
import urllib.parse

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TESTS, os.path.join(TESTS, "serve")]

import house                                                    # noqa: E402
from lib import nasty                                           # noqa: E402
from lib.host import Host                                       # noqa: E402
from lib.popper import Pop, PopError                            # noqa: E402
from lib.unpack import is_known, unpack                         # noqa: E402

PASSWORD = house.family.PASSWORD
PORT = 9110
# What Prometheus says, and what others may.
OPEN = "application/openmetrics-text; version=1.0.0,text/plain;q=0.5"
OLD = ("", "*/*", "text/plain;version=0.0.4", "text/html,*/*;q=0.1")
PARSE = """
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
out = {}
for family in text_string_to_metric_families(sys.stdin.read()):
    assert family.documentation, family
    for s in family.samples:
        key = " ".join([s.name] + sorted(s.labels.values()))
        assert key not in out, key
        out[key] = s.value
json.dump(out, sys.stdout)
"""


def request(sock, text):
    """All that comes after it."""
    sock.settimeout(30)
    sock.sendall(text)
    out = b""
    while True:
        data = sock.recv(1 << 16)
        if not data:
            return out
        out += data


class Metrics(house.House):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # One more host, with the parser: it says nothing about popper.
        cls.prometheus = Host(popper=False,
                              packages=[unpack("python3-prometheus-client")])
        cls.addClassCleanup(cls.prometheus.close)

    def serve(self, *rows, **options):
        super().serve(*rows, **{"metrics": "127.0.0.1:%d" % PORT, **options})
        self.wait_for(lambda: self.named("popper-metrics"), "metrics")

    def get(self, path="/metrics", method="GET", sock=None, accept=OPEN):
        """(status, head, body)."""
        with sock or self.host.connect(PORT) as s:
            answer = request(s, ("%s %s HTTP/1.0\r\n%s\r\n" % (
                method, path, accept and "Accept: %s\r\n" % accept)).encode())
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), head.decode(), body.decode()

    def read(self, **kw):
        """{series: value}, as Prometheus reads it."""
        status, head, body = self.get(**kw)
        self.assertEqual(status, 200)
        self.assertIn("application/openmetrics-text; version=1.0.0", head)
        return self.parsed(PARSE, body)

    def parsed(self, program, body):
        r = self.prometheus.run(["/usr/bin/python3", "-c", program],
                                input=body.encode())
        self.assertEqual(r.returncode, 0, r.stderr.decode())
        return json.loads(r.stdout)

    def becomes(self, seconds=120, **want):
        """These series, with - for blanks and words, have these values."""
        def now():
            self.last = self.read()
            return all(self.last[k] == v for k, v in want["of"].items())
        self.wait_for(now, "such metrics: %r" % want["of"], seconds)

    # -- what is counted --------------------------------------------------

    def test_first(self):
        """All series are there from the beginning, and zero."""
        self.serve(max_sessions=77, max_strangers=88)
        got = self.read()
        version = [k for k in got if k.startswith("popper_build_info ")]
        self.assertRegex(version[0], r"popper_build_info \d")
        self.assertEqual(got["popper_limit max_sessions"], 77)
        self.assertEqual(got["popper_limit max_strangers"], 88)
        self.assertGreater(got["popper_start_time_seconds"], 1.6e9)
        # The one that waited for the port.
        self.assertGreater(len(got), 80)
        for key, value in got.items():
            if not re.match(r"popper_(build|limit |start|connections|strangers"
                            r"|limit_use )", key):
                self.assertEqual(value, 0, key)

    def test_as_the_log_has_it(self):
        self.serve(auth_fail_delay=0, auth_tries=3)
        for user, dele in (("alice", 2), ("bob", 0), ("alice", 1)):
            pop = self.login(user)
            for n in range(1, dele + 1):
                pop.retr(n)
                pop.dele(n)
            pop.quit()
            self.no_sessions()
        pop = self.login("bob")
        pop.close()
        self.no_sessions()
        with self.connect() as pop:
            for user in ("alice", "bob"):
                with self.assertRaises(PopError):
                    pop.login(user, "wrong")
        self.log.wait("login-failed .*user=bob", self.mark)
        lines = self.log.lines[self.mark:]
        ends = [dict(re.findall(r"(\w+)=(\S+)", s)) for s in lines
                if " session-end " in s]
        self.assertEqual(len(ends), 4)

        def total(key):
            return sum(int(e[key]) for e in ends)

        self.becomes(of={
            "popper_session_ends_total quit": 3,
            "popper_session_ends_total client-gone": 1,
            "popper_sessions": 0, "popper_strangers": 0,
            "popper_logins_total ok pass": 4,
            "popper_logins_total pass refused": 2,
            "popper_logins_total error pass": 0,
            "popper_messages_retrieved_total": total("retrieved"),
            "popper_messages_deleted_total": total("deleted"),
            "popper_received_bytes_total": total("octets_in"),
            "popper_sent_bytes_total": total("octets_out"),
            "popper_session_seconds_count": 4,
            "popper_session_seconds_bucket +Inf": 4,
            "popper_login_seconds_count": 6})
        self.assertGreater(total("deleted"), 0)
        self.assertLessEqual(abs(self.last["popper_session_seconds_sum"] -
                                 total("ms") / 1000), 1)

    def test_buckets(self):
        self.serve()
        self.login().quit()
        self.becomes(of={"popper_session_seconds_count": 1})
        for name in ("session", "login", "lock_wait"):
            bounds = [(float(k.split()[1]), v) for k, v in self.last.items()
                      if k.startswith("popper_%s_seconds_bucket" % name)]
            self.assertEqual(len(bounds), 15)
            self.assertEqual(bounds, sorted(bounds))
            self.assertEqual([n for _, n in bounds],
                             sorted(n for _, n in bounds))

    def test_now(self):
        self.serve()
        one, two = self.connect(), self.login()
        self.becomes(of={"popper_strangers": 1, "popper_sessions": 1})
        one.close()
        two.quit()
        self.becomes(of={"popper_strangers": 0, "popper_sessions": 0})

    def test_limits(self):
        self.serve(max_sessions=1, max_sessions_per_address=3)
        clients = [self.login(), self.connect(), self.connect()]
        with self.assertRaises(PopError):
            clients[1].login("bob", PASSWORD)
        clients[0].cmd("NOOP")
        refused = [Pop(self.host.connect(110), greet=False)
                   for _ in range(3)]
        lines = [pop.line() for pop in refused]
        self.becomes(of={
            "popper_limit_hits_total max_sessions": 1,
            "popper_limit_use max_sessions": 1,
            "popper_limit max_sessions": 1,
            "popper_limit_hits_total max_sessions_per_address":
                sum(line.startswith(b"-ERR") for line in lines)})
        for pop in refused + clients:
            pop.close()

    def test_limits_of_a_session(self):
        self.serve(max_bad_commands=5, timeout=2, min_rate=1000000)
        pop = self.login()
        pop.send(b"x\r\n" * 5)
        self.ended(pop)
        self.becomes(of={"popper_limit_hits_total max_bad_commands": 1,
                         "popper_limit_hits_total min_rate": 0,
                         "popper_session_ends_total bad-commands": 1})
        self.host.spool("bob", nasty.mbox([
            ("large", b"Subject: large\n\n" + b"x" * 63 * (1 << 18) + b"\n")]))
        pop = self.login("bob")
        pop.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        pop.send(b"RETR 1\r\n")
        end = time.monotonic() + 120
        while not self.log.find("session-end .*user=bob", self.mark):
            self.assertLess(time.monotonic(), end)
            try:        # who takes so little that no window opens is idle
                pop.sock.recv(8192)
            except ConnectionResetError:
                pass
            time.sleep(0.05)
        self.becomes(of={"popper_limit_hits_total min_rate": 1,
                         "popper_session_ends_total too-slow": 1})

    def test_penalties(self):
        """Until they are forgiven; the next auth has them, too, and two of them
        have them once."""
        there = "192.0.2.77"
        self.host.run(["ip", "address", "replace", there + "/32", "dev", "lo"],
                      check=True)
        self.serve(auth_fail_delay=0)

        def guess(first):
            for n in range(first, first + 3):
                with Pop(self.host.in_network(
                        socket.create_connection, (there, 110), 30,
                        (there, 0))) as pop:
                    with self.assertRaisesRegex(PopError, "AUTH"):
                        pop.login("alice", "wrong%d" % n)
        guess(0)
        self.becomes(of={"popper_penalties address": 1,
                             "popper_penalties network": 0,
                             "popper_penalties user": 0})
        self.host.run(["/usr/sbin/popper", "ctl", "penalties", "--clear",
                       "@" + there], check=True)
        self.becomes(of={"popper_penalties address": 0})
        self.named("popper-auth")[0].kill()
        self.log.wait("role-died .*role=popper-auth", self.mark)
        self.wait_for(lambda: self.count() == house.ROLES, "new auth")
        guess(3)                        # the same ones would not count
        self.becomes(of={"popper_penalties address": 1})
        self.named("popper-auth")[0].kill()
        self.log.wait("role-died .*role=popper-auth", self.mark, count=2)
        self.becomes(of={"popper_penalties address": 1})
        stranger = self.connect()
        self.host.run(["/usr/sbin/popper", "ctl", "reload"], check=True)
        self.log.wait("reloaded ", self.mark)
        self.assertEqual(len(self.named("popper-auth")), 2)
        self.becomes(of={"popper_penalties address": 1})
        stranger.quit()

    def test_lock_wait(self):
        self.serve()
        pop = self.login()
        pop.dele(1)
        lock = self.host.call(make_lock)
        pop.send(b"QUIT\r\n")
        self.log.wait("login .*user=alice", self.mark)
        self.wait_for(lambda: any("update" in s for s in self.stages()),
                      "update")
        self.host.call(os.unlink, lock)
        self.assertIn(b"signing off", pop.reply())
        self.becomes(of={"popper_lock_wait_seconds_count": 1})

    def stages(self):
        r = self.host.run(["/usr/sbin/popper", "ctl", "--json", "who"],
                          check=True)
        return [json.loads(s)["stage"] for s in r.stdout.splitlines()]

    def test_deaths(self):
        """Counters of a front that died live on; what it held does not."""
        self.serve()
        held = [self.connect() for _ in range(4)]
        self.becomes(of={"popper_strangers": 4})
        before = self.last
        for m in self.named("popper-front"):
            m.kill()
        for pop in held:
            self.ended(pop)
        self.wait_for(lambda: self.count() == house.ROLES, "new fronts")
        self.becomes(of={"popper_role_deaths_total front": 2,
                         "popper_strangers": 0})
        self.assertGreaterEqual(self.last["popper_connections_total"],
                                before["popper_connections_total"])
        self.named("popper-metrics")[0].kill()
        self.becomes(of={"popper_role_deaths_total metrics": 1})

    def test_reload(self):
        """The next ones count on, and what is told is of all of them."""
        self.serve(max_sessions=77)
        alice = self.login()
        held = self.connect()
        self.login("bob").quit()
        self.becomes(of={"popper_session_ends_total quit": 1})
        before = self.last
        self.configure(fronts=2, max_sessions_per_address=1000,
                       max_sessions=78, metrics="127.0.0.1:%d" % PORT)
        self.server.process.send_signal(signal.SIGHUP)
        self.log.wait("reloaded ", self.mark)
        self.becomes(of={"popper_limit max_sessions": 78})
        self.becomes(of={"popper_sessions": 1, "popper_strangers": 1,
                         "popper_logins_total ok pass": 2})
        self.login("bob").quit()
        alice.quit()
        held.close()
        self.becomes(of={
            "popper_session_ends_total quit": 3, "popper_strangers": 0,
            "popper_sessions": 0, "popper_logins_total ok pass": 3,
            "popper_connections_total": before["popper_connections_total"] + 1})
        for key, value in self.last.items():
            if "_deaths_" in key:
                self.assertEqual(value, 0, key)
        self.wait_for(lambda: self.count() == house.ROLES and
                      len(self.named("popper-metrics")) == 1, "one crew")

    def test_crash(self):
        self.serve()
        self.login()
        self.sessions()[0].kill()
        self.becomes(of={"popper_session_ends_total crash": 1,
                         "popper_sessions": 0})

    def test_errors(self):
        self.serve(auth_timeout=1)
        self.ended(self.asked_about())
        self.becomes(of={"popper_logins_total error pass": 1})

    # -- in which format --------------------------------------------------

    def test_old_format(self):
        """For who does not know OpenMetrics: the same series."""
        self.serve()
        self.login().quit()
        self.becomes(of={"popper_session_ends_total quit": 1})

        def old(accept):
            status, head, body = self.get(accept=accept)
            self.assertEqual(status, 200)
            self.assertIn("Content-Type: text/plain; version=0.0.4", head)
            return self.parsed(PARSE.replace("openmetrics.", ""), body)
        for accept in OLD:              # until nothing changes any more
            self.wait_for(lambda a=accept: old(a) == self.read(),
                          "the same series")
        self.assertIn("openmetrics", self.get(accept=OPEN.upper())[1])

    # -- who asks ---------------------------------------------------------

    def test_http(self):
        self.serve()
        self.assertEqual(self.get("/")[0], 404)
        self.assertEqual(self.get(method="POST")[0], 405)
        self.assertEqual(self.get(method="HEAD")[::2], (200, ""))
        self.assertEqual(self.get("/metrics?x=%00")[0], 200)
        with self.host.connect(PORT) as s:
            s.sendall(b"x" * 20000)
            # libmicrohttpd says why, and from its version 1 on just hangs up
            self.assertRegex(s.recv(100), rb"\A(HTTP/1\.[01] 4|\Z)")
        self.assertEqual(self.get("/metrics")[0], 200)

    def test_who_says_little_at_a_time(self):
        """Sixteen at a time, ten seconds each, whatever is said in them; others
        wait so long, and nobody who reads mail notices."""
        self.serve()
        slow = [self.host.connect(PORT) for _ in range(30)]
        for s in slow:
            self.addCleanup(s.close)
            s.sendall(b"GET /metrics HTTP/1.1\r\n")
        self.login().quit()
        answered = threading.Event()

        def drip():
            while not answered.wait(0.5):
                for s in slow[:8]:
                    try:
                        s.sendall(b"A: b\r\n")
                    except OSError:
                        pass
        thread = threading.Thread(target=drip)
        thread.start()
        try:
            self.assertEqual(self.get()[0], 200)        # within half a minute
            for s in slow[:16]:
                s.settimeout(5)
                try:
                    self.assertEqual(s.recv(1), b"")
                except ConnectionResetError:
                    pass
        finally:
            answered.set()
            thread.join()

    def test_socket(self):
        path = "/run/popper/metrics"
        self.host.add_group("popper", 700, ["bob"])
        self.serve(metrics=path)
        st = self.host.call(os.stat, path)
        self.assertEqual((st.st_mode & 0o777, st.st_gid), (0o660, 700))
        s = socket.socket(socket.AF_UNIX)
        s.connect("/proc/%d/root%s" % (self.host.pid, path))
        self.assertIn("popper_sessions", self.read(sock=s))

    def test_stop_frees_the_port(self):
        """Whoever still has it: a restart has metrics, too."""
        self.serve()
        last = self.named("popper-metrics")[0]
        last.kill(signal.SIGSTOP)
        self.addCleanup(last.kill)
        self.assertEqual(self.server.stop(), 0)
        with self.assertRaises(ConnectionRefusedError):
            self.host.connect(PORT)
        self.server = self.SERVER(self.host)
        self.addCleanup(self.server.stop)
        self.wait_for(lambda: {m.pid for m in self.named("popper-metrics")} -
                      {last.pid}, "metrics")
        self.assertEqual(self.read()["popper_sessions"], 0)
        self.assertEqual(self.log.find("metrics-listen", self.mark), [])

    def test_off(self):
        house.House.serve(self)
        self.assertEqual(self.named("popper-metrics"), [])
        with self.assertRaises(ConnectionRefusedError):
            self.host.connect(PORT)

    def test_only_this_host(self):
        for where in ("*:9110", "0.0.0.0:9110", "192.0.2.1:9110", "[::]:9110",
                      "127.0.0.1", "metrics"):
            self.configure(metrics=where, auth="pam")
            r = self.host.run(["/usr/sbin/popper", "check"])
            self.assertIn(b"error: metrics", r.stdout, where)

    def test_no_rights(self):
        self.serve()
        self.read()             # it answers, so it is in its cage
        role, = self.named("popper-metrics")
        self.assertEqual((role.uid, role.status["Seccomp"],
                          role.status["CapEff"]), (990, ["2"], ["0" * 16]))
        self.assertIn("/empty", os.readlink("/proc/%d/root" % role.pid))
        # Two fronts, master and auth count, three of them addresses.
        self.assertEqual(self.shared(role), (7, 0))
        self.login()
        # No counts; the switch of a trace, which is for one of them to turn.
        for m in (self.sessions()[0], self.named("popper-spawner")[0]):
            self.assertEqual(self.shared(m), (1, 0))
        self.assertEqual(self.shared(self.named("popper-ctl")[0]), (1, 1))
        # Its tally and its metrics; and the switch.
        self.assertEqual(self.shared(self.named("popper-front")[0]), (8, 2))
        # Its metrics, and the penalties, which nobody else has.
        self.assertEqual(self.shared(self.named("popper-auth")[0]), (5, 2))

    @staticmethod
    def shared(member):
        """How many rows of shared counters it has, and can write."""
        maps = [s.split() for s in member.read("maps").decode().splitlines()
                if "memfd:popper" in s]
        return len(maps), sum("w" in s[1] for s in maps)


class Scraped(house.House):
    """By Prometheus itself, which runs on the same host, and by its linter."""

    WEB = 9090
    CONF = """
global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs:
  - { job_name: popper, static_configs: [ { targets: ["127.0.0.1:%d"] } ] }
""" % PORT

    @classmethod
    def archives(cls):
        # All of the package, with what it depends on, is 300 MB.
        # promtool was part of it until Debian 12.
        return [unpack("prometheus", *filter(is_known, ["promtool"]),
                       only=("usr/bin/prometheus", "usr/bin/promtool"))]

    def serve(self, *rows, **options):
        super().serve(*rows, metrics="127.0.0.1:%d" % PORT, **options)
        self.wait_for(lambda: self.named("popper-metrics"), "metrics")

    def ask(self, what):
        """Its HTTP API; None: it is not ready."""
        with self.host.connect(self.WEB) as s:
            answer = request(s, ("GET /api/v1/%s HTTP/1.0\r\n\r\n"
                                 % what).encode())
        head, _, body = answer.partition(b"\r\n\r\n")
        if b" 200 " not in head.splitlines()[0]:
            return None
        return json.loads(body)["data"]

    def value(self, series):
        """The last value of that one series; None: it has none."""
        got = self.ask("query?query=" + urllib.parse.quote(series))
        found = got["result"] if got else []
        return float(found[0]["value"][1]) if len(found) == 1 else None

    def scrape(self):
        self.host.write("/tmp/prometheus.yml", self.CONF)
        self.host.mkdir("/tmp/prometheus")
        server = self.host.popen([
            "/usr/bin/prometheus", "--config.file=/tmp/prometheus.yml",
            "--storage.tsdb.path=/tmp/prometheus",
            "--web.listen-address=127.0.0.1:%d" % self.WEB],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(server.stop)
        self.host.wait_port(self.WEB, timeout=60)

    def test_scraped(self):
        self.serve()
        self.login().quit()
        pop = self.login()
        self.scrape()
        self.wait_for(lambda: self.value("up") == 1 and
                      self.value("popper_sessions") == 1, "a scrape", 60)
        for series, value in (
                ('popper_logins_total{result="ok",method="pass"}', 2),
                ('popper_session_ends_total{reason="quit"}', 1),
                ('popper_login_seconds_bucket{le="+Inf"}', 2),
                ('popper_limit_hits_total{limit="min_rate"}', 0),
                ('popper_penalties{kind="user"}', 0)):
            self.assertEqual(self.value(series), value, series)
        # It knows this type from OpenMetrics alone.
        self.assertEqual(self.ask("metadata?metric=popper_build")
                         ["popper_build"][0]["type"], "info")
        pop.quit()
        self.wait_for(lambda: self.value("popper_sessions") == 0, "the next", 60)

    def test_linter(self):
        self.serve()
        with self.host.connect(PORT) as s:
            body = request(s, b"GET /metrics HTTP/1.0\r\n\r\n")
        body = body.partition(b"\r\n\r\n")[2]
        lint = ["/usr/bin/promtool", "check", "metrics"]
        r = self.host.run(lint, input=body)
        self.assertEqual((r.returncode, r.stdout, r.stderr), (0, b"", b""))
        r = self.host.run(lint, input=body.replace(b"_total", b""))
        self.assertNotEqual(r.returncode, 0)


def make_lock():
    with open("/var/mail/alice.lock", "x", encoding="ascii") as f:
        f.write("1")
    return "/var/mail/alice.lock"


if __name__ == "__main__":
    unittest.main()
