# SPDX-License-Identifier: ISC
"""Worlds by chance for the model, and the same written down for popper."""

import base64
import dataclasses
import datetime
import hashlib
import hmac
import os
import sqlite3

from lib.host import Account, crypt
from lib.popper import conf
from model import App, Database, Row, Rule, World
import oauth

POP, POPS, PROXIED, PROXIEDS = 110, 995, 1110, 1995
OF_PROXIES = (PROXIED, PROXIEDS)
ISSUER, AUDIENCE = oauth.ISSUER, "mail"
VMAIL = 5000
DOMAIN = "example.org"
BAD_GROUP, HIGH_GROUP, PLAIN_GROUP = 1234, 2345, 2346
GROUPS = {"interns": HIGH_GROUP, "staffers": PLAIN_GROUP, "outcast": BAD_GROUP}
# Of one host each, so that nobody's failures add up to a network's.
OWN = ["127.%d.%d.1" % (i, j) for i in range(1, 9) for j in range(8)]
CLEAR = ["10.1.%d.7" % i for i in range(40)] + [
    "2001:db8:%x::7" % i for i in range(1, 20)]
HIDDEN = ["198.18.%d.7" % i for i in range(40)] + [
    "2001:db9:%x::7" % i for i in range(1, 20)]
CLEAR_NETWORKS = ("10.1.0.0/16", "2001:db8::/32")
BCRYPT = "$2b$04$abcdefghijklmnopqrstuu"
SETTINGS = ("$6$rounds=1000$popperhouse$", "$5$rounds=1000$popperhouse$",
            BCRYPT)
UTF8_NAMES = ("j\u00f6rg", "m\u00fcller@" + DOMAIN, "\u03b1\u03b2\u03b3",
              "\u05d0\u05d1\u05d2", "\u00e9\u0300x")
STATES = ("",) * 10 + ("locked", "star", "nologin")
PAM_STATES = ("",) * 8 + ("locked", "star", "expired", "blank")


def scram(name, password):
    """The secret of RFC 5803's kind, as Dovecot writes it."""
    algorithm = {"scram-sha-1": "sha1", "scram-sha-256": "sha256"}[name]
    salt = hashlib.md5(password.encode()).digest()
    salted = hashlib.pbkdf2_hmac(algorithm, password.encode(), salt, 4096)
    client, server = (hmac.new(salted, text, algorithm).digest()
                      for text in (b"Client Key", b"Server Key"))
    return "{%s}4096,%s" % (name.upper(), ",".join(
        base64.b64encode(x).decode() for x in (
            salt, hashlib.new(algorithm, client).digest(), server)))


def stored(scheme, password, chance):
    if scheme == "plain":
        return chance.choice(("{PLAIN}", "{CLEARTEXT}")) + password
    if scheme == "odd":
        return "{ODD}" + password
    if scheme == "hash":
        return crypt(password, chance.choice(SETTINGS))
    return scram(scheme, password)


class Mint:
    """Names, passwords and maildrops, none twice."""

    def __init__(self, chance):
        self.chance, self.messages = chance, 0

    def word(self, n=8):
        return "".join(self.chance.choice("abcdefghkmnpqrstuvwxyz")
                       for _ in range(n))

    def password(self, utf8=False):
        return self.word(6) + self.chance.choice(
            ("", "1", " x", ".", "!", "=,", "\u00df\u00e9" if utf8 else "@"))

    def row(self, name, utf8=False, **more):
        password = self.password(utf8)
        scheme = self.chance.choice(
            ("plain", "plain", "hash", "hash", "scram-sha-256", "scram-sha-1",
             "odd") if self.chance.random() < 0.5 else ("plain", "hash"))
        self.messages += 1
        facts = {
            "uid": VMAIL, "gid": VMAIL, "state": self.chance.choice(STATES),
            "unsupported": self.chance.random() < 0.06,
            "delay": 3600 if self.chance.random() < 0.08 else None, **more}
        if self.chance.random() < 0.3:
            facts["uid"] = self.chance.choice((VMAIL + 1,) * 6 + (0, 99, 70000))
            facts["gid"] = self.chance.choice((VMAIL + 1, HIGH_GROUP,
                                               PLAIN_GROUP) * 2 + (
                                                   BAD_GROUP, 50, 0))
        text = stored(scheme, password, self.chance)
        if facts["state"] == "locked":
            text = ("!" + text) if text[0] != "{" else "{NOLOGIN}"
        elif facts["state"] == "star":
            text = "*"
        return Row(name, password, scheme, text, messages=self.messages, **facts)

    def again(self, row):
        """The same user in the same place, and with the same maildrop."""
        made = self.row(row.name, not row.name.isascii(), uid=row.uid,
                        gid=row.gid, delay=row.delay)
        return dataclasses.replace(made, uid=row.uid, gid=row.gid,
                                   messages=row.messages)

    def account(self, name):
        """Of the host."""
        self.messages += 1
        uid = 500 if self.chance.random() < 0.08 else 1100 + self.messages
        gid = self.chance.choice((uid,) * 6 + (HIGH_GROUP, BAD_GROUP, 50))
        groups = frozenset(g for g in GROUPS.values()
                           if self.chance.random() < 0.3)
        return self.account_again(Row(
            name, "", "hash", "", uid, gid, self.messages,
            self.chance.choice(("", "", "", "", "", "", "shell")), groups=groups))

    def account_again(self, row):
        """With another line in shadow(5)."""
        state = row.state if row.state == "shell" else \
            self.chance.choice(PAM_STATES)
        password = self.password()
        text = crypt(password, SETTINGS[0])
        text = {"locked": "!" + text, "star": "*", "blank": ""}.get(state, text)
        return dataclasses.replace(row, password=password, stored=text,
                                   state=state)


