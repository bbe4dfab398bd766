// The waiting room. line.js keeps the place; this page shows what it knows, says how fresh that is, and becomes the
// seat map when the turn has come.
import { h, fill, setText, announce, notice, confirmDialog } from "../dom.js";
import { ApiError, errorText, mayPass, backoffMs } from "../api.js";
import { t, number, durationRange, timeOfDay, dateTime } from "../i18n.js";
import { countdown, clockText } from "../clock.js";
import { session } from "../store.js";
import { needSession } from "../session.js";
import { eventWithDates } from "../catalog.js";
import { dateList } from "../dates.js";
import { positionTitle } from "../header.js";
import * as line from "../line.js";

const ANNOUNCE_MS = 30000; // between two positions read out
const STALE_MS = 30000; // an answer older than this is called old

// --- what is said of a place ---

function headOf(state) {
	const { status, position } = state.place;

	if (status === "prequeue")
		return t("line.prequeue");
	if (status === "sold_out")
		return t("line.soldOut");
	return position === 1 ? t("line.nextTitle") : t("line.title");
}

function etaText(place) {
	if (place.status !== "waiting")
		return "–";
	if (place.paused)
		return t("line.etaPaused");
	if (place.eta_seconds === null)
		return t("line.etaUnknown");
	return place.eta_seconds.max <= 5 ? t("line.etaNow") : t("line.eta", { range: durationRange(place.eta_seconds.min, place.eta_seconds.max) });
}

// What stands in the way of the line, if anything does: [kind, text].
function troubleOf(state) {
	const { place, trouble } = state;

	if (trouble === "offline")
		return ["warn", t("line.offline")];
	if (trouble === "away")
		return ["warn", t("line.away")];
	if (trouble === "busy")
		return ["warn", t("line.busy")];
	if (place.stale)
		return ["warn", t("line.stale")];
	if (place.paused)
		return ["warn", t("line.paused")];
	if (place.status === "sold_out")
		return ["info", t("line.soldOutText")];
	if (place.status === "waiting" && place.seats_available === 0)
		return ["info", t("line.allHeld")];
	return null;
}

function freshText(state) {
	const old = state.trouble !== null || state.place.stale || Date.now() - state.at > STALE_MS;
	return t(old ? "line.asOf" : "line.updated", { time: timeOfDay(state.at) });
}

// From the most people that were ahead to nobody; a little is always filled, so that there is something to see move.
function progressOf(state) {
	const ahead = state.place.ahead ?? (state.known === null ? null : state.known - 1);

	if (ahead === null || state.first === null)
		return null;
	return state.first === 0 ? 100 : Math.max(2, Math.round(1000 * (1 - ahead / (state.first + 1))) / 10);
}

function heading(event, title) {
	return h("div", { class: "stack-tight" }, h("p", { class: "muted" }, event.title, " · ", event.venue), title);
}

// --- the view of who waits: made once, then changed ---

function fact(label) {
	const value = h("dd", {});
	return { value, node: h("div", {}, h("dt", {}, label), value) };
}

function shuffleDetails(event, entrant) {
	return h("details", { class: "small" }, h("summary", {}, t("line.drawHow")),
		h("div", { class: "stack-tight" }, h("p", { class: "muted" }, t("line.drawText")),
			h("p", {}, t("line.commitment")), h("p", { class: "mono" }, event.shuffle.commitment),
			entrant ? h("p", {}, t("line.entrant")) : null, entrant ? h("p", { class: "mono" }, entrant) : null));
}

function prequeueNote(event) {
	const label = h("p", { class: "muted" }), time = h("p", { class: "position tabular", role: "timer" });
	const node = h("div", { class: "stack" }, h("div", { class: "stack-tight" }, label, time),
		h("p", {}, t(event.shuffle ? "line.drawAtOpening" : "line.orderAtOpening", { time: dateTime(event.sale_opens_at) })));
	const stop = countdown(Date.parse(event.sale_opens_at), (left) => {
		setText(label, left > 0 ? t("line.opensIn") : t("line.opening"));
		setText(time, clockText(left));
	});
	return { node, stop };
}

