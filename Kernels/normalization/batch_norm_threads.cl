#include "relu_gate.cl"

// Batch normalisation of [N, C, L] on devices of many threads. A group has a part of a channel's elements.
// Sums of the parts are taken by one launch and put together by every group of the next, each for its own
// channel; with -DONE_PART a group has the whole channel, and one launch does it all. -DRESIDUAL adds a
// tensor to the result, -DRECTIFIES passes it through relu, -DRUNNING keeps the running statistics. With
// -DGIVEN mean and variance of a channel are known, and only y is written.
//
// A channel's elements are counted through all samples, in vectors of V neighbours: neighbouring
// work-items take neighbouring vectors also where L is short. A part is a share of them.

// The vectors whose loads are under way at once.
#define ROUNDS 4

// Where vector i of a channel stands, behind its first.
#define PLACE(i) ((i) * V + divided(i, vectors) * skip)

// The part of a channel that a group has, as vectors first ..< end.
#define PART                                                                   \
  const int channel = ROW % channels, part = ROW / channels;                   \
  const int total = batch * vectors.s0, share = (total + parts - 1) / parts;   \
  const int first = part * share, end = min(total, first + share);             \
  const int skip = (channels - 1) * vectors.s0 * V, start = channel * vectors.s0 * V

// The parts whose sums a work-item puts together, and what comes of them all. Few parts (-DFEW_PARTS) every
// work-item takes for itself: they are read once for all, and nobody waits.
#ifdef FEW_PARTS
#define EACH_PART(p) (int p = 0; p < parts; ++p)
#define OF_ALL_PARTS(value) (value)
#else
#define EACH_PART(p) (int p = MEMBER; p < parts; p += GROUP)
#define OF_ALL_PARTS(value) group_sum(value, scratch)
#endif

// How much of a channel a part is.
#define WEIGHT(part) ((float)max(0, min(share, total - (part) * share)) / total)

// Mean and variance of the vectors first ..< end of a channel that starts at x. `vectors` divides by L / V.
//
// The difference of large squares would cancel: every work-item takes its first element off, and
// means are put together as distances from the part's first element.
static inline float2 moments(__global const INPUT *x, uint4 vectors, int skip, int first, int end,
                             __local float *scratch) {
  const int own = first + MEMBER;
  const float base = first < end ? GET(x, PLACE(first)) : 0.0f;
  const float shift = own < end ? GET(x, PLACE(own)) : 0.0f;
  VECTOR sums = 0, squares = 0;
  int i = own;
  for (; i + (ROUNDS - 1) * GROUP < end; i += ROUNDS * GROUP) {
    VECTOR values[ROUNDS];
#pragma unroll
    for (int r = 0; r < ROUNDS; ++r) values[r] = READ(x + PLACE(i + r * GROUP));
#pragma unroll
    for (int r = 0; r < ROUNDS; ++r) {
      const VECTOR d = values[r] - shift;
      sums += d;
      squares += d * d;
    }
  }
  for (; i < end; i += GROUP) {
    const VECTOR d = READ(x + PLACE(i)) - shift;
    sums += d;
    squares += d * d;
  }
  const float count = own < end ? ((end - 1 - own) / GROUP + 1) * V : 0;
  const float sum = sum_lanes(sums), terms = max(end - first, 0) * V;
  const float away = shift - base + (count > 0 ? sum / count : 0.0f);
  const float m = group_sum(count * away, scratch) / fmax(terms, 1.0f);
  const float rest = count > 0 ? sum_lanes(squares) - sum * (sum / count) : 0.0f;
  const float v = group_sum(rest + count * (away - m) * (away - m), scratch) / fmax(terms, 1.0f);
  return (float2)(base + m, fmax(v, 0.0f));
}

// Mean and variance of a part of channel c, at part·channels + c.
__kernel void batch_moments(IN_ANY(x), OUT(mean), OUT(variance), const int batch,
                            const int channels, DIVISOR(vectors), const int parts,
                            __local float *scratch) {
  BIND_ANY(x);
  BIND_OUT(mean);
  BIND_OUT(variance);
  PART;
  const float2 own = moments(x + start, vectors, skip, first, end, scratch);
  if (MEMBER == 0) {
    mean[ROW] = own.x;
    variance[ROW] = own.y;
  }
}

