#include "../common/common.cl"

// Matrix products on devices whose cores have wide vectors: C = A·B (+ bias), batch by batch. A
// work-item computes a block of ROWS × COLUMNS accumulators, all of them registers. Blocks at the
// lower and right edge compute rows and columns of their neighbours again, but do not store them.
#ifndef ROWS
#define ROWS 4
#define COLUMNS 2
#endif
// What is added: 0 nothing, 1 an element per column, 2 an element per row.
#ifndef BIAS
#define BIAS 0
#endif

#if BIAS == 1
#define ADDEND(row, column) bias[column]
#elif BIAS == 2
#define ADDEND(row, column) bias[row]
#endif

// Where a block of a matrix product stands, from the work-item's number. Neighbouring work-items
// take blocks below each other, which read the same columns of B; or with `across` blocks beside each
// other, which write on in the same rows of C: better where B fits the cache and C is large.
#define PLACE(columns_per_block)                                               \
  const int block_width = (columns_per_block);                                 \
  const int row_blocks = (m + ROWS - 1) / ROWS;                                \
  const int column_blocks = (n + block_width - 1) / block_width;               \
  const int item = get_global_id(0);                                           \
  if (item >= row_blocks * column_blocks * batch) return;                      \
  const int row =                                                              \
      (across ? item / column_blocks % row_blocks : item % row_blocks) * ROWS; \
  const int column = block_width *                                             \
      (across ? item % column_blocks : item / row_blocks % column_blocks);     \
  const int matrix = item / (row_blocks * column_blocks);                      \
  a += matrix * a_matrix;                                                      \
  b += matrix * b_matrix;                                                      \
  c += matrix * m * n;

// The sums in an array that is gone through by EACH_RESULT.
#define KEEP_SUMS(result)                                                             \
  VECTOR result[ROWS][COLUMNS];                                                       \
  _Pragma("unroll") for (int i = 0; i < ROWS; ++i) {                                  \
    _Pragma("unroll") for (int j = 0; j < COLUMNS; ++j) result[i][j] = sum[i][j];     \
  }

#define CLEAR(sum)                                               \
  _Pragma("unroll") for (int i = 0; i < ROWS; ++i) {             \
    _Pragma("unroll") for (int j = 0; j < COLUMNS; ++j) sum[i][j] = 0; \
  }

// A(i, j) = a[i·a_row + j·a_step], B(i, j) = b[i·n + j]: an element of A meets vectors along a row
// of B. n is at least COLUMNS·V.
__kernel void gemm_rows(IN_ANY(a), IN_ANY(b), IN(bias), OUT_ANY(c), const int batch, const int m,
                        const int n, const int k, const int across, const int a_matrix,
                        const int b_matrix, const int a_row, const int a_step) {
  BIND_ANY(a);
  BIND_ANY(b);
  BIND_ANY_OUT(c);
  PLACE(COLUMNS * V)
  const int start = min(column, n - COLUMNS * V);
  VECTOR sum[ROWS][COLUMNS];
  CLEAR(sum)
  __global const INPUT *element[ROWS];
#pragma unroll
  for (int i = 0; i < ROWS; ++i) element[i] = a + min(row + i, m - 1) * a_row;
  b += start;
  for (int p = 0; p < k; ++p) {
    VECTOR values[COLUMNS];
#pragma unroll
    for (int j = 0; j < COLUMNS; ++j) values[j] = READ(b + j * V);
#pragma unroll
    for (int i = 0; i < ROWS; ++i) {
      const float factor = GET(element[i], p * a_step);
#pragma unroll
      for (int j = 0; j < COLUMNS; ++j) sum[i][j] += factor * values[j];
    }
    b += n;
  }
#ifdef ADDEND
  BIND(bias);
#endif
  KEEP_SUMS(result)
  EACH_RESULT
  for (int i = 0; i < ROWS; ++i) {
    if (row + i < m) {
      EACH_RESULT
      for (int j = 0; j < COLUMNS; ++j) {
        const int at = start + j * V;
        VECTOR value = result[i][j];
#if BIAS == 1
        value += LOAD(bias + at);
#elif BIAS == 2
        value += bias[row + i];
#endif
        __global OUTPUT *target = c + (row + i) * n + at;
        if (at >= column) WRITE(value, target);
        else if (at + V > column) write_part(value, target, column - at, V);
      }
    }
  }
}

