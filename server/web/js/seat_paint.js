// Paints a hall on a canvas, all of it anew each time: small seats as plain rectangles, larger ones from stamps that
// are drawn once a size, which keeps 5,000 of them well inside a frame. What a seat is shows by its shape as well
// as its colour: free is full, held is hollow and struck, sold is a small cross, picked is larger and ticked.

export const FREE = 0;
export const HELD = 1;
export const SOLD = 2;
const PICKED = 3; // a free one, to the eye

const STAMP_FROM_PX = 9;
const STAMPS_MAX = 1500;
const NUMBER_FROM = 19; // CSS pixels from seat to seat, from which numbers are shown
const LETTERS_FROM = 11; // … every row's letter; below, each fifth

export function readColours(element) {
	const style = getComputedStyle(element);
	const colour = (name) => style.getPropertyValue("--seat-" + name).trim();
	return {
		tiers: [1, 2, 3, 4, 5, 6].map((nth) => colour("tier-" + nth)),
		onTier: colour("on-tier"), sold: colour("sold"), picked: colour("picked"),
		onPicked: colour("on-picked"), ground: colour("ground"), text: colour("text"),
		quiet: colour("quiet"), stage: colour("stage"), onStage: colour("on-stage"),
		font: style.fontFamily, stamps: new Map(),
	};
}

function rounded(ctx, x, y, width, height, radius) {
	ctx.beginPath();
	ctx.roundRect(x, y, width, height, radius);
}

function tick(ctx, size) {
	ctx.beginPath();
	ctx.moveTo(size * 0.24, size * 0.53);
	ctx.lineTo(size * 0.43, size * 0.71);
	ctx.lineTo(size * 0.77, size * 0.31);
	ctx.stroke();
}

function drawStamp(ctx, kind, colour, size, colours) {
	const line = Math.max(1, size / 10);
	ctx.lineWidth = line;
	ctx.lineCap = "round";
	ctx.strokeStyle = colour;
	ctx.fillStyle = colour;
	if (kind === FREE) {
		rounded(ctx, 0, 0, size, size, size * 0.28);
		ctx.fill();
	} else if (kind === HELD) {
		rounded(ctx, line / 2 + 0.5, line / 2 + 0.5, size - line - 1, size - line - 1, size * 0.26);
		ctx.stroke();
		ctx.beginPath();
		ctx.moveTo(size * 0.28, size * 0.72);
		ctx.lineTo(size * 0.72, size * 0.28);
		ctx.stroke();
	} else if (kind === SOLD) {
		ctx.strokeStyle = colours.sold;
		ctx.beginPath();
		ctx.moveTo(size * 0.3, size * 0.3);
		ctx.lineTo(size * 0.7, size * 0.7);
		ctx.moveTo(size * 0.7, size * 0.3);
		ctx.lineTo(size * 0.3, size * 0.7);
		ctx.stroke();
	} else {
		ctx.fillStyle = colours.picked;
		rounded(ctx, 0, 0, size, size, size * 0.3);
		ctx.fill();
		ctx.strokeStyle = colours.onPicked;
		ctx.lineWidth = Math.max(1.5, size / 7);
		ctx.lineJoin = "round";
		tick(ctx, size);
	}
}

function newStamp(size, draw) {
	const canvas = document.createElement("canvas");
	canvas.width = canvas.height = size;
	draw(canvas.getContext("2d"));
	return canvas;
}

function stampOf(colours, name, size, draw) {
	const key = name + ":" + size;
	let stamp = colours.stamps.get(key);
	if (!stamp) {
		if (colours.stamps.size >= STAMPS_MAX)
			colours.stamps.clear();
		stamp = newStamp(size, draw);
		colours.stamps.set(key, stamp);
	}
	return stamp;
}

function kindStamp(colours, kind, colour, size) {
	return stampOf(colours, kind + colour, size,
		(ctx) => drawStamp(ctx, kind, colour, size, colours));
}

function numberStamp(colours, number, size) {
	return stampOf(colours, "number " + number, size, (ctx) => {
		ctx.font = `600 ${size * 0.46}px ${colours.font}`;
		ctx.textAlign = "center";
		ctx.textBaseline = "middle";
		ctx.fillStyle = colours.onTier;
		ctx.fillText(number, size / 2, size * 0.53);
	});
}

// x, y: the seat's middle, in the canvas' own pixels.
function paintSmall(ctx, kind, colour, x, y, size, colours) {
	const left = Math.round(x - size / 2);
	const top = Math.round(y - size / 2);
	if (kind === SOLD) {
		const dot = Math.max(1, Math.round(size / 3));
		ctx.fillStyle = colours.sold;
		ctx.fillRect(Math.round(x - dot / 2), Math.round(y - dot / 2), dot, dot);
		return;
	}
	ctx.fillStyle = kind === PICKED ? colours.picked : colour;
	if (kind === PICKED)
		ctx.fillRect(left - 2, top - 2, size + 4, size + 4);
	else
		ctx.fillRect(left, top, size, size);
	if (kind === HELD && size >= 3) {
		ctx.fillStyle = colours.ground;
		ctx.fillRect(left + 1, top + 1, size - 2, size - 2);
	}
}

function paintLarge(ctx, kind, colour, x, y, size, colours) {
	const grown = kind === PICKED ? Math.round(size * 1.14) : size;
	const stamp = kindStamp(colours, kind, colour, grown);
	ctx.drawImage(stamp, Math.round(x - grown / 2), Math.round(y - grown / 2));
}

