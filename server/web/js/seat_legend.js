// What the colours and shapes of the map mean: a price for each colour with what is left at it, then the states.
import { h, setText } from "./dom.js";
import { t, money } from "./i18n.js";

function priceItem(hall, tier, nth) {
	const text = h("span", {}), left = h("span", { class: "muted" });
	const element = h("li", {}, h("span", { class: `tier-mark tier-${nth % 6 + 1}`, "aria-hidden": "true" }), text, left);
	const names = tier.sections.length <= 3 ? tier.sections.map((section) => section.name).join(", ")
		: t("seats.sections", { n: tier.sections.length });

	setText(text, `${names} ${money(tier.price, hall.currency)}`);
	const changed = () => setText(left, t("seats.left", {
		n: tier.sections.reduce((sum, section) => sum + hall.freeIn(section), 0) }));
	changed();
	return { element, changed };
}

function stateItem(name) {
	return h("li", {}, h("span", { class: `state-mark is-${name}`, "aria-hidden": "true" }), t(`seats.mark_${name}`));
}

export function createLegend(hall) {
	const prices = hall.layout.tiers.map((tier, nth) => priceItem(hall, tier, nth));

	return {
		element: h("div", { class: "seat-legend" },
			h("ul", { "aria-label": t("seats.prices") }, prices.map((price) => price.element)),
			h("ul", { "aria-label": t("seats.states") }, ["picked", "held", "sold"].map(stateItem))),
		changed: () => prices.forEach((price) => price.changed()),
	};
}
