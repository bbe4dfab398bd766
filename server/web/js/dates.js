// The dates of an event as a list: when, how many seats are left, and a link to each where seats can be chosen.
import { h } from "./dom.js";
import { t, dateParts, dateTime } from "./i18n.js";

// Few are left: an eighth of the house.
function seatsLeft(date) {
	const left = date.seats_available;

	if (left === 0)
		return h("span", { class: "chip bad" }, t("dates.none"));
	return h("span", { class: `chip ${left * 8 <= date.seats_total ? "warn" : "good"}` }, t("dates.left", { n: left }));
}

// A row: the day as a calendar leaf, the time, what is left. href(date) is where it leads, or null.
function row(date, href) {
	const parts = dateParts(date.starts_at), target = date.seats_available > 0 ? href(date) : null;

	return h("li", { class: "date card" },
		h("div", { class: "leaf", "aria-hidden": "true" }, h("span", {}, parts.month), h("strong", {}, parts.day)),
		h("div", { class: "date-text" },
			h("h3", {}, h("time", { datetime: date.starts_at }, parts.time)),
			h("p", { class: "muted small" }, parts.date)),
		seatsLeft(date),
		target ? h("a", { class: "button primary compact", href: target,
			"aria-label": t("dates.chooseLabel", { date: dateTime(date.starts_at) }) }, t("dates.choose")) : null);
}

export function dateList(dates, href = () => null) {
	if (dates.length === 0)
		return h("p", { class: "muted" }, t("dates.empty"));
	return h("ul", { class: "dates" }, dates.map((date) => row(date, href)));
}
