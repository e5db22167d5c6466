#include "../common/common.cl"

// Elements go where their indices point, in their order: of several on one place the last remains.
// A work-item fills a plane; what points outside it goes nowhere.
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

__kernel void max_unpool2d_backward(IN(dy), IN_INT(indices), OUT(dx), const int planes,
                                    const int inputs, const int outputs) {
  BIND(dy);
  BIND_INT(indices);
  BIND_OUT(dx);
  const int i = get_global_id(0);
  if (i >= planes * inputs) return;
  const int place = indices[i];
  dx[i] = place >= 0 && place < outputs ? dy[i / inputs * outputs + place] : 0.0f;
}
