"""The benchmark's figures as Markdown, printed and kept in README.md."""

import importlib.metadata
import os
import platform
import re
import statistics
from datetime import UTC, datetime
from pathlib import Path

from measuring import Run

START, END = "<!-- results -->", "<!-- end of results -->"
YARDSTICK = "raw-sql"
PACKAGES = ("duckdb", "ibis-framework", "polars", "pandas", "scikit-learn", "numpy")


def show(source: Path, runs: dict[str, list[Run]], what: dict[str, str], *, rounds: int) -> str:
    """One section: what each program took, and the stages of each; medians over the rounds."""
    middles = {name: middle(taken) for name, taken in runs.items()}
    yardstick = middles.get(YARDSTICK)
    rows = [
        f"### {source.name}",
        "",
        f"Median of {rounds}. {machine()}",
        "",
        "| program | what it does | seconds | ÷ raw SQL | processor s | peak MB | read MB |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for name, run in middles.items():
        rows.append(f"| {name} | {what[name]} | {' | '.join(_cells(run, yardstick))} |")
    rows += ["", "Seconds per stage (`start` is the import of the libraries):", ""]
    for name, run in middles.items():
        if run.seconds:
            stages = " · ".join(f"{stage} {taken:.2f}" for stage, taken in run.seconds.items())
            rows.append(f"- {name}: {stages}")
    rows += _inertias(runs)
    return "\n".join(rows) + "\n"


def _inertias(runs: dict[str, list[Run]]) -> list[str]:
    """Inertia of regulars over that of scikit-learn on all customers, for each k."""
    ours, theirs = (
        runs[name][-1].facts.get("inertias", {}) if runs.get(name) else {} for name in ("regulars-clusters", "sklearn")
    )
    ratios = " · ".join(f"k = {k}: {ours[k] / theirs[k]:.5f}" for k in ours if k in theirs)
    return ["", f"Inertia of regulars ÷ that of scikit-learn: {ratios}"] if ratios else []


def _cells(run: Run, yardstick: Run | None) -> list[str]:
    if run.failed:
        return [run.failed, "–", f"{run.processor:.1f}", f"{run.peak_bytes / 1e6:,.0f}", "–"]
    known = yardstick is not None and not yardstick.failed
    ratio = f"{run.wall / yardstick.wall:.2f}" if yardstick is not None and known else "–"
    read = "–" if run.read_bytes is None else f"{run.read_bytes / 1e6:,.0f}"
    return [f"{run.wall:.2f}", ratio, f"{run.processor:.1f}", f"{run.peak_bytes / 1e6:,.0f}", read]


def middle(runs: list[Run]) -> Run:
    """Medians of several runs; a failed one stands for all."""
    if runs[-1].failed:
        return runs[-1]
    reads = [run.read_bytes for run in runs if run.read_bytes is not None]
    return Run(
        wall=statistics.median(run.wall for run in runs),
        processor=statistics.median(run.processor for run in runs),
        peak_bytes=int(statistics.median(run.peak_bytes for run in runs)),
        read_bytes=int(statistics.median(reads)) if reads else None,
        seconds={stage: statistics.median(run.seconds[stage] for run in runs) for stage in runs[0].seconds},
    )


def machine() -> str:
    """The machine, the versions and the day in one sentence."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB, {platform.system()}, "
        f"Python {platform.python_version()}, {versions}; {datetime.now(UTC).date()}."
    )


def record(readme: Path, section: str) -> None:
    """Put a section between the two marks, in place of the one with its title."""
    before, _, rest = readme.read_text(encoding="utf-8").partition(START)
    inside, _, after = rest.partition(END)
    parts = re.split(r"(?m)^(?=### )", inside.strip())
    sections = {part.splitlines()[0]: part.strip() + "\n" for part in parts if part.startswith("### ")}
    sections[section.splitlines()[0]] = section
    readme.write_text(f"{before}{START}\n\n" + "\n".join(sections.values()) + f"\n{END}{after}", encoding="utf-8")
