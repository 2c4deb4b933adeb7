/* A day of visitors, each of whom connects, says two things and leaves, AT_ONCE of them at a time.
 *
 * FILE: "a TOKEN" for each agent's connection, then "v TOKEN CONVERSATION" for each visitor, whose
 * numbers have no gap. Without QUESTIONS the day is people's: the visitor asks for a person (the
 * widget's button) and says the first thing with it; an agent, who follows the inbox, takes the
 * conversation; the visitor sees that, says the second thing, and leaves with its ack; when the agent
 * has heard both, they close the conversation. That a visitor waits is known here and not read from
 * the inbox, which at this pace only says that too much has changed. With QUESTIONS, a line each, the
 * day is the bot's: the visitor asks one, waits for the answer, asks another, and leaves with its
 * answer. Prints one line of JSON. Rule: a visit is over when nobody owes it anything.
 */
#include "client.h"
#include "modes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AGENTS = 64, QUESTIONS_MAX = 1000, DIGITS = 9, NOT_NOW = 115, WAIT_MS = 1 };

typedef enum { AWAITED, TAKING, TAKEN, CLOSING, CLOSED } hosting;

typedef struct {
    side guest, host;
    hosting hosting;
    int is_gone, visitor, answers;
    uint64_t since;
} visit;

static client *clients; /* the agents' first, then one per visit */
static visit *visits, **over;
static int agents, at_once, over_count;
static char **tokens, *questions[QUESTIONS_MAX];
static int visitors, next_visitor, visited, question_count;
static int *visit_of; /* by conversation, -1 before and after */
static uint32_t base;
static uint64_t said, answered, handed, repeated, missing, dropped;
static histogram acks, ways, answers, stays;

static side *find(client *c, uint32_t conversation) {
    uint32_t at = conversation - base;
    if (at >= (uint32_t)visitors || visit_of[at] < 0) return NULL;
    visit *v = &visits[visit_of[at]];
    side *s = c->is_agent ? &v->host : &v->guest;
    return s->owner == c ? s : NULL;
}

static visit *visit_at(side *s) { return &visits[visit_of[s->conversation - base]]; }

static uint8_t *say(side *s, uint32_t n, uint8_t *p) {
    char text[TEXT + 1];
    if (s->owner->is_agent) return put_action(p, visit_at(s)->hosting == CLOSING ? "close" : "take");
    if (n < 32 && s->actions >> n & 1) return put_action(p, "handoff");
    *p++ = TYPE_TEXT;
    if (question_count) { /* the same again when it is sent again */
        const char *question = questions[(s->conversation * 2654435761u + n * 40503u) / 64 % (uint32_t)question_count];
        return put_str(p, question, strlen(question));
    }
    memset(text, 'x', TEXT);
    snprintf(text, DIGITS + 1, "%09u", n);
    text[DIGITS] = ' ';
    return put_str(p, text, TEXT);
}

static void say_next(side *s) {
    s->said++;
    fill(s);
}

static void begin_visit(visit *v) {
    int at_slot = (int)(v - visits);
    if (next_visitor == visitors) return;
    client *c = &clients[agents + at_slot];
    memset(v, 0, sizeof *v);
    v->visitor = next_visitor++;
    v->since = net.now;
    visit_of[v->visitor] = at_slot;
    v->guest.conversation = v->host.conversation = base + (uint32_t)v->visitor;
    v->guest.owner = c;
    v->guest.actions = question_count ? 0 : 2;
    v->host.owner = &clients[at_slot % agents];
    v->host.actions = UINT32_MAX;
    v->host.heard = 1; /* a visitor's first is no text */
    v->host.window = net.credit;
    c->number = v->visitor;
    c->token = tokens[v->visitor];
    c->about = "https://shop.example/item/8812";
    c->sides = &v->guest;
    c->count = 1;
    c->attempt = 0;
    join(c);
}

