/* SPDX-License-Identifier: ISC */
#include "tls/tls_priv.h"

const struct tls_ops popper_tls = {
	.abi = TLS_ABI,
	.context_new = context_new,
	.context_free = context_free,
	.judge = context_judge,
	.judge_clients = clients_judge,
	.open = stream_open,
	.handshake = stream_handshake,
	.read = stream_read,
	.write = stream_write,
	.wants = stream_wants,
	.pending = stream_pending,
	.end = stream_end,
	.facts = stream_facts,
	.client = stream_client,
	.binds = stream_binds,
	.binding = stream_binding,
	.close = stream_close,
};
