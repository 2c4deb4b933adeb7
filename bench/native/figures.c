/* Latencies, counted where they fall: no list of samples that could grow. */
#include "client.h"

enum { STEPS = 32 };

static int place_of(uint64_t us) {
    if (us < STEPS) return (int)us;
    int shift = 63 - __builtin_clzll(us) - 5;
    int place = STEPS * (shift + 1) + (int)(us >> shift) - STEPS;
    return place < 864 ? place : 863;
}

static uint64_t highest_at(int place) {
    if (place < STEPS) return (uint64_t)place;
    int shift = place / STEPS - 1;
    return (((uint64_t)(place % STEPS + STEPS) + 1) << shift) - 1;
}

void count_us(histogram *h, uint64_t us) {
    h->counts[place_of(us)]++;
    h->total++;
}

uint64_t percentile(const histogram *h, double percent) {
    uint64_t wanted = (uint64_t)(h->total * percent / 100), seen = 0;
    for (int place = 0; place < 864; place++) {
        seen += h->counts[place];
        if (h->counts[place] && seen >= wanted + (wanted == 0)) return highest_at(place);
    }
    return 0;
}
