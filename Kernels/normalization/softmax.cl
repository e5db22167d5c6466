// Softmax along an axis: [outer, length, inner]. -DLOGARITHMIC for its logarithm.

// One work-item per row: short rows, or rows whose elements are far apart.
__kernel void softmax_items(IN(x), OUT(y), const int rows, const int length, const int inner) {
  BIND(x);
  BIND_OUT(y);
  const int row = get_global_id(0);
  if (row >= rows) return;
  const int start = row / inner * length * inner + row % inner;
  float maximum = -INFINITY;
  for (int i = 0; i < length; ++i) maximum = fmax(maximum, x[start + i * inner]);
  float sum = 0;
  for (int i = 0; i < length; ++i) sum += exp(x[start + i * inner] - maximum);
#ifdef LOGARITHMIC
  const float shift = maximum + log(sum);
  for (int i = 0; i < length; ++i) y[start + i * inner] = x[start + i * inner] - shift;
#else
  for (int i = 0; i < length; ++i) y[start + i * inner] = exp(x[start + i * inner] - maximum) / sum;
#endif
}

// One group per row of adjacent elements.
__kernel void softmax_rows(IN(x), OUT(y), const int length, __local float *scratch) {
  BIND(x);
  BIND_OUT(y);
  const int start = get_group_id(0) * length;
  float value = -INFINITY;
  for (int i = get_local_id(0); i < length; i += GROUP) value = fmax(value, x[start + i]);
  const float maximum = group_max(value, scratch);
  value = 0;
  for (int i = get_local_id(0); i < length; i += GROUP) value += exp(x[start + i] - maximum);
  const float sum = group_sum(value, scratch);
  for (int i = get_local_id(0); i < length; i += GROUP) {
#ifdef LOGARITHMIC
    y[start + i] = x[start + i] - (maximum + log(sum));
#else
    y[start + i] = exp(x[start + i] - maximum) / sum;
#endif
  }
}

__kernel void softmax_backward_items(IN(dy), IN(y), OUT(dx), const int rows, const int length,
                                     const int inner) {
  BIND(dy);
  BIND(y);
  BIND_OUT(dx);
  const int row = get_global_id(0);
  if (row >= rows) return;
  const int start = row / inner * length * inner + row % inner;
  float sum = 0;
  for (int i = 0; i < length; ++i) {
    const int at = start + i * inner;
#ifdef LOGARITHMIC
    sum += dy[at];
#else
    sum += dy[at] * y[at];
#endif
  }
  for (int i = 0; i < length; ++i) {
    const int at = start + i * inner;
#ifdef LOGARITHMIC
    dx[at] = dy[at] - exp(y[at]) * sum;
#else
    dx[at] = y[at] * (dy[at] - sum);
#endif
  }
}

__kernel void softmax_backward_rows(IN(dy), IN(y), OUT(dx), const int length,
                                    __local float *scratch) {
  BIND(dy);
  BIND(y);
  BIND_OUT(dx);
  const int start = get_group_id(0) * length;
  float value = 0;
  for (int i = get_local_id(0); i < length; i += GROUP) {
#ifdef LOGARITHMIC
    value += dy[start + i];
#else
    value += dy[start + i] * y[start + i];
#endif
  }
  const float sum = group_sum(value, scratch);
  for (int i = get_local_id(0); i < length; i += GROUP) {
#ifdef LOGARITHMIC
    dx[start + i] = dy[start + i] - exp(y[start + i]) * sum;
#else
    dx[start + i] = y[start + i] * (dy[start + i] - sum);
#endif
  }
}
