// Found before the compiler's own immintrin.h where Sources/CKernels/kernels-avx512.c is built to run on a processor
// with AVX2 only: its source, tile sizes and layouts stay, vectors become pairs of AVX2's, and the two
// instructions that have no counterpart there are spelled out, as the instruction set reference defines them.

#ifndef FLOTILLA_EMULATED_IMMINTRIN_H
#define FLOTILLA_EMULATED_IMMINTRIN_H

#include_next <immintrin.h>
#include <stdint.h>
#include <string.h>

/// VPDPBUSD: to each lane of 32 bits, four products of an unsigned byte of `a` and a signed one of `b`.
static inline __m512i emulated_dpbusd(__m512i sum, __m512i a, __m512i b) {
  int32_t lanes[16];
  uint8_t left[64];
  int8_t right[64];
  memcpy(lanes, &sum, 64), memcpy(left, &a, 64), memcpy(right, &b, 64);
  for (int i = 0; i < 64; i++) lanes[i / 4] += left[i] * right[i];
  memcpy(&sum, lanes, 64);
  return sum;
}

/// VPDPWSSD: to each lane of 32 bits, two products of signed halves.
static inline __m512i emulated_dpwssd(__m512i sum, __m512i a, __m512i b) {
  int32_t lanes[16];
  int16_t left[32], right[32];
  memcpy(lanes, &sum, 64), memcpy(left, &a, 64), memcpy(right, &b, 64);
  for (int i = 0; i < 32; i++) lanes[i / 2] += left[i] * right[i];
  memcpy(&sum, lanes, 64);
  return sum;
}

static inline __m512i emulated_set1(int32_t x) {
  int32_t lanes[16];
  for (int i = 0; i < 16; i++) lanes[i] = x;
  __m512i v;
  memcpy(&v, lanes, 64);
  return v;
}

#define _mm512_dpbusd_epi32 emulated_dpbusd
#define _mm512_dpwssd_epi32 emulated_dpwssd
#define _mm512_set1_epi32 emulated_set1
#define target(features) target("avx2,fma,f16c,bmi2")

#endif
