/* RESP, Redis's protocol, as far as commands go: an array of bulk strings, `*2 $3 GET $1 a`, each part
 * ended by CRLF. Each function writes at `at`, where the caller has made room, and returns its end. */
#ifndef ONSALE_DB_RESP_H
#define ONSALE_DB_RESP_H

#include <stddef.h>
#include <stdint.h>

struct redis_args;

enum { RESP_LINE_MAX = 24 }; /* a type's letter, a number, CRLF */

char *resp_put_bytes(char *at, const char *bytes, size_t len);
char *resp_put_line(char *at, char type, uint64_t value);
char *resp_put_bulk(char *at, const char *bytes, size_t len);
char *resp_put_args(char *at, const struct redis_args *args);

/* An upper bound of what resp_put_args writes. */
size_t resp_args_size(const struct redis_args *args);

/* Writes digits alone, at most 20, without a NUL; their number. */
size_t resp_put_decimal(char *text, uint64_t value);

#endif
