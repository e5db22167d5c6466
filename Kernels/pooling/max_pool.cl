#include "window.cl"

// A work-item computes a row of outputs: V at a time where windows lie inside the columns.
__kernel void max_pool2d(IN_ANY(x), OUT_ANY(y), OUT_INT(indices), const int8 a) {
  BIND_ANY(x);
  BIND_ANY_OUT(y);
  BIND_INT_OUT(indices);
  const int row = get_global_id(0);
  if (row >= PLANES * OH) return;
  const int top = row % OH * SH - PH;
  x += row / OH * (H * W);
  y += row * OW;
  indices += row * OW;
  // The taps inside the rows.
  const int first_tap = top < 0 ? (-top + DH - 1) / DH : 0;
  const int end_tap = min(KH, (H - 1 - top) / DH + 1);
  const int inner_first = INNER_FIRST, inner_end = max(inner_first, INNER_END);

  for (int ow = 0; ow < OW; ++ow) {
    if (ow == inner_first && inner_end - inner_first >= V) {
      for (; ow < inner_end; ow += V) {
        // The last vector reaches back over outputs already computed.
        ow = min(ow, inner_end - V);
        const int left = ow * SW - PW, first = (top + first_tap * DH) * W + left;
        VECTOR best = -INFINITY;
        INTEGERS where = first + LANES * SW;
        for (int kh = first_tap; kh < end_tap; ++kh) {
#pragma unroll
          for (int kw = 0; kw < KW; ++kw) {
            const int at = (top + kh * DH) * W + left + kw * DW;
            const VECTOR value = load_columns(x + at);
            // The first of equal maxima counts; NaN beats everything.
            const INTEGERS is_better = (value > best) | isnan(value);
            best = is_better ? value : best;
            where = is_better ? (INTEGERS)(at + LANES * SW) : where;
          }
        }
        WRITE(RECTIFIED(VECTOR, best, where), y + ow);
        STORE_INTEGERS(where, indices + ow);
      }
      ow = inner_end;
      if (ow >= OW) break;
    }
    float best = -INFINITY;
    int where = -1;
    for (int kh = first_tap; kh < end_tap; ++kh) {
      for (int kw = 0; kw < KW; ++kw) {
        const int w = ow * SW - PW + kw * DW;
        if (w < 0 || w >= W) continue;
        const int at = (top + kh * DH) * W + w;
        const float value = GET(x, at);
        if (value > best || isnan(value) || where < 0) {
          best = value;
          where = at;
        }
      }
    }
    PUT(RECTIFIED(float, best, where), y, ow);
    indices[ow] = where;
  }
}

// Windows that do not overlap and cover every element: each writes its own part.
__kernel void max_pool2d_backward_tiles(IN_ANY(dy), IN_INT(indices), IN_ANY(output), OUT_ANY(dx),
                                        const int8 a) {
  BIND_ANY(dy);
  BIND_INT(indices);
  BIND_ANY_OUT(dx);
  const int row = get_global_id(0);
  if (row >= PLANES * OH) return;
  dx += row / OH * (H * W);
  dy += row * OW;
  BIND_RECTIFIED(row * OW);
  indices += row * OW;
  for (int kh = 0; kh < KH; ++kh) {
    const int start = (row % OH * KH + kh) * W;
    int ow = 0;
#if KW == 2
    for (; ow + V <= OW; ow += V) {
#ifdef RECTIFIES
      const VECTOR arriving = READ(output + ow) <= 0 ? (VECTOR)(0.0f) : READ(dy + ow);
#else
      const VECTOR arriving = READ(dy + ow);
#endif
      const INTEGERS place = LOAD_INTEGERS(indices + ow) - (start + (ow + LANES) * 2);
      store_pairs(place == 0 ? arriving : (VECTOR)(0.0f), place == 1 ? arriving : (VECTOR)(0.0f),
                  dx + start + ow * 2);
    }
#endif
    for (; ow < OW; ++ow) {
      const float arriving = ARRIVING(ow);
      const int place = indices[ow] - start - ow * KW;
#pragma unroll
      for (int kw = 0; kw < KW; ++kw) PUT(place == kw ? arriving : 0.0f, dx, start + ow * KW + kw);
    }
  }
}

// A work-item scatters a plane of gradients, window by window: of float32, for what was added is read again.
__kernel void max_pool2d_backward_planes(IN(dy), IN_INT(indices), IN(output), OUT(dx),
                                         const int8 a) {
  BIND(dy);
  BIND_INT(indices);
  BIND_OUT(dx);
  const int plane = get_global_id(0);
  if (plane >= PLANES) return;
  dx += plane * (H * W);
  dy += plane * (OH * OW);
  BIND_RECTIFIED(plane * (OH * OW));
  indices += plane * (OH * OW);
  int i = 0;
  for (; i + V <= H * W; i += V) STORE((VECTOR)(0.0f), dx + i);
  for (; i < H * W; ++i) dx[i] = 0;
  // A window that holds padding only has no maximum.
  for (int o = 0; o < OH * OW; ++o) {
    if (indices[o] >= 0) dx[indices[o]] += ARRIVING(o);
  }
}
