// Numbers as the console writes them: short, and the same width as the second before where it can be.
import { number, t } from "../i18n.js";

const rounded = (value, digits) => number(Number(value.toFixed(digits)));

export const count = (value) => rounded(value, 0);

// A chart's scale has steps between whole numbers, too.
export const rate = (value) => rounded(value, value < 10 ? 1 : 0);

export const percent = (share) => `${rounded(share * 100, share < 0.1 ? 1 : 0)} %`;

export function milliseconds(ms) {
	return ms >= 1000
		? t("console.seconds", { text: rounded(ms / 1000, 1) })
		: t("console.milliseconds", { text: rounded(ms, ms < 10 ? 1 : 0) });
}
