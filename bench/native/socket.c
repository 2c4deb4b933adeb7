/* The sockets under the clients: there, lost, and back again. */
#define _GNU_SOURCE
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKOFF_MS = 200, BACKOFF_MAX_MS = 10000, JITTER_MS = 20, CONNECT_MS = 10000,
       TEND_US = 1000, TEND_CALM_US = 20000, READ = 1 << 18, EVENTS = 1024 };

network net;
static client **dirty;
static int dirty_count;

int random_below(int top) { return (int)(random() % (top > 0 ? top : 1)); }

void open_network(const char *ports, mode m) {
    for (const char *p = ports; p && net.port_count < PORTS; p = strchr(p, ',')) {
        p += *p == ',';
        net.ports[net.port_count++] = atoi(p);
    }
    net.mode = m;
    net.credit = 32;
    net.now = now_us();
    net.poll = epoll_create1(0);
    dirty = malloc(MAX_CONNECTIONS * sizeof *dirty);
    srandom(7); /* the same run twice is the same load twice */
}

static void watch(client *c, uint32_t events, int how) {
    struct epoll_event event = {.events = events, .data.ptr = c};
    epoll_ctl(net.poll, how, c->fd, &event);
}

/* What goes out: gathered in a turn, sent at its end. */

uint8_t *room_for(client *c, size_t size) {
    if (c->left + size > c->out_room) {
        c->out_room = 2 * (c->left + size);
        c->out = realloc(c->out, c->out_room);
    }
    if (!c->is_dirty) {
        c->is_dirty = 1;
        dirty[dirty_count++] = c;
    }
    return c->out + c->left;
}

static void flush_one(client *c) {
    c->is_dirty = 0;
    if (c->phase < UPGRADING || c->phase == GONE) return;
    ssize_t done = c->left ? send(c->fd, c->out, c->left, MSG_NOSIGNAL) : 0;
    if (done < 0) done = 0; /* full, or lost: the reading side hears of the latter */
    c->left -= (size_t)done;
    if (c->left) memmove(c->out, c->out + done, c->left);
    if (c->wants_out == !c->left) {
        c->wants_out = !c->wants_out;
        watch(c, EPOLLIN | (c->wants_out ? EPOLLOUT : 0), EPOLL_CTL_MOD);
    }
}

static void let_go(client *c, phase next) {
    close(c->fd);
    free(c->in);
    c->in = NULL;
    c->have = c->in_room = c->left = 0;
    c->phase = next;
}

/* Lost, refused, or never reached: again later, and not all at once. */
static void come_back(client *c) {
    int top = BACKOFF_MS << (c->attempt < 6 ? c->attempt : 6);
    top = top < BACKOFF_MAX_MS ? top : BACKOFF_MAX_MS;
    uint64_t jitter = (uint64_t)(JITTER_MS + random_below(top - JITTER_MS)) * 1000;
    c->attempt++;
    c->due = net.now + (c->wait_us > jitter ? c->wait_us : jitter);
    c->wait_us = 0;
}

static void lose(client *c) {
    phase was = c->phase;
    let_go(c, was == LEAVING ? GONE : AWAY);
    if (was == READY || was == LEAVING) {
        c->lost_at = net.now;
        for (int i = 0; i < c->count; i++) c->sides[i].goal_n = c->sides[i].said;
        net.mode.lost(c);
    }
    if (c->phase == AWAY) come_back(c);
}

void cut(client *c) {
    struct linger at_once = {1, 0};
    if (c->phase == AWAY || c->phase == GONE) return;
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    lose(c);
}

void leave(client *c) {
    const uint8_t goodbye[] = {0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8};
    memcpy(room_for(c, sizeof goodbye), goodbye, sizeof goodbye);
    c->left += sizeof goodbye;
    c->phase = LEAVING;
}

void join(client *c) {
    struct sockaddr_in from = {.sin_family = AF_INET}, to = from;
    int one = 1;
    from.sin_addr.s_addr = htonl((uint32_t)(INADDR_LOOPBACK + c->number % ADDRESSES));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)net.ports[c->number % net.port_count]);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0) die("socket");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    c->phase = CONNECTING;
    c->due = net.now + CONNECT_MS * 1000;
    net.connects++;
    if (bind(c->fd, (void *)&from, sizeof from)) die("bind");
    if (connect(c->fd, (void *)&to, sizeof to) && errno != EINPROGRESS) return lose(c);
    c->wants_out = 1;
    watch(c, EPOLLIN | EPOLLOUT, EPOLL_CTL_ADD);
}

static void upgrade(client *c) {
    int fault = 0;
    socklen_t size = sizeof fault;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &fault, &size);
    if (fault) return lose(c);
    memcpy(room_for(c, strlen(UPGRADE)), UPGRADE, strlen(UPGRADE));
    c->left += strlen(UPGRADE);
    c->phase = UPGRADING;
}

/* How much of the answer to the handshake was taken; refused is lost. */
static size_t upgraded(client *c, uint8_t *data, size_t have) {
    uint8_t *end = memmem(data, have, "\r\n\r\n", 4);
    if (!end) return 0;
    if (have < 12 || memcmp(data, "HTTP/1.1 101", 12)) {
        net.refusals++;
        lose(c);
        return 0;
    }
    greet(c);
    return (size_t)(end + 4 - data);
}

static void take_in(client *c) {
    static uint8_t data[READ * 2];
    if (c->have) memcpy(data, c->in, c->have);
    ssize_t got = recv(c->fd, data + c->have, READ, 0);
    if (got <= 0) {
        if (!got || errno != EAGAIN) lose(c);
        return;
    }
    size_t have = c->have + (size_t)got, at = 0, size;
    int opcode;
    reader r;
    if (c->phase == UPGRADING) {
        at = upgraded(c, data, have);
        if (c->phase == AWAY) return;
    }
    while (c->phase > UPGRADING && (size = take_message(data + at, have - at, &opcode, &r))) {
        at += size;
        if (opcode == 8) return lose(c);
        if (opcode == 2) hear(c, r);
    }
    c->have = have - at;
    if (c->have > c->in_room) {
        c->in_room = c->have < 256 ? 256 : c->have;
        c->in = realloc(c->in, c->in_room);
    }
    if (c->have) memcpy(c->in, data + at, c->have);
}

void turn(client *all, int count, int wait_ms) {
    static struct epoll_event events[EVENTS];
    static uint64_t tended;
    static int is_calm;
    net.now = now_us();
    unblock_due();
    /* To the millisecond is enough, and while all are there even that costs what they could use. */
    if (net.now - tended >= (is_calm ? TEND_CALM_US : TEND_US)) {
        tended = net.now;
        is_calm = 1;
        for (client *c = all; c < all + count; c++) {
            if (c->phase >= GREETING) continue;
            is_calm &= c->due == UINT64_MAX;
            if (c->phase == AWAY && c->due <= net.now) join(c);
            else if (c->phase != AWAY && c->due <= net.now) lose(c);
        }
    }
    for (int i = 0; i < dirty_count; i++) flush_one(dirty[i]);
    dirty_count = 0;
    int ready = epoll_wait(net.poll, events, EVENTS, wait_ms);
    net.now = now_us();
    for (int i = 0; i < ready; i++) {
        client *c = events[i].data.ptr;
        if (c->phase == AWAY || c->phase == GONE) continue;
        if (c->phase == CONNECTING) upgrade(c);
        else if (events[i].events & ~(uint32_t)EPOLLOUT) take_in(c);
        else room_for(c, 0);
    }
    for (int i = 0; i < dirty_count; i++) flush_one(dirty[i]);
    dirty_count = 0;
}
