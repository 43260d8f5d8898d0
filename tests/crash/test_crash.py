# SPDX-License-Identifier: ISC
"""UPDATE and its kin never lose or tear mail, wherever they are cut off.

A *plan* is a maildrop, what a session does to it, and what may then be there.
Each plan runs once to count its points (system calls), then once per point
and mode of failure: the process or all processes are killed before or after
the call, or the call fails.  After each, others use the maildrop, then the
next session judges.

POPPER_LONG=1 runs every point of every mode; otherwise each plan and mode
gets some, chosen by POPPER_SEED.  floors.txt holds how many points each must
at least have: a plan that no longer reaches its phase is no proof.
"""

import concurrent.futures
import ctypes
import os
import platform
import random
import re
import tempfile
import unittest

from lib import scene
from lib.popper import PopError
from lib.scene import PASSWORD, USER, Held, Scene, as_seen, bare, message

HERE = os.path.dirname(os.path.abspath(__file__))
LONG = os.environ.get("POPPER_LONG") == "1"
SEED = int(os.environ.get("POPPER_SEED", "1"))
SAMPLE = int(os.environ.get("POPPER_CRASH_SAMPLE", "2"))
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000
MNT_DETACH = 2

# What goes wrong: (name, whose calls, --do, further options).
MODES = [
    ("session-before", "one", "kill-before", ()),
    ("session-after", "one", "kill-after", ()),
    ("monitor-before", "others", "kill-before", ()),
    ("monitor-after", "others", "kill-after", ()),
    ("tree-before", "all", "tree-before", ()),
    ("tree-after", "all", "tree-after", ()),
    ("ENOSPC", "all", "fail:ENOSPC", ()),
    ("EIO", "all", "fail:EIO", ()),
    ("EINTR", "all", "fail:EINTR", ()),
    ("EIO-late", "all", "late:EIO", ()),
    ("short", "all", "short", ()),
    ("ENOSPC-stays", "all", "fail:ENOSPC", ("--sticky",)),
    ("EIO-stays", "all", "fail:EIO", ("--sticky",)),
]
KILLS = re.compile("session|monitor|tree")

# What others do between the crash and the next session.
AFTER = ["mta", "mta-breaks-lock", "reader", "reader-renames", "recover",
         "recover-quick", "nothing"]


class Plan:
    """A maildrop, what a session does, what may be there afterwards."""

    name = None
    who = MODES
    single = own_folder = False
    full = False                # the disk: a dotlock may be empty
    sample = SAMPLE             # runs of each mode, when not all
    options = {}
    folder = None               # where the scene lies; None: with the others
    promises = True             # a +OK means that it was done
    begin = "read:QUIT"         # of the phase; --from of the injector
    count = 6
    size = 0
    delete = ()                 # of the count messages, from 1
    read = ()
    asked = None                # to be deleted; None: all those
    bulletins = ()
    arrives = ()                # while the session runs
    taken = ()                  # by a mail reader while the session runs

    def own(self):
        return [message(b"m%d" % i, size=self.size)
                for i in range(1, self.count + 1)]

    def furnish(self, s):
        s.put(self.own())
        s.seed_popbull(22)
        self.delivered = [s.publish(23 + i, b"bulletin-%d" % i)
                          for i in range(len(self.bulletins))]

    # The states that are allowed: lists of texts.

    def _kept(self, texts):
        return [t for i, t in enumerate(texts, 1) if i not in self.taken]

    def old(self):
        return self._kept(self.own()) + [message(n) for n in self.arrives]

    def new(self):
        gone = set(self.taken) | set(self.delete)
        return ([t for i, t in enumerate(self.own(), 1) if i not in gone]
                + [message(n) for n in self.arrives])

    def bulletin_texts(self):
        return [scene.bulletin(b"bulletin-%d" % i)[1]
                for i in range(len(self.bulletins))]

    # The session.

    def meanwhile(self, s):
        for name in self.arrives:
            s.deliver(message(name))
        if self.taken:
            gone = {b"m%d" % i for i in self.taken}

            def change(data):
                out = []
                for name, text in scene.parse(data):
                    if name in gone:
                        continue
                    # A reader that has seen a message says so.
                    if name == b"m4":
                        text = text.replace(b"\nX-Id:",
                                            b"\nStatus: RO\nX-Id:", 1)
                    out.append(text)
                return b"".join(out)
            s.rewrite(change)

    def talk(self, s):
        """The dialogue up to and with the phase's command."""
        def talk(pop, out):
            pop.login(USER, PASSWORD)
            out.uids = pop.uidl()
            for n in self.read:
                pop.retr(n)
            for n in self.delete if self.asked is None else self.asked:
                pop.dele(n)
            self.meanwhile(s)
            out.reply = self.act(pop)
        return talk

    def act(self, pop):
        try:
            return b"+OK " + pop.cmd("QUIT")
        except PopError as e:
            return b"-ERR " + e.args[0]

    def make_room(self, s):
        """So that others can write."""

    def run(self, s, *injector):
        """The phase under the injector: (reply or None, report)."""
        out = s.session(self.talk(s), "--from", self.begin, *injector)
        return out.reply, out.report

    def scene(self):
        s = Scene(base=self.folder or BASE, single=self.single,
                  own_folder=self.own_folder, **self.options)
        try:
            self.furnish(s)
        except BaseException:
            s.remove()
            raise
        return s


