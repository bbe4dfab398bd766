// Which event a performance belongs to: reservations name the performance alone. What was found is remembered.
import { call, callAll } from "./api.js";

const found = new Map();

async function ofEvent(event) {
	const { data } = await call("GET", `/v1/events/${event.id}/performances`, { anonymous: true });

	for (const performance of data.items)
		found.set(performance.id, { event, performance });
}

// {event, performance}, or null where there is none.
export async function findPerformance(id) {
	if (!found.has(id))
		for (const event of await callAll("/v1/events")) {
			await ofEvent(event);
			if (found.has(id))
				break;
		}
	return found.get(id) ?? null;
}

// The same where the event is known.
export async function performanceOf(eventId, id) {
	const { data: event } = await call("GET", `/v1/events/${eventId}`, { anonymous: true });

	await ofEvent(event);
	return found.get(id)?.event.id === eventId ? found.get(id) : null;
}
