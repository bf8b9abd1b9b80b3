// Built with -fpatchable-function-entry=16; everything else is built as ever.
#include "price.h"

// An inlined copy of a function has no sled, hence noinline.
__attribute__((noinline)) long tax(long net) { return net / 5; }

__attribute__((noinline)) long gross(long net) { return net + tax(net); }
