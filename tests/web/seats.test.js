// The seat map: picked by hand, by keys and by the server, raced for, and held once whatever happens on the way.
"use strict";
const assert = require("node:assert");
const { webTests, words, until, PHONE } = require("./support");
const { seatName, seatText, openHall, seatsPage, openRow, pickInList, holdButton, reservations, watchKeys,
	loseReply } = require("./halls");

const webTest = webTests({ flags: ["--seat.per_user_max=4"] });
const HOLD = /\/v1\/reservations$/;
const ARENA = [["Floor A", 25, 40, 150000], ["Floor B", 25, 40, 150000], ["Floor C", 25, 40, 150000],
	["Balcony", 20, 50, 90000], ["Gallery", 20, 50, 60000]].map(([name, rows, seats_per_row, price]) =>
	({ name, rows, seats_per_row, price }));

function hold(site, person, performance, seats) {
	return site.ask("POST", "/v1/reservations", { jwt: person.jwt, key: site.newKey(),
		body: { performance_id: performance.id, seat_ids: seats.map((seat) => seat.id) } });
}

function checkout(page, t) {
	return page.getByRole("heading", { level: 1, name: t("checkout.title") }).waitFor();
}

function alertOf(page, text) {
	return page.getByRole("alert").filter({ hasText: text }).waitFor();
}

function removeButton(page, t, seat) {
	return page.getByRole("button", { name: t("seats.remove", { name: seatName(t, seat) }), exact: true });
}

webTest("two people race for a seat: one has it, the other is told which went and keeps the rest",
	async ({ site, visit }) => {
		const t = await words("en"), sale = await openHall(site), [{ seats }] = sale.performances;
		const racers = [];
		for (const own of [seats[0], seats[9]]) {
			const person = await site.person(), visitor = await visit({ as: person });
			await visitor.at(seatsPage(sale));
			await pickInList(visitor.page, t, seats[4], own);
			racers.push({ person, page: visitor.page, own });
		}
		await Promise.all(racers.map(({ page }) => holdButton(page, t, 2).click()));
		for (const racer of racers) {
			const lost = alertOf(racer.page, t("seats.lost", { n: 1, names: seatName(t, seats[4]) })).then(() => false);
			racer.won = await Promise.race([checkout(racer.page, t).then(() => true), lost]);
		}
		const [winner, loser] = [...racers].sort((a, b) => b.won - a.won);
		assert.deepStrictEqual([winner.won, loser.won], [true, false]);
		await loser.page.getByText(t("seats.lost_rest", { n: 1 })).waitFor();
		await removeButton(loser.page, t, loser.own).waitFor();
		assert.strictEqual(await removeButton(loser.page, t, seats[4]).count(), 0);
		assert.deepStrictEqual(await reservations(site, loser.person), []);
		await holdButton(loser.page, t, 1).click();
		await checkout(loser.page, t);
		assert.deepStrictEqual((await reservations(site, winner.person))[0].seats.map((seat) => seat.id).sort((a, b) => a - b),
			[seats[4].id, winner.own.id].sort((a, b) => a - b));
		assert.deepStrictEqual((await reservations(site, loser.person))[0].seats.map((seat) => seat.id), [loser.own.id]);
	});

webTest("a seat that the server refuses is named, though the map has not heard of it yet", async ({ site, visit }) => {
	const t = await words("en"), sale = await openHall(site), [performance] = sale.performances;
	const person = await site.person(), visitor = await visit({ as: person }), { page } = visitor;
	await page.route("**/seats/status", () => {}); // as slow as can be
	await visitor.at(seatsPage(sale));
	await pickInList(page, t, performance.seats[2], performance.seats[3]);
	await hold(site, await site.person(), performance, [performance.seats[3]]);
	await holdButton(page, t, 2).click();
	await alertOf(page, t("seats.lost", { n: 1, names: seatName(t, performance.seats[3]) }));
	await removeButton(page, t, performance.seats[2]).waitFor();
	await page.getByRole("button", { name: seatText(t, performance.seats[3], "held"), exact: true }).waitFor();
	await visitor.picture("a lost race");
});

