// Planes of H x W and OH x OW; the window is set by -D: kernel, stride, padding, dilation.
#define PLANES a.s0
#define H a.s1
#define W a.s2
#define OH a.s3
#define OW a.s4

#ifdef KH
__kernel void max_pool2d(IN(x), OUT(y), OUT_INT(indices), const int8 a) {
  BIND(x);
  BIND_OUT(y);
  BIND_INT_OUT(indices);
  const int i = get_global_id(0);
  if (i >= PLANES * OH) return;
  const int oh = i % OH;
  __global const float *plane = x + i / OH * H * W;
  // A work-item computes a row of outputs.
  for (int ow = 0; ow < OW; ++ow) {
    float best = -INFINITY;
    int where = -1;
#pragma unroll
    for (int kh = 0; kh < KH; ++kh) {
      const int h = oh * SH + kh * DH - PH;
      if (PADDED && (h < 0 || h >= H)) continue;
#pragma unroll
      for (int kw = 0; kw < KW; ++kw) {
        const int w = ow * SW + kw * DW - PW;
        if (PADDED && (w < 0 || w >= W)) continue;
        const float value = plane[h * W + w];
        // The first of equal maxima counts; NaN beats everything.
        if (!(value <= best) || where < 0) {
          best = value;
          where = h * W + w;
        }
      }
    }
    y[i * OW + ow] = best;
    indices[i * OW + ow] = where;
  }
}

// Windows that do not overlap and cover every element: each writes its own part.
__kernel void max_pool2d_backward_tiles(IN(dy), IN_INT(indices), OUT(dx), const int8 a) {
  BIND(dy);
  BIND_INT(indices);
  BIND_OUT(dx);
  const int i = get_global_id(0);
  if (i >= PLANES * OH) return;
  const int oh = i % OH;
  __global float *plane = dx + i / OH * H * W;
  for (int kh = 0; kh < KH; ++kh) {
    const int row = (oh * KH + kh) * W;
    for (int ow = 0; ow < OW; ++ow) {
      const float arriving = dy[i * OW + ow];
      const int offset = indices[i * OW + ow] - row - ow * KW;
#pragma unroll
      for (int kw = 0; kw < KW; ++kw) plane[row + ow * KW + kw] = offset == kw ? arriving : 0.0f;
    }
  }
}

// Every input element looks at the windows that cover it.
__kernel void max_pool2d_backward(IN(dy), IN_INT(indices), OUT(dx), const int8 a) {
  BIND(dy);
  BIND_INT(indices);
  BIND_OUT(dx);
  const int i = get_global_id(0);
  if (i >= PLANES * H * W) return;
  const int w = i % W, h = i / W % H, start = i / (W * H) * OH * OW;
  const int first_h = max(0, (h + PH - (KH - 1) * DH + SH - 1) / SH);
  const int first_w = max(0, (w + PW - (KW - 1) * DW + SW - 1) / SW);
  const int last_h = min(OH - 1, (h + PH) / SH);
  const int last_w = min(OW - 1, (w + PW) / SW);
  float sum = 0;
  for (int oh = first_h; oh <= last_h; ++oh) {
    for (int ow = first_w; ow <= last_w; ++ow) {
      const int o = start + oh * OW + ow;
      if (indices[o] == h * W + w) sum += dy[o];
    }
  }
  dx[i] = sum;
}
#endif

// Elements go where their indices point; each output looks for its own.
__kernel void max_unpool2d(IN(x), IN_INT(indices), OUT(y), const int planes, const int inputs,
                           const int outputs) {
  BIND(x);
  BIND_INT(indices);
  BIND_OUT(y);
  const int i = get_global_id(0);
  if (i >= planes * outputs) return;
  const int start = i / outputs * inputs, position = i % outputs;
  float value = 0;
  for (int j = 0; j < inputs; ++j) {
    if (indices[start + j] == position) value = x[start + j];
  }
  y[i] = value;
}

__kernel void max_unpool2d_backward(IN(dy), IN_INT(indices), OUT(dx), const int planes,
                                    const int inputs, const int outputs) {
  BIND(dy);
  BIND_INT(indices);
  BIND_OUT(dx);
  const int i = get_global_id(0);
  if (i < planes * inputs) dx[i] = dy[i / inputs * outputs + indices[i]];
}
