#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Behind `make run`: lays a small demo under run/ and serves it on
127.0.0.1:1110 until Ctrl-C.

As root popper uses all its processes, with numeric ids that need no account;
as an ordinary user it runs as that user (isolation = single).  Paths in
run/popper.conf are relative, so that a clone in a folder that only its owner
can enter will do.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RUN = os.path.join(TOP, "run")
USER, PASSWORD = "demo", "popper"
ADDRESS, PORT, TLS_PORT = "127.0.0.1", 1110, 1995
HOST = "demo.localhost"
FRONT, OWNER, AUTH = 61110, 61111, 61112    # ids of nobody's, when we are root

COMMON = """# Made by `make run`.  What each row means: man/popper.conf.5
listen = %s:%d
listen = %s:%d tls
tls_certificate = cert.pem key=key.pem
auth = file
passwd_file = users
maildrop = mail/%%u
state_dir = state
run_dir = state
bulletins = bulletins
hostname = %s
timeout = 600
peer_check = no
log = stderr
""" % (ADDRESS, PORT, ADDRESS, TLS_PORT, HOST)
WHO = """uid_min = %d
uid_max = %d
gid_min = %d
"""
SPLIT = """isolation = split
front_user = %d:%d
auth_user = %d:%d
virtual_user = %d:%d
chroot_dir = empty
""" % (FRONT, FRONT, AUTH, AUTH, OWNER, OWNER)
SINGLE = "isolation = single\n"

FROM = b"From %s Fri Jan  5 10:0%d:00 2024\n"
MAIL = [
    ("alice@example.org", b"Lunch", b"Shall we meet at noon?\n\n-- \nAlice\n"),
    ("build@example.org", b"Lines that begin with a dot",
     b".profile\n..\n.\nThe line above is a lone dot; this one is mail.\n"),
    ("bob@example.org", b"A line that begins with From",
     b"he wrote:\nFrom here on it is all mine.\n\n>From a quoted one.\n"),
    ("robot@example.org", b"One long line", b"x" * 5000 + b"\nend\n"),
    ("zoe@example.org", "Grüße".encode(), "Schöne Grüße, 8 bit\n".encode()),
    ("dos@example.org", b"CRLF inside", b"one\r\ntwo\r\n"),
    ("nul@example.org", b"A NUL and control octets", b"a\0b\x01\x7f\n"),
    ("empty@example.org", b"No body", b""),
]
BULLETIN = b"""From postmaster@demo.localhost Fri Jan  5 09:00:00 2024
From: postmaster@demo.localhost
To: everybody
Subject: Welcome to popper
Date: Fri, 5 Jan 2024 09:00:00 +0000

This is a bulletin: every user gets it once, as ordinary mail.
"""

LINES = """
popper serves run/mail/%(user)s on %(address)s port %(port)d.  Try, in another window:

  telnet %(address)s %(port)d                   then: USER %(user)s, PASS %(password)s, LIST, RETR 1, QUIT
  curl pop3://%(user)s:%(password)s@%(address)s:%(port)d/           lists the messages
  curl pop3://%(user)s:%(password)s@%(address)s:%(port)d/1          shows the first one

  curl --cacert run/cert.pem --connect-to %(host)s::%(address)s \\
      pop3s://%(user)s:%(password)s@%(host)s:%(tls)d/1   the same under TLS

In a mail program: POP3, server %(address)s, user %(user)s, password %(password)s, and
port %(port)d with STARTTLS or without encryption, or port %(tls)d with SSL/TLS (the
certificate is run/cert.pem, made for this demo).  Everything lies under run/;
Ctrl-C ends it.
"""


def mailbox():
    out = b""
    for i, (sender, subject, body) in enumerate(MAIL):
        out += FROM % (sender.encode(), i)
        out += b"From: %s\nTo: %s@demo.localhost\nSubject: %s\n" \
               b"Date: Fri, 5 Jan 2024 10:0%d:00 +0000\n" \
               b"Message-ID: <%d@example.org>\n\n%s\n" % (
                   sender.encode(), USER.encode(), subject, i, i, body)
    return out


