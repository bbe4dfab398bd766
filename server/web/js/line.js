// Places in line, kept alive on whatever page somebody is. The newest answer of each event is in store.js
// ("line.EVENT"), where all tabs find it: a tab asks when the time has come that the server told and no other tab
// has asked meanwhile; so one asks mostly, and when it sleeps or goes the next one does.
//
// What is kept: {token, place, at, dueAt, first, failures, trouble, ended}. `place` is the server's, `at` when it
// came; `first` the most people that were ahead; `trouble` null, "away", "offline" or "busy", when the last try went
// wrong; `ended` null, or why the place is gone.
import { call, ApiError, NetworkError, backoffMs, mayPass } from "./api.js";
import { now as serverTime } from "./clock.js";
import * as store from "./store.js";

const ASKING_MS = 16000; // longer than a request may take: whoever asked and did not write it down is gone
const STREAM_REST_MS = 60000; // after a stream that broke
const STREAM_SILENCE_MS = 20000; // the server says something at least every 15 s

const laziness = Math.random() * 300; // so that two tabs seldom ask at once
const streams = new Map(); // eventId → EventSource
let noStreamBefore = 0;
let lastBeat = Date.now();

export function all() {
	return store.names("line.").map((name) => store.get(name)).filter((state) => state?.place);
}

export function get(eventId) {
	return store.line(eventId);
}

export function forget(eventId) {
	closeStream(eventId);
	store.set(`line.${eventId}`, null);
}

// listener(state or null) after each change of an event's place. Returns what ends it.
export function watch(eventId, listener) {
	return store.onChange((name) => {
		if (name === null || name === `line.${eventId}`)
			listener(get(eventId));
	});
}

// Where it changes nothing nobody is told.
export function setTitle(eventId, title) {
	if (get(eventId)?.title !== title)
		change(eventId, { title });
}

function change(eventId, changes) {
	const state = get(eventId);
	if (state !== null)
		store.set(`line.${eventId}`, { ...state, ...changes });
}

// --- what comes ---

function keep(place, waitMs) {
	const old = get(place.event_id), now = Date.now();
	const ahead = place.ahead ?? old?.place.ahead ?? null;

	store.set(`line.${place.event_id}`, {
		token: place.token, place, at: place.stale ? old?.at ?? now : now, dueAt: now + waitMs, askingAt: 0,
		// Nobody's bar moves back where the line is put in another order: it begins anew.
		first: place.status === "prequeue" ? null : Math.max(old?.first ?? 0, ahead ?? 0),
		failures: 0, trouble: null, ended: null,
		known: place.position ?? old?.known ?? null, // the last position that was said
		title: old?.title ?? null, // the event's, for where several are spoken of
	});
}

function endReason(state, error) {
	if (error.code === "invalid_queue_token")
		return "invalid";
	if (!state.place.pass)
		return "lost";
	return Date.parse(state.place.pass_expires_at) <= serverTime() + 5000 ? "lapsed" : "used";
}

// Of the place that was asked for: it may have ended, and another begun in another tab.
function failed(eventId, token, error) {
	const state = get(eventId);
	if (state === null || state.token !== token)
		return;
	closeStream(eventId);
	if (error instanceof ApiError && [410, 401].includes(error.status)) {
		change(eventId, { ended: endReason(state, error), askingAt: 0 });
		return;
	}
	const failures = state.failures + 1;
	const trouble = error instanceof NetworkError ? (navigator.onLine === false ? "offline" : "away") : "busy";
	change(eventId, { failures, trouble, askingAt: 0, dueAt: Date.now() + backoffMs(error, failures) });
}

// --- polling ---

async function poll(state) {
	const eventId = state.place.event_id, token = state.token;

	change(eventId, { askingAt: Date.now() });
	try {
		const { data } = await call("GET", "/v1/queue", { queueToken: token, pass: state.place.pass, anonymous: true });
		if (get(eventId) !== null) // it was left meanwhile
			keep(data, data.poll_after_ms);
		return true;
	} catch (error) {
		failed(eventId, token, error);
		return false;
	}
}

