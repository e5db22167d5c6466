#include "../common/common.cl"

// Resampling of planes: a = (planes, H, W, OH, OW). MODE 0: nearest, 1: bilinear with pixel centres
// at halves, 2: bilinear with aligned corners.
#ifndef MODE
#define MODE 0
#endif
#define H a.s1
#define W a.s2
#define OH a.s3
#define OW a.s4

// Where output i reads: two neighbouring elements and the weight of the second.
static inline float sample_place(int i, int in, int out, int *first, int *second) {
#if MODE == 0
  *first = *second = min((int)(i * ((float)in / out)), in - 1);
  return 0;
#else
#if MODE == 1
  const float place = fmax((i + 0.5f) * ((float)in / out) - 0.5f, 0.0f);
#else
  const float place = out > 1 ? i * ((float)(in - 1) / (out - 1)) : 0.0f;
#endif
  *first = min((int)place, in - 1);
  *second = min(*first + 1, in - 1);
  return place - *first;
#endif
}

__kernel void interpolate(IN(x), OUT(y), const int8 a) {
  BIND(x);
  BIND_OUT(y);
  const int i = get_global_id(0);
  if (i >= a.s0 * OH * OW) return;
  __global const float *plane = x + i / (OW * OH) * H * W;
  int h0, h1, w0, w1;
  const float v = sample_place(i / OW % OH, H, OH, &h0, &h1);
  const float u = sample_place(i % OW, W, OW, &w0, &w1);
  y[i] = (1 - v) * ((1 - u) * plane[h0 * W + w0] + u * plane[h0 * W + w1]) +
         v * ((1 - u) * plane[h1 * W + w0] + u * plane[h1 * W + w1]);
}

// Every input element looks through the outputs for those that read it.
__kernel void interpolate_backward(IN(dy), OUT(dx), const int8 a) {
  BIND(dy);
  BIND_OUT(dx);
  const int i = get_global_id(0);
  if (i >= a.s0 * H * W) return;
  const int w = i % W, h = i / W % H;
  __global const float *plane = dy + i / (W * H) * OH * OW;
  float sum = 0;
  for (int oh = 0; oh < OH; ++oh) {
    int h0, h1;
    const float v = sample_place(oh, H, OH, &h0, &h1);
    const float row = (h0 == h ? 1 - v : 0.0f) + (h1 == h ? v : 0.0f);
    if (row == 0) continue;
    for (int ow = 0; ow < OW; ++ow) {
      int w0, w1;
      const float u = sample_place(ow, W, OW, &w0, &w1);
      sum += row * ((w0 == w ? 1 - u : 0.0f) + (w1 == w ? u : 0.0f)) * plane[oh * OW + ow];
    }
  }
  dx[i] = sum;
}
