/* SPDX-License-Identifier: ISC */
/* The monitor's code against children that have been taken over. */
#include "role/monitor_stage_test.h"

static void
test_stranger(void **state UNUSED)
{
	struct say s = { 0 };

	do {
		if (is(&s, MSG_ASK, 1, 0))
			continue;
		run(STRANGER, &s);
		expect("", "front-misbehaved");
	} while (next_say(&s));
}

/* It decides what a worker opens before it has read the record. */
static void
test_no_method(void **state UNUSED)
{
	const struct say s = { .type = MSG_ASK, .n = 1, .fill = AUTH_METHODS };

	run(STRANGER, &s);
	expect("", "front-misbehaved");
}

static void
test_asked(void **state UNUSED)
{
	struct say s = { 0 };

	do {
		run(ASKED, &s);
		if (strcmp(out.trail, "W") != 0)	/* W has just begun */
			expect("", "front-misbehaved");
		else
			expect("W", "front-misbehaved");
	} while (next_say(&s));
}

static void
test_granted(void **state UNUSED)
{
	struct say s = { 0 };

	do {
		run(GRANTED, &s);
		if (is(&s, MSG_HANDOVER, 1, 1) ||
		    is(&s, MSG_HANDOVER_RELAY, 1, 1))
			expect("WyS", NULL);
		else
			expect("Wy", "front-misbehaved");
	} while (next_say(&s));
}

static void
test_worker(void **state UNUSED)
{
	struct say s = { 0 };

	do {
		run(WORKER, &s);
		if (is(&s, MSG_DENY, 1, 0))
			expect("Wn", NULL);
		else if (is(&s, MSG_WENT_ON, 0, 0))
			expect("Wc", NULL);
		else if (s.type == MSG_GRANT && s.fds == 0 && s.n > 0 &&
		    s.n < BODY)
			expect("We", "grant-refused");
		else
			expect("We", "worker-died");
	} while (next_say(&s));
}

/* While the worker waits for the client's response. */
static void
test_exchange(void **state UNUSED)
{
	struct say s = { 0 };

	do {
		run(EXCHANGE, &s);
		if (is(&s, MSG_WENT_ON, 0, 0))
			expect("Wc", "login-failed");
		else if (is(&s, MSG_ABORT, 0, 0))
			expect("Wc", NULL);
		else
			expect("Wc", "front-misbehaved");
	} while (next_say(&s));
}

/* A front that takes its guess back once the worker has said that it was wrong. */
static void
test_behind_our_back(void **state UNUSED)
{
	const struct say s = { .type = MSG_ABORT };

	assert_int_equal(pipe(script.spoken), 0);
	run(BEHIND, &s);
	(void)close(script.spoken[0]);
	(void)close(script.spoken[1]);
	expect("Wc", "front-misbehaved");
}

/* Which questions a session may ask, and what comes: D, d, F or w.  Of UNLOCK nothing
 * does, and without a dotlock it is nonsense. */
static const char *
session_answer(const struct say *s, bool recovery)
{
	static const struct {
		const char *in_session;
		const char *in_recovery;
	} answers[MAD_TYPES] = {
		[MSG_LOCK_SCAN]		= { "d", "d" },	/* not root's folder */
		[MSG_LOCK_UPDATE]	= { "d", "d" },
		[MSG_REFRESH]		= { "d", "d" },
		[MSG_TEMPFILE]		= { "F", "F" },
		[MSG_JOURNAL]		= { "F", "F" },
		[MSG_RESERVE]		= { "F", "F" },
		[MSG_INDEX]		= { "F", NULL },
		[MSG_LEGACY]		= { "d", "d" },	/* there is none */
		[MSG_RELEASE]		= { "D", NULL },
		[MSG_GIVE_UP]		= { "D", NULL },
		[MSG_DRAFT]		= { "d", NULL }, /* no sendmail */
		[MSG_SUBMIT]		= { "wd", NULL }, /* nonsense is no file */
		[MSG_FORGET]		= { "wd", NULL },
	};

	if (s->n != 0 || s->fds != 0)
		return NULL;
	return recovery ? answers[s->type].in_recovery :
	    answers[s->type].in_session;
}

