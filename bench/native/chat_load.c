/* Load for the gateway, and the floor under it: the same frames against a bare epoll server.
 *
 *   chat_load serve PORT                      route `send` to the other side and ack: no disk, no checks
 *   chat_load load PORT FILE SECONDS WINDOW   FILE: one "token conversation follow" line per connection,
 *                                             `follow` 1 for agents; every connection keeps WINDOW sends
 *                                             unacked and sends the next one when an ack comes
 *
 * The load prints `up` when every connection is welcome, and one line at its end:
 * acked delivered busy errors seconds p50_us p99_us beats. A WINDOW of 0 only answers heartbeats.
 * Frames are wire version 1 in MessagePack (docs/reference/protocol.md); clients mask with a key of 0.
 * Bounded: at most MAX_CONNECTIONS on loopback, ends by itself after SECONDS.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 20000, IN = 65536, WINDOW_MAX = 64, SAMPLES = 4000000, TEXT = 120 };

typedef struct {
    int fd, conversation, follow, window, peer;
    uint32_t n;
    int open; /* handshake done */
    size_t have;
    uint64_t sent_at[WINDOW_MAX];
    uint8_t *in;
} conn;

static conn conns[MAX_CONNECTIONS];
static int count;
static uint64_t acked, delivered, busy, errors, beats;
static uint32_t *samples;
static size_t sampled;

static void die(const char *what) { perror(what); exit(1); }

static uint64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static uint8_t *put_uint(uint8_t *p, uint64_t v) {
    if (v < 128) { *p++ = v; }
    else if (v < 256) { *p++ = 0xcc; *p++ = v; }
    else if (v < 65536) { *p++ = 0xcd; *p++ = v >> 8; *p++ = v; }
    else { *p++ = 0xce; *p++ = v >> 24; *p++ = v >> 16; *p++ = v >> 8; *p++ = v; }
    return p;
}

static const uint8_t *get_uint(const uint8_t *p, uint64_t *v) {
    int bytes = *p < 128 ? 0 : *p == 0xcc ? 1 : *p == 0xcd ? 2 : *p == 0xce ? 4 : *p == 0xcf ? 8 : -1;
    if (bytes < 0) { *v = 0; return p + 1; }
    if (!bytes) { *v = *p; return p + 1; }
    *v = 0;
    for (int i = 1; i <= bytes; i++) *v = *v << 8 | p[i];
    return p + 1 + bytes;
}

static void write_all(int fd, const uint8_t *data, size_t size) {
    while (size) {
        ssize_t done = send(fd, data, size, MSG_NOSIGNAL);
        if (done < 0) {
            if (errno == EAGAIN || errno == EINTR) continue;
            return;
        }
        data += done;
        size -= done;
    }
}

static void send_frame(int fd, const uint8_t *payload, size_t size, int masked) {
    uint8_t out[1024];
    size_t at = 0;
    out[at++] = 0x82;
    if (size < 126) out[at++] = (masked ? 0x80 : 0) | size;
    else { out[at++] = (masked ? 0x80 : 0) | 126; out[at++] = size >> 8; out[at++] = size; }
    if (masked) { memset(out + at, 0, 4); at += 4; }
    memcpy(out + at, payload, size);
    write_all(fd, out, at + size);
}

static void say_again(conn *c, uint32_t n) {
    uint8_t out[512], *p = out;
    *p++ = 0x95; *p++ = 4;
    p = put_uint(p, c->conversation);
    p = put_uint(p, n);
    *p++ = 1; *p++ = 0xd9; *p++ = TEXT;
    memset(p, 'x', TEXT);
    send_frame(c->fd, out, p + TEXT - out, 1);
}

static void say(conn *c) {
    c->n++;
    c->sent_at[c->n % WINDOW_MAX] = now_us();
    say_again(c, c->n);
}

/* One server frame at a client. */
static void hear(conn *c, const uint8_t *p) {
    uint64_t v, n;
    switch (p[1]) {
    case 32: /* welcome */
        if (c->follow) {
            uint8_t out[16], *q = out;
            *q++ = 0x93; *q++ = 2;
            q = put_uint(q, c->conversation);
            *q++ = 0;
            send_frame(c->fd, out, q - out, 1);
        }
        break;
    case 33: { /* ack */
        p = get_uint(p + 2, &v);
        get_uint(p, &n);
        acked++;
        if (sampled < SAMPLES) samples[sampled++] = now_us() - c->sent_at[n % WINDOW_MAX];
        say(c);
        break;
    }
    case 9: { /* ping: the server wants a sign of life */
        uint8_t out[16], *q = out;
        get_uint(p + 2, &v);
        *q++ = 0x92; *q++ = 10;
        q = put_uint(q, v);
        send_frame(c->fd, out, q - out, 1);
        beats++;
        break;
    }
    case 34: /* busy: the same n again, which the server wants before what follows it */
        get_uint(get_uint(p + 2, &v), &n);
        busy++;
        say_again(c, n);
        break;
    case 35: delivered++; break;
    case 39: errors++; if (errors < 5) fprintf(stderr, "error frame from the server\n"); break;
    case 40: errors++; break;
    }
}

