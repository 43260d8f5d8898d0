/* SPDX-License-Identifier: ISC */
/*
 * What it costs to look through a mailbox that is in the page cache: the scan of
 * a login, and no server around it.
 *	scan FILE [TIMES]
 * Prints, of the quickest time: messages, MB, milliseconds of CPU, MB/s.
 */
#include "drop/mbox_scan.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STATUS_USAGE	64

static double
cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

int
main(int argc, char **argv)
{
	struct stat	st;
	double		best = 0;
	int		times = argc > 2 ? atoi(argv[2]) : 5;
	int		fd = argc > 1 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;

	if (argc < 2 || argc > 3 || times < 1) {
		fputs("usage: scan FILE [TIMES]\n", stderr);
		return STATUS_USAGE;
	}
	if (fd == -1 || fstat(fd, &st) == -1) {
		perror(argv[1]);
		return EXIT_FAILURE;
	}
	for (int i = 0; i < times; i++) {
		struct mbox_table	t = { 0 };
		struct fault		f;
		double			ms = -cpu_ms();

		if (mbox_scan_file(fd, 0, (uint64_t)st.st_size, &t, &f) == -1) {
			fprintf(stderr, "%s: %s\n", argv[1], f.text);
			return EXIT_FAILURE;
		}
		ms += cpu_ms();
		if (i == 0 || ms < best)
			best = ms;
		if (i == times - 1)
			printf("%zu messages, %.1f MB, %.1f ms, %.0f MB/s\n", t.n,
			    1e-6 * (double)st.st_size, best,
			    1e-3 * (double)st.st_size / best);
		mbox_table_fini(&t);
	}
	close(fd);
	return 0;
}
