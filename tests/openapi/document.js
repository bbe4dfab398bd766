// proto/openapi.yaml as the test reads it: its operations, and what it says of a reply.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const Ajv = require("ajv/dist/2020");
const addFormats = require("ajv-formats");
const yaml = require("yaml");

const METHODS = ["get", "put", "post", "delete", "patch"];

const file = path.join(process.env.ONSALE_TEST_ROOT, "proto/openapi.yaml");
const text = fs.readFileSync(file, "utf8");
const document = yaml.parse(text);

function resolve(node) {
	while (node && node.$ref)
		node = node.$ref.slice(2).split("/").reduce((at, name) => at[name], document);
	return node;
}

// Every object of the contract is closed here, so that a member which the document does not know is found;
// clients are told nothing of the kind, and must take new members as they come.
function closed(node) {
	if (Array.isArray(node))
		return node.map(closed);
	if (node === null || typeof node !== "object")
		return node;
	const copy = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, closed(value)]));
	if (copy.type === "object" && copy.properties)
		copy.unevaluatedProperties = false;
	return copy;
}

const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);
ajv.addSchema({ $id: "open", components: document.components });
ajv.addSchema({ $id: "closed", components: closed(document.components) });

const validators = new Map();

// What is wrong with the value, as a text; "" where nothing is.
function wrong(schema, value, base) {
	const key = base + JSON.stringify(schema);
	if (!validators.has(key)) {
		const own = base === "closed" ? closed(schema) : schema;
		const absolute = JSON.parse(JSON.stringify(own).replaceAll('"#/components/', `"${base}#/components/`));
		validators.set(key, ajv.compile(absolute));
	}
	const validate = validators.get(key);
	return validate(value) ? "" : ajv.errorsText(validate.errors, { dataVar: "it" });
}

const operations = new Map();
for (const [route, item] of Object.entries(document.paths))
	for (const method of METHODS.filter((name) => item[name]))
		operations.set(item[method].operationId, {
			id: item[method].operationId,
			method: method.toUpperCase(),
			route,
			body: item[method].requestBody,
			parameters: [...(item.parameters || []), ...(item[method].parameters || [])].map(resolve),
			security: item[method].security || document.security,
			responses: Object.fromEntries(
				Object.entries(item[method].responses).map(([status, reply]) => [status, resolve(reply)])),
		});

// The codes that a documented refusal may have; none for a reply that is no refusal.
function codesOf(response) {
	const content = response.content && response.content["application/problem+json"];
	return content ? content.schema.allOf[1].properties.code.enum : [];
}

function wrongHeaders(response, reply) {
	const found = [];
	for (const [name, reference] of Object.entries(response.headers || {})) {
		const header = resolve(reference);
		const value = reply.headers[name.toLowerCase()];
		if (value === undefined) {
			if (header.required)
				found.push(`${name} is missing`);
		} else {
			const why = wrong(header.schema, value, "closed");
			if (why)
				found.push(`${name}: ${why}`);
		}
	}
	if (reply.headers["idempotent-replayed"] && !(response.headers || {})["Idempotent-Replayed"])
		found.push("Idempotent-Replayed is not documented");
	return found;
}

function wrongBody(response, reply) {
	if (!response.content)
		return reply.body.length > 0 ? [`a body of ${reply.body.length} bytes, where none is documented`] : [];
	const type = (reply.headers["content-type"] || "").split(";")[0];
	const content = response.content[type];
	if (!content)
		return [`the content type '${type}' is not documented`];
	let value = reply.body.toString("utf8");
	if (content["x-data"]) // of each event of a stream
		return [wrong(content["x-data"], reply.json, "closed")].filter(Boolean);
	if (type.endsWith("json"))
		try {
			value = JSON.parse(value);
		} catch (error) {
			return [`its body is no JSON: ${error.message}`];
		}
	const why = wrong(content.schema, value, "closed");
	return why ? [`${why}: ${reply.body.toString("utf8").slice(0, 300)}`] : [];
}

// All that is wrong with a reply.
function judge(response, reply) {
	const found = [...wrongHeaders(response, reply), ...wrongBody(response, reply)];
	if (reply.json && reply.json.status !== undefined && codesOf(response).length > 0 &&
		reply.json.status !== reply.status)
		found.push(`its status member is ${reply.json.status}`);
	return found;
}

module.exports = { document, text, file, operations, resolve, codesOf, judge, wrong };
