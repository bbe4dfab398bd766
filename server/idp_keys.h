/* The outside identity provider as the settings describe it, with the keys that lie in its folder. */
#ifndef ONSALE_SERVER_IDP_KEYS_H
#define ONSALE_SERVER_IDP_KEYS_H

#include <stdbool.h>
#include <stddef.h>

struct app;
struct idp;
struct settings;

/* Reads every *.pem of the folder. NULL with the reason in `why`: a file that is no key for the algorithm, or no
 * key at all. Blocks for as long as a disk takes: at the start, and when an operator asks. */
struct idp *idp_keys_read(const struct settings *settings, char *why, size_t why_size);

/* Reads them anew; what was verified with the former ones is verified anew, too. Where that fails the former ones
 * stay, and the log says so. */
void idp_keys_read_again(struct app *app);

#endif
