/* SPDX-License-Identifier: ISC */
/* The library is the process's, as libpam and libcrypt are. */
#include "auth/scram.h"

#include "base/codec.h"
#include "base/num.h"
#include "sys/file.h"
#include "sys/lock.h"
#include "sys/module.h"

#include <stdio.h>

#define KEY_FILE	"scram-key"
#define KEY_SIZE	32

static const struct sasl_ops	*library;
static uint8_t			 key[KEY_SIZE];

/* The first who needs it makes it; who has it open waits for who writes it. */
static int
read_key(const char *dir, struct fault *f)
{
	AUTO(fd_close) int	fd = -1;
	char			path[512];
	int			n = snprintf(path, sizeof(path), "%s/" KEY_FILE,
				    dir);
	ssize_t			got;

	if (n < 0 || (size_t)n >= sizeof(path))
		return fault_set(f, FAULT_PERM, "state_dir: too long a path");
	if (file_open(FILE_CWD, path, FILE_READ | FILE_WRITE | FILE_CREATE, 0600,
	    &fd, f) != 0)
		return -1;
	while (lock_flock(fd, f) != 0) {
		if (f->class != FAULT_IN_USE)
			return -1;
		clock_sleep(1);
	}
	got = file_pread(fd, key, sizeof(key), 0, f);
	if (got < 0)
		return -1;
	if ((size_t)got == sizeof(key))
		return 0;
	random_bytes(key, sizeof(key));
	return file_pwrite(fd, key, sizeof(key), 0, f) != 0 ? -1 :
	    file_sync(fd, f);
}

void
scram_open(const char *state_dir)
{
	const struct sasl_ops	*ops;
	struct fault		 f;

	if (library != NULL)
		return;
	ops = module_symbol("popper-sasl.so", "popper_sasl", &f);
	if (ops == NULL || ops->abi != SASL_ABI)
		return;
	/* An ordinary user may have no state_dir: then it is good for this process. */
	if (state_dir != NULL && read_key(state_dir, &f) != 0)
		random_bytes(key, sizeof(key));
	library = ops;
}

const struct sasl_ops *
scram_library(void)
{
	return library;
}

static struct span
next_field(struct span *rest)
{
	size_t		n = span_find(*rest, ',');
	struct span	field = span_first(*rest, n);

	*rest = span_skip(*rest, n + 1);
	return field;
}

static bool
decode(struct span text, uint8_t *out, size_t cap, size_t *n_r)
{
	return base64_decode(text, out, cap, n_r) && *n_r > 0;
}

enum sasl_hash
scram_hash(enum auth_method m)
{
	return m >= AUTH_METHOD_SCRAM_SHA_256 ? SASL_SHA_256 : SASL_SHA_1;
}

bool
scram_parse(struct span text, enum sasl_hash hash, struct sasl_scram *out)
{
	size_t		size = sasl_hash_size(hash);
	size_t		stored = 0;
	size_t		server = 0;
	uint64_t	iterations;

	*out = (struct sasl_scram){ 0 };
	if (!num_parse(next_field(&text), SCRAM_ITERATIONS_MAX, &iterations) ||
	    iterations == 0)
		return false;
	out->iterations = (unsigned)iterations;
	return decode(next_field(&text), out->salt, sizeof(out->salt),
	    &out->salt_n) &&
	    decode(next_field(&text), out->stored, size, &stored) &&
	    decode(next_field(&text), out->server, size, &server) &&
	    stored == size && server == size && text.n == 0;
}

static int
needs_library(struct fault *f)
{
	return library != NULL ? 0 :
	    fault_set(f, FAULT_PERM,
	    "popper-sasl.so is not there, or of another version");
}

int
scram_make(enum sasl_hash hash, const struct secret *x,
    char out[SCRAM_TEXT_MAX], struct fault *f)
{
	struct sasl_scram	s = {
		.iterations = SASL_ITERATIONS, .salt_n = SASL_SALT,
	};
	char			text[3][BASE64_SIZE(SASL_SALT_MAX) + 1];
	size_t			size = sasl_hash_size(hash);

	scram_open(NULL);
	if (needs_library(f) != 0)
		return -1;
	random_bytes(s.salt, s.salt_n);
	if (!library->keys(hash, secret_span(x), &s))
		return fault_set(f, FAULT_AUTH, "the password holds what no "
		    "password may (RFC 4013)");
	text[0][base64_encode(span_of(s.salt, s.salt_n), text[0])] = '\0';
	text[1][base64_encode(span_of(s.stored, size), text[1])] = '\0';
	text[2][base64_encode(span_of(s.server, size), text[2])] = '\0';
	(void)snprintf(out, SCRAM_TEXT_MAX, "%u,%s,%s,%s", s.iterations, text[0],
	    text[1], text[2]);
	explicit_bzero(&s, sizeof(s));
	explicit_bzero(text, sizeof(text));
	return 0;
}

bool
scram_verify(struct span text, enum sasl_hash hash, const struct secret *x,
    struct fault *f)
{
	struct sasl_scram	want;
	struct sasl_scram	got;
	size_t			size = sasl_hash_size(hash);
	bool			same;

	if (!scram_parse(text, hash, &want)) {
		(void)fault_set(f, FAULT_PERM, "not a usable SCRAM secret");
		return false;
	}
	if (needs_library(f) != 0)
		return false;
	got = want;
	same = library->keys(hash, secret_span(x), &got) &&
	    secret_eq(span_of(got.stored, size), span_of(want.stored, size));
	explicit_bzero(&got, sizeof(got));
	return same;
}

void
scram_made_up(const char *user, enum sasl_hash hash, struct sasl_scram *out)
{
	struct sasl_scram s = { .iterations = 1, .salt_n = sizeof(key) };

	*out = (struct sasl_scram){
		.iterations = SASL_ITERATIONS, .salt_n = SASL_SALT,
	};
	/* Without the key nobody can tell it from chance. */
	memcpy(s.salt, key, sizeof(key));
	if (library->keys(SASL_SHA_256, span_str(user), &s))
		memcpy(out->salt, hash == SASL_SHA_256 ? s.stored : s.server,
		    out->salt_n);
	explicit_bzero(&s, sizeof(s));
}
