// What somebody holds, has bought and gave back; a hold leads on to its payment.
import { h, fill, notice, setText, announce, confirmDialog } from "../dom.js";
import { call, errorText } from "../api.js";
import { t, money, dateTime } from "../i18n.js";
import { countdown, clockText, now } from "../clock.js";
import { findPerformances } from "../catalog.js";
import { needSession } from "../session.js";

const CHIPS = { held: "warn", paid: "good", cancelled: "", expired: "" };
const PAGE = 10;

function isHeld(reservation) {
	return reservation.status === "held" && Date.parse(reservation.hold_expires_at) > now();
}

function seatName(seat) {
	return t("reservations.seat", { section: seat.section, row: seat.row, number: String(seat.number) });
}

function head(reservation, known) {
	const found = known.get(reservation.performance_id);

	return h("div", { class: "stack-tight" },
		h("h2", {}, found ? found.event.title : t("reservations.performance", { id: String(reservation.performance_id) })),
		found ? h("p", { class: "muted" }, dateTime(found.performance.starts_at), " · ", found.event.venue) : null);
}

// What is said of a cancellation: money back, points gone.
function cancelledText(data, currency) {
	if (data.refunded === 0)
		return t("reservations.released");
	const text = t("reservations.refunded", { amount: money(data.refunded, currency) });
	return data.points_revoked > 0 ? `${text} ${t("reservations.revoked", { n: data.points_revoked })}` : text;
}

// Draws a reservation into its item, and again when it was cancelled or its hold ran out.
function draw(item, reservation, known, stops) {
	const held = isHeld(reservation), status = reservation.status === "held" && !held ? "expired" : reservation.status;
	const said = h("div", {}), time = h("span", { class: "tabular" }), redraw = (changes) => draw(item, { ...reservation, ...changes }, known, stops);
	const cancel = h("button", { class: "button danger compact", type: "button" }, t(held ? "reservations.release" : "reservations.refund"));

	cancel.addEventListener("click", () => cancelAsked(reservation, cancel, said, redraw));
	fill(item,
		h("div", { class: "split top" }, head(reservation, known),
			h("span", { class: `chip ${CHIPS[status]}` }, t(`reservations.${status}`))),
		h("ul", { class: "seats" }, reservation.seats.map((seat) => h("li", { class: "chip" }, seatName(seat)))),
		h("div", { class: "split" },
			h("p", {}, h("strong", { class: "tabular" }, money(reservation.total, reservation.currency))),
			h("div", { class: "actions" }, status === "held" || status === "paid" ? cancel : null,
				held ? h("a", { class: "button primary compact", href: `#/checkout/${reservation.id}` }, t("reservations.pay"), " ", time) : null)),
		said);
	if (held)
		stops.push(countdown(Date.parse(reservation.hold_expires_at), (left) => {
			setText(time, clockText(left));
			if (left === 0 && item.isConnected && time.isConnected)
				redraw({});
		}));
	return said;
}

async function cancelAsked(reservation, button, said, redraw) {
	const paid = reservation.status === "paid";
	const sure = await confirmDialog({ danger: true,
		title: t(paid ? "reservations.refundAsk" : "reservations.releaseAsk"),
		text: t(paid ? "reservations.refundText" : "reservations.releaseText", { amount: money(reservation.total, reservation.currency) }),
		yes: t(paid ? "reservations.refund" : "reservations.release"), no: t("reservations.keep") });

	if (!sure || button.disabled)
		return;
	button.disabled = true;
	try { // again is the same: it needs no key
		const { data } = await call("DELETE", `/v1/reservations/${reservation.id}`);
		const text = cancelledText(data, reservation.currency);
		fill(redraw({ status: "cancelled" }), notice("good", text));
		announce(text);
	} catch (error) {
		button.disabled = false;
		const place = error.code === "hold_expired" ? redraw({ status: "expired" }) : said;
		fill(place, notice("bad", errorText(error)));
	}
}

export async function show(main) {
	if (!needSession())
		return;
	const list = h("ul", { class: "stack" }), stops = [], trouble = h("p", { class: "field-error", role: "alert" });
	const more = h("button", { class: "button", type: "button", hidden: true }, t("reservations.more"));
	let next = null;

	async function load() {
		const { data } = await call("GET", `/v1/reservations?limit=${PAGE}${next === null ? "" : `&after=${next}`}`);
		const known = await findPerformances(data.items.map((one) => one.performance_id)).catch(() => new Map());
		for (const reservation of data.items) {
			const item = h("li", { class: "card stack" });
			list.append(item);
			draw(item, reservation, known, stops);
		}
		next = data.next;
		more.hidden = next === null;
	}
	more.addEventListener("click", () => {
		setText(trouble, "");
		load().catch((error) => setText(trouble, errorText(error)));
	});
	await load();
	fill(main,
		h("h1", {}, t("reservations.title")),
		list.childElementCount > 0 ? list : h("div", { class: "card stack" }, h("p", {}, t("reservations.none")),
			h("p", {}, h("a", { class: "button primary", href: "#/" }, t("reservations.toEvents")))),
		trouble, more);
	return () => stops.forEach((stop) => stop());
}
