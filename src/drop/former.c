/* SPDX-License-Identifier: ISC */
#include "drop/former.h"

#include "base/num.h"
#include "drop/promise.h"
#include "proto/header.h"

#include <stdio.h>

#define WIDTH_MAX	20
/* Octets of an X-UIDL: that qpopper takes for one of its own. */
#define QPOPPER_MIN	11
#define QPOPPER_MAX	32

/* ----------------------------------------------------------------- list */

static struct span
without_cr(struct span line)
{
	return line.n > 0 && line.p[line.n - 1] == '\r' ?
	    span_first(line, line.n - 1) : line;
}

enum former_line
former_list_line(struct span line, struct former_row *out)
{
	struct span	number;
	struct span	second;
	struct span	third;

	*out = (struct former_row){ 0 };
	line = without_cr(line);
	if (span_eq(line, SPAN(".")))
		return FORMER_END;
	if (span_starts(line, SPAN("+OK")))
		return FORMER_NOTHING;
	number = span_word(&line);
	second = span_word(&line);
	third = span_word(&line);
	if (number.n == 0)
		return FORMER_NOTHING;
	out->sized = third.n > 0;
	out->uidl = out->sized ? third : second;
	if (!num_parse(number, UINT32_MAX, &out->number) || out->number == 0 ||
	    (out->sized && !num_parse(second, INT64_MAX, &out->size)) ||
	    !promise_legal(out->uidl) || span_word(&line).n > 0)
		return FORMER_BAD;
	return FORMER_ROW;
}

/* --------------------------------------------------------------- header */

/* The first word of a field's value, as a number; 0: it is none. */
static uint64_t
first_number(struct span value)
{
	uint64_t v;

	return num_parse(span_word(&value), UINT32_MAX, &v) ? v : 0;
}

static bool
is_base(struct span name)
{
	return span_eq_nocase(name, SPAN("X-IMAP")) ||
	    span_eq_nocase(name, SPAN("X-IMAPbase"));
}

void
former_head(struct span header, struct former_head *out)
{
	struct header_field	field;
	struct span		xuidl;

	*out = (struct former_head){ 0 };
	while (header_next(&header, &field)) {
		if (out->xuidl.n == 0 &&
		    span_eq_nocase(field.name, SPAN("X-UIDL"))) {
			xuidl = span_trim(field.value);
			if (promise_legal(xuidl))
				out->xuidl = xuidl;
		} else if (out->uid == 0 &&
		    span_eq_nocase(field.name, SPAN("X-UID"))) {
			out->uid = first_number(field.value);
		} else if (out->validity == 0 && is_base(field.name)) {
			out->validity = first_number(field.value);
		}
	}
}

/* As it would be with LF alone. */
static void
add_lines(struct digest *d, struct span s)
{
	while (s.n > 0) {
		size_t n = span_find(s, '\r');

		digest_add(d, span_first(s, n));
		s = span_skip(s, n);
		if (s.n > 0 && (s.n == 1 || s.p[1] != '\n'))
			digest_add(d, SPAN("\r"));
		s = span_skip(s, 1);
	}
	digest_add(d, SPAN("\n"));
}

bool
former_head_digest(struct span text, bool whole, uint8_t out[MBOX_DIGEST])
{
	struct header_field	field;
	struct digest		d;

	digest_init(&d);
	while (header_next(&text, &field)) {
		if (mbox_field_mutable(field.name))
			continue;
		digest_add(&d, field.name);
		digest_add(&d, SPAN(":"));
		add_lines(&d, field.value);
	}
	digest_take(&d, out);
	return whole || text.n > 0;
}

/* -------------------------------------------------------------- formats */

/* A variable of a format: *at is behind its percent sign, then behind it. */
struct variable {
	unsigned	width;
	bool		zeros;
	bool		hex;
	char		letter;
};

static bool
read_variable(const char **at, struct variable *v)
{
	const char *p = *at;

	*v = (struct variable){ .zeros = *p == '0' };
	for (; *p >= '0' && *p <= '9'; p++) {
		v->width = 10 * v->width + (unsigned)(*p - '0');
		if (v->width > WIDTH_MAX)
			return false;
	}
	v->hex = *p == 'X';
	p += v->hex;
	v->letter = *p;
	*at = p + 1;
	if (v->letter == '%')
		return v->width == 0 && !v->hex;
	return (v->letter == 'u' || v->letter == 'v') &&
	    (v->width == 0 || v->zeros);
}

static bool
is_format(const char *format)
{
	struct variable	v;
	bool		has_uid = false;

	while (*format != '\0') {
		if (*format++ != '%')
			continue;
		if (!read_variable(&format, &v))
			return false;
		has_uid |= v.letter == 'u';
	}
	return has_uid;
}

