"""Turns descriptors of the Data Package standard, version 2, into datasets: which files they take, and their tables.

A descriptor is a Data Resource (https://datapackage.org/standard/data-resource/) with a Table Schema and, where needed,
custom properties. What is not supported is an error that names it; what only describes is carried and not used.
"""

import datetime as dt
import json
import operator
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from csv_importer import dialects, fields
from csv_importer.dialects import RFC4180, UTF8, Dialect, Encoding
from csv_importer.errors import ConfigurationError
from csv_importer.fields import BaseField, Column, ValueRefused

type Place = tuple[str | int, ...]
type Descriptor = Mapping[str, Any]

IMPORT_FILE_COLUMN = "import_file"
"""The column of every table that names the file of a row."""

IMPORT_ID_COLUMN = "import_id"
"""The column that names the import of a row, in tables that have one."""

IMPORT_ID_TYPE = "bigint unsigned"
"""Its type, which is that of the ledger's ids."""

LEDGER_TABLES = ("csv_import", "csv_import_range", "csv_import_reject", "csv_import_event", "csv_import_tag")
"""Tables that are the importer's own."""

ALARM_REJECT_RATIO = 0.1
"""The share of rejects above which somebody should look at a file, unless its dataset has another one."""

NAMESPACE = "csvToAurora:"
"""What custom properties begin with."""

