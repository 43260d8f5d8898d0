# SPDX-License-Identifier: ISC
"""Random users log in by random ways, with right secrets and wrong ones, and each
answer, each maildrop and each line of the log is what a model of the configuration
says."""

import concurrent.futures
import dataclasses
import json
import os
import random
import re
import shutil
import sys
import tempfile
import threading
import time
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TESTS] + [os.path.join(TESTS, name) for name in (
    "verdict", "serve", "sasl", "bearer", "tls", "proxy")]

from authority import Authority, fingerprint                    # noqa: E402
from house_tls import certificate                               # noqa: E402
from lib.flavour import SANITIZED                               # noqa: E402
from lib.host import Host                                       # noqa: E402
from lib.popper import PopError, Serve                          # noqa: E402
from client import Attempt, client_context, open_way            # noqa: E402
from crowd import Crowd                                         # noqa: E402
from model import TOKENS, Login, Way, judge                     # noqa: E402
import oauth                                                    # noqa: E402
import town                                                     # noqa: E402

LONG = bool(os.environ.get("POPPER_LONG"))
SEED = int(os.environ.get("POPPER_SEED") or 0)
CONNECTIONS = 100 if SANITIZED else 3000 if LONG else 400
AT_A_TIME = 6
WAIT = 120                      # seconds for what must come

REFUSED = b"-ERR [AUTH] Authentication failed."
IN_THE_CLEAR = b"-ERR [SYS/PERM] Passwords are not taken in the clear"
SHUT = re.compile(rb"-ERR (?!\[)")
LOGGED_IN = re.compile(rb"\+OK Maildrop has (\d+) messages \(\d+ octets\)\.")
TOO_SOON = re.compile(rb"-ERR \[LOGIN-DELAY\] ")


def shown(value):
    """A value as a line of the log has it (docs/log.md)."""
    octets = value.encode()
    if octets and all(32 < c < 127 and c not in b'"=\\' for c in octets):
        return value
    return '"%s"' % "".join(
        chr(c) if 32 <= c < 127 and c not in b'"\\' else "\\x%02x" % c
        for c in octets)


class Street:
    """Addresses and maildrops, each of one client at a time."""

    def __init__(self):
        self.locks, self.lock = {}, threading.Lock()

    def of(self, what):
        with self.lock:
            return self.locks.setdefault(what, threading.Lock())


class Keys:
    """Certificates and the keys of tokens: of all worlds."""

    def __init__(self):
        self.folder = tempfile.mkdtemp()
        self.authority = Authority("Clients")
        self.pair = certificate("pop.example.org")
        self.clients = {n: self.authority.make(n)
                        for n in ("one", "two", "none")}
        self.contexts = {(n, old): client_context(self.clients.get(n), old)
                         for n in ("", *self.clients) for old in (False, True)}
        self.key = oauth.Key("one", self.folder + "/one")
        self.other = oauth.Key("one", self.folder + "/other")
        self.tokens = {}

    def lay(self, host, world):
        host.write("/etc/popper/cert.pem", self.pair[0])
        host.write("/etc/popper/key.pem", self.pair[1], 0o600)
        host.write("/etc/popper/ca.pem", self.authority.pem)
        host.write("/etc/popper/client-certificates", "".join(
            "%s %s\n" % (user, fingerprint(self.clients[name][0]))
            for name, users in world.certificates.items() for user in users))
        host.write("/etc/popper/jwks.json",
                   json.dumps({"keys": [self.key.jwk]}))

    def token(self, token):
        """As text; of each kind for each user one is enough."""
        if token not in self.tokens:
            now = int(time.time())
            claims = {"expired": {"exp": now - 1000}, "early": {
                "nbf": now + 90000}, "audience": {"aud": "web"},
                "issuer": {"iss": "x"}}.get(token.flaw, {})
            key = self.other if token.flaw == "stranger" else self.key
            header = {"alg": "none"} if token.flaw == "none" else None
            self.tokens[token] = key.token(
                token.owner, header, **{"exp": now + 86400, **claims})
        return self.tokens[token]

    def close(self):
        self.authority.close()
        shutil.rmtree(self.folder)


