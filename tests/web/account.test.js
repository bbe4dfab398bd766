// Who somebody is, and their money: work before a sign-up, charges that happen once whatever becomes of the reply,
// refunds that are asked for twice, and log-ins that lead back to where somebody was.
"use strict";
const assert = require("node:assert");
const { webTests, words, until, PASSWORD } = require("./support");

const webTest = webTests({ flags: ["--signup.proof_bits=13"] });

// The harness signs people up without a page, and so without the work.
async function person(site, balance = 0) {
	const [jwt] = site.world.people(1, balance);
	const { email } = await site.ask("GET", "/v1/me", { jwt });
	return { jwt, email };
}

async function charge(visitor, t, amount) {
	await visitor.page.getByLabel(t("account.amount", { currency: "KRW" })).fill(amount);
	return visitor.page.getByRole("button", { name: t("account.submit"), exact: true });
}

async function ledgerOf(site, jwt) {
	const { items } = await site.ask("GET", "/v1/me/ledger?limit=200", { jwt });
	return items.filter((entry) => entry.kind === "charge").map((entry) => entry.amount);
}

webTest("who signs up works for it, and is told what was wrong where it was wrong", async ({ visit, site }) => {
	const t = await words("en"), visitor = await visit(), { page } = visitor;
	await visitor.at("#/account");
	await page.getByRole("link", { name: t("login.signup") }).click();
	const email = page.getByLabel(t("login.email")), password = page.getByLabel(t("login.password"));
	const submit = page.getByRole("button", { name: t("signup.submit") });
	await email.fill("Worker@onsale.test");
	await password.fill("short");
	await submit.click();
	await page.getByText(t("form.password")).waitFor();
	assert.strictEqual(await password.getAttribute("aria-invalid"), "true");
	assert.ok(await password.evaluate((input) => input === document.activeElement));
	await password.fill(PASSWORD);
	const sent = page.waitForRequest((request) => request.url().endsWith("/v1/users") && request.method() === "POST");
	await submit.click();
	assert.match((await sent).postDataJSON().proof.nonce, /^\w+$/);
	await page.getByRole("heading", { level: 1, name: t("account.title") }).waitFor();
	await page.getByText("Worker@onsale.test", { exact: false }).first().waitFor();
	await page.getByRole("button", { name: t("header.logout") }).click();
	await visitor.at("#/signup");
	await email.fill("worker@onsale.test");
	await password.fill(PASSWORD);
	await submit.click();
	await page.getByRole("alert").filter({ hasText: t("error.email_taken") }).waitFor();
	assert.strictEqual((await site.call("POST", "/v1/users", { body: { email: "x@onsale.test", password: PASSWORD } })).status, 403);
});

webTest("a charge that is pressed twice happens once, and twice asked for happens twice", async ({ visit, site }) => {
	const t = await words("en"), who = await person(site), visitor = await visit({ as: who });
	await visitor.at("#/account");
	await (await charge(visitor, t, "30,000")).dblclick();
	await visitor.page.getByText(t("account.charged", { amount: "₩30,000" })).first().waitFor();
	await (await charge(visitor, t, "30000")).click();
	await visitor.page.locator("tbody tr").nth(1).waitFor();
	assert.deepStrictEqual(await ledgerOf(site, who.jwt), [30000, 30000]);
	await (await charge(visitor, t, "nothing")).click();
	await visitor.page.getByText(t("form.amount")).waitFor();
	assert.deepStrictEqual(await ledgerOf(site, who.jwt), [30000, 30000]);
});

webTest("a charge whose reply is lost is finished after a reload, once", async ({ visit, site }) => {
	const t = await words("en"), who = await person(site), visitor = await visit({ as: who }), { page } = visitor;
	await visitor.at("#/account");
	visitor.serverMayBeAway = true;
	await page.route("**/v1/me/balance/charges", async (route) => {
		await route.fetch();
		await route.abort();
	}, { times: 1 });
	await (await charge(visitor, t, "70000")).click();
	await page.getByRole("alert").filter({ hasText: t("error.network") }).waitFor();
	assert.deepStrictEqual(await ledgerOf(site, who.jwt), [70000]);
	await page.reload();
	await page.getByText(t("account.unfinished")).waitFor();
	await visitor.picture("a charge that is not known");
	await page.getByRole("button", { name: t("account.submit"), exact: true }).click();
	await page.getByText(t("account.charged", { amount: "₩70,000" })).first().waitFor();
	assert.deepStrictEqual(await ledgerOf(site, who.jwt), [70000]);
	await page.reload();
	await visitor.settled();
	assert.strictEqual(await page.getByText(t("account.unfinished")).count(), 0);
});

