# SPDX-License-Identifier: ISC
"""User databases in SQL: SQLite, and a real PostgreSQL."""

from base64 import b64decode, b64encode
import os
import re
import sqlite3
import subprocess
import sys
import time
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TESTS, *(os.path.join(TESTS, name)
                         for name in ("auth", "sasl", "tls"))]

import logins                                                   # noqa: E402
from authority import Authority                                 # noqa: E402
from scram import Scram                                         # noqa: E402
from lib.host import crypt                                      # noqa: E402
from lib.popper import Pop, PopError, Serve                     # noqa: E402
from lib.unpack import unpack                                   # noqa: E402

POPPER = "/usr/sbin/popper"
PLACE = "/etc/popper/mail.conf"
LITE = "/srv/users.sqlite"
SERVED = 2110
LONG = bool(os.environ.get("POPPER_LONG"))
SIX = "$6$rounds=1000$saltsalt$"
COLUMNS = "name, password, uid, gid, home, maildrop, nologin"
NASTY = ["o'brien", 'a"b', "100%", "back\\slash", "';--", "a$1", "_", "?1"]
ROWS = [
    ("ann", crypt("wonderland", SIX), None, None, None, None, 0),
    ("two", "{BLF-CRYPT}" + crypt("wonderland", "$2b$05$abcdefghijklmnopqrstuu"),
     5000, 5000, "/home/two", None, 0),
    ("drop", "{PLAIN}wonderland", 5000, 5000, None, "/var/mail/other", 0),
    ("root", "{PLAIN}wonderland", 0, 0, None, None, 0),
    ("closed", "{PLAIN}wonderland", None, None, None, None, 1),
    ("null", None, None, None, None, None, 0),
    ("odd", "{ODD}x", None, None, None, None, 0),
    ("rel", "{PLAIN}wonderland", None, None, "home", None, 0),
    ("long", "x" * 2000, None, None, None, None, 0),
    ("dup", "{PLAIN}a", None, None, None, None, 0),
    ("dup", "{PLAIN}b", None, None, None, None, 0),
] + [(n, "{PLAIN}wonderland", None, None, None, None, 0) for n in NASTY]
SELECT = ("SELECT name AS \"user\", password, uid, gid, home, maildrop, nologin "
          "FROM users WHERE name = ")


def fill(path):
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE users (%s)" % COLUMNS)
        db.executemany("INSERT INTO users VALUES (?,?,?,?,?,?,?)", ROWS)
    db.close()
    os.chmod(path, 0o644)


def change(path, statement, *values):
    db = sqlite3.connect(path)
    with db:
        db.execute(statement, values)
    db.close()


WORKERS = """for p in /proc/[0-9]*; do
    read -r name 2>/dev/null <$p/comm && [ "$name" = popper-worker ] &&
        kill -%s ${p#/proc/} && echo $p
done"""


