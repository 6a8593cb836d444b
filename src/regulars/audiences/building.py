"""Who is in an audience, who of them can and may be reached, and who is held out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import ibis
import ibis.expr.types as ir

from regulars.audiences.addresses import clean_email, clean_phone
from regulars.audiences.formats import FORMATS, Format
from regulars.cleaning import consents, refuses
from regulars.errors import NotEnoughDataError, OptionError, listed
from regulars.keeping import keep
from regulars.pipeline import Segmentation
from regulars.profiling import at_risk
from regulars.profiling.segments import HIGH
from regulars.uplift import control_needed, smallest_effect
from regulars.wording import counted, percent

__all__ = ["AT_RISK", "CONTROL", "EVERYONE", "TOOLS", "TREATED", "Audience", "build_audience"]

AT_RISK = "at-risk"  # the name of the list of customers at risk
EVERYONE = "everyone"  # the name of all customers
TOOLS = tuple(FORMATS)

TREATED, CONTROL = "treated", "control"
NO_ADDRESS, NO_CONSENT = "no address", "no consent"

RISES = (0.02, 0.05, 0.1)  # of the share of buyers, for which the size of the control group is told
_USUAL = 0.10  # share of buyers that is taken where the run has no forecast


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """A list for a tool, and who is not on it.

    Parameters
    ----------
    name, kind
        Of the audience; `kind` is ``"segment"``, ``"named group"`` or ``"list"``.
    tool
        One of `TOOLS`.
    members
        Customers of the segment, group or list in the run: `no_address` + `no_consent` + `held_out` + `written`.
    no_address, no_consent
        Those who cannot be reached by this tool; of the others, those who have not agreed to marketing.
    unknown_consent
        Of `no_consent`, those of whom it is not known.
    held_out, written
        Those in the control group, and those on the list.
    bad_emails, bad_phones
        Members with an e-mail address, or a phone number, that cannot be used.
    has_consent
        Whether the source says who agreed; else nobody was asked.
    holdout, seed
        Share of those who could be reached that was held out; seed of the draw.
    chance, horizon_days
        Mean chance of an order within this many days; `None` where the run has no forecast.
    table
        What is written; lazy.
    groups
        `customer_id`, `group` and `stratum` (null where not drawn) of all members; lazy.
    result
        The run.
    """

    name: str
    kind: str
    tool: str
    members: int
    no_address: int
    no_consent: int
    unknown_consent: int
    held_out: int
    written: int
    bad_emails: int
    bad_phones: int
    has_consent: bool
    holdout: float
    seed: int
    chance: float | None
    horizon_days: int | None
    table: ir.Table = field(repr=False)
    groups: ir.Table = field(repr=False)
    result: Segmentation = field(repr=False)

    def counts(self) -> dict[str, int]:
        """Customers by what became of them; `members` is the sum of the four after it."""
        names = ("members", "no_address", "no_consent", "held_out", "written")
        return {name: getattr(self, name) for name in (*names, "unknown_consent", "bad_emails", "bad_phones")}

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; without the tables."""
        plain = ("name", "kind", "tool", "has_consent", "holdout", "seed", "chance", "horizon_days")
        return {name: getattr(self, name) for name in plain} | self.counts() | {"size_note": self.size_note()}

    def size_note(self) -> str:
        """Say which effect a control group of this size can show, and how large it must be for others."""
        reached = self.held_out + self.written
        share = _USUAL if self.chance is None else self.chance
        if self.chance is None:
            basis = f"If {percent(share)} buy anyway (the run has no forecast for them)"
        else:
            basis = f"{percent(share)} are expected to buy anyway within {self.horizon_days} days"
        sentences = [basis]
        if self.held_out:
            seen = _points(smallest_effect(self.written, self.held_out, share=share))
            sentences.append(f"With {counted(self.held_out, 'customer')} held out, {seen} can be seen")
        needed = {rise: control_needed(reached, share=share, rise=rise) for rise in RISES}
        sizes = [f"{number:,} for {100 * rise:.0f} points" for rise, number in needed.items() if number is not None]
        if sizes:
            sentences.append(f"Needed in the control group: {', '.join(sizes)}")
        if None in needed.values():
            most = _points(smallest_effect(reached - reached // 2, reached // 2, share=share))
            sentences.append(f"Half of this audience held out, the most that helps, shows {most}")
        return f"{'. '.join(sentences)} (power 80%, 5% two-sided)."


def _points(rise: float | None) -> str:
    return "no rise" if rise is None else f"a rise of {100 * rise:.1f} points or more"


def build_audience(
    result: Segmentation,
    segment: str,
    *,
    tool: str = "csv",
    holdout: float = 0.0,
    seed: int = 0,
    where: Callable[[ir.Table], ir.BooleanValue] | None = None,
    name: str | None = None,
) -> Audience:
    """Make the list of a segment, a named group, the customers at risk or all customers for a tool.

    Parameters
    ----------
    result
        From `regulars.segment` or `regulars.open_run`.
    segment
        Name of a segment, of a group (`rfm_group`), ``"at-risk"``, or ``"everyone"``; capitals make no difference.
    tool
        One of `TOOLS`.
    holdout
        Share, 0 to below 1, of those who could be reached that is held out, drawn within segments and quarters of spend by a
        hash of seed and customer id: the order of rows and the machine change nothing. Customers with the same address are
        held out together.
    seed
        Another seed, another draw.
    where
        Which of them are meant: the run's table of customers → a condition.
    name
        What the audience is called in the list; default: the name of the segment or group.

    Returns
    -------
    Audience
        A few queries count who is in it; its tables hold the members, inside an engine of their own.

    Raises
    ------
    OptionError
        There is no such segment or tool, or the share does not fit.
    NotEnoughDataError
        Nobody can be reached, or nobody would be left in one of the two groups.

    Examples
    --------
    >>> import regulars as rg
    >>> result = rg.segment(rg.make_orders(customers=600, seed=1).orders)
    >>> audience = build_audience(result, "loyal HIGH-value", holdout=0.1)
    >>> audience.name, audience.members == audience.held_out + audience.written == result.segments[0].profile.customers
    ('Loyal high-value', True)
    >>> french = build_audience(result, "everyone", where=lambda people: people.country == "France", name="France")
    >>> french.name, french.members < result.customers_total
    ('France', True)
    """
    if tool not in FORMATS:
        raise OptionError(f"There is no list for {tool!r}.", hint=f"Choose one of {listed(FORMATS)}.")
    if not 0 <= holdout < 1:
        raise OptionError(f"The share to hold out is {holdout}.", hint="Give a share below 1, such as 0.1 or 10%.")
    found, kind, chosen = _find(result, segment)
    name, form = name or found, FORMATS[tool]
    if where is not None:
        chosen = chosen & where(result.customers)
    people = _told(result, chosen, form)
    drawn = _drawn(people, share=holdout, seed=seed)
    counts = _count(drawn)
    if counts["written"] == 0:
        raise NotEnoughDataError(
            f"Nobody is left of the {counted(counts['members'], 'customer')} of {name}: {counts['no_address']:,} have no "
            f"usable address, {counts['no_consent']:,} no consent, {counts['held_out']:,} are held out.",
            hint="Look at the e-mail, phone and consent columns, or hold out fewer.",
        )
    if holdout and counts["held_out"] == 0:
        raise NotEnoughDataError(
            f"{percent(holdout)} of the addresses of {counted(counts['written'], 'customer')} is none to hold out.",
            hint="Hold out more, or take a larger audience; customers with the same address count as one.",
        )
    chance = counts.pop("chance")
    listed_ = drawn.filter(drawn["_group"] == TREATED).order_by(ibis.desc("monetary"), "customer_id")
    return Audience(
        name=name,
        kind=kind,
        tool=tool,
        **counts,
        has_consent="consent" in result.customers.columns,
        holdout=holdout,
        seed=seed,
        chance=chance,
        horizon_days=None if result.outlook is None or chance is None else result.outlook.horizon_days,
        table=form.columns(listed_, name),
        groups=drawn.order_by("customer_id").select("customer_id", group="_group", stratum="_stratum"),
        result=result,
    )


def _find(result: Segmentation, wanted: str) -> tuple[str, str, ir.BooleanValue]:
    """Find name, kind and condition of an audience."""
    people, asked = result.customers, " ".join(wanted.split()).casefold()
    for segment in result.segments:
        if segment.name.casefold() == asked:
            return segment.name, "segment", people["segment_id"] == segment.id
    for name, *_ in result.groups:
        if name.casefold() == asked:
            return name, "named group", people["rfm_group"] == name
    if asked == AT_RISK:
        return AT_RISK, "list", _at_risk(result)
    if asked == EVERYONE:
        return EVERYONE, "list", people["customer_id"].notnull()
    segments = listed((segment.name for segment in result.segments), most=40)
    groups = listed((name for name, *_ in result.groups), most=40)
    raise OptionError(
        f"There is no segment or group {wanted!r}.",
        hint=f"Segments: {segments}. Groups: {groups}. Or {AT_RISK}, the list of customers at risk; or {EVERYONE}.",
    )


def _at_risk(result: Segmentation) -> ir.BooleanValue:
    """Whether a customer is on the run's list of those at risk."""
    people = result.customers
    if result.outlook is not None:
        return at_risk(people, result.outlook.at_risk_limit)
    return (people["value_percentile"] >= HIGH) & (people["recency_days"] > result.gaps.p75)


def _told(result: Segmentation, chosen: ir.BooleanValue, form: Format) -> ir.Table:
    """Bring the members over, and say of each how they are reached, or why not."""
    members = result.customers.filter(chosen)
    if form.needs and not {"email", "phone"} & set(members.columns):
        raise OptionError(
            f"{form.title} needs {form.needs}, and the run has none: {result.source} had no such column.",
            hint="Run 'regulars segment' again and map it, such as --map email=COLUMN, or export for csv.",
        )
    con = ibis.duckdb.connect()
    con.raw_sql("SET enable_progress_bar = false")
    people = con.create_table("members", members.to_pyarrow())
    for name, clean in (("email", clean_email), ("phone", clean_phone)):
        found = clean(people[name]) if name in people.columns else ibis.null("string")
        people = people.mutate(**{f"_{name}": found})
    agreed = consents(people["consent"]) if "consent" in people.columns else ibis.literal(True)
    address = form.address(people)
    status = ibis.cases((address.isnull(), NO_ADDRESS), (~agreed, NO_CONSENT), else_=TREATED)
    return people.mutate(_address=address, _status=status)


def _drawn(people: ir.Table, *, share: float, seed: int) -> ir.Table:
    """Add `_group` and `_stratum`, kept inside the engine.

    Those who can be reached stand in a row, stratum after stratum, within it in an order that a hash gives, and every
    1/share-th of the row is held out: as many of each stratum as its size asks for, to one customer.
    """
    if not share:
        return keep(people.mutate(_group=people["_status"], _stratum=ibis.null("int64")))
    heads = (
        people.filter(people["_status"] == TREATED).group_by("_address").agg(customer_id=ibis._["customer_id"].min())
    )
    own = people.select("customer_id", "monetary", segment=people["segment"].fill_null(""))
    heads = heads.inner_join(own, "customer_id")
    draw = (ibis.literal(f"{seed}:") + heads["customer_id"]).hexdigest("sha256")
    heads = heads.mutate(_draw=draw)
    quarter = ibis.ntile(4).over(group_by="segment", order_by=["monetary", "customer_id"])
    heads = heads.mutate(_quarter=quarter)
    row = ibis.row_number().over(order_by=["segment", "_quarter", "_draw", "customer_id"])
    heads = heads.mutate(_row=row, _stratum=ibis.dense_rank().over(order_by=["segment", "_quarter"]))
    start = int.from_bytes(hashlib.sha256(f"{seed}".encode()).digest()[:6], "big") / 2**48
    held = (heads["_row"] * share + start).floor() < ((heads["_row"] + 1) * share + start).floor()
    heads = heads.select("_address", _held=held, _stratum=heads["_stratum"].cast("int64"))
    joined = people.left_join(heads, "_address").drop("_address_right")
    reached = joined["_status"] == TREATED
    return keep(
        joined.mutate(
            _group=(reached & joined["_held"]).ifelse(CONTROL, joined["_status"]),
            _stratum=reached.ifelse(joined["_stratum"], ibis.null("int64")),
        )
    )


def _count(drawn: ir.Table) -> dict[str, Any]:
    """Count what became of the members, and the mean chance of those who can be reached; one query."""
    group, reached = drawn["_group"], drawn["_group"].isin([TREATED, CONTROL])
    flags = {
        "no_address": group == NO_ADDRESS,
        "no_consent": group == NO_CONSENT,
        "held_out": group == CONTROL,
        "written": group == TREATED,
    }
    for name in ("email", "phone"):
        if name in drawn.columns:
            flags[f"bad_{name}s"] = drawn[name].notnull() & drawn[f"_{name}"].isnull()
    if "consent" in drawn.columns:
        flags["unknown_consent"] = (group == NO_CONSENT) & ~refuses(drawn["consent"])
    means = {}
    if "p_active" in drawn.columns:
        means["chance"] = drawn["p_active"].cast("decimal(18, 9)").mean(where=reached).cast("float64")
    sums = {name: drawn.count(where=flag) for name, flag in flags.items()}
    found: dict[str, Any] = drawn.agg(members=drawn.count(), **sums, **means).to_pyarrow().to_pylist()[0]
    return {"bad_emails": 0, "bad_phones": 0, "unknown_consent": 0, "chance": None} | found
