#include "columns.cl"

// Convolution with a group for each channel, on devices of many threads: output channel
// c·multiplier + m reads channel c alone.
__kernel void depthwise_forward_columns(IN_ANY(x), IN_ANY(w), IN(bias), OUT_ANY(y),
                                        const int has_bias, const int items, DIVISOR(columns),
                                        DIVISOR(blocks), DIVISOR(planes), DIVISOR(multiplier),
                                        SIZES) {
  BIND_ANY(x);
  BIND_ANY(w);
  BIND(bias);
  BIND_ANY_OUT(y);
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
      const float element = GET(x, row * width + at);
      const float value = ((row == h) & (at == left)) ? element : 0.0f;
#pragma unroll
      for (int e = 0; e < EACH; ++e) {
        if (MEETS(r, e)) sums[e] += GET(w, TAP(r, e) * KW + j) * value;
      }
    }
  }
  y += (plane * out_height + top) * out_width + column;
#pragma unroll
  for (int e = 0; e < EACH; ++e) {
    if (top + e < out_height) PUT(sums[e], y, e * out_width);
  }
}

// The rows between outputs, as many as there would be with a stride of 1: tap i of input row e comes
// from row r where r = e + (KH - 1 - i)·DH.
#define ROWS_ARRIVING (EACH + (KH - 1) * DH)
#define ARRIVES(r, e) ((r) >= (e) && ((r) - (e)) % DH == 0 && ((r) - (e)) / DH < KH)
#define TAP_ARRIVING(r, e) (KH - 1 - ((r) - (e)) / DH)

__kernel void depthwise_backward_input_columns(IN_ANY(dy), IN_ANY(w), OUT_ANY(dx), const int items,
                                               DIVISOR(columns), DIVISOR(blocks), DIVISOR(planes),
                                               DIVISOR(multiplier), SIZES) {
  BIND_ANY(dy);
  BIND_ANY(w);
  BIND_ANY_OUT(dx);
  const int item = get_global_id(0);
  if (item >= items) return;
  PLACE(item);
  const int channel = plane - divided(plane, planes) * planes.s0;
  float sums[EACH];
#pragma unroll
  for (int e = 0; e < EACH; ++e) sums[e] = 0;
  for (int m = 0; m < (int)multiplier.s0; ++m) {
    __global const INPUT *arriving = dy + (plane * (int)multiplier.s0 + m) * (out_height * out_width);
    __global const INPUT *weight = w + (channel * (int)multiplier.s0 + m) * (KH * KW);
    EVERY
    for (int r = 0; r < ROWS_ARRIVING; ++r) {
      const int down = top + PH - (KH - 1) * DH + r, row = nearest(down / SH, out_height);
      EVERY
      for (int j = 0; j < KW; ++j) {
        const int right = column + PW - j * DW, at = nearest(right / SW, out_width);
        const float element = GET(arriving, row * out_width + at);
        const float value = ((row * SH == down) & (at * SW == right)) ? element : 0.0f;
#pragma unroll
        for (int e = 0; e < EACH; ++e) {
          if (ARRIVES(r, e)) sums[e] += GET(weight, TAP_ARRIVING(r, e) * KW + j) * value;
        }
      }
    }
  }
  dx += (plane * height + top) * width + column;
#pragma unroll
  for (int e = 0; e < EACH; ++e) {
    if (top + e < height) PUT(sums[e], dx, e * width);
  }
}
