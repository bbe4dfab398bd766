// The hall on a canvas: zoomed and moved by wheel, fingers, buttons and keys, painted at most once a frame and only
// when something changed. To a keyboard and a screen reader it is one control: arrow keys walk from seat to seat
// (with Shift to the next free one), Enter picks, and a live region says where one stands. Those who would rather
// have a list find seat_list.js.
import { h } from "./dom.js";
import { t } from "./i18n.js";
import { listenForGestures } from "./seat_gestures.js";
import { neighbour, seatAt } from "./seat_layout.js";
import { FREE, paint, readColours } from "./seat_paint.js";

const SCALE_MAX = 46; // CSS pixels from seat to seat
const TAP_SCALE = { touch: 20, pen: 14, mouse: 7 }; // below it a tap comes nearer, since it could mean several seats
const NEAR_SCALE = 30;
const FIT_MARGIN = 10;
const GLIDE_MS = 200;

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const dark = matchMedia("(prefers-color-scheme: dark)");

class SeatMap {
	constructor(options) {
		this.options = options;
		this.layout = options.layout;
		this.view = { scale: 1, x: 0, y: 0 };
		this.size = { width: 0, height: 0 };
		this.focus = -1;
		this.ring = false;
		this.frame = 0;
		this.glide = null;
		this.build();
		this.listen();
	}

	build() {
		this.canvas = h("canvas", { "aria-hidden": "true" });
		this.tip = h("div", { class: "seat-tip", "aria-hidden": "true", hidden: true });
		this.said = h("p", { class: "visually-hidden", role: "status", "aria-live": "polite" });
		this.help = h("p", { class: "visually-hidden", id: "seat-map-help" }, t("seat_map.help"));
		this.surface = h("div", {
			class: "seat-surface", role: "application", tabindex: "0", "aria-label": t("seat_map.label"),
			"aria-roledescription": t("seat_map.role"), "aria-describedby": "seat-map-help",
		}, this.canvas, this.tip);
		this.buttons = {
			nearer: this.button("seat_map.zoom_in", "+", () => this.zoomMiddle(1.6)),
			further: this.button("seat_map.zoom_out", "−", () => this.zoomMiddle(1 / 1.6)),
			whole: this.button("seat_map.whole", "⤢", () => this.glideTo(this.fitting())),
		};
		this.element = h("div", { class: "seat-map" }, this.surface,
			h("div", { class: "seat-zoom", role: "group", "aria-label": t("seat_map.zoom") },
				this.buttons.nearer, this.buttons.further, this.buttons.whole),
			this.help, this.said);
	}

	button(key, sign, act) {
		return h("button", { type: "button", "aria-label": t(key), title: t(key), onclick: act }, sign);
	}

	listen() {
		listenForGestures(this.surface, {
			pan: (dx, dy) => this.move({ ...this.view, x: this.view.x + dx, y: this.view.y + dy }),
			zoom: (factor, x, y) => this.move(this.zoomed(factor, x, y)),
			tap: (x, y, pointer) => this.tap(x, y, pointer),
			hover: (x, y) => this.hover(x, y),
			zoomedIn: () => this.view.scale > this.fitting().scale * 1.01,
		});
		this.surface.addEventListener("keydown", (event) => this.key(event));
		this.surface.addEventListener("focus", () => this.focused());
		this.surface.addEventListener("blur", () => this.showRing(false));
		this.resized = new ResizeObserver(() => this.resize());
		this.resized.observe(this.surface);
		this.recolour = () => {
			this.colours = null;
			this.changed();
		};
		dark.addEventListener("change", this.recolour);
	}

	stop() {
		this.resized.disconnect();
		dark.removeEventListener("change", this.recolour);
		cancelAnimationFrame(this.frame);
		this.glide = null;
	}

	// --- painting ---

	changed() {
		if (!this.frame)
			this.frame = requestAnimationFrame((now) => this.paint(now));
	}

	paint(now) {
		this.frame = 0;
		if (this.size.width === 0)
			return;
		if (this.glide)
			this.glideOn(now);
		this.colours = this.colours || readColours(this.surface);
		paint(this.canvas, {
			layout: this.layout, seats: this.options.seats, states: this.options.states,
			picked: this.options.picked, colours: this.colours, view: this.view, ratio: this.ratio,
			focus: this.ring ? this.focus : -1,
			words: { stage: t("seat_map.stage"), section: this.options.sectionName },
		});
	}

