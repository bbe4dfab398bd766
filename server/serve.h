/* Runs the server until a signal says otherwise. */
#ifndef ONSALE_SERVER_SERVE_H
#define ONSALE_SERVER_SERVE_H

struct settings;

/* The process's exit status: 0 after a drain at SIGTERM or SIGINT, 1 where it could not start. Takes the
 * settings over. */
int serve(const struct settings *settings);

#endif
