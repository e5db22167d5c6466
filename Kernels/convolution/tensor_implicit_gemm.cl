#include "../matmul/tensor_tile.cl"
#include "gather.cl"

// Convolution on tensor cores, as a matrix product; see gather.cl for its operands.

// The floats that a copy of the left operand takes: 4 where rows start at multiples of four, else 1.
#ifndef LEFT_WIDTH
#define LEFT_WIDTH 1
#endif

#if HAS_BIAS
#define BIAS_AT(row) bias[group * OUT_CHANNELS + (row)]
#else
#define BIAS_AT(row) 0.0f
#endif

// Starts copying the tile of the left operand with the terms from `start` on.
static inline void copy_left(__local float *tile, __global const INPUT *a, const int group,
                             const int first_row, const int start, const int end) {
#pragma unroll
  for (int round = 0; round < TILE_ROWS * DEPTH / LEFT_WIDTH / THREADS; ++round) {
    const int item = round * THREADS + (int)get_local_id(0);
    const int deep = item % (DEPTH / LEFT_WIDTH) * LEFT_WIDTH, down = item / (DEPTH / LEFT_WIDTH);
    const int row = first_row + down, term = start + deep;
    const bool inside = row < ROWS && term < end;
    __global const INPUT *source = a + (inside ? left_index(group, row, term) : 0);
    __local float *target = tile + PLACE_LEFT(down, deep);
#if LEFT_WIDTH == 4
    copy_four(target, source, inside);
#else
    copy_one(target, source, inside);
#endif
  }
}

// The same of the right operand. Neighbouring work-items read what lies side by side in memory.
static inline void copy_right(__local float *tile, __global const INPUT *b, const int group,
                              const int first_column, const int start, const int end) {
#pragma unroll
  for (int round = 0; round < TILE_COLUMNS * DEPTH / THREADS; ++round) {
    const int item = round * THREADS + (int)get_local_id(0);
    const int deep = RIGHT_ALONG_TERMS ? item % DEPTH : item / TILE_COLUMNS;
    const int wide = RIGHT_ALONG_TERMS ? item / DEPTH : item % TILE_COLUMNS;
    const int column = first_column + wide, term = start + deep;
    const int index = column < COLUMNS && term < end ? right_index(group, term, column) : -1;
    copy_one(tile + PLACE_RIGHT(wide, deep), b + max(index, 0), index >= 0);
  }
}

#define COPY(stage, start)                                             \
  copy_left(left[stage], a, group, first_row, start, end);             \
  copy_right(right[stage], b, group, first_column, start, end)

// Inputs: pass 0 weight, input, bias; 1 weight, dy; 2 dy, input.
__kernel __attribute__((reqd_work_group_size(THREADS, 1, 1))) void conv2d_tensor_implicit_gemm(
    IN_ANY(a), IN_ANY(b), IN(bias), OUT_ANY(y)) {
  BIND_ANY(a);
  BIND_ANY(b);
  BIND_ANY_OUT(y);
  DECLARE_TILES;
  const int first_column = get_group_id(0) * TILE_COLUMNS, first_row = get_group_id(1) * TILE_ROWS;
  const int group = get_group_id(2) / PARTS, part = get_group_id(2) % PARTS;
  const int share = (TERMS + PARTS - 1) / PARTS;
  const int first = part * share, end = min(TERMS, first + share);
  float4 sum[BLOCKS_DOWN][BLOCKS_ACROSS];
  clear_sums(sum);
  MULTIPLY(first, end, COPY)
#if HAS_BIAS
  BIND(bias);
#endif
  FOR_EACH_SUM(if (row < ROWS && column < COLUMNS) {
    PUT(total + BIAS_AT(row), y, result_index(group, part, row, column));
  })
}
