#include "../common/common.cl"

// Convolution with a group for each channel, on devices of many threads: output channel
// c·multiplier + m reads channel c alone. A work-item has EACH results below each other: neighbours read
// neighbours, and a row that was read serves all the results that it reaches.
#ifndef KH
#define KH 3
#define KW 3
#define SH 1
#define SW 1
#define PH 1
#define PW 1
#define DH 1
#define DW 1
#endif
#ifndef EACH
#define EACH 4
#endif
// Windows of few taps have no loops.
#if KH * KW <= 64
#define EVERY _Pragma("unroll")
#else
#define EVERY _Pragma("unroll 1")
#endif

// The element of a row that lies nearest to `at`; it counts for nothing where it is another. Loads without
// a condition are all under way together.
static inline int nearest(int at, int count) { return clamp(at, 0, count - 1); }

#define SIZES                                                                                   \
  const int height, const int width, const int out_height, const int out_width

// A work-item's place: column `column`, rows from `top` on, plane `plane` of batch · planes.
#define PLACE(item)                                                                      \
  const int run = divided(item, columns), column = (item) - run * columns.s0;            \
  const int plane = divided(run, blocks), top = (run - plane * blocks.s0) * EACH

// The rows of the input that EACH outputs read: row r of them is the tap i of output e where
// e·SH + i·DH = r.
#define ROWS_READ ((EACH - 1) * SH + (KH - 1) * DH + 1)
#define MEETS(r, e) ((r) >= (e) * SH && ((r) - (e) * SH) % DH == 0 && ((r) - (e) * SH) / DH < KH)
#define TAP(r, e) (((r) - (e) * SH) / DH)

__kernel void depthwise_forward_columns(IN(x), IN(w), IN(bias), OUT(y), const int has_bias,
                                        const int items, DIVISOR(columns), DIVISOR(blocks),
                                        DIVISOR(planes), DIVISOR(multiplier), SIZES) {
  BIND(x);
  BIND(w);
  BIND(bias);
  BIND_OUT(y);
  const int item = get_global_id(0);
  if (item >= items) return;
  PLACE(item);
  const int output = plane - divided(plane, planes) * planes.s0;
  x += divided(plane, multiplier) * (height * width);
  w += output * (KH * KW);
  float sums[EACH];
#pragma unroll
  for (int e = 0; e < EACH; ++e) sums[e] = has_bias ? bias[output] : 0.0f;
  EVERY
  for (int r = 0; r < ROWS_READ; ++r) {
    const int h = top * SH - PH + r, row = nearest(h, height);
    EVERY
    for (int j = 0; j < KW; ++j) {
      const int left = column * SW - PW + j * DW, at = nearest(left, width);
      const float element = x[row * width + at];
      const float value = (row == h) & (at == left) ? element : 0.0f;
#pragma unroll
      for (int e = 0; e < EACH; ++e) {
        if (MEETS(r, e)) sums[e] += w[TAP(r, e) * KW + j] * value;
      }
    }
  }
  y += (plane * out_height + top) * out_width + column;
#pragma unroll
  for (int e = 0; e < EACH; ++e) {
    if (top + e < out_height) y[e * out_width] = sums[e];
  }
}

// The rows between outputs, as many as there would be with a stride of 1: tap i of input row e comes
// from row r where r = e + (KH - 1 - i)·DH.
#define ROWS_ARRIVING (EACH + (KH - 1) * DH)
#define ARRIVES(r, e) ((r) >= (e) && ((r) - (e)) % DH == 0 && ((r) - (e)) / DH < KH)
#define TAP_ARRIVING(r, e) (KH - 1 - ((r) - (e)) / DH)

__kernel void depthwise_backward_input_columns(IN(dy), IN(w), OUT(dx), const int items,
                                               DIVISOR(columns), DIVISOR(blocks), DIVISOR(planes),
                                               DIVISOR(multiplier), SIZES) {
  BIND(dy);
  BIND(w);
  BIND_OUT(dx);
  const int item = get_global_id(0);
  if (item >= items) return;
  PLACE(item);
  const int channel = plane - divided(plane, planes) * planes.s0;
  float sums[EACH];
#pragma unroll
  for (int e = 0; e < EACH; ++e) sums[e] = 0;
  for (int m = 0; m < (int)multiplier.s0; ++m) {
    __global const float *arriving = dy + (plane * (int)multiplier.s0 + m) * (out_height * out_width);
    __global const float *weight = w + (channel * (int)multiplier.s0 + m) * (KH * KW);
    EVERY
    for (int r = 0; r < ROWS_ARRIVING; ++r) {
      const int down = top + PH - (KH - 1) * DH + r, row = nearest(down / SH, out_height);
      EVERY
      for (int j = 0; j < KW; ++j) {
        const int right = column + PW - j * DW, at = nearest(right / SW, out_width);
        const float element = arriving[row * out_width + at];
        const float value = (row * SH == down) & (at * SW == right) ? element : 0.0f;
#pragma unroll
        for (int e = 0; e < EACH; ++e) {
          if (ARRIVES(r, e)) sums[e] += weight[TAP_ARRIVING(r, e) * KW + j] * value;
        }
      }
    }
  }
  dx += (plane * height + top) * width + column;
#pragma unroll
  for (int e = 0; e < EACH; ++e) {
    if (top + e < height) dx[e * width] = sums[e];
  }
}

// A group sums all taps of output channel o over a part of the batch's columns: dw [parts, O, KH, KW].
#if GROUP > 1
__kernel void depthwise_backward_weight_groups(IN(x), IN(dy), OUT(dw), const int parts,
                                               const int batch, const int outputs,
                                               DIVISOR(columns), DIVISOR(blocks),
                                               DIVISOR(multiplier), SIZES,
                                               __local float *scratch) {
  BIND(x);
  BIND(dy);
  BIND_OUT(dw);
  const int part = ROW / outputs, output = ROW - part * outputs;
  const int total = batch * (int)(blocks.s0 * columns.s0), share = (total + parts - 1) / parts;
  const int first = part * share, end = min(total, first + share);
  const int channels = divided(outputs, multiplier), channel = divided(output, multiplier);
  float sums[KH * KW];
#pragma unroll
  for (int i = 0; i < KH * KW; ++i) sums[i] = 0;
  for (int item = first + MEMBER; item < end; item += GROUP) {
    // Here `plane` is the sample.
    PLACE(item);
    __global const float *source = x + (plane * channels + channel) * (height * width);
    __global const float *arriving =
        dy + ((plane * outputs + output) * out_height + top) * out_width + column;
    float gradient[EACH];
#pragma unroll
    for (int e = 0; e < EACH; ++e) {
      const float element = arriving[nearest(e, out_height - top) * out_width];
      gradient[e] = top + e < out_height ? element : 0.0f;
    }
#pragma unroll
    for (int r = 0; r < ROWS_READ; ++r) {
      const int h = top * SH - PH + r, row = nearest(h, height);
#pragma unroll
      for (int j = 0; j < KW; ++j) {
        const int left = column * SW - PW + j * DW, at = nearest(left, width);
        const float element = source[row * width + at];
        const float value = (row == h) & (at == left) ? element : 0.0f;
#pragma unroll
        for (int e = 0; e < EACH; ++e) {
          if (MEETS(r, e)) sums[TAP(r, e) * KW + j] += gradient[e] * value;
        }
      }
    }
  }
#pragma unroll
  for (int i = 0; i < KH * KW; ++i) {
    const float sum = group_sum(sums[i], scratch);
    if (MEMBER == 0) dw[ROW * (KH * KW) + i] = sum;
  }
}
#endif
