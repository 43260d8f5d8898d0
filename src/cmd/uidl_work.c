/* SPDX-License-Identifier: ISC */
/*
 * Runs as: the user, in the cage of a session.  Reads from: a copy of the maildrop and
 * a list, both of which may hold anything.
 */
#include "cmd/uidl_priv.h"

#include "base/alloc.h"
#include "base/codec.h"
#include "cmd/start.h"
#include "drop/former.h"
#include "drop/mbox_scan.h"
#include "drop/promise.h"
#include "drop/uidl.h"
#include "sasl/md5.h"
#include "sys/file.h"
#include "sys/module.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct message {
	const struct mbox_msg	*m;		/* borrows */
	char			 shown[DROP_UIDL_MAX + 1];
	char			 old[DROP_UIDL_MAX + 1];	/* "": not known */
};

struct drops {
	const struct uidl_work	*w;
	struct mbox_table	 table;
	struct promises		 promises;
	struct message		*v;		/* owns; as a client numbers them */
	size_t			 n;
	size_t			 foreign;	/* ids of headers that came twice */
};

static const struct sasl_md5_ops *md5;

/* ------------------------------------------------------------- maildrop */

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
		if (!promises_find(&d->promises, m->digest, m->twin, v->shown))
			uidl_format(m->digest, m->twin, v->shown);
		d->n++;
	}
}

static int
look(struct drops *d, struct fault *f)
{
	if (mbox_scan_file(d->w->mbox, 0, d->w->size, &d->table, f) == -1)
		return -1;
	if (d->w->promises >= 0 &&
	    promises_load(d->w->promises, &d->promises, f) == -1)
		return -1;
	name_messages(d);
	return 0;
}

/* ---------------------------------------------------------- from a list */

static int
take_row(struct drops *d, const struct former_row *r, struct fault *f)
{
	struct message *v = r->number <= d->n ? &d->v[r->number - 1] : NULL;

	if (v == NULL)
		return fault_set(f, FAULT_PROTO, "the list has a message %"
		    PRIu64 ", the maildrop has %zu", r->number, d->n);
	if (v->old[0] != '\0')
		return fault_set(f, FAULT_PROTO, "the list has message %" PRIu64
		    " twice", r->number);
	if (r->sized && r->size != v->m->size_wire)
		return fault_set(f, FAULT_PROTO, "message %" PRIu64 " has %"
		    PRIu64 " octets in the list, and %" PRIu64 " in the maildrop",
		    r->number, r->size, v->m->size_wire);
	return span_cstr(r->uidl, v->old, sizeof(v->old)) ? 0 : -1;
}

static int
take_lines(struct drops *d, struct span rest, struct fault *f)
{
	struct former_row	r;
	struct span		line;
	unsigned		n = 0;

	while (span_line(&rest, &line)) {
		n++;
		switch (former_list_line(line, &r)) {
		case FORMER_ROW:
			if (take_row(d, &r, f) == -1)
				return -1;
			break;
		case FORMER_NOTHING:
			break;
		case FORMER_END:
			return 0;
		case FORMER_BAD:
			return fault_set(f, FAULT_PROTO, "line %u of the list is "
			    "no number and unique-id", n);
		}
	}
	return 0;
}

/* All of the list, in *b, which the caller gives back. */
static int
slurp(const struct drops *d, struct buf *b, struct fault *f)
{
	uint8_t	*p;
	ssize_t	 n = 1;

	buf_init(b, UIDL_LIST_MAX);
	while (n > 0) {
		p = buf_reserve(b, 65536);
		if (p == NULL)
			return fault_set(f, FAULT_LIMIT, "the list is too long");
		n = d->w->asked ? file_pread(d->w->list, p, 65536, buf_len(b), f) :
		    file_read(d->w->list, p, 65536, f);
		if (n > 0)
			buf_extend(b, (size_t)n);
	}
	return n == 0 ? 0 : -1;
}

static int
read_list(struct drops *d, struct fault *f)
{
	struct buf	b;
	int		r = slurp(d, &b, f);

	if (r == 0)
		r = take_lines(d, buf_span(&b), f);
	buf_fini(&b);
	return r;
}

