/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The program matinee-media: the zygote (started by the server) or, after an exec of itself, the
 * process of one film, or that of a device. All talk over fd 3 and are of no use to a person. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "segments/film.h"
#include "segments/gpu.h"
#include "segments/wire.h"
#include "segments/zygote.h"

int main(int argc, char **argv)
{
    const char *role = argc >= 2 ? argv[1] : "";
    if (strcmp(role, "zygote") == 0)
        return zygote_run(WIRE_FD);
    if (strcmp(role, "film") == 0) {
        film_prepare();
        _exit(film_run(WIRE_FD)); /* no farewells: workers may be in the midst of anything */
    }
    if (strcmp(role, "gpu") == 0 && argc == 3)
        _exit(gpu_run(WIRE_FD, argv[2]));
    fprintf(stderr, "matinee-media %s is started by matinee, not by hand\n", MATINEE_VERSION);
    return 2;
}
