#include "check.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(CHECK_EMULATED)
extern const fk_kernels fk_emulated_kernels;
#endif

static uint64_t random_state;

uint32_t random_bits(void) { // splitmix64
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return (uint32_t)((z ^ z >> 31) >> 32);
}

int random_below(int end) { return (int)(random_bits() % (uint32_t)end); }

enum { MOST_AREAS = 256 };
static struct { void *start; size_t bytes; } areas[MOST_AREAS];
static int area_count;

void *fenced(int64_t bytes) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), used = ((size_t)bytes + 3) / 4 * 4;
  size_t body = (used + page - 1) / page * page;
  char *start = mmap(NULL, body + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED || area_count == MOST_AREAS || mprotect(start + body, page, PROT_NONE) != 0) {
    perror("check: memory");
    _exit(2);
  }
  areas[area_count].start = start;
  areas[area_count++].bytes = body + page;
  memset(start, 0xa5, body);
  return start + body - used;
}

void release_all(void) {
  while (area_count > 0) {
    area_count--;
    munmap(areas[area_count].start, areas[area_count].bytes);
  }
}

void *random_bytes(int64_t count) {
  uint8_t *bytes = fenced(count);
  for (int64_t i = 0; i < count; i++) bytes[i] = (uint8_t)random_bits();
  return bytes;
}

void *copy_of(const void *bytes, int64_t count) { return memcpy(fenced(count), bytes, (size_t)count); }

static float random_float(kind kind) {
  const float specials[] = {INFINITY, -INFINITY, NAN, -0.0f, 0, 1, 0x1p-149f, 3.4e38f};
  float unit = (float)(int32_t)random_bits() * 0x1p-31f, value;
  uint32_t bits = random_bits();
  switch (kind) {
  case ZEROS: return bits & 1 ? 0.0f : -0.0f;
  case HUGE_ONES: return unit * (bits & 3 ? 3e38f : 1e19f);
  case TINY: return unit * (bits & 1 ? 1e-38f : 1e-41f);
  case ANY_BITS:
    if (random_below(8) == 0) return specials[random_below(8)];
    memcpy(&value, &bits, sizeof value);
    return value;
  default: return unit * (bits % 32 == 0 ? 20 : 2);
  }
}

float *random_floats(kind kind, int64_t count) {
  float *values = fenced(count * 4);
  for (int64_t i = 0; i < count; i++) values[i] = random_float(kind);
  return values;
}

void expect_floats(check *c, const char *what, const float *expected, const float *found, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    if (memcmp(expected + i, found + i, 4) == 0 || (isnan(expected[i]) && isnan(found[i]))) continue;
    if (c->failed++ < 20)
      printf("%s: %s: number %" PRId64 " of %" PRId64 " is %a, expected %a\n", c->table->name, what, i, count,
             (double)found[i], (double)expected[i]);
    return;
  }
  c->passed++;
}

void expect_bytes(check *c, const char *what, const void *expected, const void *found, int64_t count) {
  const uint8_t *a = expected, *b = found;
  for (int64_t i = 0; i < count; i++) {
    if (a[i] == b[i]) continue;
    if (c->failed++ < 20)
      printf("%s: %s: byte %" PRId64 " of %" PRId64 " is %d, expected %d\n", c->table->name, what, i, count, b[i],
             a[i]);
    return;
  }
  c->passed++;
}

static int check_table(const fk_kernels *table, const char *note) {
  check c = {.scalar = fk_kernels_for(FK_ISA_SCALAR), .table = table};
  random_state = 1;
  check_rows(&c);
  check_storage(&c);
  check_products(&c);
  check_blocks(&c);
  check_quantizing(&c);
  check_attention(&c);
  printf("%s%s: %d passed, %d failed\n", table->name, note, c.passed, c.failed);
  fflush(stdout);
  return c.failed;
}

/// Checks all tables, or the one that is named.
int main(int count, char **arguments) {
  int failed = 0;
  fk_set_float_environment();
  for (int isa = FK_ISA_AVX2; isa <= FK_ISA_NEON; isa++) {
    const fk_kernels *table = fk_kernels_for((fk_isa)isa);
    if (table && (count < 2 || strcmp(arguments[1], table->name) == 0)) failed += check_table(table, "");
  }
#if defined(CHECK_EMULATED)
  if (count < 2 && fk_kernels_for(FK_ISA_AVX2)) failed += check_table(&fk_emulated_kernels, " (its source, on avx2)");
#endif
  printf("fastest here: %s\n", fk_kernels_best()->name);
  return failed > 0;
}
