/* SPDX-License-Identifier: ISC */
/*
 * What lies in new/ and cur/ of a Maildir.  Runs as: the user.
 * Reads from: names that anybody may have made who delivers mail.
 */
#include "drop/maildir_priv.h"

#include "base/alloc.h"

#include <stdlib.h>

#define TRIES		4

void
maildir_list_init(struct maildir_list *l)
{
	*l = (struct maildir_list){ .new_fd = -1, .cur_fd = -1 };
}

void
maildir_list_fini(struct maildir_list *l)
{
	fd_close(&l->new_fd);
	fd_close(&l->cur_fd);
	maildir_list_forget(l);
	maildir_list_init(l);
}

void
maildir_list_forget(struct maildir_list *l)
{
	free(l->names);
	free(l->files);
	l->names = NULL;
	l->files = NULL;
	l->n = l->cap = l->names_n = l->names_cap = 0;
}

/* ------------------------------------------------------------- listing */

struct listing {
	struct maildir_list	*list;
	bool			 in_new;
};

static size_t
keep_name(struct maildir_list *l, struct span name)
{
	size_t at = l->names_n;

	while (l->names_cap - at <= name.n)
		l->names = xgrow(l->names, l->names_cap, &l->names_cap, 1);
	memcpy(l->names + at, name.p, name.n);
	l->names[at + name.n] = '\0';
	l->names_n += name.n + 1;
	return at;
}

static bool
keep_file(void *ctx, const char *name, uint64_t ino)
{
	struct listing		*to = ctx;
	struct maildir_list	*l = to->list;
	struct maildir_name	 n;

	if (!maildir_name_parse(span_str(name), &n))
		return true;
	if (l->n == MAILDIR_ROWS_MAX)
		return false;
	l->files = xgrow(l->files, l->n, &l->cap, sizeof(*l->files));
	l->files[l->n++] = (struct maildir_file){
		.name = keep_name(l, span_str(name)),
		.ino = ino,
		.base_n = (uint16_t)n.base.n,
		.in_new = to->in_new,
	};
	return true;
}

static int
list_folder(struct maildir_list *l, bool in_new, struct fault *f)
{
	struct listing to = { l, in_new };

	return file_list_numbers(in_new ? l->new_fd : l->cur_fd, keep_file, &to, f);
}

int
maildir_list_open(struct maildir_list *l, int dirfd, struct fault *f)
{
	fd_close(&l->new_fd);
	fd_close(&l->cur_fd);
	return file_open(dirfd, "new", FILE_READ | FILE_DIR, 0, &l->new_fd,
	    f) == -1 || file_open(dirfd, "cur", FILE_READ | FILE_DIR, 0,
	    &l->cur_fd, f) == -1 ||
	    file_facts(l->new_fd, &l->new_facts, f) == -1 ||
	    file_facts(l->cur_fd, &l->cur_facts, f) == -1 ? -1 : 0;
}

/* new/ before cur/: what a reader takes over meanwhile is met twice, not never. */
int
maildir_list_read(struct maildir_list *l, bool in_new, bool in_cur,
    struct fault *f)
{
	l->n = 0;
	l->names_n = 0;
	return (in_new && list_folder(l, true, f) == -1) ||
	    (in_cur && list_folder(l, false, f) == -1) ? -1 : 0;
}

static int
list_once(struct maildir_list *l, int dirfd, struct fault *f)
{
	return maildir_list_open(l, dirfd, f) == -1 ||
	    maildir_list_read(l, true, true, f) == -1 ? -1 : 0;
}

static bool
unchanged(int fd, const struct file_facts *was)
{
	struct file_facts now;

	return file_facts(fd, &now, NULL) == 0 &&
	    now.ino == was->ino &&
	    now.ctime.tv_sec == was->ctime.tv_sec &&
	    now.ctime.tv_nsec == was->ctime.tv_nsec &&
	    now.mtime.tv_sec == was->mtime.tv_sec &&
	    now.mtime.tv_nsec == was->mtime.tv_nsec;
}

bool
maildir_list_holds(const struct maildir_list *l)
{
	return unchanged(l->new_fd, &l->new_facts) &&
	    unchanged(l->cur_fd, &l->cur_facts);
}

/* ------------------------------------------------------------- finding */

static int
compare_bases(struct span a, struct span b)
{
	size_t	n = a.n < b.n ? a.n : b.n;
	int	c = memcmp(a.p, b.p, n);

	return c != 0 ? c : a.n < b.n ? -1 : a.n > b.n;
}

static int
by_base(const void *a, const void *b, void *list)
{
	return compare_bases(maildir_file_base(list, a),
	    maildir_file_base(list, b));
}

void
maildir_list_sort(struct maildir_list *l)
{
	if (l->n > 0)
		qsort_r(l->files, l->n, sizeof(*l->files), by_base, l);
}

int
maildir_list_take(struct maildir_list *l, int dirfd, struct fault *f)
{
	int tries = 0;
	int r;

	do
		r = list_once(l, dirfd, f);
	while (++tries < TRIES && (r == -1 ? maildir_went(f) :
	    !maildir_list_holds(l)));
	if (r == 0)
		maildir_list_sort(l);
	return r;
}

const struct maildir_file *
maildir_list_find(const struct maildir_list *l, struct span base, size_t *n_r)
{
	size_t low = 0, high = l->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_bases(maildir_file_base(l, &l->files[middle]),
		    base) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*n_r = 0;
	while (low + *n_r < l->n &&
	    span_eq(maildir_file_base(l, &l->files[low + *n_r]), base))
		++*n_r;
	return *n_r == 0 ? NULL : &l->files[low];
}
