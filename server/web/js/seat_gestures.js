// What fingers, mouse and wheel do on the map: drag, pinch, wheel, tap. A drag is one that went further than a
// trembling hand. The page still scrolls over a map that shows the whole hall: only a map that is zoomed in takes
// one-finger drags and the wheel turned backwards.

const TREMBLE_PX = 8;

function wheelFactor(event) {
	const lines = event.deltaMode === 1 ? 16 : 1;
	const delta = Math.max(-120, Math.min(120, event.deltaY * lines));
	return Math.exp(-delta * (event.ctrlKey ? 0.01 : 0.0022));
}

class Gestures {
	constructor(element, does) {
		Object.assign(this, { element, does, pointers: new Map(), moved: false, corner: { left: 0, top: 0 } });
		const on = (name, act, options) => element.addEventListener(name, (event) => act.call(this, event), options);
		on("pointerdown", this.down);
		on("pointermove", this.move);
		on("pointerup", this.up);
		on("pointercancel", this.up);
		on("pointerleave", () => does.hover(null));
		on("wheel", this.wheel, { passive: false });
	}

	findCorner() {
		this.corner = this.element.getBoundingClientRect();
	}

	place(event) {
		return { x: event.clientX - this.corner.left, y: event.clientY - this.corner.top };
	}

	down(event) {
		if (event.button !== 0)
			return;
		this.findCorner();
		if (this.pointers.size === 0)
			this.moved = false;
		this.pointers.set(event.pointerId, { ...this.place(event), from: this.place(event) });
		this.element.setPointerCapture(event.pointerId);
		this.does.hover(null);
	}

	move(event) {
		const pointer = this.pointers.get(event.pointerId);
		if (pointer && this.pointers.size === 2) {
			this.pinch(event, pointer);
		} else if (pointer) {
			this.drag(event, pointer);
		} else if (event.pointerType === "mouse") {
			this.findCorner();
			const { x, y } = this.place(event);
			this.does.hover(x, y);
		}
	}

	drag(event, pointer) {
		const { x, y } = this.place(event);
		if (!this.moved && Math.hypot(x - pointer.from.x, y - pointer.from.y) < TREMBLE_PX)
			return;
		this.moved = true;
		this.does.pan(x - pointer.x, y - pointer.y);
		Object.assign(pointer, { x, y });
	}

	// Where the two fingers' middle is, and how far they are apart.
	spread() {
		const [a, b] = [...this.pointers.values()];
		return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart: Math.hypot(a.x - b.x, a.y - b.y) };
	}

	pinch(event, pointer) {
		const before = this.spread();
		Object.assign(pointer, this.place(event));
		const after = this.spread();
		this.moved = true;
		this.does.pan(after.x - before.x, after.y - before.y);
		if (before.apart > 0)
			this.does.zoom(after.apart / before.apart, after.x, after.y);
	}

	up(event) {
		const pointer = this.pointers.get(event.pointerId);
		this.pointers.delete(event.pointerId);
		if (pointer && !this.moved && event.type === "pointerup")
			this.does.tap(pointer.from.x, pointer.from.y, event.pointerType);
	}

	wheel(event) {
		const factor = wheelFactor(event);
		if (factor < 1 && !this.does.zoomedIn())
			return;
		event.preventDefault();
		this.findCorner();
		const { x, y } = this.place(event);
		this.does.zoom(factor, x, y);
	}
}

// does: pan(dx, dy), zoom(factor, x, y), tap(x, y, pointerType), hover(x, y) or hover(null), zoomedIn(). Places are
// CSS pixels from the element's corner. It ends with the element.
export function listenForGestures(element, does) {
	return new Gestures(element, does);
}
