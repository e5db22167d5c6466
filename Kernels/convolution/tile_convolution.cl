#include "tile_gather.cl"

// Convolution forward, and the gradient of the input, on devices with many threads, as a product of
// weights [rows, terms] and gathered windows [terms, positions]. Weights lie in rows of a multiple of
// four floats; see tile_weights.cl.
//
// The gradient of the input of a strided convolution is as many dense convolutions as there are
// phases: input positions of one remainder by the strides meet the same taps. Forward has one phase.

// Whether weights lie in rows of a term each, a multiple of four floats: those of one tap, as the gradient of
// the input reads them.
#ifndef LEFT_BY_COLUMNS
#define LEFT_BY_COLUMNS 0
#endif
// 4 where a term's positions are neighbours in memory by fours: one tap, no stride and no padding.
#ifndef RIGHT_WIDTH
#define RIGHT_WIDTH 1
#endif

// Of a phase; ConvolutionPhase on the host.
#define PHASE_INTS 16
#define TERMS phase[0]
// Entries of the table before the phase's, floats of the weights before, and in a row of them.
#define FIRST_ENTRY phase[1]
#define FIRST_WEIGHT phase[2]
#define WEIGHT_PITCH phase[3]
// Rows and columns of taps; the first's place, and how far apart they are.
#define TAP_ROWS phase[4]
#define TAP_COLUMNS phase[5]
#define FIRST_ROW phase[6]
#define ROW_STEP phase[7]
#define FIRST_COLUMN phase[8]
#define COLUMN_STEP phase[9]
// Positions, and where the results of the phase start in a plane.
#define DOWN phase[10]
#define ACROSS phase[11]
#define FIRST_RESULT phase[12]

// Columns of the tile and terms that a work-item gathers, and which.
#if RIGHT_WIDTH == 4
#define COLUMNS_EACH 1
#define COLUMN_OF(c) FAST(TILE_COLUMNS, false, 4)
#else
#define COLUMNS_EACH ((TILE_COLUMNS + THREADS - 1) / THREADS)
#define COLUMN_OF(c) (ME % TILE_COLUMNS + (c) * THREADS)
#define FIRST_TERM (ME / TILE_COLUMNS * TERMS_EACH)
#endif
#define TERMS_EACH (SHARE(TILE_COLUMNS) / COLUMNS_EACH)

#if LEFT_BY_COLUMNS
#define LOAD_WEIGHTS(start)                                                                   \
  _Pragma("unroll") for (int q = 0; q < SHARE(TILE_ROWS) / 4; ++q) {                          \
    const int term = (start) + SLOW(TILE_ROWS, false, 4) + q * SLOW_STEP(TILE_ROWS, false, 4); \
    LOAD_FLOATS(next_left, q, 4, weight[0] + term * rows, term < end)                         \
  }
#define STORE_WEIGHTS(stage) STORE_SHARE(stage, LEFT, next_left, TILE_ROWS, false, 4)
#else
#define LOAD_WEIGHTS(start)                                                                   \
  _Pragma("unroll") for (int q = 0; q < SHARE(TILE_ROWS) / 4; ++q) {                          \
    LOAD_FLOATS(next_left, q, 4, weight[q] + (start), (start) + FAST(TILE_ROWS, true, 4) < end) \
  }
#define STORE_WEIGHTS(stage) STORE_SHARE(stage, LEFT, next_left, TILE_ROWS, true, 4)
#endif

#if RIGHT_WIDTH == 4
#define LOAD_WINDOWS(start)                                                                   \
  _Pragma("unroll") for (int q = 0; q < SHARE(TILE_COLUMNS) / 4; ++q) {                       \
    const int term = (start) + SLOW(TILE_COLUMNS, false, 4) + q * SLOW_STEP(TILE_COLUMNS, false, 4); \
    LOAD_FLOATS(next_right, q, 4, window[0] + term * plane, term < end)                       \
  }
#define STORE_WINDOWS(stage) STORE_SHARE(stage, RIGHT, next_right, TILE_COLUMNS, false, 4)
#else
#define GATHER_COLUMN(c, q, tap)                                                              \
  GATHER(next_right[(c) * TERMS_EACH + (q)], x, window[c], tap.x, tap.y, place[c])
// Work-items of a warp read the same entries, two at a time; they end with taps that lie nowhere.
#define LOAD_WINDOWS(start)                                                                   \
  _Pragma("unroll") for (int q = 0; q < TERMS_EACH; q += 2) {                                 \
    const int4 taps = *(__global const int4 *)(table + (start) + q);                          \
    _Pragma("unroll") for (int c = 0; c < COLUMNS_EACH; ++c) {                                \
      GATHER_COLUMN(c, q, taps.xy)                                                            \
      GATHER_COLUMN(c, q + 1, taps.zw)                                                        \
    }                                                                                         \
  }
#define STORE_WINDOWS(stage)                                                                  \
  _Pragma("unroll") for (int c = 0; c < COLUMNS_EACH; ++c) {                                  \
    __local float *target =                                                                   \
        (__local float *)(stages[stage] + FIRST_TERM * PITCH + RIGHT) + COLUMN_OF(c);         \
    _Pragma("unroll") for (int q = 0; q < TERMS_EACH; ++q) {                                  \
      target[q * 4 * PITCH] = next_right[c * TERMS_EACH + q];                   \
    }                                                                                         \
  }
#endif

#define LOAD_TERMS(start) LOAD_WEIGHTS(start) LOAD_WINDOWS(start)
#define STORE_TERMS(stage) STORE_WEIGHTS(stage) STORE_WINDOWS(stage)

