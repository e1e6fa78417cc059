// A mapped file that was cut short, or whose disk fails, shows as SIGBUS at whoever reads it. Here the signal becomes
// one line that names the file. Everything in the handler is async-signal-safe.
#define _GNU_SOURCE
#include "CKernels.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/// Entries are used again and never freed: the handler may look at one at any time.
typedef struct entry {
  _Atomic uintptr_t start; ///< 0: not in use
  _Atomic size_t bytes;
  _Atomic(const char *) path;
  struct entry *next;
} entry;

static _Atomic(entry *) entries;
static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER;
static char process[256];
static atomic_flag has_spoken = ATOMIC_FLAG_INIT;

typedef struct {
  char text[8192];
  size_t length;
} line;

static void add_text(line *line, const char *text) {
  while (*text != '\0' && line->length < sizeof line->text) line->text[line->length++] = *text++;
}

static void add_number(line *line, uint64_t number) {
  char digits[21];
  size_t place = sizeof digits - 1;
  digits[place] = '\0';
  do {
    digits[--place] = (char)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  add_text(line, digits + place);
}

/// Exit codes as everywhere: 2 where the input is wrong, 1 where something fails.
static int describe(line *line, const char *path, size_t bytes, size_t position) {
  struct stat status;
  const int is_cut = stat(path, &status) == 0 && (size_t)status.st_size < bytes;
  add_text(line, "error: ");
  add_text(line, process);
  add_text(line, path);
  add_text(line, is_cut ? ": file size: expected " : ": reading: expected byte ");
  add_number(line, is_cut ? bytes : position);
  add_text(line, is_cut ? " bytes, found " : " of ");
  add_number(line, is_cut ? (uint64_t)status.st_size : bytes);
  add_text(line, is_cut ? ": the file was cut short while it was read\n"
                        : ", found a failing disk or network, or a file that was replaced\n");
  add_text(line, is_cut ? "hint: copy it again, and let nothing write to it meanwhile\n"
                        : "hint: look at the system's log, and copy the file to another disk\n");
  return is_cut ? 2 : 1;
}

static void on_bus_error(int number, siginfo_t *information, void *context) {
  (void)context;
  const uintptr_t address = (uintptr_t)information->si_addr;
  for (entry *e = atomic_load(&entries); e != NULL; e = e->next) {
    const uintptr_t start = atomic_load(&e->start);
    const size_t bytes = atomic_load(&e->bytes);
    const char *path = atomic_load(&e->path);
    // The last page reaches beyond the file.
    if (start == 0 || path == NULL || address < start || address - start >= ((bytes + 65535) & ~(size_t)65535)) continue;
    if (atomic_flag_test_and_set(&has_spoken)) {
      for (;;) pause();
    }
    line text = {.length = 0};
    const int code = describe(&text, path, bytes, address - start);
    const ssize_t ignored = write(STDERR_FILENO, text.text, text.length);
    (void)ignored;
    _exit(code);
  }
  // None of ours: as if there were no handler.
  signal(number, SIG_DFL);
}

static void watch(void) {
  struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, NULL);
}

void fk_name_process(const char *name) {
  strncpy(process, name, sizeof process - 1);
  // MPI has put its own in place of ours, or not.
  watch();
}

bool fk_watch_mapping(const void *start, size_t bytes, const char *path) {
  const char *copy = strdup(path);
  if (copy == NULL) return false;
  pthread_mutex_lock(&changing);
  entry *free_entry = atomic_load(&entries);
  if (free_entry == NULL) watch();
  while (free_entry != NULL && atomic_load(&free_entry->start) != 0) free_entry = free_entry->next;
  const bool is_new = free_entry == NULL;
  if (is_new) free_entry = calloc(1, sizeof *free_entry);
  if (free_entry != NULL) {
    atomic_store(&free_entry->bytes, bytes);
    atomic_store(&free_entry->path, copy);
    atomic_store(&free_entry->start, (uintptr_t)start);
    if (is_new) {
      free_entry->next = atomic_load(&entries);
      atomic_store(&entries, free_entry);
    }
  }
  pthread_mutex_unlock(&changing);
  if (free_entry == NULL) free((void *)copy);
  return free_entry != NULL;
}

void fk_forget_mapping(const void *start) {
  pthread_mutex_lock(&changing);
  for (entry *e = atomic_load(&entries); e != NULL; e = e->next) {
    if (atomic_load(&e->start) != (uintptr_t)start) continue;
    atomic_store(&e->start, 0);
    free((void *)atomic_exchange(&e->path, NULL));
    break;
  }
  pthread_mutex_unlock(&changing);
}
