/* SPDX-License-Identifier: ISC */
/*
 * Landlock: the files that a process may go on to use, whatever its user may.
 * Floor 1; between the change of ids and cage_enter, which does it itself for some
 * roles without files.  What is open already, or comes by a link, stays as it is; the
 * rights of the files themselves count as ever.  New TCP connections are refused, too,
 * but to ports that are named, where the kernel can do that.
 */
#ifndef SYS_CAGE_FILES_H
#define SYS_CAGE_FILES_H

#include "base/attr.h"
#include "base/fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cage_how {
	CAGE_READ	= 1u << 0,	/* read files */
	CAGE_LIST	= 1u << 1,	/* open and list folders */
	CAGE_WRITE	= 1u << 2,	/* write and cut files that are there */
	CAGE_NAMES	= 1u << 3,	/* make and remove files; rename and
					   link them within their folder */
	CAGE_FOLDERS	= 1u << 4,	/* make folders, and rename files from
					   one to another; without effect on
					   kernels whose Landlock is version 1,
					   which refuse such renames */
};

struct cage_files {
	int		fd;		/* owns; -1: without */
	uint64_t	known;		/* rights on files */
	bool		net;		/* TCP, too */
};

/* The version of Landlock in this kernel; 0: none, and f tells why. */
unsigned cage_files_version(struct fault *f) MUSTUSE;

/*
 * Nothing is allowed yet.  `version` is the kernel's, or an older one; with 0
 * all calls succeed and do nothing.
 */
int	cage_files_begin(struct cage_files *c, unsigned version,
	    struct fault *f) MUSTUSE;
/* `how`, of enum cage_how, for the folder fd with all beneath it, or for the
 * file fd (then CAGE_READ or CAGE_WRITE). */
int	cage_files_allow(struct cage_files *c, int fd, unsigned how,
	    struct fault *f) MUSTUSE;
/* no_new_privs, and nothing else from now on. */
int	cage_files_enter(struct cage_files *c, struct fault *f) MUSTUSE;
/* All three, for who needs no file but those that are open, and of TCP no more than to
 * connect to n ports; where there is no Landlock it does nothing. */
int	cage_files_nothing(const uint16_t *ports, size_t n, struct fault *f) MUSTUSE;
/* For AUTO, when one of them failed. */
void	cage_files_fini(struct cage_files *c);

#endif