/* -------------------------------------------------------- from the header */

static uint8_t header[UIDL_HEADER_MAX];

/* *whole_r: it is not longer than what is looked at. */
static int
read_header(const struct drops *d, const struct mbox_msg *m, struct span *out,
    bool *whole_r, struct fault *f)
{
	uint64_t	len = m->head_end - m->text;
	size_t		want = len < UIDL_HEADER_MAX ? (size_t)len : UIDL_HEADER_MAX;
	ssize_t		got = file_pread(d->w->mbox, header, want, m->text, f);

	*whole_r = len <= UIDL_HEADER_MAX;
	*out = span_of(header, got < 0 ? 0 : (size_t)got);
	return got < 0 ? -1 : 0;
}

static void
by_xuidl(const struct drops *d UNUSED, struct span head, bool whole UNUSED,
    struct message *v)
{
	struct former_head h;

	former_head(head, &h);
	if (!span_cstr(h.xuidl, v->old, sizeof(v->old)))
		v->old[0] = '\0';
}

static void
by_popa3d(const struct drops *d UNUSED, struct span head, bool whole,
    struct message *v)
{
	char		hex[SASL_MD5_TEXT];
	struct buf	b;

	buf_init(&b, UIDL_HEADER_MAX);
	if (whole && former_popa3d_text(head, &b) == 0 &&
	    md5->apop(buf_span(&b), SPAN(""), hex))
		former_popa3d(hex, v->old);
	buf_fini(&b);
}

static int
each_header(struct drops *d, void (*by)(const struct drops *, struct span, bool,
    struct message *), struct fault *f)
{
	for (size_t i = 0; i < d->n; i++) {
		struct span	head;
		bool		whole;

		if (read_header(d, d->v[i].m, &head, &whole, f) == -1)
			return -1;
		by(d, head, whole, &d->v[i]);
	}
	return 0;
}

static int
read_xuidl(struct drops *d, struct fault *f)
{
	return each_header(d, by_xuidl, f);
}

static int
read_popa3d(struct drops *d, struct fault *f)
{
	return each_header(d, by_popa3d, f);
}

/* The uidvalidity stands in the first message of the file, be it shown or not. */
static int
read_uid(struct drops *d, struct fault *f)
{
	const char		*format = former_format(d->w->format);
	struct former_head	 h = { 0 };
	struct span		 head;
	uint64_t		 validity;
	bool			 whole;

	if (d->table.n > 0) {
		if (read_header(d, &d->table.m[0], &head, &whole, f) == -1)
			return -1;
		former_head(head, &h);
	}
	validity = h.validity;
	if (validity == 0)
		return fault_set(f, FAULT_PROTO, "there is no X-IMAPbase: in the "
		    "first message: ids were not written into this maildrop");
	for (size_t i = 0; i < d->n; i++) {
		if (read_header(d, d->v[i].m, &head, &whole, f) == -1)
			return -1;
		former_head(head, &h);
		if (h.uid != 0 && !former_make(format, h.uid, validity,
		    d->v[i].old))
			return fault_set(f, FAULT_PROTO, "--format makes no legal "
			    "unique-id of uid %" PRIu64, h.uid);
	}
	return 0;
}

/* ------------------------------------------- from a server that answers */

/* A message, here or there. */
struct key {
	uint8_t		digest[MBOX_DIGEST];	/* of its header */
	uint64_t	size;
	size_t		place;			/* here, or there */
	struct span	uidl;			/* there */
};
struct keys {
	struct key	*v;		/* owns */
	size_t		 n;
};

static int
by_text(const struct key *a, const struct key *b)
{
	return memcmp(a->digest, b->digest, MBOX_DIGEST);
}

static int
by_text_and_size(const struct key *a, const struct key *b)
{
	int c = by_text(a, b);

	return c != 0 ? c : a->size < b->size ? -1 : a->size > b->size;
}

static int
by_place(const struct key *a, const struct key *b)
{
	return a->place < b->place ? -1 : a->place > b->place;
}

