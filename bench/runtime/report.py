# The bench's result as a table, as JSON and as a plot.
# Layer: bench. Used by run.
# SPDX-License-Identifier: Apache-2.0
import json
from statistics import median, quantiles
from xml.sax.saxutils import escape

COLORS = {"caisson": "#1f6f54", "crun": "#c77b30", "runc": "#4a6fa5", "floor": "#9a9a9a", "caisson-nest": "#5fb08f"}


def summary(samples):
    """Of the samples taken while nothing else wanted a CPU, if those are enough; else of all."""
    quiet = [s for s in samples if s["quiet"]]
    used = quiet if len(quiet) >= 8 else samples
    wall = [s["wall"] / 1e6 for s in used]
    low, high = (quantiles(wall, n=20)[i] for i in (4, 18)) if len(wall) > 1 else (wall[0], wall[0])
    return {"wall_ms": median(wall), "p25_ms": low, "p95_ms": high, "cpu_ms": median(s["cpu"] / 1e3 for s in used),
            "peak_rss_kb": max(s["rss"] for s in used), "samples": len(samples), "used": len(used), "quiet": used is quiet}


def goals(cells, calls):
    """[(what, limit, value, text)]: the numbers a caisson has to reach. Missing ones are left out."""
    def wall(mode, what, program):
        cell = cells.get((mode, what, program))
        return cell and cell["wall_ms"]

    def ratio(text, limit, mode, what, other, who="caisson", other_what=None):
        a, b = wall(mode, what, who), wall(mode, other_what or what, other)
        if a and b:
            yield text, limit, a / b, f"{a:.2f} / {b:.2f} ms"
    rows = []
    rows += ratio("`run`, cold, to crun's", 0.35, "cold", "run", "crun")
    rows += ratio("`run`, hot, to crun's", 0.9, "hot", "run", "crun")
    rows += ratio("`run`, hot, to runc's", 0.3, "hot", "run", "runc")
    rows += ratio("`exec`, cold, to crun's", 0.4, "cold", "exec", "crun")
    rows += ratio("a nest, cold, to runc's plain `run`", 1.0, "cold", "nest run", "runc", "caisson-nest", "run")
    cell = cells.get(("cold", "run", "caisson"))
    if cell:
        rows.append(("peak RSS of `run`, MB", 2.5, cell["peak_rss_kb"] / 1024, f"{cell['peak_rss_kb']} kB"))
    if calls.get(("run", "caisson")):
        rows.append(("system calls of `run`", 500, calls[("run", "caisson")], f"{calls[('run', 'caisson')]}"))
    return rows


def table(cells, calls, machine, command, versions):
    lines = ["# What a container start costs", "", f"Made by `{command}` on {machine}.", "",
             "Every runtime starts the same bundle (`runc spec` without a terminal, a busybox root, `/bin/true`), in random order, in a",
             "private mount namespace without the `unified` hierarchy, which crun refuses. *cold*: 50 ms after the start before, as on a",
             "machine that does something else too; *hot*: back to back. Medians; only samples taken while no other task wanted a CPU count,",
             "where there are enough of them (see *used*); all run at nice -20 with the shortest slice. `floor` is the same sequence of system calls written by hand in C++.", ""]
    rows = goals(cells, calls)
    if rows:
        lines += ["| goal | at most | measured | | |", "| --- | --- | --- | --- | --- |"]
        lines += [f"| {what} | {limit} | {value:.2f} | {text} | {'reached' if value <= limit else '**missed**'} |"
                  for what, limit, value, text in rows]
        lines.append("")
    lines += ["| what | mode | program | wall ms | p25–p95 | × floor | CPU ms | peak RSS MB | system calls | used |",
              "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
    for (mode, what, program), c in cells.items():
        floor = cells.get((mode, "run", "floor"))
        times = f"{c['wall_ms'] / floor['wall_ms']:.2f}" if floor and "run" in what else ""
        lines.append(f"| {what} | {mode} | {program} | {c['wall_ms']:.2f} | {c['p25_ms']:.2f}–{c['p95_ms']:.2f} | {times} | "
                     f"{c['cpu_ms']:.2f} | {c['peak_rss_kb'] / 1024:.2f} | {calls.get((what, program), '')} | "
                     f"{c['used']}/{c['samples']}{' quiet' if c['quiet'] else ''} |")
    lines += ["", "Programs: " + "; ".join(f"{name}: {text}" for name, text in versions.items()) + ".", "",
              "![wall time](runtime.svg)", ""]
    return "\n".join(lines)


def document(cells, calls, machine, command, versions):
    return json.dumps({
        "command": command, "machine": machine, "programs": versions,
        "goals": [{"what": w, "at_most": lim, "measured": v} for w, lim, v, _ in goals(cells, calls)],
        "results": [{"mode": m, "what": w, "program": p, "system_calls": calls.get((w, p)), **c} for (m, w, p), c in cells.items()],
    }, indent=1) + "\n"


def plot(cells, machine):
    """Horizontal bars: one group for each thing done, cold and hot."""
    groups = {}
    for (mode, what, program), c in cells.items():
        groups.setdefault("run" if what == "nest run" else what, {}).setdefault(mode, []).append((program, c["wall_ms"]))
    longest = max(c["wall_ms"] for c in cells.values())
    out, y, scale = [], 52, 520 / longest
    for what, modes in groups.items():
        for mode, bars in modes.items():
            out.append(f'<text x="12" y="{y + 13}" class="g">{escape(what)}, {mode}</text>')
            for program, value in sorted(bars, key=lambda b: b[1]):
                out.append(f'<text x="238" y="{y + 13}" text-anchor="end">{escape(program)}</text>'
                           f'<rect x="246" y="{y + 2}" width="{max(1, value * scale):.1f}" height="14" fill="{COLORS.get(program, "#777")}"/>'
                           f'<text x="{252 + value * scale:.1f}" y="{y + 13}">{value:.2f} ms</text>')
                y += 19
            y += 9
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" width="860" height="{y + 14}" font-family="sans-serif" font-size="12">'
            '<style>.g{font-weight:bold}.t{font-size:16px;font-weight:bold}</style>'
            f'<rect width="860" height="{y + 14}" fill="white"/>'
            f'<text x="12" y="24" class="t">Median wall time (shorter is better)</text>'
            f'<text x="12" y="42" fill="#555">{escape(machine)}</text>')
    return head + "\n".join(out) + "</svg>\n"
