#include "../common/common.cl"

// The copies of convolution/im2col.cl and convolution/packed_planes.cl on devices of many threads: a
// work-item for every element that is written, neighbours beside each other.
#ifndef KH
#define KH 3
#define KW 3
#define PH 1
#define PW 1
#define DH 1
#define DW 1
#endif
#ifndef SH
#define SH 1
#define SW 1
#endif

// x [C, H, W] becomes y [C·KH·KW, OH·OW].
__kernel void im2col_elements(IN_ANY(x), OUT_ANY(y), const int n, DIVISOR(out_width),
                              DIVISOR(out_height), const int height, const int width) {
  BIND_ANY(x);
  BIND_ANY_OUT(y);
  const int i = get_global_id(0);
  if (i >= n) return;
  const int row = divided(i, out_width), ow = i - row * out_width.s0;
  const int tap = divided(row, out_height), oh = row - tap * out_height.s0;
  const int channel = tap / (KH * KW);
  const int h = oh * SH + tap / KW % KH * DH - PH, w = ow * SW + tap % KW * DW - PW;
  const bool is_inside = h >= 0 && h < height && w >= 0 && w < width;
  PUT(is_inside ? GET(x, (channel * height + h) * width + w) : 0.0f, y, i);
}

// Columns x [C·KH·KW, OH·OW] become y [C, H, W]: each element the sum of all places it was copied to.
__kernel void col2im_elements(IN_ANY(x), OUT_ANY(y), const int n, DIVISOR(width), DIVISOR(height),
                              const int out_height, const int out_width) {
  BIND_ANY(x);
  BIND_ANY_OUT(y);
  const int item = get_global_id(0);
  if (item >= n) return;
  const int row = divided(item, width), w = item - row * width.s0;
  const int channel = divided(row, height), h = row - channel * height.s0;
  float sum = 0;
  for (int i = 0; i < KH; ++i) {
    const int down = h + PH - i * DH;
    if (down < 0 || down % SH != 0 || down / SH >= out_height) continue;
    for (int j = 0; j < KW; ++j) {
      const int right = w + PW - j * DW;
      if (right < 0 || right % SW != 0 || right / SW >= out_width) continue;
      sum += GET(x, (((channel * KH + i) * KW + j) * out_height + down / SH) * out_width + right / SW);
    }
  }
  PUT(sum, y, item);
}

// Planes [count, height, width] become [count, phases_h, phases_w, rows, pitch], zeros up to n behind
// them.
__kernel void pack_plane_elements(IN_ANY(x), OUT_ANY(y), const int n, const int height,
                                  const int width, const int top, const int left, DIVISOR(phases_h),
                                  DIVISOR(phases_w), DIVISOR(rows), DIVISOR(pitch),
                                  const int count) {
  BIND_ANY(x);
  BIND_ANY_OUT(y);
  const int i = get_global_id(0);
  if (i >= n) return;
  const int line = divided(i, pitch), q = i - line * pitch.s0;
  const int phase = divided(line, rows), row = line - phase * rows.s0;
  const int across = divided(phase, phases_w), plane = divided(across, phases_h);
  const int h = row * SH + across - plane * phases_h.s0 - top;
  const int w = q * SW + phase - across * phases_w.s0 - left;
  const bool is_inside = plane < count && h >= 0 && h < height && w >= 0 && w < width;
  PUT(is_inside ? GET(x, (plane * height + h) * width + w) : 0.0f, y, i);
}

// Planes [count, rows, pitch] become [count, height, width]: element (i, j) goes to (i·SH, j·SW), and
// what lies between becomes zero.
__kernel void spread_plane_elements(IN_ANY(x), OUT_ANY(y), const int n, DIVISOR(height),
                                    DIVISOR(width), const int rows, const int pitch) {
  BIND_ANY(x);
  BIND_ANY_OUT(y);
  const int i = get_global_id(0);
  if (i >= n) return;
  const int line = divided(i, width), w = i - line * width.s0;
  const int plane = divided(line, height), h = line - plane * height.s0;
  const bool is_element = h % SH == 0 && w % SW == 0 && h / SH < rows && w / SW < pitch;
  PUT(is_element ? GET(x, (plane * rows + h / SH) * pitch + w / SW) : 0.0f, y, i);
}
