/* SPDX-License-Identifier: ISC */
/*
 * The resolver by itself, for test_peer.py:
 *	try_resolver SERVERS TIMEOUT_MS LOG_SOCKET ADDRESS [USER CHROOT]
 * With USER and CHROOT (as root) in its cage, else only its two halves.
 */
#include "role/resolver.h"
#include "sys/cage.h"
#include "sys/spawn.h"
#include "watch/log.h"

#include "base/num.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

static bool
peer_from(const char *text, struct sock_addr *out)
{
	*out = (struct sock_addr){ .family = 0 };
	if (inet_pton(AF_INET, text, out->raw) == 1)
		out->family = 4;
	else if (inet_pton(AF_INET6, text, out->raw) == 1)
		out->family = 6;
	return out->family != 0 &&
	    span_cstr(span_str(text), out->text, sizeof(out->text));
}

static int
without_cage(const struct resolver_conf *c, const struct sock_addr *peer)
{
	struct resolver	*r;
	struct fault	 f;

	if (resolver_prepare(c, peer, &r, &f) == -1) {
		log_fault(LEVEL_ERR, "peer-check", &f);
		return EXIT_FAILURE;
	}
	if (r != NULL)
		resolver_work(r);
	return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	struct sock_addr	peer;
	struct resolver_conf	c;
	uint64_t		ms;
	int			result;

	if ((argc != 5 && argc != 7) || !peer_from(argv[4], &peer) ||
	    !num_parse(span_str(argv[2]), 60000, &ms)) {
		fputs("usage: try_resolver SERVERS TIMEOUT_MS LOG_SOCKET "
		    "ADDRESS [USER CHROOT]\n", stderr);
		return EXIT_FAILURE;
	}
	cage_process_defaults();
	log_open(&(struct log_conf){ .to = LOG_TO_SYSLOG, .socket = argv[3],
	    .facility = 2, .debug = true, .trace_fd = -1 });
	c = (struct resolver_conf){ .name_servers = argv[1],
	    .timeout_ms = (unsigned)ms, .user = argv[5],
	    .chroot_dir = argc == 7 ? argv[6] : NULL };
	result = argc == 7 ? resolver_run(&c, &peer) : without_cage(&c, &peer);
	log_close();
	spawn_exit(result);		/* as the real one ends */
}
