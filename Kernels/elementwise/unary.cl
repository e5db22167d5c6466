// A function of every element, or its derivative times the arriving gradient. -DFUNCTION names it;
// p and q are its settings, as TernGraph's Unary lists them.
#define CONCAT_(a, b) a##b
#define CONCAT(a, b) CONCAT_(a, b)

#define GELU_SCALE 0.7978845608028654f
#define GELU_CUBE 0.044715f
#define INV_SQRT2 0.7071067811865476f
#define INV_SQRT_2PI 0.3989422804014327f

inline float logistic(float x) {
  // The exponential of a positive number would overflow.
  const float e = exp(-fabs(x));
  return (x >= 0 ? 1.0f : e) / (1.0f + e);
}

inline float relu(float x, float p, float q) { return x > 0 ? x : (isnan(x) ? x : 0.0f); }
inline float relu_slope(float y, float p, float q) { return y > 0 ? 1.0f : 0.0f; }
inline float leaky_relu(float x, float p, float q) { return x > 0 ? x : p * x; }
inline float leaky_relu_slope(float x, float p, float q) { return x > 0 ? 1.0f : p; }
inline float elu(float x, float p, float q) { return x > 0 ? x : p * expm1(x); }
inline float elu_slope(float x, float p, float q) { return x > 0 ? 1.0f : p * exp(x); }
inline float gelu(float x, float p, float q) { return 0.5f * x * (1.0f + erf(x * INV_SQRT2)); }
inline float gelu_slope(float x, float p, float q) {
  return 0.5f * (1.0f + erf(x * INV_SQRT2)) + x * INV_SQRT_2PI * exp(-0.5f * x * x);
}
inline float gelu_tanh(float x, float p, float q) {
  return 0.5f * x * (1.0f + tanh(GELU_SCALE * (x + GELU_CUBE * x * x * x)));
}
inline float gelu_tanh_slope(float x, float p, float q) {
  const float t = tanh(GELU_SCALE * (x + GELU_CUBE * x * x * x));
  return 0.5f * (1.0f + t) +
         0.5f * x * (1.0f - t * t) * GELU_SCALE * (1.0f + 3.0f * GELU_CUBE * x * x);
}
inline float silu(float x, float p, float q) { return x * logistic(x); }
inline float silu_slope(float x, float p, float q) {
  const float s = logistic(x);
  return s * (1.0f + x * (1.0f - s));
}
inline float sigmoid(float x, float p, float q) { return logistic(x); }
inline float sigmoid_slope(float y, float p, float q) { return y * (1.0f - y); }
inline float tanh_(float x, float p, float q) { return tanh(x); }
inline float tanh__slope(float y, float p, float q) { return 1.0f - y * y; }
inline float softplus(float x, float p, float q) {
  const float z = p * x;
  return z > q ? x : (fmax(z, 0.0f) + log1p(exp(-fabs(z)))) / p;
}
inline float softplus_slope(float x, float p, float q) { return p * x > q ? 1.0f : logistic(p * x); }
inline float hardtanh(float x, float p, float q) { return x < p ? p : (x > q ? q : x); }
inline float hardtanh_slope(float x, float p, float q) { return x > p && x < q ? 1.0f : 0.0f; }
inline float exp_(float x, float p, float q) { return exp(x); }
inline float exp__slope(float y, float p, float q) { return y; }
inline float log_(float x, float p, float q) { return log(x); }
inline float log__slope(float x, float p, float q) { return 1.0f / x; }
inline float sqrt_(float x, float p, float q) { return sqrt(x); }
inline float sqrt__slope(float y, float p, float q) { return 0.5f / y; }
inline float rsqrt_(float x, float p, float q) { return 1.0f / sqrt(x); }
inline float rsqrt__slope(float y, float p, float q) { return -0.5f * y * y * y; }
inline float reciprocal(float x, float p, float q) { return 1.0f / x; }
inline float reciprocal_slope(float y, float p, float q) { return -y * y; }
inline float abs_(float x, float p, float q) { return fabs(x); }
inline float abs__slope(float x, float p, float q) { return x > 0 ? 1.0f : (x < 0 ? -1.0f : 0.0f); }
inline float square(float x, float p, float q) { return x * x; }
inline float square_slope(float x, float p, float q) { return 2.0f * x; }
inline float pow_(float x, float p, float q) { return pow(x, p); }
inline float pow__slope(float x, float p, float q) { return p == 0 ? 0.0f : p * pow(x, p - 1.0f); }
inline float clamp_(float x, float p, float q) { return x < p ? p : (x > q ? q : x); }
inline float clamp__slope(float x, float p, float q) { return x >= p && x <= q ? 1.0f : 0.0f; }
inline float affine(float x, float p, float q) { return p * x + q; }
inline float affine_slope(float x, float p, float q) { return p; }

__kernel void unary(IN(x), OUT(y), const int n, const float p, const float q) {
  BIND(x);
  BIND_OUT(y);
  const int i = get_global_id(0);
  if (i < n) y[i] = FUNCTION(x[i], p, q);
}

__kernel void unary_backward(IN(dy), IN(saved), OUT(dx), const int n, const float p, const float q) {
  BIND(dy);
  BIND(saved);
  BIND_OUT(dx);
  const int i = get_global_id(0);
  if (i < n) {
    const float slope = CONCAT(FUNCTION, _slope)(saved[i], p, q);
    // A saturated unit passes nothing on, whatever arrives.
    dx[i] = slope == 0 ? 0.0f : dy[i] * slope;
  }
}
