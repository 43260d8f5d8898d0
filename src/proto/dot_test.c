/* SPDX-License-Identifier: ISC */
#include "proto/dot.h"

#include "base/wide.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define WIRE_MAX	8192

/*
 * The slow and plain way, octet by octet: what the quick one must equal.
 * Returns the octets of the text, without stuffing and the final line.
 */
static uint64_t
plain_encode(struct span text, struct buf *out)
{
	uint64_t	octets = 0;
	uint8_t		before = '\n';

	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];

		if (c == '.' && before == '\n')
			assert_int_equal(buf_append(out, SPAN(".")), 0);
		if (c == '\n' && before != '\r') {
			assert_int_equal(buf_append(out, SPAN("\r")), 0);
			octets++;
		}
		assert_int_equal(buf_append(out, span_of(&c, 1)), 0);
		octets++;
		before = c;
	}
	if (before != '\n') {
		assert_int_equal(buf_append(out, SPAN("\r\n")), 0);
		octets += 2;
	}
	assert_int_equal(buf_append(out, SPAN(".\r\n")), 0);
	return octets;
}

/* CRLF to LF, and a last line end: what a decoder is to give back. */
static void
plain_canonical(struct span text, struct buf *out)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] != '\r' || i + 1 == text.n ||
		    text.p[i + 1] != '\n')
			assert_int_equal(buf_append(out,
			    span_of(text.p + i, 1)), 0);
	if (text.n > 0 && text.p[text.n - 1] != '\n')
		assert_int_equal(buf_append(out, SPAN("\n")), 0);
}

/* Encode through an output of `room` octets, emptied whenever it is full. */
static void
encode_into(struct dot_encoder *e, struct span in, size_t room,
    struct buf *wire)
{
	struct buf out;

	buf_init(&out, room);
	while (in.n > 0) {
		size_t before = in.n;

		dot_encode(e, &in, &out);
		assert_true(in.n < before || buf_len(&out) > 0);
		assert_int_equal(buf_append(wire, buf_span(&out)), 0);
		buf_clear(&out);
	}
	buf_fini(&out);
}

static void
decode_into(struct dot_decoder *d, struct span *in, size_t room,
    struct buf *text)
{
	struct buf out;

	buf_init(&out, room);
	while (in->n > 0 && !d->done) {
		dot_decode(d, in, &out);
		assert_int_equal(buf_append(text, buf_span(&out)), 0);
		buf_clear(&out);
	}
	buf_fini(&out);
}

static void
check_encode(struct span text, size_t cut, size_t room, struct span want)
{
	struct dot_encoder	e = { 0 };
	struct buf		got;

	buf_init(&got, WIRE_MAX);
	encode_into(&e, span_first(text, cut), room, &got);
	encode_into(&e, span_skip(text, cut), room, &got);
	assert_int_equal(dot_encode_end(&e, &got), 0);
	assert_true(span_eq(buf_span(&got), want));
	buf_fini(&got);
}

static void
check_count(struct span text, size_t cut, uint64_t want)
{
	struct dot_counter c = { 0 };

	dot_count(&c, span_first(text, cut));
	dot_count(&c, span_skip(text, cut));
	assert_int_equal(dot_count_end(&c), want);
}

/* Of a text that is on the wire what it is, all is told by size and dots. */
static void
check_as_sent(struct span text, size_t cut, struct span wire)
{
	struct dot_counter	c = { 0 };
	bool			dots = dot_begins_line(&c, span_first(text, cut));

	dot_count(&c, span_first(text, cut));
	dots = dot_begins_line(&c, span_skip(text, cut)) || dots;
	dot_count(&c, span_skip(text, cut));
	assert_int_equal(!dots && dot_count_end(&c) == text.n,
	    wire.n == text.n + 3 && span_starts(wire, text));
}