// y = (x - mean)·weight / sqrt(variance + epsilon) + bias. The running statistics are
// keep.x·mean + keep.y·(the batch's), keep.z·variance + keep.w·(the batch's).
__kernel void batch_norm_apply(IN_ANY(x), IN(means), IN(variances), IN(weight), IN(bias),
                               IN_ANY(residual), IN(old_mean), IN(old_variance), OUT_ANY(y),
                               OUT(mean), OUT(variance), OUT(new_mean), OUT(new_variance),
                               const int batch, const int channels, DIVISOR(vectors),
                               const int parts, const float epsilon, const float4 keep,
                               __local float *scratch) {
  BIND_ANY(x);
  BIND(weight);
  BIND(bias);
  BIND_ANY_OUT(y);
  BIND_OUT(mean);
  BIND_OUT(variance);
  PART;
  x += start;
  y += start;
#if defined(GIVEN)
  BIND(means);
  BIND(variances);
  const float m = means[channel], v = variances[channel];
#elif defined(ONE_PART)
  const float2 all = moments(x, vectors, skip, first, end, scratch);
  const float m = all.x, v = all.y;
#else
  BIND(means);
  BIND(variances);
  const float base = means[channel];
  float away = 0, rest = 0;
  for EACH_PART(p) away += WEIGHT(p) * (means[p * channels + channel] - base);
  away = OF_ALL_PARTS(away);
  for EACH_PART(p) {
    const float d = means[p * channels + channel] - base - away;
    rest += WEIGHT(p) * (variances[p * channels + channel] + d * d);
  }
  const float m = base + away, v = OF_ALL_PARTS(rest);
#endif
#ifndef GIVEN
  if (part == 0 && MEMBER == 0) {
    mean[channel] = m;
    variance[channel] = v;
#ifdef RUNNING
    BIND(old_mean);
    BIND(old_variance);
    BIND_OUT(new_mean);
    BIND_OUT(new_variance);
    new_mean[channel] = keep.x * old_mean[channel] + keep.y * m;
    new_variance[channel] = keep.z * old_variance[channel] + keep.w * v;
#endif
  }
#endif
  const float scale = weight[channel] * (1.0f / sqrt(v + epsilon)), shift = bias[channel];
#ifdef RESIDUAL
  BIND_ANY(residual);
  residual += start;
#define ADDED(value, at) ((value) + READ(residual + (at)))
#else
#define ADDED(value, at) (value)
#endif
#ifdef RECTIFIES
#define RECTIFIED(value) ((value) <= 0 ? ALL(0.0f) : (value))
#else
#define RECTIFIED(value) (value)
#endif
#define APPLY(value, at)                                                               \
  {                                                                                    \
    const VECTOR sum = ADDED(fma((value) - m, ALL(scale), ALL(shift)), at);            \
    WRITE(RECTIFIED(sum), y + (at));                                                   \
  }
  int i = first + MEMBER;
  for (; i + (ROUNDS - 1) * GROUP < end; i += ROUNDS * GROUP) {
    VECTOR values[ROUNDS];
#pragma unroll
    for (int r = 0; r < ROUNDS; ++r) values[r] = READ(x + PLACE(i + r * GROUP));
#pragma unroll
    for (int r = 0; r < ROUNDS; ++r) APPLY(values[r], PLACE(i + r * GROUP));
  }
  for (; i < end; i += GROUP) APPLY(READ(x + PLACE(i)), PLACE(i));
}

// The sums of dy and of dy·(x - mean) over the vectors first ..< end of a channel.
static inline float2 gradient_sums(__global const INPUT *dy, __global const INPUT *x, uint4 vectors,
                                   int skip, int first, int end, float mean, float scale,
                                   float shift, __local float *scratch) {
  VECTOR sums = 0, products = 0;
  int i = first + MEMBER;
  for (; i + GROUP < end; i += 2 * GROUP) {
    const int here = PLACE(i), next = PLACE(i + GROUP);
    const VECTOR a = READ(x + here), b = READ(x + next);
    const VECTOR d = READ(dy + here), e = READ(dy + next);
    const VECTOR p = let_through(d, a, mean, scale, shift), q = let_through(e, b, mean, scale, shift);
    sums += p;
    products += p * (a - mean);
    sums += q;
    products += q * (b - mean);
  }
  for (; i < end; i += GROUP) {
    const int here = PLACE(i);
    const VECTOR a = READ(x + here), d = let_through(READ(dy + here), a, mean, scale, shift);
    sums += d;
    products += d * (a - mean);
  }
  const float s = group_sum(sum_lanes(sums), scratch), p = group_sum(sum_lanes(products), scratch);
  return (float2)(s, p);
}

