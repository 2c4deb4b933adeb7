#include "modes.h"
void day(int port, const char *path, int at_once, double seconds, const char *questions) { (void)port;(void)path;(void)at_once;(void)seconds;(void)questions; }