	resize() {
		const { clientWidth, clientHeight } = this.surface;
		if (clientWidth === 0 || clientHeight === 0)
			return;
		const whole = this.size.width === 0 || this.view.scale <= this.fitting().scale * 1.01;
		this.size = { width: clientWidth, height: clientHeight };
		this.ratio = Math.min(2, devicePixelRatio || 1);
		this.canvas.width = Math.round(clientWidth * this.ratio);
		this.canvas.height = Math.round(clientHeight * this.ratio);
		this.move(whole ? this.fitting() : this.view);
		cancelAnimationFrame(this.frame);
		this.paint(performance.now()); // at once: a canvas that is given a size is empty
	}

	// --- the view ---

	fitting() {
		const { width, height } = this.size;
		const scale = Math.min(SCALE_MAX, (width - 2 * FIT_MARGIN) / this.layout.width,
			(height - 2 * FIT_MARGIN) / this.layout.height);
		return {
			scale, x: (width - this.layout.width * scale) / 2, y: (height - this.layout.height * scale) / 2,
		};
	}

	zoomed(factor, x, y) {
		const least = this.fitting().scale;
		const scale = Math.max(least, Math.min(Math.max(SCALE_MAX, least), this.view.scale * factor));
		const grown = scale / this.view.scale;
		return { scale, x: x - (x - this.view.x) * grown, y: y - (y - this.view.y) * grown };
	}

	// The hall stays in sight: in the middle where it is smaller than the surface, else without empty edges.
	kept(view) {
		const keep = (at, length, room) => length <= room - 2 * FIT_MARGIN
			? (room - length) / 2
			: Math.min(FIT_MARGIN, Math.max(room - length - FIT_MARGIN, at));
		return {
			scale: view.scale,
			x: keep(view.x, this.layout.width * view.scale, this.size.width),
			y: keep(view.y, this.layout.height * view.scale, this.size.height),
		};
	}

	move(view) {
		this.glide = null;
		this.setView(view);
	}

	setView(view) {
		this.view = this.kept(view);
		const least = this.fitting().scale;
		this.surface.classList.toggle("is-near", this.view.scale > least * 1.01);
		this.buttons.further.disabled = this.buttons.whole.disabled = this.view.scale <= least * 1.01;
		this.buttons.nearer.disabled = this.view.scale >= SCALE_MAX * 0.99;
		this.changed();
	}

	glideTo(view) {
		if (calm.matches) {
			this.move(view);
			return;
		}
		this.glide = { from: this.view, to: this.kept(view), start: performance.now() };
		this.changed();
	}

	glideOn(now) {
		const { from, to, start } = this.glide;
		const done = Math.min(1, Math.max(0, (now - start) / GLIDE_MS));
		const eased = 1 - (1 - done) ** 3;
		const between = (a, b) => a + (b - a) * eased;
		const glide = this.glide;
		this.setView({
			scale: between(from.scale, to.scale), x: between(from.x, to.x), y: between(from.y, to.y),
		});
		this.glide = done < 1 ? glide : null;
	}

	zoomMiddle(factor) {
		this.glideTo(this.zoomed(factor, this.size.width / 2, this.size.height / 2));
	}

	// --- pointing ---

	seatAt(x, y) {
		const { scale } = this.view;
		return seatAt(this.layout, (x - this.view.x) / scale, (y - this.view.y) / scale,
			Math.max(0.6, 8 / scale));
	}

	tap(x, y, pointer) {
		const index = this.seatAt(x, y);
		if (this.view.scale < TAP_SCALE[pointer] && this.fitting().scale < NEAR_SCALE) {
			this.glideTo(this.zoomed(NEAR_SCALE / this.view.scale, x, y));
			return;
		}
		if (index < 0)
			return;
		this.focus = index;
		this.options.onPick(index);
	}

