/* SPDX-License-Identifier: ISC */
#include "bull/compose.h"

#include "proto/from_line.h"
#include "proto/header.h"

#include <inttypes.h>
#include <stdio.h>

#define TITLE_MAX	40

/* A line with its LF; the last one may have none. */
static struct span
next_line(struct span *rest)
{
	struct span line = span_first(*rest, span_find(*rest, '\n') + 1);

	*rest = span_skip(*rest, line.n);
	return line;
}

static bool
is_crlf(struct span line)
{
	return line.n >= 2 && line.p[line.n - 2] == '\r' &&
	    line.p[line.n - 1] == '\n';
}

static bool
is_blank(struct span line)
{
	return span_eq(line, SPAN("\n")) || span_eq(line, SPAN("\r\n"));
}

/* Without LF: what from_line() wants. */
static struct span
bare(struct span line)
{
	return line.n > 0 && line.p[line.n - 1] == '\n' ?
	    span_first(line, line.n - 1) : line;
}

static int
put(struct buf *out, struct span s, struct fault *f)
{
	return buf_append(out, s) == 0 ? 0 :
	    fault_set(f, FAULT_LIMIT, "the message is too long");
}

/* Nothing in a header may end a line but its line end, or hide a part of it. */
static int
check_octets(struct span line, struct fault *f)
{
	size_t n = bare(line).n;

	if (is_crlf(line))
		n--;
	for (size_t i = 0; i < n; i++)
		if ((line.p[i] < ' ' && line.p[i] != '\t') || line.p[i] == 127)
			return fault_set(f, FAULT_PROTO,
			    "a control character in the header");
	return 0;
}

static int
check_header(struct span header, struct fault *f)
{
	struct header_field	field;
	struct span		rest = header;
	bool			good = false;

	while (rest.n > 0) {
		struct span line = next_line(&rest);

		if (check_octets(line, f) == -1)
			return -1;
	}
	for (rest = header; header_next(&rest, &field);) {
		if (field.name.n == 0)
			return fault_set(f, FAULT_PROTO, "it does not begin "
			    "with a header (a line there is no \"Name: ...\")");
		good = good || span_eq_nocase(field.name, SPAN("From")) ||
		    span_eq_nocase(field.name, SPAN("Subject"));
	}
	return good ? 0 : fault_set(f, FAULT_PROTO,
	    "the header has neither From: nor Subject:");
}

static int
put_from_line(struct buf *out, time_t now, bool crlf, struct fault *f)
{
	static const char	days[] = "SunMonTueWedThuFriSat";
	static const char	months[] =
	    "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm		t;

	/* Not asctime(): a locale must not change what scanners look for. */
	(void)gmtime_r(&now, &t);
	if (buf_appendf(out, "From popper %.3s %.3s %2d %02d:%02d:%02d %04d%s",
	    days + 3 * t.tm_wday, months + 3 * t.tm_mon, t.tm_mday, t.tm_hour,
	    t.tm_min, t.tm_sec, t.tm_year + 1900, crlf ? "\r\n" : "\n") == -1)
		return fault_set(f, FAULT_LIMIT, "the message is too long");
	return 0;
}

/*
 * mailbox: the message came in mailbox form, so its text was quoted already
 * and a separator in it begins another message.
 */
static int
put_body(struct span body, bool mailbox, struct buf *out, struct fault *f)
{
	bool after_blank = true;

	while (body.n > 0) {
		struct span line = next_line(&body);

		if (mailbox && after_blank && from_line(bare(line)))
			return fault_set(f, FAULT_PROTO,
			    "it holds more than one message");
		if (from_line_starts(line) && put(out, SPAN(">"), f) == -1)
			return -1;
		if (put(out, line, f) == -1)
			return -1;
		after_blank = is_blank(line);
	}
	return 0;
}

/* Divide at the first blank line, which belongs to the header. */
static struct span
split(struct span message, struct span *body_r)
{
	struct span rest = message;

	while (rest.n > 0 && !is_blank(next_line(&rest)))
		;
	*body_r = rest;
	return span_first(message, message.n - rest.n);
}

/* A line end where one is missing, and the separating blank line. */
static int
put_end(struct span body, bool ended, bool crlf, struct buf *out,
    struct fault *f)
{
	struct span	end = crlf ? SPAN("\r\n") : SPAN("\n");
	struct span	all = buf_span(out);
	struct span	last = { 0 };

	if (all.p[all.n - 1] != '\n' && put(out, end, f) == -1)
		return -1;
	/* The blank line that ends the header is not the separating one. */
	if (!ended && put(out, end, f) == -1)
		return -1;
	while (body.n > 0)
		last = next_line(&body);
	return is_blank(last) ? 0 : put(out, end, f);
}

int
bull_compose(struct span message, time_t now, struct buf *out, struct fault *f)
{
	struct span	rest = message;
	struct span	first = next_line(&rest);
	struct span	header;
	struct span	body;
	struct span	last;
	bool		mailbox = from_line_starts(first);
	bool		crlf = is_crlf(first);

	if (mailbox && !from_line(bare(first)))
		return fault_set(f, FAULT_PROTO,
		    "its From_ line has no date; remove the line or mend it");
	header = split(mailbox ? rest : message, &body);
	if (check_header(header, f) == -1)
		return -1;
	if ((mailbox ? put(out, first, f) :
	    put_from_line(out, now, crlf, f)) == -1 ||
	    put(out, header, f) == -1 || put_body(body, mailbox, out, f) == -1)
		return -1;
	for (last = header, rest = header; rest.n > 0;)
		last = next_line(&rest);
	return put_end(body, is_blank(last), crlf, out, f);
}

static struct span
first_line(struct span value)
{
	size_t n = span_find(value, '\n');

	if (n < value.n && n > 0 && value.p[n - 1] == '\r')
		n--;
	return span_trim(span_first(value, n));
}

struct span
bull_subject(struct span message)
{
	struct header_field	field;
	struct span		rest = message;
	struct span		line;

	line = next_line(&rest);
	if (!from_line_starts(line))
		rest = message;
	while (header_next(&rest, &field))
		if (span_eq_nocase(field.name, SPAN("Subject")))
			return first_line(field.value);
	return (struct span){ 0 };
}

static bool
is_safe(uint8_t c)
{
	return ascii_isdigit(c) || c == '-' ||
	    (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}

void
bull_file_name(uint64_t number, struct span title, char out[BULL_NAME_MAX])
{
	int	n = snprintf(out, BULL_NAME_MAX, "%" PRIu64 ".", number);
	size_t	start = (size_t)n;
	size_t	end = start;

	for (size_t i = 0; i < title.n && end - start < TITLE_MAX; i++) {
		if (is_safe(title.p[i]))
			out[end++] = (char)title.p[i];
		else if (end > start && out[end - 1] != '_')
			out[end++] = '_';
	}
	while (end > start && out[end - 1] == '_')
		end--;
	if (end == start)		/* no title: no dot, either */
		end--;
	out[end] = '\0';
}
