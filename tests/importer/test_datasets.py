"""Descriptors: what is supported, and what an error says of everything else."""

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from descriptors import CUSTOM, PROFILE, DescriptorInvalid, load, main
from hypothesis import given, settings
from hypothesis import strategies as st

from csv_importer.datasets import Dataset, Datasets, DescriptorError, FieldsMatch, Mode, Place
from csv_importer.errors import ConfigurationError, FileRefused
from csv_importer.fields import Column
from csv_importer.headers import read_header

from .files import CUSTOMER, DATASET_FILE, DESCRIPTOR

ROOT = Path(__file__).parents[2]
TEXT = DATASET_FILE.read_text(encoding="utf-8")


def described(*fields: dict[str, Any], **schema: Any) -> dict[str, Any]:
    return {"name": "things", "path": "things.csv", "schema": {"fields": list(fields), **schema}}


def error(descriptor: dict[str, Any]) -> str:
    with pytest.raises(DescriptorError) as caught:
        Dataset.of(descriptor)
    return str(caught.value)


def test_customer_is_what_it_was() -> None:
    assert CUSTOMER.table == "customer"
    assert CUSTOMER.fields_match is FieldsMatch.EQUAL
    assert CUSTOMER.keys == ()
    assert [(column.name, column.sql_type, column.default, column.nullable) for column in CUSTOMER.columns] == [
        ("title", "varchar(50)", None, False),
        ("firstname", "varchar(255)", None, False),
        ("lastname", "varchar(255)", None, False),
        ("status", "tinyint", "0", False),
        ("email", "varchar(255)", None, False),
        ("age", "tinyint", None, False),
    ]
    assert {column.name: column.judge([""]).texts for column in CUSTOMER.columns if not column.judge([""]).errors} == {
        "status": {"": "0"}
    }


def test_the_standards_own_properties_are_enough() -> None:
    dataset = Dataset.of({"name": "things", "path": "things.csv", "schema": {"fields": [{"name": "a"}]}})
    assert (dataset.table, dataset.fields_match, dataset.columns[0].sql_type) == ("things", FieldsMatch.EXACT, "text")


def test_what_only_describes_and_what_is_of_others_is_carried() -> None:
    field = {
        "name": "a", "type": "string", "title": "A", "description": "…", "example": "x", "rdfType": "http://schema.org/Country",
        "categories": [{"value": "x", "label": "X"}], "categoriesOrdered": True, "dc:temporal": 1,
    }  # fmt: skip
    more = {
        "title": "Things",
        "description": "…",
        "homepage": "http://x",
        "sources": [],
        "licenses": [],
        "dc:temporal": {},
    }
    assert len(Dataset.of({**described(field), **more}).columns) == 1


def test_keys_are_collected_and_a_primary_key_is_required() -> None:
    fields: list[dict[str, Any]] = [{"name": "a"}, {"name": "b"}, {"name": "c", "constraints": {"unique": True}}]
    dataset = Dataset.of(described(*fields, primaryKey="a", uniqueKeys=[["a", "b"], ["c"]]))
    assert dataset.keys == (("a",), ("a", "b"), ("c",))
    assert [column.nullable for column in dataset.columns] == [False, True, True]


def test_a_dataset_s_own_table_and_objects_follow_from_its_name() -> None:
    dataset = Dataset.of(described({"name": "a"}))
    assert (dataset.name, dataset.table, dataset.key_prefix) == ("things", "things", "things/")
    assert (dataset.mode, dataset.id_type, dataset.import_id) == (Mode.APPEND, "bigint", True)


def test_a_dataset_may_have_a_table_and_objects_of_other_names() -> None:
    custom = {"csvToAurora:table": "t", "csvToAurora:keyPrefix": "in/", "csvToAurora:mode": "replace"}
    dataset = Dataset.of({**described({"name": "a"}), **custom, "name": "my-things.v2"})
    assert (dataset.name, dataset.table, dataset.key_prefix, dataset.mode) == ("my-things.v2", "t", "in/", Mode.REPLACE)