static void
check_decode(struct span wire, size_t cut, size_t room, struct span want)
{
	struct dot_decoder	d = { 0 };
	struct span		rest = span_skip(wire, cut);
	struct span		first = span_first(wire, cut);
	struct buf		got;

	buf_init(&got, WIRE_MAX);
	decode_into(&d, &first, room, &got);
	assert_int_equal(d.done && first.n > 0, false);
	decode_into(&d, &rest, room, &got);
	assert_true(d.done);
	assert_int_equal(rest.n, 0);
	assert_true(span_eq(buf_span(&got), want));
	buf_fini(&got);
}

/* Everything that holds for a text, at all places to split it. */
static void
check_text(struct span text, size_t room)
{
	struct buf	wire;
	struct buf	canonical;
	uint64_t	octets;

	buf_init(&wire, WIRE_MAX);
	buf_init(&canonical, WIRE_MAX);
	octets = plain_encode(text, &wire);
	plain_canonical(text, &canonical);
	for (size_t cut = 0; cut <= text.n; cut++) {
		check_encode(text, cut, room, buf_span(&wire));
		check_count(text, cut, octets);
		check_as_sent(text, cut, buf_span(&wire));
	}
	for (size_t cut = 0; cut <= buf_len(&wire); cut++)
		check_decode(buf_span(&wire), cut, room,
		    buf_span(&canonical));
	buf_fini(&wire);
	buf_fini(&canonical);
}

static void
test_encode(void **state UNUSED)
{
	static const struct {
		struct span	text;
		struct span	wire;
		uint64_t	octets;
	} cases[] = {
		{ SPAN(""), SPAN(".\r\n"), 0 },
		{ SPAN("\n"), SPAN("\r\n.\r\n"), 2 },
		{ SPAN("a\n"), SPAN("a\r\n.\r\n"), 3 },
		{ SPAN("a"), SPAN("a\r\n.\r\n"), 3 },
		{ SPAN("a\r\n"), SPAN("a\r\n.\r\n"), 3 },
		{ SPAN("a\r"), SPAN("a\r\r\n.\r\n"), 4 },
		{ SPAN("a\rb\n"), SPAN("a\rb\r\n.\r\n"), 5 },
		{ SPAN("a\r\r\nb"), SPAN("a\r\r\nb\r\n.\r\n"), 7 },
		{ SPAN("\r\n\n"), SPAN("\r\n\r\n.\r\n"), 4 },
		{ SPAN("."), SPAN("..\r\n.\r\n"), 3 },
		{ SPAN(".\n.\n"), SPAN("..\r\n..\r\n.\r\n"), 6 },
		{ SPAN("..a\n"), SPAN("...a\r\n.\r\n"), 5 },
		{ SPAN("a.\n.b"), SPAN("a.\r\n..b\r\n.\r\n"), 8 },
		{ SPAN("a\r.b\n"), SPAN("a\r.b\r\n.\r\n"), 6 },
		{ SPAN("\0\n\0"), SPAN("\0\r\n\0\r\n.\r\n"), 6 },
		{ SPAN("\xff\xfe\n"), SPAN("\xff\xfe\r\n.\r\n"), 4 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t cut = 0; cut <= cases[i].text.n; cut++) {
			check_encode(cases[i].text, cut, WIRE_MAX,
			    cases[i].wire);
			check_count(cases[i].text, cut, cases[i].octets);
		}
		for (size_t room = 4; room < 12; room++)
			check_text(cases[i].text, room);
	}
}

