/* SPDX-License-Identifier: ISC */
/* What `popper bulletin list` and `popper check` say about the folder. */
#include "bull/bull.h"

#include "bull/bull_priv.h"
#include "bull/compose.h"
#include "bull/filter.h"
#include "sys/file.h"

#define HEADER_LOOK	65536		/* for the subject */

struct judging {
	int	  dirfd;
	void	(*row)(void *ctx, const char *name, uint64_t number,
		    struct span subject, const char *problem);
	void	 *ctx;
};

static int
discard(void *ctx UNUSED, struct span s UNUSED)
{
	return 0;
}

/* NULL when the file is one message. */
static const char *
judge_octets(int fd, struct fault *f)
{
	struct bull_filter	filter;
	uint8_t			block[HEADER_LOOK];
	uint64_t		off = 0;
	ssize_t			n;

	bull_filter_init(&filter, "", discard, NULL);
	do {
		n = file_pread(fd, block, sizeof(block), off, f);
		if (n == -1)
			return f->text;
		off += (uint64_t)n;
	} while (n > 0 &&
	    bull_filter_feed(&filter, span_of(block, (size_t)n)) == 0);
	return bull_filter_end(&filter) == 0 ?
	    bull_verdict_text(filter.verdict) : NULL;
}

static const char *
judge_file(int fd, struct fault *f)
{
	struct file_facts facts;

	if (file_facts(fd, &facts, f) == -1)
		return f->text;
	if ((facts.mode & 0444) != 0444)
		return "not readable by everybody (chmod a+r)";
	return judge_octets(fd, f);
}

static void
judge_name(const struct judging *j, const struct bull_file *b)
{
	AUTO(fd_close) int	fd = -1;
	uint8_t			head[HEADER_LOOK];
	struct fault		f = { 0 };
	const char		*problem;
	ssize_t			n;

	if (bull_open(j->dirfd, b->name, &fd, &f) == -1) {
		j->row(j->ctx, b->name, b->number, (struct span){ 0 }, f.text);
		return;
	}
	problem = b->number == 0 ? "not delivered: numbers begin with 1" :
	    judge_file(fd, &f);
	n = file_pread(fd, head, sizeof(head), 0, NULL);
	j->row(j->ctx, b->name, b->number, n > 0 ?
	    bull_subject(span_of(head, (size_t)n)) : (struct span){ 0 },
	    problem);
}

static void
name_skipped(void *ctx, const char *name, enum bull_name why)
{
	struct judging *j = ctx;

	if (name[0] == '.')
		return;
	j->row(j->ctx, name, 0, (struct span){ 0 }, why == BULL_NAME_OTHER ?
	    "not delivered: the name does not begin with a number" :
	    "not delivered: a number has at most 18 digits");
}

int
bull_judge(const char *dir, void (*row)(void *ctx, const char *name,
    uint64_t number, struct span subject, const char *problem), void *ctx,
    struct fault *f)
{
	AUTO(fd_close) int	dirfd = -1;
	struct judging		j = { .row = row, .ctx = ctx };
	struct bull_names	names = { .skipped = name_skipped, .ctx = &j };
	struct file_facts	facts;

	if (file_open(FILE_CWD, dir, FILE_READ | FILE_DIR | FILE_FOLLOW, 0,
	    &dirfd, f) == -1 || file_facts(dirfd, &facts, f) == -1)
		return -1;
	j.dirfd = dirfd;
	if ((facts.mode & 0555) != 0555)
		row(ctx, ".", 0, (struct span){ 0 },
		    "the folder is not readable by everybody (chmod a+rx)");
	if ((facts.mode & 0022) != 0)
		row(ctx, ".", 0, (struct span){ 0 },
		    "others than its owner may write to the folder");
	if (bull_names_read(&names, dirfd, f) == -1)
		return -1;
	for (size_t i = 0; i < names.n; i++)
		judge_name(&j, &names.list[i]);
	bull_names_fini(&names);
	return 0;
}