class Visit:
    """One connection: what it said, what it heard, and what that should be."""

    def __init__(self, town_hall, number, chosen=None):
        """chosen: (way, logins), else they are drawn."""
        self.hall = town_hall
        self.chance = random.Random("%d %d" % (town_hall.seed, number))
        self.way, self.logins = chosen or town_hall.crowd.connection(
            self.chance)
        self.told = []              # for who reads of a failure
        self.lines = []             # of the log, that must be there

    def run(self):
        """None, or what was wrong."""
        with self.hall.street.of(self.way.ip):
            self.mark = self.hall.host.syslog.mark()
            try:
                wrong = self.talk() or self.log_is_right()
            except (OSError, EOFError, AssertionError) as e:
                wrong = repr(e)
            if not wrong:
                return None
            return "%s\n  seed %d: %s\n  %s\n  the log:\n    %s" % (
                wrong, self.hall.seed, self.way, "\n  ".join(
                    map(str, self.told)), "\n    ".join(
                        self.hall.host.syslog.find(
                            re.escape(self.way.ip) + " |error", self.mark)))

    def talk(self):
        failures = 0
        with open_way(self.hall.host, self.way, self.hall.keys.contexts,
                      self.chance) as pop:
            for login in self.logins:
                verdict = judge(self.hall.world, login, self.way)
                self.told += [login, verdict]
                wrong = self.one(pop, login, verdict)
                failures += verdict.what == "no"
                if wrong or verdict.what == "good":
                    return wrong
            if failures < 2:
                pop.quit()
            else:
                pop.at_end()
        return None

    def one(self, pop, login, verdict):
        if login.mechanism in TOKENS and not login.broken:
            login = self.hall.with_secret(login)
        if verdict.what != "good":
            attempt = Attempt(pop, login, self.chance)
            said = attempt.say()
            self.told.append(said)
            return self.refused(verdict, said) or \
                self.stopped_early(attempt, verdict)
        with self.hall.street.of(verdict.row.messages):
            said = Attempt(pop, login, self.chance).say()
            self.told.append(said)
            return self.let_in(pop, verdict, said)

    def refused(self, verdict, said):
        if verdict.what == "open":
            return "" if said.startswith(IN_THE_CLEAR) else "not told of TLS"
        if verdict.what == "shut":
            return "" if SHUT.match(said) else "what is not offered"
        master = " master=" + shown(verdict.master) if verdict.master else ""
        self.lines.append(r"\blogin-failed .*user=%s ip=%s method=%s%s "
                          r"reason=%s\b" % tuple(map(re.escape, (
                              shown(verdict.user), self.way.ip, verdict.method,
                              master, verdict.reason))))
        return "" if said == REFUSED else "not refused"

    @staticmethod
    def stopped_early(attempt, verdict):
        """Who is refused by SCRAM hears a challenge first, whoever he is."""
        hears = attempt.login.mechanism.startswith("scram-") and \
            verdict.what == "no" and verdict.reason != "bad-message"
        return "no challenge" if hears and attempt.steps != 1 else ""

    def let_in(self, pop, verdict, said):
        who = r".*user=%s ip=%s " % (re.escape(shown(verdict.user)),
                                     re.escape(self.way.ip))
        if verdict.master:
            self.lines.append(r"\bmaster-login %smethod=%s master=%s$" % (
                who, verdict.method, re.escape(shown(verdict.master))))
        if verdict.app:
            self.lines.append(r"\bapp-password %smethod=%s app=%s$" % (
                who, verdict.method, verdict.app))
        self.lines.append(r"\blogin %suid=%d db=%s (cached=yes )?method=%s$" % (
            who, verdict.row.uid, verdict.db, verdict.method))
        if self.hall.comes_too_soon(verdict.row):
            self.lines.append("session-end %sreason=login-delay" % who)
            return "" if TOO_SOON.match(said) else "not too soon"
        self.lines.append("session-end %sreason=quit" % who)
        m = LOGGED_IN.fullmatch(said)
        if not m:
            return "not let in"
        if int(m.group(1)) != verdict.row.messages or \
                pop.stat()[0] != verdict.row.messages:
            return "the maildrop of somebody else"
        pop.quit()
        self.heard(self.lines[-1])      # before the next one comes
        self.hall.was_there(verdict.row)
        return ""

    def heard(self, pattern):
        self.hall.host.syslog.wait(pattern, self.mark, WAIT)

    def log_is_right(self):
        """Each line that must be there, and no further one."""
        for line in self.lines:
            self.heard(line)
        mine = [s for s in self.hall.host.syslog.find(
            r"\b(login|login-failed|master-login|app-password|session-end) ",
            self.mark) if re.search(r"\bip=%s " % re.escape(self.way.ip), s)]
        left = list(mine)
        for pattern in self.lines:
            hit = next((s for s in left if re.search(pattern, s)), None)
            if hit is None:
                return "a line is twice what was once: %s" % mine
            left.remove(hit)
        return "more in the log: %s" % left if left else ""


