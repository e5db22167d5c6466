#include "class_terms.cl"

// Negative log-likelihood: log-probabilities [N, C, L], target [N, L], weight [C]. `inner` divides by L.

// The work-items that share a sample, where a sum over all classes is long: a part of GROUP.
#ifndef SHARING
#define SHARING GROUP
#endif

// What work-item `own` of those that share sample i adds to its loss before reduction, and through
// `mass` to the divisor.
static inline float sample_loss(__global const float *x, __global const int *target,
                                __global const float *weight, int has_weight, int i, int own,
                                int classes, uint4 inner, int ignored, float smoothing,
                                float *mass) {
  const int label = target[i], step = inner.s0, n = divided(i, inner);
  x += (n * (classes - 1)) * step + i;
  *mass = 0;
  if (label == ignored) return 0;
  if (label < 0 || label >= classes) return NAN;
  float loss = 0;
  if (own == 0) {
    *mass = class_weight(weight, has_weight, label);
    loss = -(1.0f - smoothing) * class_term(weight, has_weight, label, x[label * step]);
  }
  if (smoothing > 0) {
    float sum = 0;
    for (int c = own; c < classes; c += SHARING) {
      sum += class_term(weight, has_weight, c, x[c * step]);
    }
    loss -= smoothing / classes * sum;
  }
  return loss;
}

// A team has a sample.
__kernel void nll_loss_none(IN(x), IN_INT(target), IN(weight), OUT(y), const int samples,
                            const int classes, DIVISOR(inner), const int ignored,
                            const float smoothing, const int has_weight, __local float *scratch) {
  BIND(x);
  BIND_INT(target);
  BIND(weight);
  BIND_OUT(y);
  const int i = ROW;
  float mass, loss = 0;
  if (i < samples) {
    loss = sample_loss(x, target, weight, has_weight, i, MEMBER, classes, inner, ignored,
                       smoothing, &mass);
  }
  loss = group_sum(loss, scratch);
  if (MEMBER == 0 && i < samples) y[i] = loss;
}

// A loss put together from its sums: mean divides by the weights of those that count, and is 0 of
// nothing.
static inline void store_loss(__global float *y, __global float *total, float loss, float masses,
                              int is_mean, int is_reduced) {
  if (is_reduced) y[0] = is_mean ? loss / (masses == 0 ? 1.0f : masses) : loss;
  total[0] = masses;
}

// A group sums its part of the samples: with one part the loss, else two numbers for each.
__kernel void nll_loss_reduced(IN(x), IN_INT(target), IN(weight), OUT(y), OUT(total), OUT(sums),
                               const int parts, const int samples, const int classes,
                               DIVISOR(inner), const int ignored, const float smoothing,
                               const int has_weight, const int is_mean, const int is_reduced,
                               __local float *scratch) {
  BIND(x);
  BIND_INT(target);
  BIND(weight);
  BIND_OUT(y);
  BIND_OUT(total);
  BIND_OUT(sums);
  float loss = 0, masses = 0;
  const int at_once = GROUP / SHARING;
  for (int i = ROW * at_once + MEMBER / SHARING; i < samples; i += parts * at_once) {
    float mass;
    loss += sample_loss(x, target, weight, has_weight, i, MEMBER % SHARING, classes, inner,
                        ignored, smoothing, &mass);
    masses += mass;
  }
  loss = group_sum(loss, scratch);
  masses = group_sum(masses, scratch);
  if (MEMBER > 0) return;
  if (parts == 1) {
    store_loss(y, total, loss, masses, is_mean, is_reduced);
  } else {
    sums[2 * ROW] = loss;
    sums[2 * ROW + 1] = masses;
  }
}

// One group puts the parts together.
__kernel void nll_loss_combine(IN(sums), OUT(y), OUT(total), const int parts, const int is_mean,
                               const int is_reduced, __local float *scratch) {
  BIND(sums);
  BIND_OUT(y);
  BIND_OUT(total);
  float loss = 0, masses = 0;
  for (int i = MEMBER; i < parts; i += GROUP) {
    loss += sums[2 * i];
    masses += sums[2 * i + 1];
  }
  loss = group_sum(loss, scratch);
  masses = group_sum(masses, scratch);
  if (MEMBER == 0) store_loss(y, total, loss, masses, is_mean, is_reduced);
}

__kernel void nll_loss_backward(IN(dy), IN_INT(target), IN(total), IN(weight), OUT(dx), const int n,
                                DIVISOR(classes), DIVISOR(inner), const int ignored,
                                const float smoothing, const int has_weight, const int is_mean,
                                const int is_reduced) {
  BIND(dy);
  BIND_INT(target);
  BIND(total);
  BIND(weight);
  BIND_OUT(dx);
  const int i = get_global_id(0);
  if (i >= n) return;
  const int row = divided(i, inner), outer = divided(row, classes);
  const int c = row - outer * classes.s0, sample = (outer - row) * inner.s0 + i;
  const int label = target[sample];
  dx[i] = label == ignored ? 0.0f
                           : class_slope(weight, has_weight, c, label, classes.s0, smoothing,
                                         is_reduced ? dy[0] : dy[sample], total[0], is_mean);
}

// The same with that of the logarithm of softmax before it, by the log-probabilities y [rows, length]: a
// team has a sample.
__kernel void cross_entropy_backward(IN(dy), IN_INT(target), IN(total), IN(y), IN(weight), OUT(dx),
                                     const int rows, const int length, const int ignored,
                                     const float smoothing, const int has_weight,
                                     const int is_mean, const int is_reduced,
                                     __local float *scratch) {
  BIND(dy);
  BIND_INT(target);
  BIND(total);
  BIND(y);
  BIND(weight);
  BIND_OUT(dx);
  const int row = min(ROW, rows - 1), label = target[row], counts = label != ignored;
  const float arriving = is_reduced ? dy[0] : dy[row], divisor = total[0];
  y += row * length;
  dx += row * length;
#define SLOPE(c)                                                                               \
  (counts ? class_slope(weight, has_weight, c, label, length, smoothing, arriving, divisor,     \
                        is_mean)                                                               \
          : 0.0f)
  float sum = 0;
  for (int c = MEMBER; c < length; c += GROUP) sum += SLOPE(c);
  sum = group_sum(sum, scratch);
  const int own = OWN_LENGTH;
  for (int c = MEMBER; c < own; c += GROUP) dx[c] = SLOPE(c) - exp(y[c]) * sum;
}