// The same where A has few rows, ROWS of them, and B is large: rows of B are read once, in stripes so
// long that memory delivers them at full speed, while the sums of a stripe stay in the cache. With
// TRANSPOSED C is stored as [n, m]: so it is the product of few columns with a matrix that is read along
// its own rows.
#ifndef STRIPE
#define STRIPE 16
#endif
__kernel void gemm_thin(IN_ANY(a), IN_ANY(b), IN(bias), OUT_ANY(c), const int batch, const int m,
                        const int n, const int k, const int across, const int a_matrix,
                        const int b_matrix, const int a_row, const int a_step) {
  BIND_ANY(a);
  BIND_ANY(b);
  BIND_ANY_OUT(c);
  PLACE(STRIPE * V)
  const int vectors = min(STRIPE, (n - column + V - 1) / V);
  VECTOR sum[STRIPE][ROWS];
  for (int v = 0; v < vectors; ++v) {
#pragma unroll
    for (int i = 0; i < ROWS; ++i) sum[v][i] = 0;
  }
  int p = 0;
  for (; p + 4 <= k; p += 4) {
    float factors[4][ROWS];
#pragma unroll
    for (int q = 0; q < 4; ++q) {
#pragma unroll
      for (int i = 0; i < ROWS; ++i) factors[q][i] = GET(a, i * a_row + (p + q) * a_step);
    }
    for (int v = 0; v < vectors; ++v) {
      // The last vector of the matrix reaches back.
      __global const INPUT *source = b + p * n + min(column + v * V, n - V);
      const VECTOR b0 = READ(source), b1 = READ(source + n);
      const VECTOR b2 = READ(source + 2 * n), b3 = READ(source + 3 * n);
#pragma unroll
      for (int i = 0; i < ROWS; ++i) {
        VECTOR value = sum[v][i];
        value += factors[0][i] * b0;
        value += factors[1][i] * b1;
        value += factors[2][i] * b2;
        value += factors[3][i] * b3;
        sum[v][i] = value;
      }
    }
  }
  for (; p < k; ++p) {
    for (int v = 0; v < vectors; ++v) {
      const VECTOR value = READ(b + p * n + min(column + v * V, n - V));
#pragma unroll
      for (int i = 0; i < ROWS; ++i) sum[v][i] += GET(a, i * a_row + p * a_step) * value;
    }
  }
#ifdef ADDEND
  BIND(bias);
#endif
  for (int v = 0; v < vectors; ++v) {
    const int wanted = column + v * V, at = min(wanted, n - V);
    for (int i = 0; i < ROWS; ++i) {
      VECTOR value = sum[v][i];
#if BIAS == 1
      value += LOAD(bias + at);
#elif BIAS == 2
      value += bias[row + i];
#endif
#ifdef TRANSPOSED
      float lanes[V];
      STORE(value, lanes);
      for (int lane = wanted - at; lane < V; ++lane) PUT(lanes[lane], c, (at + lane) * ROWS + i);
#else
      __global OUTPUT *target = c + i * n + at;
      if (at == wanted) WRITE(value, target);
      else write_part(value, target, wanted - at, V);
#endif
    }
  }
}

// Rows or columns of an operand in blocks of `width`, for gemm_packed: x(i, p) = x[i·row + p·step]
// becomes y[block][p][lane], zero beyond `count`. A work-item packs TILE steps of a block.
#ifndef TILE
#define TILE 16
#endif
__kernel void gemm_pack(IN_ANY(x), OUT(y), const int batch, const int count, const int k,
                        const int width, const int matrix, const int row, const int step) {
  BIND_ANY(x);
  BIND_OUT(y);
  const int blocks = (count + width - 1) / width, tiles = (k + TILE - 1) / TILE;
  const int item = get_global_id(0);
  if (item >= tiles * blocks * batch) return;
  const int first = item % tiles * TILE, block = item / tiles % blocks;
  x += item / (tiles * blocks) * matrix;
  y += item / tiles * width * k;
  const int end = min(first + TILE, k), lanes = min(width, count - block * width);
  if (step == 1) {
    for (int lane = 0; lane < lanes; ++lane) {
      __global const INPUT *source = x + (block * width + lane) * row;
      for (int p = first; p < end; ++p) y[p * width + lane] = GET(source, p);
    }
    for (int lane = lanes; lane < width; ++lane) {
      for (int p = first; p < end; ++p) y[p * width + lane] = 0;
    }
  } else {
    for (int p = first; p < end; ++p) {
      __global const INPUT *source = x + block * width * row + p * step;
      for (int lane = 0; lane < lanes; ++lane) y[p * width + lane] = GET(source, lane * row);
      for (int lane = lanes; lane < width; ++lane) y[p * width + lane] = 0;
    }
  }
}

