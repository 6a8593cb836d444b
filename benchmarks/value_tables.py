"""The figures of the value benchmark as Markdown, kept in README.md between marks of their own."""

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from make_histories import ORDERS
from measuring import Run
from tables import machine, middle

START, END = "<!-- results of value -->", "<!-- end of results of value -->"
YARDSTICK = "regulars"
LEARN = ("read", "group", "fit")  # stages until the parameters of orders are known; DuckDB reads as it goes

#: Stage → most seconds, for MBG/NBD at `AIMED` customers, and most bytes.
AIMED, AIMS, MOST_BYTES = 50_000_000, {"group": 15, "fit": 10, "score": 90}, 3e9
HEAD = "| program | what it does | seconds | ÷ | learn s | ÷ | score s | ÷ | processor s | peak MB |"
WORDS = {"group": "GROUP BY", "fit": "fit", "score": "scoring"}


def show(customers: int, runs: dict[str, list[Run]], what: dict[str, str], *, rounds: int) -> str:
    """One section: what each program took and found; medians over the rounds."""
    middles = {name: middle(taken) for name, taken in runs.items()}
    facts = {name: taken[-1].facts for name, taken in runs.items()}
    peers = sorted({fact["version"] for fact in facts.values() if "version" in fact})
    yardstick = middles.get(YARDSTICK)
    lines = [
        f"### {customers:,} customers",
        "",
        f"Median of {rounds}. {machine()} {', '.join(peers)}".rstrip(),
        "",
        HEAD,
        f"|---|---|{'--:|' * 8}",
        *(f"| {name} | {what[name]} | {' | '.join(_cells(run, yardstick))} |" for name, run in middles.items()),
        "",
        "| program | parameters | expected orders ÷ those that came |",
        "|---|---|--:|",
        f"| the truth | {_numbers(ORDERS)} | |",
    ]
    lines += [f"| {name} | {_found(fact)} |" for name, fact in facts.items() if "parameters" in fact]
    lines += ["", "Seconds per stage (`start` is the import of the libraries):", ""]
    for name, run in middles.items():
        if run.seconds and not run.failed:
            stages = " · ".join(f"{stage} {taken:.2f}" for stage, taken in run.seconds.items())
            lines.append(f"- {name}: {stages}{_rows(facts[name])}")
    if customers == AIMED and yardstick is not None and not yardstick.failed:
        lines += ["", _against_aims(yardstick)]
    return "\n".join(lines) + "\n"


def told(run: Run) -> Run:
    """A run whose program said itself that it came to no result is a failed one."""
    return replace(run, failed=run.facts["failed"]) if "failed" in run.facts else run


def record(readme: Path, section: str) -> None:
    """Put a section between the marks, in place of the one with its title; the smallest number of customers first."""
    before, _, rest = readme.read_text(encoding="utf-8").partition(START)
    inside, _, after = rest.partition(END)
    parts = [part.strip() + "\n" for part in re.split(r"(?m)^(?=### )", inside) if part.startswith("### ")]
    sections = {_size(part): part for part in [*parts, section]}
    kept = "\n".join(sections[size] for size in sorted(sections))
    readme.write_text(f"{before}{START}\n\n{kept}\n{END}{after}", encoding="utf-8")


def _size(section: str) -> int:
    return int(re.sub(r"\D", "", section.splitlines()[0]))


def _cells(run: Run, yardstick: Run | None) -> list[str]:
    if run.failed:
        return [run.failed, "–", "–", "–", "–", "–", f"{run.processor:.1f}", f"{run.peak_bytes / 1e6:,.0f}"]
    timed = [_beside(own, other) for own, other in zip(_times(run), _times(yardstick), strict=True)]
    return [*timed, f"{run.processor:.1f}", f"{run.peak_bytes / 1e6:,.0f}"]


def _times(run: Run | None) -> tuple[float, ...]:
    """Seconds in all, until the orders are learned, and of scoring; NaN where there is no such run."""
    if run is None or run.failed:
        return (math.nan,) * 3
    return run.wall, sum(run.seconds.get(stage, 0.0) for stage in LEARN), run.seconds["score"]


def _beside(own: float, other: float) -> str:
    return f"{own:.2f} | {'–' if math.isnan(other) else f'{own / other:.2f}'}"


def _found(facts: dict[str, Any]) -> str:
    return f"{_numbers(facts['parameters'])} | {facts['expected'] / facts['came']:.4f}"


def _numbers(parameters: dict[str, float]) -> str:
    return " · ".join(f"{name} {value:.4g}" for name, value in parameters.items())


def _rows(facts: dict[str, Any]) -> str:
    return f" ({facts['rows']:,} distinct histories fitted)" if "rows" in facts else ""


def _against_aims(run: Run) -> str:
    stages = [f"{WORDS[stage]} {run.seconds[stage]:.1f} s (aim: {most})" for stage, most in AIMS.items()]
    return (
        f"Held against the aims: {', '.join(stages)}, peak {run.peak_bytes / 1e9:.2f} GB (aim: {MOST_BYTES / 1e9:.0f})."
    )