// `parts` groups share a tile, each sums `share` of its terms; part p of the results stands p · results
// floats on. Windows are stride_h rows and stride_w columns apart, results `down` and `right` floats.
__kernel __attribute__((reqd_work_group_size(THREADS, 1, 1))) void conv2d_tile(IN_ANY(weights),
    IN_ANY(x), IN(bias), LIKE_OUT(addend), LIKE_OUT(mask), OUT_ANY(y), __global const int *phases,
    __global const int2 *entries, const int phase_count, const int rows, const int batch,
    const int groups, const int weights_of_group, const int channels, const int height,
    const int width, const int stride_h, const int stride_w, const int result_plane,
    const int result_down, const int result_right, const int share, const int results,
    const int epilogue) {
  BIND_ANY(weights);
  BIND_ANY(x);
  __global const int *phase = phases + (int)get_group_id(0) % phase_count * PHASE_INTS;
  const int columns = batch * DOWN * ACROSS;
  const int tile = (int)get_group_id(0) / phase_count;
  const int row_tiles = (rows + TILE_ROWS - 1) / TILE_ROWS;
  const int column_tiles = (columns + TILE_COLUMNS - 1) / TILE_COLUMNS;
  // Phases differ in their positions.
  if (tile >= row_tiles * column_tiles) return;
  DECLARE_TILES
  const int2 corner = tile_place(tile, row_tiles, column_tiles);
  const int first_row = corner.x, first_column = corner.y;
  KEEP(0, first_row);
  KEEP(1, first_column);
  KEEP(2, (int)get_group_id(0) % phase_count);
  const int group = (int)get_group_id(1) % groups;
  const int begin = (int)get_group_id(1) / groups * share, end = min(TERMS, begin + share);
  const int plane = height * width;
  // The rows of weights that the work-item reads. Those beyond the last are read as the last: what
  // comes of them is not stored.
#if LEFT_BY_COLUMNS
  __global const INPUT *weight[1];
  weight[0] = weights + group * weights_of_group +
              min(first_row + FAST(TILE_ROWS, false, 4), rows - 4);
#else
  __global const INPUT *weight[SHARE(TILE_ROWS) / 4];
#pragma unroll
  for (int q = 0; q < SHARE(TILE_ROWS) / 4; ++q) {
    const int row = first_row + SLOW(TILE_ROWS, true, 4) + q * SLOW_STEP(TILE_ROWS, true, 4);
    weight[q] = weights + group * weights_of_group + FIRST_WEIGHT +
                min(row, rows - 1) * WEIGHT_PITCH + FAST(TILE_ROWS, true, 4);
  }
#endif
  x += group * channels * plane;

#if RIGHT_WIDTH == 4
  __global const INPUT *window[COLUMNS_EACH];
#else
  WINDOW window[COLUMNS_EACH];
  __global const int2 *table = entries + FIRST_ENTRY + FIRST_TERM;
  int place[COLUMNS_EACH];
#endif
#pragma unroll
  for (int c = 0; c < COLUMNS_EACH; ++c) {
    const int column = first_column + COLUMN_OF(c), there = min(column, columns - RIGHT_WIDTH);
    const int image = there / (DOWN * ACROSS), position = there - image * (DOWN * ACROSS);
    const int top = position / ACROSS * stride_h, side = position % ACROSS * stride_w;
    const int at = image * groups * channels * plane + top * width + side;
#if RIGHT_WIDTH == 4
    window[c] = x + at;
#else
    window[c] = WINDOW_FROM(x, at);
#if PLACES
    place[c] = column < columns ? top << 16 | side : NOWHERE;
#else
    int outside = 1 << 31;
    for (int i = 0; i < TAP_ROWS; ++i) {
      if ((uint)(top + FIRST_ROW + i * ROW_STEP) >= (uint)height) outside |= 1 << i;
    }
    for (int j = 0; j < TAP_COLUMNS; ++j) {
      if ((uint)(side + FIRST_COLUMN + j * COLUMN_STEP) >= (uint)width) {
        outside |= 1 << (TAP_ROWS + j);
      }
    }
    place[c] = column < columns ? outside : NOWHERE;
#endif
#endif
  }
  float next_left[SHARE(TILE_ROWS)], next_right[SHARE(TILE_COLUMNS)];
  MULTIPLY(begin, end, LOAD_TERMS, STORE_TERMS)

  BIND(bias);
  BIND_LIKE_OUT(addend);
  BIND_LIKE_OUT(mask);
  BIND_ANY_OUT(y);
  phase = phases + kept[2] * PHASE_INTS;
  const int across = ACROSS, positions = DOWN * across, count = batch * positions;
  const int first_result = (int)get_group_id(1) % groups * rows * result_plane;
  y += (int)get_group_id(1) / groups * results + first_result;
  addend += first_result;
  mask += first_result;
  bias += (int)get_group_id(1) % groups * rows;
#pragma unroll
  for (int j = 0; j < 2; ++j) {
    const int column = kept[1] + COLUMN_IN_TILE(j);
    // Where the results of four columns go in row 0.
    int target[4];
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const int image = (column + e) / positions, position = (column + e) - image * positions;
      target[e] = image * groups * rows * result_plane + FIRST_RESULT +
                  position / across * result_down + position % across * result_right;
    }
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const int row = kept[0] + ROW_IN_TILE(i);
      const float addition = epilogue & BIAS_PER_ROW ? bias[min(row, rows - 1)] : 0.0f;
      finish_four(sum[i][j] + addition, addend, mask, y, target, row * result_plane,
                  row < rows ? count - column : 0, epilogue);
    }
  }
}
