#include "../common/common.cl"

// The tile of a float32 matrix product that a work-group computes where threads are many:
// TILE_ROWS × TILE_COLUMNS, DEPTH terms at a time, of which a work-item holds 8 × 8 sums.
//
// Both operands pass through local memory in two stages: the next terms are on their way from global
// memory while the present ones are multiplied, so that one barrier per DEPTH terms is enough.
#ifndef TILE_ROWS
#define TILE_ROWS 128
#define TILE_COLUMNS 128
#endif
// How many of the DEPTH terms the compiler lays out one after the other: more save instructions and
// take registers.
#ifndef UNROLL_D
#define UNROLL_D 2
#endif
#define DEPTH 8
#define THREADS (TILE_ROWS * TILE_COLUMNS / 64)

#define INLINE static inline __attribute__((always_inline))
#define PRAGMA_(text) _Pragma(#text)
#define PRAGMA(text) PRAGMA_(text)

// Local memory for a stage: a row of float4, which every compiler reads by 128 bits, for each term, the
// left operand's and then the right one's. The one that is added lets the work-items of a warp that
// store neighbouring terms meet no bank twice.
#define PITCH (TILE_ROWS / 4 + TILE_COLUMNS / 4 + 1)
#define LEFT 0
#define RIGHT (TILE_ROWS / 4)
#define DECLARE_TILES                            \
  __local float4 stages[2][DEPTH * PITCH];       \
  __local int kept[4];                           \
  float4 sum[8][2];                              \
  _Pragma("unroll") for (int i = 0; i < 8; ++i) sum[i][0] = sum[i][1] = 0.0f; \
  DECLARE_ROW_SUMS

// With ROW_SUMS the terms of each row of the left operand are added up as well: what multiplies them by ones.
// A work-item adds up its share of them as it puts it into local memory; the sums of all shares are a stage of
// DEPTH terms in the end.
#ifndef ROW_SUMS
#define ROW_SUMS 0
#endif
#if ROW_SUMS
#define DECLARE_ROW_SUMS           \
  float row_sum[SHARE(TILE_ROWS)]; \
  _Pragma("unroll") for (int q = 0; q < SHARE(TILE_ROWS); ++q) row_sum[q] = 0.0f;
#define ADD_TO_ROW_SUMS(share) \
  _Pragma("unroll") for (int q = 0; q < SHARE(TILE_ROWS); ++q) row_sum[q] += (share)[q];
// Stores those of rows kept[0] .. of `count`, by the groups that have the first columns.
#define STORE_ROW_SUMS(along_terms, width, target, count)                           \
  STORE_SHARE(0, LEFT, row_sum, TILE_ROWS, along_terms, width)                      \
  barrier(CLK_LOCAL_MEM_FENCE);                                                     \
  if (kept[1] == 0) {                                                               \
    for (int row = ME; row < TILE_ROWS; row += THREADS) {                           \
      __local const float *term = (__local const float *)(stages[0] + LEFT) + row;  \
      float total = 0.0f;                                                           \
      _Pragma("unroll") for (int p = 0; p < DEPTH; ++p) total += term[p * 4 * PITCH]; \
      if (kept[0] + row < (count)) (target)[kept[0] + row] = total;                 \
    }                                                                               \
  }
#else
#define DECLARE_ROW_SUMS
#define ADD_TO_ROW_SUMS(share)
#define STORE_ROW_SUMS(along_terms, width, target, count)
#endif

// 32 work-items, a warp on NVIDIA's devices, are 4 × 8 and compute 32 × 64 sums. Each has four
// neighbouring rows twice, 16 rows apart, and four neighbouring columns twice, 32 apart: what a warp
// reads at once lies side by side.
#define ME ((int)get_local_id(0))
#define WARPS_DOWN (TILE_ROWS / 32)
#define ROW4 (ME / 32 % WARPS_DOWN * 8 + ME % 32 / 8)
#define COLUMN4 (ME / 32 / WARPS_DOWN * 16 + ME % 8)
// Of the work-item's sums, the row of sum[i] and the first column of sum[i][j] in the tile.
#define ROW_IN_TILE(i) ((ROW4 + (i) / 4 * 4) * 4 + (i) % 4)
#define COLUMN_IN_TILE(j) ((COLUMN4 + (j) * 8) * 4)

// Adds the products of the terms in a stage of local memory.
INLINE void multiply_stage(__local const float4 *stage, float4 sum[8][2]) {
  PRAGMA(unroll UNROLL_D)
  for (int p = 0; p < DEPTH; ++p) {
    const float4 a0 = stage[p * PITCH + LEFT + ROW4], a1 = stage[p * PITCH + LEFT + ROW4 + 4];
    const float4 b0 = stage[p * PITCH + RIGHT + COLUMN4];
    const float4 b1 = stage[p * PITCH + RIGHT + COLUMN4 + 8];
#define MULTIPLY_ROW(i, factor)  \
  sum[i][0] += (factor) * b0;    \
  sum[i][1] += (factor) * b1;
    MULTIPLY_ROW(0, a0.x)
    MULTIPLY_ROW(1, a0.y)
    MULTIPLY_ROW(2, a0.z)
    MULTIPLY_ROW(3, a0.w)
    MULTIPLY_ROW(4, a1.x)
    MULTIPLY_ROW(5, a1.y)
    MULTIPLY_ROW(6, a1.z)
    MULTIPLY_ROW(7, a1.w)
#undef MULTIPLY_ROW
  }
}

