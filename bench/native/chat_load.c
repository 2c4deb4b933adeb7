/* Load for the gateway, and the floor under it: what Python could not offer on one core.
 *
 *   chat_load serve PORT                      a bare server of the same frames (serve.c); prints its
 *                                             port, a free one for 0
 *   chat_load load PORT FILE SECONDS WINDOW   a closed loop (load.c)
 *   chat_load talk PORT[,PORT…] FILE          correct clients at any rate, told what to do on standard
 *                                             input: overload and storms (talk.c)
 *   chat_load day PORT FILE AT_ONCE SECONDS [QUESTIONS]   visitors who come, speak and go (day.c)
 *
 * Rule: loopback only, at most MAX_CONNECTIONS, and every mode but `serve` ends by itself.
 */
#include "modes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
    const char *mode = argc > 2 ? argv[1] : "";
    int port = argc > 2 ? atoi(argv[2]) : 0;
    if (argc == 3 && !strcmp(mode, "serve")) serve(port);
    else if (argc == 6 && !strcmp(mode, "load")) load(port, argv[3], atof(argv[4]), atoi(argv[5]));
    else if (argc == 4 && !strcmp(mode, "talk")) talk(argv[2], argv[3]);
    else if ((argc == 6 || argc == 7) && !strcmp(mode, "day"))
        day(argv[2], argv[3], atoi(argv[4]), atof(argv[5]), argv[6]);
    else {
        fprintf(stderr, "usage: chat_load serve PORT | load PORT FILE SECONDS WINDOW | "
                        "talk PORT[,PORT] FILE | day PORT FILE AT_ONCE SECONDS [QUESTIONS]\n");
        return 2;
    }
    return 0;
}
