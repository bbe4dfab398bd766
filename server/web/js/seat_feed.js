// What becomes of the seats, asked about each second while somebody looks, by tag, so that "nothing new" costs 304.
// Says honestly when what it tells is old: because the server says so, or because it does not answer.
import { call, backoffMs } from "./api.js";

const EVERY_MS = 1000;

// RFC 9211: ttl below 0 is how long ago it should have been read anew.
function staleSeconds(headers) {
	const match = /ttl=-(\d+)/.exec(headers.get("Cache-Status") || "");
	return match ? Number(match[1]) : 0;
}

// heard({letters, stale, away}): letters where they changed, else null; stale: seconds that they are too old;
// away: true where nobody answers. ask(): at once. stop(): for good.
export function followSeats(performanceId, heard) {
	const path = `/v1/performances/${performanceId}/seats/status`;
	let tag = null, tries = 0, timer = 0, asking = false, stopped = false;

	async function ask() {
		if (asking || stopped || document.hidden)
			return;
		asking = true;
		clearTimeout(timer);
		let wait = EVERY_MS * (0.85 + Math.random() * 0.3);
		try {
			const headers = tag === null ? {} : { "If-None-Match": tag };
			const reply = await call("GET", path, { headers, anonymous: true });
			tag = reply.headers.get("ETag") ?? tag;
			tries = 0;
			if (!stopped)
				heard({ letters: reply.data?.status ?? null, stale: staleSeconds(reply.headers), away: false });
		} catch (error) {
			tries++;
			wait = backoffMs(error, tries, 10000);
			if (!stopped && tries > 1)
				heard({ letters: null, stale: 0, away: true });
		}
		asking = false;
		if (!stopped)
			timer = setTimeout(ask, wait);
	}
	const looked = () => document.hidden || ask();

	document.addEventListener("visibilitychange", looked);
	window.addEventListener("online", looked);
	ask();
	return {
		ask,
		stop() {
			stopped = true;
			clearTimeout(timer);
			document.removeEventListener("visibilitychange", looked);
			window.removeEventListener("online", looked);
		},
	};
}
