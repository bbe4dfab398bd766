// An address that names no page.
import { h, fill } from "../dom.js";
import { t } from "../i18n.js";

export async function show(main) {
	fill(main, h("h1", {}, t("missing.title")), h("p", {}, h("a", { class: "button primary", href: "#/" }, t("missing.back"))));
}
