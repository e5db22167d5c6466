#include "every_width.h"
#include "microkernels.h"

// The loops of batch normalisation over some values of a few channels. Sums are kept in short vectors,
// several of each, so that rounding errors do not pile up.

/// The channels that stand side by side at most, and how many sums of each are kept.
enum { width = tern_batch_norm_width, chains = 4 };

/// Of a normalised value, as the forward pass computes it: the backward pass asks whether a relu let it
/// through and must get the same bits.
INLINE float normalized(float x, float mean, float scale, float shift) {
  return (x - mean) * scale + shift;
}

/// What is below zero becomes zero; unlike a maximum, the comparison keeps NaN.
INLINE float rectified(float value) { return value < 0 ? 0 : value; }

// A loop is written once: BODY is told by `i` where a value is, by `c` its channel, and by `chain` and
// `lane` which of the sums it is to add to. CHANNELS channels stand side by side.
#define FOR_PIXELS(CHANNELS, pixels, stride, channel, BODY)                    \
  {                                                                           \
    ptrdiff_t p = 0;                                                          \
    for (; p + chains <= (pixels); p += chains) {                             \
      for (int chain = 0; chain < chains; chain++) {                          \
        for (int lane = 0; lane < (CHANNELS); lane++) {                       \
          const ptrdiff_t i = (p + chain) * (stride) + lane;                  \
          const int c = channel;                                              \
          BODY                                                                \
        }                                                                     \
      }                                                                       \
    }                                                                         \
    for (; p < (pixels); p++) {                                               \
      for (int lane = 0; lane < (CHANNELS); lane++) {                         \
        const ptrdiff_t i = p * (stride) + lane;                              \
        const int c = channel, chain = 0;                                     \
        BODY                                                                  \
      }                                                                       \
    }                                                                         \
  }
/// The same for all values. The counts of channels that formats have are constants for the compiler; the
/// values of a plane are taken `width` at a time.
#define SUM_UP(BODY)                                                          \
  if (values.is_plane) {                                                      \
    FOR_PIXELS(width, values.pixels / width, width, 0, BODY)                  \
    for (ptrdiff_t i = values.pixels / width * width; i < values.pixels; i++) { \
      const int c = 0, chain = 0, lane = 0;                                   \
      BODY                                                                    \
    }                                                                         \
  } else if (values.channels == 16) {                                         \
    FOR_PIXELS(16, values.pixels, values.stride, lane, BODY)                  \
  } else if (values.channels == 8) {                                          \
    FOR_PIXELS(8, values.pixels, values.stride, lane, BODY)                   \
  } else {                                                                    \
    FOR_PIXELS(values.channels, values.pixels, values.stride, lane, BODY)     \
  }

/// The chains, and of a plane the lanes, added up in order.
INLINE void finish_sums(const float sums[chains][width], tern_channel_values values, float *result) {
  float lanes[width];
  for (int lane = 0; lane < width; lane++) {
    lanes[lane] = (sums[0][lane] + sums[1][lane]) + (sums[2][lane] + sums[3][lane]);
  }
  if (values.is_plane) {
    float total = 0;
    for (int lane = 0; lane < width; lane++) total += lanes[lane];
    result[0] = total;
  } else {
    for (int c = 0; c < values.channels; c++) result[c] = lanes[c];
  }
}

/// Stores VALUE, of the value at i of channel c, at y + i. A row of them is computed before it is stored: y
/// may be what they are computed from.
#define STORE_ROW(CHANNELS, start, channel, y, VALUE)                         \
  {                                                                           \
    float row[width];                                                         \
    for (int lane = 0; lane < (CHANNELS); lane++) {                           \
      const ptrdiff_t i = (start) + lane;                                     \
      const int c = channel;                                                  \
      row[lane] = VALUE;                                                      \
    }                                                                         \
    for (int lane = 0; lane < (CHANNELS); lane++) (y)[(start) + lane] = row[lane]; \
  }
