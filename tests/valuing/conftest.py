"""What the tests of `valuing` share: a shop whose truth is known, and the CDNOW sample where it exists."""

import os
from pathlib import Path

import numpy as np
import pytest

from valuing.living import Customers, live

ROOT = Path(__file__).parents[2]
REAL_DATA = Path(os.environ.get("REGULARS_TEST_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def cdnow() -> np.ndarray:
    """ID, repeat orders, weeks from first to last, weeks from first to today, mean value of the repeat orders."""
    path = REAL_DATA / "cdnow_sample_summary.csv"
    if not path.exists():
        pytest.skip(f"There is no {path}: set REGULARS_TEST_DATA to the folder that has it.")
    return np.loadtxt(path, delimiter=",", skiprows=1)


@pytest.fixture(scope="session")
def shop() -> Customers:
    """4,000 customers as MBG/NBD has them, known for up to 400 days, and their next 90 days."""
    return live("mbg-nbd", (0.8, 25.0, 0.9, 2.0), customers=4000, horizon=90, seed=11)
