#include "relu_gate.cl"

// Batch normalisation of [N, C, L]. Statistics are taken of parts of the batch and then put
// together; the rest is element by element. -DRESIDUAL adds a tensor to the result, -DRECTIFIES passes it
// through relu.

// Mean and variance of channel c over part p of the samples, at p·channels + c.
__kernel void batch_statistics(IN_ANY(x), OUT(mean), OUT(variance), const int batch,
                               const int channels, const int length, const int parts,
                               __local float *scratch) {
  BIND_ANY(x);
  BIND_OUT(mean);
  BIND_OUT(variance);
  const int share = (batch + parts - 1) / parts;
  const int begin = ROW / channels * share, end = min(batch, begin + share);
  const int count = max(0, end - begin) * length, whole = length / V * V;
  x += ROW % channels * length;
  VECTOR sums = 0;
  float sum = 0;
  for (int n = begin; n < end; ++n) {
    __global const INPUT *row = x + n * channels * length;
    for (int i = MEMBER * V; i < whole; i += GROUP * V) sums += READ(row + i);
    for (int i = whole + MEMBER; i < length; i += GROUP) sum += GET(row, i);
  }
  const float m = group_sum(sum_lanes(sums) + sum, scratch) / max(count, 1);
  // A second pass: the difference of large squares would cancel.
  sums = 0;
  sum = 0;
  for (int n = begin; n < end; ++n) {
    __global const INPUT *row = x + n * channels * length;
    for (int i = MEMBER * V; i < whole; i += GROUP * V) {
      const VECTOR d = READ(row + i) - m;
      sums += d * d;
    }
    for (int i = whole + MEMBER; i < length; i += GROUP) sum += (GET(row, i) - m) * (GET(row, i) - m);
  }
  const float v = group_sum(sum_lanes(sums) + sum, scratch) / max(count, 1);
  if (MEMBER == 0) {
    mean[ROW] = m;
    variance[ROW] = v;
  }
}

// The statistics of all parts together.
__kernel void batch_statistics_combine(IN(means), IN(variances), OUT(mean), OUT(variance),
                                       const int batch, const int channels, const int length,
                                       const int parts) {
  BIND(means);
  BIND(variances);
  BIND_OUT(mean);
  BIND_OUT(variance);
  const int c = get_global_id(0);
  if (c >= channels) return;
  const int share = (batch + parts - 1) / parts;
  const float count = (float)batch * length;
  float m = 0, v = 0;
  for (int part = 0; part < parts; ++part) {
    const float weight = (float)max(0, min(share, batch - part * share)) * length / count;
    m += weight * means[part * channels + c];
  }
  for (int part = 0; part < parts; ++part) {
    const float weight = (float)max(0, min(share, batch - part * share)) * length / count;
    const float d = means[part * channels + c] - m;
    v += weight * (variances[part * channels + c] + d * d);
  }
  mean[c] = m;
  variance[c] = v;
}

// The two sums of the gradient of channel c over part p of the samples, at p·channels + c.
__kernel void batch_norm_backward_sums(IN_ANY(dy), IN_ANY(x), IN(mean), IN(variance), IN(weight),
                                       IN(bias), OUT(dweight), OUT(dbias), const int batch,
                                       const int channels, const int length, const int parts,
                                       const float epsilon, __local float *scratch) {
  BIND_ANY(dy);
  BIND_ANY(x);
  BIND(mean);
  BIND(variance);
  BIND(weight);
  BIND(bias);
  BIND_OUT(dweight);
  BIND_OUT(dbias);
  const int channel = ROW % channels;
  const int share = (batch + parts - 1) / parts;
  const int begin = ROW / channels * share, end = min(batch, begin + share);
  const int whole = length / V * V;
  const float m = mean[channel], shift = bias[channel];
  const float scale = weight[channel] / sqrt(variance[channel] + epsilon);
  VECTOR sums = 0, products = 0;
  float sum = 0, product = 0;
  for (int n = begin; n < end; ++n) {
    const int start = (n * channels + channel) * length;
    for (int i = start + MEMBER * V; i < start + whole; i += GROUP * V) {
      const VECTOR element = READ(x + i), d = let_through(READ(dy + i), element, m, scale, shift);
      sums += d;
      products += d * (element - m);
    }
    for (int i = start + whole + MEMBER; i < start + length; i += GROUP) {
      const float d = let_one_through(GET(dy, i), GET(x, i), m, scale, shift);
      sum += d;
      product += d * (GET(x, i) - m);
    }
  }
  sum = group_sum(sum_lanes(sums) + sum, scratch);
  product = group_sum(sum_lanes(products) + product, scratch);
  if (MEMBER == 0) {
    dweight[ROW] = product / sqrt(variance[channel] + epsilon);
    dbias[ROW] = sum;
  }
}

