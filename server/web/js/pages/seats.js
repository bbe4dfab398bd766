// The seats of a performance: looked at live, picked on the map or in the list, or left to the server to choose,
// then held, all or none. A seat that somebody else was faster at is named and put back; the others stay picked.
import { h, fill, setText, notice, announce } from "../dom.js";
import { t, dateTime } from "../i18n.js";
import { call, ApiError, NetworkError, errorText } from "../api.js";
import * as store from "../store.js";
import { now, countdown } from "../clock.js";
import { once, pending } from "../once.js";
import { goToLogin } from "../session.js";
import * as line from "../line.js";
import { eventWithDates } from "../catalog.js";
import { FREE } from "../seat_paint.js";
import { Hall, seatName } from "../seat_hall.js";
import { createSeatMap } from "../seat_map.js";
import { createSeatList } from "../seat_list.js";
import { createBasket, createBest } from "../seat_basket.js";
import { createLegend } from "../seat_legend.js";
import { followSeats } from "../seat_feed.js";

const HAVING = ["held", "paid"];
const PASS_CODES = ["queue_pass_required", "queue_pass_invalid", "queue_pass_expired"];

class SeatsPage {
	constructor(event, performance, hall) {
		const eventId = event.id, performanceId = performance.id;
		Object.assign(this, { eventId, performanceId, event, performance, hall });
		this.busy = false;
		this.stopped = false;
		this.stops = [];
		this.picksName = `person.picks.${performanceId}`;
		this.holdName = `hold.${performanceId}`;
		this.have = 0; // seats of this date that the person holds or bought, as far as it is known
	}

	// --- what is seen ---

	build(page) {
		const { hall } = this;
		const common = { layout: hall.layout, seats: hall.seats, states: hall.states, picked: hall.picked,
			seatName: (index) => hall.describe(index), onPick: (index) => this.pick(index),
			sectionName: (section) => hall.sectionName(section) };
		this.map = createSeatMap(common);
		this.list = createSeatList(common);
		this.basket = createBasket(hall, { hold: () => this.holdPicked(), drop: (index) => this.pick(index),
			door: () => this.door() });
		this.best = createBest(hall, { find: (asked) => this.hold({ performance_id: this.performanceId, ...asked }),
			limit: () => this.limit(), may: () => !this.door().href });
		this.legend = createLegend(hall);
		this.notices = h("div", { class: "stack-tight notices" });
		this.live = h("p", { class: "chip seats-live", role: "status" }, t("seats.live"));
		fill(page, this.head(), this.notices,
			h("div", { class: "seats-columns" },
				h("section", { class: "card seats-hall", "aria-label": t("seats.hall") },
					this.toolbar(), this.legend.element, this.map.element, this.list.element),
				h("div", { class: "seats-side" }, this.basket.element, this.best.element)));
		this.showView(store.get("seats.view") === "list" ? "list" : "map");
	}

	head() {
		return h("div", { class: "stack-tight" }, h("h1", {}, t("seats.title")),
			h("p", { class: "lead" }, `${this.event.title} · ${this.event.venue} · ${dateTime(this.performance.starts_at)}`));
	}

	toolbar() {
		const button = (view) => h("button", { type: "button", onclick: () => this.showView(view) }, t(`seats.view_${view}`));
		this.views = { map: button("map"), list: button("list") };
		return h("div", { class: "seats-toolbar" },
			h("div", { class: "switch", role: "group", "aria-label": t("seats.view") }, this.views.map, this.views.list),
			this.live);
	}

	showView(view) {
		store.set("seats.view", view);
		for (const [name, button] of Object.entries(this.views))
			button.setAttribute("aria-pressed", String(name === view));
		this.map.element.hidden = view !== "map";
		this.list.element.hidden = view !== "list";
		this.list.changed();
	}

	changed() {
		if (this.stopped)
			return;
		this.map.changed();
		if (!this.list.element.hidden)
			this.list.changed();
		this.basket.changed(this.busy);
		this.best.changed(this.busy);
		this.legend.changed();
	}

