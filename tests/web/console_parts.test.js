// What the console makes of what it is told, without a browser: the parser of its stream, rates, shares, percentiles.
"use strict";
const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");

const folder = path.resolve(__dirname, "../../server/web/js/console");

// A module that imports nothing, as node can load it.
function load(name) {
	const text = fs.readFileSync(path.join(folder, `${name}.js`), "utf8");
	return import(`data:text/javascript,${encodeURIComponent(text)}`);
}

// --- the stream ---

const STREAM = "retry: 1000\n\ndata: {\"a\":1}\n\n: still here\n\nevent: problem\r\ndata: {\"b\":2}\r\n\r\n" +
	"data:first\ndata: second\n\nevent: unsaid\n\ndata: last\n\ndata: not whole";
const TOLD = [{ name: "message", data: "{\"a\":1}" }, { name: "problem", data: "{\"b\":2}" },
	{ name: "message", data: "first\nsecond" }, { name: "message", data: "last" }];

test("a stream means the same wherever it was cut", async () => {
	const { EventParser } = await load("event_parser");
	for (let at = 0; at <= STREAM.length; at++) {
		const parser = new EventParser();
		const told = [...parser.push(STREAM.slice(0, at)), ...parser.push(STREAM.slice(at))];
		assert.deepStrictEqual(told, TOLD, `cut at ${at}`);
	}
	const parser = new EventParser();
	assert.deepStrictEqual([...STREAM].flatMap((letter) => parser.push(letter)), TOLD);
});

// --- the figures ---

const BOUNDS = [1, 2, 4];

function stats({ joined = 0, instance = "a", taken = 0, attempts = 0, hold = [0, 0, 0, 0], refusals = {} } = {}) {
	return { joined, server: { instance, locks: { taken, attempts }, refusals, latency: { bounds_ms: BOUNDS, hold } } };
}

async function seriesOf(...list) {
	const { Series } = await load("series");
	const series = new Series();
	list.forEach((one, i) => series.add(stats(one), 1000 * (i + 1)));
	return series;
}

const last = (points) => points.at(-1).y;

test("a rate is what a counter grew by a second", async () => {
	const series = await seriesOf({ joined: 5 }, { joined: 25 }, { joined: 25 }, { joined: 30 });
	assert.deepStrictEqual(series.rates("joined").map(({ y }) => y), [null, 20, 0, 5]);
});

test("a picture that came late spreads what it brought over the time between", async () => {
	const { Series } = await load("series");
	const series = new Series();
	series.add(stats({ joined: 0 }), 1000);
	series.add(stats({ joined: 40 }), 5000);
	assert.strictEqual(last(series.rates("joined")), 10);
});

test("a counter that shrank says nothing: Redis was emptied", async () =>
	assert.strictEqual(last((await seriesOf({ joined: 50 }, { joined: 3 })).rates("joined")), null));

test("another instance's counters are not compared, the line's are", async () => {
	const series = await seriesOf({ joined: 1, refusals: { busy: 3 } }, { joined: 5, refusals: { busy: 90 }, instance: "b" });
	assert.strictEqual(last(series.rates("joined")), 4);
	assert.strictEqual(last(series.rates("server.refusals.busy")), null);
	assert.strictEqual(last(series.percentiles("hold", 0.5)), null);
});

test("a share is of what was counted in the last seconds", async () => {
	const series = await seriesOf({ taken: 5, attempts: 10 }, { taken: 6, attempts: 20 }, { taken: 8, attempts: 30 });
	assert.strictEqual(last(series.shares("server.locks.taken", "server.locks.attempts")), 3 / 20);
	assert.strictEqual(last((await seriesOf({}, {})).shares("server.locks.taken", "server.locks.attempts")), null);
});

test("a percentile is of what took place between, and lies within its bucket", async () => {
	const series = await seriesOf({ hold: [90, 0, 0, 0] }, { hold: [90, 10, 10, 0] });
	assert.strictEqual(last(series.percentiles("hold", 0.5)), 2);
	assert.strictEqual(last(series.percentiles("hold", 0.75)), 3);
	assert.strictEqual(last(series.percentiles("hold", 1)), 4);
	assert.strictEqual(last((await seriesOf({}, {})).percentiles("hold", 0.5)), null);
	assert.strictEqual(last((await seriesOf({}, { hold: [0, 0, 0, 7] })).percentiles("hold", 0.5)), 4, "past the last bound");
});

test("refusals stand in the order of how many there were of late", async () => {
	const series = await seriesOf({ refusals: { busy: 100, not_found: 5 } },
		{ refusals: { busy: 101, not_found: 5, seat_unavailable: 9, sold_out: 4 } });
	assert.deepStrictEqual(series.refusals(2).map(({ code, points }) => [code, last(points)]),
		[["seat_unavailable", 9], ["sold_out", 4]]);
	assert.deepStrictEqual(series.refusals(5).map(({ code }) => code), ["seat_unavailable", "sold_out", "busy"]);
});

test("what is older than the charts is let go", async () => {
	const { Series } = await load("series");
	const series = new Series();
	for (let at = 0; at <= 600; at++)
		series.add(stats(), at * 1000);
	assert.ok(series.samples.length > 120 && series.samples.length < 130, `${series.samples.length} are kept`);
});
