#ifndef TERN_TOGETHER
#define TERN_TOGETHER
#include "common.cl"

// Tensors that a launch takes together: small ones cost a GPU more by their launch than by what is done to them.
//
// Whoever includes this defines OWN(j), the arguments that tensor j has for itself, among them `const int start##j`,
// and POINT(j), a block that makes it the one to work on. ALL_OWN are the arguments of all; PICK_OWN points to the
// last tensor that starts at `id` or before.
#ifndef TOGETHER
#define TOGETHER 1
#endif

#define OWN4(a, b, c, d) OWN(a), OWN(b), OWN(c), OWN(d)
#define OWN8 OWN4(0, 1, 2, 3), OWN4(4, 5, 6, 7)
#define OWN12 OWN8, OWN4(8, 9, 10, 11)
#define OWN16 OWN12, OWN4(12, 13, 14, 15)
#define OWN24 OWN16, OWN4(16, 17, 18, 19), OWN4(20, 21, 22, 23)

#define PICK2(a, b) \
  if (id >= start##b) POINT(b) else POINT(a)
#define PICK4(a, b, c, d)   \
  if (id >= start##c) {     \
    PICK2(c, d)             \
  } else {                  \
    PICK2(a, b)             \
  }
#define PICK8             \
  if (id >= start4) {     \
    PICK4(4, 5, 6, 7)     \
  } else {                \
    PICK4(0, 1, 2, 3)     \
  }
#define PICK12            \
  if (id >= start8) {     \
    PICK4(8, 9, 10, 11)   \
  } else PICK8
#define PICK16            \
  if (id >= start12) {    \
    PICK4(12, 13, 14, 15) \
  } else PICK12
#define PICK24               \
  if (id >= start20) {       \
    PICK4(20, 21, 22, 23)    \
  } else if (id >= start16) { \
    PICK4(16, 17, 18, 19)    \
  } else PICK16

#if TOGETHER == 1
#define ALL_OWN OWN(0)
#define PICK_OWN POINT(0)
#else
#define ALL_OWN CONCAT(OWN, TOGETHER)
#define PICK_OWN CONCAT(PICK, TOGETHER)
#endif

#endif
