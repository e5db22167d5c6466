#include <string.h>

#include "every_width.h"
#include "microkernels.h"

FOR_EVERY_WIDTH
void tern_blend_rows(
    tern_weighted_row a, tern_weighted_row b, tern_weighted_row c, tern_weighted_row d,
    ptrdiff_t count, bool adds, float *sum) {
  for (ptrdiff_t i = 0; i < count; i++) {
    const float first = a.weight * a.bytes[i] + b.weight * b.bytes[i];
    const float second = c.weight * c.bytes[i] + d.weight * d.bytes[i];
    sum[i] = adds ? sum[i] + (first + second) : first + second;
  }
}

typedef float float4 __attribute__((ext_vector_type(4)));
typedef float float8 __attribute__((ext_vector_type(8)));
typedef float float16 __attribute__((ext_vector_type(16)));

static inline __attribute__((always_inline)) float4 load4(const float *source) {
  float4 values;
  memcpy(&values, source, sizeof values);
  return values;
}

FOR_EVERY_WIDTH
void tern_blend_pixels(
    const float *row, const ptrdiff_t *starts, const float *weights, ptrdiff_t taps,
    const float factors[3], const float offsets[3], ptrdiff_t count, float *red, float *green,
    float *blue) {
  const float4 factor = {factors[0], factors[1], factors[2], 0};
  const float4 offset = {offsets[0], offsets[1], offsets[2], 0};
#define FOUR_TIMES(v) \
  __builtin_shufflevector(v, v, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3)
  const float16 all_factors = FOUR_TIMES(factor), all_offsets = FOUR_TIMES(offset);
#undef FOUR_TIMES
  for (ptrdiff_t x = 0; x < count; x += 4, starts += 4) {
    const float *a = row + 3 * starts[0], *b = row + 3 * starts[1];
    const float *c = row + 3 * starts[2], *d = row + 3 * starts[3];
    float16 sum = 0;
    for (ptrdiff_t tap = 0; tap < taps; tap++, weights += 4) {
#define JOIN(low, high) __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7)
      const float8 ab = JOIN(load4(a + 3 * tap), load4(b + 3 * tap));
      const float8 cd = JOIN(load4(c + 3 * tap), load4(d + 3 * tap));
#undef JOIN
      const float16 pixels = __builtin_shufflevector(
          ab, cd, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
      const float4 weight = load4(weights);
      sum += pixels * __builtin_shufflevector(
                          weight, weight, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
    }
    sum = sum * all_factors + all_offsets;
    const size_t size = (count - x < 4 ? count - x : 4) * sizeof(float);
    const float4 reds = sum.s048c, greens = sum.s159d, blues = sum.s26ae;
    if (size == sizeof reds) {
      memcpy(red + x, &reds, sizeof reds);
      memcpy(green + x, &greens, sizeof greens);
      memcpy(blue + x, &blues, sizeof blues);
    } else {
      memcpy(red + x, &reds, size);
      memcpy(green + x, &greens, size);
      memcpy(blue + x, &blues, size);
    }
  }
}
