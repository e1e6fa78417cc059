#define _GNU_SOURCE
#include "CMPI.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/// A line of its own for each rank.
struct cmpi_bells {
  _Alignas(64) _Atomic uint32_t rings;
  _Atomic uint32_t sleeps;
};

static size_t bytes(int count) { return (size_t)count * sizeof(struct cmpi_bells); }

int cmpi_bells_create(int count) {
  int file = (int)syscall(SYS_memfd_create, "flotilla-bells", 1u /* MFD_CLOEXEC */);
  if (file < 0) return -1;
  if (ftruncate(file, (off_t)bytes(count)) == 0) return file;
  close(file);
  return -1;
}

int cmpi_bells_open(int process, int file) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/fd/%d", process, file);
  return open(path, O_RDWR | O_CLOEXEC);
}

bool cmpi_bells_identify(int file, uint64_t *device, uint64_t *number) {
  struct stat facts;
  if (fstat(file, &facts) != 0) return false;
  *device = (uint64_t)facts.st_dev;
  *number = (uint64_t)facts.st_ino;
  return true;
}

struct cmpi_bells *cmpi_bells_map(int file, int count) {
  // Memory that is not there must not end this process later.
  struct stat facts;
  if (fstat(file, &facts) != 0 || facts.st_size < (off_t)bytes(count)) return NULL;
  void *bells = mmap(NULL, bytes(count), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  return bells == MAP_FAILED ? NULL : bells;
}

void cmpi_bells_unmap(struct cmpi_bells *bells, int count) { munmap(bells, bytes(count)); }

uint32_t cmpi_bells_rings(const struct cmpi_bells *bells, int place) { return atomic_load(&bells[place].rings); }

void cmpi_bells_ring(struct cmpi_bells *bells, int place) {
  atomic_fetch_add(&bells[place].rings, 1);
  if (atomic_load(&bells[place].sleeps)) {
    syscall(SYS_futex, &bells[place].rings, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
  }
}

void cmpi_bells_wait(struct cmpi_bells *bells, int place, uint32_t rings, uint32_t microseconds) {
  struct timespec most = {.tv_sec = microseconds / 1000000, .tv_nsec = (long)(microseconds % 1000000) * 1000};
  atomic_store(&bells[place].sleeps, 1);
  // Whoever rings from now on sees that; who did before has changed the number.
  syscall(SYS_futex, &bells[place].rings, FUTEX_WAIT, rings, &most, NULL, 0);
  atomic_store(&bells[place].sleeps, 0);
}
