// The figures of one event, each second: from the server's stream, or, where there is none, asked for each second.
// The stream is read with fetch and not as an EventSource, so that the access token stays in a header.
import { ApiError, NetworkError, backoffMs, call } from "../api.js";
import { session } from "../store.js";
import { EventParser } from "./event_parser.js";

const PERIOD_MS = 1000;
const SILENCE_MS = 20000; // the server says something at least every 15 s
const NO_STREAM = Symbol("no stream");

// on.stats(stats) with each picture; on.state(name, code) with each change: "connecting", "stream", "polling", or
// "away" and the code of the refusal, where there was one; at last, where asking again would be answered the same,
// "refused" or "missing". Returns what stops it.
export function follow(event, on) {
	const stop = new AbortController();
	run(event, on, stop.signal);
	return () => stop.abort();
}

async function run(event, on, stopped) {
	let failures = 0, read = stream;
	const told = { ...on, stats(stats) {
		failures = 0;
		try {
			on.state(read === stream ? "stream" : "polling");
			on.stats(stats);
		} catch (error) {
			reportError(error); // the page's own fault, and no reason to ask again
		}
	} };

	on.state("connecting");
	while (!stopped.aborted) {
		const ended = await read(event, told, stopped).catch((error) => error);
		if (stopped.aborted || isFinal(ended, on))
			return;
		if (ended === NO_STREAM) {
			read = poll;
			continue;
		}
		failures++;
		on.state("away", ended.code);
		await pause(backoffMs(ended, failures), stopped);
	}
}

function isFinal(error, on) {
	if (!(error instanceof ApiError) || ![401, 403, 404].includes(error.status))
		return false;
	on.state(error.status === 404 ? "missing" : "refused");
	return true;
}

function pause(ms, stopped) {
	return new Promise((resolve) => {
		const timer = setTimeout(done, ms);
		stopped.addEventListener("abort", done);

		function done() {
			clearTimeout(timer);
			stopped.removeEventListener("abort", done);
			resolve();
		}
	});
}

// Ends where the stream does.
async function stream(event, on, stopped) {
	const cut = new AbortController(), abort = () => cut.abort();
	stopped.addEventListener("abort", abort);
	try {
		const reply = await fetch(`/v1/admin/events/${event}/live`, {
			headers: { Accept: "text/event-stream", Authorization: `Bearer ${session()?.token}` },
			signal: cut.signal,
			cache: "no-store",
		});
		if (!reply.headers.get("Content-Type")?.startsWith("text/event-stream"))
			return await noStream(reply);
		await readAll(reply.body, on, abort);
		throw new NetworkError("the stream has ended");
	} finally {
		stopped.removeEventListener("abort", abort);
	}
}

async function noStream(reply) {
	const problem = await reply.json().catch(() => ({}));
	if (problem.code === "not_found" || reply.status === 405)
		return NO_STREAM;
	throw new ApiError(reply.status, problem, Number.parseInt(reply.headers.get("Retry-After"), 10) || null);
}

async function readAll(body, on, abort) {
	const reader = body.pipeThrough(new TextDecoderStream()).getReader(), parser = new EventParser();
	let silence = setTimeout(abort, SILENCE_MS);
	try {
		for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
			clearTimeout(silence);
			silence = setTimeout(abort, SILENCE_MS);
			for (const event of parser.push(piece.value))
				take(event, on);
		}
	} finally {
		clearTimeout(silence);
	}
}

// Beside pictures there are refusals: those that may pass ("problem") and the one that ends the stream ("end").
function take({ name, data }, on) {
	const told = JSON.parse(data);
	if (name === "end")
		throw new ApiError(told.status, told, null);
	if (name === "problem")
		on.state("away", told.code);
	else
		on.stats(told);
}

// Ends at the first question that is not answered.
async function poll(event, on, stopped) {
	while (!stopped.aborted) {
		const { data } = await call("GET", `/v1/admin/events/${event}/stats`);
		if (stopped.aborted)
			return;
		on.stats(data);
		await pause(PERIOD_MS, stopped);
	}
}