webTest("seats change on the map while one looks, and a picked one that goes is named", async ({ site, visit }) => {
	const t = await words("en"), sale = await openHall(site), [performance] = sale.performances;
	const other = await site.person(), [first, second] = performance.seats;
	const visitor = await visit({ as: await site.person() }), { page } = visitor;
	await visitor.at(seatsPage(sale));
	await pickInList(page, t, second);
	await hold(site, other, performance, [first]);
	await page.getByRole("button", { name: seatText(t, first, "held"), exact: true }).waitFor();
	await hold(site, other, performance, [second]);
	await alertOf(page, t("seats.lost", { n: 1, names: seatName(t, second) }));
	const [{ id }] = await reservations(site, other);
	await site.ask("DELETE", `/v1/reservations/${id}`, { jwt: other.jwt });
	await page.getByRole("button", { name: seatText(t, second, "free"), exact: true }).waitFor();
});

webTest("a map that nobody keeps up to date says so, and is live again afterwards", async ({ site, visit }) => {
	const t = await words("en"), sale = await openHall(site), [performance] = sale.performances;
	const visitor = await visit({ as: await site.person() }), { page } = visitor;
	visitor.serverMayBeAway = true;
	await visitor.at(seatsPage(sale));
	await pickInList(page, t, performance.seats[1]);
	await site.stop();
	try {
		await page.getByRole("status").filter({ hasText: t("seats.away") }).waitFor();
	} finally {
		await site.start();
	}
	await page.getByRole("status").filter({ hasText: t("seats.live") }).waitFor();
	await hold(site, await site.person(), performance, [performance.seats[0]]);
	await page.getByRole("button", { name: seatText(t, performance.seats[0], "held"), exact: true }).waitFor();
	await removeButton(page, t, performance.seats[1]).waitFor();
});

webTest("a hold whose reply is lost is asked for again under its key", async ({ site, visit }) => {
	const t = await words("en"), sale = await openHall(site), [{ seats }] = sale.performances;
	const person = await site.person(), visitor = await visit({ as: person });
	visitor.offline = true; // the browser says that a request failed
	const keys = watchKeys(visitor.context, HOLD);
	await loseReply(visitor.context, HOLD, "lost");
	await visitor.at(seatsPage(sale));
	await pickInList(visitor.page, t, seats[0]);
	await holdButton(visitor.page, t, 1).click();
	await checkout(visitor.page, t);
	assert.strictEqual(keys.length, 2);
	assert.strictEqual(keys[0], keys[1]);
	assert.strictEqual((await reservations(site, person)).length, 1);
});

webTest("a reload while seats are being held goes on with the same hold", async ({ site, visit }) => {
	const t = await words("en"), sale = await openHall(site), [{ seats }] = sale.performances;
	const person = await site.person(), visitor = await visit({ as: person });
	const keys = watchKeys(visitor.context, HOLD);
	await loseReply(visitor.context, HOLD, "hangs");
	await visitor.at(seatsPage(sale));
	await pickInList(visitor.page, t, seats[0], seats[1]);
	await holdButton(visitor.page, t, 2).click();
	await until("the hold", async () => (await reservations(site, person)).length === 1);
	await visitor.page.reload();
	await checkout(visitor.page, t);
	assert.deepStrictEqual(keys, [keys[0], keys[0]]);
	assert.strictEqual((await reservations(site, person)).length, 1);
});

webTest("the server chooses by quantity, and in the section that was asked for", async ({ site, visit }) => {
	const t = await words("en"), person = await site.person();
	const sale = await openHall(site, [{ name: "A", rows: 2, seats_per_row: 10, price: 90000 },
		{ name: "B", rows: 2, seats_per_row: 10, price: 50000 }]);
	const visitor = await visit({ as: person }), { page } = visitor;
	await visitor.at(seatsPage(sale));
	await page.getByLabel(t("seats.quantity")).selectOption("3");
	await page.getByLabel(t("seats.section")).selectOption("B");
	await page.getByRole("button", { name: t("seats.best_go") }).click();
	await checkout(page, t);
	const [{ seats, total }] = await reservations(site, person);
	assert.deepStrictEqual(seats.map((seat) => seat.section), ["B", "B", "B"]);
	assert.strictEqual(total, 150000);
	await page.goBack();
	await page.getByRole("link", { name: t("seats.to_payment") }).waitFor();
});

