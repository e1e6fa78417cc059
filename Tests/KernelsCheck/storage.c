// Panels and 16-bit numbers.

#include "check.h"

static void check_packing(check *c, kind kind) {
  for (int64_t columns = 1; columns < 40; columns += 3) {
    int64_t valid = 1 + random_below(16), stride = columns + random_below(5);
    const float *rows = random_floats(kind, stride * (valid - 1) + columns);
    float *plain = fenced(columns * 64), *fast = fenced(columns * 64);
    c->scalar->pack_f32(rows, stride, valid, columns, plain);
    c->table->pack_f32(rows, stride, valid, columns, fast);
    expect_bytes(c, "pack_f32", plain, fast, columns * 64);
    uint16_t *plain_halves = fenced(columns * 32), *fast_halves = fenced(columns * 32);
    c->scalar->pack_bf16(rows, stride, valid, columns, plain_halves);
    c->table->pack_bf16(rows, stride, valid, columns, fast_halves);
    expect_bytes(c, "pack_bf16", plain_halves, fast_halves, columns * 32);
    release_all();
  }
}

/// All 65536 of them, and some beyond the vectors.
static void check_widening(check *c) {
  int64_t count = 65536 + 13;
  uint16_t *halves = fenced(count * 2);
  for (int64_t i = 0; i < count; i++) halves[i] = (uint16_t)i;
  float *plain = fenced(count * 4), *fast = fenced(count * 4);
  c->scalar->f16_to_f32(halves, plain, count);
  c->table->f16_to_f32(halves, fast, count);
  expect_bytes(c, "f16_to_f32", plain, fast, count * 4);
  c->scalar->bf16_to_f32(halves, plain, count);
  c->table->bf16_to_f32(halves, fast, count);
  expect_bytes(c, "bf16_to_f32", plain, fast, count * 4);
  release_all();
}

static void check_narrowing(check *c, const float *values, int64_t count) {
  uint16_t *plain = fenced(count * 2), *fast = fenced(count * 2);
  c->scalar->f32_to_f16(values, plain, count);
  c->table->f32_to_f16(values, fast, count);
  expect_bytes(c, "f32_to_f16", plain, fast, count * 2);
}

/// Around each f16, and around the middle between it and the next: where rounding changes.
static void check_rounding(check *c) {
  int64_t count = 65536 * 6;
  float *values = fenced(count * 4);
  for (int64_t half = 0; half < 65536; half++) {
    uint16_t bits = (uint16_t)half;
    uint32_t exact, *around = (uint32_t *)values + half * 6;
    c->scalar->f16_to_f32(&bits, (float *)&exact, 1);
    for (int i = 0; i < 6; i++) around[i] = exact + (uint32_t)(i % 3 - 1) + (i < 3 ? 0 : 0x1000);
  }
  check_narrowing(c, values, count);
  release_all();
}

void check_storage(check *c) {
  check_widening(c);
  check_rounding(c);
  for (kind kind = 0; kind < KINDS; kind++) {
    check_packing(c, kind);
    for (int64_t count = 0; count < 40; count++) check_narrowing(c, random_floats(kind, count), count);
    for (int i = 0; i < 8; i++) check_narrowing(c, random_floats(kind, 1000), 1000);
    release_all();
  }
}
