# SPDX-License-Identifier: ISC
"""What a login must answer, computed from the configuration alone.

Written from popper.conf(5) and the reasons of docs/log.md, independently of popper: a
World says who is there, a Login what a client says and by which way; judge() gives
the Verdict.  Nothing in here asks popper, or knows how it is built.
"""

import dataclasses
import hashlib
import hmac
import ipaddress
import stringprep
import time
import unicodedata

PLAIN_WORDS = ("pass", "plain", "login")
DIGESTS = ("apop", "cram-md5")
TOKENS = ("oauthbearer", "xoauth2")
GOOD, OPEN, SHUT = "good", "open", "shut"


# -- what there is ----------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Row:
    """A user of one database."""
    name: str
    password: str               # that is right
    scheme: str                 # plain, hash, scram-sha-1, scram-sha-256, odd
    stored: str                 # as it is written
    uid: int
    gid: int
    messages: int               # of his maildrop: nobody else has so many
    state: str = ""             # locked, star, nologin, expired, blank, shell
    unsupported: bool = False   # the row has what popper cannot obey
    delay: int = None           # his own login_delay
    groups: frozenset = frozenset()     # those of the host, beside gid


@dataclasses.dataclass(frozen=True)
class App:
    user: str
    name: str
    password: str
    networks: tuple = ()
    expires: int = None         # seconds since 1970


@dataclasses.dataclass(frozen=True)
class Rule:
    allows: bool
    conditions: tuple           # (key, negated, items)


@dataclasses.dataclass(frozen=True)
class Database:
    id: str
    kind: str                   # file, sqlite, pam
    rows: dict                  # name: Row


@dataclasses.dataclass(frozen=True)
class World:
    """All that decides about a login."""
    databases: tuple
    masters: dict               # name: Row
    separator: str              # "": no master users
    apps: tuple
    app_passwords: str          # no, yes, only
    deny: frozenset
    allow: frozenset            # None: everybody
    rules: tuple
    certificates: dict          # certificate: names whose it is
    mechanisms: frozenset       # of sasl_mechanisms
    recoverable: bool
    binding: bool               # channel_binding
    utf8: bool
    plaintext: tuple            # networks, beside this host
    group_ids: dict             # of the host
    uids: tuple = (1000, 60000)
    gid_min: int = 100
    gids_denied: frozenset = frozenset()
    delay_max: int = 0
    cache_pam: bool = False     # decides nothing, and must not


@dataclasses.dataclass(frozen=True)
class Way:
    """How a client has come."""
    ip: str
    port: int
    tls: bool                   # when it logs in
    stls: bool                  # which has begun after the greeting
    certificate: str = ""       # that it shows
    old_tls: bool = False       # TLS 1.2, where Python can bind (tls-unique)


@dataclasses.dataclass(frozen=True)
class Token:
    owner: str
    flaw: str                   # "": it is good
    signed: bool                # by our issuer, who is named in it


@dataclasses.dataclass(frozen=True)
class Login:
    mechanism: str
    name: str                   # said, or of a token: ""
    secret: str = ""
    authz: str = ""             # of PLAIN and EXTERNAL
    token: Token = None
    plus: bool = False          # of SCRAM
    flag: str = "n"             # of SCRAM without -PLUS: n or y
    broken: bool = False        # no message of the mechanism at all


@dataclasses.dataclass(frozen=True)
class Verdict:
    """good: let in.  no: refused, with a line in the log.  open: not even asked, in
    the clear where that is not taken.  shut: not offered here."""
    what: str
    reason: str = ""
    user: str = ""              # in the log
    method: str = ""
    master: str = ""
    app: str = ""
    db: str = ""
    row: Row = None

    @property
    def challenged(self):
        """Who is refused by SCRAM hears a challenge first, whoever he is."""
        return self.method.startswith("scram-") and \
            self.reason != "bad-message"


# -- names and passwords ----------------------------------------------------

def octets(text):
    """What a client says of it: a lone surrogate is an octet that is no UTF-8."""
    return text.encode("utf-8", "surrogateescape")


def saslprep(text, password=False):
    """RFC 4013, of a query; None: that cannot be.  No name has a character that is
    newer than Unicode 3.2, a password may."""
    text = "".join(
        " " if stringprep.in_table_c12(c) else c for c in text
        if not stringprep.in_table_b1(c))
    text = unicodedata.ucd_3_2_0.normalize("NFKC", text)
    forbidden = (stringprep.in_table_c12, stringprep.in_table_c21_c22,
                 stringprep.in_table_c3, stringprep.in_table_c4,
                 stringprep.in_table_c5, stringprep.in_table_c6,
                 stringprep.in_table_c7, stringprep.in_table_c8,
                 stringprep.in_table_c9) + (
                     () if password else (stringprep.in_table_a1,))
    if any(table(c) for c in text for table in forbidden):
        return None
    if any(stringprep.in_table_d1(c) for c in text) and (
            any(stringprep.in_table_d2(c) for c in text)
            or not stringprep.in_table_d1(text[0])
            or not stringprep.in_table_d1(text[-1])):
        return None
    return text


