// A function of two tensors. -DFUNCTION names it.
inline float add(float a, float b) { return a + b; }
inline float sub(float a, float b) { return a - b; }
inline float mul(float a, float b) { return a * b; }
inline float div(float a, float b) { return a / b; }
inline float maximum(float a, float b) { return isnan(a) || a > b ? a : b; }
inline float minimum(float a, float b) { return isnan(a) || a < b ? a : b; }
inline float heaviside(float a, float b) { return a > b ? 1.0f : (a == b ? 0.5f : 0.0f); }
inline float equal(float a, float b) { return a == b ? 1.0f : 0.0f; }

__kernel void binary_same(IN(a), IN(b), OUT(y), const int n) {
  BIND(a);
  BIND(b);
  BIND_OUT(y);
  const int i = get_global_id(0);
  if (i < n) y[i] = FUNCTION(a[i], b[i]);
}

// Shapes of up to eight axes; an operand's stride is 0 along an axis it is repeated along.
__kernel void binary_broadcast(IN(a), IN(b), OUT(y), const int n, const int8 extents,
                               const int8 a_strides, const int8 b_strides) {
  BIND(a);
  BIND(b);
  BIND_OUT(y);
  const int i = get_global_id(0);
  if (i >= n) return;
  int extent[8], sa[8], sb[8];
  vstore8(extents, 0, extent);
  vstore8(a_strides, 0, sa);
  vstore8(b_strides, 0, sb);
  int rest = i, ia = 0, ib = 0;
  for (int axis = 7; axis >= 0; --axis) {
    const int index = rest % extent[axis];
    rest /= extent[axis];
    ia += index * sa[axis];
    ib += index * sb[axis];
  }
  y[i] = FUNCTION(a[ia], b[ib]);
}
