// The plain kernels: what the compiler makes of kernels.inc for any processor of the architecture.
// The others are held against this one with ==.

#include "tables.h"

#define FK(name) fk_scalar_##name
#define FK_ISA FK_ISA_SCALAR
#define FK_NAME "scalar"
#define FK_TILE_PANELS 1
#define FK_TILE_TOKENS 4
#define FK_FP8_PANELS 1
#define FK_FP8_TOKENS 4
#define FK_LINE_PANELS 1
#define FK_GROUP_TOKENS 4
#define FK_ATTEND_ROWS 1
#define FK_PLAIN 1
#define FK_PEAK_CHAINS 2

#include "kernels.inc"
