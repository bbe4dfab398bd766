// A reservation on its way to being paid: the time that is left, what it costs, what is missing, and one payment
// however often the button is pressed, the page is loaded again or a reply is lost. Afterwards the receipt; or, where
// the time has run out, the way back. What it is, the server says: held, paid, cancelled or expired.
import { h, fill, setText, notice, announce, confirmDialog } from "../dom.js";
import { t, money, dateTime } from "../i18n.js";
import { call, ApiError, NetworkError, errorText } from "../api.js";
import { countdown, clockText } from "../clock.js";
import { once, pending, forget } from "../once.js";
import { findPerformances } from "../catalog.js";
import { needSession } from "../session.js";
import { setTitle } from "../header.js";
import * as line from "../line.js";
import { seatName } from "../seat_hall.js";

const LAST_MS = 60000;
const ENDED = { hold_expired: "expired", already_paid: "paid", reservation_cancelled: "cancelled" };

// The second click of a double click is none: what it would hit may be something else by then.
function single(act) {
	return (event) => event.detail > 1 ? undefined : act();
}

class Checkout {
	constructor(page, reservation, me, place) {
		Object.assign(this, { page, reservation, me, place });
		this.payName = `pay.${reservation.id}`;
		this.chargeName = `charge.${reservation.id}`;
		this.usePoints = false;
		this.busy = null; // or "pay", "charge", "cancel"
		this.payment = null; // the reply, where it was paid here
		this.stopped = false;
		this.stopCountdown = () => {};
	}

	money(amount) {
		return money(amount, this.reservation.currency);
	}

	points() {
		return this.usePoints ? Math.min(this.me.points, this.reservation.total) : 0;
	}

	amount() {
		return this.reservation.total - this.points();
	}

	missing() {
		return Math.max(0, this.amount() - this.me.balance);
	}

	// --- what all states show ---

	show() {
		this.stopCountdown();
		this.stopCountdown = () => {};
		const views = { held: () => this.heldView(), paid: () => this.paidView() };
		(views[this.reservation.status] ?? (() => this.overView()))();
	}

	// Another state of the same page: its head is where somebody goes on reading.
	showAnew() {
		this.show();
		const head = this.page.querySelector("h1");
		head.id = "title";
		head.tabIndex = -1;
		head.focus({ preventScroll: true });
		window.scrollTo(0, 0);
		setTitle(head.textContent);
	}

	where() {
		if (this.place === null)
			return null;
		const { event, performance } = this.place;
		return h("div", { class: "stack-tight" }, h("p", { class: "ticket-event" }, event.title),
			h("p", { class: "muted" }, `${event.venue} · ${dateTime(performance.starts_at)}`));
	}

	seats() {
		return h("ul", { class: "ticket-seats", "aria-label": t("checkout.seats") }, this.reservation.seats.map((seat) =>
			h("li", {}, h("span", {}, seatName(seat)), h("span", { class: "tabular" }, this.money(seat.price)))));
	}

	seatsHref() {
		return this.place === null ? "#/" : `#/seats/${this.place.event.id}/${this.reservation.performance_id}`;
	}

	// --- held ---

	heldView() {
		this.notices = h("div", { class: "stack-tight notices" });
		this.bill = h("div", { class: "stack" });
		fill(this.page, h("h1", {}, t("checkout.title")), this.timer(), this.notices,
			h("div", { class: "card stack ticket" }, this.where(), this.seats()),
			h("section", { class: "card stack", "aria-label": t("checkout.bill") }, this.bill),
			h("p", {}, h("button", { class: "link", type: "button", onclick: single(() => this.cancel()) }, t("checkout.cancel"))));
		this.billChanged();
	}

	timer() {
		const time = h("strong", { class: "tabular" });
		const element = h("p", { class: "hold-timer", role: "timer" }, t("checkout.held_for"), " ", time);

		this.stopCountdown = countdown(Date.parse(this.reservation.hold_expires_at), (left) => {
			setText(time, clockText(left));
			element.classList.toggle("is-last", left <= LAST_MS);
			if (left <= LAST_MS && left > LAST_MS - 1000)
				announce(t("checkout.last_minute"), true);
			if (left === 0)
				this.timeIsUp();
		});
		return element;
	}

	billRow(label, amount, kind = "") {
		return h("div", { class: `bill-row ${kind}` }, h("dt", {}, label), h("dd", { class: "tabular" }, amount));
	}

