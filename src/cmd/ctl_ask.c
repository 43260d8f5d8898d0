/* SPDX-License-Identifier: ISC */
/*
 * Servers are asked, and what they say is printed.
 *
 * Runs as: an operator, in ctl.c.  Reads from: popper serve.  Trusts: it for what it
 * says; texts in it are strangers' and escaped.
 */
#include "cmd/ctl_priv.h"

#include "role/permit.h"
#include "role/wire.h"

#include "sys/file.h"
#include "sys/local.h"
#include "watch/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

bool
job_is_absent(const struct fault *f)
{
	return f->err == ENOENT || f->err == ECONNREFUSED;
}

int
job_complain(const struct fault *f)
{
	if (job_is_absent(f)) {
		fprintf(stderr, "popper ctl: popper serve does not run here (%s)\n",
		    f->text);
		return STATUS_FAILED;
	}
	fprintf(stderr, "popper ctl: %s%s\n", f->text, f->err == EACCES ?
	    "; root, and members of ctl_group, may ask" : "");
	if (f->class == FAULT_AUTH || f->err == EACCES)
		return STATUS_DENIED;
	if (f->class == FAULT_PERM)
		return STATUS_CONFIG;
	return f->class == FAULT_TEMP ? STATUS_TEMP : STATUS_FAILED;
}

static void
print_json_text(const char *text)
{
	char	value[LOG_JSON_MAX];

	log_json(value, span_str(text));
	fputs(value, stdout);
}

static const char *
shown(const char *text, char value[LOG_VALUE_MAX])
{
	log_value(value, LOG_VALUE_MAX, span_str(text[0] == '\0' ? "-" : text));
	return value;
}

static const char *const stages[PLACES_STAGES] = {
	[PLACES_EXPECTED]	= "login",
	[PLACES_RUNS]		= "session",
	[PLACES_UPDATES]	= "update",
	[PLACES_RECOVERS]	= "recovery",
};

static void
print_row_json(const struct ctl_row *row, const char *sid)
{
	const struct places_view *v = &row->view;

	printf("{\"sid\":\"%s\",\"pid\":%" PRIu32 ",\"age_s\":%" PRIu64
	    ",\"stage\":\"%s\",\"ip\":\"%s\",\"user\":", sid, v->pid,
	    v->age_ms / 1000, stages[v->stage], v->peer->text);
	print_json_text(v->user);
	printf(",\"maildrop\":");
	print_json_text(v->path);
	printf(",\"db\":");
	print_json_text(row->db);
	printf(",\"method\":\"%s\"}\n", auth_method_word(row->method));
}

static int
print_session(struct job *j, struct link_in *in, struct fault *f)
{
	struct ctl_row	row;
	char		sid[WIRE_SID_MAX];
	char		user[LOG_VALUE_MAX];
	char		path[LOG_VALUE_MAX];
	char		db[LOG_VALUE_MAX];

	if (ctl_get_session(in, &row, f) != 0)
		return -1;
	wire_sid_text(row.view.sid, sid);
	if (j->json) {
		print_row_json(&row, sid);
		return 0;
	}
	if (j->rows++ == 0)
		printf("%-12s  %7s  %7s  %-8s  %-15s  %-16s  %-8s  %-11s  %s\n",
		    "SID", "PID", "AGE_S", "STAGE", "IP", "USER", "DB", "METHOD",
		    "MAILDROP");
	printf("%-12s  %7" PRIu32 "  %7" PRIu64 "  %-8s  %-15s  %-16s  %-8s"
	    "  %-11s  %s\n", sid, row.view.pid, row.view.age_ms / 1000,
	    stages[row.view.stage], row.peer.text, shown(row.user, user),
	    shown(row.db, db), auth_method_word(row.method),
	    shown(row.path, path));
	return 0;
}

void
job_show(struct job *j, const char *name, const char *text, uint64_t number)
{
	char value[LOG_VALUE_MAX];

	if (j->json) {
		putchar(j->rows == 0 ? '{' : ',');
		print_json_text(name);
		putchar(':');
	} else {
		printf("%-28s ", name);
	}
	if (text == NULL)
		printf("%" PRIu64, number);
	else if (j->json)
		print_json_text(text);
	else
		printf("%s", shown(text, value));
	if (!j->json)
		putchar('\n');
	j->rows++;
}

