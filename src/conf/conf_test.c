/* SPDX-License-Identifier: ISC */
#include "conf/conf_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct first {
	bool			 on;
	const char		*text;
	const char		*path;
	unsigned		 wait_s;
};
struct second {
	uint64_t		 size;
	unsigned		 count;
	int			 word;
	struct conf_list	 list;
	struct conf_list	 lines;
};
struct all {
	struct first		 first;
	struct second		 second;
};

static const char *const colours[] = { "red", "green", "blue", NULL };

static bool
no_slash(const char *value)
{
	return strchr(value, '/') == NULL;
}

static bool
two_words(const char *item, char *expected, size_t cap)
{
	struct span rest = span_str(item);

	(void)span_word(&rest);
	(void)snprintf(expected, cap, "two words, not %s", item);
	return span_word(&rest).n > 0;
}

#define F(m)	offsetof(struct first, m)
#define S(m)	offsetof(struct second, m)
#define ROW(n, t, o, d, ...) \
	{ .name = n, .type = t, .offset = o, .fallback = d, \
	  .meaning = "what " n " is", .man = "About " n ".", __VA_ARGS__ }
static const struct conf_option first_rows[] = {
	ROW("switch",	CONF_BOOL,	F(on),		"no",	.flag = 's'),
	ROW("text",	CONF_TEXT,	F(text),	"hello", .min = 0),
	ROW("path",	CONF_PATH,	F(path),	"",	.flag = 'p'),
	ROW("wait_time", CONF_SECONDS,	F(wait_s),	"120",	.min = 1),
	{ .name = NULL }
};
static const struct conf_option second_rows[] = {
	ROW("big_size",	CONF_SIZE,	S(size),	"4G",	.min = 0),
	ROW("count",	CONF_COUNT,	S(count),	"3",	.max = 9),
	ROW("colour",	CONF_WORD,	S(word),	"green", .words = colours),
	ROW("list",	CONF_LIST,	S(list),	"a b",
	    .valid = no_slash),
	ROW("lines",	CONF_LINES,	S(lines),	"",
	    .fits = two_words),
	{ .name = NULL }
};
static const struct conf_room rooms[] = {
	{ "First",  first_rows,  offsetof(struct all, first) },
	{ "Second", second_rows, offsetof(struct all, second) },
};
#define ROOMS	rooms, ARRAY_LEN(rooms)

static struct conf_store *
read_text(const char *path, struct span text, struct all *out)
{
	struct conf_store *s = conf_new();

	*out = (struct all){ 0 };
	conf_defaults(s, ROOMS, out);
	conf_read(s, ROOMS, out, path, text);
	return s;
}

static void
test_defaults(void **state)
{
	const struct conf_mistake *m;
	struct all	   a;
	struct conf_store *s = read_text("popper.conf", SPAN(""), &a);

	(void)state;
	assert_int_equal(conf_mistakes(s, &m), 0);
	assert_false(a.first.on);
	assert_string_equal(a.first.text, "hello");
	assert_string_equal(a.first.path, "");
	assert_int_equal(a.first.wait_s, 120);
	assert_true(a.second.size == UINT64_C(4) << 30);
	assert_int_equal(a.second.count, 3);
	assert_int_equal(a.second.word, 1);
	assert_int_equal(a.second.list.n, 2);
	assert_false(conf_is_set(s, "text"));
	conf_free(s);
}

/* One line and the text value that it gives, or NULL: a mistake. */
static const struct { const char *line, *want; } forms[] = {
	{ "text = one",			"one" },
	{ "text=one",			"one" },
	{ "\t text\t=\tone two \t",	"one two" },
	{ "text = one # two",		"one" },
	{ "text = one#two",		"one#two" },
	{ "text =",			"" },
	{ "text = # nothing",		"" },
	{ "text = \" one # two \"",	" one # two " },
	{ "text = \"a\\\"b\\\\c\\d\"",	"a\"b\\c\\d" },
	{ "text = \"one\" # two",	"one" },
	{ "text = one\r",		"one" },
	{ "\xef\xbb\xbftext = one",	"one" },
	{ "text = a = b",		"a = b" },
	{ "# text = one",		"hello" },
	{ "   ",			"hello" },
	{ "\r",				"hello" },
	{ "text = \"one",		NULL },
	{ "text = \"one\\\"",		NULL },
	{ "text = \"one\" two",		NULL },
	{ "text one",			NULL },
	{ "text",			NULL },
	{ "= one",			NULL },
	{ "{",				NULL },
	{ "}",				NULL },
	{ "text one {",			NULL },
};

