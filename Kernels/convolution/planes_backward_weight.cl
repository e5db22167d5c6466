#include "taps.cl"

// Accumulators of a work-item: channels × taps.
#ifndef CHANNELS
#define CHANNELS 4
#define TAPS 4
#endif

// Packed input [N, C, plane], output gradient [N, O, dy_plane] in rows of the same pitch with zeros
// between them -> [parts, O, C/G·KH·KW], each part the sum over its share of the batch. A work-item
// computes CHANNELS outputs' gradients at TAPS neighbouring places of the weight.
__kernel void conv2d_planes_backward_weight(IN(x), IN(dy), OUT(dw), const int batch,
                                            const int groups, const int in, const int out,
                                            const int plane, const int phase, const int pitch,
                                            const int positions, const int dy_plane,
                                            const int parts) {
  BIND(x);
  BIND(dy);
  BIND_OUT(dw);
  const int taps = in * KH * KW;
  const int runs = (taps + TAPS - 1) / TAPS, blocks = (out + CHANNELS - 1) / CHANNELS;
  const int item = get_global_id(0);
  if (item >= parts * groups * blocks * runs) return;
  const int first = item % runs * TAPS, block = item / runs % blocks;
  const int group = item / (runs * blocks) % groups, part = item / (runs * blocks * groups);

  __global const float *input[TAPS];
  __global const float *arriving[CHANNELS];
  const int share = (batch + parts - 1) / parts;
  const int begin = part * share, end = min(batch, begin + share);
#pragma unroll
  for (int t = 0; t < TAPS; ++t) {
    const int tap = min(first + t, taps - 1);
    const int channel = tap / (KH * KW), i = tap / KW % KH, j = tap % KW;
    input[t] = x + ((begin * groups + group) * in + channel) * plane + DISTANCE(i, j);
  }
#pragma unroll
  for (int c = 0; c < CHANNELS; ++c) {
    const int channel = min(block * CHANNELS + c, out - 1);
    arriving[c] = dy + ((begin * groups + group) * out + channel) * dy_plane;
  }
  VECTOR sum[CHANNELS][TAPS];
#pragma unroll
  for (int c = 0; c < CHANNELS; ++c) {
#pragma unroll
    for (int t = 0; t < TAPS; ++t) sum[c][t] = 0;
  }
  for (int n = begin; n < end; ++n) {
    for (int p = 0; p < positions; p += V) {
      VECTOR value[TAPS];
#pragma unroll
      for (int t = 0; t < TAPS; ++t) value[t] = LOAD(input[t] + p);
#pragma unroll
      for (int c = 0; c < CHANNELS; ++c) {
        const VECTOR gradient = LOAD(arriving[c] + p);
#pragma unroll
        for (int t = 0; t < TAPS; ++t) sum[c][t] += gradient * value[t];
      }
    }
#pragma unroll
    for (int t = 0; t < TAPS; ++t) input[t] += groups * in * plane;
#pragma unroll
    for (int c = 0; c < CHANNELS; ++c) arriving[c] += groups * out * dy_plane;
  }
  VECTOR result[CHANNELS][TAPS];
#pragma unroll
  for (int c = 0; c < CHANNELS; ++c) {
#pragma unroll
    for (int t = 0; t < TAPS; ++t) result[c][t] = sum[c][t];
  }
  EACH_RESULT
  for (int c = 0; c < CHANNELS; ++c) {
    const int channel = block * CHANNELS + c;
    EACH_RESULT
    for (int t = 0; t < TAPS; ++t) {
      const float total = sum_lanes(result[c][t]);
      if (channel < out && first + t < taps) {
        dw[((part * groups + group) * out + channel) * taps + first + t] = total;
      }
    }
  }
}
