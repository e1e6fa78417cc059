#ifdef __linux__
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <sys/prctl.h>
#endif
#include "CMPI.h"

#include <mpi.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(MPI_Comm) == sizeof(void *), "Open MPI's handles are pointers");
_Static_assert(sizeof(MPI_Request) == sizeof(void *), "Open MPI's handles are pointers");
_Static_assert(sizeof(MPI_Message) == sizeof(void *), "Open MPI's handles are pointers");

static MPI_Comm raw(cmpi_communicator communicator) { return (MPI_Comm)communicator.raw; }

static int return_errors(MPI_Comm communicator) {
  return MPI_Comm_set_errhandler(communicator, MPI_ERRORS_RETURN);
}

#ifdef __linux__

// Open MPI hands what it has to say to the launcher and waits for its answer, inside the call that found a peer gone.
// While mpirun ends a job it answers for seconds nothing, and then kills us: nobody hears where the run stood. So these
// texts are written from here.

// The third is a bool there; C takes no bool before "...", and both are passed in the same way.
typedef int (*show_help)(const char *, const char *, int, ...);
typedef char *(*render_help)(const char *, const char *, bool, va_list);
static render_help render;

static int show_help_here(const char *file, const char *topic, int header, ...) {
  // We tell of lost peers ourselves, with their names, and the launcher does when it ends a job.
  if (strcmp(topic, "peer hung up") == 0 || cmpi_termination_signal() != 0) return 0;
  va_list values;
  va_start(values, header);
  char *text = render(file, topic, (header & 1) != 0, values);
  va_end(values);
  if (text) fputs(text, stderr);
  free(text);
  return 0;
}

// Open MPI 4 keeps the function that shows a text in a variable. Where that is no variable, nothing is changed.
static void show_help_without_launcher(void) {
  void *const variable = dlsym(RTLD_DEFAULT, "opal_show_help");
  render = (render_help)dlsym(RTLD_DEFAULT, "opal_show_help_vstring");
  Dl_info info;
  const ElfW(Sym) *symbol = NULL;
  if (!variable || !render || !dladdr1(variable, &info, (void **)&symbol, RTLD_DL_SYMENT) || !symbol) return;
  if ((symbol->st_info & 0xf) != STT_OBJECT || symbol->st_size != sizeof(show_help)) return;
  *(show_help *)variable = show_help_here;
}

#else

static void show_help_without_launcher(void) {}

#endif

int cmpi_start(void) {
#ifdef __linux__
  // By default the kernel adds 50 us to every short sleep, and an idle rank sleeps 20 us.
  prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
#endif
  int provided = MPI_THREAD_SINGLE;
  int code = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
  if (code != MPI_SUCCESS) return code;
  if (provided < MPI_THREAD_FUNNELED) return MPI_ERR_OTHER;
  show_help_without_launcher();
  code = return_errors(MPI_COMM_WORLD);
  // Errors that belong to no communicator are raised on this one.
  return code != MPI_SUCCESS ? code : return_errors(MPI_COMM_SELF);
}

int cmpi_finalize(void) { return MPI_Finalize(); }

bool cmpi_is_initialized(void) {
  int flag = 0;
  return MPI_Initialized(&flag) == MPI_SUCCESS && flag;
}

bool cmpi_is_finalized(void) {
  int flag = 0;
  return MPI_Finalized(&flag) == MPI_SUCCESS && flag;
}

cmpi_communicator cmpi_world(void) { return (cmpi_communicator){MPI_COMM_WORLD}; }

static int adopt(int code, MPI_Comm made, cmpi_communicator *result) {
  result->raw = made;
  return code != MPI_SUCCESS ? code : return_errors(made);
}

int cmpi_duplicate(cmpi_communicator of, cmpi_communicator *result) {
  MPI_Comm made = MPI_COMM_NULL;
  const int code = MPI_Comm_dup(raw(of), &made);
  return adopt(code, made, result);
}

int cmpi_split_shared(cmpi_communicator of, cmpi_communicator *result) {
  MPI_Comm made = MPI_COMM_NULL;
  const int code = MPI_Comm_split_type(raw(of), MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &made);
  return adopt(code, made, result);
}

