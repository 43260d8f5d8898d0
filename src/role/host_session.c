/* SPDX-License-Identifier: ISC */
/*
 * The lock against a second session, and the time between two logins.
 *
 * Runs as: root in the monitor (the user himself with isolation = single).
 * Reads from: run_dir; who holds a lock says so there.
 * Trusts: that folder, which is root's, but not a text to be whole.
 */
#include "role/host_priv.h"

#include "role/elsewhere.h"
#include "role/pace.h"

#include "base/num.h"
#include "sys/file.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include <errno.h>
#include <stdio.h>

#define HOLDER_MAX		(256 + HOST_KEY_MAX)	/* octets of a session lock */

static int
lock_place(const struct settings *conf, const char *lock, char *out,
    struct fault *f)
{
	return own_path(out, conf->role.run_dir, "lock", lock, f);
}

/*
 * For whoever finds the maildrop in use, and for host_each_lock.  The session inherits
 * the descriptor that is locked, which can only read: it cannot make the operator kill
 * another process.  Without this text the lock holds as well.
 */
static void
write_holder(const struct host *h, const char *path, unsigned how, pid_t pid,
    const char *sid, const char *ip, uint64_t since_ms)
{
	AUTO(fd_close) int	fd = -1;
	struct fault		f;
	char			text[HOLDER_MAX];
	int			n;

	n = snprintf(text, sizeof(text), "pid=%d sid=%s ip=%s since_ms=%llu key=%s\n",
	    (int)pid, sid, ip, (unsigned long long)since_ms, h->key);
	if (file_open(FILE_CWD, path, FILE_WRITE | how, 0, &fd, &f) != 0 ||
	    file_pwrite(fd, text, (size_t)n, 0, &f) != 0)
		log_fault(LEVEL_DEBUG, "lock-text", &f);
}

/* One word "key=value" of it. */
static bool
holder_word(struct host_holder *o, struct span key, struct span value,
    uint64_t *since_ms)
{
	if (span_eq(key, SPAN("sid")))
		return span_cstr(value, o->sid, sizeof(o->sid));
	if (span_eq(key, SPAN("ip")))
		return span_cstr(value, o->ip, sizeof(o->ip));
	if (span_eq(key, SPAN("key")))
		return span_cstr(value, o->key, sizeof(o->key));
	if (span_eq(key, SPAN("pid")))
		return num_parse(value, INT32_MAX, &o->pid);
	return span_eq(key, SPAN("since_ms")) &&
	    num_parse(value, INT64_MAX, since_ms);
}

/* It may be half written, or left by one who died: then nobody is known. */
static void
read_holder(int fd, struct host_holder *out)
{
	struct host_holder	o = { .known = false };
	uint64_t		now = clock_ms();
	uint64_t		since_ms = 0;
	char			text[HOLDER_MAX];
	ssize_t			n = file_pread(fd, text, sizeof(text), 0, NULL);
	struct span		rest = span_of(text, n < 0 ? 0 : (size_t)n);
	struct span		line;
	struct span		word;

	if (n <= 0 || text[n - 1] != '\n' || !span_line(&rest, &line))
		return;
	while ((word = span_word(&line)).n > 0) {
		size_t cut = span_find(word, '=');

		if (!holder_word(&o, span_first(word, cut),
		    span_skip(word, cut + 1), &since_ms))
			return;
	}
	if (since_ms == 0 || since_ms > now)
		return;
	o.age_s = (now - since_ms) / 1000;
	o.known = true;
	*out = o;
}

int
host_lock_folder(const struct settings *conf, int *fd_r, struct fault *f)
{
	return own_folder(conf->role.run_dir, "lock", 0700, fd_r, f);
}

/* The first lock of all makes the folder. */
static int
open_lock(const struct host *h, const char *path, int *fd_r, struct fault *f)
{
	AUTO(fd_close) int	dirfd = -1;
	const unsigned		how = FILE_READ | FILE_CREATE;

	if (file_open(FILE_CWD, path, how, 0600, fd_r, f) == 0)
		return 0;
	return f->err != ENOENT ||
	    host_lock_folder(h->conf, &dirfd, f) != 0 ?
	    -1 : file_open(FILE_CWD, path, how, 0600, fd_r, f);
}

/* What there is of this maildrop's besides the spool. */
static int
find_files(struct host *h, struct fault *f)
{
	return host_find_journal(h, f) != 0 ? -1 : host_find_promises(h, f);
}

/*
 * The lock file is removed by its holder while it is locked; so after locking
 * one, see that it still has its name.
 */
int
host_session_lock(struct host *h, const char *sid, const char *ip,
    struct fault *f)
{
	struct file_facts	facts;
	UNZEROED char		path[OWN_PATH_MAX];

	if (lock_place(h->conf, h->lock, path, f) != 0)
		return -1;
	for (;;) {
		AUTO(fd_close) int fd = -1;

		if (open_lock(h, path, &fd, f) != 0 ||
		    lock_flock(fd, f) != 0 || file_facts(fd, &facts, f) != 0) {
			if (fd >= 0 && f->class == FAULT_IN_USE)
				read_holder(fd, &h->holder);
			return fault_prefix(f, "session lock %s: ", h->lock);
		}
		if (facts.nlink > 0) {
			h->session_lock = fd_take(&fd);
			h->locked = true;
			break;
		}
	}
	write_holder(h, path, facts.size == 0 ? 0 : FILE_TRUNCATE,
	    h->server != 0 ? h->server : spawn_self(), sid, ip, clock_ms());
	/* Not before: the last session may have made one and died since. */
	if (find_files(h, f) == 0)
		return 0;
	host_session_unlock(h);
	return -1;
}

