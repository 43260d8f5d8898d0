/* SPDX-License-Identifier: ISC */
/*
 * The ids that another server has shown: from a list, from what it has written into the
 * mail or beside it, from what it says itself.  Runs as, reads from: see uidl_work.c;
 * and the list, which may be anything as well.
 */
#include "cmd/uidl_work.h"

#include "base/alloc.h"
#include "cmd/uidl_key.h"
#include "drop/former.h"
#include "sasl/md5.h"
#include "sys/file.h"
#include "sys/module.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define TPOP3D_MOST	512		/* octets of which it takes a digest */
#define PATH_MOST	4096

static const struct sasl_md5_ops *md5;

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
	if (r->sized && r->size != v->octets)
		return fault_set(f, FAULT_PROTO, "message %" PRIu64 " has %"
		    PRIu64 " octets in the list, and %" PRIu64 " in the maildrop",
		    r->number, r->size, v->octets);
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

int
uidl_slurp(int fd, bool at_start, struct buf *b, struct fault *f)
{
	uint8_t	*p;
	ssize_t	 n = 1;

	buf_init(b, UIDL_LIST_MAX);
	while (n > 0) {
		p = buf_reserve(b, 65536);
		if (p == NULL)
			return fault_set(f, FAULT_LIMIT, "the list is too long");
		n = at_start ? file_pread(fd, p, 65536, buf_len(b), f) :
		    file_read(fd, p, 65536, f);
		if (n > 0)
			buf_extend(b, (size_t)n);
	}
	return n == 0 ? 0 : -1;
}

static int
read_list(struct drops *d, struct fault *f)
{
	struct buf	b;
	int		r = uidl_slurp(d->w->list, false, &b, f);

	if (r == 0)
		r = take_lines(d, buf_span(&b), f);
	buf_fini(&b);
	return r;
}

/* -------------------------------------------------------- from the header */

static uint8_t header[UIDL_HEADER_MAX];

static int
read_mbox_header(const struct drops *d, const struct mbox_msg *m,
    struct span *out, bool *whole_r, struct fault *f)
{
	uint64_t	len = m->head_end - m->text;
	size_t		want = len < UIDL_HEADER_MAX ? (size_t)len : UIDL_HEADER_MAX;
	ssize_t		got = file_pread(d->w->mbox, header, want, m->text, f);

	*whole_r = len <= UIDL_HEADER_MAX;
	*out = span_of(header, got < 0 ? 0 : (size_t)got);
	return got < 0 ? -1 : 0;
}

int
uidl_read_header(const struct drops *d, size_t i, struct span *out, bool *whole_r,
    struct fault *f)
{
	ssize_t got;

	if (d->maildir == NULL)
		return read_mbox_header(d, d->v[i].m, out, whole_r, f);
	got = maildir_ops.read(d->maildir, i, 0, header, UIDL_HEADER_MAX, f);
	*whole_r = d->v[i].disk <= UIDL_HEADER_MAX;
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

/* The MD5 of some text of the header; false: it cannot be had. */
static bool
header_md5(struct span head, bool whole, int (*text)(struct span, struct buf *),
    char hex[SASL_MD5_TEXT])
{
	struct buf	b;
	bool		good;

	buf_init(&b, UIDL_HEADER_MAX);
	good = whole && text(head, &b) == 0 &&
	    md5->apop(buf_span(&b), SPAN(""), hex);
	buf_fini(&b);
	return good;
}

static void
by_popa3d(const struct drops *d UNUSED, struct span head, bool whole,
    struct message *v)
{
	char hex[SASL_MD5_TEXT];

	if (header_md5(head, whole, former_popa3d_text, hex))
		former_popa3d(hex, v->old);
}

static void
by_md5(const struct drops *d UNUSED, struct span head, bool whole,
    struct message *v)
{
	char hex[SASL_MD5_TEXT];

