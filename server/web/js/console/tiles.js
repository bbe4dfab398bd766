// The numbers that an operator looks at first, big, each with a line that says what it is measured by.
import { h, setText } from "../dom.js";
import { money, t } from "../i18n.js";
import { count, milliseconds, percent, rate } from "./formats.js";
import { latest } from "./series.js";

const share = (part, whole) => whole > 0 ? part / whole : 0;

// [big, small] of the series and its latest picture.
const tiles = {
	waiting: (series, now) => [count(now.waiting), t("console.tile.of_joined", { n: now.joined })],
	inside: (series, now) => [count(now.active), t("console.tile.of_capacity", { n: now.line.capacity })],
	arrivals: (series, now) => [rateOf(series, "joined"), t("console.tile.abandoned", { n: now.abandoned })],
	admissions: (series, now) => [rateOf(series, "admitted"), t("console.tile.admitted", { n: now.admitted })],
	held: (series, now) => [count(now.held), t("console.tile.holders", { n: now.holding })],
	sold: (series, now) => [count(now.sold),
		t("console.tile.of_seats", { n: now.seats, share: percent(share(now.sold, now.seats)) })],
	revenue: (series, now) => [money(now.revenue), t("console.tile.sales", { text: rateOf(series, "sold") })],
	hold_latency: (series) => [timeOf(series, 0.95), t("console.tile.percentiles",
		{ half: timeOf(series, 0.5), most: timeOf(series, 0.99) })],
};

function rateOf(series, path) {
	const value = latest(series.rates(path));
	return value === null ? "–" : rate(value);
}

function timeOf(series, part) {
	const value = latest(series.percentiles("hold", part));
	return value === null ? "–" : milliseconds(value);
}

export class Tiles {
	#cells = Object.keys(tiles).map((name) => ({
		name, big: h("dd", { class: "big" }, "–"), small: h("dd", { class: "small" }, " "),
	}));

	node = h("dl", { class: "tiles", "aria-live": "off" }, this.#cells.map(({ name, big, small }) =>
		h("div", { class: "card tile", "data-testid": `tile-${name}` },
			h("dt", {}, t(`console.tile.${name}`)), big, small)));

	show(series) {
		for (const { name, big, small } of this.#cells) {
			const [bigText, smallText] = tiles[name](series, series.last.stats);
			setText(big, bigText);
			setText(small, smallText);
		}
	}
}