static void
test_session(void **state UNUSED)
{
	struct say s = { 0 };

	do {
		const char	*answer = session_answer(&s, false);
		char		 want[8];

		(void)snprintf(want, sizeof(want), "WyS%s",
		    answer != NULL ? answer : "");
		run(SESSION, &s);
		if (is(&s, MSG_RESERVE, 0, 0)) {
			/* a journal of zeros: it looks like an UPDATE */
			expect("WySFRd", "recovery-open");
			continue;
		}
		expect(want, answer != NULL ? NULL : "session-misbehaved");
		if (answer == NULL)
			assert_non_null(strstr(out.log, "reason=crash"));
	} while (next_say(&s));
}

/* What is handed over, and is not what was wanted, is refused; what never comes, too. */
static void
test_handed(void **state UNUSED)
{
	static const uint16_t	types[] = { MSG_SUBMIT, MSG_FORGET };
	static const struct say	nonsense[] = {
		{ .type = MSG_HANDED, .fds = 1 },
		{ .type = MSG_HANDED },		/* of no octet */
		{ .type = MSG_HANDED, .n = 1 },	/* and no end */
		{ .type = MSG_HANDED, .fds = 1, .n = 1 },
		{ .type = MSG_FILE, .fds = 1 },
		{ .type = MSG_DONE, .n = 9 },
	};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		const struct say question = { .type = types[i] };

		for (size_t k = 0; k <= ARRAY_LEN(nonsense); k++) {
			script.silent = k == ARRAY_LEN(nonsense);
			if (!script.silent)
				script.handed = nonsense[k];
			run(SESSION, &question);
			expect("WySwd", NULL);
		}
	}
	script.silent = false;
}

static void
test_recovery(void **state UNUSED)
{
	struct say s = { 0 };

	do {
		const char	*answer = session_answer(&s, true);
		char		 want[8];

		if (s.n == BODY || s.fds == 2)
			continue;
		(void)snprintf(want, sizeof(want), "WySR%s",
		    answer != NULL ? answer : "");
		run(RECOVERY, &s);
		expect(want, answer != NULL ? "recovery-open" :
		    "session-misbehaved");
	} while (next_say(&s));
}

/* The log links are for one question. */
static void
test_log_links(void **state UNUSED)
{
	struct say s = { 0 };

	do {
		if (is(&s, MSG_LOG_ASK, 0, 0))
			continue;
		run(FRONT_LOG, &s);
		expect("", "log-link-misbehaved");
		if (s.n == BODY || s.fds == 2)
			continue;
		run(SESSION_LOG, &s);
		expect("WyS", "log-link-misbehaved");
	} while (next_say(&s));
}

/* What bounds a child that says nothing wrong, or nothing. */
static void
test_bounds(void **state UNUSED)
{
	conf.role.auth_tries = 2;
	run(FRONT_ASKS_ON, NULL);
	expect("WnWn", "more questions than auth_tries");
	conf.role.auth_tries = 1;
	run(WORKER_DIES, NULL);
	expect("We", "worker-died");
	run(FRONT_DIES, NULL);
	expect("", "front-died");
	run(SESSION_CLOSES, NULL);
	expect("WyS", "session-misbehaved");
	run(SESSION_FLOODS, NULL);
	assert_non_null(strstr(out.log, "session-misbehaved"));
	assert_int_equal(out.status, 0);
}

/* -------------------------------------------------- whose connection it is */

static void
list(struct conf_list *l, const char *item)
{
	*l = (struct conf_list){ .n = 1, .item = { item } };
}

/* From 127.0.0.1, through the network, to an address with these rules. */
static void
run_at(const char *rules)
{
	static char		line[100];
	struct sock_addr	at;
	struct fault		f;
	int			client[2];

	mad_connect(&client[0], &client[1], &at);
	assert_int_equal(sock_local(client[1], &at, &f), 0);
	(void)snprintf(line, sizeof(line), "127.0.0.1:%u %s", at.port, rules);
	list(&conf.role.listen, line);
	script.where = ANNOUNCES;
	script.say = (struct say){ 0 };
	run_for(client);
}

/* What the front tells before it asks: "p" and "x" by PROXY header and XCLIENT, "i"
 * the proxy itself; p is 192.0.2.9, x 192.0.2.10. */
static void
plan(const char *letters)
{
	struct sock_addr a = { .family = 4, .raw = { 192, 0, 2, 9 } };

	script.nclients = strlen(letters);
	for (size_t i = 0; i < script.nclients; i++) {
		struct link_out *m = &script.clients[i];

		link_out_init(m, letters[i] == 'i' ? MSG_CLIENT_ITSELF :
		    MSG_CLIENT);
		if (letters[i] == 'i')
			continue;
		a.raw[3] = letters[i] == 'p' ? 9 : 10;
		link_put_u8(m, letters[i] == 'x');
		wire_put_peer(m, &a);
	}
}

