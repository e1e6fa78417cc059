#include "tables.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

const fk_kernels *fk_kernels_for(fk_isa isa) {
  switch (isa) {
  case FK_ISA_SCALAR:
    return &fk_scalar_kernels;
#if defined(__x86_64__)
  case FK_ISA_AVX2:
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                   __builtin_cpu_supports("f16c") && __builtin_cpu_supports("bmi2")
               ? &fk_avx2_kernels
               : NULL;
  case FK_ISA_AVX512:
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                   __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("f16c")
               ? &fk_avx512_kernels
               : NULL;
#elif defined(__aarch64__)
  case FK_ISA_NEON:
    return getauxval(AT_HWCAP) & HWCAP_ASIMDDP ? &fk_neon_kernels : NULL;
#endif
  default:
    return NULL;
  }
}

const fk_kernels *fk_kernels_best(void) {
  const fk_isa order[] = {FK_ISA_AVX512, FK_ISA_AVX2, FK_ISA_NEON};
  for (int i = 0; i < 3; i++) {
    const fk_kernels *kernels = fk_kernels_for(order[i]);
    if (kernels) return kernels;
  }
  return &fk_scalar_kernels;
}

void fk_set_float_environment(void) {
#if defined(__x86_64__)
  _mm_setcsr(0x1f80);
#elif defined(__aarch64__)
  uint64_t zero = 0;
  __asm__ volatile("msr fpcr, %0" : : "r"(zero));
#endif
}
