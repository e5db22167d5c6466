#include "../common/common.cl"

// One step of an optimizer, as TernGraph's OptimizerUpdate states it. -DRULE selects the rule; p to
// t are its settings. The learning rate and the step number are read from the device.
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
// The parameters that are updated together: small ones cost a GPU more by their launch than by what is
// done to them. Parameter j is for the work-items from start_j on, a multiple of SPAN.
#ifndef TOGETHER
#define TOGETHER 1
#endif

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

#define OWN4(a, b, c, d) OWN(a), OWN(b), OWN(c), OWN(d)
#if TOGETHER == 24
#define ALL_OWN                                                                               \
  OWN4(0, 1, 2, 3), OWN4(4, 5, 6, 7), OWN4(8, 9, 10, 11), OWN4(12, 13, 14, 15),                \
      OWN4(16, 17, 18, 19), OWN4(20, 21, 22, 23)
#elif TOGETHER == 16
#define ALL_OWN OWN4(0, 1, 2, 3), OWN4(4, 5, 6, 7), OWN4(8, 9, 10, 11), OWN4(12, 13, 14, 15)
#elif TOGETHER == 12
#define ALL_OWN OWN4(0, 1, 2, 3), OWN4(4, 5, 6, 7), OWN4(8, 9, 10, 11)
#elif TOGETHER == 8
#define ALL_OWN OWN4(0, 1, 2, 3), OWN4(4, 5, 6, 7)
#else
#define ALL_OWN OWN(0)
#endif

// Takes the parameter among neighbours to which the group belongs.
#define PICK2(a, b) \
  if (id >= start##b) POINT(b) else POINT(a)
#define PICK4(a, b, c, d)   \
  if (id >= start##c) {     \
    PICK2(c, d)             \
  } else {                  \
    PICK2(a, b)             \
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

__kernel void update(IN(rate), IN_INT(step), GUARD ALL_OWN, const float p, const float q,
                     const float r, const float decay, const float log_p, const float log_q) {
  UNLESS_GUARDED
  BIND(rate);
  BIND_INT(step);
  // The same for a whole group, which a compiler can see. Groups have SPAN work-items or a part of that.
  const int id = get_group_id(0) * get_local_size(0);
  int start, n;
  __global float *parameter, *s0, *s1, *s2;
  __global const float *gradient;
#if TOGETHER == 1
  POINT(0)
#else
#if TOGETHER > 16
  if (id >= start20) {
    PICK4(20, 21, 22, 23)
  } else if (id >= start16) {
    PICK4(16, 17, 18, 19)
  } else
#endif
#if TOGETHER > 12
  if (id >= start12) {
    PICK4(12, 13, 14, 15)
  } else
#endif
#if TOGETHER > 8
  if (id >= start8) {
    PICK4(8, 9, 10, 11)
  } else
#endif
  if (id >= start4) {
    PICK4(4, 5, 6, 7)
  } else {
    PICK4(0, 1, 2, 3)
  }
#endif
  const float lr = rate[0];
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
