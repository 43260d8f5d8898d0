# SPDX-License-Identifier: ISC
"""Tables of what bench/run.py measured.

A number is the median of the rounds, with the least and the greatest in
brackets.  A ratio is taken within each round, then its median: popper's value
by the peer's, so that less than 1 is good for popper (but for MORE).  Every server whose name
begins with popper has a column of ratios.
"""

import statistics

from house import SYSTEM, VIRTUAL

SUBJECT = "popper"
PAM = "PAM alone"
PAM_APART = "PAM, a process each"
SHAKE = "handshake alone"

TITLES = {
    "login": "Login sessions (USER, PASS, STAT, QUIT)",
    "tls": "Login sessions under TLS 1.3",
    "tls_rsa": "Login sessions under TLS 1.3, RSA certificate",
    "stls": "Login sessions after STLS",
    "resumed": "Login sessions under TLS 1.3, resumed",
    "scram": "Login sessions by SCRAM-SHA-256, stored as such",
    "tls_scram": "Login sessions by SCRAM-SHA-256 under TLS 1.3, stored as such",
    "retr": "Sessions that fetch all messages",
    "bulk": "One large message",
    "tls_bulk": "One large message under TLS",
    "strangers": "Idle strangers",
    "tls_strangers": "Idle strangers under TLS",
    "sessions": "Idle logged-in sessions",
    "beside": "Logins beside idle sessions and idle strangers",
    "attack": "Logins beside strangers who drip",
    "poll": "Polls (USER, PASS, STAT, UIDL, LIST, QUIT)",
    "fetch": "Every message fetched",
    "fetch_pipelined": "Every message fetched, commands sent ahead",
    "fetch_large": "The one large message fetched",
    "top": "TOP n 0 of every message",
    "drain": "Every message deleted",
}
KINDS = {VIRTUAL: "virtual users, {PLAIN} passwords unless told",
         SYSTEM: "system users, PAM"}


def drop_kind(form, count):
    """As virtual and system are: what a table of large maildrops is about."""
    return "%s-%d" % (form, count)


def kind_text(kind):
    if kind in KINDS:
        return KINDS[kind]
    form, _, count = kind.rpartition("-")
    return "one system user, PAM; messages in the %s: %s" % (
        form, "{:,}".format(int(count)))


# Below that a number is noise, and no ratio to it is told.
LEAST = {"pss_kib": 1.0}
# key, heading, format; the first one is what ratios and plots are about.
COLUMNS = {
    "login": [("cpu_ms", "server CPU, ms/session", "%.3f"),
              ("rate", "sessions/s", "%.0f"),
              ("login_p50_ms", "login p50, ms", "%.2f"),
              ("login_p95_ms", "p95", "%.2f"),
              ("login_p99_ms", "p99", "%.2f")],
    "strangers": [("pss_kib", "PSS each, KiB", "%.1f"),
                  ("available_kib", "MemAvailable each, KiB", "%.1f"),
                  ("cpu_ms", "CPU each, ms", "%.3f"),
                  ("processes", "processes each", "%.2f"),
                  ("held", "held", "%d")],
    "beside": [("p99_ms", "login p99, ms", "%.2f"),
               ("p50_ms", "p50", "%.2f"),
               ("p95_ms", "p95", "%.2f"),
               ("quiet_p99_ms", "p99 alone", "%.2f"),
               ("p99_growth", "p99 by p99 alone", "%.2f"),
               ("pss_mib", "PSS, MiB", "%.0f"),
               ("available_mib", "MemAvailable, MiB less", "%.0f"),
               ("held", "held", "%d")],
}
COLUMNS["retr"] = COLUMNS["scram"] = COLUMNS["tls_scram"] = COLUMNS["login"]
COLUMNS["tls"] = COLUMNS["tls_rsa"] = COLUMNS["stls"] = COLUMNS["login"] + [
    ("plain_ms", "CPU in the clear, ms/session", "%.3f")]
COLUMNS["resumed"] = COLUMNS["tls"] + [("resumed", "resumed", "%.2f")]
COLUMNS["bulk"] = COLUMNS["tls_bulk"] = [
    ("cpu_ms_mb", "server CPU, ms/MB", "%.3f"),
    ("mb_s", "MB/s of RETR", "%.0f")]
COLUMNS["tls_strangers"] = COLUMNS["strangers"]
COLUMNS["sessions"] = COLUMNS["strangers"] + [
    ("noop_p99_ms", "NOOP p99, ms", "%.2f")]
COLUMNS["attack"] = COLUMNS["beside"]
COLUMNS["poll"] = [("cpu_ms", "server CPU, ms/session", "%.2f"),
                   ("stat_cpu_ms", "STAT alone", "%.2f"),
                   ("new_cpu_ms", "one new message", "%.2f"),
                   ("cold_cpu_ms", "cold", "%.1f"),
                   ("session_ms", "session p50, ms", "%.1f"),
                   ("cold_ms", "cold session, ms", "%.0f")]
COLUMNS["fetch"] = COLUMNS["fetch_pipelined"] = COLUMNS["fetch_large"] = [
    ("cpu_ms_mb", "server CPU, ms/MB", "%.2f"),
    ("mb_s", "MB/s", "%.0f"),
    ("cpu_ms", "server CPU, ms/session", "%.0f")]
COLUMNS["top"] = [("cpu_ms", "server CPU, ms/session", "%.0f"),
                  ("each_us", "microseconds each", "%.1f")]
COLUMNS["drain"] = [("cpu_ms", "server CPU, ms/session", "%.0f"),
                    ("session_ms", "session, ms", "%.0f")]
