// What makes every status of the document appear. For each operation: a request that is right (`right`), and
// where it has a body one whose fields are wrong (`wrongFields`); the refusals that all calls share are made
// out of these by refuse(). What takes a story is told in walk().
"use strict";
const { createHash } = require("node:crypto");
const { operations, codesOf, judge, document, resolve, wrong } = require("./document");
const corpus = require("./corpus");
const { exchange, until } = require("./servers");

const FUTURE = "2100-01-01T00:00:00Z";
const NOWHERE = 999999;

const seen = new Map(); // "operation status" and "operation status code" -> what was wrong with the replies
const strays = []; // statuses that came and are not in the document
const anywhere = []; // replies to what is no operation: [status, what is wrong]
const notes = {}; // what single tests look at

function note(key, problems) {
	seen.set(key, [...(seen.get(key) || []), ...problems]);
}

let keys = 0;
let main; // the port that is called where nothing else is said

// `it`: {path, query, jwt, token, pass, key, headers, body, text, type, http, host, port}
function bytesOf(operation, it) {
	let route = operation.route;
	for (const [name, value] of Object.entries(it.path || {}))
		route = route.replace(`{${name}}`, value);
	const content = it.text !== undefined ? it.text : it.body !== undefined ? JSON.stringify(it.body) : "";
	const lines = [`${operation.method} ${route}${it.query || ""} HTTP/${it.http || "1.1"}`, "Connection: close"];
	if (it.host !== null)
		lines.push("Host: localhost");
	if (it.jwt)
		lines.push(`Authorization: Bearer ${it.jwt}`);
	if (it.token)
		lines.push(`X-Queue-Token: ${it.token}`);
	if (it.pass)
		lines.push(`X-Queue-Pass: ${it.pass}`);
	if (it.key)
		lines.push(`Idempotency-Key: ${it.key}`);
	if (content !== "")
		lines.push(`Content-Type: ${it.type || "application/json"}`);
	lines.push(`Content-Length: ${Buffer.byteLength(content)}`, ...(it.headers || []));
	return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${content}`);
}

async function call(id, it) {
	const operation = operations.get(id);
	const streams = operation.responses[200] && "text/event-stream" in (operation.responses[200].content || {});
	const reply = await exchange(it.port || main, bytesOf(operation, it), streams);
	const response = operation.responses[reply.status];
	const key = `${id} ${reply.status}`;
	if (!response) {
		strays.push(`${key} is not in the document: ${reply.body}`);
		return reply;
	}
	const problems = judge(response, reply);
	if (reply.status < 300 && it.body !== undefined)
		problems.push(...[wrong(operation.body.content["application/json"].schema, it.body, "open")].filter(Boolean));
	note(key, problems);
	if (codesOf(response).length > 0)
		note(`${key} ${reply.json.code}`, []);
	return reply;
}

async function expect(id, it, status, code) {
	const reply = await call(id, it);
	if (reply.status !== status || (code && reply.json.code !== code))
		throw new Error(`${id}: expected ${status} ${code || ""}, got ${reply.status} ${reply.body}`);
	return reply;
}

function right(w, id) {
	if (!w.right[id])
		throw new Error(`tests/openapi/calls.js knows no right request for ${id}`);
	return w.right[id]();
}

const newKey = () => `key-${++keys}`;

// --- what is right, and what is wrong in its fields ---

function rightRequests(w) {
	const event = { event: w.plain.event };
	const lined = { event: w.lined.event };
	const performance = { performance: w.plain.performance };
	const reservation = { reservation: w.reservation };
	const seats = (ids) => ({ performance_id: w.plain.performance, seat_ids: ids });
	return {
		signUp: () => ({ body: { email: "new@onsale.test", password: "a good password", name: "A buyer" } }),
		getChallenge: () => ({}),
		logOut: () => ({ jwt: w.buyer }),
		getMe: () => ({ jwt: w.buyer }),
		getLedger: () => ({ jwt: w.buyer }),
		listReservations: () => ({ jwt: w.buyer }),
		getStats: () => ({ jwt: w.admin, path: event }),
		audit: () => ({ jwt: w.admin }),
		logIn: () => ({ body: { email: w.email, password: w.password } }),
		getBalance: () => ({ jwt: w.buyer }),
		charge: () => ({ jwt: w.buyer, key: newKey(), body: { amount: 5 } }),
		listEvents: () => ({}),
		getEvent: () => ({ path: event }),
		listPerformances: () => ({ path: event }),
		listSeats: () => ({ path: performance }),
		listSeatLetters: () => ({ path: performance }),
		joinLine: () => ({ path: lined, jwt: w.buyer }),
		getLine: () => ({ path: lined }),
		getShuffle: () => ({ path: { event: w.shuffled.event } }),
		listEntrants: () => ({ path: { event: w.shuffled.event } }),
		getPlace: () => ({ token: w.token }),
		watchPlace: () => ({ query: `?token=${w.token}` }),
		watchEvent: () => ({ jwt: w.admin, path: event }),
		leaveLine: () => ({ token: w.token }),
		hold: () => ({ jwt: w.buyer, key: newKey(), body: seats([w.plain.seats[0]]) }),
		getReservation: () => ({ jwt: w.buyer, path: reservation }),
		cancel: () => ({ jwt: w.buyer, path: reservation }),
		pay: () => ({ jwt: w.buyer, path: reservation, key: newKey(), body: {} }),
		createEvent: () => ({ jwt: w.admin, body: { title: "A night", venue: "The hall" } }),
		createPerformance: () => ({ jwt: w.admin, path: event, body: hall(1) }),
		changeLine: () => ({ jwt: w.admin, path: lined, body: { capacity: 10 } }),
		isAlive: () => ({}),
		isReady: () => ({}),
		getMetrics: () => ({}),
		getOpenapi: () => ({}),
		getDocs: () => ({}),
		getDocsScript: () => ({}),
		getSwaggerStyle: () => ({}),
		getSwaggerBundle: () => ({}),
	};
}

const wrongFields = {
	signUp: { body: { email: "nobody", password: "short" } },
	logIn: { body: { email: 7 } },
	getLedger: { query: "?limit=0" },
	listReservations: { query: "?after=x" },
	charge: { body: { amount: -1 } },
	listEvents: { query: "?limit=0" },
	listPerformances: { query: "?available=1" },
	listEntrants: { query: "?limit=5001" },
	hold: { body: { performance_id: 1, seat_ids: [] } },
	pay: { body: { use_points: -1 } },
	createEvent: { body: { title: "" } },
	createPerformance: { body: { starts_at: "soon", sections: [] } },
	changeLine: { body: { capacity: 0 } },
};

const hall = (seats) => ({ starts_at: FUTURE, sections: [{ name: "A", rows: 1, seats_per_row: seats, price: 1000 }] });

// --- the refusals that all calls share: by code, what is changed in a right request ---

const spoil = {
	bad_request: () => ({ host: null }),
	malformed_json: () => ({ body: undefined, text: "{" }),
	idempotency_key_required: () => ({ key: undefined }),
	unauthorized: () => ({ jwt: undefined }),
	invalid_queue_token: () => ({ token: "forged", query: "?token=forged" }),
	forbidden: (it, w) => ({ jwt: w.buyer }),
	not_found: (it) => it.path && { path: { [Object.keys(it.path)[0]]: "x" } },
	shuffle_not_found: (it, w) => ({ path: { event: w.plain.event } }),
	shuffle_pending: (it, w) => ({ path: { event: w.closed.event } }),
	event_not_found: () => ({ path: { event: NOWHERE } }),
	performance_not_found: (it) =>
		it.body ? { body: { ...it.body, performance_id: NOWHERE } } : { path: { performance: NOWHERE } },
	seat_not_found: (it) => ({ body: { ...it.body, seat_ids: [NOWHERE] } }),
	reservation_not_found: () => ({ path: { reservation: NOWHERE } }),
	body_too_large: () => ({ body: undefined, text: " ".repeat(66000) }),
	unsupported_media_type: () => ({ type: "text/plain" }),
	validation_failed: (it, w, id) => wrongFields[id],
	headers_too_large: () => ({ headers: [`X-Long: ${"x".repeat(9000)}`] }),
	http_version: () => ({ http: "2.0" }),
};

async function refuse(w) {
	for (const [id, operation] of operations)
		for (const [status, response] of Object.entries(operation.responses))
			for (const code of codesOf(response)) {
				const it = right(w, id);
				const change = spoil[code] && spoil[code](it, w, id);
				if (change)
					await expect(id, { ...it, ...change }, Number(status), code);
			}
	for (const [status, route] of [[404, "/v1/nowhere"], [405, "/livez"]]) {
		const reply = await exchange(main,
			Buffer.from(`POST ${route} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`));
		anywhere.push([status, reply.status === status
			? judge(resolve(document["x-everywhere"][status]), reply) : [`${reply.status} came`]]);
	}
}

// --- stories ---

async function openSale(w, queue, opens) {
	const body = { title: "A night", venue: "The hall", queue };
	if (opens)
		body.sale_opens_at = opens;
	const event = (await expect("createEvent", { jwt: w.admin, body }, 201)).json.id;
	const made = await expect("createPerformance", { jwt: w.admin, path: { event }, body: hall(10) }, 201);
	const performance = made.json.id;
	const map = await expect("listSeats", { path: { performance } }, 200);
	return { event, performance, seats: map.json.seats.map((seat) => seat.id) };
}

function hold(w, sale, seat, more = {}) {
	const body = { performance_id: sale.performance, seat_ids: [sale.seats[seat]] };
	return { jwt: w.buyer, key: newKey(), body, ...more };
}

async function holdId(w, sale, seat, more) {
	return (await expect("hold", hold(w, sale, seat, more), 201)).json.id;
}

async function lookAround(w) {
	for (const id of ["getBalance", "listEvents", "getEvent", "listPerformances", "getLine", "isAlive", "isReady",
		"getMetrics", "changeLine", "getMe", "getLedger", "listReservations", "getStats", "watchEvent", "audit", "logIn"])
		await expect(id, right(w, id), id === "logIn" ? 201 : 200);
	await expect("listEvents", { query: "?after=0&limit=1" }, 200);
	await expect("listPerformances", { path: { event: w.plain.event }, query: "?available=true" }, 200);
	await expect("logIn", { body: { email: w.email, password: "not it" } }, 401, "invalid_credentials");
	for (const id of ["listSeats", "listSeatLetters"])
		await expectUnchanged(id, right(w, id));
}

async function comeAndGo(w) {
	const { body } = w.right.signUp();
	await expect("signUp", { body }, 201);
	await expect("signUp", { body: { ...body, email: body.email.toUpperCase() } }, 409, "email_taken");
	const { email, password } = body;
	const jwt = (await expect("logIn", { body: { email, password } }, 201)).json.access_token;
	await expect("getMe", { jwt }, 200);
	await expect("logOut", { jwt }, 204);
	await expect("getMe", { jwt }, 401, "unauthorized");
}

// The nonce that answers a challenge.
function work({ challenge, bits }, email) {
	for (let nonce = 0; ; nonce++) {
		const hash = createHash("sha256").update(`${challenge}:${email.toLowerCase()}:${nonce}`).digest();
		if (hash.readUInt32BE(0) < 2 ** (32 - bits))
			return `${nonce}`;
	}
}

// Instances that ask for some work, one of them for a challenge that was given the second before.
async function prove(w) {
	const body = { ...w.right.signUp().body, email: "Prover@onsale.test" };
	const port = w.proving;
	await expect("signUp", { body, port }, 403, "proof_required");
	const asked = (await expect("getChallenge", { port }, 200)).json;
	const proof = { challenge: asked.challenge, nonce: work(asked, body.email) };
	await expect("signUp", { body: { ...body, email: "other@onsale.test", proof }, port }, 403, "proof_invalid");
	await expect("signUp", { body: { ...body, proof }, port }, 201);
	const brief = (await expect("getChallenge", { port: w.briefProof }, 200)).json;
	const late = { ...body, proof: { challenge: brief.challenge, nonce: work(brief, body.email) } };
	await until("a challenge to expire", async () =>
		(await call("signUp", { body: late, port })).json.code === "proof_expired");
	notes.challenge = { asked, free: (await expect("getChallenge", {}, 200)).json.bits };
}

// The first is let through, whatever becomes of it; the second is not.
async function hurry(w) {
	for (const id of ["signUp", "logIn", "joinLine", "hold"]) {
		const it = { ...right(w, id), ...wrongFields[id], port: w.tight };
		await call(id, it);
		const { headers } = await expect(id, it, 429, "rate_limited");
		if (!headers.ratelimit || !headers["ratelimit-policy"])
			throw new Error(`${id}: a 429 without RateLimit`);
	}
}

// Asked for once more by its ETag it is not sent again.
async function expectUnchanged(id, it) {
	const reply = await expect(id, it, 200);
	await expect(id, { ...it, headers: [`If-None-Match: ${reply.headers.etag}`] }, 304);
	return reply;
}

async function lookAtDocs(w) {
	for (const id of ["getOpenapi", "getDocs", "getDocsScript", "getSwaggerStyle", "getSwaggerBundle"])
		notes[id] = await expectUnchanged(id, { port: w.withDocs });
	notes.plainPage = await expectUnchanged("getDocs", {});
	for (const id of ["getDocsScript", "getSwaggerStyle", "getSwaggerBundle"])
		await expect(id, {}, 404, "not_found");
}

async function admitted(w, sale, jwt) {
	const joined = { path: { event: sale.event }, jwt };
	return until("a pass", async () => {
		const place = (await call("joinLine", joined)).json;
		return place.status === "admitted" && place;
	});
}

async function stand(w) {
	await expect("joinLine", { path: { event: w.plain.event }, jwt: w.buyer }, 409, "queue_disabled");
	w.token = (await expect("joinLine", w.right.joinLine(), 201)).json.token;
	await expect("joinLine", w.right.joinLine(), 200);
	const place = await admitted(w, w.lined, w.buyer);
	await expect("getPlace", { token: place.token, pass: place.pass }, 200);
	for (const it of [{ token: place.token }, { query: `?token=${place.token}` }])
		await expect("watchPlace", it, 200);
	await expect("hold", hold(w, w.lined, 0), 403, "queue_pass_required");
	await expect("hold", hold(w, w.lined, 0, { pass: "nonsense" }), 403, "queue_pass_invalid");
	await expect("hold", hold(w, w.lined, 0, { pass: place.pass }), 201);
	await expect("hold", hold(w, w.closed, 0), 403, "sale_not_open");
	await expect("joinLine", { path: { event: w.closed.event }, jwt: w.buyer }, 201);
	for (let i = 0; i < 2; i++)
		await expect("leaveLine", { token: place.token }, 204);
	for (const id of ["getPlace", "watchPlace"])
		await expect(id, { token: place.token }, 410, "place_expired");
	w.token = (await expect("joinLine", w.right.joinLine(), 201)).json.token;
	const brief = await admitted(w, w.brief, w.buyer);
	await until("a pass to expire", async () =>
		(await call("hold", hold(w, w.brief, 0, { pass: brief.pass }))).json.code === "queue_pass_expired");
}

async function chooseSeats(w) {
	const sale = await openSale(w);
	const some = (more) => hold(w, sale, 0, { body: { performance_id: sale.performance, ...more } });
	const chosen = await expect("hold", some({ quantity: 2, section: "A" }), 201);
	notes.chosen = [chosen.json.seats.map((seat) => seat.id), sale.seats.slice(0, 2)];
	await expect("hold", some({ quantity: sale.seats.length - 1 }), 409, "sold_out");
	const wrongOnes = [];
	for (const more of [{ quantity: 1, section: "B" }, { quantity: 0 }, { quantity: 1, seat_ids: [sale.seats[5]] },
		{ section: "A", seat_ids: [sale.seats[5]] }, {}]) {
		const refused = await expect("hold", some(more), 422, "validation_failed");
		wrongOnes.push(...refused.json.errors.map((error) => error.field));
	}
	notes.wrongChoices = wrongOnes;
}

// Two are there when the sale opens, and are put in an order. Where they came too late, the next sale leaves more time.
async function gathered(w, seconds = 2) {
	const opens = Date.now() + seconds * 1000;
	w.shuffled = await openSale(w, { enabled: true }, new Date(opens).toISOString());
	const entrants = [];
	for (const jwt of [w.buyer, w.poor])
		entrants.push((await call("joinLine", { path: { event: w.shuffled.event }, jwt })).json.entrant);
	return Date.now() < opens || seconds > 20 ? entrants : gathered(w, seconds * 2);
}

async function shuffled(w) {
	const entrants = await gathered(w);
	const path = { event: w.shuffled.event };
	await until("the shuffle", async () => (await call("getShuffle", { path })).status === 200);
	await expect("listEntrants", { path }, 200);
	const first = await expect("listEntrants", { path, query: "?limit=1" }, 200);
	const second = await expect("listEntrants", { path, query: `?after=${first.json.next}&limit=5000` }, 200);
	notes.entrants = [entrants.sort(), [...first.json.items, ...second.json.items].map((item) => item.entrant).sort()];
}

async function buy(w) {
	const first = hold(w, w.plain, 1);
	const id = (await expect("hold", first, 201)).json.id;
	const again = await expect("hold", first, 201);
	notes.replayed = again.headers["idempotent-replayed"];
	await expect("hold", { ...first, body: { ...first.body, seat_ids: [w.plain.seats[2]] } }, 422,
		"idempotency_key_reused");
	await expect("hold", hold(w, w.plain, 1, { jwt: w.poor }), 409, "seat_unavailable");
	await chooseSeats(w);
	const pay = { jwt: w.buyer, path: { reservation: id }, key: newKey(), body: { use_points: 0 } };
	await expect("pay", pay, 201);
	await expect("pay", { ...pay, body: {} }, 422, "idempotency_key_reused");
	await expect("pay", { ...pay, key: newKey() }, 409, "already_paid");
	const more = await expect("hold", hold(w, w.plain, 2, { port: w.tightSeats }), 422, "validation_failed");
	notes.tooMany = more.json.errors.map((error) => error.field);
	const own = { jwt: w.buyer, path: { reservation: id } };
	await expect("getReservation", own, 200);
	const page = await expect("listReservations", { jwt: w.buyer, query: "?limit=1" }, 200);
	await expect("listReservations", { jwt: w.buyer, query: `?after=${page.json.items[0].id}` }, 200);
	await expect("getStats", w.right.getStats(), 200);
	notes.refund = (await expect("cancel", own, 200)).json;
	notes.refundAgain = (await expect("cancel", own, 200)).json;
	await expect("getReservation", own, 200);
	notes.ledger = (await expect("getLedger", w.right.getLedger(), 200)).json.items.map((entry) => entry.kind);
	notes.audit = (await expect("audit", w.right.audit(), 200)).json;
	const charge = w.right.charge();
	await expect("charge", charge, 201);
	await expect("charge", { ...charge, body: { amount: 6 } }, 422, "idempotency_key_reused");
}

async function fail(w) {
	const poor = { jwt: w.poor, path: { reservation: await holdId(w, w.plain, 3, { jwt: w.poor }) } };
	await expect("pay", { ...poor, key: newKey() }, 402, "insufficient_balance");
	await expect("cancel", poor, 200);
	await expect("getReservation", poor, 200);
	await expect("pay", { ...poor, key: newKey() }, 409, "reservation_cancelled");
	const lapsed = { jwt: w.buyer, path: { reservation: await holdId(w, w.plain, 4, { port: w.short }) } };
	await until("a hold to lapse", async () =>
		(await call("getReservation", lapsed)).json.status === "expired");
	await expect("pay", { ...lapsed, key: newKey() }, 410, "hold_expired");
	await expect("cancel", lapsed, 410, "hold_expired");
}

// --- when something is down ---

const may = (id, code) => codesOf(operations.get(id).responses[503]).includes(code);

// One instance that has never seen the database: whatever needs a store refuses.
async function withoutDatabase(w, options) {
	w.world.setDatabase(false);
	const blind = await w.world.launch("blind", options);
	for (const id of operations.keys())
		if (may(id, "unavailable") && id !== "leaveLine")
			await expect(id, { ...right(w, id), port: blind }, 503, "unavailable");
	w.world.setDatabase(true);
	for (const port of [main, w.small])
		await ready(port);
}

async function ready(port) {
	await until("an instance to be ready", async () => {
		const reply = await call("isReady", { port });
		return reply.status === 200 && reply.json.degraded.length === 0;
	});
}

// The database no longer has what the statements need.
async function damaged(w) {
	w.world.sql("ALTER SCHEMA public RENAME TO away; CREATE SCHEMA public");
	for (const [id, operation] of operations)
		if (operation.responses[500])
			await expect(id, right(w, id), 500, "internal");
	w.world.sql("DROP SCHEMA public; ALTER SCHEMA away RENAME TO public");
}

async function inWork(port) {
	const found = /^onsale_in_flight (\d+)$/m.exec((await call("getMetrics", { port })).body.toString());
	return found ? Number(found[1]) : 0;
}

// Whoever locks the tables makes requests stay in work: under their keys, and up to the limit of all.
async function crowded(w) {
	const reservation = await holdId(w, w.plain, 5);
	const lock = await w.world.lock("LOCK TABLE accounts, seats IN ACCESS EXCLUSIVE MODE");
	const port = w.small;
	const waiting = [];
	for (const [id, it] of [["charge", w.right.charge()], ["hold", hold(w, w.plain, 6)],
		["pay", { ...w.right.pay(), path: { reservation } }]]) {
		const before = await inWork(port);
		waiting.push(call(id, { ...it, port }));
		await until("the first under a key", async () => (await inWork(port)) > before);
		await expect(id, { ...it, port }, 409, "request_in_flight");
	}
	for (let i = 0; i < 20; i++)
		waiting.push(call("charge", { ...w.right.charge(), port })); // what is refused last of all
	await until("the limit", async () => (await call("isAlive", { port })).status === 503);
	for (const id of operations.keys())
		await expect(id, { ...right(w, id), port }, 503, "busy");
	await lock.end();
	await Promise.all(waiting);
}

async function withoutRedis(w) {
	const place = (await expect("joinLine", w.right.joinLine(), 200)).json;
	await w.world.stop(w.world.redis);
	await until("Redis to be missed", async () => (await call("isReady", {})).json.degraded.length === 1);
	notes.stale = (await expect("getPlace", { token: place.token }, 200)).json;
	await expect("leaveLine", { token: place.token }, 503, "unavailable");
}

// --- all of it ---

async function walk(world, docsFolder) {
	// Nobody loses a place by not having come back for it yet, and Redis is too slow for nobody.
	const quick = ["--queue.poll_min_ms=50", "--queue.poll_max_ms=300", "--queue.tick_ms=20",
		"--queue.claim_within_ms=3600000", "--redis.deadline_ms=5000"];
	const plain = [...quick, "--http.docs_folder=/nonexistent", "--seat.per_user_max=0"];
	const w = { world, email: "operator@onsale.test", password: "a good password", reservation: NOWHERE };
	await world.open();
	world.onsale(["admin", "--email", w.email], w.password);
	[w.buyer] = world.people(1, 1000000);
	[w.poor] = world.people(1, 0);
	[w.admin] = world.people(1, 0, "admin");
	main = await world.launch("main", plain);
	w.withDocs = await world.launch("with-docs", [...quick, `--http.docs_folder=${docsFolder}`]);
	w.short = await world.launch("short", [...plain, "--seat.hold_ttl_ms=300", "--seat.sweep_ms=60000"]);
	w.small = await world.launch("small", [...plain, "--http.in_flight_max=16", "--db.deadline_ms=60000", "--db.backlog_max_ms=60000",
		"--db.lock_timeout_ms=60000", "--db.statement_timeout_ms=60000", "--db.batch_lock_timeout_ms=10000",
		"--lock.locking_ms=120000", "--idempotency.wait_ms=50"]);
	w.tight = await world.launch("tight", [...plain, ...["login", "signup", "join", "hold"].map(
		(name) => `--limit.${name}_per_minute=1`)]);
	w.proving = await world.launch("proving", [...plain, "--signup.proof_bits=8"]);
	w.briefProof = await world.launch("brief-proof",
		[...plain, "--signup.proof_bits=8", "--signup.proof_ttl_seconds=1"]);
	w.tightSeats = await world.launch("tight-seats", [...quick, "--seat.per_user_max=1"]);
	for (const port of [main, w.withDocs, w.short, w.small, w.tight, w.tightSeats, w.proving, w.briefProof])
		await ready(port);
	w.plain = await openSale(w, { enabled: false });
	w.lined = await openSale(w, { enabled: true });
	w.closed = await openSale(w, { enabled: true }, FUTURE);
	w.brief = await openSale(w, { enabled: true, pass_ttl_seconds: 1 });
	w.right = rightRequests(w);
	await lookAround(w);
	await comeAndGo(w);
	await prove(w);
	await lookAtDocs(w);
	await stand(w);
	await shuffled(w);
	await hurry(w);
	await buy(w);
	await fail(w);
	w.reservation = await holdId(w, w.plain, 7);
	await refuse(w);
	notes.corpus = await corpus.send(main, w.buyer);
	await withoutDatabase(w, plain);
	await damaged(w);
	await crowded(w);
	await withoutRedis(w);
}

module.exports = { walk, seen, strays, anywhere, notes };
