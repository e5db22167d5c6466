#ifndef TERN_EVERY_WIDTH_H
#define TERN_EVERY_WIDTH_H

// Loops that are compiled for several widths of vectors, of which the processor's is taken at run time, with the
// same bits on all of them: none multiplies and adds at once.
#pragma clang fp contract(off)

#if defined(__x86_64__)
#define FOR_EVERY_WIDTH __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EVERY_WIDTH
#endif
#define INLINE static inline __attribute__((always_inline))

#endif
