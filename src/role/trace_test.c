/* SPDX-License-Identifier: ISC */
/* The test is the role that turns the switch, who is traced, and who reads. */
#include "role/mad_test.h"
#include "role/trace.h"

#include "sys/file.h"

static uint64_t		now_ms;
static int		reader;		/* own; -1 */
static unsigned		asked;
static bool		refuses;
static struct sock_addr	peer;
static struct link_in	in;

uint64_t	__wrap_clock_ms(void);
void		*__wrap_shared_new(size_t n, struct fault *f);
void		__wrap_shared_free(void *p, size_t n);

/* The switch, for who writes into it what he must not. */
static uint64_t		memory[128];

uint64_t
__wrap_clock_ms(void)
{
	return now_ms;
}

void *
__wrap_shared_new(size_t n, struct fault *f)
{
	(void)f;
	assert_true(n <= sizeof(memory));
	memset(memory, 0, sizeof(memory));
	return memory;
}

void
__wrap_shared_free(void *p, size_t n)
{
	(void)p;
	(void)n;
}

static int
ask(void *ctx)
{
	struct fault	f;
	int		ends[2];

	assert_ptr_equal(ctx, &asked);
	asked++;
	if (refuses)
		return -1;
	fd_close(&reader);
	assert_int_equal(link_pair(&ends[0], &ends[1], &f), 0);
	reader = ends[0];
	return ends[1];
}

static int
setup(void **state)
{
	struct fault f;

	(void)state;
	now_ms = 1000;
	reader = -1;
	asked = 0;
	refuses = false;
	assert_true(sock_addr_parse("192.0.2.7", &peer));
	trace_set_ask(ask, &asked);
	return trace_new("/nonexistent", &f);
}

static int
teardown(void **state)
{
	(void)state;
	fd_close(&reader);
	trace_free();
	return 0;
}

static struct trace_who
who(const char *user)
{
	return (struct trace_who){ 5, span_str(user), &peer };
}

static struct trace_whom
whom(uint64_t sid, const char *user, const char *network)
{
	struct trace_whom	w = { .sid = sid };
	char			unused[128];

	(void)snprintf(w.user, sizeof(w.user), "%s", user);
	if (network[0] != '\0')
		assert_true(network_read(span_str(network), &w.network, unused,
		    sizeof(unused)));
	return w;
}

static const struct {
	uint64_t	 sid;
	const char	*user;
	const char	*network;
	bool		 wanted;	/* 5, ann, 192.0.2.7 is */
	const char	*text;
} cases[] = {
	{ 5, "", "", true, "000000000005" },
	{ 6, "", "", false, "000000000006" },
	{ 0, "ann", "", true, "ann" },
	{ 0, "an", "", false, "an" },
	{ 0, "anna", "", false, "anna" },
	{ 0, "", "192.0.2.7", true, "@192.0.2.7" },
	{ 0, "", "192.0.2.0/24", true, "@192.0.2.0/24" },
	{ 0, "", "0.0.0.0/0", true, "@0.0.0.0/0" },
	{ 0, "", "192.0.2.8", false, "@192.0.2.8" },
	{ 0, "", "2001:db8::/32", false, "@2001:db8::/32" },
	{ 0, "", "::/0", false, "@::/0" },
	{ 0, "ann", "192.0.2.7", true, "ann@192.0.2.7" },
	{ 0, "ann", "192.0.3.0/24", false, "ann@192.0.3.0/24" },
	{ 0, "bob", "192.0.2.7", false, "bob@192.0.2.7" },
};

