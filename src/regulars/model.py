"""The learned numbers: apply them anywhere as an expression, save them as JSON, load them without running code."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

import ibis
import ibis.expr.types as ir

from regulars.clustering import SCALES, Scale
from regulars.errors import ModelError, OutputError, PackError
from regulars.keeping import apart
from regulars.profiling import Gaps
from regulars.schema import LABELS, MEASURES
from regulars.scoring import Cuts, RulePack, parse_pack, score

__all__ = ["SegmentModel", "load_model", "nearest_centre", "points_of"]

_FORMAT, _VERSION = "regulars-model", 1
_TOO_MUCH = 10**14  # money has 14 digits before the point


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentModel:
    """Everything that was learned, as numbers and names.

    Parameters
    ----------
    as_of
        The day that the training data ended before.
    returns, all_products
        How the order lines were cleaned; `regulars assign` cleans the same way.
    scale
        From measures to points.
    centres
        One point per segment, in the scale's units (standard deviations by default).
    segments
        Names, in the order of the centres.
    cuts, pack
        Scores and named groups.
    gaps
        The shop's rhythm.
    """

    as_of: date
    returns: str
    all_products: bool
    scale: Scale
    centres: tuple[tuple[float, float, float], ...]
    segments: tuple[str, ...]
    cuts: Cuts
    pack: RulePack
    gaps: Gaps

    def assign(self, customers: ir.Table) -> ir.Table:
        """Add scores, group and segment to customers; no query.

        Parameters
        ----------
        customers
            Columns `recency_days`, `frequency`, `monetary`; from `build_features`.

        Returns
        -------
        ibis.Table
            The customers with the columns of `schema.SCORES` and `schema.LABELS`: `distance` is the Euclidean distance to
            the segment's centre in the scale's units, `runner_up` the second nearest segment. All are null where a measure
            is null or outside the scale's domain: such a customer is not assignable.

        Examples
        --------
        >>> import regulars as rg
        >>> result = rg.segment(rg.make_orders(400, seed=1).orders)
        >>> people = result.model.assign(result.customers.select("customer_id", "recency_days", "frequency", "monetary"))
        >>> people.filter(people.segment != result.customers.segment).count().to_pyarrow().as_py()  # doctest: +SKIP
        0
        """
        scored = score(customers, self.cuts, pack=self.pack)
        return self.label(scored)

    def label(self, customers: ir.Table) -> ir.Table:
        """Add the columns of `schema.LABELS` only; no query."""
        columns = customers.columns
        points = apart(customers.mutate(**points_of(customers, self.scale)))
        far = {f"_d{i}": _squared_distance(points, centre) for i, centre in enumerate(self.centres)}
        points = apart(points.mutate(**far))
        points = points.mutate(_nearest=ibis.least(*(points[name] for name in far)))
        nearest = [(points[name] == points["_nearest"], ibis.literal(i, "int64")) for i, name in enumerate(far)]
        points = apart(points.mutate(segment_id=ibis.cases(*nearest)))
        others = [(points["segment_id"] == i).ifelse(math.inf, points[name]) for i, name in enumerate(far)]
        points = apart(points.mutate(**{f"_o{i}": other for i, other in enumerate(others)}))
        points = points.mutate(_second=ibis.least(*(points[f"_o{i}"] for i in range(len(others)))))
        second = [(points[f"_o{i}"] == points["_second"], ibis.literal(name)) for i, name in enumerate(self.segments)]
        names = [(points["segment_id"] == i, ibis.literal(name)) for i, name in enumerate(self.segments)]
        alone = len(self.segments) == 1
        labels = {
            "segment_id": points["segment_id"],
            "segment": ibis.cases(*names),
            "distance": points["_nearest"].sqrt(),
            "runner_up": ibis.null("string") if alone else ibis.cases(*second),
        }
        kept = [name for name in columns if name not in LABELS]
        return points.select(*kept, **labels)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: the form of `model.json`."""
        cuts = self.cuts.to_dict() | {"monetary": [None if cut is None else str(cut) for cut in self.cuts.monetary]}
        return {
            "format": _FORMAT,
            "version": _VERSION,
            "as_of": self.as_of.isoformat(),
            "returns": self.returns,
            "all_products": self.all_products,
            "measures": list(MEASURES),
            "scale": asdict(self.scale),
            "centres": [list(centre) for centre in self.centres],
            "segments": list(self.segments),
            "cuts": cuts,
            "pack": self.pack.to_dict(),
            "gaps": self.gaps.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, source: str = "model") -> SegmentModel:
        """Build a model from plain values and check every one of them.

        Raises
        ------
        ModelError
            Not a model of regulars, another version, or damaged; the message says where.
        """
        if not isinstance(data, dict) or data.get("format") != _FORMAT:
            raise ModelError(f"{source} is not a model of regulars.", hint="Give the model.json of a run folder.")
        if data.get("version") != _VERSION:
            raise ModelError(
                f"{source} has model version {data.get('version')!r}; this regulars reads version {_VERSION}.",
                hint="Make it again with 'regulars segment', or use the regulars that made it.",
            )
        part = "as_of"
        try:
            as_of = date.fromisoformat(data["as_of"])
            part = "returns"
            returns, all_products = (
                _one_of(data["returns"], ("net", "drop")),
                _one_of(data["all_products"], (True, False)),
            )
            part = "scale"
            scale = _scale(data["scale"])
            part = "centres"
            centres = tuple(_three_numbers(centre) for centre in data["centres"])
            part = "segments"
            segments = tuple(_text(name) for name in data["segments"])
            if not segments or len(set(segments)) != len(centres):
                raise ValueError("one name per centre is needed, each another")
            part = "pack"
            pack = parse_pack(data["pack"], source="in the model")
            part = "cuts"
            cuts = _cuts(data["cuts"], levels=pack.levels)
            part = "gaps"
            gaps = Gaps(**{name: _whole(data["gaps"][name]) for name in ("p75", "p90", "p95", "count")})
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, PackError) as error:
            _damaged(source, part, error)
        return cls(
            as_of=as_of,
            returns=returns,
            all_products=all_products,
            scale=scale,
            centres=centres,
            segments=segments,
            cuts=cuts,
            pack=pack,
            gaps=gaps,
        )

    def to_json(self) -> str:
        """The text of `model.json`."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def save(self, path: str | Path) -> Path:
        """Write `model.json`.

        Raises
        ------
        OutputError
            The file cannot be written.
        """
        try:
            Path(path).write_text(self.to_json(), "utf-8")
        except OSError as error:
            raise OutputError(f"Cannot write {path}: {error.strerror}.", hint="Choose another place.") from error
        return Path(path)


def load_model(path: str | Path) -> SegmentModel:
    """Load a model from JSON; nothing in the file can run code.

    Raises
    ------
    ModelError
        There is no such file, or it is damaged, foreign, or of another version.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "model.json"
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError as error:
        raise ModelError(f"There is no model {path}.", hint="Give the model.json of a run folder.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(
            f"Cannot read the model {path}: {error}.", hint="Give the model.json of a run folder."
        ) from error
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also a number of thousands of digits
        raise ModelError(
            f"{path} is not JSON, or it is cut off: {error}.", hint="Make it again with 'regulars segment'."
        ) from error
    return SegmentModel.from_dict(data, source=str(path))


