/* SPDX-License-Identifier: ISC */
#include "sys/secmem.h"

#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGES	4

/* In KiB, of this process. */
static size_t
locked(void)
{
	char	 line[128];
	size_t	 kib = 0;
	FILE	*f = fopen("/proc/self/status", "r");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL &&
	    sscanf(line, "VmLck: %zu", &kib) != 1)
		;
	(void)fclose(f);
	return kib;
}

static size_t
resident(void *p, size_t n)
{
	unsigned char	in[PAGES];
	size_t		sum = 0;

	assert_int_equal(mincore(p, n, in), 0);
	for (size_t i = 0; i < PAGES; i++)
		sum += in[i] & 1u;
	return sum;
}

static void
test_pages_are_locked_as_they_are_touched(void **state UNUSED)
{
	size_t	 page = (size_t)sysconf(_SC_PAGESIZE);
	size_t	 n = PAGES * page;
	size_t	 before = locked();
	uint8_t	*p = mmap(NULL, n, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	secmem_lock(p + page, 2 * page);
	if (locked() == before)
		skip();			/* this host forbids it */
	assert_int_equal(locked() - before, 2 * page / 1024);
	assert_int_equal(resident(p, n), 0);
	p[page] = 1;
	assert_int_equal(resident(p, n), 1);
	(void)munmap(p, n);
	assert_int_equal(locked(), before);
}

/* Both pages that a secret lies in. */
static void
test_across_two_pages(void **state UNUSED)
{
	size_t	 page = (size_t)sysconf(_SC_PAGESIZE);
	size_t	 before = locked();
	uint8_t	*p = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	secmem_lock(p + 2 * page - 1, 2);
	if (locked() == before)
		skip();
	assert_int_equal(locked() - before, 2 * page / 1024);
	(void)munmap(p, PAGES * page);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages_are_locked_as_they_are_touched),
		cmocka_unit_test(test_across_two_pages),
	};

	return cmocka_run_group_tests_name("secmem", tests, NULL, NULL);
}
