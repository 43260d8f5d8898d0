/* SPDX-License-Identifier: ISC */
/*
 * Fuzz target: names of files in a Maildir, and the index of one, whoever wrote it.
 * Of an index the fixed words and the marks are made right first, or nothing would
 * ever get past them.
 */
#include "drop/maildir_index.h"

#include "base/alloc.h"
#include "drop/digest.h"
#include "drop/maildir_name.h"

#include <stdlib.h>

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check_name(struct span name)
{
	struct maildir_name	n;
	char			seen[MAILDIR_NAME_MAX + 1];
	char			uidl[DROP_UIDL_MAX + 1];

	if (!maildir_name_parse(name, &n))
		return;
	ASSERT(name.n > 0 && n.base.n <= name.n);
	ASSERT(!n.has_size || (n.wire >= n.size && n.wire / 2 <= n.size));
	/* Two files may have an empty one, which tells nothing. */
	if (n.base.n > 0)
		maildir_name_uidl(n.base, uidl);
	else
		maildir_name_uidl_twin(n.base, 1, uidl);
	ASSERT(uidl[0] != '\0' && strlen(uidl) <= DROP_UIDL_MAX);
	for (const char *p = uidl; *p != '\0'; p++)
		ASSERT(*p >= 0x21 && *p <= 0x7e);
	if (maildir_name_seen(&n, seen)) {
		struct maildir_name again;

		ASSERT(maildir_name_parse(span_str(seen), &again) || memchr(
		    name.p, '\0', name.n) != NULL);
	}
}

/* What is used of it lies within it. */
static void
check_index(struct maildir_index *x)
{
	struct maildir_mail	m;
	uint64_t		sum = 0;

	for (size_t i = 0; i < x->head.n; i++) {
		if (!maildir_index_row(x, x->head.n - 1 - i, &m))
			continue;
		ASSERT(strlen(m.name) == m.row->name_n);
		ASSERT(m.row->name_n <= MAILDIR_NAME_MAX &&
		    m.row->base_n <= m.row->name_n);
		ASSERT(m.name[0] != '.' && strchr(m.name, '/') == NULL);
		ASSERT(m.row->nth <= x->head.n && sum + m.row->wire >= sum);
		sum += m.row->wire;
	}
}

static void
make_head_right(struct maildir_index_head *h)
{
	static const struct maildir_index_head right = {
		.magic = MAILDIR_INDEX_MAGIC, .mark = MAILDIR_INDEX_MARK,
	};

	memcpy(h->magic, right.magic, sizeof(h->magic));
	h->mark = right.mark;
	h->n = 1 + h->n % 1000;
	h->digest = digest_mark(span_of(h, offsetof(struct maildir_index_head,
	    digest)));
}

/* As many of its rows as there are octets for. */
static void
make_block_right(struct maildir_index_block *b, size_t n,
    const struct maildir_index_head *h)
{
	size_t rest = n - sizeof(*b);

	b->generation = h->generation;
	b->number = 0;
	b->first %= h->n;
	b->rows = (uint32_t)(1 + b->rows % (rest / sizeof(struct maildir_row)));
	b->names_n = (uint32_t)(rest - b->rows * sizeof(struct maildir_row));
	b->digest = digest_mark(span_of((const uint8_t *)b + sizeof(b->digest),
	    n - sizeof(b->digest)));
}

static void
check_file(uint8_t *head, uint8_t *block, size_t n)
{
	AUTO(fd_close) int	fd = -1;
	struct maildir_index	x;

	make_head_right((void *)head);
	make_block_right((void *)block, n, (void *)head);
	if (file_open_memory(&fd, NULL) == -1)
		return;
	maildir_index_init(&x, fd_take(&fd));
	if (file_pwrite(x.fd, head, sizeof(struct maildir_index_head), 0,
	    NULL) == 0 && file_pwrite(x.fd, block, n, MAILDIR_INDEX_PLACE,
	    NULL) == 0 && maildir_index_read(&x))
		check_index(&x);
	maildir_index_fini(&x);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const size_t	 head_n = sizeof(struct maildir_index_head);
	uint8_t		*text;

	check_name(span_of(data, n));
	if (n < head_n + sizeof(struct maildir_index_block) +
	    sizeof(struct maildir_row))
		return 0;
	text = xalloc(n, 1);
	memcpy(text, data, n);
	check_file(text, text + head_n, n - head_n);
	free(text);
	return 0;
}
