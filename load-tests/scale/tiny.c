/*
 * The smallest model server: answers "ok" to every GET on the listening socket that it is given as a file
 * descriptor, with keep-alive. It takes about 1 MB, so that 1,000 of them fit on any machine. With two more numbers
 * it takes so many milliseconds to start, and so many MiB.
 */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST 64

static const char END[] = "\r\n\r\n";
static const char ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n";

static struct pollfd fds[MOST];
/* How much of the end of a head each connection has sent. */
static int matched[MOST];
static int count = 1;

static void drop(int at) {
  close(fds[at].fd);
  count--;
  fds[at] = fds[count];
  matched[at] = matched[count];
}

static void take(void) {
  int fd = accept(fds[0].fd, NULL, NULL);
  if (fd < 0) return;
  if (count == MOST) {
    close(fd);
    return;
  }
  fds[count].fd = fd;
  fds[count].events = POLLIN;
  matched[count] = 0;
  count++;
}

/* 0: the connection has ended. */
static int answer(int at) {
  char buffer[4096];
  ssize_t length = read(fds[at].fd, buffer, sizeof buffer);
  if (length <= 0) return 0;
  for (ssize_t i = 0; i < length; i++) {
    if (buffer[i] == END[matched[at]]) matched[at]++;
    else matched[at] = buffer[i] == '\r';
    if (matched[at] < 4) continue;
    matched[at] = 0;
    if (write(fds[at].fd, ANSWER, sizeof ANSWER - 1) < 0) return 0;
  }
  return 1;
}

int main(int argc, char **argv) {
  if (argc != 2 && argc != 4) return 2;
  signal(SIGPIPE, SIG_IGN);
  if (argc == 4) {
    size_t bytes = (size_t)atoi(argv[3]) << 20;
    char *weights = malloc(bytes);
    if (!weights) return 1;
    memset(weights, 1, bytes);
    poll(NULL, 0, atoi(argv[2]));
  }
  fds[0].fd = atoi(argv[1]);
  fds[0].events = POLLIN;
  while (poll(fds, count, -1) > 0) {
    for (int at = count - 1; at > 0; at--) {
      if (fds[at].revents != 0 && !answer(at)) drop(at);
    }
    if (fds[0].revents != 0) take();
  }
  return 1;
}
