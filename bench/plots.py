# SPDX-License-Identifier: ISC
"""SVG plots of what bench/run.py measured, for the light and for the dark."""

import math
import statistics

from report import COLUMNS, SUBJECT, TITLES, kind_text, spread

WIDTH = 760
# Of bars: what stands beside them, and how thick they are.
LABEL, RIGHT, BAR, GAP = 150, 190, 22, 10
# Of curves: two beside each other, and what is around each.
HALF, PLOT, LEFT, NAMES, LINE = WIDTH // 2, 190, 48, 138, 15

# (in the light, in the dark) by how a server's name begins.
COLOURS = {SUBJECT: ("#0b6e4f", "#3fb98c"), "dovecot": ("#3a6fb0", "#79aef0"),
           "courier": ("#a8467c", "#e38bbd"), "popa3d": ("#b3610f", "#eda35a"),
           "mailutils": ("#7a58b8", "#b79bf0")}
OTHER = ("#767676", "#a0a0a0")
STYLE = [("", ".paper{fill:#ffffff}text{fill:#1f2328}.soft{fill:#59636e}"
          ".grid{stroke:#d8dee4}.range{stroke:#1f2328}"),
         ("@media(prefers-color-scheme:dark)",
          ".paper{fill:#0d1117}text{fill:#e6edf3}.soft{fill:#9198a1}"
          ".grid{stroke:#30363d}.range{stroke:#e6edf3}")]


def family(peer):
    return next((f for f in COLOURS if peer.startswith(f)), "other")


def style():
    out = [".bar{fill:currentColor}.dot{fill:currentColor}"
           ".curve{stroke:currentColor;fill:none;stroke-width:2}"
           ".lead{stroke:currentColor;stroke-dasharray:1 3}"]
    for which, (media, rules) in enumerate(STYLE):
        rules += "".join(
            ".%s{color:%s}" % (f, colours[which])
            for f, colours in {**COLOURS, "other": OTHER}.items())
        out.append(media + "{" + rules + "}" if media else rules)
    return "\n".join(out)


def escape(s):
    return s.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def short(x):
    """A number as people say it."""
    for least, form in ((100, "{:,.0f}"), (10, "{:.0f}"), (1, "{:.1f}")):
        if x >= least:
            return form.format(x)
    return "%.2f" % x


