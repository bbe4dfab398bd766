// Starts the page, and starts it again where a part of it did not come: in the busiest minute a server may refuse one
// file of many. What is kept of a person outlasts a reload, so loading all of it again costs nobody a place.

const TRIES = "onsale.tries", TRIES_MAX = 8;

function tries() {
	try {
		return Number(sessionStorage.getItem(TRIES)) || 0;
	} catch {
		return TRIES_MAX; // it cannot be counted: the reader may reload
	}
}

import("./app.js").then(() => {
	if (tries() > 0 && tries() < TRIES_MAX)
		sessionStorage.removeItem(TRIES);
}).catch((error) => {
	const count = tries() + 1;
	console.warn(error);
	if (count > TRIES_MAX)
		return;
	sessionStorage.setItem(TRIES, String(count));
	setTimeout(() => location.reload(), Math.min(15000, 1000 * 2 ** (count - 1)) * (0.5 + Math.random() / 2));
});
