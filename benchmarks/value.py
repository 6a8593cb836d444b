"""Fit and score made customers with regulars, lifetimes and pymc-marketing, and print and record what each took.

Each run is a process of its own, as in run.py; programs take turns. lifetimes and pymc-marketing are installed into
environments of their own beside this file.

Usage: python benchmarks/value.py [--customers 23570 1_000_000] [--rounds 3] [--only NAME …] [--data FOLDER]
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import measuring
from make_histories import make_histories
from measuring import Program, Run, measure
from value_tables import record, show, told

HERE = Path(__file__).parent
LIFETIMES = HERE / ".venv-lifetimes" / "bin" / "python"
PYMC_MARKETING = HERE / ".venv-pymc-marketing" / "bin" / "python"
PINNED = {
    LIFETIMES: ["lifetimes==0.11.3", "pyarrow"],
    PYMC_MARKETING: ["pymc-marketing==0.19.2", "pyarrow"],  # the newest for Python 3.11
}
PATIENCE = 600  # seconds

PROGRAMS = {
    "regulars": Program("value_regulars.py", what="MBG/NBD, value of orders, six forecasts", own_limit=True),
    "regulars-bg": Program("value_regulars.py", "--model", "bg-nbd", what="with BG/NBD", own_limit=True),
    "regulars-pareto": Program("value_regulars.py", "--model", "pareto-nbd", what="with Pareto/NBD", own_limit=True),
    "lifetimes": Program("value_lifetimes.py", python=LIFETIMES, what="MBG/NBD, expected orders"),
    "lifetimes-bg": Program(
        "value_lifetimes.py", "--model", "bg-nbd", python=LIFETIMES, what="BG/NBD, expected orders"
    ),
    "pymc-marketing": Program("value_pymc.py", python=PYMC_MARKETING, what="MBG/NBD (MAP), expected orders"),
    "pymc-marketing-bg": Program(
        "value_pymc.py", "--model", "bg-nbd", python=PYMC_MARKETING, what="BG/NBD (MAP), expected orders"
    ),
}
MOST = {"regulars-pareto": 1_000_000}  # its table of distinct histories is scored outside the engine


def compare(source: Path, names: list[str], *, rounds: int, scratch: Path) -> dict[str, list[Run]]:
    """Run the programs in turn; one that failed is not asked again."""
    runs: dict[str, list[Run]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names:
            if runs[name] and runs[name][-1].failed:
                continue
            run = told(measure(PROGRAMS[name], source, scratch / f"{name}-{number}"))
            runs[name].append(run)
            print(f"  {source.name}, round {number + 1}: {name} {run}", file=sys.stderr, flush=True)
    return runs


def check_complete(runs: dict[str, list[Run]], customers: int) -> None:
    """Stop where a program has not forecast every customer."""
    told = {name: run[-1].facts["forecast"] for name, run in runs.items() if not run[-1].failed}
    if any(count != customers for count in told.values()):
        raise SystemExit(f"Of {customers} customers were forecast: {told}")


def histories(customers: int, folder: Path) -> Path:
    """The file of so many customers; made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"histories-{customers}.parquet"
    if not path.exists():
        print(f"Making {path} …", file=sys.stderr, flush=True)
        part = path.with_suffix(".part.parquet")
        make_histories(customers, part)
        part.rename(path)
    return path


def make_environments(names: list[str]) -> None:
    """Install the peers beside this file: they need older libraries than regulars."""
    for python in {PROGRAMS[name].python for name in names} & PINNED.keys():
        if python.exists():
            continue
        folder, pinned = python.parent.parent, PINNED[python]
        print(f"Installing {' '.join(pinned)} into {folder} …", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "--disable-pip-version-check", "install", "-qq", *pinned], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--customers", type=int, nargs="+", default=[23_570, 1_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=PROGRAMS, metavar="NAME", help=f"of {', '.join(PROGRAMS)}")
    parser.add_argument("--data", type=Path, default=HERE / "results", help="where histories are kept, or made")
    asked = parser.parse_args()
    measuring.PATIENCE = PATIENCE
    names = asked.only or list(PROGRAMS)
    make_environments(names)
    for customers in sorted(asked.customers):
        source = histories(customers, asked.data)
        fit = [name for name in names if customers <= MOST.get(name, customers)]
        with tempfile.TemporaryDirectory() as folder:
            runs = compare(source, fit, rounds=asked.rounds, scratch=Path(folder))
        check_complete(runs, customers)
        section = show(customers, runs, {name: PROGRAMS[name].what for name in fit}, rounds=asked.rounds)
        print(section, flush=True)
        if not asked.only:
            record(HERE / "README.md", section)


if __name__ == "__main__":
    main()
