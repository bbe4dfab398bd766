// The two pictures that the README shows, of a real evening: some hundreds in line, and a hall that fills. They are
// made anew by each run, in the tests' output; make pictures puts them into tests/web/screenshots/.
"use strict";
const assert = require("node:assert");
const fs = require("node:fs");
const { webTests, words } = require("./support");

const webTest = webTests({ flags: ["--seat.per_user_max=0"] });
const SIZE = { width: 1200, height: 760 };
const MOST_BYTES = 120000;
const HALL = [
	{ name: "Stalls", rows: 9, seats_per_row: 40, price: 120000 },
	{ name: "Circle left", rows: 6, seats_per_row: 18, price: 90000 },
	{ name: "Circle right", rows: 6, seats_per_row: 18, price: 90000 },
	{ name: "Gallery", rows: 5, seats_per_row: 44, price: 60000 },
];

// The same numbers each time, so that the picture is the same each time.
function dice(seed) {
	return (most) => {
		seed = (seed * 1103515245 + 12345) % 2147483648;
		return Math.floor(seed / 2147483648 * most);
	};
}

// Others buy and hold, pairs and more next to each other, each coming through the line.
async function fill(site, sale, holds) {
	const [{ id, seats }] = sale.performances, roll = dice(7);
	const people = await site.crowd(sale.event, 20);
	for (const one of people)
		one.ticket = await site.pass(one);
	for (let i = 0; i < holds; i++) {
		const { jwt, ticket: pass } = people[i % people.length], first = roll(seats.length - 4), count = 1 + roll(4);
		const body = { performance_id: id, seat_ids: seats.slice(first, first + count).map((seat) => seat.id) };
		await site.call("POST", "/v1/reservations", { jwt, pass, key: site.newKey(), body }); // some come too late
	}
	for (const { jwt } of people.slice(0, 12))
		for (const { id: reservation } of (await site.ask("GET", "/v1/reservations?limit=100", { jwt })).items)
			await site.call("POST", `/v1/reservations/${reservation}/payment`, { jwt, key: site.newKey(), body: {} });
}

async function small(visitor, name) {
	const file = await visitor.picture(name);
	assert.ok(fs.statSync(file).size < MOST_BYTES, `${name} has ${fs.statSync(file).size} bytes`);
}

webTest("a picture of the waiting room", async ({ site, visit }) => {
	const t = await words("en");
	const sale = await site.sale({ title: "Midsummer Night Concert", venue: "Olympic Hall, Seoul", sections: HALL,
		queue: { enabled: true, capacity: 40, admit_per_second: 20 } });
	const before = await site.crowd(sale.event, 260);
	const visitor = await visit({ as: await site.person(), viewport: { ...SIZE, height: 710 }, reducedMotion: "reduce" });
	await visitor.at(`#/event/${sale.event}`);
	await visitor.page.getByRole("link", { name: t("event.join") }).click();
	await visitor.page.locator(".position").waitFor();
	await site.crowd(sale.event, 180);
	for (const { token } of before.slice(0, 110))
		await site.ask("DELETE", "/v1/queue", { token });
	await visitor.page.waitForFunction(() => Number(document.querySelector("[role=progressbar]")
		?.getAttribute("aria-valuenow")) > 30);
	await small(visitor, "waiting_room");
});

webTest("a picture of the seat map", async ({ site, visit }) => {
	const t = await words("en");
	const sale = await site.sale({ title: "Midsummer Night Concert", venue: "Olympic Hall, Seoul", sections: HALL,
		queue: { enabled: true, capacity: 100 }, dates: ["2099-06-12T10:30:00Z"] });
	await fill(site, sale, 150);
	const visitor = await visit({ as: await site.person({ balance: 500000 }), viewport: SIZE,
		reducedMotion: "reduce" });
	await visitor.at(`#/line/${sale.event}`);
	const map = visitor.page.getByRole("application", { name: t("seat_map.label") });
	await map.waitFor();
	await map.focus();
	for (const key of ["Shift+ArrowRight", "Enter", "Shift+ArrowRight", "Enter"])
		await visitor.page.keyboard.press(key);
	await visitor.page.getByRole("button", { name: t("seats.hold", { n: 2 }) }).waitFor();
	await visitor.page.getByRole("heading", { level: 1 }).click();
	await small(visitor, "seat_map");
});
