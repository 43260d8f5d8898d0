# SPDX-License-Identifier: ISC
"""A world, who serves it, and what is changed there while people log in."""

import concurrent.futures
import dataclasses
import json
import os
import random
import shutil
import signal
import tempfile
import threading
import time

from authority import Authority, fingerprint
from client import Attempt, client_context, open_way
from crowd import Crowd
from house_tls import certificate
from model import Login, Way, blamed
from visit import Visit, twins
import oauth
import town

AT_A_TIME = 6
FORGIVEN = 12                   # failures
REGULARS = 48
FILES = ("apps", "deny")        # beside rows: what is changed


class Street:
    """Addresses and users, each for one client at a time."""

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
        self.lay_jwks(host)

    def lay_jwks(self, host):
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


class History:
    """What was in force when: mostly one thing, in a change both."""

    def __init__(self, first):
        self.all = [(0.0, (first,))]

    def add(self, *these):
        self.all.append((time.monotonic(), these))

    def between(self, began):
        """Since then."""
        past = list(self.all)
        at = max(i for i, (since, _) in enumerate(past) if since <= began)
        return tuple(dict.fromkeys(x for _, these in past[at:] for x in these))


class Hall:
    def __init__(self, host, keys, world, seed, **options):
        self.host, self.keys, self.seed, self.options = host, keys, seed, options
        self.world, self.street = world, Street()
        self.crowd = Crowd(world)
        self.worlds_known = [world]
        self.settings, self.files = History(0), History(0)
        self.visited, self.failures = set(), {}
        self.spoiled = set()        # addresses of which the log is not clear
        self.undecided = 0
        self.restless = False       # something changes meanwhile
        self.stay = 0               # seconds of a session

    # -- what is in force ---------------------------------------------------

    def worlds(self, settings, began):
        """Each that may be: such settings, and files since then."""
        return [self.merged(s, f) for s in settings
                for f in self.files.between(began)]

    def merged(self, settings, files):
        if settings == files:
            return self.worlds_known[settings]
        s, f = (self.worlds_known[i] for i in (settings, files))
        rows = {db.id: db for db in f.databases}
        return dataclasses.replace(
            s, **{k: getattr(f, k) for k in FILES},
            databases=tuple(rows[db.id] for db in s.databases))

    def comes_too_soon(self, row):
        return bool(self.world.delay_max and row.delay and
                    row.messages in self.visited)

    def was_there(self, row):
        self.visited.add(row.messages)

    def with_secret(self, login):
        return dataclasses.replace(login, secret=self.keys.token(login.token))

    # -- who comes ----------------------------------------------------------

    def chance(self, number):
        return random.Random("%s %d" % (self.seed, number))

    def visit(self, number, kind=Visit):
        """Of each four one comes again and again: what was right is remembered."""
        chance = self.chance(number if number % 4 else number % REGULARS)
        if kind is Visit and not self.restless and chance.random() < 0.06:
            return self.twins(number, chance)
        return kind(self, chance, *self.crowd.connection(chance)).run()

    def answer(self, way, login):
        """What is said to it, whatever that should be."""
        with open_way(self.host, way, self.keys.contexts, random) as pop:
            return Attempt(pop, login, random).say()

    def twins(self, number, chance):
        login = self.crowd.login(chance)
        tls = login.mechanism == "external" or login.plus
        ways = [Way("127.%d.%d.%d" % (128 + number % 100, number // 100, i + 1),
                    town.POPS if tls or i % 2 else town.POP,
                    bool(tls or i % 2), False, "one" if tls else "", login.plus)
                for i in range(chance.randint(2, 5))]
        return twins(self, chance, login, ways)

    def visits(self, numbers, kind=Visit):
        """What was wrong."""
        with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
            return [w for w in pool.map(lambda n: self.visit(n, kind), numbers)
                    if w]

    def failed(self, verdict, ip):
        """Before so many failures add up that one question is judged at a time
        (role/penalty.h), all is forgiven."""
        network = "" if ip.startswith("127.") else "@" + ip
        for whose in (blamed(self.now(self.settings), verdict), network):
            with self.street.lock:
                n = self.failures[whose] = self.failures.get(whose, 0) + 1
            if whose and n % FORGIVEN == 0:
                self.host.run(["/usr/sbin/popper", "ctl", "penalties",
                               "--clear", "--", whose])

    # -- what changes -------------------------------------------------------

    def processes(self, *names):
        """Ids of those of this host, as the real one sees them."""
        out = set()
        network = os.readlink("/proc/%d/ns/net" % self.host.pid)
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/comm" % pid, encoding="ascii") as f:
                    name = f.read().strip()
                if name in names and \
                        os.readlink("/proc/%s/ns/net" % pid) == network:
                    out.add(int(pid))
            except OSError:
                pass                # gone, or none of ours
        return out

    def now(self, history):
        """The world in force, of settings or of files."""
        return self.worlds_known[history.all[-1][1][-1]]

    def begin(self, history, world):
        """From now on it may be that one."""
        self.worlds_known.append(world)
        number = len(self.worlds_known) - 1
        history.add(*history.all[-1][1], number)
        return number

    def settle_files(self, number):
        """Each worker that has read them before has retired."""
        old = self.processes("popper-worker")
        self.host.write("/etc/popper/deny", town.deny_text(
            self.worlds_known[number]))
        self.keys.lay_jwks(self.host)
        self.wait(lambda: not old & self.processes("popper-worker"),
                  "workers that stay")
        self.files.add(number)

    @staticmethod
    def comes_to(condition, seconds=120):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def wait(self, condition, what):
        if not self.comes_to(condition):
            raise AssertionError("in vain: " + what)

    def change_rows(self, chance):
        """Of one database: passwords, states and all."""
        world, mint = self.now(self.files), town.Mint(chance)
        old = chance.choice(world.databases)
        again = mint.account_again if old.kind == "pam" else mint.again
        new = dataclasses.replace(old, rows={
            n: again(r) for n, r in old.rows.items()})
        number = self.begin(self.files, dataclasses.replace(
            world, databases=tuple(new if db is old else db
                                   for db in world.databases)))
        town.lay_database(self.host, new)
        self.settle_files(number)

    def change_deny(self, chance):
        self.settle_files(self.begin(self.files, dataclasses.replace(
            self.now(self.files),
            deny=frozenset(chance.sample(self.crowd.names, 3)))))

    def change_apps(self, chance):
        number = self.begin(self.files, dataclasses.replace(
            self.now(self.files), apps=town.apps(
                chance, town.Mint(chance), self.crowd.names)))
        town.lay_apps(self.host, self.worlds_known[number])
        self.settle_files(number)

    def reload(self, chance):
        """Rules and settings are others, or all is as it was."""
        old = new = self.now(self.settings)
        if chance.random() < 0.8:
            other = town.world(chance)
            databases = list(old.databases)
            chance.shuffle(databases)
            new = dataclasses.replace(
                old, databases=tuple(databases),
                rules=town.rules(chance, databases),
                app_passwords=chance.choice(("no", "yes", "only")),
                mechanisms=other.mechanisms, recoverable=other.recoverable,
                binding=other.binding, separator=other.separator)
        self.host.write("/etc/popper/popper.conf",
                        town.configuration(new, **self.options))
        number = self.begin(self.settings, new)
        self.host.run(["/usr/sbin/popper", "ctl", "reload"], check=True)
        self.settings.add(number)

    def recover(self):
        """Until all processes are there again, and know each other."""
        way = Way("127.250.0.1", town.POP, False, False)
        row = next(r for db in self.world.databases for r in db.rows.values())
        good = 0

        def is_well():
            nonlocal good
            wrong = Visit(self, self.chance(0), way,
                          [Login("pass", row.name, "")], alone=False).run()
            good = 0 if wrong else good + 1
            return good == 20
        self.wait(is_well, "the end of all damage")

    def kill(self, chance):
        """One process, of a kind by chance."""
        found = self.processes(chance.choice((
            "popper-worker", "popper-worker", "popper-auth", "popper-front",
            "popper-warden", "popper-spawner")))
        if found:
            try:
                os.kill(chance.choice(sorted(found)), signal.SIGKILL)
            except ProcessLookupError:
                pass
