// What somebody at the page sees while a store does not answer: what is old is called old, and fresh again afterwards;
// and a payment of which nobody knows what became is found out about under its key, and made once.
"use strict";
const assert = require("node:assert");
const { webTests, words, until } = require("./support");
const { openHall, seatsPage, seatText, openRow, reservations, moneyOf, watchKeys } = require("./halls");

const webTest = webTests({ flags: ["--db.deadline_ms=2000", "--db.statement_timeout_ms=1900",
	"--db.lock_timeout_ms=1800", "--db.batch_lock_timeout_ms=1800"] });
const PRICE = 50000;
const PAYMENT = /\/payment$/;

// The processes stand still while `body` runs.
async function frozen(pids, body) {
	for (const pid of pids)
		process.kill(pid, "SIGSTOP");
	try {
		await body();
	} finally {
		for (const pid of pids)
			process.kill(pid, "SIGCONT");
	}
}

function status(page, text) {
	return page.getByRole("status").filter({ hasText: text }).first();
}

// "As of 3 seconds ago", of any number.
function anyAge(t) {
	return new RegExp([1, 7].map((n) => t("seats.stale", { n }).replace(String(n), "\\d+")).join("|"));
}

webTest("while Redis is frozen the waiting room says that it sees nothing new, and no longer when it answers",
	async ({ site, visit }) => {
		const t = await words("en"), sale = await site.sale({ queue: { enabled: true, capacity: 1 } });
		const [first, ahead] = await site.crowd(sale.event, 2);
		await site.pass(first);
		const visitor = await visit({ as: await site.person() }), { page } = visitor;
		await visitor.at(`#/line/${sale.event}`);
		const shows = (position) => page.waitForFunction((text) =>
			document.querySelector(".position")?.textContent === text, String(position));
		await shows(2);
		await frozen([site.world.redis.pid], async () => {
			await status(page, t("line.stale")).waitFor();
			await shows(2);
			await visitor.picture("Redis is frozen");
		});
		await status(page, t("line.stale")).waitFor({ state: "hidden" });
		await shows(2);
		await until("the line to move", async () =>
			(await site.call("DELETE", "/v1/queue", { token: ahead.token })).status === 204);
		await shows(1);
	});

// A copy in Redis is as good as PostgreSQL's word, until a seat changes: so Redis does not answer either.
webTest("while neither store answers the seat map says how old it is, and is live again afterwards",
	async ({ site, visit }) => {
		const t = await words("en"), sale = await openHall(site), [performance] = sale.performances;
		const person = await site.person(), visitor = await visit({ as: await site.person() }), { page } = visitor;
		await visitor.at(seatsPage(sale));
		await openRow(page, t, performance.seats[0]);
		await status(page, t("seats.live")).waitFor();
		await frozen([site.world.redis.pid], async () => {
			site.world.setDatabase(false);
			try {
				await status(page, anyAge(t)).waitFor();
				await visitor.picture("an old seat map");
			} finally {
				site.world.setDatabase(true);
			}
		});
		await status(page, t("seats.live")).waitFor();
		await until("a hold", async () => (await site.call("POST", "/v1/reservations", { jwt: person.jwt,
			key: "after the outage", body: { performance_id: performance.id, seat_ids: [performance.seats[0].id] } }))
			.status === 201);
		await page.getByRole("button", { name: seatText(t, performance.seats[0], "held"), exact: true }).waitFor();
	});

// The payment's transaction waits for the account's row, which the test has locked, when its process is stopped: it is
// neither done nor undone, until it goes on.
webTest("a payment of which nobody knows what became is asked for under its key until it is known, and paid once",
	async ({ site, visit }) => {
		const t = await words("en"), sale = await openHall(site), person = await site.person({ balance: PRICE });
		const [performance] = sale.performances, codes = [];
		const held = await site.ask("POST", "/v1/reservations", { jwt: person.jwt, key: site.newKey(),
			body: { performance_id: performance.id, seat_ids: [performance.seats[0].id] } });
		const visitor = await visit({ as: person }), { page } = visitor;
		const keys = watchKeys(visitor.context, PAYMENT);
		visitor.context.on("response", async (response) => {
			if (PAYMENT.test(new URL(response.url()).pathname) && response.status() >= 400)
				codes.push((await response.json()).code);
		});
		await visitor.at(`#/checkout/${held.id}`);
		const locked = await site.world.lock("SELECT FROM accounts FOR UPDATE");
		await page.getByRole("button", { name: t("checkout.pay", { amount: "₩50,000" }), exact: true }).click();
		const waiting = await until("the payment to wait", () => site.world.sql(
			"SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").trim());
		await frozen(waiting.split("\n").map(Number), async () => {
			await locked.end();
			await page.getByText(t("error.outcome_unknown")).first().waitFor();
			assert.deepStrictEqual(await moneyOf(site, person), ["charge 50000"]);
			await visitor.picture("an outcome that nobody knows");
		});
		await page.getByRole("heading", { level: 1, name: t("checkout.paid_title") }).waitFor();
		assert.ok(codes.includes("outcome_unknown"), codes.join());
		assert.ok(keys.length > 1);
		assert.deepStrictEqual([...new Set(keys)], [keys[0]]);
		assert.deepStrictEqual(await moneyOf(site, person), ["charge 50000", "payment -50000"]);
		assert.strictEqual((await site.ask("GET", "/v1/me", { jwt: person.jwt })).balance, 0);
		assert.deepStrictEqual((await reservations(site, person)).map((one) => one.status), ["paid"]);
	});
