#include "tile.cl"
#include "epilogue.cl"

// Matrix products on devices with many threads: C = A·B, batch by batch, with an epilogue. A is m × k
// by rows, or with LEFT_ALONG_TERMS 0 k × m; B is k × n by rows, or with RIGHT_ALONG_TERMS n × k. The
// sizes are arguments: a program serves every product of a form.
#ifndef LEFT_ALONG_TERMS
#define LEFT_ALONG_TERMS 1
#endif
#ifndef RIGHT_ALONG_TERMS
#define RIGHT_ALONG_TERMS 0
#endif
// The floats that are read at once: 4 where rows of the operand start at multiples of four and
// are as long, else 1.
#ifndef LEFT_WIDTH
#define LEFT_WIDTH 4
#endif
#ifndef RIGHT_WIDTH
#define RIGHT_WIDTH 4
#endif

// A share of an operand that lies in rows of `pitch` floats. Rows and columns beyond the last are not
// read, or where a work-item reads once, read as the last, which takes one comparison less: what comes
// of them is not stored.
#define LOAD_SHARE(share, x, extent, along_terms, width, pitch, first, count, start)               \
  {                                                                                                \
    const int fast = FAST(extent, along_terms, width), slow = SLOW(extent, along_terms, width);    \
    const bool once = SHARE(extent) == (width);                                                    \
    const int line = (first) + ((along_terms) ? slow : fast), term = (along_terms) ? fast : slow;  \
    const int there = once ? min(line, (count) - ((along_terms) ? 1 : (width))) : line;            \
    const int step = SLOW_STEP(extent, along_terms, width);                                        \
    const int pieces = PIECES(extent, along_terms, width);                                         \
    __global const INPUT *source = (along_terms) ? x + (there * (pitch) + term) + (start)          \
                                                 : x + (term * (pitch) + there) + (start) * (pitch); \
    _Pragma("unroll") for (int q = 0; q < SHARE(extent) / (width); ++q) {                          \
      const int far = q / pieces * step, aside = q % pieces * THREADS;                             \
      const bool inside = (start) + term + ((along_terms) ? 0 : far) < end &&                      \
                          (once || line + ((along_terms) ? far : aside) < (count));                \
      LOAD_FLOATS(share, q, width, source + far * (pitch) + aside, inside)                         \
    }                                                                                              \
  }
#define LOAD_TERMS(start)                                                                         \
  LOAD_SHARE(next_left, a, TILE_ROWS, LEFT_ALONG_TERMS, LEFT_WIDTH, a_pitch, first_row, m, start) \
  LOAD_SHARE(next_right, b, TILE_COLUMNS, RIGHT_ALONG_TERMS, RIGHT_WIDTH, b_pitch, first_column,  \
             n, start)
#define STORE_TERMS(stage)                                                           \
  ADD_TO_ROW_SUMS(next_left)                                                         \
  STORE_SHARE(stage, LEFT, next_left, TILE_ROWS, LEFT_ALONG_TERMS, LEFT_WIDTH)      \
  STORE_SHARE(stage, RIGHT, next_right, TILE_COLUMNS, RIGHT_ALONG_TERMS, RIGHT_WIDTH)

// `parts` groups share a tile, each sums `share` of its terms: part p of matrix i of the batch becomes
// matrix p · batch + i of C. Matrices of the batch are so many floats apart, 0 where all share one. With
// ROW_SUMS those of A's rows become row_sums, as far apart as the matrices of C, of one pair of matrices.
__kernel __attribute__((reqd_work_group_size(THREADS, 1, 1))) void gemm_tile(IN_ANY(a), IN_ANY(b),
    IN(bias), LIKE_OUT(addend), LIKE_OUT(mask), OUT_ANY(c), OUT(row_sums), const int m, const int n,
    const int k, const int a_pitch, const int b_pitch, const int c_pitch, const int a_matrix,
    const int b_matrix, const int c_matrix, const int batch, const int share, const int epilogue) {
  BIND_ANY(a);
  BIND_ANY(b);
  DECLARE_TILES
  const int2 place = tile_place(get_group_id(0), (m + TILE_ROWS - 1) / TILE_ROWS,
                                (n + TILE_COLUMNS - 1) / TILE_COLUMNS);
  const int first_row = place.x, first_column = place.y;
  KEEP(0, first_row);
  KEEP(1, first_column);
  const int matrix = (int)get_group_id(1) % batch;
  const int begin = (int)get_group_id(1) / batch * share, end = min(k, begin + share);
  a += matrix * a_matrix;
  b += matrix * b_matrix;
  float next_left[SHARE(TILE_ROWS)], next_right[SHARE(TILE_COLUMNS)];
  MULTIPLY(begin, end, LOAD_TERMS, STORE_TERMS)

  BIND(bias);
  BIND_LIKE_OUT(addend);
  BIND_LIKE_OUT(mask);
  BIND_ANY_OUT(c);
  const int origin = (int)get_group_id(1) * c_matrix;
#if ROW_SUMS
  BIND_OUT(row_sums);
  STORE_ROW_SUMS(LEFT_ALONG_TERMS, LEFT_WIDTH, row_sums + origin, m)
#endif
#pragma unroll
  for (int j = 0; j < 2; ++j) {
    const int column = kept[1] + COLUMN_IN_TILE(j), first = origin + column;
    const int target[4] = {first, first + 1, first + 2, first + 3};
    float4 addends = 0.0f;
    if (epilogue & BIAS_PER_COLUMN) {
      addends = (float4)(bias[min(column, n - 1)], bias[min(column + 1, n - 1)],
                         bias[min(column + 2, n - 1)], bias[min(column + 3, n - 1)]);
    }
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const int row = kept[0] + ROW_IN_TILE(i);
      if (epilogue & BIAS_PER_ROW) addends = bias[min(row, m - 1)];
      finish_four(sum[i][j] + addends, addend, mask, c, target, row * c_pitch,
                  row < m ? n - column : 0, epilogue);
    }
  }
}
