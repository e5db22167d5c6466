// What a tensor core of an NVIDIA GPU does, as functions: copies to local memory that go on by
// themselves, operands rounded to fewer bits, and the product of a 16 × STEP and a STEP × 8 matrix by
// the 32 work-items of a warp. Compute capability 8.0, PTX ISA 7.0 (sections "mma.m16n8k8",
// "mma.m16n8k16", "cp.async" and "cvt" say which lane holds what).
//
// With EMULATED the same functions in OpenCL C alone: lanes put what they hold where the tables of the
// PTX ISA say it belongs, into local memory, and multiply from there. Far slower, but it runs on any
// device, so that what is built on the functions can be tested without such a GPU.
#ifndef EMULATED
#define EMULATED 1
#endif
// What operands are rounded to: 1 TF32, of 10 bits of mantissa; 2 BF16, of 7.
#ifndef PRECISION
#define PRECISION 1
#endif

// The terms that an instruction sums, and those that share a 32-bit register.
#if PRECISION == 1
#define STEP 8
#define PER_REGISTER 1
#else
#define STEP 16
#define PER_REGISTER 2
#endif

#define LANE ((int)get_local_id(0) % 32)
#define WARP ((int)get_local_id(0) / 32)

#if EMULATED
// Loops around barriers stay loops: unrolled, they would take a compiler minutes.
#define UNROLL _Pragma("nounroll")
#else
#define UNROLL _Pragma("unroll")
#endif

