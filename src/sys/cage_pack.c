/* SPDX-License-Identifier: ISC */
/*
 * Runs when popper is built.  Reads from: libseccomp.
 *
 * What a program does for a number changes only at numbers that it compares with:
 * so it is asked once for each of these, and for the next one.
 */
#include "sys/cage_pack.h"

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LOAD		(BPF_LD | BPF_W | BPF_ABS)
#define AT_NR		offsetof(struct seccomp_data, nr)
#define AT_ARCH		offsetof(struct seccomp_data, arch)
#define STEPS_MAX	4096
#define NUMBERS		1100u	/* of system calls, and more */
#define ARGS		3	/* at most are looked at for one number */
#define VALUES_MAX	64

/* For a number, and all that follow up to the next one's. */
struct part {
	uint32_t	from;
	size_t		at;		/* the instruction that decides: it answers,
					   or looks at an argument first */
};

/* Where a jump of the new program goes to. */
struct aim {
	size_t	to;
	bool	new;		/* an index of the new program, not of the old */
};

struct packing {
	const struct sock_filter	*full;
	size_t				 n;
	struct part			 parts[2 * CAGE_PACK_MAX];
	size_t				 nparts;
	bool				 wanted[CAGE_PACK_MAX];	/* of full's */
	size_t				 new_at[CAGE_PACK_MAX];
	struct aim			 aims[CAGE_PACK_MAX][2];
	struct sock_filter		*out;
	size_t				 used;
	bool				 bad;
};

static bool
is_jump(const struct sock_filter *op)
{
	return BPF_CLASS(op->code) == BPF_JMP && BPF_OP(op->code) != BPF_JA;
}

static bool
holds(const struct sock_filter *op, uint32_t v)
{
	switch (BPF_OP(op->code)) {
	case BPF_JEQ:
		return v == op->k;
	case BPF_JGT:
		return v > op->k;
	default:
		return v >= op->k;
	}
}

/* Where it is decided what becomes of a number; n: that is not understood. */
static size_t
decision(const struct packing *p, uint32_t arch, uint32_t nr)
{
	uint32_t	v = 0;
	size_t		at = 0;

	for (size_t i = 0; i < STEPS_MAX && at < p->n; i++) {
		const struct sock_filter *op = &p->full[at];

		if (op->code == (BPF_RET | BPF_K) ||
		    (op->code == LOAD && op->k != AT_NR && op->k != AT_ARCH))
			return at;
		if (op->code == LOAD)
			v = op->k == AT_NR ? nr : arch;
		else if (op->code == (BPF_JMP | BPF_JA))
			at += op->k;
		else if (is_jump(op) && BPF_OP(op->code) != BPF_JSET)
			at += holds(op, v) ? op->jt : op->jf;
		else
			break;
		at++;
	}
	return p->n;
}

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Two ways to say the same are one. */
static bool
same(const struct packing *p, size_t a, size_t b)
{
	return a == b || (p->full[a].code == (BPF_RET | BPF_K) &&
	    p->full[b].code == p->full[a].code && p->full[a].k == p->full[b].k);
}

static void
divide(struct packing *p, uint32_t arch)
{
	uint32_t	edges[2 * CAGE_PACK_MAX + 1] = { 0 };
	size_t		n = 1;

	for (size_t i = 0; i < p->n; i++) {
		if (!is_jump(&p->full[i]))
			continue;
		edges[n++] = p->full[i].k;
		if (p->full[i].k < UINT32_MAX)
			edges[n++] = p->full[i].k + 1;
	}
	qsort(edges, n, sizeof(edges[0]), by_number);
	for (size_t i = 0; i < n; i++) {
		size_t at = decision(p, arch, edges[i]);

		p->bad |= at == p->n;
		if (p->bad || (p->nparts > 0 &&
		    same(p, p->parts[p->nparts - 1].at, at)))
			continue;
		p->parts[p->nparts++] = (struct part){ edges[i], at };
	}
}

/* What asks whether no bit at all is 0 is as good as what comes then. */
static size_t
skip(const struct packing *p, size_t at)
{
	const struct sock_filter *op = &p->full[at];

	while (at + 2 < p->n && op[0].code == LOAD &&
	    op[1].code == (BPF_ALU | BPF_AND | BPF_K) && op[1].k == 0 &&
	    op[2].code == (BPF_JMP | BPF_JEQ | BPF_K) && op[2].k == 0) {
		at += 3 + (size_t)op[2].jt;
		op = &p->full[at];
	}
	return at;
}

