/* People and their money: what many ask for a batch at a time, the rest one by one. */
#include "db/store_accounts.h"

#include <string.h>
#include "db/store_batch.h"
#include "db/store_statements.h"
#include "proto/base/embed.h"

EMBED(store_charge_sql, "db/statements/charge.sql");
EMBED(store_balance_sql, "db/statements/balance.sql");
EMBED(store_login_sql, "db/statements/login.sql");
EMBED(store_sign_up_sql, "db/statements/sign_up.sql");
EMBED(store_identify_sql, "db/statements/identify.sql");
EMBED(store_me_sql, "db/statements/me.sql");
EMBED(store_ledger_sql, "db/statements/ledger_page.sql");

#define CHARGE(pointer) CONTAINER_OF(pointer, struct store_charge, op)
#define BALANCE(pointer) CONTAINER_OF(pointer, struct store_balance, op)
#define LOGIN(pointer) CONTAINER_OF(pointer, struct store_login, op)
#define SIGN_UP(pointer) CONTAINER_OF(pointer, struct store_sign_up, op)
#define IDENTIFY(pointer) CONTAINER_OF(pointer, struct store_identify, op)
#define ME(pointer) CONTAINER_OF(pointer, struct store_me, op)
#define LEDGER(pointer) CONTAINER_OF(pointer, struct store_ledger, op)

/* --- charge --- */

static const struct idem *charge_idem(const struct pg_op *op)
{
	return &CHARGE(op)->idem;
}

static void charge_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	store_param_idem(params, ops, count, charge_idem);
	STORE_ARRAY_I64(params, ops, count, store_charge, user_id);
	STORE_ARRAY_I64(params, ops, count, store_charge, amount);
}

static bool charge_read(struct store_charge *charge, const struct pg_rows *rows, unsigned row)
{
	if (!store_row_outcome(rows, row, 1, &charge->outcome))
		return false;
	if (charge->outcome != STORE_REPLY)
		return true;
	store_row_reply(rows, row, 2, 4, &charge->reply);
	charge->reply.replayed = pg_row_bool(rows, row, 3);
	return true;
}

static bool charge_decode(const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	struct pg_op *op;

	if (pg_row_count(rows) != count)
		return false;
	for (unsigned row = 0; row < count; row++)
		if (!store_row_op(rows, row, ops, count, &op) ||
			(op != NULL && !charge_read(CHARGE(op), rows, row)))
			return false;
	return true;
}

const struct pg_statement store_charge_statement = {.name = "charge",
	.sql = store_charge_sql,
	.batched = true,
	.repeatable = true,
	.encode = charge_encode,
	.decode = charge_decode};

void store_charge(struct pg *pg, struct store_charge *charge)
{
	CHECK(charge->amount > 0);
	store_reply_free(&charge->reply);
	pg_submit(pg, &charge->op, &store_charge_statement);
}

/* --- balance --- */

static void balance_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	STORE_ARRAY_I64(params, ops, count, store_balance, user_id);
}

/* A row for each of those that exist. */
static bool balance_decode(const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	struct pg_op *op;

	for (unsigned row = 0; row < pg_row_count(rows); row++) {
		if (!store_row_op(rows, row, ops, count, &op))
			return false;
		if (op == NULL)
			continue;
		BALANCE(op)->found = true;
		BALANCE(op)->balance = pg_row_i64(rows, row, 1);
		BALANCE(op)->points = pg_row_i64(rows, row, 2);
	}
	return true;
}

const struct pg_statement store_balance_statement = {.name = "balance",
	.sql = store_balance_sql,
	.batched = true,
	.repeatable = true,
	.encode = balance_encode,
	.decode = balance_decode};

void store_balance(struct pg *pg, struct store_balance *balance)
{
	balance->found = false;
	pg_submit(pg, &balance->op, &store_balance_statement);
}

/* --- log-in --- */

static void login_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	CHECK(count == 1);
	pg_param_text(params, LOGIN(ops[0])->email);
}

static bool login_decode(const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	size_t len;

	if (count != 1 || pg_row_count(rows) > 1)
		return false;
	if (ops[0] == NULL || pg_row_count(rows) == 0)
		return true;
	struct store_login *login = LOGIN(ops[0]);
	const char *hash = pg_row_text(rows, 0, 2, &len);
	if (len >= sizeof login->password_hash)
		return false;
	login->found = true;
	login->user_id = pg_row_i64(rows, 0, 0);
	login->admin = pg_row_bool(rows, 0, 1);
	memcpy(login->password_hash, hash, len + 1);
	return true;
}

const struct pg_statement store_login_statement = {.name = "login",
	.sql = store_login_sql,
	.repeatable = true,
	.encode = login_encode,
	.decode = login_decode};

void store_login(struct pg *pg, struct store_login *login)
{
	login->found = false;
	pg_submit(pg, &login->op, &store_login_statement);
}

