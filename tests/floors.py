# SPDX-License-Identifier: ISC
"""The house rules that a compiler does not check (docs/design.md section 2):
who may include whom, which rooms may make dangerous calls, headers that
compile alone, functions that nobody calls, no path of a developer's machine.
"""

import glob
import os
import re
import shlex
import subprocess
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

FLOOR = {"base": 0, "proto": 1, "conf": 1, "sys": 1, "watch": 1, "sasl": 1,
         "auth": 2, "drop": 2, "bull": 2, "xtnd": 2, "tls": 2, "token": 2, "krb": 2,
         "pop": 3, "role": 4,
         "cmd": 5}

# (room, room on the same floor): why.
SIDEWAYS = {
    ("watch", "sys"): "a log line goes through a socket",
    ("watch", "conf"): "each room exports its rows of popper.conf",
}

# Headers that are made when popper is built.
MADE = {"proto/lang_texts.h", "sys/cage_filters.h"}

# Headers that any room may use: no call of theirs touches the world, or they
# only name types.
HARMLESS = {
    "assert.h", "ctype.h", "errno.h", "inttypes.h", "limits.h", "setjmp.h",
    "stdalign.h", "stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h",
    "stdlib.h", "string.h", "strings.h", "sys/types.h", "time.h",
    "cmocka.h",
}

# Other headers outside of sys/: file or room, header (or a folder of them), why.
LISTED = [
    ("base/wide.c", "sys/platform/x86.h", "what the loader knows; reads memory"),
    ("proto/proxy.c", "arpa/inet.h", "inet_pton, computes only"),
    ("role/resolver", "ares.h", "the DNS library; its sockets are its own"),
    ("role/resolver_hosts.c", "arpa/inet.h", "inet_pton, computes only"),
    ("role/resolver.c", "netdb.h", "struct hostent and h_errno's numbers"),
    ("auth/account.c", "grp.h", "whose groups are they?"),
    ("auth/account.c", "pwd.h", "who has this name?"),
    ("auth/account.c", "shadow.h", "has the account a password?"),
    ("auth/rows.c", "unistd.h", "geteuid: rows without a uid"),
    ("auth/file_load.c", "unistd.h", "geteuid: is the file ours?"),
    ("auth/pam.c", "security/pam_appl.h", "PAM"),
    ("auth/passwd_hash.c", "crypt.h", "crypt_rn"),
    ("auth/policy.c", "grp.h", "gids_denied has names of groups"),
    ("auth/sql_pgsql.c", "libpq-fe.h", "PostgreSQL"),
    ("auth/sql_sqlite.c", "sqlite3.h", "SQLite"),
    ("auth/sql_sqlite.c", "sys/inotify.h", "another file takes its name"),
    ("auth/sql_sqlite.c", "unistd.h", "close of that"),
    ("cmd/bulletin.c", "getopt.h", "the options of popper bulletin"),
    ("cmd/ctl_args.c", "getopt.h", "the options of popper ctl"),
    ("cmd/uidl.c", "getopt.h", "the options of popper uidl"),
    ("cmd/uidl_pop3.c", "curl/curl.h", "POP3, a client's side; a module"),
    ("cmd/passwd.c", "getopt.h", "the options of popper passwd"),
    ("cmd/passwd_app.c", "getopt.h", "the options of popper passwd"),
    ("auth/passwd_hash.c", "xxhash.h", "a digest, computes only"),
    ("role/exporter.c", "microhttpd.h", "HTTP"),
    ("role/host_submit.c", "sysexits.h", "numbers: what sendmail says"),
    ("role/penalty.c", "xxhash.h", "keyed hashes, computes only"),
    ("sasl/prep.c", "stringprep.h", "SASLprep, computes only; a module"),
    ("sasl/scram", "gsasl.h", "SASL; the module's half of that room"),
    ("sasl/md5", "openssl/", "MD5; a module of its own"),
    ("tls/", "openssl/", "TLS; nothing else is in that room"),
    ("token/", "curl/curl.h", "HTTP; nothing of a process but those that judge "
     "tokens"),
    ("token/", "jansson.h", "JSON, computes only"),
    ("token/", "openssl/", "signatures"),
    ("krb/module.c", "krb5.h", "Kerberos: keytabs"),
    ("krb/module.c", "gssapi/", "Kerberos: tickets"),
    ("role/", "signal.h", "numbers for loop_on_signal"),
    ("role/settings.c", "getopt.h", "the old flags"),
    ("role/settings.c", "unistd.h", "getcwd, chdir: popper works from the "
     "folder of popper.conf"),
    ("drop/digest.h", "xxhash.h", "a digest, computes only"),
    ("drop/uidl.c", "endian.h", "the order of octets, computes only"),
]

