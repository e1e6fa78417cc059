// An Ethernet switch in user space for `lab`: a TAP device "eth0" in the network of each host, and between them links
// that have a rate and a delay, and ports that have a buffer.
//
//   host --(rate, delay / 2)--> switch port, buffer with tail drop --(rate, delay / 2)--> host
//
// usage: switch MBIT DELAY_US BUFFER_KIB CONTROL DROPS PROCESS...
//
// A host is named by a process that lives in its network; ports count from 0. Prints its own process number when it
// works and goes on in the background. CONTROL is a FIFO that takes lines: "block PORT", "unblock PORT", and "report",
// which writes the number of frames dropped for want of buffer to the file DROPS.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum {
  MOST_PORTS = 16,
  MOST_FRAME = 1522,
  // Preamble, start, check sequence and gap, which a link carries besides a frame.
  FRAMING = 24,
  ADDRESS = 6,
};

typedef int64_t nanoseconds;

struct frame {
  struct frame *next;
  // When it reaches the end of the link that it is on.
  nanoseconds due;
  int length;
  unsigned char bytes[MOST_FRAME];
};

// First in, first out.
struct queue {
  struct frame *first, *last;
};

struct port {
  int tap;
  bool blocked;
  // The host's last source address: where frames for it go.
  unsigned char address[ADDRESS];
  bool address_known;
  // On the link towards the switch, and on the way out: waiting in the buffer or on the link to the host.
  struct queue inbound, outbound;
  // When the last frame has left the host, and the port.
  nanoseconds host_free, port_free;
};

static struct port ports[MOST_PORTS];
static int port_count;
static double bits_per_nanosecond;
static nanoseconds half_delay;
static double buffer_bits;
static long dropped;
static struct frame *spare;

static void fail(const char *what) {
  fprintf(stderr, "switch: %s: %s\n", what, strerror(errno));
  exit(1);
}

static nanoseconds now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static nanoseconds later(nanoseconds a, nanoseconds b) { return a > b ? a : b; }

static nanoseconds sending_time(int length) { return (nanoseconds)((length + FRAMING) * 8 / bits_per_nanosecond); }

static struct frame *new_frame(void) {
  struct frame *frame = spare;
  if (frame) {
    spare = frame->next;
  } else if (!(frame = malloc(sizeof *frame))) {
    fail("memory for a frame");
  }
  frame->next = NULL;
  return frame;
}

static void release(struct frame *frame) {
  frame->next = spare;
  spare = frame;
}

static void push(struct queue *queue, struct frame *frame) {
  if (queue->first) {
    queue->last->next = frame;
  } else {
    queue->first = frame;
  }
  queue->last = frame;
}

static struct frame *pop(struct queue *queue) {
  struct frame *frame = queue->first;
  queue->first = frame->next;
  frame->next = NULL;
  return frame;
}

// Takes frames from a host as fast as its link carries them; what is too early waits in the host's own queue.
static void take_from_host(struct port *port, nanoseconds time) {
  while (port->host_free <= time) {
    struct frame *frame = new_frame();
    frame->length = (int)read(port->tap, frame->bytes, sizeof frame->bytes);
    if (frame->length < 2 * ADDRESS || port->blocked) {
      const bool nothing = frame->length <= 0;
      release(frame);
      if (nothing) return;
      continue;
    }
    // The host had it ready before we looked: no time between frames is lost while it sends without a pause.
    const nanoseconds start = later(port->host_free, time - 50000);
    port->host_free = start + sending_time(frame->length);
    frame->due = port->host_free + half_delay;
    push(&port->inbound, frame);
  }
}

// Puts a copy of a frame that has reached the switch into a port's buffer, or drops it.
static void put_out(struct port *port, const struct frame *frame) {
  if (port->blocked) return;
  const nanoseconds start = later(port->port_free, frame->due);
  // What is still to be sent is what waits.
  const double waiting = (double)(start - frame->due) * bits_per_nanosecond;
  if (waiting + frame->length * 8 > buffer_bits) {
    dropped++;
    return;
  }
  struct frame *copy = new_frame();
  memcpy(copy->bytes, frame->bytes, (size_t)frame->length);
  copy->length = frame->length;
  port->port_free = start + sending_time(frame->length);
  copy->due = port->port_free + half_delay;
  push(&port->outbound, copy);
}

static void forward(struct port *from, const struct frame *frame) {
  memcpy(from->address, frame->bytes + ADDRESS, ADDRESS);
  from->address_known = true;
  const bool for_all = frame->bytes[0] & 1;
  struct port *to = NULL;
  for (int index = 0; index < port_count && !for_all; index++) {
    struct port *port = &ports[index];
    if (port->address_known && !memcmp(port->address, frame->bytes, ADDRESS)) to = port;
  }
  for (int index = 0; index < port_count; index++) {
    struct port *port = &ports[index];
    if (port != from && (!to || port == to)) put_out(port, frame);
  }
}

