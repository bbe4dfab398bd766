// A hold that runs out while somebody looks at it: it says so, nothing is charged, and the way back is at hand.
"use strict";
const assert = require("node:assert");
const { webTests, words, until } = require("./support");
const { openHall, seatsPage, pickInList, holdButton, reservations, moneyOf } = require("./halls");

const webTest = webTests({ flags: ["--seat.hold_ttl_ms=8000"] });

// Of the one that they hold: it lapses so much from now, however long that takes them which comes first.
function lapsesIn(site, { id }, interval) {
	site.world.sql(`BEGIN; UPDATE seats SET hold_expires_at = now() + interval '${interval}' WHERE reservation_id = ${id};
		UPDATE reservations SET hold_expires_at = now() + interval '${interval}' WHERE id = ${id}; COMMIT`);
}

const isHeld = (one) => one.status === "held";

webTest("a hold that runs out says so and leads back to seats that are free again", async ({ site, visit }) => {
	const t = await words("en"), sale = await openHall(site), person = await site.person({ balance: 50000 });
	const visitor = await visit({ as: person }), { page } = visitor, [{ seats }] = sale.performances;
	await visitor.at(seatsPage(sale));
	await pickInList(page, t, seats[0]);
	await holdButton(page, t, 1).click();
	await page.getByRole("timer").waitFor();
	await page.getByRole("heading", { level: 1, name: t("checkout.expired_title") }).waitFor();
	await visitor.picture("expired");
	assert.deepStrictEqual((await reservations(site, person)).map((one) => one.status), ["expired"]);
	assert.deepStrictEqual(await moneyOf(site, person), ["charge 50000"]);
	await page.getByRole("link", { name: t("checkout.to_seats") }).click();
	await pickInList(page, t, seats[0]);
	await holdButton(page, t, 1).click();
	lapsesIn(site, await until("the second hold", async () => (await reservations(site, person)).find(isHeld)), "1 hour");
	await page.getByRole("button", { name: t("checkout.pay", { amount: "₩50,000" }), exact: true }).click();
	await page.getByRole("heading", { level: 1, name: t("checkout.paid_title") }).waitFor();
});

webTest("a payment that comes too late charges nothing", async ({ site, visit }) => {
	const t = await words("en"), sale = await openHall(site), person = await site.person({ balance: 50000 });
	const [performance] = sale.performances, { jwt } = person;
	const held = await site.ask("POST", "/v1/reservations", { jwt, key: site.newKey(),
		body: { performance_id: performance.id, seat_ids: [performance.seats[0].id] } });
	lapsesIn(site, held, "1 hour");
	const visitor = await visit({ as: person }), { page } = visitor;
	await visitor.at(`#/checkout/${held.id}`);
	await page.route("**/payment", async (route) => {
		lapsesIn(site, held, "0 seconds");
		await until("the hold to run out", async () => (await reservations(site, person))[0].status === "expired");
		await route.continue();
	});
	await page.getByRole("button", { name: t("checkout.pay", { amount: "₩50,000" }), exact: true }).click();
	await page.getByRole("heading", { level: 1, name: t("checkout.expired_title") }).waitFor();
	assert.deepStrictEqual(await moneyOf(site, person), ["charge 50000"]);
});
