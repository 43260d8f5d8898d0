# SPDX-License-Identifier: ISC
"""One connection: what it said, what it heard and what the log says of it, held
against the verdicts that may be."""

import concurrent.futures
import contextlib
import itertools
import random
import re
import time

from client import Attempt, open_way
from model import TOKENS, judge, octets

WAIT = 120                      # seconds for what must come

REFUSED = b"-ERR [AUTH] Authentication failed."
IN_THE_CLEAR = b"-ERR [SYS/PERM] Passwords are not taken in the clear"
SHUT = re.compile(rb"-ERR (?!\[)")
LOGGED_IN = re.compile(rb"\+OK Maildrop has (\d+) messages \(\d+ octets\)\.")
TOO_SOON = b"-ERR [LOGIN-DELAY] "
IN_USE = b"-ERR [IN-USE] "
UNDECIDED = b"-ERR [SYS/TEMP] "
OURS = re.compile(r"\b(login|login-failed|master-login|app-password|session-end)"
                  r" ")
LOST = (OSError, EOFError)


def shown(value):
    """A value as a line of the log has it (docs/log.md)."""
    said = octets(value)
    if said and all(32 < c < 127 and c not in b'"=\\' for c in said):
        return value
    return '"%s"' % "".join(
        chr(c) if 32 <= c < 127 and c not in b'"\\' else "\\x%02x" % c
        for c in said)


class Wrong(Exception):
    """What was not as it should be."""


def covers(patterns, lines):
    """Each line is one of them, each of them a line."""
    left = list(lines)
    for pattern in patterns:
        hit = next((s for s in left if re.search(pattern, s)), None)
        if hit is None:
            return False
        left.remove(hit)
    return not left


class Visit:
    def __init__(self, hall, chance, way, logins, alone=True):
        """alone: nobody else has these maildrops meanwhile."""
        self.hall, self.chance, self.way = hall, chance, way
        self.logins, self.alone = logins, alone
        self.told = []              # for who reads of a failure
        self.lines = []             # of each attempt: ways to say it in the log
        self.let_in = False

    def run(self):
        """None, or what was wrong."""
        with self.hall.street.of(self.way.ip):
            self.mark = self.hall.host.syslog.mark()
            try:
                self.talk()
                self.log_is_right()
            except (Wrong, AssertionError, *LOST) as e:
                return "%r\n  seed %s: %s\n  %s\n  the log:\n    %s" % (
                    e, self.hall.seed, self.way, "\n  ".join(
                        map(str, self.told)), "\n    ".join(
                            self.hall.host.syslog.find(re.escape(
                                self.way.ip) + " |error|worker", self.mark)))
        return None

    def talk(self):
        began, failures = time.monotonic(), 0
        with open_way(self.hall.host, self.way, self.hall.keys.contexts,
                      self.chance) as pop:
            self.settings = self.hall.settings.between(began)
            for login in self.logins:
                if self.attempt(pop, login):
                    return
                failures += self.refused_by_auth
            if failures < 2:
                pop.quit()
            else:
                pop.at_end()

    # -- one login ----------------------------------------------------------

    def verdicts(self, login, began):
        """Those that may be, of what was in force since then."""
        return list(dict.fromkeys(
            judge(world, login, self.way)
            for world in self.hall.worlds(self.settings, began)))

    def attempt(self, pop, login):
        """True: that was the last one."""
        began = time.monotonic()
        if login.mechanism in TOKENS and not login.broken:
            login = self.hall.with_secret(login)
        with contextlib.ExitStack() as stack:
            names = {v.user for v in self.verdicts(login, began)
                     if v.what == "good" or self.hall.restless}
            for name in sorted(names if self.alone else ()):
                stack.enter_context(self.hall.street.of("user " + name))
            attempt = Attempt(pop, login, self.chance)
            if self.chance.random() < 0.12:
                attempt.waver(self.chance.choice(self.hall.crowd.names))
            said = attempt.say()
            self.told += [login, said]
            verdicts = self.verdicts(login, began)
            fit = [v for v in verdicts if self.fits(v, said, attempt.steps)]
            self.told += fit or verdicts
            if not fit:
                raise Wrong("not what was to come")
            self.refused_by_auth = fit[0].what == "no"
            if self.refused_by_auth:
                self.hall.failed(fit[0], self.way.ip)
            self.lines.append([self.said_in_log(v, said) for v in fit])
            self.hall.undecided += said.startswith(UNDECIDED)
            self.let_in = fit[0].what == "good" or said.startswith(UNDECIDED)
            if said.startswith(b"+OK"):
                self.look_around(pop, fit[0])
            return self.let_in

    def fits(self, verdict, said, steps):
        if verdict.what == "open":
            return said.startswith(IN_THE_CLEAR)
        if verdict.what == "shut":
            return SHUT.match(said)
        if self.may_be_lost(verdict) and said.startswith(UNDECIDED):
            return True
        if verdict.what == "no":
            return said == REFUSED and (steps == 1 or not verdict.challenged)
        m = LOGGED_IN.fullmatch(said)
        if m:
            return int(m.group(1)) == verdict.row.messages and \
                not self.hall.comes_too_soon(verdict.row)
        if said.startswith(IN_USE):
            return not self.alone
        return said.startswith(TOO_SOON) and \
            self.hall.comes_too_soon(verdict.row)

    def may_be_lost(self, verdict):
        """A worker that retires costs the exchanges that it has begun an error; it
        does so once, too, when files are some seconds old."""
        return verdict.method.startswith("scram-")

    def look_around(self, pop, verdict):
        """It is this maildrop until the end, which the log tells before the next
        one comes."""
        if pop.stat()[0] != verdict.row.messages:
            raise Wrong("the maildrop of somebody else")
        time.sleep(self.hall.stay)
        pop.quit()
        self.hall.host.syslog.wait(
            "session-end " + self.who(verdict) + "reason=quit", self.mark, WAIT)
        self.hall.was_there(verdict.row)

    # -- the log ------------------------------------------------------------

    def who(self, verdict):
        return r".*user=%s ip=%s " % (re.escape(shown(verdict.user)),
                                      re.escape(self.way.ip))

    def said_in_log(self, verdict, said):
        """Patterns of the lines."""
        who, method = self.who(verdict), "method=%s" % verdict.method
        master = "master=%s" % re.escape(shown(verdict.master))
        if verdict.what in ("open", "shut"):
            return ()
        if said.startswith(UNDECIDED):
            return (r"\blogin-failed .*ip=%s .*reason=error\b" % re.escape(
                self.way.ip),)
        if verdict.what == "no":
            return (r"\blogin-failed %s%s%s reason=%s\b" % (
                who, method, " " + master if verdict.master else "",
                verdict.reason),)
        out = []
        if verdict.master:
            out.append(r"\bmaster-login %s%s %s$" % (who, method, master))
        if verdict.app:
            out.append(r"\bapp-password %s%s app=%s$" % (who, method,
                                                         verdict.app))
        out.append(r"\blogin %suid=%d db=%s (cached=yes )?%s$" % (
            who, verdict.row.uid, verdict.db, method))
        end = "quit" if said.startswith(b"+OK") else \
            "no-maildrop" if said.startswith(IN_USE) else "login-delay"
        return (*out, "session-end %sreason=%s" % (who, end))

    def mine(self):
        return [s for s in self.hall.host.syslog.find(OURS, self.mark)
                if " ip=%s " % self.way.ip in s]

    def log_is_right(self):
        """Each line that must be there, and no further one."""
        if self.way.ip in self.hall.spoiled:
            return
        deadline = time.monotonic() + WAIT
        while True:
            lines = self.mine()
            if any(covers(itertools.chain(*way), lines)
                   for way in itertools.product(*self.lines)):
                return
            if time.monotonic() > deadline:
                raise Wrong("other lines in the log than %s" % self.lines)
            time.sleep(0.02)


