// What the page does where the server refuses, or a part of the page does not come: it says so, waits as long as it is
// told, and goes on by itself.
"use strict";
const assert = require("node:assert");
const { webTests, words, until } = require("./support");

const webTest = webTests();
const WAIT_S = 3;
const AFTER_MS = 1200; // longer than the page looks at its clock

// The first `times` requests of this kind are refused as a server at its limit does; the times at which they came.
async function refuse(page, method, pattern, times = 1) {
	const came = [];
	const problem = { type: "/problems/busy", title: "Busy", status: 503, detail: "", code: "busy", request_id: "test" };
	await page.route(pattern, async (route) => {
		if (route.request().method() !== method) {
			await route.fallback();
			return;
		}
		came.push(Date.now());
		if (came.length > times)
			await route.fallback();
		else
			await route.fulfill({ status: 503, contentType: "application/problem+json",
				headers: { "Retry-After": String(WAIT_S) }, body: JSON.stringify(problem) });
	});
	return came;
}

webTest("a join that is refused is tried again when the server allows it", async ({ site, visit }) => {
	const t = await words("en"), sale = await site.sale({ queue: { enabled: true, capacity: 1 } });
	const [first] = await site.crowd(sale.event, 1);
	await site.pass(first);
	const visitor = await visit({ as: await site.person() });
	const came = await refuse(visitor.page, "POST", `**/v1/events/${sale.event}/queue`);
	await visitor.at(`#/event/${sale.event}`);
	await visitor.page.getByRole("link", { name: t("event.join") }).click();
	await visitor.page.getByRole("status").filter({ hasText: t("line.joinBusy") }).waitFor();
	await visitor.picture("a join that was refused");
	await visitor.page.getByRole("heading", { level: 1, name: t("line.nextTitle") }).waitFor();
	assert.strictEqual(came.length, 2);
	assert.ok(came[1] - came[0] >= WAIT_S * 1000, `after ${came[1] - came[0]} ms`);
});

webTest("a poll that is refused comes again when the server allows it, and the place is said to be kept",
	async ({ site, visit }) => {
		const t = await words("en"), sale = await site.sale({ queue: { enabled: true, capacity: 1 } });
		const [first] = await site.crowd(sale.event, 1);
		await site.pass(first);
		const visitor = await visit({ as: await site.person() });
		visitor.serverMayBeAway = true; // so the streams seem
		await visitor.page.route("**/v1/queue/events*", (route) => route.abort());
		const came = await refuse(visitor.page, "GET", "**/v1/queue");
		await visitor.at(`#/line/${sale.event}`);
		await visitor.page.getByRole("status").filter({ hasText: t("line.busy") }).waitFor();
		await visitor.page.getByRole("status").filter({ hasText: t("line.busy") }).waitFor({ state: "hidden" });
		assert.ok(came[1] - came[0] >= WAIT_S * 1000, `after ${came[1] - came[0]} ms`);
		await until("polls in place of the stream", () => came.length >= 4);
	});

webTest("polls come no sooner than the server says", async ({ site, visit }) => {
	const sale = await site.sale({ queue: { enabled: true, capacity: 1 } }), polls = [];
	const [first] = await site.crowd(sale.event, 1);
	await site.pass(first);
	const visitor = await visit({ as: await site.person() });
	let broken = true;
	visitor.serverMayBeAway = true;
	await visitor.page.route("**/v1/queue/events*", (route) => {
		broken = true;
		return route.abort();
	});
	await visitor.page.route("**/v1/queue", async (route) => {
		const poll = { came: Date.now(), broken };
		broken = false;
		const reply = await route.fetch();
		polls.push(poll);
		poll.allowed = Date.now() + AFTER_MS;
		await route.fulfill({ response: reply, json: { ...await reply.json(), poll_after_ms: AFTER_MS } });
	});
	// The first after a stream that broke may come at once.
	const judged = () => polls.slice(1).flatMap((poll, i) => poll.broken ? [] : [poll.came - polls[i].allowed]);
	await visitor.at(`#/line/${sale.event}`);
	await until("three polls after others", () => judged().length >= 3);
	await visitor.page.unrouteAll({ behavior: "wait" });
	for (const late of judged())
		assert.ok(late >= -20, `a poll came ${-late} ms early`);
});

webTest("a page of which a part did not come starts again", async ({ visit }) => {
	const t = await words("en"), visitor = await visit();
	visitor.serverMayBeAway = true;
	let missing = 0;
	await visitor.page.route("**/web/js/line.js", (route) => ++missing <= 2 ? route.abort() : route.fallback());
	await visitor.go("/");
	await visitor.page.getByRole("heading", { level: 1, name: t("events.title") }).waitFor();
	assert.ok(missing > 2);
	assert.strictEqual(await visitor.page.evaluate(() => sessionStorage.getItem("onsale.tries")), null);
});
