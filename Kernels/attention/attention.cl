#include "../common/common.cl"

// Scaled dot-product attention without the matrix of scores: softmax and sum run along together.
// query [B, L, E], key [B, S, E], value [B, S, VE].
//
// Work-items keep rows of one side, queries or keys, and go along the rows of the other, BLOCK at a
// time. With vectors a work-item keeps V rows, a lane each, and reads the other side where it lies.
// Without (V 1) a work-group keeps ROWS rows, SPLIT work-items with a slice of each, and copies the
// other side to local memory, STAGE rows at a time: to `stage`, followed by 2 · BLOCK floats per
// work-item where SPLIT is not 1.
//
// Sources: Vaswani et al., 2017; Dao et al., 2022.
#ifndef E
#define E 64
#define VE 64
#endif
#ifndef BLOCK
#define BLOCK 8
#endif
#if V == 1
#ifndef ROWS
#define ROWS 64
#define SPLIT 1
#define STAGE 32
#endif
#define THREADS (ROWS * SPLIT)
#define ITEM (int)get_group_id(0)
#define ROW_IN_ITEM ((int)get_local_id(0) % ROWS)
#define PART ((int)get_local_id(0) / ROWS)
#define OTHER __local const float
// Rows kept in registers have no loops.
#define ALONG_ROW _Pragma("unroll")
#else
#define ROWS V
#define SPLIT 1
#define STAGE BLOCK
#define ITEM (int)get_global_id(0)
#define ROW_IN_ITEM 0
#define PART 0
#define OTHER __global const float
#define ALONG_ROW _Pragma("nounroll")
#endif

// Of rows of E or VE elements: how many a work-item has, and how many all have, zeros included.
#define SLICE(width) (((width) + SPLIT - 1) / SPLIT)
#define SPAN(width) (SPLIT * SLICE(width))

// Element e of the work-item's slice of its rows of a matrix. Rows after the last repeat it; elements
// after a row's end are zero.
static inline VECTOR load_element(__global const float *x, const int row, const int last,
                                  const int width, const int e) {
  const int at = PART * SLICE(width) + e;
  float lanes[V];
#pragma unroll
  for (int lane = 0; lane < V; ++lane) {
    lanes[lane] = at < width ? x[min(row + lane, last) * width + at] : 0.0f;
  }
  return LOAD(lanes);
}

// A number per row.
static inline VECTOR load_lanes(__global const float *x, const int row, const int last) {
  float lanes[V];
#pragma unroll
  for (int lane = 0; lane < V; ++lane) lanes[lane] = x[min(row + lane, last)];
  return LOAD(lanes);
}

static inline void load_rows(VECTOR *own, __global const float *x, const int row, const int last,
                             const int width, const float factor) {
  ALONG_ROW
  for (int e = 0; e < SLICE(width); ++e) own[e] = factor * load_element(x, row, last, width, e);
}

static inline void store_rows(const VECTOR *own, __global float *x, const int row, const int last,
                              const int width, const VECTOR factor) {
  ALONG_ROW
  for (int e = 0; e < SLICE(width); ++e) {
    const int at = PART * SLICE(width) + e;
    float lanes[V];
    STORE(factor * own[e], lanes);
    for (int lane = 0; lane < V && row + lane <= last; ++lane) {
      if (at < width) x[(row + lane) * width + at] = lanes[lane];
    }
  }
}

static inline void clear(VECTOR *own, const int width) {
  ALONG_ROW
  for (int e = 0; e < SLICE(width); ++e) own[e] = 0;
}

// sums[i] = the work-item's rows · row i of the other side, over the slice.
static inline void multiply_rows(VECTOR *sums, const VECTOR *own, OTHER **rows, const int width) {
#pragma unroll
  for (int i = 0; i < BLOCK; ++i) sums[i] = 0;
  ALONG_ROW
  for (int e = 0; e < SLICE(width); ++e) {
    const VECTOR element = own[e];
#pragma unroll
    for (int i = 0; i < BLOCK; ++i) sums[i] += element * rows[i][e];
  }
}

// own = keep · own + Σ factors[i] · row i of the other side.
static inline void add_rows(VECTOR *own, const VECTOR keep, const VECTOR *factors, OTHER **rows,
                            const int width) {
  ALONG_ROW
  for (int e = 0; e < SLICE(width); ++e) {
    VECTOR sum = keep * own[e];
#pragma unroll
    for (int i = 0; i < BLOCK; ++i) sum += factors[i] * rows[i][e];
    own[e] = sum;
  }
}

#if V == 1
// Copies rows from `start` on to local memory; elements beyond either end are zero.
static inline void stage_rows(__local float *tile, __global const float *x, const int start,
                              const int count, const int width) {
  for (int item = get_local_id(0); item < STAGE * SPAN(width); item += THREADS) {
    const int row = start + item / SPAN(width), at = item % SPAN(width);
    tile[item] = row < count && at < width ? x[row * width + at] : 0.0f;
  }
}