def brief(count):
    """For below an axis."""
    return "%dk" % (count // 1000) if count % 1000 == 0 else str(count)


class Sheet:
    """What is drawn, from the top down."""

    def __init__(self):
        self.y = 0
        self.parts = []

    def text(self, x, y, s, anchor="start", kind="", size=13):
        self.parts.append(
            '<text x="%.1f" y="%.1f" text-anchor="%s" class="%s" '
            'font-size="%d">%s</text>' % (x, y, anchor, kind, size, escape(s)))

    def path(self, kind, form, *numbers):
        self.parts.append('<path class="%s" d="%s"/>' % (kind, form % numbers))

    def bar(self, peer, x, y, width):
        self.parts.append(
            '<rect class="bar %s" x="%.1f" y="%.1f" width="%.1f" '
            'height="%d"/>' % (family(peer), x, y, max(1.0, width), BAR))

    def dot(self, peer, x, y):
        self.parts.append('<circle class="dot %s" cx="%.1f" cy="%.1f" r="3"/>'
                          % (family(peer), x, y))

    def __str__(self):
        return "\n".join([
            '<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" '
            'viewBox="0 0 %d %d" font-family="sans-serif">'
            % (WIDTH, self.y, WIDTH, self.y), "<style>", style(), "</style>",
            '<rect class="paper" width="100%" height="100%"/>',
            *self.parts, "</svg>", ""])


# -- bars -----------------------------------------------------------------

def one_bar(sheet, peer, values, form, scale):
    low, high = (max(0.0, x) * scale + LABEL
                 for x in (min(values), max(values)))
    sheet.text(LABEL - 8, sheet.y + BAR - 6, peer, "end")
    sheet.bar(peer, LABEL, sheet.y, statistics.median(values) * scale)
    sheet.path("range", "M%.1f %d H%.1f", low, sheet.y + BAR // 2, high)
    sheet.text(high + 8, sheet.y + BAR - 6, spread(values, form))
    sheet.y += BAR + GAP


def bars(sheet, results, table, key=None):
    """A bar for each server, with a line from least to greatest; False: there
    is none."""
    scenario, kind = table
    key, head, form = next(c for c in COLUMNS[scenario]
                           if key in (None, c[0]))
    rows = [(peer, values) for peer in results.peers(table)
            if (values := results.values(table, peer, key))]
    if not rows:
        return False
    sheet.text(8, sheet.y + 20, TITLES[scenario], size=15)
    sheet.text(8, sheet.y + 38, "%s; %s" % (head, kind_text(kind)),
               kind="soft")
    sheet.y += 50
    most = max(max(v) for _, v in rows) or 1.0
    for peer, values in rows:
        one_bar(sheet, peer, values, form, (WIDTH - LABEL - RIGHT) / most)
    sheet.y += 12
    return True


def svg(results, table):
    """The first column of a table; or None."""
    sheet = Sheet()
    return str(sheet) if bars(sheet, results, table) else None


# -- curves ---------------------------------------------------------------

class Axes:
    """Both logarithmic; the left upper corner of the plot is at x, y."""

    def __init__(self, x, y, counts, values):
        self.x, self.y = x, y
        self.width = HALF - LEFT - NAMES
        self.counts = sorted(counts)
        self.decades = range(math.floor(math.log10(min(values))),
                             max(1, math.ceil(math.log10(max(values)))) + 1)

    def across(self, count):
        first, last = (math.log10(self.counts[i]) for i in (0, -1))
        return self.x + self.width * (math.log10(count) - first) / (
            last - first or 1)

    def down(self, value):
        low, high = self.decades[0], self.decades[-1]
        return self.y + PLOT * (high - math.log10(value)) / (high - low)

    def draw(self, sheet):
        for d in self.decades:
            y = self.down(10.0 ** d)
            sheet.path("grid", "M%.1f %.1f h%.1f", self.x, y, self.width)
            sheet.text(self.x - 6, y + 4, "{:,g}".format(10.0 ** d), "end",
                       "soft", 11)
        for count in self.counts:
            x = self.across(count)
            sheet.path("grid", "M%.1f %.1f v%.1f", x, self.y, PLOT)
            sheet.text(x, self.y + PLOT + 16, brief(count), "middle",
                       "soft", 11)


def apart(places, least, most):
    """The same, LINE from each other at least, none below `most` if there is
    room; in their order."""
    out = []
    for y in places:
        out.append(max(y, out[-1] + LINE if out else least))
    for i in reversed(range(len(out))):
        out[i] = min(out[i], most - LINE * (len(out) - 1 - i))
    return out


def curve(sheet, axes, peer, points):
    """points: [(count, values)] in order."""
    found = [(axes.across(n), axes.down(statistics.median(v)), v)
             for n, v in points]
    sheet.parts.append('<polyline class="curve %s" points="%s"/>' % (
        family(peer), " ".join("%.1f,%.1f" % p[:2] for p in found)))
    for x, y, v in found:
        sheet.dot(peer, x, y)
        sheet.path("range", "M%.1f %.1f V%.1f", x, axes.down(min(v)),
                   axes.down(max(v)))


def curves(sheet, x, head, lines):
    """Beside each other from x on, at sheet.y; lines: {server: points}."""
    axes = Axes(x + LEFT, sheet.y + 28, {n for v in lines.values()
                                         for n, _ in v},
                [y for v in lines.values() for _, ys in v for y in ys])
    sheet.text(axes.x, sheet.y + 14, head)
    axes.draw(sheet)
    right = axes.x + axes.width
    ends = sorted((axes.down(statistics.median(v[-1][1])), peer)
                  for peer, v in lines.items())
    places = apart([y for y, _ in ends], axes.y, axes.y + PLOT)
    for (y, peer), place in zip(ends, places):
        curve(sheet, axes, peer, lines[peer])
        count, last = lines[peer][-1]
        sheet.path("lead " + family(peer), "M%.1f %.1f L%.1f %.1f",
                   axes.across(count), y, right + 10, place)
        sheet.text(right + 14, place + 4, "%s %s" % (
            peer, short(statistics.median(last))), size=12)


def polls(results, form):
    """How a poll grows with the number of messages; or None."""
    tables = sorted((int(kind.rpartition("-")[2]), (scenario, kind))
                    for scenario, kind in results.tables()
                    if scenario == "poll" and kind.startswith(form + "-"))
    sheet = Sheet()
    sheet.text(8, 20, "Polls of a maildrop with nothing new, by its messages",
               size=15)
    sheet.text(8, 38, "server CPU, ms/session; both axes logarithmic; one "
               "system user, PAM; %s" % form, kind="soft")
    sheet.y = 50
    for i, (key, head) in enumerate((("cpu_ms", "STAT, UIDL, LIST"),
                                     ("stat_cpu_ms", "STAT alone"))):
        lines = {}
        for count, table in tables:
            for peer in results.peers(table):
                values = [v for v in results.values(table, peer, key) if v > 0]
                if values:
                    lines.setdefault(peer, []).append((count, values))
        if not lines:
            return None
        curves(sheet, i * HALF, head, lines)
    sheet.y += PLOT + 56
    return str(sheet)


# -- what a document shows ------------------------------------------------

def together(results, wanted):
    """Bars of several tables, each with a scale of its own; or None.
    wanted: (scenario, form, key)."""
    sheet = Sheet()
    found = [bars(sheet, results, table, key) for scenario, form, key in wanted
             for table in results.tables()
             if table[0] == scenario and table[1].startswith(form + "-")]
    return str(sheet) if any(found) else None


def summaries(results):
    """{name: plot} of large maildrops, as far as they were measured."""
    out = {"drain": together(results, [("drain", form, "cpu_ms")
                                       for form in ("mbox", "maildir")])}
    for form in ("mbox", "maildir"):
        out["poll-" + form] = polls(results, form)
        out["fetch-" + form] = together(results, [
            (s, form, "mb_s")
            for s in ("fetch", "fetch_pipelined", "fetch_large")])
    return {name: plot for name, plot in out.items() if plot}


def plots(results):
    """{name: plot} of all that was measured."""
    tables = {"%s-%s" % table: svg(results, table)
              for table in results.tables()}
    return {**{n: p for n, p in tables.items() if p}, **summaries(results)}
