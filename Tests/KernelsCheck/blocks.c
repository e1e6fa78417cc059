// Block-quantised weights: packing, encoding of activations, products.

#include "check.h"
#include <math.h>
#include <string.h>

static const char *const names[FK_BLOCK_FORMATS] = {"q8_0", "q4_1", "q4_K", "q6_K"};
static const int64_t weights_of[FK_BLOCK_FORMATS] = {32, 32, 256, 256};
static const int64_t bytes_of[FK_BLOCK_FORMATS] = {34, 20, 144, 210};
static const int64_t panel_of[FK_BLOCK_FORMATS] = {FK_PANEL_Q8_0, FK_PANEL_Q4_1, FK_PANEL_Q4_K, FK_PANEL_Q6_K};

/// Random codes and scales; the f16 scales finite, unless the kind is ANY_BITS, or all codes at their largest.
static uint8_t *random_blocks(fk_block_format format, kind kind, int64_t count) {
  uint8_t *blocks = random_bytes(count * bytes_of[format]);
  for (int64_t i = 0; i < count; i++) {
    uint8_t *block = blocks + i * bytes_of[format];
    if (kind == ZEROS) memset(block, 0, (size_t)bytes_of[format]);
    if (kind == HUGE_ONES) memset(block, format == FK_BLOCK_Q8_0 ? 0x7f : 0xff, (size_t)bytes_of[format]);
    if (kind == ANY_BITS) continue;
    int sizes[] = {0x2000, 0, 0x7bff, 0x400, 0};
    for (int half = 0; half < (format == FK_BLOCK_Q4_1 || format == FK_BLOCK_Q4_K ? 2 : 1); half++) {
      uint16_t bits = (uint16_t)(kind == ORDINARY ? 0x1000 + random_below(0x1000) : sizes[kind]);
      if (random_below(2)) bits |= 0x8000;
      memcpy(block + (format == FK_BLOCK_Q6_K ? 208 : 2 * half), &bits, sizeof bits);
    }
  }
  return blocks;
}

/// Both tables pack the same panels; `panels` is what the scalar one made.
static void check_packing(check *c, fk_block_format format, const uint8_t *blocks, int64_t rows, int64_t per_row,
                          uint8_t *panels) {
  int64_t stride = per_row * bytes_of[format], bytes = per_row * panel_of[format];
  uint8_t *fast = fenced(bytes);
  for (int64_t row = 0; row < rows; row += 16) {
    int64_t valid = rows - row < 16 ? rows - row : 16;
    c->scalar->pack_blocks(format, blocks + row * stride, stride, valid, per_row, panels + row / 16 * bytes);
    c->table->pack_blocks(format, blocks + row * stride, stride, valid, per_row, fast);
    expect_bytes(c, "pack_blocks", panels + row / 16 * bytes, fast, bytes);
  }
}

/// Both tables encode the same rows, in two parts where a row is long enough; `rows` is the scalar table's.
static void check_encoding(check *c, kind kind, int64_t columns, int64_t tokens, int64_t stride, char *rows) {
  for (int64_t t = 0; t < tokens; t++) {
    const float *values = random_floats(kind, columns);
    char *fast = fenced(stride);
    int64_t first = columns > 256 ? 256 * (1 + random_below((int)((columns - 1) / 256))) : columns;
    c->scalar->encode(values, 0, columns, columns, rows + t * stride);
    c->table->encode(values, 0, first, columns, fast);
    if (first < columns) c->table->encode(values + first, first, columns - first, columns, fast);
    expect_bytes(c, "encode", rows + t * stride, fast, stride);
  }
}

static void check_shape(check *c, fk_block_format format, kind kind, int64_t rows, int64_t columns, int64_t tokens) {
  int64_t per_row = (columns + weights_of[format] - 1) / weights_of[format];
  int64_t padded = (columns + 31) / 32 * 32, stride = padded + padded / 8 + (columns + 255) / 256 * 4;
  int64_t panel_count = (rows + 15) / 16;
  const uint8_t *blocks = random_blocks(format, kind, rows * per_row);
  uint8_t *panels = fenced(panel_count * per_row * panel_of[format]);
  check_packing(c, format, blocks, rows, per_row, panels);
  char *input = fenced(tokens * stride);
  check_encoding(c, kind, columns, tokens, stride, input);
  fk_block_product product = {.panels = panels, .columns = columns, .outputs = rows, .input = input,
                              .input_stride = stride, .output_stride = rows + random_below(3), .tokens = tokens};
  int64_t count = (tokens - 1) * product.output_stride + rows;
  float *plain = fenced(count * 4), *fast = fenced(count * 4);
  product.output = plain;
  c->scalar->product_blocks[format](&product);
  product.output = fast;
  c->table->product_blocks[format](&product);
  expect_floats(c, names[format], plain, fast, count);
  release_all();
}

/// One activation that is infinite or NaN makes every output NaN, as with weights in f32, unless its weight is zero.
static void check_strange_input(check *c, fk_block_format format) {
  const float strange[] = {INFINITY, -INFINITY, NAN, -NAN};
  int64_t columns = 768, rows = 16, blocks = columns / weights_of[format];
  for (int i = 0; i < 12; i++) {
    float *values = random_floats(ORDINARY, columns), output[16];
    values[random_below((int)columns)] = strange[i % 4];
    char *input = fenced(columns + columns / 8 + columns / 256 * 4);
    c->table->encode(values, 0, columns, columns, input);
    const uint8_t *source = random_blocks(format, ORDINARY, rows * blocks);
    uint8_t *panels = fenced(blocks * panel_of[format]);
    c->table->pack_blocks(format, source, blocks * bytes_of[format], rows, blocks, panels);
    c->table->product_blocks[format](&(fk_block_product){
        .panels = panels, .columns = columns, .outputs = rows, .input = input, .output = output,
        .output_stride = rows, .tokens = 1});
    float expected[16];
    for (int r = 0; r < 16; r++) expected[r] = NAN;
    expect_floats(c, "a product with an activation that is not finite", expected, output, rows);
    release_all();
  }
}

void check_blocks(check *c) {
  for (fk_block_format format = 0; format < FK_BLOCK_FORMATS; format++) check_strange_input(c, format);
  for (fk_block_format format = 0; format < FK_BLOCK_FORMATS; format++)
    for (kind kind = 0; kind < KINDS; kind++) {
      for (int64_t tokens = 1; tokens < 20; tokens++) {
        int64_t columns = weights_of[format] * (1 + random_below(format < FK_BLOCK_Q4_K ? 20 : 4));
        if (format < FK_BLOCK_Q4_K && tokens % 2) columns -= random_below(32); // the last block is partial
        check_shape(c, format, kind, 1 + random_below(60), columns, tokens);
      }
      check_shape(c, format, kind, 7, 768, 40);
    }
  // More than one block of rows.
  for (fk_block_format format = 0; format < FK_BLOCK_FORMATS; format++) check_shape(c, format, ORDINARY, 33, 512, 67);
}