int cmpi_free(cmpi_communicator *communicator) {
  MPI_Comm mine = raw(*communicator);
  const int code = MPI_Comm_free(&mine);
  communicator->raw = mine;
  return code;
}

int cmpi_rank(cmpi_communicator communicator, int *rank) { return MPI_Comm_rank(raw(communicator), rank); }
int cmpi_size(cmpi_communicator communicator, int *size) { return MPI_Comm_size(raw(communicator), size); }

int cmpi_begin_broadcast(void *bytes, int count, int root, cmpi_communicator communicator,
                         cmpi_request *request) {
  MPI_Request made = MPI_REQUEST_NULL;
  const int code = MPI_Ibcast(bytes, count, MPI_BYTE, root, raw(communicator), &made);
  request->raw = made;
  return code;
}

int cmpi_begin_allgather(const void *mine, int count, void *all, cmpi_communicator communicator,
                         cmpi_request *request) {
  MPI_Request made = MPI_REQUEST_NULL;
  const int code =
      MPI_Iallgather(mine, count, MPI_BYTE, all, count, MPI_BYTE, raw(communicator), &made);
  request->raw = made;
  return code;
}

int cmpi_begin_send(const void *bytes, int count, int to, int tag, cmpi_communicator communicator,
                    cmpi_request *request) {
  MPI_Request made = MPI_REQUEST_NULL;
  const int code = MPI_Isend(bytes, count, MPI_BYTE, to, tag, raw(communicator), &made);
  request->raw = made;
  return code;
}

int cmpi_match(int tag, cmpi_communicator communicator, bool *found, cmpi_message *message,
               cmpi_envelope *envelope) {
  int flag = 0;
  MPI_Message matched = MPI_MESSAGE_NULL;
  MPI_Status status;
  *found = false;
  int code = MPI_Improbe(MPI_ANY_SOURCE, tag < 0 ? MPI_ANY_TAG : tag, raw(communicator), &flag, &matched,
                         &status);
  if (code != MPI_SUCCESS || !flag) return code;
  MPI_Count count = MPI_UNDEFINED;
  code = MPI_Get_elements_x(&status, MPI_BYTE, &count);
  *found = true;
  message->raw = matched;
  envelope->source = status.MPI_SOURCE;
  envelope->tag = status.MPI_TAG;
  envelope->count = count == MPI_UNDEFINED ? -1 : (int64_t)count;
  return code;
}

int cmpi_begin_receive(void *bytes, int count, cmpi_message *message, cmpi_request *request) {
  MPI_Request made = MPI_REQUEST_NULL;
  MPI_Message matched = (MPI_Message)message->raw;
  const int code = MPI_Imrecv(bytes, count, MPI_BYTE, &matched, &made);
  message->raw = matched;
  request->raw = made;
  return code;
}

int cmpi_test(cmpi_request *request, bool *done) {
  int flag = 0;
  MPI_Request mine = (MPI_Request)request->raw;
  const int code = MPI_Test(&mine, &flag, MPI_STATUS_IGNORE);
  request->raw = mine;
  *done = flag != 0;
  return code;
}

static void copy_text(const char *from, char *text, size_t capacity) {
  if (capacity == 0) return;
  const size_t length = strnlen(from, capacity - 1);
  memcpy(text, from, length);
  text[length] = '\0';
}

void cmpi_error_text(int code, char *text, size_t capacity) {
  char buffer[MPI_MAX_ERROR_STRING] = "unknown error";
  int length = 0;
  MPI_Error_string(code, buffer, &length);
  copy_text(buffer, text, capacity);
}

void cmpi_library_version(char *text, size_t capacity) {
  char buffer[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  MPI_Get_library_version(buffer, &length);
  copy_text(buffer, text, capacity);
}

int cmpi_processor_name(char *text, size_t capacity) {
  char buffer[MPI_MAX_PROCESSOR_NAME] = "";
  int length = 0;
  const int code = MPI_Get_processor_name(buffer, &length);
  copy_text(buffer, text, capacity);
  return code;
}
