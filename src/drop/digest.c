/* SPDX-License-Identifier: ISC */
#include "drop/digest.h"

#include "base/wide.h"

void
digest_init(struct digest *d)
{
	(void)XXH3_128bits_reset(&d->state);	/* fails for NULL alone */
}

void
digest_add(struct digest *d, struct span s)
{
	if (s.n == 0)
		return;
#ifdef WIDE_AVX2
	if (wide_avx2) {
		digest_add_avx2(d, s);
		return;
	}
#endif
	(void)XXH3_128bits_update(&d->state, s.p, s.n);
}

void
digest_take(const struct digest *d, uint8_t out[DIGEST_SIZE])
{
	XXH128_canonical_t c;

	XXH128_canonicalFromHash(&c, XXH3_128bits_digest(&d->state));
	memcpy(out, c.digest, DIGEST_SIZE);
}

void
digest_span(struct span s, uint8_t out[DIGEST_SIZE])
{
	struct digest d;

	digest_init(&d);
	digest_add(&d, s);
	digest_take(&d, out);
}

uint64_t
digest_mark(struct span s)
{
	return XXH3_64bits(s.p, s.n);
}
