#ifndef FLOTILLA_CKERNELS_H
#define FLOTILLA_CKERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Micro-kernels. One source (kernels.inc) is compiled once for each instruction set; a table of function
// pointers is chosen at run time. Every table gives the same bits: vector lanes are output rows, sums along a
// vector use 16 virtual lanes and one fixed tree, and each multiply-add is one fused operation.
//
// Layout of a packed matrix [rows, columns]: panels of 16 rows, interleaved. Element (row, column) lies at
// panels[(row / 16 * columns + column) * 16 + row % 16]; the last panel is filled up with zeros.

enum { FK_PANEL_ROWS = 16, FK_ATTENTION_BLOCK = 64 };

typedef enum {
  FK_ISA_SCALAR = 0,
  FK_ISA_AVX2 = 1,
  FK_ISA_AVX512 = 2,
  FK_ISA_NEON = 3,
} fk_isa;

/// Blocks as GGUF files hold them, byte for byte.
typedef enum {
  FK_BLOCK_Q8_0 = 0, ///< 32 weights, 34 bytes: f16 d, 32 x int8; weight = code * d
  FK_BLOCK_Q4_1 = 1, ///< 32 weights, 20 bytes: f16 d, f16 m, 32 x 4 bits; weight = code * d + m
  FK_BLOCK_Q4_K = 2, ///< 256 weights, 144 bytes: sub-blocks of 32 with scale and minimum of 6 bits each
  FK_BLOCK_Q6_K = 3, ///< 256 weights, 210 bytes: sub-blocks of 16 with a scale of 8 bits
} fk_block_format;

/// A run of panels of a packed matrix, and where its product with some rows goes.
typedef struct {
  const void *panels;   ///< first panel of the run
  int64_t columns;      ///< length of a weight row and of an input row
  int64_t outputs;      ///< weight rows in the run; only the last panel may be partial
  const float *input;   ///< [tokens, columns]
  int64_t input_stride; ///< in floats
  float *output;        ///< [tokens, outputs]
  int64_t output_stride;
  int64_t tokens;
} fk_product;

enum {
  FK_BLOCK_FORMATS = 4,
  /// Bytes of one block of 16 rows in a panel.
  FK_PANEL_Q8_0 = 32 + 512,
  FK_PANEL_Q4_1 = 64 + 256,
  FK_PANEL_Q4_K = 256 + 2048,
  FK_PANEL_Q6_K = 288 + 3072,
};

enum {
  FK_FP8_COLUMNS = 128, ///< that share a scale
  /// Bytes of these columns of 16 rows in a panel: 16 scales f32, then four codes of each row, in turn.
  FK_PANEL_FP8 = 64 + 16 * FK_FP8_COLUMNS,
};

/// Like fk_product, with block-quantised panels and rows that `encode` has made.
typedef struct {
  const void *panels;
  int64_t columns;
  int64_t outputs;
  const void *input;    ///< [tokens] encoded rows
  int64_t input_stride; ///< in bytes
  float *output;
  int64_t output_stride;
  int64_t tokens;
} fk_block_product;

/// One block of keys and values, and the rows that look at it: queries of one head, or heads of one query. What
/// a row gets depends on no other row. Row i of each part lies at base + i * stride, strides in floats.
typedef struct {
  int64_t rows;
  const float *query_content, *query_rotary; ///< [rows, content_size], [rows, rotary_size]
  int64_t query_content_stride, query_rotary_stride;
  const float *key_content, *key_rotary, *value; ///< [keys, …_size]
  int64_t key_content_stride, key_rotary_stride, value_stride;
  const uint16_t *key_halves; ///< key_content in f16, or NULL: attend writes it to widened_keys, before it reads it
  int64_t key_halves_stride;
  float *widened_keys; ///< where key_content points to; value may lie there too
  int64_t content_size, rotary_size, value_size;
  int64_t keys;           ///< 1 ... FK_ATTENTION_BLOCK
  int64_t first_row_keys; ///< that the first row may see, at least 1
  bool is_causal;         ///< each later row sees one more, until it sees all
  bool is_first;          ///< nothing came before: maximum, sum and output are not read
  float scale;            ///< on every score
  float *maximum, *sum;   ///< [rows]: running state of the softmax
  int64_t state_stride;
  float *output; ///< [rows, value_size], not yet divided by sum
  int64_t output_stride;
  const char *upcoming; ///< memory that will be read next, fetched meanwhile; may be NULL
  int64_t upcoming_bytes;
} fk_attention_block;

