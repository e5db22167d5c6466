#include "class_terms.cl"

// The cross-entropy of logits [rows, length] and its gradient, for target [rows] and weight [length]: log-
// probabilities are not stored. A team has a sample, a group as many as it has teams, and then the next.

#define TEAMS_HERE ((int)get_local_size(0) / GROUP)
#define TEAM ((int)get_local_id(0) / GROUP)

// With one group the loss, else its sum and the weights that count for each group.
__kernel void cross_entropy_with_gradient(IN(dy), IN(x), IN_INT(target), IN(weight), OUT(dx),
                                          OUT(sums), const int groups, const int rows,
                                          const int length, const int ignored,
                                          const float smoothing, const int has_weight,
                                          const int is_mean, __local float *scratch) {
  BIND(dy);
  BIND(x);
  BIND_INT(target);
  BIND(weight);
  BIND_OUT(dx);
  BIND_OUT(sums);
  // The weights of all samples that count.
  float masses = 0;
  for (int i = MEMBER; i < rows; i += GROUP) {
    const int label = target[i], there = clamp(label, 0, length - 1);
    const float own = class_weight(weight, has_weight, there);
    masses += (label != ignored && label == there) ? own : 0.0f;
  }
  masses = group_sum(masses, scratch);
  const float arriving = dy[0];
  const int whole = IN_VECTORS(length);
  float losses = 0;
  for (int first = (int)get_group_id(0) * TEAMS_HERE; first < rows; first += groups * TEAMS_HERE) {
    // All of a group meet as often: a team without a sample goes through the last one's.
    const int is_there = first + TEAM < rows, row = min(first + TEAM, rows - 1);
    const int label = target[row], counts = label != ignored;
    // A load under a condition is done without it by PoCL's compiler: no class is read that there is not.
    const int there = clamp(label, 0, length - 1), is_class = label == there;
    __global const float *score = x + row * length;
    VECTOR largest = -INFINITY;
    for (int c = MEMBER * V; c < whole; c += GROUP * V) largest = fmax(largest, READ(score + c));
    float value = max_lanes(largest);
    for (int c = whole + MEMBER; c < length; c += GROUP) value = fmax(value, score[c]);
    const float maximum = group_max(value, scratch);
    VECTOR powers = 0;
    for (int c = MEMBER * V; c < whole; c += GROUP * V) powers += exp(READ(score + c) - maximum);
    value = sum_lanes(powers);
    for (int c = whole + MEMBER; c < length; c += GROUP) value += exp(score[c] - maximum);
    // Subtracted one after the other: beside a large maximum the logarithm would be lost.
    const float logarithm = log(group_sum(value, scratch));

    // The loss, and the sum of what arrives at the log-probabilities: without smoothing the target's alone.
    float smooth = 0, slopes = 0;
    for (int c = MEMBER; c < (smoothing > 0 ? length : 0); c += GROUP) {
      smooth += class_term(weight, has_weight, c, (score[c] - maximum) - logarithm);
      slopes += class_slope(weight, has_weight, c, label, length, smoothing, arriving, masses,
                            is_mean);
    }
    smooth = group_sum(smooth, scratch);
    slopes = group_sum(slopes, scratch);
    const float own = class_term(weight, has_weight, there, (score[there] - maximum) - logarithm);
    const float slope_there =
        class_slope(weight, has_weight, there, label, length, 0, arriving, masses, is_mean);
    if (smoothing == 0) slopes = is_class ? slope_there : 0.0f;
    float loss = is_class ? -(1.0f - smoothing) * own : NAN;
    if (smoothing > 0) loss -= smoothing / length * smooth;
    if (is_there && counts) losses += loss;
    if (is_there) {
      for (int c = MEMBER; c < length; c += GROUP) {
        const float slope =
            smoothing > 0 || c == label
                ? class_slope(weight, has_weight, c, label, length, smoothing, arriving, masses,
                              is_mean)
                : 0.0f;
        dx[row * length + c] =
            counts ? slope - exp((score[c] - maximum) - logarithm) * slopes : 0.0f;
      }
    }
  }
  // Every member of a team has its losses.
  barrier(CLK_LOCAL_MEM_FENCE);
  if (MEMBER == 0) scratch[TEAM] = losses;
  barrier(CLK_LOCAL_MEM_FENCE);
  if (get_local_id(0) > 0) return;
  float total = 0;
  for (int team = 0; team < TEAMS_HERE; ++team) total += scratch[team];
  if (groups == 1) {
    sums[0] = is_mean ? total / (masses == 0 ? 1.0f : masses) : total;
  } else {
    sums[2 * get_group_id(0)] = total;
    sums[2 * get_group_id(0) + 1] = masses;
  }
}

// One group puts the sums of the others together.
__kernel void cross_entropy_combine(IN(sums), OUT(y), const int groups, const int is_mean,
                                    __local float *scratch) {
  BIND(sums);
  BIND_OUT(y);
  float total = 0;
  for (int i = MEMBER; i < groups; i += GROUP) total += sums[2 * i];
  total = group_sum(total, scratch);
  const float masses = sums[1];
  if (MEMBER == 0) y[0] = is_mean ? total / (masses == 0 ? 1.0f : masses) : total;
}
