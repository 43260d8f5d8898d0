/* SPDX-License-Identifier: ISC */
#include "sys/library.h"

#include <dlfcn.h>

static int
find_all(void *lib, const struct library_call *calls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		*calls[i].where = dlsym(lib, calls[i].name);
		if (*calls[i].where == NULL)
			return -1;
	}
	return 0;
}

int
library_open(const char *file, const struct library_call *calls, size_t n,
    struct fault *f)
{
	void *lib;

	if (*calls[0].where != NULL)
		return 0;
	lib = dlopen(file, RTLD_NOW);
	if (lib != NULL && find_all(lib, calls, n) == 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		*calls[i].where = NULL;
	return fault_set(f, FAULT_PERM, "%s", dlerror());
}

struct library_time
library_time_of(uint64_t ms)
{
	uint64_t s = ms / 1000;

	return (struct library_time){
		.tv_sec		= s < INT32_MAX ? (int32_t)s : INT32_MAX,
		.tv_usec	= (int32_t)(ms % 1000) * 1000,
	};
}

uint64_t
library_time_ms(const struct library_time *t)
{
	return (uint64_t)t->tv_sec * 1000 + ((uint64_t)t->tv_usec + 999) / 1000;
}

struct timeval *
library_time_arg(struct library_time *t)
{
	return (void *)t;
}
