/* SPDX-License-Identifier: ISC */
/*
 * Not of the module: what finds it.
 */
#include "token/token.h"

#include "sys/module.h"

const struct token_ops *
token_load(struct fault *f)
{
	const struct token_ops *ops = module_symbol("popper-token.so",
	    "popper_token", f);

	if (ops != NULL && ops->abi != TOKEN_ABI) {
		(void)fault_set(f, FAULT_PERM, "popper-token.so is of another"
		    " version of popper");
		return NULL;
	}
	return ops;
}
