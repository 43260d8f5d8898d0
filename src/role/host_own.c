/* SPDX-License-Identifier: ISC */
/*
 * Where popper keeps what is its own: folders and files in run_dir and state_dir.
 *
 * Runs as: root in the monitor (the user himself with isolation = single).
 * Reads from: the configuration.
 * Trusts: those folders, which are root's.
 */
#include "role/host_priv.h"

#include "sys/file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int
path_printf(char *out, size_t cap, struct fault *f, const char *fmt, ...)
{
	va_list	ap;
	int	n;

	va_start(ap, fmt);
	n = vsnprintf(out, cap, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= cap)
		return fault_set(f, FAULT_PERM, "a path is too long");
	return 0;
}

static int
open_or_make(int dirfd, const char *name, mode_t mode, int *fd_r,
    struct fault *f)
{
	if (file_open(dirfd, name, FILE_READ | FILE_DIR, 0, fd_r, f) == 0)
		return 0;
	return f->err != ENOENT || file_mkdir(dirfd, name, mode, f) != 0 ? -1 :
	    file_open(dirfd, name, FILE_READ | FILE_DIR, 0, fd_r, f);
}

int
own_folder(const char *base, const char *name, mode_t mode, int *fd_r,
    struct fault *f)
{
	AUTO(fd_close) int dirfd = -1;

	if (open_or_make(FILE_CWD, base, 0711, &dirfd, f) != 0 ||
	    open_or_make(dirfd, name, mode, fd_r, f) != 0)
		return fault_prefix(f, "%s/%s: ", base, name);
	return 0;
}

int
own_path(char *out, const char *base, const char *folder, const char *name,
    struct fault *f)
{
	return path_printf(out, OWN_PATH_MAX, f, "%s/%s/%s", base, folder,
	    name);
}

int
path_component(char *out, size_t cap, const char *text, struct fault *f)
{
	size_t n = 0;

	for (; *text != '\0' && n + 4 < cap; text++) {
		unsigned char c = (unsigned char)*text;

		if (c <= ' ' || c >= 0x7f || c == '/' || c == '%' ||
		    (c == '.' && n == 0))
			n += (size_t)snprintf(out + n, cap - n, "%%%02x", c);
		else
			out[n++] = (char)c;
	}
	out[n] = '\0';
	return *text == '\0' ? 0 :
	    fault_set(f, FAULT_PERM, "a name is too long");
}
