"""Charts of k: what each number of segments gave, and how well the customers fit into theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from regulars.charts.look import BAR, HOVER, HOVER_NAMED, INK, MUTED, OUTLINE, beside, framed, legend_name, listing
from regulars.clustering import MIN_STABILITY
from regulars.palette import colour
from regulars.wording import counted, percent

if TYPE_CHECKING:
    from regulars.charts.look import Table
    from regulars.clustering import Trial
    from regulars.pipeline import Segmentation

MOST_KNIVES = 150  # points of a silhouette's outline


def choice_of_k(result: Segmentation) -> go.Figure:
    """Inertia with its knee above, stability and silhouette below: why this number of segments.

    With a back-test, a third plot shows what the segments of each k knew about who bought again.
    """
    trials, choice = result.trials, result.choice
    own = _own(result)
    rows = 3 if _informed(trials) else 2
    figure = framed(
        f"{counted(choice.k, 'segment')}: stability {own.stability:.2f}, silhouette {own.silhouette:.2f}",
        alt=" ".join(filter(None, (choice.reason, choice.warning, _fall(trials)))),
        table=_trials(trials),
        height=520 if rows == 2 else 680,
        grid=make_subplots(rows=rows, cols=1, shared_xaxes=True, vertical_spacing=0.07 if rows == 2 else 0.05),
    )
    _add_inertia(figure, result)
    _add_quality(figure, trials)
    if rows == 3:
        _add_information(figure, trials)
    figure.add_vline(x=choice.k, line={"color": INK, "width": 1.5, "dash": "dash"}, row="all", col=1)
    figure.update_xaxes(dtick=1, showgrid=False, range=[trials[0].k - 0.4, trials[-1].k + 0.4])
    figure.update_xaxes(title="k: number of segments (dashed: chosen)", row=rows, col=1)
    return figure


def _informed(trials: tuple[Trial, ...]) -> bool:
    """Whether a back-test says what the trials knew."""
    return any(trial.information is not None for trial in trials)


def _own(result: Segmentation) -> Trial:
    """The trial of the chosen k."""
    return next(trial for trial in result.trials if trial.k == result.choice.k)


def _fall(trials: tuple[Trial, ...]) -> str:
    first, last = trials[0], trials[-1]
    return f"Inertia falls from {first.inertia:,.0f} at k = {first.k} to {last.inertia:,.0f} at k = {last.k}."


def _trials(trials: tuple[Trial, ...]) -> Table:
    known = ("information in bits",) if _informed(trials) else ()
    return (
        ("k", "inertia", "silhouette", "stability", "smallest segment", *known, "why not"),
        [
            (
                trial.k,
                f"{trial.inertia:,.0f}",
                f"{trial.silhouette:.3f}",
                f"{trial.stability:.2f}",
                percent(trial.smallest_share),
                *("" if trial.information is None else f"{trial.information:.3f}" for _ in known),
                "; ".join(trial.shortcomings),
            )
            for trial in trials
        ],
    )


def _add_inertia(figure: go.Figure, result: Segmentation) -> None:
    trials = result.trials
    figure.add_scatter(
        x=[trial.k for trial in trials],
        y=[round(trial.inertia, 1) for trial in trials],
        mode="lines+markers",
        name="inertia: sum of squared distances",
        line={"color": BAR, "width": 2.5},
        marker={"size": 8},
        customdata=[f"k = {trial.k}: {trial.inertia:,.0f}" for trial in trials],
        hovertemplate=HOVER,
        row=1,
        col=1,
    )
    for knee in (trial for trial in trials if trial.k == result.choice.anchor):
        figure.add_annotation(
            x=knee.k, y=knee.inertia, text=f"knee at {knee.k}", ax=42, ay=-34, arrowcolor=OUTLINE, row=1, col=1
        )
    figure.update_yaxes(title="inertia", rangemode="tozero", row=1, col=1)


def _add_quality(figure: go.Figure, trials: tuple[Trial, ...]) -> None:
    for name, dash, symbol, number in (("stability", "solid", "diamond", 0), ("silhouette", "dash", "square", 6)):
        values = [round(getattr(trial, name), 4) for trial in trials]
        figure.add_scatter(
            x=[trial.k for trial in trials],
            y=values,
            mode="lines+markers",
            name=name,
            line={"color": colour(number), "width": 2.5, "dash": dash},
            marker={"size": 8, "symbol": symbol, "line": {"color": OUTLINE, "width": 0.7}},
            customdata=[f"k = {trial.k}: {name} {value:.2f}" for trial, value in zip(trials, values, strict=True)],
            hovertemplate=HOVER,
            row=2,
            col=1,
        )
    figure.add_hline(y=MIN_STABILITY, line={"color": MUTED, "width": 1, "dash": "dot"}, row=2, col=1)
    figure.add_annotation(
        x=trials[0].k, y=MIN_STABILITY, text=f"stability asked for: {MIN_STABILITY}", showarrow=False, xanchor="left",
        yshift=-9, font={"size": 11}, row=2, col=1,
    )  # fmt: skip
    lowest = min(0.0, *(trial.silhouette for trial in trials), *(trial.stability for trial in trials))
    figure.update_yaxes(title="stability, silhouette", range=[lowest, 1.05], row=2, col=1)


def _add_information(figure: go.Figure, trials: tuple[Trial, ...]) -> None:
    known = [(trial.k, round(trial.information, 4)) for trial in trials if trial.information is not None]
    figure.add_scatter(
        x=[k for k, _ in known],
        y=[bits for _, bits in known],
        mode="lines+markers",
        name="information (back-test)",
        line={"color": colour(4), "width": 2.5},
        marker={"size": 8, "symbol": "triangle-up", "line": {"color": OUTLINE, "width": 0.7}},
        customdata=[f"k = {k}: {bits:.3f} bit about who bought again" for k, bits in known],
        hovertemplate=HOVER,
        row=3,
        col=1,
    )
    highest = max(bits for _, bits in known)
    figure.update_yaxes(title="bits", range=[0, highest * 1.15 or 1], row=3, col=1)


def silhouette_knives(result: Segmentation) -> go.Figure:
    """Silhouettes of the customers of each segment, from high to low: below zero, the next segment is nearer."""
    mean = _own(result).silhouette
    knives = {each.id: result.silhouettes.get(each.id, ()) for each in result.segments}
    rows = [(each.name, *_summary(knives[each.id])) for each in result.segments]
    figure = framed(
        f"Mean silhouette {mean:.2f}: how clearly customers belong to their segment",
        alt=listing((name, f"{below} of its customers are nearer to another segment") for name, *_, below in rows),
        table=(("segment", "customers measured", "mean silhouette", "below zero"), rows),
        height=340 + 24 * len(rows),
        **beside(result),
    )
    total = sum(len(values) for values in knives.values()) or 1
    start = 0.0
    for each in result.segments:
        values = knives[each.id]
        places = _places(len(values))
        figure.add_scatter(
            x=[values[i] for i in places],
            y=[round(start + i / total, 5) for i in places],
            fill="tozerox",
            mode="lines",
            name=legend_name(each),
            line={"color": colour(each.id), "width": 1.2},
            customdata=[f"silhouette {values[i]:.2f}" for i in places],
            hovertemplate=HOVER_NAMED,
        )
        start += len(values) / total + 0.02
    figure.add_vline(x=mean, line={"color": INK, "width": 1, "dash": "dash"})
    figure.add_annotation(
        x=mean, y=1, yref="paper", text=f"mean {mean:.2f}", showarrow=False, xanchor="left", xshift=4, font={"size": 11}
    )
    figure.update_xaxes(title="silhouette: 1 sits well, 0 between two segments,<br>below 0 nearer to another")
    figure.update_yaxes(
        title="customers, segment by segment", showticklabels=False, ticks="", showgrid=False, autorange="reversed"
    )
    return figure


def _summary(values: tuple[float, ...]) -> tuple[int, str, str]:
    """Customers measured, their mean silhouette, and the share below zero."""
    size = max(len(values), 1)
    return len(values), f"{sum(values) / size:.2f}", percent(sum(value < 0 for value in values) / size)


def _places(size: int) -> list[int]:
    """Which of so many sorted values are drawn: all of them, or some from the first to the last."""
    if size <= MOST_KNIVES:
        return list(range(size))
    return [round(i * (size - 1) / (MOST_KNIVES - 1)) for i in range(MOST_KNIVES)]
