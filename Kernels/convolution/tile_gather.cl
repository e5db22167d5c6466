#include "../matmul/tile.cl"
#include "../matmul/epilogue.cl"

// What the passes of a convolution share where it is a product whose operands are gathered from the
// tensors. No position is divided in the loop: where a tap lies and what is outside stand in tables
// that the host makes once for a geometry, and the geometry itself is arguments. A program serves
// every network.
//
// An entry of a table is where something is and, as an integer, what must be known to tell whether a
// tap meets the plane at a position. With few taps a bit stands for each row and for each column of
// taps: a tap has its two bits set, a position those of the taps that it has outside, and bit 31. A
// tap that is only there to fill up has bit 31. With PLACES, for kernels of more than 31 rows and
// columns, it is the row << 16 and the column.
#ifndef PLACES
#define PLACES 0
#endif
#if PLACES
#define MEETS(tap, place)                                      \
  ((uint)(((tap) >> 16) + ((place) >> 16)) < (uint)height &&   \
   (uint)((short)(tap) + (short)(place)) < (uint)width)
#define NOWHERE 0x7fff0000
#else
#define MEETS(tap, place) (((tap) & (place)) == 0)
#define NOWHERE -1
#endif

// A float where a tap meets the plane, else zero. NVIDIA's devices skip a load by a predicate, others
// by a jump, which costs more than to load what is thrown away: with SPECULATES they do, and count
// floats from the start of the tensor, which has fewer than 2³⁰, rather than carry pointers.
#ifndef SPECULATES
#define SPECULATES 0
#endif
#if SPECULATES
#define WINDOW int
#define WINDOW_FROM(x, at) (at)
#define GATHER(target, x, window, offset, tap, place)                                           \
  {                                                                                             \
    const bool meets = MEETS(tap, place);                                                       \
    const uint byte = meets ? (uint)((window) + (offset)) * INPUT_BYTES : 0;                    \
    const float value = GET((__global const INPUT *)((__global const char *)(x) + byte), 0);       \
    target = meets ? value : 0.0f;                                                              \
  }
#else
#define WINDOW __global const INPUT *
#define WINDOW_FROM(x, at) ((x) + (at))
#define GATHER(target, x, window, offset, tap, place) \
  target = MEETS(tap, place) ? GET(window, offset) : 0.0f;
#endif