static void
test_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		const struct conf_mistake *m;
		struct all	   a;
		struct conf_store *s = read_text("f", span_str(forms[i].line), &a);
		size_t		   n = conf_mistakes(s, &m);

		if ((forms[i].want == NULL) != (n == 1) ||
		    strcmp(a.first.text, forms[i].want == NULL ? "hello" :
		    forms[i].want) != 0)
			fail_msg("%s: \"%s\", %zu mistakes", forms[i].line,
			    a.first.text, n);
		if (n == 1)
			assert_int_equal(m[0].line, 1);
		conf_free(s);
	}
}

static const struct { const char *line; uint64_t want; bool good; } numbers[] = {
	{ "wait_time = 90",	90,	true },
	{ "wait_time = 90s",	90,	true },
	{ "wait_time = 10m",	600,	true },
	{ "wait_time = 2H",	7200,	true },
	{ "wait_time = 1d",	86400,	true },
	{ "wait_time = 007",	7,	true },
	{ "wait_time = 0",	120,	false },
	{ "wait_time = -1",	120,	false },
	{ "wait_time = 1 m",	120,	false },
	{ "wait_time = 10mm",	120,	false },
	{ "wait_time = 1w",	120,	false },
	{ "wait_time = m",	120,	false },
	{ "wait_time =",	120,	false },
	{ "wait_time = 2147483", 2147483, true },
	{ "wait_time = 2147484", 120,	false },
	{ "wait_time = 18446744073709551616", 120, false },
	{ "wait_time = 18446744073709551615d", 120, false },
};

static void
test_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		const struct conf_mistake *m;
		struct all	   a;
		struct conf_store *s = read_text("f",
		    span_str(numbers[i].line), &a);

		if (a.first.wait_s != numbers[i].want ||
		    (conf_mistakes(s, &m) == 0) != numbers[i].good)
			fail_msg("%s: %u", numbers[i].line, a.first.wait_s);
		conf_free(s);
	}
}

static void
test_other_types(void **state)
{
	const struct conf_mistake *m;
	struct all	   a;
	struct conf_store *s = read_text("etc/f", SPAN(
	    "switch = Yes\nbig_size = 10k\ncount = 9\ncolour = BLUE\n"
	    "path = users\nlist = x\nlist = y z\n"), &a);

	(void)state;
	assert_int_equal(conf_mistakes(s, &m), 0);
	assert_true(a.first.on);
	assert_true(a.second.size == 10240);
	assert_int_equal(a.second.count, 9);
	assert_int_equal(a.second.word, 2);
	assert_string_equal(a.first.path, "etc/users");
	assert_int_equal(a.second.list.n, 3);
	assert_string_equal(a.second.list.item[0], "x");
	assert_string_equal(a.second.list.item[2], "z");
	assert_int_equal(conf_line(s, "count"), 3);
	conf_free(s);
	s = read_text("etc/f", SPAN("path = /users\nbig_size = 9T"), &a);
	assert_string_equal(a.first.path, "/users");
	assert_true(a.second.size == UINT64_C(9) << 40);
	conf_free(s);
}

#define ROW_1	"lines = z z\n"
#define ROWS_8	ROW_1 ROW_1 ROW_1 ROW_1 ROW_1 ROW_1 ROW_1 ROW_1
#define ROWS_32	ROWS_8 ROWS_8 ROWS_8 ROWS_8

/* popper.conf(5) promises 32. */
static void
test_list_of_many(void **state UNUSED)
{
	const struct conf_mistake	*m;
	struct all			 a;
	struct conf_store		*s = read_text("f", SPAN(ROWS_32), &a);

	assert_int_equal(conf_mistakes(s, &m), 0);
	assert_int_equal(a.second.lines.n, 32);
	conf_free(s);
	s = read_text("f", SPAN(ROWS_32 ROW_1), &a);
	assert_int_equal(conf_mistakes(s, &m), 1);
	assert_int_equal(m[0].line, 33);
	assert_non_null(strstr(m[0].text, "at most 32 of them"));
	conf_free(s);
}

