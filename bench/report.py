"""The table, bench/RESULTS.md and the plots, out of what was measured."""

import dataclasses
import datetime
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys

from harness import ROOT, Failed, output_of, pgbench_program

GNUPLOT_STYLE = """set terminal svg size 800,480 font 'sans,13' background rgb 'white'
set grid ytics lc rgb '#dddddd'
set border 3
set tics nomirror
"""


@dataclasses.dataclass
class Outcome:
    bench: object
    lines: list
    surroundings: dict
    seconds: float


def verdict(line):
    if line.met is None:
        return ""
    return "met" if line.met else "SHORT"


def cells(line):
    return [line.work, line.measure, line.text, line.target, verdict(line), line.note]


def table(lines):
    """For a terminal."""
    shown = [["work", "measure", "measured", "to reach", "", ""]] + [cells(line) for line in lines]
    widths = [max(len(row[column]) for row in shown) for column in range(5)]
    return "\n".join("  ".join(
        [*(cell.ljust(width) for cell, width in zip(row, widths)), row[5]]).rstrip() for row in shown)


def markdown(header, body):
    rows = [header, ["---"] * len(header), *body]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows)


def first_line(*command):
    """What a program says of its version, on whichever output."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "not there"
    return (done.stdout + done.stderr).strip().splitlines()[0]


def processor():
    found = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return found.group(1) if found else platform.machine()


def surroundings(lab):
    memory = re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text()).group(1)
    debian = pathlib.Path("/etc/debian_version")
    return {
        "machine": f"{os.cpu_count()} × {processor()}, {int(memory) // 1024} MiB",
        "system": f"Debian {debian.read_text().strip() if debian.exists() else '?'}, Linux {platform.release()}",
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": first_line("git", "-C", str(ROOT), "describe", "--always", "--dirty"),
        "compiler": first_line("gcc", "--version"),
        "Redis": first_line("redis-server", "--version"),
        "PostgreSQL": lab.sql("show server_version"),
        "nginx": first_line("nginx", "-v"),
        "wrk": first_line("wrk", "-v"),
        "webdis": first_line("dpkg-query", "-W", "webdis"),
        "pgbench": first_line(str(pgbench_program()), "--version"),
        "Redis's settings": ", ".join(
            f"{name} {lab.redis('config', 'get', name).splitlines()[1]}"
            for name in ("appendonly", "appendfsync", "maxmemory-policy")),
        "PostgreSQL's settings": ", ".join(
            f"{name} {lab.sql('show ' + name)}"
            for name in ("fsync", "synchronous_commit", "shared_buffers", "max_wal_size")),
        "onsale's settings": "as shipped, but for what a row names",
    }


def raw_figures(raw):
    body = [[row, contender, f"{statistics.median(values):,.10g}", ", ".join(f"{value:,}" for value in values)]
            for row, contenders in raw.items() for contender, values in contenders.items()]
    return markdown(["row", "contender", "median", "every run"], body)


def write(outcome, folder):
    folder.mkdir(parents=True, exist_ok=True)
    plots = draw(outcome, folder / "plots")
    parts = [
        "# Measured", "",
        "Written by `make bench`; how each row is measured stands in `rows.py`. All of it ran on one machine: the",
        "server, the stores, the load, and whatever was compared. A ratio is the median of the rounds' own ratios.", "",
        markdown(["work", "measure", "measured", "to reach", "", ""], [cells(line) for line in outcome.lines]), "",
        *(f"![{path.stem}](plots/{path.name})" for path in plots), "",
        "## Where", "",
        markdown(["", ""], outcome.surroundings.items()), "",
        f"It took {outcome.seconds / 60:.0f} minutes.", "",
        "## All figures", "",
        "A second's requests where the row says nothing else.", "",
        raw_figures(outcome.bench.raw), ""]
    for title, rows in getattr(outcome.bench, "tables", {}).items():
        parts += [f"## {title}", "", markdown(rows[0], rows[1:]), ""]
    (folder / "RESULTS.md").write_text("\n".join(parts))


# Plots

def gnuplot(path, script, data):
    """Draws with data blocks of its own; the figures stand in the script."""
    blocks = "".join(f"${name} << END\n" + "\n".join(" ".join(map(str, row)) for row in rows) + "\nEND\n"
                     for name, rows in data.items())
    output_of(["gnuplot"], input=f"{GNUPLOT_STYLE}set output '{path}'\n{blocks}{script}")


def number(text):
    return int(text.replace(",", ""))


def draw_lengths(raw, path):
    points = [(number(length), statistics.median(values)) for length, values in raw["lengths"].items()]
    gnuplot(path, "set title 'Polls a second against the length of the line'\nset logscale x\nset yrange [0:*]\n"
            "set format x '10^{%L}'\nset xlabel 'people in line'\n"
            "plot $points using 1:2 with linespoints lw 2 pt 7 notitle\n", {"points": sorted(points)})


def draw_loads(raw, path):
    rates = {}
    for name, (value,) in raw["walks, latency of a hold, µs"].items():
        rates.setdefault(int(name.split()[0]), []).append(value / 1000)
    rows = [(rate, *values) for rate, values in rates.items()]
    gnuplot(path, "set title 'Latency of a hold against arrivals, from the intended start'\nset logscale y\n"
            "set xlabel 'arrivals a second'\nset ylabel 'ms'\nset key left\n"
            "plot $rows using 1:2 with linespoints title 'p50', $rows using 1:3 with linespoints title 'p95', "
            "$rows using 1:4 with linespoints title 'p99', $rows using 1:5 with linespoints title 'p99.9'\n",
            {"rows": rows})


def draw_ratios(lines, path):
    """Each target's ratio over what is to be reached: above 1 it is."""
    rows = []
    for line in lines:
        found = re.match(r"([≥≤]) ([\d.]+)$", line.target)
        if found and line.value:
            target = float(found.group(2))
            share = line.value / target if found.group(1) == "≥" else target / line.value
            rows.append((f'"{line.work[:40]}: {line.measure[:34]}"', share))
    most = 1.2 * max([1, *(share for _, share in rows)])
    gnuplot(path, "set title 'Reached, over what is to be reached'\nset logscale x 2\n"
            f"set yrange [{len(rows) - 0.4}:-0.6]\n"
            "set style fill solid 0.6\nset arrow from 1, graph 0 to 1, graph 1 nohead lw 2\nset grid xtics\n"
            f"set lmargin 46\nset xrange [0.2:{most}]\nset ytics font ',8'\n"
            "plot $rows using (0.5*$2):0:(0.5*$2):(0.35):ytic(1) with boxxyerror lc rgb '#4477aa' notitle\n",
            {"rows": rows})


def draw(outcome, folder):
    folder.mkdir(parents=True, exist_ok=True)
    raw, drawn = outcome.bench.raw, []
    for name, wanted, function, source in (
            ("polls", "lengths" in raw, draw_lengths, raw),
            ("latency", "walks, latency of a hold, µs" in raw, draw_loads, raw),
            ("ratios", any(line.target and line.value for line in outcome.lines), draw_ratios, outcome.lines)):
        if wanted:
            try:
                function(source, folder / f"{name}.svg")
                drawn.append(folder / f"{name}.svg")
            except Failed as why:  # the figures are written all the same
                print(f"bench: no plot {name}: {why}", file=sys.stderr)
    return drawn