	if (header_md5(head, whole, former_dovecot_text, hex))
		memcpy(v->old, hex, sizeof(hex));
}

static int
each_header(struct drops *d, void (*by)(const struct drops *, struct span, bool,
    struct message *), struct fault *f)
{
	for (size_t i = 0; i < d->n; i++) {
		struct span	head;
		bool		whole;

		if (uidl_read_header(d, i, &head, &whole, f) == -1)
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

static int
read_md5(struct drops *d, struct fault *f)
{
	return each_header(d, by_md5, f);
}

static void
make_qpopper(struct span from_line, struct span head, bool old,
    struct message *v)
{
	char		hex[SASL_MD5_TEXT];
	struct buf	b;

	buf_init(&b, UIDL_HEADER_MAX + 2 * FORMER_QPOPPER_LINE);
	if (former_qpopper_text(from_line, head, old, &b) == -1 ||
	    !md5->apop(buf_span(&b), SPAN(""), hex))
		v->old[0] = '\0';
	else if (old)
		memcpy(v->old, hex, sizeof(hex));
	else
		former_qpopper(hex, v->old);
	buf_fini(&b);
}

static int
by_qpopper(const struct drops *d, struct message *v, bool old, struct fault *f)
{
	const struct mbox_msg	*m = v->m;
	struct span		 head = { 0 };
	struct span		 own;
	bool			 whole;
	uint8_t			 line[FORMER_QPOPPER_LINE];
	uint64_t		 len = m->text - m->from;
	ssize_t			 n = file_pread(d->w->mbox, line, len < sizeof(line) ?
				    (size_t)len : sizeof(line), m->from, f);

	if (n == -1 || read_mbox_header(d, m, &head, &whole, f) == -1)
		return -1;
	own = former_qpopper_field(head);
	if (own.n > 0)
		return span_cstr(own, v->old, sizeof(v->old)) ? 0 : -1;
	if (whole)
		make_qpopper(span_of(line, (size_t)n), head, old, v);
	return 0;
}

static int
read_qpopper_form(struct drops *d, bool old, struct fault *f)
{
	if (d->maildir != NULL)
		return fault_set(f, FAULT_PERM, "qpopper goes by lines between "
		    "messages: the maildrop is a Maildir");
	for (size_t i = 0; i < d->n; i++)
		if (by_qpopper(d, &d->v[i], old, f) == -1)
			return -1;
	return 0;
}

static int
read_qpopper(struct drops *d, struct fault *f)
{
	return read_qpopper_form(d, false, f);
}

static int
read_qpopper_old(struct drops *d, struct fault *f)
{
	return read_qpopper_form(d, true, f);
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
		if (read_mbox_header(d, &d->table.m[0], &head, &whole, f) == -1)
			return -1;
		former_head(head, &h);
	}
	validity = h.validity;
	if (validity == 0)
		return fault_set(f, FAULT_PROTO, "there is no X-IMAPbase: in the "
		    "first message: ids were not written into this maildrop");
	for (size_t i = 0; i < d->n; i++) {
		if (uidl_read_header(d, i, &head, &whole, f) == -1)
			return -1;
		former_head(head, &h);
		if (h.uid != 0 && !former_make(format, h.uid, validity,
		    d->v[i].old))
			return fault_set(f, FAULT_PROTO, "--format makes no legal "
			    "unique-id of uid %" PRIu64, h.uid);
	}
	return 0;
}

/* -------------------------------------------------- from what goes by names */

static int
by_base(const void *a, const void *b)
{
	const struct message *x = *(const struct message *const *)a;
	const struct message *y = *(const struct message *const *)b;

	size_t least = x->base.n < y->base.n ? x->base.n : y->base.n;
	int c = memcmp(x->base.p, y->base.p, least);

	return c != 0 ? c : x->base.n < y->base.n ? -1 : x->base.n > y->base.n;
}

static struct message **
sorted(struct drops *d, int (*order)(const void *, const void *))
{
	struct message **list = xalloc(d->n, sizeof(struct message *));

	for (size_t i = 0; i < d->n; i++)
		list[i] = &d->v[i];
	if (d->n > 0)
		qsort(list, d->n, sizeof(struct message *), order);
	return list;
}

/* Of the message whose file has that base name; NULL: there is none. */
static struct message *
message_of(struct message **list, size_t n, struct span base)
{
	struct message	 key = { .base = base };
	struct message	*want = &key;
	struct message **found = n == 0 ? NULL : bsearch(&want, list, n,
	    sizeof(struct message *), by_base);

	return found == NULL ? NULL : *found;
}

/* A server's file in the Maildir, unless the operator has named another. */
static int
slurp_file(const struct uidl_work *w, const char *name, struct buf *out,
    struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	char			path[PATH_MOST];
	int			n;

	if (w->listed)
		return uidl_slurp(w->list, false, out, f);
	n = snprintf(path, sizeof(path), "%s/%s", w->maildir, name);
	if (n < 0 || (size_t)n >= sizeof(path))
		return fault_set(f, FAULT_PERM, "%s: too long", w->maildir);
	return file_open(FILE_CWD, path, FILE_READ, 0, &fd, f) == 0 ?
	    uidl_slurp(fd, false, out, f) : -1;
}

/* One server's file of names. */
struct names {
	const char	*file;
	bool		(*head)(struct span line, uint64_t *validity_r);
	bool		(*line)(struct span line, uint64_t validity,
			    struct former_file *out);
	bool		(*make)(const struct former_file *x, const char *format,
			    char out[DROP_UIDL_MAX + 1]);
};

static bool
courier_head(struct span line, uint64_t *validity_r)
{
	*validity_r = 0;
	return former_courier_head(line);
}

static bool
courier_line(struct span line, uint64_t validity UNUSED, struct former_file *out)
{
	return former_courier_line(line, out);
}

static bool
make_courier(const struct former_file *x, const char *format UNUSED,
    char out[DROP_UIDL_MAX + 1])
{
	return former_courier(x, out);
}

/* An id that it was to keep stands there as it is. */
static bool
make_dovecot(const struct former_file *x, const char *format,
    char out[DROP_UIDL_MAX + 1])
{
	if (x->kept.n > 0)
		return span_cstr(x->kept, out, DROP_UIDL_MAX + 1);
	return former_make(format, x->uid, x->validity, out);
}

static int
take_names(struct drops *d, const struct names *n, struct span rest,
    struct fault *f)
{
	const char		 *format = former_format(d->w->format);
	struct message		**list = sorted(d, by_base);
	struct former_file	  x;
	struct span		  line;
	uint64_t		  validity = 0;
	int			  r = 0;

