# SPDX-License-Identifier: ISC
"""A random walk over one maildrop: others deliver, mark, remove and damage, sessions
come, quit, vanish and die; after each step what is there is compared with a model.
"""

import concurrent.futures
import contextlib
import os
import random
import shutil
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import drops                                                    # noqa: E402
from letters import Letters                                     # noqa: E402
from lib import spool                                           # noqa: E402
from lib.popper import Inetd, Pop, PopError, Serve, conf        # noqa: E402
from session import Doubted, Gone, Session, Wrong, twin_numbers                # noqa: E402

USER = "ann"
BULLETINS, STATE = "/var/lib/bulletins", "/var/lib/popper/"
BULLETIN = (b"From news@example.org %s\nFrom: news@example.org\n%s"
            b"Subject: bulletin %d\n\nNews\n\n")
BOUND = 120             # seconds until what was killed is gone, and mended


class Walk:
    """Of one host; run() does the steps, or raises Wrong with what was done."""

    old = []                            # indexes of before, of any walk

    def __init__(self, host, seed, kind, **options):
        self.host, self.seed = host, seed
        self.rng = random.Random(seed)
        self.root = "/proc/%d/root" % host.pid
        self.options = {**self.choose(kind), **options}
        account = host.account(USER)
        self.letters = Letters(self.rng)
        self.drop = kind(self.root, self.place(kind), (account.uid, account.gid))
        self.bulletins = []             # (number, as a user gets it)
        self.ids, self.owners = {}, {}
        self.journals = []              # of updates that were cut off
        self.damaged = self.full = False
        self.damages = 0
        # What an index may not know, and what ever was so; see Doubted.
        self.altered, self.ever_altered = set(), set()
        self.alterations = 0
        self.server = None
        self.did = []
        self.pending = None             # what was there when a session died
        self.count = {"served": 0, "refused": 0, "quit": 0, "killed": 0,
                      "login": 0, "index": 0,
                      "update": 0, "beside": 0, "doubted": 0}

    # -- the house ------------------------------------------------------------

    def choose(self, kind):
        """The options of this walk."""
        rng = self.rng
        out = {"temp_maildrop": rng.choice(("auto", "auto", "always")),
               "status_headers": rng.choice(("yes", "no")),
               "utf8_messages": rng.choice(("as-is", "downgrade"))}
        if rng.random() < 0.3:
            out["bulletins"] = BULLETINS
        elif rng.random() < 0.4:
            out["expire"] = rng.choice(("0", "30")) \
                if kind is drops.Mbox else "0"
            out["expire_delete"] = "yes"
            out["expire_clock"] = "any"
        if rng.random() < 0.3:
            out["sessions_per_process"] = "4"
        self.inetd = rng.random() < 0.4
        self.hashed = rng.random() < 0.3
        return out

    def place(self, kind):
        """maildrop, and where that is."""
        if kind is drops.Maildir:
            name = self.rng.choice(("/var/mail/maildir-%s/", "/home/%s/Maildir/"))
            self.options["maildrop"] = name % "%u"
            return name % USER
        if self.hashed:
            self.options["maildrop"] = "/var/mail/%1/%2/%u"
            return "/var/mail/a/n/ann"
        return "/var/mail/ann"

    def begin(self):
        for folder in ("users", "journal", "index", "uidl", "maildirs"):
            shutil.rmtree(self.root + STATE + folder, ignore_errors=True)
        home = self.root + "/home/" + USER
        for path in (home + "/.popbull", home + "/fill"):
            if os.path.lexists(path):
                os.unlink(path)
        shutil.rmtree(self.root + BULLETINS, ignore_errors=True)
        os.mkdir(self.root + BULLETINS)
        if "bulletins" in self.options:
            self.note(0)
        folder = os.path.dirname(self.drop.path.rstrip("/"))
        os.makedirs(folder, exist_ok=True)
        if self.hashed and self.drop.KIND == "mbox":
            for path in (folder, os.path.dirname(folder)):
                os.chown(path, *self.drop.owner)
        self.drop.clear()
        self.drop.stock(self.rng, self.letters)
        self.host.write("/etc/popper/popper.conf", conf(
            auth="file", peer_check="no", auth_fail_delay=0, fronts=1,
            drain_timeout=1, lock_timeout=20, hostname="pophost.example.org",
            max_sessions_per_user=100, max_sessions_per_address=100,
            **self.options))
        self.start()
        if self.drop.KIND == "mbox" and self.rng.random() < 0.3:
            self.promise()

    def promise(self):
        """The mail came from another server, whose ids it keeps."""
        messages, hidden = self.drop.shown(), self.drop.hidden()
        ids = [b"promised-%d" % i for i in range(len(messages))]
        r = self.host.run(["/usr/sbin/popper", "uidl", "import", USER], input=b"".join(
            b"%d %s\n" % (i + 1, id_) for i, id_ in enumerate(ids)))
        if r.returncode != 0:
            raise Wrong("popper uidl import", r.stderr)
        self.know_ids(hidden, messages, ids)
        self.did.append("%d promises" % len(ids))

    def spoil_promises(self):
        """Better no session than one with other ids."""
        for path in self.files("uidl"):
            with open(path, "rb") as f:
                good = f.read()
            at = self.rng.randrange(len(good))
            bad = good[:at] + bytes([good[at] ^ 1 << self.rng.randrange(8)]) \
                + good[at + 1:]
            self.rewrite(path, bad)
            try:
                self.connect_free().close()
                raise Wrong("a session with a damaged promise", at)
            except PopError as e:
                if not e.args[0].startswith(b"[SYS/PERM]"):
                    raise Wrong("promises", e.args[0]) from None
            self.leaving = True
            self.rewrite(path, good)
        return "promises"

    @staticmethod
    def rewrite(path, data):
        with open(path, "r+b") as f:
            f.write(data)
            f.truncate()

    def start(self):
        self.server = (Inetd if self.inetd else Serve)(self.host)

    def stop(self):
        if self.server:
            self.server.stop()
        self.server = None

    def end(self):
        self.fill(False)
        self.stop()
        self.gone()
        self.drop.remove()

    def processes(self):
        """{pid: name} of popper's in the host."""
        out, space = {}, os.readlink("/proc/%d/ns/pid" % self.host.pid)
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink("/proc/%s/ns/pid" % pid) != space:
                    continue
                with open("/proc/%s/stat" % pid, encoding="ascii") as f:
                    stat = f.read()
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            name = stat[stat.find("(") + 1:stat.rfind(")")]
            if name.startswith("popper") and stat[stat.rfind(")") + 2] != "Z":
                out[int(pid)] = name
        return out

    def gone(self):
        """Until no process is left."""
        deadline = time.monotonic() + BOUND
        while self.processes():
            if time.monotonic() > deadline:
                raise Wrong("processes that do not end", self.processes())
            time.sleep(0.005)

    # -- bulletins --------------------------------------------------------------

    def note(self, number=None):
        path = self.root + "/home/" + USER + "/.popbull"
        if number is None:
            with open(path, encoding="ascii") as f:
                return int(f.read())
        with open(path, "w", encoding="ascii") as f:
            f.write("%d\n" % number)
        os.chown(path, *self.drop.owner)
        os.chmod(path, 0o600)
        return number

    def publish(self):
        if "bulletins" not in self.options or self.full:
            return "nothing"
        number = len(self.bulletins) + 1
        when = time.asctime(time.gmtime()).encode()
        with open("%s%s/%d.news" % (self.root, BULLETINS, number), "wb") as f:
            f.write(BULLETIN % (when, b"To: all\n", number))
        self.bulletins.append((number, BULLETIN % (
            when, b"To: ann@pophost.example.org\n", number)))
        return "publish %d" % number

    def news(self):
        """Bulletins that the user has not had."""
        if "bulletins" not in self.options:
            return []
        note = self.note()
        return [drops.Shown(drops.identity(text), spool.message(text).wire, None)
                for number, text in self.bulletins if number > note]

    def notes(self, news):
        """What is noted before and after a session that has these."""
        if "bulletins" not in self.options:
            return None
        return self.note(), len(self.bulletins) if news else self.note()

    # -- unique-ids ---------------------------------------------------------------

    def know_ids(self, hidden, messages, ids, learn=True):
        """The same message has the same id, and no other one ever had it."""
        if len(set(ids)) != len(ids):
            raise Wrong("an id twice", ids)
        numbers = twin_numbers(hidden + [m.who for m in messages])
        for m, nth, id_ in zip(messages, numbers[len(hidden):], ids):
            who = (m.who, nth)
            if self.drop.KIND == "Maildir" and (m.raw is None or not m.who):
                continue                # it has no file yet, or no name
            if self.ids.get(who, id_) != id_:
                raise Wrong("another id", who, id_, self.ids[who])
            if self.owners.get(id_, who) != who:
                raise Wrong("the id of another", id_, who, self.owners[id_])
            if learn:
                self.ids[who], self.owners[id_] = id_, who

    def may_have(self, identity, id_):
        """It, or a twin; no other message had that id."""
        return self.owners.get(id_, (identity, 0))[0] == identity

    # -- damage ---------------------------------------------------------------------

    def files(self, folder):
        path = self.root + STATE + folder
        return [path + "/" + name for name in sorted(os.listdir(path))] \
            if os.path.isdir(path) else []

    def damage(self):
        """An index is a hint: whatever it holds, what is shown is right."""
        rng = self.rng
        for path in self.files("index"):
            with open(path, "r+b") as f:
                data = f.read()
                way = rng.randrange(5)
                self.keep_one(data)
                if way == 0:
                    os.unlink(path)
                    return "index removed"
                if way == 1:
                    data = data[:rng.randrange(len(data) + 1)]
                elif way == 2:
                    data = rng.choice(self.old)
                    self.altered |= self.ever_altered
                elif way == 3:
                    data = bytes(rng.randrange(4096))
                elif data:
                    at = rng.randrange(len(data))
                    data = data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) \
                        + data[at + 1:]
                f.seek(0)
                f.write(data)
                f.truncate()
            self.damaged = True
            self.damages += 1
            return "index damaged, %d" % way
        return "no index"

    def keep_one(self, data):
        """Of several walks: the index of another one is another user's."""
        self.old.append(data)
        if len(self.old) > 20:
            del self.old[self.rng.randrange(20)]

    def keep(self):
        for path in self.files("index"):
            with open(path, "rb") as f:
                self.keep_one(f.read())

    def lose(self):
        """State that was for a session of before."""
        for path in self.files(self.rng.choice(("index", "journal"))):
            if os.path.getsize(path) == 0 or "index" in path:
                os.unlink(path)
        return "state removed"

    def journal(self):
        """{path: octets} of what an update has left."""
        out = {}
        for path in self.files("journal"):
            if os.path.basename(path)[0] in "0123456789abcdef":
                with open(path, "rb") as f:
                    out[path] = f.read()
        return out

    def old_journal(self):
        """One that was finished long ago, or no journal, is put back: what is there
        stays as it is, be it that nobody can log in."""
        if self.pending is not None or self.full:
            return "nothing"
        found = list(self.journal())
        if not found:
            return "no journal"
        data = self.rng.choice(self.journals + [bytes(9000), b"x" * 20000])
        with open(found[0], "wb") as f:
            f.write(data)
        before = self.drop.read()
        good = self.drop.is_good()
        try:
            pop = self.connect_free()
        except PopError as e:
            if not e.args[0].startswith(b"[SYS/PERM]"):
                raise Wrong("an old journal", e.args[0]) from None
        else:
            pop.close()
            if not good:
                raise Wrong("a login to what is no mailbox")
        self.leaving = True
        if self.drop.read() != before:
            raise Wrong("an old journal was believed")
        self.clear_journal()
        return "old journal"

    def clear_journal(self):
        """As the operator does."""
        self.stop()
        self.gone()
        for path in self.journal():
            os.unlink(path)
        self.start()

    # -- a full disk ------------------------------------------------------------------

    def fill(self, full):
        path = self.root + STATE + "fill"
        if full:
            with open(path, "ab") as f:
                size, n = 0, 1 << 30
                while n > 0:
                    try:
                        os.posix_fallocate(f.fileno(), size, n)
                        size += n
                    except OSError:
                        n //= 2
        elif os.path.exists(path):
            os.unlink(path)
        self.full = full
        return "full" if full else "room"

    # -- sessions -----------------------------------------------------------------------

    def connect(self):
        pop = Pop(self.host.connect(110))
        try:
            if self.options["utf8_messages"] == "downgrade":
                pop.cmd("UTF8")
            pop.cmd("USER", USER)
            pop.cmd("PASS", USER)
        except BaseException:
            pop.close()
            raise
        return pop

    def is_in_use(self):
        try:
            self.connect().close()
        except PopError as e:
            if not e.args[0].startswith(b"[IN-USE]"):
                raise Wrong("a second session", e.args[0]) from None
        else:
            raise Wrong("two sessions at a time")

    def connect_free(self):
        """As soon as the last session is gone."""
        deadline = time.monotonic() + BOUND
        while True:
            try:
                pop = self.connect()
                self.leaving = False
                return pop
            except PopError as e:
                if not e.args[0].startswith(b"[IN-USE]") or not self.leaving \
                        or time.monotonic() > deadline:
                    raise
            except (EOFError, ConnectionError):
                if not self.leaving or time.monotonic() > deadline:
                    raise
            time.sleep(0.005)

    def login(self):
        """A session, or None: rightly refused."""
        try:
            pop = self.connect_free()
        except PopError as e:
            self.refused(e.args[0])
            self.leaving = True
            return None
        self.settle_death()
        self.count["login"] += 1
        self.count["index"] += any(map(os.path.getsize, self.files("index")))
        news = self.news()
        if self.full and pop.stat()[0] == len(self.drop.shown()):
            news = []                   # there was no room to make them
        return Session(self, pop, news, self.notes(news))

    leaving = False                     # the last session may not be gone yet

    def refused(self, why):
        if why.startswith(b"[SYS/PERM]") and not self.drop.is_good():
            self.did.append("refused")
        elif why.startswith(b"[SYS/TEMP]") and self.full:
            self.did.append("refused, full")
        else:
            raise Wrong("login", why)

    def settle_death(self):
        """A session was killed: there is the state of before, or all was done."""
        if self.pending is None:
            return
        before, session = self.pending
        self.pending = None
        after = self.drop.read()
        if after != before:
            self.judge(before, after, session, died=True)
        else:
            self.judge_note(session, kept=False)

    def session(self):
        session = self.login()
        if session is None:
            return "no session"
        try:
            self.talk(session)
            return self.finish(session)
        except Doubted:
            return self.find_out(session)
        except Gone:
            self.leaving = True
            self.pending = self.drop.read(), NOTHING
            return "ended"
        finally:
            session.close()
            self.forgive_once(session)
            for name in ("served", "refused"):
                self.count[name] += getattr(session, name)

    def forgive_once(self, session):
        """An index that had something refused is gone."""
        if session.excused and not self.full and self.damages == session.damages:
            self.damaged = False

    def find_out(self, session):
        """Who reads all of it has the next session know better."""
        self.count["doubted"] += 1
        before = self.drop.read()
        session.pop.cmd("RSET")
        for n in range(1, session.pop.stat()[0] + 1):
            with contextlib.suppress(PopError):
                session.pop.multi("RETR", n)
        session.reset()
        if self.alterations == session.alterations:
            self.altered.clear()
        self.leaving = True
        self.pending = before, NOTHING
        return "doubted"

    def talk(self, session):
        if self.rng.random() < 0.9 or session.unsure:
            session.look()
        for _ in range(self.rng.randrange(12)):
            if self.rng.random() < 0.15:
                self.others()
                session.lenient |= self.damaged or self.full
            session.command()

    def finish(self, session):
        way = self.rng.random()
        if way < 0.65:
            return self.quit(session)
        self.leaving = True
        before = self.drop.read()
        if way < 0.8:
            session.reset()
            self.pending = before, NOTHING
            return "vanished"
        if way < 0.9:
            session.pop.send(b"QUIT\r\n")
            self.await_update()
        self.count["killed"] += 1
        self.pending = before, session
        return self.kill()

    def await_update(self):
        """Until a journal is there, which is for milliseconds; or not for so long."""
        end = time.monotonic() + self.rng.random() ** 2 * 0.02
        while time.monotonic() < end:
            if any(self.journal().values()):
                time.sleep(self.rng.random() ** 3 * 0.002)
                self.count["update"] += 1
                return

    def kill(self):
        """A process dies, whichever, or all; who mends it may die as well."""
        what = self.kill_some()
        self.journals = self.journals[-4:] + [
            data for data in self.journal().values() if data]
        while self.rng.random() < 0.3:
            with contextlib.suppress(OSError, EOFError):
                pop = Pop(self.host.connect(110))
                with pop:
                    pop.send(b"USER %s\r\nPASS %s\r\n" % (
                        USER.encode(), USER.encode()))
                    time.sleep(self.rng.random() ** 2 * 0.01)
                    what += ", " + self.kill_some()
        return what

    def kill_some(self):
        found = list(self.processes().items())
        if self.rng.random() < 0.5:
            found = [self.rng.choice(found)] if found else []
        for pid, _ in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.stop()
        self.gone()
        self.start()
        self.drop.unlock()
        return "killed " + " ".join(name for _, name in found)

    def quit(self, session):
        if self.rng.random() < 0.3 and self.may_deliver_beside():
            return self.quit_beside(session)
        before = self.drop.read()
        good = self.drop.is_good()
        reply = session.quit()
        after = self.drop.read()
        self.count["quit"] += 1
        if reply.startswith(b"+OK"):
            if good:
                self.judge(before, after, session)
            return "quit"
        if not (self.full or session.lenient or not good):
            raise Wrong("QUIT", reply)
        session.excuse()
        if after != before and self.drop.KIND == "mbox":
            raise Wrong("QUIT", reply, "changed it")
        if after != before:             # its files go one by one
            self.judge(before, after, session, died=True)
        else:
            self.judge_note(session, kept=False)
        self.leaving = True             # it has not given its lock back
        return "quit refused"

    def may_deliver_beside(self):
        """Where what comes stands at the end whenever it came."""
        return self.drop.KIND == "mbox" and not self.full and self.drop.is_good() \
            and "bulletins" not in self.options \
            and self.drop.read().endswith(b"\n\n")

    def quit_beside(self, session):
        """An MTA comes while QUIT is at work."""
        before = self.drop.read()
        new = self.letters.from_line() + b"Subject: beside %d\n\ntext\n\n" \
            % self.rng.getrandbits(64)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            done = pool.submit(self.drop.append, new, self.rng.random() * 0.01)
            reply = session.quit()
            done.result()
        after = self.drop.read()
        self.count["quit"] += 1
        self.count["beside"] += 1
        if not after.endswith(new):
            raise Wrong("mail that came beside QUIT is lost", reply)
        after = after[:-len(new)]
        if reply.startswith(b"+OK"):
            self.judge(before, after, session)
        elif after != before or not session.lenient:
            raise Wrong("QUIT", reply)
        else:
            session.excuse()
        return "quit, and a delivery"

    def judge(self, before, after, session, died=False):
        ways = [session]
        if died or self.full or session.unsure:
            ways += [Less(session, before, after, self.drop, died, kept)
                     for kept in (False, True)]
        wrong = [self.drop.judge(before, after, way) for way in ways]
        if None not in wrong:
            raise Wrong(wrong[-1], "after", self.did[-1:])
        self.judge_note(session, bool(ways[wrong.index(None)].extra_kept()))

    def judge_note(self, session, kept):
        """It says that a bulletin was had once that is in the maildrop, not before."""
        if session.notes is None:
            return
        good = {session.notes[kept]} if session.extra_kept() else set(session.notes)
        if self.note() not in good:
            raise Wrong("the note", self.note(), good)

    # -- the walk -----------------------------------------------------------------------

    def others(self):
        """Another program, or mishap."""
        way = self.rng.random()
        if way < 0.55:
            what = self.drop.deliver(self.rng, self.letters)
        elif self.full:
            what = "nothing"            # they would lose mail themselves
        elif way < 0.8:
            what = self.change()
        elif way < 0.82:
            what = self.drop.spoil(self.rng)
        elif way < 0.92:
            what = self.damage()
        else:
            what = self.publish()
        self.did.append(what)

    def change(self):
        before = self.drop.read()
        what = self.drop.change(self.rng, self.letters)
        altered = self.drop.altered(before, self.drop.read())
        self.altered |= altered
        self.ever_altered |= altered
        self.alterations += 1
        return what

    def step(self):
        way = self.rng.random()
        if self.pending is not None or way < 0.45:
            self.did.append("login")
            self.did.append(self.session())
        elif way < 0.9:
            self.others()
            if not self.drop.is_good() and self.rng.random() < 0.5:
                self.drop.clear()
        elif way < 0.92:
            self.did.append(self.lose())
        elif way < 0.925 and not self.full:
            self.did.append(self.spoil_promises())
        elif way < 0.93:
            self.did.append(self.old_journal())
        elif way < 0.95:
            self.stop()
            self.gone()
            self.start()
            self.did.append("restart")
        elif way < 0.97 and self.count["login"] > 0:
            self.did.append(self.fill(not self.full))
        elif self.full:
            self.did.append(self.fill(False))
        else:
            drops.settle()
            self.keep()
            self.did.append("wait")

    def run(self, steps):
        self.begin()
        try:
            for _ in range(steps):
                self.step()
        except BaseException:
            print("seed %s, %s, %s, %s:\n  %s" % (
                self.seed, self.drop.KIND, "inetd" if self.inetd else "serve",
                self.options, "\n  ".join(self.did)))
            print("log:\n  " + "\n  ".join(self.host.syslog.lines[-20:]))
            raise
        finally:
            self.end()
        return self.count


class _Nothing:
    """A session that did nothing."""
    status = False
    messages, unsure, notes = [], (), None

    @staticmethod
    def deleted_messages():
        return []

    retrieved_messages = extra_kept = deleted_messages


NOTHING = _Nothing()


class Less:
    """Of a session so much as is done when room is short (no marks, nor bulletins
    unless they are `kept`), or when it died or was refused (files go one by one); or
    what it deletes was altered, and stays."""

    def __init__(self, session, before, after, drop, died, kept):
        self.status = session.status
        self.messages = session.messages
        self.session, self.drop, self.died = session, drop, died
        self.kept = kept
        self.before, self.after = before, after

    def deleted_messages(self):
        gone = self.session.deleted_messages()
        if self.died and self.drop.KIND == "Maildir":
            gone = [m for m in gone if os.fsdecode(m.who) not in self.after]
        if self.session.unsure:         # of an mbox
            left = set(map(drops.identity, self.drop.state(self.after)))
            gone = [m for m in gone if m.who not in left & self.session.unsure]
        return gone

    def retrieved_messages(self):
        return self.session.retrieved_messages()

    def extra_kept(self):
        return self.session.extra_kept() if self.kept else []