def rules(chance, databases, ways=("pass", "plain", "apop", "scram-sha-256",
                                   "scram-sha-256-plus", "oauthbearer",
                                   "external", "cram-md5", "login")):
    names = sorted({n for db in databases for n in db.rows if n.isascii()})

    def some(items, most=3):
        return tuple(chance.sample(items, min(len(items),
                                              chance.randint(1, most))))
    conditions = {
        "user": lambda: some(names, 6), "domain": lambda: (DOMAIN.upper(),),
        "group": lambda: some(["interns", "staffers", str(VMAIL + 1)]),
        "db": lambda: some([db.id for db in databases], 2),
        "method": lambda: some(list(ways), 3),
        "network": lambda: some(["10.1.0.0/20", "198.18.0.0/19", "127.0.0.0/9",
                                 "2001:db9::/33", "2001:db8:5::/48", OWN[3]]),
        "listener": lambda: some(["*:%d" % POP, "127.0.0.1:%d" % POPS,
                                  "*:%d" % PROXIED], 2),
        "tls": lambda: some(["yes", "no"], 1),
        "master": lambda: some(["yes", "no"], 1),
        "app": lambda: some(["yes", "no"], 1),
    }
    out = []
    for _ in range(chance.randint(2, 9)):
        keys = chance.sample(sorted(conditions), chance.choice((2, 2, 3, 3, 4)))
        out.append(Rule(chance.random() < 0.4, tuple(
            (k, chance.random() < 0.25, conditions[k]()) for k in keys)))
    return tuple(out)


def apps(chance, mint, names):
    today = datetime.datetime.now(datetime.timezone.utc).timestamp()
    out = []
    for i, user in enumerate(chance.sample(names, min(len(names), 12))):
        password = "-".join(mint.word(4) for _ in range(5))
        out.append(App(user, "device%d" % i, password,
                       networks=chance.choice(
                           ((), (), ("10.1.0.0/16",), ("127.0.0.0/8",
                                                       "2001:db9::/32"))),
                       expires=chance.choice(
                           (None, None, today + 9 * 86400, today - 9 * 86400))))
    return tuple(out)


def databases(chance, mint, utf8, kinds):
    """In some order; some names are known to several."""
    shared = [mint.word(5) for _ in range(3)]
    out = []
    for kind, count in kinds:
        names = ["%s%s" % (mint.word(6), "@" + DOMAIN if kind != "pam" and
                           chance.random() < 0.3 else "")
                 for _ in range(count)] + [s for s in shared
                                           if chance.random() < 0.7]
        if kind != "pam":               # no master's where a digest is said
            names += [mint.word(4) + mark + mint.word(4) for mark in "*+"]
        make = mint.account if kind == "pam" else mint.row
        rows = {n: make(n) for n in names}
        if utf8 and kind != "pam":
            rows.update((n, mint.row(n, True)) for n in UTF8_NAMES)
        out.append(Database("db%d" % len(out), kind, rows))
    chance.shuffle(out)
    return tuple(out)