// Adds up `count` sums over the work-items that share a row.
static inline void meet(float *sums, const int count, __local float *exchange) {
  if (SPLIT == 1) return;
  barrier(CLK_LOCAL_MEM_FENCE);
  for (int i = 0; i < count; ++i) exchange[i * THREADS + get_local_id(0)] = sums[i];
  barrier(CLK_LOCAL_MEM_FENCE);
  for (int i = 0; i < count; ++i) {
    float sum = 0;
    for (int part = 0; part < SPLIT; ++part) {
      sum += exchange[i * THREADS + part * ROWS + ROW_IN_ITEM];
    }
    sums[i] = sum;
  }
}

#define BIND_STAGE                                                          \
  __local float *wide_tile = stage, *value_tile = stage + STAGE * SPAN(E);  \
  __local float *exchange = value_tile + STAGE * SPAN(VE)
#define STAGE_ROWS(wide, value, start, count)        \
  barrier(CLK_LOCAL_MEM_FENCE);                      \
  stage_rows(wide_tile, wide, start, count, E);      \
  stage_rows(value_tile, value, start, count, VE);   \
  barrier(CLK_LOCAL_MEM_FENCE)
#define MEET(sums, count) meet(sums, count, exchange)
#define OTHER_ROW(x, tile, i, count, width) \
  (tile + ((i) - start) * SPAN(width) + PART * SLICE(width))
#else
#define BIND_STAGE
#define STAGE_ROWS(wide, value, start, count)
#define MEET(sums, count)
#define OTHER_ROW(x, tile, i, count, width) (x + min(i, (count) - 1) * width)
#endif

