/* The closed loop: every connection keeps WINDOW sends unacked and sends the next when an ack comes.
 * FILE holds a "token conversation follow" line per connection, `follow` 1 for agents. Prints `up`
 * when every connection is welcome, and one line at its end:
 * acked delivered busy errors seconds p50_us p99_us beats. A WINDOW of 0 only answers heartbeats.
 */
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WINDOW_MAX = 64, SAMPLES = 4000000, IDLE_IN = 2048 };

typedef struct {
    int fd, conversation, follow;
    uint32_t n;
    size_t have, room;
    uint64_t sent_at[WINDOW_MAX];
    uint8_t *in;
} conn;

static conn conns[MAX_CONNECTIONS];
static int count;
static uint64_t acked, delivered, busy, errors, beats;
static uint32_t *samples;
static size_t sampled;

static void say_again(conn *c, uint32_t n) {
    uint8_t out[512], *p = out;
    *p++ = 0x95; *p++ = SEND;
    p = put_uint(p, (uint64_t)c->conversation);
    p = put_uint(p, n);
    *p++ = TYPE_TEXT; *p++ = 0xd9; *p++ = TEXT;
    memset(p, 'x', TEXT);
    send_frame(c->fd, out, (size_t)(p + TEXT - out), 1);
}

static void say(conn *c) {
    c->n++;
    c->sent_at[c->n % WINDOW_MAX] = now_us();
    say_again(c, c->n);
}

/* One server frame at a client. */
static void hear(conn *c, reader r) {
    uint8_t out[16], *q = out;
    uint32_t n;
    take_items(&r);
    switch (take_uint(&r)) {
    case WELCOME:
        if (c->follow) {
            *q++ = 0x93; *q++ = FOLLOW;
            q = put_uint(q, (uint64_t)c->conversation);
            *q++ = 0;
            send_frame(c->fd, out, (size_t)(q - out), 1);
        }
        break;
    case ACK:
        take_uint(&r);
        n = (uint32_t)take_uint(&r);
        acked++;
        if (sampled < SAMPLES) samples[sampled++] = (uint32_t)(now_us() - c->sent_at[n % WINDOW_MAX]);
        say(c);
        break;
    case PING: /* the server wants a sign of life */
        *q++ = 0x92; *q++ = PONG;
        q = put_uint(q, take_uint(&r));
        send_frame(c->fd, out, (size_t)(q - out), 1);
        beats++;
        break;
    case BUSY: /* the same n again, which the server wants before what follows it */
        take_uint(&r);
        busy++;
        say_again(c, (uint32_t)take_uint(&r));
        break;
    case ENTRY: delivered++; break;
    case ERROR: errors++; if (errors < 5) fprintf(stderr, "error frame from the server\n"); break;
    case BYE: errors++; break;
    }
}

/* Takes whole messages out of the socket. Returns 0 when the other side is gone. */
static int drain(conn *c) {
    ssize_t got = recv(c->fd, c->in + c->have, c->room - c->have, 0);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    c->have += (size_t)got;
    size_t at = 0, size;
    int opcode;
    reader r;
    while ((size = take_message(c->in + at, c->have - at, &opcode, &r))) {
        if (opcode == 8) return 0;
        if (opcode == 2) hear(c, r);
        at += size;
    }
    memmove(c->in, c->in + at, c->have - at);
    c->have -= at;
    return 1;
}

static void handshake(conn *c, int port, const char *token) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (void *)&to, sizeof to)) die("connect");
    write_all(c->fd, (const uint8_t *)UPGRADE, strlen(UPGRADE));
    char answer[2048], device[32];
    size_t have = 0;
    while (have < 4 || memcmp(answer + have - 4, "\r\n\r\n", 4)) {
        if (have == sizeof answer || recv(c->fd, answer + have, 1, 0) != 1) die("handshake");
        have++;
    }
    uint8_t out[512], *p = out;
    *p++ = 0x94; *p++ = HELLO;
    p = put_str(p, token, strlen(token));
    /* A device of this run: one that had numbered before would only repeat itself. */
    int size = snprintf(device, sizeof device, "d%05d_%06x", count, (unsigned)getpid() & 0xffffff);
    p = put_str(p, device, (size_t)size);
    *p++ = 0x90;
    send_frame(c->fd, out, (size_t)(p - out), 1);
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
}

static int by_size(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void connect_all(int poll, int port, const char *path, size_t room) {
    FILE *file = fopen(path, "r");
    char token[256];
    if (!file) die(path);
    while (count < MAX_CONNECTIONS &&
           fscanf(file, "%255s %d %d", token, &conns[count].conversation, &conns[count].follow) == 3) {
        conn *c = &conns[count++];
        c->room = room;
        c->in = malloc(room);
        handshake(c, port, token);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &event);
    }
    fclose(file);
}

void load(int port, const char *path, double seconds, int window) {
    samples = malloc(SAMPLES * sizeof *samples);
    int poll = epoll_create1(0);
    connect_all(poll, port, path, window ? IN : IDLE_IN);
    struct epoll_event events[512];
    uint64_t settle = now_us() + 1000000, start = 0, end = 0;
    for (;;) {
        uint64_t now = now_us();
        if (!start && now > settle) { /* everybody is welcome: begin */
            start = now;
            end = start + (uint64_t)(seconds * 1e6);
            for (int i = 0; i < count; i++)
                for (int k = 0; k < window; k++) say(&conns[i]);
            acked = delivered = 0;
            printf("up\n");
            fflush(stdout);
        }
        if (start && now > end) break;
        int ready = epoll_wait(poll, events, 512, 10);
        for (int i = 0; i < ready; i++) {
            conn *c = events[i].data.ptr;
            if (!drain(c)) { errors++; epoll_ctl(poll, EPOLL_CTL_DEL, c->fd, NULL); }
        }
    }
    double took = (double)(now_us() - start) / 1e6;
    qsort(samples, sampled, sizeof *samples, by_size);
    printf("%lu %lu %lu %lu %.3f %u %u %lu\n", acked, delivered, busy, errors, took,
           sampled ? samples[sampled / 2] : 0, sampled ? samples[sampled * 99 / 100] : 0, beats);
}
