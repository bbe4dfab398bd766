// What stands above every page: the way around, and, where somebody waits or was let in, the place in line or the
// time that is left, which leads back to it.
import { h, fill, setText, announce } from "./dom.js";
import { t, number } from "./i18n.js";
import { onChange, session } from "./store.js";
import { countdown, clockText } from "./clock.js";
import { logOut } from "./session.js";
import * as line from "./line.js";

function link(hash, text) {
	return h("a", { href: hash }, text);
}

function markCurrent(nav) {
	for (const node of nav.querySelectorAll("a"))
		if (node.getAttribute("href") === (location.hash || "#/"))
			node.setAttribute("aria-current", "page");
		else
			node.removeAttribute("aria-current");
}

function links() {
	if (session() === null)
		return [link("#/", t("header.events")), link("#/login", t("header.login"))];
	return [link("#/", t("header.events")), link("#/reservations", t("header.reservations")),
		link("#/account", t("header.account")),
		h("button", { class: "link", type: "button", onclick: logOut }, t("header.logout"))];
}

// --- the chip ---

const chip = h("div", { class: "chips" });
let shown = "";
let stopCountdown = () => {};

function named(state, text) {
	return state.title ? `${state.title}: ${text}` : text;
}

function passChip(state) {
	const time = h("strong", { class: "tabular" }), eventId = state.place.event_id;
	const node = h("a", { class: "chip good", href: `#/line/${eventId}` }, t("header.pass"), " ", time);

	stopCountdown = countdown(Date.parse(state.place.pass_expires_at), (left) => {
		setText(time, clockText(left));
		node.setAttribute("aria-label", named(state, t("header.passLabel", { time: clockText(left) })));
		node.classList.toggle("bad", left < 60000);
		if (left > 59000 && left <= 60000)
			announce(t("header.lastMinute"), true);
		node.hidden = left === 0;
	});
	return node;
}

function waitingChip(state) {
	const place = state.place, text = place.position === null ? t("header.waitingUnknown")
		: t("header.waiting", { position: place.position });
	return h("a", { class: "chip", href: `#/line/${place.event_id}`, "aria-label": named(state, text), title: state.title }, text);
}

// Whose turn it is, then who is nearest to it.
function urgency({ place }) {
	return place.pass ? -1 : place.position ?? Infinity;
}

// A chip for a line, for the two that matter most; they are made anew only where they are to say something else.
function showChips() {
	const states = line.all().filter((state) => !state.ended).sort((a, b) => urgency(a) - urgency(b) || 0).slice(0, 2);
	const says = JSON.stringify(states.map(({ place, title }) => [title, place.event_id, place.status, place.position, place.pass_expires_at]));

	if (says === shown)
		return;
	shown = says;
	stopCountdown();
	fill(chip, states.map((state) => state.place.pass ? passChip(state) : waitingChip(state)));
}

export function header() {
	const nav = h("nav", { "aria-label": t("header.nav") }, links());
	let who = session()?.email ?? null;

	onChange(() => {
		const now = session()?.email ?? null;
		if (now !== who) {
			fill(nav, links());
			markCurrent(nav);
		}
		who = now;
		showChips();
	});
	window.addEventListener("hashchange", () => markCurrent(nav));
	markCurrent(nav);
	showChips();
	return h("header", { class: "header" },
		h("div", { class: "header-inner" },
			h("a", { class: "brand", href: "#/", "aria-label": t("header.home") }, "onsale"), chip, nav));
}

// The document's title, where a page's own head does not say enough: "(12) In line".
export function setTitle(text) {
	document.title = `${text} · onsale`;
}

export function positionTitle(position, text) {
	setTitle(position > 0 ? `(${number(position)}) ${text}` : text);
}
