/* SPDX-License-Identifier: ISC */
/*
 * Fuzz target: names of files in a Maildir, and the index of one, whoever wrote it.
 * Of an index the fixed words and the digest are made right first, or nothing would
 * ever get past them.
 */
#include "drop/maildir_index.h"

#include "base/alloc.h"

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
	ASSERT(n.base.n > 0 && n.base.n <= name.n);
	ASSERT(!n.has_size || (n.wire >= n.size && n.wire / 2 <= n.size));
	maildir_name_uidl(&n, uidl);
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
check_index(const struct maildir_index *x)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < x->head.n; i++) {
		const struct maildir_index_row	*r = &x->rows[i];
		const char			*name = x->names + r->name;
		size_t				 len = strlen(name);

		ASSERT(r->name + len < x->head.names_n);
		ASSERT(len <= MAILDIR_NAME_MAX && r->base_n <= len);
		ASSERT(name[0] != '.' && strchr(name, '/') == NULL);
		ASSERT(r->order < x->head.n && sum + r->wire >= sum);
		sum += r->wire;
		(void)maildir_index_find(x, span_of(name, r->base_n));
	}
}

static void
make_right(uint8_t *text, size_t n)
{
	static const struct maildir_index_head right = {
		.magic = MAILDIR_INDEX_MAGIC, .mark = MAILDIR_INDEX_MARK,
	};
	struct maildir_index_head	h;
	struct digest			d;
	size_t				most;

	memcpy(&h, text, sizeof(h));
	memcpy(h.magic, right.magic, sizeof(h.magic));
	h.mark = right.mark;
	h.settled &= 1;
	most = (n - sizeof(h) - DIGEST_SIZE) / sizeof(struct maildir_index_row);
	h.n = most == 0 ? 1 : 1 + h.n % most;
	h.names_n = n - sizeof(h) - DIGEST_SIZE -
	    h.n * sizeof(struct maildir_index_row);
	memcpy(text, &h, sizeof(h));
	digest_init(&d);
	digest_add(&d, span_of(text, n - DIGEST_SIZE));
	digest_take(&d, text + n - DIGEST_SIZE);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO(fd_close) int	fd = -1;
	size_t			size = n + DIGEST_SIZE;
	struct maildir_index	x;
	uint8_t			*text;
	bool			good;

	check_name(span_of(data, n));
	if (n < sizeof(x.head) + sizeof(struct maildir_index_row) + 2 ||
	    file_open_memory(&fd, NULL) == -1)
		return 0;
	text = xalloc(size, 1);
	memcpy(text, data, n);
	make_right(text, size);
	good = file_pwrite(fd, text, size, 0, NULL) == 0 &&
	    maildir_index_read(fd, &x);
	free(text);
	if (good) {
		check_index(&x);
		maildir_index_fini(&x);
	}
	return 0;
}
