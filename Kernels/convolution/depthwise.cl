#include "../common/common.cl"

// Convolution with a group for each channel: output channel c·multiplier + m reads channel c alone.
// Vectors run along a row of results.
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

// The elements first, first + step, … of a row, one for each lane; those outside 0 ..< width are 0.
static inline VECTOR load_row(__global const INPUT *row, int first, int step, int width) {
#if V > 1
  if (step == 1 && first >= 0 && first + V <= width) return READ(row + first);
#endif
  float lanes[V];
  for (int lane = 0; lane < V; ++lane) {
    const int at = first + lane * step;
    lanes[lane] = at >= 0 && at < width ? GET(row, at) : 0.0f;
  }
  return LOAD(lanes);
}

static inline void store_row(VECTOR value, __global OUTPUT *row, int first, int width) {
  if (first + V <= width) WRITE(value, row + first);
  else write_part(value, row + first, 0, width - first);
}

#define SIZES                                                                             \
  const int batch, const int channels, const int multiplier, const int height, const int width, \
      const int out_height, const int out_width

// A work-item computes V outputs.
__kernel void depthwise_forward(IN_ANY(x), IN_ANY(w), IN(bias), OUT_ANY(y), const int has_bias,
                                SIZES) {
  BIND_ANY(x);
  BIND_ANY(w);
  BIND(bias);
  BIND_ANY_OUT(y);
  const int across = (out_width + V - 1) / V;
  const int item = get_global_id(0);
  if (item >= batch * channels * multiplier * out_height * across) return;
  const int ow = item % across * V, row = item / across;
  const int oh = row % out_height, output = row / out_height % (channels * multiplier);
  const int n = row / (out_height * channels * multiplier);
  __global const INPUT *plane = x + (n * channels + output / multiplier) * height * width;
  w += output * (KH * KW);
  VECTOR sum = has_bias ? bias[output] : 0.0f;
  for (int i = 0; i < KH; ++i) {
    const int h = oh * SH + i * DH - PH;
    if (h < 0 || h >= height) continue;
#pragma unroll
    for (int j = 0; j < KW; ++j) {
      sum += GET(w, i * KW + j) * load_row(plane + h * width, ow * SW + j * DW - PW, SW, width);
    }
  }
  store_row(sum, y + row * out_width, ow, out_width);
}

// What a row of output gradients gives to V neighbouring inputs through tap j.
static inline VECTOR arriving(__global const INPUT *row, int w, int j, int out_width) {
  const int right = w + PW - j * DW;
#if SW == 1
  return load_row(row, right, 1, out_width);
#else
  float lanes[V];
  for (int lane = 0; lane < V; ++lane) {
    const int at = right + lane;
    lanes[lane] = at >= 0 && at % SW == 0 && at / SW < out_width ? GET(row, at / SW) : 0.0f;
  }
  return LOAD(lanes);
#endif
}

// A work-item computes the gradients of V inputs.
__kernel void depthwise_backward_input(IN_ANY(dy), IN_ANY(w), OUT_ANY(dx), SIZES) {
  BIND_ANY(dy);
  BIND_ANY(w);
  BIND_ANY_OUT(dx);
  const int across = (width + V - 1) / V;
  const int item = get_global_id(0);
  if (item >= batch * channels * height * across) return;
  const int column = item % across * V, row = item / across;
  const int h = row % height, channel = row / height % channels, n = row / (height * channels);
  VECTOR sum = 0.0f;
  for (int m = 0; m < multiplier; ++m) {
    const int output = channel * multiplier + m;
    __global const INPUT *plane =
        dy + (n * channels * multiplier + output) * out_height * out_width;
    for (int i = 0; i < KH; ++i) {
      const int down = h + PH - i * DH;
      if (down < 0 || down % SH != 0 || down / SH >= out_height) continue;
#pragma unroll
      for (int j = 0; j < KW; ++j) {
        sum += GET(w, (output * KH + i) * KW + j) *
               arriving(plane + down / SH * out_width, column, j, out_width);
      }
    }
  }
  store_row(sum, dx + row * width, column, width);
}

// A work-item sums a tap's gradient over part of the rows of the output gradient: dw [parts, O, KH, KW].
__kernel void depthwise_backward_weight(IN_ANY(x), IN_ANY(dy), OUT(dw), const int parts, SIZES) {
  BIND_ANY(x);
  BIND_ANY(dy);
  BIND_OUT(dw);
  const int outputs = channels * multiplier;
  const int item = get_global_id(0);
  if (item >= parts * outputs * KH * KW) return;
  const int j = item % KW, i = item / KW % KH, output = item / (KW * KH) % outputs;
  const int rows = batch * out_height, share = (rows + parts - 1) / parts;
  const int first = item / (KW * KH * outputs) * share, end = min(rows, first + share);
  VECTOR sums = 0.0f;
  for (int row = first; row < end; ++row) {
    const int n = row / out_height, oh = row % out_height, h = oh * SH + i * DH - PH;
    if (h < 0 || h >= height) continue;
    __global const INPUT *source =
        x + ((n * channels + output / multiplier) * height + h) * width;
    __global const INPUT *gradient =
        dy + ((n * outputs + output) * out_height + oh) * out_width;
    for (int ow = 0; ow < out_width; ow += V) {
      sums += load_row(gradient, ow, 1, out_width) *
              load_row(source, ow * SW + j * DW - PW, SW, width);
    }
  }
  dw[item] = sum_lanes(sums);
}
