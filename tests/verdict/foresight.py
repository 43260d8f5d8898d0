# SPDX-License-Identifier: ISC
"""What popper ctl why says of logins by chance, held against the model."""

import concurrent.futures
import json

from crowd import MECHANISMS
from model import (PLAIN_WORDS, Login, app_hindered, foresee, hindered,
                   method_word)
import town

ALL = sorted(set(MECHANISMS))
AT_A_TIME = 4
# What becomes a mark of a master's name here, but not at a login; no UTF-8.
UNSAYABLE = {0xff0a: None, 0xff0b: None, 0xdcff: None}


def chosen(hall, chance):
    """(login, way): what is asked about; a secret is none of it."""
    m = chance.choice(ALL)
    name = hall.crowd.name(chance, chance.choice(hall.crowd.rows)).translate(
        UNSAYABLE)
    plus = m.startswith("scram-") and chance.random() < 0.3
    if m in PLAIN_WORDS and name.isascii() and chance.random() < 0.2:
        name += (hall.world.separator or "*") + chance.choice(
            sorted(hall.world.masters) + ["noboss"])
    login = Login(m, name, plus=plus)
    return login, hall.crowd.way(chance, login)


def asked(hall, login, way):
    """What it says."""
    how = ["--method", method_word(login), "--listener",
           "127.0.0.1:%d" % way.port] + ["--tls"] * way.tls
    r = hall.host.run(["/usr/sbin/popper", "ctl", "--json", "why", *how,
                       "%s@%s" % (login.name, way.ip)], check=True)
    return json.loads(r.stdout)


def of_apps(world, own, by_app, way):
    """{key: how it begins} of each that he has."""
    if by_app is None or own.master or "good" not in (own.what, by_app.what):
        return {}
    return {"app_password_%d" % i: "%s %s" % (
        a.name, "passed" if by_app.what == "good" and not app_hindered(a, way)
        else "refused")
            for i, a in enumerate((a for a in world.apps
                                   if a.user == own.user), 1)}


def expected(world, login, way):
    own, by_app = foresee(world, login, way)
    good = own.what == "good"
    stopped = hindered(world, login, way, way.port in town.OF_PROXIES)
    out = {"connection": "refused" if stopped else "passed",
           "rules": "passed" if good else "refused",
           "reason": None if good else own.reason}
    if good:
        out.update(db=own.db, uid=own.row.uid, gid=own.row.gid)
    return {**out, **of_apps(world, own, by_app, way)}


def begins(said, want):
    return said == want or (isinstance(said, str) and isinstance(want, str)
                            and said.startswith((want + ":", want + ",")))


def foreseen(hall, number):
    """None, or what was wrong."""
    login, way = chosen(hall, hall.chance(number))
    said = asked(hall, login, way)
    want = expected(hall.world, login, way)
    wrong = {k: (v, said.get(k)) for k, v in want.items()
             if not begins(said.get(k), v)}
    more = [k for k in said if k.startswith("app_password_") and k not in want]
    return "seed %s, why %d: %s %s: %s %s\n  %s" % (
        hall.seed, number, login, way, wrong, more, said) \
        if wrong or more else None


def all_foreseen(hall, numbers):
    """What was wrong."""
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        return list(filter(None, pool.map(lambda n: foreseen(hall, n), numbers)))
