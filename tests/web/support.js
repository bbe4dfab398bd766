// Chromium looking at a real server. A file of tests has one server with stores of its own (the site), and each
// test pages in fresh contexts (its visitors), which it reaches by roles and names, and whose waits are for
// conditions. Whatever a page complains of fails its test: errors on its console or uncaught, a policy that it
// violates, a request to another host, a reply 404 or 500. Screenshots are left in the test's output.
"use strict";
const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const { test, after } = require("node:test");
const { chromium } = require("playwright-core");
const { World, until } = require("../openapi/servers");
const { dictionary } = require("./dictionaries");

const LIMIT_MS = 300000;
const WAIT_MS = 60000; // what comes comes in a second; a machine that has much else to do is given longer
const START_MS = 120000;
const START_TRIES = 3;
const FUTURE = "2100-01-01T00:00:00Z";
const PASSWORD = "a good password";
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
// Crowds do not poll, and no store is too slow for anybody.
const FLAGS = ["--http.docs_folder=/nonexistent", "--queue.poll_min_ms=300", "--queue.poll_max_ms=1500",
	"--queue.claim_within_ms=3600000", "--redis.deadline_ms=2000", "--db.deadline_ms=60000",
	"--db.backlog_max_ms=60000", "--db.lock_timeout_ms=60000", "--db.statement_timeout_ms=60000",
	"--lock.locking_ms=120000"];
const PATIENT = { abandon_after_seconds: 86400 };
const pictures = path.join(process.env.ONSALE_TEST_OUTPUT || ".test", "web");
const axeSource = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

// --- words ---

// The page's own dictionary of a language, so that a test names what a button does and not how it is worded:
// t("line.ahead"), t("line.announce", {n: 4}).
async function words(language) {
	const entries = await dictionary(language);
	const plurals = new Intl.PluralRules(language);
	return (key, values = {}) => {
		const entry = entries[key];
		assert.ok(entry, `there are no words for ${key}`);
		const text = typeof entry === "string" ? entry : entry[plurals.select(values.n)] || entry.other;
		return text.replace(/\{(\w+)\}/g, (whole, name) => typeof values[name] === "number"
			? values[name].toLocaleString(language) : values[name] || whole);
	};
}

// --- the browser ---

// It may fail to start, or to say that it has: on a machine that has much else to do, say. Once it has started, nothing
// is tried twice.
async function startBrowser() {
	for (let tries = 1; ; tries++)
		try {
			return await chromium.launch({
				executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
				chromiumSandbox: process.getuid() !== 0,
				args: ["--disable-dev-shm-usage", "--force-color-profile=srgb"],
				timeout: START_MS,
			});
		} catch (error) {
			if (tries >= START_TRIES)
				throw error;
			console.log(`the browser did not start: ${error.message}`);
		}
}

// --- the server, and what is done to it without a page ---

class Site {
	constructor(flags) {
		this.world = new World("web");
		this.flags = flags;
		this.keys = 0;
	}

	async open() {
		await this.world.open();
		this.port = await this.world.launch("server", this.flags);
		this.flags = [...this.flags, `--http.port=${this.port}`];
		this.base = `http://127.0.0.1:${this.port}`;
		this.instance = this.world.newest;
		await this.ready();
		[this.admin] = this.world.people(1, 0, "admin");
		this.browser = await startBrowser();
	}

	async close() {
		if (this.browser)
			await this.browser.close();
		await this.world.close();
	}

	ready() {
		return until("the server to be ready", async () => {
			const reply = await this.call("GET", "/readyz").catch(() => null);
			return reply && reply.status === 200 && reply.json.degraded.length === 0;
		});
	}

	// SIGTERM; whoever is connected loses the connection.
	stop() {
		return this.world.stop(this.instance);
	}

	// Again, on the same port.
	async start() {
		await this.world.launch("server", this.flags);
		this.instance = this.world.newest;
		await this.ready();
	}

	// What a test that failed has left stopped, for the next one.
	async mend() {
		const hasEnded = (child) => child.exitCode !== null || child.signalCode !== null;
		if (hasEnded(this.world.redis))
			await this.world.startRedis();
		if (hasEnded(this.instance))
			await this.start();
	}

