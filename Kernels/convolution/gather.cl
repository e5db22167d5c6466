// A convolution as a matrix product whose operands are gathered from the tensors, never stored: where
// their elements are. One of three products of each group of channels, PASS:
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

#if PASS != 1
// The input at tap (i, j) of output (n, oh, ow); -1 in the padding.
static inline int patch(int group, int n, int c, int oh, int ow, int i, int j) {
  const int h = oh * SH + i * DH - PH, w = ow * SW + j * DW - PW;
  return h >= 0 && h < H && w >= 0 && w < W
             ? ((n * GROUPS + group) * IN_CHANNELS + c) * (H * W) + h * W + w
             : -1;
}
#else
// What reaches input (h, w) through tap (i, j) from channel o of the output gradient; -1 where nothing.
static inline int arriving(int group, int n, int o, int h, int w, int i, int j) {
  const int down = h + PH - i * DH, right = w + PW - j * DW;
  return down >= 0 && right >= 0 && down % SH == 0 && right % SW == 0 && down / SH < OH &&
                 right / SW < OW
             ? ((n * GROUPS + group) * OUT_CHANNELS + o) * (OH * OW) + down / SH * OW + right / SW
             : -1;
}
#endif

// The index of an element of the left operand, which is there for every row and term.
static inline int left_index(int group, int row, int term) {
#if PASS == 0
  return (group * OUT_CHANNELS + row) * TERMS + term;
#elif PASS == 1
  const int o = term / TAPS;
  return ((group * OUT_CHANNELS + o) * IN_CHANNELS + row) * TAPS + term % TAPS;
#else
  const int n = term / (OH * OW);
  return ((n * GROUPS + group) * OUT_CHANNELS + row) * (OH * OW) + term % (OH * OW);
#endif
}

// The index of an element of the right operand; -1 where it is zero.
static inline int right_index(int group, int term, int column) {
#if PASS == 0
  return patch(group, column / (OH * OW), term / TAPS, column / OW % OH, column % OW,
               term / KW % KH, term % KW);
#elif PASS == 1
  return arriving(group, column / (H * W), term / TAPS, column / W % H, column % W, term / KW % KH,
                  term % KW);
#else
  return patch(group, term / (OH * OW), column / TAPS, term / OW % OH, term % OW, column / KW % KH,
               column % KW);
#endif
}

// The index of a result; of a part of the sums in pass 2.
static inline int result_index(int group, int part, int row, int column) {
#if PASS == 0
  const int n = column / (OH * OW);
  return ((n * GROUPS + group) * ROWS + row) * (OH * OW) + column % (OH * OW);
#elif PASS == 1
  const int n = column / (H * W);
  return ((n * GROUPS + group) * ROWS + row) * (H * W) + column % (H * W);
#else
  return ((part * GROUPS + group) * ROWS + row) * COLUMNS + column;
#endif
}
