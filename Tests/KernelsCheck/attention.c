// Attention over one block: whole and odd sizes, causal or not, first or later, many rows or one.

#include "check.h"

typedef struct {
  fk_attention_block block;
  int64_t state_count, output_count;
} attention_case;

static const float *random_part(kind kind, int64_t rows, int64_t size, int64_t *stride) {
  *stride = size + random_below(2) * random_below(20);
  return random_floats(kind, (rows - 1) * *stride + size);
}

static const uint16_t *narrowed(const float *input, int64_t count) {
  uint16_t *halves = fenced(count * 2);
  fk_kernels_for(FK_ISA_SCALAR)->f32_to_f16(input, halves, count);
  return halves;
}

static attention_case random_case(kind kind) {
  static const int64_t sizes[] = {16, 32, 48, 64, 80, 112, 128, 176, 24, 7, 1, 33};
  fk_attention_block b = {.rows = 1 + random_below(20), .keys = 1 + random_below(FK_ATTENTION_BLOCK)};
  int among = random_below(3) ? 8 : 12; // sizes that are multiples of 16, or any
  b.content_size = sizes[random_below(among)];
  b.rotary_size = random_below(4) ? sizes[random_below(among)] : 0;
  b.value_size = sizes[random_below(random_below(3) ? 8 : 12)];
  b.query_content = random_part(kind, b.rows, b.content_size, &b.query_content_stride);
  b.query_rotary = random_part(kind, b.rows, b.rotary_size, &b.query_rotary_stride);
  b.key_content = random_part(kind, b.keys, b.content_size, &b.key_content_stride);
  b.key_rotary = random_part(kind, b.keys, b.rotary_size, &b.key_rotary_stride);
  b.value = random_part(kind, b.keys, b.value_size, &b.value_stride);
  if (random_below(2)) {
    const float *keys = random_part(kind, b.keys, b.content_size, &b.key_halves_stride);
    b.key_halves = narrowed(keys, (b.keys - 1) * b.key_halves_stride + b.content_size);
    // As latents are: keys and values at once.
    if (b.value_size <= b.content_size && random_below(2))
      b.value = b.key_content, b.value_stride = b.key_content_stride;
  }
  b.is_causal = random_below(2);
  b.is_first = random_below(2);
  b.first_row_keys = random_below(2) ? b.keys : 1 + random_below((int)b.keys);
  b.scale = random_below(4) ? 0.13f : 3.0f;
  b.state_stride = 1 + random_below(3);
  b.output_stride = b.value_size + random_below(3);
  if (random_below(2)) {
    b.upcoming_bytes = 4096;
    b.upcoming = fenced(b.upcoming_bytes);
  }
  return (attention_case){b, (b.rows - 1) * b.state_stride + 1, (b.rows - 1) * b.output_stride + b.value_size};
}

/// Memory of its own for the keys that attend writes, and for the values where they are the same.
static void give_memory(fk_attention_block *b, int64_t key_count) {
  b->widened_keys = copy_of(b->key_content, key_count * 4);
  if (b->value == b->key_content) b->value = b->widened_keys;
  b->key_content = b->widened_keys;
}

static void check_case(check *c, kind kind) {
  attention_case one = random_case(kind);
  const float *maximum = random_floats(kind, one.state_count), *sum = random_floats(kind, one.state_count);
  const float *output = random_floats(kind, one.output_count);
  fk_attention_block plain = one.block, fast = one.block;
  plain.maximum = copy_of(maximum, one.state_count * 4), fast.maximum = copy_of(maximum, one.state_count * 4);
  plain.sum = copy_of(sum, one.state_count * 4), fast.sum = copy_of(sum, one.state_count * 4);
  plain.output = copy_of(output, one.output_count * 4), fast.output = copy_of(output, one.output_count * 4);
  int64_t key_count = (one.block.keys - 1) * one.block.key_content_stride + one.block.content_size;
  if (one.block.key_halves) {
    give_memory(&plain, key_count);
    give_memory(&fast, key_count);
  }
  c->scalar->attend(&plain);
  c->table->attend(&fast);
  expect_floats(c, "attend's maximum", plain.maximum, fast.maximum, one.state_count);
  expect_floats(c, "attend's sum", plain.sum, fast.sum, one.state_count);
  expect_floats(c, "attend's output", plain.output, fast.output, one.output_count);
  if (one.block.key_halves)
    expect_floats(c, "attend's widened keys", plain.widened_keys, fast.widened_keys, key_count);
  release_all();
}

void check_attention(check *c) {
  for (kind kind = 0; kind < KINDS; kind++)
    for (int i = 0; i < (kind == ORDINARY ? 300 : 60); i++) check_case(c, kind);
}