// For each block of the other side's rows first ..< end, of `count`: their elements in E and in VE.
#define FOR_BLOCKS(first, end, count, wide, value)                                              \
  for (int start = first; start < end; start += STAGE) {                                        \
    STAGE_ROWS(wide, value, start, count);                                                      \
    for (int at = start; at < min(start + STAGE, end); at += BLOCK) {                           \
      OTHER *wide_rows[BLOCK], *value_rows[BLOCK];                                              \
      _Pragma("unroll") for (int i = 0; i < BLOCK; ++i) {                                       \
        wide_rows[i] = OTHER_ROW(wide, wide_tile, at + i, count, E);                            \
        value_rows[i] = OTHER_ROW(value, value_tile, at + i, count, VE);                        \
      }
#define END_FOR_BLOCKS }}

// Which of `count` rows the work-item keeps: from `row` to at most `last`, of batch `b`; its group
// has those from `first_row` on.
#define PLACE(batch, count)                                       \
  const int items = ((count) + ROWS - 1) / ROWS;                  \
  if (ITEM >= (batch) * items) return;                            \
  const int b = ITEM / items, first_row = ITEM % items * ROWS;    \
  const int row = first_row + ROW_IN_ITEM, last = (count) - 1

__kernel void attention(IN(query), IN(key), IN(value), OUT(y), OUT(log_sum), const int batch,
                        const int queries, const int keys, const float scale, const int is_causal,
                        __local float *stage) {
  BIND(query);
  BIND(key);
  BIND(value);
  BIND_OUT(y);
  BIND_OUT(log_sum);
  BIND_STAGE;
  PLACE(batch, queries);
  key += b * keys * E;
  value += b * keys * VE;
  VECTOR own[SLICE(E)], output[SLICE(VE)];
  load_rows(own, query + b * queries * E, row, last, E, scale);
  clear(output, VE);
  VECTOR maximum = -INFINITY, sum = 0;
  const int end = is_causal ? min(keys, first_row + ROWS) : keys;
  // The first key that a query does not see.
  const INTEGERS limit = is_causal ? min(row + 1 + LANES, (INTEGERS)(keys)) : (INTEGERS)(keys);
  FOR_BLOCKS(0, end, keys, key, value)
    VECTOR scores[BLOCK];
    multiply_rows(scores, own, wide_rows, E);
    MEET(scores, BLOCK);
    VECTOR largest = maximum;
#pragma unroll
    for (int i = 0; i < BLOCK; ++i) {
      scores[i] = (INTEGERS)(at + i) < limit ? scores[i] : (VECTOR)(-INFINITY);
      largest = fmax(largest, scores[i]);
    }
    const VECTOR shrink = exp(maximum - largest);
    maximum = largest;
    sum *= shrink;
#pragma unroll
    for (int i = 0; i < BLOCK; ++i) {
      scores[i] = exp(scores[i] - maximum);
      sum += scores[i];
    }
    add_rows(output, shrink, scores, value_rows, VE);
  END_FOR_BLOCKS
  store_rows(output, y + b * queries * VE, row, last, VE, 1.0f / sum);
  if (PART == 0) store_part(maximum + log(sum), log_sum + b * queries + row, 0, min(V, queries - row));
}

// The gradient of the query; and dy · y per query, `inner`, for the next kernel.
__kernel void attention_backward_query(IN(dy), IN(query), IN(key), IN(value), IN(y), IN(log_sum),
                                       OUT(dquery), OUT(inner), const int batch, const int queries,
                                       const int keys, const float scale, const int is_causal,
                                       __local float *stage) {
  BIND(dy);
  BIND(query);
  BIND(key);
  BIND(value);
  BIND(y);
  BIND(log_sum);
  BIND_OUT(dquery);
  BIND_OUT(inner);
  BIND_STAGE;
  PLACE(batch, queries);
  key += b * keys * E;
  value += b * keys * VE;
  VECTOR own[SLICE(E)], own_dy[SLICE(VE)], gradient[SLICE(E)];
  load_rows(own, query + b * queries * E, row, last, E, scale);
  load_rows(own_dy, dy + b * queries * VE, row, last, VE, 1);
  clear(gradient, E);
  VECTOR product = 0;
  ALONG_ROW
  for (int e = 0; e < SLICE(VE); ++e) {
    product += own_dy[e] * load_element(y + b * queries * VE, row, last, VE, e);
  }
  MEET(&product, 1);
  if (PART == 0) store_part(product, inner + b * queries + row, 0, min(V, queries - row));
  const VECTOR shift = load_lanes(log_sum + b * queries, row, last);
  const int end = is_causal ? min(keys, first_row + ROWS) : keys;
  const INTEGERS limit = is_causal ? min(row + 1 + LANES, (INTEGERS)(keys)) : (INTEGERS)(keys);
  FOR_BLOCKS(0, end, keys, key, value)
    VECTOR sums[2 * BLOCK];
    VECTOR *scores = sums, *slopes = sums + BLOCK;
    multiply_rows(scores, own, wide_rows, E);
    multiply_rows(slopes, own_dy, value_rows, VE);
    MEET(sums, 2 * BLOCK);
#pragma unroll
    for (int i = 0; i < BLOCK; ++i) {
      const VECTOR weight = exp(scores[i] - shift);
      slopes[i] = (INTEGERS)(at + i) < limit ? weight * (slopes[i] - product) : (VECTOR)(0.0f);
    }
    add_rows(gradient, 1.0f, slopes, wide_rows, E);
  END_FOR_BLOCKS
  store_rows(gradient, dquery + b * queries * E, row, last, E, scale);
}

// The gradients of key and value.
__kernel void attention_backward_key_value(IN(dy), IN(query), IN(key), IN(value), IN(log_sum),
                                           IN(inner), OUT(dkey), OUT(dvalue), const int batch,
                                           const int queries, const int keys, const float scale,
                                           const int is_causal, __local float *stage) {
  BIND(dy);
  BIND(query);
  BIND(key);
  BIND(value);
  BIND(log_sum);
  BIND(inner);
  BIND_OUT(dkey);
  BIND_OUT(dvalue);
  BIND_STAGE;
  PLACE(batch, keys);
  query += b * queries * E;
  dy += b * queries * VE;
  log_sum += b * queries;
  inner += b * queries;
  VECTOR own[SLICE(E)], own_value[SLICE(VE)], key_gradient[SLICE(E)], value_gradient[SLICE(VE)];
  load_rows(own, key + b * keys * E, row, last, E, scale);
  load_rows(own_value, value + b * keys * VE, row, last, VE, 1);
  clear(key_gradient, E);
  clear(value_gradient, VE);
  // The first query that sees a key.
  const INTEGERS begin = is_causal ? row + LANES : (INTEGERS)(0);
  FOR_BLOCKS(is_causal ? first_row : 0, queries, queries, query, dy)
    VECTOR sums[2 * BLOCK];
    VECTOR *weights = sums, *slopes = sums + BLOCK;
    multiply_rows(weights, own, wide_rows, E);
    multiply_rows(slopes, own_value, value_rows, VE);
    MEET(sums, 2 * BLOCK);
#pragma unroll
    for (int i = 0; i < BLOCK; ++i) {
      const int l = min(at + i, queries - 1);
      const VECTOR weight = exp(weights[i] - log_sum[l]);
      const INTEGERS sees = at + i < queries ? begin <= (INTEGERS)(l) : (INTEGERS)(0);
      weights[i] = sees ? weight : (VECTOR)(0.0f);
      slopes[i] = sees ? weight * (slopes[i] - inner[l]) : (VECTOR)(0.0f);
    }
    add_rows(value_gradient, 1.0f, weights, value_rows, VE);
    add_rows(key_gradient, 1.0f, slopes, wide_rows, E);
  END_FOR_BLOCKS
  store_rows(key_gradient, dkey + b * keys * E, row, last, E, scale);
  store_rows(value_gradient, dvalue + b * keys * VE, row, last, VE, 1.0f);
}
