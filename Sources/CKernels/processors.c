// On which processors threads run, and for how long at a time.
#define _GNU_SOURCE
#include "CKernels.h"

#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

bool fk_thread_processors(uint64_t bits[FK_PROCESSOR_WORDS]) {
  memset(bits, 0, FK_PROCESSOR_WORDS * sizeof bits[0]);
  return sched_getaffinity(0, FK_PROCESSOR_WORDS * sizeof bits[0], (cpu_set_t *)bits) == 0;
}

bool fk_keep_thread_on(const uint64_t bits[FK_PROCESSOR_WORDS]) {
  return sched_setaffinity(0, FK_PROCESSOR_WORDS * sizeof bits[0], (const cpu_set_t *)bits) == 0;
}

/// As sched_setattr(2) has it; the C library has none.
typedef struct {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
} sched_attributes;

uint64_t fk_shorten_turns(uint64_t nanoseconds) {
  sched_attributes found = {0};
  if (syscall(SYS_sched_getattr, 0, &found, sizeof found, 0) != 0 || found.policy != SCHED_OTHER) return 0;
  sched_attributes wanted = {
      .size = sizeof wanted, .policy = found.policy, .nice = found.nice, .runtime = nanoseconds};
  if (syscall(SYS_sched_setattr, 0, &wanted, 0) != 0) return 0;
  if (syscall(SYS_sched_getattr, 0, &found, sizeof found, 0) != 0) return 0;
  return found.runtime;
}
