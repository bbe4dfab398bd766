/* Puts a file of the source tree into the program as a NUL-terminated constant.
 *   EMBED(queue_join_lua, "queue/join.lua");
 * Paths are from the top of the tree, where the compiler runs. */
#ifndef ONSALE_PROTO_BASE_EMBED_H
#define ONSALE_PROTO_BASE_EMBED_H

#define EMBED(symbol, path) \
	__asm__(".pushsection .rodata\n" \
		".global " #symbol "\n" #symbol ":\n" \
		".incbin \"" path "\"\n" \
		".byte 0\n" \
		".popsection\n"); \
	extern const char symbol[]

#endif
