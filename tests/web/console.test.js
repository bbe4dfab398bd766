// The operators' console: who may come in, that it steers the line, that it shows what happens, and to whom it reads
// well. What it says it did is asked of the API, or seen at a shopper's page.
"use strict";
const assert = require("node:assert");
const { webTests, words, until, PHONE, PASSWORD } = require("./support");

const webTest = webTests();

// t("capacity") is what the console says for "console.capacity".
async function consoleWords(language = "en") {
	const t = await words(language);
	return (key, values) => t(`console.${key}`, values);
}

// --- operators ---

async function operator(site) {
	const { email, password } = site.operator();
	const { access_token: jwt } = await site.ask("POST", "/v1/sessions", { body: { email, password } });
	return { email, password, jwt };
}

// At an event's console, with its first figures.
async function watch(visitor, event, language) {
	const t = await consoleWords(language);
	await visitor.go(`/console#/event/${event}`);
	await visitor.page.getByText(t("state.stream"), { exact: true }).waitFor();
	return t;
}

async function atConsole(site, visit, event) {
	const visitor = await visit({ as: await operator(site) });
	const t = await watch(visitor, event);
	return { visitor, t, page: visitor.page };
}

const logIn = async (page, t, { email, password }) => {
	await page.getByLabel(t("email")).fill(email);
	await page.getByLabel(t("password")).fill(password);
	await page.getByRole("button", { name: t("log_in") }).click();
};

const tile = (page, name) => page.getByTestId(`tile-${name}`).locator(".big");

// The latest and the highest value of a chart's line, as its table says them.
async function values(page, chart, line) {
	const row = page.getByTestId(`chart-${chart}`).getByRole("row").filter({ hasText: line });
	return (await row.getByRole("cell").allTextContents()).map((text) => Number.parseFloat(text.replaceAll(",", "")));
}

// --- who may come in ---

webTest("a shopper is told that this is for operators, and an operator comes in", async ({ site, visit }) => {
	const { event, title } = await site.sale();
	const visitor = await visit({ as: await site.person() }), t = await consoleWords(), { page } = visitor;
	await visitor.go(`/console#/event/${event}`);
	await page.getByRole("heading", { level: 1, name: t("refused.head") }).waitFor();
	assert.strictEqual(await page.getByRole("button", { name: t("pause") }).count(), 0);
	await page.getByRole("button", { name: t("other_account") }).click();
	const who = site.operator();
	await logIn(page, t, { ...who, password: `${PASSWORD}!` });
	await page.getByRole("alert").filter({ hasText: /password/ }).waitFor();
	await logIn(page, t, who);
	await page.getByRole("heading", { level: 1, name: title }).waitFor();
	await page.getByText(t("state.stream"), { exact: true }).waitFor();
	await page.getByRole("button", { name: t("log_out") }).click();
	await page.getByLabel(t("password")).waitFor();
});

webTest("whoever is logged out elsewhere sees no more figures", async ({ site, visit }) => {
	const { event } = await site.sale();
	const who = await operator(site), visitor = await visit({ as: who });
	const t = await watch(visitor, event);
	await site.call("DELETE", "/v1/sessions/current", { jwt: who.jwt });
	await visitor.page.getByLabel(t("password")).waitFor();
	assert.strictEqual(await visitor.page.getByTestId("tile-waiting").count(), 0);
});

// --- steering ---

webTest("a pause stops the line, and who waits reads so", async ({ site, visit }) => {
	const { event } = await site.sale({ queue: { enabled: true, capacity: 1 } });
	await site.pass((await site.crowd(event, 1))[0]);
	const shopper = await visit({ as: await site.person() }), said = await words("en");
	await shopper.at(`#/event/${event}`);
	await shopper.page.getByRole("link", { name: said("event.join") }).click();
	await shopper.page.getByRole("heading", { level: 1, name: said("line.nextTitle") }).waitFor();
	const { page, t } = await atConsole(site, visit, event);
	await page.getByRole("button", { name: t("pause") }).click();
	await page.getByText(t("in_force_now", { text: t("now.paused.true") })).waitFor();
	assert.strictEqual((await site.ask("GET", `/v1/events/${event}/queue`)).paused, true);
	await shopper.page.getByText(said("line.paused")).first().waitFor();
	await page.getByRole("button", { name: t("resume") }).click();
	await page.getByText(t("is_open"), { exact: true }).waitFor();
	await shopper.page.getByText(said("line.paused")).first().waitFor({ state: "hidden" });
});

