// Convolution as its definition says, for any stride, dilation and number of groups. Geometry:
// input [N, C, H, W], weight [O, C/G, KH, KW], output [N, O, OH, OW].
//   a = (N, C, H, W, O, OH, OW, G), b = (KH, KW, stride, padding, dilation: vertical, horizontal)
#define GEOMETRY const int8 a, const int8 b
#define N a.s0
#define C a.s1
#define H a.s2
#define W a.s3
#define O a.s4
#define OH a.s5
#define OW a.s6
#define G a.s7
#define KH b.s0
#define KW b.s1
#define SH b.s2
#define SW b.s3
#define PH b.s4
#define PW b.s5
#define DH b.s6
#define DW b.s7

__kernel void conv2d_direct(IN(x), IN(w), IN(bias), OUT(y), GEOMETRY, const int has_bias) {
  BIND(x);
  BIND(w);
  BIND(bias);
  BIND_OUT(y);
  const int i = get_global_id(0);
  if (i >= N * O * OH * OW) return;
  const int ow = i % OW, oh = i / OW % OH, o = i / (OW * OH) % O, n = i / (OW * OH * O);
  const int channels = C / G, first = o / (O / G) * channels;
  float sum = has_bias ? bias[o] : 0.0f;
  for (int c = 0; c < channels; ++c) {
    for (int kh = 0; kh < KH; ++kh) {
      const int ih = oh * SH + kh * DH - PH;
      if (ih < 0 || ih >= H) continue;
      for (int kw = 0; kw < KW; ++kw) {
        const int iw = ow * SW + kw * DW - PW;
        if (iw < 0 || iw >= W) continue;
        sum += w[((o * channels + c) * KH + kh) * KW + kw] * x[((n * C + first + c) * H + ih) * W + iw];
      }
    }
  }
  y[i] = sum;
}

// Every input element gathers from the outputs that read it.
__kernel void conv2d_direct_backward_input(IN(dy), IN(w), OUT(dx), GEOMETRY) {
  BIND(dy);
  BIND(w);
  BIND_OUT(dx);
  const int i = get_global_id(0);
  if (i >= N * C * H * W) return;
  const int iw = i % W, ih = i / W % H, c = i / (W * H) % C, n = i / (W * H * C);
  const int channels = C / G, outputs = O / G, g = c / channels;
  float sum = 0;
  for (int kh = 0; kh < KH; ++kh) {
    const int above = ih + PH - kh * DH;
    if (above < 0 || above % SH != 0 || above / SH >= OH) continue;
    for (int kw = 0; kw < KW; ++kw) {
      const int left = iw + PW - kw * DW;
      if (left < 0 || left % SW != 0 || left / SW >= OW) continue;
      for (int j = 0; j < outputs; ++j) {
        const int o = g * outputs + j;
        sum += w[((o * channels + c % channels) * KH + kh) * KW + kw] *
               dy[((n * O + o) * OH + above / SH) * OW + left / SW];
      }
    }
  }
  dx[i] = sum;
}

// One group per element of the weight sums over the batch and the output plane.
__kernel void conv2d_direct_backward_weight(IN(x), IN(dy), OUT(dw), GEOMETRY,
                                            __local float *scratch) {
  BIND(x);
  BIND(dy);
  BIND_OUT(dw);
  const int i = get_group_id(0);
  const int channels = C / G;
  const int kw = i % KW, kh = i / KW % KH, c = i / (KW * KH) % channels, o = i / (KW * KH * channels);
  const int channel = o / (O / G) * channels + c;
  float sum = 0;
  for (int j = get_local_id(0); j < N * OH * OW; j += GROUP) {
    const int ow = j % OW, oh = j / OW % OH, n = j / (OW * OH);
    const int ih = oh * SH + kh * DH - PH, iw = ow * SW + kw * DW - PW;
    if (ih >= 0 && ih < H && iw >= 0 && iw < W) {
      sum += dy[((n * O + o) * OH + oh) * OW + ow] * x[((n * C + channel) * H + ih) * W + iw];
    }
  }
  sum = group_sum(sum, scratch);
  if (get_local_id(0) == 0) dw[i] = sum;
}
