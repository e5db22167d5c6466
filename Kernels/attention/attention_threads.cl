#include "../common/common.cl"

// Scaled dot-product attention without the matrix of scores, on devices of many threads: softmax and
// sum run along together. query [B, L, E], key [B, S, E], value [B, S, VE].
//
// A group keeps TILE rows of one side, queries or keys, and goes along the rows of the other, BLOCK at a
// time. Both products, of rows with rows and of weights with rows, are those of small matrices: LINES ×
// COLUMNS work-items have EACH × 4 results each, and read local memory four numbers at a time. Rows come
// to local memory CHUNK elements at a time, so that their length is bound by registers alone.
//
// Sources: Vaswani et al., 2017; Dao et al., 2022.
#ifndef E
#define E 64
#define VE 64
#endif
#ifndef LINES
#define LINES 16
#endif
#ifndef EACH
#define EACH 4
#endif
#define COLUMNS 8
#define THREADS (LINES * COLUMNS)
#define TILE (LINES * EACH)
#define BLOCK (4 * COLUMNS)
#define CHUNK 32
#define CHUNKS(width) (((width) + CHUNK - 1) / CHUNK)
// A row of a tile, in vectors of four: one more than it holds, so that rows begin in different banks.
#define PITCH (CHUNK / 4 + 1)

#define INLINE static inline __attribute__((always_inline))
#define MEET barrier(CLK_LOCAL_MEM_FENCE)
#define COLUMN ((int)get_local_id(0) % COLUMNS)
#define LINE ((int)get_local_id(0) / COLUMNS)
// The work-item's rows of the tile, and its rows of the block.
#define OWN(r) (LINE + LINES * (r))
#define OTHER(c) (COLUMN + COLUMNS * (c))
#define FOR(i, count) _Pragma("unroll") for (int i = 0; i < (count); ++i)

// Rows first ..< first + rows of x to local memory, from element `start` of each on; what lies beyond
// `count` rows or the end of a row is zero.
INLINE void stage(__local float4 *tile, __global const INPUT *x, const int rows, const int first,
                  const int count, const int width, const int start) {
  for (int i = get_local_id(0); i < rows * (CHUNK / 4); i += THREADS) {
    const int row = i / (CHUNK / 4), e = start + i % (CHUNK / 4) * 4;
    __global const INPUT *p = x + (first + row) * width + e;
    float4 value = 0.0f;
    if (first + row < count) {
#ifdef ALIGNED
      if (e < width) value = READ_FOUR(p);
#else
      if (e < width) value.x = GET(p, 0);
      if (e + 1 < width) value.y = GET(p, 1);
      if (e + 2 < width) value.z = GET(p, 2);
      if (e + 3 < width) value.w = GET(p, 3);
#endif
    }
    tile[row * PITCH + i % (CHUNK / 4)] = value;
  }
}

// sums[r][c] += the tile's row · the block's row, over a chunk.
INLINE void multiply(float sums[EACH][4], __local const float4 *own, __local const float4 *other) {
#pragma unroll 2
  for (int e = 0; e < CHUNK / 4; ++e) {
    float4 a[EACH], b[4];
    FOR(r, EACH) a[r] = own[OWN(r) * PITCH + e];
    FOR(c, 4) b[c] = other[OTHER(c) * PITCH + e];
    FOR(r, EACH) {
      FOR(c, 4) {
        sums[r][c] += a[r].x * b[c].x;
        sums[r][c] += a[r].y * b[c].y;
        sums[r][c] += a[r].z * b[c].z;
        sums[r][c] += a[r].w * b[c].w;
      }
    }
  }
}