_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]{0,63}")
_DATASET_NAME = re.compile("[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_ALLOWANCE = re.compile("copy|(?:drop|narrow|retype):[A-Za-z0-9_$]{1,64}")
# Of ISO 8601's durations those that always last the same. Months and years do not.
_NUMBER = "([0-9]{1,4})"
_PERIOD = re.compile(f"P(?=.)(?:{_NUMBER}W|(?:{_NUMBER}D)?(?:T(?=.)(?:{_NUMBER}H)?(?:{_NUMBER}M)?)?)")
_OWN_COLUMNS = ("id", IMPORT_FILE_COLUMN, IMPORT_ID_COLUMN, "created_at")
_ALIASES = f"{NAMESPACE}aliases"
_BOOLEANS = (True, False)
_ID_TYPES = ("bigint", "bigint unsigned", "int", "int unsigned")

_DESCRIBING = {"title", "description", "homepage", "sources", "licenses", "$schema"}
_RESOURCE = {"name", "path", "type", "format", "mediatype", "encoding", "dialect", "schema"}
_CUSTOM = {
    f"{NAMESPACE}{name}"
    for name in (
        *("table", "keyPrefix", "mode", "idType", "importId", "fileOrder", "allow"),
        *("expectedEvery", "alarmRejectRatio"),
    )
}
_SCHEMA = {"fields", "fieldsMatch", "missingValues", "primaryKey", "uniqueKeys"}
_FIELD_DESCRIBING = {"title", "description", "example", "rdfType", "categoriesOrdered"}
_BOUNDS: Mapping[str, tuple[Callable[[Any, Any], bool], str]] = {
    "minimum": (operator.ge, "less than the minimum {}"),
    "maximum": (operator.le, "more than the maximum {}"),
    "exclusiveMinimum": (operator.gt, "not more than {}"),
    "exclusiveMaximum": (operator.lt, "not less than {}"),
}


class DescriptorError(ConfigurationError):
    """A descriptor is malformed, or uses what is not supported.

    Attributes:
        path: Where in the descriptor.
    """

    def __init__(self, path: Place, message: str) -> None:
        """Keep path and message."""
        self.path = path
        self.message = message
        super().__init__(f"{spelled(path)}: {message}" if path else message)


def spelled(path: Place) -> str:
    """Spell a path, such as schema.fields[2].type."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


class FieldsMatch(StrEnum):
    """How the header of a file has to fit the fields; without a header, how many values a row may have."""

    EXACT = "exact"
    """All of them, in their order."""
    EQUAL = "equal"
    """All of them, in any order."""
    SUBSET = "subset"
    """All of them, and any others."""
    SUPERSET = "superset"
    """Some of them, and no others."""
    PARTIAL = "partial"
    """One of them or more, and any others."""


class Mode(StrEnum):
    """What a file's rows do to those that the table has."""

    APPEND = "append"
    """They are added."""
    UPSERT = "upsert"
    """Each takes the place of the row with the same key, or is added."""
    REPLACE = "replace"
    """They take the place of all rows of older versions of the same object."""


@dataclass(frozen=True)
class Dataset:
    """A kind of file, and the table for its rows.

    Attributes:
        name: Its name, as in the ledger.
        table: The table's name.
        columns: The columns in the order of the descriptor.
        fields_match: How a header has to fit them.
        keys: The names of columns whose values no two rows may share. The database looks after that: the table needs
            a unique index for each.
        key_prefix: What the keys of its objects begin with.
        mode: What a file's rows do to those that the table has.
        id_type: The type of the column id.
        import_id: Whether each row has the id of its import.
        file_order: Whether the ids of a file's rows are in the order of the file.
        dialect: How its files are written.
        encoding: The encoding of its files.
        headers: The place of a column by each name that a header may have for it, without regard to case.
        allow: The changes of its table that are refused otherwise, such as copy or drop:COLUMN.
        expected_every: How long after a file the next one is overdue; None where that is not known.
        alarm_reject_ratio: The share of rejects above which somebody should look at a file, 0 to 1.
    """

    name: str
    table: str
    columns: tuple[Column, ...]
    fields_match: FieldsMatch = FieldsMatch.EXACT
    keys: tuple[tuple[str, ...], ...] = ()
    key_prefix: str = ""
    mode: Mode = Mode.APPEND
    id_type: str = "bigint"
    import_id: bool = True
    file_order: bool = False
    dialect: Dialect = RFC4180
    encoding: Encoding = UTF8
    headers: Mapping[str, int] = field(default_factory=dict)
    allow: tuple[str, ...] = ()
    expected_every: dt.timedelta | None = None
    alarm_reject_ratio: float = ALARM_REJECT_RATIO

    @property
    def staged(self) -> bool:
        """Whether rows may have to be compared with those that the table has, or with each other."""
        return bool(self.keys)

    @property
    def any_order(self) -> bool:
        """Whether a file's rows may be stored in any order: with keys, the order decides which of them are."""
        return self.mode is Mode.APPEND and not (self.keys or self.file_order)

    @classmethod
    def of(cls, descriptor: Descriptor) -> "Dataset":
        """Read a descriptor.

        Raises:
            DescriptorError: It is malformed, or uses what is not supported.
        """
        _known(descriptor, (), _RESOURCE | _DESCRIBING | _CUSTOM)
        name = descriptor.get("name")
        if not isinstance(name, str) or not _DATASET_NAME.fullmatch(name):
            raise DescriptorError(
                ("name",), "it has to be lower-case letters and digits, with any of ._- between them, at most 64"
            )
        _one_of(descriptor, (), "type", "table")
        _one_of(descriptor, (), "format", "csv")
        _one_of(descriptor, (), "mediatype", "text/csv")
        encoding, dialect = _written(descriptor)
        schema = descriptor.get("schema")
        if not isinstance(schema, Mapping):
            raise DescriptorError(("schema",), "it is required, and has to be a mapping; a reference is not supported")
        _known(schema, ("schema",), _SCHEMA | _DESCRIBING)
        dataset = _of_schema(name, schema, dialect.null_sequence)
        return replace(_of_custom(dataset, descriptor), dialect=dialect, encoding=encoding)


@dataclass(frozen=True)
class Datasets:
    """The datasets of an environment: each object belongs to one of them at most.

    Attributes:
        all: The datasets.
    """

    all: tuple[Dataset, ...]

    def __post_init__(self) -> None:
        """Compare the datasets.

        Raises:
            ConfigurationError: There is none, or two share a name, a table or a prefix.
        """
        if not self.all:
            raise ConfigurationError("there is no dataset: one at least has to be given")
        first: dict[tuple[str, str], Dataset] = {}
        for dataset in self.all:
            for what, value in (("name", dataset.name), ("table", dataset.table), ("key prefix", dataset.key_prefix)):
                other = first.setdefault((what, value), dataset)
                if other is not dataset:
                    raise ConfigurationError(
                        f"the datasets {other.name} and {dataset.name} have the same {what}: {value!r}"
                    )

    @classmethod
    def read(cls, path: Path) -> "Datasets":
        """Read a list of descriptors in JSON.

        Raises:
            ConfigurationError: There is none, one is malformed, or two take the same objects.
        """
        try:
            descriptors = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"the descriptors of the datasets in {path} cannot be read: {error}") from None
        if not isinstance(descriptors, list) or not all(isinstance(each, Mapping) for each in descriptors):
            raise ConfigurationError(f"{path} is no list of descriptors")
        return cls(tuple(map(Dataset.of, descriptors)))

    def taking(self, key: str) -> Dataset | None:
        """Return the dataset that an object belongs to: the one with the longest prefix of its key."""
        fitting = [dataset for dataset in self.all if key.startswith(dataset.key_prefix)]
        return max(fitting, key=lambda dataset: len(dataset.key_prefix), default=None)