# -- the plans ------------------------------------------------------------

class DeleteFirst(Plan):
    name, delete = "delete-first", (1,)


class DeleteMiddle(Plan):
    name, delete = "delete-middle", (3, 4)


class DeleteLast(Plan):
    name, delete = "delete-last", (6,)


class DeleteAll(Plan):
    name, delete = "delete-all", (1, 2, 3, 4, 5, 6)


class StatusOnly(Plan):
    name, read = "status-only", (2,)


class Bulletins(Plan):
    name, bulletins = "bulletins", (1, 1)


class BulletinsEmpty(Plan):
    """No spool at all: UPDATE makes it."""
    name, bulletins, count = "bulletins-no-spool", (1,), 0

    def furnish(self, s):
        super().furnish(s)
        os.unlink(s.spool)


class Everything(Plan):
    name, delete, read = "everything", (1, 4), (2, 4)
    bulletins, arrives = (1, 1), (b"new-1", b"new-2")


class Large(Everything):
    """Several blocks are moved."""
    name, size = "large", 150000


class LargeCopy(Large):
    """The session has a copy of it, which needs room."""
    name, options = "large-copy", {"temp_maildrop": "always"}
    who = [m for m in MODES if m[0] in ("session-after", "ENOSPC", "EIO")]


class OwnFolder(Everything):
    """The session makes the dotlock itself."""
    name, own_folder = "own-folder", True


class Reader(Plan):
    name, delete, read, taken = "reader-meanwhile", (1, 3), (5,), (2,)
    arrives = (b"new-1",)


class Expire(Plan):
    """What was read goes, and nobody said DELE."""
    name, read, delete, asked = "expire", (1, 4), (1, 4), ()
    arrives = (b"new-1",)
    options = {"expire": 0, "expire_delete": "yes"}
    # The rest of it is as in the other plans.
    who = [m for m in MODES if m[0] in ("session-after", "tree-before",
                                        "ENOSPC")]

    def run(self, s, *injector):
        result = super().run(s, *injector)
        with open(s.conf, encoding="ascii") as f:
            rows = [r for r in f if not r.startswith("expire")]
        with open(s.conf, "w", encoding="ascii") as f:
            f.writelines(rows)          # the judge must not expire any
        return result


class Single(Everything):
    """One process, an ordinary user."""
    name, single = "single", True
    # There is no other process than the one.
    who = [m for m in MODES if m[1] != "others"]


class Legacy(Plan):
    """The .user.pop of an older popper is taken in at login."""
    name, begin = "legacy", "uid:%d" % scene.UID
    promises = False            # at a later login, if there is no room
    names = (b"legacy-1", b"legacy-2")

    def furnish(self, s):
        super().furnish(s)
        path = os.path.join(s.spool_dir, ".%s.pop" % USER)
        s.put([message(n) for n in self.names], path)
        os.chmod(path, 0o600)

    def new(self):
        return [message(n) for n in self.names] + super().new()

    def talk(self, s):
        def talk(pop, out):
            pop.cmd("USER", USER)
            try:
                out.reply = b"+OK " + pop.cmd("PASS", PASSWORD)
            except PopError as e:
                out.reply = b"-ERR " + e.args[0]
        return talk


class Board(Everything):
    """XTND BBOARDS leaves the maildrop, which is updated then."""
    name, begin = "xtnd-bboards", "read:XTND BBOARDS"

    def furnish(self, s):
        super().furnish(s)
        board = os.path.join(s.base, "board")
        with open(board, "wb") as f:
            f.write(message(b"board-1") + message(b"board-2"))
        with open(os.path.join(s.base, "bboards"), "w",
                  encoding="ascii") as f:
            f.write("board general {\n maildrop = %s\n}\n" % board)
        with open(s.conf, "a", encoding="ascii") as f:
            f.write("bboards = %s\n" % os.path.join(s.base, "bboards"))

    def act(self, pop):
        try:
            return b"+OK " + pop.cmd("XTND BBOARDS general")
        except PopError as e:
            return b"-ERR " + e.args[0]