// The element-by-element kernels: a work-item takes V elements of a sample's channel.
#define PLACE                                                              \
  const int across = (length + V - 1) / V;                                 \
  const int item = get_global_id(0);                                       \
  if (item >= rows * across) return;                                       \
  const int c = item / across % channels, column = item % across * V;      \
  const int count = min(V, length - column), at = item / across * length + column;

__kernel void batch_normalize(IN_ANY(x), IN(weight), IN(bias), IN(mean), IN(variance),
                              IN_ANY(residual), OUT_ANY(y), const int rows, const int channels,
                              const int length, const float epsilon) {
  BIND_ANY(x);
  BIND(weight);
  BIND(bias);
  BIND(mean);
  BIND(variance);
  BIND_ANY_OUT(y);
  PLACE
  const float scale = weight[c] / sqrt(variance[c] + epsilon);
  const VECTOR element = count == V ? READ(x + at) : read_part(x + at, count);
  VECTOR result = fma(element - mean[c], ALL(scale), ALL(bias[c]));
#ifdef RESIDUAL
  BIND_ANY(residual);
  result += count == V ? READ(residual + at) : read_part(residual + at, count);
#endif
#ifdef RECTIFIES
  result = result <= 0 ? ALL(0.0f) : result;
#endif
  if (count == V) WRITE(result, y + at);
  else write_part(result, y + at, 0, count);
}

__kernel void batch_norm_backward_input(IN_ANY(dy), IN_ANY(x), IN(mean), IN(variance), IN(weight),
                                        IN(bias), IN(dweight), IN(dbias), OUT_ANY(dx),
                                        const int rows, const int channels, const int length,
                                        const int samples, const float epsilon) {
  BIND_ANY(dy);
  BIND_ANY(x);
  BIND(mean);
  BIND(variance);
  BIND(weight);
  BIND(bias);
  BIND(dweight);
  BIND(dbias);
  BIND_ANY_OUT(dx);
  PLACE
  const float rstd = 1.0f / sqrt(variance[c] + epsilon);
  const VECTOR element = count == V ? READ(x + at) : read_part(x + at, count);
  const float scale = weight[c] / sqrt(variance[c] + epsilon);
  const VECTOR arriving = let_through(count == V ? READ(dy + at) : read_part(dy + at, count),
                                      element, mean[c], scale, bias[c]);
  const VECTOR normalized = (element - mean[c]) * rstd;
  const float terms = (float)samples * length;
  const VECTOR result =
      weight[c] * rstd * (arriving - (dbias[c] + normalized * dweight[c]) / terms);
  if (count == V) WRITE(result, dx + at);
  else write_part(result, dx + at, 0, count);
}

// The running statistics: keep.x·mean + keep.y·(the batch's), keep.z·variance + keep.w·(the batch's).
__kernel void running_statistics(IN(mean), IN(variance), IN(old_mean), IN(old_variance),
                                 OUT(new_mean), OUT(new_variance), const int channels,
                                 const float4 keep) {
  BIND(mean);
  BIND(variance);
  BIND(old_mean);
  BIND(old_variance);
  BIND_OUT(new_mean);
  BIND_OUT(new_variance);
  const int c = get_global_id(0);
  if (c >= channels) return;
  new_mean[c] = keep.x * old_mean[c] + keep.y * mean[c];
  new_variance[c] = keep.z * old_variance[c] + keep.w * variance[c];
}