webTest("left to the server anywhere, the dearest section comes first, whatever its name", async ({ site, visit }) => {
	const t = await words("en"), person = await site.person();
	const sale = await openHall(site, [{ name: "Balcony", rows: 2, seats_per_row: 10, price: 50000 },
		{ name: "Floor", rows: 2, seats_per_row: 10, price: 90000 }]);
	const visitor = await visit({ as: person }), { page } = visitor;
	await visitor.at(seatsPage(sale));
	await page.getByLabel(t("seats.quantity")).selectOption("2");
	await page.getByRole("button", { name: t("seats.best_go") }).click();
	await checkout(page, t);
	const [{ seats }] = await reservations(site, person);
	assert.deepStrictEqual(seats.map((seat) => seatName(t, seat)), [1, 2].map((number) =>
		seatName(t, { section: "Floor", row: "A", number })));
});

webTest("nobody is let pick more seats than one may have, those held included", async ({ site, visit }) => {
	const t = await words("en"), sale = await openHall(site), [performance] = sale.performances;
	const { seats } = performance, person = await site.person();
	const visitor = await visit({ as: person }), { page } = visitor;
	await visitor.at(seatsPage(sale));
	await pickInList(page, t, ...seats.slice(0, 5));
	await page.getByRole("status").filter({ hasText: t("seats.limit_person", { n: 4 }) }).waitFor();
	await holdButton(page, t, 4).waitFor();
	assert.strictEqual(await page.getByLabel(t("seats.quantity")).locator("option").count(), 4);
	await hold(site, person, performance, [seats[20]]);
	await holdButton(page, t, 4).click(); // what the page does not know of the server does
	await alertOf(page, t("seats.limit_person", { n: 4 }));
	await page.waitForFunction(() => document.querySelector("#best-quantity").length === 3);
	await removeButton(page, t, seats[0]).click();
	await holdButton(page, t, 3).click();
	await checkout(page, t);
});

webTest("without a pass the way leads to the line; a pass that is over is said, and the picked seats stay",
	async ({ site, visit }) => {
		const t = await words("en"), person = await site.person();
		const sale = await site.sale({ queue: { enabled: true, capacity: 10 } });
		const [{ id, seats }] = sale.performances;
		const visitor = await visit({ as: person }), { page } = visitor;
		await visitor.at(`#/seats/${sale.event}/${id}`);
		await pickInList(page, t, seats[0]);
		await page.getByRole("link", { name: t("seats.to_line") }).click();
		await page.waitForURL((url) => url.hash === `#/line/${sale.event}`);
		await page.waitForURL((url) => url.hash === `#/seats/${sale.event}/${id}`); // it is their turn at once
		await holdButton(page, t, 1).waitFor();
		const { token } = await site.ask("POST", `/v1/events/${sale.event}/queue`, { jwt: person.jwt });
		await site.ask("DELETE", "/v1/queue", { token });
		await holdButton(page, t, 1).click();
		await page.getByText(t("seats.queue_pass_invalid")).waitFor();
		await removeButton(page, t, seats[0]).waitFor();
		await page.getByRole("link", { name: t("seats.to_line") }).first().waitFor();
		assert.deepStrictEqual(await reservations(site, person), []);
	});

// Two fingers that part around a place.
async function pinch(visitor, x, y) {
	const session = await visitor.context.newCDPSession(visitor.page);
	const touch = (type, apart) => session.send("Input.dispatchTouchEvent", { type,
		touchPoints: apart === null ? [] : [{ x: x - apart, y, id: 0 }, { x: x + apart, y, id: 1 }] });
	await touch("touchStart", 20);
	for (let apart = 25; apart <= 80; apart += 5)
		await touch("touchMove", apart);
	await touch("touchEnd", null);
}

function zoomed(page, t) {
	return page.getByRole("button", { name: t("seat_map.whole") }).and(page.locator(":enabled")).waitFor();
}

// Until the page has seen what a hand did: input comes before frames.
function painted(page) {
	return page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve()))));
}