webTest("a greater capacity lets more people in, and the message comes to who waits", async ({ site, visit }) => {
	const { event } = await site.sale({ queue: { enabled: true, capacity: 1 } });
	await site.crowd(event, 3);
	const shopper = await visit({ as: await site.person() }), said = await words("en");
	await shopper.at(`#/event/${event}`);
	await shopper.page.getByRole("link", { name: said("event.join") }).click();
	await shopper.page.getByRole("heading", { level: 1, name: said("line.title") }).waitFor();
	const { page, t } = await atConsole(site, visit, event), apply = page.getByRole("button", { name: t("apply") });
	await until("one to be let in", async () => await tile(page, "inside").textContent() === "1");
	assert.ok(await apply.isDisabled(), "there is nothing to apply yet");

	await page.getByLabel(t("field.message")).fill("The doors open at nine");
	await apply.click();
	await page.getByText(t("in_force", { text: "The doors open at nine" })).waitFor();
	await shopper.page.getByText("The doors open at nine").waitFor();

	await page.getByLabel(t("field.capacity")).fill("3");
	await page.getByLabel(t("field.rate")).fill("60");
	await apply.click();
	await page.getByText(t("in_force_now", { text: [t("now.capacity", { n: 3 }), t("now.admit_per_second", { n: 60 })].join(" · ") }))
		.waitFor();
	await until("three to be let in", async () => await tile(page, "inside").textContent() === "3");
	const line = await site.ask("GET", `/v1/events/${event}/queue`);
	assert.deepStrictEqual([line.capacity, line.admit_per_second, line.active], [3, 60, 3]);
});

webTest("by keys alone; and a number that cannot be is not sent", async ({ site, visit }) => {
	const { event } = await site.sale();
	const { visitor, page, t } = await atConsole(site, visit, event);
	await visitor.tabTo(page.getByLabel(t("field.capacity")));
	await page.keyboard.type("0");
	await page.keyboard.press("Control+a");
	await page.keyboard.type("0");
	await visitor.press(page.getByRole("button", { name: t("apply") }));
	await page.getByText(t("number_wrong", { n: "1,000,000" })).waitFor();
	assert.strictEqual((await site.ask("GET", `/v1/events/${event}/queue`)).capacity, 10);
	await page.keyboard.press("Control+a");
	await page.keyboard.type("12");
	await page.keyboard.press("Enter");
	await page.getByText(t("in_force", { text: "12" })).waitFor();
	await visitor.press(page.getByRole("button", { name: t("pause") }), "Space");
	await page.getByText(t("is_paused")).waitFor();
});

webTest("what another operator changes is seen, and not overwritten by what stands in a field", async ({ site, visit }) => {
	const { event } = await site.sale();
	const { page, t } = await atConsole(site, visit, event);
	await page.getByLabel(t("field.rate")).fill("77");
	await site.steer(event, { capacity: 44, admit_per_second: 33 });
	await page.getByText(t("in_force", { text: "33" })).waitFor();
	assert.deepStrictEqual([await page.getByLabel(t("field.capacity")).inputValue(), await page.getByLabel(t("field.rate")).inputValue()],
		["44", "77"]);
});

// --- watching ---

// Joins, is let in, holds, loses a race, pays.
async function buy(site, { event, performances: [{ id, seats }] }, person, seat) {
	const place = await site.ask("POST", `/v1/events/${event}/queue`, person);
	const pass = place.pass || await site.pass(place);
	const hold = (key) => site.call("POST", "/v1/reservations", { ...person, pass, key,
		body: { performance_id: id, seat_ids: [seats[seat].id] } });
	const held = await hold(site.newKey());
	await hold(site.newKey());
	await site.ask("POST", `/v1/reservations/${held.json.id}/payment`, { ...person, key: site.newKey(), body: {} });
}

webTest("the charts have what happens while buyers move", async ({ site, visit }) => {
	const sale = await site.sale({ queue: { enabled: true, capacity: 2 } });
	const { visitor, page, t } = await atConsole(site, visit, sale.event);
	await until("two pictures", async () => await page.getByTestId("tile-arrivals").locator(".big").textContent() === "0");
	await site.pass((await site.crowd(sale.event, 1))[0]);
	for (const [seat, jwt] of site.world.people(3, 1000000).entries())
		await buy(site, sale, { jwt }, seat);
	await until("three sold", async () => (await values(page, "seats", t("line.sold")))[0] === 3);
	const charts = await page.evaluate(() => [...document.querySelectorAll("canvas")].map((canvas) =>
		window.Chart.getChart(canvas).data.datasets.map((set) => Math.max(...set.data.map(({ y }) => y)))));
	assert.deepStrictEqual([charts.length, charts[0].every((most) => most > 0), charts[3][0]], [8, true, 3]);
	for (const [chart, line] of [["flow", "arrivals"], ["flow", "admissions"], ["inside", "passes"], ["latency", "hold95"],
		["latency", "pay95"], ["locks", "lock_failures"]])
		assert.ok((await values(page, chart, t(`line.${line}`)))[1] > 0, `${chart}: ${line}`);
	assert.ok((await values(page, "refusals", t("code.seat_unavailable")))[1] > 0);
	assert.strictEqual(await tile(page, "revenue").textContent(), "₩150,000");
	assert.strictEqual(await tile(page, "sold").textContent(), "3");
	await visitor.picture("console with buyers", page, { fullPage: true });
});

