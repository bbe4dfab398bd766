// The server's time, which alone decides when a hold or a pass ends, and countdowns to it.

// The server's clock less ours is between these, in ms: each reply's Date header (whole seconds) and the times at
// which it was asked for and came narrow them.
let low = -Infinity, high = Infinity;

export function noteDate(header, sentAt, gotAt) {
	const date = Date.parse(header ?? "");
	if (Number.isNaN(date))
		return;
	const least = date - gotAt, most = date + 1000 - sentAt;
	low = Math.max(low, least);
	high = Math.min(high, most);
	if (low > high) { // a clock was set
		low = least;
		high = most;
	}
}

export function now() {
	const offset = Number.isFinite(low) ? (low + high) / 2 : 0;
	return Date.now() + offset;
}

// onTick(ms left, never below 0) at once and each second until nothing is left. Returns what stops it.
export function countdown(until, onTick) {
	let timer = null;

	function tick() {
		const left = Math.max(0, until - now());
		timer = left > 0 ? setTimeout(tick, Math.min(left, left % 1000 || 1000) + 5) : null;
		onTick(left);
	}
	tick();
	return () => {
		clearTimeout(timer);
		timer = null;
	};
}

// 272000 → "4:32", 3672000 → "1:01:12"; what is begun counts whole.
export function clockText(ms) {
	const seconds = Math.ceil(ms / 1000), two = (value) => String(value).padStart(2, "0");
	const hours = Math.floor(seconds / 3600), minutes = Math.floor(seconds / 60) % 60;
	return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

// Does some work again and again, about `ms` after it was done, while the page is looked at. Returns what stops it.
export function every(ms, work) {
	let timer = null, stopped = false;

	function later() {
		timer = setTimeout(run, ms * (0.9 + Math.random() * 0.2));
	}
	async function run() {
		if (!document.hidden)
			await work();
		if (!stopped)
			later();
	}
	later();
	return () => {
		stopped = true;
		clearTimeout(timer);
	};
}