static void
test_whom(void **state UNUSED)
{
	const struct trace_who	ann = who("ann");
	const struct trace_who	never = { 5, SPAN("ann"), NULL };
	char			text[TRACE_WHOM_TEXT];
	struct trace_whom	had;

	assert_false(trace_on());
	assert_false(trace_wants(&ann));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct trace_whom w = whom(cases[i].sid, cases[i].user,
		    cases[i].network);
		uint32_t	serial = trace_begin(&w, 100);

		assert_true(serial != 0 && trace_on());
		if (trace_wants(&ann) != cases[i].wanted)
			fail_msg("case %zu", i);
		assert_false(trace_wants(&never));
		trace_whom_text(&w, text);
		assert_string_equal(text, cases[i].text);
		now_ms += 100;
		assert_false(trace_wants(&ann));	/* its time is over */
		assert_false(trace_end(serial + 1, &had));
		assert_true(trace_end(i % 2 == 0 ? serial : 0, &had));
		assert_memory_equal(&had, &w, sizeof(w));
		assert_false(trace_wants(&ann));
		assert_false(trace_end(0, &had));
	}
	assert_int_equal(asked, 0);
}

/* Who writes the switch may have been taken over. */
static void
test_mad_switch(void **state UNUSED)
{
	const struct trace_who	ann = who("ann");
	const struct trace_whom	good = whom(0, "ann", "192.0.2.0/24");
	struct trace_whom	w;

	for (int i = 0; i < 6; i++) {
		w = good;
		if (i == 0)
			memset(w.user, 'x', sizeof(w.user));
		else if (i == 1)
			w.network.bits = 33;
		else if (i == 2)
			w.network = (struct network){ .family = 6, .bits = 129 };
		else if (i == 3)
			w.network.family = 5;
		else if (i == 4)
			w.network = (struct network){ .bits = 1 };
		else
			w = (struct trace_whom){ 0 };
		(void)trace_begin(&w, 100);
		assert_false(trace_wants(&ann));
		assert_false(trace_say(&ann, TRACE_CLIENT, SPAN("NOOP")));
	}
	(void)trace_begin(&good, 100);
	for (unsigned seed = 0; seed < 1000; seed++) {
		for (size_t i = 0; i < ARRAY_LEN(memory); i++)
			memory[i] = (uint64_t)rand() << 32 ^ (uint64_t)rand();
		(void)trace_wants(&ann);	/* and reads nothing beyond */
	}
}

static void
take(struct trace_line *l)
{
	struct fault f = { .text = "the end" };

	if (link_recv(reader, permit_trace, permit_trace_n, 0, 0, &in, &f) != 1 ||
	    trace_get_line(&in, l, &f) != 0)
		fail_msg("%s", f.text);
}

static void
test_lines(void **state UNUSED)
{
	static const char	text[400] = "a line";
	const struct trace_who	ann = who("ann");
	const struct trace_who	bob = who("bob");
	const struct trace_whom	w = whom(0, "ann", "");
	struct trace_line	l;

	assert_false(trace_say(&ann, TRACE_CLIENT, SPAN("off")));
	(void)trace_begin(&w, 100000);
	assert_false(trace_say(&bob, TRACE_CLIENT, SPAN("another")));
	assert_int_equal(asked, 0);
	assert_true(trace_say(&ann, TRACE_CLIENT, SPAN("NOOP")));
	take(&l);
	assert_int_equal(l.what, TRACE_CLIENT);
	assert_int_equal(l.sid, 5);
	assert_true(span_eq(l.text, SPAN("NOOP")));
	assert_true(span_eq(l.user, SPAN("ann")));
	assert_string_equal(l.peer.text, "192.0.2.7");
	assert_int_equal(l.lost, 0);
	trace_count(&ann, TRACE_SERVER_REST, 3, UINT64_MAX);
	take(&l);
	assert_int_equal(l.what, TRACE_SERVER_REST);
	assert_int_equal(l.lines, 3);
	assert_true(l.octets == UINT64_MAX);
	assert_true(trace_say(&ann, TRACE_SERVER, span_of(text, sizeof(text))));
	take(&l);
	assert_int_equal(l.text.n, TRACE_TEXT_MAX);
	assert_int_equal(asked, 1);
	/* The next trace has a socket of its own. */
	(void)trace_begin(&w, 100000);
	assert_true(trace_say(&ann, TRACE_CLIENT, SPAN("QUIT")));
	assert_int_equal(asked, 2);
	take(&l);
}