webTest("books that are wrong are said so, and again when they are right", async ({ site, visit }) => {
	const { event } = await site.sale(), { email } = await site.person({ balance: 5 });
	const { page, t } = await atConsole(site, visit, event), ask = page.getByRole("button", { name: t("audit.ask") });
	const change = (by) => site.world.sql(`UPDATE accounts SET balance = balance ${by} FROM users
		WHERE users.id = accounts.user_id AND users.email = '${email}'`);
	await page.getByText(t("audit.right")).waitFor();
	change("+ 1");
	await ask.click();
	await page.getByRole("alert").filter({ hasText: t("alarm.audit") }).waitFor();
	const row = page.getByRole("row").filter({ hasText: t("audit.ledger_imbalance") });
	assert.strictEqual(await row.locator(".bad").textContent(), "1");
	change("- 1");
	await ask.click();
	await page.getByText(t("audit.right")).waitFor();
	assert.strictEqual(await page.getByText(t("alarm.audit")).count(), 0);
});

webTest("a Redis that does not answer is said, until it does again", async ({ site, visit }) => {
	const { event } = await site.sale();
	const { page, t } = await atConsole(site, visit, event), alarm = page.getByRole("alert").filter({ hasText: t("alarm.redis") });
	assert.strictEqual(await alarm.count(), 0);
	process.kill(site.world.redis.pid, "SIGSTOP");
	try {
		await alarm.waitFor();
		await page.getByText(t("breaker.open"), { exact: true }).waitFor();
	} finally {
		process.kill(site.world.redis.pid, "SIGCONT");
	}
	await alarm.waitFor({ state: "hidden" });
	await site.ready();
});

webTest("a server that goes away is said to, and its figures go on when it is back", async ({ site, visit }) => {
	const { event } = await site.sale();
	const { visitor, page, t } = await atConsole(site, visit, event);
	visitor.serverMayBeAway = true;
	const instance = await page.getByText(t("server.instance", { text: " " }).trim()).textContent();
	await site.stop();
	await page.getByText(t("state.away")).waitFor();
	await site.start();
	await page.getByText(t("state.stream"), { exact: true }).waitFor();
	assert.notStrictEqual(await page.getByText(t("server.instance", { text: " " }).trim()).textContent(), instance);
});

// --- to whom it reads well ---

// What stands on a Korean console as it is: names, and units.
const FOREIGN = ["onsale", "English", "Redis", "PostgreSQL", "ms", "xx"];

async function judge(visitor, language, phone) {
	const wider = await visitor.sideScroll();
	const instance = await visitor.page.evaluate(() => document.querySelector(".server .hint")?.textContent.split("의")[0] ?? "");
	return [
		...await visitor.axe(),
		...(wider > 0 ? [`${wider} px wider than the window`] : []),
		...(phone ? (await visitor.smallTargets()).map((html) => `small: ${html}`) : []),
		...(language === "ko" ? await visitor.latin([...FOREIGN, instance].filter((word) => word)) : []),
	];
}

for (const [name, { language, scheme, phone }] of Object.entries({
	"desk light English": { language: "en", scheme: "light", phone: false },
	"desk dark Korean": { language: "ko", scheme: "dark", phone: false },
	"phone light Korean": { language: "ko", scheme: "light", phone: true },
	"phone dark English": { language: "en", scheme: "dark", phone: true },
}))
	webTest(`the console: ${name}`, async ({ site, visit }) => {
		const sale = await site.sale({ title: "긴 밤의 노래 1", queue: { enabled: true, capacity: 1 } });
		await site.crowd(sale.event, 3);
		const options = { locale: { en: "en-US", ko: "ko-KR" }[language], colorScheme: scheme, ...(phone ? PHONE : {}) };
		const stranger = await visit(options), t = await consoleWords(language);
		await stranger.go("/console");
		await stranger.page.getByLabel(t("password")).waitFor();
		assert.deepStrictEqual(await judge(stranger, language, phone), []);
		const visitor = await visit({ as: await operator(site), ...options });
		await watch(visitor, sale.event, language);
		await visitor.page.getByText(t("audit.right")).waitFor();
		await visitor.page.evaluate(() => document.querySelectorAll("option").forEach((option) => option.selected || option.remove()));
		assert.deepStrictEqual(await judge(visitor, language, phone), []);
		await visitor.picture(`console ${name}`, visitor.page, { fullPage: true });
	});