class Recovery(Everything):
    """An UPDATE is cut off where the spool is torn; `popper recover` is then
    itself the phase."""
    name, begin, size = "recover", "uid:%d" % scene.UID, 20000
    who = [m for m in MODES if m[1] == "all"]
    promises, cut = False, None

    def tear(self):
        """The point of UPDATE after which the spool is neither old nor new:
        its second change."""
        if Recovery.cut is None:
            s = Everything.scene(self)
            try:
                _, report = Plan.run(self, s, "--who", "all", "--do",
                                     "tree-after")
            finally:
                s.remove()
            points = [line for line in report if line.startswith("point ")]
            at = [i for i, line in enumerate(points, 1)
                  if re.search(r" (pwrite64|write|pwritev) .*/spool/ann$",
                               line)]
            if not at:
                raise AssertionError("UPDATE never wrote to the spool")
            Recovery.cut = at[0]
        return Recovery.cut

    def scene(self):
        self.begin, begin = "read:QUIT", self.begin
        try:
            cut = self.tear()
            s = Everything.scene(self)
            try:
                Plan.run(self, s, "--who", "all", "--do", "tree-after",
                         "--at", str(cut))
                if not s.journals() or s.dotlock() != b"0":
                    raise AssertionError("no open journal: %r %r"
                                         % (s.journals(), s.dotlock()))
            except BaseException:
                s.remove()
                raise
        finally:
            self.begin = begin
        return s

    def run(self, s, *injector):
        _, report = s.recover("--from", self.begin, *injector)
        return None, report


class RecoveryAtLogin(Recovery):
    """The same, and the next login finishes it."""
    name = "recover-at-login"

    def talk(self, s):
        def talk(pop, out):
            try:
                pop.login(USER, PASSWORD)
            except PopError:
                pass
        return talk

    def scene(self):
        self.talk, talk = super(Recovery, self).talk, self.talk
        try:
            return super().scene()
        finally:
            self.talk = talk

    def run(self, s, *injector):
        return Plan.run(self, s, *injector)


class FullDisk(Plan):
    """No room for the copy, for bulletins, for a journal of any size: only
    the reserve.  The deletions must go through all the same."""
    name, delete, read = "full-disk", (1, 5), (2,)
    size, count, full = 400000, 8, True
    sample = (SAMPLE + 1) // 2

    def scene(self):
        folder = tempfile.mkdtemp(prefix="full.", dir=BASE)
        mount("tmpfs", folder, "size=8m")
        self.folder = folder
        self.options = {"aside": tempfile.mkdtemp(prefix="aside.", dir=BASE)}
        os.chmod(self.options["aside"], 0o755)
        try:
            s = super().scene()
        except BaseException:
            umount(folder)
            raise
        plain = s.remove

        def remove():
            plain()
            umount(folder)
        s.remove = remove
        return s

    def furnish(self, s):
        super().furnish(s)
        # The first start makes the reserve, then the disk fills up.
        s.session(lambda pop, _: pop.quit())
        self.meanwhile(s)

    def make_room(self, s):
        os.truncate(os.path.join(s.base, "filler"), 0)

    def meanwhile(self, s):
        """Not an octet is left."""
        with open(os.path.join(s.base, "filler"), "ab", buffering=0) as f:
            try:
                while True:
                    f.write(b"\0" * 4096)
            except OSError:
                pass


PLANS = [DeleteFirst, DeleteMiddle, DeleteLast, DeleteAll, StatusOnly,
         Bulletins, BulletinsEmpty, Everything, Large, LargeCopy, OwnFolder,
         Reader, Expire, Single, Legacy, Board, Recovery, RecoveryAtLogin,
         FullDisk]


# -- the judge ------------------------------------------------------------