# Functions that have no place in this code, and what to use.
BANNED = {
    "alloca": "an array", "atoi": "num_parse", "atol": "num_parse",
    "gets": "line.h", "popen": "sys/spawn.h", "sprintf": "buf_printf",
    "stpcpy": "buf.h", "strcat": "buf.h", "strcpy": "buf.h",
    "strncat": "buf.h", "strncpy": "buf.h", "strtok": "span_word",
    "system": "sys/spawn.h", "vsprintf": "buf_printf",
}

# What the privileged master alone runs, as the head of role/master.c says, and
# how many lines of code that may be: lines that are blank, or comment alone, are
# not counted, so that nobody saves them.
MASTER = ["role/master.c", "role/crew.c", "role/places.c", "role/ctl_act.c"]
MASTER_MOST = 1500

# They know its crews and places, in children that have become something else.
MASTERS_CHILDREN = ["role/become.c", "role/ctl_answer.c"]

# Paths and hosts that exist on one developer's machine only.
PRIVATE = re.compile(
    rb"/(?:home|root|Users|work|workspace|tmp/wt|tmp/build-)/?[A-Za-z0-9_.-]*/"
    rb"[A-Za-z0-9_./-]*\.(?:c|h|py|md|txt|build|sh)\b")


def sources(*endings):
    out = []
    for path in sorted(glob.glob(TOP + "/src/*/*")):
        if path.endswith(endings):
            out.append(os.path.relpath(path, TOP + "/src"))
    return out


def text(name):
    with open(os.path.join(TOP, "src", name), encoding="utf-8") as f:
        return f.read()


def bare(code):
    """Without comments and strings; lines stay where they are."""
    def blank(m):
        return re.sub(r"[^\n]", " ", m.group(0))
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"'
                  r"|'(?:\\.|[^'\\\n])*'", blank, code, flags=re.S)


def includes(name):
    """(line number, header, is it ours)."""
    for i, line in enumerate(text(name).splitlines(), 1):
        m = re.match(r'\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', line)
        if m:
            yield i, m.group(1) or m.group(2), m.group(1) is not None


def is_listed(header, row):
    return header == row or (row.endswith("/") and header.startswith(row))


def is_test(name):
    return name.endswith(("_test.c", "_test.h"))


