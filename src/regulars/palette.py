"""The colours of segments and of named groups: the same in every figure, chart and page."""

from __future__ import annotations

__all__ = ["PALETTE", "colour"]

#: Petroff's ten, told apart under colour-vision deficiency, and two for the rare eleventh and twelfth segment.
PALETTE = (
    *("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd"),
    *("#2d6a4f", "#3d2c5e"),
)


def colour(segment_id: int) -> str:
    """Colour of a segment, the same in every figure."""
    return PALETTE[segment_id % len(PALETTE)]
