// One event: big numbers, charts, the hand on its line, the books, and the instance that tells of all that.
import { fill, h, notice } from "../dom.js";
import { t } from "../i18n.js";
import { AuditPanel } from "./audit_panel.js";
import { makeCharts } from "./charts.js";
import { Controls } from "./controls.js";
import { follow } from "./feed.js";
import { Series } from "./series.js";
import { ServerPanel, isAway } from "./server_panel.js";
import { Tiles } from "./tiles.js";

export class EventView {
	#series = new Series();
	#tiles = new Tiles();
	#charts = makeCharts();
	#server = new ServerPanel();
	#audit = new AuditPanel();
	#alarms = h("div", { class: "alarms", role: "status" });
	#alarmed = "";

	// on: state(name) as feed.js tells it; refused() where nobody is logged in any more, or no operator.
	constructor(event, on) {
		this.event = event;
		this.on = on;
		this.controls = new Controls(event.id);
		this.node = h("div", { class: "watch" },
			h("h1", {}, event.title), this.#alarms,
			h("section", { class: "now-section", "aria-labelledby": "now-head" },
				h("h2", { id: "now-head", class: "visually-hidden" }, t("console.numbers")), this.#tiles.node),
			h("div", { class: "side" }, this.controls.node, this.#audit.node, this.#server.node),
			h("section", { class: "charts-section", "aria-labelledby": "charts-head" },
				h("h2", { id: "charts-head" }, t("console.charts")),
				h("div", { class: "charts" }, this.#charts.map((chart) => chart.node))));
	}

	// Once the page shows the node.
	start() {
		for (const chart of this.#charts)
			chart.start();
		this.stopFeed = follow(this.event.id, { stats: (stats) => this.#show(stats), state: (name) => this.#state(name) });
	}

	stop() {
		this.stopFeed();
		this.#audit.stop();
		for (const chart of this.#charts)
			chart.stop();
	}

	#state(name) {
		this.on.state(name);
		this.node.classList.toggle("stale", name === "away" || name === "missing");
		if (name === "refused")
			this.on.refused();
	}

	#show(stats) {
		this.#series.add(stats, performance.now());
		for (const part of [this.#tiles, this.#server, ...this.#charts])
			part.show(this.#series);
		this.controls.show(stats.line);
		this.#alarm(stats);
	}

	// Said once, when it begins.
	#alarm({ line, server }) {
		const names = Object.entries({
			redis: isAway(server),
			lanes: server.lanes.up === 0,
			disabled: !line.enabled,
		}).filter(([, on]) => on).map(([name]) => name);

		if (names.join() === this.#alarmed)
			return;
		this.#alarmed = names.join();
		fill(this.#alarms, names.map((name) => notice(name === "disabled" ? "info" : "bad", t(`console.alarm.${name}`))));
	}
}
