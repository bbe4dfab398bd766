// The shopper's page: a header that stays, and one page below it, which location.hash names (#/event/1).
import { h, fill, announce } from "./dom.js";
import { t, language, setLanguage, LANGUAGES } from "./i18n.js";
import { errorText, setSessionLost, mayPass, backoffMs, NetworkError } from "./api.js";
import { header } from "./header.js";
import { goToLogin } from "./session.js";
import * as line from "./line.js";

// A page is a module of pages/ with `async show(main, params)`, which fills main and returns what stops its timers,
// or nothing; params are the numbers of its path.
const routes = [
	[/^\/$/, "events"],
	[/^\/event\/(\d+)$/, "event"],
	[/^\/line\/(\d+)$/, "line"],
	[/^\/seats\/(\d+)\/(\d+)$/, "seats"],
	[/^\/checkout\/(\d+)$/, "checkout"],
	[/^\/reservations$/, "reservations"],
	[/^\/account$/, "account"],
	[/^\/login$/, "login"],
	[/^\/signup$/, "signup"],
];

const WAY = ["event", "login", "line", "seats", "checkout"];

const main = h("main", { id: "main", tabindex: "-1", "aria-labelledby": "title" });
let stop = () => {};
let turn = 0; // counts pages, so that a slow one does not come up over a later one

function find(hash) {
	const path = hash.replace(/^#/, "").split("?")[0] || "/";
	for (const [pattern, name] of routes) {
		const match = pattern.exec(path);
		if (match)
			return { name, params: match.slice(1).map(Number) };
	}
	return { name: "missing", params: [] };
}

async function pageModule(name) {
	try {
		return await import(`./pages/${name}.js`);
	} catch (error) {
		throw error instanceof TypeError ? new NetworkError(error.message) : error;
	}
}

// The pages on a buyer's way are fetched early: one that is needed in the busiest minute is there already. The others
// are when they are asked for.
function fetchWay() {
	for (const name of WAY)
		pageModule(name).catch(() => {}); // it is asked for again when it is to be shown
}

// What may go well later is tried again by itself.
function showTrouble(page, error, tries) {
	const timer = mayPass(error) ? setTimeout(() => showPage(tries + 1), backoffMs(error, tries)) : null;

	fill(page, h("h1", {}, t("app.trouble")), h("p", { role: "alert" }, errorText(error)),
		h("p", {}, h("button", { class: "button primary", type: "button", onclick: () => showPage() }, t("app.again"))));
	return () => clearTimeout(timer);
}

async function load(name, page, params, tries) {
	try {
		const { show } = await pageModule(name);
		return await show(page, params) || (() => {});
	} catch (error) {
		return showTrouble(page, error, tries);
	}
}

// A page that says more than its head does so with setTitle of header.js.
function nameDocument(page) {
	const head = page.querySelector("h1");
	if (head)
		head.id = "title";
	if (head && document.title === "onsale")
		document.title = `${head.textContent} · onsale`;
}

async function showPage(tries = 1) {
	const mine = ++turn, { name, params } = find(location.hash), page = h("div", { class: `page page-${name}` });
	const slow = setTimeout(() => page.childElementCount === 0 && page.append(h("p", { class: "loading", role: "status" },
		t("app.loading"))), 250);

	stop();
	stop = () => {};
	announce("");
	document.title = "onsale";
	document.querySelector("dialog[open]")?.close();
	fill(main, page);
	window.scrollTo(0, 0);
	const stopPage = await load(name, page, params, tries);
	clearTimeout(slow);
	if (mine !== turn) {
		stopPage();
		return;
	}
	stop = stopPage;
	nameDocument(page);
	if (mine > 1 && !main.contains(document.activeElement))
		main.focus({ preventScroll: true });
}

function footer() {
	const choices = Object.entries(LANGUAGES).map(([name, text]) => h("button", { class: "link", type: "button", lang: name,
		"aria-pressed": String(name === language), onclick: () => setLanguage(name) }, text));

	return h("footer", { class: "footer" },
		h("p", {}, t("app.promise")),
		h("div", { class: "languages", role: "group", "aria-label": t("app.language") }, choices));
}

function skip(event) {
	event.preventDefault();
	main.focus();
}

function start() {
	setSessionLost(goToLogin);
	fill(document.getElementById("app"),
		h("a", { class: "skip", href: "#main", onclick: skip }, t("app.skip")),
		header(), main, footer(),
		h("div", { id: "announce", class: "visually-hidden", "aria-live": "polite" }),
		h("div", { id: "announce-now", class: "visually-hidden", "aria-live": "assertive" }));
	line.start();
	window.addEventListener("hashchange", () => showPage());
	window.addEventListener("storage", (event) => event.key === "onsale.session" && showPage()); // another tab's
	showPage().then(fetchWay);
}

start();
