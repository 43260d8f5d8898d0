/* SPDX-License-Identifier: ISC */
/*
 * Runs as: who owns the folder, or front_user when that is root; in the cage of a
 * session, with that folder alone, to read.  Reads from: a mailbox of Cyrus, in whose
 * messages there may be anything.  Fills a file of memory, as who asks an old server
 * does (uidl_key.h).
 */
#include "cmd/uidl_priv.h"

#include "cmd/start.h"
#include "cmd/uidl_key.h"
#include "drop/cyrus.h"
#include "drop/former.h"
#include "role/reach.h"
#include "sys/cage.h"
#include "sys/file.h"
#include "sys/identity.h"
#include "sys/spawn.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define BLOCK		65536		/* octets of the index at a time */

struct reader {
	const struct settings	*settings;
	int			 folder;
	int			 out;
	const char		*format;
	struct cyrus_index	 index;
	uint64_t		 number;	/* of the next message */
	uint32_t		 before;	/* the last row's uid */
};

static uint8_t text[UIDL_HEADER_MAX];
static uint8_t block[BLOCK];

/* Its octets and its header; *known_r false: its file is gone. */
static int
look_at(const struct reader *r, uint32_t uid, uint64_t *size_r,
    struct span *head, bool *known_r, struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	char			name[16];
	struct file_facts	facts;
	ssize_t			n;

	*known_r = false;
	(void)snprintf(name, sizeof(name), "%" PRIu32 ".", uid);
	if (file_open(r->folder, name, FILE_READ, 0, &fd, f) == -1)
		return f->err == ENOENT ? 0 : -1;
	if (file_facts(fd, &facts, f) == -1 ||
	    (n = file_pread(fd, text, sizeof(text), 0, f)) == -1)
		return -1;
	*size_r = facts.size;
	*head = span_of(text, (size_t)n);
	*known_r = true;
	return 0;
}

static int
tell(struct reader *r, uint32_t uid, struct fault *f)
{
	const struct cyrus_index *x = &r->index;
	uint8_t			  digest[MBOX_DIGEST];
	char			  id[DROP_UIDL_MAX + 1];
	struct span		  head = { 0 };
	uint64_t		  size = 0;
	bool			  known;

	if (!former_make(x->named ? r->format : "%u", uid, x->validity, id))
		return fault_set(f, FAULT_PROTO, "--format makes no legal unique-id "
		    "of uid %" PRIu32, uid);
	if (look_at(r, uid, &size, &head, &known, f) == -1)
		return -1;
	known = known && former_head_digest(head, size <= sizeof(text), digest);
	return uidl_key_tell(r->out, known ? digest : NULL, ++r->number, size,
	    span_str(id), f);
}

static int
take_row(struct reader *r, struct span octets, struct fault *f)
{
	struct cyrus_row row;

	cyrus_row(&r->index, octets, &row);
	if (row.uid <= r->before)
		return fault_set(f, FAULT_PROTO, "uid %" PRIu32 " comes after %"
		    PRIu32 " in cyrus.index", row.uid, r->before);
	r->before = row.uid;
	return row.gone ? 0 : tell(r, row.uid, f);
}

static int
take_rows(struct reader *r, int fd, struct fault *f)
{
	size_t		size = r->index.row_size;
	uint64_t	at_once = BLOCK / size;

	for (uint64_t i = 0; i < r->index.n; i += at_once) {
		uint64_t	left = r->index.n - i;
		size_t		want = (size_t)(left < at_once ? left : at_once) *
				    size;
		ssize_t		n = file_pread(fd, block, want,
				    r->index.rows_at + i * size, f);

		if (n == -1)
			return -1;
		if ((size_t)n < want)
			return fault_set(f, FAULT_TEMP, "cyrus.index has become "
			    "shorter meanwhile");
		for (size_t at = 0; at < want; at += size)
			if (take_row(r, span_of(block + at, size), f) == -1)
				return -1;
	}
	return 0;
}

static int
read_mailbox(struct reader *r, struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	uint8_t			start[CYRUS_HEADER_MAX];
	struct file_facts	facts;
	ssize_t			n;

	if (file_open(r->folder, "cyrus.index", FILE_READ, 0, &fd, f) == -1 ||
	    file_facts(fd, &facts, f) == -1 ||
	    (n = file_pread(fd, start, sizeof(start), 0, f)) == -1)
		return -1;
	return cyrus_header(span_of(start, (size_t)n), facts.size, &r->index,
	    f) == -1 ? -1 : take_rows(r, fd, f);
}

/* Not root, whoever that folder belongs to. */
static int
become_owner(const struct reader *r, struct fault *f)
{
	struct identity		id = { 0 };
	struct file_facts	facts;

	if (!identity_is_root())
		return 0;
	if (file_facts(r->folder, &facts, f) == -1)
		return -1;
	id.uid = facts.uid;
	id.gid = facts.gid;
	if (facts.uid == 0 && identity_service(
	    r->settings->role.front_user, &id, f) == -1)
		return -1;
	return identity_become(&id, true, f);
}

static NORETURN void
be_reader(void *ctx)
{
	struct reader	*r = ctx;
	const int	 keep[] = { r->folder, r->out };
	struct fault	 f;
	bool		 degraded;
	int		 status = STATUS_OK;

	fd_close_others(3, keep, ARRAY_LEN(keep));
	if (cage_limits(CAGE_SESSION, &f) == -1 || become_owner(r, &f) == -1 ||
	    reach_reading(r->folder, &f) == -1 ||
	    cage_enter(CAGE_SESSION, &degraded, &f) == -1 ||
	    read_mailbox(r, &f) == -1)
		status = uidl_complain(&f);
	spawn_exit(status);
}

int
uidl_read_cyrus(const struct settings *s, int folder, const char *format,
    int *fd_r, struct fault *f)
{
	AUTO(fd_close) int	out = -1;
	struct reader		r = {
		.settings = s,
		.folder = folder,
		.format = former_format(format),
	};
	int			status;

	if (file_open_memory(&out, f) == -1)
		return -1;
	r.out = out;
	status = uidl_child(be_reader, &r, "who reads the old mailbox", f);
	if (status == STATUS_OK)
		*fd_r = fd_take(&out);
	return status;
}
