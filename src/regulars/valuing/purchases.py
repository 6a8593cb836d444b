"""BG/NBD and MBG/NBD: customers order at their own rate until, after some order, they leave.

A customer orders at random with a rate drawn from a gamma distribution (shape r, rate α), and leaves after an order with a
chance p drawn from a beta distribution (a, b). BG/NBD gives this chance after every repeat order, MBG/NBD after the first
order too. With x repeat orders, the last at time t, seen until T, and k = x (BG) or x + 1 (MBG) chances to leave, the
likelihood of a history is ::

    Γ(r+x) α^r / Γ(r) · [ B(a, b+k) (α+T)^-(r+x)  +  (k>0) B(a+1, b+k-1) (α+t)^-(r+x) ] / B(a, b)

where the first term is a customer who is still there and the second one who left at t. Their ratio, e^D, gives everything
else: P(alive) = 1 / (1 + e^D).

References
----------
Fader, Hardie, Lee (2005), "Counting your customers" the easy way: an alternative to the Pareto/NBD model. Marketing
Science 24(2).
Batislam, Denizel, Filiztekin (2007), Empirical validation and comparison of models for customer base analysis.
International Journal of Research in Marketing 24(3).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import digamma, expit, gammaln

from regulars.valuing.histories import Floats, Histories, Params, distinct_rows

__all__ = ["beta_nodes", "expected_if_alive", "likelihoods", "log_odds_left", "nbd_likelihoods"]

#: Chances to leave before the first repeat order.
FIRST_CHANCES = {"bg-nbd": 0, "mbg-nbd": 1}

_NODES = 128  # of the integral over the chance to leave: relative error below 1e-9 (tests compare with mpmath)
_CHUNK = 4096


def nbd_likelihoods(params: Params, rows: Histories) -> tuple[Floats, Floats]:
    """Log-likelihood of each row if nobody ever leaves, and its gradient.

    Parameters
    ----------
    params
        r and α.
    rows
        Histories, n rows.

    Returns
    -------
    values, gradient
        Shapes (n,) and (2, n); the gradient is for the logarithms of the parameters.
    """
    r, alpha = params
    x, T = rows.repeats.column, rows.age
    elapsed, slope = T.each(lambda v: np.log1p(v / alpha)), T.each(lambda v: v / (alpha + v))
    values = rows.repeats.each(lambda v: gammaln(r + v) - gammaln(r) - v * np.log(alpha)) - (r + x) * elapsed
    by_r = r * (rows.repeats.each(lambda v: digamma(r + v) - digamma(r)) - elapsed)
    return values, np.stack([by_r, (r + x) * slope - x])


def log_odds_left(kind: str, params: Params, rows: Histories) -> Floats:
    """Logarithm of the odds that a customer has left, shape (n,); -inf where nobody can have left yet."""
    r, alpha, a, b = params
    chances = FIRST_CHANCES[kind]
    since = rows.age.each(lambda v: np.log1p(v / alpha)) - rows.active.each(lambda v: np.log1p(v / alpha))
    left = rows.repeats.each(lambda v: _log_odds_at_last(v + chances, a, b))
    return left + (r + rows.repeats.column) * since


def likelihoods(kind: str, params: Params, rows: Histories) -> tuple[Floats, Floats]:
    """Log-likelihood of each row under BG/NBD or MBG/NBD, and its gradient.

    Parameters
    ----------
    kind
        ``"bg-nbd"`` or ``"mbg-nbd"``.
    params
        r, α, a and b.
    rows
        Histories, n rows.

    Returns
    -------
    values, gradient
        Shapes (n,) and (4, n); the gradient is for the logarithms of the parameters.

    Examples
    --------
    >>> rows = Histories.of(np.array([2.0]), np.array([30.43]), np.array([38.86]))
    >>> likelihoods("bg-nbd", (0.2426, 4.4136, 0.7929, 2.4259), rows)[0].round(4).tolist()
    [-9.4597]
    """
    r, alpha, a, b = params
    chances = FIRST_CHANCES[kind]
    values, by_rate = nbd_likelihoods((r, alpha), rows)
    odds = log_odds_left(kind, params, rows)
    left = expit(odds)
    k = rows.repeats.values + chances
    stayed = gammaln(b + k) - gammaln(b) - gammaln(a + b + k) + gammaln(a + b)
    both = digamma(a + b) - digamma(a + b + k)
    by_b = b * (digamma(b + k) - digamma(b) + both)
    at_last = np.where(k > 0, b / np.where(k > 0, b + k - 1, 1.0), 0.0)
    since = rows.age.each(lambda v: np.log1p(v / alpha)) - rows.active.each(lambda v: np.log1p(v / alpha))
    slope = rows.active.each(lambda v: v / (alpha + v)) - rows.age.each(lambda v: v / (alpha + v))
    index = rows.repeats.index
    gradient = np.stack(
        [
            by_rate[0] + r * left * since,
            by_rate[1] + left * (r + rows.repeats.column) * slope,
            a * both[index] + left,
            by_b[index] - left * at_last[index],
        ]
    )
    return values + stayed[index] + np.logaddexp(0.0, odds), gradient


def expected_if_alive(kind: str, params: Params, repeats: Floats, age: Floats, horizons: Sequence[float]) -> Floats:
    """Expected orders up to each horizon of customers who are still there, shape (n, len(horizons)).

    With s = r + x, z = H / (α + T), and p from Beta(a, b + k)::

        E[ (1 - (1 + p z)^-s) / p ]

    This is the closed form with ₂F₁ before it is divided by a - 1: every part is positive, so it also holds for a = 1, many
    orders and long horizons. The integral is a sum over `beta_nodes`, which depend on x only.
    """
    r, alpha, a, b = params
    rows, index = distinct_rows((repeats, age))
    counts, of_row = np.unique(repeats[rows], return_inverse=True)
    found = np.empty((len(rows), len(horizons)))
    for start in range(0, len(rows), _CHUNK):  # rows are in the order of x: a chunk needs few nodes
        part = slice(start, start + _CHUNK)
        own, which = np.unique(of_row[part], return_inverse=True)
        nodes, weights = beta_nodes(a, b + counts[own] + FIRST_CHANCES[kind])
        p, w, s = nodes[which], weights[which], (r + repeats[rows][part])[:, None]
        for column, horizon in enumerate(horizons):
            z = (horizon / (alpha + age[rows][part]))[:, None]
            found[part, column] = np.sum(w * -np.expm1(-s * np.log1p(p * z)) / p, axis=1)
    return found[index]


@np.errstate(under="ignore")
def beta_nodes(a: float, b: Floats, n: int = _NODES) -> tuple[Floats, Floats]:
    """Nodes and weights for the mean of a smooth function of p ~ Beta(a, b).

    The trapezium rule in t, where the logit of p is its mode + width · sinh(t): it follows tails of any length, so it
    serves tiny and huge a and b alike.

    Returns
    -------
    nodes, weights
        Both of shape (len(b), n); the weights of a row sum to 1.

    Examples
    --------
    >>> p, w = beta_nodes(2.0, np.array([3.0]))
    >>> float((w * p).sum().round(12))  # the mean of Beta(2, 3)
    0.4
    """
    b = b[:, None]
    mode, width = np.log(a) - np.log(b), np.minimum(1.0, np.sqrt(1 / a + 1 / b))
    low = np.arcsinh((45 / a + np.maximum(mode, 0) + 12 * width) / width)
    high = np.arcsinh((45 / b + np.maximum(-mode, 0) + 12 * width) / width)
    t = -low + (low + high) * np.linspace(0.0, 1.0, n)
    logit = mode + width * np.sinh(t)
    log_weight = -a * np.logaddexp(0.0, -logit) - b * np.logaddexp(0.0, logit) + np.log(np.cosh(t))
    weights = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
    return np.maximum(expit(logit), 1e-300), weights / weights.sum(axis=1, keepdims=True)


def _log_odds_at_last(k: Floats, a: float, b: float) -> Floats:
    """Logarithm of a / (b + k - 1), the odds to leave at the last of k chances; -inf without a chance."""
    return np.where(k > 0, np.log(a) - np.log(np.where(k > 0, b + k - 1, 1.0)), -np.inf)
