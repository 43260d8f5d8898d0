# SPDX-License-Identifier: ISC
"""Tables and plots of what bench/run.py measured.

A number is the median of the rounds, with the least and the greatest in
brackets.  A ratio is taken within each round, then its median: popper's value
by the peer's, so that less than 1 is good for popper.  Every server whose name
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
}
KINDS = {VIRTUAL: "virtual users, {PLAIN} passwords unless told",
         SYSTEM: "system users, PAM"}
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


def table_lines(results, table):
    scenario, kind = table
    columns = COLUMNS[scenario]
    key = columns[0][0]
    subjects = results.subjects(table)
    heads = (["server"] + [h for _, h, _ in columns]
             + ["%s by this one" % s for s in subjects])
    yield "### %s; %s" % (TITLES[scenario], KINDS[kind])
    yield ""
    yield "| " + " | ".join(heads) + " |"
    yield "|---" * len(heads) + "|"
    for peer in results.peers(table):
        cells = [peer] + [spread(results.values(table, peer, k), form)
                          for k, _, form in columns]
        cells += ["" if peer == s else
                  spread(results.ratios(table, s, peer, key), "%.3f")
                  for s in subjects]
        yield "| " + " | ".join(cells) + " |"
    yield ""
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
              "popper's first number by this server's, round by round.", ""]
    for table in results.tables():
        lines += table_lines(results, table)
    return "\n".join(lines)


# -- plots ----------------------------------------------------------------

WIDTH, LABEL, BAR, GAP, RIGHT = 760, 150, 22, 10, 190
COLOURS = {SUBJECT: "#0b6e4f", "floor": "#999999", PAM: "#999999",
           PAM_APART: "#999999", SHAKE: "#999999"}


def escape(s):
    return s.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def svg(results, table):
    """Bars of the first column, with a line from least to greatest."""
    scenario, kind = table
    key, head, form = COLUMNS[scenario][0]
    rows = [(peer, values) for peer in results.peers(table)
            if (values := results.values(table, peer, key))]
    if not rows:
        return None
    top = max(max(v) for _, v in rows) or 1.0
    scale = (WIDTH - LABEL - RIGHT) / top
    height = 60 + len(rows) * (BAR + GAP)
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" '
           'viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">'
           % (WIDTH, height, WIDTH, height),
           '<rect width="100%" height="100%" fill="white"/>',
           '<text x="8" y="20" font-size="15">%s</text>'
           % escape(TITLES[scenario]),
           '<text x="8" y="38" fill="#555">%s; %s</text>'
           % (escape(head), escape(KINDS[kind]))]
    for i, (peer, values) in enumerate(rows):
        y = 50 + i * (BAR + GAP)
        middle = statistics.median(values)
        low, high = (max(0.0, x) * scale + LABEL
                     for x in (min(values), max(values)))
        out += ['<text x="%d" y="%d" text-anchor="end">%s</text>'
                % (LABEL - 8, y + BAR - 6, escape(peer)),
                '<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>'
                % (LABEL, y, max(1.0, middle * scale), BAR,
                   COLOURS.get(peer, COLOURS[SUBJECT] if
                               peer.startswith(SUBJECT) else "#4a7ebb")),
                '<path d="M%.1f %d H%.1f" stroke="black"/>'
                % (low, y + BAR // 2, high),
                '<text x="%.1f" y="%d">%s</text>'
                % (high + 8, y + BAR - 6, escape(spread(values, form)))]
    return "\n".join(out + ["</svg>", ""])