// The product over the terms first ..< end. LOAD(start) reads the work-item's share of the DEPTH
// terms from `start` on, zero where they end, and STORE(stage) puts it into local memory.
#define MULTIPLY(first, end, LOAD, STORE)                          \
  if ((first) < (end)) {                                           \
    LOAD(first);                                                   \
    STORE(0);                                                      \
    barrier(CLK_LOCAL_MEM_FENCE);                                  \
    int stage = 0, start = first;                                  \
    bool more;                                                     \
    do {                                                           \
      start += DEPTH;                                              \
      more = start < (end);                                        \
      if (more) {                                                  \
        LOAD(start);                                               \
      }                                                            \
      multiply_stage(stages[stage], sum);                          \
      stage ^= 1;                                                  \
      if (more) {                                                  \
        STORE(stage);                                              \
      }                                                            \
      barrier(CLK_LOCAL_MEM_FENCE);                                \
    } while (more);                                                \
  }                                                                \
  barrier(CLK_LOCAL_MEM_FENCE);

// A work-item's share of DEPTH terms of an operand, and how its floats are dealt out. Neighbouring
// work-items take what lies side by side in memory, `width` floats each: along the terms, or across
// them, along rows or columns. All but the last arguments are constants, and these are macros, since
// compilers unroll the loops of a function before they know what it is called with.
#define SHARE(extent) ((extent) * DEPTH / THREADS)
#define FAST_EXTENT(extent, along_terms) ((along_terms) ? DEPTH : (extent))
#define FAST(extent, along_terms, width) (ME % (FAST_EXTENT(extent, along_terms) / (width)) * (width))
#define SLOW(extent, along_terms, width) (ME / (FAST_EXTENT(extent, along_terms) / (width)))
// From one of the `width` floats of a share to the next it is so far in the slow direction. Where a tile
// is wider than the work-items reach, they go through a row in so many PIECES before the next.
#define PIECES(extent, along_terms, width) \
  ((FAST_EXTENT(extent, along_terms) + THREADS * (width) - 1) / (THREADS * (width)))
#define SLOW_STEP(extent, along_terms, width) \
  (THREADS * (width) * PIECES(extent, along_terms, width) / FAST_EXTENT(extent, along_terms))

// Puts a share into a stage of local memory, from LEFT or RIGHT on.
#define STORE_SHARE(stage, side, share, extent, along_terms, width)                                \
  {                                                                                                \
    const int fast = FAST(extent, along_terms, width), slow = SLOW(extent, along_terms, width);    \
    const int step = SLOW_STEP(extent, along_terms, width);                                        \
    __local float4 *wide = stages[stage] + (side) + ((along_terms) ? fast : slow) * PITCH +        \
                           ((along_terms) ? 0 : fast / 4);                                         \
    __local float *target =                                                                        \
        (__local float *)(stages[stage] + (side)) +                                                \
        ((along_terms) ? fast * 4 * PITCH + slow : slow * 4 * PITCH + fast);                       \
    _Pragma("unroll") for (int q = 0; q < SHARE(extent) / (width); ++q) {                          \
      if (along_terms) {                                                                           \
        _Pragma("unroll") for (int e = 0; e < (width); ++e)                                        \
          target[e * 4 * PITCH + q * step] = share[q * (width) + e];                               \
      } else if ((width) == 4) {                                                                   \
        wide[q * step * PITCH] = FOUR(share, q * (width));                                         \
      } else {                                                                                     \
        const int pieces = PIECES(extent, along_terms, width);                                     \
        target[q / pieces * step * 4 * PITCH + q % pieces * THREADS] = share[q];                   \
      }                                                                                            \
    }                                                                                              \
  }
// Four floats of an array as a vector.
#define FOUR(x, at) ((float4)(x[at], x[(at) + 1], x[(at) + 2], x[(at) + 3]))

// Reads `width` floats into a share, or zeros.
#define LOAD_FLOATS(share, q, width, source, inside)                                              \
  if ((width) == 4) {                                                                             \
    const float4 value = (inside) ? READ_FOUR(source) : (float4)(0.0f);          \
    share[(width) * (q)] = value.x;                                                               \
    share[(width) * (q) + 1 % (width)] = value.y;                                                 \
    share[(width) * (q) + 2 % (width)] = value.z;                                                 \
    share[(width) * (q) + 3 % (width)] = value.w;                                                 \
  } else {                                                                                        \
    share[q] = (inside) ? GET(source, 0) : 0.0f;                                                       \
  }

// Which tile a work-group computes, from its number: groups that run together share rows and columns,
// since a band of BAND tiles of rows is gone through column by column.
#define BAND 8
INLINE int2 tile_place(const int group, const int row_tiles, const int column_tiles) {
  const int band = group / (BAND * column_tiles), rest = group % (BAND * column_tiles);
  const int height = min(BAND, row_tiles - band * BAND);
  return (int2)((band * BAND + rest % height) * TILE_ROWS, rest / height * TILE_COLUMNS);
}

// What is only needed after the product is kept in local memory meanwhile: registers decide how many
// groups share a multiprocessor.
#define KEEP(index, value) \
  if (ME == 0) kept[index] = value
