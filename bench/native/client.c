/* What a client says and hears, once it has a socket (socket.c). */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEMPORARY_MS = 1000, HOLE_MS = 50, HOLE = 113 };

static side *blocked;

static void post(client *c, const uint8_t *payload, size_t size) {
    uint8_t *p = room_for(c, size + 8);
    size_t head = put_head(p, size, 1);
    memcpy(p + head, payload, size);
    c->left += head + size;
}

static void put_send(side *s, uint32_t n) {
    uint8_t out[512], *p = out;
    *p++ = 0x95; *p++ = SEND;
    p = put_uint(put_uint(p, s->conversation), n);
    p = net.mode.say(s, n, p);
    post(s->owner, out, (size_t)(p - out));
    net.sends++;
    if (n > s->sent) {
        s->sent = n;
        s->sent_at[n % RING] = net.now;
    } else net.repeats++;
}

void fill(side *s) {
    if (s->owner->phase != READY || s->blocked_until) return;
    while (s->out < s->said && s->out - s->acked < s->window) put_send(s, ++s->out);
}

static void block(side *s, uint64_t wait_ms) {
    if (s->blocked_until) return;
    s->blocked_until = net.now + wait_ms * 1000;
    s->next_blocked = blocked;
    blocked = s;
}

void unblock_due(void) {
    for (side **at = &blocked; *at;) {
        side *s = *at;
        if (s->blocked_until > net.now) { at = &s->next_blocked; continue; }
        *at = s->next_blocked;
        s->blocked_until = 0;
        s->out = s->acked;
        fill(s);
    }
}

static void ask(side *s, int kind) {
    uint8_t out[32], *p = out;
    *p++ = kind == FOLLOW ? 0x93 : 0x92; *p++ = (uint8_t)kind;
    p = put_uint(p, s->conversation);
    if (kind == FOLLOW) p = put_uint(p, s->last);
    post(s->owner, out, (size_t)(p - out));
}

void follow(side *s) { ask(s, FOLLOW); }
void unfollow(side *s) { ask(s, UNFOLLOW); }

static void mend(side *s) {
    if (s->is_mending) return;
    s->is_mending = 1;
    net.gaps++;
    follow(s);
}

/* What comes in. */

static void stored(side *s, uint32_t n, uint32_t seq) {
    int is_entry = n > s->acked && n <= s->said && !(n < 32 && s->actions >> n & 1);
    for (uint32_t k = s->acked + 1; k <= n && k <= s->said; k++) {
        s->acked = k;
        net.mode.stored(s, k);
    }
    if (s->out < s->acked) s->out = s->acked;
    if (seq == s->last + 1 && is_entry) {
        s->last = seq;
        s->is_mending = 0;
    } else if (seq > s->last) mend(s);
    s->window = s->window * 2 < net.credit ? s->window * 2 : net.credit;
    fill(s);
}

static void heard(side *s, uint32_t seq, reader r) {
    const char *sender;
    skip(&r); /* the time */
    size_t size = take_str(&r, &sender);
    if (seq <= s->last) net.again++;
    else if (seq > s->last + 1) mend(s);
    else {
        entry e = {.seq = seq, .type = (int)take_uint(&r)};
        e.is_mine = size && sender[0] == (s->owner->is_agent ? 'a' : 'v');
        e.body = r;
        s->last = seq;
        s->is_mending = 0;
        net.mode.heard(s, &e);
    }
}

static void stated(side *s, reader *r, int is_welcome) {
    const char *name;
    for (size_t fields = take_items(r); fields--;) {
        size_t size = take_str(r, &name);
        if (size == 4 && !memcmp(name, "from", 4)) {
            uint32_t from = (uint32_t)take_uint(r);
            if (s && from > s->last + 1) { /* too much to replay: what a history page would hold */
                net.skipped += from - 1 - s->last;
                s->last = from - 1;
            }
        } else if (size == 4 && !memcmp(name, "last", 4)) {
            uint32_t last = (uint32_t)take_uint(r);
            if (s && is_welcome) s->goal = last;
        } else skip(r);
    }
}

