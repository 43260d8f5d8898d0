/* SPDX-License-Identifier: ISC */
#include "sasl/prep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* RFC 4013 s.3 first. */
static const struct {
	struct span	in;
	struct span	out;
} good[] = {
	{ SPAN("I\xc2\xadX"), SPAN("IX") },
	{ SPAN("user"), SPAN("user") },
	{ SPAN("USER"), SPAN("USER") },
	{ SPAN("\xc2\xaa"), SPAN("a") },
	{ SPAN("\xe2\x85\xa8"), SPAN("IX") },
	{ SPAN("j\xc3\xb6rg"), SPAN("j\xc3\xb6rg") },
	{ SPAN("jo\xcc\x88rg"), SPAN("j\xc3\xb6rg") },
	{ SPAN("\xef\xbd\x8a\xc3\xb6"), SPAN("j\xc3\xb6") },	/* a wide j */
	{ SPAN("\xce\xa9"), SPAN("\xce\xa9") },
	{ SPAN("\xe2\x84\xa6"), SPAN("\xce\xa9") },		/* Ohm */
	{ SPAN("a\xe3\x80\x80\xc3\xb6"), SPAN("a \xc3\xb6") },	/* a wide blank */
	{ SPAN("\xd8\xb9\xd9\x84\xd9\x8a"), SPAN("\xd8\xb9\xd9\x84\xd9\x8a") },
	/* What means something in a path or a row comes out as what it means. */
	{ SPAN("a\xef\xbc\x8f" "b"), SPAN("a/b") },
	{ SPAN("\xef\xbc\x8e\xef\xbc\x8e"), SPAN("..") },
	{ SPAN("a\xef\xbc\x9a" "b"), SPAN("a:b") },
	{ SPAN("\xe2\x80\xa5"), SPAN("..") },			/* two dots in one */
	{ SPAN("\xc2\xad"), SPAN("") },
	{ SPAN(""), SPAN("") },
	/* ASCII is none of our business. */
	{ SPAN("\x01\t \x7f"), SPAN("\x01\t \x7f") },
};

/* No name, and no password. */
static const struct span bad[] = {
	SPAN("\xc3\xb6\x07"),
	SPAN("\xd8\xa7" "1"),			/* RFC 4013: fails to end as it began */
	SPAN("\xd8\xa7" "a\xd8\xa7"),		/* both directions */
	SPAN("a\xe2\x80\xae" "b"),		/* turns what follows */
	SPAN("a\xe2\x80\xa8" "b"),		/* a line's end */
	SPAN("a\xc2\x85" "b"),			/* another, and a control character */
	SPAN("a\xee\x80\x80"),			/* for private use */
	SPAN("a\xef\xbf\xbd"),			/* what replaces what was lost */
	SPAN("a\xf3\xa0\x81\xa1"),		/* a tag */
	SPAN("a\xef\xb7\x90"), SPAN("a\xef\xbf\xbf"),	/* no characters */
	SPAN("a\xff"), SPAN("a\xc3"), SPAN("\xb6"),	/* RFC 3629 */
	SPAN("a\xc0\xaf"), SPAN("a\xe0\x80\xaf"), SPAN("a\xed\xa0\x80"),
	SPAN("a\xf4\x90\x80\x80"), SPAN("a\xf8\x88\x80\x80\x80"),
	SPAN("\xc3\xb6\0x"),
};

/* Which Unicode 3.2 does not know. */
static const struct span unassigned[] = {
	SPAN("\xf0\x9f\x98\x80"), SPAN("a\xe2\x81\xa6" "b"), SPAN("\xc8\xa1"),
};

static bool
prepare(enum prep_what what, struct span in, uint8_t *out, size_t *n_r)
{
	return popper_prep.prepare(what, in, out, PREP_MAX, n_r);
}

static void
good_ones(void **state)
{
	uint8_t	out[PREP_MAX];
	size_t	n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		for (enum prep_what w = PREP_NAME; w <= PREP_PASSWORD_KEPT; w++) {
			assert_true(prepare(w, good[i].in, out, &n));
			assert_true(span_eq(span_of(out, n), good[i].out));
			/* Once more changes nothing. */
			assert_true(prepare(w, good[i].out, out, &n));
			assert_true(span_eq(span_of(out, n), good[i].out));
		}
}

static void
bad_ones(void **state)
{
	uint8_t	out[PREP_MAX];
	size_t	n = 1;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		for (enum prep_what w = PREP_NAME; w <= PREP_PASSWORD_KEPT; w++) {
			if (prepare(w, bad[i], out, &n))
				fail_msg("%zu: %d", i, w);
			assert_int_equal(n, 0);
		}
}

static void
unassigned_ones(void **state)
{
	uint8_t	out[PREP_MAX];
	size_t	n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(unassigned); i++) {
		assert_false(prepare(PREP_NAME, unassigned[i], out, &n));
		assert_false(prepare(PREP_PASSWORD_KEPT, unassigned[i], out, &n));
		assert_true(prepare(PREP_PASSWORD, unassigned[i], out, &n));
		assert_true(span_eq(span_of(out, n), unassigned[i]));
	}
}

/* U+FDFA is 18 characters, 33 octets. */
static void
it_grows(void **state)
{
	char	in[PREP_MAX];
	uint8_t	out[PREP_MAX];
	size_t	n;

	(void)state;
	for (size_t i = 0; i + 3 <= sizeof(in); i += 3)
		memcpy(in + i, "\xef\xb7\xba", 3);
	assert_true(prepare(PREP_PASSWORD, span_of(in, 15 * 3), out, &n));
	assert_int_equal(n, 15 * 33);
	assert_false(prepare(PREP_PASSWORD, span_of(in, 16 * 3), out, &n));
	assert_false(prepare(PREP_PASSWORD, span_of(in, 170 * 3), out, &n));
	assert_false(popper_prep.prepare(PREP_NAME, span_of(in, 3), out, 32, &n));
	assert_int_equal(n, 0);
	assert_true(popper_prep.prepare(PREP_NAME, span_of(in, 3), out, 33, &n));
	memset(in, 'a', sizeof(in));
	assert_true(prepare(PREP_NAME, span_of(in, sizeof(in)), out, &n));
	assert_int_equal(n, sizeof(in));
	assert_false(popper_prep.prepare(PREP_NAME, span_of(in, 9), out, 8, &n));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_ones),
		cmocka_unit_test(bad_ones),
		cmocka_unit_test(unassigned_ones),
		cmocka_unit_test(it_grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
