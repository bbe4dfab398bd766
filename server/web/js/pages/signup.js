// Signing up. Where the server asks for work first, a worker does it, so that the page stays at hand.
import { h, fill, setText } from "../dom.js";
import { call } from "../api.js";
import { t } from "../i18n.js";
import { field } from "../dom.js";
import { form } from "../form.js";
import { logIn, goBack } from "../session.js";

// Resolves to the nonce; onShare(0 … 1) tells how much of the expected work is done.
function work(challenge, email, bits, onShare) {
	return new Promise((resolve, reject) => {
		const worker = new Worker("/web/js/proof.js");
		const end = (settle, value) => {
			worker.terminate();
			settle(value);
		};
		worker.onmessage = ({ data }) => data.nonce === undefined ? onShare(data.tries / 2 ** bits) : end(resolve, data.nonce);
		worker.onerror = (event) => end(reject, new Error(event.message));
		worker.postMessage({ challenge, email, bits });
	});
}

async function proof(email, onShare) {
	const { data } = await call("GET", "/v1/users/challenge", { anonymous: true });
	if (data.bits === 0)
		return undefined;
	return { challenge: data.challenge, nonce: await work(data.challenge, email, data.bits, onShare) };
}

export async function show(main) {
	const progress = h("p", { class: "muted small", role: "status" });
	const fields = {
		name: field(t("signup.name"), { name: "name", type: "text", autocomplete: "name", maxlength: "100" }),
		email: field(t("login.email"), { name: "email", type: "email", autocomplete: "username", inputmode: "email",
			autocapitalize: "none", spellcheck: "false", required: true }),
		password: field(t("login.password"), { name: "password", type: "password", autocomplete: "new-password", required: true },
			t("signup.passwordHint")),
	};

	async function submit() {
		const email = fields.email.input.value.trim(), password = fields.password.input.value, name = fields.name.input.value.trim();
		try {
			const done = await proof(email, (share) =>
				setText(progress, t("signup.working", { n: Math.min(95, Math.round(share * 25) * 4) })));
			await call("POST", "/v1/users", { body: { email, password, name, proof: done }, anonymous: true });
		} finally {
			setText(progress, "");
		}
		await logIn(email, password);
		goBack();
	}
	fill(main,
		h("div", { class: "stack-tight" }, h("h1", {}, t("signup.title")), h("p", { class: "lead" }, t("signup.lead"))),
		form({ name: t("signup.title"), label: t("signup.submit"), busy: t("signup.busy"), fields, submit, extra: progress }),
		h("p", {}, t("signup.known"), " ", h("a", { href: "#/login" }, t("login.submit"))));
}