function waitingView(main, event, onLeave) {
	const title = h("h1", { id: "title" }), position = h("p", { class: "position tabular" });
	const bar = h("div", { class: "bar", role: "progressbar", "aria-label": t("line.progress"), "aria-valuemin": "0", "aria-valuemax": "100" },
		h("div", { class: "bar-fill" }));
	const ahead = fact(t("line.ahead")), eta = fact(t("line.etaLabel")), seats = fact(t("line.seats")), waiting = fact(t("line.waiting"));
	const message = h("div", { class: "notice info", role: "status", hidden: true });
	const trouble = h("div", { class: "notice", role: "status", hidden: true });
	const fresh = h("p", { class: "muted small tabular" }), numbers = h("div", { class: "stack numbers" });
	const note = event.sale_opens_at ? prequeueNote(event) : { node: h("p", {}), stop: () => {} };
	const label = h("p", { class: "muted" }, t("line.position"));

	fill(numbers, h("div", { class: "stack-tight" }, label, position), bar);
	fill(main,
		heading(event, title), message,
		h("section", { class: "card stack waiting", "aria-label": t("line.place") }, note.node, numbers, trouble,
			h("dl", { class: "facts" }, ahead.node, eta.node, seats.node, waiting.node), fresh),
		event.shuffle ? shuffleDetails(event, line.get(event.id)?.place.entrant) : null,
		h("p", { class: "muted small" }, t("line.keepOpen")),
		h("div", {}, h("button", { class: "button danger compact", type: "button", onclick: onLeave }, t("line.leave"))));
	return { title, position, bar, ahead, eta, seats, waiting, message, trouble, fresh, numbers, note };
}

function showText(node, text, kind) {
	node.hidden = !text;
	if (kind)
		node.className = `notice ${kind}`;
	setText(node, text || "");
}

function showProgress(bar, percent) {
	bar.hidden = percent === null;
	if (percent === null)
		return;
	bar.style.setProperty("--share", `${percent}%`);
	bar.setAttribute("aria-valuenow", String(Math.round(percent)));
}

function count(value) {
	return value === null || value === undefined ? "–" : number(value);
}

function update(view, state) {
	const { place } = state, early = place.status === "prequeue", [kind, text] = troubleOf(state) ?? [null, ""];
	const known = place.position ?? state.known;

	setText(view.title, headOf(state));
	view.note.node.hidden = !early;
	view.numbers.hidden = early;
	setText(view.position, known === null ? "–" : number(known));
	view.numbers.classList.toggle("old", place.position === null);
	showProgress(view.bar, progressOf(state));
	view.ahead.node.hidden = view.eta.node.hidden = early;
	setText(view.ahead.value, count(place.ahead ?? (known === null ? null : known - 1)));
	setText(view.eta.value, etaText(place));
	setText(view.seats.value, count(place.seats_available));
	setText(view.waiting.value, count(place.waiting));
	showText(view.message, place.message ? t("line.message", { text: place.message }) : "");
	showText(view.trouble, text, kind);
	setText(view.fresh, freshText(state));
	positionTitle(early ? 0 : known ?? 0, headOf(state));
}

// Reads out what a listener wants to know, not each second.
function speaker() {
	let said = "", at = 0;

	return (state) => {
		const { place } = state, head = headOf(state);
		if (head === said && (Date.now() - at < ANNOUNCE_MS || place.position === null))
			return;
		said = head;
		at = Date.now();
		announce(place.position > 0 ? t("line.announce", { head, n: place.position, eta: etaText(place) }) : head);
	};
}

// --- the other views ---

function endedView(main, event, reason, onJoin) {
	fill(main,
		heading(event, h("h1", { id: "title" }, t(`line.ended.${reason}`))),
		h("p", { class: "lead" }, t(`line.ended.${reason}Text`)),
		h("div", { class: "actions" },
			h("button", { class: "button primary", type: "button", onclick: onJoin }, t("line.again")),
			h("a", { class: "button", href: `#/event/${event.id}` }, t("line.toEvent"))));
	announce(t(`line.ended.${reason}`), true);
	positionTitle(0, t(`line.ended.${reason}`));
}

