"""Which country a shop means: the ISO 3166 code for a name as people write it."""

from __future__ import annotations

import tomllib
import unicodedata
from functools import cache
from importlib.resources import files

#: Letters that are no letter with an accent in Unicode, and what people without them on their keyboard write.
PLAIN = str.maketrans({"ø": "o", "đ": "d", "ð": "d", "ł": "l", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "&": " and "})
#: Signs within a word: U.S.A., Côte d'Ivoire.
SILENT = str.maketrans("", "", ".'’`´")


def iso_alpha3(name: str) -> str | None:
    """Find the ISO 3166-1 alpha-3 code of a country.

    Parameters
    ----------
    name
        An English name, a usual other name, the name in the country's own language, or an alpha-2 or alpha-3 code.
        Capitals, accents and punctuation make no difference. ``"NA"`` is Namibia: sort out missing values before.

    Returns
    -------
    str or None
        Three capitals; ``XKX`` for Kosovo, which has no ISO code. None for what is no country or not known: a region,
        a city, an empty text.

    Examples
    --------
    >>> [iso_alpha3(name) for name in ("United Kingdom", "U.S.A.", "EIRE", "rsa", "Espana", "de", "St. Lucia")]
    ['GBR', 'USA', 'IRL', 'ZAF', 'ESP', 'DEU', 'LCA']
    >>> [iso_alpha3(name) for name in ("Channel Islands", "European Community", "Unspecified", "")]
    [None, None, None, None]
    """
    return codes_by_name().get(plain(name))


@cache
def codes_by_name() -> dict[str, str]:
    """Read ``countries.toml`` once: every code and name in its plain form, with the alpha-3 code it stands for."""
    table = tomllib.loads((files("regulars") / "countries.toml").read_text("utf-8"))
    return {plain(name): code for code, names in table.items() for name in (code, *names)}


def plain(name: str) -> str:
    """Write a name with small letters and single spaces only, without accents, signs and a "the" in front.

    Examples
    --------
    >>> plain("The Saint-Barthélemy"), plain("St.  Kitts & Nevis"), plain("U.S.A.")
    ('saint barthelemy', 'saint kitts and nevis', 'usa')
    """
    letters = unicodedata.normalize("NFKD", name.casefold().translate(SILENT).translate(PLAIN))
    spaced = "".join(sign if sign.isalnum() else " " for sign in letters if not unicodedata.combining(sign))
    words = spaced.split()
    if len(words) > 1:  # a word alone is left: ST is São Tomé
        words = ["saint" if word == "st" else word for word in words[words[0] == "the" :]]
    return " ".join(words)