// Moves everything whose time has come. Returns when something is due next.
static nanoseconds move(nanoseconds time) {
  for (int index = 0; index < port_count; index++) {
    struct port *port = &ports[index];
    while (port->inbound.first && port->inbound.first->due <= time) {
      struct frame *frame = pop(&port->inbound);
      if (!port->blocked) forward(port, frame);
      release(frame);
    }
  }
  nanoseconds next = time + 1000000000;
  for (int index = 0; index < port_count; index++) {
    struct port *port = &ports[index];
    while (port->outbound.first && port->outbound.first->due <= time) {
      struct frame *frame = pop(&port->outbound);
      // A host whose queue is full loses it, as a real one would.
      if (!port->blocked && write(port->tap, frame->bytes, (size_t)frame->length) < 0 && errno == EBADFD) fail("eth0");
      release(frame);
    }
    if (port->inbound.first && port->inbound.first->due < next) next = port->inbound.first->due;
    if (port->outbound.first && port->outbound.first->due < next) next = port->outbound.first->due;
  }
  return next;
}

static void report(const char *path) {
  char temporary[4096];
  snprintf(temporary, sizeof temporary, "%s.new", path);
  FILE *file = fopen(temporary, "w");
  if (!file) return;
  fprintf(file, "%ld\n", dropped);
  if (fclose(file) == 0) rename(temporary, path);
}

static void obey(int control, const char *drops) {
  char text[256];
  const ssize_t count = read(control, text, sizeof text - 1);
  if (count <= 0) return;
  text[count] = '\0';
  char *rest = text;
  for (char *line; (line = strsep(&rest, "\n"));) {
    int index = -1;
    char word[16] = "";
    const int found = sscanf(line, "%15s %d", word, &index);
    if (found == 1 && !strcmp(word, "report")) report(drops);
    if (found != 2 || index < 0 || index >= port_count) continue;
    if (!strcmp(word, "block")) ports[index].blocked = true;
    if (!strcmp(word, "unblock")) ports[index].blocked = false;
  }
}

static void run(int control, const char *drops) {
  struct pollfd polled[MOST_PORTS + 1];
  for (;;) {
    nanoseconds time = now();
    nanoseconds next = move(time);
    for (int index = 0; index < port_count; index++) {
      // A host that has just sent is not asked before its link is free.
      const bool ready = ports[index].host_free <= time;
      polled[index] = (struct pollfd){.fd = ready ? ports[index].tap : -1, .events = POLLIN};
      if (!ready && ports[index].host_free < next) next = ports[index].host_free;
    }
    polled[port_count] = (struct pollfd){.fd = control, .events = POLLIN};
    time = now();
    const nanoseconds pause = later(next - time, 0);
    const struct timespec timeout = {.tv_sec = pause / 1000000000, .tv_nsec = pause % 1000000000};
    if (ppoll(polled, (nfds_t)port_count + 1, &timeout, NULL) <= 0) continue;
    if (polled[port_count].revents) obey(control, drops);
    time = now();
    for (int index = 0; index < port_count; index++) {
      if (polled[index].revents & POLLERR) exit(0);  // The host has gone, and the lab with it.
      if (polled[index].revents & POLLIN) take_from_host(&ports[index], time);
    }
  }
}

// The network of a process ("self", or its number), as a descriptor.
static int network_of(const char *process) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%s/ns/net", process);
  const int network = open(path, O_RDONLY | O_CLOEXEC);
  if (network < 0) fail(path);
  return network;
}

static void enter(int network) {
  if (setns(network, CLONE_NEWNET) < 0) fail("entering a network");
  close(network);
}

// Makes eth0 in the network of a process.
static int open_tap(const char *process) {
  enter(network_of(process));
  const int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (tap < 0) fail("/dev/net/tun");
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
  strcpy(request.ifr_name, "eth0");
  if (ioctl(tap, TUNSETIFF, &request) < 0) fail("making eth0");
  return tap;
}

int main(int count, char **words) {
  if (count < 7 || count > 6 + MOST_PORTS) {
    fprintf(stderr, "usage: switch MBIT DELAY_US BUFFER_KIB CONTROL DROPS PROCESS... (at most %d)\n", MOST_PORTS);
    return 2;
  }
  bits_per_nanosecond = strtod(words[1], NULL) / 1000;
  half_delay = strtol(words[2], NULL, 10) * 500;
  buffer_bits = strtod(words[3], NULL) * 1024 * 8;
  if (!(bits_per_nanosecond > 0) || half_delay < 0 || !(buffer_bits > 0)) {
    fprintf(stderr, "switch: expected a rate and a buffer above 0 and no negative delay\n");
    return 2;
  }
  // Whoever started us may wait until what it has open is closed.
  close_range(3, ~0U, 0);
  // Read and written by us: it never ends.
  const int control = open(words[4], O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (control < 0) fail(words[4]);
  const int own = network_of("self");
  for (int index = 6; index < count; index++) ports[port_count++].tap = open_tap(words[index]);
  // Back, so as to be no process of a host.
  enter(own);
  const pid_t process = fork();
  if (process < 0) fail("fork");
  if (process > 0) {
    printf("%d\n", (int)process);
    return 0;
  }
  setsid();
  const int nothing = open("/dev/null", O_RDWR);
  for (int stream = 0; stream < 3; stream++) dup2(nothing, stream);
  // Late wake-ups would be measured as delay of the links.
  prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  const struct sched_param priority = {.sched_priority = 10};
  sched_setscheduler(0, SCHED_FIFO, &priority);
  run(control, words[5]);
}
