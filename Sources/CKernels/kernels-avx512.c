#if defined(__x86_64__)
#include "tables.h"
#include <immintrin.h>

#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c,bmi2"))), apply_to = function)

#define FK(name) fk_avx512_##name
#define FK_ISA FK_ISA_AVX512
#define FK_NAME "avx512"
// 32 registers of 16 lanes: 24 sums, 4 weights, inputs broadcast from memory. More than five rows of fp8, and the
// compiler keeps their addresses in memory.
#define FK_TILE_PANELS 4
#define FK_TILE_TOKENS 6
#define FK_FP8_PANELS 2
#define FK_FP8_TOKENS 5
#define FK_LINE_PANELS 4
#define FK_GROUP_TOKENS 8
#define FK_HAS_VNNI
#define FK_LANES 16
#define FK_ATTEND_ROWS 8
#ifdef FK_EMULATED
#define FK_PIN(v)
#else
#define FK_PIN(v) __asm__ volatile("" : "+v"(v))
#endif
#define FK_PEAK_CHAINS 12

#include "kernels.inc"

#pragma clang attribute pop
#endif
