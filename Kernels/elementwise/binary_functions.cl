#include "../common/common.cl"

// Functions of two elements.

static inline VECTOR add(VECTOR a, VECTOR b) { return a + b; }
static inline VECTOR sub(VECTOR a, VECTOR b) { return a - b; }
static inline VECTOR mul(VECTOR a, VECTOR b) { return a * b; }
static inline VECTOR div(VECTOR a, VECTOR b) { return a / b; }
// NaN if one of them is.
static inline VECTOR maximum(VECTOR a, VECTOR b) { return ((a > b) | isnan(a)) ? a : b; }
static inline VECTOR minimum(VECTOR a, VECTOR b) { return ((a < b) | isnan(a)) ? a : b; }
static inline VECTOR heaviside(VECTOR a, VECTOR b) {
  return a > b ? ALL(1.0f) : (a == b ? ALL(0.5f) : ALL(0.0f));
}
static inline VECTOR equal(VECTOR a, VECTOR b) { return a == b ? ALL(1.0f) : ALL(0.0f); }
