// A chart: two minutes of lines on a canvas, drawn by Chart.js (window.Chart, of /web/chart.js), and beside it the
// latest values in a table, which is also what a screen reader reads. Colours are the style sheet's custom
// properties, so that a chart follows dark and light.
import { h } from "../dom.js";
import { t } from "../i18n.js";
import { highest, latest } from "./series.js";

const SHOWN_S = 120;

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function ago(seconds) {
	if (seconds === 0)
		return t("console.chart.now");
	return seconds % 60 === 0
		? t("console.chart.minutes_ago", { n: -seconds / 60 })
		: t("console.chart.ago", { n: -seconds });
}

export class ChartCard {
	#chart = null;
	#series = null;
	#dark = window.matchMedia("(prefers-color-scheme: dark)");
	#paint = () => this.#repaint();

	// lines(series): [{label, points, colour, area, dashed}]; format writes a value; whole: it is a whole number;
	// least: how far the scale reaches at least.
	constructor({ id, title, format, lines, whole = false, least = 1 }) {
		Object.assign(this, { format, lines, whole, least });
		this.canvas = h("canvas", { role: "img", "aria-label": t("console.chart.label", { title }) });
		this.rows = h("tbody");
		this.empty = h("p", { class: "chart-empty" }, t("console.chart.empty"));
		this.node = h("figure", { class: "card chart", "data-testid": `chart-${id}` },
			h("figcaption", {}, h("h3", {}, title)),
			h("div", { class: "canvas" }, this.canvas, this.empty),
			this.#table(title));
	}

	// Once the page shows the canvas: Chart.js measures it.
	start() {
		this.#chart = new window.Chart(this.canvas, { type: "line", data: { datasets: [] }, options: this.#options() });
		this.#dark.addEventListener("change", this.#paint);
	}

	stop() {
		this.#dark.removeEventListener("change", this.#paint);
		this.#chart?.destroy();
		this.#chart = null;
	}

	show(series) {
		this.#series = series;
		const lines = this.lines(series);
		this.empty.hidden = lines.some(({ points }) => highest(points) !== null);
		this.rows.replaceChildren(...lines.map((line) => this.#row(line)));
		if (document.hidden) // nobody sees it
			return;
		this.#chart.data.datasets = lines.map((line) => this.#dataset(line, series.last.at));
		this.#chart.update("none");
	}

	// Dark has become light, or the other way round.
	#repaint() {
		this.#chart.options = this.#options();
		if (this.#series)
			this.show(this.#series);
	}

	#dataset({ label, points, colour: name, area, dashed }, now) {
		const stroke = colour(name);
		return {
			label, borderColor: stroke, backgroundColor: `${stroke}2e`, fill: area ? "origin" : false, borderWidth: 2,
			borderDash: dashed ? [5, 4] : [], pointRadius: 0, pointHitRadius: 8, tension: 0.2,
			data: points.map(({ x, y }) => ({ x: (x - now) / 1000, y })),
		};
	}

	#row({ label, points, colour: name, dashed }) {
		const text = (value) => value === null ? "–" : this.format(value);
		return h("tr", {},
			h("th", { scope: "row" }, h("span", { class: `key ${name}${dashed ? " dashed" : ""}` }), label),
			h("td", { class: "now" }, text(latest(points))),
			h("td", {}, text(highest(points))));
	}

	#table(title) {
		return h("table", { class: "values", "aria-live": "off" },
			h("caption", { class: "visually-hidden" }, t("console.chart.table", { title })),
			h("thead", {}, h("tr", {},
				h("td"), h("th", { scope: "col" }, t("console.chart.now")),
				h("th", { scope: "col" }, t("console.chart.most")))),
			this.rows);
	}

	#options() {
		const text = colour("chart-text"), grid = colour("chart-grid");
		return {
			animation: false, responsive: true, maintainAspectRatio: false, normalized: true,
			interaction: { mode: "index", intersect: false, axis: "x" },
			plugins: { legend: { display: false }, tooltip: { callbacks: this.#tips() } },
			scales: {
				x: { type: "linear", min: -SHOWN_S, max: 0, grid: { display: false, drawBorder: false },
					ticks: { color: text, stepSize: 60, align: "inner", maxRotation: 0, callback: ago } },
				y: { beginAtZero: true, suggestedMax: this.least,
					grid: { color: grid, drawBorder: false },
					ticks: { color: text, maxTicksLimit: 5, precision: this.whole ? 0 : undefined,
						callback: (value) => this.format(value) } },
			},
		};
	}

	#tips() {
		return {
			title: ([item]) => item ? ago(Math.round(item.parsed.x)) : "",
			label: ({ dataset, parsed }) => `${dataset.label}: ${this.format(parsed.y)}`,
		};
	}
}
