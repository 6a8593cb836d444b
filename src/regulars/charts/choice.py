"""Charts of k: what each number of segments gave, and how well the customers fit into theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from regulars.charts.look import BAR, INK, MUTED, escaped, framed
from regulars.clustering import MIN_STABILITY
from regulars.palette import colour
from regulars.wording import percent

if TYPE_CHECKING:
    from regulars.pipeline import Segmentation

MOST_KNIVES = 150  # points of a silhouette's outline


def choice_of_k(result: Segmentation) -> go.Figure:
    """Inertia with its knee above, stability and silhouette below: why this number of segments."""
    trials, choice = result.trials, result.choice
    ks = [trial.k for trial in trials]
    own = next(trial for trial in trials if trial.k == choice.k)
    figure = framed(
        f"{choice.k} segments: stability {own.stability:.2f}, silhouette {own.silhouette:.2f}",
        alt=f"{choice.reason} {choice.warning} Inertia falls from {trials[0].inertia:,.0f} at k = {ks[0]} to "
        f"{trials[-1].inertia:,.0f} at k = {ks[-1]}.",
        table=(
            ("k", "inertia", "silhouette", "stability", "smallest segment", "why not"),
            [
                (
                    t.k,
                    f"{t.inertia:,.0f}",
                    f"{t.silhouette:.3f}",
                    f"{t.stability:.2f}",
                    percent(t.smallest_share),
                    "; ".join(t.shortcomings),
                )
                for t in trials
            ],
        ),
        height=520,
        grid=make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.07),
    )
    figure.add_scatter(
        x=ks,
        y=[round(trial.inertia, 1) for trial in trials],
        mode="lines+markers",
        name="inertia: sum of squared distances",
        line={"color": BAR, "width": 2.5},
        marker={"size": 8},
        hovertemplate="k = %{x}: %{y:,.0f}<extra></extra>",
        row=1,
        col=1,
    )
    if choice.anchor is not None:
        knee = next(trial for trial in trials if trial.k == choice.anchor)
        figure.add_annotation(x=knee.k, y=knee.inertia, text=f"knee at {knee.k}", ax=42, ay=-34, row=1, col=1)
    for name, dash, symbol in (("stability", "solid", "diamond"), ("silhouette", "dash", "square")):
        figure.add_scatter(
            x=ks,
            y=[round(getattr(trial, name), 4) for trial in trials],
            mode="lines+markers",
            name=name,
            line={"color": colour(0 if name == "stability" else 6), "width": 2.5, "dash": dash},
            marker={"size": 8, "symbol": symbol, "line": {"color": INK, "width": 0.7}},
            hovertemplate=f"k = %{{x}}: {name} %{{y:.2f}}<extra></extra>",
            row=2,
            col=1,
        )
    figure.add_hline(y=MIN_STABILITY, line={"color": MUTED, "width": 1, "dash": "dot"}, row=2, col=1)
    figure.add_annotation(
        x=ks[0], y=MIN_STABILITY, text=f"stability asked for: {MIN_STABILITY}", showarrow=False, xanchor="left", yshift=-9,
        font={"size": 11}, row=2, col=1,
    )  # fmt: skip
    figure.add_vline(x=choice.k, line={"color": INK, "width": 1.5, "dash": "dash"}, row="all", col=1)
    figure.update_xaxes(dtick=1, showgrid=False)
    figure.update_xaxes(title="k: number of segments (dashed: chosen)", row=2, col=1)
    figure.update_yaxes(title="inertia", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title="0 to 1", range=[0, 1.05], row=2, col=1)
    return figure


def silhouette_knives(result: Segmentation) -> go.Figure:
    """Silhouettes of the customers of each segment, from high to low: below zero, the next segment is nearer."""
    own = next(trial for trial in result.trials if trial.k == result.choice.k)
    below = {i: sum(value < 0 for value in values) / max(len(values), 1) for i, values in result.silhouettes.items()}
    figure = framed(
        f"Mean silhouette {own.silhouette:.2f}: how clearly customers belong to their segment",
        alt=". ".join(
            f"{each.name}: {percent(below[each.id])} of its customers are nearer to another segment"
            for each in result.segments
        )
        + ".",
        table=(
            ("segment", "customers measured", "mean silhouette", "below zero"),
            [
                (each.name, len(values), f"{sum(values) / max(len(values), 1):.2f}", percent(below[each.id]))
                for each in result.segments
                if (values := result.silhouettes[each.id]) is not None
            ],
        ),
        height=400,
    )
    start, total = 0.0, sum(len(values) for values in result.silhouettes.values()) or 1
    for each in result.segments:
        values = result.silhouettes[each.id]
        size = len(values)
        places = sorted({round(i * (size - 1) / (MOST_KNIVES - 1)) for i in range(MOST_KNIVES)}) if size else []
        figure.add_scatter(
            x=[values[i] for i in places],
            y=[round(start + i / total, 5) for i in places],
            fill="tozerox",
            mode="lines",
            name=escaped(each.name),
            line={"color": colour(each.id), "width": 1.2},
            hovertemplate="silhouette %{x:.2f}<extra>%{fullData.name}</extra>",
        )
        start += (size + 0.02 * total) / total
    figure.add_vline(x=own.silhouette, line={"color": INK, "width": 1, "dash": "dash"})
    figure.add_annotation(
        x=own.silhouette, y=1, yref="paper", text=f"mean {own.silhouette:.2f}", showarrow=False, xanchor="left", xshift=4,
        font={"size": 11},
    )  # fmt: skip
    figure.update_xaxes(title="silhouette: 1 sits well, 0 between two segments, below 0 nearer to another")
    figure.update_yaxes(
        title="customers, segment by segment", showticklabels=False, ticks="", showgrid=False, autorange="reversed"
    )
    return figure
