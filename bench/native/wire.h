/* Bytes of the wire: MessagePack, frames in WebSocket messages, the handshake.
 *
 * Frames are wire version 1 (docs/reference/protocol.md); clients mask with a key of 0, which costs
 * the server the same as any other. Rule: nothing here knows what a frame is for, and a reader that
 * runs past its end answers zeros instead.
 */
#ifndef WIRE_H
#define WIRE_H
#include <stddef.h>
#include <stdint.h>

enum { MAX_CONNECTIONS = 20000, IN = 65536, TEXT = 120 };

/* Kinds of frames and types of entries. */
enum { HELLO = 1, FOLLOW = 2, UNFOLLOW = 3, SEND = 4, PING = 9, PONG = 10, WELCOME = 32, ACK = 33,
       BUSY = 34, ENTRY = 35, STATE = 37, ERROR = 39, BYE = 40 };
enum { TYPE_TEXT = 1, TYPE_ANSWER = 3, TYPE_STATUS = 4, TYPE_ACTION = 9 };

typedef struct { const uint8_t *at, *end; } reader;

void die(const char *what);
uint64_t now_us(void);

/* Writing MessagePack: each returns the place behind what it wrote. */
uint8_t *put_uint(uint8_t *p, uint64_t value); /* below 2^32 */
uint8_t *put_str(uint8_t *p, const char *text, size_t size); /* below 2^16 bytes */
uint8_t *put_action(uint8_t *p, const char *word); /* the type and the body {"do": word} */

/* Reading it. Maps and arrays are read by their size and then item by item. */
uint64_t take_uint(reader *r);
size_t take_str(reader *r, const char **text);
size_t take_items(reader *r); /* of an array, or pairs of a map */
void skip(reader *r);

/* A message's head: how many bytes were written (at most 8), a key of 0 included. */
size_t put_head(uint8_t *p, size_t size, int is_masked);

/* The first whole message in `have` bytes: its length, head included, or 0 while it is not whole.
 * The payload is unmasked in place. */
size_t take_message(uint8_t *data, size_t have, int *opcode, reader *payload);

/* Blocking, whatever the socket is set to. */
void write_all(int fd, const uint8_t *data, size_t size);
void send_frame(int fd, const uint8_t *payload, size_t size, int is_masked);

extern const char UPGRADE[];
extern const char UPGRADED[];

int listen_on(int port);
#endif
