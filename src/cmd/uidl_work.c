/* SPDX-License-Identifier: ISC */
/*
 * Runs as: the user, in the cage of a session.  Reads from: a copy of the maildrop, or
 * the Maildir; what is in it may be anything.
 */
#include "cmd/uidl_work.h"

#include "base/alloc.h"
#include "cmd/start.h"
#include "drop/uidl.h"
#include "sys/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ------------------------------------------------------------- maildrop */

static void
show(struct drops *d, struct message *v)
{
	if (!promises_find(&d->promises, v->digest, v->twin, v->shown))
		memcpy(v->shown, v->derived, sizeof(v->shown));
	d->n++;
}

static void
name_messages(struct drops *d)
{
	d->v = xalloc(d->table.n, sizeof(*d->v));
	for (size_t i = 0; i < d->table.n; i++) {
		const struct mbox_msg	*m = &d->table.m[i];
		struct message		*v = &d->v[d->n];

		if (m->flags & MBOX_HIDDEN)
			continue;
		v->m = m;
		v->octets = m->size_wire;
		memcpy(v->digest, m->digest, MBOX_DIGEST);
		v->twin = m->twin;
		uidl_format(m->digest, m->twin, v->derived);
		show(d, v);
	}
}

static void
name_files(struct drops *d)
{
	struct snapshot s;

	maildir_ops.snapshot(d->maildir, &s);
	d->v = xalloc(s.n, sizeof(*d->v));
	for (size_t i = 0; i < s.n; i++) {
		struct message *v = &d->v[i];

		v->octets = s.entries[i].size_wire;
		v->disk = s.entries[i].size_disk;
		v->base = maildir_key(d->maildir, i, v->digest);
		v->twin = 1;
		memcpy(v->derived, s.entries[i].uidl, sizeof(v->derived));
		show(d, v);
	}
}

static void
tell(void *ctx UNUSED, const char *id UNUSED, const char *text)
{
	start_say("uidl", text);
}

static int
open_maildir(struct drops *d, struct fault *f)
{
	static const struct drop_host host = { .tell = tell };

	return maildir_ops.open(&(struct drop_conf){
	    .path = d->w->maildir,
	    .uid = d->w->uid,
	    .journal_fd = -1,
	    .host = &host }, &d->maildir, f);
}

static int
look(struct drops *d, struct fault *f)
{
	bool files = d->w->maildir != NULL;

	if (files ? open_maildir(d, f) == -1 :
	    mbox_scan_file(d->w->mbox, 0, d->w->size, &d->table, f) == -1)
		return -1;
	if (d->w->promises >= 0 &&
	    promises_load(d->w->promises, &d->promises, f) == -1)
		return -1;
	if (files)
		name_files(d);
	else
		name_messages(d);
	return 0;
}

/* ------------------------------------------------------------- commands */

static int
do_export(struct drops *d, struct fault *f UNUSED)
{
	for (size_t i = 0; i < d->n; i++)
		printf("%zu %" PRIu64 " %s\n", i + 1, d->v[i].octets,
		    d->v[i].shown);
	return STATUS_OK;
}

static int
do_verify(struct drops *d, struct fault *f)
{
	size_t other = 0;

	if (uidl_read_old(d, f) == -1)
		return uidl_complain(f);
	for (size_t i = 0; i < d->n; i++) {
		const struct message *v = &d->v[i];

		if (strcmp(v->old, v->shown) == 0)
			continue;
		other++;
		printf("%zu %s %s\n", i + 1, v->shown,
		    v->old[0] == '\0' ? "-" : v->old);
	}
	fprintf(stderr, "popper uidl: %zu of %zu messages have another "
	    "unique-id\n", other, d->n);
	return other == 0 ? STATUS_OK : STATUS_FAILED;
}

/* Rows for what cannot be derived. */
static size_t
make_rows(const struct drops *d, struct promise *rows)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++) {
		const struct message *v = &d->v[i];

		if (strcmp(v->old, v->derived) == 0)
			continue;
		memcpy(rows[n].digest, v->digest, MBOX_DIGEST);
		rows[n].twin = v->twin;
		memcpy(rows[n++].uidl, v->old, sizeof(v->old));
	}
	return n;
}

static int
write_out(const struct drops *d, size_t *n_r, struct fault *f)
{
	struct promise	*rows = xalloc(d->n, sizeof(*rows));
	struct buf	 b;
	struct span	 text;
	int		 r;

	*n_r = make_rows(d, rows);
	buf_init(&b, PROMISE_TEXT_MAX);
	r = promises_pack(rows, *n_r, &b, f);
	text = buf_span(&b);
	if (r == 0)
		r = file_pwrite(d->w->out, text.p, text.n, 0, f);
	buf_fini(&b);
	free(rows);
	return r;
}

static int
do_import(struct drops *d, struct fault *f)
{
	size_t	found = 0;
	size_t	changed = 0;
	size_t	rows;

	if (uidl_read_old(d, f) == -1)
		return uidl_complain(f);
	for (size_t i = 0; i < d->n; i++) {
		struct message *v = &d->v[i];

		found += v->old[0] != '\0';
		if (v->old[0] == '\0')
			memcpy(v->old, v->shown, sizeof(v->old));
		changed += strcmp(v->old, v->shown) != 0;
	}
	if (uidl_check_distinct(d, f) == -1 || write_out(d, &rows, f) == -1)
		return uidl_complain(f);
	if (d->foreign > 0)
		fprintf(stderr, "popper uidl: %zu are another message's, and "
		    "left out\n", d->foreign);
	printf("%zu messages, %zu with an id of the old server%s: %zu change, "
	    "%zu promised\n", d->n, found, d->w->dry_run ? " (dry run)" : "",
	    changed, rows);
	return STATUS_OK;
}

static const struct command {
	const char	*word;
	int		(*run)(struct drops *d, struct fault *f);
} commands[] = {
	{ "export",	do_export },
	{ "import",	do_import },
	{ "verify",	do_verify },
};

static const struct command *
command_of(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(word, commands[i].word) == 0)
			return &commands[i];
	return NULL;
}

bool
uidl_word_known(const char *word)
{
	return command_of(word) != NULL;
}

int
uidl_do(const struct uidl_work *w)
{
	struct drops	d = { .w = w };
	struct fault	f;
	int		status;

	if (look(&d, &f) == -1)
		status = uidl_complain(&f);
	else
		status = command_of(w->word)->run(&d, &f);
	promises_fini(&d.promises);
	mbox_table_fini(&d.table);
	maildir_ops.close(d.maildir);
	free(d.v);
	return status;
}
