#include "every_width.h"
#include "microkernels.h"
#include <string.h>

// Values of float16 by their bits: conversions that processors have differ in the widths that have them.

INLINE float number(uint32_t bits) {
  float result;
  memcpy(&result, &bits, sizeof result);
  return result;
}

INLINE uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

/// Exponents of both types begin at 0; a product makes up for where they end. Infinity and NaN stay.
INLINE float widened(uint16_t value) {
  const uint32_t magnitude = (uint32_t)(value & 0x7FFF) << 13, sign = (uint32_t)(value & 0x8000) << 16;
  const uint32_t finite = bits_of(number(magnitude) * 0x1p112f);
  return number((magnitude >= 0x0F800000 ? magnitude | 0x7F800000 : finite) | sign);
}

/// The nearest, ties to even; what lies beyond the largest becomes infinity.
INLINE uint16_t narrowed(float value) {
  const uint32_t bits = bits_of(value), magnitude = bits & 0x7FFFFFFF;
  const uint32_t normal = (magnitude - (112u << 23) + 0xFFF + (magnitude >> 13 & 1)) >> 13;
  // Numbers below 2⁻¹⁴ are multiples of 2⁻²⁴, to which a sum with 1/2 is rounded.
  const uint32_t denormal = bits_of(number(magnitude) + 0.5f) - bits_of(0.5f);
  const uint32_t infinity = magnitude > 0x7F800000 ? 0x7E00 : 0x7C00;
  const uint32_t result =
    magnitude >= 0x47800000 ? infinity : magnitude < 0x38800000 ? denormal : normal;
  return (uint16_t)(result | (bits >> 16 & 0x8000));
}

FOR_EVERY_WIDTH
void tern_widen_float16(const uint16_t *x, float *y, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i++) y[i] = widened(x[i]);
}

FOR_EVERY_WIDTH
void tern_narrow_float16(const float *x, uint16_t *y, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i++) y[i] = narrowed(x[i]);
}
