/* SPDX-License-Identifier: ISC */
/*
 * For this room's tests: a folder with a spool, and a host that serves it.
 * The functions are in fake_host_test.c.
 */
#ifndef DROP_FAKE_HOST_H
#define DROP_FAKE_HOST_H

#include "drop/drop.h"

#define FAKE_PATH	320

struct fake {
	char			dir[FAKE_PATH - 64];
	char			spool[FAKE_PATH];
	char			legacy[FAKE_PATH];
	char			journal[FAKE_PATH];
	char			index[FAKE_PATH];
	struct drop_host	host;
	struct drop_conf	conf;
	const struct drop_ops	*ops;		/* mbox_ops, at first */
	char			popbull[FAKE_PATH];	/* the same, as a file */
	char			note[DROP_NOTE_MAX + 1];	/* made true */
	char			told[64];	/* last id */
	uint8_t			forgot[32];	/* which promised unique-ids */
	size_t			nforgot;	/* octets of it; 0: was not asked */
	bool			forget_fails;
	unsigned		notes;
	unsigned		locks;		/* by the host's lock */
	bool			held;
	bool			host_locks;
	bool			no_temp;	/* its writes fail, ENOSPC */
	bool			note_fails;
	bool			note_denied;
	unsigned		reserves;	/* journals from the reserve */
};

/* A fresh folder; own dotlocks unless host_locks. */
void	fake_init(struct fake *w, bool host_locks);
/* From now on its host keeps an index. */
void	fake_keep_index(struct fake *w);
/* Removes the folder. */
void	fake_fini(struct fake *w);

void	fake_write(const char *path, struct span text);
void	fake_append(const char *path, struct span text);
/* The whole file in static memory; NULL when it does not exist. */
const char	*fake_read(const char *path, size_t *n_r);
bool	fake_exists(const char *path);
/* An empty Maildir, if it is none yet; and away with it and all that is in it. */
void	fake_maildir(const char *path);
void	fake_remove_maildir(const char *path);
/* The dotlock of the spool is there. */
bool	fake_locked(const struct fake *w);

/* Fails the test unless the file holds just that. */
void	fake_expect(const char *path, struct span text);

/* Recover as a new process would, with the journal that lies there. */
int	fake_recover(struct fake *w, bool *did_r, struct fault *f);
int	fake_open(struct fake *w, struct drop **drop_r, struct fault *f);

#endif
