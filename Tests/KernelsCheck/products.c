// Products with f32 and bf16 weights: every number of rows of each tile, and more than one block of them.

#include "check.h"
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
  release_all();
}

void check_products(check *c) {
  for (kind kind = 0; kind < KINDS; kind++) {
    for (int64_t tokens = 1; tokens < 15; tokens++)
      check_shape(c, kind, 1 + random_below(300), 1 + random_below(70), tokens);
    for (int64_t outputs = 1; outputs < 300; outputs += 23)
      check_shape(c, kind, outputs, 1 + random_below(40), 1 + random_below(9));
    check_shape(c, kind, 45, 19, 131);
  }
}
