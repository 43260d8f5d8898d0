/* SPDX-License-Identifier: ISC */
#include "auth/passwd_file.h"

#include "sys/sock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* The password "wonderland"; the first three are openssl's work. */
#define SHA512	"$6$saltsalt$pqxtaP8VN9msji06dnBCbUbaSGTOXyo9jZDqZxik1rPexoqR" \
		"IW4UKuiD0ZHZchCSd7S4/HoRU8bcFbnz2ihUr."
#define SHA256	"$5$saltsalt$IeaomH1t0t79ShF5t59ZywXLL/dm2jA/3vpoR6EMo74"
#define MD5	"$1$saltsalt$rMIqYVCXYNdPxX2s/bKpR0"
#define YESCRYPT "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$FF5wSyW3ppJyReaMmYcg7xuMDUTxz" \
		"bBuNKjU11.3UI4"
#define BCRYPT	"$2y$05$abcdefghijklmnopqrstuuA0vov2GDneHB3.8.cv9UF9g.RdvScIW"

static const struct {
	const char	*stored;
	bool		 match;
	bool		 mistake;	/* the operator is told */
	bool		 disabled;
} cases[] = {
	{ SHA512,			true,	false,	false },
	{ SHA256,			true,	false,	false },
	{ MD5,				true,	false,	false },
	{ YESCRYPT,			true,	false,	false },
	{ BCRYPT,			true,	false,	false },
	{ "{CRYPT}" SHA512,		true,	false,	false },
	{ "{crypt}" YESCRYPT,		true,	false,	false },
	{ "{SHA512-CRYPT}" SHA512,	true,	false,	false },
	{ "{SHA256-CRYPT}" SHA256,	true,	false,	false },
	{ "{YESCRYPT}" YESCRYPT,	true,	false,	false },
	{ "{BLF-CRYPT}" BCRYPT,		true,	false,	false },
	{ "{PLAIN}wonderland",		true,	false,	false },
	{ "{CLEARTEXT}wonderland",	true,	false,	false },
	{ "{CLEAR}wonderland",		true,	false,	false },
	{ "{MD5}" MD5,			true,	false,	false },
	{ "{PLAIN}Wonderland",		false,	false,	false },
	{ "{PLAIN}wonderlan",		false,	false,	false },
	{ "{PLAIN}wonderlandwonderland", false,	false,	false },
	{ "{PLAIN}*",			false,	false,	false },
	{ "{PLAIN}",			false,	false,	true },
	/* Nothing else is what it is not. */
	{ "wonderland",			false,	false,	false },
	{ "{SHA512-CRYPT}" SHA256,	false,	true,	false },
	{ "{SHA512-CRYPT}wonderland",	false,	true,	false },
	{ "{BLF-CRYPT}" YESCRYPT,	false,	true,	false },
	{ "{SHA512-CRYPT.HEX}" SHA512,	false,	true,	false },
	{ "{MD5}xyz",			false,	true,	false },
	{ "{}" SHA512,			false,	true,	false },
	{ "{PLAINwonderland",		false,	true,	true },
	{ "$6$saltsalt$",		false,	false,	false },
	{ "$9$saltsalt$abc",		false,	true,	false },
	{ "$",				false,	true,	false },
	{ "$y$j9T$",			false,	false,	false },
	/* Closed. */
	{ "",				false,	false,	true },
	{ "*",				false,	false,	true },
	{ "*0",				false,	false,	true },
	{ "!",				false,	false,	true },
	{ "!!",				false,	false,	true },
	{ "!" SHA512,			false,	false,	true },
	{ "*" SHA512,			false,	false,	true },
	{ "{CRYPT}",			false,	false,	true },
	{ "{CRYPT}!" SHA512,		false,	false,	true },
	{ "{SHA512-CRYPT}!" SHA512,	false,	false,	true },
	{ "{NOLOGIN}",			false,	true,	true },
	{ "{NOLOGIN}" SHA512,		false,	true,	true },
};

static void
set(struct secret *x, const char *text)
{
	assert_true(secret_set(x, span_str(text)));
}

static void
verify_table(void **state)
{
	struct secret x = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct span	stored = span_str(cases[i].stored);
		struct fault	f = { 0 };

		print_message("%s\n", cases[i].stored);
		set(&x, "wonderland");
		assert_int_equal(passwd_verify(stored, &x, &f),
		    cases[i].match);
		assert_int_equal(f.class != FAULT_NONE, cases[i].mistake);
		assert_int_equal(passwd_disabled(stored), cases[i].disabled);
		assert_false(strlen(f.text) > 0 &&
		    strstr(f.text, "wonderland") != NULL);
		set(&x, "wonderlanD");
		assert_false(passwd_verify(stored, &x, NULL));
		set(&x, "");
		assert_false(passwd_verify(stored, &x, NULL));
		/* Who reads the file does not have the password. */
		if (cases[i].stored[0] != '{' && secret_set(&x, stored))
			assert_false(passwd_verify(stored, &x, NULL));
	}
}

