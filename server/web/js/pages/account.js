// Who somebody is here, their balance, how to charge it, and every won and point that came or went.
import { h, fill, field, notice, setText, announce } from "../dom.js";
import { call, ApiError, mayPass, errorText } from "../api.js";
import { t, money, minorUnits, shortDateTime } from "../i18n.js";
import { keyFor, dropKey, pendingKey } from "../store.js";
import { form } from "../form.js";
import { needSession } from "../session.js";

const PENDING = "charge.account";
const QUICK = [50000, 100000, 300000];
const PAGE = 20;

// Sends a charge until it is known what became of it under its key; only then is the key let go.
async function charge(amount) {
	const body = { amount };
	try {
		const { data } = await call("POST", "/v1/me/balance/charges", { body, key: keyFor(PENDING, body) });
		dropKey(PENDING);
		return data;
	} catch (error) {
		if (error instanceof ApiError && !mayPass(error) && error.code !== "request_in_flight" && error.code !== "unauthorized")
			dropKey(PENDING);
		throw error;
	}
}

// --- balance and charge ---

function balanceCard(me) {
	const balance = h("dd", { class: "balance tabular" }), points = h("dd", { class: "tabular" });
	const show = (amount) => setText(balance, money(amount, me.currency));

	show(me.balance);
	setText(points, t("account.pointsCount", { n: me.points }));
	return {
		show,
		node: h("dl", { class: "card facts" },
			h("div", {}, h("dt", {}, t("account.balance")), balance),
			h("div", {}, h("dt", {}, t("account.points")), points)),
	};
}

// In whole units, as people type it.
function readAmount(text, currency) {
	const value = Number(text.replace(/[\s,]/g, "")) * minorUnits(currency);
	return Number.isSafeInteger(Math.round(value)) && value > 0 ? Math.round(value) : null;
}

function quickChoices(input, me) {
	return h("div", { class: "actions", role: "group", "aria-label": t("account.quick") }, QUICK.map((amount) =>
		h("button", { class: "button compact", type: "button", onclick: () => {
			input.value = String(amount);
			input.focus();
		} }, money(amount * minorUnits(me.currency), me.currency))));
}

function chargeForm(me, onCharged) {
	const said = h("div", {}), amount = field(t("account.amount", { currency: me.currency }), { name: "amount", type: "text",
		inputmode: "numeric", autocomplete: "off", required: true });
	const unfinished = pendingKey(PENDING);

	amount.node.append(quickChoices(amount.input, me));

	if (unfinished !== null) {
		amount.input.value = String(JSON.parse(unfinished.body).amount / minorUnits(me.currency));
		fill(said, notice("warn", t("account.unfinished")));
	}
	async function submit() {
		const value = readAmount(amount.input.value, me.currency);
		if (value === null) {
			amount.error(t("form.amount"));
			amount.input.focus();
			return;
		}
		fill(said);
		const data = await charge(value);
		fill(said, notice("good", t("account.charged", { amount: money(data.amount, me.currency) })));
		announce(t("account.charged", { amount: money(data.amount, me.currency) }));
		amount.input.value = "";
		onCharged(data);
	}
	return form({ name: t("account.charge"), label: t("account.submit"), busy: t("account.busy"), fields: { amount }, submit,
		extra: said });
}

// --- ledger ---

function signed(entry, currency) {
	const text = entry.unit === "money" ? money(Math.abs(entry.amount), currency) : t("account.pointsCount", { n: Math.abs(entry.amount) });
	return `${entry.amount < 0 ? "−" : "+"}${text}`;
}

function ledgerRow(entry, currency) {
	const after = entry.unit === "money" ? money(entry.balance_after, currency) : t("account.pointsCount", { n: entry.balance_after });

	return h("tr", {},
		h("td", {}, h("span", { class: "kind" }, t(`account.kind.${entry.kind}`)),
			h("time", { class: "muted small", datetime: entry.created_at }, shortDateTime(entry.created_at))),
		h("td", { class: "amount" }, h("span", { class: entry.amount < 0 ? "kind" : "kind came" }, signed(entry, currency)),
			h("span", { class: "muted small" }, t("account.after", { amount: after }))));
}

function ledger(me) {
	const rows = h("tbody", {}), more = h("button", { class: "button", type: "button", hidden: true }, t("account.more"));
	const trouble = h("p", { class: "field-error", role: "alert" });
	const head = h("tr", {}, h("th", { scope: "col" }, t("account.what")), h("th", { scope: "col", class: "amount" }, t("account.came")));
	let next = null, turn = 0; // of two questions at a time the later one counts

	async function load() {
		const mine = ++turn;
		setText(trouble, "");
		try {
			const { data } = await call("GET", `/v1/me/ledger?limit=${PAGE}${next === null ? "" : `&after=${next}`}`);
			if (mine !== turn)
				return;
			rows.append(...data.items.map((entry) => ledgerRow(entry, me.currency)));
			next = data.next;
			more.hidden = next === null;
		} catch (error) {
			setText(trouble, errorText(error));
		}
	}
	more.addEventListener("click", load);
	return {
		node: h("section", { class: "stack", "aria-labelledby": "ledger-title" },
			h("h2", { id: "ledger-title" }, t("account.ledger")),
			h("div", { class: "card table-card" }, h("table", { class: "table" },
				h("caption", { class: "visually-hidden" }, t("account.ledger")), h("thead", {}, head), rows)),
			trouble, more),
		reload: () => {
			fill(rows);
			next = null;
			return load();
		},
	};
}

export async function show(main) {
	if (!needSession())
		return;
	const { data: me } = await call("GET", "/v1/me"), balance = balanceCard(me), list = ledger(me);

	await list.reload();
	fill(main,
		h("div", { class: "stack-tight" }, h("h1", {}, t("account.title")),
			h("p", { class: "lead" }, me.name ? `${me.name} · ${me.email ?? ""}` : me.email ?? "")),
		balance.node,
		h("section", { class: "stack", "aria-labelledby": "charge-title" }, h("h2", { id: "charge-title" }, t("account.charge")),
			chargeForm(me, (data) => {
				balance.show(data.balance);
				list.reload();
			})),
		list.node);
}