# Where ratios are told of more than the first one.
RATED = {"poll": ["cpu_ms", "stat_cpu_ms", "new_cpu_ms", "cold_cpu_ms",
                  "cold_ms"],
         "top": ["cpu_ms"], "drain": ["cpu_ms", "session_ms"]}
RATED.update(dict.fromkeys(("fetch", "fetch_pipelined", "fetch_large"),
                           ["cpu_ms_mb", "mb_s"]))
MORE = {"mb_s"}             # is better
NO_SERVERS = {"floor", PAM, PAM_APART, SHAKE}


def spread(values, form):
    """Median, and (least to greatest) when there is more than one."""
    if not values:
        return "-"
    middle = form % statistics.median(values)
    if len(values) == 1:
        return middle
    return "%s (%s to %s)" % (middle, form % min(values), form % max(values))


class Results:
    """All runs: rows {scenario, kind, peer, round, values or void}."""

    def __init__(self, runs):
        self.runs = runs

    def tables(self):
        seen = []
        for r in self.runs:
            if (r["scenario"], r["kind"]) not in seen:
                seen.append((r["scenario"], r["kind"]))
        return seen

    def peers(self, table):
        return list(dict.fromkeys(r["peer"] for r in self.of(table)))

    def of(self, table, peer=None):
        return [r for r in self.runs
                if (r["scenario"], r["kind"]) == table
                and peer in (None, r["peer"])]

    def values(self, table, peer, key):
        return [r["values"][key] for r in self.of(table, peer)
                if "values" in r and key in r["values"]]

    def voids(self, table, peer):
        return [r["void"] for r in self.of(table, peer) if "void" in r]

    def subjects(self, table):
        return [p for p in self.peers(table) if p.startswith(SUBJECT)]

    def paired(self, table, subject, peer, key, function):
        """function(the subject's, the peer's) for each round that has both,
        and is no None."""
        mine = {r["round"]: r["values"][key]
                for r in self.of(table, subject)
                if key in r.get("values", ())}
        found = [function(mine[r["round"]], r["values"][key])
                 for r in self.of(table, peer)
                 if r["round"] in mine and key in r.get("values", ())]
        return [x for x in found if x is not None]

    def above_plain(self, table, subject):
        """What TLS has added, round by round, beyond the bare handshake."""
        bare = {r["round"]: r["values"]["cpu_ms"]
                for r in self.of(table, SHAKE) if "values" in r}
        return [r["values"]["cpu_ms"] - r["values"]["plain_ms"]
                - bare[r["round"]] for r in self.of(table, subject)
                if r["round"] in bare and "plain_ms" in r.get("values", ())]

    def ratios(self, table, subject, peer, key):
        least = LEAST.get(key, 0)
        return self.paired(table, subject, peer, key,
                           lambda a, b: a / b if b > least else None)

    def best(self, table, key):
        """The real server, not ours, whose median is best; or None."""
        found = [(statistics.median(values), peer)
                 for peer in self.peers(table)
                 if not peer.startswith(SUBJECT) and peer not in NO_SERVERS
                 and (values := self.values(table, peer, key))]
        return (max if key in MORE else min)(found, default=(0, None))[1]


def rated(scenario):
    """[(key, heading)] of what is told as ratios."""
    heads = {k: h for k, h, _ in COLUMNS[scenario]}
    return [(k, heads[k]) for k in RATED.get(
        scenario, [COLUMNS[scenario][0][0]])]


def best_lines(results, table):
    for s in results.subjects(table):
        for key, head in rated(table[0]) if table[0] in RATED else ():
            peer = results.best(table, key)
            found = results.ratios(table, s, peer, key)
            if found:
                yield "%s by the best of the others, %s (%s): %s." % (
                    s, head, peer, spread(found, "%.3f"))
                yield ""


def table_lines(results, table):
    scenario, kind = table
    columns = COLUMNS[scenario]
    key = columns[0][0]
    subjects = results.subjects(table)
    ratios = [(s, k, "%s by this one" % s if k == key else
               "%s by this one, %s" % (s, h))
              for s in subjects for k, h in rated(scenario)]
    heads = (["server"] + [h for _, h, _ in columns]
             + [h for _, _, h in ratios])
    yield "### %s; %s" % (TITLES[scenario], kind_text(kind))
    yield ""
    yield "| " + " | ".join(heads) + " |"
    yield "|---" * len(heads) + "|"
    for peer in results.peers(table):
        cells = [peer] + [spread(results.values(table, peer, k), form)
                          for k, _, form in columns]
        cells += ["" if peer == s else
                  spread(results.ratios(table, s, peer, k), "%.3f")
                  for s, k, _ in ratios]
        yield "| " + " | ".join(cells) + " |"
    yield ""
    yield from best_lines(results, table)
    for peer in results.peers(table):
        voids = results.voids(table, peer)
        if voids:
            yield "Void: %d of %d runs of %s: %s" % (
                len(voids), len(results.of(table, peer)), peer, voids[0])
            yield ""
    for s in subjects:
        for bare in (PAM, PAM_APART):
            above = results.paired(table, s, bare, key, lambda a, b: a - b)
            if above:
                yield "%s above %s: %s ms CPU a session." % (
                    s, bare, spread(above, "%.3f"))
                yield ""
        above = results.above_plain(table, s)
        if above:
            yield "%s above itself in the clear and %s: %s ms CPU a session." \
                % (s, SHAKE, spread(above, "%.3f"))
            yield ""


def markdown(results, facts):
    lines = ["# Benchmark", ""]
    lines += ["- %s: %s" % kv for kv in facts] + [""]
    lines += ["Medians of the rounds (least to greatest). A last column is "
              "popper's first number by this server's, round by round; where there "
              "are more of them, their heads say which.", ""]
    for table in results.tables():
        lines += table_lines(results, table)
    return "\n".join(lines)
