// What fingers, mouse and wheel do on the map: drag, pinch, wheel, tap. A drag is one that went further than a
// trembling hand. The page still scrolls over a map that shows the whole hall: only a map that is zoomed in takes
// one-finger drags and the wheel turned backwards.

const TREMBLE_PX = 8;

function wheelFactor(event) {
	const lines = event.deltaMode === 1 ? 16 : 1;
	const delta = Math.max(-120, Math.min(120, event.deltaY * lines));
	return Math.exp(-delta * (event.ctrlKey ? 0.01 : 0.0022));
}

// does: pan(dx, dy), zoom(factor, x, y), tap(x, y, pointerType), hover(x, y) or hover(null), zoomedIn(). Places are
// CSS pixels from the element's corner.
export function listenForGestures(element, does) {
	const pointers = new Map();
	let moved = false;
	let corner = { left: 0, top: 0 };

	const place = (event) => ({ x: event.clientX - corner.left, y: event.clientY - corner.top });
	const spread = () => {
		const [a, b] = [...pointers.values()];
		return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart: Math.hypot(a.x - b.x, a.y - b.y) };
	};

	const down = (event) => {
		if (event.button !== 0)
			return;
		corner = element.getBoundingClientRect();
		if (pointers.size === 0)
			moved = false;
		pointers.set(event.pointerId, { ...place(event), from: place(event) });
		element.setPointerCapture(event.pointerId);
		does.hover(null);
	};
	const drag = (event, pointer) => {
		const { x, y } = place(event);
		if (!moved && Math.hypot(x - pointer.from.x, y - pointer.from.y) < TREMBLE_PX)
			return;
		moved = true;
		does.pan(x - pointer.x, y - pointer.y);
		Object.assign(pointer, { x, y });
	};
	const pinch = (event, pointer) => {
		const before = spread();
		Object.assign(pointer, place(event));
		const after = spread();
		moved = true;
		does.pan(after.x - before.x, after.y - before.y);
		if (before.apart > 0)
			does.zoom(after.apart / before.apart, after.x, after.y);
	};
	const move = (event) => {
		const pointer = pointers.get(event.pointerId);
		if (!pointer && event.pointerType === "mouse") {
			corner = element.getBoundingClientRect();
			const { x, y } = place(event);
			does.hover(x, y);
		} else if (pointer && pointers.size === 2) {
			pinch(event, pointer);
		} else if (pointer) {
			drag(event, pointer);
		}
	};
	const up = (event) => {
		const pointer = pointers.get(event.pointerId);
		pointers.delete(event.pointerId);
		if (pointer && !moved && event.type === "pointerup")
			does.tap(pointer.from.x, pointer.from.y, event.pointerType);
	};
	const wheel = (event) => {
		const factor = wheelFactor(event);
		if (factor < 1 && !does.zoomedIn())
			return;
		event.preventDefault();
		corner = element.getBoundingClientRect();
		const { x, y } = place(event);
		does.zoom(factor, x, y);
	};
	element.addEventListener("pointerdown", down);
	element.addEventListener("pointermove", move);
	element.addEventListener("pointerup", up);
	element.addEventListener("pointercancel", up);
	element.addEventListener("pointerleave", () => does.hover(null));
	element.addEventListener("wheel", wheel, { passive: false });
}
