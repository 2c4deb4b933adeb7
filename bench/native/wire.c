#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

const char UPGRADE[] = "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                       "Sec-WebSocket-Protocol: qingniao.1\r\n\r\n";
const char UPGRADED[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Accept: x\r\n"
                        "Sec-WebSocket-Protocol: qingniao.1\r\n\r\n";

void die(const char *what) {
    perror(what);
    exit(1);
}

uint64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint8_t *put_big(uint8_t *p, uint64_t value, int bytes) {
    while (bytes--) *p++ = (uint8_t)(value >> (8 * bytes));
    return p;
}

uint8_t *put_uint(uint8_t *p, uint64_t value) {
    if (value < 128) return put_big(p, value, 1);
    *p++ = value < 256 ? 0xcc : value < 65536 ? 0xcd : 0xce;
    return put_big(p, value, value < 256 ? 1 : value < 65536 ? 2 : 4);
}

uint8_t *put_str(uint8_t *p, const char *text, size_t size) {
    if (size < 32) *p++ = 0xa0 | (uint8_t)size;
    else {
        *p++ = size < 256 ? 0xd9 : 0xda;
        p = put_big(p, size, size < 256 ? 1 : 2);
    }
    memcpy(p, text, size);
    return p + size;
}

uint8_t *put_action(uint8_t *p, const char *word) {
    *p++ = TYPE_ACTION;
    *p++ = 0x81;
    return put_str(put_str(p, "do", 2), word, strlen(word));
}

static uint64_t take_big(reader *r, size_t bytes) {
    uint64_t value = 0;
    if ((size_t)(r->end - r->at) < bytes) {
        r->at = r->end;
        return 0;
    }
    while (bytes--) value = value << 8 | *r->at++;
    return value;
}

uint64_t take_uint(reader *r) {
    if (r->at < r->end && (*r->at < 128 || (*r->at >= 0xcc && *r->at <= 0xcf))) {
        uint8_t tag = *r->at++;
        return tag < 128 ? tag : take_big(r, (size_t)1 << (tag - 0xcc));
    }
    skip(r);
    return 0;
}

/* Lengths of everything that has one: strings, binaries, arrays, maps. */
static size_t take_length(reader *r, uint8_t tag) {
    switch (tag) {
    case 0xc4: case 0xd9: return take_big(r, 1);
    case 0xc5: case 0xda: case 0xdc: case 0xde: return take_big(r, 2);
    case 0xc6: case 0xdb: case 0xdd: case 0xdf: return take_big(r, 4);
    }
    return tag >= 0xa0 ? tag & 31 : tag & 15;
}

size_t take_str(reader *r, const char **text) {
    *text = "";
    if (r->at >= r->end) return 0;
    uint8_t tag = *r->at;
    if ((tag & 0xe0) != 0xa0 && (tag < 0xd9 || tag > 0xdb)) {
        skip(r);
        return 0;
    }
    r->at++;
    size_t size = take_length(r, tag);
    if (size > (size_t)(r->end - r->at)) size = (size_t)(r->end - r->at);
    *text = (const char *)r->at;
    r->at += size;
    return size;
}

size_t take_items(reader *r) {
    if (r->at >= r->end) return 0;
    uint8_t tag = *r->at;
    if ((tag >= 0x80 && tag < 0xa0) || (tag >= 0xdc && tag <= 0xdf)) {
        r->at++;
        return take_length(r, tag);
    }
    skip(r);
    return 0;
}

void skip(reader *r) {
    uint64_t items = 1;
    while (items-- && r->at < r->end) {
        uint8_t tag = *r->at++;
        size_t size = 0;
        if (tag < 0x80 || tag >= 0xe0 || (tag >= 0xc0 && tag <= 0xc3)) continue;
        if (tag < 0x90 || tag == 0xde || tag == 0xdf) items += 2 * (uint64_t)take_length(r, tag);
        else if (tag < 0xa0 || tag == 0xdc || tag == 0xdd) items += take_length(r, tag);
        else if (tag < 0xc0 || (tag >= 0xd9 && tag <= 0xdb)) size = take_length(r, tag);
        else if (tag <= 0xc6) size = take_length(r, tag);
        else if (tag <= 0xc9) size = take_big(r, (size_t)1 << (tag - 0xc7)) + 1;
        else if (tag <= 0xcb) size = tag == 0xca ? 4 : 8;
        else if (tag <= 0xd3) size = (size_t)1 << ((tag - 0xcc) & 3);
        else size = ((size_t)1 << (tag - 0xd4)) + 1;
        r->at = size > (size_t)(r->end - r->at) ? r->end : r->at + size;
    }
}

size_t put_head(uint8_t *p, size_t size, int is_masked) {
    uint8_t *start = p, mask = is_masked ? 0x80 : 0;
    *p++ = 0x82;
    if (size < 126) *p++ = mask | (uint8_t)size;
    else {
        *p++ = mask | 126;
        p = put_big(p, size, 2);
    }
    return (size_t)((is_masked ? put_big(p, 0, 4) : p) - start);
}

size_t take_message(uint8_t *data, size_t have, int *opcode, reader *payload) {
    if (have < 2) return 0;
    size_t size = data[1] & 127, head = 2;
    if (size >= 126) {
        head = size == 126 ? 4 : 10;
        if (have < head) return 0;
        reader r = {data + 2, data + head};
        size = take_big(&r, head - 2);
    }
    if (data[1] & 128) head += 4;
    if (have < head || have - head < size) return 0;
    if (data[1] & 128)
        for (size_t i = 0; i < size; i++) data[head + i] ^= data[head - 4 + (i & 3)];
    *opcode = data[0] & 15;
    *payload = (reader){data + head, data + head + size};
    return head + size;
}

void write_all(int fd, const uint8_t *data, size_t size) {
    while (size) {
        ssize_t done = send(fd, data, size, MSG_NOSIGNAL);
        if (done < 0) {
            if (errno == EAGAIN || errno == EINTR) continue;
            return;
        }
        data += done;
        size -= (size_t)done;
    }
}

void send_frame(int fd, const uint8_t *payload, size_t size, int is_masked) {
    uint8_t out[1024];
    size_t head = put_head(out, size, is_masked);
    memcpy(out + head, payload, size);
    write_all(fd, out, head + size);
}

int listen_on(int port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (void *)&at, sizeof at) || listen(fd, 4096)) die("listen");
    return fd;
}
