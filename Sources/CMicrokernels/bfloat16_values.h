#ifndef TERN_BFLOAT16_VALUES_H
#define TERN_BFLOAT16_VALUES_H

#include "every_width.h"
#include <stdint.h>
#include <string.h>

INLINE float widened_bfloat16(uint16_t value) {
  const uint32_t bits = (uint32_t)value << 16;
  float result;
  memcpy(&result, &bits, sizeof result);
  return result;
}

/// The nearest, ties to even. Rounding could carry a NaN into infinity.
INLINE uint16_t narrowed_bfloat16(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  const uint32_t nearest = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
  return (uint16_t)(value != value ? bits >> 16 | 0x40 : nearest);
}

#endif