// The product of packed operands, A in blocks of ROWS and B in blocks of COLUMNS·V. Large matrices
// gain from it: a block of B stays in the cache, whatever the length of its rows. With ACCUMULATE the
// product is added to what C holds.
__kernel void gemm_packed(IN(a), IN(b), IN(bias), OUT_ANY(c), const int batch, const int m,
                          const int n, const int k, const int across, const int a_matrix,
                          const int b_matrix) {
  BIND(a);
  BIND(b);
  BIND_ANY_OUT(c);
  PLACE(COLUMNS * V)
  VECTOR sum[ROWS][COLUMNS];
  CLEAR(sum)
  a += row * k;
  b += column * k;
  for (int p = 0; p < k; ++p) {
    VECTOR values[COLUMNS];
#pragma unroll
    for (int j = 0; j < COLUMNS; ++j) values[j] = LOAD(b + j * V);
#pragma unroll
    for (int i = 0; i < ROWS; ++i) {
#pragma unroll
      for (int j = 0; j < COLUMNS; ++j) sum[i][j] += a[i] * values[j];
    }
    a += ROWS;
    b += COLUMNS * V;
  }
#ifdef ADDEND
  BIND(bias);
#endif
  KEEP_SUMS(result)
  EACH_RESULT
  for (int i = 0; i < ROWS; ++i) {
    if (row + i < m) {
      EACH_RESULT
      for (int j = 0; j < COLUMNS; ++j) {
        const int at = column + j * V;
        const int lanes = min(V, n - at);
        VECTOR value = result[i][j];
#if BIAS == 1
        if (lanes > 0) value += load_part(bias + at, lanes);
#elif BIAS == 2
        value += bias[row + i];
#endif
        __global OUTPUT *target = c + (row + i) * n + at;
#ifdef ACCUMULATE
        if (lanes > 0) value += lanes >= V ? READ_OUT(target) : read_part_out(target, lanes);
#endif
        if (lanes >= V) WRITE(value, target);
        else write_part(value, target, 0, lanes);
      }
    }
  }
}

// A(i, j) = a[i·k + j], B(i, j) = b[j·k + i]: both run along the summed axis, so a lane sums every
// V-th product. k is at least V.
__kernel void gemm_dot(IN_ANY(a), IN_ANY(b), IN(bias), OUT_ANY(c), const int batch, const int m,
                       const int n, const int k, const int across, const int a_matrix,
                       const int b_matrix) {
  BIND_ANY(a);
  BIND_ANY(b);
  BIND_ANY_OUT(c);
  PLACE(COLUMNS)
  VECTOR sum[ROWS][COLUMNS];
  __global const INPUT *left[ROWS];
  __global const INPUT *right[COLUMNS];
#pragma unroll
  for (int i = 0; i < ROWS; ++i) left[i] = a + min(row + i, m - 1) * k;
#pragma unroll
  for (int j = 0; j < COLUMNS; ++j) right[j] = b + min(column + j, n - 1) * k;
  CLEAR(sum)
  const int whole = k / V * V;
  for (int p = 0; p < whole; p += V) {
    VECTOR values[COLUMNS];
#pragma unroll
    for (int j = 0; j < COLUMNS; ++j) values[j] = READ(right[j] + p);
#pragma unroll
    for (int i = 0; i < ROWS; ++i) {
      const VECTOR factor = READ(left[i] + p);
#pragma unroll
      for (int j = 0; j < COLUMNS; ++j) sum[i][j] += factor * values[j];
    }
  }
  if (whole < k) {
    // The last vector reaches back over products already summed; their lanes are taken out.
    const INTEGERS is_new = LANES >= (INTEGERS)(V - (k - whole));
    VECTOR values[COLUMNS];
#pragma unroll
    for (int j = 0; j < COLUMNS; ++j) values[j] = READ(right[j] + k - V);
#pragma unroll
    for (int i = 0; i < ROWS; ++i) {
      const VECTOR factor = is_new ? READ(left[i] + k - V) : (VECTOR)(0.0f);
#pragma unroll
      for (int j = 0; j < COLUMNS; ++j) sum[i][j] += factor * values[j];
    }
  }
#ifdef ADDEND
  BIND(bias);
#endif
  KEEP_SUMS(result)
  EACH_RESULT
  for (int i = 0; i < ROWS; ++i) {
    EACH_RESULT
    for (int j = 0; j < COLUMNS; ++j) {
      if (row + i < m && column + j < n) {
        float total = sum_lanes(result[i][j]);
#ifdef ADDEND
        total += ADDEND(row + i, column + j);
#endif
        PUT(total, c, (row + i) * n + column + j);
      }
    }
  }
}
