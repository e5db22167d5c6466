#include "../common/common.cl"
#include "gather.cl"

// Convolution on devices with many threads, as a matrix product; see gather.cl for its operands.

// A group of 256 work-items computes TILE × TILE outputs, DEPTH terms at a time, 4 × 4 each.
#define TILE 64
#define DEPTH 16
#define SIDE 16

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
          term < end && row < ROWS ? a[left_index(group, row, term)] : 0.0f;
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
      const int index = term < end && column < COLUMNS ? right_index(group, term, column) : -1;
      right[deep][wide] = index >= 0 ? b[index] : 0.0f;
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
#if HAS_BIAS
      totals[j] += bias[group * OUT_CHANNELS + row];
#endif
      y[result_index(group, part, row, column)] = totals[j];
    }
  }
}
