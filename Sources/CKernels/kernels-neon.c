#if defined(__aarch64__)
#include "tables.h"

#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)

#define FK(name) fk_neon_##name
#define FK_ISA FK_ISA_NEON
#define FK_NAME "neon"
// 32 registers of 4 lanes: 24 sums, 4 weights.
#define FK_TILE_PANELS 1
#define FK_TILE_TOKENS 6
#define FK_FP8_PANELS 1
#define FK_FP8_TOKENS 5
#define FK_LINE_PANELS 4
#define FK_GROUP_TOKENS 4
#define FK_HAS_DOTPROD
#define FK_LANES 4
#define FK_ATTEND_ROWS 8
#define FK_PIN(v)
#define FK_PEAK_CHAINS 4

#include "kernels.inc"

#pragma clang attribute pop
#endif