async function whole(page, t) {
	const button = page.getByRole("button", { name: t("seat_map.whole") });
	await button.click();
	await button.and(page.locator(":disabled")).waitFor();
}

webTest("the map comes nearer by wheel, button and two fingers, and shows the whole hall again", async ({ site, visit }) => {
	const t = await words("en"), sale = await openHall(site, ARENA);
	const desk = await visit({ as: await site.person() }), phone = await visit({ as: await site.person(), ...PHONE });
	await desk.at(seatsPage(sale));
	const box = await desk.page.getByRole("application").boundingBox();
	await desk.page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
	await desk.page.mouse.wheel(0, -200);
	await zoomed(desk.page, t);
	await whole(desk.page, t);
	await desk.page.getByRole("button", { name: t("seat_map.zoom_in") }).click();
	await zoomed(desk.page, t);
	await phone.at(seatsPage(sale));
	const small = await phone.page.getByRole("application").boundingBox();
	await pinch(phone, small.x + small.width / 2, small.y + 150);
	await zoomed(phone.page, t);
	await whole(phone.page, t);
	await phone.page.getByText(t("seats.none_picked")).waitFor();
});

webTest("the map is picked from by mouse and by finger", async ({ site, visit }) => {
	const t = await words("en"), sale = await openHall(site);
	const visitor = await visit({ as: await site.person() }), { page } = visitor;
	await visitor.at(seatsPage(sale));
	const map = page.getByRole("application", { name: t("seat_map.label") });
	const { x, y, width, height } = await map.boundingBox(), tip = map.locator(".seat-tip");
	for (let at = y + height - 5; at > y && !(await tip.isVisible()); at -= 8) {
		await page.mouse.move(x + width / 2, at);
		await painted(page);
	}
	const name = (await tip.textContent()).replace(t("seats.state_free"), "");
	await page.mouse.down();
	await page.mouse.up();
	await page.getByRole("list").filter({ hasText: name.split(", ₩")[0] }).waitFor();
	await holdButton(page, t, 1).waitFor();

	const arena = await openHall(site, ARENA), phone = await visit({ as: await site.person(), ...PHONE });
	await phone.at(seatsPage(arena));
	const box = await phone.page.getByRole("application").boundingBox();
	const tap = () => phone.page.touchscreen.tap(box.x + box.width / 2, box.y + box.height / 2);
	await tap(); // the seats are too small for a finger: nearer first
	await zoomed(phone.page, t);
	await phone.page.getByText(t("seats.none_picked")).waitFor();
	await until("a seat picked", async () => {
		await tap();
		await painted(phone.page);
		return holdButton(phone.page, t, 1).isVisible();
	});
	await phone.picture("phone near");
	await holdButton(phone.page, t, 1).waitFor();
});

webTest("the seats that are picked stay picked over a reload", async ({ site, visit }) => {
	const t = await words("en"), sale = await openHall(site), [{ seats }] = sale.performances;
	const visitor = await visit({ as: await site.person() }), { page } = visitor;
	await visitor.at(seatsPage(sale));
	await pickInList(page, t, seats[0], seats[7]);
	await page.reload();
	await removeButton(page, t, seats[7]).waitFor();
	await holdButton(page, t, 2).waitFor();
});

