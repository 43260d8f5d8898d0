/* SPDX-License-Identifier: ISC */
/*
 * What TLS alone costs a server: one TLS 1.3 handshake after the other with a client
 * in a process of its own, over one connection, with OpenSSL as it comes.  The floor
 * of every login under TLS.  (In one process, without a wait between the flights, it
 * costs little more than half as much: what a server needs for a handshake does not
 * stay in the processor's caches until the client's next flight.)
 *	bareshake SECONDS CERTIFICATE KEY [resumed]
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static SSL_SESSION	*last;		/* of the client */

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

/* Both ends of a connection over loopback. */
static void
connect_ends(int *server_r, int *client_r)
{
	struct sockaddr_in	a = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t		n = sizeof(a);
	int			on = 1;
	int			fd = socket(AF_INET, SOCK_STREAM, 0);

	*client_r = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(fd, (struct sockaddr *)&a, n) != 0 || listen(fd, 1) != 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &n) != 0 ||
	    connect(*client_r, (struct sockaddr *)&a, n) != 0 ||
	    (*server_r = accept(fd, NULL, NULL)) == -1)
		give_up("no connection");
	setsockopt(*client_r, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(*server_r, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	close(fd);
}

/* What TLS is laid over lives on; close_notify tells the end of a handshake. */
static SSL *
stream_new(SSL_CTX *ctx, int fd)
{
	SSL *s = SSL_new(ctx);

	if (s == NULL || SSL_set_fd(s, fd) != 1)
		give_up("no memory");
	return s;
}

static void
play_client(SSL_CTX *ctx, int fd, bool resumed)
{
	char	octet;

	for (;;) {
		SSL *s = stream_new(ctx, fd);

		if (resumed && last != NULL) {
			SSL_SESSION *copy = SSL_SESSION_dup(last);

			(void)SSL_set_session(s, copy);
			SSL_SESSION_free(copy);
		}
		if (SSL_connect(s) != 1)
			_exit(EXIT_SUCCESS);	/* the server has had enough */
		(void)SSL_read(s, &octet, 1);	/* its ticket, and its end */
		(void)SSL_shutdown(s);
		SSL_free(s);
	}
}

static void
shake(SSL_CTX *ctx, int fd, bool resumed)
{
	SSL *s = stream_new(ctx, fd);

	if (SSL_accept(s) != 1 || (resumed && SSL_session_reused(s) != 1))
		give_up("no handshake, or not resumed");
	(void)SSL_shutdown(s);
	(void)SSL_shutdown(s);		/* the other end's */
	SSL_free(s);
}

int
main(int argc, char **argv)
{
	bool		resumed = argc == 5 && strcmp(argv[4], "resumed") == 0;
	unsigned	seconds;
	size_t		n = 0;
	SSL_CTX		*ctx;
	int		server;
	int		client;
	double		cpu;
	time_t		end;

	if (argc != (resumed ? 5 : 4) || sscanf(argv[1], "%u", &seconds) != 1) {
		fputs("usage: bareshake SECONDS CERTIFICATE KEY [resumed]\n",
		    stderr);
		return 64;
	}
	connect_ends(&server, &client);
	if (fork() == 0) {
		close(server);
		play_client(client_new(), client, resumed);
	}
	close(client);
	ctx = server_new(argv[2], argv[3]);
	shake(ctx, server, false);		/* algorithms are looked up */
	cpu = now();
	end = time(NULL) + (time_t)seconds;
	for (; time(NULL) < end; n++)
		shake(ctx, server, resumed);
	cpu = now() - cpu;
	close(server);
	(void)wait(NULL);
	SSL_CTX_free(ctx);
	printf("result scenario=handshake sessions=%zu cpu_ms=%.4f\n", n,
	    n > 0 ? cpu * 1000 / (double)n : 0.0);
	return EXIT_SUCCESS;
}
