#include "../common/common.cl"

// Normalisation of each row of [R, K] by one team.

__kernel void normalize_rows(IN_ANY(x), OUT_ANY(y), OUT(mean), OUT(rstd), const int rows,
                             const int length, const float epsilon, __local float *scratch) {
  BIND_ANY(x);
  BIND_ANY_OUT(y);
  BIND_OUT(mean);
  BIND_OUT(rstd);
  const int row = min(ROW, rows - 1);
  x += row * length;
  y += row * length;
  const int own = OWN_LENGTH, whole = IN_VECTORS(own);
  VECTOR sums = 0;
  for (int i = MEMBER * V; i < whole; i += GROUP * V) sums += READ(x + i);
  float sum = sum_lanes(sums);
  for (int i = whole + MEMBER; i < own; i += GROUP) sum += GET(x, i);
  const float m = group_sum(sum, scratch) / length;
  // A second pass: the difference of large squares would cancel.
  sums = 0;
  for (int i = MEMBER * V; i < whole; i += GROUP * V) {
    const VECTOR d = READ(x + i) - m;
    sums += d * d;
  }
  sum = sum_lanes(sums);
  for (int i = whole + MEMBER; i < own; i += GROUP) sum += (GET(x, i) - m) * (GET(x, i) - m);
  const float r = 1.0f / sqrt(group_sum(sum, scratch) / length + epsilon);
  if (ROW >= rows) return;
  for (int i = MEMBER * V; i < whole; i += GROUP * V) WRITE((READ(x + i) - m) * r, y + i);
  for (int i = whole + MEMBER; i < own; i += GROUP) PUT((GET(x, i) - m) * r, y, i);
  if (MEMBER == 0) {
    mean[row] = m;
    rstd[row] = r;
  }
}

__kernel void normalize_rows_backward(IN_ANY(dy), IN_ANY(y), IN(rstd), OUT_ANY(dx), const int rows,
                                      const int length, __local float *scratch) {
  BIND_ANY(dy);
  BIND_ANY(y);
  BIND(rstd);
  BIND_ANY_OUT(dx);
  const int row = min(ROW, rows - 1);
  dy += row * length;
  y += row * length;
  dx += row * length;
  const int own = OWN_LENGTH, whole = IN_VECTORS(own);
  VECTOR sums = 0, products = 0;
  for (int i = MEMBER * V; i < whole; i += GROUP * V) {
    const VECTOR d = READ(dy + i);
    sums += d;
    products += d * READ(y + i);
  }
  float sum = sum_lanes(sums), product = sum_lanes(products);
  for (int i = whole + MEMBER; i < own; i += GROUP) {
    sum += GET(dy, i);
    product += GET(dy, i) * GET(y, i);
  }
  sum = group_sum(sum, scratch) / length;
  product = group_sum(product, scratch) / length;
  if (ROW >= rows) return;
  const float r = rstd[row];
  for (int i = MEMBER * V; i < whole; i += GROUP * V) {
    WRITE(r * (READ(dy + i) - sum - READ(y + i) * product), dx + i);
  }
  for (int i = whole + MEMBER; i < own; i += GROUP) PUT(r * (GET(dy, i) - sum - GET(y, i) * product), dx, i);
}