/* Whatever comes of it, the session goes on. */
static void
heed_news(const struct host *h)
{
	const char	*user = h->id->user;
	struct log_line	 l;
	struct fault	 f;

	if ((h->news == HOST_NEWS_ELSE &&
	    elsewhere_note(&h->conf->role, user, &f) != 0) ||
	    (h->news == HOST_NEWS_GONE &&
	    elsewhere_forget(&h->conf->role, user, &f) != 0))
		log_fault(LEVEL_WARN, "maildrop-note", &f);
	if (h->news != HOST_NEWS_TWO)
		return;
	log_begin(&l, LEVEL_WARN, "maildrop-two");
	log_str(&l, "user", user);
	log_str(&l, "maildrop", h->path);
	log_str(&l, "else", h->conf->drop.maildrop_else);
	log_end(&l);
}

int
host_login(struct host *h, const char *sid, const char *ip, struct fault *f)
{
	if (host_session_lock(h, sid, ip, f) != 0)
		return -1;
	h->wait_s = pace_begin(&h->conf->role, pace_of(&h->conf->role, h->id),
	    h->lock);
	if (h->wait_s == 0) {
		heed_news(h);
		return 0;
	}
	fd_close(&h->journal);
	fd_close(&h->promises);
	host_session_unlock(h);
	return fault_set(f, FAULT_DELAY, "%u s of login_delay are left",
	    h->wait_s);
}

int
host_login_wait(const struct settings *conf, const struct identity *id,
    unsigned *wait_s_r, struct fault *f)
{
	struct host	h = { .conf = conf, .id = id, .dirfd = -1 };
	int		result = host_find(&h, f) != 0 ? -1 :
			    pace_left(&conf->role, pace_of(&conf->role, id),
			    h.lock, wait_s_r, f);

	fd_close(&h.dirfd);
	return result;
}

void
host_session_end(struct host *h)
{
	if (h->locked)
		pace_end(&h->conf->role, h->lock);
	host_session_unlock(h);
}

void
host_session_give_up(struct host *h)
{
	if (!host_is_unfinished(h))
		host_session_unlock(h);
}

int
host_session_adopt(struct host *h, int lock, struct fault *f)
{
	h->session_lock = lock;
	h->locked = true;
	return find_files(h, f);
}

void
host_session_hold(const struct host *h, const char *sid, const char *ip,
    uint64_t since_ms)
{
	UNZEROED char	path[OWN_PATH_MAX];
	struct fault	f;

	if (lock_place(h->conf, h->lock, path, &f) == 0)
		write_holder(h, path, FILE_TRUNCATE, spawn_self(), sid, ip,
		    since_ms);
	else
		log_fault(LEVEL_DEBUG, "lock-text", &f);
}

void
host_session_forget(const struct settings *conf, const char *lock)
{
	UNZEROED char	path[OWN_PATH_MAX];
	struct fault	f;

	if (lock_place(conf, lock, path, &f) != 0 ||
	    file_unlink(FILE_CWD, path, &f) != 0)
		log_fault(LEVEL_DEBUG, "lock-litter", &f);
}

void
host_session_unlock(struct host *h)
{
	if (!h->locked)
		return;
	h->locked = false;
	if (!host_is_unfinished(h))
		host_session_forget(h->conf, h->lock);
	fd_close(&h->session_lock);
}

void
host_session_sweep(const struct host *h)
{
	AUTO(fd_close) int	fd = -1;
	UNZEROED char		path[OWN_PATH_MAX];
	struct fault		f;

	if (lock_place(h->conf, h->lock, path, &f) == 0 &&
	    file_open(FILE_CWD, path, FILE_READ | FILE_WRITE, 0, &fd, &f) == 0 &&
	    lock_flock(fd, &f) == 0 && file_unlink(FILE_CWD, path, &f) != 0)
		log_fault(LEVEL_DEBUG, "lock-litter", &f);
}

struct each_lock {
	int	  dirfd;
	void	(*fn)(void *ctx, const char *key);
	void	 *ctx;
};

static bool
on_lock(void *ctx, const char *name)
{
	struct each_lock	*e = ctx;
	AUTO(fd_close) int	 fd = -1;
	struct host_holder	 o = { .known = false };

	if (file_open(e->dirfd, name, FILE_READ, 0, &fd, NULL) == 0)
		read_holder(fd, &o);
	if (o.known && host_is_journal(o.key))
		e->fn(e->ctx, o.key);
	return true;
}

int
host_each_lock(const struct settings *conf,
    void (*fn)(void *ctx, const char *key), void *ctx, struct fault *f)
{
	AUTO(fd_close) int	dirfd = -1;
	struct each_lock	e = { .fn = fn, .ctx = ctx };

	if (host_lock_folder(conf, &dirfd, f) != 0)
		return -1;
	e.dirfd = dirfd;
	return file_list(dirfd, on_lock, &e, f);
}
