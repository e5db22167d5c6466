#include "../common/common.cl"

// Scaled dot-product attention without the matrix of scores: softmax and sum run along together.
// query [B, L, E], key [B, S, E], value [B, S, VE].
//
// For devices whose cores have wide vectors: a work-item keeps V rows of one side, queries or keys, a
// lane each, and goes along the rows of the other where they lie, BLOCK at a time.
//
// Sources: Vaswani et al., 2017; Dao et al., 2022.
#ifndef E
#define E 64
#define VE 64
#endif
#ifndef BLOCK
#define BLOCK 8
#endif
// Rows of numbers have loops: unrolled they would be too long for a compiler.
#define ALONG_ROW _Pragma("nounroll")

// Element e of the work-item's rows of a matrix. Rows after the last repeat it.
static inline VECTOR load_element(__global const INPUT *x, const int row, const int last,
                                  const int width, const int e) {
  float lanes[V];
#pragma unroll
  for (int lane = 0; lane < V; ++lane) lanes[lane] = GET(x, min(row + lane, last) * width + e);
  return LOAD(lanes);
}

// A number per row.
static inline VECTOR load_lanes(__global const float *x, const int row, const int last) {
  float lanes[V];
#pragma unroll
  for (int lane = 0; lane < V; ++lane) lanes[lane] = x[min(row + lane, last)];
  return LOAD(lanes);
}

static inline void load_rows(VECTOR *own, __global const INPUT *x, const int row, const int last,
                             const int width, const float factor) {
  ALONG_ROW
  for (int e = 0; e < width; ++e) own[e] = factor * load_element(x, row, last, width, e);
}

static inline void store_rows(const VECTOR *own, __global OUTPUT *x, const int row, const int last,
                              const int width, const VECTOR factor) {
  ALONG_ROW
  for (int e = 0; e < width; ++e) {
    float lanes[V];
    STORE(factor * own[e], lanes);
    for (int lane = 0; lane < V && row + lane <= last; ++lane) {
      PUT(lanes[lane], x, (row + lane) * width + e);
    }
  }
}

static inline void clear(VECTOR *own, const int width) {
  ALONG_ROW
  for (int e = 0; e < width; ++e) own[e] = 0;
}

// sums[i] = the work-item's rows · row i of the other side.
static inline void multiply_rows(VECTOR *sums, const VECTOR *own, __global const INPUT **rows,
                                 const int width) {
#pragma unroll
  for (int i = 0; i < BLOCK; ++i) sums[i] = 0;
  ALONG_ROW
  for (int e = 0; e < width; ++e) {
    const VECTOR element = own[e];
#pragma unroll
    for (int i = 0; i < BLOCK; ++i) sums[i] += element * GET(rows[i], e);
  }
}

// own = keep · own + Σ factors[i] · row i of the other side.
static inline void add_rows(VECTOR *own, const VECTOR keep, const VECTOR *factors,
                            __global const INPUT **rows, const int width) {
  ALONG_ROW
  for (int e = 0; e < width; ++e) {
    VECTOR sum = keep * own[e];
#pragma unroll
    for (int i = 0; i < BLOCK; ++i) sum += factors[i] * GET(rows[i], e);
    own[e] = sum;
  }
}

