#ifndef TERN_MICROKERNELS_H
#define TERN_MICROKERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Inner loops that need instructions which a build for any x86-64 may not assume.

/// Whether this processor has AVX-512, and its registers are saved by the system.
bool tern_has_avx512(void);

/// Whether it also has instructions for products of bfloat16.
bool tern_has_avx512_bfloat16(void);

/// Values of bfloat16 as floats, and back: the nearest, ties to even.
void tern_widen_bfloat16(const uint16_t *x, float *y, ptrdiff_t count);
void tern_narrow_bfloat16(const float *x, uint16_t *y, ptrdiff_t count);

/// Values of float16 as floats, and back: the nearest, ties to even.
void tern_widen_float16(const uint16_t *x, float *y, ptrdiff_t count);
void tern_narrow_float16(const float *x, uint16_t *y, ptrdiff_t count);

/// The channels of `y` that a call takes: four blocks of sixteen.
enum { tern_outer_product_blocks = 4, tern_outer_product_block_size = 16 };

/// The most values of `x` per pixel that a call takes.
enum { tern_outer_product_limit = 4 };

/// Adds up outer products over the pixels of some rows:
///
///     sum[b·sum_block + i·sum_step + o] += Σ x[r·x_row + p·x_pixel + i] · y[b·y_block + r·y_row + 16·p + o]
///
/// over rows r and pixels p, for i < count, blocks b < 4, channels o < 16. Distances are in floats.
/// The sums stay in registers meanwhile: the more pixels, the better.
///
/// Requires AVX-512 and 1 ≤ count ≤ `tern_outer_product_limit`.
void tern_add_outer_products(
    int count, ptrdiff_t rows, ptrdiff_t pixels,  //
    const float *x, ptrdiff_t x_row, ptrdiff_t x_pixel,  //
    const float *y, ptrdiff_t y_row, ptrdiff_t y_block,  //
    float *sum, ptrdiff_t sum_step, ptrdiff_t sum_block);

/// Asks for some cache lines of sixteen floats, to be found in the second level's cache later. Any
/// address will do.
void tern_prefetch(const float *start, ptrdiff_t lines);

/// A row of bytes and what it counts for.
typedef struct {
  const uint8_t *bytes;
  float weight;
} tern_weighted_row;

/// The weighted sum of four rows, as floats: sum[i] = Σ weight · bytes[i], or added to what is there.
/// The same bits on every processor.
void tern_blend_rows(
    tern_weighted_row a, tern_weighted_row b, tern_weighted_row c, tern_weighted_row d,
    ptrdiff_t count, bool adds, float *sum);

/// Weighted sums of neighbouring pixels of a row [W, 3], into a row of each of three planes [count]:
///
///     plane[c][x] = factors[c] · Σ weights[x/4][t][x mod 4] · row[starts[x] + t][c] + offsets[c]
///
/// over t < taps. Starts and weights are there for four positions at a time, those beyond the last as
/// good as any; one number after the last pixel is read. The same bits on every processor.
void tern_blend_pixels(
    const float *row, const ptrdiff_t *starts, const float *weights, ptrdiff_t taps,
    const float factors[3], const float offsets[3], ptrdiff_t count, float *red, float *green,
    float *blue);

/// y[i] = f(x[i]) for i < count; y may be x. NaN stays NaN, what overflows is infinite, and next to the
/// limits of a function that saturates the digits are kept. The same bits on every processor.
///
/// elu takes its α as `p`, softplus its β as `p` and its threshold as `q`; the others take neither.
#define TERN_DECLARE_VALUE(name) \
  void tern_##name(const float *x, float *y, ptrdiff_t count, float p, float q);
TERN_DECLARE_VALUE(exp)
TERN_DECLARE_VALUE(log)
TERN_DECLARE_VALUE(tanh)
TERN_DECLARE_VALUE(sigmoid)
TERN_DECLARE_VALUE(silu)
TERN_DECLARE_VALUE(elu)
TERN_DECLARE_VALUE(gelu)
TERN_DECLARE_VALUE(gelu_tanh)
TERN_DECLARE_VALUE(softplus)
#undef TERN_DECLARE_VALUE

/// dx[i] = f′(x[i]) · dy[i], 0 where the derivative is 0; dx may be dy or x.
#define TERN_DECLARE_SLOPE(name) \
  void tern_##name##_backward( \
      const float *dy, const float *x, float *dx, ptrdiff_t count, float p, float q);
TERN_DECLARE_SLOPE(silu)
TERN_DECLARE_SLOPE(elu)
TERN_DECLARE_SLOPE(gelu)
TERN_DECLARE_SLOPE(gelu_tanh)
TERN_DECLARE_SLOPE(softplus)
#undef TERN_DECLARE_SLOPE

/// Some values of a few channels: so many pixels, `stride` values apart, of so many channels side by side;
/// or, as a plane, so many neighbours of a single channel.
typedef struct {
  ptrdiff_t pixels;
  ptrdiff_t stride;
  int channels;
  bool is_plane;
} tern_channel_values;

/// The channels of ``tern_channel_values`` at most.
enum { tern_batch_norm_width = 16 };

// Batch normalisation of such values; what is of a channel has `channels` numbers. Results are the same
// bits on every processor, and y or dx may be x or dy.

// Those called _bfloat16 take and give values of bfloat16, and compute as the others do.

/// The mean of each channel and the sum of the squares of the distances from it.
void tern_batch_norm_moments(
    const float *x, tern_channel_values values, float *mean, float *squares);
void tern_batch_norm_moments_bfloat16(
    const uint16_t *x, tern_channel_values values, float *mean, float *squares);

/// y = (x − mean)·scale + shift, and zero instead of what is below where it rectifies.
void tern_batch_norm(
    const float *x, float *y, tern_channel_values values, const float *mean, const float *scale,
    const float *shift, bool rectifies);
void tern_batch_norm_bfloat16(
    const uint16_t *x, uint16_t *y, tern_channel_values values, const float *mean,
    const float *scale, const float *shift, bool rectifies);

/// Σ dy and Σ dy·(x − mean), of the values above zero alone where it rectifies.
void tern_batch_norm_gradient_sums(
    const float *dy, const float *x, tern_channel_values values, const float *mean,
    const float *scale, const float *shift, bool rectifies, float *sum, float *product);
void tern_batch_norm_gradient_sums_bfloat16(
    const uint16_t *dy, const uint16_t *x, tern_channel_values values, const float *mean,
    const float *scale, const float *shift, bool rectifies, float *sum, float *product);

/// dx = scale·(dy − sum_part − (x − mean)·product_part), with dy = 0 where a relu gave zero.
void tern_batch_norm_backward(
    const float *dy, const float *x, float *dx, tern_channel_values values, const float *mean,
    const float *scale, const float *shift, bool rectifies, const float *sum_part,
    const float *product_part);
void tern_batch_norm_backward_bfloat16(
    const uint16_t *dy, const uint16_t *x, uint16_t *dx, tern_channel_values values,
    const float *mean, const float *scale, const float *shift, bool rectifies,
    const float *sum_part, const float *product_part);

#endif
