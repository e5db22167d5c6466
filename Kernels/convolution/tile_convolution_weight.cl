#include "tile_gather.cl"

// The gradient of a convolution's weight on devices with many threads, as a product of the gradient of
// the output [rows, positions of all images] and gathered windows [positions, channels · taps].
//
// The summed index runs along positions. A table has them for so many images as have a multiple of
// DEPTH: a lap. A work-group carries where it is in its lap; nothing is divided in the loop.

// 4 where a tile's terms are neighbours in memory, for either operand: where images have a multiple of
// DEPTH positions; for the windows, with one tap, no stride and no padding besides.
#ifndef LEFT_WIDTH
#define LEFT_WIDTH 1
#endif
#ifndef RIGHT_WIDTH
#define RIGHT_WIDTH 1
#endif

// Of a position in the table: of its window, what MEETS asks for, of its output.
#define WINDOW_AT x
#define PLACE_AT y
#define OUTPUT_AT z

// Where images have a multiple of DEPTH, so has every part: no term is beyond the last.
#define IS_TERM(start, end) (LEFT_WIDTH == 4 || (start) < (end))

#define LEFT_TERM FAST(TILE_ROWS, true, LEFT_WIDTH)
#define LEFT_LINE SLOW(TILE_ROWS, true, LEFT_WIDTH)
#define LEFT_STEP SLOW_STEP(TILE_ROWS, true, LEFT_WIDTH)
#if LEFT_WIDTH == 4
#define OUTPUT_OF_TERM (gradient_at + cursor)
#else
#define OUTPUT_OF_TERM (gradient_at + left_positions[cursor].OUTPUT_AT)
#endif
#if SPECULATES && LEFT_WIDTH == 1
// What lies in rows beyond the last is never stored: the last one's floats do as well.
#define LOAD_GRADIENT(start)                                                                       \
  {                                                                                                \
    const bool is_term = IS_TERM(start, left_end);                                                 \
    const int at = is_term ? OUTPUT_OF_TERM : 0;                                                   \
    _Pragma("unroll") for (int q = 0; q < SHARE(TILE_ROWS); ++q) {                                 \
      const uint byte = (uint)(at + lines[q]) * INPUT_BYTES;                                       \
      const float value = GET((__global const INPUT *)((__global const char *)dy + byte), 0);         \
      next_left[q] = is_term ? value : 0.0f;                                                       \
    }                                                                                              \
  }
#else
#define LOAD_GRADIENT(start)                                                                       \
  {                                                                                                \
    __global const INPUT *source = gradient + OUTPUT_OF_TERM;                                      \
    _Pragma("unroll") for (int q = 0; q < SHARE(TILE_ROWS) / LEFT_WIDTH; ++q) {                    \
      LOAD_FLOATS(next_left, q, LEFT_WIDTH, source + q * LEFT_STEP * plane,                        \
                  IS_TERM(start, left_end) &&                                                      \
                      (SHARE(TILE_ROWS) == LEFT_WIDTH ||                                           \
                       first_row + LEFT_LINE + q * LEFT_STEP < rows))                              \
    }                                                                                              \
  }
#endif

#if RIGHT_WIDTH == 4
#define RIGHT_TERM FAST(TILE_COLUMNS, true, 4)
#define RIGHT_LINE SLOW(TILE_COLUMNS, true, 4)
#define RIGHT_STEP SLOW_STEP(TILE_COLUMNS, true, 4)
#define LOAD_WINDOWS(start)                                                                        \
  {                                                                                                \
    __global const INPUT *source = window_line + (window_at + cursor);                             \
    _Pragma("unroll") for (int q = 0; q < SHARE(TILE_COLUMNS) / 4; ++q) {                          \
      LOAD_FLOATS(next_right, q, 4, source + q * RIGHT_STEP * plane,                               \
                  IS_TERM(start, right_end) &&                                                     \
                      (SHARE(TILE_COLUMNS) == 4 ||                                                 \
                       first_column + RIGHT_LINE + q * RIGHT_STEP < columns))                      \
    }                                                                                              \
  }
#define STORE_WINDOWS(stage) STORE_SHARE(stage, RIGHT, next_right, TILE_COLUMNS, true, 4)
#else
// A work-item gathers four neighbouring columns for one term.
#define RIGHT_TERM (ME % DEPTH)
#define COLUMN (ME / DEPTH * 4)
#define COLUMN_STEP (THREADS / DEPTH * 4)
#define LOAD_WINDOWS(start)                                                                        \
  {                                                                                                \
    const int4 position = right_positions[cursor];                                                 \
    const int place = IS_TERM(start, right_end) ? position.PLACE_AT : NOWHERE;                     \
    WINDOW window = WINDOW_FROM(x, window_at + position.WINDOW_AT);                                \
    _Pragma("unroll") for (int q = 0; q < SHARE(TILE_COLUMNS); q += 2) {                           \
      const int4 two = taps[(COLUMN + q / 4 * COLUMN_STEP + q % 4) / 2];                           \
      GATHER(next_right[q], x, window, two.x, two.y, place)                                        \
      GATHER(next_right[q + 1], x, window, two.z, two.w, place)                                    \
    }                                                                                              \
  }
