// Elements without a template: h("p", {class: "muted"}, "text", child). Text is always text, never markup.

// Properties: onclick and the like are listeners; style is an object of CSS properties (custom ones, too);
// true sets an attribute, false and null leave it out; all else is an attribute.
export function h(tag, props, ...children) {
	const node = tag === "svg" || tag === "path" || tag === "circle"
		? document.createElementNS("http://www.w3.org/2000/svg", tag)
		: document.createElement(tag);
	for (const [name, value] of Object.entries(props || {}))
		setProperty(node, name, value);
	node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
	return node;
}

function setProperty(node, name, value) {
	if (value === null || value === undefined || value === false)
		return;
	if (name.startsWith("on"))
		node.addEventListener(name.slice(2), value);
	else if (name === "style")
		for (const [key, text] of Object.entries(value))
			node.style.setProperty(key, text);
	else if (name === "value")
		node.value = value;
	else
		node.setAttribute(name, value === true ? "" : value);
}

// Puts children in place of what a node had.
export function fill(node, ...children) {
	node.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
	return node;
}

// Changes a text only where it differs, so that a live region speaks of changes alone.
export function setText(node, text) {
	if (node.textContent !== text)
		node.textContent = text;
}

// A label, its input, a hint and room for an error. field.input, field.error(text or "").
export function field(label, props, hint) {
	const id = props.id || `field-${props.name}`;
	const error = h("p", { class: "field-error", id: `${id}-error`, hidden: true });
	const input = h("input", { id, "aria-describedby": `${id}-hint ${id}-error`, ...props });
	const node = h("div", { class: "field" }, h("label", { for: id }, label), input,
		hint ? h("p", { class: "hint", id: `${id}-hint` }, hint) : null, error);

	return {
		node,
		input,
		error(text) {
			setText(error, text);
			error.hidden = text === "";
			if (text === "")
				input.removeAttribute("aria-invalid");
			else
				input.setAttribute("aria-invalid", "true");
		},
	};
}

// A box that says something: kind is info, good, warn or bad. What is bad is said at once.
export function notice(kind, ...children) {
	return h("div", { class: `notice ${kind}`, role: kind === "bad" ? "alert" : "status" }, ...children);
}

// What a screen reader says without that anything on the page changes. There is one such region a page.
export function announce(text, urgent = false) {
	const region = document.getElementById(urgent ? "announce-now" : "announce");
	if (region)
		setText(region, text);
}

// Asks in a dialog; resolves to whether the answer was yes. Escape is no.
export function confirmDialog({ title, text, yes, no, danger }) {
	return new Promise((resolve) => {
		const dialog = h("dialog", { class: "dialog", "aria-labelledby": "dialog-title", "aria-describedby": "dialog-text" },
			h("h2", { id: "dialog-title" }, title),
			h("p", { id: "dialog-text" }, text),
			h("div", { class: "actions" },
				h("button", { class: "button", type: "button", onclick: () => dialog.close("no") }, no),
				h("button", { class: `button ${danger ? "danger" : "primary"}`, type: "button",
					onclick: () => dialog.close("yes") }, yes)));

		dialog.addEventListener("close", () => {
			dialog.remove();
			resolve(dialog.returnValue === "yes");
		});
		document.body.append(dialog);
		dialog.showModal();
	});
}
