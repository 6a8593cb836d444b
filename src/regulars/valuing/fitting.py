"""Maximum likelihood: find the parameters under which the data are most likely, and how well they are known.

Parameters are positive and are searched as logarithms within ±12 of the scale of the data (a factor of 160,000 each way), so
that a likelihood that grows for ever still has a best point. A quasi-Newton search from several starts, then Newton's method
until steps are of rounding size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from regulars.valuing.histories import Floats, Params

__all__ = ["BOUND", "Maximum", "maximise"]

#: Largest logarithm of a parameter, in the scale of the data.
BOUND = 12.0

#: Log-parameters → mean log-likelihood of a customer and its gradient.
Objective = Callable[[Floats], tuple[float, Floats]]

_STEP = 1e-4  # of the differences of gradients that make second derivatives
_FLAT = 1e-10  # a direction whose curvature is this share of the largest counts as flat
_LAST_STEP = 3e-7  # of a logarithm: the error that is left is about its square
_LENGTHS = (1.0, 0.25, 1 / 16, 1 / 256)  # of a step, until one is better
_ROUNDING = 1e-13  # of the objective
_Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Maximum:
    """The most likely parameters and what the likelihood around them says.

    Parameters
    ----------
    logs
        Logarithms of the parameters, shape (k,).
    value
        Mean log-likelihood of a customer.
    slope
        Gradient there, shape (k,): rounding, but for parameters at a bound.
    curvature
        Matrix of second derivatives of minus the mean log-likelihood by the logarithms, shape (k, k).
    at_bound
        For each parameter: -1 or 1 if it stopped at its lower or upper bound, else 0.
    iterations
        Steps in all.
    converged
        Whether the last step was of rounding size, or the likelihood is flat from here.
    """

    logs: Floats
    value: float
    slope: Floats
    curvature: Floats
    at_bound: tuple[int, ...]
    iterations: int
    converged: bool

    def standard_errors(self, customers: float) -> Floats:
        """Standard errors of the logarithms; infinite where the likelihood is flat or a parameter is at its bound."""
        errors = np.full(len(self.logs), np.inf)
        free = np.flatnonzero(np.array(self.at_bound) == 0)
        values, vectors = np.linalg.eigh(self.curvature[np.ix_(free, free)])
        if len(free) and values[0] > _FLAT * max(values[-1], 1e-300):
            errors[free] = np.sqrt((vectors**2 / values).sum(axis=1) / customers)
        return errors

    def intervals(self, customers: float) -> Floats:
        """95 % intervals of the parameters, shape (k, 2): symmetric in the logarithm, so never negative."""
        errors = self.standard_errors(customers)
        known = np.isfinite(errors)
        low, high = np.zeros(len(errors)), np.full(len(errors), np.inf)
        reach = np.minimum(_Z95 * errors[known], 600.0)
        low[known], high[known] = np.exp(self.logs[known] - reach), np.exp(self.logs[known] + reach)
        return np.column_stack([low, high])


def maximise(objective: Objective, starts: Sequence[Params], *, max_iter: int, tol: float) -> Maximum:
    """Maximise a mean log-likelihood from several starts.

    Parameters
    ----------
    objective
        Log-parameters, shape (k,) → value and gradient.
    starts
        Log-parameters to start from.
    max_iter
        Most steps of a search from one start, and most of Newton's steps.
    tol
        Gradient at which the search hands over to Newton's method; a largest gradient below it is an end as well.

    Examples
    --------
    >>> best = maximise(lambda u: (-float((u**2).sum()), -2 * u), [[1.0, 3.0]], max_iter=100, tol=1e-6)
    >>> best.converged, best.logs.round(9).tolist()
    (True, [0.0, 0.0])
    """
    from scipy.optimize import minimize  # slow to load, and only needed to learn

    def downhill(logs: Floats) -> tuple[float, Floats]:
        value, gradient = objective(logs)
        return -value, -gradient

    best, iterations = None, 0
    for start in starts:
        found = minimize(
            downhill,
            np.clip(start, 1 - BOUND, BOUND - 1),
            jac=True,
            method="L-BFGS-B",
            bounds=[(-BOUND, BOUND)] * len(start),
            options={"maxiter": max_iter, "gtol": tol, "ftol": 1e-15},
        )
        iterations += int(found.nit)
        if best is None or found.fun < best.fun - 1e-12:
            best = found
    assert best is not None, "maximise needs a start"
    found = _newton(objective, np.asarray(best.x, dtype=np.float64), max_iter)
    flat = bool(np.abs(found.slope[np.array(found.at_bound) == 0]).max(initial=0.0) <= tol)
    return replace(found, iterations=iterations + found.iterations, converged=found.converged or flat)


def _newton(objective: Objective, logs: Floats, max_iter: int) -> Maximum:
    """Newton's method within the bounds, until a step is of rounding size or none is better."""
    value, gradient = objective(logs)
    curvature, iterations, converged = _curvature(objective, logs), 0, False
    while iterations < max_iter and not converged:
        free = _blocked(logs, gradient) == 0
        direction = np.zeros_like(logs)
        direction[free] = _solve(curvature[np.ix_(free, free)], gradient[free])
        moved, converged = _move(objective, logs, direction, free)
        if moved is None:
            break
        logs, iterations = moved, iterations + 1
        value, gradient = objective(logs)
        if not converged:
            curvature = _curvature(objective, logs)
    return Maximum(
        logs=logs,
        value=value,
        slope=gradient,
        curvature=curvature,
        at_bound=tuple(int(side) for side in _blocked(logs, gradient)),
        iterations=iterations,
        converged=converged,
    )


