/* SPDX-License-Identifier: ISC */
#include "drop/cyrus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* As Cyrus 3.6 of Debian 12 wrote it: four messages, the first of them deleted. */
static const uint8_t real[CYRUS_HEADER_MAX] = {
	0, 0, 0, 0,  0, 0, 0, 0,  0, 0, 0, 0x11,  0, 0, 0, 0xa0,
	0, 0, 0, 0x70,  0, 0, 0, 4,  0x6b, 9, 0xa9, 0x8f,  0, 0, 0, 4,
	0, 0, 0, 0,  0, 0, 4, 0x41,  0x6b, 9, 0xa9, 0x8f,  0x6b, 9, 0xa9, 0x90,
	0, 0, 0, 0,  0, 0, 0, 0,  0, 0, 0, 0,  0, 0, 0, 1,
	0, 0, 0, 0,  0, 0, 0, 0,  0, 0, 0, 6,  0, 0, 0, 0,
	0, 0, 0, 0,  0, 0, 0, 3,  0x6b, 9, 0xa9, 0x8f,  0, 0, 0, 0,
};
#define REAL_SIZE	608
static const uint8_t real_row[CYRUS_ROW_MIN] = {
	0, 0, 0, 1,  0x6b, 9, 0xa9, 0x8f,  0x6b, 8, 0xc8, 0,  0, 0, 1, 0x6b,
	0, 0, 1, 0x65,  0x6b, 9, 0xa9, 0x8f,  0, 0, 0, 4,  0x6b, 9, 0xa9, 0x8f,
	0x80, 0, 0, 4,
};

static void
put(uint8_t *at, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		at[i] = (uint8_t)(v >> (24 - 8 * i));
}

static int
look(const uint8_t *octets, size_t n, uint64_t size, struct cyrus_index *x)
{
	struct fault f;
	int r = cyrus_header(span_of(octets, n), size, x, &f);

	if (r == -1) {
		print_message("%s\n", f.text);
		assert_int_equal(f.class, FAULT_PROTO);
	}
	return r;
}

static void
test_real(void **state)
{
	struct cyrus_index	x;
	struct cyrus_row	row;

	(void)state;
	assert_int_equal(look(real, sizeof(real), REAL_SIZE, &x), 0);
	assert_int_equal(x.rows_at, 160);
	assert_int_equal(x.row_size, 112);
	assert_int_equal(x.n, 4);
	assert_int_equal(x.validity, 1795795344);
	assert_true(x.named);
	cyrus_row(&x, span_of(real_row, sizeof(real_row)), &row);
	assert_int_equal(row.uid, 1);
	assert_true(row.gone);
}

/* Where each version has what. */
static void
test_versions(void **state)
{
	static const struct {
		unsigned	version;
		size_t		header;
		size_t		row;
		size_t		validity;
		size_t		options;
		size_t		flags;
		bool		gone;
	} table[] = {
		{ 6, 76, 60, 44, 60, 32, false },
		{ 8, 92, 80, 44, 60, 32, false },
		{ 10, 96, 88, 44, 60, 32, false },
		{ 12, 128, 96, 44, 60, 32, true },
		{ 13, 128, 104, 44, 60, 32, true },
		{ 19, 160, 112, 44, 60, 32, true },
		{ 20, 192, 144, 92, 64, 36, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		uint8_t			header[CYRUS_HEADER_MAX] = { 0 };
		uint8_t			row[144] = { 0 };
		size_t			n = table[i].header;
		struct cyrus_index	x;
		struct cyrus_row	r;

		print_message("version %u\n", table[i].version);
		put(header + 8, table[i].version);
		put(header + 12, (uint32_t)n);
		put(header + 16, (uint32_t)table[i].row);
		put(header + 20, 1);
		put(header + table[i].validity, 77);
		n = n < sizeof(header) ? n : sizeof(header);
		assert_int_equal(look(header, n, 400, &x), 0);
		assert_int_equal(x.validity, 77);
		assert_false(x.named);
		put(header + table[i].options, 0x80000001);
		assert_int_equal(look(header, n, 400, &x), 0);
		assert_true(x.named);
		put(row, 9);
		put(row + table[i].flags, 0x80000010);
		cyrus_row(&x, span_of(row, table[i].row), &r);
		assert_int_equal(r.uid, 9);
		assert_int_equal(r.gone, table[i].gone);
		put(row + table[i].flags, 0x7fffffff);
		cyrus_row(&x, span_of(row, table[i].row), &r);
		assert_false(r.gone);
	}
}

static void
test_no_index(void **state)
{
	static const struct {
		size_t		at;
		uint32_t	value;
	} table[] = {
		{ 8, 0 }, { 8, 5 }, { 8, 11 }, { 8, 21 }, { 8, UINT32_MAX },
		{ 12, 0 }, { 12, 63 }, { 12, REAL_SIZE + 1 }, { 12, UINT32_MAX },
		{ 16, 0 }, { 16, CYRUS_ROW_MIN - 1 }, { 16, CYRUS_ROW_MAX + 1 },
		{ 16, UINT32_MAX }, { 20, 5 }, { 20, UINT32_MAX },
	};
	uint8_t			header[CYRUS_HEADER_MAX];
	struct cyrus_index	x;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		memcpy(header, real, sizeof(header));
		put(header + table[i].at, table[i].value);
		assert_int_equal(look(header, sizeof(header), REAL_SIZE, &x), -1);
	}
	for (size_t n = 0; n < 64; n++)
		assert_int_equal(look(real, n, n, &x), -1);
	/* One octet is missing at the end of the file. */
	assert_int_equal(look(real, sizeof(real), REAL_SIZE - 1, &x), -1);
	/* What the newest version has further on is not there. */
	memcpy(header, real, sizeof(header));
	put(header + 8, 20);
	assert_int_equal(look(header, sizeof(header), REAL_SIZE, &x), 0);
	assert_int_equal(look(header, sizeof(header) - 1, REAL_SIZE, &x), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_no_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
