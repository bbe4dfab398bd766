// What is picked: the seats by name, each of which can be put back, the total, and the button that holds them.
// Beside it "best available", which leaves the choice to the server.
import { h, fill, setText } from "./dom.js";
import { t, money } from "./i18n.js";
import { seatName } from "./seat_hall.js";

function pickedRow(hall, index, drop) {
	const seat = hall.seats[index], name = seatName(seat);

	return h("li", { class: "picked-seat" },
		h("span", { class: `tier-mark tier-${hall.layout.row[index].section.tier % 6 + 1}`, "aria-hidden": "true" }),
		h("span", { class: "picked-name" }, name),
		h("span", { class: "tabular" }, money(seat.price, hall.currency)),
		h("button", { class: "remove", type: "button", "aria-label": t("seats.remove", { name }),
			onclick: () => drop(index) }, "×"));
}

// door(): how somebody comes to hold seats: {}, or {href, text, go} where there is a step to take first.
export function createBasket(hall, { hold, drop, door }) {
	const list = h("ul", { class: "picked-list" });
	const empty = h("p", { class: "muted" }, t("seats.none_picked"));
	const sum = h("p", { class: "picked-sum" });
	const act = h("div", { class: "picked-act" });
	const head = h("h2", { tabindex: "-1" }, t("seats.picked"));
	const button = h("button", { class: "button primary wide", type: "button",
		onclick: () => button.getAttribute("aria-disabled") !== "true" && hold() });
	const element = h("section", { class: "card basket", "aria-label": t("seats.picked") }, head, empty, list,
		h("div", { class: "picked-bar" }, sum, act));
	let shownDoor = null, shownSeats = "";

	function removeOne(index) {
		const at = [...hall.picked].indexOf(index);
		drop(index);
		const rest = list.querySelectorAll(".remove");
		(rest[Math.min(at, rest.length - 1)] || head).focus();
	}

	// Anew only where others are picked: a button that has the focus keeps it.
	function showSeats() {
		const says = [...hall.picked].join();
		if (says !== shownSeats)
			fill(list, [...hall.picked].map((index) => pickedRow(hall, index, removeOne)));
		shownSeats = says;
	}

	function showDoor() {
		const { href, text, go } = door();
		const step = (event) => {
			event.preventDefault();
			go();
		};
		if (shownDoor === (href ?? "hold"))
			return;
		shownDoor = href ?? "hold";
		fill(act, href ? h("a", { class: "button primary wide", href, onclick: go && step }, text) : button);
	}

	function changed(busy) {
		const count = hall.picked.size;
		const total = money(hall.total(), hall.currency);
		showSeats();
		empty.hidden = count > 0;
		element.classList.toggle("is-empty", count === 0);
		setText(sum, count > 0 ? t("seats.sum", { n: count, total }) : "");
		setText(button, busy ? t("seats.holding") : count === 0 ? t("seats.hold_none") : t("seats.hold", { n: count }));
		button.setAttribute("aria-disabled", String(busy || count === 0));
		button.classList.toggle("is-busy", busy);
		showDoor();
	}

	return { element, changed };
}

function sectionOptions(hall) {
	return [h("option", { value: "" }, t("seats.any_section")),
		...hall.layout.sections.map((section) => h("option", { value: section.name }))];
}

// find({quantity, section}): section is left out where any will do.
export function createBest(hall, { find, limit, may }) {
	const quantity = h("select", { id: "best-quantity" });
	const section = h("select", { id: "best-section" }, sectionOptions(hall));
	const button = h("button", { class: "button", type: "submit" }, t("seats.best_go"));
	const submit = (event) => {
		event.preventDefault();
		if (button.getAttribute("aria-disabled") === "true")
			return;
		find({ quantity: Number(quantity.value), ...(section.value === "" ? {} : { section: section.value }) });
	};
	const element = h("form", { class: "card best", "aria-label": t("seats.best"), onsubmit: submit },
		h("h2", {}, t("seats.best")),
		h("p", { class: "muted small" }, t("seats.best_hint")),
		h("div", { class: "best-fields" },
			h("div", { class: "field" }, h("label", { for: "best-quantity" }, t("seats.quantity")), quantity),
			h("div", { class: "field" }, h("label", { for: "best-section" }, t("seats.section")), section)),
		button);

	function showQuantities() {
		const chosen = quantity.value || "2", most = Math.max(1, limit());
		if (quantity.length === most)
			return;
		fill(quantity, Array.from({ length: most }, (_, nth) => h("option", { value: String(nth + 1) }, String(nth + 1))));
		quantity.value = String(Math.min(Number(chosen), most));
	}

	function changed(busy) {
		showQuantities();
		hall.layout.sections.forEach((one, nth) => setText(section.options[nth + 1], t("seats.section_option",
			{ section: one.name, price: money(one.price, hall.currency), free: hall.freeIn(one) })));
		button.setAttribute("aria-disabled", String(busy));
		element.hidden = !may();
	}

	return { element, changed };
}
