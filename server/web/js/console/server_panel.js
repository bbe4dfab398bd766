// How the instance that speaks is: each has figures of its own.
import { h, setText } from "../dom.js";
import { t } from "../i18n.js";
import { count, milliseconds, percent, rate } from "./formats.js";
import { latest } from "./series.js";

const text = (value, format) => value === null || value === undefined ? "–" : format(value);
const requests = (series, name) => text(latest(series.rates(`server.requests.${name}`)), rate);

const rows = {
	redis: (series, { redis }) => t(`console.breaker.${redis.breaker === "closed" && !redis.up ? "open" : redis.breaker}`),
	lanes: (series, { lanes }) => t("console.server.lanes_text", { n: lanes.up, of: lanes.of }),
	depth: (series, { lanes }) => count(lanes.depth),
	locks: (series) => text(latest(series.shares("server.locks.taken", "server.locks.attempts")), percent),
	loop: (series) => text(latest(series.percentiles("loop", 0.99)), milliseconds),
	in_flight: (series, server) => count(server.in_flight),
	connections: (series, server) => count(server.connections),
	good: (series) => requests(series, "2xx"),
	refused: (series) => requests(series, "4xx"),
	failed: (series) => requests(series, "5xx"),
	shed: (series) => text(latest(series.rates("server.shed")), rate),
};

// Redis, where it is used.
export const isAway = ({ redis }) => redis.breaker !== "none" && !redis.up;

export class ServerPanel {
	#cells = Object.keys(rows).map((name) => ({ name, value: h("td", { class: "now" }, "–") }));
	#instance = h("p", { class: "hint" });

	node = h("section", { class: "card server", "aria-labelledby": "server-head" },
		h("h2", { id: "server-head" }, t("console.server.head")), this.#instance,
		h("table", { class: "values", "aria-live": "off" },
			h("caption", { class: "visually-hidden" }, t("console.server.head")),
			h("tbody", {}, this.#cells.map(({ name, value }) => h("tr", {},
				h("th", { scope: "row" }, t(`console.server.${name}`)), value)))));

	show(series) {
		const { server } = series.last.stats;
		setText(this.#instance, t("console.server.instance", { text: server.instance }));
		for (const { name, value } of this.#cells) {
			setText(value, rows[name](series, server));
			if (name === "redis")
				value.className = `now ${isAway(server) ? "bad" : "good"}`;
		}
	}
}
