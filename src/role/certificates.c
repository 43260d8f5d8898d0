/* SPDX-License-Identifier: ISC */
#include "role/certificates.h"

#include "base/alloc.h"
#include "sys/file.h"

#include <errno.h>
#include <stdlib.h>

const char *
certificate_path(const struct certificate_row *row, size_t file)
{
	return file == CERTIFICATE_CHAIN ? row->chain :
	    file == CERTIFICATE_KEY ? row->key : row->ocsp;
}

int
certificates_add(struct certificates *c, const char *line, struct fault *f)
{
	struct certificate_row	row;
	char			unused[8];
	int			*fd = c->one[c->n].fd;

	if (!certificate_read(line, &row, unused, sizeof(unused)))
		return fault_set(f, FAULT_PERM, "tls_certificate = %s", line);
	(void)span_cstr(span_str(row.chain), c->one[c->n].name,
	    CERTIFICATE_PATH_MAX);
	fd[CERTIFICATE_CHAIN] = fd[CERTIFICATE_KEY] = fd[CERTIFICATE_OCSP] = -1;
	c->n++;
	for (size_t i = 0; i < CERTIFICATE_FILES; i++) {
		const char *path = certificate_path(&row, i);

		if (path[0] != '\0' && file_open(FILE_CWD, path,
		    FILE_READ | FILE_FOLLOW, 0, &fd[i], f) != 0 &&
		    (i != CERTIFICATE_OCSP || f->err != ENOENT))
			return -1;
	}
	return 0;
}

int
certificates_open(const struct conf_list *rows, struct certificates *out,
    struct fault *f)
{
	out->n = 0;
	if (rows->n > TLS_PAIRS_MAX)
		return fault_set(f, FAULT_LIMIT, "more than %d rows of"
		    " tls_certificate", TLS_PAIRS_MAX);
	for (size_t i = 0; i < rows->n; i++)
		if (certificates_add(out, rows->item[i], f) != 0) {
			certificates_close(out);
			return -1;
		}
	return 0;
}

void
certificates_close(struct certificates *c)
{
	for (; c->n > 0; c->n--)
		for (size_t i = 0; i < CERTIFICATE_FILES; i++)
			fd_close(&c->one[c->n - 1].fd[i]);
}

static int
slurp(int fd, char *text, struct span *out, struct fault *f)
{
	ssize_t n = fd < 0 ? 0 : file_slurp(fd, text, CERTIFICATE_FILE_MAX, f);

	*out = span_of(text, n < 0 ? 0 : (size_t)n);
	return n < 0 ? -1 : 0;
}

struct certificate_texts *
certificates_read(const struct certificates *c, struct fault *f)
{
	struct certificate_texts *t = xalloc(1, sizeof(*t));

	t->n = c->n;
	for (size_t i = 0; i < c->n; i++) {
		struct tls_pair *p = &t->pair[i];

		p->name = c->one[i].name;
		if (slurp(c->one[i].fd[CERTIFICATE_CHAIN], t->text[i][0],
		    &p->chain, f) != 0 ||
		    slurp(c->one[i].fd[CERTIFICATE_KEY], t->text[i][1], &p->key,
		    f) != 0 ||
		    slurp(c->one[i].fd[CERTIFICATE_OCSP], t->text[i][2], &p->ocsp,
		    f) != 0) {
			(void)fault_prefix(f, "%s: ", p->name);
			certificate_texts_free(t);
			return NULL;
		}
	}
	return t;
}

void
certificate_texts_free(struct certificate_texts *t)
{
	if (t != NULL)
		explicit_bzero(t->text, t->n * sizeof(t->text[0]));
	free(t);
}
