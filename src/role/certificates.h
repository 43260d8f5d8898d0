/* SPDX-License-Identifier: ISC */
/*
 * The files that tls_certificate names, and those about the certificates of clients:
 * opened by who may, read by who has no
 * rights.  Floor 4.
 */
#ifndef ROLE_CERTIFICATES_H
#define ROLE_CERTIFICATES_H

#include "role/certificate.h"
#include "role/settings.h"
#include "tls/tls.h"

enum { CERTIFICATE_CHAIN, CERTIFICATE_KEY, CERTIFICATE_OCSP, CERTIFICATE_FILES };

/* tls_client_ca, tls_client_crl, tls_client_users; see popper.conf(5). */
enum { CLIENTS_CA, CLIENTS_CRL, CLIENTS_USERS, CLIENTS_FILES };
#define CLIENTS_FILE_MAX	((size_t)1 << 20)

struct certificates {
	bool	asks;				/* clients for theirs */
	bool	checks_revoked;
	int	clients[CLIENTS_FILES];		/* owns, when asks; of one that is
						   not needed, or not there, -1 */
	size_t	n;
	struct {
		char	name[CERTIFICATE_PATH_MAX];
		int	fd[CERTIFICATE_FILES];	/* owns; of OCSP perhaps -1 */
	}	one[TLS_PAIRS_MAX];
};

/* The text of a row's file; "": it has none. */
const char	*certificate_path(const struct certificate_row *row, size_t file);

/* "": it is not needed. */
const char	*certificates_client_path(const struct settings *s, size_t file);

/* All of them; on a fault none is open.  A response that is missing does not matter:
 * it is made later, and by somebody else; nor do rows of users. */
int	certificates_open(const struct settings *s, struct certificates *out,
	    struct fault *f) MUSTUSE;
/* Those about clients alone. */
int	certificates_open_clients(const struct settings *s,
	    struct certificates *out, struct fault *f) MUSTUSE;
/* One row more, of which there is none too many; on a fault it is open in part. */
int	certificates_add(struct certificates *c, const char *row, struct fault *f)
	    MUSTUSE;
void	certificates_close(struct certificates *c);

/* All of it read. */
struct certificate_texts {
	size_t		n;
	struct tls_pair	pair[TLS_PAIRS_MAX];
	char		text[TLS_PAIRS_MAX][CERTIFICATE_FILES]
			    [CERTIFICATE_FILE_MAX];
	struct tls_clients clients;		/* when asks */
	struct span	users;
	char		client[CLIENTS_FILES][CLIENTS_FILE_MAX];
};
/* NULL: a fault.  The caller's; private keys are in it. */
struct certificate_texts	*certificates_read(const struct certificates *c,
				    struct fault *f) MUSTUSE;
void	certificate_texts_free(struct certificate_texts *t);

#endif
