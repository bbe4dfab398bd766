// The waiting room: a place that nothing takes away but leaving, and words that are true of it.
"use strict";
const assert = require("node:assert");
const { webTests, words, until } = require("./support");

const webTest = webTests();

// A line that stands still: one person is at the seats, `ahead` wait, and then whoever joins.
async function standing(site, ahead) {
	const sale = await site.sale({ title: "The long night", queue: { enabled: true, capacity: 1 } });
	const [first] = await site.crowd(sale.event, 1);
	await site.pass(first);
	return { ...sale, first, others: ahead > 0 ? await site.crowd(sale.event, ahead) : [] };
}

// Who is first in line goes, so that all others move up by one.
function moveUp(site, sale) {
	return site.ask("DELETE", "/v1/queue", { token: sale.others.shift().token });
}

async function join(visitor, t, sale) {
	await visitor.at(`#/event/${sale.event}`);
	await visitor.page.getByRole("link", { name: t("event.join") }).click();
}

function shows(page, position) {
	return page.waitForFunction((text) => document.querySelector(".position")?.textContent === text, String(position));
}

function says(visitor, text, page = visitor.page) {
	return page.getByRole("status").filter({ hasText: text }).first().waitFor();
}

function saysNoMore(visitor, text, page = visitor.page) {
	return page.getByRole("status").filter({ hasText: text }).first().waitFor({ state: "hidden" });
}

async function lineOf(site, sale) {
	return site.ask("GET", `/v1/events/${sale.event}/queue`);
}

webTest("a reload keeps the place and the order", async ({ site, visit }) => {
	const t = await words("en"), sale = await standing(site, 4), person = await site.person();
	const visitor = await visit({ as: person });
	await join(visitor, t, sale);
	await shows(visitor.page, 5);
	const behind = await site.crowd(sale.event, 2);
	for (let i = 0; i < 3; i++) {
		await visitor.page.reload();
		await shows(visitor.page, 5);
	}
	const mine = await site.ask("POST", `/v1/events/${sale.event}/queue`, { jwt: person.jwt });
	assert.strictEqual(mine.position, 5);
	const places = [];
	for (const { token } of behind)
		places.push((await site.ask("GET", "/v1/queue", { token })).position);
	assert.deepStrictEqual(places, [6, 7]);
	await visitor.picture("waiting room");
});

webTest("the position, the bar and the header move with the line", async ({ site, visit }) => {
	const t = await words("en"), sale = await standing(site, 3);
	const visitor = await visit({ as: await site.person() });
	const bar = visitor.page.getByRole("progressbar", { name: t("line.progress") });
	const share = async () => Number(await bar.getAttribute("aria-valuenow"));
	await join(visitor, t, sale);
	let last = -1;
	for (const position of [4, 3, 2, 1]) {
		await shows(visitor.page, position);
		assert.ok((await share()) > last, `the bar stands at ${await share()} after ${last}`);
		last = await share();
		await visitor.page.getByRole("banner").getByRole("link", { name: t("header.waiting", { position }) }).waitFor();
		if (position > 1)
			await moveUp(site, sale);
	}
	await visitor.page.getByRole("heading", { level: 1, name: t("line.nextTitle") }).waitFor();
});

webTest("a server that restarts while somebody waits keeps the place, and the page says so meanwhile",
	async ({ site, visit }) => {
		const t = await words("en"), sale = await standing(site, 2);
		const visitor = await visit({ as: await site.person() });
		await join(visitor, t, sale);
		await shows(visitor.page, 3);
		visitor.serverMayBeAway = true;
		await site.stop();
		await says(visitor, t("line.away"));
		await shows(visitor.page, 3);
		await visitor.picture("the server is away");
		await site.start();
		await saysNoMore(visitor, t("line.away"));
		await shows(visitor.page, 3);
		await moveUp(site, sale);
		await shows(visitor.page, 2);
	});

