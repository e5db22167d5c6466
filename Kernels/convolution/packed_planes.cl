#include "../common/common.cl"

// The stride of the convolution.
#ifndef SH
#define SH 1
#define SW 1
#endif

// Planes [count, height, width] become [count, phases_h, phases_w, rows, pitch], `slack` zeros
// behind them. A work-item writes a row.
__kernel void pack_planes(IN_ANY(x), OUT_ANY(y), const int count, const int height, const int width,
                          const int top, const int left, const int phases_h, const int phases_w,
                          const int rows, const int pitch, const int slack) {
  BIND_ANY(x);
  BIND_ANY_OUT(y);
  const int item = get_global_id(0);
  const int total = count * phases_h * phases_w * rows;
  if (item > total) return;
  __global OUTPUT *target = y + item * pitch;
  if (item == total) {
    for (int i = 0; i < slack; ++i) PUT(0.0f, target, i);
    return;
  }
  const int row = item % rows, phase = item / rows % (phases_h * phases_w);
  const int h = row * SH + phase / phases_w - top;
  // Column q holds source column q·SW + shift.
  const int shift = phase % phases_w - left;
  if (h < 0 || h >= height) {
    for (int q = 0; q < pitch; ++q) PUT(0.0f, target, q);
    return;
  }
  __global const INPUT *source = x + (item / (rows * phases_h * phases_w) * height + h) * width;
  const int first = min(pitch, max(0, (-shift + SW - 1) / SW));
  const int end = min(pitch, (width - shift + SW - 1) / SW);
  int q = 0;
  for (; q < first; ++q) PUT(0.0f, target, q);
#if SW == 1
  for (; q + V <= end; q += V) WRITE(READ(source + q + shift), target + q);
#endif
  for (; q < end; ++q) PUT(GET(source, q * SW + shift), target, q);
  for (; q < pitch; ++q) PUT(0.0f, target, q);
}

// Planes [count, rows, pitch] become [count, height, width]: element (i, j) goes to (i·SH, j·SW), and
// what lies between becomes zero. A work-item writes a row.
__kernel void spread_planes(IN_ANY(x), OUT_ANY(y), const int count, const int height,
                            const int width, const int rows, const int pitch) {
  BIND_ANY(x);
  BIND_ANY_OUT(y);
  const int item = get_global_id(0);
  if (item >= count * height) return;
  const int h = item % height;
  __global OUTPUT *target = y + item * width;
  for (int w = 0; w < width; ++w) PUT(0.0f, target, w);
  if (h % SH != 0 || h / SH >= rows) return;
  __global const INPUT *source = x + (item / height * rows + h / SH) * pitch;
  for (int q = 0; q < pitch; ++q) PUT(GET(source, q), target, q * SW);
}
