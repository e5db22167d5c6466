#include "microkernels.h"

#if defined(__x86_64__)
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
void tern_blend_rows(
    const uint8_t *const rows[4], const float weights[4], ptrdiff_t count, bool adds, float *sum) {
  const uint8_t *a = rows[0], *b = rows[1], *c = rows[2], *d = rows[3];
  const float p = weights[0], q = weights[1], r = weights[2], s = weights[3];
  if (adds) {
    for (ptrdiff_t i = 0; i < count; i++) sum[i] += p * a[i] + q * b[i] + (r * c[i] + s * d[i]);
  } else {
    for (ptrdiff_t i = 0; i < count; i++) sum[i] = p * a[i] + q * b[i] + (r * c[i] + s * d[i]);
  }
}