static void serve_frame(conn *c, const uint8_t *p, size_t size) {
    uint64_t conversation, n;
    if (p[1] == 1) { /* hello: the token is the conversation's number */
        uint8_t welcome[] = {0x95, 32, 0xa0, 0, 0x80, 0x90};
        c->conversation = atoi((const char *)p + 3);
        c->peer = -1;
        for (int i = 0; i < count; i++)
            if (&conns[i] != c && conns[i].open && conns[i].conversation == c->conversation) {
                c->peer = i;
                conns[i].peer = c - conns;
            }
        send_frame(c->fd, welcome, sizeof welcome, 0);
    } else if (p[1] == 4) {
        uint8_t out[512], *q = out;
        const uint8_t *rest = get_uint(get_uint(p + 2, &conversation), &n);
        static uint32_t seq;
        seq++;
        if (c->peer >= 0) {
            *q++ = 0x97; *q++ = 35;
            q = put_uint(q, conversation); q = put_uint(q, seq); q = put_uint(q, 1795500000);
            *q++ = 0xa1; *q++ = 'v';
            memcpy(q, rest, p + size - rest);
            send_frame(conns[c->peer].fd, out, q + (p + size - rest) - out, 0);
        }
        q = out;
        *q++ = 0x95; *q++ = 33;
        q = put_uint(q, conversation); q = put_uint(q, n); q = put_uint(q, seq); q = put_uint(q, 5);
        send_frame(c->fd, out, q - out, 0);
    }
}

/* Takes whole frames out of the buffer. Returns 0 when the other side is gone. */
static int drain(conn *c, int is_server) {
    ssize_t got = recv(c->fd, c->in + c->have, (is_server || c->window ? IN : 2048) - c->have, 0);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    c->have += got;
    size_t at = 0;
    while (c->have - at >= 2) {
        uint8_t *f = c->in + at;
        size_t size = f[1] & 127, head = 2;
        if (size == 126) { if (c->have - at < 4) break; size = f[2] << 8 | f[3]; head = 4; }
        if (f[1] & 128) head += 4;
        if (c->have - at < head + size) break;
        if (f[1] & 128)
            for (size_t i = 0; i < size; i++) f[head + i] ^= f[head - 4 + (i & 3)];
        if ((f[0] & 15) == 8) return 0;
        if ((f[0] & 15) == 2) { if (is_server) serve_frame(c, f + head, size); else hear(c, f + head); }
        at += head + size;
    }
    memmove(c->in, c->in + at, c->have - at);
    c->have -= at;
    return 1;
}

static void handshake(conn *c, int port, const char *token) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (void *)&to, sizeof to)) die("connect");
    const char *ask = "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                      "Sec-WebSocket-Protocol: qingniao.1\r\n\r\n";
    write_all(c->fd, (const uint8_t *)ask, strlen(ask));
    char answer[2048];
    size_t have = 0;
    while (have < 4 || memcmp(answer + have - 4, "\r\n\r\n", 4)) {
        if (have == sizeof answer || recv(c->fd, answer + have, 1, 0) != 1) die("handshake");
        have++;
    }
    uint8_t out[512], *p = out;
    size_t size = strlen(token);
    *p++ = 0x94; *p++ = 1; *p++ = 0xd9; *p++ = size;
    memcpy(p, token, size); p += size;
    /* A device of this run: one that had numbered before would only repeat itself. */
    *p++ = 0xad; p += sprintf((char *)p, "d%05d_%06x", count, getpid() & 0xffffff); *p++ = 0x90;
    send_frame(c->fd, out, p - out, 1);
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
}

static int by_size(const void *a, const void *b) {
    return *(const uint32_t *)a < *(const uint32_t *)b ? -1 : 1;
}

static void load(int port, const char *path, double seconds, int window) {
    FILE *file = fopen(path, "r");
    char token[256];
    if (!file) die(path);
    samples = malloc(SAMPLES * sizeof *samples);
    int poll = epoll_create1(0);
    while (count < MAX_CONNECTIONS &&
           fscanf(file, "%255s %d %d", token, &conns[count].conversation, &conns[count].follow) == 3) {
        conn *c = &conns[count++];
        c->window = window;
        c->in = malloc(window ? IN : 2048);
        handshake(c, port, token);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &event);
    }
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
            if (!drain(c, 0)) { errors++; epoll_ctl(poll, EPOLL_CTL_DEL, c->fd, NULL); }
        }
    }
    double took = (now_us() - start) / 1e6;
    qsort(samples, sampled, sizeof *samples, by_size);
    printf("%lu %lu %lu %lu %.3f %u %u %lu\n", acked, delivered, busy, errors, took,
           sampled ? samples[sampled / 2] : 0, sampled ? samples[sampled * 99 / 100] : 0, beats);
}

static void serve(int port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1, poll = epoll_create1(0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (void *)&at, sizeof at) || listen(listener, 4096)) die("listen");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[512];
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int ready = epoll_wait(poll, events, 512, -1);
        for (int i = 0; i < ready; i++) {
            conn *c = events[i].data.ptr;
            if (!c) {
                int fd;
                while (count < MAX_CONNECTIONS && (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                    c = &conns[count++];
                    c->fd = fd;
                    c->peer = -1;
                    c->in = malloc(IN);
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    event.data.ptr = c;
                    epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
                }
            } else if (!c->open) { /* the request head arrives whole on loopback */
                const char *yes = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Accept: x\r\n"
                                  "Sec-WebSocket-Protocol: qingniao.1\r\n\r\n";
                if (recv(c->fd, c->in, IN, 0) > 0) {
                    c->open = 1;
                    write_all(c->fd, (const uint8_t *)yes, strlen(yes));
                }
            } else if (!drain(c, 1)) {
                epoll_ctl(poll, EPOLL_CTL_DEL, c->fd, NULL);
                close(c->fd);
            }
        }
    }
}

int main(int argc, char **argv) {
    if (argc == 3 && !strcmp(argv[1], "serve")) serve(atoi(argv[2]));
    else if (argc == 6 && !strcmp(argv[1], "load")) load(atoi(argv[2]), argv[3], atof(argv[4]), atoi(argv[5]));
    else { fprintf(stderr, "usage: chat_load serve PORT | load PORT FILE SECONDS WINDOW\n"); return 2; }
    return 0;
}
