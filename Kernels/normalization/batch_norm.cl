// Batch normalisation of [N, C, L]: one group per channel gathers, then every element is mapped.

__kernel void batch_statistics(IN(x), OUT(mean), OUT(variance), const int batch, const int channels,
                               const int length, __local float *scratch) {
  BIND(x);
  BIND_OUT(mean);
  BIND_OUT(variance);
  const int channel = get_group_id(0);
  const int count = batch * length;
  float sum = 0;
  for (int i = get_local_id(0); i < count; i += GROUP) {
    sum += x[((i / length) * channels + channel) * length + i % length];
  }
  const float m = group_sum(sum, scratch) / count;
  // A second pass: the difference of large squares would cancel.
  sum = 0;
  for (int i = get_local_id(0); i < count; i += GROUP) {
    const float d = x[((i / length) * channels + channel) * length + i % length] - m;
    sum += d * d;
  }
  const float v = group_sum(sum, scratch) / count;
  if (get_local_id(0) == 0) {
    mean[channel] = m;
    variance[channel] = v;
  }
}

__kernel void batch_normalize(IN(x), IN(weight), IN(bias), IN(mean), IN(variance), OUT(y),
                              const int n, const int channels, const int length,
                              const float epsilon) {
  BIND(x);
  BIND(weight);
  BIND(bias);
  BIND(mean);
  BIND(variance);
  BIND_OUT(y);
  const int i = get_global_id(0);
  if (i >= n) return;
  const int c = i / length % channels;
  y[i] = (x[i] - mean[c]) / sqrt(variance[c] + epsilon) * weight[c] + bias[c];
}

__kernel void batch_norm_backward_sums(IN(dy), IN(x), IN(mean), IN(variance), OUT(dweight),
                                       OUT(dbias), const int batch, const int channels,
                                       const int length, const float epsilon,
                                       __local float *scratch) {
  BIND(dy);
  BIND(x);
  BIND(mean);
  BIND(variance);
  BIND_OUT(dweight);
  BIND_OUT(dbias);
  const int channel = get_group_id(0);
  const int count = batch * length;
  const float m = mean[channel];
  float products = 0, sum = 0;
  for (int i = get_local_id(0); i < count; i += GROUP) {
    const int at = ((i / length) * channels + channel) * length + i % length;
    products += dy[at] * (x[at] - m);
    sum += dy[at];
  }
  products = group_sum(products, scratch) / sqrt(variance[channel] + epsilon);
  sum = group_sum(sum, scratch);
  if (get_local_id(0) == 0) {
    dweight[channel] = products;
    dbias[channel] = sum;
  }
}

__kernel void batch_norm_backward_input(IN(dy), IN(x), IN(mean), IN(variance), IN(weight),
                                        IN(dweight), IN(dbias), OUT(dx), const int n,
                                        const int channels, const int length, const int count,
                                        const float epsilon) {
  BIND(dy);
  BIND(x);
  BIND(mean);
  BIND(variance);
  BIND(weight);
  BIND(dweight);
  BIND(dbias);
  BIND_OUT(dx);
  const int i = get_global_id(0);
  if (i >= n) return;
  const int c = i / length % channels;
  const float rstd = 1.0f / sqrt(variance[c] + epsilon);
  const float normalized = (x[i] - mean[c]) * rstd;
  dx[i] = weight[c] * rstd * (dy[i] - (dbias[c] + normalized * dweight[c]) / count);
}
