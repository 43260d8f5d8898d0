/* SPDX-License-Identifier: ISC */
/*
 * A log daemon that forgets: takes datagrams at a local socket and drops them,
 * cheaply, so that servers under test log as they do in life and the machine
 * has the least work with it.
 *	sink PATH
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	struct sockaddr_un	at = { .sun_family = AF_UNIX };
	static char		buf[65536];
	int			size = 4 << 20;
	int			fd;

	if (argc != 2 || strlen(argv[1]) >= sizeof(at.sun_path)) {
		fputs("usage: sink PATH\n", stderr);
		return 64;
	}
	memcpy(at.sun_path, argv[1], strlen(argv[1]));
	unlink(argv[1]);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1 || bind(fd, (struct sockaddr *)&at, sizeof(at)) == -1 ||
	    chmod(argv[1], 0666) == -1) {
		perror(argv[1]);
		return EXIT_FAILURE;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	while (recv(fd, buf, sizeof(buf), 0) >= 0)
		continue;
	perror("recv");
	return EXIT_FAILURE;
}
