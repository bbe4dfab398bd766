// What the tests of seats and payments share: a hall, its seats by name, and hands on the list view and the map.
"use strict";
const assert = require("node:assert");

// A seat as the page says it: "A, row B, seat 3", and in full with its price and state.
function seatName(t, seat) {
	return t("seats.name", { section: seat.section, row: seat.row, number: String(seat.number) });
}

function seatText(t, seat, state) {
	const price = new Intl.NumberFormat("en-US", { style: "currency", currency: "KRW" }).format(seat.price);
	return t("seats.name_full", { name: seatName(t, seat), price, state: t(`seats.state_${state}`) });
}

// A sale without a line: {event, performances: [{id, seats}]}
function openHall(site, sections = [{ name: "A", rows: 3, seats_per_row: 10, price: 50000 }]) {
	return site.sale({ title: "The long night", venue: "The great hall", queue: { enabled: false }, sections });
}

function seatsPage(sale) {
	return `#/seats/${sale.event}/${sale.performances[0].id}`;
}

// The list, with the row of this seat open.
async function openRow(page, t, seat) {
	await page.getByRole("button", { name: t("seats.view_list"), exact: true }).click();
	const group = page.getByRole("group", { name: t("seat_list.row", { row: seat.row }), exact: true });
	if (!(await group.isVisible()))
		await page.locator("summary").filter({ hasText: new RegExp(`^${t("seat_list.row", { row: seat.row })}:`) }).first().click();
	await group.waitFor();
}

async function pickInList(page, t, ...seats) {
	for (const seat of seats) {
		await openRow(page, t, seat);
		await page.getByRole("button", { name: seatText(t, seat, "free"), exact: true }).click();
	}
}

function holdButton(page, t, n) {
	return page.getByRole("button", { name: t("seats.hold", { n }), exact: true });
}

async function reservations(site, person) {
	return (await site.ask("GET", "/v1/reservations", { jwt: person.jwt })).items;
}

// Everything that happened to somebody's money: ["charge 50000", "payment -50000"].
async function moneyOf(site, person) {
	const { items } = await site.ask("GET", "/v1/me/ledger?limit=200", { jwt: person.jwt });
	return items.filter((entry) => entry.unit === "money").map((entry) => `${entry.kind} ${entry.amount}`).sort();
}

// The keys under which requests to a path (a pattern of its end) were sent, as they come.
function watchKeys(context, pattern) {
	const keys = [];
	context.on("request", (request) => {
		if (request.method() === "POST" && pattern.test(new URL(request.url()).pathname))
			keys.push(request.headers()["idempotency-key"]);
	});
	return keys;
}

// The first such request reaches the server, and its reply is lost ("lost") or never comes ("hangs"); "unsent" does
// not even reach it. The later ones go through.
async function loseReply(context, pattern, how) {
	let first = true;
	await context.route((url) => pattern.test(url.pathname), async (route) => {
		if (!first || route.request().method() !== "POST") {
			await route.continue();
			return;
		}
		first = false;
		if (how !== "unsent")
			assert.ok((await route.fetch()).status() < 300);
		if (how === "lost")
			await route.abort();
	});
	return () => !first;
}

module.exports = { seatName, seatText, openHall, seatsPage, openRow, pickInList, holdButton, reservations, moneyOf,
	watchKeys, loseReply };
