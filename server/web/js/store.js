// What the browser keeps, shared by its tabs: who is logged in, places in line, keys of payments and holds that
// may have to be said again. Values are JSON under "onsale.NAME"; where nothing may be stored, memory does.

const PREFIX = "onsale.";
const memory = new Map();
const listeners = new Set();

function storage() {
	try {
		return window.localStorage;
	} catch {
		return null;
	}
}

export function get(name) {
	try {
		const text = storage()?.getItem(PREFIX + name) ?? memory.get(name) ?? null;
		return text === null ? null : JSON.parse(text);
	} catch {
		return null;
	}
}

// null removes it.
export function set(name, value) {
	const text = value === null ? null : JSON.stringify(value);
	try {
		if (text === null)
			storage().removeItem(PREFIX + name);
		else
			storage().setItem(PREFIX + name, text);
		memory.delete(name);
	} catch {
		memory.set(name, text);
	}
	tell(name);
}

function tell(name) {
	for (const listener of [...listeners])
		listener(name);
}

// listener(name) after each change, in this tab or another; name is null where all may have changed. Returns
// what ends it.
export function onChange(listener) {
	listeners.add(listener);
	return () => listeners.delete(listener);
}

window.addEventListener("storage", (event) => {
	if (event.key === null || event.key.startsWith(PREFIX))
		tell(event.key === null ? null : event.key.slice(PREFIX.length));
});

// All names that begin so.
export function names(prefix) {
	const found = new Set([...memory.keys()]);
	try {
		for (const key of Object.keys(storage() || {}))
			if (key.startsWith(PREFIX))
				found.add(key.slice(PREFIX.length));
	} catch { /* nothing is stored */ }
	return [...found].filter((name) => name.startsWith(prefix) && get(name) !== null);
}

// --- keys ---

export function randomKey() {
	return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// The idempotency key of something that is to happen once: the same after a reload, until dropKey. `what` names it
// ("pay.9", "charge.account"); `body`, where the request has one, gets a new key when it changes.
export function keyFor(what, body) {
	const kept = get(`key.${what}`), text = JSON.stringify(body ?? null);
	if (kept !== null && kept.body === text)
		return kept.key;
	const key = randomKey();
	set(`key.${what}`, { key, body: text, at: Date.now() });
	return key;
}

export function pendingKey(what) {
	return get(`key.${what}`);
}

export function dropKey(what) {
	set(`key.${what}`, null);
}

// --- the person ---

// {token, email, expiresAt} or null.
export function session() {
	const kept = get("session");
	return kept !== null && kept.expiresAt > Date.now() ? kept : null;
}

export function setSession(value) {
	set("session", value);
}

// Whoever comes next at this browser finds nothing of who was here before.
export function forgetPerson() {
	for (const prefix of ["line.", "key.", "person."])
		for (const name of names(prefix))
			set(name, null);
	set("session", null);
}

// --- places in line ---

// As line.js keeps it: {token, place, ...}, or null.
export function line(eventId) {
	return get(`line.${eventId}`);
}

// The pass of an event where there is a live one: {pass, expiresAt in ms of the server's clock}, or null. The
// caller judges by clock.now() whether it still has time.
export function pass(eventId) {
	const place = line(eventId)?.place;
	return place?.pass ? { pass: place.pass, expiresAt: Date.parse(place.pass_expires_at) } : null;
}