/* --- the new program ------------------------------------------------------------ */

static size_t
put(struct packing *p, struct sock_filter op)
{
	if (p->used == CAGE_PACK_MAX) {
		p->bad = true;
		return 0;
	}
	p->out[p->used] = op;
	return p->used++;
}

/* The first of all that answer the same. */
static size_t
answer(const struct packing *p, size_t at)
{
	size_t i = 0;

	while (!same(p, i, at))
		i++;
	return i;
}

/* A jump to what the old program has there, or (new) to an instruction of ours. */
static void
aim(struct packing *p, size_t from, bool yes, size_t to, bool new)
{
	if (!new && p->full[skip(p, to)].code == (BPF_RET | BPF_K))
		to = answer(p, skip(p, to));
	else if (!new)
		to = skip(p, to);
	p->aims[from][yes] = (struct aim){ to, new };
	if (!new)
		p->wanted[to] = true;
}

static void
search(struct packing *p, size_t first, size_t n)
{
	size_t	left = n / 2;
	size_t	at = put(p, (struct sock_filter){
		    .code = BPF_JMP | BPF_JGE | BPF_K,
		    .k = p->parts[first + left].from });

	if (left == 1)
		aim(p, at, false, p->parts[first].at, false);
	else
		aim(p, at, false, at + 1, true);
	if (left > 1)
		search(p, first, left);
	if (n - left == 1) {
		aim(p, at, true, p->parts[first + left].at, false);
		return;
	}
	aim(p, at, true, p->used, true);
	search(p, first + left, n - left);
}

/* All that is wanted, and what that wants: jumps go forward alone. */
static void
take_over(struct packing *p)
{
	for (size_t i = 0; i < p->n && !p->bad; i++) {
		const struct sock_filter	*op = &p->full[i];
		size_t				 at;

		if (!p->wanted[i] || op->code == (BPF_RET | BPF_K))
			continue;
		at = p->new_at[i] = put(p, *op);
		if (is_jump(op)) {
			aim(p, at, true, i + 1 + op->jt, false);
			aim(p, at, false, i + 1 + op->jf, false);
			continue;
		}
		p->bad |= BPF_CLASS(op->code) == BPF_JMP ||
		    skip(p, i + 1) != i + 1 ||
		    p->full[i + 1].code == (BPF_RET | BPF_K);
		p->wanted[i + 1] = true;
	}
	for (size_t i = 0; i < p->n && !p->bad; i++)
		if (p->wanted[i] && p->full[i].code == (BPF_RET | BPF_K))
			p->new_at[i] = put(p, p->full[i]);
}

static uint8_t
distance(struct packing *p, size_t from, bool yes)
{
	const struct aim	*a = &p->aims[from][yes];
	size_t			 to = a->new ? a->to : p->new_at[a->to];

	p->bad |= to <= from || to - from - 1 > UINT8_MAX;
	return (uint8_t)(to - from - 1);
}

static void
link_up(struct packing *p)
{
	for (size_t i = 0; i < p->used; i++)
		if (is_jump(&p->out[i])) {
			p->out[i].jt = distance(p, i, true);
			p->out[i].jf = distance(p, i, false);
		}
}

/* --- the proof ------------------------------------------------------------------ */

static uint32_t
run(const struct sock_filter *op, const struct seccomp_data *d)
{
	uint32_t v = 0;

	for (;; op++) {
		if (op->code == (BPF_RET | BPF_K))
			return op->k;
		if (op->code == LOAD)
			memcpy(&v, (const uint8_t *)d + op->k, sizeof(v));
		else if (op->code == (BPF_ALU | BPF_AND | BPF_K))
			v &= op->k;
		else if (op->code == (BPF_JMP | BPF_JA))
			op += op->k;
		else
			op += holds(op, v) ? op->jt : op->jf;
	}
}

