/* SPDX-License-Identifier: ISC */
#include "drop/fake_host.h"

#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int
host_lock(void *ctx, enum drop_lock_purpose why, struct fault *f)
{
	struct fake *w = ctx;

	(void)f;
	w->locks++;
	w->held = true;
	if (why == DROP_LOCK_UPDATE && !fake_exists(w->spool))
		fake_write(w->spool, SPAN(""));
	return 0;
}

static int
host_refresh(void *ctx, struct fault *f)
{
	(void)ctx;
	(void)f;
	return 0;
}

static int
host_unlock(void *ctx, struct fault *f)
{
	(void)f;
	((struct fake *)ctx)->held = false;
	return 0;
}

static int
host_tempfile(void *ctx, int *fd_r, struct fault *f)
{
	const struct fake *w = ctx;

	if (!w->no_temp)
		return file_open_unnamed(w->dir, fd_r, f);
	*fd_r = open("/dev/full", O_RDWR | O_CLOEXEC);
	return *fd_r == -1 ? fault_errno(f, FAULT_TEMP, errno, "full") : 0;
}

static int
host_journal(void *ctx, bool reserve, int *fd_r, struct fault *f)
{
	struct fake *w = ctx;

	w->reserves += reserve;
	return file_open(FILE_CWD, w->journal,
	    FILE_READ | FILE_WRITE | FILE_CREATE, 0600, fd_r, f);
}

static int
host_forget(void *ctx, struct span dead, struct fault *f)
{
	struct fake *w = ctx;

	assert_false(w->held || fake_locked(w));
	assert_true(dead.n <= sizeof(w->forgot));
	memcpy(w->forgot, dead.p, dead.n);
	w->nforgot = dead.n;
	return w->forget_fails ? fault_set(f, FAULT_TEMP, "forget") : 0;
}

static int
host_drop_legacy(void *ctx, struct fault *f)
{
	const struct fake *w = ctx;

	return file_unlink(FILE_CWD, w->legacy, f);
}

static int
host_note(void *ctx, struct span note, struct fault *f)
{
	struct fake *w = ctx;

	if (w->note_fails)
		return fault_errno(f, FAULT_TEMP, EIO, "note");
	if (w->note_denied)
		return fault_errno(f, FAULT_PERM, EACCES, "note");
	assert_true(span_cstr(note, w->note, sizeof(w->note)));
	fake_write(w->popbull, note);
	w->notes++;
	return 0;
}

static void
host_tell(void *ctx, const char *id, const char *text)
{
	struct fake *w = ctx;

	(void)text;
	assert_true(span_cstr(span_str(id), w->told, sizeof(w->told)));
}

static bool
remove_name(void *ctx, const char *name)
{
	char path[FAKE_PATH + 300];

	(void)snprintf(path, sizeof(path), "%s/%s", (const char *)ctx, name);
	(void)unlink(path);
	return true;
}

void
fake_init(struct fake *w, bool host_locks)
{
	*w = (struct fake){ .host_locks = host_locks, .ops = &mbox_ops };
	(void)snprintf(w->dir, sizeof(w->dir), "%s/popper-drop.XXXXXX",
	    getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(w->dir));
	(void)snprintf(w->spool, FAKE_PATH, "%s/ann", w->dir);
	(void)snprintf(w->popbull, FAKE_PATH, "%s/note", w->dir);
	(void)snprintf(w->legacy, FAKE_PATH, "%s/.ann.pop", w->dir);
	(void)snprintf(w->index, FAKE_PATH, "%s/index", w->dir);
	(void)snprintf(w->journal, FAKE_PATH, "%s/journal", w->dir);
	w->host = (struct drop_host){
		.ctx		= w,
		.lock		= host_locks ? host_lock : NULL,
		.refresh	= host_locks ? host_refresh : NULL,
		.unlock		= host_locks ? host_unlock : NULL,
		.tempfile	= host_tempfile,
		.journal	= host_journal,
		.forget		= host_forget,
		.drop_legacy	= host_drop_legacy,
		.note		= host_note,
		.tell		= host_tell,
	};
	w->conf = (struct drop_conf){
		.path = w->spool, .uid = geteuid(), .journal_fd = -1,
		.status = true, .copy_max = UINT64_MAX, .boot = 1,
		.host = &w->host,
	};
}

static int
host_index(void *ctx, int *fd_r, struct fault *f)
{
	const struct fake *w = ctx;

	return file_open(FILE_CWD, w->index, FILE_READ | FILE_WRITE | FILE_CREATE,
	    0600, fd_r, f);
}

void
fake_keep_index(struct fake *w)
{
	w->host.index = host_index;
}

void
fake_fini(struct fake *w)
{
	int dir = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(file_list(dir, remove_name, w->dir, NULL), 0);
	close(dir);
	assert_int_equal(rmdir(w->dir), 0);
}

static void
put(const char *path, int flags, struct span text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text.p, text.n), (ssize_t)text.n);
	close(fd);
}

void
fake_write(const char *path, struct span text)
{
	put(path, O_TRUNC, text);
}

void
fake_append(const char *path, struct span text)
{
	put(path, O_APPEND, text);
}

const char *
fake_read(const char *path, size_t *n_r)
{
	static char	b[8 << 20];
	int		fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t		n;

	if (fd == -1)
		return NULL;
	n = file_slurp(fd, b, sizeof(b), NULL);
	assert_true(n >= 0);
	close(fd);
	*n_r = (size_t)n;
	return b;
}

bool
fake_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static const char *const folders[] = { "/tmp", "/new", "/cur", "" };

void
fake_maildir(const char *path)
{
	char folder[FAKE_PATH + 8];

	(void)mkdir(path, 0700);
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		(void)snprintf(folder, sizeof(folder), "%s%s", path, folders[i]);
		(void)mkdir(folder, 0700);
	}
}

void
fake_remove_maildir(const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		AUTO(fd_close) int	fd = -1;
		char			folder[FAKE_PATH + 8];

		(void)snprintf(folder, sizeof(folder), "%s%s", path, folders[i]);
		if (file_open(FILE_CWD, folder, FILE_READ | FILE_DIR, 0, &fd,
		    NULL) == 0)
			assert_int_equal(file_list(fd, remove_name, folder,
			    NULL), 0);
		(void)rmdir(folder);
	}
}

bool
fake_locked(const struct fake *w)
{
	char path[FAKE_PATH + 8];

	(void)snprintf(path, sizeof(path), "%s.lock", w->spool);
	return fake_exists(path);
}

void
fake_expect(const char *path, struct span text)
{
	size_t		 n = 0;
	const char	*got = fake_read(path, &n);

	assert_non_null(got);
	if (!span_eq(span_of(got, n), text))
		print_message("%s has %zu octets:\n%.*s\n--- wanted %zu:\n"
		    "%.*s\n", path, n, (int)(n < 3000 ? n : 3000), got, text.n,
		    (int)(text.n < 3000 ? text.n : 3000), text.p);
	assert_true(span_eq(span_of(got, n), text));
}

/* A journal that exists is the monitor's gift to a new process. */
static struct drop_conf
with_journal(struct fake *w, int *fd)
{
	struct drop_conf c = w->conf;

	*fd = open(w->journal, O_RDWR | O_CLOEXEC);
	c.journal_fd = *fd;
	return c;
}

int
fake_recover(struct fake *w, bool *did_r, struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	struct drop_conf	c = with_journal(w, &fd);

	return drop_recover(&c, did_r, f);
}

int
fake_open(struct fake *w, struct drop **drop_r, struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	struct drop_conf	c = with_journal(w, &fd);

	return w->ops->open(&c, drop_r, f);
}
