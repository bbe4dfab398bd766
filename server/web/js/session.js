// Logging in and out, and the way back to where somebody wanted to go.
import { call } from "./api.js";
import { get, set, session, setSession, forgetPerson } from "./store.js";

// The last page that was not of logging in: where somebody was, or wanted to go. It stands in this tab alone.
let wanted = "#/";

function isLogin(hash) {
	return /^#\/(login|signup)$/.test(hash);
}

window.addEventListener("hashchange", (event) => {
	const old = new URL(event.oldURL).hash;
	if (isLogin(location.hash) && !isLogin(old))
		wanted = old || "#/";
});

// In place of the page that asks for it, so that the way back does not lead here again.
export function goToLogin() {
	if (!isLogin(location.hash))
		location.replace("#/login");
}

// True where somebody is logged in; else goes to the log-in, and back afterwards.
export function needSession() {
	if (session() !== null)
		return true;
	goToLogin();
	return false;
}

// After a log-in: to where it was asked for.
export function goBack() {
	location.replace(wanted);
}

// Somebody else's places in line are not for whoever logs in now.
export async function logIn(email, password) {
	const { data } = await call("POST", "/v1/sessions", { body: { email, password }, anonymous: true });
	const who = email.toLowerCase();

	if (get("person.email") !== who)
		forgetPerson();
	set("person.email", who);
	setSession({ token: data.access_token, email, expiresAt: Date.now() + data.expires_in * 1000 });
}

// Here at once; the server is told, and a server that is away does not keep anybody logged in here.
export async function logOut() {
	const headers = { Authorization: `Bearer ${session()?.token}` };

	forgetPerson();
	location.hash = "#/";
	try {
		await call("DELETE", "/v1/sessions/current", { headers, anonymous: true });
	} catch { /* the token lapses by itself */ }
}