static int
order_by_text(const void *a, const void *b)
{
	int c = by_text(a, b);

	return c != 0 ? c : by_place(a, b);
}

static int
order_by_text_and_size(const void *a, const void *b)
{
	int c = by_text_and_size(a, b);

	return c != 0 ? c : by_place(a, b);
}

/* Those that are alike, in the order that they have; who is left is left in both. */
static void
pair(struct drops *d, struct keys *here, struct keys *there,
    int (*same)(const struct key *, const struct key *),
    int (*order)(const void *, const void *))
{
	struct keys	h = { here->v, 0 };
	struct keys	t = { there->v, 0 };
	size_t		i = 0;
	size_t		j = 0;

	qsort(here->v, here->n, sizeof(*here->v), order);
	qsort(there->v, there->n, sizeof(*there->v), order);
	while (i < here->n || j < there->n) {
		int c = i == here->n ? 1 : j == there->n ? -1 :
		    same(&here->v[i], &there->v[j]);

		if (c < 0) {
			h.v[h.n++] = here->v[i++];
		} else if (c > 0) {
			t.v[t.n++] = there->v[j++];
		} else {
			struct message *v = &d->v[here->v[i++].place];

			ASSERT(span_cstr(there->v[j++].uidl, v->old,
			    sizeof(v->old)));
		}
	}
	*here = h;
	*there = t;
}

static int
key_messages(struct drops *d, struct keys *out, struct fault *f)
{
	out->v = xalloc(d->n + 1, sizeof(*out->v));
	for (size_t i = 0; i < d->n; i++) {
		struct key	*k = &out->v[out->n];
		struct span	 head;
		bool		 whole;

		if (read_header(d, d->v[i].m, &head, &whole, f) == -1)
			return -1;
		*k = (struct key){ .size = d->v[i].m->size_wire, .place = i };
		out->n += former_head_digest(head, whole, k->digest);
	}
	return 0;
}

/* What uidl_live.c has written. */
static int
key_lines(struct span rest, struct keys *out, size_t *unknown_r, struct fault *f)
{
	size_t			cap = 0;
	struct former_row	r;
	struct span		line;
	struct span		digest;
	size_t			n;

	for (size_t i = 0; span_line(&rest, &line); i++) {
		struct key k = { .place = i };

		digest = span_word(&line);
		if (former_list_line(line, &r) != FORMER_ROW || !r.sized)
			return fault_set(f, FAULT_PEER, "who asked the old server "
			    "has written nonsense");
		k.size = r.size;
		k.uidl = r.uidl;
		if (!base64_decode(digest, k.digest, sizeof(k.digest), &n) ||
		    n != sizeof(k.digest)) {
			++*unknown_r;
			continue;
		}
		out->v = xgrow(out->v, out->n, &cap, sizeof(*out->v));
		out->v[out->n++] = k;
	}
	return 0;
}

/* By the header, and by the size as well if there is one with it: some servers count
 * what others do not. */
static int
read_pop3(struct drops *d, struct fault *f)
{
	struct keys	here = { 0 };
	struct keys	there = { 0 };
	struct buf	b;
	size_t		unknown = 0;
	int		r = slurp(d, &b, f);

	if (r == 0)
		r = key_lines(buf_span(&b), &there, &unknown, f);
	if (r == 0)
		r = key_messages(d, &here, f);
	if (r == 0 && there.n > 0) {
		pair(d, &here, &there, by_text_and_size, order_by_text_and_size);
		pair(d, &here, &there, by_text, order_by_text);
	}
	if (r == 0 && there.n + unknown > 0)
		fprintf(stderr, "popper uidl: %zu messages of the old server are "
		    "not here\n", there.n + unknown);
	buf_fini(&b);
	free(here.v);
	free(there.v);
	return r;
}

static const struct form {
	const char	*word;
	bool		 header;	/* senders may have written it */
	bool		 md5;
	int		(*read)(struct drops *d, struct fault *f);
} forms[] = {
	{ "list",	false,	false,	read_list },
	{ "pop3",	false,	false,	read_pop3 },
	{ "x-uidl",	true,	false,	read_xuidl },
	{ "uid",	true,	false,	read_uid },
	{ "popa3d",	true,	true,	read_popa3d },
};

