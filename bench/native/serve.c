/* The floor: the same frames against a bare epoll server. Routes `send` to the other side of its
 * conversation and acks it; a token is the conversation's number. Rule: no disk and no checks, but
 * numbers in order, so that a correct client of the product is one here.
 */
#define _GNU_SOURCE
#include "wire.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONVERSATIONS = 1 << 17 };

typedef struct {
    int fd, conversation;
    int is_open; /* handshake done */
    size_t have;
    uint8_t *in;
} peer;

typedef struct { uint32_t seq; peer *sides[2]; } room;

static peer peers[MAX_CONNECTIONS];
static int free_peers[MAX_CONNECTIONS], free_count;
static room rooms[CONVERSATIONS];

static void greet(peer *p, reader r) {
    const uint8_t welcome[] = {0x95, WELCOME, 0xa0, 0, 0x80, 0x90};
    const char *token;
    char number[16] = "";
    size_t size = take_str(&r, &token);
    memcpy(number, token, size < sizeof number ? size : sizeof number - 1);
    p->conversation = atoi(number) & (CONVERSATIONS - 1);
    room *t = &rooms[p->conversation];
    t->sides[t->sides[0] != NULL] = p;
    send_frame(p->fd, welcome, sizeof welcome, 0);
}

static void route(peer *p, reader r) {
    uint8_t out[512], *q = out;
    uint64_t conversation = take_uint(&r), n = take_uint(&r);
    room *t = &rooms[conversation & (CONVERSATIONS - 1)];
    size_t size = (size_t)(r.end - r.at);
    peer *other = t->sides[t->sides[0] == p];
    t->seq++;
    if (other && size < sizeof out - 32) {
        *q++ = 0x97; *q++ = ENTRY;
        q = put_uint(q, conversation); q = put_uint(q, t->seq); q = put_uint(q, 1795500000);
        *q++ = 0xa1; *q++ = 'o';
        memcpy(q, r.at, size);
        send_frame(other->fd, out, (size_t)(q - out) + size, 0);
    }
    q = out;
    *q++ = 0x95; *q++ = ACK;
    q = put_uint(q, conversation); q = put_uint(q, n); q = put_uint(q, t->seq); q = put_uint(q, 5);
    send_frame(p->fd, out, (size_t)(q - out), 0);
}

/* Returns 0 when the other side is gone. */
static int drain(peer *p) {
    ssize_t got = recv(p->fd, p->in + p->have, IN - p->have, 0);
    if (got <= 0) return 0;
    p->have += (size_t)got;
    size_t at = 0, size;
    int opcode;
    reader r;
    while ((size = take_message(p->in + at, p->have - at, &opcode, &r))) {
        at += size;
        if (opcode == 8) return 0;
        if (opcode != 2) continue;
        take_items(&r);
        uint64_t kind = take_uint(&r);
        if (kind == HELLO) greet(p, r);
        else if (kind == SEND) route(p, r);
    }
    memmove(p->in, p->in + at, p->have - at);
    p->have -= at;
    return 1;
}

static void leave(peer *p) {
    room *t = &rooms[p->conversation];
    for (int side = 0; side < 2; side++)
        if (t->sides[side] == p) t->sides[side] = NULL;
    close(p->fd);
    p->is_open = 0;
    free_peers[free_count++] = (int)(p - peers);
}

static void welcome_all(int listener, int poll) {
    int fd, one = 1;
    while (free_count && (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        peer *p = &peers[free_peers[--free_count]];
        p->fd = fd;
        p->have = 0;
        p->conversation = 0;
        if (!p->in) p->in = malloc(IN);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = p};
        epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
    }
}

void serve(int port) {
    int listener = listen_on(port), poll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[512];
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    while (free_count < MAX_CONNECTIONS) { free_peers[free_count] = free_count; free_count++; }
    for (;;) {
        int ready = epoll_wait(poll, events, 512, -1);
        for (int i = 0; i < ready; i++) {
            peer *p = events[i].data.ptr;
            if (!p) welcome_all(listener, poll);
            else if (p->is_open ? !drain(p) : recv(p->fd, p->in, IN, 0) <= 0) leave(p);
            else if (!p->is_open) { /* the request head arrives whole on loopback */
                p->is_open = 1;
                write_all(p->fd, (const uint8_t *)UPGRADED, strlen(UPGRADED));
            }
        }
    }
}
