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
