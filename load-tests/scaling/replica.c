/*
 * An instance with a small processor of its own: GET /WAIT/PERCENT takes WAIT ms alone, of which it computes PERCENT. What
 * runs at once shares the processor, and memory beyond which all of it is slow, as in src/simulate/scaling/replica.ts. It
 * uses as much of the machine's processor as that comes to, times SHARE, so that many of them fit and meters see it.
 *
 *   replica LISTEN_FD FASTER SHARE START_MS      its clock goes FASTER times as fast; SHARE in millionths of a core
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 256
#define HEAD 4096
#define MOST_WAIT 20

static const char ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n";

struct connection {
  char head[HEAD];
  int length;
  double left; /* of its request, ms alone; 0: it has none */
  double computing;
};

static struct pollfd fds[MOST];
static struct connection *connections[MOST];
static int count = 1;
static double faster, share, at, owed;

static double read_clock(clockid_t id) {
  struct timespec now;
  clock_gettime(id, &now);
  return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static void drop(int i) {
  close(fds[i].fd);
  free(connections[i]);
  count--;
  fds[i] = fds[count];
  connections[i] = connections[count];
}

static int running(double *asked) {
  int found = 0;
  *asked = 0;
  for (int i = 1; i < count; i++) {
    if (connections[i]->left <= 0) continue;
    found++;
    *asked += connections[i]->computing;
  }
  if (found > 1) *asked *= 1 + 0.01 * (found - 1);
  return found;
}

static double speed_of(int found, double asked) {
  double over = (120 + 12.0 * found) / 256 - 1;
  double speed = asked > 1 ? 1 / asked : 1;
  return over > 0 ? speed / (1 + 4 * over) : speed;
}

/* Lets the time pass that has passed, and answers what is done. */
static void advance(void) {
  double now = read_clock(CLOCK_MONOTONIC), asked;
  double elapsed = (now - at) * faster;
  int found = running(&asked);
  double speed = speed_of(found, asked);
  double used = speed * asked;
  at = now;
  owed += elapsed / faster * (used < 1 ? used : 1) * share;
  for (int i = count - 1; i > 0; i--) {
    struct connection *one = connections[i];
    if (one->left <= 0) continue;
    one->left -= elapsed * speed;
    if (one->left > 0) continue;
    one->left = 0;
    if (send(fds[i].fd, ANSWER, sizeof ANSWER - 1, MSG_NOSIGNAL) < 0) drop(i);
  }
  while (read_clock(CLOCK_PROCESS_CPUTIME_ID) < owed) {
  }
}

/* Until the next one is done, ms of the machine; not so long that meters would see what it uses in lumps. */
static int patience(void) {
  double asked, next = -1;
  int found = running(&asked);
  double speed = speed_of(found, asked);
  for (int i = 1; i < count; i++) {
    double left = connections[i]->left;
    if (left > 0 && (next < 0 || left < next)) next = left;
  }
  if (next < 0) return -1;
  double wait = next / speed / faster;
  return wait < MOST_WAIT ? (int)wait + 1 : MOST_WAIT;
}

static void take(void) {
  int fd = accept(fds[0].fd, NULL, NULL);
  if (fd < 0) return;
  struct connection *one = count < MOST ? calloc(1, sizeof *one) : NULL;
  if (!one) {
    close(fd);
    return;
  }
  connections[count] = one;
  fds[count] = (struct pollfd){.fd = fd, .events = POLLIN};
  count++;
}

/* 0: the connection has ended. */
static int hear(int i) {
  struct connection *one = connections[i];
  ssize_t length = read(fds[i].fd, one->head + one->length, HEAD - 1 - one->length);
  if (length <= 0) return 0;
  one->length += length;
  one->head[one->length] = 0;
  if (!strstr(one->head, "\r\n\r\n")) return one->length < HEAD - 1;
  double wait = 0, percent = 0;
  /* Any other path is answered at once. */
  if (sscanf(one->head, "GET /%lf/%lf", &wait, &percent) != 2) wait = 0;
  one->length = 0;
  one->left = wait > 0 ? wait : 1e-9;
  one->computing = percent / 100;
  return 1;
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  signal(SIGPIPE, SIG_IGN);
  faster = atof(argv[2]);
  share = atof(argv[3]) / 1e6;
  poll(NULL, 0, atoi(argv[4]));
  fds[0] = (struct pollfd){.fd = atoi(argv[1]), .events = POLLIN};
  at = read_clock(CLOCK_MONOTONIC);
  while (poll(fds, count, patience()) >= 0) {
    advance();
    int heard = count;
    for (int i = heard - 1; i > 0; i--) {
      if (fds[i].revents != 0 && !hear(i)) drop(i);
    }
    if (fds[0].revents != 0) take();
  }
  return 1;
}
