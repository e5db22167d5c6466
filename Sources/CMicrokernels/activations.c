#include <string.h>

#include "every_width.h"
#include "microkernels.h"

// Functions of every element, and their derivatives times the arriving gradient. All of them take any
// number: NaN stays NaN, what overflows is infinite, and the tails keep their digits.

// Both sides are computed, so that a loop of these becomes one of vectors.
INLINE float where(bool holds, float yes, float no) { return holds ? yes : no; }
INLINE float of_bits(int32_t bits) { return __builtin_bit_cast(float, bits); }
INLINE int32_t bits_of(float x) { return __builtin_bit_cast(int32_t, x); }
INLINE float magnitude(float x) { return of_bits(bits_of(x) & 0x7FFFFFFF); }

/// 2ⁿ for −126 ≤ n ≤ 127; of other n any number.
INLINE float power_of_two(int32_t n) { return of_bits((int32_t)((uint32_t)(n + 127) << 23)); }

/// e^x to about one unit in the last place; denormal numbers and infinity where that is the result.
///
/// x = n·ln 2 + r with |r| ≤ ½·ln 2; e^r by its Taylor polynomial of degree 7, whose remainder is below
/// 2⁻²⁶ there; 2ⁿ as two factors, for n reaches from −150 to 128.
INLINE float exponential(float x) {
  // Beyond these e^x is 0 and infinite anyway.
  float bounded = where(x < -104.0f, -104, x);
  bounded = where(bounded > 89.0f, 89, bounded);
  // Adding 1.5·2²³ rounds to an integer, which is then found in the low bits.
  const float magic = 12582912.0f;
  const float shifted = bounded * 1.44269504f + magic;
  const float n = shifted - magic;
  // ln 2 in two parts, the first short enough that its product with n is exact.
  const float r = (bounded - n * 0.693359375f) + n * 2.1219444e-4f;
  float p = r * (1 / 5040.0f) + 1 / 720.0f;
  p = p * r + 1 / 120.0f;
  p = p * r + 1 / 24.0f;
  p = p * r + 1 / 6.0f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const int32_t exponent = bits_of(shifted) - bits_of(magic);
  const int32_t half = exponent >> 1;
  return p * power_of_two(half) * power_of_two(exponent - half);
}

/// log x. Source: Cephes, logf.
INLINE float logarithm(float x) {
  const int32_t is_small = x < 1.17549435e-38f;
  const float scaled = where(is_small, x * 0x1p23f, x);
  // The mantissa from √½ to √2, and its exponent.
  int32_t exponent = (bits_of(scaled) >> 23) - 126;
  float m = of_bits((bits_of(scaled) & 0x7FFFFF) | 0x3F000000);
  const int32_t is_low = m < 0.707106781f;
  m = where(is_low, m + m, m) - 1.0f;
  exponent -= is_low;
  exponent -= is_small * 23;
  const float e = (float)exponent, z = m * m;
  float p = 7.0376836292e-2f;
  p = p * m - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  float y = p * m * z + e * -2.12194440e-4f - 0.5f * z;
  y = m + y + e * 0.693359375f;
  // What is not a positive, finite number.
  y = where(x == __builtin_inff(), x, y);
  y = where(x == 0.0f, -__builtin_inff(), y);
  return where((x < 0.0f) | (x != x), __builtin_nanf(""), y);
}

/// e^x − 1 for x ≤ 0, without cancellation next to 0.
INLINE float exponential_less_one(float x) {
  float p = x * (1 / 40320.0f) + 1 / 5040.0f;
  p = p * x + 1 / 720.0f;
  p = p * x + 1 / 120.0f;
  p = p * x + 1 / 24.0f;
  p = p * x + 1 / 6.0f;
  p = p * x + 0.5f;
  return where(x > -0.5f, p * x * x + x, exponential(x) - 1.0f);
}

/// tanh x. Source: Cephes, tanhf.
INLINE float hyperbolic_tangent(float x) {
  const float size = magnitude(x), z = x * x;
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const float large = 1.0f - 2.0f / (exponential(size + size) + 1.0f);
  const float signed_large = of_bits(bits_of(large) | (bits_of(x) & (int32_t)0x80000000));
  return where(size < 0.625f, p * z * x + x, signed_large);
}

/// 1 / (1 + e^−x), and through `rest` one less that, both to full relative precision.
INLINE float logistic(float x, float *rest) {
  // The exponential of a positive number would overflow.
  const float e = exponential(-magnitude(x)), scale = 1.0f / (1.0f + e);
  *rest = where(x >= 0.0f, e, 1) * scale;
  return where(x >= 0.0f, 1, e) * scale;
}

/// The part of the normal distribution below x, and through `density` its density there.
///
/// Below −|x| lies erfc(|x| / √2) / 2 = exp(−x² / 2) P(t) t with t = 1 / (1 + |x| / √8); the form is that
/// of Abramowitz and Stegun, 7.1.26, with a P of degree 8 of relative error 4e-8.
INLINE float normal(float x, float *density) {
  const float e = exponential(-0.5f * x * x), t = 1.0f / (1.0f + 0.35355339f * magnitude(x));
  float p = -0.0295347998f;
  p = p * t + 0.142289028f;
  p = p * t - 0.243603081f;
  p = p * t + 0.139037073f;
  p = p * t - 0.0133151626f;
  p = p * t + 0.101344377f;
  p = p * t + 0.121551655f;
  p = p * t + 0.141187683f;
  p = p * t + 0.141043201f;
  const float below = e * t * p;
  *density = 0.39894228f * e;
  return where(x > 0.0f, 1.0f - below, below);
}

