"""From histories and order values to models, with what is to be said about how well they are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from regulars.valuing.fitting import BOUND, Maximum, maximise
from regulars.valuing.histories import Distinct, Floats, Histories, Params, merge
from regulars.valuing.models import PARAMETERS, PurchaseModel, likelihoods
from regulars.valuing.spending import SpendModel, spend_likelihoods

__all__ = ["IDENTIFIED_GAIN", "LearnedPurchases", "LearnedSpend", "learn_purchases", "learn_spend"]

#: Gain in log-likelihood over never leaving from which leaving counts as seen.
IDENTIFIED_GAIN = 2.0

_TIMES = ("alpha", "beta")  # parameters in units of time
_SEARCHED_ROWS = 20_000  # with more, the several starts are tried on every so many rows

#: Starts of the parameters after r and α, in the mean age of customers.
_STARTS = {
    "mbg-nbd": ((0.5, 1.5), (0.05, 3.0)),
    "bg-nbd": ((0.5, 1.5), (0.05, 3.0)),
    "pareto-nbd": ((0.5, 0.5), (1.0, 5.0)),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LearnedPurchases:
    """A model of orders and how well it is known.

    Parameters
    ----------
    model
        Which model, its parameters in the unit of the histories, and whether leaving was seen.
    standard_errors, intervals
        Of the parameters, in their order, shapes (4,) and (4, 2). Infinite where nothing can be said.
    log_likelihood, nbd_log_likelihood
        Of all customers, under the model and without leaving.
    notes
        Sentences for the user.
    iterations, converged
        Steps of the search, and whether it came to its end.
    """

    model: PurchaseModel
    standard_errors: Floats
    intervals: Floats
    log_likelihood: float
    nbd_log_likelihood: float
    notes: tuple[str, ...]
    iterations: int
    converged: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LearnedSpend:
    """A model of order values and how well it is known: as `LearnedPurchases`."""

    model: SpendModel
    standard_errors: Floats
    intervals: Floats
    log_likelihood: float
    notes: tuple[str, ...]
    iterations: int
    converged: bool


def learn_purchases(rows: Histories, kind: str, *, max_iter: int, tol: float) -> LearnedPurchases:
    """Fit a model of orders by maximum likelihood.

    Parameters
    ----------
    rows
        Distinct histories with the customers of each as weights (`Histories.merged`).
    kind
        Which model.
    max_iter, tol
        As in `maximise`.

    Examples
    --------
    >>> repeats, active, age = np.array([[0.0, 0, 360], [1, 30, 360], [2, 60, 340], [5, 340, 350], [9, 350, 360]]).T
    >>> rows = Histories.merged(repeats, active, age, np.array([300.0, 60, 40, 25, 15]))
    >>> learned = learn_purchases(rows, "mbg-nbd", max_iter=500, tol=1e-6)
    >>> learned.converged, learned.model.leaving_identified
    (True, True)
    """
    customers, unit = float(rows.weights.sum()), rows.mean(rows.age.column) or 1.0
    if not (rows.repeats.column > 0).any():
        return _without_repeats(rows, kind)
    scaled = rows.scaled(unit)
    nbd = _search("nbd", scaled, [_rate_start(scaled)], max_iter=max_iter, tol=tol)
    starts = [[*nbd.logs, *np.log(rest)] for rest in _STARTS[kind]]
    best = _search(kind, scaled, starts, max_iter=max_iter, tol=tol)
    names = PARAMETERS[kind]
    values = np.exp(best.logs) * _units(names, unit)
    repeats = customers * rows.mean(rows.repeats.column)
    shift = repeats * np.log(unit)  # the density of x repeat orders is per unit of time, x times
    gain = customers * (best.value - nbd.value)
    identified = bool(gain >= IDENTIFIED_GAIN)
    return LearnedPurchases(
        model=PurchaseModel(kind=kind, parameters=tuple(values.tolist()), leaving_identified=identified),
        standard_errors=values * best.standard_errors(customers),
        intervals=best.intervals(customers) * _units(names, unit)[:, None],
        log_likelihood=customers * best.value - shift,
        nbd_log_likelihood=customers * nbd.value - shift,
        notes=(*_notes_on_histories(rows), *_notes_on_leaving(identified), *_notes_on_fit(best, names, customers)),
        iterations=best.iterations,
        converged=best.converged,
    )


def learn_spend(orders: Floats, mean_value: Floats, weights: Floats, *, max_iter: int, tol: float) -> LearnedSpend:
    """Fit Gamma-Gamma by maximum likelihood.

    Parameters
    ----------
    orders, mean_value, weights
        Number of orders, their mean value and the number of customers of each row, shape (n,), all positive.
    max_iter, tol
        As in `maximise`.

    Examples
    --------
    >>> learned = learn_spend(
    ...     np.array([1.0, 2, 4, 9]), np.array([20.0, 90, 40, 60]), np.full(4, 50.0), max_iter=500, tol=1e-6
    ... )
    >>> learned.converged, round(learned.model.mean, 2)
    (True, 56.25)
    """
    (counts, z), weights = merge((orders, mean_value), weights)
    customers, share, n = float(weights.sum()), weights / weights.sum(), Distinct.of(counts)
    unit = float((weights * counts) @ z / (weights @ counts))

    def objective(logs: Floats) -> tuple[float, Floats]:
        values, gradient = spend_likelihoods(np.exp(logs), n, z / unit)
        return float(values @ share), gradient @ share

    best = maximise(objective, [np.log([2.0, 2.0, 1.0]), np.log([10.0, 5.0, 0.5])], max_iter=max_iter, tol=tol)
    in_money = np.array([1.0, 1.0, unit])
    p, q, gamma = np.exp(best.logs) * in_money
    model = SpendModel(p=float(p), q=float(q), gamma=float(gamma), mean=unit)
    return LearnedSpend(
        model=model,
        standard_errors=np.array([p, q, gamma]) * best.standard_errors(customers),
        intervals=best.intervals(customers) * in_money[:, None],
        log_likelihood=customers * (best.value - np.log(unit)),
        notes=(*_notes_on_spend(model, z), *_notes_on_fit(best, ("p", "q", "gamma"), customers)),
        iterations=best.iterations,
        converged=best.converged,
    )


def _search(kind: str, rows: Histories, starts: Sequence[Params], *, max_iter: int, tol: float) -> Maximum:
    """Maximise on all rows; where they are many, from the best point of a part of them."""

    def objective(logs: Floats, part: Histories = rows) -> tuple[float, Floats]:
        values, gradient = likelihoods(kind, np.exp(logs), part)
        return float(values @ part.weights), gradient @ part.weights

    every = len(rows.weights) // _SEARCHED_ROWS
    if every > 1 and len(starts) > 1:
        part = rows.thinned(every)
        starts = [maximise(lambda logs: objective(logs, part), starts, max_iter=max_iter, tol=tol).logs]
    return maximise(objective, starts, max_iter=max_iter, tol=tol)


def _rate_start(rows: Histories) -> list[float]:
    """Start for r and α: the observed rate, with a spread as large as itself."""
    return [0.0, -float(np.log(rows.mean(rows.repeats.column)))]


def _without_repeats(rows: Histories, kind: str) -> LearnedPurchases:
    """What can be said when nobody has ordered twice: half an order in all the time that was watched.

    This is the mean rate of orders when there were none (Jeffreys' prior, r = ½ and α = the customers' ages together; one
    day each where all came today). Leaving is as good as absent, and nothing is said about it.
    """
    customers, age = float(rows.weights.sum()), rows.mean(rows.age.column)
    shape = float(np.exp(-BOUND))
    last = 1.0 if kind != "pareto-nbd" else age or 1.0
    params = (0.5, customers * (age or 1.0), shape, last)
    unknown = np.full(4, np.inf)
    return LearnedPurchases(
        model=PurchaseModel(kind=kind, parameters=params, leaving_identified=False),
        standard_errors=unknown,
        intervals=np.column_stack([np.zeros(4), unknown]),
        log_likelihood=float(likelihoods(kind, params, rows)[0] @ rows.weights),
        nbd_log_likelihood=float(likelihoods("nbd", params[:2], rows)[0] @ rows.weights),
        notes=(
            "Nobody has ordered twice yet: the chance of another order is a guess, half an order in all the time watched.",
            *_notes_on_histories(rows),
            *_notes_on_leaving(False),
        ),
        iterations=0,
        converged=True,
    )


def _units(names: Sequence[str], unit: float) -> Floats:
    return np.array([unit if name in _TIMES else 1.0 for name in names])


def _notes_on_histories(rows: Histories) -> list[str]:
    notes = []
    if rows.weights.sum() <= 1:
        notes.append("There is one customer only: nothing can be learned about how customers differ.")
    elif len(rows.weights) == 1:
        notes.append("All customers have the same history: nothing can be learned about how they differ.")
    if not (rows.age.column > 0).any():
        notes.append(
            "All customers ordered for the first time today: no time has passed in which they could order again."
        )
    return notes


def _notes_on_leaving(identified: bool) -> list[str]:
    if identified:
        return []
    return [
        "These orders do not show whether customers leave for good or only order rarely: no chance of still being a "
        "customer is given. The chance of an order holds either way."
    ]


def _notes_on_fit(best: Maximum, names: Sequence[str], customers: float) -> list[str]:
    notes = []
    for name, side in zip(names, best.at_bound, strict=True):
        if side:
            notes.append(
                f"The data pull the parameter {name} to the {'upper' if side > 0 else 'lower'} limit of what is searched: "
                "how far beyond cannot be said."
            )
    free = [name for name, side in zip(names, best.at_bound, strict=True) if not side]
    if free and not np.isfinite(best.standard_errors(customers)).any():
        notes.append(f"No interval can be given for {', '.join(free)}: other values explain the data as well.")
    if not best.converged:
        notes.append("The search stopped before its end: other parameters may explain the data a little better.")
    return notes


def _notes_on_spend(model: SpendModel, mean_value: Floats) -> list[str]:
    notes = []
    if len(mean_value) == 1 or not np.ptp(mean_value) > 0:
        notes.append("All customers spend the same on an order: nothing can be learned about how they differ.")
    if model.heavy_tailed:
        notes.append(
            "A few customers spend so much that the model's mean order value is infinite: a customer's own mean is drawn "
            "towards the observed mean of all instead."
        )
    return notes