// For each block of the other side's rows first ..< end, of `count`: their elements in E and in VE.
#define FOR_BLOCKS(first, end, count, wide, value)                                        \
  for (int at = first; at < end; at += BLOCK) {                                           \
    __global const INPUT *wide_rows[BLOCK], *value_rows[BLOCK];                           \
    _Pragma("unroll") for (int i = 0; i < BLOCK; ++i) {                                   \
      wide_rows[i] = wide + min(at + i, (count) - 1) * E;                                 \
      value_rows[i] = value + min(at + i, (count) - 1) * VE;                              \
    }
#define END_FOR_BLOCKS }

// Which of `count` rows the work-item keeps: from `row` to at most `last`, of batch `b`.
#define PLACE(batch, count)                                             \
  const int items = ((count) + V - 1) / V, item = get_global_id(0);     \
  if (item >= (batch) * items) return;                                  \
  const int b = item / items, row = item % items * V, last = (count) - 1

__kernel void attention(IN_ANY(query), IN_ANY(key), IN_ANY(value), OUT_ANY(y), OUT(log_sum),
                        const int batch, const int queries, const int keys, const float scale,
                        const int is_causal) {
  BIND_ANY(query);
  BIND_ANY(key);
  BIND_ANY(value);
  BIND_ANY_OUT(y);
  BIND_OUT(log_sum);
  PLACE(batch, queries);
  key += b * keys * E;
  value += b * keys * VE;
  VECTOR own[E], output[VE];
  load_rows(own, query + b * queries * E, row, last, E, scale);
  clear(output, VE);
  VECTOR maximum = -INFINITY, sum = 0;
  const int end = is_causal ? min(keys, row + V) : keys;
  // The first key that a query does not see.
  const INTEGERS limit = is_causal ? min(row + 1 + LANES, (INTEGERS)(keys)) : (INTEGERS)(keys);
  FOR_BLOCKS(0, end, keys, key, value)
    VECTOR scores[BLOCK];
    multiply_rows(scores, own, wide_rows, E);
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
  store_part(maximum + log(sum), log_sum + b * queries + row, 0, min(V, queries - row));
}

// The gradient of the query; and dy · y per query, `inner`, for the next kernel.
__kernel void attention_backward_query(IN_ANY(dy), IN_ANY(query), IN_ANY(key), IN_ANY(value),
                                       IN_ANY(y), IN(log_sum), OUT_ANY(dquery), OUT(inner),
                                       const int batch, const int queries, const int keys,
                                       const float scale, const int is_causal) {
  BIND_ANY(dy);
  BIND_ANY(query);
  BIND_ANY(key);
  BIND_ANY(value);
  BIND_ANY(y);
  BIND(log_sum);
  BIND_ANY_OUT(dquery);
  BIND_OUT(inner);
  PLACE(batch, queries);
  key += b * keys * E;
  value += b * keys * VE;
  VECTOR own[E], own_dy[VE], gradient[E];
  load_rows(own, query + b * queries * E, row, last, E, scale);
  load_rows(own_dy, dy + b * queries * VE, row, last, VE, 1);
  clear(gradient, E);
  VECTOR product = 0;
  ALONG_ROW
  for (int e = 0; e < VE; ++e) {
    product += own_dy[e] * load_element(y + b * queries * VE, row, last, VE, e);
  }
  store_part(product, inner + b * queries + row, 0, min(V, queries - row));
  const VECTOR shift = load_lanes(log_sum + b * queries, row, last);
  const int end = is_causal ? min(keys, row + V) : keys;
  const INTEGERS limit = is_causal ? min(row + 1 + LANES, (INTEGERS)(keys)) : (INTEGERS)(keys);
  FOR_BLOCKS(0, end, keys, key, value)
    VECTOR sums[2 * BLOCK];
    VECTOR *scores = sums, *slopes = sums + BLOCK;
    multiply_rows(scores, own, wide_rows, E);
    multiply_rows(slopes, own_dy, value_rows, VE);
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
__kernel void attention_backward_key_value(IN_ANY(dy), IN_ANY(query), IN_ANY(key), IN_ANY(value),
                                           IN(log_sum), IN(inner), OUT_ANY(dkey), OUT_ANY(dvalue),
                                           const int batch, const int queries, const int keys,
                                           const float scale, const int is_causal) {
  BIND_ANY(dy);
  BIND_ANY(query);
  BIND_ANY(key);
  BIND_ANY(value);
  BIND(log_sum);
  BIND(inner);
  BIND_ANY_OUT(dkey);
  BIND_ANY_OUT(dvalue);
  PLACE(batch, keys);
  query += b * queries * E;
  dy += b * queries * VE;
  log_sum += b * queries;
  inner += b * queries;
  VECTOR own[E], own_value[VE], key_gradient[E], value_gradient[VE];
  load_rows(own, key + b * keys * E, row, last, E, scale);
  load_rows(own_value, value + b * keys * VE, row, last, VE, 1);
  clear(key_gradient, E);
  clear(value_gradient, VE);
  // The first query that sees a key.
  const INTEGERS begin = is_causal ? row + LANES : (INTEGERS)(0);
  FOR_BLOCKS(is_causal ? row : 0, queries, queries, query, dy)
    VECTOR sums[2 * BLOCK];
    VECTOR *weights = sums, *slopes = sums + BLOCK;
    multiply_rows(weights, own, wide_rows, E);
    multiply_rows(slopes, own_value, value_rows, VE);
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
