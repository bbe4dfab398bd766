// Are the books right? Asked each half minute, since it reads whole tables, and whenever somebody wants to know.
import { call, errorText } from "../api.js";
import { fill, h, setText } from "../dom.js";
import { t, timeOfDay } from "../i18n.js";
import { count } from "./formats.js";

const EACH_MS = 30000;
const ZEROS = ["double_sold", "negative_balances", "ledger_imbalance", "orphan_holds"];

export class AuditPanel {
	#timer = null;
	#stopped = false;
	#onVerdict;

	// onVerdict(wrong) after each answer.
	constructor(onVerdict) {
		this.#onVerdict = onVerdict;
		this.verdict = h("p", { class: "verdict", role: "status" }, t("console.audit.asking"));
		this.rows = h("tbody");
		this.when = h("p", { class: "hint" });
		this.button = h("button", { class: "button compact", type: "button", onclick: () => this.#ask() },
			t("console.audit.ask"));
		this.node = h("section", { class: "card audit", "aria-labelledby": "audit-head" },
			h("h2", { id: "audit-head" }, t("console.audit.head")), this.verdict,
			h("table", { class: "values" }, h("caption", { class: "visually-hidden" }, t("console.audit.table")),
				h("thead", { class: "visually-hidden" }, h("tr", {}, h("th", { scope: "col" }, t("console.audit.what")),
					h("th", { scope: "col" }, t("console.audit.count")))), this.rows),
			h("div", { class: "line-switch" }, this.when, this.button));
		this.#ask();
	}

	stop() {
		this.#stopped = true;
		clearTimeout(this.#timer);
	}

	async #ask() {
		clearTimeout(this.#timer);
		this.button.disabled = true;
		try {
			const { data } = await call("GET", "/v1/admin/audit");
			this.#show(data);
		} catch (error) {
			this.#say("unknown", errorText(error));
		}
		this.button.disabled = false;
		if (!this.#stopped)
			this.#timer = setTimeout(() => this.#ask(), EACH_MS);
	}

	#say(kind, text) {
		this.verdict.className = `verdict ${kind}`;
		setText(this.verdict, text);
	}

	#show(audit) {
		const wrong = ZEROS.some((name) => audit[name] !== 0);
		this.#say(wrong ? "bad" : "good", t(wrong ? "console.audit.wrong" : "console.audit.right"));
		this.#onVerdict(wrong);
		fill(this.rows, [...ZEROS, "unpublished_events"].map((name) => this.#row(name, audit[name])));
		setText(this.when, t("console.audit.at", { text: timeOfDay(audit.checked_at) }));
	}

	// Events wait a moment before they are told: that is not wrong.
	#row(name, value) {
		const kind = name === "unpublished_events" ? "" : value === 0 ? "good" : "bad";
		return h("tr", {}, h("th", { scope: "row" }, t(`console.audit.${name}`)),
			h("td", { class: `now ${kind}` }, count(value)));
	}
}