static void welcome(client *c, reader r) {
    const char *name;
    skip(&r); skip(&r);
    for (size_t limits = take_items(&r); limits--;) {
        size_t size = take_str(&r, &name);
        if (size == 6 && !memcmp(name, "credit", 6)) net.credit = (uint32_t)take_uint(&r);
        else skip(&r);
    }
    for (size_t told = take_items(&r); told--;) {
        take_items(&r);
        stated(net.mode.find(c, (uint32_t)take_uint(&r)), &r, 1);
    }
    c->phase = READY;
    c->welcomed_at = net.now;
    for (int i = 0; i < c->count; i++) {
        side *s = &c->sides[i];
        s->window = net.credit;
        s->out = s->acked;
        s->is_mending = 0;
        if (s->blocked_until) s->blocked_until = net.now; /* asked for on the connection before */
        fill(s);
    }
    net.mode.welcomed(c);
}

static void refused(side *s, uint32_t n, reader *r) {
    int code = (int)take_uint(r);
    const char *text;
    size_t size = take_str(r, &text);
    int is_temporary = r->at < r->end && *r->at == 0xc3;
    if (is_temporary) block(s, TEMPORARY_MS);
    else if (code == HOLE) block(s, HOLE_MS);
    else return net.mode.refused(s, n, code);
    if (net.errors++ < 5) fprintf(stderr, "error %d: %.*s\n", code, (int)size, text);
}

void hear(client *c, reader r) {
    uint8_t out[16], *q = out;
    take_items(&r);
    uint64_t kind = take_uint(&r);
    if (kind == WELCOME) return welcome(c, r);
    if (kind == PING) {
        *q++ = 0x92; *q++ = PONG;
        q = put_uint(q, take_uint(&r));
        net.beats++;
        return post(c, out, (size_t)(q - out));
    }
    if (kind == BYE) {
        uint64_t code = take_uint(&r);
        net.byes++;
        net.last_bye = code;
        skip(&r);
        c->wait_us = take_uint(&r) * 1000;
        if (code >= 3500 && net.errors++ < 5) /* a client of ours would not come back */
            fprintf(stderr, "%s was sent away with %lu\n", c->device, code);
        return;
    }
    if (kind < ACK || kind > ERROR) return;
    side *s = net.mode.find(c, (uint32_t)take_uint(&r));
    if (!s) return;
    uint32_t n = kind == ACK || kind == BUSY || kind == ENTRY || kind == ERROR
                     ? (uint32_t)take_uint(&r) : 0;
    if (kind == ACK) stored(s, n, (uint32_t)take_uint(&r));
    else if (kind == ENTRY) heard(s, n, r);
    else if (kind == STATE) stated(s, &r, 0);
    else if (kind == ERROR) refused(s, n, &r);
    else if (kind == BUSY) {
        net.busy++;
        s->window = 1;
        block(s, take_uint(&r));
    }
}

void greet(client *c) {
    uint8_t *out = malloc(1024 + 12 * (size_t)c->count), *p = out;
    *p++ = c->about ? 0x95 : 0x94; *p++ = HELLO;
    p = put_str(p, c->token, strlen(c->token));
    p = put_str(p, c->device, strlen(c->device));
    uint8_t *cursors = p;
    size_t held = 0;
    p += 3;
    if (c->is_listing) {
        *p++ = 0x92; *p++ = 0; *p++ = 0;
        held++;
    }
    for (int i = 0; i < c->count; i++) {
        if (c->is_agent && !c->sides[i].last) continue; /* not followed yet */
        *p++ = 0x92;
        p = put_uint(put_uint(p, c->sides[i].conversation), c->sides[i].last);
        held++;
    }
    cursors[0] = 0xdc; cursors[1] = (uint8_t)(held >> 8); cursors[2] = (uint8_t)held;
    if (c->about) {
        *p++ = 0x82;
        p = put_str(put_str(p, "locale", 6), "zh-CN", 5);
        p = put_str(put_str(p, "page", 4), c->about, strlen(c->about));
    }
    post(c, out, (size_t)(p - out));
    free(out);
    c->phase = GREETING;
    c->due = 0;
    c->attempt = 0;
}
