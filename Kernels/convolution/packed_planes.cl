#include "../common/common.cl"

// The stride of the convolution.
#ifndef SH
#define SH 1
#define SW 1
#endif

// Planes [count, height, width] become [count, phases_h, phases_w, rows, pitch], `slack` zeros
// behind them. A work-item writes a row.
__kernel void pack_planes(IN(x), OUT(y), const int count, const int height, const int width,
                          const int top, const int left, const int phases_h, const int phases_w,
                          const int rows, const int pitch, const int slack) {
  BIND(x);
  BIND_OUT(y);
  const int item = get_global_id(0);
  const int total = count * phases_h * phases_w * rows;
  if (item > total) return;
  __global float *target = y + item * pitch;
  if (item == total) {
    for (int i = 0; i < slack; ++i) target[i] = 0;
    return;
  }
  const int row = item % rows, phase = item / rows % (phases_h * phases_w);
  const int h = row * SH + phase / phases_w - top;
  // Column q holds source column q·SW + shift.
  const int shift = phase % phases_w - left;
  if (h < 0 || h >= height) {
    for (int q = 0; q < pitch; ++q) target[q] = 0;
    return;
  }
  __global const float *source = x + (item / (rows * phases_h * phases_w) * height + h) * width;
  const int first = min(pitch, max(0, (-shift + SW - 1) / SW));
  const int end = min(pitch, (width - shift + SW - 1) / SW);
  int q = 0;
  for (; q < first; ++q) target[q] = 0;
#if SW == 1
  for (; q + V <= end; q += V) STORE(LOAD(source + q + shift), target + q);
#endif
  for (; q < end; ++q) target[q] = source[q * SW + shift];
  for (; q < pitch; ++q) target[q] = 0;
}

// Planes [count, rows, pitch] become [count, height, width]: element (i, j) goes to (i·SH, j·SW), and
// what lies between becomes zero. A work-item writes a row.
__kernel void spread_planes(IN(x), OUT(y), const int count, const int height, const int width,
                            const int rows, const int pitch) {
  BIND(x);
  BIND_OUT(y);
  const int item = get_global_id(0);
  if (item >= count * height) return;
  const int h = item % height;
  __global float *target = y + item * width;
  for (int w = 0; w < width; ++w) target[w] = 0;
  if (h % SH != 0 || h / SH >= rows) return;
  __global const float *source = x + (item / height * rows + h / SH) * pitch;
  for (int q = 0; q < pitch; ++q) target[q * SW] = source[q];
}
