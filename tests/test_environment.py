"""Do the installed packages work together, and are they the ones that were tested?"""

import hashlib
import importlib.metadata
import os
import tomllib
from pathlib import Path

import ibis
import pandas as pd
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import regulars

ROOT = Path(__file__).parents[1]
CONSTRAINTS = ROOT / "constraints.txt"

# sha256 of https://www.apache.org/licenses/LICENSE-2.0.txt
APACHE_2_0 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"

needs_checkout = pytest.mark.skipif(not CONSTRAINTS.exists(), reason="constraints.txt is only in a checkout")


def pins() -> dict[str, str]:
    """Name → version of every line of constraints.txt that holds on this machine."""
    lines = (line.partition("#")[0].strip() for line in CONSTRAINTS.read_text("utf-8").splitlines())
    wanted = (Requirement(line) for line in lines if line)
    return {
        canonicalize_name(each.name): str(each.specifier).removeprefix("==")
        for each in wanted
        if each.marker is None or each.marker.evaluate()
    }


def test_duckdb_takes_a_table_through_ibis():
    # ibis 12.0.0 with sqlglot 30.18 or newer: ParserException, its "DROP VIEW IF EXISTS" lacks the name
    given = pd.DataFrame({"customer_id": ["a", "b", "c"], "quantity": [1, -2, 3]})
    con = ibis.duckdb.connect()
    con.create_table("lines", given)
    con.create_table("lines", given.head(2), overwrite=True)

    got = con.table("lines").order_by("customer_id").to_pandas()

    pd.testing.assert_frame_equal(got, given.head(2), check_dtype=False)


def test_version_is_the_metadata_version():
    assert regulars.__version__ == importlib.metadata.version("regulars")


@needs_checkout
def test_every_dependency_is_pinned_within_its_range():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    asked = map(Requirement, project["project"]["dependencies"] + project["dependency-groups"]["dev"])
    pinned = pins()

    behind = [str(each) for each in asked if pinned.get(canonicalize_name(each.name), "") not in each.specifier]

    assert behind == [], "constraints.txt is behind pyproject.toml: run `make lock`"


@needs_checkout
@pytest.mark.skipif(not os.environ.get("CI"), reason="only CI has to run on exactly the tested versions")
def test_installed_versions_are_those_of_the_constraints():
    pinned = pins()
    installed = {canonicalize_name(each.name): each.version for each in importlib.metadata.distributions()}

    assert {"duckdb", "ibis-framework", "sqlglot"} <= pinned.keys() & installed.keys()
    assert {n: v for n, v in installed.items() if v != pinned.get(n, v)} == {}, "not what constraints.txt says"


@needs_checkout
def test_license_is_the_unmodified_apache_2_0():
    text = (ROOT / "LICENSE").read_text("utf-8")  # newlines made equal on every system

    assert hashlib.sha256(text.encode()).hexdigest() == APACHE_2_0