// sums[r] += Σ the weight of the block's row i · four of its elements.
INLINE void add_rows(float4 sums[EACH], __local const float4 *weights, __local const float4 *other) {
#pragma unroll 2
  for (int i = 0; i < BLOCK / 4; ++i) {
    float4 w[EACH];
    FOR(r, EACH) w[r] = weights[OWN(r) * PITCH + i];
    const float4 a = other[(4 * i) * PITCH + COLUMN], b = other[(4 * i + 1) * PITCH + COLUMN];
    const float4 c = other[(4 * i + 2) * PITCH + COLUMN], d = other[(4 * i + 3) * PITCH + COLUMN];
    FOR(r, EACH) {
      sums[r] += w[r].x * a;
      sums[r] += w[r].y * b;
      sums[r] += w[r].z * c;
      sums[r] += w[r].w * d;
    }
  }
}

// sums[r][c] = the rows of a matrix that the group keeps · the rows of another from `start` on.
INLINE void multiply_rows(float sums[EACH][4], __local float4 *own_tile, __local float4 *other_tile,
                          __global const INPUT *own, const int first, const int own_count,
                          __global const INPUT *other, const int start, const int other_count,
                          const int width) {
  FOR(r, EACH) { FOR(c, 4) sums[r][c] = 0; }
  for (int chunk = 0; chunk < CHUNKS(width); ++chunk) {
    stage(own_tile, own, TILE, first, own_count, width, chunk * CHUNK);
    stage(other_tile, other, BLOCK, start, other_count, width, chunk * CHUNK);
    MEET;
    multiply(sums, own_tile, other_tile);
    MEET;
  }
}

// Adds the weighted rows of a matrix from `start` on to sums of CHUNKS(width) · 4 elements a row.
#define ADD_WEIGHTED_ROWS(sums, other, start, count, width)                 \
  FOR(chunk, CHUNKS(width)) {                                               \
    stage(other_tile, other, BLOCK, start, count, width, chunk * CHUNK);    \
    MEET;                                                                   \
    add_rows(sums[chunk], (__local const float4 *)weights, other_tile);     \
    MEET;                                                                   \
  }

// Stores factor · sums at the group's rows.
INLINE void store_rows(float4 sums[EACH], __global OUTPUT *x, const int first, const int count,
                       const int width, const int start, const float factor[EACH]) {
  FOR(r, EACH) {
    const int row = first + OWN(r), e = start + 4 * COLUMN;
    if (row >= count) continue;
    __global OUTPUT *p = x + row * width + e;
    const float4 value = factor[r] * sums[r];
#ifdef ALIGNED
    if (e < width) WRITE_FOUR(value, p);
#else
    if (e < width) PUT(value.x, p, 0);
    if (e + 1 < width) PUT(value.y, p, 1);
    if (e + 2 < width) PUT(value.z, p, 2);
    if (e + 3 < width) PUT(value.w, p, 3);
#endif
  }
}

// Which rows a group keeps: those from `first` on of batch b.
#define PLACE(count)                                  \
  const int tiles = ((count) + TILE - 1) / TILE;      \
  const int b = (int)get_group_id(0) / tiles;         \
  const int first = (int)get_group_id(0) % tiles * TILE

#define WEIGHT(r, c) weights[OWN(r) * (4 * PITCH) + OTHER(c)]
#define SHARED                                              \
  __local float4 own_tile[TILE * PITCH], other_tile[BLOCK * PITCH], weight_tile[TILE * PITCH]; \
  __local float *weights = (__local float *)weight_tile

// One value per work-item and row, to be put together by all COLUMNS of a line.
#define EXCHANGE(r, column) exchange[OWN(r) * COLUMNS + (column)]