class Judge:
    """What the maildrop may be after one run of a plan."""

    def __init__(self, plan, s, kill):
        self.plan, self.s = plan, s
        old, new = plan.old(), plan.new()
        bulletins = plan.bulletin_texts()
        self.allowed = [old, new + bulletins]
        if bulletins and not kill:
            self.allowed.append(new)        # given up: they come again
        self.bulletins = bulletins

    def names(self, texts):
        return [scene.name_of(t) for t in texts]

    def told(self, reply):
        """After a +OK the deleted messages are gone."""
        if reply is not None and reply.startswith(b"+OK") \
                and self.plan.promises:
            self.allowed = self.allowed[1:]

    def check_file(self, where):
        """The spool as others see it: whole, and one of the allowed."""
        got = scene.parse(self.s.read())
        for texts in self.allowed:
            if got == [(scene.name_of(t), bare(t)) for t in texts]:
                return
        raise AssertionError("%s: the spool holds %r; allowed: %r" % (
            where, [n for n, _ in got],
            [self.names(t) for t in self.allowed]))

    def check_at_once(self):
        """As somebody sees it who honours the dotlock."""
        lock = self.s.dotlock()
        if lock != b"0" and not (lock == b"" and self.plan.full):
            self.check_file("at once" if lock is None
                            else "lock of the dead")

    def others(self, kind):
        """Someone else uses the maildrop before the next session."""
        s = self.s
        if kind.startswith(("mta", "reader")):
            self.plan.make_room(s)
        if kind.startswith("mta"):
            late = message(b"late")
            try:
                s.deliver(late, breaking=kind == "mta-breaks-lock")
            except Held:
                self.recover()
                self.check_file("recovered for the MTA")
                # The lock of a session that died before it had changed
                # anything: it lies there until it is old.
                s.deliver(late, breaking=True)
            self.allowed = [t + [late] for t in self.allowed]
        elif kind.startswith("reader"):
            def change(data):
                return b"".join(t for n, t in scene.parse(data) if n != b"m2")
            try:
                s.rewrite(change, rename=kind == "reader-renames")
            except Held:
                return
            except FileNotFoundError:
                return
            self.allowed = [[t for t in texts
                             if scene.name_of(t) != b"m2"]
                            for texts in self.allowed]
        elif kind.startswith("recover"):
            self.recover(quick=kind == "recover-quick")
            self.check_file("after recovery")

    def age(self):
        """An empty lock: nobody knows whose it is, it has to become old."""
        if self.s.dotlock() == b"" and self.plan.full:
            os.utime(self.s.lock, (0, 0))

    def recover(self, quick=False):
        self.age()
        code, _ = self.s.recover(quick=quick)
        if code != 0 or self.s.journals():
            raise AssertionError("popper recover gave %d, left %r"
                                 % (code, self.s.journals()))

    def check_session(self, uids=None):
        """The next sessions: all there once, ids kept, bulletins once.
        uids: {name: unique-id}; None: nothing had gone wrong."""
        self.age()
        seen = self.s.look()
        got = [(name, text) for name, _, text in seen]
        wanted = []
        for texts in self.allowed:
            # A bulletin that is not in the maildrop is shown behind it.
            shown = texts + [b for b in self.bulletins if b not in texts]
            wanted.append([(scene.name_of(t), as_seen(t)) for t in shown])
        if got not in wanted:
            raise AssertionError("the next session shows %r; allowed: %r" % (
                [n for n, _ in got], [[n for n, _ in w] for w in wanted]))
        for name, uid, _ in seen:
            if uids and uids.get(name, uid) != uid:
                raise AssertionError("%r had id %r, has %r"
                                     % (name, uids[name], uid))
        again = self.s.look()
        if again != seen:
            raise AssertionError("a further session shows %r, not %r" % (
                [n for n, _, _ in again], [n for n, _, _ in seen]))
        if scene.parse(self.s.read()) and self.bulletins:
            want = 22 + len(self.bulletins)
            if self.s.popbull() != want:
                raise AssertionError(".popbull: %d" % self.s.popbull())
        st = os.stat(self.s.spool)
        if st.st_uid != scene.UID or st.st_mode & 0o7117:
            raise AssertionError("the spool has uid %d, mode %o"
                                 % (st.st_uid, st.st_mode & 0o7777))
        litter = self.s.litter(crashed=uids is not None)
        if litter:
            raise AssertionError("left behind: %r" % litter)


# -- the runs -------------------------------------------------------------

def one_run(plan_class, mode, at, after):
    """None, or what is wrong."""
    name, who, do, further = mode
    plan = plan_class()
    s = plan.scene()
    reply, report = None, []
    try:
        if after == "recover-quick" and not s.journals():
            s.recover()         # from now on it has locks to go by
        reply, report = plan.run(
            s, "--who", who, "--do", do, "--at", str(at), *further,
            *calls_option())
        judge = Judge(plan, s, KILLS.match(name))
        judge.told(reply)
        judge.check_at_once()
        judge.others(after)
        judge.check_session(UIDS[plan.name])
    except Exception as e:      # of whatever kind: it names the point
        return "%s %s at %d, then %s: %s: %s\n  %s\n  told: %r\n%s" % (
            plan.name, name, at, after, type(e).__name__, e,
            " ".join(line for line in report if line.startswith("strike")),
            reply, "\n".join("  log: " + line
                             for line in s.log().splitlines()[-6:]))
    finally:
        s.remove()
    return None


