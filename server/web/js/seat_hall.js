// A performance's seats as the pages use them: where each one stands, what state it is in, which are picked, and
// how they are called. States and picks change in place; whoever shows them is told by changed().
import { t, money } from "./i18n.js";
import { layOut } from "./seat_layout.js";
import { FREE, HELD, SOLD } from "./seat_paint.js";

const STATE_OF = { available: FREE, held: HELD, sold: SOLD, A: FREE, H: HELD, S: SOLD };
const STATE_WORDS = ["seats.state_free", "seats.state_held", "seats.state_sold"];

// "Floor, row B, seat 12": of a seat as the API shows it anywhere.
export function seatName(seat) {
	return t("seats.name", { section: seat.section, row: seat.row, number: String(seat.number) });
}

export class Hall {
	constructor(seats, room, currency) {
		this.seats = seats;
		this.currency = currency;
		this.layout = layOut(seats, room);
		this.states = Uint8Array.from(seats, (seat) => STATE_OF[seat.status]);
		this.picked = new Set();
		this.indexes = new Map(seats.map((seat, index) => [seat.id, index]));
		this.listeners = new Set();
	}

	changed() {
		for (const listener of this.listeners)
			listener();
	}

	// What a seat is called, costs and is: "Floor, row B, seat 12, ₩132,000, available".
	describe(index) {
		const seat = this.seats[index];
		const state = t(this.picked.has(index) ? "seats.state_picked" : STATE_WORDS[this.states[index]]);
		return t("seats.name_full", { name: seatName(seat), price: money(seat.price, this.currency), state });
	}

	sectionName(section) {
		return `${section.name} · ${money(section.price, this.currency)}`;
	}

	// Takes the letters of seats/status. Returns the picked seats that are free no longer.
	take(letters) {
		for (let i = 0; i < this.states.length; i++)
			this.states[i] = STATE_OF[letters[i]];
		return [...this.picked].filter((index) => this.states[index] !== FREE);
	}

	toggle(index) {
		if (this.picked.has(index))
			this.picked.delete(index);
		else
			this.picked.add(index);
		this.changed();
	}

	// Seats that are gone: no longer picked, and, until the server says what they are, held.
	lose(indexes) {
		for (const index of indexes) {
			this.picked.delete(index);
			if (this.states[index] === FREE)
				this.states[index] = HELD;
		}
		this.changed();
	}

	pickedSeats() {
		return [...this.picked].map((index) => this.seats[index]);
	}

	total() {
		return this.pickedSeats().reduce((sum, seat) => sum + seat.price, 0);
	}

	freeIn(section) {
		return section.rows.reduce((sum, row) =>
			sum + row.seats.filter((index) => this.states[index] === FREE).length, 0);
	}
}