static const struct form *
form_of(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		if (strcmp(word, forms[i].word) == 0)
			return &forms[i];
	return NULL;
}

bool
uidl_from_known(const char *from)
{
	return form_of(from) != NULL;
}

/* ---------------------------------------------------------------- twice */

static int
by_old(const void *a, const void *b)
{
	const struct message *x = *(const struct message *const *)a;
	const struct message *y = *(const struct message *const *)b;
	int c = strcmp(x->old, y->old);

	return c != 0 ? c : x < y ? -1 : x > y;
}

static struct message **
sorted(struct drops *d)
{
	struct message **list = xalloc(d->n, sizeof(struct message *));

	for (size_t i = 0; i < d->n; i++)
		list[i] = &d->v[i];
	qsort(list, d->n, sizeof(struct message *), by_old);
	return list;
}

/* Who copies the field of another message gets an id of ours. */
static void
first_keeps_it(struct drops *d)
{
	struct message	**list = sorted(d);
	const char	 *before = "";

	for (size_t i = 0; i < d->n; i++) {
		if (list[i]->old[0] != '\0' && strcmp(before, list[i]->old) == 0) {
			list[i]->old[0] = '\0';
			d->foreign++;
		} else {
			before = list[i]->old;
		}
	}
	free(list);
}

static int
check_distinct(struct drops *d, struct fault *f)
{
	struct message	**list = sorted(d);
	int		  r = 0;

	for (size_t i = 1; i < d->n && r == 0; i++)
		if (strcmp(list[i - 1]->old, list[i]->old) == 0)
			r = fault_set(f, FAULT_PROTO, "messages %zu and %zu would "
			    "both be %s", (size_t)(list[i - 1] - d->v) + 1,
			    (size_t)(list[i] - d->v) + 1, list[i]->old);
	free(list);
	return r;
}

static int
read_old(struct drops *d, struct fault *f)
{
	const struct form *form = form_of(d->w->from);

	if (form->read(d, f) == -1)
		return -1;
	if (form->header)
		first_keeps_it(d);
	return 0;
}

/* ------------------------------------------------------------- commands */

static int
do_export(struct drops *d, struct fault *f UNUSED)
{
	for (size_t i = 0; i < d->n; i++)
		printf("%zu %" PRIu64 " %s\n", i + 1, d->v[i].m->size_wire,
		    d->v[i].shown);
	return STATUS_OK;
}

static int
do_verify(struct drops *d, struct fault *f)
{
	size_t other = 0;

	if (read_old(d, f) == -1)
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
		const struct message	*v = &d->v[i];
		char			 derived[DROP_UIDL_MAX + 1];

		uidl_format(v->m->digest, v->m->twin, derived);
		if (strcmp(v->old, derived) == 0)
			continue;
		memcpy(rows[n].digest, v->m->digest, MBOX_DIGEST);
		rows[n].twin = v->m->twin;
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

	if (read_old(d, f) == -1)
		return uidl_complain(f);
	for (size_t i = 0; i < d->n; i++) {
		struct message *v = &d->v[i];

		found += v->old[0] != '\0';
		if (v->old[0] == '\0')
			memcpy(v->old, v->shown, sizeof(v->old));
		changed += strcmp(v->old, v->shown) != 0;
	}
	if (check_distinct(d, f) == -1 || write_out(d, &rows, f) == -1)
		return uidl_complain(f);
	if (d->foreign > 0)
		fprintf(stderr, "popper uidl: %zu came a second time: the first "
		    "message keeps the id\n", d->foreign);
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
uidl_prepare(const struct uidl_work *w, struct fault *f)
{
	if (w->from == NULL || !form_of(w->from)->md5)
		return 0;
	md5 = module_symbol("popper-md5.so", "popper_md5", f);
	if (md5 == NULL)
		return -1;
	return md5->abi == SASL_MD5_ABI && md5->prepare() ? 0 :
	    fault_set(f, FAULT_PERM, "MD5 cannot be had here");
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
	free(d.v);
	return status;
}
