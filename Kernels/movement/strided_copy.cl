// A box of up to eight axes copied between strided places: expand, permute, narrow, cat, pad.
__kernel void strided_copy(IN(x), OUT(y), const int n, const int8 extents, const int8 x_strides,
                           const int8 y_strides, const int x_start, const int y_start) {
  BIND(x);
  BIND_OUT(y);
  const int i = get_global_id(0);
  if (i >= n) return;
  int extent[8], sx[8], sy[8];
  vstore8(extents, 0, extent);
  vstore8(x_strides, 0, sx);
  vstore8(y_strides, 0, sy);
  int rest = i, ix = x_start, iy = y_start;
  for (int axis = 7; axis >= 0; --axis) {
    const int index = rest % extent[axis];
    rest /= extent[axis];
    ix += index * sx[axis];
    iy += index * sy[axis];
  }
  y[iy] = x[ix];
}

__kernel void fill(OUT(y), const int n, const float value) {
  BIND_OUT(y);
  const int i = get_global_id(0);
  if (i < n) y[i] = value;
}