/* --- sign-up --- */

static void sign_up_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	CHECK(count == 1);
	pg_param_text(params, SIGN_UP(ops[0])->email);
	pg_param_text(params, SIGN_UP(ops[0])->name);
	pg_param_text(params, SIGN_UP(ops[0])->password_hash);
}

static bool sign_up_decode(const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	if (count != 1 || pg_row_count(rows) != 1)
		return false;
	if (ops[0] == NULL)
		return true;
	SIGN_UP(ops[0])->taken = pg_row_null(rows, 0, 0);
	SIGN_UP(ops[0])->user_id = pg_row_i64(rows, 0, 0);
	return true;
}

/* Repeatable: a second run finds, by its hash, whom the first one made. */
const struct pg_statement store_sign_up_statement = {.name = "sign_up",
	.sql = store_sign_up_sql,
	.repeatable = true,
	.encode = sign_up_encode,
	.decode = sign_up_decode};

void store_sign_up(struct pg *pg, struct store_sign_up *sign_up)
{
	sign_up->taken = false;
	sign_up->user_id = 0;
	pg_submit(pg, &sign_up->op, &store_sign_up_statement);
}

/* --- people of an outside identity provider --- */

static void identify_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	STORE_ARRAY_TEXT(params, ops, count, store_identify, issuer);
	STORE_ARRAY_TEXT(params, ops, count, store_identify, subject);
	STORE_ARRAY_TEXT(params, ops, count, store_identify, email);
	STORE_ARRAY_TEXT(params, ops, count, store_identify, name);
}

static bool identify_decode(const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	struct pg_op *op;

	if (pg_row_count(rows) != count)
		return false;
	for (unsigned row = 0; row < count; row++) {
		if (!store_row_op(rows, row, ops, count, &op))
			return false;
		if (op != NULL)
			IDENTIFY(op)->user_id = pg_row_i64(rows, row, 1);
	}
	return true;
}

/* Run again after its reply was lost, it finds the users that it made. */
const struct pg_statement store_identify_statement = {.name = "identify",
	.sql = store_identify_sql,
	.batched = true,
	.repeatable = true,
	.encode = identify_encode,
	.decode = identify_decode};

void store_identify(struct pg *pg, struct store_identify *identify)
{
	identify->user_id = 0;
	pg_submit(pg, &identify->op, &store_identify_statement);
}

/* --- who am I? --- */

static void me_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	STORE_ARRAY_I64(params, ops, count, store_me, user_id);
	pg_param_text(params, ME(ops[0])->currency); /* the settings': the same for all */
}

/* A row for each of those that exist. */
static bool me_decode(const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	struct pg_op *op;

	for (unsigned row = 0; row < pg_row_count(rows); row++) {
		if (!store_row_op(rows, row, ops, count, &op))
			return false;
		if (op == NULL)
			continue;
		struct store_reply *reply = &ME(op)->reply;
		store_reply_free(reply);
		ME(op)->outcome = STORE_REPLY;
		reply->status = 200;
		reply->body = store_row_copy(rows, row, 1, &reply->body_len);
	}
	return true;
}

const struct pg_statement store_me_statement = {.name = "me",
	.sql = store_me_sql,
	.batched = true,
	.repeatable = true,
	.encode = me_encode,
	.decode = me_decode};

void store_me(struct pg *pg, struct store_me *me)
{
	store_reply_free(&me->reply);
	me->outcome = STORE_NOT_FOUND;
	pg_submit(pg, &me->op, &store_me_statement);
}

/* --- the ledger --- */

static void ledger_encode(struct pg_params *params, struct pg_op *const *ops, unsigned count)
{
	CHECK(count == 1);
	pg_param_i64(params, LEDGER(ops[0])->user_id);
	pg_param_i64(params, LEDGER(ops[0])->after);
	pg_param_i64(params, LEDGER(ops[0])->limit);
}

static bool ledger_decode(const struct pg_rows *rows, struct pg_op *const *ops, unsigned count)
{
	if (count != 1 || pg_row_count(rows) != 1)
		return false;
	if (ops[0] == NULL || pg_row_null(rows, 0, 0))
		return true;
	struct store_reply *reply = &LEDGER(ops[0])->reply;
	store_reply_free(reply);
	LEDGER(ops[0])->outcome = STORE_REPLY;
	reply->status = 200;
	reply->body = store_row_copy(rows, 0, 0, &reply->body_len);
	return true;
}

const struct pg_statement store_ledger_statement = {.name = "ledger_page",
	.sql = store_ledger_sql,
	.repeatable = true,
	.encode = ledger_encode,
	.decode = ledger_decode};

void store_ledger(struct pg *pg, struct store_ledger *ledger)
{
	store_reply_free(&ledger->reply);
	ledger->outcome = STORE_NOT_FOUND;
	pg_submit(pg, &ledger->op, &store_ledger_statement);
}
