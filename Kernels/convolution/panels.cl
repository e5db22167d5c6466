#include "../common/common.cl"

// The gradient of a convolution's weight where cores are wide. Vectors run over output channels: the
// output gradient is first copied so that the channels of a position are neighbours, the input into
// planes with their border of zeros.

// Channels of a block.
#ifndef VECTORS
#define VECTORS 2
#endif
#define WIDTH (VECTORS * V)
// Elements of the weight's inner axes, (input channel, row, column), that a work-item sums.
#ifndef TERMS
#define TERMS 8
#endif
#ifndef KH
#define KH 3
#define KW 3
#define SH 1
#define SW 1
#define DH 1
#define DW 1
#endif

// dy [samples, groups · channels, plane] -> [groups, blocks, samples, plane, WIDTH]; lanes that fill
// up a block are zero. A work-item copies a run of `run` positions of a block.
__kernel void channel_panels(IN_ANY(x), OUT(y), const int samples, const int groups,
                             const int channels, const int plane, const int run) {
  BIND_ANY(x);
  BIND_OUT(y);
  const int blocks = (channels + WIDTH - 1) / WIDTH, runs = (plane + run - 1) / run;
  const int item = get_global_id(0);
  if (item >= runs * samples * blocks * groups) return;
  const int first = item % runs * run, end = min(plane, first + run);
  const int n = item / runs % samples, block = item / (runs * samples) % blocks;
  const int group = item / (runs * samples * blocks);
  y += ((group * blocks + block) * samples + n) * plane * WIDTH;
  for (int lane = 0; lane < WIDTH; ++lane) {
    const int channel = block * WIDTH + lane;
    if (channel < channels) {
      __global const INPUT *source = x + ((n * groups + group) * channels + channel) * plane;
      for (int p = first; p < end; ++p) y[p * WIDTH + lane] = GET(source, p);
    } else {
      for (int p = first; p < end; ++p) y[p * WIDTH + lane] = 0;
    }
  }
}

// Planes x [samples, groups · in, plane] of rows of `pitch`, panels of dy -> dw [groups · out, terms],
// or what is added to it with ACCUMULATE. A work-item sums TERMS terms of a block of outputs.
__kernel void panels_backward_weight(IN_ANY(x), IN(dy), OUT(dw), const int samples,
                                     const int groups, const int in, const int out, const int plane,
                                     const int pitch, const int out_height, const int out_width) {
  BIND_ANY(x);
  BIND(dy);
  BIND_OUT(dw);
  const int terms = in * KH * KW, runs = (terms + TERMS - 1) / TERMS;
  const int blocks = (out + WIDTH - 1) / WIDTH;
  const int item = get_global_id(0);
  if (item >= groups * blocks * runs) return;
  const int first = item % runs * TERMS, block = item / runs % blocks;
  const int group = item / (runs * blocks);

  // Terms beyond the last repeat it, and are not stored.
  int distance[TERMS];
#pragma unroll
  for (int t = 0; t < TERMS; ++t) {
    const int term = min(first + t, terms - 1);
    distance[t] = term / (KH * KW) * plane + term / KW % KH * DH * pitch + term % KW * DW;
  }
  VECTOR sum[TERMS][VECTORS];
#pragma unroll
  for (int t = 0; t < TERMS; ++t) {
#pragma unroll
    for (int v = 0; v < VECTORS; ++v) sum[t][v] = 0;
  }
  dy += (group * blocks + block) * samples * out_height * out_width * WIDTH;
  for (int n = 0; n < samples; ++n) {
    for (int oh = 0; oh < out_height; ++oh) {
      __global const INPUT *row = x + (n * groups + group) * in * plane + oh * SH * pitch;
      __global const INPUT *element[TERMS];
#pragma unroll
      for (int t = 0; t < TERMS; ++t) element[t] = row + distance[t];
      for (int ow = 0; ow < out_width; ++ow) {
        VECTOR value[VECTORS];
#pragma unroll
        for (int v = 0; v < VECTORS; ++v) value[v] = LOAD(dy + v * V);
        dy += WIDTH;
#pragma unroll
        for (int t = 0; t < TERMS; ++t) {
          const float factor = GET(element[t], ow * SW);
#pragma unroll
          for (int v = 0; v < VECTORS; ++v) sum[t][v] += factor * value[v];
        }
      }
    }
  }
  VECTOR result[TERMS][VECTORS];
#pragma unroll
  for (int t = 0; t < TERMS; ++t) {
#pragma unroll
    for (int v = 0; v < VECTORS; ++v) result[t][v] = sum[t][v];
  }
  const int count = min(TERMS, terms - first);
  EACH_RESULT
  for (int v = 0; v < VECTORS; ++v) {
    const int channel = block * WIDTH + v * V, present = min(V, out - channel);
    __global float *target = dw + (group * out + channel) * terms + first;
    EACH_RESULT
    for (int t = 0; t < TERMS; ++t) {
      float lanes[V];
      STORE(result[t][v], lanes);
      for (int lane = 0; lane < (t < count ? present : 0); ++lane) {
#ifdef ACCUMULATE
        target[lane * terms + t] += lanes[lane];
#else
        target[lane * terms + t] = lanes[lane];
#endif
      }
    }
  }
}