class Sql(logins.Logins):
    TYPE = None

    def settings(self, **more):
        self.host.write(PLACE, "".join("%s = %s\n" % kv for kv in
                                       {**self.PLACE_HAS, **more}.items()),
                        mode=0o600)

    def setUp(self):
        self.settings()
        logins.configure(self.host, auth="file:file:first sql:%s:%s"
                         % (self.TYPE, PLACE), virtual_user="vmail",
                         listen="127.0.0.1:%d" % SERVED,
                         sasl_mechanisms="plain login scram-sha-256",
                         maildrop="/var/mail/%u", login_delay_max="1h")

    @classmethod
    def people(cls):
        cls.host.add_user("vmail", uid=5000)
        cls.host.write("/etc/popper/first", "local:{PLAIN}of the file\n",
                       mode=0o600)

    def served(self, user, password):
        """The refusal, or None."""
        with Pop(self.host.connect(SERVED)) as pop:
            pop.cmd("USER", user)
            pop.send(b"PASS " + password + b"\r\n")
            try:
                pop.reply()
            except PopError as e:
                return e.args[0]
            pop.quit()
            return None

    def tell_workers(self, what):
        """Which ones there are."""
        return self.host.run(["sh", "-c", WORKERS % what]).stdout

    def wait_served(self, want, user, password):
        deadline = time.monotonic() + 60
        said = b"never asked"
        while said != want and time.monotonic() < deadline:
            said = self.served(user, password)
        self.assertEqual(said, want)

    def test_who_gets_in(self):
        for user in ["ann", "two", "drop", *NASTY]:
            with self.subTest(user=user):
                mark = self.host.syslog.mark()
                self.assertIsNone(self.attempt(user.encode(), b"wonderland")[1])
                self.host.syslog.wait(r"\blogin .* db=sql( |$)", mark)
        self.assertIsNone(self.attempt(b"local", b"of the file")[1])

    def test_who_does_not(self):
        for user, password, reason in [
                ("ann", b"wonderlanD", "bad-password"),
                ("nosuch", b"wonderland", "unknown-user"),
                ("root", b"wonderland", "uid"),
                ("closed", b"wonderland", "locked"),
                ("null", b"wonderland", "locked"),
                ("odd", b"wonderland", "row"),
                ("rel", b"wonderland", "row")][::1 if LONG else 3]:
            with self.subTest(user=user):
                self.refused(user.encode(), password, reason)
        for user in ("dup", "long")[::1 if LONG else 2]:
            with self.subTest(user=user):
                self.assertIn(b"[SYS/TEMP]",
                              self.attempt(user.encode(), b"wonderland")[1])

    def check(self, *parts, **more):
        self.settings(**more)
        r = self.host.run([POPPER, "check"])
        text = r.stdout.decode() + r.stderr.decode()
        for part in parts:
            self.assertIn(part, text)
        if not parts:
            self.assertNotIn("auth: ", text)

    def test_check(self):
        self.check()
        self.check("query is missing", query="")
        self.check("query: it has 0 parameters",
                   query="SELECT password FROM users")
        self.check("the column password is missing",
                   query=(SELECT + self.PARAMETER).replace(" password,", ""))
        self.check("a column pw is not known", query="SELECT password AS pw "
                   "FROM users WHERE name = " + self.PARAMETER)
        self.check("auth: sql: ", query="SELECT password FROM gone WHERE "
                   "name = " + self.PARAMETER)
        self.host.write(PLACE, "query = x\n", mode=0o644)
        r = self.host.run([POPPER, "check"])
        self.assertIn(b"mode 0644 lets everybody read it", r.stdout)

    def judged(self, *words):
        r = self.host.run([POPPER, "check", *words])
        return re.findall(r": (error|warning): auth: sql: ", r.stdout.decode())

    def test_away_is_no_reason_not_to_start(self):
        """What only an operator can mend is."""
        self.lose()
        try:
            self.assertEqual(self.judged(), ["error"])
            self.assertEqual(self.judged("--quick"), ["warning"])
        finally:
            self.find()
        self.settings(query="SELECT password FROM users")
        self.assertEqual(self.judged("--quick"), ["error"])

    def test_why(self):
        for user, say in [("two", "db +sql"), ("nosuch", "unknown-user")]:
            r = self.host.run([POPPER, "ctl", "why", user + "@192.0.2.1"])
            self.assertRegex(r.stdout.decode(), say)
        self.settings(query=(SELECT + self.PARAMETER).replace(
            " nologin ", " nologin, 60 AS login_delay "))
        r = self.host.run([POPPER, "ctl", "why", "two@192.0.2.1"])
        self.assertRegex(r.stdout.decode(), "login_delay_s +60\n")

    def scram(self, pop, user, password):
        """The last reply, or the refusal."""
        s = Scram(user, password)
        pop.send(b"AUTH SCRAM-SHA-256 %s\r\n" % b64encode(s.first()))
        for message in (s.final, lambda last: b""):
            line = pop.line()
            if not line.startswith(b"+ "):
                return line
            pop.send(b64encode(message(b64decode(line[2:]))) + b"\r\n")
        return pop.line()

    def scrammed(self, port, user, password):
        """A worker that has found a file to be another one, which one that was
        written just now may be, ends within an exchange: then it is tried again."""
        for _ in range(20):
            with Pop(self.host.connect(port)) as pop:
                said = self.scram(pop, user, password)
            if b"[SYS/TEMP]" not in said:
                break
            time.sleep(0.5)
        return said

    def test_scram(self):
        """Exchanges of several messages, in the database that knows the name."""
        mark = self.host.syslog.mark()
        with Serve(self.host, SERVED):
            for port in (110, SERVED):
                for user, password, want in [
                        ("drop", "wonderland", b"+OK"),
                        ("local", "of the file", b"+OK"),
                        ("drop", "wonder", b"-ERR [AUTH]")]:
                    with self.subTest(port=port, user=user, want=want):
                        said = self.scrammed(port, user, password)
                        self.assertTrue(said.startswith(want), said)
            for user in ("drop", "local"):
                self.host.syslog.wait(r"\blogin sid=\S+ user=%s .*\bdb=" % user,
                                      mark, count=2)

    def test_serve(self):
        with Serve(self.host, SERVED):
            self.assertIsNone(self.served(b"two", b"wonderland"))
            self.assertIsNone(self.served(b"local", b"of the file"))
            self.assertEqual(self.served(b"two", b"wonder"), logins.REFUSAL)
            self.change("UPDATE users SET password = '{PLAIN}new' WHERE name = "
                        "'two'")
            try:
                self.assertIsNone(self.served(b"two", b"new"))
            finally:
                self.change("UPDATE users SET password = '{PLAIN}wonderland' "
                            "WHERE name = 'two'")
            self.lose()
            self.assertIsNone(self.served(b"local", b"of the file"))
            mark = self.host.syslog.mark()
            self.assertIn(b"[SYS/TEMP]", self.served(b"two", b"wonderland"))
            self.host.syslog.wait(r"\bauth-error ", mark)
            self.find()
            self.wait_served(None, b"two", b"wonderland")
            mark = self.host.syslog.mark()
            self.host.write(PLACE, "query =\n", mode=0o600)
            self.wait_served(b"[SYS/TEMP] Authentication is not available now, "
                             b"try again later.",
                             b"two", b"wonderland")
            self.host.syslog.wait(r"\bauth-error .*query is missing", mark)
            self.settings()
            self.wait_served(None, b"two", b"wonderland")
            said = "\n".join(self.host.syslog.lines[mark:])
            self.assertNotIn("worker-died", said)
            self.assertNotIn("worker-killed", said)


