// f32 -> blocks -> f32.

#include "check.h"
#include <string.h>

static const int64_t weights_of[FK_BLOCK_FORMATS] = {32, 32, 256, 256};
static const int64_t bytes_of[FK_BLOCK_FORMATS] = {34, 20, 144, 210};

static void check_row(check *c, fk_block_format format, const float *row, int64_t columns) {
  int64_t bytes = columns / weights_of[format] * bytes_of[format];
  void *plain = fenced(bytes), *fast = fenced(bytes);
  c->scalar->quantize(format, row, columns, plain);
  c->table->quantize(format, row, columns, fast);
  expect_bytes(c, "quantize", plain, fast, bytes);
}

static void check_back(check *c, fk_block_format format, int64_t columns) {
  const void *blocks = random_bytes(columns / weights_of[format] * bytes_of[format]);
  float *plain = fenced(columns * 4), *fast = fenced(columns * 4);
  c->scalar->dequantize(format, blocks, columns, plain);
  c->table->dequantize(format, blocks, columns, fast);
  expect_floats(c, "dequantize", plain, fast, columns);
}

void check_quantizing(check *c) {
  for (fk_block_format format = 0; format < FK_BLOCK_FORMATS; format++)
    for (kind kind = 0; kind < KINDS; kind++)
      for (int64_t i = 0; i < 12; i++) {
        int64_t columns = weights_of[format] * (1 + (weights_of[format] == 32 ? 3 * i : i / 4));
        float *row = random_floats(kind, columns);
        check_row(c, format, row, columns);
        for (int64_t j = 0; j < columns; j++) row[j] = i % 2 ? row[0] : row[j] * row[j]; // all equal; none negative
        check_row(c, format, row, columns);
        check_back(c, format, columns);
        release_all();
      }
}