#define STORE_WINDOWS(stage)                                                                       \
  _Pragma("unroll") for (int q = 0; q < SHARE(TILE_COLUMNS); q += 4) {                             \
    stages[stage][ME % DEPTH * PITCH + RIGHT + (COLUMN + q / 4 * COLUMN_STEP) / 4] =               \
        FOUR(next_right, q);                                                                       \
  }
#endif

#define LOAD_TERMS(start)                        \
  LOAD_GRADIENT(start)                           \
  LOAD_WINDOWS(start)                            \
  cursor += DEPTH;                               \
  if (cursor >= lap_length) {                    \
    cursor -= lap_length;                        \
    gradient_at += gradient_lap;                 \
    window_at += window_lap;                     \
  }
#define STORE_TERMS(stage)                                          \
  ADD_TO_ROW_SUMS(next_left)                                        \
  STORE_SHARE(stage, LEFT, next_left, TILE_ROWS, true, LEFT_WIDTH)  \
  STORE_WINDOWS(stage)

// `parts` groups share a tile, each sums `share` of its positions; part p of the results stands
// p · apart floats on. A table of taps, `columns` of them, says where each lies. With ROW_SUMS those of dy,
// the gradient of a bias, become row_sums, parts of which are as far apart.
__kernel __attribute__((reqd_work_group_size(THREADS, 1, 1))) void conv2d_tile_weight(IN_ANY(dy),
    IN_ANY(x), LIKE_OUT(addend), OUT_ANY(dw), OUT(row_sums), __global const int2 *entries,
    __global const int4 *positions, const int rows, const int columns, const int terms,
    const int groups, const int plane, const int channels, const int height, const int width,
    const int lap_length, const int gradient_lap, const int window_lap, const int share,
    const int apart, const int epilogue) {
  BIND_ANY(dy);
  BIND_ANY(x);
  DECLARE_TILES
  const int2 corner = tile_place(get_group_id(0), (rows + TILE_ROWS - 1) / TILE_ROWS,
                                 (columns + TILE_COLUMNS - 1) / TILE_COLUMNS);
  const int first_row = corner.x, first_column = corner.y;
  KEEP(0, first_row);
  KEEP(1, first_column);
  const int group = (int)get_group_id(1) % groups;
  const int begin = (int)get_group_id(1) / groups * share, end = min(terms, begin + share);
  dy += group * rows * plane;
  x += group * channels * height * width;
#if RIGHT_WIDTH != 4
  // The taps of the tile's columns.
  __local int4 taps[TILE_COLUMNS / 2];
  for (int c = ME; c < TILE_COLUMNS; c += THREADS) {
    ((__local int2 *)taps)[c] =
        first_column + c < columns ? entries[first_column + c] : (int2)(0, NOWHERE);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
#endif
  // The terms that the work-item reads, and the first line of each operand.
  const int left_end = end - LEFT_TERM, right_end = end - RIGHT_TERM;
  const int row = first_row + LEFT_LINE;
#if SPECULATES && LEFT_WIDTH == 1
  int lines[SHARE(TILE_ROWS)];
#pragma unroll
  for (int q = 0; q < SHARE(TILE_ROWS); ++q) lines[q] = min(row + q * LEFT_STEP, rows - 1) * plane;
#else
  __global const INPUT *gradient =
      dy + (SHARE(TILE_ROWS) == LEFT_WIDTH ? min(row, rows - 1) : row) * plane;
#endif
#if LEFT_WIDTH == 4
  gradient += LEFT_TERM;
#else
  __global const int4 *left_positions = positions + LEFT_TERM;
#endif
#if RIGHT_WIDTH == 4
  const int column = first_column + RIGHT_LINE;
  __global const INPUT *window_line =
      x + (SHARE(TILE_COLUMNS) == 4 ? min(column, columns - 1) : column) * plane + RIGHT_TERM;
#else
  __global const int4 *right_positions = positions + RIGHT_TERM;
#endif
  // Where the next terms are: in the lap, and the lap in either tensor.
  const int laps = begin / lap_length;
  int cursor = begin - laps * lap_length;
  int gradient_at = laps * gradient_lap, window_at = laps * window_lap;
  float next_left[SHARE(TILE_ROWS)], next_right[SHARE(TILE_COLUMNS)];
  MULTIPLY(begin, end, LOAD_TERMS, STORE_TERMS)

  BIND_LIKE_OUT(addend);
  BIND_ANY_OUT(dw);
  const int part = (int)get_group_id(1) / groups, own = (int)get_group_id(1) % groups;
  const int origin = part * apart + own * rows * columns;
#if ROW_SUMS
  BIND_OUT(row_sums);
  STORE_ROW_SUMS(true, LEFT_WIDTH, row_sums + (part * apart + own * rows), rows)
#endif
#pragma unroll
  for (int j = 0; j < 2; ++j) {
    const int column = kept[1] + COLUMN_IN_TILE(j), first = origin + column;
    const int target[4] = {first, first + 1, first + 2, first + 3};
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const int row = kept[0] + ROW_IN_TILE(i);
      finish_four(sum[i][j], addend, addend, dw, target, row * columns,
                  row < rows ? columns - column : 0, epilogue);
    }
  }
}
