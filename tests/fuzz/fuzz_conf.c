/* SPDX-License-Identifier: ISC */
/*
 * popper.conf and files of blocks: nothing may crash, every mistake must be a
 * line of printable text, and reading the same text twice gives the same.
 */
#include "conf/conf.h"

int	LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct all {
	bool			 on;
	const char		*text;
	const char		*path;
	unsigned		 wait_s;
	uint64_t		 size;
	unsigned		 count;
	int			 word;
	struct conf_list	 list;
};

static const char *const words[] = { "split", "single", NULL };

#define AT(m)	offsetof(struct all, m)
static const struct conf_option rows[] = {
	{ .name = "on", .type = CONF_BOOL, .offset = AT(on),
	  .fallback = "no", .meaning = "on" },
	{ .name = "text", .type = CONF_TEXT, .offset = AT(text),
	  .fallback = "", .meaning = "text" },
	{ .name = "path", .type = CONF_PATH, .offset = AT(path),
	  .fallback = "", .meaning = "path" },
	{ .name = "wait", .type = CONF_SECONDS, .offset = AT(wait_s),
	  .fallback = "1m", .min = 1, .meaning = "wait" },
	{ .name = "size", .type = CONF_SIZE, .offset = AT(size),
	  .fallback = "1M", .meaning = "size" },
	{ .name = "count", .type = CONF_COUNT, .offset = AT(count),
	  .fallback = "1", .max = 99, .meaning = "count" },
	{ .name = "word", .type = CONF_WORD, .offset = AT(word),
	  .fallback = "split", .words = words, .meaning = "word" },
	{ .name = "list", .type = CONF_LIST, .offset = AT(list),
	  .fallback = "a", .meaning = "list" },
	{ .name = NULL }
};
static const struct conf_room rooms[] = { { "All", rows, 0 } };

static struct conf_store *
read_once(struct span text, struct all *a)
{
	struct conf_store *s = conf_new();

	*a = (struct all){ .count = 0 };
	conf_defaults(s, rooms, 1, a);
	conf_read(s, rooms, 1, a, "etc/popper.conf", text);
	return s;
}

static void
check_same(const struct all *a, const struct all *b)
{
	ASSERT(a->on == b->on && strcmp(a->text, b->text) == 0 &&
	    strcmp(a->path, b->path) == 0 && a->wait_s == b->wait_s &&
	    a->size == b->size && a->count == b->count && a->word == b->word &&
	    a->list.n == b->list.n);
	ASSERT(a->path[0] == '\0' || strchr(a->path, '/') != NULL);
	ASSERT(a->wait_s >= 1 && a->count <= 99 && a->word < 2);
	ASSERT(a->list.n <= CONF_LIST_MAX);
}

static void
on_row(void *ctx, unsigned line, const char *block, const char *name,
    const char *key, const char *value)
{
	int *depth = ctx;

	ASSERT(line > 0 && block[0] != '\0' && name != NULL && value != NULL);
	if (strcmp(key, "{") == 0)
		++*depth;
	else if (strcmp(key, "}") == 0)
		--*depth;
	ASSERT(*depth >= 0 && *depth <= 1);
}

static void
on_bad(void *ctx, unsigned line, const char *text)
{
	(void)ctx;
	(void)line;
	ASSERT(text[0] != '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span		   text = { p, n };
	struct all		   a, b;
	struct conf_store	  *s = read_once(text, &a);
	struct conf_store	  *t = read_once(text, &b);
	const struct conf_mistake *m;
	size_t			   nm = conf_mistakes(s, &m);
	int			   depth = 0;

	check_same(&a, &b);
	for (size_t i = 0; i < nm; i++) {
		ASSERT(m[i].text[0] != '\0');
		for (const char *c = m[i].text; *c != '\0'; c++)
			ASSERT((uint8_t)*c >= 0x20 && *c != 0x7f);
	}
	conf_free(s);
	conf_free(t);
	conf_blocks(text, on_row, on_bad, &depth);
	return 0;
}
