/* SPDX-License-Identifier: ISC */
/*
 * Not of the module: what finds it.
 */
#include "tls/tls.h"

#include "sys/module.h"

const struct tls_ops *
tls_load(struct fault *f)
{
	const struct tls_ops *ops = module_symbol("popper-tls.so", "popper_tls", f);

	if (ops != NULL && ops->abi != TLS_ABI) {
		(void)fault_set(f, FAULT_PERM, "popper-tls.so is of another"
		    " version of popper");
		return NULL;
	}
	return ops;
}