def test_an_object_belongs_to_the_dataset_with_the_longest_prefix_of_its_key() -> None:
    prefixes = {"a": "a/", "b": "a/b/", "c": "a/b"}
    named = [
        Dataset.of({**described({"name": "x"}), "name": name, "csvToAurora:keyPrefix": prefix})
        for name, prefix in prefixes.items()
    ]
    for datasets in (Datasets(tuple(named)), Datasets(tuple(reversed(named)))):
        found = {key: datasets.taking(key) for key in ("a/1.csv", "a/b/1.csv", "a/bc.csv", "A/1.csv", "a.csv")}
        assert {key: dataset and dataset.name for key, dataset in found.items()} == {
            "a/1.csv": "a",
            "a/b/1.csv": "b",
            "a/bc.csv": "c",
            "A/1.csv": None,
            "a.csv": None,
        }


@pytest.mark.parametrize(
    ("other", "part"),
    [
        ({"name": "others"}, None),
        ({"csvToAurora:table": "t", "csvToAurora:keyPrefix": "t/"}, "the same name: 'things'"),
        ({"name": "others", "csvToAurora:table": "things"}, "things and others have the same table: 'things'"),
        ({"name": "others", "csvToAurora:keyPrefix": "things/"}, "things and others have the same key prefix"),
        ({}, "the same name: 'things'"),
    ],
)
def test_datasets_that_would_take_the_same_are_refused(
    tmp_path: Path, other: dict[str, Any], part: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    descriptors = [described({"name": "a", "type": "any"}), {**described({"name": "b", "type": "any"}), **other}]
    if other == {}:
        descriptors[1] = descriptors[0]
    paths = [tmp_path / f"{number}.yaml" for number in range(2)]
    for path, descriptor in zip(paths, descriptors, strict=True):
        path.write_text(yaml.safe_dump(descriptor), encoding="utf-8")
    assert main(list(map(str, paths))) == (1 if part else 0)
    assert (part or "") in capsys.readouterr().err


def test_each_file_s_errors_are_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [tmp_path / f"{number}.yaml" for number in range(2)]
    for path in paths:
        path.write_text("name: things\n", encoding="utf-8")
    assert main(list(map(str, paths))) == 1
    error = capsys.readouterr().err
    assert all(f"{path}:1: " in error for path in paths)


@pytest.mark.parametrize(
    ("descriptor", "place", "part"),
    [
        ({"name": "Things"}, "name", "lower-case"),
        ({**described({"name": "a"}), "name": "my-things"}, "name", "no name for a table"),
        (
            {**described({"name": "a"}), "name": "csv_import"},
            "name",
            "none of csv_import, csv_import_range, csv_import_reject, csv_import_event, csv_import_tag",
        ),
        ({**described({"name": "a"}), "csvToAurora:table": "T"}, "csvToAurora:table", "no name for a table"),
        ({**described({"name": "a"}), "csvToAurora:keyPrefix": 1}, "csvToAurora:keyPrefix", "a text"),
        ({**described({"name": "a"}), "csvToAurora:mode": "merge"}, "csvToAurora:mode", '"upsert"'),
        ({**described({"name": "a"}), "csvToAurora:idType": "tinyint"}, "csvToAurora:idType", '"bigint"'),
        ({**described({"name": "a"}), "csvToAurora:importId": 1}, "csvToAurora:importId", "true or false"),
        *(
            ({**described({"name": "a"}), "csvToAurora:expectedEvery": text}, "csvToAurora:expectedEvery", "PT6H, P1D")
            for text in ("6 hours", "P", "PT", "P1M", "P1DT", "PT0M", "P0W", "-P1D", "P1.5D", "P\u0661D", "", 6)
        ),
        *(
            (
                {**described({"name": "a"}), "csvToAurora:alarmRejectRatio": ratio},
                "csvToAurora:alarmRejectRatio",
                "0 to 1",
            )
            for ratio in (-0.1, 1.1, "0.1", True, None)
        ),
        ({**described(), "data": []}, "data", "allowed: "),
        ({**described({"name": "a"}), "encoding": "utf-16"}, "encoding", "allowed: UTF-8, US-ASCII, ISO-8859-1"),
        ({**described({"name": "a"}), "encoding": "shift_jis"}, "encoding", "allowed: UTF-8"),
        ({**described({"name": "a"}), "encoding": "cp037"}, "encoding", "allowed: UTF-8"),
        ({**described({"name": "a"}), "encoding": None}, "encoding", "allowed: UTF-8"),
        ({**described({"name": "a"}), "encoding": "x\0"}, "encoding", "allowed: UTF-8"),
        ({**described({"name": "a"}), "format": "xlsx"}, "format", '"csv"'),
        ({**described({"name": "a"}), "mediatype": "text/plain"}, "mediatype", '"text/csv"'),
        ({**described({"name": "a"}), "csvToAurora:prefix": "x"}, "csvToAurora:prefix", "allowed: "),
        ({"name": "things", "schema": "schema.json"}, "schema", "a reference is not supported"),
        (described(), "schema.fields", "one field or more"),
        (described({"name": "a"}, foreignKeys=[]), "schema.foreignKeys", "allowed: "),
        (described({"name": "a"}, fieldsMatch="any"), "schema.fieldsMatch", "exact, equal, subset, superset, partial"),
        (described({"name": "a"}, primaryKey=["b"]), "schema.primaryKey", "names of fields: a"),
        (described({"name": "a"}, uniqueKeys=[["a"], []]), "schema.uniqueKeys[1]", "names of fields"),
        (described({"name": "a"}, missingValues="-"), "schema.missingValues", "a list of texts"),
        (described({"name": "a"}, {"name": "A"}), "schema.fields[1].name", "does not distinguish case"),
        (described({"name": "größe"}), "schema.fields[0].name", "ASCII letters"),
        (described({"name": "a`b"}), "schema.fields[0].name", "ASCII letters"),
        (described({"name": "import_file"}), "schema.fields[0].name", "of its own"),
        (described({"name": "a", "type": "geopoint"}), "schema.fields[0].type", "allowed: string, integer"),
        (described({"name": "a", "type": "geojson"}), "schema.fields[0].type", "allowed: string, integer"),
        (described({"name": "a", "constrains": {}}), "schema.fields[0].constrains", "allowed: "),
        (described({"name": "a", "type": "string", "groupChar": ","}), "schema.fields[0].groupChar", "allowed: "),
        (described({"name": "a", "type": "string", "format": "mail"}), "schema.fields[0].format", "email, uri"),
        (described({"name": "a", "type": "date", "format": "any"}), "schema.fields[0].format", "a guess"),
        (described({"name": "a", "type": "date", "format": "%Y-%m"}), "schema.fields[0].format", "not guessed"),
        (described({"name": "a", "type": "date", "format": "%Y-%m-%d %H"}), "schema.fields[0].format", "%H is not"),
        (described({"name": "a", "type": "date", "format": "%j %Y"}), "schema.fields[0].format", "%j is not"),
        (described({"name": "a", "type": "time", "format": "%H%z"}), "schema.fields[0].format", "%z is not"),
        (described({"name": "a", "type": "time", "format": "%I:%M"}), "schema.fields[0].format", "not guessed"),
        (described({"name": "a", "type": "integer", "groupChar": "-"}), "schema.fields[0].groupChar", "no sign"),
        (described({"name": "a", "type": "integer", "bareNumber": 0}), "schema.fields[0].bareNumber", "true or false"),
        (described({"name": "a", "type": "number", "decimalChar": ""}), "schema.fields[0].decimalChar", "not empty"),
        (
            described({"name": "a", "type": "number", "decimalChar": ",", "groupChar": ","}),
            "schema.fields[0].decimalChar",
            "differ",
        ),
        (described({"name": "a", "type": "boolean", "trueValues": ["0"]}), "schema.fields[0].falseValues", "for true"),
        (described({"name": "a", "type": "list", "itemType": "year"}), "schema.fields[0].itemType", "allowed: "),
        (
            described({"name": "a", "type": "object", "constraints": {"jsonSchema": {}}}),
            "schema.fields[0].constraints.jsonSchema",
            "allowed: ",
        ),
        (
            described({"name": "a", "type": "duration", "constraints": {"minimum": "P1D"}}),
            "schema.fields[0].constraints.minimum",
            "allowed: ",
        ),
        (
            described({"name": "a", "type": "integer", "constraints": {"minimum": "x"}}),
            "schema.fields[0].constraints.minimum",
            "no value of this field",
        ),
        (
            described({"name": "a", "type": "string", "constraints": {"pattern": "(a+)+"}}),
            "schema.fields[0].constraints.pattern",
            "exponential",
        ),
        (
            described({"name": "a", "type": "string", "constraints": {"maxLength": -1}}),
            "schema.fields[0].constraints.maxLength",
            "from 0",
        ),
        (
            described({"name": "a", "type": "string", "constraints": {"required": "yes"}}),
            "schema.fields[0].constraints.required",
            "true or false",
        ),
        (
            described({"name": "a", "constraints": {"enum": []}}),
            "schema.fields[0].constraints.enum",
            "one value or more",
        ),
        (
            described({"name": "a", "type": "integer", "csvToAurora:columnType": "float"}),
            "schema.fields[0].csvToAurora:columnType",
            "tinyint",
        ),
        (
            described({"name": "a", "type": "number", "csvToAurora:columnType": "decimal(9,10)"}),
            "schema.fields[0].csvToAurora:columnType",
            "at most",
        ),
        (
            described({"name": "a", "type": "integer", "csvToAurora:columnDefault": "x"}),
            "schema.fields[0].csvToAurora:columnDefault",
            "no value of this field",
        ),
        (
            described({"name": "a", "missingValues": [], "csvToAurora:columnDefault": "x"}),
            "schema.fields[0].csvToAurora:columnDefault",
            "never used",
        ),
    ],
)
def test_what_is_not_supported_is_refused_by_name(descriptor: dict[str, Any], place: str, part: str) -> None:
    message = error(descriptor)
    assert message.startswith(f"{place}: ")
    assert part in message


@pytest.mark.parametrize(
    ("dialect", "place", "part"),
    [
        ({"delimiter": "||"}, "delimiter", "one character"),
        ({"delimiter": "\n"}, "delimiter", "none that ends a line"),
        ({"delimiter": '"'}, "delimiter", "another meaning"),
        ({"delimiter": ";", "quoteChar": ";"}, "delimiter", "another meaning"),
        ({"delimiter": " ", "skipInitialSpace": True}, "delimiter", "skipInitialSpace"),
        ({"delimiter": "→"}, "delimiter", "'→' cannot be written in ISO-8859-1"),
        ({"quoteChar": None}, "quoteChar", "one character"),
        ({"quoteChar": ""}, "quoteChar", "one character"),
        ({"doubleQuote": 1}, "doubleQuote", "true or false"),
        ({"escapeChar": "\\", "quoteChar": '"'}, "escapeChar", "mutually exclusive"),
        ({"escapeChar": ","}, "delimiter", "another meaning"),
        ({"header": "no"}, "header", "true or false"),
        ({"header": False, "headerRows": [2]}, "headerRows", "header is false"),
        ({"headerRows": []}, "headerRows", "from 1 to 1000"),
        ({"headerRows": [0]}, "headerRows", "from 1 to 1000"),
        ({"headerRows": [True]}, "headerRows", "from 1 to 1000"),
        ({"headerRows": [1, 1]}, "headerRows", "each once"),
        ({"headerRows": 1}, "headerRows", "a list of line numbers"),
        ({"headerRows": [1001]}, "headerRows", "from 1 to 1000"),
        ({"headerJoin": "\n"}, "headerJoin", "on one line"),
        ({"commentChar": ""}, "commentChar", "one character or more"),
        ({"commentChar": '"#'}, "commentChar", "a value may begin"),
        ({"commentChar": ",,"}, "commentChar", "a value may begin"),
        ({"commentRows": ["2"]}, "commentRows", "from 1, each once"),
        ({"headerRows": [2], "commentRows": [2]}, "commentRows", "headerRows"),
        ({"lineTerminator": ";"}, "lineTerminator", "it has to be"),
        ({"nullSequence": 0}, "nullSequence", "a text"),
        ({"nullSequence": "\\N", "escapeChar": "\\"}, "nullSequence", "leave the escape character out"),
        *(({name: "x"}, name, "allowed: ") for name in ("property", "itemType", "itemKeys", "sheetName", "table")),
        ({"sheetNumber": 1}, "sheetNumber", "allowed: "),
        ({"csvddfVersion": 1.2}, "csvddfVersion", "allowed: "),
    ],
)
def test_a_dialect_that_cannot_be_read_is_refused_by_name(dialect: dict[str, Any], place: str, part: str) -> None:
    message = error({**described({"name": "a"}), "encoding": "latin-1", "dialect": dialect})
    assert message.startswith(f"dialect.{place}: ")
    assert part in message


@pytest.mark.parametrize(
    ("fields", "place", "part"),
    [
        ([{"name": "a", "csvToAurora:aliases": "x"}], "schema.fields[0].csvToAurora:aliases", "a list of texts"),
        ([{"name": "a", "csvToAurora:aliases": [" "]}], "schema.fields[0].csvToAurora:aliases", "none of them empty"),
        ([{"name": "a"}, {"name": "b", "title": "A "}], "schema.fields[1].title", "'A ' in a header may also be"),
        (
            [{"name": "a", "title": "x"}, {"name": "b", "csvToAurora:aliases": ["y", "X"]}],
            "schema.fields[1].csvToAurora:aliases",
            "the field 'a'",
        ),
    ],
)
def test_a_name_in_a_header_stands_for_one_field(fields: list[dict[str, Any]], place: str, part: str) -> None:
    message = error(described(*fields))
    assert message.startswith(f"{place}: ")
    assert part in message


def test_a_field_has_several_names_in_a_header() -> None:
    field = {"name": "a", "title": "First name", "csvToAurora:aliases": ["Vorname", "A"]}
    assert Dataset.of(described(field, {"name": "b"})).headers == {"a": 0, "first name": 0, "vorname": 0, "b": 1}


def test_both_spellings_of_fields_match_are_taken() -> None:
    for spelling in ("equal", ["equal"]):
        assert Dataset.of(described({"name": "a"}, fieldsMatch=spelling)).fields_match is FieldsMatch.EQUAL


def header(dataset: Dataset, line: bytes) -> list[str]:
    left = [line]
    found, _ = read_header(lambda _: left.pop() if left else b"", dataset)
    return [column.name for column in found.columns]


def test_an_exact_match_is_one_in_order() -> None:
    exact = Dataset.of(described({"name": "Aa"}, {"name": "b"}))
    assert header(exact, b"aa, B\n") == ["Aa", "b"]
    with pytest.raises(FileRefused, match=r"in another order\. It has to name Aa, b, in this order"):
        header(exact, b"b,aa\n")
    assert header(Dataset.of(described({"name": "Aa"}, {"name": "b"}, fieldsMatch="equal")), b"b,AA\n") == ["b", "Aa"]


# Files


def test_the_descriptors_of_the_project_are_valid() -> None:
    files = sorted((ROOT / "datasets").glob("*.yaml"))
    assert DATASET_FILE in files
    assert main([str(path) for path in files]) == 0


def test_the_standards_schema_is_kept_word_for_word() -> None:
    readme = PROFILE.with_name("README.md").read_text(encoding="utf-8")
    assert f"`{hashlib.sha256(PROFILE.read_bytes()).hexdigest()}`" in readme


def test_the_schemas_are_valid() -> None:
    for path in (PROFILE, CUSTOM):
        jsonschema.Draft7Validator.check_schema(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("old", "new", "line", "place", "part"),
    [
        ("mediatype: text/csv", "mediatype: csv", "mediatype: csv", "mediatype", '"text/csv"'),
        ("      format: email", "      format: mail", "format: mail", "schema.fields[4].format", "email, uri"),
        ("maximum: 127", "maxmum: 127", "maxmum", "schema.fields[3].constraints.maxmum", "maximum"),
        ("plainDigits: true", "plainDigits: 1", "Digits: 1", "schema.fields[3].csvToAurora:plainDigits", "true or"),
        ('Default: "0"', "Default: 0", "Default: 0", "schema.fields[3].csvToAurora:columnDefault", "a text"),
        ('missingValues: [""]', "missingValues: [5]", "missingValues", "schema.missingValues", "a list of texts"),
        ("maxLength: 50", "maxLength: a", "maxLength: a", "schema.fields[0].constraints.maxLength", "a whole number"),
        ("    - name: title\n      type: string", "    - type: string", "- type: string", "schema.fields[0]", "name"),
        ("path: customers.csv", "path: ../customers.csv", "path: ..", "path", ""),
        ("homepage: x", "homepage: [x]", "homepage", "homepage", "not of type 'string'"),
        ("encoding: utf-8", "encoding: utf-16", "encoding", "encoding", "allowed: UTF-8"),
        ('delimiter: ","', 'delimiter: ", "', "delimiter", "dialect.delimiter", "one character"),
        ("  header: true", "  sheetName: x", "sheetName", "dialect.sheetName", "not supported here"),
        ("  header: true", "  headerRows: [0]", "headerRows", "dialect.headerRows", "less than the minimum"),
        ("fieldsMatch: equal", "fieldsMatch: any", "fieldsMatch", "schema.fieldsMatch", "subset, superset, partial"),
        (
            "- name: age",
            "- csvToAurora:aliases: [1]\n      name: age",
            "aliases",
            "schema.fields[5].csvToAurora:al",
            "string",
        ),
    ],
)
def test_an_error_names_file_line_property_and_what_is_allowed(  # noqa: PLR0917
    tmp_path: Path, old: str, new: str, line: str, place: str, part: str
) -> None:
    text = f"{TEXT}homepage: x\n".replace(old, new, 1)
    assert text != TEXT
    number = next(at for at, each in enumerate(text.splitlines(), 1) if line in each)
    path = tmp_path / "customer.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DescriptorInvalid) as caught:
        load(path)
    found = [each for each in str(caught.value).splitlines() if each.startswith(f"{path}:{number}: {place}")]
    assert found, str(caught.value)
    assert part in found[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", ":1: "),
        ("- a\n", ":1: it has to be a mapping"),
        ("name: a\nname: b\n", ":2: 'name' is given twice"),
        ("name: a\n1: b\n", ":2: 1 is given twice, or is no text"),
        ("name: things\n", ":1: : one of these is required: name, data or name, path"),
    ],
)
def test_what_is_no_descriptor_is_an_error_with_its_line(
    tmp_path: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "things.yaml"
    path.write_text(text, encoding="utf-8")
    assert main([str(path)]) == 1
    assert f"{path}{message}" in capsys.readouterr().err


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(DescriptorInvalid, match=r"things\.yaml: it cannot be read"):
        load(tmp_path / "things.yaml")
    with pytest.raises(ConfigurationError, match=r"things\.json cannot be read"):
        Datasets.read(tmp_path / "things.json")


def test_yaml_has_the_values_of_json_only(tmp_path: Path) -> None:
    fields = (
        "    - {name: a, type: date, constraints: {minimum: 2024-01-01}}\n"
        "    - {name: b, type: boolean, trueValues: [yes, on], falseValues: [no, off]}\n"
    )
    path = tmp_path / "things.yaml"
    path.write_text(f"name: things\npath: things.csv\nschema:\n  fields:\n{fields}", encoding="utf-8")
    descriptor = load(path)
    assert json.loads(json.dumps(descriptor)) == descriptor
    date, boolean = Dataset.of(descriptor).columns
    assert not date.judge(["2024-01-01"]).errors
    assert boolean.judge(["yes", "off"]).texts == {"yes": "1", "off": "0"}
    assert descriptor["schema"]["fields"][1]["trueValues"] == ["yes", "on"]


def test_the_type_list_is_taken_though_the_published_profile_lacks_it(tmp_path: Path) -> None:
    path = tmp_path / "things.yaml"
    path.write_text(yaml.safe_dump(described({"name": "a", "type": "list", "itemType": "integer"})), encoding="utf-8")
    assert Dataset.of(load(path)).columns[0].sql_type == "json"


def test_descriptors_in_json_are_read(tmp_path: Path) -> None:
    path = tmp_path / "datasets.json"
    path.write_text(json.dumps([DESCRIPTOR]), encoding="utf-8")
    assert [dataset.columns for dataset in Datasets.read(path).all] == [CUSTOMER.columns]
    path.write_text(json.dumps(DESCRIPTOR), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="is no list of descriptors"):
        Datasets.read(path)


# Properties


WHOLE = {
    **DESCRIPTOR,
    "encoding": "windows-1252",
    "dialect": {
        "delimiter": ";",
        "quoteChar": "'",
        "doubleQuote": True,
        "skipInitialSpace": False,
        "header": True,
        "headerRows": [2, 3],
        "headerJoin": "-",
        "commentChar": "#",
        "commentRows": [4],
        "lineTerminator": "\n",
        "nullSequence": "NULL",
    },
    "schema": {
        **DESCRIPTOR["schema"],
        "primaryKey": ["title"],
        "uniqueKeys": [["age", "email"]],
        "fields": [
            *DESCRIPTOR["schema"]["fields"],
            {"name": "n", "type": "number", "decimalChar": ",", "groupChar": ".", "bareNumber": False},
            {"name": "b", "type": "boolean", "trueValues": ["y"], "falseValues": ["n"]},
            {"name": "d", "type": "date", "format": "%d/%m/%Y", "constraints": {"minimum": "01/01/2000"}},
            {"name": "l", "type": "list", "itemType": "integer", "delimiter": ";", "csvToAurora:aliases": ["L2", "ll"]},
            {"name": "c", "type": "string", "categories": ["a"], "constraints": {"enum": ["a"], "pattern": "a*"}},
        ],
    },
}
LEAVES = st.none() | st.booleans() | st.integers(-3, 300) | st.floats(allow_nan=False)
JSON = st.recursive(
    LEAVES | st.sampled_from(["", "a", "%Y", "any"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "value"]), inner, max_size=2),
    max_leaves=4,
)


def places(value: object, place: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """List the places of all values in a descriptor."""
    items: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [place, *(found for name, inner in items for found in places(inner, (*place, name)))]


@settings(max_examples=300, deadline=None)
@given(place=st.sampled_from(places(WHOLE)[1:]), value=JSON)
def test_whatever_is_in_a_descriptor_it_is_a_dataset_or_an_error_with_a_place(
    place: tuple[str | int, ...], value: object
) -> None:
    descriptor = copy.deepcopy(WHOLE)
    inner: Any = descriptor
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = value
    columns: tuple[Column, ...] = ()
    path: Place = place
    try:
        columns = Dataset.of(descriptor).columns
    except DescriptorError as refusal:
        path = refusal.path
    assert path
    for column in columns:
        assert column.sql_type
        assert column.rule
        assert set(column.judge(["", "x", "1"]).errors) <= {0, 1, 2}
