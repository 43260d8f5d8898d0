/* SPDX-License-Identifier: ISC */
/*
 * Runs as: front_user, in the cage of who asks about tokens.  Reads from: the old
 * server, which may say anything.  What it says goes into a file of memory
 * (uidl_key.h).
 */
#include "cmd/uidl_priv.h"

#include "auth/load.h"
#include "base/num.h"
#include "cmd/start.h"
#include "cmd/uidl_key.h"
#include "cmd/uidl_pop3.h"
#include "drop/former.h"
#include "sys/cage.h"
#include "sys/file.h"
#include "sys/module.h"
#include "sys/identity.h"
#include "sys/secmem.h"
#include "sys/spawn.h"
#include "sys/term.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct live {
	const struct pop3_ops	*ops;
	struct pop3		*server;
	bool			 whole;		/* not by TOP, which it does not know */
	int			 out;
};

/* ------------------------------------------------------------- questions */

static int
ask(const struct live *l, const char *command, struct buf *out, struct fault *f)
{
	buf_init(out, UIDL_LIST_MAX);
	return l->ops->ask(l->server, command, false, out, f) == 0 ? 0 :
	    fault_prefix(f, "%s: ", command);
}

/* Many servers know no TOP: then all of the message comes, and goes. */
static int
ask_header(struct live *l, uint64_t number, struct buf *out, struct fault *f)
{
	char command[48];

	for (;;) {
		(void)snprintf(command, sizeof(command), l->whole ?
		    "RETR %" PRIu64 : "TOP %" PRIu64 " 0", number);
		buf_init(out, UIDL_HEADER_MAX);
		if (l->ops->ask(l->server, command, true, out, f) == 0)
			return 0;
		buf_fini(out);
		if (f->class != FAULT_PROTO || l->whole)
			return fault_prefix(f, "%s: ", command);
		l->whole = true;
	}
}

static int
tell(struct live *l, const struct former_row *r, uint64_t octets,
    struct fault *f)
{
	uint8_t		digest[MBOX_DIGEST];
	struct buf	head;
	bool		known;

	if (ask_header(l, r->number, &head, f) != 0)
		return -1;
	known = former_head_digest(buf_span(&head), buf_room(&head) > 0, digest);
	buf_fini(&head);
	return uidl_key_tell(l->out, known ? digest : NULL, r->number, octets,
	    r->uidl, f);
}

/* The next message of an answer: *more_r, or there is none. */
static int
next_row(struct span *rest, struct former_row *r, bool *more_r, struct fault *f)
{
	struct span line;

	*more_r = false;
	while (!*more_r && span_line(rest, &line)) {
		enum former_line is = former_list_line(line, r);

		if (is == FORMER_BAD)
			return fault_set(f, FAULT_PROTO, "a line of its answer is "
			    "no number and unique-id");
		*more_r = is == FORMER_ROW;
	}
	return 0;
}

static int
tell_all(struct live *l, struct span ids, struct span sizes, struct fault *f)
{
	struct former_row	id;
	struct former_row	size;
	bool			more;
	bool			sized;
	uint64_t		octets;

	for (;;) {
		if (next_row(&ids, &id, &more, f) != 0 ||
		    next_row(&sizes, &size, &sized, f) != 0)
			return -1;
		if (!more && !sized)
			return 0;
		if (more != sized || id.number != size.number ||
		    !num_parse(size.uidl, INT64_MAX, &octets))
			return fault_set(f, FAULT_PROTO, "UIDL and LIST tell of "
			    "other messages");
		if (tell(l, &id, octets, f) != 0)
			return -1;
	}
}

/* Once more at the end: a connection that was lost is made anew, and then messages
 * may have other numbers. */
static int
ask_all(struct live *l, struct fault *f)
{
	struct buf	ids = { 0 };
	struct buf	sizes = { 0 };
	struct buf	then = { 0 };
	int		r = -1;

	if (ask(l, "UIDL", &ids, f) == 0 && ask(l, "LIST", &sizes, f) == 0 &&
	    tell_all(l, buf_span(&ids), buf_span(&sizes), f) == 0 &&
	    ask(l, "UIDL", &then, f) == 0)
		r = span_eq(buf_span(&ids), buf_span(&then)) ? 0 :
		    fault_set(f, FAULT_TEMP, "its maildrop has changed meanwhile");
	buf_fini(&ids);
	buf_fini(&sizes);
	buf_fini(&then);
	return r;
}

/* ----------------------------------------------------------- the process */

static int
become_nobody(const struct settings *s, struct fault *f)
{
	struct identity id;

	if (cage_limits(CAGE_TOKEN, f) != 0)
		return -1;
	if (!identity_is_root())
		return 0;
	return identity_service(s->role.front_user, &id, f) != 0 ? -1 :
	    identity_become(&id, true, f);
}

struct asker {
	const struct settings	*settings;
	const struct pop3_ops	*ops;
	const struct pop3_conf	*conf;
	int			 out;
};

static NORETURN void
be_asker(void *ctx)
{
	const struct asker	*a = ctx;
	const struct pop3_ops	*ops = a->ops;
	struct live		 l = { .ops = ops, .out = a->out };
	struct pop3_conf	 with = *a->conf;
	struct buf		 hosts;
	struct fault		 f;
	bool			 degraded;
	int			 status = STATUS_OK;

	fd_close_others(3, &a->out, 1);
	buf_init(&hosts, POP3_HOSTS_MAX);
	if (become_nobody(a->settings, &f) != 0 ||
	    ops->look_up(with.url, &hosts, &f) != 0)
		spawn_exit(uidl_complain(&f));
	with.hosts = buf_span(&hosts);
	l.server = ops->open(&with, &f);
	if (l.server == NULL || cage_enter(CAGE_TOKEN, &degraded, &f) != 0 ||
	    ask_all(&l, &f) != 0)
		status = uidl_complain(&f);
	ops->close(l.server);
	spawn_exit(status);
}

static const struct pop3_ops *
load(struct fault *f)
{
	const struct pop3_ops *ops = module_symbol("popper-pop3.so", "popper_pop3",
	    f);

	if (ops != NULL && ops->abi != POP3_ABI) {
		(void)fault_set(f, FAULT_PERM, "popper-pop3.so is of another"
		    " version of popper");
		return NULL;
	}
	return ops;
}

static int
get_password(const char *url, struct secret *x, struct fault *f)
{
	char prompt[300];

	secmem_lock(x, sizeof(*x));
	if (!term_interactive())
		return term_read(x, f);
	(void)snprintf(prompt, sizeof(prompt), "Password at %s: ", url);
	return term_ask(prompt, x, f);
}

int
uidl_ask(const struct settings *s, const struct uidl_server *from, int *fd_r,
    struct fault *f)
{
	AUTO(secret_wipe) struct secret	 password = { 0 };
	AUTO(fd_close) int		 out = -1;
	const struct pop3_ops		*ops = load(f);
	struct buf			 roots = { 0 };
	int				 status = -1;

	if (ops != NULL && auth_load(from->roots, LOAD_OPTIONAL, &roots, f) == 0 &&
	    get_password(from->url, &password, f) == 0 &&
	    file_open_memory(&out, f) == 0)
		status = uidl_child(be_asker, &(struct asker){ s, ops,
		    &(struct pop3_conf){
		    .url = from->url,
		    .user = from->user,
		    .plaintext = from->plaintext,
		    .password = secret_span(&password),
		    .roots = buf_span(&roots) }, out },
		    "who asks the old server", f);
	buf_fini(&roots);
	if (status == STATUS_OK)
		*fd_r = fd_take(&out);
	return status;
}
