// Who may come in: operators. Others are told so.
import { call, errorText } from "../api.js";
import { field, fill, h, notice } from "../dom.js";
import { t } from "../i18n.js";
import { forgetPerson, session, setSession } from "../store.js";

// Resolves to the operator (GET /v1/me) once one has logged in.
export async function enter(main) {
	for (;;) {
		if (!session())
			await logIn(main);
		const me = await whoAmI(main);
		if (me?.role === "admin")
			return me;
		if (me)
			await refuse(main, me);
	}
}

// The session's owner; null where there is none any more. Asks again for as long as the server is away.
async function whoAmI(main) {
	for (;;) {
		try {
			return (await call("GET", "/v1/me")).data;
		} catch (error) {
			if (error.status === 401)
				return null;
			await again(main, errorText(error));
		}
	}
}

function again(main, text) {
	return new Promise((resolve) => fill(main,
		h("div", { class: "card entrance" }, h("h1", {}, t("console.title")), notice("warn", text),
			h("button", { class: "button primary", type: "button", onclick: resolve }, t("console.again")))));
}

function refuse(main, me) {
	return new Promise((resolve) => {
		const leave = () => {
			forgetPerson();
			resolve();
		};
		fill(main, h("div", { class: "card entrance" },
			h("h1", {}, t("console.refused.head")),
			notice("bad", t("console.refused.text", { text: me.email })),
			h("div", { class: "actions" }, h("a", { class: "button", href: "/" }, t("console.to_shop")),
				h("button", { class: "button primary", type: "button", onclick: leave }, t("console.other_account")))));
	});
}

function logIn(main) {
	return new Promise((resolve) => {
		const email = field(t("console.email"), { name: "email", type: "email", autocomplete: "username", required: true });
		const password = field(t("console.password"),
			{ name: "password", type: "password", autocomplete: "current-password", required: true });
		const said = h("div");
		const button = h("button", { class: "button primary", type: "submit" }, t("console.log_in"));
		const submit = async (submitted) => {
			submitted.preventDefault();
			button.disabled = true;
			const failed = await open(email.input.value, password.input.value);
			button.disabled = false;
			if (failed === null)
				resolve();
			else
				fill(said, notice("bad", failed));
		};

		fill(main, h("form", { class: "card entrance", onsubmit: submit },
			h("h1", {}, t("console.title")), h("p", { class: "hint" }, t("console.for_operators")),
			email.node, password.node, said, button));
		email.input.focus();
	});
}

// Null, or why not.
async function open(email, password) {
	try {
		const { data } = await call("POST", "/v1/sessions", { body: { email, password }, anonymous: true });
		forgetPerson();
		setSession({ token: data.access_token, email, expiresAt: Date.now() + data.expires_in * 1000 });
		return null;
	} catch (error) {
		return errorText(error);
	}
}