	billChanged() {
		const points = this.points(), missing = this.missing();
		fill(this.bill, h("dl", { class: "bill" },
			points > 0 ? this.billRow(t("checkout.total"), this.money(this.reservation.total)) : null,
			points > 0 ? this.billRow(t("checkout.points_used"), `−${this.money(points)}`) : null,
			this.billRow(t("checkout.to_pay"), this.money(this.amount()), "is-sum"),
			this.billRow(t("checkout.balance"), this.money(this.me.balance)),
			missing > 0 ? this.billRow(t("checkout.missing"), this.money(missing), "is-missing") : null),
			this.me.points > 0 ? this.pointsBox() : null, this.payButton(missing));
	}

	pointsBox() {
		const box = h("input", { type: "checkbox", id: "use-points", checked: this.usePoints,
			disabled: this.busy !== null, onchange: () => {
				this.usePoints = box.checked;
				this.billChanged();
				this.page.querySelector("#use-points").focus();
			} });
		return h("div", { class: "check" }, box, h("label", { for: "use-points" },
			t("checkout.use_points", { n: this.me.points, amount: this.money(Math.min(this.me.points, this.reservation.total)) })));
	}

	// One button at one place: first what is missing is charged, then it is paid.
	payButton(missing) {
		const charge = missing > 0;
		const words = { pay: t("checkout.paying"), charge: t("checkout.charging"), cancel: t("checkout.cancelling") };
		const idle = charge ? t("checkout.charge", { amount: this.money(missing) })
			: t("checkout.pay", { amount: this.money(this.amount()) });
		const body = charge ? { amount: missing } : this.points() > 0 ? { use_points: this.points() } : {};
		const press = () => charge ? this.charge(body) : this.pay(body);
		return h("div", { class: "stack-tight" },
			charge ? h("p", { class: "muted small" }, t("checkout.charge_hint")) : null,
			h("button", { class: "button primary wide pay", type: "button", "aria-disabled": String(this.busy !== null),
				onclick: single(press) }, this.busy === null ? idle : words[this.busy]));
	}

	say(kind, ...what) {
		fill(this.notices, kind ? notice(kind, ...what) : []);
	}

	setBusy(what) {
		const hadFocus = this.bill.contains(document.activeElement);
		this.busy = what;
		if (this.reservation.status !== "held")
			return;
		this.billChanged();
		if (hadFocus)
			this.bill.querySelector(".pay").focus();
	}

	// --- charging and paying ---

	// act(): what it is about, once. A second press while it runs does nothing.
	async doOnce(what, act, body) {
		if (this.busy !== null)
			return;
		this.setBusy(what); // what was said before stays until there is more to say: nothing moves under a finger
		try {
			await act();
			this.setBusy(null);
		} catch (error) {
			this.setBusy(null);
			if (!this.stopped)
				await this.refused(error, what, body);
		}
	}

	again(error) {
		if (!this.stopped)
			this.say("info", t("checkout.asking_again"), " ", errorText(error));
	}

	options() {
		return { stopped: () => this.stopped, again: (error) => this.again(error) };
	}

	charge(body) {
		return this.doOnce("charge", async () => {
			const { data } = await once(this.chargeName, "/v1/me/balance/charges", body, this.options());
			this.me.balance = data.balance;
			this.say("good", t("checkout.charged", { amount: this.money(data.amount) }));
		}, body);
	}

	pay(body) {
		return this.doOnce("pay", async () => {
			const { data } = await once(this.payName, `/v1/reservations/${this.reservation.id}/payment`, body, this.options());
			this.payment = data;
			this.reservation.status = "paid";
			line.wake(); // the pass has ended with it
			if (!this.stopped)
				this.showAnew();
		}, body);
	}

	async refused(error, what, body) {
		if (!(error instanceof ApiError || error instanceof NetworkError))
			throw error;
		if (error.code in ENDED)
			await this.lookAgain(ENDED[error.code]);
		else if (error.code === "insufficient_balance")
			await this.tooLittle();
		else if (error.status === 404)
			this.say("bad", errorText(error));
		else if (error.status !== 401)
			this.unanswered(error, what, body);
	}

	// Money went elsewhere meanwhile: the balance is read again, and the rest can be charged.
	async tooLittle() {
		this.me = (await call("GET", "/v1/me")).data;
		this.billChanged();
		this.say("warn", t("checkout.too_little"));
	}