/* Each mistake tells its line and a word of the fix. */
static void
test_all_mistakes_at_once(void **state)
{
	static const struct {
		unsigned		 line;
		enum conf_severity	 severity;
		const char		*says;
	} want[] = {
		{ 1, CONF_WARNING,	"did you mean \"wait_time\"" },
		{ 2, CONF_ERROR,	"yes or no" },
		{ 4, CONF_ERROR,	"from 0 to 9" },
		{ 5, CONF_ERROR,	"did you mean \"red\"" },
		{ 6, CONF_WARNING,	"popper.conf(5) lists them" },
		{ 7, CONF_ERROR,	"is a = missing" },
		{ 9, CONF_WARNING,	"line 8" },
		{ 10, CONF_ERROR,	"what list is" },
	};
	const struct conf_mistake *m;
	struct all	   a;
	struct conf_store *s = read_text("f", SPAN(
	    "wait-tiem = 9\nswitch = maybe\n# fine\ncount = 10\n"
	    "colour = rde\nzzzzzzzz = 1\ntext two\ntext = a\ntext = b\n"
	    "list = a/b\n"), &a);

	(void)state;
	assert_int_equal(conf_mistakes(s, &m), ARRAY_LEN(want));
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		if (m[i].line != want[i].line ||
		    m[i].severity != want[i].severity ||
		    strstr(m[i].text, want[i].says) == NULL)
			fail_msg("%u: %s", m[i].line, m[i].text);
	}
	assert_string_equal(a.first.text, "b");
	assert_int_equal(a.second.count, 3);
	conf_free(s);
}

static void
test_mistakes_are_bounded_and_printable(void **state)
{
	static uint8_t		   noise[3000];
	const struct conf_mistake *m;
	struct all		   a;
	struct conf_store	  *s;
	size_t			   n;

	(void)state;
	memset(noise, '\n', sizeof(noise));
	for (size_t i = 0; i < sizeof(noise); i += 2)
		noise[i] = 0x1b;
	s = read_text("f", span_of(noise, sizeof(noise)), &a);
	n = conf_mistakes(s, &m);
	assert_int_equal(n, 201);
	assert_non_null(strstr(m[n - 1].text, "not shown"));
	conf_free(s);
	s = read_text("f", SPAN("count = \x1b[2J\ntext = a\0b\n"), &a);
	assert_int_equal(conf_mistakes(s, &m), 2);
	assert_null(strchr(m[0].text, 0x1b));
	assert_non_null(strstr(m[1].text, "NUL"));
	conf_free(s);
}

static void
test_long_lines(void **state)
{
	static char		   line[5000];
	const struct conf_mistake *m;
	struct all		   a;
	struct conf_store	  *s;

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "text = ", 7);
	s = read_text("f", span_of(line, 7 + CONF_VALUE_MAX), &a);
	assert_int_equal(conf_mistakes(s, &m), 0);
	assert_int_equal(strlen(a.first.text), CONF_VALUE_MAX);
	conf_free(s);
	s = read_text("f", span_of(line, 8 + CONF_VALUE_MAX), &a);
	assert_int_equal(conf_mistakes(s, &m), 1);
	assert_string_equal(m[0].text,
	    "text: the value is longer than 4095 octets");
	conf_free(s);
	line[7] = '"';
	line[sizeof(line) - 1] = '"';
	s = read_text("f", span_of(line, sizeof(line)), &a);
	assert_int_equal(conf_mistakes(s, &m), 1);
	conf_free(s);
	memset(line, 'x', sizeof(line));
	line[CONF_NAME_MAX + 1] = '=';
	s = read_text("f", span_of(line, CONF_NAME_MAX + 10), &a);
	assert_int_equal(conf_mistakes(s, &m), 1);
	conf_free(s);
}

static void
test_flags_win(void **state)
{
	const struct conf_mistake *m;
	struct all	   a;
	struct conf_store *s = read_text("etc/f", SPAN("path = a\nlist = x"), &a);
	const struct conf_option *row = conf_by_flag(ROOMS, 'p');

	(void)state;
	assert_non_null(row);
	assert_null(conf_by_flag(ROOMS, 'x'));
	assert_null(conf_by_flag(ROOMS, '\0'));
	assert_true(conf_set(s, ROOMS, &a, row, "b"));
	assert_string_equal(a.first.path, "b");
	assert_true(conf_is_set(s, "path"));
	assert_int_equal(conf_line(s, "path"), 0);
	assert_false(conf_set(s, ROOMS, &a, conf_by_flag(ROOMS, 's'), "2"));
	assert_int_equal(conf_mistakes(s, &m), 1);
	assert_int_equal(m[0].line, 0);
	conf_complain(s, CONF_WARNING, 7, "%s", "more");
	assert_int_equal(conf_mistakes(s, &m), 2);
	assert_string_equal(m[1].text, "more");
	conf_free(s);
}

