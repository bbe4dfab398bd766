// A worker that finds the nonce for which SHA-256(challenge ":" email ":" nonce) begins with so many zero bits
// (proto/proof.h). It has its own SHA-256: crypto.subtle is asynchronous, a hundred times too slow for a million
// short texts, and not there at all without HTTPS.

const FIRST = 1 << 12; // hashes between two reports

const constants = new Uint32Array(64), initial = new Uint32Array(8);

// The fractional parts of the roots of the first primes (FIPS 180-4, 4.2.2 and 5.3.3).
function fillConstants() {
	const fraction = (value) => ((value - Math.floor(value)) * 2 ** 32) >>> 0;
	for (let candidate = 2, count = 0; count < 64; candidate++) {
		let prime = true;
		for (let divisor = 2; divisor * divisor <= candidate; divisor++)
			prime = prime && candidate % divisor !== 0;
		if (!prime)
			continue;
		if (count < 8)
			initial[count] = fraction(Math.sqrt(candidate));
		constants[count++] = fraction(Math.cbrt(candidate));
	}
}

const words = new Uint32Array(64);

function rotate(value, bits) {
	return (value >>> bits) | (value << (32 - bits));
}

function expand(block, at) {
	for (let i = 0; i < 16; i++)
		words[i] = (block[at + 4 * i] << 24) | (block[at + 4 * i + 1] << 16) | (block[at + 4 * i + 2] << 8) | block[at + 4 * i + 3];
	for (let i = 16; i < 64; i++) {
		const a = words[i - 15], b = words[i - 2];
		words[i] = words[i - 16] + words[i - 7] + (rotate(a, 7) ^ rotate(a, 18) ^ (a >>> 3)) +
			(rotate(b, 17) ^ rotate(b, 19) ^ (b >>> 10));
	}
}

function compress(state, block, at) {
	let [a, b, c, d, e, f, g, h] = state;

	expand(block, at);
	for (let i = 0; i < 64; i++) {
		const one = (h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + constants[i] + words[i]) | 0;
		const two = ((rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
		h = g; g = f; f = e; e = (d + one) | 0;
		d = c; c = b; b = a; a = (one + two) | 0;
	}
	state[0] += a; state[1] += b; state[2] += c; state[3] += d;
	state[4] += e; state[5] += f; state[6] += g; state[7] += h;
}

// The bytes with their end as SHA-256 wants it.
function pad(bytes) {
	const padded = new Uint8Array(Math.ceil((bytes.length + 9) / 64) * 64);
	padded.set(bytes);
	padded[bytes.length] = 0x80;
	new DataView(padded.buffer).setUint32(padded.length - 4, bytes.length * 8);
	return padded;
}

function sha256(bytes, from = initial, start = 0) {
	const padded = pad(bytes), state = Uint32Array.from(from);
	for (let at = start; at < padded.length; at += 64)
		compress(state, padded, at);
	return state;
}

function zeroBits(state) {
	const first = Math.clz32(state[0]);
	return first < 32 ? first : 32 + Math.clz32(state[1]);
}

const lower = (text) => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

// The blocks before the nonce are the same for all: they are hashed once.
function search({ challenge, email, bits }) {
	const encoder = new TextEncoder(), head = encoder.encode(`${challenge}:${lower(email)}:`);
	const whole = head.length - head.length % 64, state = Uint32Array.from(initial);

	for (let at = 0; at < whole; at += 64)
		compress(state, head, at);
	for (let tries = 0; ; tries++) {
		const nonce = tries.toString(36), bytes = new Uint8Array(head.length + nonce.length);
		bytes.set(head);
		bytes.set(encoder.encode(nonce), head.length);
		if (zeroBits(sha256(bytes, state, whole)) >= bits)
			return nonce;
		if (tries % FIRST === 0)
			postMessage({ tries });
	}
}

fillConstants();
if (typeof onmessage !== "undefined")
	onmessage = ({ data }) => postMessage({ nonce: search(data) });