def prepared(text, password=False):
    """ASCII is what it is."""
    return text if text.isascii() else saslprep(text, password)


def name_is_valid(world, name):
    if not 0 < len(octets(name)) <= 255 or name[0] in "-.#":
        return False
    if any(c <= " " or c in "/:\x7f" for c in name) or name.endswith(".lock"):
        return False
    return name.isascii() or (world.utf8 and prepared(name) == name)


def listed(names, name):
    return name in names or ("@" in name and
                             "@" + name.rpartition("@")[2] in names)


def denied(world, name):
    return listed(world.deny, name) or (
        world.allow is not None and not listed(world.allow, name))


def within(ip, networks):
    a = ipaddress.ip_address(ip)
    return any(a in ipaddress.ip_network(n) for n in networks)


# -- rules ------------------------------------------------------------------

def group_fits(world, row, item):
    gid = int(item) if item.isdigit() else world.group_ids.get(item)
    return gid == row.gid or gid in row.groups


def listener_fits(item, way):
    return int(item.rpartition(":")[2]) == way.port


def condition_holds(world, row, db, login, way, master, app, condition):
    key, negated, items = condition
    fits = {
        "user": lambda i: i == row.name,
        "domain": lambda i: "@" in row.name and
                  row.name.rpartition("@")[2].lower() == i.lower(),
        "group": lambda i: group_fits(world, row, i),
        "db": lambda i: i == db.id,
        "method": lambda i: i == method_word(login),
        "network": lambda i: within(way.ip, [i]),
        "listener": lambda i: listener_fits(i, way),
        "tls": lambda i: i == ("yes" if way.tls else "no"),
        "master": lambda i: i == ("yes" if master else "no"),
        "app": lambda i: i == ("yes" if app else "no"),
    }[key]
    return any(map(fits, items)) != negated


def allowed(world, row, db, login, way, master, app):
    for rule in world.rules:
        if all(condition_holds(world, row, db, login, way, master, app, c)
               for c in rule.conditions):
            return rule.allows
    return True


# -- the verdict ------------------------------------------------------------

def method_word(login):
    return login.mechanism + ("-plus" if login.plus else "")


def by_what_is_stored(mechanism):
    return mechanism in DIGESTS or mechanism.startswith("scram-")


def is_argument(world, name):
    """Of a command; of a SASL message it may be any octets."""
    return not any(c < " " or stringprep.in_table_c5(c) for c in name) and (
        world.utf8 or name.isascii())


def offered(world, login, way):
    """GOOD, or why nobody is asked."""
    m = login.mechanism
    if m in ("pass", "plain", "login", *TOKENS):
        local = ipaddress.ip_address(way.ip).is_loopback
        if not way.tls and not local and not within(way.ip, world.plaintext):
            return OPEN
    if by_what_is_stored(m) and (world.app_passwords == "only" or all(
            db.kind == "pam" for db in world.databases)):
        return SHUT
    if m in ("pass", "apop") and not is_argument(world, login.name):
        return SHUT
    if m == "apop":
        return GOOD if world.recoverable and not way.stls else SHUT
    if m == "cram-md5":
        return GOOD if world.recoverable and m in world.mechanisms else SHUT
    if m.startswith("scram-"):
        there = m in world.mechanisms and (not login.plus or (
            way.tls and world.binding))
        return GOOD if there else SHUT
    if m in ("plain", "login"):
        return GOOD if m in world.mechanisms else SHUT
    if m == "external":
        return GOOD if way.tls and world.certificates.get(way.certificate) \
            else SHUT
    return GOOD


def split_master(world, name):
    """(user, master), or None."""
    if not world.separator or world.separator not in name:
        return None
    user, _, master = name.rpartition(world.separator)
    return (user, master) if user and master else None


def said_name(world, login, way):
    """The name that is asked about; None: the message is no message."""
    if login.broken:
        return None
    name = login.name
    if login.mechanism == "plain":
        if not login.secret or not login.name:
            return None
        if login.authz and login.authz != login.name:
            if not world.separator or world.separator in login.name:
                return None
            name = login.authz + world.separator + login.name
    elif login.mechanism == "login":
        if not login.secret or not login.name:
            return None
    elif login.mechanism == "external":
        owners = world.certificates[way.certificate]
        name = login.authz or (owners[0] if len(owners) == 1 else "")
    return name


