// Holds every table of kernels that runs here against the scalar one, bit for bit. Built and run by
// Scripts/check-kernels, for this processor and for others under emulation.

#ifndef FLOTILLA_KERNELS_CHECK_H
#define FLOTILLA_KERNELS_CHECK_H

#include "CKernels.h"

/// What the numbers are like.
typedef enum { ORDINARY, ZEROS, HUGE_ONES, TINY, ANY_BITS, KINDS } kind;

typedef struct {
  const fk_kernels *scalar, *table;
  int passed, failed;
} check;

int random_below(int end);
uint32_t random_bits(void);

/// Memory that ends where no more can be read or written, so that a kernel that goes too far is caught. Filled
/// with the byte 0xa5, freed by release_all. Aligned to 4 bytes.
void *fenced(int64_t bytes);
float *random_floats(kind kind, int64_t count);
void *random_bytes(int64_t count);
void *copy_of(const void *bytes, int64_t count);
void release_all(void);

/// Counts one comparison and says where it failed. A NaN equals every other one: which of two goes on depends on
/// the order of operands, which the compiler may choose.
void expect_floats(check *c, const char *what, const float *expected, const float *found, int64_t count);
void expect_bytes(check *c, const char *what, const void *expected, const void *found, int64_t count);

void check_rows(check *c);
void check_storage(check *c);
void check_products(check *c);
void check_blocks(check *c);
void check_quantizing(check *c);
void check_attention(check *c);

#endif