__kernel __attribute__((reqd_work_group_size(THREADS, 1, 1))) void attention_tiles(IN_ANY(query),
    IN_ANY(key), IN_ANY(value), OUT_ANY(y), OUT(log_sum), const int queries, const int keys,
    const float scale, const int is_causal) {
  BIND_ANY(query);
  BIND_ANY(key);
  BIND_ANY(value);
  BIND_ANY_OUT(y);
  BIND_OUT(log_sum);
  SHARED;
  __local float exchange[TILE * COLUMNS];
  PLACE(queries);
  query += b * queries * E;
  key += b * keys * E;
  value += b * keys * VE;
  float4 output[CHUNKS(VE)][EACH];
  float maximum[EACH], sum[EACH];
  FOR(r, EACH) {
    FOR(j, CHUNKS(VE)) output[j][r] = 0.0f;
    maximum[r] = -INFINITY;
    sum[r] = 0;
  }
  const int end = is_causal ? min(keys, first + TILE) : keys;
  for (int start = 0; start < end; start += BLOCK) {
    float scores[EACH][4];
    multiply_rows(scores, own_tile, other_tile, query, first, queries, key, start, keys, E);
    FOR(r, EACH) {
      // The first key that a query does not see.
      const int limit = is_causal ? min(first + OWN(r) + 1, keys) : keys;
      float largest = maximum[r];
      FOR(c, 4) {
        scores[r][c] = start + OTHER(c) < limit ? scale * scores[r][c] : -INFINITY;
        largest = fmax(largest, scores[r][c]);
      }
      EXCHANGE(r, COLUMN) = largest;
    }
    MEET;
    FOR(r, EACH) {
      float largest = EXCHANGE(r, 0);
      FOR(i, COLUMNS - 1) largest = fmax(largest, EXCHANGE(r, i + 1));
      const float shrink = exp(maximum[r] - largest);
      maximum[r] = largest;
      sum[r] *= shrink;
      FOR(c, 4) {
        const float weight = exp(scores[r][c] - largest);
        sum[r] += weight;
        WEIGHT(r, c) = weight;
      }
      FOR(j, CHUNKS(VE)) output[j][r] *= shrink;
    }
    ADD_WEIGHTED_ROWS(output, value, start, keys, VE);
  }
  FOR(r, EACH) EXCHANGE(r, COLUMN) = sum[r];
  MEET;
  float factor[EACH];
  FOR(r, EACH) {
    float total = EXCHANGE(r, 0);
    FOR(i, COLUMNS - 1) total += EXCHANGE(r, i + 1);
    factor[r] = 1.0f / total;
    const int row = first + OWN(r);
    if (COLUMN == 0 && row < queries) log_sum[b * queries + row] = maximum[r] + log(total);
  }
  FOR(j, CHUNKS(VE)) {
    store_rows(output[j], y + b * queries * VE, first, queries, VE, j * CHUNK, factor);
  }
}

// The gradient of the query; and dy · y per query, `inner`, for the next kernel.
__kernel __attribute__((reqd_work_group_size(THREADS, 1, 1))) void attention_backward_query_tiles(
    IN_ANY(dy), IN_ANY(query), IN_ANY(key), IN_ANY(value), IN_ANY(y), IN(log_sum), OUT_ANY(dquery),
    OUT(inner), const int queries, const int keys, const float scale, const int is_causal) {
  BIND_ANY(dy);
  BIND_ANY(query);
  BIND_ANY(key);
  BIND_ANY(value);
  BIND_ANY(y);
  BIND(log_sum);
  BIND_ANY_OUT(dquery);
  BIND_OUT(inner);
  SHARED;
  __local float exchange[TILE * COLUMNS];
  PLACE(queries);
  dy += b * queries * VE;
  y += b * queries * VE;
  query += b * queries * E;
  key += b * keys * E;
  value += b * keys * VE;
  float4 gradient[CHUNKS(E)][EACH];
  float product[EACH], factor[EACH];
  FOR(r, EACH) {
    const int row = min(first + OWN(r), queries - 1);
    float part = 0;
    for (int e = COLUMN; e < VE; e += COLUMNS) part += GET(dy, row * VE + e) * GET(y, row * VE + e);
    EXCHANGE(r, COLUMN) = part;
    factor[r] = scale;
    FOR(j, CHUNKS(E)) gradient[j][r] = 0.0f;
  }
  MEET;
  FOR(r, EACH) {
    product[r] = EXCHANGE(r, 0);
    FOR(i, COLUMNS - 1) product[r] += EXCHANGE(r, i + 1);
    const int row = first + OWN(r);
    if (COLUMN == 0 && row < queries) inner[b * queries + row] = product[r];
  }
  const int end = is_causal ? min(keys, first + TILE) : keys;
  for (int start = 0; start < end; start += BLOCK) {
    float scores[EACH][4], slopes[EACH][4];
    multiply_rows(scores, own_tile, other_tile, query, first, queries, key, start, keys, E);
    multiply_rows(slopes, own_tile, other_tile, dy, first, queries, value, start, keys, VE);
    FOR(r, EACH) {
      const int limit = is_causal ? min(first + OWN(r) + 1, keys) : keys;
      // Read here, and not kept from before: Intel's compiler for processors loses it at the barriers.
      const float shift = log_sum[b * queries + min(first + OWN(r), queries - 1)];
      FOR(c, 4) {
        const float weight = exp(scale * scores[r][c] - shift);
        WEIGHT(r, c) = start + OTHER(c) < limit ? weight * (slopes[r][c] - product[r]) : 0.0f;
      }
    }
    ADD_WEIGHTED_ROWS(gradient, key, start, keys, E);
  }
  FOR(j, CHUNKS(E)) {
    store_rows(gradient[j], dquery + b * queries * E, first, queries, E, j * CHUNK, factor);
  }
}

