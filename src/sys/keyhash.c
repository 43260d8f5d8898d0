/* SPDX-License-Identifier: ISC */
#include "sys/keyhash.h"

#include "sys/library.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#define LIBRARY		"libsodium.so.23"

static_assert(KEYHASH_KEY == crypto_generichash_KEYBYTES &&
    KEYHASH_LEAST == crypto_generichash_BYTES_MIN &&
    KEYHASH_LEAST == crypto_generichash_KEYBYTES_MIN &&
    KEYHASH_MOST == crypto_generichash_BYTES_MAX &&
    KEYHASH_MOST == crypto_generichash_KEYBYTES_MAX, "the library's numbers");

static struct {
	__typeof__(sodium_init)			*init;
	__typeof__(crypto_generichash_init)	*begin;
	__typeof__(crypto_generichash_update)	*update;
	__typeof__(crypto_generichash_final)	*end;
} lib;

int
keyhash_open(struct fault *f)
{
	const struct library_call calls[] = {
		{ "sodium_init",		(void **)&lib.init },
		{ "crypto_generichash_init",	(void **)&lib.begin },
		{ "crypto_generichash_update",	(void **)&lib.update },
		{ "crypto_generichash_final",	(void **)&lib.end },
	};

	if (library_open(LIBRARY, calls, ARRAY_LEN(calls), f) != 0)
		return -1;
	return lib.init() >= 0 ? 0 :
	    fault_set(f, FAULT_PERM, "libsodium does not start");
}

void
keyhash(struct span key, const struct span *parts, size_t nparts, uint8_t *out,
    size_t n)
{
	crypto_generichash_state	state;

	ASSERT(lib.begin != NULL);
	/* It fails for sizes that it cannot have, alone. */
	ASSERT(lib.begin(&state, key.p, key.n, n) == 0);
	for (size_t i = 0; i < nparts; i++)
		(void)lib.update(&state, parts[i].p, parts[i].n);
	(void)lib.end(&state, out, n);
	explicit_bzero(&state, sizeof(state));
}