static void
test_distance(void **state)
{
	static const struct { const char *a, *b; unsigned want; } rows[] = {
		{ "",		"",		0 },
		{ "",		"abc",		3 },
		{ "abc",	"abc",		0 },
		{ "ABC",	"abc",		0 },
		{ "a-b",	"a_b",		0 },
		{ "abc",	"acb",		1 },
		{ "abc",	"ac",		1 },
		{ "abc",	"abxc",		1 },
		{ "kitten",	"sitting",	3 },
		{ "timeuot",	"timeout",	1 },
	};
	char	long_name[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(suggest_distance(rows[i].a, rows[i].b),
		    rows[i].want);
		assert_int_equal(suggest_distance(rows[i].b, rows[i].a),
		    rows[i].want);
	}
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_false(suggest_close(suggest_distance(long_name, "x"), "x"));
}

/* What the callbacks were told, as text. */
struct told {
	char	b[1024];
	size_t	n;
};

static void
told_row(void *ctx, unsigned line, const char *block, const char *name,
    const char *key, const char *value)
{
	struct told *t = ctx;

	t->n += (size_t)snprintf(t->b + t->n, sizeof(t->b) - t->n,
	    "%u %s %s %s %s;", line, block, name, key, value);
}

static void
told_bad(void *ctx, unsigned line, const char *text)
{
	struct told *t = ctx;

	(void)text;
	t->n += (size_t)snprintf(t->b + t->n, sizeof(t->b) - t->n, "%u bad;",
	    line);
}

