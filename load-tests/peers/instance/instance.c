/*
 * What stands behind every proxy that is measured: one program, one thread, HTTP/1.1 with keep-alive, one
 * request at a time on a connection.
 *
 *   instance port PORT      listens on 127.0.0.1; with PORT 0 takes a free one; prints the port
 *   instance fd NUMBER      takes an already listening socket
 *
 *   /stream   50 chunks, each written by itself, one in a turn of the loop
 *   /delay    answers after 100 ms
 *   /bytes    256 MiB
 *   other     reads the body (by Content-Length) and answers a few bytes
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 32768
#define HEAD 8192
#define CHUNKS 50
#define DELAY_MS 100
#define BULK (256L << 20)
#define EVENTS 256

enum state { HEADING, BODY, ANSWERING, DELAYED, STREAMING, FILLING };

struct connection {
  enum state state;
  /* Counts who had this descriptor, so that a delay knows whose it was. */
  unsigned user;
  int have;
  /* Bytes of the body to be read, chunks of a stream or bytes of the bulk to be written. */
  long left;
  const char *out;
  size_t out_length;
  int waits;
  char head[HEAD];
};

struct delay {
  int fd;
  unsigned user;
  long due;
};

#define JSON "{\"label\":3,\"probability\":0.9871234}\n"
static const char SMALL[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 36\r\n\r\n" JSON;
static const char STREAM[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                             "Transfer-Encoding: chunked\r\n\r\n";
static const char CHUNK[] = "26\r\ndata: {\"token\":\" word\",\"index\":1234}\n\n\r\n";
static const char LAST[] = "0\r\n\r\n";
static const char BULK_HEAD[] = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                                "Content-Length: 268435456\r\n\r\n";

static struct connection *all[MOST];
static struct delay delays[MOST];
static unsigned first_delay, end_delay;
static int streams[MOST], stream_count;
static char scratch[1 << 18];
static int poller;

static long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void watch(int fd, int change, unsigned events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  epoll_ctl(poller, change, fd, &event);
}

static void drop(int fd) {
  for (int i = 0; i < stream_count; i++) {
    if (streams[i] == fd) streams[i--] = streams[--stream_count];
  }
  all[fd]->user++;
  close(fd);
}

/* 1: all has gone; 0: the rest goes when it can; -1: the connection has ended. */
static int flush(int fd) {
  struct connection *c = all[fd];
  while (c->out_length > 0) {
    ssize_t gone = send(fd, c->out, c->out_length, MSG_NOSIGNAL);
    if (gone < 0 && errno == EAGAIN) {
      if (!c->waits) watch(fd, EPOLL_CTL_MOD, EPOLLOUT);
      c->waits = 1;
      return 0;
    }
    if (gone < 0) {
      drop(fd);
      return -1;
    }
    c->out += gone;
    c->out_length -= (size_t)gone;
  }
  if (c->waits) watch(fd, EPOLL_CTL_MOD, EPOLLIN);
  c->waits = 0;
  return 1;
}

static int say(int fd, const char *text, size_t length) {
  all[fd]->out = text;
  all[fd]->out_length = length;
  return flush(fd);
}

/* What comes next of a response, when what was there has gone. */
static void go_on(int fd) {
  struct connection *c = all[fd];
  while (c->state == FILLING && c->left > 0) {
    size_t part = c->left < (long)sizeof scratch ? (size_t)c->left : sizeof scratch;
    c->left -= (long)part;
    if (say(fd, scratch, part) != 1) return;
  }
  if (c->state != STREAMING) {
    c->state = HEADING;
    c->have = 0;
  }
}

static void answer(int fd) {
  struct connection *c = all[fd];
  const char *path = strchr(c->head, ' ');
  path = path == NULL ? "" : path + 1;
  c->state = ANSWERING;
  if (strncmp(path, "/stream", 7) == 0) {
    c->state = STREAMING;
    c->left = CHUNKS;
    if (say(fd, STREAM, sizeof STREAM - 1) >= 0) streams[stream_count++] = fd;
  } else if (strncmp(path, "/delay", 6) == 0) {
    c->state = DELAYED;
    delays[end_delay++ % MOST] = (struct delay){fd, c->user, now_ms() + DELAY_MS};
  } else if (strncmp(path, "/bytes", 6) == 0) {
    c->state = FILLING;
    c->left = BULK;
    if (say(fd, BULK_HEAD, sizeof BULK_HEAD - 1) == 1) go_on(fd);
  } else if (say(fd, SMALL, sizeof SMALL - 1) == 1) {
    go_on(fd);
  }
}

/* The head is complete, or not yet. Whatever else is read with it is the body's. */
static void read_head(int fd) {
  struct connection *c = all[fd];
  c->head[c->have] = 0;
  char *end = strstr(c->head, "\r\n\r\n");
  if (end == NULL && c->have < HEAD - 1) return;
  const char *length = strcasestr(c->head, "\r\ncontent-length:");
  if (end == NULL || (length == NULL && strcasestr(c->head, "\r\ntransfer-encoding:") != NULL)) {
    drop(fd);
    return;
  }
  c->state = BODY;
  c->left = (length != NULL && length < end ? atol(length + 17) : 0) - (c->head + c->have - end - 4);
  if (c->left <= 0) answer(fd);
}

static void readable(int fd) {
  struct connection *c = all[fd];
  int heading = c->state == HEADING;
  char *into = heading ? c->head + c->have : scratch;
  ssize_t got = recv(fd, into, heading ? (size_t)(HEAD - 1 - c->have) : sizeof scratch, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) {
    drop(fd);
  } else if (heading) {
    c->have += (int)got;
    read_head(fd);
  } else if (c->state == BODY) {
    c->left -= got;
    if (c->left <= 0) answer(fd);
  } else {
    /* Nobody may send the next request before the answer to this one. */
    drop(fd);
  }
}

static void accept_all(int listening) {
  for (;;) {
    int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    if (fd >= MOST) {
      close(fd);
      continue;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (all[fd] == NULL) all[fd] = calloc(1, sizeof *all[fd]);
    if (all[fd] == NULL) exit(1);
    all[fd]->state = HEADING;
    all[fd]->have = 0;
    all[fd]->out_length = 0;
    all[fd]->waits = 0;
    watch(fd, EPOLL_CTL_ADD, EPOLLIN);
  }
}

static void turn_streams(void) {
  for (int i = stream_count - 1; i >= 0; i--) {
    int fd = streams[i];
    struct connection *c = all[fd];
    if (c->out_length > 0) continue;
    int last = c->left-- == 0;
    if (last) {
      streams[i] = streams[--stream_count];
      c->state = ANSWERING;
    }
    int gone = last ? say(fd, LAST, sizeof LAST - 1) : say(fd, CHUNK, sizeof CHUNK - 1);
    if (last && gone == 1) go_on(fd);
    if (i > stream_count) i = stream_count;
  }
}

static void turn_delays(void) {
  long now = now_ms();
  while (first_delay != end_delay && delays[first_delay % MOST].due <= now) {
    struct delay due = delays[first_delay++ % MOST];
    if (all[due.fd]->user != due.user) continue;
    all[due.fd]->state = ANSWERING;
    if (say(due.fd, SMALL, sizeof SMALL - 1) == 1) go_on(due.fd);
  }
}

static int patience(void) {
  if (stream_count > 0) return 0;
  if (first_delay == end_delay) return -1;
  long left = delays[first_delay % MOST].due - now_ms();
  return left < 0 ? 0 : (int)left;
}

static int listen_on(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in at = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t length = sizeof at;
  if (bind(fd, (struct sockaddr *)&at, length) < 0 || listen(fd, 4096) < 0) {
    perror("listen");
    exit(1);
  }
  getsockname(fd, (struct sockaddr *)&at, &length);
  printf("%d\n", ntohs(at.sin_port));
  fflush(stdout);
  return fd;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: instance port PORT | instance fd NUMBER\n");
    return 2;
  }
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  int number = atoi(argv[2]);
  int listening = strcmp(argv[1], "fd") == 0 ? number : listen_on(number);
  poller = epoll_create1(EPOLL_CLOEXEC);
  /* The socket may come from a parent that left it blocking. */
  struct epoll_event events[EVENTS];
  int flags = fcntl(listening, F_GETFL);
  fcntl(listening, F_SETFL, flags | O_NONBLOCK);
  watch(listening, EPOLL_CTL_ADD, EPOLLIN);
  for (;;) {
    int count = epoll_wait(poller, events, EVENTS, patience());
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      if (fd == listening) accept_all(fd);
      else if (events[i].events & EPOLLOUT) {
        if (flush(fd) == 1) go_on(fd);
      } else readable(fd);
    }
    turn_streams();
    turn_delays();
  }
}