def points_of(customers: ir.Table, scale: Scale) -> dict[str, ir.Value]:
    """The measures of customers as coordinates `_x0`, `_x1`, `_x2` in the units of a scale; null outside its domain."""
    return {
        f"_x{i}": (_function(scale.functions[i], customers[name].cast("float64"), scale.lambdas[i]) - scale.offsets[i])
        / scale.divisors[i]
        for i, name in enumerate(MEASURES)
    }


def nearest_centre(points: ir.Table, centres: Sequence[Sequence[float]]) -> ir.IntegerValue:
    """Number of the nearest centre of points `_x0`, `_x1`, `_x2`; of equally near ones the first."""
    far = [_squared_distance(points, centre) for centre in centres]
    least = ibis.least(*far)
    return ibis.cases(*((distance == least, ibis.literal(i, "int64")) for i, distance in enumerate(far)))


def _damaged(source: str, part: str, error: Exception) -> NoReturn:
    said = f"{error} is missing" if isinstance(error, KeyError) else str(error)
    raise ModelError(
        f"{source} is damaged under {part!r}: {said}.", hint="Make it again with 'regulars segment'."
    ) from error


def _function(function: str, value: ir.Value, lmbda: float) -> ir.Value:
    """One function of a `Scale` as an expression; null outside its domain."""
    if function == "sqrt":
        return (value >= 0).ifelse(value, None).sqrt()
    if function == "log1p":
        return ((value > -1).ifelse(value, None) + 1).ln()
    if function == "yeo-johnson":
        return (value >= 0).ifelse(
            _power((value >= 0).ifelse(value, None) + 1, lmbda),
            -_power(1 - (value < 0).ifelse(value, None), 2 - lmbda),
        )
    return value


