#include "microkernels.h"

void tern_prefetch(const float *start, ptrdiff_t lines) {
  for (ptrdiff_t i = 0; i < lines; i++) __builtin_prefetch(start + 16 * i, 0, 2);
}

#if defined(__x86_64__)
#include <immintrin.h>

bool tern_has_avx512(void) { return __builtin_cpu_supports("avx512f"); }

bool tern_has_avx512_bfloat16(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bf16");
}

// A function per count, so that the sums have registers of their own: up to 16, of 32, and four more
// for y and one for a value of x. Each value of x is used four times, each register of y `count`
// times.
#define DEFINE_OUTER_PRODUCTS(count)                                                             \
  __attribute__((target("avx512f"))) static void add_outer_products_##count(                    \
      ptrdiff_t rows, ptrdiff_t pixels, const float *x, ptrdiff_t x_row, ptrdiff_t x_pixel,     \
      const float *y, ptrdiff_t y_row, ptrdiff_t y_block, float *sum, ptrdiff_t sum_step,       \
      ptrdiff_t sum_block) {                                                                    \
    enum { blocks = tern_outer_product_blocks };                                                \
    __m512 sums[count][blocks];                                                                 \
    _Pragma("clang loop unroll(full)") for (int i = 0; i < count; i++) {                        \
      _Pragma("clang loop unroll(full)") for (int b = 0; b < blocks; b++) {                     \
        sums[i][b] = _mm512_loadu_ps(sum + i * sum_step + b * sum_block);                       \
      }                                                                                         \
    }                                                                                           \
    for (ptrdiff_t r = 0; r < rows; r++) {                                                      \
      const float *x_at = x + r * x_row;                                                        \
      const float *y_at = y + r * y_row;                                                        \
      for (ptrdiff_t p = 0; p < pixels; p++, x_at += x_pixel, y_at += 16) {                     \
        __m512 channels[blocks];                                                                \
        _Pragma("clang loop unroll(full)") for (int b = 0; b < blocks; b++) {                   \
          channels[b] = _mm512_loadu_ps(y_at + b * y_block);                                    \
        }                                                                                       \
        _Pragma("clang loop unroll(full)") for (int i = 0; i < count; i++) {                    \
          const __m512 value = _mm512_set1_ps(x_at[i]);                                         \
          _Pragma("clang loop unroll(full)") for (int b = 0; b < blocks; b++) {                 \
            sums[i][b] = _mm512_fmadd_ps(value, channels[b], sums[i][b]);                       \
          }                                                                                     \
        }                                                                                       \
      }                                                                                         \
    }                                                                                           \
    _Pragma("clang loop unroll(full)") for (int i = 0; i < count; i++) {                        \
      _Pragma("clang loop unroll(full)") for (int b = 0; b < blocks; b++) {                     \
        _mm512_storeu_ps(sum + i * sum_step + b * sum_block, sums[i][b]);                       \
      }                                                                                         \
    }                                                                                           \
  }

DEFINE_OUTER_PRODUCTS(1)
DEFINE_OUTER_PRODUCTS(2)
DEFINE_OUTER_PRODUCTS(3)
DEFINE_OUTER_PRODUCTS(4)

void tern_add_outer_products(
    int count, ptrdiff_t rows, ptrdiff_t pixels, const float *x, ptrdiff_t x_row,
    ptrdiff_t x_pixel, const float *y, ptrdiff_t y_row, ptrdiff_t y_block, float *sum,
    ptrdiff_t sum_step, ptrdiff_t sum_block) {
  static void (*const functions[])(
      ptrdiff_t, ptrdiff_t, const float *, ptrdiff_t, ptrdiff_t, const float *, ptrdiff_t,
      ptrdiff_t, float *, ptrdiff_t, ptrdiff_t) = {
      add_outer_products_1, add_outer_products_2, add_outer_products_3, add_outer_products_4};
  functions[count - 1](
      rows, pixels, x, x_row, x_pixel, y, y_row, y_block, sum, sum_step, sum_block);
}

#else

bool tern_has_avx512(void) { return false; }
bool tern_has_avx512_bfloat16(void) { return false; }

void tern_add_outer_products(
    int count, ptrdiff_t rows, ptrdiff_t pixels, const float *x, ptrdiff_t x_row,
    ptrdiff_t x_pixel, const float *y, ptrdiff_t y_row, ptrdiff_t y_block, float *sum,
    ptrdiff_t sum_step, ptrdiff_t sum_block) {
  (void)count, (void)rows, (void)pixels, (void)x, (void)x_row, (void)x_pixel;
  (void)y, (void)y_row, (void)y_block, (void)sum, (void)sum_step, (void)sum_block;
  __builtin_trap();
}

#endif
