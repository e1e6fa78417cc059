// Norms, activations, rotary pairs, sums: along a row, of every length around the vectors' own.

#include "check.h"
#include <math.h>

typedef struct {
  const float *a, *b, *c;
  int64_t count;
} row_inputs;

static void check_reading(check *c) {
  for (int64_t lines = 1; lines < 70; lines++) {
    const char *bytes = random_bytes(lines * 64);
    uint64_t expected = c->scalar->read_bytes(bytes, lines * 64), found = c->table->read_bytes(bytes, lines * 64);
    expect_bytes(c, "read_bytes", &expected, &found, sizeof expected);
    release_all();
  }
}

static void check_sums(check *c, const row_inputs *in) {
  float expected = c->scalar->dot(in->a, in->b, in->count), found = c->table->dot(in->a, in->b, in->count);
  expect_floats(c, "dot", &expected, &found, 1);
  float shift = in->count > 0 ? in->b[0] : 1;
  float *plain = copy_of(in->a, in->count * 4), *fast = copy_of(in->a, in->count * 4);
  expected = c->scalar->exp_shifted(plain, in->count, shift);
  found = c->table->exp_shifted(fast, in->count, shift);
  expect_floats(c, "exp_shifted", plain, fast, in->count);
  expect_floats(c, "exp_shifted's sum", &expected, &found, 1);
  plain = copy_of(in->a, in->count * 4), fast = copy_of(in->a, in->count * 4);
  c->scalar->sigmoid(plain, in->count);
  c->table->sigmoid(fast, in->count);
  expect_floats(c, "sigmoid", plain, fast, in->count);
}

static void check_pairs(check *c, const row_inputs *in) {
  float *plain = fenced(in->count * 4), *fast = fenced(in->count * 4);
  const float epsilons[] = {1e-6f, 0, 1};
  float epsilon = epsilons[random_below(3)];
  c->scalar->rms_norm(in->a, in->b, plain, in->count, epsilon);
  c->table->rms_norm(in->a, in->b, fast, in->count, epsilon);
  expect_floats(c, "rms_norm", plain, fast, in->count);
  c->scalar->silu_product(in->a, in->b, plain, in->count);
  c->table->silu_product(in->a, in->b, fast, in->count);
  expect_floats(c, "silu_product", plain, fast, in->count);
  c->scalar->add(plain, in->c, in->count);
  c->table->add(fast, in->c, in->count);
  expect_floats(c, "add", plain, fast, in->count);
  float factor = in->count > 0 ? in->c[0] : 1;
  c->scalar->scale(in->b, factor, plain, in->count);
  c->table->scale(in->b, factor, fast, in->count);
  expect_floats(c, "scale", plain, fast, in->count);
}

static void check_rotation(check *c, const row_inputs *in) {
  int64_t pairs = in->count / 2;
  float *plain = copy_of(in->a, in->count * 4), *fast = copy_of(in->a, in->count * 4);
  c->scalar->rotate_pairs(plain, in->b, in->c, pairs);
  c->table->rotate_pairs(fast, in->b, in->c, pairs);
  expect_floats(c, "rotate_pairs", plain, fast, in->count);
}

static void check_merging(check *c, const row_inputs *in) {
  float *plain = copy_of(in->a, in->count * 4), *fast = copy_of(in->a, in->count * 4);
  float earlier[2], later[2];
  for (int i = 0; i < 2; i++) {
    earlier[i] = in->count > 1 ? in->b[i] : 1;
    later[i] = in->count > 1 ? in->c[i] : 2;
  }
  if (random_below(4) == 0) earlier[0] = -INFINITY;
  float plain_state[2] = {earlier[0], earlier[1]}, fast_state[2] = {earlier[0], earlier[1]};
  c->scalar->merge_softmax(&plain_state[0], &plain_state[1], plain, later[0], later[1], in->c, in->count);
  c->table->merge_softmax(&fast_state[0], &fast_state[1], fast, later[0], later[1], in->c, in->count);
  expect_floats(c, "merge_softmax", plain, fast, in->count);
  expect_floats(c, "merge_softmax's maximum and sum", plain_state, fast_state, 2);
}

void check_rows(check *c) {
  check_reading(c);
  for (kind kind = 0; kind < KINDS; kind++)
    for (int64_t count = 0; count < 70; count++) {
      int64_t length = count == 69 ? 7168 + 11 : count;
      row_inputs in = {
          random_floats(kind, length), random_floats(kind, length), random_floats(kind, length), length};
      check_sums(c, &in);
      check_pairs(c, &in);
      check_rotation(c, &in);
      check_merging(c, &in);
      release_all();
    }
}
