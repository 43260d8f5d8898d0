/* SPDX-License-Identifier: ISC */
#include "bull/popbull.h"

#include "base/num.h"
#include "bull/bull_priv.h"
#include "sys/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* More of a file than any number needs. */
#define POPBULL_LOOK	64

enum popbull_state
popbull_parse(struct span text, uint64_t *number_r)
{
	switch (bull_number(text, number_r)) {
	case BULL_NAME_GOOD:
		return POPBULL_NUMBER;
	case BULL_NAME_OTHER:
		return POPBULL_GARBAGE;
	case BULL_NAME_TOO_LONG:
		break;
	}
	return POPBULL_REFUSED;
}

static enum popbull_state
not_read(const struct fault *f)
{
	return f->class == FAULT_PERM ? POPBULL_REFUSED : POPBULL_UNREADABLE;
}

enum popbull_state
popbull_read(const struct bull_place *where, uint64_t *number_r,
    struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	struct file_facts	facts;
	enum popbull_state	state;
	uint8_t			text[POPBULL_LOOK];
	ssize_t			n;

	if (file_open(where->dirfd, where->name, FILE_READ, 0, &fd, f) == -1)
		return f->err == ENOENT ? POPBULL_MISSING : not_read(f);
	if (file_facts(fd, &facts, f) == -1)
		return not_read(f);
	if (facts.nlink != 1) {
		(void)fault_set(f, FAULT_PERM, "%s has %" PRIu64
		    " names (hard links)", where->name, facts.nlink);
		return POPBULL_REFUSED;
	}
	n = file_pread(fd, text, sizeof(text), 0, f);
	if (n == -1)
		return not_read(f);
	state = popbull_parse(span_of(text, (size_t)n), number_r);
	if (state == POPBULL_REFUSED)
		(void)fault_set(f, FAULT_PERM,
		    "%s: more than %d digits", where->name, BULL_DIGITS_MAX);
	return state;
}

/*
 * A full disk, a quota, or a home that root owns: the few octets fit where the
 * old number is.  Who asks comes again until it has worked (the number stands in
 * the journal), so a torn one does not last.
 */
static int
overwrite(const struct bull_place *where, struct span text, struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	struct file_facts	facts;

	if (file_open(where->dirfd, where->name, FILE_WRITE, 0, &fd, f) == -1 ||
	    file_facts(fd, &facts, f) == -1)
		return -1;
	if (facts.nlink != 1)
		return fault_set(f, FAULT_PERM, "%s has other names",
		    where->name);
	if (file_pwrite(fd, text.p, text.n, 0, f) == -1 ||
	    file_truncate(fd, text.n, f) == -1)
		return -1;
	return file_sync(fd, f);
}

/*
 * What cannot be read is replaced all the same: rename(2) follows no link, and
 * a commit that cannot make its note true would be offered it for ever.
 */
static int
store(const struct bull_place *where, uint64_t number, struct fault *f)
{
	char	text[32];
	int	n = snprintf(text, sizeof(text), "%" PRIu64 "\n", number);

	if (file_replace(where->dirfd, where->name, 0600,
	    span_of(text, (size_t)n), f) == 0)
		return 0;
	switch (f->err) {
	case ENOSPC:
	case EDQUOT:
	case EACCES:
	case EPERM:
		return overwrite(where, span_of(text, (size_t)n), f);
	default:
		return -1;
	}
}

int
bull_store(const struct bull_place *where, uint64_t number, struct fault *f)
{
	uint64_t now;

	if (popbull_read(where, &now, f) == POPBULL_NUMBER && now >= number)
		return 0;
	return store(where, number, f);
}

int
popbull_writable(const struct bull_place *where, uint64_t number,
    struct fault *f)
{
	AUTO(fd_close) int fd = -1;

	/* Then there is a way that needs neither room nor the folder. */
	if (file_open(where->dirfd, where->name, FILE_WRITE, 0, &fd, f) == 0)
		return 0;
	return store(where, number, f);
}

#define NOTE_WORD	"bulletin "

size_t
bull_note(uint64_t number, char out[BULL_NOTE_MAX])
{
	return (size_t)snprintf(out, BULL_NOTE_MAX, NOTE_WORD "%" PRIu64,
	    number);
}

bool
bull_note_parse(struct span note, uint64_t *number_r)
{
	return span_starts(note, SPAN(NOTE_WORD)) &&
	    num_parse(span_skip(note, sizeof(NOTE_WORD) - 1), BULL_NUMBER_MAX,
	    number_r);
}
