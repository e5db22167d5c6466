#include "columns.cl"

// The gradient of a convolution's weight [O, I/G, KH, KW] where channels are few: a group of work-items sums all
// taps of a pair of an output channel and one of the `inputs` that it reads, over a part of the batch's columns.
// Parts lie `apart`. With SUMS_GRADIENT the gradient of the output is summed too, which is that of a bias.
#ifndef SUMS_GRADIENT
#define SUMS_GRADIENT 0
#endif

#if GROUP > 1
__kernel void direct_weight_groups(IN_ANY(x), IN_ANY(dy), OUT(dw), OUT(dbias), const int parts,
                                   const int apart, const int batch, const int outputs,
                                   DIVISOR(inputs), DIVISOR(columns), DIVISOR(blocks),
                                   DIVISOR(multiplier), SIZES, __local float *scratch) {
  BIND_ANY(x);
  BIND_ANY(dy);
  BIND_OUT(dw);
  BIND_OUT(dbias);
  const int pairs = outputs * (int)inputs.s0, part = ROW / pairs, pair = ROW - part * pairs;
  const int output = divided(pair, inputs), input = pair - output * (int)inputs.s0;
  const int total = batch * (int)(blocks.s0 * columns.s0), share = (total + parts - 1) / parts;
  const int first = part * share, end = min(total, first + share);
  // `multiplier` output channels make a group.
  const int channels = divided(outputs, multiplier) * (int)inputs.s0;
  const int channel = divided(output, multiplier) * (int)inputs.s0 + input;
  float sums[KH * KW], slopes = 0;
#pragma unroll
  for (int i = 0; i < KH * KW; ++i) sums[i] = 0;
  for (int item = first + MEMBER; item < end; item += GROUP) {
    // Here `plane` is the sample.
    PLACE(item);
    __global const INPUT *source = x + (plane * channels + channel) * (height * width);
    __global const INPUT *arriving =
        dy + ((plane * outputs + output) * out_height + top) * out_width + column;
    float gradient[EACH];
#pragma unroll
    for (int e = 0; e < EACH; ++e) {
      const float element = GET(arriving, nearest(e, out_height - top) * out_width);
      gradient[e] = top + e < out_height ? element : 0.0f;
      slopes += gradient[e];
    }
#pragma unroll
    for (int r = 0; r < ROWS_READ; ++r) {
      const int h = top * SH - PH + r, row = nearest(h, height);
#pragma unroll
      for (int j = 0; j < KW; ++j) {
        const int left = column * SW - PW + j * DW, at = nearest(left, width);
        const float element = GET(source, row * width + at);
        const float value = ((row == h) & (at == left)) ? element : 0.0f;
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
    if (MEMBER == 0) dw[part * apart + pair * (KH * KW) + i] = sum;
  }
#if SUMS_GRADIENT
  const float slope = group_sum(slopes, scratch);
  if (MEMBER == 0 && input == 0) dbias[part * apart + output] = slope;
#endif
}
#endif