function admittedView(main, event, dates, state, onLeave) {
	const time = h("strong", { class: "tabular" });

	fill(main,
		heading(event, h("h1", { id: "title" }, t("line.turn"))),
		h("p", { class: "lead" }, t("line.turnText"), " ", time),
		h("h2", {}, t("line.chooseDate")),
		dateList(dates, (date) => `#/seats/${event.id}/${date.id}`),
		h("div", {}, h("button", { class: "button danger compact", type: "button", onclick: onLeave }, t("line.giveBack"))));
	positionTitle(0, t("line.turn"));
	return countdown(Date.parse(state.place.pass_expires_at), (left) => setText(time, clockText(left)));
}

function joiningView(main, event) {
	const said = h("div", {});

	fill(main, heading(event, h("h1", { id: "title" }, t("line.joining"))), said);
	return said;
}

// --- the page ---

function leavingCosts(place) {
	if (place?.pass)
		return t("line.giveBackText");
	return t(place?.status === "prequeue" ? "line.leaveEarlyText" : "line.leaveText");
}

async function leaveAsked(eventId) {
	const sure = await confirmDialog({ danger: true, title: t("line.leaveAsk"), text: leavingCosts(line.get(eventId)?.place),
		yes: t("line.leave"), no: t("line.stay") });

	if (!sure)
		return;
	try {
		await line.leave(eventId);
	} catch (error) {
		announce(errorText(error), true);
	}
	location.hash = `#/event/${eventId}`;
}

export async function show(main, [id]) {
	if (!needSession())
		return;
	const known = await eventWithDates(id), { event } = known;
	const speak = speaker();
	let view = null, kind = "", stopTimers = () => {}, over = false;

	function change(next) { // to another view
		stopTimers();
		stopTimers = () => {};
		kind = next;
		view = null;
	}

	// Waits as long as the server says, for it may be its busiest minute.
	async function join() {
		change("joining");
		const said = joiningView(main, event);
		for (let tries = 1; !over; tries++)
			try {
				await line.join(id);
				line.setTitle(id, event.title);
				return;
			} catch (error) {
				if (!(await mayTryAgain(error, tries, said)))
					return;
			}
	}

	async function mayTryAgain(error, tries, said) {
		if (error.code === "queue_disabled") {
			location.replace(`#/event/${id}`);
			return false;
		}
		if (over || session() === null)
			return false;
		if (!mayPass(error)) {
			fill(said, notice("bad", errorText(error)));
			return false;
		}
		const wait = backoffMs(error, tries);
		fill(said, notice("warn", error instanceof ApiError ? t("line.joinBusy") : errorText(error), " ", t("line.joiningAgain", { n: Math.ceil(wait / 1000) })));
		await new Promise((resolve) => {
			const timer = setTimeout(resolve, wait);
			stopTimers = () => {
				clearTimeout(timer);
				resolve();
			};
		});
		return !over;
	}

	async function showAdmitted(state) {
		announce(t("line.turnAnnounce"), true);
		change("admitted");
		if (known.dates.length === 1) {
			location.replace(`#/seats/${id}/${known.dates[0].id}`);
			return;
		}
		stopTimers = admittedView(main, event, known.dates, state, () => leaveAsked(id));
		await eventWithDates(id).then(({ dates }) => { // how many are left by now
			if (!over && kind === "admitted") {
				stopTimers();
				stopTimers = admittedView(main, event, dates, state, () => leaveAsked(id));
			}
		}).catch(() => {});
	}

	function refresh(state) {
		if (over || kind === "joining" && state === null)
			return;
		if (state === null) { // left, in another tab maybe
			location.replace(`#/event/${id}`);
		} else if (state.ended) {
			if (kind !== "ended") {
				change("ended");
				endedView(main, event, state.ended, join);
			}
		} else if (state.place.pass) {
			if (kind !== "admitted")
				showAdmitted(state);
		} else {
			if (kind !== "waiting") {
				change("waiting");
				view = waitingView(main, event, () => leaveAsked(id));
				stopTimers = view.note.stop;
			}
			update(view, state);
			speak(state);
		}
	}

	line.setTitle(id, event.title);
	const stopWatching = line.watch(id, refresh), old = setInterval(() => kind === "waiting" && refresh(line.get(id)), 5000);
	if (line.get(id) === null)
		join();
	else
		refresh(line.get(id));
	return () => {
		over = true;
		stopTimers();
		stopWatching();
		clearInterval(old);
	};
}
