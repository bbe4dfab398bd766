// The payment: money moves once, however often it is asked for and whatever becomes of the replies.
"use strict";
const assert = require("node:assert");
const { webTests, words, until } = require("./support");
const { openHall, seatsPage, reservations, moneyOf, watchKeys, loseReply } = require("./halls");

const webTest = webTests();
const PAYMENT = /\/payment$/;
const CHARGE = /\/charges$/;
const PRICE = 50000;
const WON = "₩50,000";

async function holding(site, { balance = 0, seats = 1 } = {}) {
	const sale = await openHall(site), person = await site.person({ balance });
	const [performance] = sale.performances;
	const held = await site.ask("POST", "/v1/reservations", { jwt: person.jwt, key: site.newKey(),
		body: { performance_id: performance.id, seat_ids: performance.seats.slice(0, seats).map((seat) => seat.id) } });
	return { sale, person, held, hash: `#/checkout/${held.id}` };
}

function payButton(page, t, amount = WON) {
	return page.getByRole("button", { name: t("checkout.pay", { amount }), exact: true });
}

function receipt(page, t) {
	return page.getByRole("heading", { level: 1, name: t("checkout.paid_title") }).waitFor();
}

// Paid, and once: by the ledger, the balance and the reservation.
async function paidOnce(site, person, { left = 0, entries }) {
	assert.deepStrictEqual(await moneyOf(site, person), entries);
	assert.strictEqual((await site.ask("GET", "/v1/me", { jwt: person.jwt })).balance, left);
	assert.deepStrictEqual((await reservations(site, person)).map((one) => one.status), ["paid"]);
}

const PRESSES = {
	"a double click on pay": (button) => button.dblclick(),
	"pressing pay three times at once": (button) => button.evaluate((element) => {
		for (let i = 0; i < 3; i++)
			element.click();
	}),
};

for (const [name, press] of Object.entries(PRESSES))
	webTest(`${name} pays once`, async ({ site, visit }) => {
		const t = await words("en"), { person, hash } = await holding(site, { balance: 3 * PRICE });
		const visitor = await visit({ as: person }), keys = watchKeys(visitor.context, PAYMENT);
		await visitor.at(hash);
		await press(payButton(visitor.page, t));
		await receipt(visitor.page, t);
		assert.strictEqual(keys.length, 1);
		await paidOnce(site, person, { left: 2 * PRICE, entries: ["charge 150000", "payment -50000"] });
		await visitor.picture(`receipt after ${name}`);
		assert.strictEqual(await visitor.page.getByRole("dialog").count(), 0);
		await visitor.page.reload();
		await receipt(visitor.page, t);
	});

for (const how of ["hangs", "unsent"])
	webTest(`a reload while it is being paid pays once (the first request ${how})`, async ({ site, visit }) => {
		const t = await words("en"), { person, hash } = await holding(site, { balance: PRICE });
		const visitor = await visit({ as: person }), keys = watchKeys(visitor.context, PAYMENT);
		const sent = await loseReply(visitor.context, PAYMENT, how);
		await visitor.at(hash);
		await payButton(visitor.page, t).click();
		await until("the payment to be sent", sent);
		if (how === "hangs")
			await until("the payment", async () => (await reservations(site, person))[0].status === "paid");
		await visitor.page.reload();
		await receipt(visitor.page, t);
		assert.deepStrictEqual(keys, how === "hangs" ? [keys[0]] : [keys[0], keys[0]]);
		await paidOnce(site, person, { entries: ["charge 50000", "payment -50000"] });
	});

webTest("a payment and a charge whose replies are lost are asked for again under their keys", async ({ site, visit }) => {
	const t = await words("en"), { person, hash } = await holding(site);
	const visitor = await visit({ as: person }), { page } = visitor;
	visitor.offline = true; // the browser says that a request failed
	const charges = watchKeys(visitor.context, CHARGE), payments = watchKeys(visitor.context, PAYMENT);
	await loseReply(visitor.context, CHARGE, "lost");
	await loseReply(visitor.context, PAYMENT, "lost");
	await visitor.at(hash);
	await page.getByRole("button", { name: t("checkout.charge", { amount: WON }), exact: true }).dblclick();
	await payButton(page, t).click();
	await receipt(page, t);
	assert.deepStrictEqual(charges, [charges[0], charges[0]]);
	assert.deepStrictEqual(payments, [payments[0], payments[0]]);
	assert.notStrictEqual(charges[0], payments[0]);
	await paidOnce(site, person, { entries: ["charge 50000", "payment -50000"] });
});

webTest("what was paid in another tab is paid", async ({ site, visit }) => {
	const t = await words("en"), { person, hash } = await holding(site, { balance: PRICE });
	const visitor = await visit({ as: person }), other = await visitor.newPage();
	await visitor.at(hash);
	await visitor.at(hash, other);
	await payButton(visitor.page, t).click();
	await receipt(visitor.page, t);
	await payButton(other, t).click();
	await receipt(other, t);
	await paidOnce(site, person, { entries: ["charge 50000", "payment -50000"] });
});

webTest("money that went elsewhere meanwhile is said, and charged, and the hold stands", async ({ site, visit }) => {
	const t = await words("en"), { person, hash, sale } = await holding(site, { balance: PRICE });
	const visitor = await visit({ as: person }), { page } = visitor, { jwt } = person;
	await visitor.at(hash);
	await payButton(page, t).waitFor();
	const [performance] = sale.performances;
	const second = await site.ask("POST", "/v1/reservations", { jwt, key: site.newKey(),
		body: { performance_id: performance.id, seat_ids: [performance.seats[5].id] } });
	await site.ask("POST", `/v1/reservations/${second.id}/payment`, { jwt, key: site.newKey(), body: {} });
	await payButton(page, t).click();
	await page.getByText(t("checkout.too_little")).waitFor();
	await visitor.picture("too little");
	await page.getByLabel(new RegExp("500")).check(); // the points of the other payment
	await page.getByRole("button", { name: t("checkout.charge", { amount: "₩49,500" }), exact: true }).click();
	await payButton(page, t, "₩49,500").click();
	await receipt(page, t);
	assert.deepStrictEqual(await moneyOf(site, person),
		["charge 49500", "charge 50000", "payment -49500", "payment -50000"]);
});

webTest("seats that are given back are free again", async ({ site, visit }) => {
	const t = await words("en"), { person, hash, sale } = await holding(site, { balance: PRICE, seats: 2 });
	const visitor = await visit({ as: person }), { page } = visitor;
	await visitor.at(hash);
	await page.getByRole("button", { name: t("checkout.cancel") }).click();
	await page.getByRole("dialog").getByRole("button", { name: t("checkout.cancel_no") }).click();
	await page.getByRole("button", { name: t("checkout.cancel") }).click();
	await page.getByRole("dialog").getByRole("button", { name: t("checkout.cancel_yes") }).click();
	await page.waitForURL((url) => url.hash === seatsPage(sale));
	await page.getByRole("heading", { level: 1, name: t("seats.title") }).waitFor();
	assert.deepStrictEqual((await reservations(site, person)).map((one) => one.status), ["cancelled"]);
	await visitor.at(hash);
	await page.getByRole("heading", { level: 1, name: t("checkout.cancelled_title") }).waitFor();
});
