// That the harness sees what it is there to see: a page without faults passes, and each kind of fault is a complaint.
"use strict";
const assert = require("node:assert");
const { webTests, until } = require("./support");

const webTest = webTests();

webTest("the page of the API opens without a complaint", async ({ visit }) => {
	const visitor = await visit();
	const reply = await visitor.go("/docs");
	assert.strictEqual(reply.status(), 200);
	await visitor.page.getByRole("link", { name: "/openapi.yaml" }).first().waitFor();
	await visitor.picture("docs");
});

webTest("each kind of fault is a complaint", async ({ visit }) => {
	const visitor = await visit();
	const caught = async (kind, what) => {
		await what();
		await until(`a complaint: ${kind}`, () => visitor.complaints.some((complaint) => complaint.startsWith(kind)));
		visitor.complaints.length = 0;
	};
	await visitor.go("/docs");
	await caught("console", () => visitor.page.evaluate(() => console.error("no")));
	await caught("uncaught", () => visitor.page.evaluate(() => void setTimeout(() => { throw new Error("no"); })));
	await caught("policy", () => visitor.page.evaluate(() => {
		document.body.append(Object.assign(document.createElement("script"), { textContent: "1" }));
	}));
	await caught("a request to another host", () =>
		visitor.page.goto("http://localhost:1/").catch(() => {}));
});
