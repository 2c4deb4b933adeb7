/* Conversations between people at any rate, through overload and storms.
 *
 * FILE names the connections (parties.h). Commands come on standard input, one a line; each but
 * `ramp`, `pace` and `backlog` is answered by a line of JSON:
 *
 *   prepare S      connect all; every visitor asks for a person, and gets their agent's first words
 *   ramp R         before that: how many connect in a second
 *   backlog N      how many unacked messages a side keeps; what is offered beyond them is shed
 *   pace R [1]     from now on, offer R messages a second in turn to all sides (1: to visitors),
 *                  whatever is acked
 *   measure S      for S seconds; latencies count from when a message was due
 *   closed W S     instead: W unacked messages a side, the next with each ack; waits for all acks
 *   cut S          abort all connections with RST; ends when all are back, welcome and caught up
 *   killed S       the same for the losses that somebody else is about to cause
 *   drain S        offer nothing more; ends when all is acked and heard, and says what is missing
 *
 * Rule: the number of a text is in it: the other side knows what is missing, repeated, or out of order.
 */
#include "client.h"
#include "modes.h"
#include "parties.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PREPARING = 256, JOINS_PER_S = 2500, WINDOW_US = 100000, WINDOWS = 1200, BIN_US = 1000000,
       BINS = 120, DIGITS = 9 };

enum { RETURNING = 1, RETURNED = 2 };
typedef enum { IDLE, PREPARE, MEASURE, CLOSED, SETTLE, STORM, DRAIN } step;

static step now_doing;
static uint64_t since, until, backlog = 40, closed_window;
static double pace, ramp = JOINS_PER_S;
static uint64_t pace_since, paced;
static int turn_of, is_one_way, prepared, begun, returned;
static uint64_t offered, shed, acked, delivered, repeated, missing, dropped;
static uint64_t offered0, shed0, acked0, delivered0, busy0, repeats0, connects0, refusals0;
static histogram waits, ways, windows[WINDOWS];
static uint32_t welcomes[BINS];

static uint8_t *say(side *s, uint32_t n, uint8_t *p) {
    char text[TEXT + 1];
    if (n < 32 && s->actions >> n & 1) return put_action(p, "handoff");
    memset(text, 'x', TEXT);
    snprintf(text, DIGITS + 1, "%09u", n);
    text[DIGITS] = ' ';
    *p++ = TYPE_TEXT;
    return put_str(p, text, TEXT);
}

static void offer(side *s, uint64_t due) {
    offered++;
    if (s->said - s->acked >= backlog) { shed++; return; }
    s->offered_at[++s->said % RING] = due;
    fill(s);
}

static void offer_due(void) {
    if (pace <= 0) return;
    uint64_t due = (uint64_t)((double)(net.now - pace_since) * pace / 1e6);
    for (; paced < due; paced++) {
        offer(pairs[turn_of], pace_since + (uint64_t)((double)paced * 1e6 / pace));
        turn_of = (turn_of + 1 + is_one_way) % (2 * pair_count);
    }
}

static void check_back(client *c) {
    if (c->is_returning != RETURNING || c->phase != READY) return;
    for (int i = 0; i < c->count; i++) {
        side *s = &c->sides[i];
        if (s->last < s->goal || s->acked < s->goal_n) return;
    }
    c->is_returning = RETURNED;
    returned++;
    count_us(&waits, net.now - since);
}

static void prepare_next(void) {
    while (begun < pair_count && begun - prepared < PREPARING) {
        side *s = pairs[2 * begun++];
        s->offered_at[++s->said % RING] = net.now;
        fill(s);
    }
}

static void stored(side *s, uint32_t n) {
    acked++;
    if (now_doing == PREPARE) {
        if (s->owner->is_agent) prepared++;
        else {
            follow(s->other);
            s->other->offered_at[++s->other->said % RING] = net.now;
            fill(s->other);
        }
        prepare_next();
    } else if (now_doing == MEASURE || now_doing == CLOSED) {
        uint64_t wait = net.now - s->offered_at[n % RING], at = (net.now - since) / WINDOW_US;
        count_us(&waits, wait);
        if (at < WINDOWS) count_us(&windows[at], wait);
        if (now_doing == CLOSED) offer(s, net.now);
    }
    check_back(s->owner);
}

