// One event: big numbers, charts, the hand on its line, the books, and the instance that tells of all that.
import { fill, h } from "../dom.js";
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
	#audit = new AuditPanel((wrong) => this.#alarm({ audit: wrong }));
	#alarms = h("div", { class: "alarms", role: "alert" });
	#alarmed = { redis: false, lanes: false, audit: false, disabled: false };

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
		this.stopFeed = follow(this.event.id, {
			stats: (stats) => this.#show(stats),
			state: (name, code) => this.#state(name, code),
		});
	}

	stop() {
		this.stopFeed();
		this.#audit.stop();
		for (const chart of this.#charts)
			chart.stop();
	}

	// The figures are read from PostgreSQL: without it there are none.
	#state(name, code) {
		this.on.state(name);
		if (code === "unavailable")
			this.#alarm({ lanes: true });
		this.node.classList.toggle("stale", name === "away" || name === "missing");
		if (name === "refused")
			this.on.refused();
	}

	#show(stats) {
		this.#series.add(stats, performance.now());
		for (const part of [this.#tiles, this.#server, ...this.#charts])
			part.show(this.#series);
		this.controls.show(stats.line);
		this.#alarm({ redis: isAway(stats.server), lanes: stats.server.lanes.up === 0, disabled: !stats.line.enabled });
	}

	// changes: which of the alarms are on now. Each is said once, when it begins.
	#alarm(changes) {
		const before = this.#alarmed;
		if (Object.entries(changes).every(([name, on]) => before[name] === on))
			return;
		this.#alarmed = { ...before, ...changes };
		fill(this.#alarms, Object.keys(before).filter((name) => this.#alarmed[name]).map((name) =>
			h("p", { class: `notice ${name === "disabled" ? "info" : "bad"}` }, t(`console.alarm.${name}`))));
	}
}