static void
test_announced(void **state UNUSED)
{
	static const char	proxy[] = "proxy";
	static const char	few[] = "proxy networks=10.0.0.0/8";
	static const char	here[] = "networks=127.0.0.1";
	static const char	mad[] = "front-misbehaved";
	static const struct {
		const char	*rules;
		const char	*proxies;
		const char	*xclients;
		const char	*tells;
		const char	*trail;
		const char	*log;
	} cases[] = {
		{ proxy, "127.0.0.1", "1.1.1.1", "p", "W192.0.2.9n", NULL },
		{ proxy, "127.0.0.1", "1.1.1.1", "i", "W127.0.0.1n", NULL },
		{ proxy, "127.0.0.1", "1.1.1.1", "", "", mad },
		{ proxy, "127.0.0.1", "1.1.1.1", "pp", "", mad },
		{ proxy, "127.0.0.1", "1.1.1.1", "ip", "", mad },
		{ proxy, "127.0.0.1", "1.1.1.1", "pi", "", mad },
		{ proxy, "127.0.0.1", "1.1.1.1", "ii", "", mad },
		{ proxy, "127.0.0.2", "1.1.1.1", "p", "",
		    "it is not in proxy_networks" },
		/* XCLIENT is for who the header announces */
		{ proxy, "127.0.0.1", "127.0.0.1", "x", "", mad },
		{ proxy, "127.0.0.1", "127.0.0.1", "px", "", mad },
		{ proxy, "127.0.0.1", "127.0.0.1", "ix", "W192.0.2.10n", NULL },
		{ proxy, "127.0.0.1", "192.0.2.9", "px", "W192.0.2.10n", NULL },
		{ "", "127.0.0.1", "127.0.0.1", "", "W127.0.0.1n", NULL },
		{ "", "127.0.0.1", "127.0.0.1", "p", "", mad },
		{ "", "127.0.0.1", "127.0.0.1", "i", "", mad },
		{ "", "127.0.0.1", "127.0.0.1", "x", "W192.0.2.10n", NULL },
		{ "", "127.0.0.1", "0.0.0.0/0", "xx", "", mad },
		{ "", "127.0.0.1", "127.0.0.2", "x", "", mad },
		/* networks= is about who connects, as far as that is known */
		{ few, "127.0.0.1", "1.1.1.1", "p", "", mad },
		{ few, "127.0.0.1", "1.1.1.1", "i", "W127.0.0.1n", NULL },
		{ here, "127.0.0.1", "1.1.1.1", "", "W127.0.0.1n", NULL },
		{ here, "127.0.0.1", "127.0.0.1", "x", "W192.0.2.10n", NULL },
		{ "networks=10.0.0.0/8", "127.0.0.1", "1.1.1.1", "", "", mad },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		list(&conf.role.proxy_networks, cases[i].proxies);
		list(&conf.role.xclient_networks, cases[i].xclients);
		plan(cases[i].tells);
		run_at(cases[i].rules);
		if (out.status != 0 || strcmp(out.trail, cases[i].trail) != 0)
			fail_msg("%zu: %s", i, out.trail);
		expect(cases[i].trail, cases[i].log);
	}
}

/* What is one octet short, or long, and addresses that are none. */
static void
test_announced_nonsense(void **state UNUSED)
{
	static const struct {
		uint8_t		xclient;
		uint8_t		family;
		size_t		n;
		uint32_t	port;
	} bad[] = {
		{ 2, 4, 4, 1 }, { 0, 0, 0, 1 }, { 0, 4, 16, 1 }, { 0, 6, 4, 1 },
		{ 0, 9, 0, 1 }, { 0, 4, 0, 1 }, { 0, 4, 4, 65536 },
	};
	struct link_out	*m = &script.clients[0];
	struct link_out	 whole;

	list(&conf.role.proxy_networks, "127.0.0.1");
	plan("p");
	whole = *m;
	for (size_t n = 0; n < whole.n; n++) {
		link_out_init(m, whole.type);
		link_put_raw(m, span_of(whole.b, n));
		run_at("proxy");
		expect("", "front-misbehaved");
	}
	*m = whole;
	link_put_u8(m, 0);
	run_at("proxy");
	expect("", "front-misbehaved");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		static const uint8_t raw[16] = { 192, 0, 2, 9 };

		link_out_init(m, MSG_CLIENT);
		link_put_u8(m, bad[i].xclient);
		link_put_u8(m, bad[i].family);
		link_put_span(m, span_of(raw, bad[i].n));
		link_put_u32(m, bad[i].port);
		run_at("proxy");
		expect("", "front-misbehaved");
	}
}

