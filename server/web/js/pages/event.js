// An event: its dates, and the way to its seats, through the line where it has one.
import { h, fill, setText } from "../dom.js";
import { call } from "../api.js";
import { t, dateTime } from "../i18n.js";
import { now, every, countdown, clockText } from "../clock.js";
import { eventWithDates, soldOut } from "../catalog.js";
import { dateList } from "../dates.js";
import * as line from "../line.js";

const REFRESH_MS = 6000;

function opensLater(event) {
	return event.sale_opens_at !== null && Date.parse(event.sale_opens_at) > now();
}

// What the line asks of whoever comes: {text, label, hint}.
function invitation(event, dates, state) {
	if (state?.place && !state.ended)
		return { label: t(state.place.pass ? "event.toSeats" : "event.back"), hint: t("event.backHint") };
	if (opensLater(event))
		return { label: t("event.joinEarly"), hint: t(event.shuffle ? "event.shuffleHint" : "event.earlyHint") };
	if (soldOut(dates))
		return { label: t("event.join"), hint: t("event.soldOutHint") };
	return { label: t("event.join"), hint: t("event.joinHint") };
}

function lineCard(event, dates, message) {
	const state = line.get(event.id), { label, hint } = invitation(event, dates, state);

	return h("section", { class: "card stack join", "aria-label": t("event.line") },
		h("div", { class: "split" },
			h("p", { class: "waiting-count" }, h("strong", { class: "tabular" },
				event.queue.waiting === 0 ? t("event.nobody") : t("event.waiting", { n: event.queue.waiting }))),
			event.queue.paused ? h("span", { class: "chip warn" }, t("event.paused")) : null),
		message ? h("p", { class: "notice info" }, message) : null,
		h("a", { class: "button primary wide", href: `#/line/${event.id}` }, label),
		h("p", { class: "muted small" }, hint));
}

// The opening, counted down to; afterwards the page says what is then so.
function opening(event, onOpen) {
	const time = h("strong", { class: "tabular" });
	const node = h("p", { class: "notice info" }, t("event.opens", { time: dateTime(event.sale_opens_at) }), " ", time);
	const stop = countdown(Date.parse(event.sale_opens_at), (left) => {
		setText(time, left < 48 * 3600 * 1000 ? clockText(left) : "");
		if (left === 0)
			setTimeout(onOpen, 500);
	});
	return { node, stop };
}

async function messageOf(event) {
	if (!event.queue.enabled)
		return null;
	const { data } = await call("GET", `/v1/events/${event.id}/queue`, { anonymous: true });
	return data.message;
}

export async function show(main, [id]) {
	let shown = "", stopOpening = () => {};

	function draw(event, dates, message) {
		const later = opensLater(event), direct = !event.queue.enabled && !later, pass = line.get(id)?.place?.pass;
		const href = (date) => direct || (pass && !line.get(id).ended) ? `#/seats/${id}/${date.id}` : null;

		stopOpening();
		const wait = later ? opening(event, refresh) : null;
		stopOpening = wait ? wait.stop : () => {};
		fill(main,
			h("p", {}, h("a", { href: "#/" }, t("event.all"))),
			h("div", { class: "stack-tight" }, h("h1", { id: "title" }, event.title), h("p", { class: "lead" }, event.venue)),
			wait ? wait.node : null,
			event.queue.enabled ? lineCard(event, dates, message) : null,
			h("section", { class: "stack" }, h("h2", {}, t("event.dates")), dateList(dates, href)));
	}

	// Drawn anew only where something changed, so that nobody's focus goes without cause.
	async function refresh(first) {
		const { event, dates } = await eventWithDates(id);
		const message = await messageOf(event), says = JSON.stringify([event, dates, message, line.get(id)?.ended]);
		if (says !== shown) {
			const focused = first ? null : document.activeElement?.getAttribute("href");
			draw(event, dates, message);
			if (focused && main.isConnected)
				[...main.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus();
		}
		shown = says;
	}

	await refresh(true);
	const stopRefresh = every(REFRESH_MS, () => refresh(false).catch(() => {})); // the next one may go well
	return () => {
		stopRefresh();
		stopOpening();
	};
}
