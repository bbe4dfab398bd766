/* Connection texts, made fit to be shown: what a log or a terminal keeps must not open a door. */
#ifndef ONSALE_CONFIG_MASK_H
#define ONSALE_CONFIG_MASK_H

#include "proto/base/buf.h"

/* Appends the text (a URL, or libpq's keywords) with "***" in place of each password in it. */
void mask_passwords(struct buf *out, const char *text);

#endif