static void heard(side *s, const entry *e) {
    reader body = e->body;
    const char *text;
    if (e->type == TYPE_TEXT && !e->is_mine && take_str(&body, &text) >= DIGITS) {
        uint32_t n = (uint32_t)strtoul(text, NULL, 10);
        delivered++;
        if (n <= s->heard) repeated++;
        else {
            missing += n - s->heard - 1;
            s->heard = n;
        }
        if (now_doing == MEASURE) count_us(&ways, net.now - s->other->offered_at[n % RING]);
    }
    check_back(s->owner);
}

static void refused(side *s, uint32_t n, int code) {
    if (net.errors++ < 5) fprintf(stderr, "refused: %c %u/%u with %d\n", s->owner->is_agent ? 'a' : 'v', s->conversation, n, code);
}

static void welcomed(client *c) {
    uint64_t at = (net.now - since) / BIN_US;
    if (now_doing == STORM && at < BINS) welcomes[at]++;
    check_back(c);
}

static void lost(client *c) {
    if (now_doing != STORM) dropped++;
    else {
        if (!since) since = net.now;
        if (c->is_returning == RETURNED) returned--;
        c->is_returning = RETURNING;
    }
}

static int is_all_heard(void) {
    for (int i = 0; i < side_count; i++) {
        side *s = &sides[i];
        if (s->acked < s->said || s->heard < s->other->acked) return 0;
    }
    return 1;
}

static int is_all_ready(void) {
    static int first; /* who was not, when last looked: most of the others are */
    for (int i = 0; i < client_count; i++, first = (first + 1) % client_count)
        if (clients[first].phase != READY) return 0;
    return 1;
}

static void print_rates(void) {
    double seconds = (double)(net.now - since) / 1e6;
    printf("{\"seconds\": %.3f, \"offered\": %lu, \"shed\": %lu, \"acked\": %lu, \"delivered\": %lu, "
           "\"busy\": %lu, \"repeats\": %lu, \"p50_us\": %lu, \"p99_us\": %lu, \"way_p50_us\": %lu, "
           "\"way_p99_us\": %lu, \"way_p999_us\": %lu, \"windows\": [",
           seconds, offered - offered0, shed - shed0, acked - acked0, delivered - delivered0,
           net.busy - busy0, net.repeats - repeats0, percentile(&waits, 50), percentile(&waits, 99),
           percentile(&ways, 50), percentile(&ways, 99), percentile(&ways, 99.9));
    for (int i = 0; i < WINDOWS && (uint64_t)i < (net.now - since) / WINDOW_US; i++)
        printf("%s[%u, %lu]", i ? ", " : "", windows[i].total, percentile(&windows[i], 99));
    printf("]}\n");
}

static void print_storm(void) {
    uint32_t most = 0;
    for (int i = 0; i < BINS; i++) most = welcomes[i] > most ? welcomes[i] : most;
    printf("{\"clients\": %d, \"returned\": %d, \"last_us\": %lu, \"p50_us\": %lu, \"p99_us\": %lu, "
           "\"connects\": %lu, \"refusals\": %lu, \"welcomes_per_s_peak\": %lu}\n",
           client_count, returned, net.now - since, percentile(&waits, 50), percentile(&waits, 99),
           net.connects - connects0, net.refusals - refusals0, (uint64_t)most * 1000000 / BIN_US);
}

static void print_totals(void) {
    uint64_t unacked = 0, unheard = 0, uneven = 0;
    for (int i = 0; i < side_count; i++) {
        side *s = &sides[i];
        unacked += s->said - s->acked;
        unheard += s->other->acked > s->heard ? s->other->acked - s->heard : 0;
        /* Everything acked, and that an agent has it: nothing else may be in the log. */
        uneven += s->last != s->acked + s->other->acked + 1;
    }
    printf("{\"acked\": %lu, \"delivered\": %lu, \"offered\": %lu, \"shed\": %lu, \"sends\": %lu, "
           "\"repeats\": %lu, \"busy\": %lu, \"unacked\": %lu, \"missing\": %lu, \"repeated\": %lu, "
           "\"skipped\": %lu, \"uneven\": %lu, \"gaps\": %lu, \"again\": %lu, \"dropped\": %lu, "
           "\"errors\": %lu, \"byes\": %lu, \"last_bye\": %lu, "
           "\"beats\": %lu}\n",
           acked, delivered, offered, shed, net.sends, net.repeats, net.busy, unacked,
           unheard + missing, repeated, net.skipped, uneven, net.gaps, net.again, dropped,
           net.errors, net.byes, net.last_bye, net.beats);
}

