"""HTML for notebooks: read back with an HTML parser; hand-made names that try to break out stay text."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser

import pytest

from regulars.cleaning import Audit, AuditLine
from regulars.html import audit_html, segmentation_html
from regulars.profiling import Action, Profile, Segment

EVIL = ("<script>alert(1)</script>", '"><img onerror=alert(1) src=x>', "</td></table><b>&amp;", "'; x='")


class Page(HTMLParser):
    """Tags, their attributes, and what stands in each row and paragraph."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.rows: list[list[str]] = []
        self.sides: list[list[str]] = []
        self.paragraphs: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
            self.sides.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.sides[-1].append("right" if "text-align: right" in dict(attrs)["style"] else "left")
        if tag == "p":
            self.paragraphs.append("")

    def handle_endtag(self, tag):
        assert self._open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        if self._open[-1] in ("td", "th"):
            self.rows[-1][-1] += data
        if self._open[-1] == "p":
            self.paragraphs[-1] += data


def a_line(title: str, rows: int, amount: str, *left: int, money: str) -> AuditLine:
    return AuditLine(
        rule="raw" if title == "as it came" else title,
        title=title,
        rows=rows,
        amount=Decimal(amount),
        rows_left=left[0],
        orders_left=left[1],
        customers_left=left[2],
        amount_left=Decimal(money),
    )


def an_audit(**changes) -> Audit:
    """1,500 lines worth 9,000.50, of which 200 have no customer; a rule that finds nothing; 100 returns."""
    facts = {
        "lines": (
            a_line("as it came", 0, "0", 1500, 700, 80, money="9000.50"),
            a_line("no customer", 200, "1000.25", 1300, 600, 80, money="8000.25"),
            a_line("no price", 0, "0", 1300, 600, 80, money="8000.25"),
            a_line("returns", 100, "-500", 1200, 580, 75, money="8500.25"),
        ),
        "first_day": date(2024, 1, 2),
        "last_day": date(2024, 12, 24),
        "returns": "net",
        "partly_returned": 0,
        "unmatched_returns": 0,
        "unmatched_amount": Decimal(0),
    }
    return Audit(**(facts | changes))


def a_segment(name: str = "Regulars", *, action: str = "Say thanks", **changes) -> Segment:
    """20 customers, a quarter of all, with 1,234.50 of revenue, 60 % of all."""
    middle = {"recency_days": 12.5, "frequency": 3.0, "monetary": 1050.0}
    facts = {
        "id": 0,
        "customers": 20,
        "orders": 70,
        "revenue": Decimal("1234.50"),
        "customer_share": 0.25,
        "revenue_share": 0.6,
        "value_percentile": 0.9,
        "new_share": 0.1,
        "quartiles": {column: (0.0, value, 9999.0) for column, value in middle.items()},
        "groups": (),
    }
    what = Action(name=name, action=action, who="", offer="", channel="", measure="")
    profile = Profile(**(facts | changes))
    return Segment(id=0, name=name, tier="high", activity="active", why=(), action=what, profile=profile)


@pytest.fixture
def result(sample_result):
    """The sample shop with one segment and an audit made by hand."""
    return replace(sample_result, segments=(a_segment(),), audit=an_audit(), source="shop.csv", currency="EUR")


class TestAudit:
    def test_a_row_for_every_step_that_found_something(self):
        assert Page(audit_html(an_audit())).rows == [
            ["Cleaning", "Rows set aside", "Money", "Rows left", "Orders", "Customers", "Money left"],
            ["as it came", "", "", "1,500", "700", "80", "9,000.50"],
            ["no customer", "200", "1,000.25", "1,300", "600", "80", "8,000.25"],
            ["returns", "100", "-500.00", "1,200", "580", "75", "8,500.25"],
        ]

    def test_the_last_line_says_that_rows_and_money_reconcile(self):
        assert Page(audit_html(an_audit())).paragraphs == [
            "From 2024-01-02 to 2024-12-24. "
            "Rows and money reconcile: 1,500 rows in = 300 set aside + 1,200 kept, and money to the cent."
        ]

    def test_the_last_line_says_when_they_do_not(self):
        lines = an_audit().lines
        wrong = an_audit(lines=(*lines[:-1], replace(lines[-1], amount_left=Decimal("8500.26"))))

        assert Page(audit_html(wrong)).paragraphs[-1].endswith("Rows and money do NOT reconcile.")

    def test_returns_without_a_purchase_are_reported(self):
        page = Page(audit_html(an_audit(unmatched_returns=1200, unmatched_amount=Decimal("99.9"))))

        assert page.paragraphs[0] == (
            "1,200 returns (99.90) found no purchase, or not enough of it, to take back; they are reported, not applied."
        )
        assert "reconcile" in page.paragraphs[-1]

    def test_a_notebook_shows_it(self):
        assert an_audit()._repr_html_() == audit_html(an_audit())