class Rough(Visit):
    """While processes are killed: it may be lost, or told to come again; but it is
    never judged in another way.  Who was to answer then may say so later, in a line
    that looks like one about who comes next from that address."""

    verdict = None

    def talk(self):
        try:
            super().talk()
        except LOST as e:
            self.told.append(e)
            self.hall.spoiled.add(self.way.ip)

    def fits(self, verdict, said, steps):
        if verdict.what in ("no", "good") and said.startswith(
                (UNDECIDED, IN_USE)):
            return True
        return super().fits(verdict, said, steps)

    def look_around(self, pop, verdict):
        if pop.stat()[0] != verdict.row.messages:
            raise Wrong("the maildrop of somebody else")
        pop.quit()

    def attempt(self, pop, login):
        self.verdict, = self.verdicts(login, time.monotonic())
        super().attempt(pop, login)
        if self.told[-2].startswith((UNDECIDED, IN_USE)):
            self.hall.spoiled.add(self.way.ip)
        return True

    def log_is_right(self):
        """What there is, must be right."""
        if self.way.ip in self.hall.spoiled:
            return
        may = self.said_in_log(self.verdict, b"+OK") if self.verdict else ()
        for line in self.mine():
            if " session-end " not in line and "reason=error" not in line \
                    and not any(re.search(p, line) for p in may):
                raise Wrong("the log: %s" % line)


def twins(hall, chance, login, ways):
    """The same login several times at once: each is judged by itself, and of those
    whose password is right one at a time has the maildrop."""
    names = {v.user for w in ways for v in (judge(hall.world, login, w),)}
    with contextlib.ExitStack() as stack:
        for name in sorted(names):
            stack.enter_context(hall.street.of("user " + name))
        visits = [Visit(hall, random.Random(chance.random()), way, [login],
                        alone=False) for way in ways]
        with concurrent.futures.ThreadPoolExecutor(len(visits)) as pool:
            wrong = list(filter(None, pool.map(lambda v: v.run(), visits)))
    return "\n".join(wrong) or None
