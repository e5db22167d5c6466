#include "microkernels.h"

#if defined(__x86_64__)
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
void tern_blend_rows(
    tern_weighted_row a, tern_weighted_row b, tern_weighted_row c, tern_weighted_row d,
    ptrdiff_t count, bool adds, float *sum) {
// A fused multiplication and addition would round differently where a processor has it.
#pragma clang fp contract(off)
  for (ptrdiff_t i = 0; i < count; i++) {
    const float first = a.weight * a.bytes[i] + b.weight * b.bytes[i];
    const float second = c.weight * c.bytes[i] + d.weight * d.bytes[i];
    sum[i] = adds ? sum[i] + (first + second) : first + second;
  }
}
