/* SPDX-License-Identifier: ISC */
/*
 * The client's end of TLS for tests/sasl: shakes hands over standard output,
 * says on standard input (both are sockets) what the two ends alone know, "EXPORTER
 * UNIQUE" in hex, and passes octets on.  Arguments: 1.2 or 1.3; "loose": no extended master secret.
 */
#include <openssl/ssl.h>

#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LABEL	"EXPORTER-Channel-Binding"	/* RFC 9266 s.2 */

static SSL *
shake(int version, bool loose)
{
	SSL_CTX	*ctx = SSL_CTX_new(TLS_client_method());
	SSL	*ssl;

	if (loose)
		(void)SSL_CTX_set_options(ctx, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	if (!SSL_CTX_set_min_proto_version(ctx, version) ||
	    !SSL_CTX_set_max_proto_version(ctx, version) ||
	    (ssl = SSL_new(ctx)) == NULL || !SSL_set_fd(ssl, 1) ||
	    SSL_connect(ssl) != 1)
		exit(1);
	return ssl;
}

static void
print(const uint8_t *p, size_t n, char end)
{
	while (n-- > 0)
		(void)dprintf(0, "%02x", *p++);
	(void)dprintf(0, "%c", end);
}

/* Without a context, as GnuTLS has it; TLS 1.2 tells that from an empty one. */
static void
tell(SSL *ssl)
{
	uint8_t	exporter[32];
	uint8_t	unique[64];

	if (SSL_export_keying_material(ssl, exporter, sizeof(exporter), LABEL,
	    strlen(LABEL), NULL, 0, 0) != 1)
		exit(1);
	print(exporter, sizeof(exporter), ' ');
	print(unique, SSL_get_finished(ssl, unique, sizeof(unique)), '\n');
}

/* False: the server's end. */
static bool
from_server(SSL *ssl)
{
	char	octets[4096];
	int	n;

	while ((n = SSL_read(ssl, octets, sizeof(octets))) > 0)
		if (write(0, octets, (size_t)n) != n)
			return false;
	return SSL_get_error(ssl, n) == SSL_ERROR_WANT_READ;
}

static bool
from_client(SSL *ssl)
{
	char	octets[4096];
	ssize_t	n = read(0, octets, sizeof(octets));

	return n > 0 && SSL_write(ssl, octets, (int)n) == n;
}

int
main(int argc, char **argv)
{
	struct pollfd	fds[2] = { { 0, POLLIN, 0 }, { 1, POLLIN, 0 } };
	SSL		*ssl;

	if (argc < 2)
		return 2;
	ssl = shake(strcmp(argv[1], "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION,
	    argc > 2 && strcmp(argv[2], "loose") == 0);
	tell(ssl);
	if (fcntl(1, F_SETFL, O_NONBLOCK) != 0)
		return 1;
	do {
		if (poll(fds, 2, -1) < 0)
			return 1;
	} while ((fds[1].revents == 0 || from_server(ssl)) &&
	    (fds[0].revents == 0 || from_client(ssl)));
	return 0;
}
