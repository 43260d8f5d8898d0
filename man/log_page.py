# SPDX-License-Identifier: ISC
"""Makes popper-log(5) when popper is built: python3 log_page.py FRAME LOG.MD

Copies the page's frame and puts the tables of docs/log.md in place of the lines
@IDS@, @REASONS@ (of login-failed) and @ENDS@ (of session-end).
"""

import re
import sys


def tables(text):
    """The rows of each table, as lists of cells, headings left out."""
    out = []
    for block in re.findall(r"(?m)(?:^\|.*\n)+", text):
        rows = [[c.strip() for c in line.strip().strip("|").split("|")]
                for line in block.splitlines()]
        out.append(rows[2:])
    return out


def mdoc(text):
    """One sentence a line; nothing in it is a macro or an escape."""
    text = text.replace("\\", "\\e")
    text = re.sub(r"`([^`]+)`", r"\\(oq\1\\(cq", text)
    text = re.sub(r"(?<=[.]) (?=[A-Z])", "\n", text)
    text = re.sub(r"(?m)^(?=['.])", r"\\&", text)
    text = re.sub(r" ?\b(popper-recover)\((8)\)([.,;:]*) ?",
                  r"\n.Xr \1 \2 \3\n", text)
    return "".join(line.rstrip() + "\n" for line in text.split("\n") if line)


def item(cells):
    if len(cells) == 2:
        return ".It Li %s\n%s" % (cells[0].strip("`"), mdoc(cells[1]))
    name, levels, fields, what, todo = cells
    return (".It Li %s\n.Pq %s ; %s\n.br\n%s.br\nTo do: %s"
            % (name.strip("`"), " or ".join(levels.split()), fields,
               mdoc(what), mdoc(todo[0].lower() + todo[1:]
                                if todo[1:2].islower() else todo)))


def main():
    with open(sys.argv[2], encoding="utf-8") as f:
        ids, reasons, ends = tables(f.read())
    rows = {"@IDS@\n": ids, "@REASONS@\n": reasons, "@ENDS@\n": ends}
    with open(sys.argv[1], encoding="utf-8") as f:
        for line in f:
            print("".join(map(item, rows[line])) if line in rows else line,
                  end="")


if __name__ == "__main__":
    main()