// The gradients of key and value.
__kernel __attribute__((reqd_work_group_size(THREADS, 1, 1))) void attention_backward_key_value_tiles(
    IN_ANY(dy), IN_ANY(query), IN_ANY(key), IN_ANY(value), IN(log_sum), IN(inner), OUT_ANY(dkey),
    OUT_ANY(dvalue), const int queries, const int keys, const float scale, const int is_causal) {
  BIND_ANY(dy);
  BIND_ANY(query);
  BIND_ANY(key);
  BIND_ANY(value);
  BIND(log_sum);
  BIND(inner);
  BIND_ANY_OUT(dkey);
  BIND_ANY_OUT(dvalue);
  SHARED;
  PLACE(keys);
  dy += b * queries * VE;
  query += b * queries * E;
  key += b * keys * E;
  value += b * keys * VE;
  log_sum += b * queries;
  inner += b * queries;
  float4 key_gradient[CHUNKS(E)][EACH], value_gradient[CHUNKS(VE)][EACH];
  float key_factor[EACH], value_factor[EACH];
  FOR(r, EACH) {
    FOR(j, CHUNKS(E)) key_gradient[j][r] = 0.0f;
    FOR(j, CHUNKS(VE)) value_gradient[j][r] = 0.0f;
    key_factor[r] = scale;
    value_factor[r] = 1;
  }
  // The first query that sees any of the keys.
  for (int start = is_causal ? first : 0; start < queries; start += BLOCK) {
    float scores[EACH][4], slopes[EACH][4];
    multiply_rows(scores, own_tile, other_tile, key, first, keys, query, start, queries, E);
    multiply_rows(slopes, own_tile, other_tile, value, first, keys, dy, start, queries, VE);
    FOR(c, 4) {
      const int l = start + OTHER(c), at = min(l, queries - 1);
      const float shift = log_sum[at], product = inner[at];
      FOR(r, EACH) {
        const bool sees = l < queries && (!is_causal || first + OWN(r) <= l);
        const float weight = sees ? exp(scale * scores[r][c] - shift) : 0.0f;
        slopes[r][c] = sees ? weight * (slopes[r][c] - product) : 0.0f;
        WEIGHT(r, c) = weight;
      }
    }
    ADD_WEIGHTED_ROWS(value_gradient, dy, start, queries, VE);
    FOR(r, EACH) { FOR(c, 4) WEIGHT(r, c) = slopes[r][c]; }
    ADD_WEIGHTED_ROWS(key_gradient, query, start, queries, E);
  }
  FOR(j, CHUNKS(E)) {
    store_rows(key_gradient[j], dkey + b * keys * E, first, keys, E, j * CHUNK, key_factor);
  }
  FOR(j, CHUNKS(VE)) {
    store_rows(
        value_gradient[j], dvalue + b * keys * VE, first, keys, VE, j * CHUNK, value_factor);
  }
}
