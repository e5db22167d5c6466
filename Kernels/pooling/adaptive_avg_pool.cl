#include "../matmul/epilogue.cl"

// Windows that divide the input evenly: output i covers floor(i·in/out) to ceil((i + 1)·in/out).
// a = (planes, H, W, OH, OW).
#define H a.s1
#define W a.s2
#define OH a.s3
#define OW a.s4

static inline int window_start(int i, int in, uint4 out) { return divided(i * in, out); }
static inline int window_end(int i, int in, uint4 out) {
  return divided((i + 1) * in + (int)out.s0 - 1, out);
}

__kernel void adaptive_avg_pool2d(IN_ANY(x), OUT_ANY(y), const int8 a, DIVISOR(out_height),
                                  DIVISOR(out_width)) {
  BIND_ANY(x);
  BIND_ANY_OUT(y);
  const int i = get_global_id(0);
  if (i >= a.s0 * OH * OW) return;
  const int row = divided(i, out_width), ow = i - row * OW;
  const int channel = divided(row, out_height), oh = row - channel * OH;
  __global const INPUT *plane = x + channel * H * W;
  const int top = window_start(oh, H, out_height), bottom = window_end(oh, H, out_height);
  const int left = window_start(ow, W, out_width), right = window_end(ow, W, out_width);
  float sum = 0;
  for (int h = top; h < bottom; ++h) {
    for (int w = left; w < right; ++w) sum += GET(plane, h * W + w);
  }
  PUT(sum / ((bottom - top) * (right - left)), y, i);
}

// Every input element gathers from the windows that cover it, and has an epilogue.
__kernel void adaptive_avg_pool2d_backward(IN_ANY(dy), OUT_ANY(dx), const int8 a, DIVISOR(height),
                                           DIVISOR(width), DIVISOR(out_height),
                                           DIVISOR(out_width), LIKE_OUT(addend), LIKE_OUT(mask),
                                           const int epilogue) {
  BIND_ANY(dy);
  BIND_LIKE_OUT(addend);
  BIND_LIKE_OUT(mask);
  BIND_ANY_OUT(dx);
  const int i = get_global_id(0);
  if (i >= a.s0 * H * W) return;
  const int row = divided(i, width), w = i - row * W;
  const int channel = divided(row, height), h = row - channel * H;
  dy += channel * OH * OW;
  float sum = 0;
  for (int oh = divided(h * OH, height); oh < OH; ++oh) {
    const int top = window_start(oh, H, out_height), bottom = window_end(oh, H, out_height);
    if (top > h) break;
    if (bottom <= h) continue;
    for (int ow = divided(w * OW, width); ow < OW; ++ow) {
      const int left = window_start(ow, W, out_width), right = window_end(ow, W, out_width);
      if (left > w) break;
      if (right > w) sum += GET(dy, oh * OW + ow) / ((bottom - top) * (right - left));
    }
  }
  finish(sum, addend, mask, dx, i, epilogue);
}

// A work-item deals out what arrives for a plane, window by window: of float32, for what was added is read
// again.
__kernel void adaptive_avg_pool2d_backward_planes(IN(dy), OUT(dx), const int8 a,
                                                  DIVISOR(out_height), DIVISOR(out_width)) {
  BIND(dy);
  BIND_OUT(dx);
  const int plane = get_global_id(0);
  if (plane >= a.s0) return;
  dy += plane * OH * OW;
  dx += plane * H * W;
  int i = 0;
  for (; i + V <= H * W; i += V) STORE((VECTOR)(0.0f), dx + i);
  for (; i < H * W; ++i) dx[i] = 0;
  for (int oh = 0; oh < OH; ++oh) {
    const int top = window_start(oh, H, out_height), bottom = window_end(oh, H, out_height);
    for (int ow = 0; ow < OW; ++ow) {
      const int left = window_start(ow, W, out_width), right = window_end(ow, W, out_width);
      const float arriving = dy[oh * OW + ow] / ((bottom - top) * (right - left));
      // With one window across, its rows follow on each other.
      const int rows = OW == 1 ? 1 : bottom - top;
      const int length = OW == 1 ? (bottom - top) * W : right - left;
      for (int row = 0; row < rows; ++row) {
        __global float *p = dx + (top + row) * W + left;
        for (i = 0; i + V <= length; i += V) STORE(LOAD(p + i) + arriving, p + i);
        for (; i < length; ++i) p[i] += arriving;
      }
    }
  }
}
