// What can be known of the page without a browser: both languages say the same things, and every file that a module or
// the page asks for is one that the server has.
"use strict";
const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");
const { dictionary } = require("./dictionaries");

const root = path.resolve(__dirname, "../..");
const web = path.join(root, "server/web");

function sources() {
	return fs.readdirSync(web, { recursive: true }).filter((name) => name.endsWith(".js"))
		.map((name) => [name, fs.readFileSync(path.join(web, name), "utf8")]);
}

const forms = (entry) => typeof entry === "string" ? [entry] : Object.values(entry);
const isCount = (gap) => gap === "n";
const gaps = (text) => [...new Set([...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]))].sort();

test("both languages have the same keys", async () => {
	const [en, ko] = [await dictionary("en"), await dictionary("ko")];
	assert.ok(Object.keys(en).length > 100);
	assert.deepStrictEqual(Object.keys(ko).sort(), Object.keys(en).sort());
});

test("both languages fill in the same values, in every form of a text", async () => {
	const [en, ko] = [await dictionary("en"), await dictionary("ko")];
	for (const key of Object.keys(en)) {
		const expected = gaps(forms(en[key]).at(-1));
		for (const text of [...forms(en[key]), ...forms(ko[key])]) // of one thing the number may be left out
			assert.deepStrictEqual(text === en[key].one ? [...new Set([...gaps(text), ...expected.filter(isCount)])].sort() : gaps(text),
				expected, key);
		assert.ok(typeof en[key] === "string" || (en[key].one && en[key].other), key);
	}
});

test("no text stands in one language only", async () => {
	const [en, ko] = [await dictionary("en"), await dictionary("ko")];
	for (const key of Object.keys(en)) {
		assert.ok(!forms(en[key]).some((text) => /[가-힣]/.test(text)), key);
		assert.ok(forms(ko[key]).some((text) => /[가-힣]/.test(text)) || !/[a-z]{3}/i.test(gapless(forms(ko[key])[0])), key);
	}
});

function gapless(text) {
	return text.replace(/\{\w+\}/g, "");
}

test("every key that a module names has words, and no words are left over", async () => {
	const en = await dictionary("en"), text = sources().filter(([name]) => !name.includes("lang/")).map(([, source]) => source).join("\n");
	const named = [...text.matchAll(/"([a-z]\w*\.[\w.]+)"/g)].map((match) => match[1]);
	const made = [...text.matchAll(/`([a-z]\w*\.[\w.]*)\$\{/g)].map((match) => match[1]);
	const prefixes = new Set(Object.keys(en).map((key) => key.split(".")[0]));
	for (const key of [...text.matchAll(/\bt\("([^"]+)"/g)].map((match) => match[1]))
		assert.ok(key in en, `no words for ${key}`);
	for (const key of named.filter((name) => prefixes.has(name.split(".")[0]) && !name.startsWith("key.")))
		assert.ok(key in en || made.some((start) => key.startsWith(start)) || !new RegExp(`\\bt\\([^)]*"${key}"`).test(text), key);
	for (const key of Object.keys(en))
		assert.ok(named.includes(key) || made.some((start) => key.startsWith(start)), `nobody says ${key}`);
});

test("the server has every file of the page, and every one that the page asks for", () => {
	const rows = [...fs.readFileSync(path.join(web, "files.def"), "utf8").matchAll(/^WEB_FILE\(\w+, "([^"]+)", "([^"]+)"/gm)];
	const served = new Map(rows.map(([, url, file]) => [url, file]));
	const asked = new Set([...fs.readFileSync(path.join(web, "index.html"), "utf8").matchAll(/(?:href|src)="(\/web\/[^"]+)"/g)]
		.map((match) => match[1]));
	for (const [name, text] of sources().filter(([file]) => file.startsWith("js/"))) {
		assert.strictEqual(served.get(`/web/${name}`), `server/web/${name}`, `${name} stands in no row`);
		for (const [, target] of text.matchAll(/\bfrom "(\.[^"]+)"/g))
			asked.add(new URL(target, `http://onsale/web/${name}`).pathname);
		for (const [, target] of text.matchAll(/new Worker\("([^"]+)"/g))
			asked.add(target);
	}
	assert.ok(asked.size > 10);
	for (const url of asked)
		assert.ok(served.has(url), `${url} is asked for, and not served`);
	for (const file of served.values())
		assert.ok(file === "web/chart.js" || fs.existsSync(path.join(root, file)), file);
});

const fileOf = (name) => path.join(web, "js", `${name}.js`);

// The modules that this one asks for, and those that they do.
function closure(name, seen = new Set()) {
	if (seen.has(name))
		return seen;
	seen.add(name);
	for (const [, target] of fs.readFileSync(fileOf(name), "utf8").matchAll(/\bfrom "(\.[^"]+)\.js"/g))
		closure(path.posix.join(path.posix.dirname(name), target), seen);
	return seen;
}

test("what the page and each of its pages need is sent for at once", () => {
	const html = fs.readFileSync(path.join(web, "index.html"), "utf8");
	const early = [...html.matchAll(/rel="modulepreload" href="\/web\/js\/([^"]+)\.js"/g)].map((match) => match[1]);
	const core = closure("app");
	assert.deepStrictEqual(early.sort(), [...core].sort());
	const table = /const MODULES = (\{.*?\n\});/s.exec(fs.readFileSync(fileOf("boot"), "utf8"))[1];
	const named = JSON.parse(table.replace(/(\w+):/g, '"$1":').replace(/,(\s*[}\]])/g, "$1"));
	const routed = [...fs.readFileSync(fileOf("app"), "utf8").matchAll(/\$\/, "(\w+)"\]/g)].map((match) => match[1]);
	assert.deepStrictEqual(Object.keys(named).sort(), routed.sort());
	for (const [page, modules] of Object.entries(named))
		assert.deepStrictEqual([...modules].sort(), [...closure(`pages/${page}`)].filter((name) => !core.has(name)).sort(), page);
});

test("every page that the router names is there", () => {
	const app = fs.readFileSync(path.join(web, "js/app.js"), "utf8");
	const named = [...app.matchAll(/\$\/, "(\w+)"\]/g)].map((match) => match[1]);
	assert.ok(named.length > 5);
	for (const name of named)
		assert.ok(fs.existsSync(path.join(web, "js/pages", `${name}.js`)), name);
});
