"""Why a customer is where they are, and what would move them: a few numbers in, plain sentences out.

A customer is in the segment whose centre is nearest in the units of the scale, and in the group that the scores name.
`place` says where that is, `what_moves` which orders, silence or money would change it, `describe_place` why it is so.
Numbers only: no table, no query.
"""

from regulars.explaining.moves import Move, what_moves
from regulars.explaining.places import Place, place
from regulars.explaining.sentences import describe_place

__all__ = ["Move", "Place", "describe_place", "place", "what_moves"]
