/* SPDX-License-Identifier: ISC */
/*
 * What TLS alone costs a server: one TLS 1.3 handshake after the other in one
 * process, over memory, with OpenSSL as it comes; the time of the server's calls,
 * and of nothing else.  The floor of every login under TLS.
 *	bareshake SECONDS CERTIFICATE KEY [resumed]
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS_MAX	10		/* of a handshake, there and back */

static SSL_SESSION	*last;
static double		 cpu;		/* seconds, of the server's calls */

static void
give_up(const char *what)
{
	fprintf(stderr, "bareshake: %s\n", what);
	ERR_print_errors_fp(stderr);
	exit(EXIT_FAILURE);
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int
on_session(SSL *ssl, SSL_SESSION *new)
{
	(void)ssl;
	SSL_SESSION_free(last);
	last = new;
	return 1;
}

static SSL_CTX *
server_new(const char *cert, const char *key)
{
	SSL_CTX *c = SSL_CTX_new(TLS_server_method());

	if (c == NULL || SSL_CTX_use_certificate_chain_file(c, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(c, key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_set_num_tickets(c, 1) != 1)
		give_up("the server's settings");
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	return c;
}

static SSL_CTX *
client_new(void)
{
	SSL_CTX *c = SSL_CTX_new(TLS_client_method());

	if (c == NULL || SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set1_groups_list(c, "X25519") != 1)
		give_up("the client's settings");
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT |
	    SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(c, on_session);
	return c;
}

static bool
goes_on(SSL *s)
{
	int	result = SSL_do_handshake(s);

	return result == 1 || SSL_get_error(s, result) == SSL_ERROR_WANT_READ;
}

/* One connection, to the client's having read its ticket. */
static void
shake(SSL_CTX *server_ctx, SSL_CTX *client_ctx, bool resumed)
{
	SSL	*client = SSL_new(client_ctx);
	BIO	*up = BIO_new(BIO_s_mem());
	BIO	*down = BIO_new(BIO_s_mem());
	double	 began = now();
	SSL	*server = SSL_new(server_ctx);
	char	 octet;

	if (client == NULL || server == NULL || up == NULL || down == NULL)
		give_up("no memory");
	(void)BIO_up_ref(up);
	(void)BIO_up_ref(down);
	SSL_set_bio(server, up, down);
	SSL_set_accept_state(server);
	cpu += now() - began;
	SSL_set_bio(client, down, up);
	SSL_set_connect_state(client);
	if (resumed && last != NULL)
		(void)SSL_set_session(client, last);
	for (int i = 0; i < ROUNDS_MAX && !(SSL_is_init_finished(client) &&
	    SSL_is_init_finished(server)); i++) {
		if (!goes_on(client))
			give_up("the client's handshake");
		began = now();
		if (!goes_on(server))
			give_up("the server's handshake");
		cpu += now() - began;
	}
	(void)SSL_read(client, &octet, 1);
	if (!SSL_is_init_finished(server) ||
	    (resumed && SSL_session_reused(server) != 1))
		give_up("no handshake, or not resumed");
	(void)SSL_shutdown(client);
	began = now();
	(void)SSL_shutdown(server);
	SSL_free(server);
	cpu += now() - began;
	SSL_free(client);
}

int
main(int argc, char **argv)
{
	bool		resumed = argc == 5 && strcmp(argv[4], "resumed") == 0;
	unsigned	seconds;
	size_t		n = 0;
	SSL_CTX		*server;
	SSL_CTX		*client;
	time_t		end;

	if (argc != (resumed ? 5 : 4) || sscanf(argv[1], "%u", &seconds) != 1) {
		fputs("usage: bareshake SECONDS CERTIFICATE KEY [resumed]\n",
		    stderr);
		return 64;
	}
	server = server_new(argv[2], argv[3]);
	client = client_new();
	shake(server, client, false);		/* algorithms are looked up */
	cpu = 0;
	end = time(NULL) + (time_t)seconds;
	for (; time(NULL) < end; n++)
		shake(server, client, resumed);
	SSL_CTX_free(server);
	SSL_CTX_free(client);
	printf("result scenario=handshake sessions=%zu cpu_ms=%.4f\n", n,
	    n > 0 ? cpu * 1000 / (double)n : 0.0);
	return EXIT_SUCCESS;
}