/* ------------------------------------------------------------------ grants */

/* Refused: the front is told ERROR, no session begins. */
static void
refuse(const struct link_out *m, const char *why)
{
	script.grant = m;
	run(WORKER_GRANTS, NULL);
	script.grant = NULL;
	expect("We", why);
}

static void
refuse_identity(const struct identity *id, const char *why)
{
	static struct link_out m;

	put_grant(&m, id);
	refuse(&m, why);
}

static void
test_grants(void **state UNUSED)
{
	static const struct {
		uid_t		 uid;
		gid_t		 gid;
		const char	*why;
	} ids[] = {
		{ 0, 65533, "uid" },
		{ 999, 65533, "uid" },
		{ 65535, 65533, "uid" },
		{ UINT32_MAX, 65533, "uid" },
		{ 65533, 0, "gid" },
		{ 65533, 99, "gid" },
		{ 65533, 4711, "gid" },
		{ 65533, UINT32_MAX, "gid" },
	};
	static struct link_out	m;
	static struct link_out	whole;
	struct identity		id;

	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		id = user;
		id.uid = ids[i].uid;
		id.gid = ids[i].gid;
		refuse_identity(&id, ids[i].why);
	}
	id = user;
	id.ngids = IDENTITY_GIDS_MAX + 1;
	refuse_identity(&id, "groups");
	id.ngids = UINT32_MAX;
	refuse_identity(&id, "groups");
	id = user;
	(void)snprintf(id.home, sizeof(id.home), "/home/ann\nuid 33");
	refuse_identity(&id, "control characters");
	id = user;
	(void)snprintf(id.maildrop, sizeof(id.maildrop), "/x\177");
	refuse_identity(&id, "control characters");
	/* What is one octet short, or long, at every place. */
	put_grant(&whole, &user);
	for (size_t n = 1; n < whole.n; n++) {
		link_out_init(&m, whole.type);
		link_put_raw(&m, span_of(whole.b, n));
		refuse(&m, "grant-refused");
	}
	put_grant(&m, &user);
	link_put_u8(&m, 0);
	refuse(&m, "too many");
}

/* Names and paths that are longer than they may be, or hold a NUL. */
static void
test_grant_texts(void **state UNUSED)
{
	static const struct {
		size_t	user;
		size_t	home;
		size_t	drop;
		uint8_t	fill;
	} texts[] = {
		{ IDENTITY_USER_MAX + 1, 0, 0, 'x' },
		{ 3, IDENTITY_PATH_MAX + 1, 0, 'x' },
		{ 3, 0, IDENTITY_PATH_MAX + 1, 'x' },
		{ 3, 3, 3, '\0' },
		{ 0, 3, 3, '\0' },
		{ 0, 0, 3, '\0' },
	};
	static uint8_t		text[IDENTITY_PATH_MAX + 1];
	static struct link_out	m;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		memset(text, texts[i].fill, sizeof(text));
		link_out_init(&m, MSG_GRANT);
		link_put_span(&m, span_of(text, texts[i].user));
		link_put_u32(&m, user.uid);
		link_put_u32(&m, user.gid);
		link_put_u32(&m, 0);
		link_put_span(&m, span_of(text, texts[i].home));
		link_put_span(&m, span_of(text, texts[i].drop));
		link_put_u8(&m, 0);
		refuse(&m, "grant-refused");
	}
	put_grant(&m, &user);
	m.b[m.n - 6] = AUTH_METHODS;
	refuse(&m, "grant-refused");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stranger),
		cmocka_unit_test(test_no_method),
		cmocka_unit_test(test_asked),
		cmocka_unit_test(test_granted),
		cmocka_unit_test(test_worker),
		cmocka_unit_test(test_exchange),
		cmocka_unit_test(test_behind_our_back),
		cmocka_unit_test(test_session),
		cmocka_unit_test(test_handed),
		cmocka_unit_test(test_recovery),
		cmocka_unit_test(test_log_links),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_announced),
		cmocka_unit_test(test_announced_nonsense),
		cmocka_unit_test(test_grants),
		cmocka_unit_test(test_grant_texts),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
