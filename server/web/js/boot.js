// Starts the page, and starts it again where a part of it did not come: in the busiest minute a server may refuse one
// file of many. What is kept of a person outlasts a reload, so loading all of it again costs nobody a place.

// What each page needs beside the files that index.html names, so that all of them are sent for in one wave, not each
// once the file that asks for it has come.
const MODULES = {
	events: ["catalog", "pages/events"],
	event: ["catalog", "dates", "pages/event"],
	line: ["catalog", "dates", "pages/line"],
	seats: ["catalog", "once", "pages/seats", "seat_basket", "seat_feed", "seat_gestures", "seat_hall",
		"seat_layout", "seat_legend", "seat_list", "seat_map", "seat_paint"],
	checkout: ["catalog", "once", "pages/checkout", "seat_hall", "seat_layout", "seat_paint"],
	reservations: ["catalog", "pages/reservations"],
	account: ["form", "pages/account"],
	login: ["form", "pages/login"],
	signup: ["form", "pages/signup"],
};

const TRIES = "onsale.tries", TRIES_MAX = 8;

function tries() {
	try {
		return Number(sessionStorage.getItem(TRIES)) || 0;
	} catch {
		return TRIES_MAX; // it cannot be counted: the reader may reload
	}
}

function preload() {
	const page = /^#\/(\w+)/.exec(location.hash)?.[1] ?? "events";
	for (const name of MODULES[page] ?? []) {
		const link = document.createElement("link");
		link.rel = "modulepreload";
		link.href = `/web/js/${name}.js`;
		document.head.append(link);
	}
}

preload();
import("./language.js").catch(() => {}); // it sends for the words; app.js says where it did not come
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
