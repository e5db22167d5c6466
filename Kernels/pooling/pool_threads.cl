#include "window.cl"

// Pooling on devices of many threads: a work-item for every element of the result, neighbours beside
// each other. `across` and `down` divide by the extents of the result's planes.
#define PLACE                                                                 \
  const int i = get_global_id(0);                                             \
  if (i >= n) return;                                                         \
  const int row = divided(i, across), column = i - row * across.s0;           \
  const int plane = divided(row, down), line = row - plane * down.s0

// Windows of few elements have no loops, and their loads are under way together.
#if KH * KW <= 16
#define EACH _Pragma("unroll")
#else
#define EACH _Pragma("unroll 1")
#endif

#ifndef COUNTS_PADDING
#define COUNTS_PADDING 1
#endif

__kernel void max_pool2d_outputs(IN_ANY(x), OUT_ANY(y), OUT_INT(indices), const int n,
                                 DIVISOR(across), DIVISOR(down), const int8 a) {
  BIND_ANY(x);
  BIND_ANY_OUT(y);
  BIND_INT_OUT(indices);
  PLACE;
  x += plane * (H * W);
  const int top = line * SH - PH, left = column * SW - PW;
  float best = -INFINITY;
  int where = -1;
  EACH
  for (int kh = 0; kh < KH; ++kh) {
    EACH
    for (int kw = 0; kw < KW; ++kw) {
      const int h = top + kh * DH, w = left + kw * DW, at = h * W + w;
      const bool is_inside = h >= 0 && h < H && w >= 0 && w < W;
      const float value = is_inside ? GET(x, at) : -INFINITY;
      // The first of equal maxima counts; NaN beats everything.
      const bool is_better = is_inside && (value > best || isnan(value) || where < 0);
      best = is_better ? value : best;
      where = is_better ? at : where;
    }
  }
  PUT(RECTIFIED(float, best, where), y, i);
  indices[i] = where;
}

// The windows that may cover an element along an axis: a number known to the compiler, from `first` on.
#define WINDOWS(kernel_size, stride, dilation) (((kernel_size) - 1) * (dilation) / (stride) + 1)
#define FIRST_WINDOW(at, kernel_size, stride, padding, dilation) \
  (((at) + (padding) - ((kernel_size) - 1) * (dilation) + (stride) - 1) / (stride))
#if WINDOWS(KH, SH, DH) * WINDOWS(KW, SW, DW) <= 16
#define EACH_WINDOW _Pragma("unroll")
#else
#define EACH_WINDOW _Pragma("unroll 1")
#endif

// Every input element looks at the windows that cover it.
__kernel void max_pool2d_inputs(IN_ANY(dy), IN_INT(indices), IN_ANY(output), OUT_ANY(dx),
                                const int n, DIVISOR(across), DIVISOR(down), const int8 a) {
  BIND_ANY(dy);
  BIND_INT(indices);
  BIND_RECTIFIED(0);
  BIND_ANY_OUT(dx);
  PLACE;
  const int own = line * W + column;
  // A division of what is negative would round up.
  const int top = FIRST_WINDOW(max(line, (KH - 1) * DH - PH), KH, SH, PH, DH);
  const int left = FIRST_WINDOW(max(column, (KW - 1) * DW - PW), KW, SW, PW, DW);
  float sum = 0;
  EACH_WINDOW
  for (int j = 0; j < WINDOWS(KH, SH, DH); ++j) {
    EACH_WINDOW
    for (int k = 0; k < WINDOWS(KW, SW, DW); ++k) {
      const int oh = top + j, ow = left + k, at = (plane * OH + oh) * OW + ow;
      // Windows behind those that cover the element hold other elements' indices.
      if (oh < OH && ow < OW && indices[at] == own) sum += ARRIVING(at);
    }
  }
  PUT(sum, dx, i);
}

// What the mean of window i of an axis divides by: its elements inside the input, or also those in
// the padding, but not beyond it.
static inline int divisor_of(int i, int kernel_size, int stride, int padding, int extent) {
  const int start = i * stride - padding;
  return COUNTS_PADDING ? min(start + kernel_size, extent + padding) - start
                        : min(start + kernel_size, extent) - max(start, 0);
}

__kernel void avg_pool2d_outputs(IN_ANY(x), OUT_ANY(y), const int n, DIVISOR(across), DIVISOR(down),
                                 const int8 a) {
  BIND_ANY(x);
  BIND_ANY_OUT(y);
  PLACE;
  x += plane * (H * W);
  const int top = line * SH - PH, left = column * SW - PW;
  float sum = 0;
  EACH
  for (int kh = 0; kh < KH; ++kh) {
    EACH
    for (int kw = 0; kw < KW; ++kw) {
      const int h = top + kh, w = left + kw;
      if (h >= 0 && h < H && w >= 0 && w < W) sum += GET(x, h * W + w);
    }
  }
  PUT(sum / (divisor_of(line, KH, SH, PH, H) * divisor_of(column, KW, SW, PW, W)), y, i);
}

// Every input element gathers from the windows that cover it.
__kernel void avg_pool2d_inputs(IN_ANY(dy), OUT_ANY(dx), const int n, DIVISOR(across),
                                DIVISOR(down), const int8 a) {
  BIND_ANY(dy);
  BIND_ANY_OUT(dx);
  PLACE;
  const int top = FIRST_WINDOW(max(line, KH - 1 - PH), KH, SH, PH, 1);
  const int left = FIRST_WINDOW(max(column, KW - 1 - PW), KW, SW, PW, 1);
  float sum = 0;
  EACH_WINDOW
  for (int j = 0; j < WINDOWS(KH, SH, 1); ++j) {
    EACH_WINDOW
    for (int k = 0; k < WINDOWS(KW, SW, 1); ++k) {
      const int oh = top + j, ow = left + k;
      if (oh < OH && ow < OW && oh * SH - PH <= line && ow * SW - PW <= column) {
        sum += GET(dy, (plane * OH + oh) * OW + ow) /
               (divisor_of(oh, KH, SH, PH, H) * divisor_of(ow, KW, SW, PW, W));
      }
    }
  }
  PUT(sum, dx, i);
}
