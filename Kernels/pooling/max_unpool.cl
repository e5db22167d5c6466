#include "../common/common.cl"

// Elements go where their indices point, in their order: of several on one place the last remains.
// What points outside its plane goes nowhere.

// A work-item fills a plane.
__kernel void max_unpool2d(IN(x), IN_INT(indices), OUT(y), const int planes, const int inputs,
                           const int outputs) {
  BIND(x);
  BIND_INT(indices);
  BIND_OUT(y);
  const int plane = get_global_id(0);
  if (plane >= planes) return;
  x += plane * inputs;
  indices += plane * inputs;
  y += plane * outputs;
  for (int i = 0; i < outputs; ++i) y[i] = 0;
  for (int i = 0; i < inputs; ++i) {
    if (indices[i] >= 0 && indices[i] < outputs) y[indices[i]] = x[i];
  }
}

// The same by many threads, in two steps: every place, zero before, keeps the number of the last element
// that points at it, counted from 1; then it takes that element. Integers' maximum is the same in any
// order.
__kernel void max_unpool2d_claim(IN_INT(indices), OUT_INT(owners), const int n, DIVISOR(inputs),
                                 const int outputs) {
  BIND_INT(indices);
  BIND_INT_OUT(owners);
  const int i = get_global_id(0);
  if (i >= n) return;
  const int plane = divided(i, inputs), place = indices[i];
  if (place < 0 || place >= outputs) return;
  atomic_max(owners + plane * outputs + place, i - plane * (int)inputs.s0 + 1);
}

// In place: the numbers of the owners become their elements.
__kernel void max_unpool2d_take(IN(x), OUT_INT(y), const int n, DIVISOR(outputs),
                                const int inputs) {
  BIND(x);
  BIND_INT_OUT(y);
  const int i = get_global_id(0);
  if (i >= n) return;
  const int owner = y[i], plane = divided(i, outputs);
  y[i] = owner > 0 ? as_int(x[plane * inputs + owner - 1]) : 0;
}

__kernel void max_unpool2d_backward(IN(dy), IN_INT(indices), OUT(dx), const int n, DIVISOR(inputs),
                                    const int outputs) {
  BIND(dy);
  BIND_INT(indices);
  BIND_OUT(dx);
  const int i = get_global_id(0);
  if (i >= n) return;
  const int place = indices[i];
  dx[i] = place >= 0 && place < outputs ? dy[divided(i, inputs) * outputs + place] : 0.0f;
}
