#if defined(__x86_64__)
#include "tables.h"
#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,bmi2"))), apply_to = function)

#define FK(name) fk_avx2_##name
#define FK_ISA FK_ISA_AVX2
#define FK_NAME "avx2"
// 16 registers of 8 lanes: 12 sums, 2 weights, 1 input.
#define FK_TILE_PANELS 1
#define FK_TILE_TOKENS 6
#define FK_FP8_PANELS 1
#define FK_FP8_TOKENS 5
#define FK_LINE_PANELS 4
#define FK_GROUP_TOKENS 4
#define FK_HAS_MADDUBS
#define FK_LANES 8
#define FK_ATTEND_ROWS 4
#define FK_PIN(v) __asm__ volatile("" : "+x"(v))
#define FK_PEAK_CHAINS 5

#include "kernels.inc"

#pragma clang attribute pop
#endif
