// Each page as each reader has it: a desk and a phone, English and Korean, light and dark. On each axe finds nothing
// serious (contrast is part of that), nothing is wider than the window, a finger meets what it aims at, and no word
// of another language is left.
"use strict";
const assert = require("node:assert");
const { webTests, words, PHONE, FUTURE } = require("./support");

const webTest = webTests({ flags: ["--seat.per_user_max=4"] });

const NAMES = {
	en: { title: "The long night", other: "Morning songs", venue: "The great hall", section: "A", person: "Kim Buyer",
		message: "The doors open in ten minutes." },
	ko: { title: "긴 밤의 노래", other: "아침의 노래", venue: "대극장", section: "가", person: "김구매",
		message: "10분 뒤에 문을 엽니다." },
};
// What stands on a Korean page as it is: names, keys, and the other language in its own words. Other tests' events do.
const FOREIGN = ["onsale", "English", "KRW", "Page Up", "Page Down", "Home", "End", "Enter", "Shift",
	...Object.values(NAMES.en)];
const DATES = ["2099-06-12T10:30:00Z", FUTURE];

// --- what there is to see ---

// A person with a past: money that came and went, seats that are held, paid, and given back.
async function history(site, names) {
	const person = await site.person({ name: names.person, balance: 300000 });
	const sale = await site.sale({ title: names.title, venue: names.venue, queue: { enabled: false },
		sections: [{ name: names.section, rows: 2, seats_per_row: 5, price: 50000 }] });
	const [performance] = sale.performances, { jwt } = person;
	const hold = (index) => site.ask("POST", "/v1/reservations", { jwt, key: site.newKey(),
		body: { performance_id: performance.id, seat_ids: [performance.seats[index].id] } });
	const pay = ({ id }) => site.ask("POST", `/v1/reservations/${id}/payment`, { jwt, key: site.newKey(), body: {} });
	const paid = await hold(0), refunded = await hold(1), held = await hold(2);
	await pay(paid);
	await pay(refunded);
	await site.ask("DELETE", `/v1/reservations/${refunded.id}`, { jwt });
	return { person, sale, paid, refunded, held };
}

// Lines in each state that a line may be in.
async function lines(site, names) {
	const sections = [{ name: names.section, rows: 1, seats_per_row: 2, price: 50000 }];
	const open = async (more) => site.sale({ title: names.other, venue: names.venue, dates: DATES, sections, ...more });
	const waiting = await open({ queue: { enabled: true, capacity: 1 } });
	const [first] = await site.crowd(waiting.event, 1);
	await site.pass(first);
	await site.crowd(waiting.event, 11);
	await site.steer(waiting.event, { message: names.message });
	const paused = await open({ queue: { enabled: true, capacity: 1 } });
	await site.steer(paused.event, { paused: true });
	const soon = await open({ opens: new Date(Date.now() + 3600 * 1000).toISOString() });
	const soldOut = await open({ dates: [FUTURE] });
	const [buyer] = await site.crowd(soldOut.event, 1);
	const pass = await site.pass(buyer), [{ id, seats }] = soldOut.performances;
	const held = await site.ask("POST", "/v1/reservations", { jwt: buyer.jwt, pass, key: site.newKey(),
		body: { performance_id: id, seat_ids: seats.map((seat) => seat.id) } });
	await site.ask("POST", `/v1/reservations/${held.id}/payment`, { jwt: buyer.jwt, key: site.newKey(), body: {} });
	return { waiting, paused, soon, soldOut, turn: await open({}) };
}

// The pages, each with the way there and what must be seen before it is looked at.
function views({ sale, paid, refunded, held }, its, t) {
	const head = (key) => (page) => page.getByRole("heading", { level: 1, name: t(key) }).waitFor();
	const text = (key) => (page) => page.getByText(t(key)).first().waitFor();
	const [performance] = sale.performances;
	return {
		strangers: [["events", "#/"], ["event", `#/event/${its.waiting.event}`], ["early", `#/event/${its.soon.event}`],
			["login", "#/login"], ["signup", "#/signup"], ["missing", "#/nowhere"]],
		persons: [["account", "#/account"], ["reservations", "#/reservations"],
			["line waiting", `#/line/${its.waiting.event}`, head("line.title")],
			["line paused", `#/line/${its.paused.event}`, text("line.paused")],
			["line early", `#/line/${its.soon.event}`, head("line.prequeue")],
			["line sold out", `#/line/${its.soldOut.event}`, head("line.soldOut")],
			["line turn", `#/line/${its.turn.event}`, head("line.turn")],
			["seats", `#/seats/${sale.event}/${performance.id}`],
			["checkout held", `#/checkout/${held.id}`], ["checkout paid", `#/checkout/${paid.id}`],
			["checkout over", `#/checkout/${refunded.id}`]],
	};
}

// --- how it is judged ---

async function judge(visitor, { language, phone }) {
	const wider = await visitor.sideScroll();
	const lang = await visitor.page.evaluate(() => document.documentElement.lang);
	return [
		...await visitor.axe(),
		...(wider > 0 ? [`${wider} px wider than the window`] : []),
		...(phone ? (await visitor.smallTargets()).map((html) => `small: ${html}`) : []),
		...(lang === language ? [] : [`said to be ${lang}`]),
		...(language === "ko" ? (await visitor.latin(FOREIGN)).map((text) => `not Korean: ${text}`) : []),
	];
}

async function lookAt(visitor, mode, name, list) {
	const wrong = [];
	for (const [view, hash, ready] of list) {
		await visitor.at(hash);
		if (ready)
			await ready(visitor.page);
		await visitor.picture(`${name} ${view}`, visitor.page, { fullPage: true });
		wrong.push(...(await judge(visitor, mode)).map((what) => `${view}: ${what}`));
	}
	assert.deepStrictEqual(wrong, []);
}

for (const [name, mode] of Object.entries({
	"desk light English": { language: "en", scheme: "light", phone: false },
	"desk dark Korean": { language: "ko", scheme: "dark", phone: false },
	"phone light Korean": { language: "ko", scheme: "light", phone: true },
	"phone dark English": { language: "en", scheme: "dark", phone: true },
}))
	webTest(`every page: ${name}`, async ({ site, visit }) => {
		const t = await words(mode.language), names = NAMES[mode.language];
		const past = await history(site, names), its = await lines(site, names), all = views(past, its, t);
		const options = { locale: { en: "en-US", ko: "ko-KR" }[mode.language], colorScheme: mode.scheme,
			...(mode.phone ? PHONE : {}) };
		await lookAt(await visit(options), mode, name, all.strangers);
		await lookAt(await visit({ as: past.person, ...options }), mode, name, all.persons);
	}, { limit: 180000 });