static bool
agree_on(const struct packing *p, uint32_t arch, uint32_t nr,
    const uint64_t args[ARGS])
{
	struct seccomp_data d = { .nr = (int)nr, .arch = arch };

	for (size_t i = 0; i < 6; i++)
		d.args[i] = args[i % ARGS];
	return run(p->full, &d) == run(p->out, &d);
}

/* All arguments have the same value. */
static bool
agree(const struct packing *p, uint32_t arch, uint32_t nr, uint64_t arg)
{
	return agree_on(p, arch, nr, (const uint64_t[ARGS]){ arg, arg, arg });
}

static void
add_value(uint64_t v[VALUES_MAX], size_t *n, uint64_t value)
{
	for (size_t i = 0; i < *n; i++)
		if (v[i] == value)
			return;
	if (*n < VALUES_MAX)
		v[(*n)++] = value;
}

/* What arguments are compared with by what decides about a number, and one more
 * value; VALUES_MAX: more than are looked at. */
static size_t
compared(const struct packing *p, size_t at, uint64_t v[VALUES_MAX])
{
	bool	reached[CAGE_PACK_MAX + 256] = { false };
	size_t	n = 0;

	add_value(v, &n, ~(uint64_t)0);
	reached[at] = true;
	for (size_t i = at; i < p->n; i++) {
		const struct sock_filter *op = &p->full[i];

		if (!reached[i] || op->code == (BPF_RET | BPF_K))
			continue;
		if (is_jump(op))
			add_value(v, &n, op->k);
		else if (op->code == (BPF_JMP | BPF_JA))
			return VALUES_MAX;	/* what decides has none */
		reached[i + 1 + (is_jump(op) ? op->jt : 0)] = true;
		reached[i + 1 + (is_jump(op) ? op->jf : 0)] = true;
	}
	return n;
}

/* Where several arguments are looked at: all values of one with all of the others. */
static bool
agree_on_each(const struct packing *p, uint32_t arch, uint32_t nr)
{
	uint64_t	v[VALUES_MAX];
	size_t		at = decision(p, arch, nr);
	size_t		n = at < p->n ? compared(p, at, v) : VALUES_MAX;

	for (size_t i = 0; n < VALUES_MAX && i < n * n * n; i++)
		if (!agree_on(p, arch, nr, (const uint64_t[ARGS]){ v[i % n],
		    v[i / n % n], v[i / n / n] }))
			return false;
	return n < VALUES_MAX;
}

/* For each number, with each value that is asked for, and its neighbours. */
static bool
proven(const struct packing *p, uint32_t arch)
{
	for (uint32_t nr = 0; nr < NUMBERS; nr++)
		if (!agree_on_each(p, arch, nr))
			return false;
	for (size_t i = 0; i < p->n; i++) {
		uint64_t k = p->full[i].k;

		for (uint32_t nr = 0; nr < NUMBERS; nr++)
			if (!agree(p, arch, nr, k) || !agree(p, arch, nr, k + 1) ||
			    !agree(p, arch, nr, ~k) ||
			    !agree(p, arch, nr, k | k << 32))
				return false;
		if (!agree(p, arch, (uint32_t)k, 0) ||
		    !agree(p, arch, (uint32_t)k + 1, 0) ||
		    !agree(p, (uint32_t)k + 1, 0, 0))
			return false;
	}
	return true;
}

size_t
cage_pack(const struct sock_filter *full, size_t n,
    struct sock_filter out[CAGE_PACK_MAX])
{
	static struct packing	p;
	const struct sock_filter *arch = &full[1];

	p = (struct packing){ .full = full, .n = n, .out = out };
	if (n < 4 || n >= CAGE_PACK_MAX || full[0].code != LOAD ||
	    full[0].k != AT_ARCH || arch->code != (BPF_JMP | BPF_JEQ | BPF_K))
		return 0;
	divide(&p, arch->k);
	if (p.bad || p.nparts < 2)
		return 0;
	(void)put(&p, full[0]);
	(void)put(&p, *arch);
	(void)put(&p, (struct sock_filter){ .code = LOAD, .k = AT_NR });
	aim(&p, 1, true, 2, true);
	aim(&p, 1, false, decision(&p, ~arch->k, 0), false);
	search(&p, 0, p.nparts);
	take_over(&p);
	link_up(&p);
	return p.bad || !proven(&p, arch->k) ? 0 : p.used;
}
