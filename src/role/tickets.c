/* SPDX-License-Identifier: ISC */
#include "role/tickets.h"

#include "sys/shared.h"
#include "sys/sock.h"

#include <string.h>

struct tickets *
tickets_new(struct fault *f)
{
	return shared_new(sizeof(struct tickets), f);
}

int
tickets_read_only(struct tickets *t, struct fault *f)
{
	return shared_read_only(t, sizeof(*t), f);
}

void
tickets_free(struct tickets *t)
{
	shared_free(t, sizeof(*t));
}

static void
begin(struct tickets *t)
{
	__atomic_store_n(&t->keys.version, t->keys.version | 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static void
end(struct tickets *t)
{
	__atomic_store_n(&t->keys.version, t->keys.version + 1, __ATOMIC_RELEASE);
}

/* All of them anew when they may be torn, or were never made. */
void
tickets_turn(struct tickets *t)
{
	struct tls_ticket_key	*key = t->keys.key;
	bool			 whole = t->keys.version != 0 &&
				    (t->keys.version & 1) == 0;

	if (whole && clock_ms() - t->made_ms < TICKETS_ROTATE_MS)
		return;
	begin(t);
	memmove(&key[1], &key[0], (TLS_TICKET_KEYS - 1) * sizeof(key[0]));
	random_bytes(key, sizeof(key[0]) * (whole ? 1 : TLS_TICKET_KEYS));
	t->made_ms = clock_ms();
	end(t);
}
