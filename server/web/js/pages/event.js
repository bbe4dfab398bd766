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

function lineCard(event, { label, hint }, message) {
	const count = h("strong", { class: "tabular" });
	const node = h("section", { class: "card stack join", "aria-label": t("event.line") },
		h("div", { class: "split" }, h("p", { class: "waiting-count" }, count),
			event.queue.paused ? h("span", { class: "chip warn" }, t("event.paused")) : null),
		message ? h("p", { class: "notice info" }, message) : null,
		h("a", { class: "button primary wide", href: `#/line/${event.id}`, onclick: () => forgetEnded(event.id) }, label),
		h("p", { class: "muted small" }, hint));

	return { node, show: (n) => setText(count, n === 0 ? t("event.nobody") : t("event.waiting", { n })) };
}

// Whoever joins anew has read of the old place's end, or need not.
function forgetEnded(eventId) {
	if (line.get(eventId)?.ended)
		line.forget(eventId);
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

// Drawn anew only where something else is to be said; what changes all the time is changed in its place.
function view(main, id) {
	let said = "", dates = "", stopOpening = () => {}, card = null;
	const list = h("div", {});

	function draw(event, invited, message, refresh) {
		stopOpening();
		const wait = opensLater(event) ? opening(event, refresh) : null;
		stopOpening = wait ? wait.stop : () => {};
		card = event.queue.enabled ? lineCard(event, invited, message) : null;
		fill(main,
			h("p", {}, h("a", { href: "#/" }, t("event.all"))),
			h("div", { class: "stack-tight" }, h("h1", { id: "title" }, event.title), h("p", { class: "lead" }, event.venue)),
			wait?.node, card?.node,
			h("section", { class: "stack" }, h("h2", {}, t("event.dates")), list));
	}

	function href(event) {
		const state = line.get(id), admitted = state?.place?.pass && !state.ended;
		const open = admitted || (!event.queue.enabled && !opensLater(event));
		return (date) => open ? `#/seats/${id}/${date.id}` : null;
	}

	return {
		stop: () => stopOpening(),
		show(event, items, message, refresh) {
			const invited = invitation(event, items, line.get(id));
			const says = JSON.stringify([{ ...event, queue: [event.queue.enabled, event.queue.paused] }, invited, message, opensLater(event)]);
			const asks = JSON.stringify([items, items.map(href(event))]);
			if (says !== said)
				draw(event, invited, message, refresh);
			if (asks !== dates)
				fill(list, dateList(items, href(event)));
			card?.show(event.queue.waiting);
			said = says;
			dates = asks;
		},
	};
}

export async function show(main, [id]) {
	const page = view(main, id);

	async function refresh() {
		const { event, dates } = await eventWithDates(id);
		page.show(event, dates, await messageOf(event), () => refresh().catch(() => {}));
	}

	await refresh();
	const stopRefresh = every(REFRESH_MS, () => refresh().catch(() => {})); // the next one may go well
	return () => {
		stopRefresh();
		page.stop();
	};
}
