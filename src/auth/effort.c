/* SPDX-License-Identifier: ISC */
/*
 * What PAM spends on a password: as many hashes as its modules like, pam_unix two,
 * and processes of theirs.  It is measured whenever PAM is asked, and kept for each
 * kind of hash in a file of numbers beside the state.
 */
#include "auth/auth_priv.h"
#include "auth/passwd_file.h"

#include "sys/file.h"

#define EFFORT_NAME	"pam-effort"
#define SLOTS		64	/* kinds; two that meet displace each other */
#define WEIGHT		8	/* of what was there, against one measurement */

struct slot_of_kind {
	uint64_t	kind;
	uint64_t	us;
};

/* "$id$parameters$salt$hash", or without the parameters; bcrypt's salt has no '$'
 * behind it. */
static bool
has_parameters(struct span hash)
{
	size_t n = 0;

	for (size_t i = 0; i < hash.n; i++)
		n += hash.p[i] == '$';
	return n > 3 || hash.p[1] == '2';
}

uint64_t
effort_kind(struct span hash)
{
	size_t	fields;
	size_t	at = 1;

	if (hash.n < 2 || hash.p[0] != '$')
		return 0;
	for (fields = has_parameters(hash) ? 2 : 1; fields > 0; fields--) {
		while (at < hash.n && hash.p[at] != '$')
			at++;
		at++;
	}
	return passwd_print(span_of(hash.p, at < hash.n ? at : hash.n)) | 1;
}

static int
open_for(const char *state_dir, uint64_t kind)
{
	return kind == 0 ? -1 : file_numbers_open(state_dir, EFFORT_NAME);
}

static uint64_t
place(uint64_t kind)
{
	return kind / 2 % SLOTS * sizeof(struct slot_of_kind);
}

/* 0: nobody knows. */
static uint64_t
look_up(int fd, uint64_t kind)
{
	struct slot_of_kind s;

	if (fd < 0 || file_pread(fd, &s, sizeof(s), place(kind), NULL) !=
	    sizeof(s) || s.kind != kind)
		return 0;
	return s.us < EFFORT_MAX_US ? s.us : EFFORT_MAX_US;
}

uint64_t
effort_known_us(const char *state_dir, uint64_t kind)
{
	AUTO(fd_close) int fd = open_for(state_dir, kind);

	return look_up(fd, kind);
}

void
effort_note(const char *state_dir, uint64_t kind, uint64_t us)
{
	AUTO(fd_close) int	fd = open_for(state_dir, kind);
	uint64_t		old = look_up(fd, kind);
	struct slot_of_kind	s = { .kind = kind, .us = us };
	struct fault		f;

	if (old != 0)
		s.us = (old * (WEIGHT - 1) + us) / WEIGHT;
	if (fd >= 0 && file_pwrite(fd, &s, sizeof(s), place(kind), &f) < 0)
		return;			/* then it is as it was */
}
