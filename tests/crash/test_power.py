# SPDX-License-Identifier: ISC
"""The power fails during UPDATE.

A kill leaves all that was written; a power cut leaves only what fsync has
promised, and any part of the rest.  One session is traced, then a model of a
strict disk plays its calls: at a cut, each file holds what was synced and an
arbitrary choice of the sectors and cuts that came later; each folder holds
the entries that were synced and the first few changes after them.  What then
lies there is what popper finds at boot.
"""

import os
import platform
import random
import shutil
import unittest

import test_crash
from test_crash import PLANS, SEED, Judge, Legacy

LONG = test_crash.LONG
CUTS = int(os.environ.get("POPPER_POWER_CUTS", "8"))    # per plan, when short
SECTOR = 512
POWER = ("power", "all", "tree-after", ())
O_CREAT, O_TRUNC = 0o100, 0o1000

NAMES = ("delete-middle", "delete-all", "status-only", "bulletins",
         "everything", "large", "own-folder", "reader-meanwhile", "single",
         "legacy", "xtnd-bboards")


class File:
    """Owner and mode are true at once: a strict disk is strict enough."""

    def __init__(self, durable=b"", uid=0, gid=0, mode=0o600):
        self.durable = durable
        self.uid, self.gid, self.mode = uid, gid, mode
        self.pending = []       # ("write", offset, data) and ("size", n)

    @staticmethod
    def apply(data, ops):
        data = bytearray(data)
        for op in ops:
            if op[0] == "size":
                data = data[:op[1]] + b"\0" * (op[1] - len(data))
            else:
                _, at, part = op
                data += b"\0" * (at - len(data))
                data[at:at + len(part)] = part
        return bytes(data)

    def sync(self):
        self.durable = self.apply(self.durable, self.pending)
        self.pending = []

    def now(self):
        return self.apply(self.durable, self.pending)

    def after_cut(self, choose):
        return self.apply(self.durable,
                          [op for op in self._sectors() if choose()])

    def _sectors(self):
        for op in self.pending:
            if op[0] == "size":
                yield op
                continue
            _, at, data = op
            while data:
                n = SECTOR - at % SECTOR
                yield "write", at, data[:n]
                at, data = at + n, data[n:]


class Disk:
    """Files by name; all of `image` ({path: File's arguments}) is durable."""

    def __init__(self, image):
        self.names = {path: File(*f) for path, f in image.items()}
        self.durable = dict(self.names)
        self.changes = []       # [(folders, {path: File or None})]
        self.replied = False

    def _rename(self, changes):
        folders = {os.path.dirname(p) for p in changes}
        self.changes.append((folders, changes))
        self._apply(self.names, changes)

    @staticmethod
    def _apply(names, changes):
        for path, f in changes.items():
            if f is None:
                names.pop(path, None)
            else:
                names[path] = f

    def play(self, op, number, data, *paths):
        path = paths[0]
        if op == "reply":
            self.replied = True
        elif op in ("link", "rename"):
            changes = {paths[1]: self.names[path]}
            if op == "rename":
                changes[path] = None
            self._rename(changes)
        elif op == "unlink":
            if path in self.names:
                self._rename({path: None})
        elif op == "open":
            if path not in self.names and number & O_CREAT:
                uid, gid, mode = paths[1].split(":")
                self._rename({path: File(b"", int(uid), int(gid),
                                         int(mode, 8))})
            elif path in self.names and number & O_TRUNC:
                self.names[path].pending.append(("size", 0))
        elif op == "sync" and path not in self.names:
            for change in list(self.changes):
                if path in change[0]:
                    # Of a rename between folders both ends are kept.
                    self._apply(self.durable, change[1])
                    self.changes.remove(change)
        elif op in ("mkdir", "allocate"):
            pass
        elif path not in self.names:
            raise AssertionError("%s of %s, which is not known" % (op, path))
        elif op == "sync":
            self.names[path].sync()
        elif op == "mode":
            self.names[path].mode = number & 0o7777
        elif op == "owner":
            f = self.names[path]
            uid, gid = number >> 32, number & 0xffffffff
            f.uid = f.uid if uid == 0xffffffff else uid
            f.gid = f.gid if gid == 0xffffffff else gid
        elif op == "write":
            self.names[path].pending.append(("write", number, data))
        elif op == "truncate":
            self.names[path].pending.append(("size", number))
        else:
            raise AssertionError("the model does not know %s" % op)

    def after_cut(self, kind, dice):
        """An image: nothing but what was promised, all, or some."""
        choose = {"least": lambda: False, "most": lambda: True,
                  "some": lambda: dice.random() < 0.5}[kind]
        keep = {"least": 0, "most": len(self.changes),
                "some": dice.randint(0, len(self.changes))}[kind]
        names = dict(self.durable)
        for _, changes in self.changes[:keep]:
            self._apply(names, changes)
        return {path: (f.after_cut(choose), f.uid, f.gid, f.mode)
                for path, f in names.items()}


def read_trace(path, s):
    """[(op, number, octets, path...)] of what happened to the files that
    capture() knows."""
    tops = tuple(top + "/" for top in folders(s)) + tuple(folders(s))
    out = []
    with open(path, "rb") as f:
        while True:
            line = f.readline()
            if not line:
                return out
            op, number, n, *paths = line.decode().rstrip("\n").split("\t")
            data = f.read(int(n))
            if op == "reply" or paths[0].startswith(tops) \
                    and not paths[0].endswith(" (deleted)") \
                    and "/#" not in paths[0]:
                out.append((op, int(number), data, *paths))