	unanswered(error, what, body) {
		const act = { pay: () => this.pay(body), charge: () => this.charge(body), cancel: () => this.cancelNow() };
		this.say("bad", h("p", {}, errorText(error)), what === "cancel" ? null : h("p", {}, t("checkout.same_key")),
			h("p", {}, h("button", { class: "button compact", type: "button", onclick: act[what] }, t("checkout.ask_again"))));
	}

	// --- the end of a hold ---

	// The reservation as the server has it now; `otherwise` where it cannot be asked.
	async lookAgain(otherwise) {
		try {
			this.reservation = (await call("GET", `/v1/reservations/${this.reservation.id}`)).data;
		} catch {
			this.reservation.status = otherwise;
		}
		if (!this.stopped && this.reservation.status !== "held")
			this.showAnew();
	}

	// A payment that is under way decides by itself.
	async timeIsUp() {
		if (this.busy !== null || this.stopped)
			return;
		announce(t("checkout.expired_title"), true);
		await this.lookAgain("expired");
		if (!this.stopped && this.reservation.status === "held")
			setTimeout(() => this.timeIsUp(), 1000);
	}

	async cancel() {
		const yes = await confirmDialog({ title: t("checkout.cancel_title"), text: t("checkout.cancel_text"),
			yes: t("checkout.cancel_yes"), no: t("checkout.cancel_no"), danger: true });
		if (yes)
			await this.cancelNow();
	}

	cancelNow() {
		return this.doOnce("cancel", async () => {
			await call("DELETE", `/v1/reservations/${this.reservation.id}`);
			if (!this.stopped)
				location.hash = this.seatsHref();
		});
	}

	// --- paid, over ---

	paidView() {
		const { payment } = this;
		const facts = payment === null ? [] : [
			h("div", {}, h("dt", {}, t("checkout.paid_amount")), h("dd", {}, this.money(payment.amount))),
			h("div", {}, h("dt", {}, t("checkout.balance_left")), h("dd", {}, this.money(payment.balance))),
			h("div", {}, h("dt", {}, t("checkout.points_got")), h("dd", {}, t("checkout.points", { n: payment.points_awarded })))];
		fill(this.page, h("h1", {}, t("checkout.paid_title")), h("p", { class: "lead" }, t("checkout.paid_text")),
			h("div", { class: "card stack ticket is-paid" }, this.where(), this.seats(),
				h("p", { class: "ticket-number" }, h("span", { class: "muted" }, t("checkout.number")), " ",
					h("strong", { class: "tabular" }, String(this.reservation.id)))),
			facts.length > 0 ? h("dl", { class: "facts card" }, facts) : null,
			h("div", { class: "actions" },
				h("a", { class: "button primary", href: "#/reservations" }, t("checkout.to_reservations")),
				h("a", { class: "button", href: "#/" }, t("checkout.to_events"))));
	}

	overView() {
		const status = this.reservation.status === "cancelled" ? "cancelled" : "expired";
		fill(this.page, h("h1", {}, t(`checkout.${status}_title`)), h("p", { class: "lead" }, t(`checkout.${status}_text`)),
			h("div", { class: "card stack ticket is-over" }, this.where(), this.seats()),
			h("div", { class: "actions" },
				h("a", { class: "button primary", href: this.seatsHref() }, t("checkout.to_seats")),
				h("a", { class: "button", href: "#/" }, t("checkout.to_events"))));
	}

	// --- a page that was loaded again ---

	// What was asked for before, and not answered, is asked again under its key before anything else.
	async resume() {
		const charge = pending(this.chargeName), pay = pending(this.payName);
		if (this.reservation.status !== "held") {
			forget(this.payName);
			return;
		}
		if (charge !== null)
			await this.charge(charge);
		if (pay !== null && this.busy === null)
			await this.pay(pay);
	}

	stop() {
		this.stopped = true;
		this.stopCountdown();
	}
}

export async function show(page, [id]) {
	if (!needSession())
		return undefined;
	const [{ data: reservation }, { data: me }] = await Promise.all([
		call("GET", `/v1/reservations/${id}`), call("GET", "/v1/me")]);
	const known = await findPerformances([reservation.performance_id]).catch(() => new Map());
	const place = known.get(reservation.performance_id) ?? null;
	const checkout = new Checkout(page, reservation, me, place);
	checkout.show();
	checkout.resume();
	return () => checkout.stop();
}
