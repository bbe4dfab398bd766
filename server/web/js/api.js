// The calls of the API. A refusal is an ApiError, whose code says which; no answer at all is a NetworkError.
import { noteDate } from "./clock.js";
import { session, setSession } from "./store.js";
import { t, has } from "./i18n.js";

const PATIENCE_MS = 15000;

export class ApiError extends Error {
	constructor(status, data, retryAfter) {
		super(data?.title || `HTTP ${status}`);
		this.status = status;
		this.code = data?.code || `http_${status}`;
		this.data = data || {};
		this.retryAfter = retryAfter; // seconds, or null
	}
}

export class NetworkError extends Error {}

function requestHeaders({ body, key, pass, queueToken, headers }) {
	const sent = { Accept: "application/json", ...headers };
	if (body !== undefined)
		sent["Content-Type"] = "application/json";
	if (key)
		sent["Idempotency-Key"] = key;
	if (pass)
		sent["X-Queue-Pass"] = pass;
	if (queueToken)
		sent["X-Queue-Token"] = queueToken;
	return sent;
}

// One request: {status, headers, data}. It gives up after PATIENCE_MS: a page never hangs on a server that does.
async function send(method, path, options) {
	const abort = new AbortController();
	const timer = setTimeout(() => abort.abort(), PATIENCE_MS), sentAt = Date.now();
	try {
		const response = await fetch(path, {
			method,
			headers: requestHeaders(options),
			body: options.body === undefined ? undefined : JSON.stringify(options.body),
			signal: abort.signal,
			cache: options.cache || "no-store",
			credentials: "omit",
		});
		noteDate(response.headers.get("Date"), sentAt, Date.now());
		const text = await response.text();
		return { status: response.status, headers: response.headers, data: text === "" ? null : JSON.parse(text) };
	} catch (error) {
		throw new NetworkError(error.message);
	} finally {
		clearTimeout(timer);
	}
}

// Whom the app tells that a session is over; app.js sets it.
let onSessionLost = () => {};

export function setSessionLost(listener) {
	onSessionLost = listener;
}

// call("POST", "/v1/…", {body, key, pass, queueToken, headers, anonymous}) → {status, headers, data}. 304 is no
// refusal. anonymous: without the session, whose 401 would end it.
export async function call(method, path, options = {}) {
	const who = options.anonymous ? null : session();
	const headers = who ? { Authorization: `Bearer ${who.token}`, ...options.headers } : options.headers;
	const reply = await send(method, path, { ...options, headers });
	if (reply.status < 400)
		return reply;
	const after = Number.parseInt(reply.headers.get("Retry-After") ?? "", 10);
	const error = new ApiError(reply.status, reply.data, Number.isNaN(after) ? null : after);
	if (error.code === "unauthorized" && who) {
		if (session()?.token === who.token)
			setSession(null);
		onSessionLost();
	}
	throw error;
}

// What a person is told of a failure, in their language.
export function errorText(error) {
	if (error instanceof NetworkError)
		return t(navigator.onLine === false ? "error.offline" : "error.network");
	if (error instanceof ApiError)
		return has(`error.${error.code}`) ? t(`error.${error.code}`)
			: t("error.other", { id: error.data.request_id || "–" });
	console.error(error);
	return t("error.page");
}

// True where the same request may go well later.
export function mayPass(error) {
	return error instanceof NetworkError || (error instanceof ApiError && (error.status >= 500 || error.status === 429));
}

// How long to wait before try number `tries` (from 1): doubling, jittered, never before the server allows it.
export function backoffMs(error, tries, most = 15000) {
	const wait = Math.min(most, 1000 * 2 ** Math.min(tries - 1, 10)) * (0.5 + Math.random() / 2);
	return Math.max(wait, (error?.retryAfter ?? 0) * 1000 + Math.random() * 500);
}

export function sleep(ms) {
	return new Promise((resolve) => setTimeout(resolve, ms));
}

// All pages of a list that has few: {items} of each, at most `pages` of them.
export async function callAll(path, pages = 10) {
	const items = [];
	let after = null;
	do {
		const { data } = await call("GET", after === null ? path : `${path}${path.includes("?") ? "&" : "?"}after=${after}`);
		items.push(...data.items);
		after = data.next ?? null;
	} while (after !== null && --pages > 0);
	return items;
}
