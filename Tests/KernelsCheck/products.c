// Products with f32, bf16 and fp8 weights: every number of rows of each tile, and more than one block of them.

#include "check.h"
#include <math.h>
#include <string.h>

typedef struct {
  const char *name;
  void (*plain)(const fk_product *), (*fast)(const fk_product *);
  const void *panels;
} product_pair;

static void check_product(check *c, const product_pair *pair, const fk_product *shape) {
  fk_product product = *shape;
  product.panels = pair->panels;
  int64_t bytes = ((shape->tokens - 1) * shape->output_stride + shape->outputs) * 4;
  float *plain = fenced(bytes), *fast = fenced(bytes);
  product.output = plain;
  pair->plain(&product);
  product.output = fast;
  pair->fast(&product);
  expect_floats(c, pair->name, plain, fast, bytes / 4);
}

/// What an E4M3 code says: no infinity, one NaN of each sign.
static float e4m3(uint8_t code) {
  int exponent = code >> 3 & 15, mantissa = code & 7;
  float value = exponent ? ldexpf((float)(8 + mantissa), exponent - 10) : ldexpf((float)mantissa, -9);
  if (exponent == 15 && mantissa == 7) value = NAN;
  return code & 0x80 ? -value : value;
}

/// fp8 weights against f32 weights of code times scale, and both packings.
static void check_fp8(check *c, kind kind, const fk_product *shape) {
  int64_t columns = shape->columns, rows = shape->outputs, blocks = (columns + 127) / 128, stride = columns + 5;
  uint8_t *codes = random_bytes(rows * stride);
  if (kind != ANY_BITS)
    for (int64_t i = 0; i < rows * stride; i++) codes[i] &= 0xbf; // no NaN
  const float *scales = random_floats(kind, rows * blocks);
  int64_t count = (rows + 15) / 16, bytes = blocks * FK_PANEL_FP8;
  float *wide = fenced(count * columns * 64);
  uint8_t *panels = fenced(count * bytes), *other = fenced(bytes);
  for (int64_t i = 0; i < count * 16 * columns; i++) {
    int64_t row = i / (16 * columns) * 16 + i % 16, column = i / 16 % columns;
    wide[i] = row < rows ? e4m3(codes[row * stride + column]) * scales[row * blocks + column / 128] : 0;
  }
  for (int64_t panel = 0; panel < count; panel++) {
    int64_t first = panel * 16, valid = rows - first < 16 ? rows - first : 16;
    const float *own = scales + first * blocks;
    c->table->pack_fp8(codes + first * stride, stride, own, valid, columns, panels + panel * bytes);
    c->scalar->pack_fp8(codes + first * stride, stride, own, valid, columns, other);
    expect_bytes(c, "pack_fp8", other, panels + panel * bytes, bytes);
  }
  // Against the scalar product of f32, the only other one that sums in this order.
  int64_t numbers = (shape->tokens - 1) * shape->output_stride + rows;
  float *expected = fenced(numbers * 4), *plain = fenced(numbers * 4), *fast = fenced(numbers * 4);
  fk_product product = *shape;
  product.panels = wide, product.output = expected;
  c->scalar->product_f32(&product);
  product.panels = panels, product.output = plain;
  c->scalar->product_fp8(&product);
  product.output = fast;
  c->table->product_fp8(&product);
  expect_floats(c, "product_fp8, scalar, against f32", expected, plain, numbers);
  expect_floats(c, "product_fp8 against f32", expected, fast, numbers);
}

static void check_shape(check *c, kind kind, int64_t outputs, int64_t columns, int64_t tokens) {
  int64_t panels = (outputs + 15) / 16, weights = panels * columns * 16;
  fk_product shape = {.columns = columns, .outputs = outputs, .tokens = tokens};
  shape.input_stride = columns + random_below(3);
  shape.output_stride = outputs + random_below(3);
  shape.input = random_floats(kind, (tokens - 1) * shape.input_stride + columns);
  float *wide = random_floats(kind, weights);
  product_pair f32 = {"product_f32", c->scalar->product_f32, c->table->product_f32, wide};
  check_product(c, &f32, &shape);
  uint16_t *halves = fenced(weights * 2);
  for (int64_t i = 0; i < weights; i++) memcpy(halves + i, (const char *)(wide + i) + 2, 2);
  product_pair bf16 = {"product_bf16", c->scalar->product_bf16, c->table->product_bf16, halves};
  check_product(c, &bf16, &shape);
  check_fp8(c, kind, &shape);
  release_all();
}

void check_products(check *c) {
  for (kind kind = 0; kind < KINDS; kind++) {
    for (int64_t tokens = 1; tokens < 15; tokens++)
      check_shape(c, kind, 1 + random_below(300), 1 + random_below(70), tokens);
    for (int64_t outputs = 1; outputs < 300; outputs += 23)
      check_shape(c, kind, outputs, 1 + random_below(40), 1 + random_below(9));
    check_shape(c, kind, 45, 19, 131);
    for (int64_t columns = 126; columns < 400; columns += 31) check_shape(c, kind, 70, columns, 1 + random_below(8));
  }
}
