#include "../common/common.cl"

// What a class of a sample adds to losses by classes, and its gradient.

static inline float class_weight(__global const float *weight, int has_weight, int label) {
  return has_weight ? weight[label] : 1.0f;
}

// What a class adds to the loss: nothing where it weighs nothing, whatever its score.
static inline float class_term(__global const float *weight, int has_weight, int label, float x) {
  const float own = class_weight(weight, has_weight, label);
  return own == 0 ? 0.0f : own * x;
}

// The gradient arriving at a class of a sample, by the sum of the weights that count where the loss is a mean.
static inline float class_slope(__global const float *weight, int has_weight, int c, int label,
                                int classes, float smoothing, float arriving, float total,
                                int is_mean) {
  const float own = class_weight(weight, has_weight, c);
  float slope = -smoothing / classes * own;
  if (c == label) slope -= (1.0f - smoothing) * own;
  slope *= arriving;
  return !is_mean ? slope : total == 0 ? 0.0f : slope / total;
}
