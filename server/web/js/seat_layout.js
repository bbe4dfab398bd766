// Where each seat of a hall stands. The API knows sections, rows and numbers, but no drawing: so the dearest
// sections stand next to the stage, those of one price side by side, each row bent a little around it. A unit is the
// distance from one seat to the next. Nothing here draws.

const SECTION_GAP = 3.4; // holds the letters of the rows
const TIER_GAP = 3; // holds the names of the sections, where a unit is large enough
const NAME_PX = 19; // what a name needs
const STAGE_DEPTH = 4;

const names = new Intl.Collator(undefined, { numeric: true });

function listSections(seats) {
	const byName = new Map();
	seats.forEach((seat, index) => {
		let section = byName.get(seat.section);
		if (!section) {
			section = { name: seat.section, price: seat.price, rows: [], byRow: new Map() };
			byName.set(seat.section, section);
		}
		let row = section.byRow.get(seat.row);
		if (!row) {
			row = { name: seat.row, section, seats: [] };
			section.byRow.set(seat.row, row);
			section.rows.push(row);
		}
		row.seats.push(index);
	});
	return [...byName.values()];
}

function measure(section) {
	section.columns = Math.max(...section.rows.map((row) => row.seats.length));
	section.depth = section.rows.length;
	return section;
}

// Sections of one price, cut into lines of about the same number of sections, none much wider than `widest`.
function cutTier(sections, widest) {
	const width = sections.reduce((sum, section) => sum + section.columns + SECTION_GAP, 0);
	const lines = Math.min(sections.length, Math.max(1, Math.ceil(width / (widest * 1.1))));
	const perLine = Math.ceil(sections.length / lines);
	const cut = [];
	for (let at = 0; at < sections.length; at += perLine)
		cut.push(sections.slice(at, at + perLine));
	return cut;
}

function listTiers(sections) {
	const prices = [...new Set(sections.map((section) => section.price))].sort((a, b) => b - a);
	for (const section of sections)
		section.tier = prices.indexOf(section.price);
	sections.sort((a, b) => a.tier - b.tier || names.compare(a.name, b.name));
	return prices.map((price) => ({
		price,
		sections: sections.filter((section) => section.price === price),
	}));
}

function placeSection(layout, section, left, top, bend) {
	section.left = left;
	section.top = top;
	section.rows.forEach((row, nth) => {
		const start = left + (section.columns - row.seats.length) / 2 + 0.5;
		row.y = top + nth + 0.5;
		row.seats.forEach((index, column) => {
			const x = start + column;
			layout.x[index] = x;
			layout.y[index] = row.y - bend(x);
			layout.row[index] = row;
			layout.column[index] = column;
		});
	});
}

// A seat may be asked for by its place: cells of one unit hold the seats whose middle they cover.
function gridOf(layout) {
	const cells = new Map();
	for (let i = 0; i < layout.count; i++) {
		const cell = Math.floor(layout.x[i]) + ":" + Math.floor(layout.y[i]);
		if (!cells.has(cell))
			cells.set(cell, []);
		cells.get(cell).push(i);
	}
	return cells;
}

// Sections of one price, side by side as far as `widest` goes; lines follow each other away from the stage.
function arrange(tiers, widest, gap) {
	const lines = tiers.flatMap((tier) => cutTier(tier.sections, widest));
	const widths = lines.map((line) =>
		line.reduce((sum, s) => sum + s.columns, 0) + SECTION_GAP * (line.length + 1));
	const depths = lines.map((line) => Math.max(...line.map((s) => s.depth)) + gap);
	return {
		lines, widths, depths, gap, width: Math.max(...widths, 12),
		height: STAGE_DEPTH + depths.reduce((sum, depth) => sum + depth, 0) + 1,
	};
}

// Of several arrangements the one that shows the seats largest in this room (pixels).
function bestArrangement(sections, tiers, count, room, gap = TIER_GAP) {
	const least = Math.max(10, ...sections.map((section) => section.columns));
	let best = null;
	for (const factor of [0, 1, 1.5, 2, 2.5, 3, 4]) {
		const tried = arrange(tiers, Math.max(least, Math.sqrt(count) * factor), gap);
		tried.scale = Math.min(room.width / tried.width, room.height / tried.height);
		if (best === null || tried.scale > best.scale)
			best = tried;
	}
	return best;
}

// {count, x, y, row, column: of each seat; cells, sections, tiers: [{price, sections}], width, height, bend, stageDepth}
export function layOut(seats, room) {
	const sections = listSections(seats).map(measure);
	const tiers = listTiers(sections);
	const { scale } = bestArrangement(sections, tiers, seats.length, room);
	const { lines, widths, depths, gap, width, height } = bestArrangement(sections, tiers, seats.length, room,
		Math.max(TIER_GAP, Math.min(3 * TIER_GAP, NAME_PX / scale)));
	const rise = Math.min(2.6, width * 0.04);
	const bend = (x) => rise * ((x - width / 2) / (width / 2)) ** 2;
	const layout = {
		count: seats.length, tiers, sections, width, height, bend, stageDepth: STAGE_DEPTH,
		x: new Float32Array(seats.length), y: new Float32Array(seats.length),
		column: new Uint16Array(seats.length), row: new Array(seats.length),
	};
	let top = STAGE_DEPTH + gap;
	lines.forEach((line, nth) => {
		let left = (width - widths[nth]) / 2 + SECTION_GAP;
		for (const section of line) {
			placeSection(layout, section, left, top, bend);
			left += section.columns + SECTION_GAP;
		}
		top += depths[nth];
	});
	layout.cells = gridOf(layout);
	return layout;
}

// The seat whose middle is nearest to the place, no further than `reach`; -1: none.
export function seatAt(layout, x, y, reach) {
	let best = -1;
	let bestDistance = reach * reach;
	const far = Math.ceil(reach);
	for (let cx = Math.floor(x) - far; cx <= Math.floor(x) + far; cx++) {
		for (let cy = Math.floor(y) - far; cy <= Math.floor(y) + far; cy++) {
			for (const i of layout.cells.get(cx + ":" + cy) || []) {
				const distance = (layout.x[i] - x) ** 2 + (layout.y[i] - y) ** 2;
				if (distance <= bestDistance) {
					best = i;
					bestDistance = distance;
				}
			}
		}
	}
	return best;
}

// Along a row first; past its end, and from row to row, whichever seat lies most nearly in that direction.
export function neighbour(layout, from, dx, dy, suits = () => true) {
	if (dx !== 0) {
		const row = layout.row[from].seats;
		for (let at = layout.column[from] + dx; at >= 0 && at < row.length; at += dx)
			if (suits(row[at]))
				return row[at];
	}
	let best = -1;
	let bestCost = Infinity;
	for (let i = 0; i < layout.count; i++) {
		const x = layout.x[i] - layout.x[from];
		const y = layout.y[i] - layout.y[from];
		const along = x * dx + y * dy;
		const across = Math.abs(x * dy) + Math.abs(y * dx);
		if (along < 0.4 || layout.row[i] === layout.row[from] || (dx !== 0 && across > along / 2))
			continue;
		const cost = along + 2 * across;
		if (cost < bestCost && suits(i)) {
			best = i;
			bestCost = cost;
		}
	}
	return best;
}
