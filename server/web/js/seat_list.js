// The same seats as a list of sections, rows and buttons: for whoever would rather read than look. A row's buttons
// are made when it is opened, so that thousands of seats cost nothing until somebody wants them.
import { h, setText } from "./dom.js";
import { t, money } from "./i18n.js";
import { FREE } from "./seat_paint.js";

const STATE_CLASSES = ["is-free", "is-held", "is-sold"];

function paintButton(button, index, options) {
	const picked = options.picked.has(index), state = options.states[index];

	button.className = `seat-button ${picked ? "is-picked" : STATE_CLASSES[state]}`;
	button.setAttribute("aria-pressed", String(picked));
	button.setAttribute("aria-disabled", String(!picked && state !== FREE));
	const name = options.seatName(index);
	if (button.getAttribute("aria-label") !== name)
		button.setAttribute("aria-label", name);
}

function listRow(row, options) {
	const summary = h("summary", {});
	const group = h("div", { class: "seat-row", role: "group", "aria-label": t("seat_list.row", { row: row.name }) });
	const element = h("details", { class: "seat-row-fold" }, summary, group);
	const buttons = new Map();
	const changed = () => {
		const free = row.seats.filter((index) => options.states[index] === FREE).length;
		setText(summary, t("seat_list.row_free", { row: row.name, free, all: row.seats.length }));
		for (const [index, button] of buttons)
			paintButton(button, index, options);
	};

	element.addEventListener("toggle", () => {
		if (!element.open || buttons.size > 0)
			return;
		for (const index of row.seats)
			buttons.set(index, h("button", { type: "button", onclick: () => options.onPick(index) },
				String(options.seats[index].number)));
		group.append(...buttons.values());
		changed();
	});
	changed();
	return { element, changed };
}

function listSection(section, options, open) {
	const summary = h("summary", {});
	const element = h("details", { class: "seat-section-fold" }, summary);
	let rows = [];
	const changed = () => {
		const free = section.rows.reduce((sum, row) =>
			sum + row.seats.filter((index) => options.states[index] === FREE).length, 0);
		setText(summary, t("seat_list.section_free", { section: section.name, price: money(section.price), free }));
		for (const row of rows)
			row.changed();
	};

	element.addEventListener("toggle", () => {
		if (!element.open || rows.length > 0)
			return;
		rows = section.rows.map((row) => listRow(row, options));
		element.append(...rows.map((row) => row.element));
	});
	element.open = open;
	changed();
	return { element, changed };
}

// options as of createSeatMap. changed() is to be called after states or picked did.
export function createSeatList(options) {
	const { sections } = options.layout;
	const folds = sections.map((section, nth) => listSection(section, options, nth === 0));

	return {
		element: h("div", { class: "seat-list", role: "region", "aria-label": t("seat_list.label") },
			folds.map((fold) => fold.element)),
		changed: () => folds.forEach((fold) => fold.changed()),
	};
}