class TestSegmentation:
    def test_a_row_per_segment(self, result):
        titles, row = Page(segmentation_html(result)).rows

        assert titles[1:5] == ["Customers", "Share", "Revenue (EUR)", "Share"]
        assert titles[5:] == ["Days since last order", "Orders", "Spend (EUR)", "What to do"]
        assert row == ["Regulars", "20", "25.0%", "1,234.50", "60.0%", "12.5", "3", "1,050.00", "Say thanks"]

    def test_what_it_was_made_of_stands_above_and_what_days_mean_below(self, result):
        made = replace(result, customers_total=75, orders_total=580, revenue=Decimal("8500.25"))
        first, second, *_, last = Page(segmentation_html(made)).paragraphs

        assert first == "shop.csv: 1,500 order lines, 1,200 kept; 75 customers, 580 orders, net revenue 8,500.25 EUR"
        assert second == f"{result.choice.k} segments: {result.choice.reason}"
        assert last == f"Days, orders and spend are medians; days are counted back from {result.as_of}."

    def test_a_warning_about_the_number_of_segments_is_shown(self, result):
        warned = replace(result, choice=replace(result.choice, warning="No k is stable."))

        assert "No k is stable." in Page(segmentation_html(warned)).paragraphs

    def test_money_without_a_currency_names_none(self, result):
        titles, _ = Page(segmentation_html(replace(result, currency=None))).rows

        assert titles[3] == "Revenue"
        assert titles[7] == "Spend"

    def test_a_median_that_nobody_has_leaves_its_cell_empty(self, result):
        nobody = dict.fromkeys(("recency_days", "frequency", "monetary"))
        _, row = Page(segmentation_html(replace(result, segments=(a_segment(quartiles=nobody),)))).rows

        assert row[5:8] == ["", "", ""]

    def test_a_notebook_shows_it_and_asks_the_engine_nothing(self, sample_result, no_queries):
        with no_queries():
            page = Page(sample_result._repr_html_())

        assert [row[0] for row in page.rows[1:]] == [segment.name for segment in sample_result.segments]


class TestBoth:
    @pytest.mark.parametrize("text", EVIL)
    def test_no_text_becomes_a_tag(self, result, text):
        lines = tuple(replace(line, title=text) for line in an_audit().lines)
        evil = replace(
            result,
            source=text,
            currency=text,
            segments=(a_segment(text, action=text),),
            choice=replace(result.choice, reason=text, warning=text),
        )
        segments, audit = Page(segmentation_html(evil)), Page(audit_html(an_audit(lines=lines)))

        assert set(segments.tags) | set(audit.tags) <= {"div", "p", "table", "thead", "tbody", "tr", "th", "td"}
        assert segments.rows[1][0] == segments.rows[1][-1] == audit.rows[1][0] == text
        assert segments.paragraphs[0].startswith(f"{text}: ")
        assert {name for name, _ in segments.attributes + audit.attributes} == {"style", "scope"}

    def test_numbers_are_aligned_to_the_right_and_text_to_the_left(self, result):
        segments, audit = Page(segmentation_html(result)), Page(audit_html(an_audit()))

        assert segments.sides == [["left", *["right"] * 7, "left"]] * 2
        assert audit.sides == [["left", *["right"] * 6]] * 4

    def test_colours_are_those_of_the_page(self, result):
        styles = " ".join(value or "" for _, value in Page(segmentation_html(result)).attributes)

        assert "color: inherit" in styles
        assert "background: none" in styles
        assert "#" not in styles
