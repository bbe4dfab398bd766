// Which charts there are, and what each draws.
import { has, t } from "../i18n.js";
import { ChartCard } from "./chart_card.js";
import { count, milliseconds, percent, rate } from "./formats.js";

const REFUSALS_SHOWN = 5;

const line = (name, colour, points, more) => ({ label: t(`console.line.${name}`), colour, points, ...more });

const charts = {
	flow: { format: rate, lines: (series) => [
		line("arrivals", "line-1", series.rates("joined"), { area: true }),
		line("admissions", "line-2", series.rates("admitted")),
	] },
	waiting: { format: count, whole: true, lines: (series) => [
		line("waiting", "line-1", series.values("waiting"), { area: true }),
	] },
	inside: { format: count, whole: true, lines: (series) => [
		line("capacity", "line-5", series.values("line.capacity"), { dashed: true }),
		line("passes", "line-1", series.values("active"), { area: true }),
		line("holding", "line-3", series.values("holding")),
	] },
	seats: { format: count, whole: true, lines: (series) => [
		line("sold", "line-2", series.values("sold"), { area: true }),
		line("held", "line-3", series.values("held")),
	] },
	latency: { format: milliseconds, lines: (series) => [
		line("hold50", "line-1", series.percentiles("hold", 0.5), { dashed: true }),
		line("hold95", "line-1", series.percentiles("hold", 0.95)),
		line("hold99", "line-4", series.percentiles("hold", 0.99), { dashed: true }),
		line("pay95", "line-2", series.percentiles("pay", 0.95)),
		line("poll95", "line-3", series.percentiles("poll", 0.95)),
	] },
	refusals: { format: rate, lines: (series) => series.refusals(REFUSALS_SHOWN).map(({ code, points }, i) => ({
		label: has(`console.code.${code}`) ? t(`console.code.${code}`) : code, colour: `line-${i + 1}`, points,
	})) },
	locks: { format: percent, least: 0.1, lines: (series) => [
		line("lock_failures", "line-4", series.shares("server.locks.taken", "server.locks.attempts"), { area: true }),
	] },
	lanes: { format: count, whole: true, lines: (series) => [
		line("lanes_depth", "line-1", series.values("server.lanes.depth"), { area: true }),
		line("lanes_up", "line-5", series.values("server.lanes.up"), { dashed: true }),
	] },
};

export function makeCharts() {
	return Object.entries(charts).map(([id, options]) =>
		new ChartCard({ id, title: t(`console.chart.${id}`), ...options }));
}
