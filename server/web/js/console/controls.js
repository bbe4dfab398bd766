// The hand on the line: capacity, rate, message, and whether anybody is let in. Beside each field stands what is in
// force, as the newest picture tells it; a field follows that until somebody writes into it.
import { call, errorText } from "../api.js";
import { field, fill, h, setText } from "../dom.js";
import { t } from "../i18n.js";

const MESSAGE_MAX = 500;

// A setting and its value, as people say it.
function wordsOf(name, value) {
	if (name === "paused")
		return t(`console.now.paused.${value}`);
	return value === "" ? t("console.now.message_none") : t(`console.now.${name}`, { n: value, text: value });
}

export class Controls {
	#event;
	#line = null; // in force
	#awaited = null; // asked for, and not yet seen in force

	constructor(event) {
		this.#event = event;
		this.capacity = this.#number("capacity", "capacity", 1000000);
		this.rate = this.#number("rate", "admit_per_second", 100000);
		this.message = this.#message();
		this.apply = h("button", { class: "button primary", type: "submit", disabled: true }, t("console.apply"));
		this.pause = h("button", { class: "button compact", type: "button", disabled: true, onclick: () => this.#togglePause() },
			t("console.pause"));
		this.state = h("p", { class: "line-state" });
		this.said = h("p", { class: "said", role: "status" });
		this.node = h("section", { class: "card controls", "aria-labelledby": "controls-head" },
			h("h2", { id: "controls-head" }, t("console.controls")),
			h("div", { class: "line-switch" }, this.state, this.pause),
			h("form", { novalidate: true, onsubmit: (submitted) => this.#submit(submitted) },
				h("div", { class: "pair" }, this.capacity.node, this.rate.node),
				this.message.node, this.apply),
			this.said);
	}

	#number(name, member, most) {
		const made = field(t(`console.field.${name}`),
			{ name, type: "number", inputmode: "numeric", min: 1, max: most, step: 1, required: true }, " ");
		return this.#follow(made, member, {
			valid: () => /^\d+$/.test(made.input.value) && made.input.valueAsNumber >= 1 && made.input.valueAsNumber <= most,
			read: () => made.input.valueAsNumber,
			problem: t("console.number_wrong", { n: most }),
		});
	}

	#message() {
		const input = h("textarea", { id: "field-message", name: "message", rows: 3, maxlength: MESSAGE_MAX,
			"aria-describedby": "field-message-hint field-message-error" });
		const error = h("p", { class: "field-error", id: "field-message-error", hidden: true });
		const node = h("div", { class: "field" }, h("label", { for: "field-message" }, t("console.field.message")), input,
			h("p", { class: "hint", id: "field-message-hint" }, " "), error);
		return this.#follow({ node, input, error: () => {} }, "message",
			{ valid: () => true, read: () => input.value, problem: "" });
	}

	// A field and what of the line's settings it is of.
	#follow(made, member, rules) {
		const followed = { ...made, ...rules, member, hint: made.node.querySelector(".hint"), touched: false };
		made.input.addEventListener("input", () => {
			followed.touched = String(this.#line?.[member] ?? "") !== made.input.value;
			followed.error(followed.valid() ? "" : followed.problem);
			this.#enable();
		});
		return followed;
	}

	get #fields() {
		return [this.capacity, this.rate, this.message];
	}

	#enable() {
		this.apply.disabled = this.#line === null || !this.#fields.some(({ touched }) => touched);
	}

	// line: of the newest picture, or of a reply to what was asked for.
	show(line) {
		this.#line = line;
		for (const one of this.#fields) {
			const value = String(line[one.member] ?? "");
			if (!one.touched && one.input.value !== value)
				one.input.value = value;
			setText(one.hint, value === "" ? t("console.in_force_none") : t("console.in_force", { text: value }));
		}
		this.#showPause(line.paused);
		this.#confirm(line);
		this.#enable();
	}

	#showPause(paused) {
		setText(this.pause, t(paused ? "console.resume" : "console.pause"));
		setText(this.state, t(paused ? "console.is_paused" : "console.is_open"));
		this.state.className = `line-state ${paused ? "paused" : "open"}`;
		this.pause.disabled = false;
	}

	// What was asked for is what the server says now.
	#confirm(line) {
		if (this.#awaited === null || !Object.entries(this.#awaited).every(([name, value]) => (line[name] ?? "") === value))
			return;
		const told = Object.entries(this.#awaited).map(([name, value]) => wordsOf(name, value));
		this.#awaited = null;
		fill(this.said, t("console.in_force_now", { text: told.join(" · ") }));
	}

	#submit(submitted) {
		submitted.preventDefault();
		const touched = this.#fields.filter((one) => one.touched), wrong = touched.find((one) => !one.valid());
		if (wrong) {
			wrong.error(wrong.problem);
			wrong.input.focus();
		} else if (touched.length > 0) {
			this.#put(Object.fromEntries(touched.map((one) => [one.member, one.read()])));
		}
	}

	#togglePause() {
		this.#put({ paused: !this.#line.paused });
	}

	async #put(change) {
		fill(this.said, t("console.applying"));
		this.node.setAttribute("aria-busy", "true");
		try {
			await call("PUT", `/v1/admin/events/${this.#event}/queue`, { body: change });
			this.#awaited = change;
			for (const one of this.#fields)
				one.touched &&= !(one.member in change);
		} catch (error) {
			fill(this.said, h("span", { class: "bad" }, errorText(error)));
		} finally {
			this.node.removeAttribute("aria-busy");
			this.#enable();
		}
	}
}