	say(kind, ...what) {
		fill(this.notices, kind ? notice(kind, ...what) : []);
		if (kind === "bad" || kind === "warn")
			this.notices.scrollIntoView({ block: "nearest" });
	}

	// --- who may hold ---

	// Where somebody has to go first: {href, text, go}; else {}.
	door() {
		if (store.session() === null)
			return { href: "#/login", text: t("seats.log_in"), go: goToLogin };
		const pass = store.pass(this.eventId);
		if (this.event.queue.enabled && (pass === null || pass.expiresAt <= now()))
			return { href: `#/line/${this.eventId}`, text: t("seats.to_line") };
		return {};
	}

	watchPass() {
		let stopCountdown = () => {};
		const look = () => {
			const pass = store.pass(this.eventId);
			stopCountdown();
			stopCountdown = pass === null ? () => {} : countdown(pass.expiresAt, (left) => left === 0 && this.passEnded());
			this.changed();
		};
		this.stops.push(store.onChange((name) => (name === null || name === "session" || name.startsWith("line.")) && look()));
		this.stops.push(() => stopCountdown());
		look();
	}

	passEnded() {
		if (!this.event.queue.enabled || this.busy)
			return;
		this.sayLine("queue_pass_expired");
		this.changed();
	}

	// The place is looked at again: the line does not send back here whoever has no pass.
	passRefused(code) {
		line.wake();
		this.sayLine(code);
	}

	sayLine(code) {
		this.say("warn", h("p", {}, t(`seats.${code}`)),
			h("p", {}, h("a", { class: "button compact", href: `#/line/${this.eventId}` }, t("seats.to_line"))));
	}

	// --- picking ---

	// How many seats may be picked: those of one hold, and no more than one person may have.
	limit() {
		const { seats_per_hold: hold, seats_per_person: person } = this.performance;
		return person === null ? hold : Math.min(hold, Math.max(0, person - this.have));
	}

	limitText() {
		const { seats_per_hold: hold, seats_per_person: person } = this.performance;
		return this.limit() < hold ? t("seats.limit_person", { n: person }) : t("seats.limit", { n: hold });
	}

	pick(index) {
		const { hall } = this;
		if (this.busy || (!hall.picked.has(index) && hall.states[index] !== FREE))
			return false;
		if (!hall.picked.has(index) && hall.picked.size >= this.limit()) {
			this.say("warn", this.limitText());
			return false;
		}
		hall.toggle(index);
		this.keepPicks();
		return true;
	}

	keepPicks() {
		store.set(this.picksName, this.hall.picked.size > 0 ? this.hall.pickedSeats().map((seat) => seat.id) : null);
	}

	restorePicks() {
		for (const id of store.get(this.picksName) ?? []) {
			const index = this.hall.indexes.get(id);
			if (index !== undefined && this.hall.states[index] === FREE)
				this.hall.picked.add(index);
		}
	}

	lose(indexes) {
		const names = indexes.map((index) => seatName(this.hall.seats[index])).join("; ");
		this.hall.lose(indexes);
		this.keepPicks();
		const rest = this.hall.picked.size;
		this.say("bad", h("p", {}, t("seats.lost", { n: indexes.length, names })),
			h("p", {}, rest > 0 ? t("seats.lost_rest", { n: rest }) : t("seats.lost_all")));
	}

	// --- live ---

	heard({ letters, stale, away }) {
		setText(this.live, away ? t("seats.away") : stale > 0 ? t("seats.stale", { n: stale }) : t("seats.live"));
		this.live.classList.toggle("warn", away || stale > 0);
		if (letters === null || letters.length !== this.hall.states.length)
			return;
		const gone = this.hall.take(letters);
		if (gone.length > 0 && !this.busy)
			this.lose(gone);
		this.hall.changed();
	}

	// --- holding ---

	holdPicked() {
		this.hold({ performance_id: this.performanceId, seat_ids: this.hall.pickedSeats().map((seat) => seat.id) });
	}