static void
test_decode(void **state UNUSED)
{
	static const struct {
		struct span	wire;
		struct span	text;
	} cases[] = {
		{ SPAN(".\r\n"), SPAN("") },
		{ SPAN(".\n"), SPAN("") },
		{ SPAN("\r\n.\r\n"), SPAN("\n") },
		{ SPAN("a\n.\n"), SPAN("a\n") },
		{ SPAN("..\r\n.\r\n"), SPAN(".\n") },
		{ SPAN(".a\r\n.\r\n"), SPAN("a\n") },
		{ SPAN("...\r\n.\r\n"), SPAN("..\n") },
		{ SPAN("a\r.\r\n.\r\n"), SPAN("a\r.\n") },
		{ SPAN(".\ra\r\n.\r\n"), SPAN("\ra\n") },
		{ SPAN(".\r\r\n.\r\n"), SPAN("\r\n") },
		{ SPAN("a\r\r\n.\r\n"), SPAN("a\r\n") },
		{ SPAN("a.\r\n. \r\n.\r\n"), SPAN("a.\n \n") },
		{ SPAN("\0\r\n.\r\n"), SPAN("\0\n") },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t cut = 0; cut <= cases[i].wire.n; cut++)
			for (size_t room = 1; room < 8; room++)
				check_decode(cases[i].wire, cut, room,
				    cases[i].text);
}

/* What follows the final line stays for the next command. */
static void
test_decode_stops(void **state UNUSED)
{
	struct span		in = SPAN("a\r\n.\r\nNOOP\r\n");
	struct dot_decoder	d = { 0 };
	struct buf		out;

	buf_init(&out, WIRE_MAX);
	dot_decode(&d, &in, &out);
	assert_true(d.done);
	assert_true(span_eq(in, SPAN("NOOP\r\n")));
	dot_decode(&d, &in, &out);
	assert_true(span_eq(in, SPAN("NOOP\r\n")));
	assert_true(span_eq(buf_span(&out), SPAN("a\n")));
	buf_fini(&out);
}

static uint64_t
next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;		/* xorshift64 */
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Texts of few different octets, so that all neighbours meet. */
static void
test_random(void **state UNUSED)
{
	static const char	octets[] = "..\r\r\n\n\nab\0";
	uint64_t		seed = 88172645463325252u;
	uint8_t			text[48];

	for (int round = 0; round < 3000; round++) {
		size_t n = (size_t)round % sizeof(text);

		for (size_t i = 0; i < n; i++) {
			text[i] = (uint8_t)octets[next_random(&seed) %
			    (sizeof(octets) - 1)];
		}
		check_text(span_of(text, n), 4 + (size_t)round % 61);
	}
}

/* Lines of up to `most` octets, which begin and end as lines can. */
static void
put_lines(uint8_t *text, size_t n, size_t most, uint64_t *seed)
{
	static const char *const	ends[] = { "\n", "\r\n", "\r\r\n", "\n" };
	size_t				at = 0;

	while (at < n) {
		size_t		left = next_random(seed) % (most + 1);
		const char	*end = ends[next_random(seed) % 4];

		for (size_t i = 0; i < left && at < n; i++)
			text[at++] = i == 0 && left % 3 == 0 ? '.' : 'a';
		for (; *end != '\0' && at < n; end++)
			text[at++] = (uint8_t)*end;
	}
}

/* Lines as mail has them: whole ones in sight, and through any room. */
static void
test_lines(void **state UNUSED)
{
	uint64_t seed = 88172645463325252u;

	for (size_t round = 0; round < 3000; round++) {
		/* to its end, beyond which nothing may be read */
		size_t		 n = 1 + next_random(&seed) % 1500;
		uint8_t		*text = malloc(n);
		struct buf	 wire;

		assert_non_null(text);
		buf_init(&wire, WIRE_MAX);
		put_lines(text, n, next_random(&seed) % 200, &seed);
		(void)plain_encode(span_of(text, n), &wire);
		check_encode(span_of(text, n), next_random(&seed) % n,
		    4 + next_random(&seed) % (round % 2 == 0 ? 300 : 4000),
		    buf_span(&wire));
		buf_fini(&wire);
		free(text);
	}
}

/* One line far longer than any buffer: linear, and counted right. */
static void
test_long_line(void **state UNUSED)
{
	static uint8_t		text[1u << 20];
	struct dot_encoder	e = { 0 };
	struct span		in = span_of(text, sizeof(text));
	struct buf		out;
	uint64_t		sent = 0;

	memset(text, '.', sizeof(text));
	buf_init(&out, 16);
	while (in.n > 0) {
		dot_encode(&e, &in, &out);
		sent += buf_len(&out);
		buf_clear(&out);
	}
	buf_fini(&out);
	assert_int_equal(sent, sizeof(text) + 1);
	check_count(span_of(text, sizeof(text)), 7, sizeof(text) + 2);
}

