// What is on sale, as several pages need it: an event with its dates, and whose date a performance is.
import { call, callAll } from "./api.js";

const performances = new Map(); // id → {performance, event}, of all events that were read

export async function datesOf(event) {
	const { data } = await call("GET", `/v1/events/${event.id}/performances`, { anonymous: true });
	remember(event, data.items);
	return data.items;
}

export async function eventWithDates(eventId) {
	const [{ data: event }, dates] = await Promise.all([
		call("GET", `/v1/events/${eventId}`, { anonymous: true }), datesOf({ id: eventId })]);
	remember(event, dates);
	return { event, dates };
}

function remember(event, dates) {
	for (const performance of dates)
		performances.set(performance.id, { performance, event });
}

// Events are read one after another until all of these are known; a reservation tells its performance alone. What
// cannot be found is left out.
export async function findPerformances(ids) {
	const missing = () => ids.some((id) => !performances.has(id));

	if (missing())
		for (const event of await callAll("/v1/events?limit=200"))
			if (missing())
				await datesOf(event);
	return performances;
}

export function soldOut(dates) {
	return dates.length > 0 && dates.every((date) => date.seats_available === 0);
}
