/* SPDX-License-Identifier: ISC */
/*
 * The files that tls_certificate names: opened by who may, read by who has no
 * rights.  Floor 4.
 */
#ifndef ROLE_CERTIFICATES_H
#define ROLE_CERTIFICATES_H

#include "role/certificate.h"
#include "role/settings.h"
#include "tls/tls.h"

enum { CERTIFICATE_CHAIN, CERTIFICATE_KEY, CERTIFICATE_OCSP, CERTIFICATE_FILES };

struct certificates {
	size_t	n;
	struct {
		char	name[CERTIFICATE_PATH_MAX];
		int	fd[CERTIFICATE_FILES];	/* owns; of OCSP perhaps -1 */
	}	one[TLS_PAIRS_MAX];
};

/* The text of a row's file; "": it has none. */
const char	*certificate_path(const struct certificate_row *row, size_t file);

/* All rows; on a fault none is open.  A response that is missing does not matter:
 * it is made later, and by somebody else. */
int	certificates_open(const struct conf_list *rows, struct certificates *out,
	    struct fault *f) MUSTUSE;
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
};
/* NULL: a fault.  The caller's; private keys are in it. */
struct certificate_texts	*certificates_read(const struct certificates *c,
				    struct fault *f) MUSTUSE;
void	certificate_texts_free(struct certificate_texts *t);

#endif
