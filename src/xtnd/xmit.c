/* SPDX-License-Identifier: ISC */
#include "xtnd/xmit.h"

#include "proto/header.h"
#include "sys/file.h"
#include "xtnd/address.h"

#include <string.h>

#define BLOCK		32768		/* decoded octets per write */
#define HEADER_MAX	(256u << 10)

void
xmit_init(struct xmit *x, int fd, uint64_t max)
{
	*x = (struct xmit){ .fd = fd, .max = max };
	buf_init(&x->out, BLOCK);
}

void
xmit_fini(struct xmit *x)
{
	buf_fini(&x->out);
	fd_close(&x->fd);
}

/* From now on only swallow; give the disk its room back. */
static void
refuse(struct xmit *x, enum xmit_refusal why, int err)
{
	struct fault f;

	x->refusal = why;
	x->err = err;
	if (file_truncate(x->fd, 0, &f) == -1 && x->err == 0)
		x->err = f.err;
}

static void
write_out(struct xmit *x)
{
	struct span	s = buf_span(&x->out);
	struct fault	f;

	if (x->refusal == XMIT_FINE && s.n > x->max - x->octets)
		refuse(x, XMIT_TOO_LARGE, 0);
	if (x->refusal == XMIT_FINE &&
	    file_pwrite(x->fd, s.p, s.n, x->octets, &f) == -1)
		refuse(x, XMIT_NO_ROOM, f.err);
	if (x->refusal == XMIT_FINE)
		x->octets += s.n;
	buf_clear(&x->out);
}

bool
xmit_feed(struct xmit *x, struct span *in)
{
	while (in->n > 0 && !x->decoder.done) {
		dot_decode(&x->decoder, in, &x->out);
		if (x->decoder.done || in->n > 0)
			write_out(x);
	}
	return x->decoder.done;
}

/*
 * The header with its blank line, or all there is; false when it is longer
 * than it may be.
 */
static bool
cut_header(struct span *text)
{
	struct span	rest = *text;
	struct span	line;

	while (span_line(&rest, &line))
		if (line.n == 0) {
			*text = span_first(*text, text->n - rest.n);
			return true;
		}
	return text->n <= HEADER_MAX;
}

/* A bare CR is a line end to some mail systems, a NUL the end of the text. */
static bool
has_odd_octets(struct span header)
{
	return span_find(header, '\0') < header.n ||
	    span_find(header, '\r') < header.n;
}

static bool
name_is_one_of(struct span name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_eq_nocase(name, span_str(names[i])))
			return true;
	return false;
}

static bool
names_recipients(struct span name)
{
	static const char *const names[] = {
		"To", "Cc", "Bcc", "Resent-To", "Resent-Cc", "Resent-Bcc",
		"Apparently-To",	/* Postfix sends to it, too */
	};

	return name_is_one_of(name, names, ARRAY_LEN(names));
}

static bool
names_sender(struct span name)
{
	static const char *const names[] = {
		"From", "Sender", "Resent-From", "Resent-Sender",
	};

	return name_is_one_of(name, names, ARRAY_LEN(names));
}

/* Count the recipients in a field; false when there is a bad one. */
static bool
count_recipients(struct span value, size_t *n)
{
	struct address_list	l = { .rest = value };
	struct address		a;

	for (;;) {
		switch (address_next(&l, &a)) {
		case ADDRESS_END:
			return true;
		case ADDRESS_BAD:
			return false;
		case ADDRESS_ONE:
			++*n;
		}
	}
}

/* The field holds the address of `sender`, once, and no other. */
static bool
is_sender(struct span value, const char *sender)
{
	struct address_list	l = { .rest = value };
	struct address		a;

	return address_next(&l, &a) == ADDRESS_ONE &&
	    span_eq_nocase(span_of(a.text, a.n), span_str(sender)) &&
	    address_next(&l, &a) == ADDRESS_END;
}

/*
 * A line that is no field ends the header for some mail systems and not for
 * others, so none is let through.
 */
static enum xmit_refusal
judge_header(struct span header, const char *sender)
{
	struct header_field	field;
	size_t			fields = 0;
	size_t			recipients = 0;

	if (has_odd_octets(header))
		return XMIT_MALFORMED;
	for (; header_next(&header, &field); fields++) {
		if (field.name.n == 0)
			return XMIT_MALFORMED;
		if (names_recipients(field.name) &&
		    !count_recipients(field.value, &recipients))
			return XMIT_BAD_RECIPIENT;
		if (sender != NULL && names_sender(field.name) &&
		    !is_sender(field.value, sender))
			return XMIT_BAD_SENDER;
	}
	if (fields == 0)
		return XMIT_MALFORMED;
	return recipients > 0 ? XMIT_FINE : XMIT_NO_RECIPIENT;
}

void
xmit_judge(struct xmit *x, const char *sender)
{
	AUTO(buf_fini) struct buf	b;
	struct span			header;
	struct fault			f;
	uint8_t				*p;
	ssize_t				n;

	ASSERT(x->decoder.done);
	if (x->refusal != XMIT_FINE)
		return;
	buf_init(&b, HEADER_MAX + 1);
	p = buf_reserve(&b, HEADER_MAX + 1);
	n = file_pread(x->fd, p, HEADER_MAX + 1, 0, &f);
	if (n == -1) {
		refuse(x, XMIT_NO_ROOM, f.err);
		return;
	}
	header = span_of(p, (size_t)n);
	x->refusal = cut_header(&header) ? judge_header(header, sender) :
	    XMIT_MALFORMED;
}

const char *
xmit_text(enum xmit_refusal r)
{
	switch (r) {
	case XMIT_FINE:
		return "Message sent successfully.";
	case XMIT_TOO_LARGE:
		return "The message is too large.";
	case XMIT_NO_RECIPIENT:
		return "The message names no recipient.";
	case XMIT_BAD_RECIPIENT:
		return "A recipient of the message is not allowed.";
	case XMIT_BAD_SENDER:
		return "You may not send from that address.";
	case XMIT_MALFORMED:
		return "The header of the message is not well formed.";
	case XMIT_NO_ROOM:
		return "Unable to store the message.";
	}
	return "";
}
