/* SPDX-License-Identifier: ISC */
/*
 * A process's memory, moved to where no other process is.
 * Runs as: the spawner, root.  Reads from: /proc/self/smaps.
 *
 * Each mapping is copied, and the copy takes its place; the kernel does that at
 * once (mremap), so there is no moment without it.  What is only read becomes a
 * part of a file in memory, of which later children have the same pages; the rest
 * is ours, as it was.  Nothing else may change meanwhile: signals are blocked, no
 * thread is there, and the stack, which is one of those mappings, rests while we
 * run on another one.
 */
#include "sys/spawn.h"

#include "sys/file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define PIECES_MAX	256		/* more stay where they are */
#define TEXT_MAX	(PIECES_MAX * 1024u)
#define SIDE_STACK	65536
#define SEALS		(F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

struct piece {
	uint8_t		*at;
	size_t		 n;
	int		 prot;
	bool		 of_file;	/* and nothing was written there */
	bool		 stack;		/* it grows down */
};

/* Lies in a mapping of its own, with the stack behind it. */
struct renewal {
	size_t		n;
	size_t		page;
	int		copies;		/* of files; -1: they stay */
	uint64_t	copied;		/* octets */
	ucontext_t	back;
	ucontext_t	there;
	struct piece	pieces[PIECES_MAX];
	char		text[TEXT_MAX];
	uint8_t		stack[SIDE_STACK];
};

/* ---------------------------------------------------------- which ones */

/* A line that begins a mapping.  n stays 0 where it is none of ours. */
static bool
is_head(const char *line, struct piece *p)
{
	uintptr_t	from;
	uintptr_t	to;
	unsigned long	inode;
	char		rights[5];

	if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*x %*x:%*x %lu",
	    &from, &to, rights, &inode) != 4)
		return false;
	*p = (struct piece){ .at = (uint8_t *)from };
	if (rights[0] != 'r' || rights[3] != 'p')
		return true;
	p->n = to - from;
	p->prot = PROT_READ | (rights[1] == 'w' ? PROT_WRITE : 0) |
	    (rights[2] == 'x' ? PROT_EXEC : 0);
	p->of_file = inode != 0 && rights[1] != 'w';
	return true;
}

/* The flags are a mapping's last line.  Who is not inherited, or locked, or a shadow
 * stack of the processor's, stays. */
static void
take_line(struct renewal *r, const char *line, struct piece *p,
    unsigned long *written_kib)
{
	if (is_head(line, p)) {
		*written_kib = 0;
		return;
	}
	if (sscanf(line, "Anonymous: %lu kB", written_kib) == 1 ||
	    strncmp(line, "VmFlags:", 8) != 0)
		return;
	if (*written_kib > 0)
		p->of_file = false;
	else if (!p->of_file)
		return;			/* there is nothing, or the kernel's */
	p->stack = strstr(line, " gd") != NULL;
	if (p->n > 0 && strstr(line, " dc") == NULL &&
	    strstr(line, " lo") == NULL && strstr(line, " ss") == NULL &&
	    r->n < PIECES_MAX)
		r->pieces[r->n++] = *p;
}

/* Without the C library's streams: they would change the heap. */
static int
list(struct renewal *r, struct fault *f)
{
	AUTO(fd_close) int	 fd = -1;
	struct piece		 p = { 0 };
	unsigned long		 written = 0;
	char			*end;
	ssize_t			 n;

	if (file_open(FILE_CWD, "/proc/self/smaps", FILE_READ, 0, &fd, f) != 0 ||
	    (n = file_read(fd, r->text, sizeof(r->text), f)) < 0)
		return -1;
	for (char *line = r->text; (end = memchr(line, '\n',
	    (size_t)(r->text + n - line))) != NULL; line = end + 1) {
		*end = '\0';
		take_line(r, line, &p, &written);
	}
	return 0;
}

/* ------------------------------------------------------------- the move */

/* A page that was never touched stays so. */
static void
copy(const struct renewal *r, uint8_t *to, const struct piece *p)
{
	for (size_t i = 0; i < p->n; i += r->page)
		if (p->at[i] != 0 ||
		    memcmp(p->at + i, p->at + i + 1, r->page - 1) != 0)
			memcpy(to + i, p->at + i, r->page);
}

/* What cannot be moved stays: it is a matter of costs alone. */
static void
put(uint8_t *to, const struct piece *p)
{
	if (mremap(to, p->n, p->n, MREMAP_MAYMOVE | MREMAP_FIXED,
	    p->at) == MAP_FAILED)
		(void)munmap(to, p->n);
}

static void
move(const struct renewal *r, const struct piece *p)
{
	int	 how = MAP_PRIVATE | MAP_ANONYMOUS |
		    (p->stack ? MAP_GROWSDOWN : 0);
	uint8_t	*to = mmap(NULL, p->n, PROT_READ | PROT_WRITE, how, -1, 0);

	if (to == MAP_FAILED)
		return;
	copy(r, to, p);
	if (mprotect(to, p->n, p->prot) == 0)
		put(to, p);
	else
		(void)munmap(to, p->n);
}

/* Into the file, all of them, and then it is sealed. */
static void
fill(struct renewal *r)
{
	struct fault f;

	for (size_t i = 0; i < r->n && r->copies >= 0; i++) {
		const struct piece *p = &r->pieces[i];

		if (!p->of_file)
			continue;
		if (file_pwrite(r->copies, p->at, p->n, r->copied, &f) != 0)
			fd_close(&r->copies);
		r->copied += p->n;
	}
	if (r->copies >= 0 && fcntl(r->copies, F_ADD_SEALS, SEALS) == -1)
		fd_close(&r->copies);
	r->copied = 0;
}

static void
move_copied(struct renewal *r, const struct piece *p)
{
	uint8_t *to = mmap(NULL, p->n, p->prot, MAP_PRIVATE, r->copies,
	    (off_t)r->copied);

	r->copied += p->n;
	if (to != MAP_FAILED)
		put(to, p);
}

static struct renewal	*it;		/* makecontext passes ints alone */

static void
move_all(void)
{
	struct renewal *r = it;

	fill(r);
	for (size_t i = 0; i < r->n; i++)
		if (!r->pieces[i].of_file)
			move(r, &r->pieces[i]);
		else if (r->copies >= 0)
			move_copied(r, &r->pieces[i]);
}

static void
move_on_the_side(struct renewal *r)
{
	if (getcontext(&r->there) != 0)
		return;
	r->there.uc_stack.ss_sp = r->stack;
	r->there.uc_stack.ss_size = sizeof(r->stack);
	r->there.uc_link = &r->back;
	it = r;
	makecontext(&r->there, move_all, 0);
	(void)swapcontext(&r->back, &r->there);
}

void
spawn_renew(void)
{
	struct renewal	*r;
	struct fault	 f;
	sigset_t	 all;
	sigset_t	 old;

	if (POPPER_SANITIZED)		/* their run time knows each mapping */
		return;
	r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (r == MAP_FAILED)
		return;
	(void)madvise(r, sizeof(*r), MADV_DONTFORK);	/* so it is not listed */
	r->page = (size_t)sysconf(_SC_PAGESIZE);
	r->copies = memfd_create("popper", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &old);
	if (list(r, &f) == 0)
		move_on_the_side(r);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	fd_close(&r->copies);
	(void)munmap(r, sizeof(*r));
}