webTest("an answer that is old is called old, and the place is there again afterwards", async ({ site, visit }) => {
	const t = await words("en"), sale = await standing(site, 2);
	const visitor = await visit({ as: await site.person() });
	await join(visitor, t, sale);
	await shows(visitor.page, 3);
	await site.world.stop(site.world.redis);
	await says(visitor, t("line.stale"));
	await shows(visitor.page, 3);
	await visitor.picture("an old answer");
	await site.world.startRedis();
	await saysNoMore(visitor, t("line.stale"));
	await shows(visitor.page, 3);
});

webTest("who is offline is told so, and waits on when back", async ({ site, visit }) => {
	const t = await words("en"), sale = await standing(site, 2);
	const visitor = await visit({ as: await site.person() });
	await join(visitor, t, sale);
	await shows(visitor.page, 3);
	visitor.offline = true;
	await visitor.context.setOffline(true);
	await says(visitor, t("line.offline"));
	await moveUp(site, sale);
	await visitor.context.setOffline(false);
	await saysNoMore(visitor, t("line.offline"));
	await shows(visitor.page, 2);
});

webTest("a page that slept knows afterwards how far the line went", async ({ site, visit }) => {
	const t = await words("en"), sale = await standing(site, 3);
	const visitor = await visit({ as: await site.person() });
	await join(visitor, t, sale);
	await shows(visitor.page, 4);
	const devtools = await visitor.context.newCDPSession(visitor.page);
	await devtools.send("Page.setWebLifecycleState", { state: "frozen" });
	await moveUp(site, sale);
	await moveUp(site, sale);
	await until("the line to have moved", async () => (await lineOf(site, sale)).waiting === 2);
	await devtools.send("Page.setWebLifecycleState", { state: "active" });
	await shows(visitor.page, 2);
});

webTest("a second tab shows the same place, and goes on when the first is closed", async ({ site, visit }) => {
	const t = await words("en"), sale = await standing(site, 3);
	const visitor = await visit({ as: await site.person() });
	await join(visitor, t, sale);
	await shows(visitor.page, 4);
	const second = await visitor.newPage();
	await visitor.at(`#/line/${sale.event}`, second);
	await shows(second, 4);
	assert.strictEqual((await lineOf(site, sale)).waiting, 4);
	await moveUp(site, sale);
	await shows(second, 3);
	await shows(visitor.page, 3);
	await visitor.page.close();
	await moveUp(site, sale);
	await shows(second, 2);
});

webTest("who leaves is asked first; the place is gone at once, in every tab", async ({ site, visit }) => {
	const t = await words("en"), sale = await standing(site, 1);
	const visitor = await visit({ as: await site.person() });
	await join(visitor, t, sale);
	await shows(visitor.page, 2);
	const second = await visitor.newPage();
	await visitor.at(`#/line/${sale.event}`, second);
	await shows(second, 2);
	const dialog = visitor.page.getByRole("dialog", { name: t("line.leaveAsk") });
	await visitor.page.getByRole("button", { name: t("line.leave") }).click();
	await dialog.getByRole("button", { name: t("line.stay") }).click();
	await dialog.waitFor({ state: "hidden" });
	assert.strictEqual((await lineOf(site, sale)).waiting, 2);
	await visitor.page.getByRole("button", { name: t("line.leave") }).click();
	await dialog.getByRole("button", { name: t("line.leave") }).click();
	for (const page of [visitor.page, second])
		await page.getByRole("heading", { level: 1, name: sale.title }).waitFor();
	await until("the place to be given back", async () => (await lineOf(site, sale)).waiting === 1);
	await visitor.page.getByRole("link", { name: t("event.join") }).waitFor();
});

webTest("a place that has ended is told so, with the way to join again", async ({ site, visit }) => {
	const t = await words("en"), sale = await standing(site, 1), person = await site.person();
	const visitor = await visit({ as: person });
	await join(visitor, t, sale);
	await shows(visitor.page, 2);
	const { token } = await site.ask("POST", `/v1/events/${sale.event}/queue`, { jwt: person.jwt });
	await site.ask("DELETE", "/v1/queue", { token });
	await visitor.page.getByRole("heading", { level: 1, name: t("line.ended.lost") }).waitFor();
	await visitor.picture("a place that ended");
	await visitor.page.getByRole("button", { name: t("line.again") }).click();
	await shows(visitor.page, 2);
});

