// Normalisation of each row of [R, K] by one group.

__kernel void normalize_rows(IN(x), OUT(y), OUT(mean), OUT(rstd), const int length,
                             const float epsilon, __local float *scratch) {
  BIND(x);
  BIND_OUT(y);
  BIND_OUT(mean);
  BIND_OUT(rstd);
  const int row = get_group_id(0);
  const int start = row * length;
  float sum = 0;
  for (int i = get_local_id(0); i < length; i += GROUP) sum += x[start + i];
  const float m = group_sum(sum, scratch) / length;
  sum = 0;
  for (int i = get_local_id(0); i < length; i += GROUP) {
    const float d = x[start + i] - m;
    sum += d * d;
  }
  const float r = 1.0f / sqrt(group_sum(sum, scratch) / length + epsilon);
  for (int i = get_local_id(0); i < length; i += GROUP) y[start + i] = (x[start + i] - m) * r;
  if (get_local_id(0) == 0) {
    mean[row] = m;
    rstd[row] = r;
  }
}

__kernel void normalize_rows_backward(IN(dy), IN(y), IN(rstd), OUT(dx), const int length,
                                      __local float *scratch) {
  BIND(dy);
  BIND(y);
  BIND(rstd);
  BIND_OUT(dx);
  const int row = get_group_id(0);
  const int start = row * length;
  float sum = 0, products = 0;
  for (int i = get_local_id(0); i < length; i += GROUP) {
    sum += dy[start + i];
    products += dy[start + i] * y[start + i];
  }
  sum = group_sum(sum, scratch) / length;
  products = group_sum(products, scratch) / length;
  for (int i = get_local_id(0); i < length; i += GROUP) {
    dx[start + i] = rstd[row] * (dy[start + i] - sum - y[start + i] * products);
  }
}
