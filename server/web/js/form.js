// A form that sends one thing at a time, and says what was wrong with it next to the field it was wrong with.
import { h, fill, notice } from "./dom.js";
import { ApiError, errorText } from "./api.js";
import { t } from "./i18n.js";

// fields: {name: field of dom.js}, named as the API names them. submit() does the work; what it throws is shown.
export function form({ label, busy, fields, submit, extra, name }) {
	const trouble = h("div", {}), button = h("button", { class: "button primary wide", type: "submit" }, label);

	function show(error) {
		let first = null;
		for (const wrong of (error instanceof ApiError && error.data.errors) || [])
			if (wrong.field in fields) {
				fields[wrong.field].error(t(`form.${wrong.field}`));
				first ??= fields[wrong.field].input;
			}
		if (first)
			first.focus();
		else
			fill(trouble, notice("bad", errorText(error)));
	}

	async function send(event) {
		event.preventDefault();
		if (button.disabled)
			return;
		for (const one of Object.values(fields))
			one.error("");
		fill(trouble);
		button.disabled = true;
		fill(button, busy);
		try {
			await submit();
		} catch (error) {
			show(error);
		} finally {
			button.disabled = false;
			fill(button, label);
		}
	}
	return h("form", { class: "card stack", "aria-label": name, novalidate: true, onsubmit: send },
		Object.values(fields).map((one) => one.node), trouble, button, extra);
}