	async hold(body) {
		if (this.busy)
			return;
		this.busy = true; // what was said before stays until there is more to say: nothing moves under a finger
		this.changed();
		try {
			const { data } = await once(this.holdName, "/v1/reservations", body, {
				pass: store.pass(this.eventId)?.pass, stopped: () => this.stopped,
				again: (error) => this.say("info", t("seats.asking_again"), " ", errorText(error)),
			});
			store.set(this.picksName, null);
			if (!this.stopped)
				location.hash = `#/checkout/${data.id}`;
		} catch (error) {
			this.busy = false;
			if (!this.stopped)
				this.refused(error, body);
		}
		this.changed();
	}

	refused(error, body) {
		if (!(error instanceof ApiError))
			this.unanswered(error, body);
		else if (error.code === "seat_unavailable")
			this.lose(error.data.seat_ids.map((id) => this.hall.indexes.get(id)));
		else if (PASS_CODES.includes(error.code))
			this.passRefused(error.code);
		else if (error.status === 422)
			this.tooMany(error);
		else if (error.status >= 500 || error.code === "request_in_flight")
			this.unanswered(error, body);
		else if (error.status !== 401)
			this.say("bad", errorText(error));
		this.feed.ask();
	}

	// Nobody knows whether the seats are held: asked again under the same key, it can be no other hold.
	unanswered(error, body) {
		if (!(error instanceof ApiError || error instanceof NetworkError))
			throw error;
		this.say("bad", h("p", {}, errorText(error)), h("p", {}, t("seats.same_key")),
			h("p", {}, h("button", { class: "button compact", type: "button", onclick: () => this.hold(body) },
				t("seats.ask_again"))));
	}

	// Nobody is let pick more than there may be: so the person has more by now than this page knew of.
	tooMany(error) {
		const most = this.performance.seats_per_person;
		const isCount = (error.data.errors ?? []).some(({ field }) => field === "seat_ids" || field === "quantity");
		this.say("bad", isCount && most !== null ? t("seats.limit_person", { n: most }) : errorText(error));
		this.lookAtMine();
	}

	// --- before and after ---

	async mine() {
		if (store.session() === null)
			return;
		const { data } = await call("GET", "/v1/reservations?limit=200");
		const mine = data.items.filter((one) => one.performance_id === this.performanceId && HAVING.includes(one.status));
		const held = mine.find((one) => one.status === "held");
		this.have = mine.reduce((sum, one) => sum + one.seats.length, 0);
		this.changed();
		if (held && !this.stopped && !this.busy && this.notices.childElementCount === 0)
			this.say("info", h("p", {}, t("seats.held_already", { n: held.seats.length })),
				h("p", {}, h("a", { class: "button compact", href: `#/checkout/${held.id}` }, t("seats.to_payment"))));
	}

	lookAtMine() {
		this.mine().catch((error) => console.warn(error.message));
	}

	start() {
		this.hall.listeners.add(() => this.changed());
		this.restorePicks();
		this.watchPass();
		this.feed = followSeats(this.performanceId, (news) => this.heard(news));
		const begun = store.session() === null ? null : pending(this.holdName);
		if (begun !== null) {
			announce(t("seats.resumed"));
			this.hold(begun);
		} else {
			this.lookAtMine();
		}
	}

	stop() {
		this.stopped = true;
		this.feed.stop();
		this.map.stop();
		for (const stop of this.stops)
			stop();
	}
}

// About the room that the map will have, so that sections are laid out for it.
function room() {
	return innerWidth > 960 ? { width: Math.min(innerWidth, 1360) - 440, height: Math.max(420, innerHeight - 340) }
		: { width: innerWidth - 40, height: innerHeight * 0.5 };
}

export async function show(page, [eventId, performanceId]) {
	const [{ event, dates }, { data }] = await Promise.all([eventWithDates(eventId),
		call("GET", `/v1/performances/${performanceId}/seats`, { anonymous: true })]);
	const performance = dates.find((date) => date.id === performanceId);
	if (performance === undefined)
		throw new ApiError(404, { code: "performance_not_found" }, null);
	const shown = new SeatsPage(event, performance, new Hall(data.seats, room()));
	shown.build(page);
	shown.start();
	return () => shown.stop();
}
