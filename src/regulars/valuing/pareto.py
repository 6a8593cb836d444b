"""Pareto/NBD: customers order at their own rate and leave at their own rate, at any time.

Orders come with a rate drawn from a gamma distribution (shape r, rate α); the time until a customer leaves is exponential
with a rate drawn from another one (shape s, rate β). With x repeat orders, the last at time t, seen until T, and m = r + x,
the likelihood of a history is ::

    Γ(m) α^r β^s / Γ(r) · [ (α+T)^-m (β+T)^-s  +  s ∫ from t to T of (α+y)^-m (β+y)^-(s+1) dy ]

where the first term is a customer who is still there and the second one who left at some y since the last order.
Gauss-Legendre quadrature computes the integral in y itself, so nothing cancels as it does in the form with two ₂F₁.

References
----------
Schmittlein, Morrison, Colombo (1987), Counting your customers: who are they and what will they do next? Management
Science 33(1).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.polynomial.legendre import leggauss
from scipy.special import expit

from regulars.valuing.histories import Floats, Histories, Params
from regulars.valuing.purchases import nbd_likelihoods

__all__ = ["active_if_alive", "expected_if_alive", "likelihoods", "log_odds_left"]

_NODES = 32  # of the quadrature: error of a log-likelihood below 1e-10 (tests compare with mpmath)
_NEGLIGIBLE = 45.0  # the integral stops where its integrand has fallen by this power of e
_CHUNK = 2048


def likelihoods(params: Params, rows: Histories) -> tuple[Floats, Floats]:
    """Log-likelihood of each row, and its gradient.

    Parameters
    ----------
    params
        r, α, s and β.
    rows
        Histories, n rows.

    Returns
    -------
    values, gradient
        Shapes (n,) and (4, n); the gradient is for the logarithms of the parameters.

    Examples
    --------
    >>> rows = Histories.of(np.array([2.0]), np.array([30.43]), np.array([38.86]))
    >>> likelihoods((0.5533, 10.578, 0.6062, 11.669), rows)[0].round(4).tolist()
    [-9.5543]
    """
    r, alpha, s, beta = params
    T = rows.age
    values, by_rate = nbd_likelihoods((r, alpha), rows)
    odds, gradient = _odds_and_gradient(params, rows)
    left = expit(odds)
    elapsed, slope = T.each(lambda v: np.log1p(v / beta)), T.each(lambda v: v / (beta + v))
    gradient *= left
    gradient[0] += by_rate[0]
    gradient[1] += by_rate[1]
    gradient[2] -= s * elapsed
    gradient[3] += s * slope
    return values - s * elapsed + np.logaddexp(0.0, odds), gradient


def log_odds_left(params: Params, rows: Histories) -> Floats:
    """Logarithm of the odds that a customer has left, shape (n,); -inf where there was no time to leave."""
    return _odds_and_gradient(params, rows)[0]


def expected_if_alive(params: Params, repeats: Floats, age: Floats, horizons: Sequence[float]) -> Floats:
    """Expected orders up to each horizon of customers who are still there, shape (n, len(horizons)).

    The mean rate, (r + x) / (α + T), times the mean time they stay: (β + T) (1 - ((β+T)/(β+T+H))^(s-1)) / (s - 1), which is
    (β + T) ln((β+T+H)/(β+T)) for s = 1.
    """
    r, alpha, s, beta = params
    stretch = np.log1p(np.asarray(horizons)[None, :] / (beta + age)[:, None])
    stay = (beta + age)[:, None] * _shrunk(s - 1, stretch)
    return np.asarray(((r + repeats) / (alpha + age))[:, None] * stay, dtype=np.float64)


def active_if_alive(params: Params, repeats: Floats, age: Floats, horizon: float) -> Floats:
    """Chance of at least one order within the horizon of customers who are still there, shape (n,).

    The first order comes at some time y between T and T + H, before the customer leaves::

        ∫ m (α+T)^m / (α+y)^(m+1) · ((β+T) / (β+y))^s dy
    """
    r, alpha, s, beta = params
    found = np.empty(len(age))
    for start in range(0, len(age), _CHUNK):
        part = slice(start, start + _CHUNK)
        T, m = age[part], r + repeats[part]
        logs, _, _, _, width = _integrand(alpha, beta, m + 1, s, T, T + horizon)
        found[part] = np.exp(logs).sum(axis=1) * width * m / (alpha + T)
    return np.clip(found, 0.0, 1.0)


@np.errstate(under="ignore", divide="ignore")
def _odds_and_gradient(params: Params, rows: Histories) -> tuple[Floats, Floats]:
    """Logarithm of the odds that a customer has left, and its gradient for the logarithms of the parameters."""
    r, alpha, s, beta = params
    x, t, T = rows.repeats.column, rows.active.column, rows.age.column
    odds, gradient = np.empty(len(x)), np.empty((4, len(x)))
    for start in range(0, len(x), _CHUNK):
        part = slice(start, start + _CHUNK)
        m, t0, T0 = r + x[part], t[part], T[part]
        logs, ln_a, ln_b, y, width = _integrand(alpha, beta, m, s + 1, t0, T0)
        share = np.exp(logs, out=logs)
        total = share.sum(axis=1)
        since_a, since_b = np.log1p((T0 - t0) / (alpha + t0)), np.log1p((T0 - t0) / (beta + t0))
        odds[part] = np.log(s) + np.log(total) + np.log(width) - np.log(beta + t0) + m * since_a + s * since_b
        mean = partial(np.einsum, "ij,ij->i", share / total[:, None])
        gradient[0, part] = r * (since_a - mean(ln_a))
        gradient[1, part] = alpha * m * (1 / (alpha + T0) - mean(1 / (alpha + y)))
        gradient[2, part] = 1 + s * (since_b - mean(ln_b))
        gradient[3, part] = beta * (s / (beta + T0) - (s + 1) * mean(1 / (beta + y)))
    return odds, gradient


def _integrand(
    alpha: float, beta: float, p: Floats, q: float, low: Floats, high: Floats
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Parts of ∫ (α+y)^-p (β+y)^-q dy from low to high, divided by the integrand at low.

    The variable is ln(y + δ) with δ the smaller of α and β: in it the integrand is smooth whatever they are. Where one
    of the powers makes it negligible before high, the quadrature ends there.

    Returns
    -------
    logs, ln_a, ln_b, y, width
        At each node the logarithm of weight · integrand, ln((α+y)/(α+low)), ln((β+y)/(β+low)) and y itself, each of shape
        (n, nodes); and the factor of their sum, shape (n,).
    """
    nodes, weights = _RULE
    delta = min(alpha, beta)
    ends = [
        (alpha + low) * np.expm1(np.minimum(_NEGLIGIBLE / p, 600.0)),
        (beta + low) * np.expm1(min(_NEGLIGIBLE / q, 600.0)),
    ]
    reach = np.minimum(high - low, np.minimum(*ends))
    stretch = np.log1p(reach / (delta + low))
    gone = (delta + low)[:, None] * np.expm1(stretch[:, None] * nodes)
    ln_a, ln_b = np.log1p(gone / (alpha + low)[:, None]), np.log1p(gone / (beta + low)[:, None])
    ln_delta = ln_a if alpha <= beta else ln_b
    logs = ln_delta - p[:, None] * ln_a - q * ln_b + np.log(weights)
    return logs, ln_a, ln_b, low[:, None] + gone, stretch * (delta + low)


def _shrunk(rate: float, stretch: Floats) -> Floats:
    """(1 - e^(-rate · stretch)) / rate, and its limit where the rate is 0."""
    return stretch if rate == 0 else np.asarray(-np.expm1(-rate * stretch) / rate, dtype=np.float64)


def _rule() -> tuple[Floats, Floats]:
    """Nodes and weights of Gauss-Legendre quadrature from 0 to 1."""
    nodes, weights = leggauss(_NODES)
    return (nodes + 1) / 2, weights / 2


_RULE = _rule()
