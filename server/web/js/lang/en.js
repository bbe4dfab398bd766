// The words of the page, in English. A key is the name of the module that says it, and what it is there. ko.js has
// the same keys.
import seats from "./seats_en.js";

export default {
	...seats,

	// app
	"app.promise": "A fair line. Every seat sold once.",
	"app.language": "Language",
	"app.skip": "Skip to the content",
	"app.loading": "Loading …",
	"app.trouble": "That did not work",
	"app.again": "Try again",

	// missing
	"missing.title": "There is no such page",
	"missing.back": "To what is on sale",

	// header
	"header.nav": "Main",
	"header.home": "onsale, to what is on sale",
	"header.events": "Events",
	"header.reservations": "My tickets",
	"header.account": "Account",
	"header.login": "Log in",
	"header.logout": "Log out",
	"header.pass": "Your turn",
	"header.passLabel": "It is your turn: {time} left to choose your seats",
	"header.lastMinute": "One minute left to choose your seats.",
	"header.waiting": "In line: {position}",
	"header.waitingUnknown": "In line",

	// error: by the code of the refusal
	"error.offline": "You are offline. This goes on as soon as you have a connection again.",
	"error.network": "The server cannot be reached. Please try again in a moment.",
	"error.page": "Something went wrong on this page. Please load it again.",
	"error.other": "Something went wrong. Please try again. (Request {id})",
	"error.busy": "Very many people are here right now. Please try again in a moment.",
	"error.unavailable": "This does not work for the moment. Please try again soon.",
	"error.outcome_unknown": "We do not know yet whether it went through. Trying again is safe: it happens only once.",
	"error.request_in_flight": "Your first request is still at work. Please try again in a moment.",
	"error.rate_limited": "That was too often. Please wait a moment and try again.",
	"error.unauthorized": "Please log in again.",
	"error.invalid_credentials": "The e-mail address or the password is wrong.",
	"error.forbidden": "This is for operators only.",
	"error.email_taken": "There is an account with this e-mail address. Do you want to log in?",
	"error.proof_required": "The check of your browser did not come through. Please try again.",
	"error.proof_invalid": "The check of your browser did not come through. Please try again.",
	"error.proof_expired": "The check of your browser took too long. Please try again.",
	"error.event_not_found": "There is no such event.",
	"error.performance_not_found": "There is no such date.",
	"error.reservation_not_found": "There is no such reservation.",
	"error.queue_disabled": "This event has no line: choose your seats right away.",
	"error.place_expired": "Your place in line has ended.",
	"error.sale_not_open": "The sale has not opened yet.",
	"error.sold_out": "There are not enough seats left.",
	"error.hold_expired": "The time of this reservation has run out. Nothing was charged.",
	"error.reservation_cancelled": "This reservation was cancelled.",
	"error.already_paid": "This reservation is paid already.",
	"error.insufficient_balance": "Your balance is too low.",
	"error.validation_failed": "Please check what you entered.",
	"error.internal": "Something went wrong on our side. Please try again.",
};