def _of_custom(dataset: Dataset, descriptor: Descriptor) -> Dataset:
    """Add what the custom properties say, or what follows without them."""
    table = descriptor.get(f"{NAMESPACE}table", dataset.name)
    if not isinstance(table, str) or not _NAME.fullmatch(table) or table != table.lower() or table in LEDGER_TABLES:
        place = f"{NAMESPACE}table" if f"{NAMESPACE}table" in descriptor else "name"
        raise DescriptorError(
            (place,),
            f"{table!r} is no name for a table: lower-case letters, digits and _, at most 64, and none of"
            f" {', '.join(LEDGER_TABLES)}. {NAMESPACE}table gives the table another name than the dataset",
        )
    prefix = descriptor.get(f"{NAMESPACE}keyPrefix", f"{dataset.name}/")
    if not isinstance(prefix, str):
        raise DescriptorError((f"{NAMESPACE}keyPrefix",), "it has to be a text; an empty one takes every key")
    _one_of(descriptor, (), f"{NAMESPACE}mode", *(mode.value for mode in Mode))
    _one_of(descriptor, (), f"{NAMESPACE}idType", *_ID_TYPES)
    for name in ("importId", "fileOrder"):
        _one_of(descriptor, (), f"{NAMESPACE}{name}", *_BOOLEANS)
    allow = descriptor.get(f"{NAMESPACE}allow", [])
    if not isinstance(allow, list) or not all(isinstance(each, str) and _ALLOWANCE.fullmatch(each) for each in allow):
        raise DescriptorError(
            (f"{NAMESPACE}allow",), "it has to be a list of copy, drop:COLUMN, narrow:COLUMN and retype:COLUMN"
        )
    mode = Mode(descriptor.get(f"{NAMESPACE}mode", Mode.APPEND))
    import_id = descriptor.get(f"{NAMESPACE}importId", dataset.import_id)
    if mode is Mode.UPSERT and not dataset.keys:
        raise DescriptorError(
            (f"{NAMESPACE}mode",),
            "upsert needs a key to find the row whose place is taken: schema.primaryKey or uniqueKeys",
        )
    if mode is not Mode.APPEND and not import_id:
        raise DescriptorError(
            (f"{NAMESPACE}mode",),
            f"{mode} has to know which import a row is of: {NAMESPACE}importId may not be false",
        )
    return replace(
        dataset,
        table=table,
        key_prefix=prefix,
        mode=mode,
        id_type=descriptor.get(f"{NAMESPACE}idType", dataset.id_type),
        import_id=import_id,
        file_order=descriptor.get(f"{NAMESPACE}fileOrder", dataset.file_order),
        allow=tuple(allow),
        expected_every=_period(descriptor),
        alarm_reject_ratio=_alarm_ratio(descriptor),
    )


def _period(descriptor: Descriptor) -> dt.timedelta | None:
    """Read how often files are expected."""
    name = f"{NAMESPACE}expectedEvery"
    if name not in descriptor:
        return None
    text = descriptor[name]
    found = _PERIOD.fullmatch(text) if isinstance(text, str) else None
    weeks, days, hours, minutes = (int(number or 0) for number in found.groups()) if found else (0, 0, 0, 0)
    period = dt.timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes)
    if not period:
        raise DescriptorError(
            (name,),
            f"{text!r} is no duration of weeks, or of days, hours and minutes, as ISO 8601 writes it: P1W, PT6H, P1D",
        )
    return period


