#include "../common/common.cl"

// Normalisation of each row of [R, K] by one group.

__kernel void normalize_rows(IN(x), OUT(y), OUT(mean), OUT(rstd), const int length,
                             const float epsilon, __local float *scratch) {
  BIND(x);
  BIND_OUT(y);
  BIND_OUT(mean);
  BIND_OUT(rstd);
  x += ROW * length;
  y += ROW * length;
  const int whole = length / V * V;
  VECTOR sums = 0;
  for (int i = MEMBER * V; i < whole; i += GROUP * V) sums += LOAD(x + i);
  float sum = sum_lanes(sums);
  for (int i = whole + MEMBER; i < length; i += GROUP) sum += x[i];
  const float m = group_sum(sum, scratch) / length;
  // A second pass: the difference of large squares would cancel.
  sums = 0;
  for (int i = MEMBER * V; i < whole; i += GROUP * V) {
    const VECTOR d = LOAD(x + i) - m;
    sums += d * d;
  }
  sum = sum_lanes(sums);
  for (int i = whole + MEMBER; i < length; i += GROUP) sum += (x[i] - m) * (x[i] - m);
  const float r = 1.0f / sqrt(group_sum(sum, scratch) / length + epsilon);
  for (int i = MEMBER * V; i < whole; i += GROUP * V) STORE((LOAD(x + i) - m) * r, y + i);
  for (int i = whole + MEMBER; i < length; i += GROUP) y[i] = (x[i] - m) * r;
  if (MEMBER == 0) {
    mean[ROW] = m;
    rstd[ROW] = r;
  }
}

__kernel void normalize_rows_backward(IN(dy), IN(y), IN(rstd), OUT(dx), const int length,
                                      __local float *scratch) {
  BIND(dy);
  BIND(y);
  BIND(rstd);
  BIND_OUT(dx);
  dy += ROW * length;
  y += ROW * length;
  dx += ROW * length;
  const int whole = length / V * V;
  VECTOR sums = 0, products = 0;
  for (int i = MEMBER * V; i < whole; i += GROUP * V) {
    const VECTOR d = LOAD(dy + i);
    sums += d;
    products += d * LOAD(y + i);
  }
  float sum = sum_lanes(sums), product = sum_lanes(products);
  for (int i = whole + MEMBER; i < length; i += GROUP) {
    sum += dy[i];
    product += dy[i] * y[i];
  }
  sum = group_sum(sum, scratch) / length;
  product = group_sum(product, scratch) / length;
  const float r = rstd[ROW];
  for (int i = MEMBER * V; i < whole; i += GROUP * V) {
    STORE(r * (LOAD(dy + i) - sum - LOAD(y + i) * product), dx + i);
  }
  for (int i = whole + MEMBER; i < length; i += GROUP) dx[i] = r * (dy[i] - sum - y[i] * product);
}
