/* SPDX-License-Identifier: ISC */
#include "role/certificates.h"

#include "base/alloc.h"
#include "sys/file.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static_assert(CONF_LIST_MAX == TLS_PAIRS_MAX, "there is room for all rows");

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

const char *
certificates_client_path(const struct settings *s, size_t file)
{
	return s->auth.client_ca[0] == '\0' ? "" :
	    file == CLIENTS_CA ? s->auth.client_ca :
	    file == CLIENTS_CRL ? s->auth.client_crl :
	    auth_client_users(&s->auth);
}

static int
open_client_file(const char *path, bool optional, int *fd, struct fault *f)
{
	if (path[0] == '\0' ||
	    file_open(FILE_CWD, path, FILE_READ | FILE_FOLLOW, 0, fd, f) == 0)
		return 0;
	return optional && f->err == ENOENT ? 0 : -1;
}

int
certificates_open_clients(const struct settings *s, struct certificates *out,
    struct fault *f)
{
	out->asks = s->auth.client_ca[0] != '\0';
	out->checks_revoked = s->auth.client_crl[0] != '\0';
	for (size_t i = 0; i < CLIENTS_FILES; i++)
		out->clients[i] = -1;
	for (size_t i = 0; out->asks && i < CLIENTS_FILES; i++)
		if (open_client_file(certificates_client_path(s, i),
		    i == CLIENTS_USERS, &out->clients[i], f) != 0) {
			certificates_close(out);
			return -1;
		}
	return 0;
}

int
certificates_open(const struct settings *s, struct certificates *out,
    struct fault *f)
{
	const struct conf_list *rows = &s->role.tls_certificate;

	out->n = 0;
	if (certificates_open_clients(s, out, f) != 0)
		return -1;
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
	for (size_t i = 0; c->asks && i < CLIENTS_FILES; i++)
		fd_close(&c->clients[i]);
	c->asks = false;
	for (; c->n > 0; c->n--)
		for (size_t i = 0; i < CERTIFICATE_FILES; i++)
			fd_close(&c->one[c->n - 1].fd[i]);
}

static int
slurp(int fd, char *text, size_t cap, struct span *out, struct fault *f)
{
	ssize_t n = fd < 0 ? 0 : file_slurp(fd, text, cap, f);

	*out = span_of(text, n < 0 ? 0 : (size_t)n);
	return n < 0 ? -1 : 0;
}

static int
read_clients(const struct certificates *c,
    struct certificate_texts *t, struct fault *f)
{
	struct span *const	out[CLIENTS_FILES] = {
		[CLIENTS_CA]	= &t->clients.authorities,
		[CLIENTS_CRL]	= &t->clients.revoked,
		[CLIENTS_USERS]	= &t->users,
	};

	t->clients.checks_revoked = c->checks_revoked;
	for (size_t i = 0; c->asks && i < CLIENTS_FILES; i++)
		if (slurp(c->clients[i], t->client[i], CLIENTS_FILE_MAX, out[i],
		    f) != 0)
			return fault_prefix(f, "certificates of clients: ");
	return 0;
}

struct certificate_texts *
certificates_read(const struct certificates *c, struct fault *f)
{
	struct certificate_texts *t = xalloc(1, sizeof(*t));

	t->n = c->n;
	if (read_clients(c, t, f) != 0) {
		certificate_texts_free(t);
		return NULL;
	}
	for (size_t i = 0; i < c->n; i++) {
		struct tls_pair	*p = &t->pair[i];
		struct span *const out[CERTIFICATE_FILES] = {
			&p->chain, &p->key, &p->ocsp,
		};
		size_t k = 0;

		p->name = c->one[i].name;
		while (k < CERTIFICATE_FILES && slurp(c->one[i].fd[k],
		    t->text[i][k], CERTIFICATE_FILE_MAX, out[k], f) == 0)
			k++;
		if (k < CERTIFICATE_FILES) {
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
