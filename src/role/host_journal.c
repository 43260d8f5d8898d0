/* SPDX-License-Identifier: ISC */
/*
 * Journals of UPDATE: whose each one is, and what is kept back for a full disk.
 *
 * Runs as: root in the monitor (the user himself with isolation = single).
 * Reads from: state_dir: owner files, which are written here.
 * Trusts: that folder, which is root's; of what is in a journal, only whether there
 * is anything.
 */
#include "role/host_priv.h"

#include "drop/path.h"

#include "base/buf.h"
#include "base/num.h"
#include "sys/file.h"
#include "watch/log.h"

#include <errno.h>
#include <time.h>

#define OWNER_MAX		8192	/* octets of an owner file */
/* A full disk has to take the owner file too: 64 KiB more for it. */
#define RESERVE_MAX		(DROP_RESERVE + 65536)
#define TELL_AGAIN		3600	/* s until the want of one is told again */

static int
journal_place(const struct settings *conf, const char *key, char *out,
    struct fault *f)
{
	return own_path(out, conf->role.state_dir, "journal", key, f);
}

static int
journal_folder(const struct settings *conf, int *fd_r, struct fault *f)
{
	return own_folder(conf->role.state_dir, "journal", 0700, fd_r, f);
}

bool
host_is_unfinished(const struct host *h)
{
	UNZEROED char		path[OWN_PATH_MAX];
	struct file_facts	facts;
	struct fault		f;

	if (journal_place(h->conf, h->key, path, &f) != 0)
		return false;
	return file_facts_at(FILE_CWD, path, &facts, &f) == 0 ? facts.size > 0 :
	    f.err != ENOENT;
}

bool
host_is_journal(const char *name)
{
	return (name[0] >= '0' && name[0] <= '9') ||
	    (name[0] >= 'a' && name[0] <= 'f');
}

bool
host_journal_open(const struct host *h)
{
	struct file_facts	facts;
	struct fault		f;

	return h->journal >= 0 && file_facts(h->journal, &facts, &f) == 0 &&
	    facts.size > 0;
}

/* Who must finish an update of this journal, for `popper recover`.  A key
 * begins with a hexadecimal digit: no maildrop's key looks like this. */
static int
owner_name(char *out, size_t cap, const char *key, struct fault *f)
{
	return path_printf(out, cap, f, HOST_OWNER "%s", key);
}

static int
put_groups(struct buf *b, const struct identity *id)
{
	for (size_t i = 0; i < id->ngids; i++)
		if (buf_appendf(b, "group %u\n", id->gids[i]) != 0)
			return -1;
	return 0;
}

/* As in a row of the user's, so that nobody decides anew. */
static int
put_maildrop(struct buf *b, const struct host *h)
{
	const char	*t = h->conf->drop.maildrop_else;
	size_t		 n = strlen(DROP_PATH_MAILDIR);

	if (h->which != HOST_ELSE)
		return buf_appendf(b, "maildrop %s\n", h->id->maildrop);
	return buf_appendf(b, "maildrop " DROP_PATH_MAILDIR "%s\n",
	    strncmp(t, DROP_PATH_MAILDIR, n) == 0 ? t + n : t);
}

static int
write_owner(struct host *h, int dirfd, struct fault *f)
{
	char		name[HOST_KEY_MAX + 8];
	struct buf	b;
	int		result = -1;

	if (owner_name(name, sizeof(name), h->key, f) != 0)
		return -1;
	buf_init(&b, OWNER_MAX);
	if (buf_appendf(&b, "user %s\nuid %u\ngid %u\nhome %s\nvirtual %d\n",
	    h->id->user, h->id->uid, h->id->gid, h->id->home,
	    h->id->virtual ? 1 : 0) == 0 && put_maildrop(&b, h) == 0 &&
	    put_groups(&b, h->id) == 0)
		result = file_replace(dirfd, name, 0600, buf_span(&b), f);
	else
		(void)fault_set(f, FAULT_PERM, "owner of %s: too long", h->key);
	buf_fini(&b);
	return result;
}