def _alarm_ratio(descriptor: Descriptor) -> float:
    """Read the share of rejects above which somebody should look at a file."""
    name = f"{NAMESPACE}alarmRejectRatio"
    ratio = descriptor.get(name, ALARM_REJECT_RATIO)
    if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0 <= ratio <= 1:
        raise DescriptorError((name,), "it has to be a number from 0 to 1")
    return float(ratio)


def _written(descriptor: Descriptor) -> tuple[Encoding, Dialect]:
    """Read how the files are written."""
    dialect = descriptor.get("dialect", {})
    if not isinstance(dialect, Mapping):
        raise DescriptorError(("dialect",), "it has to be a mapping; a reference to a file is not supported")
    _known(dialect, ("dialect",), {*dialects.PROPERTIES, "$schema"})
    try:
        encoding = dialects.encoding_of(descriptor.get("encoding", UTF8.name))
        return encoding, Dialect.of(dialect, encoding)
    except dialects.PropertyError as error:
        place: Place = (error.name,) if error.name == "encoding" else ("dialect", error.name)
        raise DescriptorError(place, error.message) from None


def _of_schema(name: str, schema: Descriptor, null_sequence: str | None) -> Dataset:
    where: Place = ("schema",)
    described = schema.get("fields")
    if not isinstance(described, list) or not described:
        raise DescriptorError((*where, "fields"), "it has to be a list of one field or more")
    match = schema.get("fieldsMatch", FieldsMatch.EXACT)
    if isinstance(match, list) and len(match) == 1:
        # The text of the standard has a string, its published profile a list.
        (match,) = match
    if match not in list(FieldsMatch):
        raise DescriptorError((*where, "fieldsMatch"), f"{match!r} is none of {', '.join(FieldsMatch)}")
    keys = _keys(schema, described)
    required = _names(schema.get("primaryKey", []))
    missing = _missing(schema, where) if "missingValues" in schema else frozenset({""})
    # What the dialect has for NULL is so for each field, whatever its own missingValues are.
    null = frozenset() if null_sequence is None else frozenset({null_sequence})
    columns: list[Column] = []
    for index, each in enumerate(described):
        at = (*where, "fields", index)
        if not isinstance(each, Mapping):
            raise DescriptorError(at, "a field has to be a mapping")
        column = _FieldReader(each, at, missing, null).read(required=each.get("name") in required)
        if column.name.lower() in (other.name.lower() for other in columns):
            raise DescriptorError((*at, "name"), f"a second field {column.name!r}: MySQL does not distinguish case")
        columns.append(column)
    headers = _headers(described, columns)
    return Dataset(name, name, tuple(columns), FieldsMatch(match), keys, headers=headers)


def _headers(described: Sequence[Descriptor], columns: Sequence[Column]) -> dict[str, int]:
    """Collect the names that a header may have for each column: its name, its title and its aliases.

    Raises:
        DescriptorError: Two columns share one.
    """
    found: dict[str, int] = {column.name.casefold(): place for place, column in enumerate(columns)}
    for place, each in enumerate(described):
        at: Place = ("schema", "fields", place)
        aliases = each.get(_ALIASES, [])
        if not isinstance(aliases, list) or not all(isinstance(alias, str) and alias.strip() for alias in aliases):
            raise DescriptorError((*at, _ALIASES), "it has to be a list of texts, none of them empty")
        title = each.get("title")
        named = [("title", title)] if isinstance(title, str) and title.strip() else []
        for name, text in [*named, *((_ALIASES, alias) for alias in aliases)]:
            other = found.setdefault(text.strip().casefold(), place)
            if other != place:
                raise DescriptorError(
                    (*at, name),
                    f"{text!r} in a header may also be the field {columns[other].name!r}: rename one of them",
                )
    return found


def _names(key: object) -> list[str]:
    return [key] if isinstance(key, str) else key if isinstance(key, list) else []


