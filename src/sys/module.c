/* SPDX-License-Identifier: ISC */
#include "sys/module.h"

#include "base/span.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static bool
beside_program(const char *file, char *out, size_t cap)
{
	ssize_t	 n = readlink("/proc/self/exe", out, cap - 1);
	char	*slash;

	if (n <= 0)
		return false;
	out[n] = '\0';
	slash = strrchr(out, '/');
	if (slash == NULL || (size_t)(slash + 1 - out) + strlen(file) >= cap)
		return false;
	memcpy(slash + 1, file, strlen(file) + 1);
	return access(out, R_OK) == 0;
}

void *
module_symbol(const char *file, const char *symbol, struct fault *f)
{
	char	 path[PATH_MAX];
	void	*lib;
	void	*found;

	if (!beside_program(file, path, sizeof(path)))
		(void)snprintf(path, sizeof(path), "%s/%s", POPPER_MODULE_DIR,
		    file);
	lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	found = lib == NULL ? NULL : dlsym(lib, symbol);
	if (found == NULL)
		(void)fault_set(f, FAULT_PERM, "%s", dlerror());
	return found;
}
