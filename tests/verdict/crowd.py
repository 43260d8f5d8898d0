# SPDX-License-Identifier: ISC
"""Logins by chance: who, how, from where, right or wrong."""

import dataclasses
import unicodedata

from model import DIGESTS, PLAIN_WORDS, TOKENS, Login, Token, Way
import town

MECHANISMS = ("pass",) * 4 + ("plain", "plain", "login", "apop", "cram-md5",
                              "scram-sha-256", "scram-sha-256", "scram-sha-1",
                              "oauthbearer", "xoauth2", "external")
PORTS = (town.POP,) * 3 + (town.POPS, town.PROXIED, town.PROXIED,
                           town.PROXIEDS)
FLAWS = ("expired", "early", "audience", "issuer", "none", "stranger")
SILENT = ("\u00ad", "\u2060", "\ufe00")     # mapped to nothing
# A blank, what controls or turns, private, newer than Unicode 3.2, from right to
# left, what becomes a delimiter, a mark that becomes another one, no UTF-8.
STRANGE = ("\u00a0", "\u200e", "\u0007", "\ue000", "\ufffd", "\ufdd0",
           "\U000e0041", "\u0221", "\U0001f600", "\u05d0", "\u0661", "\u0340",
           "\uff0f", "\ufe55", "\u2024", "\uff0a", "\uff20", "\ufb01", "\udcff")
STRANGE_NAMES = ("x/y", "a b", ".hidden", "-o", "who.lock", "#no")


def at(chance, text, made):
    """One character of it becomes another text."""
    i = chance.randrange(len(text))
    return text[:i] + made(text[i]) + text[i + 1:]


def decomposed(_chance, text):
    return unicodedata.normalize("NFD", text)


def broad(chance, text):
    return at(chance, text, lambda c: chr(ord(c) + 0xfee0)
              if "!" <= c <= "~" else c)


def softened(chance, text):
    return at(chance, text, lambda c: c + chance.choice(SILENT))


def strange(chance, text):
    return at(chance, text, lambda c: c + chance.choice(STRANGE))


class Crowd:
    def __init__(self, world):
        self.world = world
        self.rows = [r for db in world.databases for r in db.rows.values()]
        self.names = sorted({r.name for r in self.rows})

    def way(self, chance, login):
        port = chance.choice(PORTS)
        stls = port in (town.POP, town.PROXIED) and chance.random() < 0.4
        if login.mechanism == "external" or login.plus:
            port = chance.choice((town.POPS, town.PROXIEDS, town.POP))
            stls = port == town.POP
        ips = town.OWN if port in (town.POP, town.POPS) else \
            town.CLEAR if chance.random() < 0.6 else town.HIDDEN
        shown = ""
        if login.mechanism == "external" or chance.random() < 0.1:
            whose = [c for c, owners in self.world.certificates.items()
                     if login.authz in owners]
            shown = chance.choice(whose * 4 + ["one", "two", "none"])
        tls = stls or port in (town.POPS, town.PROXIEDS)
        return Way(chance.choice(ips), port, tls, stls, shown if tls else "",
                   login.plus or chance.random() < 0.3)

    # -- who and with what --------------------------------------------------

    def login(self, chance):
        m = chance.choice(MECHANISMS)
        row = self.row(chance, m)
        name = self.name(chance, row)
        if chance.random() < 0.03:
            return self.broken(m, name)
        if m in TOKENS or m.startswith("scram-"):       # texts all through
            name = name.replace("\udcff", "\ufffd")
        if m in TOKENS:
            return self.with_token(chance, m, name)
        if m == "external":
            return self.external(chance, name)
        secret = self.secret(chance, row)
        if m in PLAIN_WORDS and chance.random() < 0.15:
            return self.master(chance, m, name)
        if m.startswith("scram-"):
            plus = chance.random() < 0.4
            return Login(m, name, secret, plus=plus, flag="n" if plus else
                         chance.choice("nnny"))
        if m == "plain":
            return Login(m, name, secret, authz=chance.choice(
                ("", "", name, chance.choice(self.names))
                if chance.random() < 0.3 else ("",)))
        return Login(m, name, secret)

    def row(self, chance, m):
        """Mostly somebody who could log in so."""
        schemes = ("plain",) if m in DIGESTS else ("plain", m) \
            if m.startswith("scram-") else ()
        fit = [r for r in self.rows if r.scheme in schemes]
        return chance.choice(fit if fit and chance.random() < 0.8
                             else self.rows)

    def name(self, chance, row):
        x = chance.random()
        if x < 0.86:
            return self.unprepared(chance, row.name)
        if x < 0.92:
            return "nosuch%d" % chance.randrange(1000)
        return row.name.upper()

    def unprepared(self, chance, text):
        """As another keyboard writes it, or with what no name has."""
        if chance.random() < (0.5 if not text.isascii() else
                              0.85 if self.world.utf8 else 0.98):
            return text
        way = chance.choice((decomposed, broad, softened, strange))
        return way(chance, text)

    def secret(self, chance, row):
        x = chance.random()
        if x < 0.6:
            return self.unprepared(chance, row.password)
        if x < 0.68:
            return chance.choice(self.rows).password
        if x < 0.71:
            return row.password + "x"
        if x < 0.74:
            return row.password[:-1].upper() + "\u00e9" * self.world.utf8
        if x < 0.77:
            return ""
        if x < 0.93:
            own = [a for a in self.world.apps if a.user == row.name]
            return self.app_secret(chance, own or self.world.apps)
        return "wrong%d" % chance.randrange(100)

    @staticmethod
    def app_secret(chance, apps):
        app = chance.choice(apps)
        return app.password if chance.random() < 0.5 else \
            app.password.replace("-", "")

    def master(self, chance, m, name):
        master = chance.choice(sorted(self.world.masters) * 2 + [
            "noboss", chance.choice(self.names)])
        row = self.world.masters.get(master)
        secret = row.password if row and chance.random() < 0.7 else \
            chance.choice(self.rows).password
        if m == "plain" and chance.random() < 0.5:
            return Login(m, master, secret, authz=name)
        return Login(m, name + (self.world.separator or "*") + master, secret)

    def with_token(self, chance, m, name):
        owner = name if chance.random() < 0.8 else chance.choice(self.names)
        flaw = chance.choice(FLAWS) if chance.random() < 0.3 else ""
        said = chance.choice((owner, name, "")) if m == "oauthbearer" else name
        return Login(m, said, token=Token(
            owner, flaw, flaw in ("expired", "early", "audience")))

    def external(self, chance, name):
        owners = [n for c in self.world.certificates.values() for n in c]
        return Login("external", "", authz=chance.choice(
            ["", name] + owners * 2))

    @staticmethod
    def broken(m, name):
        if m in ("pass", "external"):
            return Login("pass", name, "x")
        if m in TOKENS:
            return Login(m, name, "", token=Token(name, "broken", False),
                         broken=True)
        return Login(m, name, "x", broken=True)

    def strange(self, chance):
        return Login(chance.choice(("plain", "login")),
                     chance.choice(STRANGE_NAMES), "x")

    def connection(self, chance):
        """(way, logins): one or two, if the first one is refused."""
        logins = [self.strange(chance) if chance.random() < 0.03
                  else self.login(chance) for _ in range(2)]
        way = self.way(chance, logins[0])
        if not way.old_tls:
            logins[1] = dataclasses.replace(logins[1], plus=False)
        return way, logins