// Operands rounded to nearest: ties away from zero in TF32, to even in BF16, of which `low` comes
// first.
#if PRECISION == 1
static inline uint to_operand(float x) {
#if EMULATED
  const uint bits = as_uint(x);
  return isnan(x) ? 0x7fffffffu : (bits + 0x1000u) & 0xffffe000u;
#else
  uint bits;
  __asm__ volatile("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits;
#endif
}
#else
#if EMULATED
static inline uint to_bf16(float x) {
  const uint bits = as_uint(x);
  return isnan(x) ? 0x7fffu : (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}
#endif
static inline uint to_operands(float low, float high) {
#if EMULATED
  return to_bf16(high) << 16 | to_bf16(low);
#else
  uint bits;
  __asm__ volatile("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
  return bits;
#endif
}
#endif

// A register of terms, `term` floats apart.
static inline uint load_register(__local const float *p, const int term) {
#if PRECISION == 1
  return to_operand(p[0]);
#else
  return to_operands(p[0], p[term]);
#endif
}

// A lane's registers of the 16 × STEP matrix at `matrix`, whose rows and terms are so many floats
// apart.
static inline uint4 load_left(__local const float *matrix, const int row, const int term) {
  __local const float *p = matrix + LANE / 4 * row + LANE % 4 * PER_REGISTER * term;
  return (uint4)(load_register(p, term), load_register(p + 8 * row, term),
                 load_register(p + STEP / 2 * term, term),
                 load_register(p + 8 * row + STEP / 2 * term, term));
}

// A lane's registers of a STEP × 8 matrix.
static inline uint2 load_right(__local const float *matrix, const int column, const int term) {
  __local const float *p = matrix + LANE / 4 * column + LANE % 4 * PER_REGISTER * term;
  return (uint2)(load_register(p, term), load_register(p + STEP / 2 * term, term));
}

// Of the sums that a lane holds, the row and the column in the 16 × 8 matrix.
#define SUM_ROW(element) (LANE / 4 + (element) / 2 * 8)
#define SUM_COLUMN(element) (LANE % 4 * 2 + (element) % 2)

// The local memory in which the lanes of the emulation meet: 24 rows or columns of STEP floats a warp.
#if EMULATED
#define DECLARE_EXCHANGE(warps) __local float exchange[(warps) * 24 * STEP]
#else
#define DECLARE_EXCHANGE(warps) __local float *exchange = 0
#endif

#if EMULATED
// The term of a register that is the `number`-th in it.
static inline float operand(uint bits, int number) {
  return as_float(PRECISION == 1 ? bits : number == 0 ? bits << 16 : bits & 0xffff0000u);
}
#endif

// sum + left × right, of a whole warp. All work-items of the group call it together.
static inline float4 multiply_accumulate(float4 sum, uint4 left, uint2 right,
                                         __local float *exchange) {
#if EMULATED
  __local float *rows = exchange + WARP * 24 * STEP, *columns = rows + 16 * STEP;
  const uint a[4] = {left.x, left.y, left.z, left.w}, b[2] = {right.x, right.y};
  // What the last call put there has been read.
  barrier(CLK_LOCAL_MEM_FENCE);
  for (int i = 0; i < 4 * PER_REGISTER; ++i) {
    // Element i of A, by the tables: of rows g and g + 8, g = lane / 4, in turn for each register.
    const int in_register = i / PER_REGISTER, number = i % PER_REGISTER;
    const int row = LANE / 4 + in_register % 2 * 8;
    const int term = LANE % 4 * PER_REGISTER + number + in_register / 2 * (STEP / 2);
    rows[row * STEP + term] = operand(a[in_register], number);
  }
  for (int i = 0; i < 2 * PER_REGISTER; ++i) {
    const int in_register = i / PER_REGISTER, number = i % PER_REGISTER;
    const int term = LANE % 4 * PER_REGISTER + number + in_register * (STEP / 2);
    columns[LANE / 4 * STEP + term] = operand(b[in_register], number);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  float totals[4];
  vstore4(sum, 0, totals);
  for (int i = 0; i < 4; ++i) {
    for (int term = 0; term < STEP; ++term) {
      totals[i] += rows[SUM_ROW(i) * STEP + term] * columns[SUM_COLUMN(i) * STEP + term];
    }
  }
  return vload4(0, totals);
#else
  float x, y, z, w;
#if PRECISION == 1
  __asm__ volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %11, %12, %13};"
#else
  __asm__ volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %11, %12, %13};"
#endif
      : "=f"(x), "=f"(y), "=f"(z), "=f"(w)
      : "r"(left.x), "r"(left.y), "r"(left.z), "r"(left.w), "r"(right.x), "r"(right.y),
        "f"(sum.x), "f"(sum.y), "f"(sum.z), "f"(sum.w));
  return (float4)(x, y, z, w);
#endif
}

// Starts copying one element, or four that begin at a multiple of four, to local memory; zeros where `inside` is
// false. A local pointer is an address of PTX's shared space. What is stored in 16 bits is widened on its way,
// for which there is no instruction that goes on by itself.
#define COPIES_LATER (!EMULATED && INPUT_TYPE == FLOAT32)
static inline void copy_one(__local float *target, __global const INPUT *source, bool inside) {
#if !COPIES_LATER
  *target = inside ? GET(source, 0) : 0.0f;
#else
  __asm__ volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;"
               :
               : "l"(target), "l"(source), "r"(inside ? 4 : 0)
               : "memory");
#endif
}
static inline void copy_four(__local float *target, __global const INPUT *source, bool inside) {
#if !COPIES_LATER
  // As the instruction has it, both at multiples of four.
  *(__local float4 *)target = inside ? READ_FOUR(source) : (float4)(0.0f);
#else
  __asm__ volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
               :
               : "l"(target), "l"(source), "r"(inside ? 16 : 0)
               : "memory");
#endif
}

// Ends a group of copies.
static inline void end_copies(void) {
#if COPIES_LATER
  __asm__ volatile("cp.async.commit_group;" : : : "memory");
#endif
}

// Waits until at most so many groups of the work-item's own copies are under way.
#if !COPIES_LATER
#define WAIT_FOR_COPIES(pending)
#else
#define WAIT_FOR_COPIES(pending) __asm__ volatile("cp.async.wait_group " #pending ";" : : : "memory")
#endif