def folders(s):
    return [s.home, s.spool_dir, os.path.join(s.base, "state")]


def capture(s):
    image = {}
    for top in folders(s):
        for folder, _, files in os.walk(top):
            for name in files:
                path = os.path.join(folder, name)
                with open(path, "rb") as f:
                    st = os.fstat(f.fileno())
                    image[path] = (f.read(), st.st_uid, st.st_gid,
                                   st.st_mode & 0o7777)
    return image


def restore(s, image):
    """As the machine finds it at boot.  What is there stays the same inode."""
    for path in capture(s):
        if path not in image:
            os.unlink(path)
    for path, (data, uid, gid, mode) in image.items():
        with open(path, "r+b" if os.path.exists(path) else "wb") as f:
            f.write(data)
            f.truncate()
        os.chown(path, uid, gid)
        os.chmod(path, mode)
    run = os.path.join(s.base, "run")
    for name in os.listdir(run):
        shutil.rmtree(os.path.join(run, name))


def cut(plan, at, kind, seed):
    """The power fails after the at-th call; what is wrong then?"""
    dice = random.Random(seed)
    s = plan.scene()
    trace, before = os.path.join(s.aside, "trace"), {}
    report = []
    try:
        if isinstance(plan, Legacy):
            before = capture(s)
        else:
            act = plan.act

            def watched(pop):
                before.update(capture(s))
                return act(pop)
            plan.act = watched
        _, report = plan.run(s, "--who", "all", "--trace", trace, "--do",
                             "tree-after", "--at", str(at))
        disk = Disk(before)
        for op in read_trace(trace, s):
            disk.play(*op)
        restore(s, disk.after_cut(kind, dice))
        judge_cut(plan, s, before, disk.replied, dice)
    except Exception as e:
        struck = [line for line in report if line.startswith("strike")]
        return "%s: cut after %s, %s, seed %d: %s: %s\n%s" % (
            plan.name, struck, kind, seed, type(e).__name__, e, "\n".join(
                "  log: " + line for line in s.log().splitlines()[-6:]))
    finally:
        s.remove()
    return None


def judge_cut(plan, s, before, replied, dice):
    judge = Judge(plan, s, True)
    if replied:
        judge.told(b"+OK")
    # A lock that had not come so far as to say whose it is: it has to become
    # old.  But no half-written spool may hang on that.
    if s.dotlock() == b"" and (not s.journals() or s.read() ==
                               before.get(s.spool, (b"",))[0]):
        os.utime(s.lock, (0, 0))
    if dice.random() < 0.5:
        judge.recover()
        judge.check_at_once()
        judge.others(dice.choice(["mta", "reader", "nothing"]))
    judge.check_session(test_crash.UIDS[plan.name])


class Model(unittest.TestCase):
    """The disk itself."""

    def test_a_file(self):
        f = File(b"old")
        f.pending = [("write", 1, b"XY"), ("size", 2)]
        self.assertEqual(f.now(), b"oX")
        self.assertEqual(f.after_cut(lambda: False), b"old")
        f.sync()
        self.assertEqual(f.durable, b"oX")

    def test_sectors(self):
        f = File(b"a" * 1500)
        f.pending = [("write", 500, b"b" * 100)]
        keep = iter([False, True])
        self.assertEqual(f.after_cut(lambda: next(keep)),
                         b"a" * 512 + b"b" * 88 + b"a" * 900)

    def test_names(self):
        def held(image):
            return {path: f[0] for path, f in image.items()}
        d = Disk({"/d/x": (b"1",)})
        d.play("open", O_CREAT, b"", "/d/y", "1:2:640")
        d.play("write", 0, b"2", "/d/y")
        d.play("sync", 0, b"", "/d/y")
        d.play("rename", 0, b"", "/d/y", "/d/x")
        dice = random.Random(1)
        self.assertEqual(held(d.after_cut("least", dice)), {"/d/x": b"1"})
        self.assertEqual(d.after_cut("most", dice),
                         {"/d/x": (b"2", 1, 2, 0o640)})
        d.play("sync", 0, b"", "/d")
        self.assertEqual(held(d.after_cut("least", dice)), {"/d/x": b"2"})


@unittest.skipUnless(platform.machine() == "x86_64",
                     "the injector is for x86-64")
class Power(unittest.TestCase):
    longMessage = False

    def run_plan(self, plan_class):
        test_crash.undisturbed(plan_class)
        dice = random.Random("power %d %s" % (SEED, plan_class.name))
        points = test_crash.count(plan_class, POWER)
        cuts = [(at, kind) for at in range(1, points + 1)
                for kind in ("least", "most") + ("some",) * (8 if LONG else 2)]
        if not LONG:
            cuts = dice.sample(cuts, min(CUTS, len(cuts)))
        print("power, %s: %d calls; %d cuts" % (
            plan_class.name, points, len(cuts)), flush=True)
        self.assertGreater(points, 30)
        wrong = [w for w in (cut(plan_class(), at, kind, dice.randrange(2**32))
                             for at, kind in cuts) if w]
        self.assertFalse(wrong, "%d of %d cuts:\n%s" % (
            len(wrong), len(cuts), "\n".join(wrong[:10])))


def setUpModule():
    test_crash.setUpModule()


def add_test(plan_class):
    def test(self):
        self.run_plan(plan_class)
    test.__doc__ = plan_class.__doc__
    setattr(Power, "test_" + plan_class.name.replace("-", "_"), test)


for _plan in PLANS:
    if _plan.name in NAMES:
        add_test(_plan)


if __name__ == "__main__":
    unittest.main()
