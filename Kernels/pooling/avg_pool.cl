// a = (planes, H, W, OH, OW), b = (KH, KW, stride, padding: vertical, horizontal)
#define H a.s1
#define W a.s2
#define OH a.s3
#define OW a.s4
#define KH b.s0
#define KW b.s1
#define SH b.s2
#define SW b.s3
#define PH b.s4
#define PW b.s5

// The number of elements that a window's mean divides by: those inside the input, or with
// counts_padding also those of the padding, but not beyond it.
inline int divisor(int oh, int ow, int8 a, int8 b, int counts_padding) {
  const int top = oh * SH - PH, left = ow * SW - PW;
  if (counts_padding) {
    return (min(top + KH, H + PH) - top) * (min(left + KW, W + PW) - left);
  }
  return (min(top + KH, H) - max(top, 0)) * (min(left + KW, W) - max(left, 0));
}

__kernel void avg_pool2d(IN(x), OUT(y), const int8 a, const int8 b, const int counts_padding) {
  BIND(x);
  BIND_OUT(y);
  const int i = get_global_id(0);
  if (i >= a.s0 * OH * OW) return;
  const int ow = i % OW, oh = i / OW % OH;
  __global const float *plane = x + i / (OW * OH) * H * W;
  float sum = 0;
  for (int h = max(0, oh * SH - PH); h < min(H, oh * SH - PH + KH); ++h) {
    for (int w = max(0, ow * SW - PW); w < min(W, ow * SW - PW + KW); ++w) sum += plane[h * W + w];
  }
  y[i] = sum / divisor(oh, ow, a, b, counts_padding);
}

__kernel void avg_pool2d_backward(IN(dy), OUT(dx), const int8 a, const int8 b,
                                  const int counts_padding) {
  BIND(dy);
  BIND_OUT(dx);
  const int i = get_global_id(0);
  if (i >= a.s0 * H * W) return;
  const int w = i % W, h = i / W % H;
  __global const float *plane = dy + i / (W * H) * OH * OW;
  const int first_h = max(0, (h + PH - KH + SH) / SH), last_h = min(OH - 1, (h + PH) / SH);
  const int first_w = max(0, (w + PW - KW + SW) / SW), last_w = min(OW - 1, (w + PW) / SW);
  float sum = 0;
  for (int oh = first_h; oh <= last_h; ++oh) {
    for (int ow = first_w; ow <= last_w; ++ow) {
      if (oh * SH - PH + KH <= h || ow * SW - PW + KW <= w) continue;
      sum += plane[oh * OW + ow] / divisor(oh, ow, a, b, counts_padding);
    }
  }
  dx[i] = sum;
}

// Windows that divide the input evenly: output i covers floor(i*in/out) to ceil((i+1)*in/out).
inline int window_start(int i, int in, int out) { return i * in / out; }
inline int window_end(int i, int in, int out) { return ((i + 1) * in + out - 1) / out; }

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

__kernel void adaptive_avg_pool2d_backward(IN(dy), OUT(dx), const int8 a) {
  BIND(dy);
  BIND_OUT(dx);
  const int i = get_global_id(0);
  if (i >= a.s0 * H * W) return;
  const int w = i % W, h = i / W % H;
  __global const float *plane = dy + i / (W * H) * OH * OW;
  float sum = 0;
  for (int oh = h * OH / H; oh < OH && window_start(oh, H, OH) <= h; ++oh) {
    for (int ow = w * OW / W; ow < OW && window_start(ow, W, OW) <= w; ++ow) {
      const int bottom = window_end(oh, H, OH), right = window_end(ow, W, OW);
      if (bottom <= h || right <= w) continue;
      sum += plane[oh * OW + ow] /
             ((bottom - window_start(oh, H, OH)) * (right - window_start(ow, W, OW)));
    }
  }
  dx[i] = sum;
}
