#!/usr/bin/env python3
"""make bench: how fast onsale is, beside what limits it and beside what people would write instead.

Starts stores of its own, measures each row of rows.py, prints one table, and writes bench/RESULTS.md and
bench/plots/*.svg (report.py). In the environment: QUICK=1 measures less of everything, in under 2 minutes, and
writes no file; ONLY=polls,holds measures those rows alone; OUTPUT= is another folder for what is written; BUILD=
where the programs are. Ends with 1 where a row could not be measured.
"""

import os
import pathlib
import resource
import shutil
import signal
import sys
import time
import traceback

import report
import rows
from harness import ROOT, Failed, Lab

PROGRAMS = ("wrk", "nginx", "webdis", "redis-benchmark", "gnuplot")


def say(text):
    print(text, file=sys.stderr, flush=True)


def chosen_rows():
    only = [name for name in os.environ.get("ONLY", "").split(",") if name]
    for name in only:
        if name not in rows.ROWS:
            sys.exit(f"bench: there is no row {name}; there are {', '.join(rows.ROWS)}")
    return only or list(rows.ROWS)


def look_around():
    for name in PROGRAMS:
        if shutil.which(name) is None:
            sys.exit(f"bench: {name} is missing; config/run/packages.sh bench installs it")


def measure(bench, name):
    """The row's lines; one that says why where it could not be measured."""
    began = time.monotonic()
    say(f"bench: {name}")
    try:
        lines = rows.ROWS[name](bench)
    except Exception as why:  # whatever it is, the other rows are measured
        if not isinstance(why, Failed):
            traceback.print_exc()
        say(f"bench: {name}: {why}")
        lines = [rows.missing(name, "the whole row", why)]
    finally:
        for process in list(bench.lab.processes):
            bench.lab.stop(process)
    say(f"bench: {name} took {time.monotonic() - began:.0f} s")
    return lines


def main():
    os.chdir(ROOT)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    names, quick = chosen_rows(), bool(os.environ.get("QUICK"))
    look_around()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))
    output = os.environ.get("OUTPUT") or ("" if quick else ROOT / "bench")
    began, lines = time.monotonic(), []
    with Lab(ROOT / ".bench", (ROOT / os.environ.get("BUILD", "build")).resolve()) as lab:
        bench = rows.Bench(lab, rows.QUICK if quick else rows.FULL, say)
        for name in names:
            lines += measure(bench, name)
            if output:  # after each row: a run that is cut off leaves what it has measured
                report.write(report.Outcome(bench, lines, report.surroundings(lab), time.monotonic() - began),
                             pathlib.Path(output))
    print(report.table(lines))
    sys.exit(1 if any(line.value is None for line in lines) else 0)


if __name__ == "__main__":
    main()