static void begin(step next, double seconds) {
    now_doing = next;
    since = net.now;
    until = net.now + (uint64_t)(seconds * 1e6);
    offered0 = offered; shed0 = shed; acked0 = acked; delivered0 = delivered;
    busy0 = net.busy; repeats0 = net.repeats; connects0 = net.connects; refusals0 = net.refusals;
    memset(&waits, 0, sizeof waits);
    memset(&ways, 0, sizeof ways);
    memset(windows, 0, sizeof windows);
}

static void begin_storm(double seconds, int is_ours) {
    begin(STORM, seconds);
    returned = 0;
    memset(welcomes, 0, sizeof welcomes);
    if (!is_ours) since = 0; /* with the first loss */
    for (int i = 0; i < client_count; i++) clients[i].is_returning = 0;
    for (int i = 0; i < client_count && is_ours; i++) cut(&clients[i]);
}

static void obey(char *line) {
    char word[16] = "";
    double a = 0, b = 0;
    sscanf(line, "%15s %lf %lf", word, &a, &b);
    if (!strcmp(word, "prepare")) {
        begin(PREPARE, a);
        for (int i = 0; i < client_count; i++) clients[i].due = net.now + (uint64_t)(i * 1e6 / ramp);
    } else if (!strcmp(word, "ramp")) ramp = a;
    else if (!strcmp(word, "backlog")) backlog = a < RING ? (uint64_t)a : RING;
    else if (!strcmp(word, "pace")) {
        pace = pair_count ? a : 0;
        pace_since = net.now;
        paced = 0;
        is_one_way = b > 0;
        turn_of -= is_one_way && turn_of % 2;
    }
    else if (!strcmp(word, "measure")) begin(MEASURE, a);
    else if (!strcmp(word, "cut") || !strcmp(word, "killed")) begin_storm(a, word[0] == 'c');
    else if (!strcmp(word, "drain")) { pace = 0; begin(DRAIN, a); }
    else if (!strcmp(word, "closed")) {
        closed_window = (uint64_t)a;
        begin(CLOSED, b);
        for (int i = 0; i < side_count; i++)
            for (uint64_t k = 0; k < closed_window; k++) offer(&sides[i], net.now);
    } else fprintf(stderr, "unknown command: %s\n", line);
}

/* One line if there is one. Returns 0 when nobody will ever say anything again. */
static int listen_to(void) {
    static char said[1024];
    static size_t have;
    ssize_t got = read(0, said + have, sizeof said - 1 - have);
    if (!got) return 0;
    have += got > 0 ? (size_t)got : 0;
    char *end = memchr(said, '\n', have);
    if (!end) return 1;
    *end = 0;
    size_t size = (size_t)(end + 1 - said);
    obey(said);
    memmove(said, end + 1, have -= size);
    return 1;
}

static void step_on(void) {
    int is_late = net.now >= until;
    step was = now_doing;
    if (was == PREPARE) {
        int is_ready = is_all_ready();
        if (is_ready) prepare_next();
        if ((!is_ready || prepared < pair_count) && !is_late) return;
        printf("{\"prepared\": %d, \"seconds\": %.3f, \"connects\": %lu, \"refusals\": %lu}\n", prepared,
               (double)(net.now - since) / 1e6, net.connects, net.refusals);
    } else if (was == MEASURE || was == CLOSED) {
        if (!is_late) return;
        print_rates();
        if (was == CLOSED) { now_doing = SETTLE; return; }
    } else if (was == SETTLE) {
        if (!is_all_heard() && net.now < until + 10000000) return;
    } else if (was == STORM) {
        if (returned < client_count && !is_late) return;
        print_storm();
    } else if (was == DRAIN) {
        if (!is_all_heard() && !is_late) return;
        print_totals();
    }
    now_doing = IDLE;
    fflush(stdout);
}

void talk(const char *ports, const char *path) {
    read_parties(path);
    open_network(ports, (mode){find_side, say, welcomed, stored, heard, refused, lost});
    fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK);
    while (now_doing != IDLE || listen_to()) {
        turn(clients, client_count, 1);
        offer_due();
        step_on();
    }
}
