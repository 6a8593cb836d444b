"""Countries: names as shops write them, and the codes of ISO 3166-1."""

import json
import tomllib
from importlib.resources import files

import pytest

from regulars.countries import iso_alpha3, plain

TABLE = tomllib.loads((files("regulars") / "countries.toml").read_text("utf-8"))


@pytest.mark.parametrize(
    ("code", "names"),
    [
        (
            "GBR",
            ("United Kingdom", "UK", "U.K.", "Great Britain", "england", "SCOTLAND", "Wales", "Northern Ireland", "GB"),
        ),
        ("IRL", ("EIRE", "Éire", "Ireland", "Republic of Ireland", "IE", "IRL")),
        ("USA", ("USA", "U.S.A.", "U.S.", "us", "United States", "The United States of America")),
        ("ZAF", ("RSA", "South Africa", "za")),
        ("CZE", ("Czechia", "Czech Republic", "Česko", "cz")),
        ("KOR", ("Korea", "South Korea", "Korea, Republic of", "Republic of Korea")),
        ("PRK", ("North Korea", "Korea, Democratic People's Republic of")),
        ("DEU", ("Germany", "Deutschland", "  germany ", "DE", "deu")),
        ("ESP", ("España", "Espana", "ESPAÑA", "Espan\u0303a", "Spain")),
        ("AUT", ("Austria", "Österreich", "Osterreich", "Oesterreich")),
        ("NLD", ("Netherlands", "The Netherlands", "Holland")),
        ("GRC", ("Greece", "EL", "GR", "Ελλάδα")),
        ("CIV", ("Côte d'Ivoire", "Cote d’Ivoire", "Ivory Coast")),
        ("TUR", ("Türkiye", "Turkiye", "TÜRKİYE", "Turkey")),
        ("LCA", ("Saint Lucia", "St. Lucia", "St Lucia")),
        ("TTO", ("Trinidad and Tobago", "Trinidad & Tobago")),
        ("FRO", ("Faroe Islands", "Føroyar", "Foroyar")),
        ("COG", ("Congo", "Republic of the Congo")),
        ("COD", ("DR Congo", "Democratic Republic of the Congo")),
        ("STP", ("São Tomé and Príncipe", "Sao Tome & Principe", "ST")),
        ("XKX", ("Kosovo", "XK")),
    ],
)
def test_the_usual_ways_to_write_a_country(code, names):
    assert {name: iso_alpha3(name) for name in names} == dict.fromkeys(names, code)


def test_every_country_of_the_uci_files():
    assert {name: iso_alpha3(name) for name in UCI} == UCI


@pytest.mark.parametrize(
    "name", ["", " ", "?", "N/A", "EU", "Europe", "Asia", "Caribbean", "London", "the", "Saint", "Yugoslavia"]
)
def test_what_is_no_country_has_no_code(name):
    assert iso_alpha3(name) is None


def test_there_are_the_249_countries_of_iso_3166_and_kosovo():
    assert len(TABLE) == 250
    assert len({names[0] for names in TABLE.values()}) == 250
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in TABLE)
    assert all(len(names[0]) == 2 and names[0].isascii() and names[0].isupper() for names in TABLE.values())


def test_no_name_stands_for_two_countries_or_twice_for_one():
    names = [plain(name) for code, others in TABLE.items() for name in (code, *others)]
    assert sorted(names) == sorted(set(names))


def test_the_map_knows_its_countries_by_the_same_codes():
    world = json.loads((files("regulars") / "assets" / "world_110m.json").read_text("utf-8"))
    drawn = {shape["id"] for shape in world["objects"]["countries"]["geometries"] if shape.get("id")}
    assert len(drawn) > 170
    assert {code: iso_alpha3(code) for code in drawn} == {code: code for code in drawn}


#: Both files of the Online Retail data, each country looked up by hand.
UCI = {
    "Australia": "AUS",
    "Austria": "AUT",
    "Bahrain": "BHR",
    "Belgium": "BEL",
    "Bermuda": "BMU",
    "Brazil": "BRA",
    "Canada": "CAN",
    "Channel Islands": None,
    "Cyprus": "CYP",
    "Czech Republic": "CZE",
    "Denmark": "DNK",
    "EIRE": "IRL",
    "European Community": None,
    "Finland": "FIN",
    "France": "FRA",
    "Germany": "DEU",
    "Greece": "GRC",
    "Hong Kong": "HKG",
    "Iceland": "ISL",
    "Israel": "ISR",
    "Italy": "ITA",
    "Japan": "JPN",
    "Korea": "KOR",
    "Lebanon": "LBN",
    "Lithuania": "LTU",
    "Malta": "MLT",
    "Netherlands": "NLD",
    "Nigeria": "NGA",
    "Norway": "NOR",
    "Poland": "POL",
    "Portugal": "PRT",
    "RSA": "ZAF",
    "Saudi Arabia": "SAU",
    "Singapore": "SGP",
    "Spain": "ESP",
    "Sweden": "SWE",
    "Switzerland": "CHE",
    "Thailand": "THA",
    "USA": "USA",
    "United Arab Emirates": "ARE",
    "United Kingdom": "GBR",
    "Unspecified": None,
    "West Indies": None,
}
