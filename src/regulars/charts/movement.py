"""Chart of who moved between two dates or two runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from regulars import captions
from regulars.charts.look import CURRENCY, HOVER, MUTED, OUTLINE, cut, escaped, faint, framed, stacked
from regulars.comparing import BECAUSE
from regulars.palette import colour
from regulars.wording import counted, day, money, unit

if TYPE_CHECKING:
    from regulars.charts.look import Table
    from regulars.comparing import Flow, Movement, Moves, Node

LEAST_HEIGHT, ROW = 600, 56  # pixels: in all, and for a node
GAP = 14  # pixels between nodes
MARGIN = {"l": 10, "r": 10, "t": 76, "b": 12}
NODE_NAME, HOVER_NAME = 22, 40  # letters
#: Reason of a move → its column in the table.
REASONS = {"customer": "only the customer changed", "cuts": "only the cut points moved", "both": "both"}
NONE = OUTLINE  # colour of those who are in no segment
EDGE = 0.001  # Plotly takes 0 for "not given"


def movement(found: Movement, by: str = "segments") -> go.Figure:
    """Customers of the earlier date at the left, of the later date at the right, best at the top of both sides.

    Parameters
    ----------
    found
        From `regulars.compare` or `regulars.compare_runs`.
    by
        ``"segments"`` or ``"groups"``.

    Raises
    ------
    OptionError
        There is no such grouping.
    """
    moves = found.by(by)
    sides = [[node for node in nodes if node.customers] for nodes in (moves.before, moves.after)]
    height = max(LEAST_HEIGHT, MARGIN["t"] + MARGIN["b"] + ROW * max(map(len, sides)))
    days = [day(moment.as_of) for moment in (found.before, found.after)]
    figure = framed(
        captions.movement_title(moves),
        alt=f"Customers by {by} on {days[0]} and on {days[1]}. {' '.join(moves.words)}",
        table=_table(found, moves),
        height=height,
        margin=MARGIN,
    )
    _add_sankey(figure, found, moves, sides=sides, room=height - MARGIN["t"] - MARGIN["b"])
    for x, anchor, text in ((0, "left", days[0]), (1, "right", days[1])):
        figure.add_annotation(
            x=x, xanchor=anchor, y=1, yanchor="bottom", yshift=4, text=text, showarrow=False, font={"color": MUTED}
        )
    figure.update_annotations(xref="paper", yref="paper")
    return figure


def _add_sankey(
    figure: go.Figure, found: Movement, moves: Moves, *, sides: Sequence[Sequence[Node]], room: float
) -> None:
    tones = _tones(moves)
    nodes = [node for side in sides for node in side]
    left, right = ({node.name: i for i, node in enumerate(side)} for side in sides)
    figure.add_sankey(
        arrangement="fixed",
        node={
            "label": [escaped(cut(node.name, NODE_NAME)) for node in nodes],
            "x": [EDGE] * len(left) + [1 - EDGE] * len(right),
            "y": _heights(sides, room),
            "color": [tones[node.name] for node in nodes],
            "line": {"color": OUTLINE, "width": 0.5},
            "pad": GAP,
            "thickness": 16,
            "customdata": [_node_text(found, node) for node in nodes],
            "hovertemplate": HOVER,
        },
        link={
            "source": [left[flow.before] for flow in moves.flows],
            "target": [len(left) + right[flow.after] for flow in moves.flows],
            "value": [flow.total.customers for flow in moves.flows],
            "color": [faint(tones[flow.before], 0.4) for flow in moves.flows],
            "customdata": [_flow_text(found, flow) for flow in moves.flows],
            "hovertemplate": HOVER,
        },
    )


def _tones(moves: Moves) -> dict[str, str]:
    """Colours of the places, the same on both sides: those of the later one; what is gone there takes the next."""
    tones = {node.name: NONE if node.id is None else colour(node.id) for node in moves.after}
    gone = [node for node in moves.before if node.name not in tones]
    return tones | {node.name: NONE if node.id is None else colour(len(tones) + i) for i, node in enumerate(gone)}


def _heights(sides: Sequence[Sequence[Node]], room: float) -> list[float]:
    """Where the middle of each node is, from the top, as shares of the room: side by side, in the given order."""
    most = max(map(len, sides))
    everyone = sum(node.customers for node in sides[0])
    pixels = (room - GAP * (most - 1)) / everyone  # of a customer
    places = []
    for side in sides:
        top = 0.0
        for node in side:
            tall = node.customers * pixels
            places.append(round(min(max((top + tall / 2) / room, EDGE), 1 - EDGE), 4))
            top += tall + GAP
    return places


def _money(found: Movement, value: Any) -> str:
    return money(float(value), cut(found.currency or "", CURRENCY))


def _node_text(found: Movement, node: Node) -> str:
    facts = stacked(counted(node.customers, "customer"), f"{_money(found, node.revenue)} net revenue")
    return f"<b>{escaped(cut(node.name, HOVER_NAME))}</b><br>{facts}"


def _flow_text(found: Movement, flow: Flow) -> str:
    total = flow.total
    return stacked(
        f"{cut(flow.before, HOVER_NAME)} → {cut(flow.after, HOVER_NAME)}",
        counted(total.customers, "customer"),
        f"net revenue {_money(found, total.revenue_before)} → {_money(found, total.revenue_after)}",
        *(f"{sums.customers:,}: {BECAUSE[because]}" for because, sums in flow.parts.items()),
    )


def _table(found: Movement, moves: Moves) -> Table:
    revenue = f"revenue in {unit(cut(found.currency or '', CURRENCY))}"
    return (
        ("from", "to", "customers", *REASONS.values(), f"{revenue}, before", f"{revenue}, after"),
        [
            (
                flow.before,
                flow.after,
                flow.total.customers,
                *(flow.parts[one].customers if one in flow.parts else 0 for one in REASONS),
                f"{flow.total.revenue_before:,.2f}",
                f"{flow.total.revenue_after:,.2f}",
            )
            for flow in moves.flows
        ],
    )