function paintSeats(ctx, scene, at) {
	const { layout, colours, states, picked, seats, view } = scene;
	const size = Math.max(2, Math.round(view.scale * at.ratio * 0.8));
	const numbers = view.scale >= NUMBER_FROM;
	const paint = size < STAMP_FROM_PX ? paintSmall : paintLarge;
	for (let i = 0; i < layout.count; i++) {
		const x = at.x(layout.x[i]);
		const y = at.y(layout.y[i]);
		if (x < -size || y < -size || x > at.width + size || y > at.height + size)
			continue;
		const kind = picked.has(i) ? PICKED : states[i];
		const tier = layout.row[i].section.tier % colours.tiers.length;
		paint(ctx, kind, colours.tiers[tier], x, y, size, colours);
		if (numbers && kind === FREE) {
			const stamp = numberStamp(colours, seats[i].number, size);
			ctx.drawImage(stamp, Math.round(x - size / 2), Math.round(y - size / 2));
		}
	}
}

function paintStage(ctx, scene, at) {
	const { layout, colours, view, words } = scene;
	const half = Math.max(layout.width * 0.26, 5);
	const middle = layout.width / 2;
	const bottom = layout.stageDepth;
	ctx.beginPath();
	ctx.moveTo(at.x(middle - half * 0.86), at.y(1));
	ctx.lineTo(at.x(middle + half * 0.86), at.y(1));
	ctx.lineTo(at.x(middle + half), at.y(bottom - 1.2));
	ctx.quadraticCurveTo(at.x(middle), at.y(bottom + 0.6), at.x(middle - half), at.y(bottom - 1.2));
	ctx.closePath();
	ctx.fillStyle = colours.stage;
	ctx.fill();
	const px = Math.min(22, Math.max(10, view.scale * 1.3)) * at.ratio;
	ctx.font = `600 ${px}px ${colours.font}`;
	ctx.fillStyle = colours.onStage;
	ctx.fillText(words.stage, at.x(middle), at.y((bottom + 0.5) / 2 + 0.2));
}

// Where a section goes past an edge the letters of its rows stay in sight, on a strip of ground over its seats.
function paintStrip(ctx, left, px, top, bottom, colours) {
	ctx.fillStyle = colours.ground;
	ctx.fillRect(left, top - px, 2 * px, bottom - top + 2 * px);
}

function paintRowLetters(ctx, scene, at, section) {
	const { layout, colours, view } = scene;
	const every = view.scale >= LETTERS_FROM ? 1 : 5;
	const px = Math.min(15, Math.max(10, view.scale * 0.62)) * at.ratio;
	const away = Math.max(0.75 * view.scale * at.ratio, px * 0.7);
	const left = at.x(section.left) - away, right = at.x(section.left + section.columns) + away;
	if (right < 2 * px || left > at.width - 2 * px)
		return;
	const [top, bottom] = [section.rows[0], section.rows.at(-1)].map((row) => at.y(layout.y[row.seats[0]]));
	if (left < px)
		paintStrip(ctx, 0, px, top, bottom, colours);
	if (right > at.width - px)
		paintStrip(ctx, at.width - 2 * px, px, top, bottom, colours);
	ctx.font = `500 ${px}px ${colours.font}`;
	ctx.fillStyle = colours.quiet;
	section.rows.forEach((row, nth) => {
		const y = at.y(layout.y[row.seats[0]]), other = at.y(layout.y[row.seats.at(-1)]);
		if (nth % every !== 0 || y < -px || y > at.height + px)
			return;
		ctx.fillText(row.name, Math.max(px, left), y);
		ctx.fillText(row.name, Math.min(at.width - px, right), other);
	});
}

function paintSections(ctx, scene, at) {
	const { layout, colours, view, words } = scene;
	const px = Math.min(20, Math.max(11, view.scale * 0.95)) * at.ratio;
	for (const section of layout.sections) {
		paintRowLetters(ctx, scene, at, section);
		const middle = section.left + section.columns / 2;
		const room = (section.columns + 2) * view.scale * at.ratio;
		ctx.font = `600 ${px}px ${colours.font}`;
		ctx.fillStyle = colours.text;
		const long = words.section(section);
		const name = ctx.measureText(long).width <= room ? long : section.name;
		ctx.fillText(name, at.x(middle), at.y(section.top - layout.bend(middle)) - px * 0.9);
	}
}

// Two rings, one light and one dark: seen on any ground.
function paintFocus(ctx, scene, at) {
	const { layout, colours, view, focus } = scene;
	const size = Math.max(view.scale * at.ratio * 0.98, 14 * at.ratio);
	const x = at.x(layout.x[focus]) - size / 2;
	const y = at.y(layout.y[focus]) - size / 2;
	rounded(ctx, x, y, size, size, size * 0.3);
	ctx.lineWidth = 5 * at.ratio;
	ctx.strokeStyle = colours.ground;
	ctx.stroke();
	ctx.lineWidth = 2.5 * at.ratio;
	ctx.strokeStyle = colours.text;
	ctx.stroke();
}

// scene: layout, seats, states, picked (a Set of indexes), colours, view {scale, x, y} (CSS pixels), focus (an index
// or -1), words {stage, section(section)}.
export function paint(canvas, scene) {
	const ctx = canvas.getContext("2d");
	const ratio = scene.ratio;
	const { view } = scene;
	const at = {
		ratio, width: canvas.width, height: canvas.height,
		x: (x) => (x * view.scale + view.x) * ratio,
		y: (y) => (y * view.scale + view.y) * ratio,
	};
	ctx.fillStyle = scene.colours.ground;
	ctx.fillRect(0, 0, canvas.width, canvas.height);
	ctx.textAlign = "center";
	ctx.textBaseline = "middle";
	paintStage(ctx, scene, at);
	paintSeats(ctx, scene, at);
	paintSections(ctx, scene, at);
	if (scene.focus >= 0)
		paintFocus(ctx, scene, at);
}