	// `it`: {jwt, key, token, pass, body}. {status, headers, json}
	async call(method, route, it = {}) {
		const headers = {};
		if (it.jwt)
			headers.Authorization = `Bearer ${it.jwt}`;
		if (it.key)
			headers["Idempotency-Key"] = it.key;
		if (it.token)
			headers["X-Queue-Token"] = it.token;
		if (it.pass)
			headers["X-Queue-Pass"] = it.pass;
		if (it.body !== undefined)
			headers["Content-Type"] = "application/json";
		const body = it.body === undefined ? undefined : JSON.stringify(it.body);
		const reply = await fetch(this.base + route, { method, headers, body, redirect: "error" });
		const text = await reply.text();
		const json = (reply.headers.get("content-type") || "").includes("json") && text !== "" ? JSON.parse(text) : null;
		return { status: reply.status, headers: reply.headers, json };
	}

	// What a call that must succeed says.
	async ask(method, route, it) {
		const reply = await this.call(method, route, it);
		assert.ok(reply.status < 300, `${method} ${route}: ${reply.status} ${JSON.stringify(reply.json)}`);
		return reply.json;
	}

	newKey() {
		return `web-test-${++this.keys}`;
	}

	// Somebody who has signed up: {email, password, name, jwt}. visit({as: person}) is logged in.
	async person({ name = "Kim Buyer", balance = 0 } = {}) {
		const email = `person-${++this.keys}@onsale.test`;
		await this.ask("POST", "/v1/users", { body: { email, password: PASSWORD, name } });
		const { access_token: jwt } = await this.ask("POST", "/v1/sessions", { body: { email, password: PASSWORD } });
		if (balance > 0)
			await this.ask("POST", "/v1/me/balance/charges", { jwt, key: this.newKey(), body: { amount: balance } });
		return { email, password: PASSWORD, name, jwt };
	}

	// An operator who can log in: {email, password}
	operator() {
		const email = `operator-${++this.keys}@onsale.test`;
		this.world.onsale(["admin", "--email", email], PASSWORD);
		return { email, password: PASSWORD };
	}

	// An event with its line and performances (`dates`), each with these sections: {event, performances: [{id, seats}]}
	async sale({ title = "A night at the opera", venue = "The hall", opens, queue = { enabled: true, capacity: 10 },
		dates = [FUTURE], sections = [{ name: "A", rows: 2, seats_per_row: 10, price: 50000 }] } = {}) {
		const body = { title, venue, queue: { ...PATIENT, ...queue }, ...(opens ? { sale_opens_at: opens } : {}) };
		const { id: event } = await this.ask("POST", "/v1/admin/events", { jwt: this.admin, body });
		const performances = [];
		for (const starts_at of dates) {
			const made = await this.ask("POST", `/v1/admin/events/${event}/performances`,
				{ jwt: this.admin, body: { starts_at, sections } });
			const map = await this.ask("GET", `/v1/performances/${made.id}/seats`);
			performances.push({ id: made.id, seats: map.seats });
		}
		return { event, title, performances };
	}

	// The operator's hand on a line: capacity, rate, paused, message.
	steer(event, settings) {
		return this.ask("PUT", `/v1/admin/events/${event}/queue`, { jwt: this.admin, body: settings });
	}

	// People who join the line without a page, one after the other: their places as the server told them.
	async crowd(event, count) {
		const places = [];
		for (const jwt of this.world.people(count, 1000000))
			places.push({ jwt, ...(await this.ask("POST", `/v1/events/${event}/queue`, { jwt })) });
		return places;
	}

	// Polls until a place that has come to its turn has its pass.
	pass({ token }) {
		return until("a pass", async () => {
			const place = await this.ask("GET", "/v1/queue", { token });
			token = place.token;
			return place.pass;
		});
	}
}

// --- somebody at a browser ---

