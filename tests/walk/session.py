# SPDX-License-Identifier: ISC
"""A client of a walk, who holds popper to what the maildrop was at his login."""

import os
import re
import socket
import struct
import sys
from collections import Counter

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lib.popper import PopError                                 # noqa: E402

TEMP = re.compile(rb"\[SYS/TEMP\] ")
OLD = re.compile(rb"[^\n]* 2025\r?\n")  # a From_ line that expire has in mind


class Wrong(AssertionError):
    """What popper must never do."""


class Gone(Exception):
    """popper has ended the session, as it may."""


class Doubted(Exception):
    """An index tells of what another program has altered before new mail came: that
    is found out when a message is read (docs/design/mbox.md, 104)."""


class Session:
    """Logged in.  `extra`: bulletins that are not in the maildrop yet; `notes`: what
    is noted of those before they are and once they are, None: nothing ever."""

    def __init__(self, walk, pop, extra, notes):
        self.walk, self.pop, self.rng = walk, pop, walk.rng
        self.messages, self.hidden = walk.drop.shown(), walk.drop.hidden()
        self.extra, self.notes = extra, notes
        self.all = self.messages + extra
        self.held = walk.drop.hold()
        self.copied = walk.drop.is_copied(self.held, walk.options)
        self.status = walk.options["status_headers"] == "yes"
        self.ids = []
        self.deleted, self.retrieved = set(), set()
        self.served = self.refused = 0
        self.lenient = walk.damaged or walk.full
        self.excused = False            # something was refused by that alone
        self.unsure = set() if walk.drop.is_small(self.held) else \
            walk.altered & {m.who for m in self.messages}
        self.alterations, self.damages = walk.alterations, walk.damages

    def close(self):
        self.pop.close()
        if self.held:
            self.held.file.close()

    # -- what it shows ------------------------------------------------------

    def check(self, good, *what):
        if not good:
            raise Wrong(*what)

    def look(self):
        """All that LIST, UIDL and STAT say."""
        left = [i for i in range(len(self.all)) if i not in self.deleted]
        try:
            sizes, ids, total = self.pop.list(), self.pop.uidl(), self.pop.stat()
        except PopError as e:
            self.may_refuse_all(e)
            return
        except EOFError:                # in the midst of a list
            self.check(self.lenient, "a list that ends")
            self.excuse()
            raise Gone from None
        try:
            self.judge_lists(left, sizes, ids, total)
        except Wrong:
            if not self.unsure:
                raise
            if len(sizes) == len(left):
                self.judge_others(left, sizes, ids)
            raise Doubted from None

    def judge_others(self, left, sizes, ids):
        """All but those that an index need not know."""
        for i in left:
            m = self.all[i]
            if m.who not in self.unsure:
                self.check(sizes.get(i + 1) == len(m.wire), "LIST", i + 1, sizes)
                self.check(self.walk.may_have(m.who, ids.get(i + 1)),
                           "UIDL", i + 1, ids)

    def judge_lists(self, left, sizes, ids, total):
        want = {i + 1: len(self.all[i].wire) for i in left}
        self.check(sizes == want, "LIST", sizes, want)
        self.check(total == (len(left), sum(want.values())), "STAT", total)
        self.check(set(ids) == set(want), "UIDL", ids)
        if self.ids:
            self.check(all(self.ids[n - 1] == ids[n] for n in ids), "ids changed")
        elif not self.deleted:
            self.walk.know_ids(self.hidden, self.all, list(ids.values()),
                               learn=not self.unsure)
            self.ids = list(ids.values())

    def may_refuse_all(self, error):
        """Once somebody has damaged an index, or the disk is full."""
        self.check(self.lenient and (TEMP.match(error.args[0]) or
                                     not self.walk.drop.is_good()), error.args[0])
        self.refused += 1
        self.excuse()

    def excuse(self):
        """An index was wrong, or there was no room; or it is no mailbox any more."""
        self.excused |= self.walk.drop.is_good()

    def text(self, command, i, want):
        """True: it was served, as it was at the login."""
        self.pop.send(command + b"\r\n")
        reply = self.pop.status()
        if reply.startswith(b"+OK"):
            got = self.pop.body()
            self.check(got == want, command, got[:300], want[:300])
            self.served += 1
            self.is_known(i)
            return True
        self.check(TEMP.match(reply[5:]) or not self.walk.drop.is_good(), reply)
        self.refused += 1
        if self.all[i].who in self.unsure:
            raise Doubted
        if self.copied or not self.is_gone(i):
            self.check(self.lenient, "refused", command, reply)
            self.excuse()
        return False

    def is_known(self, i):
        """No index was wrong about what was served, if it has no twin."""
        who = self.all[i].who
        if who in self.unsure and self.walk.alterations == self.alterations and \
                [m.who for m in self.messages].count(who) == 1:
            self.unsure.discard(who)
            self.walk.altered.discard(who)

    def is_gone(self, i):
        if i >= len(self.messages):
            return False
        numbers = twin_numbers(self.hidden + [m.who for m in self.messages])
        return self.walk.drop.may_refuse(
            self.all[i], numbers[len(self.hidden) + i], self.held)

    def retr(self, i):
        if self.text(b"RETR %d" % (i + 1), i, self.all[i].wire):
            self.retrieved.add(i)

    def top(self, i):
        n = self.rng.choice((0, 1, 3, 100000))
        lines = self.all[i].wire.split(b"\r\n")
        head = lines.index(b"") + 1 if b"" in lines[:-1] else len(lines)
        want = lines[:-1][:head + n]
        self.text(b"TOP %d %d" % (i + 1, n), i,
                  b"".join(line + b"\r\n" for line in want))

    def dele(self, i):
        try:
            self.pop.dele(i + 1)
        except PopError as e:
            self.may_refuse_all(e)
        else:
            self.deleted.add(i)

    def rset(self, _i):
        self.pop.cmd("RSET")
        self.deleted.clear()

    def again(self, _i):
        self.walk.is_in_use()

    def command(self):
        left = [i for i in range(len(self.all)) if i not in self.deleted]
        what = self.rng.choice((self.retr,) * 4 + (self.top,) * 2
                               + (self.dele,) * 4 + (self.rset, self.again))
        if self.rng.random() < 0.1:
            self.look()
        elif left:
            what(self.rng.choice(left))

    # -- what UPDATE was asked for -------------------------------------------

    def going(self):
        """Numbers from 0 on that QUIT deletes, those that expire among them."""
        gone = set(self.deleted)
        days = self.walk.options.get("expire")
        if days == "0":
            gone |= self.retrieved
        elif days:
            gone |= {i for i, m in enumerate(self.messages)
                     if OLD.match(m.raw)}
        return gone

    def deleted_messages(self):
        return [self.all[i] for i in self.going() if i < len(self.messages)]

    def retrieved_messages(self):
        return [self.all[i] for i in self.retrieved]

    def extra_kept(self):
        gone = self.going()
        return [m for i, m in enumerate(self.all)
                if i >= len(self.messages) and i not in gone]

    # -- its end -------------------------------------------------------------

    def quit(self):
        """The reply: True for +OK."""
        self.pop.send(b"QUIT\r\n")
        reply = self.pop.status()
        self.pop.at_end()
        self.close()
        return reply

    def reset(self):
        """The client is gone."""
        self.pop.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                 struct.pack("ii", 1, 0))
        self.close()


def twin_numbers(identities):
    """1, 2... among those of one identity."""
    count, out = Counter(), []
    for who in identities:
        count[who] += 1
        out.append(count[who])
    return out