/* One row "word value" of an owner file. */
static bool
owner_row(struct identity *id, struct span word, struct span value)
{
	uint64_t v;

	if (span_eq(word, SPAN("user")))
		return span_cstr(value, id->user, sizeof(id->user));
	if (span_eq(word, SPAN("home")))
		return span_cstr(value, id->home, sizeof(id->home));
	if (span_eq(word, SPAN("maildrop")))
		return span_cstr(value, id->maildrop, sizeof(id->maildrop));
	if (!num_parse(value, UINT32_MAX - 1, &v))
		return false;
	if (span_eq(word, SPAN("uid")))
		id->uid = (uid_t)v;
	else if (span_eq(word, SPAN("gid")))
		id->gid = (gid_t)v;
	else if (span_eq(word, SPAN("virtual")))
		id->virtual = v != 0;
	else if (span_eq(word, SPAN("group")) && id->ngids < IDENTITY_GIDS_MAX)
		id->gids[id->ngids++] = (gid_t)v;
	else
		return false;
	return true;
}

int
host_journal_owner(const struct settings *conf, const char *key,
    struct identity *id, struct fault *f)
{
	AUTO(fd_close) int	dirfd = -1;
	AUTO(fd_close) int	fd = -1;
	char			name[HOST_KEY_MAX + 8];
	char			text[OWNER_MAX];
	struct span		rest;
	struct span		line;
	ssize_t			n;

	*id = (struct identity){ .uid = (uid_t)-1, .gid = (gid_t)-1 };
	if (owner_name(name, sizeof(name), key, f) != 0 ||
	    journal_folder(conf, &dirfd, f) != 0 ||
	    file_open(dirfd, name, FILE_READ, 0, &fd, f) != 0)
		return -1;
	n = file_slurp(fd, text, sizeof(text), f);
	if (n < 0)
		return -1;
	rest = span_of(text, (size_t)n);
	while (span_line(&rest, &line)) {
		size_t cut = span_find(line, ' ');

		if (!owner_row(id, span_first(line, cut),
		    span_skip(line, cut + 1)))
			return fault_set(f, FAULT_PERM, "%s is damaged", name);
	}
	if (id->uid == (uid_t)-1 || id->gid == (gid_t)-1)
		return fault_set(f, FAULT_PERM, "%s is damaged", name);
	return 0;
}

/*
 * An open journal of another user's, whose account had this maildrop before:
 * its octets are not for this one.  It is kept, for the operator.
 */
static int
put_aside(struct host *h, uid_t owner, struct fault *f)
{
	AUTO(fd_close) int	dirfd = -1;
	char			name[HOST_KEY_MAX + 32];

	if (journal_folder(h->conf, &dirfd, f) != 0 ||
	    path_printf(name, sizeof(name), f, HOST_KEPT "%lld.%s",
	    (long long)time(NULL), h->key) != 0 ||
	    file_rename(dirfd, h->key, name, f) != 0)
		return fault_prefix(f, "journal %s of uid %u: ", h->key, owner);
	fd_close(&h->journal);
	log_text(LEVEL_ERR, "drop-journal-foreign", "%s: an update of uid %u,"
	    " who had this maildrop before, was never finished; what of it is"
	    " missing stands in %s/journal/%s", h->path, owner,
	    h->conf->role.state_dir, name);
	return 0;
}

int
host_find_journal(struct host *h, struct fault *f)
{
	UNZEROED char	path[OWN_PATH_MAX];
	struct identity	owner;
	struct fault	none;

	if (journal_place(h->conf, h->key, path, f) != 0)
		return -1;
	if (file_open(FILE_CWD, path, FILE_READ | FILE_WRITE, 0, &h->journal,
	    f) != 0)
		return f->err == ENOENT ? 0 :
		    fault_prefix(f, "journal %s: ", h->key);
	if (!host_journal_open(h) ||
	    host_journal_owner(h->conf, h->key, &owner, &none) != 0 ||
	    owner.uid == h->id->uid)
		return 0;
	return put_aside(h, owner.uid, f);
}

/* It may be there already: another process is at it, or died in it, or had no room. */
static int
open_new_reserve(int dirfd, int *fd_r, bool *made_r, struct fault *f)
{
	int r = file_open(dirfd, "reserve.new", FILE_WRITE, 0, fd_r, f);

	*made_r = r != 0 && f->err == ENOENT;
	return *made_r ? file_open(dirfd, "reserve.new", FILE_WRITE | FILE_CREATE,
	    0600, fd_r, f) : r;
}