/* Nobody waits, and what was lost is counted. */
static void
test_lost(void **state UNUSED)
{
	const struct trace_who	ann = who("ann");
	const struct trace_whom	w = whom(0, "ann", "");
	struct trace_line	l;
	uint64_t		got = 0;
	uint64_t		lost = 0;
	struct fault		f;

	(void)trace_begin(&w, 100000);
	refuses = true;
	for (int i = 0; i < 7; i++)
		assert_true(trace_say(&ann, TRACE_CLIENT, SPAN("NOOP")));
	assert_int_equal(asked, 1);	/* once, for a while */
	refuses = false;
	now_ms += 2000;
	assert_true(trace_say(&ann, TRACE_CLIENT, SPAN("NOOP")));
	assert_int_equal(asked, 2);
	take(&l);
	assert_int_equal(l.lost, 7);
	for (int i = 0; i < 5000; i++)	/* who does not read */
		(void)trace_say(&ann, TRACE_CLIENT, SPAN("NOOP"));
	while (link_recv(reader, permit_trace, permit_trace_n, 0, 0, &in, &f) == 1) {
		assert_int_equal(trace_get_line(&in, &l, &f), 0);
		got++;
		lost += l.lost;
	}
	assert_true(got > 0 && lost == 0);
	(void)trace_say(&ann, TRACE_CLIENT, SPAN("NOOP"));
	take(&l);
	assert_true(l.lost > 0 && l.lost + got == 5000);
	/* Who is gone: another one is asked for, in a while. */
	fd_close(&reader);
	(void)trace_say(&ann, TRACE_CLIENT, SPAN("NOOP"));
	assert_int_equal(asked, 2);
	now_ms += 2000;
	(void)trace_say(&ann, TRACE_CLIENT, SPAN("NOOP"));
	assert_int_equal(asked, 3);
	take(&l);
	assert_int_equal(l.lost, 1);
}

/* What a process says that was taken over, and what one asks for. */
static void
test_mad_fields(void **state UNUSED)
{
	const struct {
		const struct link_permit	*table;
		const size_t			*n;
	} ways[] = {
		{ permit_trace, &permit_trace_n },
		{ permit_ctl, &permit_ctl_n },
	};
	int		spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int		ends[2];
	struct trace_line l;
	struct trace_whom w;
	struct fault	f;
	struct mad	c;

	assert_int_equal(link_pair(&ends[0], &ends[1], &f), 0);
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		mad_init(&c, ways[i].table, *ways[i].n);
		while (mad_next(&c)) {
			int got;

			assert_true(mad_say(&c, ends[0], spare));
			got = link_recv(ends[1], ways[i].table, *ways[i].n, 0, 0,
			    &in, &f);
			assert_int_equal(got, c.formal ? 1 : -1);
			if (got != 1)
				continue;
			if (i == 0) {
				if (trace_get_line(&in, &l, &f) != 0)
					assert_int_equal(f.class, FAULT_PEER);
			} else {
				(void)link_get_u32(&in);
				assert_int_equal(trace_get_whom(&in, &w, &f), -1);
			}
			link_in_fini(&in);
		}
	}
	(void)close(ends[0]);
	(void)close(ends[1]);
	(void)close(spare);
}

/* A request comes as it was made; cut anywhere it is none. */
static void
test_request(void **state UNUSED)
{
	struct trace_whom	got;
	struct fault		f;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct trace_whom w = whom(cases[i].sid, cases[i].user,
		    cases[i].network);
		struct link_out	m;

		link_out_init(&m, MSG_CTL_TRACE);
		trace_put_whom(&m, &w);
		assert_true(m.n <= TRACE_WHOM_MAX);
		for (size_t n = 0; n <= m.n; n++) {
			in = (struct link_in){ .type = m.type, .n = n };
			memcpy(in.b, m.b, n);
			assert_int_equal(trace_get_whom(&in, &got, &f),
			    n == m.n ? 0 : -1);
		}
		assert_memory_equal(&got, &w, sizeof(w));
	}
}

int
main(void)
{
#define CASE(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_whom),
		CASE(test_mad_switch),
		CASE(test_lines),
		CASE(test_lost),
		CASE(test_mad_fields),
		CASE(test_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
