/* base64url without padding (RFC 4648, 5), in its one spelling only: what is not a digit, a length that no bytes
 * have, and unused bits that are set, are refused, so that two texts are two values. What is signed needs no
 * constant time: libsodium's decoder, which takes a fifth of a poll's instructions for it, also lets bytes above
 * 0x7f pass. */
#ifndef ONSALE_PROTO_BASE_BASE64URL_H
#define ONSALE_PROTO_BASE_BASE64URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Digits of so many bytes. */
#define BASE64URL_LEN(bytes) (((bytes)*8 + 5) / 6)

/* Writes BASE64URL_LEN(len) digits and a NUL. */
void base64url_encode(const uint8_t *bytes, size_t len, char *text);

/* The bytes of `text_len` digits; false where they are none, or more than `size`. */
bool base64url_decode(const char *text, size_t text_len, uint8_t *bytes, size_t size, size_t *len);

#endif