static int
take_fact(struct job *j, struct link_in *in, struct fault *f)
{
	char		name[CTL_NAME_MAX + 1];
	char		text[CTL_TEXT_MAX + 1];
	bool		is_number;
	uint64_t	number;

	if (!link_get_cstr(in, name, sizeof(name)))
		return fault_set(f, FAULT_PEER, "a fact");
	is_number = link_get_u8(in) != 0;
	number = link_get_u64(in);
	if (!link_get_cstr(in, text, sizeof(text)) || link_get_end(in, f) != 0)
		return fault_set(f, FAULT_PEER, "a fact");
	if (j->wants != NULL && !j->wants(name))
		return 0;
	if (j->tell != NULL)
		j->tell(name, text);
	else
		job_show(j, name, is_number ? NULL : text, number);
	return 0;
}

int
job_connect(const struct job *j, size_t nth, int *fd_r, struct fault *f)
{
	char path[IDENTITY_PATH_MAX + 1];

	ctl_path(&j->settings, nth, path, sizeof(path));
	return local_connect(path, fd_r, f);
}

int
job_read_done(struct link_in *in, uint32_t *n_r, struct fault *f)
{
	char	text[CTL_TEXT_MAX + 1];
	uint8_t	class = link_get_u8(in);

	*n_r += link_get_u32(in);
	if (!link_get_cstr(in, text, sizeof(text)) || class > FAULT_PEER)
		return fault_set(f, FAULT_PEER, "an answer");
	return class == FAULT_NONE ? 0 : fault_set(f, (enum fault_class)class,
	    "%s", text);
}

/* 0: all was said, *n_r is so many more; -1: a fault, or an answer was a no. */
static int
read_answers(struct job *j, int fd, uint32_t *n_r, struct fault *f)
{
	struct link_in	in;
	bool		done = false;
	int		got;
	int		result = 0;

	while (result == 0 && (j->from_all || !done)) {
		got = link_recv(fd, permit_ctl_answer, permit_ctl_answer_n, 0,
		    j->wait_ms, &in, f);
		if (got == 0 && done)
			break;
		if (got <= 0)
			return got < 0 ? -1 : fault_set(f, FAULT_TEMP,
			    "popper serve has given up answering");
		done = in.type == MSG_CTL_DONE;
		result = done ? job_read_done(&in, n_r, f) :
		    in.type == MSG_CTL_SESSION ? print_session(j, &in, f) :
		    in.type == MSG_CTL_FACT ? take_fact(j, &in, f) :
		    fault_set(f, FAULT_PEER, "an answer");
		link_in_fini(&in);
	}
	return result;
}

/* What the next server says is an object, or a part, of its own. */
static void
part(struct job *j, uint16_t type)
{
	if (j->json && j->rows > 0) {
		printf("}\n");
		j->rows = 0;
	} else if (!j->json && type == MSG_CTL_STATUS) {
		putchar('\n');
	}
}

static int
ask_one(struct job *j, size_t nth, bool more, uint16_t type, uint32_t *n_r,
    struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	struct link_out		m;

	link_out_init(&m, type);
	ctl_put_whom(&m, &j->whom);
	if (job_connect(j, nth, &fd, f) != 0 ||
	    link_send(fd, &m, NULL, 0, f) != 0)
		return -1;
	if (more)
		part(j, type);
	return read_answers(j, fd, n_r, f);
}

int
job_ask(struct job *j, uint16_t type, uint32_t *n_r)
{
	struct fault	first;
	struct fault	f = { 0 };
	int		status = STATUS_OK;
	bool		found = false;

	*n_r = 0;
	for (size_t n = 0; n < CTL_SERVERS_MAX; n++) {
		bool failed = ask_one(j, n, found, type, n_r, &f) != 0;

		if (n == 0)
			first = f;
		if (failed && job_is_absent(&f))
			continue;
		found = true;
		if (failed)
			status = job_complain(&f);
	}
	return found ? status : job_complain(&first);
}
