/* SPDX-License-Identifier: ISC */
/*
 * Runs as: the session (ask_host), root (ask_serve).  The monitor reads from the
 * session nothing but a type; what SUBMIT and FORGET are about comes in parts, on a
 * link of its own that ask_serve makes, and is copied unread.
 */
#include "role/ask.h"

#include "role/permit.h"

#include "drop/promise.h"

#include "sys/file.h"
#include "sys/sock.h"
#include "watch/log.h"

#include <inttypes.h>

/* Longer than anything the monitor does for a session (host.h). */
#define ASK_TIMEOUT_MS		180000
#define HANDED_TIMEOUT_MS	30000	/* from WANTED on: the session does nothing else */
#define HANDED_PART		(LINK_PACKET_MAX - LINK_HEADER)

static enum fault_class
class_of(uint8_t v)
{
	return v <= FAULT_PEER ? (enum fault_class)v : FAULT_PEER;
}

/* A file when one was asked for, or how it went. */
static int
read_done(struct link_in *m, int *fd_r, struct fault *f)
{
	uint8_t		class;
	uint32_t	err;
	char		text[sizeof(f->text)];

	if (m->type == MSG_FILE && fd_r != NULL) {
		*fd_r = link_get_fd(m, 0);
		return 0;
	}
	if (m->type == MSG_FILE)
		return fault_set(f, FAULT_PEER, "a file that was not asked for");
	if (m->type == MSG_WANTED)
		return fault_set(f, FAULT_PEER, "a file is wanted, and there is none");
	class = link_get_u8(m);
	err = link_get_u32(m);
	if (!link_get_cstr(m, text, sizeof(text)) || link_get_end(m, f) != 0)
		return fault_set(f, FAULT_PEER, "the monitor's answer is bad");
	if (class != FAULT_NONE) {
		(void)fault_set(f, class_of(class), "%s", text);
		f->err = (int)err;
		return -1;
	}
	return fd_r == NULL ? 0 : fault_set(f, FAULT_PEER, "no file came");
}

int
ask_tell(int link, uint16_t type, struct fault *f)
{
	static struct link_out out;

	link_out_init(&out, type);
	return link_send(link, &out, NULL, 0, f) == 0 ? 0 :
	    fault_prefix(f, "telling the monitor: ");
}

static int
hear_done(int link, struct link_in *m, struct fault *f)
{
	switch (link_recv(link, permit_done, permit_done_n, 0, ASK_TIMEOUT_MS, m, f)) {
	case 1:
		return 0;
	case 0:
		return fault_set(f, FAULT_TEMP, "the monitor is gone");
	default:
		return fault_prefix(f, "the monitor's answer: ");
	}
}

/* All parts, and an empty one.  If that fails, DONE says so: it comes in any case. */
static void
hand_over(struct link_in *wanted, int file)
{
	static struct link_out	out;
	static uint8_t		part[HANDED_PART];
	AUTO(fd_close) int	to = link_get_fd(wanted, 0);
	uint64_t		off = 0;
	ssize_t			n;
	struct fault		f;

	do {
		n = file_pread(file, part, sizeof(part), off, &f);
		if (n < 0)
			return;
		off += (uint64_t)n;
		link_out_init(&out, MSG_HANDED);
		link_put_raw(&out, span_of(part, (size_t)n));
	} while (link_send_wait(to, &out, &f) == 0 && n > 0);
}

int
ask_host(int link, uint16_t type, const int *file, int *fd_r, struct fault *f)
{
	/* Not on the stack, where each page of them would be a new one. */
	static struct link_out	out;
	static struct link_in	in;
	int			result;

	link_out_init(&out, type);
	if (link_send(link, &out, NULL, 0, f) != 0)
		return fault_prefix(f, "asking the monitor: ");
	result = hear_done(link, &in, f);
	if (result == 0 && in.type == MSG_WANTED && file != NULL) {
		hand_over(&in, *file);
		result = hear_done(link, &in, f);
	}
	if (result != 0)
		return -1;
	result = read_done(&in, fd_r, f);
	link_in_fini(&in);
	return result;
}

/* What touches a maildrop is done for the holder of its session lock alone:
 * somebody else's UPDATE may be under way. */
static bool
wants_maildrop(uint16_t type)
{
	return type != MSG_TEMPFILE && type != MSG_DRAFT &&
	    type != MSG_SUBMIT && type != MSG_RELEASE && type != MSG_GIVE_UP;
}

