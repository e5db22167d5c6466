#include "../common/common.cl"

// Functions of every element, and their derivatives by what TernGraph's Unary saves. p and q are a
// function's settings, as Unary lists them.

#define ZERO ALL(0.0f)
#define ONE ALL(1.0f)
#define GELU_SCALE 0.7978845608028654f
#define GELU_CUBE 0.044715f
#define INV_SQRT8 0.3535533905932738f
#define INV_SQRT_2PI 0.3989422804014327f

// 1 / (1 + exp(-x)), and through `rest` one less that, both to full relative precision.
static inline VECTOR logistic_and_rest(VECTOR x, VECTOR *rest) {
  // The exponential of a positive number would overflow.
  const VECTOR e = exp(-fabs(x)), sum = 1.0f + e;
  *rest = (x >= 0 ? e : ONE) / sum;
  return (x >= 0 ? ONE : e) / sum;
}
static inline VECTOR logistic(VECTOR x) {
  VECTOR rest;
  return logistic_and_rest(x, &rest);
}

static inline VECTOR relu(VECTOR x, float p, float q) { return x <= 0 ? ZERO : x; }
static inline VECTOR relu_slope(VECTOR y, float p, float q) { return y <= 0 ? ZERO : ONE; }
static inline VECTOR leaky_relu(VECTOR x, float p, float q) { return x > 0 ? x : p * x; }
static inline VECTOR leaky_relu_slope(VECTOR x, float p, float q) { return x > 0 ? ONE : ALL(p); }
static inline VECTOR elu(VECTOR x, float p, float q) { return x > 0 ? x : p * expm1(x); }
static inline VECTOR elu_slope(VECTOR x, float p, float q) { return x > 0 ? ONE : p * exp(x); }
// The normal distribution at x: its density, and the part below x.
//
// Below -|x| lies erfc(|x| / sqrt(2)) / 2 = exp(-x^2 / 2) P(t) t with t = 1 / (1 + |x| / sqrt(8)); the
// form is that of Abramowitz and Stegun, 7.1.26. P, of degree 8, is fitted here to the least relative
// error, 4e-8. erf(x) + 1 would cancel, and costs several times as much.
static inline VECTOR normal(VECTOR x, VECTOR *density) {
  const VECTOR e = exp(-0.5f * x * x), t = 1.0f / (1.0f + INV_SQRT8 * fabs(x));
  VECTOR p = -0.0295347998f;
  p = p * t + 0.142289028f;
  p = p * t - 0.243603081f;
  p = p * t + 0.139037073f;
  p = p * t - 0.0133151626f;
  p = p * t + 0.101344377f;
  p = p * t + 0.121551655f;
  p = p * t + 0.141187683f;
  p = p * t + 0.141043201f;
  const VECTOR below = e * t * p;
  *density = INV_SQRT_2PI * e;
  return x > 0 ? 1.0f - below : below;
}
static inline VECTOR gelu(VECTOR x, float p, float q) {
  VECTOR density;
  return x * normal(x, &density);
}
static inline VECTOR gelu_slope(VECTOR x, float p, float q) {
  VECTOR density;
  const VECTOR below = normal(x, &density);
  return below + x * density;
}
// (1 + tanh u) / 2 = 1 / (1 + exp(-2u)), which keeps its digits where tanh u is next to -1.
static inline VECTOR gelu_tanh(VECTOR x, float p, float q) {
  return x * logistic(2.0f * GELU_SCALE * (x + GELU_CUBE * x * x * x));
}
static inline VECTOR gelu_tanh_slope(VECTOR x, float p, float q) {
  VECTOR rest;
  const VECTOR s = logistic_and_rest(2.0f * GELU_SCALE * (x + GELU_CUBE * x * x * x), &rest);
  // Far out s or its rest is 0, but the slope of the argument overflows.
  const VECTOR inner = 2.0f * GELU_SCALE * (1.0f + 3.0f * GELU_CUBE * x * x);
  return s + x * (fabs(x) > 30.0f ? ZERO : s * rest * inner);
}
static inline VECTOR silu(VECTOR x, float p, float q) { return x * logistic(x); }
static inline VECTOR silu_slope(VECTOR x, float p, float q) {
  VECTOR rest;
  const VECTOR s = logistic_and_rest(x, &rest);
  return s * (1.0f + x * rest);
}
static inline VECTOR sigmoid(VECTOR x, float p, float q) { return logistic(x); }
static inline VECTOR sigmoid_slope(VECTOR y, float p, float q) { return y * (1.0f - y); }
static inline VECTOR tanh_(VECTOR x, float p, float q) { return tanh(x); }
static inline VECTOR tanh__slope(VECTOR y, float p, float q) { return 1.0f - y * y; }
static inline VECTOR softplus(VECTOR x, float p, float q) {
  const VECTOR z = p * x;
  return z > q ? x : (fmax(z, 0.0f) + log1p(exp(-fabs(z)))) / p;
}
static inline VECTOR softplus_slope(VECTOR x, float p, float q) { return p * x > q ? ONE : logistic(p * x); }
static inline VECTOR hardtanh(VECTOR x, float p, float q) { return x < p ? ALL(p) : (x > q ? ALL(q) : x); }
static inline VECTOR hardtanh_slope(VECTOR x, float p, float q) { return ((x > p) & (x < q)) ? ONE : ZERO; }
static inline VECTOR exp_(VECTOR x, float p, float q) { return exp(x); }
static inline VECTOR exp__slope(VECTOR y, float p, float q) { return y; }
static inline VECTOR log_(VECTOR x, float p, float q) { return log(x); }
static inline VECTOR log__slope(VECTOR x, float p, float q) { return 1.0f / x; }
static inline VECTOR sqrt_(VECTOR x, float p, float q) { return sqrt(x); }
static inline VECTOR sqrt__slope(VECTOR y, float p, float q) { return 0.5f / y; }
static inline VECTOR rsqrt_(VECTOR x, float p, float q) { return 1.0f / sqrt(x); }
static inline VECTOR rsqrt__slope(VECTOR y, float p, float q) { return -0.5f * y * y * y; }
static inline VECTOR reciprocal(VECTOR x, float p, float q) { return 1.0f / x; }
static inline VECTOR reciprocal_slope(VECTOR y, float p, float q) { return -y * y; }
static inline VECTOR abs_(VECTOR x, float p, float q) { return fabs(x); }
static inline VECTOR abs__slope(VECTOR x, float p, float q) { return x > 0 ? ONE : (x < 0 ? -ONE : ZERO); }
static inline VECTOR square(VECTOR x, float p, float q) { return x * x; }
// Half of it: the product is doubled, for 2x may overflow where 2x·dy does not.
static inline VECTOR square_slope(VECTOR x, float p, float q) { return x; }
// x to the power of a quarter of a small integer that is known when this is compiled.
static inline VECTOR quarter_power(VECTOR x, int quarters) {
  const int magnitude = abs(quarters);
  VECTOR result = 1.0f;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if (i < magnitude / 4) result *= x;
  }
  if (magnitude & 2) result *= sqrt(x);
  if (magnitude & 1) result *= sqrt(sqrt(x));
  return quarters < 0 ? 1.0f / result : result;
}
static inline VECTOR pow_(VECTOR x, float p, float q) { return pow(x, ALL(p)); }
static inline VECTOR pow__slope(VECTOR x, float p, float q) {
  return p == 0 ? ZERO : p * pow(x, ALL(p - 1.0f));
}
// The same where the setting q is four times the exponent, a small integer.
static inline VECTOR pow_quarters(VECTOR x, float p, float q) { return quarter_power(x, (int)q); }
static inline VECTOR pow_quarters_slope(VECTOR x, float p, float q) {
  return p == 0 ? ZERO : p * quarter_power(x, (int)q);
}
static inline VECTOR clamp_(VECTOR x, float p, float q) { return x < p ? ALL(p) : (x > q ? ALL(q) : x); }
// An infinite bound is none.
static inline VECTOR clamp__slope(VECTOR x, float p, float q) {
  return (((x > p) | (ALL(p) == -INFINITY)) & ((x < q) | (ALL(q) == INFINITY))) ? ONE : ZERO;
}
static inline VECTOR affine(VECTOR x, float p, float q) { return p * x + q; }
static inline VECTOR affine_slope(VECTOR x, float p, float q) { return ALL(p); }

// The gradient that a function passes on. A saturated unit passes nothing on, whatever arrives.
static inline VECTOR passed_on(VECTOR dy, VECTOR slope) { return slope == 0 ? ZERO : dy * slope; }
static inline VECTOR doubled(VECTOR value) { return value + value; }
