/* llhttp's callbacks note what a virtual user looks at: the status, Retry-After, whether the connection
 * stays, the body. A header's name may come in pieces; only names as short as the one wanted are kept. */
#include "bench/swarm/reader.h"

#include <string.h>
#include <strings.h>

enum { RETRY_AFTER_MAX_S = 3600 };

static int on_message_begin(llhttp_t *llhttp)
{
	struct reader *reader = llhttp->data;

	return reader->whole ? -1 : 0; /* a second reply */
}

static int on_header_field(llhttp_t *llhttp, const char *at, size_t len)
{
	struct reader *reader = llhttp->data;

	if (!reader->in_name)
		reader->name_len = 0;
	reader->in_name = true;
	if (len <= sizeof reader->name - reader->name_len)
		memcpy(reader->name + reader->name_len, at, len);
	else
		len = sizeof reader->name - reader->name_len;
	reader->name_len += len;
	return 0;
}

static int on_header_value(llhttp_t *llhttp, const char *at, size_t len)
{
	static const char wanted[] = "retry-after";
	struct reader *reader = llhttp->data;

	if (reader->in_name)
		reader->retry_after = reader->name_len == sizeof wanted - 1 &&
				      strncasecmp(reader->name, wanted, sizeof wanted - 1) == 0;
	reader->in_name = false;
	if (!reader->retry_after)
		return 0;
	for (size_t i = 0; i < len && at[i] >= '0' && at[i] <= '9'; i++) {
		unsigned seconds = reader->reply.retry_after_s * 10 + (unsigned)(at[i] - '0');
		reader->reply.retry_after_s = seconds < RETRY_AFTER_MAX_S ? seconds
									  : RETRY_AFTER_MAX_S;
	}
	return 0;
}

static int on_headers_complete(llhttp_t *llhttp)
{
	struct reader *reader = llhttp->data;

	reader->reply.status = llhttp->status_code;
	return llhttp->status_code < 200 ? -1 : 0; /* an interim reply: nobody asked for one */
}

static int on_body(llhttp_t *llhttp, const char *at, size_t len)
{
	struct reader *reader = llhttp->data;

	buf_append(&reader->reply.body, at, len);
	return reader->reply.body.failed ? -1 : 0;
}

static int on_message_complete(llhttp_t *llhttp)
{
	struct reader *reader = llhttp->data;

	reader->reply.keep_alive = llhttp_should_keep_alive(llhttp);
	reader->whole = true;
	return 0;
}

static const llhttp_settings_t callbacks = {
	.on_message_begin = on_message_begin,
	.on_header_field = on_header_field,
	.on_header_value = on_header_value,
	.on_headers_complete = on_headers_complete,
	.on_body = on_body,
	.on_message_complete = on_message_complete,
};

void reader_next(struct reader *reader)
{
	struct buf body = reader->reply.body;

	body.limit = READER_BODY_MAX;
	buf_clear(&body);
	reader->reply = (struct reply){.body = body};
	reader->whole = reader->in_name = reader->retry_after = false;
	llhttp_init(&reader->llhttp, HTTP_RESPONSE, &callbacks);
	reader->llhttp.data = reader;
}

enum reader_result reader_feed(struct reader *reader, const char *bytes, size_t len)
{
	if (llhttp_execute(&reader->llhttp, bytes, len) != HPE_OK)
		return READER_BROKEN;
	return reader->whole ? READER_WHOLE : READER_MORE;
}

enum reader_result reader_end(struct reader *reader)
{
	if (llhttp_finish(&reader->llhttp) != HPE_OK)
		return READER_BROKEN;
	return reader->whole ? READER_WHOLE : READER_MORE;
}

void reader_free(struct reader *reader)
{
	buf_free(&reader->reply.body);
}