	hover(x, y) {
		const index = x === null || x === undefined ? -1 : this.seatAt(x, y);
		this.surface.classList.toggle("is-pointing", index >= 0 && this.options.states[index] === FREE);
		this.tip.hidden = index < 0;
		if (index < 0)
			return;
		this.tip.textContent = this.options.seatName(index);
		const left = Math.min(Math.max(x, this.tip.offsetWidth / 2), this.size.width - this.tip.offsetWidth / 2);
		const above = y > this.tip.offsetHeight + 18;
		this.tip.style.transform = `translate(calc(${Math.round(left)}px - 50%), ` +
			(above ? `calc(${Math.round(y - 14)}px - 100%))` : `${Math.round(y + 22)}px)`);
	}

	// --- keys ---

	focused() {
		if (!this.surface.matches(":focus-visible"))
			return;
		if (this.focus < 0)
			this.focus = this.firstSeat();
		this.showRing(true);
		this.say(this.focus);
	}

	// The free seat nearest to the stage's middle, so that whoever comes by keyboard begins with a good one.
	firstSeat() {
		const { layout } = this;
		let best = -1;
		let bestCost = Infinity;
		for (let i = 0; i < layout.count; i++) {
			const cost = layout.y[i] * 2 + Math.abs(layout.x[i] - layout.width / 2) +
				(this.options.states[i] === FREE ? 0 : 10000);
			if (cost < bestCost) {
				best = i;
				bestCost = cost;
			}
		}
		return best;
	}

	showRing(shown) {
		this.ring = shown;
		this.changed();
	}

	say(index) {
		this.said.textContent = index < 0 ? "" : this.options.seatName(index);
	}

	key(event) {
		const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : this.keys()[event.key];
		if (!act)
			return;
		event.preventDefault();
		act(event);
	}

	keys() {
		const walk = (dx, dy) => (event) => this.walk(dx, dy, event.shiftKey);
		const pick = () => this.pickFocused();
		return {
			ArrowLeft: walk(-1, 0), ArrowRight: walk(1, 0), ArrowUp: walk(0, -1), ArrowDown: walk(0, 1),
			Home: () => this.toRowEnd(0), End: () => this.toRowEnd(-1),
			PageUp: () => this.toSection(-1), PageDown: () => this.toSection(1),
			Enter: pick, " ": pick,
			"+": () => this.zoomMiddle(1.6), "=": () => this.zoomMiddle(1.6),
			"-": () => this.zoomMiddle(1 / 1.6), 0: () => this.glideTo(this.fitting()),
		};
	}

	walk(dx, dy, freeOnly) {
		const suits = freeOnly ? (index) => this.options.states[index] === FREE : undefined;
		this.focusSeat(this.focus < 0 ? this.firstSeat() : neighbour(this.layout, this.focus, dx, dy, suits));
	}

	toRowEnd(nth) {
		if (this.focus >= 0)
			this.focusSeat(this.layout.row[this.focus].seats.at(nth));
	}

	toSection(step) {
		const { sections } = this.layout;
		const now = this.focus < 0 ? -step : sections.indexOf(this.layout.row[this.focus].section);
		const section = sections[(now + step + sections.length) % sections.length];
		this.focusSeat(section.rows[0].seats[0]);
	}

	pickFocused() {
		if (this.focus >= 0 && this.options.onPick(this.focus))
			this.say(this.focus);
	}

	focusSeat(index) {
		if (index < 0)
			return;
		this.focus = index;
		this.showRing(true);
		this.say(index);
		this.reveal(index);
	}

	reveal(index) {
		const { view, size, layout } = this;
		const margin = Math.min(60, size.width / 5, size.height / 5);
		const x = layout.x[index] * view.scale + view.x;
		const y = layout.y[index] * view.scale + view.y;
		const inside = (at, room) => Math.min(Math.max(at, margin), room - margin);
		if (inside(x, size.width) !== x || inside(y, size.height) !== y)
			this.glideTo({
				scale: view.scale, x: view.x + inside(x, size.width) - x,
				y: view.y + inside(y, size.height) - y,
			});
	}
}

// options: layout (of layOut), seats (as the API lists them), states (FREE, HELD or SOLD by index) and picked (a Set
// of indexes), both changed in place, seatName(index), sectionName(section), onPick(index): true where it changed
// anything. changed() is to be called after states or picked did.
export function createSeatMap(options) {
	return new SeatMap(options);
}
