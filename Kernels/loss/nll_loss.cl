#include "../common/common.cl"

// Negative log-likelihood: log-probabilities [N, C, L], target [N, L], weight [C].

static inline float class_weight(__global const float *weight, int has_weight, int label) {
  return has_weight ? weight[label] : 1.0f;
}

// What a class adds to the loss: nothing where it weighs nothing, whatever its score.
static inline float class_term(__global const float *weight, int has_weight, int label, float x) {
  const float own = class_weight(weight, has_weight, label);
  return own == 0 ? 0.0f : own * x;
}

// The loss of a sample before reduction, and through `mass` what it adds to the divisor.
static inline float sample_loss(__global const float *x, __global const float *weight, int has_weight,
                         int label, int start, int classes, int inner, int ignored, float smoothing,
                         float *mass) {
  *mass = 0;
  if (label == ignored) return 0;
  if (label < 0 || label >= classes) return NAN;
  *mass = class_weight(weight, has_weight, label);
  float loss = -(1.0f - smoothing) * class_term(weight, has_weight, label, x[start + label * inner]);
  if (smoothing > 0) {
    float sum = 0;
    for (int c = 0; c < classes; ++c) {
      sum += class_term(weight, has_weight, c, x[start + c * inner]);
    }
    loss -= smoothing / classes * sum;
  }
  return loss;
}

__kernel void nll_loss_none(IN(x), IN_INT(target), IN(weight), OUT(y), const int samples,
                            const int classes, const int inner, const int ignored,
                            const float smoothing, const int has_weight) {
  BIND(x);
  BIND_INT(target);
  BIND(weight);
  BIND_OUT(y);
  const int i = get_global_id(0);
  if (i >= samples) return;
  float mass;
  y[i] = sample_loss(x, weight, has_weight, target[i], i / inner * classes * inner + i % inner,
                     classes, inner, ignored, smoothing, &mass);
}

// One group sums all samples; mean divides by the weights of those that count, and is 0 of nothing.
__kernel void nll_loss_reduced(IN(x), IN_INT(target), IN(weight), OUT(y), OUT(total),
                               const int samples, const int classes, const int inner,
                               const int ignored, const float smoothing, const int has_weight,
                               const int is_mean, const int is_reduced, __local float *scratch) {
  BIND(x);
  BIND_INT(target);
  BIND(weight);
  BIND_OUT(y);
  BIND_OUT(total);
  float loss = 0, masses = 0;
  for (int i = MEMBER; i < samples; i += GROUP) {
    float mass;
    loss += sample_loss(x, weight, has_weight, target[i], i / inner * classes * inner + i % inner,
                        classes, inner, ignored, smoothing, &mass);
    masses += mass;
  }
  loss = group_sum(loss, scratch);
  masses = group_sum(masses, scratch);
  if (MEMBER == 0) {
    if (is_reduced) y[0] = is_mean ? loss / (masses == 0 ? 1.0f : masses) : loss;
    total[0] = masses;
  }
}

__kernel void nll_loss_backward(IN(dy), IN_INT(target), IN(total), IN(weight), OUT(dx), const int n,
                                const int classes, const int inner, const int ignored,
                                const float smoothing, const int has_weight, const int is_mean,
                                const int is_reduced) {
  BIND(dy);
  BIND_INT(target);
  BIND(total);
  BIND(weight);
  BIND_OUT(dx);
  const int i = get_global_id(0);
  if (i >= n) return;
  const int c = i / inner % classes;
  const int sample = i / (inner * classes) * inner + i % inner;
  const int label = target[sample];
  float slope = 0;
  if (label != ignored) {
    const float own = class_weight(weight, has_weight, c);
    slope = -smoothing / classes * own;
    if (c == label) slope -= (1.0f - smoothing) * own;
    slope *= is_reduced ? dy[0] : dy[sample];
    if (is_mean) slope = total[0] == 0 ? 0.0f : slope / total[0];
  }
  dx[i] = slope;
}
