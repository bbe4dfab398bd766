// Real servers on a Redis and a database of this test's own. Waits are for conditions.
"use strict";
const { spawn, spawnSync } = require("node:child_process");
const fs = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");

const LIMIT_MS = 60000;
const REPLY_LIMIT_MS = 60000;
const server = process.env.ONSALE_TEST_SERVER;
const outside = process.env.ONSALE_TEST_DATABASE_URL;

async function until(what, condition) {
	const end = Date.now() + LIMIT_MS;
	for (;;) {
		const value = await condition();
		if (value)
			return value;
		if (Date.now() > end)
			throw new Error(`waited in vain for: ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 20));
	}
}

function run(command, args, options = {}) {
	const done = spawnSync(command, args, { encoding: "utf8", ...options });
	if (done.status !== 0)
		throw new Error(`${command} ${args[0]}: ${done.error || done.stderr}`);
	return done.stdout;
}

function parseReply(bytes) {
	const end = bytes.indexOf("\r\n\r\n");
	if (end < 0)
		return null;
	const [first, ...lines] = bytes.toString("latin1", 0, end).split("\r\n");
	const headers = {};
	for (const line of lines) {
		const colon = line.indexOf(":");
		headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
	}
	const reply = { status: Number(first.split(" ")[1]), headers, body: bytes.subarray(end + 4) };
	if ((headers["content-type"] || "").split(";")[0].endsWith("json") && reply.body.length > 0)
		reply.json = JSON.parse(reply.body.toString("utf8"));
	const data = isStream(headers) && /^data: (.*)$/m.exec(reply.body.toString("utf8"));
	if (data)
		reply.json = JSON.parse(data[1]);
	return reply;
}

const isStream = (headers) => headers["content-type"] === "text/event-stream";

function hasEvent(bytes) {
	const reply = parseReply(bytes);
	return reply && isStream(reply.headers) && bytes.includes("\n\n\r\n");
}

// Sends these bytes, and reads until the server closes, which it is asked to; of a stream one event is enough.
function exchange(port, bytes, streams = false) {
	return new Promise((resolve, reject) => {
		const chunks = [];
		const socket = net.connect(port, "127.0.0.1", () => socket.write(bytes));
		socket.setTimeout(REPLY_LIMIT_MS, () => socket.destroy(new Error("no reply in time")));
		socket.on("data", (chunk) => {
			chunks.push(chunk);
			if (streams && hasEvent(Buffer.concat(chunks)))
				socket.destroy();
		});
		socket.on("error", reject);
		socket.on("close", () => {
			const reply = parseReply(Buffer.concat(chunks));
			if (reply)
				resolve(reply);
			else
				reject(new Error(`no reply to: ${bytes.toString().slice(0, 80)}`));
		});
	});
}

class World {
	constructor(name = "openapi") {
		this.folder = fs.mkdtempSync(path.join(os.tmpdir(), `${name}-`));
		this.database = `${name}_${process.pid}`;
		this.url = outside.replace("/onsale_test?", `/${this.database}?`);
		this.socket = path.join(this.folder, "redis.sock");
		this.processes = [];
		this.env = {
			...process.env,
			DATABASE_URL: this.url,
			REDIS_URL: `unix://${this.socket}`,
			ONSALE_AUTH_JWT_SECRET: "only-the-tests-sign-tokens-with-this-secret",
			ONSALE_AUTH_QUEUE_SECRET: "only-the-tests-sign-places-with-this-secret",
		};
	}

	async open() {
		this.administer(`CREATE DATABASE ${this.database}`);
		this.administer(`ALTER DATABASE ${this.database} SET synchronous_commit = off`); // no test cuts the power
		await this.startRedis();
		this.onsale(["migrate"]);
	}

	administer(statement) {
		return run("psql", ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", outside, "-c", statement]);
	}

	sql(statement) {
		return run("psql", ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", this.url, "-c", statement]);
	}

	// A session that keeps what it locks; true once it has it. end() gives it back.
	async lock(statement) {
		const psql = spawn("psql", ["-X", "-q", "-A", "-t", this.url], { stdio: ["pipe", "pipe", "inherit"] });
		let said = "";
		this.processes.push(psql);
		psql.stdout.on("data", (chunk) => (said += chunk));
		psql.stdin.write(`BEGIN; ${statement}; SELECT 'locked';\n`);
		await until("a lock", () => said.includes("locked"));
		return { end: () => this.stop(psql) };
	}

	onsale(args, input) {
		return run(server, args, { env: this.env, input });
	}

	people(count, balance, role = "buyer") {
		const lines = this.onsale(["users", "--count", `${count}`, "--balance", `${balance}`, "--role", role]);
		return lines.trim().split("\n").map((line) => line.split(" ")[1]);
	}

	async startRedis() {
		this.redis = spawn("redis-server", ["--port", "0", "--unixsocket", this.socket, "--dir", this.folder,
			"--save", "", "--appendonly", "yes", "--appendfsync", "no", "--maxmemory-policy", "noeviction"], { stdio: "ignore" });
		this.processes.push(this.redis);
		await until("Redis", () => spawnSync("redis-cli", ["-s", this.socket, "ping"]).stdout.includes("PONG"));
	}

	// An instance of the server; its port. Not yet ready.
	async launch(name, flags) {
		const log = path.join(this.folder, `${name}.log`);
		const fd = fs.openSync(log, "w");
		const instance = spawn(server, ["serve", "--http.port=0", ...flags],
			{ env: this.env, stdio: ["ignore", "ignore", fd] });
		fs.closeSync(fd);
		this.processes.push(instance);
		this.newest = instance;
		const found = await until(`${name} to listen`, () => {
			if (instance.exitCode !== null)
				throw new Error(`${name} ended: ${fs.readFileSync(log, "utf8")}`);
			return /listening on 127\.0\.0\.1:(\d+)/.exec(fs.readFileSync(log, "utf8"));
		});
		return Number(found[1]);
	}

	setDatabase(up) {
		this.administer(`ALTER DATABASE ${this.database} ALLOW_CONNECTIONS ${up}`);
		if (!up)
			this.administer(
				`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${this.database}'`);
	}

	stop(child) {
		this.processes = this.processes.filter((other) => other !== child);
		if (child.exitCode !== null || child.signalCode !== null)
			return Promise.resolve();
		return new Promise((resolve) => {
			child.on("exit", resolve);
			child.kill("SIGTERM");
		});
	}

	async close() {
		for (const child of [...this.processes].reverse())
			await this.stop(child);
		this.administer(`DROP DATABASE IF EXISTS ${this.database} WITH (FORCE)`);
		fs.rmSync(this.folder, { recursive: true, force: true });
	}
}

module.exports = { World, exchange, parseReply, until };