int
ask_direct(struct host *h, uint16_t type, int message, int *fd_r,
    struct fault *f)
{
	if (wants_maildrop(type) && !h->locked)
		return fault_set(f, FAULT_PEER, "message %u: the maildrop is"
		    " not this session's", type);
	switch (type) {
	case MSG_LOCK_SCAN:
		return host_lock(h, DROP_LOCK_SCAN, f);
	case MSG_LOCK_UPDATE:
		return host_lock(h, DROP_LOCK_UPDATE, f);
	case MSG_REFRESH:
		return host_refresh(h, f);
	case MSG_UNLOCK:
		return host_unlock(h, f);
	case MSG_TEMPFILE:
		return host_tempfile(h, fd_r, f);
	case MSG_DRAFT:
		return host_draft(h, fd_r, f);
	case MSG_JOURNAL:
		return host_journal(h, false, fd_r, f);
	case MSG_RESERVE:
		return host_journal(h, true, fd_r, f);
	case MSG_INDEX:
		return host_index(h, fd_r, f);
	case MSG_LEGACY:
		return host_drop_legacy(h, f);
	case MSG_RELEASE:
		host_session_end(h);
		return 0;
	case MSG_GIVE_UP:
		host_session_give_up(h);
		return 0;
	case MSG_SUBMIT:
		return host_submit(h, message, f);
	case MSG_FORGET:
		return host_forget(h, message, f);
	default:
		return fault_set(f, FAULT_PEER, "message %u", type);
	}
}

/* Not on the stack, as in ask_host. */
static struct link_out answer;

static int
send_done(int link, const struct fault *why, struct fault *f)
{
	link_out_init(&answer, MSG_DONE);
	link_put_u8(&answer, (uint8_t)why->class);
	link_put_u32(&answer, (uint32_t)why->err);
	link_put_span(&answer, span_str(why->text));
	return link_send(link, &answer, NULL, 0, f);
}

/* Of a part: how many octets it had, now at *size of the file; -1. */
static ssize_t
take_part(int from, int file, uint64_t size, uint64_t most, int wait_ms,
    struct fault *f)
{
	static struct link_in	in;
	ssize_t			n;

	switch (link_recv(from, permit_handed, permit_handed_n, 0, wait_ms, &in, f)) {
	case 1:
		break;
	case 0:
		return fault_set(f, FAULT_PEER, "it was not handed over whole");
	default:
		return -1;
	}
	n = (ssize_t)in.n;
	if (in.n > most - size)
		n = fault_set(f, FAULT_PEER, "more than %" PRIu64 " octets were"
		    " handed over", most);
	else if (in.n > 0 && file_pwrite(file, in.b, in.n, size, f) != 0)
		n = -1;
	link_in_fini(&in);
	return n;
}

/* A copy of what is to be sent, or to be forgotten, in a file that is nobody else's. */
static int
fetch_file(int link, struct host *h, uint64_t most, int *file_r, struct fault *f)
{
	const uint64_t		until = clock_ms() + HANDED_TIMEOUT_MS;
	AUTO(fd_close) int	file = -1;
	AUTO(fd_close) int	ours = -1;
	AUTO(fd_close) int	theirs = -1;
	uint64_t		size = 0;
	ssize_t			n;

	link_out_init(&answer, MSG_WANTED);
	if (host_tempfile(h, &file, f) != 0 || link_pair(&ours, &theirs, f) != 0 ||
	    link_send(link, &answer, &theirs, 1, f) != 0)
		return -1;
	fd_close(&theirs);
	do {
		uint64_t now = clock_ms();

		n = take_part(ours, file, size, most, now < until ?
		    (int)(until - now) : 0, f);
		if (n < 0)
			return fault_prefix(f, "what was wanted: ");
		size += (uint64_t)n;
	} while (n > 0);
	*file_r = fd_take(&file);
	return 0;
}

/* No answer holds a session back that says it again and again: nonsense ends it, or each
 * would be a line in the log. */
static int
unlocked(const struct fault *why, struct fault *f)
{
	if (why->class == FAULT_PEER) {
		*f = *why;
		return -1;
	}
	if (why->class != FAULT_NONE)
		log_fault(LEVEL_WARN, "drop-unlock-failed", why);
	return 0;
}

int
ask_serve(int link, uint16_t type, struct host *h, struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	AUTO(fd_close) int	file = -1;
	struct fault		why = { 0 };
	bool			wants = type == MSG_SUBMIT || type == MSG_FORGET;
	uint64_t		most = type == MSG_SUBMIT ?
				    h->conf->xtnd.xmit_max_size : PROMISE_DEAD_MAX;

	/* What went well may have met a fault on its way. */
	if ((!wants || fetch_file(link, h, most, &file, &why) == 0) &&
	    ask_direct(h, type, file, &fd, &why) == 0)
		why = (struct fault){ 0 };
	else if (why.class == FAULT_NONE)
		why.class = FAULT_TEMP;
	if (type == MSG_UNLOCK)
		return unlocked(&why, f);
	if (fd >= 0) {
		link_out_init(&answer, MSG_FILE);
		return link_send(link, &answer, &fd, 1, f);
	}
	return send_done(link, &why, f);
}

void
ask_refuse(int link)
{
	struct fault why;
	struct fault f;

	(void)fault_set(&why, FAULT_TEMP, "nobody could look at it");
	if (send_done(link, &why, &f) != 0)
		log_fault(LEVEL_ERR, "session-link", &f);
}