def world(chance, kinds=(("file", 16), ("sqlite", 8), ("pam", 14),
                         ("file", 8))):
    mint = Mint(chance)
    utf8 = chance.random() < 0.5
    dbs = databases(chance, mint, utf8, kinds)
    names = sorted({n for db in dbs for n in db.rows})
    masters = {n: mint.row(n, uid=VMAIL, gid=VMAIL, unsupported=False)
               for n in ("ops", "boss", "closed")}
    masters["closed"] = dataclasses.replace(
        masters["closed"], state="locked", stored="*")
    masters = {n: m for n, m in masters.items() if m.scheme != "odd"}
    return World(
        databases=dbs, masters=masters,
        separator=chance.choice(("*", "*", "+")),
        apps=apps(chance, mint, names),
        app_passwords=chance.choice(("no", "no", "yes", "yes", "yes", "only")),
        deny=frozenset(chance.sample(names, 2) + chance.choice(
            ([], [], [], ["@" + DOMAIN]))),
        allow=chance.choice((None, None, None, frozenset(
            chance.sample(names, len(names) * 3 // 4) + ["@" + DOMAIN]))),
        rules=rules(chance, dbs),
        certificates={"one": tuple(chance.sample(names, 1)),
                      "two": tuple(chance.sample(names, 2)), "none": ()},
        mechanisms=frozenset(
            m for m in ("plain", "login", "scram-sha-256", "scram-sha-1",
                        "cram-md5") if chance.random() < 0.9),
        recoverable=chance.random() < 0.8, binding=chance.random() < 0.7,
        utf8=utf8, plaintext=CLEAR_NETWORKS,
        group_ids=dict(GROUPS), gids_denied=frozenset([BAD_GROUP]),
        delay_max=chance.choice((0, 3600)),
        cache_pam=chance.random() < 0.5)


# -- as popper reads it -----------------------------------------------------

def rule_text(rule):
    return " ".join(["allow" if rule.allows else "deny"] + [
        "%s=%s%s" % (key, "!" if negated else "", ",".join(items))
        for key, negated, items in rule.conditions])


def maildrop(db, row):
    return "/var/mail/%s" % row.name if db.kind == "pam" else \
        "/var/mail/%s.%s" % (db.id, row.name)


def file_row(db, row):
    extra = ["userdb_mail=" + maildrop(db, row)]
    if row.state == "nologin":
        extra.append("nologin")
    if row.delay is not None:
        extra.append("login_delay=%d" % row.delay)
    if row.unsupported:
        extra.append("allow_nets=127.0.0.1")
    return "%s:%s:%d:%d::/nonexistent:/bin/sh:%s\n" % (
        row.name, row.stored, row.uid, row.gid, " ".join(extra))


def master_row(row):
    return "%s:%s%s\n" % (row.name, row.stored,
                          "::::::nologin" if row.state == "nologin" else "")


def app_row(number, app):
    salt = hashlib.md5(app.password.encode()).digest()
    made = hashlib.blake2b(app.password.replace("-", "").encode(), key=salt,
                           digest_size=32).digest()
    words = [app.user, app.name, "id=%d" % number, "hash=%s$%s" % tuple(
        base64.b64encode(x).decode() for x in (salt, made))]
    if app.networks:
        words.append("networks=" + ",".join(app.networks))
    if app.expires is not None:
        words.append("expires=%s" % datetime.datetime.fromtimestamp(
            app.expires - 86400, datetime.timezone.utc).strftime("%Y-%m-%d"))
    return " ".join(words + ["created=2024-01-01"]) + "\n"


def place(db):
    return "/etc/popper/%s.%s" % (db.id, db.kind)


def auth_item(db):
    return "%s:pam:popper" % db.id if db.kind == "pam" else \
        "%s:%s:%s" % (db.id, db.kind, place(db))


def options(w, **more):
    out = {
        "peer_check": "no", "auth_fail_delay": 0, "drain_timeout": 2,
        "auth_cache_pam": "yes" if w.cache_pam else "no",
        "auth_tries": 2, "hostname": "pop.example.org",
        "max_sessions_per_address": 1000, "max_sessions_per_network": 1000,
        "max_sessions_per_user": 1000, "login_timeout": 120,
        "auth": " ".join(auth_item(db) for db in w.databases),
        "virtual_user": "vmail", "uid_min": w.uids[0], "uid_max": w.uids[1],
        "gid_min": w.gid_min,
        "gids_denied": " ".join(map(str, sorted(w.gids_denied))),
        "deny_file": "/etc/popper/deny", "maildrop_else": "",
        "sasl_mechanisms": " ".join(sorted(w.mechanisms)),
        "channel_binding": "yes" if w.binding else "no",
        "recoverable_secrets": "yes" if w.recoverable else "no",
        "app_passwords": w.app_passwords, "utf8_user": "yes" if w.utf8 else "no",
        "proxy_networks": "127.0.0.0/8",
        "plaintext_networks": " ".join(w.plaintext),
        "tls_certificate": "/etc/popper/cert.pem key=/etc/popper/key.pem",
        "tls_client_ca": "/etc/popper/ca.pem",
        "oauth_jwks": "/etc/popper/jwks.json", "oauth_issuer": ISSUER,
        "oauth_audience": AUDIENCE, "login_delay_max": w.delay_max}
    if w.separator:
        out["master_users"] = "/etc/popper/masters"
        out["master_separator"] = w.separator
    if w.allow is not None:
        out["allow_file"] = "/etc/popper/allow"
    return {**out, **more}


def configuration(w, **more):
    return conf(**options(w, **more)) + "".join(
        "access = %s\n" % rule_text(r) for r in w.rules) + "".join(
        "listen = %s\n" % x for x in (
            "*:%d" % POP, "127.0.0.1:%d tls" % POPS,
            "127.0.0.1:%d proxy" % PROXIED,
            "127.0.0.1:%d proxy tls" % PROXIEDS))


def lay_sqlite(path, settings, rows):
    """In one step, for who is looking."""
    fresh = path + ".new"
    with sqlite3.connect(fresh) as db:
        db.execute("CREATE TABLE users (name, password, uid, gid, maildrop,"
                   " nologin, login_delay)")
        db.executemany("INSERT INTO users VALUES (?,?,?,?,?,?,?)", rows)
    db.close()
    os.chmod(fresh, 0o644)
    os.rename(fresh, path)
    with open(settings, "w", encoding="ascii") as f:
        f.write("file = %s\nquery = SELECT password, uid, gid, maildrop,"
                " nologin, login_delay FROM users WHERE name = ?\n" % path)
    os.chmod(settings, 0o600)


def lay_database(host, db):
    if db.kind == "file":
        host.write(place(db), "".join(file_row(db, r)
                                      for r in db.rows.values()), 0o600)
    elif db.kind == "sqlite":
        host.call(lay_sqlite, "/srv/%s" % db.id, place(db), [
            (r.name, r.stored, r.uid, r.gid, maildrop(db, r)
             if not r.unsupported else "nowhere", r.state == "nologin", r.delay)
            for r in db.rows.values()])
    else:
        lay_accounts(host, db)


def lay_accounts(host, db):
    """The host's, all at once."""
    host.accounts = [a for a in host.accounts if a.name not in db.rows]
    for r in db.rows.values():
        a = Account(r.name, r.uid, r.gid, "/nonexistent",
                    "/bin/odd" if r.state == "shell" else "/bin/sh", r.stored)
        if r.state == "expired":
            a.expire = "1000"
        host.accounts.append(a)
    for name, gid in GROUPS.items():
        host.add_group(name, gid, [r.name for r in db.rows.values()
                                   if gid in r.groups])


def lay_mail(drops):
    """[(path, uid, gid, messages)]"""
    for path, uid, gid, messages in drops:
        with open(path, "w", encoding="ascii") as f:
            for i in range(messages):
                f.write("From a@example.net Mon Jan  1 12:00:00 2024\n"
                        "Subject: %d\n\nText\n\n" % i)
        os.chown(path, uid, gid)
        os.chmod(path, 0o660)


def lay_apps(host, w):
    host.write("/etc/popper/app-passwords", "".join(
        app_row(i + 1, a) for i, a in enumerate(w.apps)), 0o600)


def deny_text(w):
    return "".join(n + "\n" for n in sorted(w.deny))


def lay(host, w, **more):
    """All files of a world but certificates and keys."""
    for name, gid in GROUPS.items():
        host.add_group(name, gid)
    for db in w.databases:
        lay_database(host, db)
    host.call(lay_mail, [(maildrop(db, r), r.uid, 8, r.messages)
                         for db in w.databases for r in db.rows.values()])
    host.write("/etc/popper/masters", "".join(
        master_row(r) for r in w.masters.values()), 0o600)
    lay_apps(host, w)
    host.write("/etc/popper/deny", deny_text(w))
    if w.allow is not None:
        host.write("/etc/popper/allow",
                   "".join(n + "\n" for n in sorted(w.allow)))
    host.write("/etc/popper/popper.conf", configuration(w, **more))