class Sqlite(Sql, unittest.TestCase):
    TYPE = "sqlite"
    PARAMETER = "?1"
    PLACE_HAS = {"file": LITE, "query": SELECT + "?1"}

    @classmethod
    def setUpClass(cls):
        cls.house()
        cls.people()
        cls.host.call(fill, LITE)

    def change(self, statement):
        self.host.call(change, LITE, statement)

    def lose(self):
        self.host.call(os.rename, LITE, LITE + ".away")

    def find(self):
        self.host.call(os.rename, LITE + ".away", LITE)

    def test_why_as_a_worker(self):
        """What auth_user may not read root does not read for it."""
        self.host.call(os.chmod, LITE, 0o600)
        self.addCleanup(self.host.call, os.chmod, LITE, 0o644)
        r = self.host.run([POPPER, "ctl", "why", "two@192.0.2.1"])
        self.assertRegex(r.stdout.decode(),
                         r'rules +"not seen"\ndb +sql\ndetail .*%s: ' % LITE)

    def test_gone_in_mid_exchange(self):
        """The next database is not asked about the last step of an exchange that
        it has not begun, and whoever else is in one goes on."""
        logins.configure(self.host, auth="sql:sqlite:%s file:file:first" % PLACE,
                         virtual_user="vmail", listen="127.0.0.1:%d" % SERVED,
                         sasl_mechanisms="plain scram-sha-256",
                         auth_workers=1, maildrop="/var/mail/%u")
        with Serve(self.host, SERVED):
            # A worker ends, and its exchanges with it, when files that were
            # new when it began have got older: then that was no trial.
            for _ in range(10):
                mark = self.host.syslog.mark()
                said = self.gone_between()
                line, = self.host.syslog.wait(r"login-failed .*user=guest",
                                              mark)
                if not self.host.syslog.find("its worker has ended", mark):
                    break
        self.assertEqual(said, [b"-E", b"+ ", b"+ "])
        self.assertIn("reason=no-secret", line)

    def test_decided_before_the_last_word(self):
        """That tells who was right, so nothing is asked behind it."""
        self.change("INSERT INTO users (name, password) VALUES ('guest', "
                    "'{PLAIN}x')")
        with Serve(self.host, SERVED), Pop(self.host.connect(SERVED)) as pop:
            s = Scram("guest", "x")
            pop.send(b"AUTH SCRAM-SHA-256 %s\r\n" % b64encode(s.first()))
            last = s.final(b64decode(pop.line()[2:]))
            pop.send(b64encode(last) + b"\r\n")
            self.assertTrue(s.knows(b64decode(pop.line()[2:])))
            self.change("DELETE FROM users WHERE name = 'guest'")
            pop.send(b"\r\n")
            self.assertEqual(pop.line()[:3], b"+OK")
            pop.quit()

    def gone_between(self):
        """Three exchanges; one's user is deleted before the last step."""
        self.change("INSERT INTO users (name, password) VALUES ('guest', "
                    "'{PLAIN}x')")
        pops, said = [], []
        for user, password in (("guest", "x"), ("drop", "wonderland"),
                               ("local", "of the file")):
            s = Scram(user, password)
            pop = Pop(self.host.connect(SERVED))
            self.addCleanup(pop.close)
            pop.send(b"AUTH SCRAM-SHA-256 %s\r\n" % b64encode(s.first()))
            pops.append((pop, s.final(b64decode(pop.line()[2:]))))
        self.change("DELETE FROM users WHERE name = 'guest'")
        for pop, last in pops:
            pop.send(b64encode(last) + b"\r\n")
            said.append(pop.line()[:2])
        for pop, _ in pops:
            pop.close()
        return said

    def test_a_hash_of_popper_passwd(self):
        r = self.host.run([POPPER, "passwd", "--hash", "--scheme", "bcrypt"],
                          input=b"looking glass\n")
        stored = r.stdout.decode().strip()
        self.assertTrue(stored.startswith("{BLF-CRYPT}$2y$"), r)
        self.host.call(change, LITE, "INSERT INTO users (name, password) "
                       "VALUES ('alice', ?)", stored)
        self.assertIsNone(self.attempt(b"alice", b"looking glass")[1])
        r = self.host.run([POPPER, "passwd", "--hash", "alice"], input=b"x\n")
        self.assertEqual(r.returncode, 64)

    @unittest.skipUnless(LONG, "long run only (make test-long)")
    def test_columns_that_come_and_go(self):
        self.host.call(change, LITE, "CREATE TABLE more AS SELECT password "
                       "FROM users WHERE name = 'drop'")
        self.settings(query="SELECT * FROM more WHERE ?1 = 'drop'")
        with Serve(self.host, SERVED):
            self.assertIsNone(self.served(b"drop", b"wonderland"))
            self.host.call(change, LITE, "ALTER TABLE more ADD COLUMN tel")
            self.assertIn(b"[SYS/TEMP]", self.served(b"drop", b"wonderland"))

    def test_another_file_takes_the_name(self):
        self.host.call(fill, LITE + ".new")
        self.host.call(change, LITE + ".new", "UPDATE users SET password = "
                       "'{PLAIN}newer' WHERE name = 'drop'")
        with Serve(self.host, SERVED):
            self.assertIsNone(self.served(b"drop", b"wonderland"))
            self.host.call(os.rename, LITE, LITE + ".old")
            self.host.call(os.rename, LITE + ".new", LITE)
            self.wait_served(None, b"drop", b"newer")
            self.host.call(os.rename, LITE + ".old", LITE)
            self.wait_served(None, b"drop", b"wonderland")

    def test_another_file_while_a_worker_is_asked(self):
        """What was asked before is answered as it would have been then."""
        logins.configure(self.host, auth="sql:sqlite:" + PLACE,
                         virtual_user="vmail", maildrop="/var/mail/%u",
                         listen="127.0.0.1:%d" % SERVED)
        self.host.call(fill, LITE + ".new")
        with Serve(self.host, SERVED), Pop(self.host.connect(SERVED)) as pop:
            self.assertIsNone(self.served(b"drop", b"wonderland"))
            self.assertNotEqual(self.tell_workers("STOP"), b"")
            pop.cmd("USER", "drop")
            pop.send(b"PASS wonderland\r\n")
            time.sleep(0.3)
            self.host.call(os.rename, LITE + ".new", LITE)
            self.tell_workers("CONT")
            pop.reply()
            pop.quit()