def _keys(schema: Descriptor, described: Sequence[Any]) -> tuple[tuple[str, ...], ...]:
    names = {str(each.get("name")) for each in described if isinstance(each, Mapping)}
    found: list[tuple[Place, object]] = []
    if "primaryKey" in schema:
        found.append((("schema", "primaryKey"), schema["primaryKey"]))
    unique = schema.get("uniqueKeys", [])
    if not isinstance(unique, list):
        raise DescriptorError(("schema", "uniqueKeys"), "it has to be a list of lists of field names")
    found += ((("schema", "uniqueKeys", index), key) for index, key in enumerate(unique))
    keys: list[tuple[str, ...]] = []
    for path, key in found:
        parts = _names(key)
        if not parts or not {*map(str, parts)} <= names:
            raise DescriptorError(path, f"it has to be a list of names of fields: {', '.join(sorted(names))}")
        keys.append(tuple(map(str, parts)))
    for each in described:
        constraints = each.get("constraints") if isinstance(each, Mapping) else None
        if isinstance(constraints, Mapping) and constraints.get("unique") is True and isinstance(each.get("name"), str):
            keys.append((each["name"],))
    return tuple(dict.fromkeys(keys))


def _missing(descriptor: Descriptor, path: Place) -> frozenset[str]:
    values = descriptor["missingValues"]
    texts = (
        [each.get("value") if isinstance(each, Mapping) else each for each in values]
        if isinstance(values, list)
        else [None]
    )
    strings = [text for text in texts if isinstance(text, str)]
    if len(strings) != len(texts):
        raise DescriptorError((*path, "missingValues"), "it has to be a list of texts, or of mappings with a value")
    return frozenset(strings)


def _known(descriptor: Descriptor, path: Place, allowed: set[str]) -> None:
    """Check the names of properties.

    Raises:
        DescriptorError: One is not supported. Those of other namespaces are carried, as the standard has it.
    """
    for name in descriptor:
        if name in allowed or (":" in name and not name.startswith(NAMESPACE)):
            continue
        raise DescriptorError((*path, name), f"it is not supported here; allowed: {', '.join(sorted(allowed))}")


def _one_of(descriptor: Descriptor, path: Place, name: str, *allowed: object) -> None:
    if name in descriptor and not any(
        type(descriptor[name]) is type(one) and descriptor[name] == one for one in allowed
    ):
        raise DescriptorError(
            (*path, name),
            f"{descriptor[name]!r} is not supported: it has to be {' or '.join(json.dumps(one) for one in allowed)}",
        )


@dataclass(frozen=True)
class _Type:
    """What the fields of one type may have.

    Attributes:
        properties: Of a field, in addition to those that all have.
        constraints: In addition to required, unique and enum.
        formats: The formats; None where strptime's are taken.
    """

    properties: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    formats: tuple[str, ...] | None = ("default",)


_RANGE = tuple(_BOUNDS)
_TYPES = {
    "string": _Type(
        ("categories", f"{NAMESPACE}columnType"),
        ("minLength", "maxLength", "pattern"),
        ("default", "email", "uri", "binary", "uuid"),
    ),
    "integer": _Type(
        ("categories", "groupChar", "bareNumber", f"{NAMESPACE}columnType", f"{NAMESPACE}plainDigits"), _RANGE
    ),
    "number": _Type(("decimalChar", "groupChar", "bareNumber", f"{NAMESPACE}columnType"), _RANGE),
    "boolean": _Type(("trueValues", "falseValues")),
    "date": _Type((), _RANGE, None),
    "time": _Type((), _RANGE, None),
    "datetime": _Type((), _RANGE, None),
    "year": _Type((), _RANGE),
    "yearmonth": _Type((), _RANGE),
    "duration": _Type(),
    "list": _Type(("delimiter", "itemType")),
    "object": _Type((), ("minLength", "maxLength")),
    "array": _Type((), ("minLength", "maxLength")),
    "any": _Type(),
}
_STRINGS: Mapping[str, type[fields.StringField]] = {
    "default": fields.StringField,
    "email": fields.EmailField,
    "uri": fields.UriField,
    "binary": fields.BinaryField,
    "uuid": fields.UuidField,
}
_MOMENTS: Mapping[str, tuple[type[BaseField], bool, bool]] = {
    "date": (fields.DateField, True, False),
    "time": (fields.TimeField, False, True),
    "datetime": (fields.DateTimeField, True, True),
}
_ITEM_TYPES = ("string", "integer", "boolean", "number", "datetime", "date", "time")