/*
 * Each update tries, on a disk that stays full as well.  So the file stays, empty, and
 * its time of reading, for nobody reads it, is when this was told.
 */
static void
tell_no_reserve(int fd, const struct file_facts *was, bool made, struct fault *why)
{
	struct timespec	now = { .tv_sec = time(NULL) };
	struct timespec	told = was->atime;
	struct fault	f;

	if (file_truncate(fd, 0, &f) != 0)
		log_fault(LEVEL_WARN, "no-reserve", &f);
	if (!made && was->size == 0 && told.tv_sec <= now.tv_sec &&
	    now.tv_sec - told.tv_sec < TELL_AGAIN)
		return;
	(void)fault_prefix(why, "no mail can be deleted while state_dir has no"
	    " room: ");
	log_fault(LEVEL_WARN, "no-reserve", why);
	/* Where that cannot be kept it is told once more. */
	(void)!file_set_atime(fd, now, &f);
}

/*
 * Blocks kept back for a full disk: one file, handed to one journal at a time.
 * Made again when it is missing and the disk has room.
 */
static void
make_reserve(int dirfd)
{
	static const uint8_t	zeros[65536];
	AUTO(fd_close) int	fd = -1;
	struct file_facts	facts;
	struct fault		f;
	uint64_t		off = 0;
	bool			made;

	if (open_new_reserve(dirfd, &fd, &made, &f) != 0 ||
	    lock_flock(fd, &f) != 0 || file_facts(fd, &facts, &f) != 0) {
		if (f.class != FAULT_IN_USE)
			log_fault(LEVEL_WARN, "no-reserve", &f);
		return;
	}
	if (facts.nlink == 0)
		return;		/* somebody has just made it */
	while (off < RESERVE_MAX &&
	    file_pwrite(fd, zeros, sizeof(zeros), off, &f) == 0)
		off += sizeof(zeros);
	if (off == RESERVE_MAX && file_sync(fd, &f) == 0 &&
	    file_rename(dirfd, "reserve.new", "reserve", &f) == 0)
		return;
	tell_no_reserve(fd, &facts, made, &f);
}

static void
keep_reserve(int dirfd)
{
	struct file_facts	reserve;
	struct fault		none;

	if (file_facts_at(dirfd, "reserve", &reserve, &none) != 0 ||
	    reserve.size < RESERVE_MAX)
		make_reserve(dirfd);
}

int
host_folders(const struct settings *conf, struct fault *f)
{
	AUTO(fd_close) int	dirfd = -1;

	if (journal_folder(conf, &dirfd, f) != 0 ||
	    file_mkdir(FILE_CWD, conf->role.chroot_dir, 0755, f) != 0)
		return -1;
	keep_reserve(dirfd);
	return 0;
}

/* Give back what the reserve has for the owner file. */
static int
shrink_reserve(int dirfd, struct fault *f)
{
	AUTO(fd_close) int fd = -1;

	if (file_open(dirfd, "reserve", FILE_WRITE, 0, &fd, f) != 0)
		return -1;
	return file_truncate(fd, DROP_RESERVE, f);
}

int
host_journal(struct host *h, bool reserve, int *fd_r, struct fault *f)
{
	AUTO(fd_close) int dirfd = -1;

	if (journal_folder(h->conf, &dirfd, f) != 0)
		return -1;
	if (reserve && shrink_reserve(dirfd, f) != 0)
		return fault_prefix(f, "state_dir has no room, and there is no"
		    " reserve: ");
	if (!reserve)
		keep_reserve(dirfd);	/* the disk was full, and may not be now */
	/* The owner first: no journal without one. */
	if (write_owner(h, dirfd, f) != 0 || (reserve &&
	    file_rename(dirfd, "reserve", h->key, f) != 0))
		return fault_prefix(f, "journal %s: ", h->key);
	fd_close(&h->journal);
	if (file_open(dirfd, h->key, FILE_READ | FILE_WRITE | FILE_CREATE, 0600,
	    &h->journal, f) != 0 || file_sync(dirfd, f) != 0)
		return fault_prefix(f, "journal %s: ", h->key);
	return fd_dup_high(h->journal, fd_r, f);
}
