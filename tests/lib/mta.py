# SPDX-License-Identifier: ISC
"""Real mail transfer agents in a private host, with Debian's locking.

    host = Host(packages=[unpack(*Postfix.packages)])
    with Postfix(host) as mta: ...          # listens on port 25

They deliver to /var/mail/USER for the host's accounts and @example.org, and
bring /usr/sbin/sendmail.
"""

import time

MAIN_CF = """
compatibility_level = 3.6
myhostname = pophost.example.org
mydomain = example.org
myorigin = example.org
mydestination = example.org, pophost.example.org, localhost
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
queue_directory = /var/spool/postfix
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
data_directory = /var/lib/postfix
mail_owner = postfix
setgid_group = postdrop
sendmail_path = /usr/sbin/sendmail
newaliases_path = /usr/bin/newaliases
mailq_path = /usr/bin/mailq
alias_maps =
alias_database =
local_recipient_maps =
mail_spool_directory = /var/mail
mailbox_delivery_lock = fcntl, dotlock
mailbox_size_limit = 0
message_size_limit = 0
deliver_lock_delay = 1s
deliver_lock_attempts = 60
queue_run_delay = 3s
minimal_backoff_time = 2s
maximal_backoff_time = 5s
in_flow_delay = 0
biff = no
smtputf8_enable = no
"""

# Debian's services, without their chroot, which its scripts would furnish.
MASTER_CF = """
smtp      inet  n       -       n       -       -       smtpd
pickup    unix  n       -       n       5       1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       3       1       qmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
proxywrite unix -       -       n       -       1       proxymap
smtp      unix  -       -       n       -       -       smtp
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
local     unix  -       n       n       -       -       local
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
"""

EXIM_CONF = """
primary_hostname = pophost.example.org
qualify_domain = example.org
domainlist local_domains = example.org : pophost.example.org
exim_user = Debian-exim
exim_group = Debian-exim
acl_smtp_rcpt = accept
local_interfaces = 127.0.0.1
daemon_smtp_ports = 25
trusted_users = root
local_from_check = false
local_sender_retain = true
untrusted_set_sender = *
spool_directory = /var/spool/exim4
log_file_path = syslog
syslog_duplication = false
tls_advertise_hosts =
host_lookup =
rfc1413_hosts =
smtp_accept_max = 100
smtp_accept_queue_per_connection = 0
keep_environment =
queue_run_max = 10
message_size_limit = 0
prdr_enable = false
chunking_advertise_hosts =

begin routers
local_user:
  driver = accept
  domains = +local_domains
  check_local_user
  transport = mail_spool

begin transports
mail_spool:
  driver = appendfile
  file = /var/mail/$local_part_data
  delivery_date_add
  envelope_to_add
  return_path_add
  group = mail
  mode = 0660
  mode_fail_narrower = false

begin retry
*  *  F,1h,2s
"""


class Mta:
    """What both have in common."""

    def __init__(self, host):
        self.host = host
        self.furnish()
        self.process = self.start()
        host.wait_port(25)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.process.stop()

    def wait_empty(self, timeout=240):
        """Until its queue holds nothing."""
        deadline = time.monotonic() + timeout
        while self.queued():
            if time.monotonic() > deadline:
                raise AssertionError("mail stays in the queue:\n%s\n%s" % (
                    self.queued(), "\n".join(self.host.syslog.lines[-20:])))
            self.flush()
            time.sleep(0.2)


class Postfix(Mta):
    packages = ("postfix",)

    def furnish(self):
        h = self.host
        h.add_group("postdrop", 902)
        h.add_user("postfix", 901, home="/var/spool/postfix",
                   shell="/usr/sbin/nologin")
        h.write("/etc/postfix/main.cf", MAIN_CF)
        h.write("/etc/postfix/master.cf", MASTER_CF)
        h.mkdir("/var/spool/postfix")
        h.mkdir("/var/lib/postfix", 0o755, "postfix")
        # What the package's scripts would do.
        for tool in ("postdrop", "postqueue"):
            h.run(["chgrp", "postdrop", "/usr/sbin/" + tool], check=True)
            h.run(["chmod", "2755", "/usr/sbin/" + tool], check=True)
        h.run(["postfix", "check"], check=True)

    def start(self):
        return self.host.popen(["/usr/lib/postfix/sbin/master", "-d"])

    def queued(self):
        out = self.host.run(["postqueue", "-p"]).stdout.decode()
        return "" if "Mail queue is empty" in out else out

    def flush(self):
        self.host.run(["postqueue", "-f"])


class Exim(Mta):
    packages = ("exim4-daemon-light",)

    def furnish(self):
        h = self.host
        h.add_user("Debian-exim", 903, home="/var/spool/exim4",
                   shell="/usr/sbin/nologin")
        h.write("/etc/exim4/exim4.conf", EXIM_CONF, 0o644)
        h.mkdir("/var/spool/exim4", 0o750, "Debian-exim", "Debian-exim")
        h.mkdir("/var/log/exim4", 0o750, "Debian-exim", "Debian-exim")
        h.run(["chmod", "4755", "/usr/sbin/exim4"], check=True)
        h.run(["ln", "-sf", "exim4", "/usr/sbin/sendmail"], check=True)

    def start(self):
        return self.host.popen(["/usr/sbin/exim4", "-bdf", "-q2s"])

    def queued(self):
        return self.host.run(["exim4", "-bp"]).stdout.decode().strip()

    def flush(self):
        pass                            # its own queue runs are often enough
