#include "columns.cl"
#include "../matmul/epilogue.cl"

// Convolution forward, and the gradient of the input where strides are 1, which is one with the taps turned
// round: a sum over windows, for few channels. A work-item has EACH results of CHANNELS channels.
#ifndef CHANNELS
#define CHANNELS 4
#endif

// Weights of a written channel are w_written floats from the next, of one that is read w_read, of a group
// w_group; taps lie tap_step apart from first_tap on. `blocks` of EACH rows are a column of a plane,
// `channel_blocks` all channels of a group.
__kernel void direct_columns(IN_ANY(x), IN_ANY(w), IN(bias), LIKE_OUT(addend), LIKE_OUT(mask),
                             OUT_ANY(y), const int items, DIVISOR(columns), DIVISOR(blocks),
                             DIVISOR(channel_blocks), DIVISOR(groups), const int read,
                             const int written, const int w_group, const int w_written,
                             const int w_read, const int first_tap, const int tap_step, SIZES,
                             const int epilogue) {
  BIND_ANY(x);
  BIND_ANY(w);
  BIND(bias);
  BIND_LIKE_OUT(addend);
  BIND_LIKE_OUT(mask);
  BIND_ANY_OUT(y);
  const int item = get_global_id(0);
  if (item >= items) return;
  PLACE(item);
  const int set = divided(plane, channel_blocks);
  const int first = (plane - set * (int)channel_blocks.s0) * CHANNELS;
  const int group = set - divided(set, groups) * (int)groups.s0;
  x += set * read * (height * width);
  w += group * w_group + first_tap;
  int line[CHANNELS];
  float sums[CHANNELS][EACH];
#pragma unroll
  for (int c = 0; c < CHANNELS; ++c) {
    line[c] = min(first + c, written - 1) * w_written;
#pragma unroll
    for (int e = 0; e < EACH; ++e) sums[c][e] = 0;
  }
  for (int channel = 0; channel < read; ++channel) {
#pragma unroll 1
    for (int j = 0; j < KW; ++j) {
      const int left = column * SW - PW + j * DW, at = nearest(left, width);
      float values[ROWS_READ];
#pragma unroll
      for (int r = 0; r < ROWS_READ; ++r) {
        const int h = top * SH - PH + r, row = nearest(h, height);
        const float element = GET(x, row * width + at);
        values[r] = ((row == h) & (at == left)) ? element : 0.0f;
      }
#pragma unroll
      for (int c = 0; c < CHANNELS; ++c) {
#pragma unroll
        for (int i = 0; i < KH; ++i) {
          const float weight = GET(w, line[c] + (i * KW + j) * tap_step);
#pragma unroll
          for (int e = 0; e < EACH; ++e) sums[c][e] += weight * values[e * SH + i * DH];
        }
      }
    }
    x += height * width;
    w += w_read;
  }
#pragma unroll
  for (int c = 0; c < CHANNELS; ++c) {
    const int output = group * written + min(first + c, written - 1);
    const float addition = epilogue & BIAS_PER_ROW ? bias[output] : 0.0f;
    const int start = ((set * written + first + c) * out_height + top) * out_width + column;
#pragma unroll
    for (int e = 0; e < EACH; ++e) {
      if (first + c < written && top + e < out_height) {
        finish(sums[c][e] + addition, addend, mask, y, start + e * out_width, epilogue);
      }
    }
  }
}
