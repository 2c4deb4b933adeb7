#define _GNU_SOURCE
#include "parties.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

client *clients;
side *sides, **pairs;
int client_count, side_count, pair_count;
static uint32_t base;

static void add_line(char *line) {
    char *word = strtok(line, " \n"), *token = strtok(NULL, " \n"), *next;
    if (!word || !token || client_count == MAX_CONNECTIONS) return;
    client *c = &clients[client_count];
    c->number = client_count++;
    c->is_agent = word[0] == 'a';
    c->token = strdup(token);
    snprintf(c->device, sizeof c->device, "d%05d_%06x", c->number, (unsigned)getpid() & 0xffffff);
    c->due = UINT64_MAX;
    c->sides = &sides[side_count];
    while ((next = strtok(NULL, " \n")) && side_count < 2 * MAX_CONNECTIONS) {
        side *s = &sides[side_count++];
        s->owner = c;
        s->conversation = (uint32_t)strtoul(next, NULL, 10);
        s->actions = word[0] == 'v' ? 2 : 0;
        c->count++;
    }
}

void read_parties(const char *path) {
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    if (!file) die(path);
    clients = calloc(MAX_CONNECTIONS, sizeof *clients);
    sides = calloc(2 * MAX_CONNECTIONS, sizeof *sides);
    while (getline(&line, &room, file) > 0) add_line(line);
    fclose(file);
    free(line);
    pair_count = side_count / 2;
    pairs = calloc(2 * MAX_CONNECTIONS, sizeof *pairs);
    for (int i = 0; i < side_count; i++)
        if (!i || sides[i].conversation < base) base = sides[i].conversation;
    for (int i = 0; i < side_count; i++) {
        int at = (int)(sides[i].conversation - base);
        if (at < pair_count) pairs[2 * at + sides[i].owner->is_agent] = &sides[i];
    }
    for (int i = 0; i < 2 * pair_count; i++) {
        if (!pairs[i]) {
            fprintf(stderr, "a conversation needs two sides, and numbers no gap\n");
            exit(2);
        }
        pairs[i]->other = pairs[i ^ 1];
        pairs[i]->heard = pairs[i ^ 1]->actions ? 1 : 0; /* it counts texts */
    }
}

side *find_side(client *c, uint32_t conversation) {
    int at = (int)(conversation - base);
    if (at < 0 || at >= pair_count) return NULL;
    side *s = pairs[2 * at + c->is_agent];
    return s->owner == c ? s : NULL;
}