// What the page's own code is to handle: refusals of the API, and while the server is away all of it.
function isHandled(visitor, message) {
	const text = message.text();
	if (!text.startsWith("Failed to load resource:"))
		return false;
	const { pathname } = new URL(message.location().url || visitor.site.base);
	if (/ERR_(CONNECTION|NETWORK|EMPTY|INCOMPLETE|SOCKET|ABORTED|FAILED)/.test(text))
		return visitor.serverMayBeAway || visitor.offline;
	return pathname.startsWith("/v1/") && !/status of (404|405|500)/.test(text);
}

class Visitor {
	constructor(site, name) {
		this.site = site;
		this.name = name;
		this.complaints = [];
		this.pages = [];
		this.serverMayBeAway = false;
	}

	async open({ as: person, ...options }) {
		this.context = await this.site.browser.newContext({
			viewport: { width: 1280, height: 800 }, locale: "en-US", timezoneId: "Asia/Seoul", colorScheme: "light",
			baseURL: this.site.base, serviceWorkers: "block", storageState: this.keptBy(person), ...options,
		});
		this.context.setDefaultTimeout(WAIT_MS);
		this.context.on("request", (request) => {
			const url = new URL(request.url());
			if (/^(https?|wss?):$/.test(url.protocol) && url.origin !== this.site.base)
				this.complaints.push(`a request to another host: ${request.url()}`);
		});
		this.context.on("console", (message) => {
			if (message.type() === "error" && !isHandled(this, message))
				this.complaints.push(`console: ${message.text()} (${message.location().url || ""})`);
		});
		this.context.on("weberror", (error) => this.complaints.push(`uncaught: ${error.error().stack}`));
		await this.context.exposeBinding("onsaleTestViolation", (source, text) =>
			this.complaints.push(`policy: ${text}`));
		await this.context.addInitScript(() => document.addEventListener("securitypolicyviolation", (event) =>
			window.onsaleTestViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile || ""}`)));
		this.page = await this.newPage();
		return this;
	}

	// What server/web/js/store.js keeps of somebody who has logged in.
	keptBy(person) {
		const session = person && { token: person.jwt, email: person.email, expiresAt: Date.now() + 3600 * 1000 };
		const localStorage = session ? [{ name: "onsale.session", value: JSON.stringify(session) }] : [];
		return { cookies: [], origins: [{ origin: this.site.base, localStorage }] };
	}

	// Another tab of the same browser.
	async newPage() {
		const page = await this.context.newPage();
		this.pages.push(page);
		return page;
	}

	go(where, page = this.page) {
		return page.goto(where);
	}

	// At a page of the shell, with what it shows; the hash alone changes where the shell is open, and what it showed
	// before is not taken for what it shows now.
	async at(hash, page = this.page) {
		const moves = page.url() !== `${this.site.base}/${hash}`;
		if (moves)
			await page.evaluate(() => document.querySelector("main > .page")?.setAttribute("data-before", ""));
		await page.goto(`/${hash}`);
		await page.waitForFunction(() => !document.querySelector("[data-before]"));
		await this.settled(page);
	}

	// Until the page has its head, and nothing on it is still being brought.
	async settled(page = this.page) {
		await page.locator("main h1").first().waitFor();
		await page.waitForFunction(() => !document.querySelector("main .loading, main [aria-busy=true]"));
	}

	async picture(name, page = this.page, options = {}) {
		fs.mkdirSync(pictures, { recursive: true });
		const file = path.join(pictures, `${name.replace(/[^\w-]+/g, "_").slice(0, 80)}.png`);
		await page.screenshot({ path: file, ...options });
		return file;
	}

	// Tabs on until this has the focus, which must be seen.
	async tabTo(locator, page = this.page) {
		const has = () => locator.evaluate((element) => element === document.activeElement).catch(() => false);
		for (let i = 0; i < 80 && !(await has()); i++)
			await page.keyboard.press("Tab");
		assert.ok(await has(), `Tab does not come to ${locator}`);
		const ring = await locator.evaluate((element) => [null, "::after"].some((part) => {
			const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element, part);
			return (outlineStyle !== "none" && parseFloat(outlineWidth) >= 1) || boxShadow !== "none";
		}));
		assert.ok(ring, `nobody sees that ${locator} has the focus`);
	}

	async press(locator, key = "Enter", page = this.page) {
		await this.tabTo(locator, page);
		await page.keyboard.press(key);
	}

	// Texts and names on the page that have Latin words in them, but for these, addresses and hashes.
	latin(allowed, page = this.page) {
		return page.evaluate((allowedWords) => {
			const texts = [document.title];
			const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
			for (let node = walker.nextNode(); node; node = walker.nextNode()) {
				if (node.nodeType === Node.TEXT_NODE)
					texts.push(["SCRIPT", "STYLE", "NOSCRIPT"].includes(node.parentNode.tagName) ? "" : node.data);
				else
					texts.push(...["aria-label", "aria-roledescription", "aria-valuetext", "title", "placeholder", "alt"]
						.map((name) => node.getAttribute(name) || ""));
			}
			const without = (text) => allowedWords.reduce((rest, word) => rest.replaceAll(word, ""),
				text.replace(/\S+@onsale\.test|\b[0-9a-f]{32,}\b/g, ""));
			return texts.filter((text) => /[A-Za-z]{2,}/.test(without(text)));
		}, allowed);
	}

	// Until nothing fades or moves to where it will stay.
	still(page = this.page) {
		return page.waitForFunction(() => document.getAnimations().every((one) => one.playState !== "running" ||
			one.effect.getComputedTiming().iterations === Infinity));
	}

	// What axe finds that is serious or critical, a line each.
	async axe(page = this.page) {
		await this.still(page);
		await page.evaluate(axeSource);
		const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
		return found.violations.filter((violation) => ["serious", "critical"].includes(violation.impact))
			.flatMap((violation) => violation.nodes.map((node) =>
				`${violation.id}: ${node.target.join(" ")}: ${node.failureSummary.replace(/\s+/g, " ")}`));
	}

	// What can be pressed and is smaller than 24 px (links in running text may be, by WCAG 2.5.8).
	smallTargets(page = this.page) {
		return page.evaluate(() => [...document.querySelectorAll("a[href], button, input, select, summary, [role=button]")]
			.filter((element) => element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }))
			.filter((element) => getComputedStyle(element).display !== "inline")
			.map((element) => [element.closest("label") || element, element])
			.filter(([target]) => {
				const { width, height } = target.getBoundingClientRect();
				return width > 1 && height > 1 && (width < 24 || height < 24);
			})
			.map(([, element]) => element.outerHTML.slice(0, 120)));
	}

	// How far the page is wider than the window.
	sideScroll(page = this.page) {
		return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
	}

	async close() {
		await this.context.close();
	}
}

// --- a test ---

// What a test is given: `site`, and visit({as: person, …Playwright's options of a context}), which opens a visitor.
async function inPages(site, name, body) {
	const visitors = [];
	const visit = async (options = {}) => {
		const visitor = new Visitor(site, `${name} ${visitors.length + 1}`);
		visitors.push(visitor);
		return visitor.open(options);
	};
	await site.mend();
	try {
		await body({ site, visit });
		for (const visitor of visitors)
			assert.deepStrictEqual(visitor.complaints, []);
	} catch (error) {
		for (const visitor of visitors)
			for (const [index, page] of visitor.pages.entries())
				await visitor.picture(`failed ${visitor.name} ${index}`, page).catch(() => {});
		throw new Error(`${error.stack}\n${visitors.map((visitor) => visitor.complaints.join("\n")).join("\n")}`);
	} finally {
		for (const visitor of visitors)
			if (visitor.context)
				await visitor.close();
	}
}

// The tests of one file: the function that declares one. The site is opened by the first that runs.
function webTests({ flags = [] } = {}) {
	let opened;
	const open = async () => {
		const site = new Site([...FLAGS, ...flags]);
		opened = { site };
		await site.open();
		return opened;
	};
	after(() => opened && opened.site.close());
	return (name, body, { limit = LIMIT_MS } = {}) => test(name, { timeout: limit }, async () => {
		const { site } = opened || (await open());
		await inPages(site, name, body);
	});
}

module.exports = { webTests, words, until, PHONE, PASSWORD, FUTURE };