	if (!span_line(&rest, &line) || !n->head(line, &validity))
		r = fault_set(f, FAULT_PROTO, "the list is no %s that popper "
		    "knows", n->file);
	for (size_t i = 2; r == 0 && span_line(&rest, &line); i++) {
		struct message *v;

		if (!n->line(line, validity, &x))
			r = fault_set(f, FAULT_PROTO, "line %zu of %s is none of "
			    "a message", i, n->file);
		else if ((v = message_of(list, d->n, x.base)) != NULL &&
		    !n->make(&x, format, v->old))
			r = fault_set(f, FAULT_PROTO, "line %zu of %s makes no "
			    "legal unique-id", i, n->file);
	}
	free(list);
	return r;
}

static int
read_names(struct drops *d, const struct names *n, struct fault *f)
{
	struct buf	b = { 0 };
	int		r;

	if (d->maildir == NULL)
		return fault_set(f, FAULT_PERM, "%s goes by the names of files: "
		    "the maildrop is no Maildir", n->file);
	r = slurp_file(d->w, n->file, &b, f);
	if (r == 0)
		r = take_names(d, n, buf_span(&b), f);
	buf_fini(&b);
	return r;
}

static int
read_dovecot(struct drops *d, struct fault *f)
{
	static const struct names n = {
		"dovecot-uidlist", former_dovecot_head, former_dovecot_line,
		make_dovecot,
	};

	return read_names(d, &n, f);
}

static int
read_courier(struct drops *d, struct fault *f)
{
	static const struct names n = {
		"courierpop3dsizelist", courier_head, courier_line, make_courier,
	};

	return read_names(d, &n, f);
}

/* Of an mbox the digest of the first octets, From_ line and all; what is shorter has
 * another end there. */
static int
read_tpop3d(struct drops *d, struct fault *f)
{
	for (size_t i = 0; i < d->n; i++) {
		struct message	*v = &d->v[i];
		struct span	 text = v->base;
		ssize_t		 n;

		if (v->m != NULL && v->m->next - v->m->from < TPOP3D_MOST + 2)
			continue;
		if (v->m != NULL) {
			n = file_pread(d->w->mbox, header, TPOP3D_MOST,
			    v->m->from, f);
			if (n == -1)
				return -1;
			text = span_of(header, (size_t)n);
		}
		if (!md5->apop(text, SPAN(""), v->old))
			v->old[0] = '\0';
	}
	return 0;
}

static const struct form {
	const char	*word;
	bool		 header;	/* senders may have written it */
	bool		 list;		/* LIST may be given */
	bool		 format;	/* as --format says */
	bool		 md5;
	int		(*read)(struct drops *d, struct fault *f);
} forms[] = {
	{ "list",	.list = true, .read = read_list },
	{ "pop3",	.read = uidl_by_keys },
	{ "cyrus",	.list = true, .format = true, .read = uidl_by_keys },
	{ "dovecot",	.list = true, .format = true, .read = read_dovecot },
	{ "courier",	.list = true, .read = read_courier },
	{ "x-uidl",	.header = true, .read = read_xuidl },
	{ "qpopper",	.header = true, .md5 = true, .read = read_qpopper },
	{ "qpopper-old", .header = true, .md5 = true, .read = read_qpopper_old },
	{ "uid",	.header = true, .format = true, .read = read_uid },
	{ "popa3d",	.header = true, .md5 = true, .read = read_popa3d },
	{ "md5",	.header = true, .md5 = true, .read = read_md5 },
	{ "tpop3d",	.md5 = true, .read = read_tpop3d },
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

bool
uidl_from_list(const char *from)
{
	return form_of(from)->list;
}

bool
uidl_from_format(const char *from)
{
	return form_of(from)->format;
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

/* Who copies the field of another message gets an id of ours. */
static void
first_keeps_it(struct drops *d)
{
	struct message	**list = sorted(d, by_old);
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
by_shown(const void *a, const void *b)
{
	const struct message *x = *(const struct message *const *)a;
	const struct message *y = *(const struct message *const *)b;

	return strcmp(x->shown, y->shown);
}

/* Nor does who names what another message has here: that would keep it from being
 * imported at all. */
static void
leave_shown(struct drops *d)
{
	struct message **list = sorted(d, by_shown);

	for (size_t i = 0; i < d->n; i++) {
		struct message	*v = &d->v[i];
		struct message	 key = { 0 };
		struct message	*want = &key;
		struct message **found;

		memcpy(key.shown, v->old, sizeof(key.shown));
		found = bsearch(&want, list, d->n, sizeof(struct message *),
		    by_shown);
		if (found != NULL && *found != v) {
			v->old[0] = '\0';
			d->foreign++;
		}
	}
	free(list);
}

int
uidl_check_distinct(struct drops *d, struct fault *f)
{
	struct message	**list = sorted(d, by_old);
	int		  r = 0;

	for (size_t i = 1; i < d->n && r == 0; i++)
		if (strcmp(list[i - 1]->old, list[i]->old) == 0)
			r = fault_set(f, FAULT_PROTO, "messages %zu and %zu would "
			    "both be %s", (size_t)(list[i - 1] - d->v) + 1,
			    (size_t)(list[i] - d->v) + 1, list[i]->old);
	free(list);
	return r;
}

int
uidl_read_old(struct drops *d, struct fault *f)
{
	const struct form *form = form_of(d->w->from);

	if (form->read(d, f) == -1)
		return -1;
	if (form->header) {
		first_keeps_it(d);
		leave_shown(d);
	}
	return 0;
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
