// What was told of an event, second by second, and what follows from it. The server's counters only grow; rates are
// what they grew by. Those under `server` are one instance's own: where the next picture comes from another one, or
// from one that was started again, they say nothing of the time between. Nothing here touches the page.

const KEPT_MS = 125000;
const PERIOD_MS = 900; // pictures come each second, some a little early
const LATENCY_MS = 10000; // percentiles and shares are of so long
const BUSY_MS = 60000; // refusals are ordered by how many there were in it

const member = (object, path) => path.split(".").reduce((value, name) => value?.[name], object);

// Has the same instance told of both, and not been started again between?
const comparable = (from, to, path) =>
	!path.startsWith("server.") || from.stats.server?.instance === to.stats.server?.instance;

// By how much a counter grew between two samples; null where that cannot be said.
function grown(from, to, path) {
	const before = member(from.stats, path), after = member(to.stats, path);
	if (from === to || !comparable(from, to, path) || typeof after !== "number")
		return null;
	return after < (before ?? 0) ? null : after - (before ?? 0);
}

export class Series {
	samples = [];

	// stats: the reply of GET …/stats; at: when it came, in ms of a clock that does not jump.
	add(stats, at) {
		this.samples.push({ at, stats });
		while (at - this.samples[0].at > KEPT_MS)
			this.samples.shift();
	}

	get last() {
		return this.samples.at(-1);
	}

	// The youngest sample that is at least `ms` older than this one, or else the oldest.
	#before(index, ms) {
		const { at } = this.samples[index];
		let first = index;
		while (first > 0 && at - this.samples[first].at < ms)
			first--;
		return this.samples[first];
	}

	// Points {x: ms, y: a value, or null}, one a sample.
	#points(value) {
		return this.samples.map((sample, i) => ({ x: sample.at, y: value(sample, i) }));
	}

	// Of a number that is told.
	values(path) {
		return this.#points(({ stats }) => member(stats, path) ?? null);
	}

	// Of what a counter grew by a second.
	rates(path) {
		return this.#points((to, i) => {
			const from = this.#before(i, PERIOD_MS), by = grown(from, to, path);
			return by === null ? null : by * 1000 / (to.at - from.at);
		});
	}

	// Of the share that one counter has of another: 0 to 1; null where nothing was counted.
	shares(part, whole) {
		return this.#points((to, i) => {
			const from = this.#before(i, LATENCY_MS);
			const some = grown(from, to, part), all = grown(from, to, whole);
			return some === null || !all ? null : some / all;
		});
	}

	// Of a percentile of how long an operation took in the seconds before; null where there was none.
	percentiles(operation, share) {
		return this.#points((to, i) => this.#percentile(this.#before(i, LATENCY_MS), to, operation, share));
	}

	#percentile(from, to, operation, share) {
		const before = from.stats.server?.latency?.[operation], latency = to.stats.server?.latency;
		if (from === to || !before || !latency?.[operation] || !comparable(from, to, "server.latency"))
			return null;
		const counts = latency[operation].map((count, i) => count - before[i]);
		return percentile(latency.bounds_ms, counts, share);
	}

	// Refusals a second by their code, those that were most frequent of late first: [{code, points}].
	refusals(most) {
		const counts = this.last?.stats.server?.refusals ?? {};
		const since = this.samples.length > 0 ? this.#before(this.samples.length - 1, BUSY_MS) : null;
		return Object.keys(counts)
			.map((code) => ({ code, count: grown(since, this.last, `server.refusals.${code}`) ?? 0 }))
			.filter(({ count }) => count > 0)
			.sort((a, b) => b.count - a.count || (a.code < b.code ? -1 : 1))
			.slice(0, most)
			.map(({ code }) => ({ code, points: this.rates(`server.refusals.${code}`) }));
	}
}

// Of counts between bounds: within a bucket as if evenly spread. The last count is of what lies past the last bound,
// of which no more is known than that.
export function percentile(bounds, counts, share) {
	const total = counts.reduce((sum, count) => sum + count, 0);
	if (total <= 0 || counts.some((count) => count < 0))
		return null;
	let left = total * share;
	for (let i = 0; i < bounds.length; i++) {
		const low = i > 0 ? bounds[i - 1] : 0;
		if (counts[i] > 0 && left <= counts[i])
			return low + (bounds[i] - low) * left / counts[i];
		left -= counts[i];
	}
	return bounds.at(-1);
}

// The last value of some points, and the highest that is known; null where there is none.
export function latest(points) {
	return points.at(-1)?.y ?? null;
}

export function highest(points) {
	const known = points.map(({ y }) => y).filter((y) => y !== null);
	return known.length > 0 ? Math.max(...known) : null;
}
