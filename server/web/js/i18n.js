// Words, numbers and times in the reader's language: English or Korean, as the browser prefers or the reader chose.
import { set } from "./store.js";
import { language, dictionary, LANGUAGES } from "./language.js";

export { language, LANGUAGES };
// Numbers and dates as the browser's own region writes them, where it speaks the language.
const locale = (navigator.languages || []).find((name) => name.startsWith(language)) || language;
const words = { ...(await dictionary).default };
const plurals = new Intl.PluralRules(locale);
const numbers = new Intl.NumberFormat(locale);

document.documentElement.lang = language;

export function setLanguage(name) {
	set("language", name);
	location.reload();
}

// Of a page that has more to say, with other keys than those that there are.
export function addWords(more) {
	Object.assign(words, more);
}

export function has(key) {
	return key in words;
}

// t("line.ahead", {n: 12}): {n} in the text is replaced; numbers are written as the language does. A text may be
// {one, other}, chosen by n.
export function t(key, values = {}) {
	const entry = words[key];
	if (entry === undefined) {
		console.error(`no words for ${key}`);
		return key;
	}
	const text = typeof entry === "string" ? entry : entry[plurals.select(values.n)] ?? entry.other;
	return text.replace(/\{(\w+)\}/g, (whole, name) => {
		const value = values[name];
		return typeof value === "number" ? numbers.format(value) : value ?? whole;
	});
}

export function number(value) {
	return numbers.format(value);
}

const moneyFormats = new Map();

function moneyFormat(currency) {
	if (!moneyFormats.has(currency))
		moneyFormats.set(currency, new Intl.NumberFormat(locale, { style: "currency", currency }));
	return moneyFormats.get(currency);
}

// How many minor units a unit of it has: KRW 1, USD 100.
export function minorUnits(currency) {
	return 10 ** moneyFormat(currency).resolvedOptions().maximumFractionDigits;
}

// An amount in the currency's minor unit.
export function money(amount, currency = "KRW") {
	return moneyFormat(currency).format(amount / minorUnits(currency));
}

const dateTimes = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "short" });
const shortTimes = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
const days = new Intl.DateTimeFormat(locale, { dateStyle: "medium" });
const clockTimes = new Intl.DateTimeFormat(locale, { timeStyle: "medium" });

export function dateTime(time) {
	return dateTimes.format(new Date(time));
}

export function shortDateTime(time) {
	return shortTimes.format(new Date(time));
}

// "Dec 21 – 22, 2026"; one day where both are the same.
export function dayRange(first, last) {
	return days.formatRange(new Date(first), new Date(last));
}

export function timeOfDay(time) {
	return clockTimes.format(new Date(time));
}

// {month: "Jun", day: "12", time: "Friday 7:30 PM", date: "June 12, 2026"}
export function dateParts(time) {
	const part = (options) => new Intl.DateTimeFormat(locale, options).format(new Date(time));
	return { month: part({ month: "short" }), day: String(new Date(time).getDate()),
		time: `${part({ weekday: "long" })} ${part({ timeStyle: "short" })}`, date: part({ dateStyle: "long" }) };
}

// 45 → "45 seconds", 400 → "7 minutes"; rounded as people say it.
export function duration(seconds) {
	const unit = (value, name) => new Intl.NumberFormat(locale, { style: "unit", unit: name, unitDisplay: "long" }).format(value);
	if (seconds < 90)
		return unit(Math.max(1, Math.round(seconds)), "second");
	if (seconds < 90 * 60)
		return unit(Math.round(seconds / 60), "minute");
	return unit(Math.round(seconds / 3600), "hour");
}

// As exact as people are about it.
function round(value, step) {
	return value < step ? value : Math.round(value / step) * step;
}

// 120, 300 → "2–5 minutes": one unit for both, that of the larger.
export function durationRange(min, max) {
	const steps = max < 90 ? [1, "second", max < 30 ? 5 : 10] : max < 90 * 60 ? [60, "minute", 1] : [3600, "hour", 1];
	const least = round(Math.round(min / steps[0]), steps[2]), most = round(Math.max(1, Math.round(max / steps[0])), steps[2]);

	if (least >= most)
		return duration(max);
	const text = new Intl.NumberFormat(locale, { style: "unit", unit: steps[1], unitDisplay: "long" }).format(most);
	return `${number(least)}–${text}`;
}
