"""Figures of a segmentation, with Matplotlib and Seaborn. They read facts and compute nothing but bins.

Each function takes a `Segmentation` and gives a `matplotlib.figure.Figure`; `draw_figures` writes all that can be drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from regulars.errors import OptionError, OutputError, listed
from regulars.figures.choice import elbow_method, silhouette_score
from regulars.figures.clusters import customer_clusters
from regulars.figures.look import house_style
from regulars.figures.prospects import (
    calibration,
    gain_curves,
    order_tracking,
    revenue_at_risk,
    segment_outcomes,
)
from regulars.figures.rfm import rfm_distribution
from regulars.figures.spending import spending_patterns

if TYPE_CHECKING:
    from regulars.pipeline import Segmentation

__all__ = [
    "FIGURES",
    "calibration",
    "customer_clusters",
    "draw_figures",
    "drawable",
    "elbow_method",
    "gain_curves",
    "order_tracking",
    "revenue_at_risk",
    "rfm_distribution",
    "segment_outcomes",
    "silhouette_score",
    "spending_patterns",
]

#: Name of the file → function that draws it.
FIGURES: dict[str, Callable[[Segmentation], Figure]] = {
    "rfm_distribution": rfm_distribution,
    "customer_clusters": customer_clusters,
    "elbow_method": elbow_method,
    "silhouette_score": silhouette_score,
    "spending_patterns": spending_patterns,
    "segment_outcomes": segment_outcomes,
    "gain_curves": gain_curves,
    "calibration": calibration,
    "order_tracking": order_tracking,
    "revenue_at_risk": revenue_at_risk,
}

#: Figure → the fact that not every run has.
_NEEDS = {
    "segment_outcomes": "backtest",
    "gain_curves": "backtest",
    "calibration": "backtest",
    "order_tracking": "backtest",
    "revenue_at_risk": "outlook",
}

#: Format → how it is saved: without what would differ from run to run; points of scatter plots are pixels in SVG too.
_SAVING: dict[str, dict[str, Any]] = {
    "png": {"metadata": {"Software": None}, "pil_kwargs": {"compress_level": 3}},
    "svg": {"metadata": {"Date": None}, "dpi": 85},
}


def drawable(result: Segmentation) -> dict[str, Callable[[Segmentation], Figure]]:
    """Those of `FIGURES` whose facts a run has: without a back-test, there is nothing to say about what comes next."""
    lacking = {name for name, fact in _NEEDS.items() if getattr(result, fact) is None}
    return {name: draw for name, draw in FIGURES.items() if name not in lacking}


def draw_figures(
    result: Segmentation,
    folder: str | Path,
    *,
    formats: Sequence[str] = ("png", "svg"),
    dpi: int = 150,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[Path, ...]:
    """Write the figures of `drawable` into a folder, which is made where it is missing; equal facts give equal bytes.

    Parameters
    ----------
    result
        The facts to draw.
    folder
        Where to; files of the same name are replaced.
    formats
        Of ``"png"`` and ``"svg"``.
    dpi
        Dots per inch of the PNG: figures are 9 inches wide.
    progress
        Called with the figure in words, figures done and figures in all.

    Returns
    -------
    tuple of Path
        The files, in the order of `FIGURES` and `formats`.

    Raises
    ------
    OptionError
        A format is unknown.
    OutputError
        The folder or a file cannot be written.
    """
    if unknown := [name for name in formats if name not in _SAVING]:
        raise OptionError(f"There is no figure format {unknown[0]!r}.", hint=f"Choose from {listed(_SAVING)}.")
    target = Path(folder)
    figures, written = drawable(result), []
    try:
        target.mkdir(parents=True, exist_ok=True)
        for done, (name, draw) in enumerate(figures.items()):
            if progress is not None:
                progress(f"Drawing {name.replace('_', ' ')}", done, len(figures))
            with house_style():
                figure = draw(result)
                for kind in formats:
                    path = target / f"{name}.{kind}"
                    figure.savefig(path, format=kind, **({"dpi": dpi} | _SAVING[kind]))
                    written.append(path)
    except OSError as error:
        raise OutputError(
            f"Cannot write figures to {target}: {error.strerror or error}.",
            hint="Choose a folder that you may write to.",
        ) from error
    return tuple(written)