static void end_visit(visit *v) {
    if (!v->is_gone || (!question_count && v->hosting != CLOSED)) return;
    count_us(&stays, net.now - v->since);
    over[over_count++] = v;
}

/* Between two turns: whoever told us that a visit is over still holds its sides. */
static void replace_ended(void) {
    for (int i = 0; i < over_count; i++) {
        visit_of[over[i]->visitor] = -1;
        visited++;
        begin_visit(over[i]);
    }
    over_count = 0;
}

static void welcomed(client *c) {
    if (c->is_agent || c->sides->said) return;
    c->sides->said = question_count ? 1 : 2;
    fill(c->sides);
}

static void close_heard(visit *v) {
    if (v->hosting != TAKEN || v->host.heard < 3) return;
    v->hosting = CLOSING;
    say_next(&v->host);
}

static void taken(visit *v) {
    v->hosting = TAKEN;
    close_heard(v);
}

static void stored(side *s, uint32_t n) {
    visit *v = visit_at(s);
    if (s == &v->host) {
        if (v->hosting == TAKING) taken(v);
        else {
            v->hosting = CLOSED;
            unfollow(s);
            end_visit(v);
        }
        return;
    }
    count_us(&acks, net.now - s->sent_at[n % RING]);
    if (s->actions >> n & 1) {
        v->hosting = TAKING;
        follow(&v->host);
        say_next(&v->host);
    } else said++;
    if (!question_count && n == 3) leave(s->owner);
}

static void refused(side *s, uint32_t n, int code) {
    visit *v = visit_at(s);
    if (n) s->said = s->out = s->sent = n - 1; /* the number was not used */
    if (s == &v->host && v->hosting == TAKING && code == NOT_NOW) taken(v); /* it was assigned */
    else if (net.errors++ < 5) fprintf(stderr, "refused: %u/%u with %d\n", s->conversation, n, code);
}

/* Is the map's field that word? */
static int is_field(reader body, const char *field, const char *word) {
    const char *text;
    for (size_t pairs = take_items(&body); pairs--;) {
        size_t size = take_str(&body, &text);
        int is_it = size == strlen(field) && !memcmp(text, field, size);
        if (!is_it) { skip(&body); continue; }
        size = take_str(&body, &text);
        return size == strlen(word) && !memcmp(text, word, size);
    }
    return 0;
}

static void hear_visitor(visit *v, const entry *e) {
    reader body = e->body;
    const char *text;
    if (e->type != TYPE_TEXT || e->is_mine || take_str(&body, &text) < DIGITS) return;
    uint32_t n = (uint32_t)strtoul(text, NULL, 10);
    if (n <= v->host.heard) { repeated++; return; }
    missing += n - v->host.heard - 1;
    v->host.heard = n;
    count_us(&ways, net.now - v->guest.sent_at[n % RING]);
    close_heard(v);
}

static void heard(side *s, const entry *e) {
    visit *v = visit_at(s);
    if (s == &v->host) return hear_visitor(v, e);
    if (e->type == TYPE_STATUS && is_field(e->body, "to", "open") && s->said == 2) say_next(s);
    if (!question_count || s->owner->phase != READY) return;
    if (e->type == TYPE_ANSWER) {
        answered++;
        count_us(&answers, net.now - s->sent_at[s->said % RING]);
        if (s->said == 1) say_next(s);
        else leave(s->owner);
    } else if (e->type == TYPE_STATUS && is_field(e->body, "to", "waiting")) {
        handed++; /* nobody answers any more */
        leave(s->owner);
    }
}

static void lost(client *c) {
    if (c->is_agent) { fprintf(stderr, "an agent's connection was dropped\n"); exit(2); }
    if (c->phase != GONE) { dropped++; return; }
    visit *v = &visits[c - clients - agents];
    v->is_gone = 1;
    end_visit(v);
}