static void
plain_count(struct dot_counter *c, const uint8_t *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		c->octets += text[i] == '\n' && !c->after_cr ? 2 : 1;
		c->mid_line = text[i] != '\n';
		c->after_cr = text[i] == '\r';
		c->is_8bit = c->is_8bit || text[i] >= 0x80;
	}
}

static void
assert_same_count(const struct dot_counter *got, const struct dot_counter *want)
{
	assert_int_equal(got->octets, want->octets);
	assert_int_equal(got->mid_line, want->mid_line);
	assert_int_equal(got->after_cr, want->after_cr);
	assert_int_equal(got->is_8bit, want->is_8bit);
}

/* Long enough for every way to count; all octets are line ends of some kind. */
static void
test_count_long(void **state UNUSED)
{
	static uint8_t		text[3 * 16 * 255];
	struct dot_counter	plain = { 0 };
	uint64_t		seed = 88172645463325252u;

	for (size_t i = 0; i < sizeof(text); i++) {
		text[i] = next_random(&seed) % 4 == 3 ? '\r' : '\n';
	}
	for (size_t n = 0; n < sizeof(text); n++) {
		struct dot_counter	c = { 0 };
		size_t			cut = n / 3;

		dot_count(&c, span_of(text, cut));
		dot_count(&c, span_of(text + cut, n - cut));
		assert_same_count(&c, &plain);
		plain_count(&plain, text + n, 1);
	}
}

/* The next line that begins with `first`, from the second octet on; or n. */
static size_t
plain_until(const uint8_t *text, size_t n, uint8_t first)
{
	for (size_t i = 1; i < n; i++)
		if (text[i] == first && text[i - 1] == '\n')
			return i;
	return n;
}

/* From one such line to the next, with all that a look may meet at any place. */
static void
check_until(const uint8_t *text, size_t n)
{
	struct dot_counter	got = { 0 };
	struct dot_counter	want = { 0 };
	struct dot_counter	before;

	for (size_t at = 0, most; at < n; at += most) {
		most = plain_until(text + at, n - at, 'F');
		before = got;
		assert_int_equal(dot_count_until(&got,
		    span_of(text + at, n - at), 'F'), most);
		plain_count(&want, text + at, most);
		assert_same_count(&got, &want);
		if (before.mid_line || before.after_cr)
			continue;
		dot_take_back(&got, span_of(text + at, most));
		before.is_8bit = got.is_8bit;
		assert_same_count(&got, &before);
		got = want;
	}
}

static void
test_count_until(void **state UNUSED)
{
	uint64_t seed = 88172645463325252u;

	for (size_t round = 0; round < 20000; round++) {
		size_t		 n = 1 + next_random(&seed) % 300;
		uint64_t	 spread = 4 + round % 50;
		uint8_t		*text = malloc(n);	/* see test_lines */

		assert_non_null(text);
		for (size_t i = 0; i < n; i++) {
			uint64_t which = next_random(&seed) % spread;

			text[i] = which < 4 ? (uint8_t)"\n\nF\r"[which] :
			    next_random(&seed) % 400 == 0 ? 0x80 : 'a';
		}
		check_until(text, n);
		free(text);
	}
}

static void
test_end_needs_room(void **state UNUSED)
{
	struct dot_encoder	e = { .mid_line = true };
	struct buf		out;

	buf_init(&out, 4);
	assert_int_equal(dot_encode_end(&e, &out), -1);
	assert_true(e.mid_line);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_decode_stops),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_count_long),
		cmocka_unit_test(test_count_until),
		cmocka_unit_test(test_end_needs_room),
	};

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	wide_avx2 = false;
	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