// --- the stream ---

function closeStream(eventId) {
	streams.get(eventId)?.close();
	streams.delete(eventId);
}

// A stream that breaks is not asked why: the next poll tells. Those of a server that went away do not all come at once.
function streamBroke(eventId) {
	closeStream(eventId);
	noStreamBefore = Date.now() + STREAM_REST_MS;
	change(eventId, { dueAt: Date.now() + Math.random() * 2000 });
}

// What it sends is what polls answer with; "problem" a refusal that may pass, "end" one that does not, which the next
// poll is told, too.
function openStream(state) {
	const eventId = state.place.event_id;
	const source = new EventSource(`/v1/queue/events?token=${encodeURIComponent(state.token)}`);
	const mine = (listener) => (event) => streams.get(eventId) === source && get(eventId) !== null && listener(event);

	streams.set(eventId, source);
	source.onmessage = mine(({ data }) => keep(JSON.parse(data), STREAM_SILENCE_MS));
	source.addEventListener("problem", mine(() => change(eventId, { trouble: "busy" })));
	source.addEventListener("end", mine(() => {
		closeStream(eventId);
		change(eventId, { dueAt: Date.now() });
	}));
	source.onerror = mine(() => streamBroke(eventId));
}

function mayStream(state) {
	return "EventSource" in window && Date.now() >= noStreamBefore && !state.place.pass && !document.hidden;
}

// --- when ---

async function ask(state) {
	const eventId = state.place.event_id;

	closeStream(eventId); // it has been silent for too long
	if (await poll(state)) {
		const next = get(eventId);
		if (next !== null && next.ended === null && !streams.has(eventId) && mayStream(next))
			openStream(next);
	}
}

function beat() {
	const now = Date.now(), slept = now - lastBeat > 5000 || now < lastBeat;

	lastBeat = now;
	for (const eventId of [...streams.keys()])
		if (get(eventId)?.ended !== null) // left or ended, in another tab maybe
			closeStream(eventId);
	for (const state of all()) {
		const asking = now - (state.askingAt || 0) < ASKING_MS;
		if (!state.ended && !asking && (now >= state.dueAt + laziness || slept))
			ask(state);
	}
}

// At once, for what came back: a page that is looked at again, a network.
export function wake() {
	const now = Date.now();
	for (const state of all())
		if (!state.ended && (state.trouble || now - state.at > 3000) && now - (state.askingAt || 0) > 1000)
			ask(state);
}

// A tab that goes takes its streams with it: another one asks at once.
function leaveToOthers() {
	for (const eventId of [...streams.keys()]) {
		closeStream(eventId);
		change(eventId, { dueAt: Date.now() });
	}
}

export function start() {
	const worker = window.Worker ? new Worker("/web/js/pulse.js") : null;

	if (worker)
		worker.onmessage = beat;
	else
		setInterval(beat, 500);
	document.addEventListener("visibilitychange", () => document.hidden || wake());
	window.addEventListener("online", wake);
	window.addEventListener("pagehide", leaveToOthers);
	window.addEventListener("pageshow", (event) => event.persisted && wake());
}

// --- joining and leaving ---

// A new place, or the one that the person has; throws what call throws.
export async function join(eventId) {
	const { data } = await call("POST", `/v1/events/${eventId}/queue`);
	const old = get(eventId);

	if (old?.ended)
		forget(eventId);
	keep(data, data.poll_after_ms);
	return get(eventId);
}

// The place is given back; where the server cannot be told it is dropped after a while by itself.
export async function leave(eventId) {
	const state = get(eventId);

	forget(eventId);
	if (state === null)
		return;
	try {
		await call("DELETE", "/v1/queue", { queueToken: state.token, anonymous: true });
	} catch (error) {
		if (!mayPass(error))
			throw error;
	}
}