def prepare_name(world, name, mechanism):
    """As databases have it: both names of a master's login, each by itself."""
    if mechanism.startswith("scram-"):  # no master's; RFC 5802 says it for all
        return prepared(name) or name
    if not world.utf8 or name.isascii():
        return name
    parts = name.rpartition(world.separator) if world.separator and \
        world.separator in name else ("", "", name)
    made = [prepared(p) if p else p for p in (parts[0], parts[2])]
    if None in made or any(world.separator and world.separator in m
                           and not p.isascii()
                           for m, p in zip(made, (parts[0], parts[2]))):
        return name
    return made[0] + parts[1] + made[1]


def row_state(row, login):
    """Why it lets nobody in, or "" (a row of a password file or of SQL)."""
    by_proof = login.mechanism in ("external", *TOKENS)
    if row.state in ("locked", "nologin"):
        return "locked"
    if row.state == "star":
        return "" if by_proof else "locked"
    return ""


def ids_reason(world, row):
    if not world.uids[0] <= row.uid <= world.uids[1] or row.uid == 0:
        return "uid"
    if row.gid == 0 or row.gid < world.gid_min or row.gid in world.gids_denied:
        return "gid"
    return ""


def of_rows(world, row, login, proven, matches):
    """The first reason of a password file's row."""
    why = row_state(row, login)
    if why:
        return why
    if not proven:
        if row.scheme == "odd":
            return "row" if login.mechanism in PLAIN_WORDS else "no-secret"
        why = matches(row)
        if why:
            return why
    return "row" if row.unsupported else ids_reason(world, row)


def of_pam(world, row, login, proven):
    """The same of an account of the host."""
    why = ids_reason(world, row)
    if why:
        return why
    if row.state == "shell":
        return "shell"
    if row.state == "blank":
        return "empty-password"
    if proven:
        return {"locked": "locked", "expired": "expired"}.get(row.state, "")
    if row.state == "locked":
        return "locked"
    if row.state == "star" or login.secret != row.password:
        return "bad-password"
    return "expired" if row.state == "expired" else ""


def has_no_secret(row, mechanism):
    """Nothing that the mechanism can use is stored."""
    return by_what_is_stored(mechanism) and row.scheme not in (
        "plain", mechanism)


def scram_secret(login):
    """As a client of SCRAM brings it into form, whatever is said elsewhere."""
    return prepared(login.secret) or login.secret.replace("\udcff", "\ufffd")


def matching(login):
    """row -> why the secret that was said is not his, or "".  What is stored for SCRAM
    is made of the password in its form, so whatever is said is brought into that."""
    def said(row):
        return scram_secret(login) if login.mechanism.startswith("scram-") \
            or row.scheme.startswith("scram-") else login.secret

    return lambda row: "no-secret" if has_no_secret(row, login.mechanism) \
        else "" if said(row) == row.password else "bad-password"


def app_of(world, user, secret):
    typed = secret.replace("-", "").replace(" ", "")
    for app in world.apps:
        if app.user == user and app.password.replace("-", "") == typed:
            return app
    return None


def app_hindered(app, way):
    return (app.expires is not None and app.expires <= time.time()) or \
        (app.networks and not within(way.ip, app.networks))


def judge(world, login, way):
    what = offered(world, login, way)
    if what != GOOD:
        return Verdict(what)
    name = said_name(world, login, way)
    if name is None:
        return Verdict("no", "token" if login.mechanism in TOKENS else
                       "bad-message" if login.mechanism.startswith("scram-")
                       else "bad-name", "", method_word(login))
    return Case(world, login, way, prepare_name(
        world, name, login.mechanism)).judge()


