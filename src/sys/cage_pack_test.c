/* SPDX-License-Identifier: ISC */
/*
 * A packed program answers as the long one does (cage_pack proves that each time,
 * or gives none); here: it is shorter, it looks at the same arguments, and what is
 * not understood is not packed.
 */
#include "sys/cage_pack.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#define LEN(a)		(sizeof(a) / sizeof((a)[0]))
#define LOAD(member)	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, \
			    offsetof(struct seccomp_data, member))
#define IF(how, k, yes, no)	BPF_JUMP(BPF_JMP | (how) | BPF_K, k, yes, no)
#define RET(k)		BPF_STMT(BPF_RET | BPF_K, k)

/* 3 to 8 are allowed, 9 when its argument is 5, 20 kills, all others are unknown. */
static const struct sock_filter full[] = {
	LOAD(arch),
	IF(BPF_JEQ, AUDIT_ARCH_X86_64, 0, 13),
	LOAD(nr),
	IF(BPF_JEQ, 3, 13, 0),
	IF(BPF_JEQ, 4, 12, 0),
	IF(BPF_JEQ, 5, 11, 0),
	IF(BPF_JEQ, 6, 10, 0),
	IF(BPF_JEQ, 7, 9, 0),
	IF(BPF_JEQ, 8, 8, 0),
	IF(BPF_JEQ, 20, 5, 0),
	IF(BPF_JEQ, 9, 0, 5),
	LOAD(args[0]) /* its upper half is any */,
	BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0),
	IF(BPF_JEQ, 0, 4, 0),
	RET(SECCOMP_RET_ERRNO | 38),
	RET(SECCOMP_RET_KILL_PROCESS),
	RET(SECCOMP_RET_ERRNO | 38),
	RET(SECCOMP_RET_ALLOW),
	LOAD(args[0]),
	IF(BPF_JEQ, 5, 0, 1),
	RET(SECCOMP_RET_ALLOW),
	RET(SECCOMP_RET_ERRNO | 38),
};

static void
test_shorter(void **state)
{
	static struct sock_filter	out[CAGE_PACK_MAX];
	size_t				n = cage_pack(full, LEN(full), out);
	bool				looks = false;

	(void)state;
	assert_in_range(n, 1, 14);
	for (size_t i = 0; i < n; i++)
		looks |= out[i].code == (BPF_LD | BPF_W | BPF_ABS) &&
		    out[i].k == offsetof(struct seccomp_data, args[0]);
	assert_true(looks);
}

/* 3 is allowed when its arguments are 5 and 6. */
static const struct sock_filter pair[] = {
	LOAD(arch),
	IF(BPF_JEQ, AUDIT_ARCH_X86_64, 0, 8),
	LOAD(nr),
	IF(BPF_JEQ, 3, 1, 0),
	RET(SECCOMP_RET_ERRNO | 38),
	LOAD(args[0]),
	IF(BPF_JEQ, 5, 0, 3),
	LOAD(args[1]),
	IF(BPF_JEQ, 6, 0, 1),
	RET(SECCOMP_RET_ALLOW),
	RET(SECCOMP_RET_KILL_PROCESS),
};

static void
test_two_arguments(void **state)
{
	static struct sock_filter	out[CAGE_PACK_MAX];
	size_t				n = cage_pack(pair, LEN(pair), out);
	size_t				first = n;
	size_t				second = n;

	(void)state;
	assert_int_not_equal(n, 0);
	for (size_t i = 0; i < n; i++) {
		if (out[i].code != (BPF_LD | BPF_W | BPF_ABS))
			continue;
		if (out[i].k == offsetof(struct seccomp_data, args[0]))
			first = i;
		if (out[i].k == offsetof(struct seccomp_data, args[1]))
			second = i;
	}
	assert_true(first < second && second < n);
}

static void
refuses(size_t i, struct sock_filter op)
{
	static struct sock_filter	out[CAGE_PACK_MAX];
	struct sock_filter		bad[LEN(full)];

	memcpy(bad, full, sizeof(bad));
	bad[i] = op;
	assert_int_equal(cage_pack(bad, LEN(bad), out), 0);
}

static void
test_not_understood(void **state)
{
	static struct sock_filter out[CAGE_PACK_MAX];

	(void)state;
	refuses(0, (struct sock_filter)LOAD(nr));
	refuses(1, (struct sock_filter)IF(BPF_JGT, 5, 0, 13));
	refuses(3, (struct sock_filter)IF(BPF_JSET, 3, 13, 0));
	refuses(3, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 1));
	refuses(18, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0));
	assert_int_equal(cage_pack(full, 3, out), 0);
	assert_int_equal(cage_pack(full, CAGE_PACK_MAX, out), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shorter),
		cmocka_unit_test(test_two_arguments),
		cmocka_unit_test(test_not_understood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
