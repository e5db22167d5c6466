#include "../common/common.cl"

// Windows that divide the input evenly: output i covers floor(i·in/out) to ceil((i + 1)·in/out).
// a = (planes, H, W, OH, OW).
#define H a.s1
#define W a.s2
#define OH a.s3
#define OW a.s4

static inline int window_start(int i, int in, int out) { return i * in / out; }
static inline int window_end(int i, int in, int out) { return ((i + 1) * in + out - 1) / out; }

__kernel void adaptive_avg_pool2d(IN(x), OUT(y), const int8 a) {
  BIND(x);
  BIND_OUT(y);
  const int i = get_global_id(0);
  if (i >= a.s0 * OH * OW) return;
  const int ow = i % OW, oh = i / OW % OH;
  __global const float *plane = x + i / (OW * OH) * H * W;
  const int top = window_start(oh, H, OH), bottom = window_end(oh, H, OH);
  const int left = window_start(ow, W, OW), right = window_end(ow, W, OW);
  float sum = 0;
  for (int h = top; h < bottom; ++h) {
    for (int w = left; w < right; ++w) sum += plane[h * W + w];
  }
  y[i] = sum / ((bottom - top) * (right - left));
}

// A work-item writes a row.
__kernel void adaptive_avg_pool2d_backward(IN(dy), OUT(dx), const int8 a) {
  BIND(dy);
  BIND_OUT(dx);
  const int row = get_global_id(0);
  if (row >= a.s0 * H) return;
  const int h = row % H;
  __global const float *plane = dy + row / H * OH * OW;
  dx += row * W;
  float sum = 0;
  for (int w = 0; w < W; ++w) {
    // With one window across, every element of the row gets the same.
    if (w == 0 || OW > 1) {
      sum = 0;
      for (int oh = h * OH / H; oh < OH && window_start(oh, H, OH) <= h; ++oh) {
        for (int ow = w * OW / W; ow < OW && window_start(ow, W, OW) <= w; ++ow) {
          const int bottom = window_end(oh, H, OH), right = window_end(ow, W, OW);
          if (bottom <= h || right <= w) continue;
          sum += plane[oh * OW + ow] /
                 ((bottom - window_start(oh, H, OH)) * (right - window_start(ow, W, OW)));
        }
      }
    }
    dx[w] = sum;
  }
}
