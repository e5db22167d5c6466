#include "../common/common.cl"

// The windows of one sample as columns of a matrix, and the way back.
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

// x [C, H, W] becomes y [C·KH·KW, OH·OW]. A work-item writes a row of outputs for one tap.
__kernel void im2col(IN(x), OUT(y), const int channels, const int height, const int width,
                     const int out_height, const int out_width) {
  BIND(x);
  BIND_OUT(y);
  const int item = get_global_id(0);
  if (item >= channels * KH * KW * out_height) return;
  const int oh = item % out_height, tap = item / out_height;
  const int channel = tap / (KH * KW), h = oh * SH + tap / KW % KH * DH - PH;
  const int left = tap % KW * DW - PW;
  __global float *target = y + item * out_width;
  if (h < 0 || h >= height) {
    for (int ow = 0; ow < out_width; ++ow) target[ow] = 0;
    return;
  }
  __global const float *source = x + (channel * height + h) * width;
  for (int ow = 0; ow < out_width; ++ow) {
    const int w = ow * SW + left;
    target[ow] = w >= 0 && w < width ? source[w] : 0.0f;
  }
}

// Columns x [C·KH·KW, OH·OW] become y [C, H, W]: each element the sum of all places it was copied to.
// A work-item writes a row.
__kernel void col2im(IN(x), OUT(y), const int channels, const int height, const int width,
                     const int out_height, const int out_width) {
  BIND(x);
  BIND_OUT(y);
  const int item = get_global_id(0);
  if (item >= channels * height) return;
  const int h = item % height, channel = item / height;
  __global float *target = y + item * width;
  for (int w = 0; w < width; ++w) target[w] = 0;
  for (int i = 0; i < KH; ++i) {
    const int down = h + PH - i * DH;
    if (down < 0 || down % SH != 0 || down / SH >= out_height) continue;
    for (int j = 0; j < KW; ++j) {
      __global const float *source =
          x + (((channel * KH + i) * KW + j) * out_height + down / SH) * out_width;
      // Output column ow is where input column ow·SW + left went.
      const int left = j * DW - PW;
      const int first = max(0, (-left + SW - 1) / SW);
      const int end = left >= width ? 0 : min(out_width, (width - left + SW - 1) / SW);
      for (int ow = first; ow < end; ++ow) target[ow * SW + left] += source[ow];
    }
  }
}