/// log(1 + e^x) = max(x, 0) + log(1 + u) with u = e^−|x|; log(1 + u) = 2·artanh(u / (2 + u)), whose
/// series loses no digits for small u.
INLINE float softplus(float x) {
  const float u = exponential(-magnitude(x)), s = u / (u + 2.0f), square = s * s;
  float p = square * (1 / 15.0f) + 1 / 13.0f;
  p = p * square + 1 / 11.0f;
  p = p * square + 1 / 9.0f;
  p = p * square + 1 / 7.0f;
  p = p * square + 1 / 5.0f;
  p = p * square + 1 / 3.0f;
  p = p * square + 1.0f;
  return where(x < 0.0f, 0, x) + s * p * 2.0f;
}

/// What the hyperbolic tangent in GELU's approximation is taken of, doubled:
/// ½ (1 + tanh u) = 1 / (1 + e^−2u). Source: Hendrycks and Gimpel, 2016.
INLINE float gelu_argument(float x) { return 1.59576912f * (x + 0.044715f * x * x * x); }

// MARK: The functions, and their slopes at x (or at y, where they are simple in that).

INLINE float value_exp(float x, float p, float q) { return exponential(x); }
INLINE float value_log(float x, float p, float q) { return logarithm(x); }
INLINE float value_tanh(float x, float p, float q) { return hyperbolic_tangent(x); }
INLINE float value_sigmoid(float x, float p, float q) {
  float rest;
  return logistic(x, &rest);
}
INLINE float value_silu(float x, float p, float q) {
  float rest;
  return x * logistic(x, &rest);
}
INLINE float slope_silu(float x, float p, float q) {
  float rest;
  const float s = logistic(x, &rest);
  return s * (1.0f + x * rest);
}
INLINE float value_elu(float x, float p, float q) {
  return where(x > 0.0f, x, p * exponential_less_one(x));
}
INLINE float slope_elu(float x, float p, float q) {
  return where(x > 0.0f, 1, p * exponential(x));
}
INLINE float value_gelu(float x, float p, float q) {
  float density;
  return x * normal(x, &density);
}
INLINE float slope_gelu(float x, float p, float q) {
  float density;
  const float below = normal(x, &density);
  return below + x * density;
}
INLINE float value_gelu_tanh(float x, float p, float q) {
  float rest;
  return x * logistic(gelu_argument(x), &rest);
}
INLINE float slope_gelu_tanh(float x, float p, float q) {
  float rest;
  const float s = logistic(gelu_argument(x), &rest);
  // Far out s or its rest is 0, but the slope of the argument overflows.
  const float inner = 1.59576912f * (1.0f + 0.134145f * x * x);
  const float bend = where(magnitude(x) > 30.0f, 0, s * rest * inner);
  return s + x * bend;
}
INLINE float value_softplus(float x, float beta, float threshold) {
  const float z = x * beta;
  return where(z > threshold, x, softplus(z) / beta);
}
INLINE float slope_softplus(float x, float beta, float threshold) {
  float rest;
  const float z = x * beta;
  return where(z > threshold, 1, logistic(z, &rest));
}

// MARK: Loops. `y` may be `x`: what is computed of a block is stored when all of the block was read.

enum { block = 64 };

#define DEFINE_VALUE(name)                                                          \
  FOR_EVERY_WIDTH                                                                   \
  void tern_##name(const float *x, float *y, ptrdiff_t count, float p, float q) {   \
    for (ptrdiff_t i = 0; i < count; i += block) {                                  \
      const size_t size = (size_t)(count - i < block ? count - i : block);          \
      float values[block], results[block];                                          \
      if (size < block) memset(values, 0, sizeof values);                           \
      memcpy(values, x + i, size * sizeof(float));                                  \
      for (int k = 0; k < block; k++) results[k] = value_##name(values[k], p, q);   \
      memcpy(y + i, results, size * sizeof(float));                                 \
    }                                                                               \
  }

// A saturated unit passes nothing on, whatever arrives.
#define DEFINE_SLOPE(name)                                                          \
  FOR_EVERY_WIDTH                                                                   \
  void tern_##name##_backward(                                                      \
      const float *dy, const float *x, float *dx, ptrdiff_t count, float p, float q) { \
    for (ptrdiff_t i = 0; i < count; i += block) {                                  \
      const size_t size = (size_t)(count - i < block ? count - i : block);          \
      float values[block], arriving[block], results[block];                         \
      if (size < block) {                                                           \
        memset(values, 0, sizeof values);                                           \
        memset(arriving, 0, sizeof arriving);                                       \
      }                                                                             \
      memcpy(values, x + i, size * sizeof(float));                                  \
      memcpy(arriving, dy + i, size * sizeof(float));                               \
      for (int k = 0; k < block; k++) {                                             \
        const float slope = slope_##name(values[k], p, q);                          \
        results[k] = where(slope == 0.0f, 0.0f, arriving[k] * slope);               \
      }                                                                             \
      memcpy(dx + i, results, size * sizeof(float));                                \
    }                                                                               \
  }

DEFINE_VALUE(exp)
DEFINE_VALUE(log)
DEFINE_VALUE(tanh)
DEFINE_VALUE(sigmoid)
DEFINE_VALUE(silu)
DEFINE_SLOPE(silu)
DEFINE_VALUE(elu)
DEFINE_SLOPE(elu)
DEFINE_VALUE(gelu)
DEFINE_SLOPE(gelu)
DEFINE_VALUE(gelu_tanh)
DEFINE_SLOPE(gelu_tanh)
DEFINE_VALUE(softplus)
DEFINE_SLOPE(softplus)
