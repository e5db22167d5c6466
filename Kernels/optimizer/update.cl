#include "../common/together.cl"

// One step of an optimizer, as TernGraph's OptimizerUpdate states it. -DRULE selects the rule; p to
// t are its settings. The learning rate and the step number are read from the device. Parameters that are updated
// together are those of together.cl; parameter j is for the work-items from start_j on, a multiple of SPAN.
#define SGD 0
#define MOMENTUM_EMA 1
#define NORMALIZED_GRADIENT 2
#define ADAGRAD 3
#define RMSPROP 4
#define ADADELTA 5
#define ADAM 6

#ifndef RULE
#define RULE SGD
#endif
#ifndef STATES
#define STATES 0
#endif
// The vectors a work-item updates: neighbours, or where neighbouring work-items should take
// neighbouring vectors, SPAN apart.
#ifndef VECTORS
#define VECTORS 1
#endif
#define SPAN 64

// The arguments that a parameter has for itself, and the pointers to them.
#define COMMON(j) const int start##j, const int count##j, OUT(parameter##j), IN(gradient##j)
#if STATES == 0
#define OWN(j) COMMON(j)
#elif STATES == 1
#define OWN(j) COMMON(j), OUT(s0##j)
#elif STATES == 2
#define OWN(j) COMMON(j), OUT(s0##j), OUT(s1##j)
#else
#define OWN(j) COMMON(j), OUT(s0##j), OUT(s1##j), OUT(s2##j)
#endif
#if STATES > 0
#define POINT_S0(j) s0 = s0##j##_base + s0##j##_offset;
#else
#define POINT_S0(j)
#endif
#if STATES > 1
#define POINT_S1(j) s1 = s1##j##_base + s1##j##_offset;
#else
#define POINT_S1(j)
#endif
#if STATES > 2
#define POINT_S2(j) s2 = s2##j##_base + s2##j##_offset;
#else
#define POINT_S2(j)
#endif
#define POINT(j)                                             \
  {                                                          \
    start = start##j;                                        \
    n = count##j;                                            \
    parameter = parameter##j##_base + parameter##j##_offset; \
    gradient = gradient##j##_base + gradient##j##_offset;    \
    POINT_S0(j) POINT_S1(j) POINT_S2(j)                      \
  }

// With GUARDED a number says whether anything changes: not where it is 0.
#ifdef GUARDED
#define GUARD IN(applies),
#define UNLESS_GUARDED  \
  BIND(applies);        \
  if (applies[0] == 0) return;
#else
#define GUARD
#define UNLESS_GUARDED
#endif
// With SCALED gradients are multiplied by a number.
#ifdef SCALED
#define SCALE IN(scale),
#else
#define SCALE
#endif

__kernel void update(IN(rate), IN_INT(step), GUARD SCALE ALL_OWN, const float p, const float q,
                     const float r, const float decay, const float log_p, const float log_q) {
  UNLESS_GUARDED
  BIND(rate);
  BIND_INT(step);
  // The same for a whole group, which a compiler can see. Groups have SPAN work-items or a part of that.
  const int id = get_group_id(0) * get_local_size(0);
  int start, n;
  __global float *parameter, *s0, *s1, *s2;
  __global const float *gradient;
  PICK_OWN
  const float lr = rate[0];
#ifdef SCALED
  BIND(scale);
  const float factor = scale[0];
#endif
#if RULE == ADAM
  // 1 / (1 - beta^step), without cancellation; not cheap, hence not for every vector.
  const float t = (float)step[0];
  const float correction_m = -1.0f / expm1(t * log_p), correction_v = -1.0f / expm1(t * log_q);
#endif
  const int own = (int)get_global_id(0) - start;
  for (int vector = 0; vector < VECTORS; ++vector) {
#ifdef ALIGNED
    const int item = (own / SPAN * VECTORS + vector) * SPAN + own % SPAN;
#else
    const int item = own * VECTORS + vector;
#endif
    ELEMENTS(item, n);
    if (count <= 0) return;
    VECTOR w = read_some(parameter + i, count);
    VECTOR g = read_some(gradient + i, count);
#ifdef SCALED
    g *= factor;
#endif
#ifdef DECOUPLED
    if (decay != 0) w -= lr * decay * w;
#else
    if (decay != 0) g += decay * w;
#endif

#if RULE == SGD
#if STATES > 0
    const VECTOR m = p * read_some(s0 + i, count) + g;
    write_some(m, s0 + i, count);
#ifdef NESTEROV
    w -= lr * (g + p * m);
#else
    w -= lr * m;
#endif
#else
    w -= lr * g;
#endif

#elif RULE == MOMENTUM_EMA
    const VECTOR m = p * read_some(s0 + i, count) + (1.0f - p) * g;
    write_some(m, s0 + i, count);
    w -= lr * m;

#elif RULE == NORMALIZED_GRADIENT
    // The square of a large one would overflow: both sides of the division are scaled.
    const VECTOR scale = fabs(g) > 1e15f ? (VECTOR)(0x1p-70f) : (VECTOR)(1.0f);
    const VECTOR scaled = g * scale;
    w -= lr * scaled / sqrt(scaled * scaled + q * (scale * scale));

#elif RULE == ADAGRAD
    const VECTOR s = read_some(s0 + i, count) + g * g;
    write_some(s, s0 + i, count);
    w -= lr * g / (sqrt(s) + q);

#elif RULE == RMSPROP
    const VECTOR s = p * read_some(s0 + i, count) + (1.0f - p) * g * g;
    write_some(s, s0 + i, count);
#ifdef CENTERED
    const VECTOR a = p * read_some(s1 + i, count) + (1.0f - p) * g;
    write_some(a, s1 + i, count);
    // Of equal gradients a difference of equal numbers, which must not round below 0.
    const VECTOR variance = s - a * a;
    const VECTOR d = g / (sqrt(variance < 0 ? (VECTOR)(0.0f) : variance) + q);
#else
    const VECTOR d = g / (sqrt(s) + q);
#endif
#ifdef MOMENTUM
#ifdef CENTERED
    const VECTOR m = r * read_some(s2 + i, count) + d;
    write_some(m, s2 + i, count);
#else
    const VECTOR m = r * read_some(s1 + i, count) + d;
    write_some(m, s1 + i, count);
#endif
    w -= lr * m;
#else
    w -= lr * d;
#endif

#elif RULE == ADADELTA
    const VECTOR s = p * read_some(s0 + i, count) + (1.0f - p) * g * g;
    write_some(s, s0 + i, count);
    const VECTOR u = read_some(s1 + i, count);
    const VECTOR d = sqrt(u + q) / sqrt(s + q) * g;
    write_some(p * u + (1.0f - p) * d * d, s1 + i, count);
    w -= lr * d;

#elif RULE == ADAM
    const VECTOR m = p * read_some(s0 + i, count) + (1.0f - p) * g;
    const VECTOR v = r * read_some(s1 + i, count) + (1.0f - r) * g * g;
    write_some(m, s0 + i, count);
    write_some(v, s1 + i, count);
    w -= lr * correction_m * m / (sqrt(correction_v * v) + q);
#endif
    write_some(w, parameter + i, count);
  }
}
