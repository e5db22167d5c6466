#include "tensor_tile.cl"

// Matrix products on tensor cores: C = A·B (+ bias), batch by batch. A is m × k by rows, or with
// LEFT_ALONG_TERMS 0 k × m; B is k × n by rows, or with RIGHT_ALONG_TERMS n × k.

// The floats that a copy takes: 4 where rows of the operand start at multiples of four, else 1.
#ifndef LEFT_WIDTH
#define LEFT_WIDTH 1
#endif
#ifndef RIGHT_WIDTH
#define RIGHT_WIDTH 1
#endif
// What is added: 0 nothing, 1 an element per column, 2 an element per row.
#ifndef BIAS
#define BIAS 0
#endif
#if BIAS == 0
#define BIAS_AT(row, column) 0.0f
#else
#define BIAS_AT(row, column) bias[BIAS == 1 ? (column) : (row)]
#endif

// Starts copying a tile: of `extent` rows or columns those from `first` on, of `terms` terms those
// from `start` on. What lies beyond either is zero. The other arguments are constants.
static inline void copy_tile(__local float *tile, __global const INPUT *x, const int tile_extent,
                             const bool along_terms, const int pitch, const int width,
                             const int first, const int extent, const int start, const int terms) {
  const int run = (along_terms ? DEPTH : tile_extent) / width;
  const int length = along_terms ? terms : extent;
#pragma unroll
  for (int round = 0; round < tile_extent * DEPTH / width / THREADS; ++round) {
    const int item = round * THREADS + (int)get_local_id(0);
    const int fast = item % run * width, slow = item / run;
    const int i = first + (along_terms ? slow : fast), p = start + (along_terms ? fast : slow);
    const bool inside = i < extent && p < terms;
    __global const INPUT *source = x + (inside ? (along_terms ? i * length + p : p * length + i) : 0);
    if (width == 4) copy_four(tile + slow * pitch + fast, source, inside);
    else copy_one(tile + slow * pitch + fast, source, inside);
  }
}

#define COPY(stage, start)                                                                        \
  copy_tile(left[stage], a, TILE_ROWS, LEFT_ALONG_TERMS, LEFT_PITCH, LEFT_WIDTH, first_row, m,    \
            start, k);                                                                            \
  copy_tile(right[stage], b, TILE_COLUMNS, RIGHT_ALONG_TERMS, RIGHT_PITCH, RIGHT_WIDTH,           \
            first_column, n, start, k)

__kernel __attribute__((reqd_work_group_size(THREADS, 1, 1))) void gemm_tensor(IN_ANY(a), IN_ANY(b),
    IN(bias), OUT_ANY(c), const int m, const int n, const int k, const int a_matrix,
    const int b_matrix) {
  BIND_ANY(a);
  BIND_ANY(b);
  BIND_ANY_OUT(c);
  DECLARE_TILES;
  const int row_tiles = (m + TILE_ROWS - 1) / TILE_ROWS;
  const int column_tiles = (n + TILE_COLUMNS - 1) / TILE_COLUMNS;
  const int group = get_group_id(0), matrix = group / (row_tiles * column_tiles);
  const int first_row = group % row_tiles * TILE_ROWS;
  const int first_column = group / row_tiles % column_tiles * TILE_COLUMNS;
  a += matrix * a_matrix;
  b += matrix * b_matrix;
  c += matrix * m * n;
  float4 sum[BLOCKS_DOWN][BLOCKS_ACROSS];
  clear_sums(sum);
  MULTIPLY(0, k, COPY)
#if BIAS != 0
  BIND(bias);
#endif
  FOR_EACH_SUM(
      if (row < m && column < n) PUT(total + BIAS_AT(row, column), c, row * n + column);)
}
