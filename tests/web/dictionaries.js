// The page's words as node can load them. The tree says nowhere that its .js files are modules, so they are copied to
// where it is said.
"use strict";
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { pathToFileURL } = require("node:url");

let folder;

function modules() {
	if (!folder) {
		folder = fs.mkdtempSync(path.join(os.tmpdir(), "lang-"));
		fs.cpSync(path.join(__dirname, "../../server/web/js/lang"), folder, { recursive: true });
		fs.writeFileSync(path.join(folder, "package.json"), '{"type": "module"}');
		process.on("exit", () => fs.rmSync(folder, { recursive: true, force: true }));
	}
	return folder;
}

// The page's and the console's.
async function dictionary(language) {
	const load = async (name) => (await import(pathToFileURL(path.join(modules(), `${name}.js`)))).default;
	return { ...await load(language), ...await load(`console_${language}`) };
}

module.exports = { dictionary };
