#include "../common/common.cl"

// Convolution on devices with many threads: a matrix product whose operands are gathered from the
// tensors tile by tile, never stored. One of three products of each group of channels, PASS:
//   0  forward          weight [O, C·KH·KW]  ×  input patches [C·KH·KW, N·OH·OW]
//   1  input gradient   weight [C, O·KH·KW]  ×  gradient patches [O·KH·KW, N·H·W]
//   2  weight gradient  dy [O, N·OH·OW]      ×  input patches [N·OH·OW, C·KH·KW]
// C and O count the channels of a group. Pass 2 is split into PARTS sums over parts of N·OH·OW.
#ifndef PASS
#define PASS 0
#define PARTS 1
#define BATCH 1
#define GROUPS 1
#define IN_CHANNELS 1
#define H 8
#define W 8
#define OUT_CHANNELS 1
#define OH 6
#define OW 6
#define KH 3
#define KW 3
#define SH 1
#define SW 1
#define PH 0
#define PW 0
#define DH 1
#define DW 1
#define HAS_BIAS 0
#endif

#define TAPS (KH * KW)
#if PASS == 0
#define ROWS OUT_CHANNELS
#define COLUMNS (BATCH * OH * OW)
#define TERMS (IN_CHANNELS * TAPS)
#elif PASS == 1
#define ROWS IN_CHANNELS
#define COLUMNS (BATCH * H * W)
#define TERMS (OUT_CHANNELS * TAPS)
#else
#define ROWS OUT_CHANNELS
#define COLUMNS (IN_CHANNELS * TAPS)
#define TERMS (BATCH * OH * OW)
#endif

// A group of 256 work-items computes TILE × TILE outputs, DEPTH terms at a time, 4 × 4 each.
#define TILE 64
#define DEPTH 16
#define SIDE 16

#if PASS != 1
// The input at tap (i, j) of output (n, oh, ow), 0 in the padding.
static inline float patch(__global const float *x, int group, int n, int c, int oh, int ow, int i,
                          int j) {
  const int h = oh * SH + i * DH - PH, w = ow * SW + j * DW - PW;
  return h >= 0 && h < H && w >= 0 && w < W
             ? x[((n * GROUPS + group) * IN_CHANNELS + c) * (H * W) + h * W + w]
             : 0.0f;
}
#else
// What reaches input (h, w) through tap (i, j) from channel o of the output gradient.
static inline float arriving(__global const float *dy, int group, int n, int o, int h, int w, int i,
                             int j) {
  const int down = h + PH - i * DH, right = w + PW - j * DW;
  return down >= 0 && right >= 0 && down % SH == 0 && right % SW == 0 && down / SH < OH &&
                 right / SW < OW
             ? dy[((n * GROUPS + group) * OUT_CHANNELS + o) * (OH * OW) + down / SH * OW + right / SW]
             : 0.0f;
}
#endif

static inline float left_element(__global const float *a, int group, int row, int term) {
#if PASS == 0
  return a[(group * OUT_CHANNELS + row) * TERMS + term];
#elif PASS == 1
  const int o = term / TAPS;
  return a[((group * OUT_CHANNELS + o) * IN_CHANNELS + row) * TAPS + term % TAPS];
#else
  const int n = term / (OH * OW);
  return a[((n * GROUPS + group) * OUT_CHANNELS + row) * (OH * OW) + term % (OH * OW)];
#endif
}

static inline float right_element(__global const float *b, int group, int term, int column) {
#if PASS == 0
  return patch(b, group, column / (OH * OW), term / TAPS, column / OW % OH, column % OW,
               term / KW % KH, term % KW);
#elif PASS == 1
  return arriving(b, group, column / (H * W), term / TAPS, column / W % H, column % W,
                  term / KW % KH, term % KW);
#else
  return patch(b, group, term / (OH * OW), column / TAPS, term / OW % OH, term % OW,
               column / KW % KH, column % KW);
#endif
}

// Inputs: pass 0 weight, input, bias; 1 weight, dy; 2 dy, input.
__kernel __attribute__((reqd_work_group_size(SIDE *SIDE, 1, 1))) void conv2d_implicit_gemm(
    IN(a), IN(b), IN(bias), OUT(y)) {
  BIND(a);
  BIND(b);
  BIND_OUT(y);
  __local float left[DEPTH][TILE + 4], right[DEPTH][TILE + 4];
  const int me = get_local_id(0), across = me % SIDE, down = me / SIDE;
  const int first_column = get_group_id(0) * TILE, first_row = get_group_id(1) * TILE;
  const int group = get_group_id(2) / PARTS, part = get_group_id(2) % PARTS;
  const int share = (TERMS + PARTS - 1) / PARTS;
  const int end = min(TERMS, (part + 1) * share);

  float4 sum[4];
  for (int i = 0; i < 4; ++i) sum[i] = 0;
  for (int start = part * share; start < end; start += DEPTH) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int term = start + across, row = first_row + down + SIDE * i;
      left[across][down + SIDE * i] =
          term < end && row < ROWS ? left_element(a, group, row, term) : 0.0f;
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      // Neighbouring work-items read what lies side by side in memory.
#if PASS == 2
      const int deep = across, wide = down + SIDE * i;
#else
      const int deep = me / TILE + 4 * i, wide = me % TILE;
#endif
      const int term = start + deep, column = first_column + wide;
      right[deep][wide] =
          term < end && column < COLUMNS ? right_element(b, group, term, column) : 0.0f;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int deep = 0; deep < DEPTH; ++deep) {
      const float4 values = (float4)(right[deep][across], right[deep][across + SIDE],
                                     right[deep][across + 2 * SIDE], right[deep][across + 3 * SIDE]);
#pragma unroll
      for (int i = 0; i < 4; ++i) sum[i] += left[deep][down * 4 + i] * values;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
  }

#if HAS_BIAS
  BIND(bias);
#endif
  for (int i = 0; i < 4; ++i) {
    const int row = first_row + down * 4 + i;
    float totals[4];
    vstore4(sum[i], 0, totals);
    for (int j = 0; j < 4; ++j) {
      const int column = first_column + across + SIDE * j;
      if (row >= ROWS || column >= COLUMNS) continue;
#if PASS == 0
      const int n = column / (OH * OW);
#if HAS_BIAS
      totals[j] += bias[group * OUT_CHANNELS + row];
#endif
      y[((n * GROUPS + group) * ROWS + row) * (OH * OW) + column % (OH * OW)] = totals[j];
#elif PASS == 1
      const int n = column / (H * W);
      y[((n * GROUPS + group) * ROWS + row) * (H * W) + column % (H * W)] = totals[j];
#else
      y[((part * GROUPS + group) * ROWS + row) * COLUMNS + column] = totals[j];
#endif
    }
  }
}
