/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root (the user himself with isolation = single).  Reads from: a file of
 * its own; any octets are a row, and a row makes nobody wait longer than
 * his delay.
 */
#include "role/pace.h"

#include "drop/digest.h"

#include "sys/file.h"
#include "sys/sock.h"
#include "watch/log.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#define BUCKETS	65536u			/* with ROWS: 4 MiB, as far as used */
#define ROWS	4u
#define WRITE	(FILE_READ | FILE_WRITE | FILE_CREATE)

/* In seconds of this boot, which begins at 1; 0: never. */
struct row {
	uint64_t	tag;		/* digest of the lock's name */
	uint32_t	counted;	/* when the last login that counts was */
	uint32_t	begun;		/* the last of all */
};
static_assert(sizeof(struct row) == 16, "rows of the file");

struct table {
	int		fd;		/* owns */
	uint64_t	off;		/* of the bucket */
	struct row	rows[ROWS];
	struct row	*row;		/* of this maildrop */
	uint32_t	now;
};

static uint32_t
age(const struct table *t, uint32_t when)
{
	return when == 0 || when > t->now ? UINT32_MAX : t->now - when;
}

/* Its own row, or that of who has been away longest, emptied. */
static struct row *
find(struct table *t, uint64_t tag)
{
	struct row *oldest = &t->rows[0];

	for (size_t i = 0; i < ROWS; i++) {
		struct row *r = &t->rows[i];

		if (r->tag == tag)
			return r;
		if (age(t, r->begun) > age(t, oldest->begun))
			oldest = r;
	}
	*oldest = (struct row){ .tag = tag };
	return oldest;
}

static int
table_open(struct table *t, const struct role_settings *r, const char *lock,
    unsigned how, struct fault *f)
{
	char		path[4096];
	uint64_t	tag = digest_mark(span_str(lock));

	*t = (struct table){ .fd = -1, .off = tag % BUCKETS * sizeof(t->rows) };
	if (snprintf(path, sizeof(path), "%s/logins", r->run_dir) >=
	    (int)sizeof(path))
		return fault_set(f, FAULT_PERM, "run_dir is too long");
	if (file_open(FILE_CWD, path, how, 0600, &t->fd, f) != 0)
		return -1;
	if (file_pread(t->fd, t->rows, sizeof(t->rows), t->off, f) < 0) {
		fd_close(&t->fd);
		return -1;
	}
	t->now = (uint32_t)(clock_ms() / 1000) + 1;
	t->row = find(t, tag);
	return 0;
}

/* Neighbours in the bucket may be written by others at the same time. */
static int
table_write(const struct table *t, struct fault *f)
{
	return file_pwrite(t->fd, t->row, sizeof(*t->row), t->off +
	    (uint64_t)(t->row - t->rows) * sizeof(*t->row), f);
}

static unsigned
left(const struct table *t, unsigned delay_s)
{
	uint32_t since = age(t, t->row->counted);

	return since < delay_s ? delay_s - since : 0;
}

unsigned
pace_of(const struct role_settings *r, const struct identity *id)
{
	if (!id->own_delay || r->login_delay_max_s == 0)
		return r->login_delay_s;
	return id->login_delay_s < r->login_delay_max_s ? id->login_delay_s :
	    r->login_delay_max_s;
}

unsigned
pace_most(const struct role_settings *r)
{
	return r->login_delay_s > r->login_delay_max_s ? r->login_delay_s :
	    r->login_delay_max_s;
}

bool
pace_differs(const struct role_settings *r)
{
	return r->login_delay_max_s > 0;
}

int
pace_left(const struct role_settings *r, unsigned delay_s, const char *lock,
    unsigned *wait_s_r, struct fault *f)
{
	struct table t;

	*wait_s_r = 0;
	if (delay_s == 0)
		return 0;
	if (table_open(&t, r, lock, FILE_READ, f) != 0)
		return f->err == ENOENT ? 0 : -1;
	*wait_s_r = left(&t, delay_s);
	fd_close(&t.fd);
	return 0;
}

unsigned
pace_begin(const struct role_settings *r, unsigned delay_s, const char *lock)
{
	struct table	t;
	struct fault	f;
	unsigned	wait_s;

	if (delay_s == 0)
		return 0;
	if (table_open(&t, r, lock, WRITE, &f) != 0) {
		log_fault(LEVEL_WARN, "login-delay-lost", &f);
		return 0;
	}
	wait_s = left(&t, delay_s);
	if (wait_s == 0) {
		if (age(&t, t.row->begun) < delay_s)
			t.row->counted = t.now;
		t.row->begun = t.now;
		if (table_write(&t, &f) != 0)
			log_fault(LEVEL_WARN, "login-delay-lost", &f);
	}
	fd_close(&t.fd);
	return wait_s;
}

void
pace_end(const struct role_settings *r, const char *lock)
{
	struct table	t;
	struct fault	f;

	if (pace_most(r) == 0)
		return;
	if (table_open(&t, r, lock, WRITE, &f) != 0) {
		log_fault(LEVEL_WARN, "login-delay-lost", &f);
		return;
	}
	if (t.row->begun != 0) {
		t.row->counted = t.row->begun;
		if (table_write(&t, &f) != 0)
			log_fault(LEVEL_WARN, "login-delay-lost", &f);
	}
	fd_close(&t.fd);
}
