// How tensors are stored. Kernels compute in float32. Of their tensors those that are declared by IN_ANY have
// the type INPUT in memory, those by OUT_ANY and LIKE_OUT the type OUTPUT: float32, or 16 bits where the host
// says so by -DINPUT_TYPE and -DOUTPUT_TYPE. Results are rounded to nearest, ties to even; NaN stays NaN.
#define FLOAT32 0
#define FLOAT16 1
#define BFLOAT16 2
// For casts alone.
#define INT32 3
#define UINT8 4
#ifndef INPUT_TYPE
#define INPUT_TYPE FLOAT32
#endif
#ifndef OUTPUT_TYPE
#define OUTPUT_TYPE FLOAT32
#endif

#define IN_ANY(name) __global const INPUT *name##_base, const uint name##_offset
#define OUT_ANY(name) __global OUTPUT *name##_base, const uint name##_offset
#define LIKE_OUT(name) __global const OUTPUT *name##_base, const uint name##_offset
#define BIND_ANY(name) __global const INPUT *name = name##_base + name##_offset
#define BIND_ANY_OUT(name) __global OUTPUT *name = name##_base + name##_offset
#define BIND_LIKE_OUT(name) __global const OUTPUT *name = name##_base + name##_offset

#if V == 1
#define USHORTS ushort
#define UINTS uint
#define AS_FLOATS(value) as_float(value)
#define AS_UINTS(value) as_uint(value)
#define TO_UINTS(value) (uint)(value)
#define TO_USHORTS(value) (ushort)(value)
#define LOAD_USHORTS(p) (*(p))
#define STORE_USHORTS(value, p) (*(p) = (value))
#else
#define USHORTS CONCAT(ushort, V)
#define UINTS CONCAT(uint, V)
#define AS_FLOATS(value) CONCAT(as_float, V)(value)
#define AS_UINTS(value) CONCAT(as_uint, V)(value)
#define TO_UINTS(value) CONCAT(convert_uint, V)(value)
#define TO_USHORTS(value) CONCAT(convert_ushort, V)(value)
#define LOAD_USHORTS(p) CONCAT(vload, V)(0, p)
#define STORE_USHORTS(value, p) CONCAT(vstore, V)(value, 0, p)
#endif