class Hall:
    """A world, and who serves it."""

    def __init__(self, host, keys, world, seed):
        self.host, self.keys, self.world, self.seed = host, keys, world, seed
        self.crowd, self.street = Crowd(world), Street()
        self.visited = set()

    def turn(self, world):
        """It is another one from now on."""
        self.world = world
        self.crowd = Crowd(world)
        self.host.write("/etc/popper/popper.conf", town.configuration(world))

    def comes_too_soon(self, row):
        return bool(self.world.delay_max and row.delay and
                    row.messages in self.visited)

    def was_there(self, row):
        self.visited.add(row.messages)

    def with_secret(self, login):
        return login.__class__(login.mechanism, login.name,
                               self.keys.token(login.token), token=login.token)

    def visits(self, numbers, at_a_time=AT_A_TIME):
        """What was wrong."""
        with concurrent.futures.ThreadPoolExecutor(at_a_time) as pool:
            return [w for w in pool.map(
                lambda n: Visit(self, n).run(), numbers) if w]


class Verdicts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keys = Keys()
        cls.addClassCleanup(cls.keys.close)

    def hall(self, seed, **options):
        host = Host()
        self.addCleanup(host.close)
        host.add_user("vmail", uid=town.VMAIL)
        world = town.world(random.Random(seed))
        town.lay(host, world, **options)
        self.keys.lay(host, world)
        return Hall(host, self.keys, world, seed)

    def test_pam_last(self):
        """Who is unknown to it has a challenge of SCRAM's as others have."""
        hall = self.hall(SEED)
        order = sorted(hall.world.databases, key=lambda db: db.kind == "pam")
        hall.turn(dataclasses.replace(
            hall.world, databases=tuple(order), app_passwords="no",
            mechanisms=frozenset(["scram-sha-256"])))
        server = Serve(hall.host)
        self.addCleanup(server.stop)
        way = Way(town.OWN[0], town.POP, False, False)
        known = next(iter(order[-1].rows))
        wrong = [Visit(hall, i, (way, [Login("scram-sha-256", name, "x")])).run()
                 for i, name in enumerate(("nobody", known))]
        self.assertEqual(wrong, [None, None], "\n".join(filter(None, wrong)))

    def judged(self, hall, numbers):
        wrong = hall.visits(numbers)
        self.assertEqual(len(wrong), 0, "%d of %d:\n%s" % (
            len(wrong), len(numbers), "\n".join(wrong[:8])))

    def test_serve(self):
        hall = self.hall(SEED)
        server = Serve(hall.host)
        self.addCleanup(server.stop)
        self.judged(hall, range(CONNECTIONS))


if __name__ == "__main__":
    unittest.main()
