# SPDX-License-Identifier: ISC
"""Logins by chance, one after the other: what each counts as, for whom, and whose
device is known afterwards, as popper ctl penalties says."""

import json

from client import Attempt, open_way
from model import DIGESTS, TOKENS, blamed, judge


def is_of_this_host(ip):
    return ip.startswith("127.")


class Book:
    def __init__(self, hall):
        self.hall = hall
        self.guesses, self.known = set(), set()

    def penalties(self, *words):
        return self.hall.host.run(["/usr/sbin/popper", "ctl", "--json",
                                   "penalties", *words], check=True).stdout

    def said(self, name, ip):
        return json.loads(self.penalties("--", "%s@%s" % (name or "nobody", ip)))

    def come(self, chance, login, way):
        """What it is told is another test's matter."""
        with open_way(self.hall.host, way, self.hall.keys.contexts,
                      chance) as pop:
            attempt = Attempt(pop, login, chance)
            if chance.random() < 0.4:
                attempt.waver(chance.choice(self.hall.crowd.names))
            if attempt.say().startswith(b"+OK"):
                pop.quit()

    def is_new(self, login, way, verdict, name, number):
        """The same wrong one from the same address counts once."""
        m = login.mechanism
        secret = login.secret, login.name == "" and m in TOKENS
        if login.broken or not (name or m in TOKENS):
            secret = m in TOKENS or m.startswith("scram-")
        elif m in DIGESTS or m.startswith("scram-"):
            secret = number             # each is another one
        elif m == "external":
            secret = way.certificate
        guess = self.place(way), name, secret
        known = guess in self.guesses
        if verdict.what == "no":
            self.guesses.add(guess)
        return verdict.what == "no" and not known

    @staticmethod
    def place(way):
        return "" if is_of_this_host(way.ip) else way.ip

    def expected(self, login, way, verdict, number):
        name = blamed(self.hall.world, verdict)
        n = int(self.is_new(login, way, verdict, name, number))
        want = {"user_failures": n if name else 0}
        if not is_of_this_host(way.ip):
            want.update(address_failures=n, network_failures=n)
        if verdict.what == "good":
            self.known.add((name, self.place(way)))
        if name:
            want["device_known"] = "yes" if (name, self.place(way)) in \
                self.known else "no"
        return want

    def entry(self, number):
        """None, or what was wrong."""
        chance = self.hall.chance(number)
        way, (login, _) = self.hall.crowd.connection(chance)
        if login.mechanism in TOKENS and not login.broken:
            login = self.hall.with_secret(login)
        verdict = judge(self.hall.world, login, way)
        name = blamed(self.hall.world, verdict)
        if not is_shown(name):
            return None
        for whose in filter(None, ("@" + way.ip, name)):
            self.penalties("--clear", "--", whose)
        self.come(chance, login, way)
        want = self.expected(login, way, verdict, number)
        # Who has heard a yes may be quicker than who notes his device.
        return None if self.hall.comes_to(
            lambda: want.items() <= self.said(name, way.ip).items()) else \
            "seed %s, %d: %s %s: %s, not %s" % (
                self.hall.seed, number, login, way, self.said(name, way.ip),
                want)


def is_shown(name):
    """popper ctl asks about it as a login does."""
    return not any(c in "\udcff\uff0a\uff0b" or c < " " for c in name)


def all_counted(hall, numbers):
    """What was wrong."""
    book = Book(hall)
    return list(filter(None, map(book.entry, numbers)))