// bfloat16 is the upper half of a float32.
#if INPUT_TYPE == BFLOAT16 || OUTPUT_TYPE == BFLOAT16
static inline float widened(ushort value) { return as_float((uint)value << 16); }
static inline float4 widened_four(ushort4 value) { return as_float4(convert_uint4(value) << 16); }
static inline VECTOR widened_lanes(USHORTS value) { return AS_FLOATS(TO_UINTS(value) << 16); }
static inline ushort narrowed(float value) {
  const uint bits = as_uint(value);
  // Rounding could carry a NaN into infinity.
  return value != value ? bits >> 16 | 0x40u : (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}
static inline ushort4 narrowed_four(float4 value) {
  const uint4 bits = as_uint4(value);
  return convert_ushort4(value != value ? bits >> 16 | 0x40u
                                        : (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}
static inline USHORTS narrowed_lanes(VECTOR value) {
  const UINTS bits = AS_UINTS(value);
  return TO_USHORTS(value != value ? bits >> 16 | 0x40u
                                   : (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}
#endif

// float16 is loaded and stored by functions that every device has. With -DHALVES_BY_BITS it is widened by its bits:
// PoCL's compiler compares what it loaded as float16, and calls a function for it that is not there.
#ifdef HALVES_BY_BITS
// Exponents of both types begin at 0; a product makes up for where they end. Infinity and NaN stay.
#define WIDENED_HALF(bits, magnitude, number)                                      \
  ((magnitude) >= 0x0f800000u ? (magnitude) | 0x7f800000u : (number)) | ((bits) & 0x8000u) << 16
static inline float widened_half(ushort value) {
  const uint bits = value, magnitude = (bits & 0x7fffu) << 13;
  return as_float(WIDENED_HALF(bits, magnitude, as_uint(as_float(magnitude) * 0x1p112f)));
}
static inline float4 widened_four_halves(ushort4 value) {
  const uint4 bits = convert_uint4(value), magnitude = (bits & 0x7fffu) << 13;
  return as_float4(WIDENED_HALF(bits, magnitude, as_uint4(as_float4(magnitude) * 0x1p112f)));
}
static inline VECTOR widened_halves(USHORTS value) {
  const UINTS bits = TO_UINTS(value), magnitude = (bits & 0x7fffu) << 13;
  return AS_FLOATS(WIDENED_HALF(bits, magnitude, AS_UINTS(AS_FLOATS(magnitude) * 0x1p112f)));
}
#define BITS_OF_HALVES(p) ((__global const ushort *)(p))
#define LOAD_HALF(p, i) widened_half(BITS_OF_HALVES(p)[i])
#define LOAD_FOUR_HALVES(p) widened_four_halves(*(__global const ushort4 *)(p))
#define LOAD_ANY_FOUR_HALVES(p) widened_four_halves(vload4(0, BITS_OF_HALVES(p)))
#else
#define LOAD_HALF(p, i) vload_half(i, p)
#define LOAD_FOUR_HALVES(p) vloada_half4(0, p)
#define LOAD_ANY_FOUR_HALVES(p) vload_half4(0, p)
#endif
#if V == 1
#define LOAD_HALVES(p) LOAD_HALF(p, 0)
#define STORE_HALVES(value, p) vstore_half_rte(value, 0, p)
#else
#ifdef ALIGNED
#define STORE_HALVES(value, p) CONCAT(CONCAT(vstorea_half, V), _rte)(value, 0, p)
#else
#define STORE_HALVES(value, p) CONCAT(CONCAT(vstore_half, V), _rte)(value, 0, p)
#endif
#if defined(HALVES_BY_BITS)
#define LOAD_HALVES(p) widened_halves(LOAD_USHORTS(BITS_OF_HALVES(p)))
#elif defined(ALIGNED)
#define LOAD_HALVES(p) CONCAT(vloada_half, V)(0, p)
#else
#define LOAD_HALVES(p) CONCAT(vload_half, V)(0, p)
#endif
#endif

// GET and PUT are of element i; READ and WRITE of V neighbours, READ_ANY_FOUR and WRITE_ANY_FOUR of four, READ_FOUR
// and WRITE_FOUR of four that start at a multiple of four elements. The language lets vload4 meet any address, which
// costs a GPU four loads. With -DALIGNED every vector of the kernel lies at a multiple of its size: one load.
#if INPUT_TYPE == FLOAT16
#define INPUT half
#define INPUT_BYTES 2
#define GET(p, i) LOAD_HALF(p, i)
#define READ(p) LOAD_HALVES(p)
#define READ_FOUR(p) LOAD_FOUR_HALVES(p)
#define READ_ANY_FOUR(p) LOAD_ANY_FOUR_HALVES(p)
#elif INPUT_TYPE == BFLOAT16
#define INPUT ushort
#define INPUT_BYTES 2
#define GET(p, i) widened((p)[i])
#define READ_FOUR(p) widened_four(*(__global const ushort4 *)(p))
#define READ_ANY_FOUR(p) widened_four(vload4(0, p))
#elif INPUT_TYPE == INT32 || INPUT_TYPE == UINT8
#if INPUT_TYPE == INT32
#define INPUT int
#else
#define INPUT uchar
#endif
#define GET(p, i) (float)((p)[i])
#define READ(p) read_part(p, V)
#else
#define INPUT float
#define INPUT_BYTES 4
#define GET(p, i) ((p)[i])
#define READ_FOUR(p) (*(__global const float4 *)(p))
#define READ_ANY_FOUR(p) vload4(0, p)
#endif
#if OUTPUT_TYPE == FLOAT16
#define OUTPUT half
#define PUT(value, p, i) vstore_half_rte(value, i, p)
#define GET_OUT(p, i) LOAD_HALF(p, i)
#define WRITE(value, p) STORE_HALVES(value, p)
#define READ_OUT(p) LOAD_HALVES(p)
#define WRITE_FOUR(value, p) vstorea_half4_rte(value, 0, p)
#define WRITE_ANY_FOUR(value, p) vstore_half4_rte(value, 0, p)
#define READ_FOUR_OUT(p) LOAD_FOUR_HALVES(p)
#elif OUTPUT_TYPE == BFLOAT16
#define OUTPUT ushort
#define PUT(value, p, i) ((p)[i] = narrowed(value))
#define GET_OUT(p, i) widened((p)[i])
#define WRITE_FOUR(value, p) (*(__global ushort4 *)(p) = narrowed_four(value))
#define WRITE_ANY_FOUR(value, p) vstore4(narrowed_four(value), 0, p)
#define READ_FOUR_OUT(p) widened_four(*(__global const ushort4 *)(p))
#elif OUTPUT_TYPE == INT32 || OUTPUT_TYPE == UINT8
#if OUTPUT_TYPE == INT32
#define OUTPUT int
#define PUT(value, p, i) ((p)[i] = isnan(value) ? 0 : convert_int_sat_rtz(value))
#else
#define OUTPUT uchar
#define PUT(value, p, i) ((p)[i] = isnan(value) ? 0 : convert_uchar_sat_rtz(value))
#endif
#define GET_OUT(p, i) (float)((p)[i])
#define WRITE(value, p) write_part(value, p, 0, V)
#else
#define OUTPUT float
#define PUT(value, p, i) ((p)[i] = (value))
#define GET_OUT(p, i) ((p)[i])
#define WRITE_FOUR(value, p) (*(__global float4 *)(p) = (value))
#define WRITE_ANY_FOUR(value, p) vstore4(value, 0, p)
#define READ_FOUR_OUT(p) (*(__global const float4 *)(p))
#endif

#if defined(ALIGNED) && V > 1
#define READ_INTEGERS(p) (*(__global const INTEGERS *)(p))
#define WRITE_INTEGERS(value, p) (*(__global INTEGERS *)(p) = (value))
#if INPUT_TYPE == BFLOAT16
#define READ(p) widened_lanes(*(__global const USHORTS *)(p))
#elif INPUT_TYPE == FLOAT32
#define READ(p) (*(__global const VECTOR *)(p))
#endif
#if OUTPUT_TYPE == BFLOAT16
#define WRITE(value, p) (*(__global USHORTS *)(p) = narrowed_lanes(value))
#define READ_OUT(p) widened_lanes(*(__global const USHORTS *)(p))
#elif OUTPUT_TYPE == FLOAT32
#define WRITE(value, p) (*(__global VECTOR *)(p) = (value))
#define READ_OUT(p) (*(__global const VECTOR *)(p))
#endif
#else
#define READ_INTEGERS(p) LOAD_INTEGERS(p)
#define WRITE_INTEGERS(value, p) STORE_INTEGERS(value, p)
#if INPUT_TYPE == BFLOAT16
#define READ(p) widened_lanes(LOAD_USHORTS(p))
#elif INPUT_TYPE == FLOAT32
#define READ(p) LOAD(p)
#endif
#if OUTPUT_TYPE == BFLOAT16
#define WRITE(value, p) STORE_USHORTS(narrowed_lanes(value), p)
#define READ_OUT(p) widened_lanes(LOAD_USHORTS(p))
#elif OUTPUT_TYPE == FLOAT32
#define WRITE(value, p) STORE(value, p)
#define READ_OUT(p) LOAD(p)
#endif
#endif

// The first `count` elements at p; the other lanes are 0.
static inline VECTOR read_part(__global const INPUT *p, int count) {
  float lanes[V];
  EACH_LANE
  for (int lane = 0; lane < V; ++lane) lanes[lane] = lane < count ? GET(p, lane) : 0.0f;
  return LOAD(lanes);
}
static inline VECTOR read_part_out(__global const OUTPUT *p, int count) {
  float lanes[V];
  EACH_LANE
  for (int lane = 0; lane < V; ++lane) lanes[lane] = lane < count ? GET_OUT(p, lane) : 0.0f;
  return LOAD(lanes);
}

// Stores the lanes first ..< last of a vector whose lane 0 belongs at p.
static inline void write_part(VECTOR value, __global OUTPUT *p, int first, int last) {
  float lanes[V];
  STORE(value, lanes);
#if V <= 4
  EACH_LANE
  for (int lane = 0; lane < V; ++lane) {
    if (lane >= first && lane < last) PUT(lanes[lane], p, lane);
  }
#else
  for (int lane = first; lane < last; ++lane) PUT(lanes[lane], p, lane);
#endif
}

// V elements, or the `count` that are left. With -DALIGNED one is left, if any: see ELEMENTS; with
// -DWHOLE none.
#ifdef WHOLE
#define IS_WHOLE(count) true
#define IN_VECTORS(count) (count)
#else
#define IS_WHOLE(count) ((count) >= V)
#define IN_VECTORS(count) ((count) / V * V)
#endif
static inline VECTOR read_some(__global const INPUT *p, int count) {
  if (IS_WHOLE(count)) return READ(p);
#ifdef ALIGNED
  return (VECTOR)(GET(p, 0));
#else
  return read_part(p, count);
#endif
}
static inline void write_some(VECTOR value, __global OUTPUT *p, int count) {
  if (IS_WHOLE(count)) WRITE(value, p);
#ifdef ALIGNED
  else PUT(FIRST_LANE(value), p, 0);
#else
  else write_part(value, p, 0, count);
#endif
}