class Case:
    """One login that is asked about."""

    def __init__(self, world, login, way, name):
        self.world, self.login, self.way = world, login, way
        self.user, self.master, self.app = name, "", None
        self.proven = login.mechanism in ("external", *TOKENS)

    def no(self, reason):
        return Verdict("no", reason, self.user, method_word(self.login),
                       self.master)

    def judge(self):
        m = self.login.mechanism
        why = self.before_password()
        if not why and m in TOKENS:
            why = self.of_token()
        if not why and m in PLAIN_WORDS:
            why = self.of_master()
        if not why:
            why = self.of_name()
        return self.no(why) if why else self.ask()

    def before_password(self):
        m = self.login.mechanism
        if m in PLAIN_WORDS and self.world.utf8:
            secret = prepared(self.login.secret, password=True)
            if secret is None:
                return "bad-password"
            self.login = dataclasses.replace(self.login, secret=secret)
        if m.startswith("scram-") and saslprep(self.login.name) is None:
            self.user = ""
            return "bad-message"
        if m.startswith("scram-") and not self.login.plus and \
                self.login.flag == "y" and self.way.tls and \
                self.world.binding:
            self.user = ""              # nothing else of it is looked at
            return "bad-message"
        return ""

    def of_token(self):
        t = self.login.token
        if t.flaw or (self.user and self.user != t.owner):
            if not self.user and t.signed:
                self.user = t.owner
            return "token"
        self.user = t.owner
        return ""

    def of_master(self):
        split = split_master(self.world, self.user)
        if split is None:
            return ""
        self.user, self.master = split
        row = self.world.masters.get(self.master)
        if row is None:
            return "unknown-user"
        if row.state:
            return "locked"
        if not self.is_masters(row):
            return "bad-password"
        self.proven = True
        return ""

    def is_masters(self, row):
        return not matching(self.login)(row)

    def of_name(self):
        m, w = self.login.mechanism, self.world
        if not name_is_valid(w, self.user):
            return "bad-name"
        if denied(w, self.user):
            return "denied"
        if m == "external":
            return "" if self.user in w.certificates[self.way.certificate] \
                else "certificate"
        if m in PLAIN_WORDS and not self.login.secret:
            return "empty-password"
        if self.proven or w.app_passwords == "no":
            return ""
        if m in PLAIN_WORDS:
            self.app = app_of(w, self.user, self.login.secret)
        if self.app and app_hindered(self.app, self.way):
            return "app-password"
        if self.app:
            self.proven = True
        elif w.app_passwords == "only":
            return "app-password"
        return ""

    def of_account(self, row):
        return of_pam(self.world, row, self.login, self.proven)

    def matching(self):
        return matching(self.login)

    def ask(self):
        by_stored = by_what_is_stored(self.login.mechanism)
        for db in self.world.databases:
            row = db.rows.get(self.user)
            if row is None or (by_stored and db.kind == "pam"):
                continue
            why = self.of_account(row) if db.kind == "pam" else of_rows(
                self.world, row, self.login, self.proven, self.matching())
            if not why and not allowed(
                    self.world, row, db, self.login, self.way,
                    bool(self.master), self.app is not None):
                why = "rule"
            return self.no(why) if why else Verdict(
                "good", "", self.user, method_word(self.login), self.master,
                self.app.name if self.app else "", db.id, row)
        return self.no("unknown-user")


class Foresight(Case):
    """The same for who does not know the secret: as if it were right."""

    def before_password(self):
        return ""

    def of_token(self):
        return ""

    def is_masters(self, row):
        return True

    def of_name(self):
        if not name_is_valid(self.world, self.user):
            return "bad-name"
        return "denied" if denied(self.world, self.user) else ""

    def of_account(self, row):
        if not self.proven and row.state == "star":
            return ids_reason(self.world, row) or "locked"
        right = dataclasses.replace(self.login, secret=row.password)
        return of_pam(self.world, row, right, self.proven)

    def matching(self):
        return lambda row: "no-secret" if has_no_secret(
            row, self.login.mechanism) else ""


class AppForesight(Foresight):
    """By some app password of his, whatever he has."""

    def of_name(self):
        if not self.master:
            self.proven, self.app = True, App(self.user, "any", "")
        return super().of_name()


def foresee(world, login, way):
    """(own, by an app password): the Verdict of each; None: none is taken."""
    name = prepare_name(world, login.name, login.mechanism)
    takes = world.app_passwords != "no" and login.mechanism in PLAIN_WORDS
    own = Foresight(world, login, way, name).judge()
    by_app = AppForesight(world, login, way, name).judge() if takes else None
    return (by_app if takes and world.app_passwords == "only" else own), by_app


def hindered(world, login, way, proxied):
    """Whether such a client gets as far as to be judged; of a certificate nothing is
    known, and of TLS before a proxy not when it began."""
    if login.mechanism == "external":
        return not way.tls
    return offered(world, dataclasses.replace(login, name="x"),
                   dataclasses.replace(way, stls=way.stls and not proxied)
                   ) != GOOD


def blamed(world, verdict):
    """For whom a failure counts: a user, or a master with his mark; "": nobody."""
    master = verdict.master
    if not master and verdict.method in PLAIN_WORDS:    # the password was none
        master = (split_master(world, verdict.user) or ("", ""))[1]
    return world.separator + master if master else verdict.user


def digest(mechanism, stamp, secret):
    """Of APOP and CRAM-MD5."""
    if mechanism == "apop":
        return hashlib.md5(stamp + octets(secret)).hexdigest()
    return hmac.new(octets(secret), stamp, hashlib.md5).hexdigest()
