#include "../common/common.cl"

// Scaled dot-product attention without the matrix of scores: softmax and sum run along together.
// query [B, L, E], key [B, S, E], value [B, S, VE]. -DE and -DVE are the sizes of a row.
//
// Sources: Vaswani et al., 2017; Dao et al., 2022.
#ifndef E
#define E 64
#define VE 64
#endif

static inline float dot_rows(__global const float *a, __global const float *b, int count) {
  float sum = 0;
  for (int i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

// One work-item per query row.
__kernel void attention(IN(query), IN(key), IN(value), OUT(y), OUT(log_sum), const int batch,
                        const int queries, const int keys, const float scale, const int is_causal) {
  BIND(query);
  BIND(key);
  BIND(value);
  BIND_OUT(y);
  BIND_OUT(log_sum);
  const int row = get_global_id(0);
  if (row >= batch * queries) return;
  const int b = row / queries;
  const int end = is_causal ? min(keys, row % queries + 1) : keys;
  float maximum = -INFINITY, sum = 0, output[VE];
  for (int j = 0; j < VE; ++j) output[j] = 0;
  for (int s = 0; s < end; ++s) {
    const float score = scale * dot_rows(query + row * E, key + (b * keys + s) * E, E);
    const float larger = fmax(maximum, score);
    const float shrink = exp(maximum - larger), weight = exp(score - larger);
    __global const float *v = value + (b * keys + s) * VE;
    for (int j = 0; j < VE; ++j) output[j] = output[j] * shrink + weight * v[j];
    sum = sum * shrink + weight;
    maximum = larger;
  }
  for (int j = 0; j < VE; ++j) y[row * VE + j] = output[j] / sum;
  log_sum[row] = maximum + log(sum);
}

// d query: one work-item per query row.
__kernel void attention_backward_query(IN(dy), IN(query), IN(key), IN(value), IN(y), IN(log_sum),
                                       OUT(dquery), const int batch, const int queries,
                                       const int keys, const float scale, const int is_causal) {
  BIND(dy);
  BIND(query);
  BIND(key);
  BIND(value);
  BIND(y);
  BIND(log_sum);
  BIND_OUT(dquery);
  const int row = get_global_id(0);
  if (row >= batch * queries) return;
  const int b = row / queries;
  const int end = is_causal ? min(keys, row % queries + 1) : keys;
  const float inner = dot_rows(dy + row * VE, y + row * VE, VE);
  float gradient[E];
  for (int j = 0; j < E; ++j) gradient[j] = 0;
  for (int s = 0; s < end; ++s) {
    __global const float *k = key + (b * keys + s) * E;
    const float weight = exp(scale * dot_rows(query + row * E, k, E) - log_sum[row]);
    const float dscore =
        weight * (dot_rows(dy + row * VE, value + (b * keys + s) * VE, VE) - inner);
    for (int j = 0; j < E; ++j) gradient[j] += dscore * k[j];
  }
  for (int j = 0; j < E; ++j) dquery[row * E + j] = scale * gradient[j];
}

// d key and d value: one work-item per key row.
__kernel void attention_backward_key_value(IN(dy), IN(query), IN(key), IN(value), IN(y), IN(log_sum),
                                           OUT(dkey), OUT(dvalue), const int batch,
                                           const int queries, const int keys, const float scale,
                                           const int is_causal) {
  BIND(dy);
  BIND(query);
  BIND(key);
  BIND(value);
  BIND(y);
  BIND(log_sum);
  BIND_OUT(dkey);
  BIND_OUT(dvalue);
  const int row = get_global_id(0);
  if (row >= batch * keys) return;
  const int b = row / keys;
  float dk[E], dv[VE];
  for (int j = 0; j < E; ++j) dk[j] = 0;
  for (int j = 0; j < VE; ++j) dv[j] = 0;
  for (int l = is_causal ? row % keys : 0; l < queries; ++l) {
    const int at = b * queries + l;
    __global const float *q = query + at * E;
    __global const float *d = dy + at * VE;
    const float weight = exp(scale * dot_rows(q, key + row * E, E) - log_sum[at]);
    const float inner = dot_rows(d, y + at * VE, VE);
    const float dscore = weight * (dot_rows(d, value + row * VE, VE) - inner);
    for (int j = 0; j < VE; ++j) dv[j] += weight * d[j];
    for (int j = 0; j < E; ++j) dk[j] += dscore * q[j];
  }
  for (int j = 0; j < E; ++j) dkey[row * E + j] = scale * dk[j];
  for (int j = 0; j < VE; ++j) dvalue[row * VE + j] = dv[j];
}
