/* Correct clients of the gateway, many in one thread.
 *
 * Each does what src/qingniao/client does: numbers without gaps, at most `credit` unacked, after
 * `busy` one message once the time asked for has passed and twice as many with every ack, cursors
 * that move by one, `follow` for a gap, a return with full jitter after every loss, then everything
 * unacked again with the same numbers. Rule: a mode is told what happened by four calls; what is
 * said is made again from its number, so nothing has to be kept.
 */
#ifndef CLIENT_H
#define CLIENT_H
#include "wire.h"

enum { RING = 64, ADDRESSES = 250, PORTS = 8 };

typedef enum { AWAY, CONNECTING, UPGRADING, GREETING, READY, LEAVING, GONE } phase;

typedef struct client client;

/* A conversation as one side of it holds it. */
typedef struct side {
    client *owner;
    struct side *other, *next_blocked;
    uint32_t conversation;
    uint32_t said, out, sent, acked; /* n: given out; on this connection; ever sent; stored */
    uint32_t window, actions;        /* bit n: message n is an action, whose entry is its status */
    uint32_t last, goal, goal_n;     /* seq held; what a return has to reach */
    uint32_t heard;                  /* number of the other side's text heard last */
    uint64_t blocked_until;
    int is_mending;
    uint64_t offered_at[RING], sent_at[RING];
} side;

struct client {
    int fd, number, is_agent, is_listing; /* listing: an agent who follows the inbox */
    int attempt, is_dirty, wants_out, is_returning;
    phase phase;
    const char *token, *about; /* `about`: the page, or NULL */
    char device[24];
    side *sides; /* one after the other in memory */
    int count;
    uint8_t *in, *out;
    size_t have, in_room, left, out_room;
    uint64_t due, wait_us, lost_at, welcomed_at;
};

typedef struct {
    uint32_t seq;
    int type, is_mine;
    reader body;
} entry;

/* What a mode is told, and asked. */
typedef struct {
    side *(*find)(client *c, uint32_t conversation); /* NULL: not of interest */
    uint8_t *(*say)(side *s, uint32_t n, uint8_t *p); /* the type and the body of message n */
    void (*welcomed)(client *c);
    void (*stored)(side *s, uint32_t n);             /* once for each n, in order */
    void (*heard)(side *s, const entry *e);          /* each entry once, in order */
    void (*refused)(side *s, uint32_t n, int code);  /* an `error` that is not temporary */
    void (*lost)(client *c);
} mode;

typedef struct {
    int poll, ports[PORTS], port_count;
    uint32_t credit;
    uint64_t now;
    mode mode;
    uint64_t sends, repeats, busy, errors, beats, gaps, again, skipped;
    uint64_t connects, refusals, byes, last_bye; /* the code of the last goodbye */
} network;

extern network net;

void open_network(const char *ports, mode m); /* "PORT[,PORT…]": clients take turns */
void join(client *c);            /* connect now, and again whenever it is lost */
void cut(client *c);             /* abort with RST, and come back */
void leave(client *c);           /* say goodbye; GONE when the server has answered */
void fill(side *s);              /* send what may be sent */
void follow(side *s);            /* follow it from the last entry held */
void unfollow(side *s);
int random_below(int top);
void turn(client *all, int count, int wait_ms); /* one turn of the loop: timers, then sockets */

/* Between client.c and socket.c. */
uint8_t *room_for(client *c, size_t size);
void unblock_due(void);
void greet(client *c);
void hear(client *c, reader r);

/* Latencies, in buckets 3 % apart. */
typedef struct { uint32_t counts[864]; uint32_t total; } histogram;
void count_us(histogram *h, uint64_t us);
uint64_t percentile(const histogram *h, double percent);
#endif