static void read_questions(const char *path) {
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    if (!file) die(path);
    while (question_count < QUESTIONS_MAX && getline(&line, &room, file) > 0) {
        line[strcspn(line, "\n")] = 0;
        if (*line && strlen(line) <= 400) questions[question_count++] = strdup(line);
    }
    fclose(file);
    free(line);
}

static void read_people(const char *path) {
    FILE *file = fopen(path, "r");
    char word[8], token[256], *agent_tokens[AGENTS];
    uint32_t conversation;
    size_t room = 0;
    if (!file) die(path);
    while (fscanf(file, "%7s %255s", word, token) == 2) {
        if (*word == 'a') { if (agents < AGENTS) agent_tokens[agents++] = strdup(token); continue; }
        if (fscanf(file, "%u", &conversation) != 1) break;
        if (!visitors) base = conversation;
        if ((size_t)visitors == room) tokens = realloc(tokens, (room = 2 * room + 1024) * sizeof *tokens);
        tokens[visitors++] = strdup(token);
    }
    fclose(file);
    if (!agents || !visitors) { fprintf(stderr, "a day needs agents and visitors\n"); exit(2); }
    clients = calloc((size_t)(agents + at_once), sizeof *clients);
    visits = calloc((size_t)at_once, sizeof *visits);
    over = calloc((size_t)at_once, sizeof *over);
    visit_of = malloc((size_t)visitors * sizeof *visit_of);
    for (int i = 0; i < visitors; i++) visit_of[i] = -1;
    for (int i = 0; i < agents + at_once; i++) {
        client *c = &clients[i];
        c->number = i;
        c->phase = i < agents ? AWAY : GONE;
        c->is_agent = c->is_listing = i < agents;
        c->token = i < agents ? agent_tokens[i] : "";
        snprintf(c->device, sizeof c->device, "day%05d", i);
    }
}

static void print_day(double seconds) {
    printf("{\"visitors\": %d, \"visited\": %d, \"seconds\": %.3f, \"said\": %lu, \"answered\": %lu, "
           "\"handed\": %lu, \"ack_p50_us\": %lu, \"ack_p99_us\": %lu, \"way_p50_us\": %lu, "
           "\"way_p99_us\": %lu, \"answer_p50_us\": %lu, \"answer_p99_us\": %lu, \"stay_p50_us\": %lu, "
           "\"stay_p99_us\": %lu, \"connects\": %lu, \"refusals\": %lu, \"busy\": %lu, \"repeats\": %lu, "
           "\"missing\": %lu, \"repeated\": %lu, \"skipped\": %lu, \"gaps\": %lu, \"again\": %lu, "
           "\"dropped\": %lu, \"errors\": %lu, \"byes\": %lu}\n",
           visitors, visited, seconds, said, answered, handed, percentile(&acks, 50), percentile(&acks, 99),
           percentile(&ways, 50), percentile(&ways, 99), percentile(&answers, 50),
           percentile(&answers, 99), percentile(&stays, 50), percentile(&stays, 99), net.connects,
           net.refusals, net.busy, net.repeats, missing, repeated, net.skipped, net.gaps, net.again,
           dropped, net.errors, net.byes);
}

void day(const char *ports, const char *path, int most, double seconds, const char *asked) {
    at_once = most < MAX_CONNECTIONS - AGENTS ? most : MAX_CONNECTIONS - AGENTS;
    if (asked) read_questions(asked);
    read_people(path);
    open_network(ports, (mode){find, say, welcomed, stored, heard, refused, lost});
    uint64_t start = 0, end = net.now + (uint64_t)(seconds * 1e6);
    while (visited < visitors && net.now < end) {
        turn(clients, agents + at_once, WAIT_MS);
        replace_ended();
        int ready = 0;
        for (int i = 0; i < agents; i++) ready += clients[i].phase == READY;
        if (start || ready < agents) continue;
        start = net.now;
        for (int i = 0; i < at_once; i++) begin_visit(&visits[i]);
    }
    print_day(start ? (double)(net.now - start) / 1e6 : 0);
}