def kinds(mode):
    """A quota is a full disk by another name, and reaches the same calls."""
    name, who, do, further = mode
    if "ENOSPC" not in name:
        return [mode]
    return [mode, (name.replace("ENOSPC", "EDQUOT"), who,
                   do.replace("ENOSPC", "EDQUOT"), further)]


def calls_option():
    return ("--calls", "all") if LONG else ("--calls", "change")


UIDS = {}


def undisturbed(plan_class):
    """The same session without harm: it must give the new state.  Its
    unique-ids are those that must stay."""
    plan = plan_class()
    s = plan.scene()
    try:
        plan.run(s, "--who", "all")
        judge = Judge(plan, s, True)
        judge.allowed = judge.allowed[-1:]
        judge.check_at_once()
        judge.check_session()
        UIDS[plan.name] = {n: uid for n, uid, _ in s.look()}
    finally:
        s.remove()


def count(plan_class, mode):
    name, who, do, further = mode
    plan = plan_class()
    s = plan.scene()
    try:
        _, report = plan.run(s, "--who", who, "--do", do, *calls_option())
    finally:
        s.remove()
    return int(report[-1].split()[1]) if report else 0


def floors():
    out = {}
    with open(os.path.join(HERE, "floors.txt"), encoding="ascii") as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                plan, mode, least = line.split()
                out[plan, mode] = int(least)
    return out


def mount(kind, folder, options):
    if libc.mount(kind.encode(), folder.encode(), kind.encode(), 0,
                  options.encode()) != 0:
        raise OSError(ctypes.get_errno(), "mount")


def umount(folder):
    """The last process that has it open may be on its way out."""
    if libc.umount2(folder.encode(), MNT_DETACH) != 0:
        raise OSError(ctypes.get_errno(), "umount")


libc = ctypes.CDLL(None, use_errno=True)
BASE = None


def setUpModule():
    global BASE
    if os.geteuid() != 0:
        raise unittest.SkipTest("needs root")
    # Mounts of ours are seen by us and our children alone.
    if libc.unshare(CLONE_NEWNS) != 0 or libc.mount(
            b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0:
        raise OSError(ctypes.get_errno(), "private mounts")
    holder = tempfile.TemporaryDirectory(prefix="popper-crash.")
    unittest.addModuleCleanup(holder.cleanup)
    BASE = holder.name
    os.chmod(BASE, 0o755)


@unittest.skipUnless(platform.machine() == "x86_64",
                     "the injector is for x86-64")
class Crash(unittest.TestCase):
    """One test per plan; see the end of the file."""

    longMessage = False

    def run_plan(self, plan_class):
        undisturbed(plan_class)
        dice = random.Random("%d %s" % (SEED, plan_class.name))
        least, jobs, met = floors(), [], []
        for mode in plan_class.who:
            points = count(plan_class, mode)
            met.append("%s %d" % (mode[0], points))
            floor = least.get((plan_class.name, mode[0]), 1)
            self.assertGreaterEqual(
                points, floor, "%s %s: %d points, the floor is %d"
                % (plan_class.name, mode[0], points, floor))
            chosen = range(1, points + 1)
            if not LONG:
                chosen = dice.sample(chosen,
                                     min(plan_class.sample, points))
            # Of a sample each kind gets its share, of all points all.
            each = kinds(mode)
            jobs += [(kind, at, dice.choice(AFTER))
                     for i, at in enumerate(chosen)
                     for kind in (each if LONG else [each[i % len(each)]])]
        print("%s: %s; %d runs" % (plan_class.name, ", ".join(met),
                                   len(jobs)), flush=True)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            wrong = [w for w in pool.map(
                lambda job: one_run(plan_class, *job), jobs) if w]
        self.assertFalse(wrong, "%d of %d runs:\n%s" % (
            len(wrong), len(jobs), "\n".join(wrong[:10])))


def add_test(plan_class):
    def test(self):
        self.run_plan(plan_class)
    test.__doc__ = plan_class.__doc__
    setattr(Crash, "test_" + plan_class.name.replace("-", "_"), test)


for _plan in PLANS:
    add_test(_plan)


if __name__ == "__main__":
    unittest.main()
