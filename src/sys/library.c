/* SPDX-License-Identifier: ISC */
#include "sys/library.h"

#include <dlfcn.h>

int
library_open(const char *file, const struct library_call *calls, size_t n,
    struct fault *f)
{
	void *lib = dlopen(file, RTLD_NOW);

	if (lib == NULL)
		return fault_set(f, FAULT_PERM, "%s", dlerror());
	for (size_t i = 0; i < n; i++) {
		*calls[i].where = dlsym(lib, calls[i].name);
		if (*calls[i].where == NULL)
			return fault_set(f, FAULT_PERM, "%s", dlerror());
	}
	return 0;
}