#define STORE_PIXELS(CHANNELS, y, VALUE)                                      \
  for (ptrdiff_t p = 0; p < values.pixels; p++) {                             \
    STORE_ROW(CHANNELS, p * values.stride, lane, y, VALUE)                    \
  }
#define STORE_ALL(y, VALUE)                                                   \
  if (values.is_plane) {                                                      \
    ptrdiff_t start = 0;                                                      \
    _Pragma("clang loop vectorize(disable)")                                  \
    for (; start + width <= values.pixels; start += width) {                  \
      STORE_ROW(width, start, 0, y, VALUE)                                    \
    }                                                                         \
    for (; start < values.pixels; start++) STORE_ROW(1, start, 0, y, VALUE)   \
  } else if (values.channels == 16) {                                         \
    STORE_PIXELS(16, y, VALUE)                                                \
  } else if (values.channels == 8) {                                          \
    STORE_PIXELS(8, y, VALUE)                                                 \
  } else {                                                                    \
    STORE_PIXELS(values.channels, y, VALUE)                                   \
  }

/// A channel's numbers, so that the compiler need not suspect them to change.
#define OWN(name)                                                             \
  float name##_own[width];                                                    \
  for (int c = 0; c < values.channels; c++) name##_own[c] = name[c];

FOR_EVERY_WIDTH
void tern_batch_norm_moments(
    const float *x, tern_channel_values values, float *mean, float *squares) {
  float sums[chains][width] = {{0}}, distances[chains][width] = {{0}};
  SUM_UP({
    (void)c;
    sums[chain][lane] += x[i];
  })
  finish_sums(sums, values, mean);
  for (int c = 0; c < values.channels; c++) mean[c] /= (float)values.pixels;
  OWN(mean)
  SUM_UP({
    const float distance = x[i] - mean_own[c];
    distances[chain][lane] += distance * distance;
  })
  finish_sums(distances, values, squares);
}

FOR_EVERY_WIDTH
void tern_batch_norm(
    const float *x, float *y, tern_channel_values values, const float *mean, const float *scale,
    const float *shift, bool rectifies) {
  OWN(mean) OWN(scale) OWN(shift)
  if (rectifies) {
    STORE_ALL(y, rectified(normalized(x[i], mean_own[c], scale_own[c], shift_own[c])))
  } else {
    STORE_ALL(y, normalized(x[i], mean_own[c], scale_own[c], shift_own[c]))
  }
}

/// The gradient at a value, as a relu behind the normalisation lets it through.
#define PASSED                                                                 \
  (normalized(x[i], mean_own[c], scale_own[c], shift_own[c]) > 0 ? dy[i] : 0.0f)

FOR_EVERY_WIDTH
void tern_batch_norm_gradient_sums(
    const float *dy, const float *x, tern_channel_values values, const float *mean,
    const float *scale, const float *shift, bool rectifies, float *sum, float *product) {
  OWN(mean) OWN(scale) OWN(shift)
  float sums[chains][width] = {{0}}, products[chains][width] = {{0}};
  if (rectifies) {
    SUM_UP({
      const float gradient = PASSED;
      sums[chain][lane] += gradient;
      products[chain][lane] += gradient * (x[i] - mean_own[c]);
    })
  } else {
    SUM_UP({
      sums[chain][lane] += dy[i];
      products[chain][lane] += dy[i] * (x[i] - mean_own[c]);
    })
  }
  finish_sums(sums, values, sum);
  finish_sums(products, values, product);
}

FOR_EVERY_WIDTH
void tern_batch_norm_backward(
    const float *dy, const float *x, float *dx, tern_channel_values values, const float *mean,
    const float *scale, const float *shift, bool rectifies, const float *sum_part,
    const float *product_part) {
  OWN(mean) OWN(scale) OWN(shift) OWN(sum_part) OWN(product_part)
#define DX(gradient) \
  scale_own[c] * (((gradient) - sum_part_own[c]) - (x[i] - mean_own[c]) * product_part_own[c])
  if (rectifies) {
    STORE_ALL(dx, DX(PASSED))
  } else {
    STORE_ALL(dx, DX(dy[i]))
  }
}