def _move(objective: Objective, logs: Floats, direction: Floats, free: NDArray[np.bool_]) -> tuple[Floats | None, bool]:
    """Go along a direction as far as it makes things better: a larger value, or as large a one and a smaller gradient.

    Returns
    -------
    moved, last
        Where it leads, None if not to anything better; and whether that was a step of rounding size.
    """
    value, gradient = objective(logs)
    rounding = _ROUNDING * (1 + abs(value))
    for length in _LENGTHS:
        moved = np.clip(logs + length * direction, -BOUND, BOUND)
        last = bool(np.abs(moved - logs).max() < _LAST_STEP)
        there, slope = objective(moved)
        nearer = np.abs(slope[free]).max(initial=0.0) < np.abs(gradient[free]).max(initial=0.0)
        if there > value + rounding or (nearer and there >= value - rounding):
            return moved, last
        if last:
            return None, True
    return None, False


def _solve(curvature: Floats, gradient: Floats) -> Floats:
    """Newton's step; none along directions in which the likelihood is flat, and at most 2 in any logarithm."""
    if not len(gradient):
        return gradient
    values, vectors = np.linalg.eigh(curvature)
    steep = values > _FLAT * max(float(np.abs(values).max()), 1e-300)
    along = np.where(steep, vectors.T @ gradient / np.where(steep, values, 1.0), 0.0)
    step = vectors @ along
    return np.asarray(step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300)), dtype=np.float64)


def _blocked(logs: Floats, gradient: Floats) -> Floats:
    """Say where a parameter is at a bound (-1 or 1) and the likelihood grows beyond it."""
    return np.where(
        (logs >= BOUND - 1e-9) & (gradient >= 0), 1.0, np.where((logs <= 1e-9 - BOUND) & (gradient <= 0), -1.0, 0.0)
    )


def _curvature(objective: Objective, logs: Floats) -> Floats:
    """Second derivatives of minus the objective, from differences of its gradient."""
    columns = []
    for axis in np.eye(len(logs)):
        ahead, behind = objective(logs + _STEP * axis)[1], objective(logs - _STEP * axis)[1]
        columns.append((behind - ahead) / (2 * _STEP))
    matrix = np.stack(columns)
    return np.asarray((matrix + matrix.T) / 2, dtype=np.float64)
