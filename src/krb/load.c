/* SPDX-License-Identifier: ISC */
/*
 * Not of the module: what finds it.
 */
#include "krb/krb.h"

#include "sys/module.h"

const struct krb_ops *
krb_load(struct fault *f)
{
	const struct krb_ops *ops = module_symbol("popper-krb.so", "popper_krb", f);

	if (ops != NULL && ops->abi != KRB_ABI) {
		(void)fault_set(f, FAULT_PERM, "popper-krb.so is of another"
		    " version of popper");
		return NULL;
	}
	return ops;
}