def _power(base: ir.Value, exponent: float) -> ir.Value:
    """(base ** exponent - 1) / exponent, or its limit at 0."""
    if abs(exponent) < 2.3e-16:
        return base.ln()
    return (base**exponent - 1) / exponent


def _squared_distance(points: ir.Table, centre: Sequence[float]) -> ir.Value:
    away = [points[f"_x{i}"] - value for i, value in enumerate(centre)]
    return away[0] * away[0] + away[1] * away[1] + away[2] * away[2]


def _scale(data: Mapping[str, Any]) -> Scale:
    functions = tuple(data["functions"])
    if data["name"] not in SCALES or functions != SCALES[data["name"]][0]:
        raise ValueError(f"there is no scale {data['name']!r} with the functions {functions!r}")
    divisors = _three_numbers(data["divisors"])
    if not all(divisors):
        raise ValueError("a divisor is zero")
    return Scale(
        name=data["name"],
        functions=SCALES[data["name"]][0],
        lambdas=_three_numbers(data["lambdas"]),
        offsets=_three_numbers(data["offsets"]),
        divisors=divisors,
    )


def _cuts(data: Mapping[str, Any], *, levels: int) -> Cuts:
    found: dict[str, tuple[Any, ...]] = {}
    for name in MEASURES:
        kind = Decimal if name == "monetary" else _whole
        found[name] = tuple(None if cut is None else kind(cut) for cut in data[name])
        if len(found[name]) != levels - 1:
            raise ValueError(f"{levels - 1} cut points are needed for {name}")
        if name == "monetary" and not all(cut is None or abs(cut) < _TOO_MUCH for cut in found[name]):
            raise ValueError("a cut point is not a number, or too large")
    return Cuts(levels=levels, **found)


def _three_numbers(values: Any) -> tuple[float, float, float]:
    numbers = tuple(values)
    fine = len(numbers) == len(MEASURES) and all(
        isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) for n in numbers
    )
    if not fine:
        raise ValueError(f"three finite numbers are needed, not {str(values)[:60]}")
    return float(numbers[0]), float(numbers[1]), float(numbers[2])


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= _TOO_MUCH:
        raise ValueError(f"a whole number is needed, not {str(value)[:60]}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"a name is needed, not {value!r}")
    return value


def _one_of(value: Any, allowed: tuple[Any, ...]) -> Any:
    if not any(type(value) is type(one) and value == one for one in allowed):  # 1 is not true
        raise ValueError(f"{value!r} is none of {allowed}")
    return value
