// text/event-stream, as fetch brings it: in pieces that end anywhere. Only what the console needs of the format
// (HTML Standard, 9.2.6): each event's name and data; comments keep the connection alive and say nothing.
export class EventParser {
	#rest = "";
	#name = "message";
	#data = [];

	// The events {name, data} that this piece of text completes.
	push(text) {
		const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/), done = [];
		this.#rest = lines.pop();
		for (const line of lines)
			this.#take(line, done);
		return done;
	}

	#take(line, done) {
		if (line === "") {
			if (this.#data.length > 0)
				done.push({ name: this.#name, data: this.#data.join("\n") });
			this.#name = "message";
			this.#data = [];
		} else if (line.startsWith("data:")) {
			this.#data.push(line.slice(line[5] === " " ? 6 : 5));
		} else if (line.startsWith("event:")) {
			this.#name = line.slice(line[6] === " " ? 7 : 6);
		}
	}
}
