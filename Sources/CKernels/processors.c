// On which processors threads run.
#define _GNU_SOURCE
#include "CKernels.h"

#include <sched.h>
#include <string.h>

bool fk_thread_processors(uint64_t bits[FK_PROCESSOR_WORDS]) {
  memset(bits, 0, FK_PROCESSOR_WORDS * sizeof bits[0]);
  return sched_getaffinity(0, FK_PROCESSOR_WORDS * sizeof bits[0], (cpu_set_t *)bits) == 0;
}

bool fk_keep_thread_on(const uint64_t bits[FK_PROCESSOR_WORDS]) {
  return sched_setaffinity(0, FK_PROCESSOR_WORDS * sizeof bits[0], (const cpu_set_t *)bits) == 0;
}