/* A password is not cut at a NUL, neither by a hash nor in plain. */
/* The least processor time of some attempts at it. */
static uint64_t
least_us(const char *stored, const struct secret *x)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 7; i++) {
		uint64_t began = clock_spent_us();
		uint64_t took;

		assert_false(passwd_verify(span_str(stored), x, NULL));
		took = clock_spent_us() - began;
		least = took < least ? took : least;
	}
	return least;
}

/* The hash in place of one that cannot be measured against takes ten times as long. */
static void
locked_costs_the_same(void **state UNUSED)
{
	static const char	hash[] = "!$6$rounds=1000$popper$x";
	struct secret		x = { 0 };

	set(&x, "wrong");
	assert_true(least_us(hash, &x) < 4 * least_us(hash + 1, &x));
}

static void
nul_never_matches(void **state)
{
	static const char *const stored[] = { SHA512, YESCRYPT, BCRYPT,
	    "{PLAIN}wonderland" };
	struct secret x = { 0 };
	char mark[384];

	(void)state;
	assert_true(secret_set(&x, SPAN("wonderland\0")));
	for (size_t i = 0; i < ARRAY_LEN(stored); i++)
		assert_false(passwd_verify(span_str(stored[i]), &x, NULL));
	/* Nor is what is hashed in its place a password for everybody. */
	set(&x, "?");
	assert_int_equal(passwd_hash("yescrypt", &x, mark, sizeof(mark),
	    NULL), 0);
	assert_true(passwd_verify(span_str(mark), &x, NULL));
	assert_true(secret_set(&x, SPAN("?\0")));
	assert_false(passwd_verify(span_str(mark), &x, NULL));
	x.n = 0;
	assert_false(passwd_verify(span_str(mark), &x, NULL));
	assert_true(secret_set(&x, SPAN("wonderland\0x")));
	for (size_t i = 0; i < ARRAY_LEN(stored); i++)
		assert_false(passwd_verify(span_str(stored[i]), &x, NULL));
}

static void
every_octet(void **state)
{
	char		 out[384];
	struct secret	 x = { 0 };
	struct secret	 y;

	(void)state;
	/* bcrypt sees 72 octets: four passwords hold all 255. */
	for (unsigned from = 1; from < 256; from += 64) {
		x.n = 0;
		for (unsigned c = from; c < from + 64 && c < 256; c++)
			x.b[x.n++] = (uint8_t)c;
		static const char *const words[] = { "yescrypt", "sha512",
		    "bcrypt" };
		for (size_t i = 0; i < ARRAY_LEN(words); i++) {
			assert_int_equal(passwd_hash(words[i], &x, out,
			    sizeof(out), NULL), 0);
			assert_true(passwd_verify(span_str(out), &x, NULL));
			y = x;
			y.b[y.n - 1] ^= 1;
			assert_false(passwd_verify(span_str(out), &y, NULL));
			assert_null(strpbrk(out, ":\n"));
		}
	}
}

static const struct {
	const char		*scheme;
	size_t			 octets;
	enum fault_class	 class;
	const char		*start;
} made[] = {
	{ "yescrypt",	10,	FAULT_NONE,	"{CRYPT}$y$" },
	{ "sha512",	10,	FAULT_NONE,	"{SHA512-CRYPT}$6$" },
	{ "bcrypt",	72,	FAULT_NONE,	"{BLF-CRYPT}$2y$" },
	{ "plain",	10,	FAULT_NONE,	"{PLAIN}a" },
	{ "yescrypt",	511,	FAULT_NONE,	"{CRYPT}$y$" },
	{ "plain",	512,	FAULT_LIMIT,	"" },
	{ "yescrypt",	512,	FAULT_AUTH,	"" },
	{ "bcrypt",	73,	FAULT_AUTH,	"" },
	{ "yescrypt",	0,	FAULT_AUTH,	"" },
	{ "plain",	0,	FAULT_AUTH,	"" },
	{ "md5",	10,	FAULT_PROTO,	"" },
	{ "",		10,	FAULT_PROTO,	"" },
};

static void
hash_table(void **state)
{
	struct secret x = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(made); i++) {
		char		out[384] = "";
		struct fault	f = { 0 };

		memset(x.b, 'a', sizeof(x.b));
		x.n = made[i].octets;
		assert_int_equal(passwd_hash(made[i].scheme, &x, out,
		    sizeof(out), &f), made[i].class == FAULT_NONE ? 0 : -1);
		assert_int_equal(f.class, made[i].class);
		assert_true(span_starts(span_str(out),
		    span_str(made[i].start)));
		if (made[i].class == FAULT_NONE)
			assert_true(passwd_verify(span_str(out), &x, NULL));
	}
}

static void
plain_takes_what_fits_a_row(void **state)
{
	static const char bad[] = { ':', '\n', '\r', '\0' };
	char		 out[384];
	struct secret	 x = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad); i++) {
		memcpy(x.b, "ab", 2);
		x.b[1] = (uint8_t)bad[i];
		x.n = 2;
		assert_int_equal(passwd_hash("plain", &x, out, sizeof(out),
		    NULL), -1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verify_table),
		cmocka_unit_test(locked_costs_the_same),
		cmocka_unit_test(nul_never_matches),
		cmocka_unit_test(every_octet),
		cmocka_unit_test(hash_table),
		cmocka_unit_test(plain_takes_what_fits_a_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