const char *
former_format(const char *word)
{
	static const struct {
		const char	*server;
		const char	*format;
	} known[] = {
		{ "dovecot",	"%08Xu%08Xv" },
		{ "uw",		"%08Xv%08Xu" },
		{ "cyrus",	"%v.%u" },
		{ "courier",	"UID%u-%v" },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(word, known[i].server) == 0)
			return known[i].format;
	return is_format(word) ? word : NULL;
}

/* As text of at most 20 digits and a NUL. */
static size_t
put_variable(const struct variable *v, uint64_t uid, uint64_t validity,
    char out[WIDTH_MAX + 1])
{
	uint64_t n = v->letter == 'u' ? uid : validity;

	if (v->letter == '%')
		return (size_t)snprintf(out, WIDTH_MAX + 1, "%%");
	return (size_t)snprintf(out, WIDTH_MAX + 1, v->hex ? "%0*llx" : "%0*llu",
	    (int)v->width, (unsigned long long)n);
}

bool
former_make(const char *format, uint64_t uid, uint64_t validity,
    char out[DROP_UIDL_MAX + 1])
{
	struct variable	v;
	char		part[WIDTH_MAX + 1];
	size_t		n = 0;
	size_t		more;

	while (*format != '\0') {
		part[0] = *format++;
		more = 1;
		if (part[0] == '%') {
			if (!read_variable(&format, &v))
				return false;
			more = put_variable(&v, uid, validity, part);
		}
		if (more > DROP_UIDL_MAX - n)
			return false;
		memcpy(out + n, part, more);
		n += more;
	}
	out[n] = '\0';
	return promise_legal(span_of(out, n));
}

/* ------------------------------------------------------ files of Maildirs */

static struct span
base_of(struct span name)
{
	return span_first(name, span_find(name, ':'));
}

/* "3 V1700000001 N42 G...": V is the uidvalidity. */
bool
former_dovecot_head(struct span line, uint64_t *validity_r)
{
	struct span	word;
	bool		found = false;

	if (!span_eq(span_word(&line), SPAN("3")))
		return false;
	while ((word = span_word(&line)).n > 0)
		if (word.p[0] == 'V')
			found = num_parse(span_skip(word, 1), UINT32_MAX,
			    validity_r) && *validity_r > 0;
	return found;
}

/* "7 W2481 P0000000700000001 :1700000000.M1P2.host,S=5:2,S": fields of one
 * letter each, up to the one that is a colon. */
bool
former_dovecot_line(struct span line, uint64_t validity, struct former_file *out)
{
	struct span word;

	*out = (struct former_file){ .validity = validity };
	if (!num_parse(span_word(&line), UINT32_MAX, &out->uid) || out->uid == 0)
		return false;
	while (line.n > 0 && (line = span_trim(line)).n > 0 && line.p[0] != ':') {
		word = span_word(&line);
		if (word.p[0] == 'P' && promise_legal(span_skip(word, 1)))
			out->kept = span_skip(word, 1);
	}
	if (line.n == 0)
		return false;
	out->base = base_of(span_skip(line, 1));
	return out->base.n > 0;
}

/* "/3 nextuid uidvalidity", or "/2 ..." of older ones. */
bool
former_courier_head(struct span line)
{
	struct span	version = span_word(&line);
	uint64_t	n;

	return (span_eq(version, SPAN("/2")) || span_eq(version, SPAN("/3"))) &&
	    num_parse(span_word(&line), UINT32_MAX, &n) &&
	    num_parse(span_word(&line), UINT32_MAX, &n) && line.n == 0;
}

/* "name size uid:uidvalidity[:flag]". */
bool
former_courier_line(struct span line, struct former_file *out)
{
	struct span	uid;
	uint64_t	size;
	size_t		n;

	*out = (struct former_file){ .base = base_of(span_word(&line)) };
	if (out->base.n == 0 || !num_parse(span_word(&line), INT64_MAX, &size))
		return false;
	uid = span_word(&line);
	if (!num_prefix(uid, UINT32_MAX, &out->uid, &n) || n == 0 ||
	    span_word(&line).n > 0)
		return false;
	uid = span_skip(uid, n);
	if (uid.n == 0)
		return true;
	uid = span_skip(uid, 1);
	return num_prefix(uid, UINT32_MAX, &out->validity, &n) && n > 0;
}

/* Of the name: what cannot be in an id, quotation marks and '+' become +XX. */
static bool
courier_name(struct span name, char out[DROP_UIDL_MAX + 1])
{
	size_t n = 0;

	for (size_t i = 0; i < name.n; i++) {
		uint8_t	c = name.p[i];
		bool	plain = c > ' ' && c < 127 && c != '\'' && c != '"' &&
			    c != '+';

		if (n + (plain ? 1 : 3) > DROP_UIDL_MAX)
			return false;
		if (plain)
			out[n++] = (char)c;
		else
			n += (size_t)snprintf(out + n, DROP_UIDL_MAX + 1 - n,
			    "+%02X", c);
	}
	out[n] = '\0';
	return n > 0;
}

