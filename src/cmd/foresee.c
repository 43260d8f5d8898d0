/* SPDX-License-Identifier: ISC */
/*
 * Runs as: an operator, and for a database in SQL, when that is root, as auth_user in a
 * child.  Reads from: user databases; the child's message, which may be anything.
 */
#include "cmd/foresee.h"

#include "role/permit.h"
#include "role/wire.h"

#include "sys/file.h"
#include "sys/spawn.h"

#define LATE_MS		60000
#define TOGETHER_MS	5000		/* of all databases: a server stands still */
#define END_MS		1000

/* v NULL: it could not be asked. */
static void
send_foreseen(int link, const struct auth_verdict *v, const struct fault *why)
{
	static const struct identity	nobody;
	UNZEROED struct link_out	m;
	struct fault			f;

	link_out_init(&m, MSG_FORESEEN);
	link_put_u8(&m, v != NULL ? 1 : 0);
	link_put_u8(&m, v != NULL ? (uint8_t)v->result : AUTH_ERROR);
	link_put_u8(&m, v != NULL ? (uint8_t)v->reason : REASON_ERROR);
	link_put_span(&m, span_str(v != NULL ? v->detail : why->text));
	wire_put_identity(&m, v != NULL ? &v->id : &nobody);
	(void)!link_send(link, &m, NULL, 0, &f);	/* then it hears our end */
}

static int
get_foreseen(struct link_in *m, struct auth_verdict *v, struct fault *f)
{
	bool	there = link_get_u8(m) != 0;
	uint8_t	result = link_get_u8(m);
	uint8_t	reason = link_get_u8(m);

	if (result > AUTH_ERROR || reason >= REASON_COUNT ||
	    !link_get_cstr(m, v->detail, sizeof(v->detail)))
		return fault_set(f, FAULT_PEER, "no verdict");
	v->result = (enum auth_result)result;
	v->reason = (enum auth_reason)reason;
	if (wire_get_identity(m, &v->id, f) != 0 || link_get_end(m, f) != 0)
		return -1;
	return there ? 0 : fault_set(f, FAULT_TEMP, "%s", v->detail);
}

/* The settings are read as root, and nothing that the database says. */
static NORETURN void
foresee_there(const struct settings *s, const struct auth_conf *db,
    struct auth_request *q, int link)
{
	static struct auth_verdict	 v;
	const struct auth_ops		*ops = auth_ops_of(db);
	struct identity			 id;
	struct fault			 f;
	void				*state;

	spawn_deadline(LATE_MS / 1000);	/* whether or not somebody still waits */
	if (q == NULL) {
		bool good = ops->prepare(db, &state, &f) == 0;

		send_foreseen(link, good ? &v : NULL, &f);
	} else if (ops->prepare(db, &state, &f) == 0 &&
	    identity_service(s->role.auth_user, &id, &f) == 0 &&
	    identity_become(&id, true, &f) == 0 && ops->connect(state, &f) == 0) {
		auth_foresee(db, state, q, &v);
		send_foreseen(link, &v, NULL);
	} else {
		send_foreseen(link, NULL, &f);
	}
	spawn_exit(0);
}

/* q NULL: whether it can be opened is all.  Who has not answered in ms is killed. */
static int
foresee_in_child(const struct settings *s, const struct auth_conf *db,
    struct auth_request *q, int ms, struct auth_verdict *v, struct fault *f)
{
	AUTO(fd_close) int	ours = -1;
	AUTO(fd_close) int	its = -1;
	UNZEROED struct link_in	in;
	int			status;
	int			got;
	pid_t			pid;

	if (link_pair(&ours, &its, f) != 0 || (pid = spawn_fork(f)) < 0)
		return -1;
	if (pid == 0)
		foresee_there(s, db, q, its);
	fd_close(&its);
	got = link_recv(ours, permit_foreseen, permit_foreseen_n, 0, ms, &in, f);
	if (got == 0)
		(void)fault_set(f, FAULT_TEMP, "it ended without a word");
	if (got == 1) {
		got = get_foreseen(&in, v, f) == 0 ? 1 : -1;
		link_in_fini(&in);
	}
	if (got < 0)
		spawn_kill(pid);
	(void)spawn_wait(pid, END_MS, &status);
	return got == 1 ? 0 : -1;
}

int
foresee(const struct settings *s, const struct auth_conf *db,
    struct auth_request *q, struct auth_verdict *v, struct fault *f)
{
	void *state;

	*v = (struct auth_verdict){ 0 };
	if (auth_ops_of(db)->connect != NULL && identity_is_root())
		return foresee_in_child(s, db, q, LATE_MS, v, f);
	if (auth_open(db, &state, f) != 0)
		return -1;
	auth_foresee(db, state, q, v);
	auth_ops_of(db)->done(state);
	return 0;
}

int
foresee_databases(const struct settings *s, struct fault *f)
{
	static struct auth_verdict	v;
	struct auth_conf		one = s->auth;
	struct fault			why;
	uint64_t			end = clock_ms() + TOGETHER_MS;

	for (size_t i = 0; i < auth_databases(&one); i++) {
		uint64_t now = clock_ms();

		auth_select(&one, i);
		if (foresee_in_child(s, &one, NULL, now < end ? (int)(end - now) :
		    1, &v, &why) != 0)
			return fault_set(f, FAULT_PERM, "nobody could log in by"
			    " database %s: %s", one.db, why.text);
	}
	return 0;
}