@unittest.skipUnless(LONG, "long run only (make test-long)")
class Postgres(Sql, unittest.TestCase):
    TYPE = "pgsql"
    PARAMETER = "$1"
    PLACE_HAS = {"connect": "host=/run/pg dbname=postgres user=popper "
                 "password=secret", "query": SELECT + "$1", "timeout": "3"}
    VERSION = None          # the distribution's

    @classmethod
    def setUpClass(cls):
        said = subprocess.run(["apt-cache", "depends", "postgresql"], text=True,
                              stdout=subprocess.PIPE, check=True).stdout
        cls.VERSION = re.search(r"Depends: postgresql-(\d+)", said).group(1)
        cls.house(packages=[unpack("postgresql-" + cls.VERSION)])
        cls.people()
        cls.host.add_user("postgres", uid=988)
        for folder in ("/run/pg", "/srv/pg"):
            cls.host.mkdir(folder, owner="postgres")
        cls.pg("initdb", "-A", "scram-sha-256", "-D", "/srv/pg", "-N",
               "--pwfile=/etc/popper/pw", "--no-locale", "-E", "UTF8")
        cls.certify()
        cls.up()
        cls.addClassCleanup(cls.pg, "pg_ctl", "-D", "/srv/pg", "stop", "-m",
                            "immediate")
        cls.sql("CREATE TABLE users (name text, password text, uid int, "
                "gid int, home text, maildrop text, nologin int)")
        cls.sql("CREATE ROLE popper LOGIN PASSWORD 'secret'")
        cls.sql("GRANT SELECT ON users TO popper")
        for row in ROWS:
            cls.sql("INSERT INTO users VALUES (%s)" % ", ".join(
                "NULL" if v is None else str(v) if isinstance(v, int) else
                "'%s'" % v.replace("'", "''") for v in row))

    @classmethod
    def pg(cls, program, *args, **kw):
        if not cls.host.exists("/etc/popper/pw"):
            cls.host.write("/etc/popper/pw", "master", mode=0o644)
        r = cls.host.run(["/usr/lib/postgresql/%s/bin/%s" % (
            cls.VERSION, program), *args], user="postgres",
                         env={"PGPASSWORD": "master"}, **kw)
        if r.returncode != 0:
            raise AssertionError(r.stdout + r.stderr)
        return r

    @classmethod
    def up(cls):
        cls.pg("pg_ctl", "-D", "/srv/pg", "-w", "-l", "/srv/pg/log", "-o",
               "-c listen_addresses=127.0.0.1 -c ssl=on "
               "-c ssl_cert_file=/srv/pg-cert.pem -c ssl_key_file=/srv/pg-key.pem "
               "-c unix_socket_directories=/run/pg -c fsync=off", "start")

    @classmethod
    def certify(cls):
        ca, other = Authority("Databases"), Authority("Others")
        cls.addClassCleanup(ca.close)
        cls.addClassCleanup(other.close)
        chain, key = ca.make("pg", "subjectAltName=DNS:pg.example.org")
        for name, text, owner in (("/srv/pg-cert.pem", chain, "postgres"),
                                  ("/srv/pg-key.pem", key, "postgres"),
                                  ("/srv/pg-ca.pem", ca.pem, "root"),
                                  ("/srv/pg-other.pem", other.pem, "root")):
            cls.host.write(name, text, 0o600 if "key" in name else 0o644, owner)

    @classmethod
    def sql(cls, statement):
        cls.pg("psql", "-h", "/run/pg", "-U", "postgres", "-v",
               "ON_ERROR_STOP=1", "-c", statement)

    def change(self, statement):
        self.sql(statement)

    def lose(self):
        self.pg("pg_ctl", "-D", "/srv/pg", "-w", "stop", "-m", "fast")

    def find(self):
        self.up()

    def test_tls(self):
        """verify-full: the connection is made before the cage."""
        def connect(name, ca):
            self.settings(connect="host=%s hostaddr=127.0.0.1 dbname=postgres "
                          "user=popper password=secret sslmode=verify-full "
                          "sslrootcert=%s" % (name, ca))
        connect("pg.example.org", "/srv/pg-ca.pem")
        with Serve(self.host, SERVED):
            self.assertIsNone(self.served(b"two", b"wonderland"))
            self.lose()
            self.find()
            self.assertIsNone(self.served(b"two", b"wonderland"))
            self.assertEqual(self.served(b"two", b"wonder"), logins.REFUSAL)
        for name, ca in (("pg.example.net", "/srv/pg-ca.pem"),
                         ("pg.example.org", "/srv/pg-other.pem")):
            connect(name, ca)
            mark = self.host.syslog.mark()
            with Serve(self.host, SERVED):
                self.assertIn(b"[SYS/TEMP]", self.served(b"two", b"wonderland"))
                self.host.syslog.wait(r"\bauth-error .*certificate", mark)

    def test_a_restart_while_nobody_asks(self):
        with Serve(self.host, SERVED):
            self.assertIsNone(self.served(b"two", b"wonderland"))
            self.lose()
            self.find()
            self.assertIsNone(self.served(b"two", b"wonderland"))

    def test_a_hanging_server(self):
        """Nobody waits longer than `timeout`, and others do not wait."""
        with Serve(self.host, SERVED):
            self.assertIsNone(self.served(b"two", b"wonderland"))
            r = self.host.run(["/usr/bin/pkill", "-STOP", "-u", "988"])
            self.assertEqual(r.returncode, 0)
            try:
                began = time.monotonic()
                said = self.served(b"two", b"wonderland")
                self.assertIn(b"[SYS/TEMP]", said)
                self.assertGreater(time.monotonic() - began, 2.5)
                self.assertIsNone(self.served(b"local", b"of the file"))
            finally:
                self.host.run(["/usr/bin/pkill", "-CONT", "-u", "988"])
            self.wait_served(None, b"two", b"wonderland")


if __name__ == "__main__":
    unittest.main()
