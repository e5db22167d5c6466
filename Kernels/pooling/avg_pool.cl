#include "window.cl"

// Whether the elements of the padding count.
#ifndef COUNTS_PADDING
#define COUNTS_PADDING 1
#endif

// What the mean of window i of an axis divides by: its elements inside the input, or also those in
// the padding, but not beyond it.
static inline int divisor(int i, int kernel_size, int stride, int padding, int extent) {
  const int start = i * stride - padding;
  return COUNTS_PADDING ? min(start + kernel_size, extent + padding) - start
                        : min(start + kernel_size, extent) - max(start, 0);
}

// A work-item computes a row of outputs: V at a time where windows lie inside the columns.
__kernel void avg_pool2d(IN_ANY(x), OUT_ANY(y), const int8 a) {
  BIND_ANY(x);
  BIND_ANY_OUT(y);
  const int row = get_global_id(0);
  if (row >= PLANES * OH) return;
  const int oh = row % OH, top = max(0, oh * SH - PH), bottom = min(H, oh * SH - PH + KH);
  const int height = divisor(oh, KH, SH, PH, H);
  x += row / OH * (H * W);
  y += row * OW;
  const int inner_first = INNER_FIRST, inner_end = max(inner_first, INNER_END);
  for (int ow = 0; ow < OW; ++ow) {
    if (ow == inner_first && inner_end - inner_first >= V) {
      for (; ow < inner_end; ow += V) {
        // The last vector reaches back over outputs already computed.
        ow = min(ow, inner_end - V);
        VECTOR sum = 0;
        for (int h = top; h < bottom; ++h) {
#pragma unroll
          for (int kw = 0; kw < KW; ++kw) sum += load_columns(x + h * W + ow * SW - PW + kw);
        }
        WRITE(sum / (float)(height * KW), y + ow);
      }
      ow = inner_end;
      if (ow >= OW) break;
    }
    float sum = 0;
    const int left = max(0, ow * SW - PW), right = min(W, ow * SW - PW + KW);
    for (int h = top; h < bottom; ++h) {
      for (int w = left; w < right; ++w) sum += GET(x, h * W + w);
    }
    PUT(sum / (height * divisor(ow, KW, SW, PW, W)), y, ow);
  }
}

// Whether every element of a row lies in one window.
#define IS_TILED (KW == SW && PW == 0 && OW * SW == W)

// A work-item gathers what arrives for a row of the input and deals it out along the row: V windows
// at a time where they lie inside the columns.
__kernel void avg_pool2d_backward_rows(IN(dy), OUT(dx), const int8 a) {
  BIND(dy);
  BIND_OUT(dx);
  const int row = get_global_id(0);
  if (row >= PLANES * H) return;
  const int h = row % H;
  dy += row / H * (OH * OW);
  dx += row * W;
  const int first_h = max(0, (h + PH - KH + SH) / SH), last_h = min(OH - 1, (h + PH) / SH);
  const int to_clear = IS_TILED ? 0 : W;
  int w = 0;
  for (; w + V <= to_clear; w += V) STORE((VECTOR)(0.0f), dx + w);
  for (; w < to_clear; ++w) dx[w] = 0;
  const int inner_first = INNER_FIRST, inner_end = max(inner_first, INNER_END);
  for (int ow = 0; ow < OW; ++ow) {
    for (; ow >= inner_first && ow + V <= inner_end; ow += V) {
      VECTOR arriving = 0;
      for (int oh = first_h; oh <= last_h; ++oh) {
        arriving += LOAD(dy + oh * OW + ow) / (float)(divisor(oh, KH, SH, PH, H) * KW);
      }
      __global float *p = dx + ow * SW - PW;
#if KW == 2 && SW == 2
      store_pairs(arriving, arriving, p);
#elif SW == 1
#pragma unroll
      for (int kw = 0; kw < KW; ++kw) {
        STORE(IS_TILED ? arriving : LOAD(p + kw) + arriving, p + kw);
      }
#else
      float lanes[V];
      STORE(arriving, lanes);
#pragma unroll
      for (int lane = 0; lane < V; ++lane) {
#pragma unroll
        for (int kw = 0; kw < KW; ++kw) {
          __global float *element = p + lane * SW + kw;
          *element = IS_TILED ? lanes[lane] : *element + lanes[lane];
        }
      }
#endif
    }
    if (ow >= OW) break;
    float arriving = 0;
    for (int oh = first_h; oh <= last_h; ++oh) {
      arriving += dy[oh * OW + ow] / (divisor(oh, KH, SH, PH, H) * divisor(ow, KW, SW, PW, W));
    }
    const int left = max(0, ow * SW - PW), right = min(W, ow * SW - PW + KW);
    for (w = left; w < right; ++w) dx[w] = IS_TILED ? arriving : dx[w] + arriving;
  }
}
