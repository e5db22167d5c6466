// One step of an optimizer, as TernGraph's OptimizerUpdate states it. -DRULE selects the rule; p to
// t are its settings. The learning rate and the step number are read from the device.
#define SGD 0
#define MOMENTUM_EMA 1
#define NORMALIZED_GRADIENT 2
#define ADAGRAD 3
#define RMSPROP 4
#define ADADELTA 5
#define ADAM 6

#ifndef STATES
#define STATES 0
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
  const int i = get_global_id(0);
  if (i >= n) return;
  const float lr = rate[0];
  float w = parameter[i];
  float g = gradient[i];
#ifdef DECOUPLED
  w -= lr * decay * w;
#else
  g += decay * w;
#endif

#if RULE == SGD
#if STATES > 0
  const float m = p * s0[i] + g;
  s0[i] = m;
#ifdef NESTEROV
  w -= lr * (g + p * m);
#else
  w -= lr * m;
#endif
#else
  w -= lr * g;
#endif

#elif RULE == MOMENTUM_EMA
  const float m = p * s0[i] + (1.0f - p) * g;
  s0[i] = m;
  w -= lr * m;

#elif RULE == NORMALIZED_GRADIENT
  w -= lr * g / sqrt(g * g + q);

#elif RULE == ADAGRAD
  const float s = s0[i] + g * g;
  s0[i] = s;
  w -= lr * g / (sqrt(s) + q);

#elif RULE == RMSPROP
  const float s = p * s0[i] + (1.0f - p) * g * g;
  s0[i] = s;
#ifdef CENTERED
  const float a = p * s1[i] + (1.0f - p) * g;
  s1[i] = a;
  const float d = g / (sqrt(s - a * a) + q);
#else
  const float d = g / (sqrt(s) + q);
#endif
#ifdef MOMENTUM
#ifdef CENTERED
  const float m = r * s2[i] + d;
  s2[i] = m;
#else
  const float m = r * s1[i] + d;
  s1[i] = m;
#endif
  w -= lr * m;
#else
  w -= lr * d;
#endif

#elif RULE == ADADELTA
  const float s = p * s0[i] + (1.0f - p) * g * g;
  s0[i] = s;
  const float u = s1[i];
  const float d = sqrt(u + q) / sqrt(s + q) * g;
  s1[i] = p * u + (1.0f - p) * d * d;
  w -= lr * d;

#elif RULE == ADAM
  const float m = p * s0[i] + (1.0f - p) * g;
  const float v = r * s1[i] + (1.0f - r) * g * g;
  s0[i] = m;
  s1[i] = v;
  // 1 - beta^step without cancellation.
  const float t = (float)step[0];
  const float m_hat = m / -expm1(t * log_p);
  const float v_hat = v / -expm1(t * log_q);
  w -= lr * m_hat / (sqrt(v_hat) + q);
#endif
  parameter[i] = w;
}
