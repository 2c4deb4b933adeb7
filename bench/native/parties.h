/* Who talks to whom: connections, and of each conversation its two sides. */
#ifndef PARTIES_H
#define PARTIES_H
#include "client.h"

extern client *clients;
extern side *sides, **pairs; /* pairs[2 * i], pairs[2 * i + 1]: visitor and agent of conversation i */
extern int client_count, side_count, pair_count;

/* A line per connection: "v TOKEN CONVERSATION", "a TOKEN CONVERSATION…", "t TOKEN CONVERSATION" for a
 * visitor who does not ask for a person first (the bare server has nobody to ask), or "i TOKEN" for one who
 * is there, answers heartbeats and says nothing. Ends the program when a
 * conversation has not two sides or numbers have gaps. */
void read_parties(const char *path);
side *find_side(client *c, uint32_t conversation);
#endif