def write(name, data, mode, owner=None):
    path = os.path.join(RUN, name)
    with open(path, "wb") as f:
        f.write(data)
    os.chmod(path, mode)
    if owner is not None:
        os.chown(path, owner, owner)


def look_for_others():
    """Before anything of run/ is touched: it may be theirs."""
    for port in (PORT, TLS_PORT):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind((ADDRESS, port))
                s.listen()
            except OSError as e:
                sys.exit("%s port %d: %s.  Does another `make run` serve there?"
                         % (ADDRESS, port, e.strerror))


def make_certificate():
    """For this demo alone, signed by itself."""
    subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-days", "365", "-subj", "/CN=" + HOST,
         "-addext", "subjectAltName=DNS:%s,IP:%s" % (HOST, ADDRESS),
         # Python's clients trust no other (3.13).
         "-addext", "keyUsage=critical,digitalSignature,keyCertSign",
         "-keyout", os.path.join(RUN, "key.pem"),
         "-out", os.path.join(RUN, "cert.pem")],
        check=True, stderr=subprocess.DEVNULL)


def lay(popper, root):
    """run/ afresh."""
    if os.path.isdir(RUN):
        if not root and os.stat(RUN).st_uid != os.geteuid():
            sys.exit("run/ was laid by another user: sudo make clean")
        shutil.rmtree(RUN)
    for name, mode in ((".", 0o755), ("mail", 0o755), ("state", 0o711),
                       ("bulletins", 0o755), ("empty", 0o755)):
        path = os.path.join(RUN, name)
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)
    owner = OWNER if root else None
    if root:
        os.chown(os.path.join(RUN, "mail"), OWNER, OWNER)
    write("mail/" + USER, mailbox(), 0o600, owner)
    write("bulletins/1.welcome", BULLETIN, 0o644)
    # a new user gets no old bulletins: this one is not new
    os.makedirs(os.path.join(RUN, "state/users", USER))
    write("state/users/%s/popbull" % USER, b"0\n", 0o600, owner)
    for name, mode in (("state/users", 0o711), ("state/users/" + USER, 0o700)):
        os.chmod(os.path.join(RUN, name), mode)
    if root:
        os.chown(os.path.join(RUN, "state/users", USER), OWNER, OWNER)
    uid, gid = (OWNER, OWNER) if root else (os.geteuid(), os.getegid())
    write("popper.conf", (COMMON + WHO % (uid, uid, max(gid, 1))
                          + (SPLIT if root else SINGLE)).encode(), 0o644)
    make_certificate()
    subprocess.run([popper, "passwd", "--file", os.path.join(RUN, "users"),
                    USER], input=PASSWORD + "\n", text=True, check=True)


def serve(popper):
    """popper in the foreground.  On a terminal it has a process group of its
    own, so that Ctrl-C is for it alone: make would call it an error."""
    tty = os.isatty(0)

    def alone():
        if tty:
            os.setpgid(0, 0)
            os.tcsetpgrp(0, os.getpgrp())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    signal.signal(signal.SIGINT, signal.SIG_IGN)    # it is popper's
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    p = subprocess.Popen(
        [popper, "serve", "--config", os.path.join(RUN, "popper.conf")],
        preexec_fn=alone)
    signal.signal(signal.SIGTERM, lambda *_: p.terminate())
    code = p.wait()
    if tty:
        os.tcsetpgrp(0, os.getpgrp())
    return code


def main():
    popper = os.path.abspath(sys.argv[1])
    os.umask(0o022)
    look_for_others()
    lay(popper, os.geteuid() == 0)
    print(LINES % {"user": USER, "password": PASSWORD, "address": ADDRESS,
                   "port": PORT, "tls": TLS_PORT, "host": HOST}, flush=True)
    sys.exit(serve(popper))


if __name__ == "__main__":
    main()
