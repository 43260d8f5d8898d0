/* SPDX-License-Identifier: ISC */
#include "role/elsewhere.h"

#include "sys/file.h"
#include "sys/identity.h"

#include <errno.h>
#include <stdio.h>

#define FOLDER		"/maildirs"
#define NOTE_MAX	(IDENTITY_PATH_MAX + IDENTITY_USER_MAX + 16)

static int
note_path(char out[NOTE_MAX], const struct role_settings *c, const char *user,
    struct fault *f)
{
	int n = snprintf(out, NOTE_MAX, "%s" FOLDER "/%s", c->state_dir, user);

	return n > 0 && n < NOTE_MAX ? 0 :
	    fault_set(f, FAULT_PERM, "a path is too long");
}

bool
elsewhere_is_noted(const struct role_settings *c, const char *user)
{
	struct file_facts	facts;
	struct fault		f;
	char			path[NOTE_MAX];

	return note_path(path, c, user, &f) == 0 &&
	    file_facts_at(FILE_CWD, path, &facts, &f) == 0;
}

int
elsewhere_note(const struct role_settings *c, const char *user, struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	char			path[NOTE_MAX];

	if (note_path(path, c, "", f) != 0 ||
	    file_mkdir(FILE_CWD, path, 0700, f) != 0 ||
	    note_path(path, c, user, f) != 0)
		return -1;
	return file_open(FILE_CWD, path, FILE_WRITE | FILE_CREATE, 0600, &fd, f);
}

int
elsewhere_forget(const struct role_settings *c, const char *user,
    struct fault *f)
{
	char path[NOTE_MAX];

	return note_path(path, c, user, f) != 0 ? -1 :
	    file_unlink(FILE_CWD, path, f);
}

int
elsewhere_each(const struct role_settings *c,
    bool (*fn)(void *ctx, const char *user), void *ctx, struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	char			path[NOTE_MAX];

	if (note_path(path, c, "", f) != 0)
		return -1;
	if (file_open(FILE_CWD, path, FILE_READ | FILE_DIR, 0, &fd, f) != 0)
		return f->err == ENOENT ? 0 : -1;
	return file_list(fd, fn, ctx, f);
}