// What all elements of a channel share.
#define CHANNEL                                                            \
  const float m = mean[channel], rstd = 1.0f / sqrt(variance[channel] + epsilon); \
  const float scale = weight[channel] * rstd, shift = bias[channel]

// These sums of a part of channel c, at part·channels + c.
__kernel void batch_norm_backward_moments(IN_ANY(dy), IN_ANY(x), IN(mean), IN(variance), IN(weight),
                                          IN(bias), OUT(sum), OUT(product), const int batch,
                                          const int channels, DIVISOR(vectors), const int parts,
                                          const float epsilon, __local float *scratch) {
  BIND_ANY(dy);
  BIND_ANY(x);
  BIND(mean);
  BIND(variance);
  BIND(weight);
  BIND(bias);
  BIND_OUT(sum);
  BIND_OUT(product);
  PART;
  CHANNEL;
  const float2 own =
      gradient_sums(dy + start, x + start, vectors, skip, first, end, m, scale, shift, scratch);
  if (MEMBER == 0) {
    sum[ROW] = own.x;
    product[ROW] = own.y;
  }
}

// The gradients of weight and bias, and dx = scale·(dy - mean(dy) - (x - mean)·rstd²·mean(dy·(x - mean))).
__kernel void batch_norm_backward_apply(IN_ANY(dy), IN_ANY(x), IN(mean), IN(variance), IN(weight),
                                        IN(bias), IN(sums), IN(products), OUT_ANY(dx), OUT(dweight),
                                        OUT(dbias), const int batch, const int channels,
                                        DIVISOR(vectors), const int parts, const float epsilon,
                                        __local float *scratch) {
  BIND_ANY(dy);
  BIND_ANY(x);
  BIND(mean);
  BIND(variance);
  BIND(weight);
  BIND(bias);
  BIND_ANY_OUT(dx);
  BIND_OUT(dweight);
  BIND_OUT(dbias);
  PART;
  CHANNEL;
  dy += start;
  x += start;
  dx += start;
#ifdef ONE_PART
  const float2 all = gradient_sums(dy, x, vectors, skip, first, end, m, scale, shift, scratch);
  const float sum = all.x, product = all.y;
#else
  BIND(sums);
  BIND(products);
  float s = 0, p = 0;
  for EACH_PART(i) {
    s += sums[i * channels + channel];
    p += products[i * channels + channel];
  }
  const float sum = OF_ALL_PARTS(s), product = OF_ALL_PARTS(p);
#endif
  const float terms = (float)total * V, slope = product * rstd;
  if (part == 0 && MEMBER == 0) {
    dbias[channel] = sum;
    dweight[channel] = slope;
  }
  const float average = sum / terms, tilt = rstd * slope / terms;
#define APPLY_BACKWARD(arriving, element, at)                                          \
  {                                                                                    \
    const VECTOR through = let_through(arriving, element, m, scale, shift);            \
    WRITE(scale * (through - average - ((element) - m) * tilt), dx + (at));            \
  }
  int i = first + MEMBER;
  for (; i + GROUP < end; i += 2 * GROUP) {
    const int here = PLACE(i), next = PLACE(i + GROUP);
    const VECTOR a = READ(x + here), b = READ(x + next);
    const VECTOR d = READ(dy + here), e = READ(dy + next);
    APPLY_BACKWARD(d, a, here);
    APPLY_BACKWARD(e, b, next);
  }
  for (; i < end; i += GROUP) {
    const int here = PLACE(i);
    const VECTOR a = READ(x + here), d = READ(dy + here);
    APPLY_BACKWARD(d, a, here);
  }
}
