# SPDX-License-Identifier: ISC
"""What is measured: each scenario is a function of a running server that gives
its numbers, or raises Void when an answer was wrong.

Processor time is that of all processes of the server, from before the load
begins until what it began has ended.
"""

import math
import subprocess
import time

from house import CERTIFICATE, KEY, PAIRS
from measure import available_kib

PROCESS_MAX = 8000      # connections of one load: descriptors are limited
SETTLE = 0.3            # seconds
HOLD_LIMIT = 600
PROBE_USERS = 64        # who are not held, and log in beside the others


class Void(Exception):
    """The peer erred: the run does not count."""


class Load:
    """A load generator within the server's host."""

    def __init__(self, server, scenario, *words):
        self.process = server.house.popen(
            ["/usr/sbin/load", scenario, *server.to(words),
             *server.load_words, *[str(w) for w in words]],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        self.scenario = scenario

    def held(self):
        """Waits until it holds what it can: how many."""
        line = self.process.stdout.readline().decode()
        if not line.startswith("held "):
            raise Void(self._error() or "%s ended early" % self.scenario)
        return int(_pairs(line)["n"])

    def finish(self):
        """Lets it go on, waits for its end: {word: {key: value}}, the
        latencies under their names."""
        try:
            out, err = self.process.communicate(b"\n", timeout=HOLD_LIMIT)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Void("%s did not end" % self.scenario) from None
        found = {}
        for line in out.decode().splitlines():
            word, _, rest = line.partition(" ")
            values = _pairs(rest)
            if word == "latency":
                found[values["of"]] = values
            elif word == "result":
                found[word] = values
        if self.process.returncode != 0 or "result" not in found:
            raise Void(_first(err) or "%s ended with %d" % (
                self.scenario, self.process.returncode))
        return found

    def _error(self):
        _, err = self.process.communicate(timeout=HOLD_LIMIT)
        return _first(err)

    def kill(self):
        """Its own process, not the wrapper's."""
        if self.process.poll() is None:
            self.process.stop(timeout=30)
        for f in (self.process.stdin, self.process.stdout,
                  self.process.stderr):
            f.close()


def _first(err):
    return err.decode("utf-8", "replace").partition("\n")[0].strip()


def _pairs(text):
    out = {}
    for word in text.split():
        key, sep, value = word.partition("=")
        if sep:
            out[key] = value
    return out


def run_load(server, scenario, *words):
    load = Load(server, scenario, *words)
    try:
        return load.finish()
    finally:
        load.kill()


def warm(server, c, *words):
    """Every user once (as many as the tables are about): caches and index
    files are there."""
    run_load(server, "login", "--users", PAIRS, "--connections",
             c.connections, "--sessions", min(c.users, server.house.users),
             *words)
    time.sleep(SETTLE)


def _per_session(server, *words):
    """Rate, cost and latency of sessions that follow each other."""
    before = server.group.cpu_ms()
    found = run_load(server, *words)
    time.sleep(SETTLE)
    cpu = server.group.cpu_ms() - before
    n = int(found["result"]["sessions"])
    out = {"sessions": n, "rate": float(found["result"]["rate"]),
           "cpu_ms": cpu / n, "resumed": int(found["result"]["resumed"]) / n}
    for name in ("login", "session"):
        for key in ("p50", "p95", "p99"):
            out["%s_%s_ms" % (name, key)] = float(found[name][key + "_ms"])
    return out


def login(server, c, *words):
    """USER PASS STAT QUIT."""
    warm(server, c, *words)
    return _per_session(server, "login", "--users", PAIRS, "--connections",
                        c.connections, "--seconds", c.seconds, *words)


def _secured(server, c, *words):
    """Before that in the clear, for comparison."""
    plain = login(server, c)
    return {**login(server, c, *words), "plain_ms": plain["cpu_ms"]}


def tls(server, c):
    """The same under TLS 1.3 from the first octet, each with a handshake of
    its own."""
    return _secured(server, c, *TLS)


def tls_rsa(server, c):
    """As tls; the server's certificate is an RSA one."""
    return tls(server, c)


def stls(server, c):
    """After STLS."""
    return _secured(server, c, "--stls", CERTIFICATE)


def resumed(server, c):
    """With the last ticket that any client was given."""
    return _secured(server, c, *TLS, "--resume")


def scram(server, c):
    """AUTH SCRAM-SHA-256 with stored keys, and STAT, QUIT."""
    return login(server, c, "--scram")


def tls_scram(server, c):
    """The same under TLS 1.3."""
    return login(server, c, *TLS, "--scram")


def retr(server, c):
    """All of a maildrop that nobody has read, each user once."""
    warm(server, c)
    words = [w for path in server.house.mail for w in ("--mail", path)]
    return _per_session(server, "retr", "--users", PAIRS, "--connections",
                        c.connections, "--sessions",
                        min(c.users, server.house.users), *words)


class Crowd:
    """Connections that are held, by as many processes as it needs."""

    def __init__(self, server, c, scenario, n, *words):
        self.loads, self.n = [], n
        parts = math.ceil(n / PROCESS_MAX)
        names = server.house.names[PROBE_USERS:PROBE_USERS + n]
        try:
            for k in range(parts):
                more = list(words)
                if scenario == "idle-sessions":
                    more += ["--users", server.house.pairs(
                        "%s.held.%d" % (PAIRS, k), names[k::parts])]
                self.loads.append(Load(
                    server, scenario, "--hold", len(range(k, n, parts)),
                    "--connections", c.connections, "--sources", 200, "--from",
                    "127.%d.0.1" % (k + 1), *more))
            held = sum(load.held() for load in self.loads)
            if held != n:
                raise Void("%d of %d were held" % (held, n))
        except BaseException:
            self.end()
            raise

    def release(self):
        """They go on with their commands: what each process reports."""
        return [load.finish() for load in self.loads]

    def end(self):
        for load in self.loads:
            load.kill()


def _memory(server):
    return server.group.pss_kib(), available_kib(), server.group.count()


def _held(server, c, scenario, n, *words):
    """What each of n held connections costs."""
    time.sleep(SETTLE)
    cpu, quiet = server.group.cpu_ms(), _memory(server)
    crowd = Crowd(server, c, scenario, n, *words)
    try:
        time.sleep(SETTLE)
        full = _memory(server)
        cpu = server.group.cpu_ms() - cpu
        found = crowd.release()
    finally:
        crowd.end()
    out = {"held": n, "pss_kib": (full[0] - quiet[0]) / n,
           "available_kib": (quiet[1] - full[1]) / n,
           "processes": (full[2] - quiet[2]) / n, "cpu_ms": cpu / n,
           "quiet_pss_kib": quiet[0]}
    if "noop" in found[0]:
        out["noop_p99_ms"] = max(float(f["noop"]["p99_ms"]) for f in found)
    return out


def strangers(server, c, *words):
    """Connections that have seen the greeting and say nothing."""
    warm(server, c, *words)
    return _held(server, c, "idle-strangers",
                 min(c.hold, server.peer.most["strangers"]), *words)


def tls_strangers(server, c):
    """The same under TLS."""
    return strangers(server, c, *TLS)


def sessions(server, c):
    """Logged in and idle; each answers a NOOP in the end."""
    warm(server, c)
    return _held(server, c, "idle-sessions",
                 min(c.hold, server.peer.most["sessions"],
                     server.house.users - PROBE_USERS))


def _probe(server, c):
    path = server.house.pairs(PAIRS + ".probe",
                              server.house.names[:PROBE_USERS])
    found = run_load(server, "probe", "--users", path, "--connections",
                     PROBE_USERS, "--rate", c.rate, "--seconds", c.seconds)
    return {"%s_ms" % key: float(found["login"][key + "_ms"])
            for key in ("p50", "p95", "p99")}


def _beside(server, c, *crowds):
    """Logins at a fixed rate, alone and beside the others."""
    warm(server, c)
    quiet_memory, quiet = _memory(server), _probe(server, c)
    others = []
    try:
        for words in crowds:
            others.append(Crowd(server, c, *words))
        time.sleep(SETTLE)
        full = _memory(server)
        loud = _probe(server, c)
        for crowd in others:
            crowd.release()
    finally:
        for crowd in others:
            crowd.end()
    out = {"pss_mib": full[0] / 1024,
           "available_mib": (quiet_memory[1] - full[1]) / 1024,
           "held": sum(crowd.n for crowd in others)}
    for key in quiet:
        out["quiet_" + key], out[key] = quiet[key], loud[key]
    out["p99_growth"] = loud["p99_ms"] / quiet["p99_ms"]
    return out


def beside(server, c):
    """Logins beside as many idle sessions as idle strangers."""
    n = min(c.hold, min(server.peer.most.values()),
            server.house.users - PROBE_USERS)
    return _beside(server, c, ("idle-sessions", n), ("idle-strangers", n))


def attack(server, c):
    """Logins beside strangers who send an octet of a command a second."""
    n = min(c.hold, server.peer.most["strangers"])
    return _beside(server, c, ("idle-strangers", n, "--drip", 1000))


def _bulk(server, c, *words):
    """One large message, a few times after each other, by one client."""
    before = server.group.cpu_ms()
    found = run_load(server, "bulk", "--users", PAIRS, "--connections", 1,
                     "--sessions", BULK_TIMES, "--mail", server.house.mail[0],
                     *words)
    time.sleep(SETTLE)
    mb = c.bulk * (1 << 20) / 1e6
    return {"mb_s": 1000 * mb / float(found["retr"]["p50_ms"]),
            "cpu_ms_mb": (server.group.cpu_ms() - before) / mb / BULK_TIMES}


def bulk(server, c):
    """A large message in the clear."""
    warm(server, c)
    return _bulk(server, c)


def tls_bulk(server, c):
    """A large message under TLS."""
    warm(server, c)
    return _bulk(server, c, *TLS)


def _mail(house):
    """The load's words for what is in every maildrop."""
    return [w for path in house.mail for w in ("--mail", path)] + [
        "--count", house.count]


def _timed(server, name, *words):
    """Sessions of the one user of a large maildrop, one after the other:
    (how many, CPU of all of them, what the load found)."""
    before = server.group.cpu_ms()
    found = run_load(server, name, "--users", PAIRS, "--connections", 1,
                     "--timeout", PATIENCE, *_mail(server.house), *words)
    time.sleep(SETTLE)
    return (int(found["result"]["sessions"]),
            server.group.cpu_ms() - before, found)


def poll(server, c):
    """USER PASS STAT UIDL LIST QUIT of one maildrop, cold, then unchanged,
    then without UIDL and LIST, then with one new message each time."""
    _, cold, found = _timed(server, "poll", "--sessions", 1)
    out = {"cold_cpu_ms": cold, "cold_ms": float(found["session"]["p50_ms"])}
    # What it keeps may take another session to be complete.
    _timed(server, "poll", "--sessions", 1)
    for key, name in (("", "poll"), ("stat_", "login")):
        n, cpu, found = _timed(server, name, "--seconds", c.seconds,
                               "--sessions", c.polls)
        out[key + "cpu_ms"] = cpu / n
        out[key + "session_ms"] = float(found["session"]["p50_ms"])
    if not server.peer.canned:
        cpu = 0
        for _ in range(NEW_TIMES):
            server.house.deliver()
            cpu += _timed(server, "poll", "--sessions", 1)[1]
        out["new_cpu_ms"] = cpu / NEW_TIMES
    return out


def _whole(server, name, *words):
    """A command for each message, once, when the maildrop is known: for the
    session, for each message and for each MB."""
    _timed(server, "poll", "--sessions", 1)
    _, cpu, found = _timed(server, name, "--sessions", 1, *words)
    house, ms = server.house, float(found["each"]["p50_ms"])
    mb = house.drop.wire_octets / 1e6
    return {"cpu_ms": cpu, "cpu_ms_mb": cpu / mb,
            "mb_s": 1000 * mb / ms, "each_ms": ms,
            "each_us": 1000 * ms / house.count}


def fetch(server, c):
    """RETR of every message, one after the other's last octet."""
    return _whole(server, "retr")


def fetch_pipelined(server, c):
    """The same, and several commands are on their way."""
    return _whole(server, "retr", "--ahead", AHEAD)


def fetch_large(server, c):
    """A maildrop of one large message."""
    return _whole(server, "retr")


def top(server, c):
    """TOP n 0 of every message."""
    return _whole(server, "top")


def drain(server, c):
    """Every message is deleted; and then they must be gone."""
    _timed(server, "poll", "--sessions", 1)
    _, cpu, found = _timed(server, "drain", "--sessions", 1)
    if not server.peer.canned:
        server.house.emptied()
        _timed(server, "poll", "--sessions", 1)
    return {"cpu_ms": cpu, "session_ms": float(found["session"]["p50_ms"])}


TLS = ("--tls", CERTIFICATE)
SCENARIOS = {f.__name__: f for f in (
    login, tls, tls_rsa, stls, resumed, scram, tls_scram, retr, bulk, tls_bulk,
    strangers, tls_strangers, sessions, beside, attack, poll, fetch,
    fetch_pipelined, fetch_large, top, drain)}
# By how many users, with what mail, each is run.
HOLDING = {"strangers", "tls_strangers", "sessions", "beside", "attack"}
BULKY = {"bulk", "tls_bulk"}
BULK_TIMES = 4
# Of large maildrops: these of --counts messages, of --messages, and of one.
POLLING = {"poll"}
WHOLE = {"fetch", "fetch_pipelined", "top", "drain"}
LARGE = {"fetch_large"}
DROPS = POLLING | WHOLE | LARGE
NEW_TIMES = 3
AHEAD = 100
PATIENCE = 60          # seconds for an answer
# Servers that have no TLS are left out.
WITH_TLS = {"tls", "tls_rsa", "stls", "resumed", "tls_scram", "tls_bulk",
            "tls_strangers"}
# The others have an ECDSA one.
WITH_RSA = {"tls_rsa"}
# Servers without SCRAM are, too, and users of PAM, which cannot do it.
WITH_SCRAM = {"scram", "tls_scram"}
# Beside which the bare handshake is measured, and its words for that.
SHAKES = {"tls": (), "tls_rsa": (), "stls": (), "resumed": ("resumed",)}


def bare_pam(house, c, *words):
    """PAM alone, for the same users: no server."""
    r = house.run(["/usr/sbin/barepam", "popper", str(c.seconds), PAIRS,
                   *words])
    values = _pairs(r.stdout.decode().strip())
    if r.returncode != 0:
        raise Void(_first(r.stderr))
    return {"sessions": int(values["sessions"]),
            "cpu_ms": float(values["cpu_ms"])}


def bare_shake(house, c, *words):
    """OpenSSL alone: what a handshake costs the server's process."""
    r = house.run(["/usr/sbin/bareshake", str(c.seconds), CERTIFICATE, KEY,
                   *words])
    if r.returncode != 0:
        raise Void(_first(r.stderr))
    return {"cpu_ms": float(_pairs(r.stdout.decode().strip())["cpu_ms"])}
