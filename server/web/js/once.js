// Requests that move seats or money, and may happen once: each goes out under a key that is kept (store.js) before
// it is sent, and is said again under that key, with the same body, until the server has said what became of it. A
// reload, a second tab or a lost reply changes nothing about that.
import { call, ApiError, mayPass, backoffMs, sleep } from "./api.js";
import { keyFor, pendingKey, dropKey } from "./store.js";

const TRIES_MAX = 6;
const PENDING_MS = 10 * 60 * 1000; // later nobody remembers what they asked for

// Nobody knows yet, or will have to ask again under the same key.
function isOpen(error) {
	return mayPass(error) || (error instanceof ApiError && (error.code === "request_in_flight" || error.status === 401));
}

function mayBeRepeated(error) {
	return isOpen(error) && error.status !== 401;
}

// Resolves to the reply, or throws the refusal; afterwards the key is gone. Where it throws what may pass, the key
// stays, and pending() has it. again(error, ms): what is told while it waits; stopped(): whether to give up asking.
export async function once(what, path, body, { pass, again = () => {}, stopped = () => false } = {}) {
	for (let tries = 1; ; tries++) {
		try {
			const reply = await call("POST", path, { body, pass, key: keyFor(what, body) });
			dropKey(what);
			return reply;
		} catch (error) {
			if (!isOpen(error))
				dropKey(what);
			if (!mayBeRepeated(error) || tries >= TRIES_MAX)
				throw error;
			const ms = backoffMs(error, tries, 8000);
			again(error, ms);
			await sleep(ms);
			if (stopped())
				throw error;
		}
	}
}

// The body of what was asked for and not answered, or null.
export function pending(what) {
	const kept = pendingKey(what);
	if (kept !== null && Date.now() - kept.at > PENDING_MS) {
		dropKey(what);
		return null;
	}
	return kept === null ? null : JSON.parse(kept.body);
}

export function forget(what) {
	dropKey(what);
}