bool
former_courier(const struct former_file *file, char out[DROP_UIDL_MAX + 1])
{
	if (file->uid == 0)
		return courier_name(file->base, out);
	return former_make(file->validity == 0 ? "UID%u" : "UID%u-%v", file->uid,
	    file->validity, out);
}

/* -------------------------------------------------------------- qpopper */

struct span
former_qpopper_field(struct span header)
{
	struct header_field	field;
	struct span		value;

	while (header_next(&header, &field)) {
		value = span_trim(field.value);
		if (span_eq_nocase(field.name, SPAN("X-UIDL")) &&
		    value.n >= QPOPPER_MIN && value.n <= QPOPPER_MAX &&
		    promise_legal(value))
			return value;
	}
	return span_of(NULL, 0);
}

static bool
qpopper_counts(struct span line)
{
	return span_starts_nocase(line, SPAN("Received:")) ||
	    span_starts_nocase(line, SPAN("Date:")) ||
	    span_starts_nocase(line, SPAN("Message-Id:")) ||
	    span_starts_nocase(line, SPAN("Subject:"));
}

int
former_qpopper_text(struct span from_line, struct span header, bool old,
    struct buf *out)
{
	struct span start = header;
	struct span line;

	from_line = span_first(from_line, FORMER_QPOPPER_LINE);
	if (buf_append(out, from_line) == -1)
		return -1;
	for (; span_line(&header, &line); start = header)
		if (qpopper_counts(line) && buf_append(out, span_first(
		    span_first(start, start.n - header.n),
		    FORMER_QPOPPER_LINE)) == -1)
			return -1;
	return old ? 0 : buf_append(out, from_line);
}

static unsigned
hex_digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* Five characters of each four octets, which it has pushed together. */
void
former_qpopper(const char *md5, char out[DROP_UIDL_MAX + 1])
{
	size_t n = 0;

	for (size_t i = 0; i < 16; i += 4) {
		unsigned v = 0;

		for (size_t j = i; j < i + 4; j++)
			v = (v << 4) + hex_digit(md5[2 * j]) * 16 +
			    hex_digit(md5[2 * j + 1]);
		for (size_t k = 0; k < 5; k++, v /= 80)
			out[n++] = (char)(v % 80 + '!' == '.' ? '~' :
			    v % 80 + '!');
	}
	out[n] = '\0';
}

/* --------------------------------------------------------------- popa3d */

/* Is this field a part of it?  Behind a Received: fewer are. */
static bool
popa3d_counts(struct span name, bool *received)
{
	if (span_eq_nocase(name, SPAN("Received"))) {
		bool first = !*received;

		*received = true;
		return first;
	}
	if (span_eq_nocase(name, SPAN("Date")) ||
	    span_eq_nocase(name, SPAN("Message-ID")))
		return !*received;
	return span_eq_nocase(name, SPAN("Delivered-To")) ||
	    span_eq_nocase(name, SPAN("X-Delivery-ID"));
}

/* A field and all of its lines, as they stand there. */
static int
add_whole(struct span whole, const struct header_field *field UNUSED,
    struct buf *out)
{
	return buf_append(out, whole);
}

static int
add_value(struct span whole UNUSED, const struct header_field *field,
    struct buf *out)
{
	struct span rest = field->value;
	struct span line;

	while (rest.n > 0 && (rest.p[0] == ' ' || rest.p[0] == '\t'))
		rest = span_skip(rest, 1);
	while (span_line(&rest, &line))
		if (buf_append(out, without_cr(line)) == -1)
			return -1;
	return 0;
}

static int
add_fields(struct span header, struct buf *out, int (*add)(struct span whole,
    const struct header_field *field, struct buf *out))
{
	struct header_field	field;
	struct span		start = header;
	bool			received = false;

	for (; header_next(&header, &field); start = header)
		if (popa3d_counts(field.name, &received) &&
		    add(span_first(start, start.n - header.n), &field, out) == -1)
			return -1;
	return 0;
}

int
former_popa3d_text(struct span header, struct buf *out)
{
	return add_fields(header, out, add_whole);
}

int
former_dovecot_text(struct span header, struct buf *out)
{
	return add_fields(header, out, add_value);
}

void
former_popa3d(const char *md5, char out[DROP_UIDL_MAX + 1])
{
	static const uint8_t order[] = { 3, 2, 1, 0, 7, 6, 5, 4 };

	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		memcpy(out + 2 * i, md5 + 2 * (size_t)order[i], 2);
	out[2 * ARRAY_LEN(order)] = '\0';
}