class Floors(unittest.TestCase):
    def complain(self, faults):
        if faults:
            self.fail("\n" + "\n".join(faults))

    def test_every_room_has_a_floor(self):
        rooms = {n.split("/")[0] for n in sources(".c", ".h")}
        self.assertEqual(rooms - set(FLOOR), set())

    def test_no_include_up_or_sideways(self):
        faults = []
        for name in sources(".c", ".h"):
            room = name.split("/")[0]
            for i, header, ours in includes(name):
                if not ours:
                    continue
                other = header.split("/")[0]
                if header not in MADE and not os.path.exists(
                        os.path.join(TOP, "src", header)):
                    faults.append("src/%s:%d: \"%s\" is not ROOM/FILE"
                                  % (name, i, header))
                elif FLOOR[other] > FLOOR[room]:
                    faults.append("src/%s:%d: up to %s" % (name, i, header))
                elif FLOOR[other] == FLOOR[room] and other != room \
                        and (room, other) not in SIDEWAYS:
                    faults.append("src/%s:%d: sideways to %s"
                                  % (name, i, header))
        self.complain(faults)

    def test_dangerous_calls_have_one_door(self):
        faults = []
        for name in sources(".c", ".h"):
            if name.startswith("sys/") or is_test(name):
                continue
            for i, header, ours in includes(name):
                if ours or header in HARMLESS or any(
                        name.startswith(place) and is_listed(header, h)
                        for place, h, _ in LISTED):
                    continue
                faults.append("src/%s:%d: <%s> belongs into sys/, or into "
                              "LISTED in tests/floors.py with a reason"
                              % (name, i, header))
        self.complain(faults)

    def test_lists_have_no_dead_rows(self):
        for place, header, why in LISTED:
            self.assertTrue(why)
            self.assertTrue(any(
                n.startswith(place) and any(is_listed(h, header)
                                            for _, h, _ in includes(n))
                for n in sources(".c", ".h")), "%s %s" % (place, header))

    def test_no_banned_function(self):
        call = re.compile(r"\b(%s)\s*\(" % "|".join(BANNED))
        faults = []
        for name in sources(".c", ".h"):
            for i, line in enumerate(bare(text(name)).splitlines(), 1):
                for m in call.finditer(line):
                    faults.append("src/%s:%d: %s: use %s" % (
                        name, i, m.group(1), BANNED[m.group(1)]))
        self.complain(faults)

    def test_headers_compile_alone(self):
        cc = shlex.split(os.environ.get("CC", "cc"))
        with tempfile.TemporaryDirectory() as tmp:
            unit = os.path.join(tmp, "all.c")
            faults = []
            for name in sources(".h"):
                # Twice: the guard is tested as well.
                with open(unit, "w", encoding="utf-8") as f:
                    f.write('#include "%s"\n#include "%s"\n' % (name, name))
                r = subprocess.run(
                    cc + ["-std=gnu17", "-D_GNU_SOURCE", "-DPOPPER_SANITIZED=0",
                          '-DPOPPER_VERSION="x"', '-DPOPPER_SYSCONFDIR="x"',
                          "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
                          "-I" + TOP + "/src", unit],
                    check=False, text=True, stderr=subprocess.PIPE)
                if r.returncode != 0:
                    faults.append("src/%s:\n%s" % (name, r.stderr))
        self.complain(faults)

    def test_master_is_small(self):
        lines = {name: len([line for line in bare(text(name)).splitlines()
                            if line.strip()]) for name in MASTER}
        self.assertLess(sum(lines.values()), MASTER_MOST, lines)

    def test_master_is_all_of_it(self):
        """What is split off is counted, and the list at its head is true."""
        knows = {name for name in sources(".c") if not is_test(name)
                 for _, header, _ in includes(name)
                 if header in ("role/crew.h", "role/places.h")}
        self.assertEqual(knows, set(MASTER + MASTERS_CHILDREN))
        head = text("role/master.c").split("*/")[1]
        self.assertIn("{:,}".format(MASTER_MOST), head)
        named = set(re.findall(r"[a-z_/]+\.c\b", head))
        for name in MASTER[1:] + MASTERS_CHILDREN:
            self.assertIn(os.path.basename(name), named)
        for name in named:
            self.assertTrue(any(os.path.isfile(os.path.join(
                TOP, "src", room, name)) for room in ("", "role", "drop")),
                name)

    def test_first_line_is_the_licence(self):
        faults = []
        for name in sources(".c", ".h"):
            if not text(name).startswith(
                    "/* SPDX-License-Identifier: ISC */\n"):
                faults.append("src/" + name)
        self.complain(faults)

    def test_no_path_of_a_machine(self):
        r = subprocess.run(["git", "-c", "safe.directory=*", "-C", TOP,
                            "ls-files", "-z"],
                           check=False, stdout=subprocess.PIPE)
        if r.returncode != 0:
            names = [os.path.relpath(p, TOP) for p in
                     glob.glob(TOP + "/src/**", recursive=True)
                     + glob.glob(TOP + "/docs/**", recursive=True)]
        else:
            names = r.stdout.decode().split("\0")[:-1]
        faults = []
        for name in names:
            path = os.path.join(TOP, name)
            if not os.path.isfile(path):
                continue
            with open(path, "rb") as f:
                for i, line in enumerate(f, 1):
                    if PRIVATE.search(line):
                        faults.append("%s:%d" % (name, i))
        self.complain(faults)


if __name__ == "__main__":
    unittest.main()
