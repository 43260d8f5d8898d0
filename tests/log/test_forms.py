# SPDX-License-Identifier: ISC
"""One event in every form: each octet comes back, and nothing of a value is
taken for anything else.  The log runs by itself (try_log)."""

import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import forms                                                    # noqa: E402
from lib.unpack import build_dir                                # noqa: E402

TRY = os.path.join(build_dir(), "tests/log/try_log")
SEED = int(os.environ.get("POPPER_SEED", "0"))
FORGED = [b"x\nlogin-failed user=y ip=192.0.2.9 reason=bad-password",
          b"x ip=192.0.2.9 reason=bad-password", b'x" ip=192.0.2.9 y="',
          b'x","ip":"192.0.2.9","y":"', b"\\x22 ip=192.0.2.9", b"x\\",
          b"\\", b"x\0y", b"x\x7f\x80\xff", "ü€\U0001f600".encode(),
          b"x\nPRIORITY=0\nMESSAGE=y\n", b"\xed\xa0\x80", b"\x1b[2J", b"\r"]


def word(key, value):
    return "%s:%d" % (key, value) if isinstance(value, int) \
        else "%s=%s" % (key, value.hex())


class Forms(unittest.TestCase):
    def setUp(self):
        if not os.path.exists(TRY):
            self.skipTest("needs a build with tests")
        self.dir = tempfile.mkdtemp(prefix="log.")
        self.addCleanup(shutil.rmtree, self.dir)
        self.path = os.path.join(self.dir, "log")

    # -- (id, [(key, value as written)], whole line) by every way -----------

    def say(self, to, form, events, *sid):
        said = "".join((e if isinstance(e, str) else
                        " ".join(word(*w) for w in e)) + "\n" for e in events)
        r = subprocess.run([TRY, to, form, self.path, *sid], check=True,
                           input=said.encode(), timeout=60,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        return r.stderr

    def by_daemon(self, to, form, events, *sid):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind(self.path)
            s.settimeout(60)
            out = []
            # A queue holds few datagrams: so one event at a time.
            for e in events:
                self.say(to, form, [e], *sid)
                out.append(s.recv(1 << 17))
        os.unlink(self.path)
        return out

    def by_lines(self, to, form, events, *sid):
        said = self.say(to, form, events, *sid)
        if to == "file":
            with open(self.path, "rb") as f:
                said = f.read()
            os.unlink(self.path)
        lines = said.split(b"\n")
        self.assertEqual(lines.pop(), b"")
        return lines

    def read(self, to, form, events, *sid):
        raws = self.by_daemon(to, form, events, *sid) \
            if to in ("syslog", "journal") \
            else self.by_lines(to, form, events, *sid)
        self.assertEqual(len(raws), len(events))
        return [self.parse(to, form, raw) for raw in raws]

    def parse(self, to, form, raw):
        self.assertLess(len(raw), 5200)
        if to == "journal":
            return self.from_journal(raw)
        self.assertRegex(raw, rb"\A[ -~]+\Z")   # one line, for any reader
        line = raw.decode("ascii")
        stamp = forms.STAMP.match(line)
        if to == "syslog":
            self.assertEqual(stamp.group(1), "21")
        elif form == "json":
            self.assertIsNone(stamp)
        body = line[stamp.end():] if stamp else line
        if form == "text":
            self.assertTrue(stamp)
            self.assertLessEqual(len(body), 2048)
            return (*forms.text(body), body)
        return self.from_json(body)

    def from_json(self, body):
        pairs = json.loads(body, object_pairs_hook=list)
        self.assertEqual([k for k, _ in pairs[:3]], ["time", "level", "id"])
        self.assertRegex(pairs[0][1],
                         r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
        self.assertEqual(pairs[1][1], "note")
        self.assertEqual(pairs[-1][0], "pid")
        self.assertIsInstance(pairs[-1][1], int)
        return pairs[2][1], pairs[3:-1], body

    def from_journal(self, raw):
        pairs = forms.journal(raw)
        head = dict(pairs[:6])
        self.assertEqual(list(head), [
            "PRIORITY", "SYSLOG_FACILITY", "SYSLOG_IDENTIFIER", "SYSLOG_PID",
            "POPPER_TIME", "POPPER_ID"])
        self.assertEqual((head["PRIORITY"], head["SYSLOG_FACILITY"],
                          head["SYSLOG_IDENTIFIER"]), (b"5", b"2", b"popper"))
        self.assertEqual(pairs[6][0], "MESSAGE")
        fields = []
        for name, value in pairs[7:]:
            self.assertTrue(name.startswith("POPPER_"))
            fields.append((name[7:].lower(), value.decode("ascii")))
        return head["POPPER_ID"].decode(), fields, pairs[6][1].decode("ascii")

    WAYS = [("syslog", "text"), ("syslog", "json"), ("stderr", "text"),
            ("stderr", "json"), ("file", "text"), ("file", "json"),
            ("journal", "text")]

    def everywhere(self, events, *sid):
        """The same fields by every way; those of the last one."""
        results = {way: self.read(*way, events, *sid) for way in self.WAYS}
        first = results[self.WAYS[0]]
        for way, result in results.items():
            for a, b in zip(first, result):
                self.assertEqual(a[0], b[0], way)
                self.assertEqual([(k, str(v)) for k, v in a[1]],
                                 [(k, str(v)) for k, v in b[1]], way)
        # The journal's message is the text line.
        self.assertEqual([x[2] for x in first],
                         [x[2] for x in results["journal", "text"]])
        return results["file", "json"]

    def whole(self, events):
        """Every value comes back."""
        for event, (name, fields, _) in zip(events, self.everywhere(events)):
            self.assertEqual(name, "try")
            self.assertEqual(len(fields), len(event))
            for (key, value), (key2, got) in zip(event, fields):
                self.assertEqual(key, key2)
                if isinstance(value, int):
                    self.assertEqual(value, got)
                else:
                    self.assertEqual(forms.octets(got), value)

    # -- tests ----------------------------------------------------------------

    def test_every_octet(self):
        self.whole([[("v", bytes([i])), ("w", b"a%ca" % i), ("n", i)]
                    for i in range(256)]
                   + [[("v", bytes(range(i, i + 64)))]
                      for i in range(0, 256, 64)]
                   + [[("v", bytes(range(256)))], [("v", b"")], []])

    def test_forged(self):
        self.whole([[("user", v), ("ip", b"192.0.2.1"), ("ms", 7)]
                    for v in FORGED])

    def test_numbers_and_strings(self):
        for way in self.WAYS:
            self.assertEqual(
                [f for _, f, _ in self.read(*way, [[
                    ("user", b"123"), ("n", 2**64 - 1)]])],
                [[("user", "123"), ("n", 2**64 - 1 if way[1] == "json"
                                    else str(2**64 - 1))]])

    def test_random(self):
        rng = random.Random(SEED)
        self.whole([[("k%d" % i, rng.randbytes(rng.randrange(60)))
                     for i in range(rng.randrange(8))] for _ in range(40)])

    def test_cut_values(self):
        events = [[("v", b"a" * 256)], [("v", b"a" * 257)],
                  [("v", b"\xff" * 300)], [("v", b" " * 5000)]]
        got = [forms.octets(f[0][1]) for _, f, _ in self.everywhere(events)]
        self.assertEqual(got, [b"a" * 256, b"a" * 256 + b"...",
                               b"\xff" * 256 + b"...", b" " * 256 + b"..."])

    def test_full_lines(self):
        events = [[("k%d" % i, octet * 250) if i % 3 else ("n%d" % i, 10**18)
                   for i in range(n)]
                  for octet in (b"a", b"\\", b" ", b"\n", b"\xff", b'"')
                  for n in (14, 20, 60)]
        for event, (_, fields, _) in zip(events, self.everywhere(events)):
            self.assertGreater(len(fields), 2)
            self.assertLess(len(fields), len(event))
            given = dict(event)
            for key, value in fields:
                if isinstance(value, int):
                    self.assertEqual(value, 10**18)
                    continue
                raw = forms.octets(value)
                self.assertTrue(raw == given[key] or raw.endswith(b"...")
                                and given[key].startswith(raw[:-3]), raw)

    def test_sid(self):
        for way in self.WAYS:
            for _, fields, _ in self.read(*way, [[("n", 1)]], "s1"):
                self.assertEqual(fields[0], ("sid", "s1"))

    def test_statistics(self):
        """The manual's words as text, fields elsewhere."""
        event = ["stats %s %s" % (b"a b\n=\xff".hex(), b"192.0.2.1".hex())]
        words = "Stats: a\\x20b\\x0a\\x3d\\xff 1 2 3 18446744073709551615 " \
            "192.0.2.1"
        want = [("user", "a\\x20b\\x0a\\x3d\\xff"), ("deleted", 1),
                ("deleted_octets", 2), ("left", 3),
                ("left_octets", 2**64 - 1), ("ip", "192.0.2.1")]
        for to in ("stderr", "file"):
            name, fields, _ = self.read(to, "json", event)[0]
            self.assertEqual((name, fields), ("stats", want))
            line = self.by_lines(to, "text", event)[0].decode()
            self.assertEqual(line[forms.STAMP.match(line).end():], words)
        name, fields, message = self.read("journal", "text", event, "s")[0]
        self.assertEqual((name, fields), ("stats", [
            (k, str(v)) for k, v in want] + [("sid", "s")]))
        self.assertEqual(message, words + " sid=s")
        longest = ["stats %s %s" % ((b"\xff" * 999).hex(),
                                    (b"\xff" * 999).hex())]
        for _, fields, _ in self.read("file", "json", longest, "s" * 99):
            self.assertEqual([len(forms.octets(v)) for k, v in fields
                              if isinstance(v, str)], [256, 64, 31])

    def test_kept_back(self):
        """A journald that comes late gets what was kept, with its time."""
        p = subprocess.Popen([TRY, "journal", "text", self.path],
                             stdin=subprocess.PIPE)
        p.stdin.write(b"n:1\nn:2\n")
        p.stdin.flush()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.settimeout(60)
            time.sleep(0.7)
            s.bind(self.path)
            p.stdin.write(b"sleep 2000\nn:3\n")
            p.stdin.close()
            got = [dict(forms.journal(s.recv(9999))) for _ in range(3)]
        self.assertEqual(p.wait(60), 0)
        self.assertEqual([g["POPPER_N"] for g in got], [b"1", b"2", b"3"])
        self.assertLess(got[1]["POPPER_TIME"][:19], got[2]["POPPER_TIME"][:19])


if __name__ == "__main__":
    unittest.main()
