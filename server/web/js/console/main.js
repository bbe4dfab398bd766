// The operators' console: log in, choose an event (#/event/1), watch it and steer its line.
//   enter -> watch -> (the session ends) -> enter …
import "./words.js";
import { callAll, errorText, setSessionLost } from "../api.js";
import { fill, h, notice, setText } from "../dom.js";
import { LANGUAGES, language, setLanguage, t } from "../i18n.js";
import { logOut } from "../session.js";
import { onChange, session } from "../store.js";
import { enter } from "./entrance.js";
import { EventView } from "./event_view.js";

const main = h("main", { id: "main", tabindex: "-1" });
const tools = h("div", { class: "tools" });

function languages() {
	return h("div", { class: "languages", role: "group", "aria-label": t("app.language") },
		Object.entries(LANGUAGES).map(([name, text]) => h("button", { class: "link", type: "button", lang: name,
			"aria-pressed": String(name === language), onclick: () => setLanguage(name) }, text)));
}

function frame() {
	const skip = (event) => {
		event.preventDefault();
		main.focus();
	};

	fill(document.getElementById("app"),
		h("a", { class: "skip", href: "#main", onclick: skip }, t("console.skip")),
		h("header", { class: "header" }, h("div", { class: "header-inner" },
			h("a", { class: "brand", href: "/console" }, t("console.home")), tools)),
		main,
		h("footer", { class: "footer" }, h("a", { href: "/" }, t("console.to_shop")), languages()),
		h("div", { id: "announce", class: "visually-hidden", "aria-live": "polite" }),
		h("div", { id: "announce-now", class: "visually-hidden", "aria-live": "assertive" }));
}

// Which event the address names; else the first.
function chosen(events) {
	const id = Number(/^#\/event\/(\d+)$/.exec(location.hash)?.[1]);
	return events.find((event) => event.id === id) ?? events[0];
}

function chooser(events, event) {
	const select = h("select", { id: "event", onchange: () => {
		location.hash = `#/event/${select.value}`;
	} }, events.map(({ id, title }) => h("option", { value: String(id), selected: id === event.id }, title)));
	return h("div", { class: "chooser" }, h("label", { for: "event" }, t("console.event")), select);
}

async function readEvents() {
	for (;;) {
		try {
			return await callAll("/v1/events?limit=100");
		} catch (error) {
			await new Promise((resolve) => fill(main, h("div", { class: "card entrance" }, notice("warn", errorText(error)),
				h("button", { class: "button primary", type: "button", onclick: resolve }, t("console.again")))));
		}
	}
}

// Shows one event after the other, until the session ends.
async function watch() {
	const events = await readEvents();
	let end, view = null;
	const ended = new Promise((resolve) => {
		end = resolve;
	});
	const state = h("span", { class: "chip", role: "status" });
	const show = () => {
		view?.stop();
		const event = chosen(events);
		fill(tools, chooser(events, event), state,
			h("button", { class: "link", type: "button", onclick: logOut }, t("console.log_out")));
		view = new EventView(event, { refused: end, state: (name) => showState(state, name) });
		fill(main, view.node);
		view.start();
		document.title = `${event.title} · ${t("console.home")}`;
	};
	const stopListening = onChange(() => session() === null && end());

	setSessionLost(end);
	if (events.length === 0)
		fill(main, h("div", { class: "card entrance" }, h("h1", {}, t("console.title")), h("p", {}, t("console.no_events"))));
	else
		show();
	window.addEventListener("hashchange", events.length > 0 ? show : () => {});
	await ended;
	window.removeEventListener("hashchange", show);
	stopListening();
	view?.stop();
	fill(tools);
}

function showState(chip, name) {
	if (chip.dataset.state === name)
		return;
	chip.dataset.state = name;
	const kinds = { stream: "good", polling: "good", connecting: "", away: "bad", refused: "bad", missing: "bad" };
	setText(chip, t(`console.state.${name}`));
	chip.className = `chip ${kinds[name]}`;
}

async function run() {
	frame();
	for (;;) {
		document.title = `${t("console.title")} · onsale`;
		await enter(main);
		await watch();
	}
}

run();