class _FieldReader:
    """Reads one field of a schema."""

    def __init__(
        self, described: Descriptor, path: Place, missing: frozenset[str], null: frozenset[str] = frozenset()
    ) -> None:
        self._described = described
        self._path = path
        self._missing = missing
        self._null = null

    def read(self, *, required: bool) -> BaseField:
        """Return the field.

        Raises:
            DescriptorError: It is malformed, or uses what is not supported.
        """
        described = self._described
        name = described.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise self._error("name", f"{name!r}: it has to be ASCII letters, digits and _, at most 64")
        if name.lower() in _OWN_COLUMNS:
            raise self._error("name", f"{name!r}: every table has the columns {', '.join(_OWN_COLUMNS)} of its own")
        kind = described.get("type", "any")
        known = _TYPES.get(kind) if isinstance(kind, str) else None
        if known is None:
            raise self._error("type", f"{kind!r} is not supported; allowed: {', '.join(_TYPES)}")
        common = {"name", "type", "format", "constraints", "missingValues", f"{NAMESPACE}columnDefault", _ALIASES}
        _known(described, self._path, {*common, *known.properties, *_FIELD_DESCRIBING})
        constraints = described.get("constraints", {})
        if not isinstance(constraints, Mapping):
            raise self._error("constraints", "it has to be a mapping")
        _known(constraints, (*self._path, "constraints"), {"required", "unique", "enum", *known.constraints})
        self._format(known)
        missing = _missing(described, self._path) if "missingValues" in described else self._missing
        missing |= self._null
        required = self._flag("required", default=False, within=constraints) or required
        self._flag("unique", default=False, within=constraints)
        column = self._typed(kind, name, required=required, missing=missing)
        return self._with_default(self._constrained(column, constraints))

    def _error(self, name: str, message: str, *more: str | int) -> DescriptorError:
        return DescriptorError((*self._path, name, *more), message)

    def _flag(self, name: str, *, default: bool, within: Descriptor | None = None) -> bool:
        value = (self._described if within is None else within).get(name, default)
        if not isinstance(value, bool):
            path = (name,) if within is None else ("constraints", name)
            raise self._error(*path[:1], "it has to be true or false", *path[1:])
        return value

    def _text(self, name: str, default: str) -> str:
        value = self._described.get(name, default)
        if not isinstance(value, str) or (not value and name in self._described):
            raise self._error(name, "it has to be a text that is not empty")
        return value

    def _format(self, known: _Type) -> None:
        form = self._described.get("format", "default")
        if known.formats is not None and form not in known.formats:
            raise self._error("format", f"{form!r} is not supported here; allowed: {', '.join(known.formats)}")

    def _typed(self, kind: str, name: str, *, required: bool, missing: frozenset[str]) -> BaseField:
        common: dict[str, Any] = {"required": required, "missing": missing}
        if kind == "string":
            return _STRINGS[self._described.get("format", "default")](
                name, column_type=self._column_type(r"(?:var)?char\([0-9]{1,5}\)|(?:medium|long)?text"), **common
            )
        if kind == "integer":
            return self._integer(name, common)
        if kind == "number":
            return self._number(name, common)
        if kind == "boolean":
            true = self._values("trueValues", fields.BooleanField.true_values)
            false = self._values("falseValues", fields.BooleanField.false_values)
            if true & false:
                raise self._error("falseValues", "a value stands for true and for false")
            return fields.BooleanField(name, true_values=true, false_values=false, **common)
        if kind in _MOMENTS:
            moment, has_date, has_time = _MOMENTS[kind]
            return moment(name, pattern=self._pattern(has_date=has_date, has_time=has_time), **common)  # type: ignore[call-arg]
        if kind == "list":
            item = self._described.get("itemType", "string")
            if item not in _ITEM_TYPES:
                raise self._error("itemType", f"{item!r} is not supported; allowed: {', '.join(_ITEM_TYPES)}")
            items = _FieldReader({"name": name, "type": item, "missingValues": []}, self._path, frozenset())
            return fields.ListField(
                name, delimiter=self._text("delimiter", ","), item=items.read(required=False), **common
            )
        if kind in ("object", "array"):
            return fields.JsonField(name, kind=dict if kind == "object" else list, **common)
        others: Mapping[str, type[BaseField]] = {
            "year": fields.YearField,
            "yearmonth": fields.YearMonthField,
            "duration": fields.DurationField,
            "any": fields.AnyField,
        }
        return others[kind](name, **common)

    def _values(self, name: str, default: frozenset[str]) -> frozenset[str]:
        values = self._described.get(name, list(default))
        if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
            raise self._error(name, "it has to be a list of texts")
        return frozenset(values)

    def _column_type(self, pattern: str) -> str | None:
        name = f"{NAMESPACE}columnType"
        value = self._described.get(name)
        if value is not None and not (isinstance(value, str) and re.fullmatch(pattern, value)):
            raise self._error(name, f"{value!r} is not supported here: it has to match {pattern}")
        return value

    def _separators(self) -> dict[str, Any]:
        group = self._text("groupChar", "")
        if any(character in "0123456789+-" for character in group):
            raise self._error("groupChar", "it may hold no digit and no sign")
        return {"group_char": group, "bare": self._flag("bareNumber", default=True)}

    def _integer(self, name: str, common: dict[str, Any]) -> BaseField:
        column_type = self._column_type("|".join(fields.INTEGER_TYPES)) or "bigint"
        lowest, highest = fields.INTEGER_TYPES[column_type]
        plain = self._flag(f"{NAMESPACE}plainDigits", default=False)
        return fields.IntegerField(
            name,
            column_type=column_type,
            plain_digits=plain,
            lowest=max(lowest, 0) if plain else lowest,
            highest=highest,
            **self._separators(),
            **common,
        )

    def _number(self, name: str, common: dict[str, Any]) -> BaseField:
        column_type = self._column_type(r"decimal\([0-9]{1,2},[0-9]{1,2}\)")
        digits, decimals = fields.MOST_DIGITS, fields.MOST_DECIMALS
        if column_type:
            digits, decimals = map(int, re.findall("[0-9]+", column_type))
            if not (1 <= digits <= fields.MOST_DIGITS and decimals <= min(digits, fields.MOST_DECIMALS)):
                raise self._error(f"{NAMESPACE}columnType", "DECIMAL has 65 digits and 30 decimals at most")
        separators = self._separators()
        decimal_char = self._text("decimalChar", ".")
        if any(character in "0123456789+-E" for character in decimal_char) or decimal_char == separators["group_char"]:
            raise self._error("decimalChar", "it may hold no digit, sign or E, and has to differ from groupChar")
        return fields.NumberField(
            name, decimal_char=decimal_char, digits=digits, decimals=decimals, **separators, **common
        )

    def _pattern(self, *, has_date: bool, has_time: bool) -> str | None:
        """Read a format of strptime: all that the value needs has to be in it, and nothing that would be dropped."""
        form = self._described.get("format", "default")
        if form == "default":
            return None
        if not isinstance(form, str) or form == "any" or "%" not in form:
            raise self._error(
                "format", f"{form!r} is not supported: what it reads is a guess. Allowed: default, a format of strptime"
            )
        form = form.removeprefix("fmt:")
        found = set(re.findall("%(.)", form.replace("%%", "")))
        dates, times = {*"YymbBd"}, {*"HIpMSfz"}
        allowed = (dates if has_date else set()) | (times if has_time else set()) - ({"z"} if not has_date else set())
        wrong = sorted(found - allowed)
        if wrong:
            names = ", ".join(f"%{name}" for name in sorted(allowed))
            raise self._error("format", f"%{wrong[0]} is not supported here; allowed: {names}")
        complete = not has_date or (found & {*"Yy"} and found & {*"mbB"} and "d" in found)
        if complete and has_time:
            complete = "H" in found or {"I", "p"} <= found
        if not complete:
            raise self._error("format", f"{form!r} leaves a part of the value open, which is not guessed")
        return form

    def _constrained(self, column: BaseField, constraints: Descriptor) -> BaseField:
        lengths = self._lengths(constraints)
        column = replace(column, lengths=lengths)
        if isinstance(column, fields.StringField):
            column = self._patterned(column, constraints)
        bounds = [
            (within, self._logical(column, constraints[name], "constraints", name), reason.format(constraints[name]))
            for name, (within, reason) in _BOUNDS.items()
            if name in constraints
        ]
        if isinstance(column, fields.IntegerField):
            column = self._narrowed(column, constraints)
        elif bounds:
            column = replace(column, bounds=fields.Range(tuple(bounds)))
        allowed = self._allowed(column, constraints)
        return column if allowed is None else replace(column, allowed=allowed)

    def _lengths(self, constraints: Descriptor) -> tuple[int, int | None]:
        for name in ("minLength", "maxLength"):
            value = constraints.get(name, 0)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise self._error("constraints", "it has to be a whole number from 0", name)
        return constraints.get("minLength", 0), constraints.get("maxLength")

    def _patterned(self, column: fields.StringField, constraints: Descriptor) -> fields.StringField:
        size = re.search(r"\(([0-9]+)\)", column.column_type or "")
        shortest, longest = column.lengths
        if isinstance(column, fields.UuidField):
            longest = min(longest or 36, 36)
        if size:
            longest = min(longest if longest is not None else sys.maxsize, int(size[1]))
        column = replace(column, lengths=(shortest, longest))
        if "pattern" not in constraints:
            return column
        pattern = constraints["pattern"]
        if not isinstance(pattern, str):
            raise self._error("constraints", "it has to be a text", "pattern")
        try:
            compiled = fields.compile_pattern(pattern)
        except (re.error, ValueError) as error:
            raise self._error("constraints", f"it cannot be used: {error}", "pattern") from None
        return replace(column, pattern=compiled)

    def _narrowed(self, column: fields.IntegerField, constraints: Descriptor) -> fields.IntegerField:
        lowest, highest = column.lowest, column.highest
        for name, step in (("minimum", 0), ("exclusiveMinimum", 1)):
            if name in constraints:
                lowest = max(lowest, self._logical(column, constraints[name], "constraints", name) + step)
        for name, step in (("maximum", 0), ("exclusiveMaximum", 1)):
            if name in constraints:
                highest = min(highest, self._logical(column, constraints[name], "constraints", name) - step)
        return replace(column, lowest=lowest, highest=highest)

    def _allowed(self, column: BaseField, constraints: Descriptor) -> frozenset[Any] | None:
        found: list[tuple[tuple[str, ...], Any]] = []
        if "enum" in constraints:
            found.append((("constraints", "enum"), constraints["enum"]))
        if "categories" in self._described:
            values = self._described["categories"]
            if not isinstance(values, list):
                raise self._error("categories", "it has to be a list of values, or of mappings with a value")
            plain = [each.get("value") if isinstance(each, Mapping) else each for each in values]
            found.append((("categories",), plain))
        allowed: frozenset[Any] | None = None
        for path, values in found:
            if not isinstance(values, list) or not values:
                raise self._error(path[0], "it has to be a list of one value or more", *path[1:])
            these = frozenset(self._logical(column, value, *path) for value in values)
            allowed = these if allowed is None else allowed & these
        return allowed

    def _logical(self, column: BaseField, value: object, *path: str) -> Any:
        try:
            return column.logical_of(value)
        except ValueRefused as refusal:
            raise self._error(path[0], f"{value!r} is no value of this field: {refusal}", *path[1:]) from None

    def _with_default(self, column: BaseField) -> BaseField:
        name = f"{NAMESPACE}columnDefault"
        if name not in self._described:
            return column
        default = self._described[name]
        if not isinstance(default, str):
            raise self._error(name, "it has to be a text, written as in a file")
        if not column.missing:
            raise self._error(name, "it is never used: missingValues is empty")
        try:
            logical, text = column.logical(default)
            column.check(logical)
        except ValueRefused as refusal:
            raise self._error(name, f"{default!r} is no value of this field: {refusal}") from None
        return replace(column, default=text)