static void
test_blocks(void **state)
{
	static const struct { const char *text, *want; } rows[] = {
		{ "", "" },
		{ "board x {\n a = 1\n\n}\n",
		  "1 board x { ;2 board x a 1;4 board x } ;" },
		{ "board \"x y\" { # c\n}\nboard z{\n}",
		  "1 board x y { ;2 board x y } ;3 board z { ;4 board z } ;" },
		{ "board {\n}",		"1 board  { ;2 board  } ;" },
		{ "a = 1\n",		"1 bad;" },
		{ "}\n",		"1 bad;" },
		{ "board x {\n",	"1 board x { ;1 bad;" },
		{ "b x {\nb y {\n}\n",	"1 b x { ;2 bad;3 b x } ;" },
		{ "b x { y = 1 }\n",	"1 bad;" },
		{ "b x {\n} y\n}\n",	"1 b x { ;2 bad;3 b x } ;" },
		{ "b \"x {\n",		"1 bad;" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct told t = { .n = 0 };

		conf_blocks(span_str(rows[i].text), told_row, told_bad, &t);
		assert_string_equal(t.b, rows[i].want);
	}
}

static void
told_text(void *ctx, const char *text)
{
	struct told *t = ctx;

	t->n += (size_t)snprintf(t->b + t->n, sizeof(t->b) - t->n, "%s", text);
}

/* An item is a line, its blanks are its own, and it knows its place. */
static void
test_lines(void **state)
{
	const struct conf_mistake	*m;
	struct all			 a;
	struct conf_store		*s = read_text("f", SPAN("lines = x  y\n"
	    "list = b\nlines = z z # no\nlines = alone\n"), &a);

	(void)state;
	assert_int_equal(a.second.lines.n, 2);
	assert_string_equal(a.second.lines.item[0], "x  y");
	assert_string_equal(a.second.lines.item[1], "z z");
	assert_int_equal(a.second.lines.line[0], 1);
	assert_int_equal(a.second.lines.line[1], 3);
	assert_int_equal(a.second.list.line[0], 2);
	assert_int_equal(conf_mistakes(s, &m), 1);
	assert_int_equal(m[0].line, 4);
	assert_non_null(strstr(m[0].text, "what lines is; write two words, not "
	    "alone"));
	conf_free(s);
}

static void
test_man(void **state)
{
	struct told t = { .n = 0 };

	(void)state;
	conf_print_man(&rooms[1], 1, told_text, &t);
	assert_non_null(strstr(t.b, ".Ss Second\n"));
	assert_non_null(strstr(t.b,
	    ".It Ic colour No = Cm red | green | blue\nAbout colour.\n"));
	assert_non_null(strstr(t.b, "Default:\n.Ql \"\\&4G\" .\n"));
	assert_non_null(strstr(t.b, ".El\n"));
	t = (struct told){ .n = 0 };
	conf_print_man(&rooms[0], 1, told_text, &t);
	assert_non_null(strstr(t.b, "Default: empty.\n"));
	assert_non_null(strstr(t.b, ".Fl s .\n"));
}

/* Each option on its own makes a difference, and none of another room. */
static void
test_same(void **state)
{
	static const char *const first[] = {
		"switch = yes\n", "text = x\n", "path = x\n", "wait_time = 1\n",
	};
	static const char *const second[] = {
		"big_size = 1\n", "count = 2\n", "colour = red\n", "list = a\n",
		"list = b a\n",
	};
	struct conf_store	*s;
	struct conf_store	*t;
	struct all		 a;
	struct all		 b;

	(void)state;
	s = read_text("x", SPAN("text = \"hello\"\n"), &a);
	t = read_text("x", SPAN("wait_time = 2m\nlist = a b\n"), &b);
	assert_true(conf_same(first_rows, &a.first, &b.first));
	assert_true(conf_same(second_rows, &a.second, &b.second));
	conf_free(t);
	for (size_t i = 0; i < ARRAY_LEN(first); i++) {
		t = read_text("x", span_str(first[i]), &b);
		assert_false(conf_same(first_rows, &a.first, &b.first));
		assert_true(conf_same(second_rows, &a.second, &b.second));
		conf_free(t);
	}
	for (size_t i = 0; i < ARRAY_LEN(second); i++) {
		t = read_text("x", span_str(second[i]), &b);
		assert_true(conf_same(first_rows, &a.first, &b.first));
		assert_false(conf_same(second_rows, &a.second, &b.second));
		conf_free(t);
	}
	conf_free(s);
}

/* Read again it means the same, and is shown the same. */
static void
test_show(void **state)
{
	static const struct { const char *text; const char *want; } rows[] = {
		{ "",			"" },
		{ "switch = on\n",	"switch = yes\n" },
		{ "text =\n",		"text = \"\"\n" },
		{ "text = a#b\n",	"text = a#b\n" },
		{ "text = \" a\"\n",	"text = \" a\"\n" },
		{ "text = \"a #b\"\n",	"text = \"a #b\"\n" },
		{ "text = \"a\t#b\"\n",	"text = \"a\t#b\"\n" },
		{ "text = \"#\"\n",	"text = \"#\"\n" },
		{ "text = \"\\\"a\\\\ \"\n", "text = \"\\\"a\\\\ \"\n" },
		{ "text = a\\b\"\n",	"text = a\\b\"\n" },
		{ "path = x/y z\n",	"path = x/y z\n" },
		{ "wait_time = 2m\n",	"wait_time = 120\n" },
		{ "big_size = 1024\n",	"big_size = 1K\n" },
		{ "big_size = 1025\n",	"big_size = 1025\n" },
		{ "big_size = 0\n",	"big_size = 0\n" },
		{ "big_size = 3072T\n",	"big_size = 3072T\n" },
		{ "count = 9\n",	"count = 9\n" },
		{ "colour = RED\n",	"colour = red\n" },
		{ "list = c\nlist = d e\n", "list = c\nlist = d\nlist = e\n" },
		{ "list =\n",		"list = \"\"\n" },
		{ "lines = x  y\nlines = \"y #z\"\n",
		  "lines = x  y\nlines = \"y #z\"\n" },
		{ "count = 1\nswitch = no\n", "switch = no\ncount = 1\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct all		 a, b;
		struct told		 t = { .n = 0 }, again = { .n = 0 };
		struct conf_store	*s = read_text("f", span_str(rows[i].text),
					    &a);
		struct conf_store	*u;

		conf_show(s, ROOMS, &a, false, told_text, &t);
		assert_string_equal(t.b, rows[i].want);
		u = read_text("f", span_str(t.b), &b);
		assert_true(conf_same(first_rows, &a.first, &b.first));
		assert_true(conf_same(second_rows, &a.second, &b.second));
		conf_show(u, ROOMS, &b, false, told_text, &again);
		assert_string_equal(again.b, t.b);
		conf_free(s);
		conf_free(u);
	}
}

/* What is not set, as comments. */
static void
test_show_all(void **state)
{
	struct told		 t = { .n = 0 };
	struct all		 a;
	struct conf_store	*s = read_text("f", SPAN("count = 3\n"), &a);

	(void)state;
	conf_show(s, ROOMS, &a, true, told_text, &t);
	assert_string_equal(t.b, "#switch = no\n#text = hello\n#path = \"\"\n"
	    "#wait_time = 120\n#big_size = 4G\ncount = 3\n#colour = green\n"
	    "#list = a\n#list = b\n#lines = \"\"\n");
	conf_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_other_types),
		cmocka_unit_test(test_list_of_many),
		cmocka_unit_test(test_all_mistakes_at_once),
		cmocka_unit_test(test_mistakes_are_bounded_and_printable),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_flags_win),
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_man),
		cmocka_unit_test(test_show),
		cmocka_unit_test(test_show_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
