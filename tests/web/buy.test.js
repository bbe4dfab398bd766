// From nobody to somebody with a paid seat: at a desk with a mouse, on a phone by touch and in Korean, and by keys
// alone. What the page says at the end the API says, too.
"use strict";
const assert = require("node:assert");
const { webTests, words, PHONE, PASSWORD } = require("./support");

const webTest = webTests();
const PRICE = 50000;

// How somebody gets on: what a mouse, a finger or the keyboard does. fill() types a text.
function byMouse() {
	return { press: (locator) => locator.click(), fill: (locator, text) => locator.fill(text) };
}

function byTouch() {
	return { press: (locator) => locator.tap(), fill: (locator, text) => locator.fill(text) };
}

function byKeys(visitor) {
	return {
		press: (locator) => visitor.press(locator),
		fill: async (locator, text) => {
			await visitor.tabTo(locator);
			await visitor.page.keyboard.type(text);
		},
	};
}

// --- the ways to seats ---

async function pickInTheList({ page }, hand, t) {
	await hand.press(page.getByRole("button", { name: t("seats.view_list"), exact: true }));
	await page.getByText(t("seat_list.row_free", { row: "A", free: 10, all: 10 })).click();
	for (const number of [4, 5])
		await hand.press(page.getByRole("group", { name: t("seat_list.row", { row: "A" }) }).getByRole("button")
			.nth(number - 1));
	await hand.press(page.getByRole("button", { name: t("seats.hold", { n: 2 }) }));
}

async function takeTheBest({ page }, hand, t) {
	await page.getByLabel(t("seats.quantity")).selectOption("2");
	await hand.press(page.getByRole("button", { name: t("seats.best_go") }));
}

async function walkTheMap(visitor, hand, t) {
	const { page } = visitor;
	await visitor.tabTo(page.getByRole("application", { name: t("seat_map.label") }));
	await page.keyboard.press("Home");
	for (const key of ["Enter", "ArrowRight", "Enter"])
		await page.keyboard.press(key);
	await hand.press(page.getByRole("button", { name: t("seats.hold", { n: 2 }) }));
}

// --- the way itself ---

async function signUp(page, hand, t, email) {
	await page.getByRole("heading", { level: 1, name: t("login.title") }).waitFor();
	await hand.press(page.getByRole("link", { name: t("login.signup") }));
	await hand.fill(page.getByLabel(t("signup.name")), "Kim Buyer");
	await hand.fill(page.getByLabel(t("login.email")), email);
	await hand.fill(page.getByLabel(t("login.password")), PASSWORD);
	await hand.press(page.getByRole("button", { name: t("signup.submit") }));
}

async function pay(page, hand, t) {
	await page.getByRole("heading", { level: 1, name: t("checkout.title") }).waitFor();
	const [charge, settle] = [t("checkout.charge"), t("checkout.pay")].map((text) =>
		page.getByRole("button", { name: new RegExp(`^${text.replace("{amount}", "\\D*100,000\\D*")}$`) }));
	await hand.press(charge);
	await hand.press(settle);
	await page.getByRole("heading", { level: 1, name: t("checkout.paid_title") }).waitFor();
}

// The person's own books after it, which nobody but the server keeps.
async function paidOnce(site, email, sale) {
	const { access_token: jwt } = await site.ask("POST", "/v1/sessions", { body: { email, password: PASSWORD } });
	const { items } = await site.ask("GET", "/v1/reservations", { jwt });
	assert.deepStrictEqual(items.map(({ status, total, seats }) => [status, total, seats.length]), [["paid", 2 * PRICE, 2]]);
	const me = await site.ask("GET", "/v1/me", { jwt });
	assert.deepStrictEqual([me.balance, me.points], [0, 2 * PRICE / 100]);
	const { seats } = await site.ask("GET", `/v1/performances/${sale.performances[0].id}/seats`);
	assert.strictEqual(seats.filter((seat) => seat.status === "sold").length, 2);
	const audit = await site.ask("GET", "/v1/admin/audit", { jwt: site.admin });
	assert.deepStrictEqual([audit.double_sold, audit.negative_balances, audit.ledger_imbalance], [0, 0, 0]);
}

async function buy(site, visitor, { language, hand, chooseSeats, title, email }) {
	const t = await words(language), { page } = visitor;
	const sale = await site.sale({ title });
	await visitor.at("#/");
	await hand.press(page.getByRole("link", { name: title }));
	await hand.press(page.getByRole("link", { name: t("event.join") }));
	await signUp(page, hand, t, email);
	await page.getByRole("heading", { level: 1, name: t("seats.title") }).waitFor();
	await page.getByRole("banner").getByText(t("header.pass")).waitFor();
	await visitor.picture(`buying ${email} seats`);
	await chooseSeats(visitor, hand, t);
	await pay(page, hand, t);
	await visitor.picture(`buying ${email} paid`);
	await hand.press(page.getByRole("main").getByRole("link", { name: t("checkout.to_reservations") }));
	await page.getByRole("heading", { level: 1, name: t("reservations.title") }).waitFor();
	await page.getByRole("listitem").filter({ hasText: title }).getByText(t("reservations.paid"), { exact: true }).waitFor();
	await paidOnce(site, email, sale);
}

webTest("from sign-up to a paid seat, with a mouse", async ({ site, visit }) => {
	await buy(site, await visit(), { language: "en", hand: byMouse(), chooseSeats: pickInTheList,
		title: "The long night", email: "mouse@onsale.test" });
});

webTest("from sign-up to a paid seat, on a phone and in Korean", async ({ site, visit }) => {
	await buy(site, await visit({ locale: "ko-KR", ...PHONE }), { language: "ko", hand: byTouch(), chooseSeats: takeTheBest,
		title: "긴 밤의 노래", email: "touch@onsale.test" });
});

webTest("from sign-up to a paid seat, by keys alone", async ({ site, visit }) => {
	const visitor = await visit();
	await buy(site, visitor, { language: "en", hand: byKeys(visitor), chooseSeats: walkTheMap,
		title: "Morning songs", email: "keys@onsale.test" });
});
