#include "../common/common.cl"
#include "tensor_core.cl"

// The tile of a matrix product that a work-group computes on tensor cores, TILE_ROWS × TILE_COLUMNS,
// DEPTH terms at a time; each of its warps computes WARP_ROWS × WARP_COLUMNS of it.
#ifndef TILE_ROWS
#define TILE_ROWS 64
#define TILE_COLUMNS 64
#define WARP_ROWS 32
#define WARP_COLUMNS 32
#endif
#define DEPTH 16
#define WARPS_DOWN (TILE_ROWS / WARP_ROWS)
#define WARPS (WARPS_DOWN * (TILE_COLUMNS / WARP_COLUMNS))
#define THREADS (32 * WARPS)
// Results of the instruction, of a warp.
#define BLOCKS_DOWN (WARP_ROWS / 16)
#define BLOCKS_ACROSS (WARP_COLUMNS / 8)

// Whether neighbours along the summed axis are neighbours in local memory, for either operand.
#ifndef LEFT_ALONG_TERMS
#define LEFT_ALONG_TERMS 1
#endif
#ifndef RIGHT_ALONG_TERMS
#define RIGHT_ALONG_TERMS 0
#endif

// The floats between rows of local memory. What is added to their length lets the lanes of a warp,
// which read eight rows × four terms, or pairs of terms, meet no bank of the memory twice.
#if PRECISION == 1
#define PITCH(along_terms, extent) ((along_terms) ? DEPTH + 4 : (extent) + 8)
#else
#define PITCH(along_terms, extent) ((along_terms) ? DEPTH + 8 : (extent) + 4)
#endif
#define FLOATS(along_terms, extent) (((along_terms) ? (extent) : DEPTH) * PITCH(along_terms, extent))
#define LEFT_PITCH PITCH(LEFT_ALONG_TERMS, TILE_ROWS)
#define RIGHT_PITCH PITCH(RIGHT_ALONG_TERMS, TILE_COLUMNS)

// Both operands' tiles, in two stages: while one is multiplied the other is copied.
#define DECLARE_TILES                                                                              \
  __local float left[2][FLOATS(LEFT_ALONG_TERMS, TILE_ROWS)] __attribute__((aligned(16)));         \
  __local float right[2][FLOATS(RIGHT_ALONG_TERMS, TILE_COLUMNS)] __attribute__((aligned(16)));    \
  DECLARE_EXCHANGE(WARPS)

// Where an element of a tile stands: of row or column i, and term p.
#define PLACE_LEFT(i, p) (LEFT_ALONG_TERMS ? (i) * LEFT_PITCH + (p) : (p) * LEFT_PITCH + (i))
#define PLACE_RIGHT(i, p) (RIGHT_ALONG_TERMS ? (i) * RIGHT_PITCH + (p) : (p) * RIGHT_PITCH + (i))

// The first row and column of the work-item's warp.
#define WARP_ROW (WARP % WARPS_DOWN * WARP_ROWS)
#define WARP_COLUMN (WARP / WARPS_DOWN * WARP_COLUMNS)

// Of element e of the work-item's sums in block (i, j): its row and column in the tile.
#define ROW_IN_TILE(i, e) (WARP_ROW + 16 * (i) + SUM_ROW(e))
#define COLUMN_IN_TILE(j, e) (WARP_COLUMN + 8 * (j) + SUM_COLUMN(e))

static inline void clear_sums(float4 sum[BLOCKS_DOWN][BLOCKS_ACROSS]) {
#pragma unroll
  for (int i = 0; i < BLOCKS_DOWN; ++i) {
#pragma unroll
    for (int j = 0; j < BLOCKS_ACROSS; ++j) sum[i][j] = 0;
  }
}

// Adds the products of the DEPTH terms in local memory.
static inline void multiply_tiles(__local const float *left, __local const float *right,
                                  float4 sum[BLOCKS_DOWN][BLOCKS_ACROSS],
                                  __local float *exchange) {
  UNROLL
  for (int p = 0; p < DEPTH; p += STEP) {
    uint4 rows[BLOCKS_DOWN];
    uint2 columns[BLOCKS_ACROSS];
#pragma unroll
    for (int i = 0; i < BLOCKS_DOWN; ++i) {
      rows[i] = load_left(left + PLACE_LEFT(WARP_ROW + 16 * i, p), PLACE_LEFT(1, 0),
                          PLACE_LEFT(0, 1));
    }
#pragma unroll
    for (int j = 0; j < BLOCKS_ACROSS; ++j) {
      columns[j] = load_right(right + PLACE_RIGHT(WARP_COLUMN + 8 * j, p), PLACE_RIGHT(1, 0),
                              PLACE_RIGHT(0, 1));
    }
    UNROLL
    for (int i = 0; i < BLOCKS_DOWN; ++i) {
      UNROLL
      for (int j = 0; j < BLOCKS_ACROSS; ++j) {
        sum[i][j] = multiply_accumulate(sum[i][j], rows[i], columns[j], exchange);
      }
    }
  }
}

// The product over the terms first ..< end: COPY(stage, start) starts the copies of the terms from
// `start` on into a stage of `left` and `right`.
#define MULTIPLY(first, end, COPY)                                       \
  COPY(0, first);                                                        \
  end_copies();                                                          \
  for (int start = first, stage = 0; start < end; start += DEPTH) {      \
    if (start + DEPTH < end) {                                           \
      COPY(1 - stage, start + DEPTH);                                    \
      end_copies();                                                      \
      WAIT_FOR_COPIES(1);                                                \
    } else {                                                             \
      WAIT_FOR_COPIES(0);                                                \
    }                                                                    \
    barrier(CLK_LOCAL_MEM_FENCE);                                        \
    multiply_tiles(left[stage], right[stage], sum, exchange);            \
    /* All have read what the next copies write over. */                 \
    barrier(CLK_LOCAL_MEM_FENCE);                                        \
    stage = 1 - stage;                                                   \
  }

// Runs a statement for each of the work-item's sums: `total`, at `row` and `column` of the product.
#define FOR_EACH_SUM(...)                                                  \
  _Pragma("unroll") for (int i = 0; i < BLOCKS_DOWN; ++i) {                \
    _Pragma("unroll") for (int j = 0; j < BLOCKS_ACROSS; ++j) {            \
      float totals[4];                                                     \
      vstore4(sum[i][j], 0, totals);                                       \
      _Pragma("unroll") for (int e = 0; e < 4; ++e) {                      \
        const int row = first_row + ROW_IN_TILE(i, e);                     \
        const int column = first_column + COLUMN_IN_TILE(j, e);            \
        const float total = totals[e];                                     \
        __VA_ARGS__                                                        \
      }                                                                    \
    }                                                                      \
  }