webTest("by keyboard alone, from the map to a paid seat", async ({ site, visit }) => {
	const t = await words("en"), sale = await openHall(site), person = await site.person(), [{ seats }] = sale.performances;
	await hold(site, await site.person(), sale.performances[0], [seats[12]]);
	const visitor = await visit({ as: person }), { page } = visitor;
	await visitor.at(seatsPage(sale));
	const map = page.getByRole("application", { name: t("seat_map.label") });
	const said = (seat, state) => page.getByRole("status").filter({ hasText: seatText(t, seat, state) }).waitFor({ state: "attached" });
	await visitor.tabTo(map);
	await page.keyboard.press("Home");
	await said(seats[0], "free");
	await page.keyboard.press("ArrowDown");
	await said(seats[10], "free");
	await page.keyboard.press("ArrowRight");
	await page.keyboard.press("ArrowRight");
	await said(seats[12], "held");
	await page.keyboard.press("Enter"); // not to be had
	await page.keyboard.press("ArrowLeft");
	await page.keyboard.press("Shift+ArrowRight");
	await said(seats[13], "free");
	await page.keyboard.press("Enter");
	await said(seats[13], "picked");
	await page.keyboard.press("End");
	await page.keyboard.press(" ");
	await said(seats[19], "picked");
	await visitor.picture("picked by keyboard");
	await visitor.press(removeButton(page, t, seats[19]));
	await visitor.press(holdButton(page, t, 1));
	await checkout(page, t);
	await visitor.press(page.getByRole("button", { name: t("checkout.charge", { amount: "₩50,000" }) }));
	await page.getByRole("button", { name: t("checkout.pay", { amount: "₩50,000" }) }).waitFor();
	await page.keyboard.press("Enter"); // the focus stays where it was
	await page.getByRole("heading", { level: 1, name: t("checkout.paid_title") }).waitFor();
	await page.waitForFunction(() => document.activeElement.tagName === "H1");
	const [paid] = await reservations(site, person);
	assert.strictEqual(paid.status, "paid");
	assert.deepStrictEqual(paid.seats.map((seat) => seat.id), [seats[13].id]);
});

// Frames while something is done: [milliseconds from one to the next].
async function framesDuring(page, act) {
	await page.evaluate(() => {
		const times = [];
		let last = performance.now();
		const next = (now) => {
			times.push(now - last);
			last = now;
			if (!window.framesDone)
				requestAnimationFrame(next);
		};
		Object.assign(window, { frameTimes: times, framesDone: false });
		requestAnimationFrame(next);
	});
	await act();
	return page.evaluate(() => {
		window.framesDone = true;
		return window.frameTimes.slice(1).sort((a, b) => a - b);
	});
}

// The processor time, in milliseconds, that the page's main thread takes for each frame of what is done: other than
// the time on a clock it is the same on a machine that has much else to do.
async function workPerFrame(visitor, act) {
	const session = await visitor.context.newCDPSession(visitor.page);
	await session.send("Performance.enable", { timeDomain: "threadTicks" });
	const worked = async () => (await session.send("Performance.getMetrics")).metrics
		.find((metric) => metric.name === "TaskDuration").value * 1000;
	const before = await worked(), times = await framesDuring(visitor.page, act);
	return { work: (await worked() - before) / times.length, median: times[Math.floor(times.length / 2)], frames: times.length };
}

const TRIES = 5;
const isSmooth = ({ work, median, frames }) => work < 16 && median < 100 && frames > 20;

webTest("5,000 seats stay smooth", async ({ site, visit }) => {
	const sale = await openHall(site, ARENA), t = await words("en");
	assert.strictEqual(sale.performances[0].seats.length, 5000);
	const visitor = await visit({ as: await site.person() }), { page } = visitor;
	await visitor.at(seatsPage(sale));
	const { x, y, width, height } = await page.getByRole("application", { name: t("seat_map.label") }).boundingBox();
	const zoomAndDrag = async () => {
		for (let i = 0; i < 30; i++)
			await page.mouse.wheel(0, i < 20 ? -60 : 50);
		await page.mouse.down();
		for (let i = 0; i < 60; i++)
			await page.mouse.move(x + width / 2 + 80 * Math.sin(i / 4), y + height / 2 + 60 * Math.cos(i / 5));
		await page.mouse.up();
	};
	await page.mouse.move(x + width / 2, y + height / 2);
	// The best of some: what else the machine does makes it slower, and nothing makes it faster than it is.
	const tries = [];
	while (tries.length < TRIES && !tries.some(isSmooth)) {
		tries.push(await workPerFrame(visitor, zoomAndDrag));
		const { work, median, frames } = tries.at(-1);
		console.log(`5,000 seats: ${work.toFixed(1)} ms of work a frame; the median of ${frames} comes after ${median.toFixed(1)} ms`);
	}
	assert.ok(tries.some(isSmooth), JSON.stringify(tries));
	await visitor.picture("5,000 seats");
	await openRow(page, t, { section: "Floor A", row: "A" });
	assert.ok(await page.locator("main *").count() < 1000, "the list makes elements for seats that nobody looks at");
});
