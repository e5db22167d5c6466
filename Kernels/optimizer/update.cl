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
// neighbouring vectors, as far apart as there are work-items.
#ifndef VECTORS
#define VECTORS 1
#endif

__kernel void update(OUT(parameter), IN(gradient), IN(rate), IN_INT(step),
#if STATES > 0
                     OUT(s0),
#endif
#if STATES > 1
                     OUT(s1),
#endif
#if STATES > 2
                     OUT(s2),
#endif
                     const int n, const float p, const float q, const float r, const float decay,
                     const float log_p, const float log_q) {
  BIND_OUT(parameter);
  BIND(gradient);
  BIND(rate);
  BIND_INT(step);
#if STATES > 0
  BIND_OUT(s0);
#endif
#if STATES > 1
  BIND_OUT(s1);
#endif
#if STATES > 2
  BIND_OUT(s2);
#endif
  const float lr = rate[0];
#if RULE == ADAM
  // 1 / (1 - beta^step), without cancellation; not cheap, hence not for every vector.
  const float t = (float)step[0];
  const float correction_m = -1.0f / expm1(t * log_p), correction_v = -1.0f / expm1(t * log_q);
#endif
  for (int vector = 0; vector < VECTORS; ++vector) {
#ifdef ALIGNED
    const int item = get_global_id(0) + vector * get_global_size(0);
#else
    const int item = get_global_id(0) * VECTORS + vector;
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