webTest("the operator's message and pause are seen, and seen to end", async ({ site, visit }) => {
	const t = await words("en"), sale = await standing(site, 1);
	const visitor = await visit({ as: await site.person() });
	await join(visitor, t, sale);
	await shows(visitor.page, 2);
	await site.steer(sale.event, { paused: true, message: "The doors open in ten minutes." });
	await says(visitor, "The doors open in ten minutes.");
	await says(visitor, t("line.paused"));
	await visitor.picture("paused with a message");
	await site.steer(sale.event, { paused: false, message: "" });
	await saysNoMore(visitor, "The doors open in ten minutes.");
	await saysNoMore(visitor, t("line.paused"));
});

webTest("whose turn it is comes to the seats, with the time that is left in the header", async ({ site, visit }) => {
	const t = await words("en"), sale = await standing(site, 0);
	const visitor = await visit({ as: await site.person() });
	await join(visitor, t, sale);
	await shows(visitor.page, 1);
	await site.ask("DELETE", "/v1/queue", { token: sale.first.token });
	await visitor.page.waitForURL(`**/#/seats/${sale.event}/${sale.performances[0].id}`);
	await visitor.page.getByRole("banner").getByText(t("header.pass")).waitFor();
});

webTest("reduced motion is heeded", async ({ site, visit }) => {
	const t = await words("en"), sale = await standing(site, 2), moving = [];
	for (const reducedMotion of ["no-preference", "reduce"]) {
		const visitor = await visit({ as: await site.person(), reducedMotion });
		await join(visitor, t, sale);
		await visitor.page.locator(".position").waitFor();
		moving.push(await visitor.page.evaluate(() => [...document.querySelectorAll("*")].filter((element) => {
			const { animationName, animationDuration, transitionDuration } = getComputedStyle(element);
			const long = (text) => text.split(",").some((part) => parseFloat(part) > 0.02);
			return (animationName !== "none" && long(animationDuration)) || long(transitionDuration);
		}).length));
	}
	assert.ok(moving[0] > 0, "nothing moves, whatever is preferred");
	assert.strictEqual(moving[1], 0);
});

webTest("by keys alone: into the line, out of it, and the balance charged", async ({ site, visit }) => {
	const t = await words("en"), sale = await standing(site, 1), person = await site.person();
	const visitor = await visit(), { page } = visitor;
	await visitor.at("#/login");
	await visitor.tabTo(page.getByLabel(t("login.email")));
	await page.keyboard.type(person.email);
	await visitor.tabTo(page.getByLabel(t("login.password")));
	await page.keyboard.type(person.password);
	await page.keyboard.press("Enter");
	await page.getByRole("banner").getByRole("button", { name: t("header.logout") }).waitFor();
	await visitor.at(`#/event/${sale.event}`);
	await visitor.press(page.getByRole("link", { name: t("event.join") }));
	await shows(page, 2);
	await visitor.press(page.getByRole("button", { name: t("line.leave") }));
	await page.getByRole("dialog", { name: t("line.leaveAsk") }).waitFor();
	await page.keyboard.press("Escape");
	await shows(page, 2);
	await visitor.press(page.getByRole("button", { name: t("line.leave") }));
	await visitor.press(page.getByRole("dialog").getByRole("button", { name: t("line.leave") }));
	await page.getByRole("heading", { level: 1, name: sale.title }).waitFor();
	await visitor.press(page.getByRole("link", { name: t("header.account") }));
	await visitor.tabTo(page.getByLabel(t("account.amount", { currency: "KRW" })));
	await page.keyboard.type("70000");
	await page.keyboard.press("Enter");
	await page.getByRole("status").filter({ hasText: "70,000" }).waitFor();
	assert.strictEqual((await site.ask("GET", "/v1/me/balance", { jwt: person.jwt })).balance, 70000);
});
