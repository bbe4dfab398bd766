// Logging in.
import { h, fill } from "../dom.js";
import { t } from "../i18n.js";
import { session } from "../store.js";
import { field } from "../dom.js";
import { form } from "../form.js";
import { logIn, goBack } from "../session.js";

export async function show(main) {
	const fields = {
		email: field(t("login.email"), { name: "email", type: "email", autocomplete: "username", inputmode: "email",
			autocapitalize: "none", spellcheck: "false", required: true }),
		password: field(t("login.password"), { name: "password", type: "password", autocomplete: "current-password", required: true }),
	};

	if (session() !== null) {
		goBack();
		return;
	}
	fill(main,
		h("div", { class: "stack-tight" }, h("h1", {}, t("login.title")), h("p", { class: "lead" }, t("login.lead"))),
		form({
			name: t("login.title"), label: t("login.submit"), busy: t("login.busy"), fields,
			submit: async () => {
				await logIn(fields.email.input.value.trim(), fields.password.input.value);
				goBack();
			},
		}),
		h("p", {}, t("login.new"), " ", h("a", { href: "#/signup" }, t("login.signup"))));
}
