/// MPI for Swift: macros become functions, and each kind of handle has a type of its own, so that one cannot be
/// passed for another. Every function that returns `int` returns MPI's error code (0 is success); nothing aborts.
/// All messages are bytes. `mpi.h` stays behind this header.
#ifndef FLOTILLA_CMPI_H
#define FLOTILLA_CMPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct { void *_Nullable raw; } cmpi_communicator;
typedef struct { void *_Nullable raw; } cmpi_request;
/// A message that a matched probe has taken out of the queue: only `cmpi_receive_matched` can receive it.
typedef struct { void *_Nullable raw; } cmpi_message;

/// What is known of a message before it is received.
typedef struct {
  int source;
  int tag;
  /// Bytes; -1 when MPI cannot say.
  int64_t count;
} cmpi_envelope;

/// MPI_Init_thread with MPI_THREAD_FUNNELED. Errors are returned from here on, also by MPI_COMM_WORLD.
/// The sleeps of the calling thread become exact to a microsecond.
int cmpi_start(void);
int cmpi_finalize(void);
bool cmpi_is_initialized(void);
bool cmpi_is_finalized(void);

cmpi_communicator cmpi_world(void);
/// A communicator of the same ranks, whose messages cannot be mistaken for those of another part of the program.
int cmpi_duplicate(cmpi_communicator of, cmpi_communicator *_Nonnull result);
/// The ranks that share memory with this one.
int cmpi_split_shared(cmpi_communicator of, cmpi_communicator *_Nonnull result);
int cmpi_free(cmpi_communicator *_Nonnull communicator);
int cmpi_rank(cmpi_communicator communicator, int *_Nonnull rank);
int cmpi_size(cmpi_communicator communicator, int *_Nonnull size);

/// Collectives of start-up; they only begin here, `cmpi_test` says when they are done.
int cmpi_begin_broadcast(void *_Nonnull bytes, int count, int root, cmpi_communicator communicator,
                         cmpi_request *_Nonnull request);
/// Every rank gives `count` bytes and gets those of all ranks in order.
int cmpi_begin_allgather(const void *_Nonnull mine, int count, void *_Nonnull all,
                         cmpi_communicator communicator, cmpi_request *_Nonnull request);

int cmpi_begin_send(const void *_Nonnull bytes, int count, int to, int tag, cmpi_communicator communicator,
                    cmpi_request *_Nonnull request);
/// Takes the next message that has arrived out of the queue, if there is one.
/// A negative `tag` accepts every tag. `source` is always any.
int cmpi_match(int tag, cmpi_communicator communicator, bool *_Nonnull found, cmpi_message *_Nonnull message,
               cmpi_envelope *_Nonnull envelope);
int cmpi_begin_receive(void *_Nonnull bytes, int count, cmpi_message *_Nonnull message,
                       cmpi_request *_Nonnull request);
/// Once done, the request is gone.
int cmpi_test(cmpi_request *_Nonnull request, bool *_Nonnull done);

/// NUL-terminated text, cut to fit.
void cmpi_error_text(int code, char *_Nonnull text, size_t capacity);
void cmpi_library_version(char *_Nonnull text, size_t capacity);
int cmpi_processor_name(char *_Nonnull text, size_t capacity);

/// Bells by which the processes of a host wake each other: memory that they share and that has no name, so nothing stays
/// behind however they end. None of these calls is MPI's; any thread may use them.
typedef struct cmpi_bells cmpi_bells;
/// A file with so many bells, or -1.
int cmpi_bells_create(int count);
/// That of another process, or -1.
int cmpi_bells_open(int process, int file);
/// What tells this file from every other one of the host.
bool cmpi_bells_identify(int file, uint64_t *_Nonnull device, uint64_t *_Nonnull number);
cmpi_bells *_Nullable cmpi_bells_map(int file, int count);
void cmpi_bells_unmap(cmpi_bells *_Nonnull bells, int count);
/// How often a bell has been rung.
uint32_t cmpi_bells_rings(const cmpi_bells *_Nonnull bells, int place);
void cmpi_bells_ring(cmpi_bells *_Nonnull bells, int place);
/// Sleeps until the bell has been rung more often than `rings` times, for so long at most, or until a signal comes.
void cmpi_bells_wait(cmpi_bells *_Nonnull bells, int place, uint32_t rings, uint32_t microseconds);

/// As if this signal had come; 0: as if none had.
void cmpi_request_termination(int number);
/// After the first SIGINT or SIGTERM `cmpi_termination_signal` gives its number; the second one ends the process
/// at once with 128 + its number.
void cmpi_watch_termination(void);
int cmpi_termination_signal(void);

#endif
