// proto/openapi.yaml against the server that it describes: the lint, the routes, the codes, and for every
// status of every operation that it was seen and that each such reply was as the document says.
"use strict";
const assert = require("node:assert");
const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const { test, before, after } = require("node:test");
const { document, text, file, operations, codesOf } = require("./document");
const corpus = require("./corpus");
const { walk, seen, strays, anywhere, notes } = require("./calls");
const { World } = require("./servers");

const root = process.env.ONSALE_TEST_ROOT;
const modules = process.env.NODE_PATH;

// What no call here brings about, and where it is: a reply that is lost takes a store that plays along.
const SHOWN_ELSEWHERE = { outcome_unknown: "tests/flow, tests/live/pg_lost.c" };

const world = new World();
let stopped = "";
before(async () => {
	try {
		await walk(world, process.env.ONSALE_TEST_DOCS);
	} catch (error) {
		stopped = error.stack;
	}
}, { timeout: 200000 });
after(() => world.close());

test("every call got the status that it asks for", () => assert.strictEqual(stopped, ""));

test("no other status came", () => assert.deepStrictEqual(strays, []));

test("redocly finds nothing", () => {
	const done = spawnSync(process.execPath, [path.join(modules, "@redocly/cli/bin/cli.js"), "lint",
		"--config", path.join(__dirname, "redocly.yaml"), "--format=json", file],
	{ encoding: "utf8", env: { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" } });
	const found = JSON.parse(done.stdout.slice(done.stdout.indexOf("{")));
	assert.deepStrictEqual(found.problems.map((problem) => problem.message), []);
	assert.strictEqual(done.status, 0);
});

// method path guard, as `onsale routes` prints them.
function documentedRoutes() {
	return [...operations.values()].map((operation) => {
		const [security] = operation.security;
		const admin = operation.route.startsWith("/v1/admin/");
		const guard = security && security.accessToken ? (admin ? "admin" : "user") : "none";
		return `${operation.method} ${operation.route.replace(/\{\w+\}/g, "{}")} ${guard}`;
	});
}

test("the document has every route of the server, and no other", () => {
	const routes = world.onsale(["routes"]).trim().split("\n");
	assert.deepStrictEqual(documentedRoutes().sort(), routes.sort());
});

function problems() {
	const table = fs.readFileSync(path.join(root, "proto/problem.def"), "utf8");
	return [...table.matchAll(/PROBLEM\(\w+,\s*"(\w+)",\s*(\d+),\s*"([^"]*)",\s*"([^"]*)"\)/g)].map(
		([, code, status, title, detail]) => ({ code, status: Number(status), title, detail }));
}

test("the document has every code of the server, and no other, with its words", () => {
	const { enum: codes } = document.components.schemas.Problem.properties.code;
	assert.deepStrictEqual([...codes].sort(), problems().map((row) => row.code).sort());
	for (const { code, status, title, detail } of problems()) {
		const { value } = document.components.examples[code];
		assert.deepStrictEqual([value.type, value.code, value.status, value.title, value.detail],
			[`/problems/${code}`, code, status, title, detail]);
	}
});

test("every code stands under its own status", () => {
	const statuses = Object.fromEntries(problems().map((row) => [row.code, row.status]));
	for (const operation of operations.values())
		for (const [status, response] of Object.entries(operation.responses))
			for (const code of codesOf(response))
				assert.strictEqual(statuses[code], Number(status), `${operation.id} ${status} ${code}`);
});

for (const operation of operations.values())
	for (const [status, response] of Object.entries(operation.responses)) {
		const key = `${operation.id} ${status}`;
		test(`${key} (${operation.method} ${operation.route})`, () => {
			assert.ok(seen.has(key), "never seen");
			assert.deepStrictEqual(seen.get(key), []);
			for (const code of codesOf(response))
				assert.ok(seen.has(`${key} ${code}`) || SHOWN_ELSEWHERE[code], `${code} never seen`);
		});
	}

test("unknown paths and methods", () => {
	assert.deepStrictEqual(anywhere, [[404, []], [405, []]]);
});

test("a repeat and a stale place are told as such", () => {
	assert.strictEqual(notes.replayed, "true");
	assert.deepStrictEqual([notes.stale.status, notes.stale.stale, notes.stale.position], ["waiting", true, null]);
});

test("who was there when the sale opened is in the list, under the name that he was told", () => {
	assert.deepStrictEqual(notes.entrants[0], notes.entrants[1]);
});

test("a refund gives back what was paid, once, and the books stay right", () => {
	assert.deepStrictEqual([notes.refund.refunded, notes.refund], [1000, notes.refundAgain]);
	for (const kind of ["opening", "payment", "reward", "refund", "reward_revoked"])
		assert.ok(notes.ledger.includes(kind), `no ${kind} in the ledger: ${notes.ledger}`);
	const { double_sold, negative_balances, ledger_imbalance } = notes.audit;
	assert.deepStrictEqual([double_sold, negative_balances, ledger_imbalance], [0, 0, 0]);
});

test("a challenge says what it asks for", () => {
	assert.deepStrictEqual([notes.challenge.asked.bits, notes.challenge.asked.expires_in, notes.challenge.free],
		[8, 600, 0]);
});

test("more seats than one person may have are a wrong field", () => {
	assert.deepStrictEqual(notes.tooMany, ["seat_ids"]);
});

// Of the corpus: what begins so, and was not told what is expected.
function toldOtherwise(prefix, expected) {
	const files = notes.corpus.filter(({ name }) => name.startsWith(prefix));
	assert.ok(files.length > 10, `${files.length} files begin with ${prefix}`);
	return files.filter((file) => !expected(file));
}

const MALFORMED = "400 malformed_json";
const refused = (file) => file.logIn === MALFORMED && file.charge === MALFORMED;
const taken = (file) => file.logIn === "422 validation_failed" && file.charge === "422 validation_failed";

test("all that the corpus calls JSON is taken as such", () =>
	assert.deepStrictEqual(toldOtherwise("y_", taken), []));

test("… and is ignored in a member that is not known", () =>
	assert.deepStrictEqual(toldOtherwise("y_", (file) => file.inside === (
		file.name.startsWith("y_object_duplicated_key") ? "422 validation_failed" : "201")), []));

test("nothing is taken that the corpus calls no JSON", () =>
	assert.deepStrictEqual(toldOtherwise("n_", (file) => refused(file) && file.inside === MALFORMED), []));

test("what JSON leaves open is told as the document says", () =>
	assert.deepStrictEqual(toldOtherwise("i_", (file) => (corpus.TAKEN.test(file.name) ? taken : refused)(file)), []));

test("what parsers read differently breaks nothing", () =>
	assert.deepStrictEqual(toldOtherwise("t_", (file) => taken(file) || refused(file)), []));

test("the server chooses the best seats, and says what is wrong with a wish", () => {
	assert.deepStrictEqual(...notes.chosen);
	assert.deepStrictEqual(notes.wrongChoices, ["section", "quantity", "quantity", "section", "seat_ids"]);
});

test("the document is served to the byte", () => {
	assert.strictEqual(notes.getOpenapi.body.toString("utf8"), text);
});

test("/docs shows Swagger UI from this server alone, with no script of its own inline", () => {
	const page = notes.getDocs.body.toString("utf8");
	const policy = notes.getDocs.headers["content-security-policy"];
	assert.ok(!/unsafe|https?:|\*/.test(policy), policy);
	assert.ok(!/(src|href)="(?!\/)/.test(page) && !/<script(?! src=)|<style| style=| on\w+=/.test(page), page);
	const scripts = [...page.matchAll(/<script src="([^"]+)"/g)].map(([, source]) => source);
	assert.deepStrictEqual(scripts, ["/docs/swagger-ui-bundle.js", "/docs/docs.js"]);
	assert.ok(notes.getSwaggerBundle.body.includes("SwaggerUIBundle"));
});

test("/docs without Swagger UI shows the document, escaped, and the command that adds it", () => {
	const page = notes.plainPage.body.toString("utf8");
	const shown = /<pre>([^]*)<\/pre>/.exec(page)[1];
	assert.ok(!/[<>]/.test(shown) && page.includes("<code>make docs</code>") && !page.includes("<script"));
	assert.strictEqual(shown.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&"), text);
});
