/* SPDX-License-Identifier: ISC */
#include "base/wide.h"

#ifdef WIDE_AVX2
#include <sys/platform/x86.h>
#endif

bool	wide_avx2;

#ifdef WIDE_AVX2
/*
 * The loader knows already.  The processor itself (CPUID) is not asked: in a virtual
 * machine that is answered by the host, and takes as long as eighty system calls.
 */
__attribute__((constructor)) static void
look_for_avx2(void)
{
	wide_avx2 = CPU_FEATURE_ACTIVE(AVX2) && CPU_FEATURE_ACTIVE(BMI1) &&
	    CPU_FEATURE_ACTIVE(BMI2) && CPU_FEATURE_ACTIVE(POPCNT);
}
#endif
