#include "bfloat16_values.h"
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

/// The gradient at a value, as a relu behind the normalisation lets it through. Both are there beforehand: a load
/// under a condition keeps compilers from vectors.
INLINE float passed(float value, float gradient) { return value > 0 ? gradient : 0; }

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
    for (int lane = 0; lane < (CHANNELS); lane++) (y)[(start) + lane] = STORE(row[lane]); \
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

#define NAME(function) function
#define STORED float
#define LOAD(value) (value)
#define STORE(value) (value)
#include "batch_norm_loops.h"

#define NAME(function) function##_bfloat16
#define STORED uint16_t
#define LOAD(value) widened_bfloat16(value)
#define STORE(value) narrowed_bfloat16(value)
#include "batch_norm_loops.h"