webTest("a long past is read page by page", async ({ visit, site }) => {
	const t = await words("en"), who = await person(site), visitor = await visit({ as: who });
	for (let i = 1; i <= 23; i++)
		await site.ask("POST", "/v1/me/balance/charges", { jwt: who.jwt, key: site.newKey(), body: { amount: i * 1000 } });
	await visitor.at("#/account");
	const rows = visitor.page.locator("tbody tr"), more = visitor.page.getByRole("button", { name: t("account.more") });
	let answered = 0;
	visitor.page.on("requestfinished", (request) => answered += /ledger\?.*after=/.test(request.url()));
	assert.strictEqual(await rows.count(), 20);
	await more.evaluate((button) => {
		button.click();
		button.click();
	});
	await rows.nth(22).waitFor();
	await more.waitFor({ state: "hidden" });
	await until("both answers", () => answered === 2);
	const amounts = await rows.locator(".kind.came").allTextContents();
	assert.deepStrictEqual([amounts.length, new Set(amounts).size], [23, 23]);
});

webTest("tickets are given back after a second question, and the money is there again", async ({ visit, site }) => {
	const t = await words("en"), who = await person(site, 200000);
	const { performances: [{ id, seats }] } = await site.sale({ queue: { enabled: false } });
	const held = await site.ask("POST", "/v1/reservations", { jwt: who.jwt, key: site.newKey(),
		body: { performance_id: id, seat_ids: [seats[0].id] } });
	await site.ask("POST", `/v1/reservations/${held.id}/payment`, { jwt: who.jwt, key: site.newKey(), body: {} });
	const visitor = await visit({ as: who }), { page } = visitor;
	const ask = page.getByRole("button", { name: t("reservations.refund") }), dialog = page.getByRole("dialog");
	await visitor.at("#/reservations");
	await ask.click();
	await dialog.waitFor();
	await page.keyboard.press("Escape");
	await dialog.waitFor({ state: "hidden" });
	assert.strictEqual((await site.ask("GET", `/v1/reservations/${held.id}`, { jwt: who.jwt })).status, "paid");
	await ask.click();
	await dialog.getByRole("button", { name: t("reservations.refund") }).click();
	await page.getByRole("status").filter({ hasText: t("reservations.refunded", { amount: "₩50,000" }) }).waitFor();
	await page.getByText(t("reservations.cancelled"), { exact: true }).waitFor();
	assert.strictEqual((await site.ask("GET", "/v1/me/balance", { jwt: who.jwt })).balance, 200000);
});

webTest("who has to log in comes back to where they wanted to go, and the way back is no trap", async ({ visit, site }) => {
	const t = await words("en"), sale = await site.sale({}), visitor = await visit(), { page } = visitor;
	const operator = site.operator();
	await visitor.at("#/");
	await visitor.at(`#/event/${sale.event}`);
	await page.getByRole("link", { name: t("event.join") }).click();
	await page.getByLabel(t("login.email")).fill(operator.email);
	await page.getByLabel(t("login.password")).fill(PASSWORD);
	await page.getByRole("button", { name: t("login.submit") }).click();
	await page.waitForURL(`**/#/seats/${sale.event}/*`);
	await page.goBack();
	await page.getByRole("heading", { level: 1, name: sale.title }).waitFor();
});

webTest("a session that the server ended leads to the log-in; a log-out holds in every tab", async ({ visit, site }) => {
	const t = await words("en"), who = await person(site), visitor = await visit({ as: who }), { page } = visitor;
	await visitor.at("#/reservations");
	const second = await visitor.newPage();
	await visitor.at("#/account", second);
	await site.ask("DELETE", "/v1/sessions/current", { jwt: who.jwt });
	await page.getByRole("link", { name: t("header.account") }).click();
	await page.getByRole("heading", { level: 1, name: t("login.title") }).waitFor();
	await second.getByRole("heading", { level: 1, name: t("login.title") }).waitFor();
	await until("nobody to be logged in", async () => (await second.getByRole("link", { name: t("header.login") }).count()) === 1);
});
