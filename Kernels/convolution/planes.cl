#include "taps.cl"

// Convolution on devices whose cores have wide vectors.
//
// The input is first copied into planes that make every vector load contiguous: padded by zeros, and
// for a stride taken apart into phases, phase (i, j) holding the rows i, i + stride, … and columns
// j, j + stride, … Then output (oh, ow) reads, for a tap of the kernel, phase element
// (oh, ow) + a distance that is the same for all outputs.
//
// The gradient of the input is the same computation: every phase of the input is a convolution of
// the padded output gradient with those taps that reach it, turned by half a circle.

// Accumulators of a work-item: channels × vectors.
#ifndef CHANNELS
#define CHANNELS 4
#define VECTORS 2
#endif
// A vector holds V/SPAN rows of SPAN outputs each.
#ifndef SPAN
#define SPAN V
#endif

// Weights in the order in which conv2d_planes reads them: [G, blocks, in, taps, CHANNELS], zero
// where a block has no channel. Tap (i, j) is w[…, first_h + i·step_h, first_w + j·step_w]. A
// work-item writes the taps of a block for one input channel.
__kernel void pack_weights(IN_ANY(w), OUT(y), const int groups, const int in, const int out,
                           const int group_stride, const int in_stride, const int out_stride,
                           const int row, const int first_h, const int step_h, const int first_w,
                           const int step_w) {
  BIND_ANY(w);
  BIND_OUT(y);
  const int item = get_global_id(0);
  const int blocks = (out + CHANNELS - 1) / CHANNELS;
  if (item >= groups * blocks * in) return;
  const int channel = item % in, block = item / in % blocks, group = item / (in * blocks);
  w += group * group_stride + channel * in_stride + block * CHANNELS * out_stride;
  y += item * (KH * KW * CHANNELS);
  const int present = min(CHANNELS, out - block * CHANNELS);
  for (int i = 0; i < KH; ++i) {
    for (int j = 0; j < KW; ++j) {
      const int tap = (first_h + i * step_h) * row + first_w + j * step_w;
      for (int c = 0; c < CHANNELS; ++c) y[c] = c < present ? GET(w, c * out_stride + tap) : 0.0f;
      y += CHANNELS;
    }
  }
}

// The outputs of SPAN columns of V/SPAN rows.
static inline VECTOR load_rows(__global const float *p, int pitch) {
#if SPAN == V
  return LOAD(p);
#elif SPAN * 2 == V
  VECTOR value;
  value.lo = CONCAT(vload, SPAN)(0, p);
  value.hi = CONCAT(vload, SPAN)(0, p + pitch);
  return value;
#else
  VECTOR value;
  value.lo.lo = CONCAT(vload, SPAN)(0, p);
  value.lo.hi = CONCAT(vload, SPAN)(0, p + pitch);
  value.hi.lo = CONCAT(vload, SPAN)(0, p + 2 * pitch);
  value.hi.hi = CONCAT(vload, SPAN)(0, p + 3 * pitch);
  return value;
#endif
}

// Packed input [N, G·in, plane], packed weights -> y [N, G·out, …]: output (i, j) of a channel goes
// to start + i·y_row + j·y_column of its plane of y_plane elements. `begin` is where the first
// output's first tap reads.
__kernel void conv2d_planes(IN(x), IN(w), IN(bias), OUT_ANY(y), const int batch, const int groups,
                            const int in, const int out, const int plane, const int phase,
                            const int pitch, const int begin, const int rows, const int columns,
                            const int y_plane, const int start, const int y_row,
                            const int y_column, const int has_bias) {
  BIND(x);
  BIND(w);
  BIND(bias);
  BIND_ANY_OUT(y);
  const int across = (columns + SPAN - 1) / SPAN, down = (rows + V / SPAN - 1) / (V / SPAN);
  const int runs = (across * down + VECTORS - 1) / VECTORS;
  const int blocks = (out + CHANNELS - 1) / CHANNELS;
  const int item = get_global_id(0);
  if (item >= batch * groups * blocks * runs) return;
  const int first = item % runs * VECTORS, block = item / runs % blocks;
  const int group = item / (runs * blocks) % groups, n = item / (runs * blocks * groups);

  __global const float *input[VECTORS];
#pragma unroll
  for (int v = 0; v < VECTORS; ++v) {
    // Beyond the end the last vector is computed again.
    const int vector = min(first + v, across * down - 1);
    input[v] = x + (n * groups + group) * in * plane + begin +
               vector / across * (V / SPAN) * pitch + vector % across * SPAN;
  }
  w += (group * blocks + block) * in * (KH * KW * CHANNELS);
  VECTOR sum[CHANNELS][VECTORS];
#pragma unroll
  for (int c = 0; c < CHANNELS; ++c) {
#pragma unroll
    for (int v = 0; v < VECTORS; ++v) sum[c][v] = 0;
  }
  for (int channel = 0; channel < in; ++channel) {
    for (int i = 0; i < KH; ++i) {
#pragma unroll
      for (int j = 0; j < KW; ++j) {
        VECTOR value[VECTORS];
#pragma unroll
        for (int v = 0; v < VECTORS; ++v) value[v] = load_rows(input[v] + DISTANCE(i, j), pitch);
#pragma unroll
        for (int c = 0; c < CHANNELS; ++c) {
          const float weight = w[c];
#pragma unroll
          for (int v = 0; v < VECTORS; ++v) sum[c][v] += weight * value[v];
        }
        w += CHANNELS;
      }
    }
#pragma unroll
    for (int v = 0; v < VECTORS; ++v) input[v] += plane;
  }

  VECTOR result[CHANNELS][VECTORS];
#pragma unroll
  for (int c = 0; c < CHANNELS; ++c) {
#pragma unroll
    for (int v = 0; v < VECTORS; ++v) result[c][v] = sum[c][v];
  }
  const int vectors = across * down - first;
  EACH_RESULT
  for (int v = 0; v < VECTORS; ++v) {
    const int top = (first + v) / across * (V / SPAN), left = (first + v) % across * SPAN;
    const int width = min(SPAN, columns - left), height = min(V / SPAN, rows - top);
    EACH_RESULT
    for (int c = 0; c < CHANNELS; ++c) {
      const int channel = block * CHANNELS + c;
      const bool is_there = v < vectors && channel < out;
      const VECTOR value = result[c][v] + (is_there && has_bias ? bias[group * out + channel] : 0.0f);
      __global OUTPUT *target = y + ((n * groups + group) * out + channel) * y_plane + start +
                               top * y_row + left * y_column;
      if (is_there && width == V && y_column == 1) {
        WRITE(value, target);
      } else if (is_there) {
        float lanes[V];
        STORE(value, lanes);
        for (int i = 0; i < height; ++i) {
          for (int j = 0; j < width; ++j) PUT(lanes[i * SPAN + j], target, i * y_row + j * y_column);
        }
      }
    }
  }
}
