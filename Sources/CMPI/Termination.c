#include "CMPI.h"

#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t received = 0;

static void note(int number) {
  if (received != 0) _exit(128 + number);
  received = number;
}

void cmpi_watch_termination(void) {
  struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  // Whoever started us may have blocked them, and that is inherited.
  sigset_t both;
  sigemptyset(&both);
  sigaddset(&both, SIGINT);
  sigaddset(&both, SIGTERM);
  sigprocmask(SIG_UNBLOCK, &both, NULL);
}

int cmpi_termination_signal(void) { return received; }

void cmpi_request_termination(int number) { received = number; }
