/* How the line is spelled: as JSON for programs, as text for people. */
#include "server/access_line.h"

/* What failed is ours to mend; what is refused for a while (502 to 504) is worth a look; all else is clients'
 * business. */
enum log_level access_line_level(int status)
{
	if (status == 500)
		return LOG_ERROR;
	return status > 500 ? LOG_WARN : LOG_INFO;
}

/* --- JSON --- */

/* `,"name":` and the like stand in `name`. Values are texts of ours, or were looked at before. */
static void add_text(struct log_text *text, const char *name, const char *value)
{
	log_text_add(text, name);
	log_text_add(text, value);
	log_text_put(text, "\"", 1);
}

static void add_number(struct log_text *text, const char *name, uint64_t value)
{
	log_text_add(text, name);
	log_text_number(text, value);
}

static void add_times(struct log_text *text, const struct trail *trail)
{
	static const char *const names[STAGES] = {[STAGE_PARSE] = ",\"parse_us\":",
		[STAGE_REDIS] = ",\"redis_us\":",
		[STAGE_POSTGRESQL] = ",\"postgresql_us\":",
		[STAGE_REPLY] = ",\"reply_us\":"};

	add_number(text, ",\"us\":", trail->marked_us - trail->begun_us);
	for (unsigned i = 0; i < STAGES; i++)
		add_number(text, names[i], trail->stages_us[i]);
}

static void write_json(const struct access_line *line, struct log_text *text)
{
	const struct observation *request = line->request;
	char address[ADDRESS_TEXT_SIZE];

	add_text(text, ",\"request_id\":\"", request->request_id);
	if (line->traced) {
		add_text(text, ",\"trace_id\":\"", line->trace.trace_id);
		add_text(text, ",\"span_id\":\"", line->trace.span_id);
	}
	add_text(text, ",\"method\":\"", line->method);
	add_text(text, ",\"route\":\"", line->route);
	add_number(text, ",\"status\":", (uint64_t)request->status);
	if (request->problem < PROBLEM_COUNT)
		add_text(text, ",\"problem\":\"", problem_code(request->problem));
	add_times(text, request->trail);
	add_number(text, ",\"bytes\":", request->body_len);
	if (request->trail->user_id != 0)
		add_number(text, ",\"user_id\":", (uint64_t)request->trail->user_id);
	if (line->has_address)
		add_text(text, ",\"remote\":\"", address_text(&line->address, address));
	log_text_add(text, request->replayed ? ",\"replayed\":true" : "");
	log_text_add(text, request->conn == NULL ? ",\"client_gone\":true" : "");
	log_text_end(text, "}");
}

/* --- text --- */

/* "12.34 ms" */
static void add_ms(struct log_text *text, const char *before, uint64_t us)
{
	uint64_t hundredths = us / 10 % 100;

	add_number(text, before, us / 1000);
	add_number(text, hundredths < 10 ? ".0" : ".", hundredths);
}

/* POST /v1/reservations 409 seat_unavailable in 1.23 ms (redis 1.10), user 17, 192.0.2.1, id 4f… */
static void write_text(const struct access_line *line, struct log_text *text)
{
	const struct observation *request = line->request;
	const uint32_t *stages_us = request->trail->stages_us;
	char address[ADDRESS_TEXT_SIZE];

	log_text_add(text, line->method);
	log_text_add(text, " ");
	log_text_add(text, line->route);
	add_number(text, " ", (uint64_t)request->status);
	if (request->problem < PROBLEM_COUNT) {
		log_text_add(text, " ");
		log_text_add(text, problem_code(request->problem));
	}
	add_ms(text, " in ", request->trail->marked_us - request->trail->begun_us);
	log_text_add(text, " ms");
	if (stages_us[STAGE_REDIS] > 0)
		add_ms(text, ", Redis ", stages_us[STAGE_REDIS]);
	if (stages_us[STAGE_POSTGRESQL] > 0)
		add_ms(text, ", PostgreSQL ", stages_us[STAGE_POSTGRESQL]);
	if (request->trail->user_id != 0)
		add_number(text, ", user ", (uint64_t)request->trail->user_id);
	log_text_add(text, request->replayed ? ", replayed" : "");
	log_text_add(text, request->conn == NULL ? ", the client has gone" : "");
	if (line->has_address) {
		log_text_add(text, ", ");
		log_text_add(text, address_text(&line->address, address));
	}
	log_text_add(text, ", id ");
	log_text_add(text, request->request_id);
	log_text_end(text, "");
}

void access_line_write(const struct access_line *line, struct log_text *text)
{
	log_begin(text, access_line_level(line->request->status), line->unix_ms);
	if (log_format() == LOG_AS_JSON)
		write_json(line, text);
	else
		write_text(line, text);
}
