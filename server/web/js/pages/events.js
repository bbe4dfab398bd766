// What is on sale.
import { h, fill } from "../dom.js";
import { call, errorText } from "../api.js";
import { t, shortDateTime, dayRange } from "../i18n.js";
import { now } from "../clock.js";
import { datesOf } from "../catalog.js";

function state(event) {
	if (event.sale_opens_at !== null && Date.parse(event.sale_opens_at) > now())
		return h("span", { class: "chip accent" }, t("events.opens", { time: shortDateTime(event.sale_opens_at) }));
	if (event.queue.enabled && event.queue.waiting > 0)
		return h("span", { class: "chip warn" }, t("events.waiting", { n: event.queue.waiting }));
	return h("span", { class: "chip good" }, t("events.open"));
}

// When it is and what is left; it comes a moment later, and the list does without it.
async function showDates(event, place) {
	const dates = await datesOf(event);
	if (dates.length === 0)
		return;
	const times = dates.map((date) => date.starts_at).sort();
	const left = dates.reduce((sum, date) => sum + date.seats_available, 0);
	fill(place, dayRange(times[0], times.at(-1)), " · ", left > 0 ? t("events.seats", { n: left }) : t("dates.none"));
}

function card(event) {
	const dates = h("p", { class: "muted small later" });

	showDates(event, dates).catch(() => {});
	return h("li", { class: "event card" },
		h("div", { class: "stack-tight" },
			h("h2", {}, h("a", { class: "whole", href: `#/event/${event.id}` }, event.title)),
			h("p", { class: "muted" }, event.venue), dates),
		h("div", { class: "event-state" }, state(event), h("span", { class: "arrow", "aria-hidden": "true" }, "→")));
}

export async function show(main) {
	const list = h("ul", { class: "events" }), more = h("button", { class: "button", type: "button", hidden: true }, t("events.more"));
	const trouble = h("p", { role: "alert", class: "field-error" });
	let next = null;

	async function load() {
		const { data } = await call("GET", `/v1/events?limit=20${next === null ? "" : `&after=${next}`}`, { anonymous: true });
		list.append(...data.items.map(card));
		next = data.next;
		more.hidden = next === null;
	}
	more.addEventListener("click", () => {
		trouble.textContent = "";
		load().catch((error) => trouble.append(errorText(error)));
	});
	await load();
	fill(main,
		h("div", { class: "stack-tight" }, h("h1", {}, t("events.title")), h("p", { class: "lead" }, t("events.lead"))),
		list.childElementCount > 0 ? list : h("p", { class: "card muted" }, t("events.none")),
		trouble, more);
}