typedef struct {
  fk_isa isa;
  const char *name;
  /// Rows of attend that share every load of a key or value; fewer take longer than so many.
  int64_t attend_rows;
  /// output[t][r] = chain over columns c, ascending, of fma(weight[r][c], input[t][c], sum), from 0.
  void (*product_f32)(const fk_product *);
  /// The same with bf16 weights (widened, so equal to f32 weights of the same values).
  void (*product_bf16)(const fk_product *);
  /// The same with fp8 weights: each is its E4M3 code's number times the scale of its block, rounded to f32.
  void (*product_fp8)(const fk_product *);
  /// By fk_block_format: output[t][r] = chain in f32 over blocks, ascending; each link takes an exact integer.
  void (*product_blocks[FK_BLOCK_FORMATS])(const fk_block_product *);
  /// Columns first ..< first + count of a row of `columns`, f32 -> q8; first is a multiple of 256, count too unless
  /// the row ends there. An encoded row is, with K = columns rounded up to 32: codes s8 [K], sums s16 [K / 32] of 32
  /// codes, sums s16 [K / 32] of the first 16 of each 32, scales f32 [ceil(K / 256)]; a scale is NaN where an input
  /// is infinite or NaN.
  void (*encode)(const float *values, int64_t first, int64_t count, int64_t columns, void *encoded);
  /// `valid` rows of GGUF blocks, `stride` bytes apart -> one panel.
  void (*pack_blocks)(fk_block_format format, const void *rows, int64_t stride, int64_t valid, int64_t blocks,
                      void *panel);
  /// output = input / sqrt(mean(input^2) + epsilon) * weight
  void (*rms_norm)(const float *input, const float *weight, float *output, int64_t count, float epsilon);
  float (*dot)(const float *a, const float *b, int64_t count);
  /// output = silu(gate) * up
  void (*silu_product)(const float *gate, const float *up, float *output, int64_t count);
  /// values = exp(values - shift); returns the sum.
  float (*exp_shifted)(float *values, int64_t count, float shift);
  /// values = 1 / (1 + exp(-values))
  void (*sigmoid)(float *values, int64_t count);
  /// Rotates adjacent pairs (2i, 2i+1) of values by the angles whose cosines and sines are given.
  void (*rotate_pairs)(float *values, const float *cosines, const float *sines, int64_t pairs);
  /// sum = sum + addend
  void (*add)(float *sum, const float *addend, int64_t count);
  /// output = input * factor
  void (*scale)(const float *input, float factor, float *output, int64_t count);
  /// Scores, softmax and weighted sums of one block, merged into what earlier blocks gave:
  /// score = tree sum of 16 lanes over content, then rotary columns, times scale; m' = max(m, scores);
  /// f = exp(m - m'); w = exp(score - m'); sum = fma(sum, f, tree sum of w);
  /// output = chain over keys, ascending, of fma(w, value, …), from output * f.
  void (*attend)(const fk_attention_block *);
  /// Merges the state of later blocks, `output` being [count], into that of earlier ones.
  void (*merge_softmax)(
      float *maximum, float *sum, float *output, float later_maximum, float later_sum, const float *later_output,
      int64_t count);
  /// 16 rows of f32 -> one panel; `valid` rows are read, the others become zero.
  void (*pack_f32)(const float *rows, int64_t stride, int64_t valid, int64_t columns, float *panel);
  void (*pack_bf16)(const float *rows, int64_t stride, int64_t valid, int64_t columns, uint16_t *panel);
  /// `valid` rows of E4M3 codes, `stride` bytes apart, with their scales, `[valid, ceil(columns / 128)]` -> one
  /// panel: for each 128 columns FK_PANEL_FP8 bytes. A NaN among the codes becomes a NaN in the scale.
  void (*pack_fp8)(const uint8_t *rows, int64_t stride, const float *scales, int64_t valid, int64_t columns,
                   void *panel);
  void (*bf16_to_f32)(const uint16_t *input, float *output, int64_t count);
  void (*f16_to_f32)(const uint16_t *input, float *output, int64_t count);
  /// Nearest even; beyond the range infinity; NaN stays NaN.
  void (*f32_to_f16)(const float *input, uint16_t *output, int64_t count);
  /// One row of f32 -> blocks of least squared error; columns a multiple of the block's. NaN counts as 0, and
  /// what the block cannot hold becomes the nearest that it can.
  void (*quantize)(fk_block_format format, const float *row, int64_t columns, void *blocks);
  /// Blocks -> one row of f32.
  void (*dequantize)(fk_block_format format, const void *blocks, int64_t columns, float *row);
  /// The sum of the 64-bit words of `bytes` bytes (64-byte aligned, a multiple of 64), modulo 2^64.
  uint64_t (*read_bytes)(const void *base, int64_t bytes);
  /// `rounds` rounds of multiply-adds in registers, at most 2000: how many these were. `result` depends on all.
  int64_t (*peak_f32)(int64_t rounds, float *result);
  int64_t (*peak_int8)(int64_t rounds, int64_t *result);
} fk_kernels;

/// The table for an instruction set, or NULL where this build or this processor lacks it.
const fk_kernels *fk_kernels_for(fk_isa isa);

/// The fastest table that runs here.
const fk_kernels *fk_kernels_best(void);

/// Processors that a set of them can hold, in words of 64.
enum { FK_PROCESSOR_WORDS = 16 };

/// The processors on which the calling thread may run: processor 64 w + b is bit b of word w. False where the system
/// does not say, or has more than fit.
bool fk_thread_processors(uint64_t bits[FK_PROCESSOR_WORDS]);

/// Keeps the calling thread, and those that it starts from now on, on these processors; false if it cannot.
bool fk_keep_thread_on(const uint64_t bits[FK_PROCESSOR_WORDS]);

/// Asks for turns of so many nanoseconds, 100,000 or more, where the calling thread, or one that it starts from now on,
/// shares a processor with others. Linux 6.12 and later then let it run sooner after it has waited. What the system says
/// that turns are now: 0 from one that does not know such, or where the thread is not scheduled as usual.
uint64_t fk_shorten_turns(uint64_t nanoseconds);

/// Sets round-to-nearest, gradual underflow and masked exceptions for the calling thread.
void fk_set_float_environment(void);

/// Tells the processor that this thread is spinning.
static inline void fk_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/// Files in memory whose SIGBUS becomes one line of text and an exit code. The path is copied.
/// False where there is no memory for it.
bool fk_watch_mapping(const void *start, size_t bytes, const char *path);
/// Before it is unmapped.
void fk_forget_mapping(const void *start);
/// What stands before the path, at most 255 bytes. After MPI has started, which has a handler of its own.
void fk_name_process(const char *name);

#endif
