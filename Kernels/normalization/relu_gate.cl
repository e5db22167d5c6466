#include "../common/common.cl"

// The gradient of a batch normalisation with a relu behind it, which -DRECTIFIES says there is.

// What relu lets through of the gradient at (x - mean)·scale + shift, computed as the forward pass does.
static inline VECTOR let_through(VECTOR dy, VECTOR x, float mean, float scale, float shift) {
#ifdef RECTIFIES
  return fma(x - mean, ALL(scale), ALL(shift)) <= 0 ? ALL(0.0f) : dy;
#else
  return dy;
#endif
}
static inline float let_one_through(float dy, float x, float mean, float scale, float shift) {
#ifdef RECTIFIES
  return fma(x - mean, scale, shift) <= 0 ? 0.0f : dy;
#else
  return dy;
#endif
}
