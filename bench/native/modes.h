/* What the program can be; chat_load.c says how each is called. */
#ifndef MODES_H
#define MODES_H
void serve(int port);
void load(int port, const char *path, double seconds, int window);
void talk(const char *ports, const char *path);
void day(const char *ports, const char *path, int at_once, double seconds, const char *questions);
#endif
