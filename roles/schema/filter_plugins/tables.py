"""Filters: what a table is and what it should be, as the exact statements that make the one the other.

Each statement names the algorithm that it needs, the cheapest that the server offers: where a plan is wrong, the server
refuses it. Columns are added at the end of a table: anywhere else that is not instant before MySQL 8.0.29.
https://dev.mysql.com/doc/refman/8.4/en/innodb-online-ddl-operations.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import IntEnum
from typing import Any

Row = Mapping[str, Any]
Definition = Mapping[str, Any]

QUERIES = ("tables", "columns", "indexes", "checks", "foreign_keys", "versions")
"""Which result is of which of the role's queries for tables."""
OWN_INDEXES = "key_"
"""What the names of unique indexes begin with that are dropped where no definition has them."""
CHARACTER_SET, COLLATION = "utf8mb4", "utf8mb4_0900_ai_ci"
"""Of texts without a collation of their own, in a table that has none for this character set."""
COPIES = "the server copies the whole table for that, and imports wait for as long"
USED_TOO_MUCH = 80
"""Percent of the numbers of an id from which on there is a warning."""

_CHARACTER_BYTES = {"utf8mb4": 4, "utf8mb3": 3, "utf8": 3, "ascii": 1, "latin1": 1}
_LENGTH_BOUNDARY = 256
"""Bytes of a VARCHAR from which on its length takes two bytes: to cross it takes a copy."""
_INTEGERS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
_TEXTS = {"tinytext": 0xFF, "text": 0xFFFF, "mediumtext": 0xFF_FFFF, "longtext": 0xFFFF_FFFF}
_MOMENTS = ("time", "datetime", "timestamp")
_NOW = re.compile(r"CURRENT_TIMESTAMP(?:\([0-6]\))?", re.IGNORECASE)


class Algorithm(IntEnum):
    """How the server changes a table: the less, the cheaper."""

    INSTANT = 0
    INPLACE = 1
    COPY = 2

    @property
    def clause(self) -> str:
        """What makes the server refuse any other way."""
        return "ALGORITHM=INPLACE, LOCK=NONE" if self is Algorithm.INPLACE else f"ALGORITHM={self.name}"


@dataclass(frozen=True)
class Type:
    """A column's type, in parts.

    Attributes:
        name: Its first word.
        numbers: Length, digits, or digits of a second.
        unsigned: Of a number.
        members: Of an enum.
    """

    name: str
    numbers: tuple[int, ...] = ()
    unsigned: bool = False
    members: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str) -> Type:
        """Read a type as the information schema spells it."""
        name = re.split(r"[( ]", text, maxsplit=1)[0].lower()
        if name in ("enum", "set"):
            return cls(name, members=tuple(re.findall(r"'((?:[^']|'')*)'", text)))
        numbers = tuple(int(number) for number in re.findall("[0-9]+", text))
        return cls(name, numbers, "unsigned" in text.lower())

    @property
    def is_text(self) -> bool:
        """Whether it has a character set."""
        return self.name in _TEXTS or self.name in ("char", "varchar", "enum", "set")

    @property
    def has_literals(self) -> bool:
        """Whether its default may be a literal."""
        return self.name not in _TEXTS and self.name not in ("json", "blob")

    @property
    def limits(self) -> tuple[int, int]:
        """The lowest and the highest number of an integer type."""
        bits = _INTEGERS[self.name]
        return (0, 2**bits - 1) if self.unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


@dataclass(frozen=True)
class Default:
    """A column's default.

    Attributes:
        shown: In the one form that the information schema has of it.
        sql: In SQL.
    """

    shown: str
    sql: str = field(default="", compare=False)


NULL = Default("NULL", "NULL")


@dataclass(frozen=True)
class Column:
    """A column, in the same form whether it exists or is desired.

    Attributes:
        name: Its name.
        kind: Its type as written.
        nullable: Whether it takes NULL.
        default: Its default; None without one.
        collation: Of a text.
        on_update: Whether each update sets it to the time.
        auto_increment: Whether the server numbers it.
        generated: Whether the server computes it.
        place: Where it is defined, for messages.
    """

    name: str
    kind: str
    nullable: bool = False
    default: Default | None = None
    collation: str | None = None
    on_update: bool = False
    auto_increment: bool = False
    generated: bool = False
    place: str = ""

    @property
    def type(self) -> Type:
        """Its type in parts."""
        return Type.of(self.kind)

    @property
    def character_set(self) -> str:
        """The character set of a text."""
        return (self.collation or "").split("_", 1)[0]

    def sql(self, usual_collation: str) -> str:
        """Return its definition in SQL, in a table with a collation."""
        text = f"{quoted(self.name)} {self.kind}"
        if self.collation and self.collation != usual_collation:
            text += f" CHARACTER SET {self.character_set} COLLATE {self.collation}"
        text += " NULL" if self.nullable else " NOT NULL"
        if self.default:
            text += f" DEFAULT {self.default.sql}"
            text += f" ON UPDATE {self.default.sql}" if self.on_update else ""
        return text + (" AUTO_INCREMENT" if self.auto_increment else "")


@dataclass(frozen=True)
class Index:
    """An index.

    Attributes:
        name: Its name.
        columns: The names of its columns in lower case.
        unique: Whether no two rows may share their values.
        whole: Whether it is of whole columns alone, neither of their beginnings nor of expressions.
    """

    name: str
    columns: tuple[str, ...]
    unique: bool = False
    whole: bool = True

    def serves(self, wanted: Index) -> bool:
        """Return whether it does what another one would do."""
        if not self.whole:
            return False
        if wanted.unique:
            return self.unique and set(self.columns) == set(wanted.columns)
        return self.columns[: len(wanted.columns)] == wanted.columns

    @property
    def sql(self) -> str:
        """Its definition in SQL."""
        return f"{'UNIQUE ' if self.unique else ''}INDEX {quoted(self.name)} ({', '.join(map(quoted, self.columns))})"


@dataclass(frozen=True)
class Table:
    """A table that exists.

    Attributes:
        kind: BASE TABLE, or another one.
        engine: Its storage engine.
        collation: Of its texts that have none of their own.
        columns: By name in lower case.
        indexes: By name; that of the primary key is PRIMARY.
        checks: The CHECK constraints: their conditions by name.
        foreign_keys: The names of the foreign keys.
        next_number: The next number of its AUTO_INCREMENT column.
        filled: Whether it has a row.
    """

    kind: str
    engine: str
    collation: str
    columns: dict[str, Column]
    indexes: dict[str, Index]
    checks: dict[str, str]
    foreign_keys: frozenset[str]
    next_number: int = 0
    filled: bool = True


@dataclass
class Plan:
    """What one table needs.

    Attributes:
        name: The table's name.
        exists: Whether it exists.
        statements: The statements, in their order.
        refusals: Why they are not run.
        warnings: What will be a problem later.
    """

    name: str
    exists: bool
    statements: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def quoted(name: str) -> str:
    """Quote an identifier."""
    return f"`{name.replace('`', '``')}`"


def literal(text: str) -> str:
    """Quote a text, whatever the server's SQL mode has backslashes mean."""
    if "\\" in text:
        return f"_{CHARACTER_SET} 0x{text.encode().hex()}"
    return f"'{text.replace(chr(39), chr(39) * 2)}'"


def default_of(kind: Type, text: str | None) -> Default | None:
    """Return a column's default.

    Args:
        kind: The column's type.
        text: The default as a file or a definition has it.
    """
    if text is None:
        return None
    if kind.name in ("timestamp", "datetime") and _NOW.fullmatch(text):
        return Default(text.upper(), text.upper())
    if not kind.has_literals:
        # In any other form the server loses what is not ASCII.
        sql = f"(convert(0x{text.encode().hex()} using {CHARACTER_SET}))" if text else f"(_{CHARACTER_SET}'')"
        return Default(sql, sql)
    if kind.name in _INTEGERS:
        text = str(int(text))
    elif kind.name == "decimal":
        number = Decimal(text) or Decimal(0)
        text = f"{number:.{kind.numbers[1]}f}"
    elif kind.name in _MOMENTS:
        whole, _, fraction = text.partition(".")
        digits = kind.numbers[0] if kind.numbers else 0
        text = f"{whole}.{fraction:0<{digits}}" if digits else whole
    elif kind.name == "char":
        text = text.rstrip(" ")
    # The information schema has no characters beyond the basic plane.
    return Default(repr(re.sub("[\U00010000-\U0010ffff]", "?", text)), literal(text))


def _existing_default(row: Row) -> Default | None:
    text = row["default"]
    if text is None:
        return NULL if row["nullable"] == "YES" else None
    if "DEFAULT_GENERATED" not in str(row["extra"]):
        return Default(repr(text))
    return Default(text.upper() if _NOW.fullmatch(text) else f"({text.replace(chr(92) + chr(39), chr(39))})")


def _existing_column(row: Row) -> Column:
    extra = str(row["extra"]).upper()
    return Column(
        name=row["name"],
        kind=row["type"],
        nullable=row["nullable"] == "YES",
        default=_existing_default(row),
        collation=row["collation"],
        on_update="ON UPDATE" in extra,
        auto_increment="AUTO_INCREMENT" in extra,
        generated=extra.endswith(" GENERATED"),
    )


def existing_tables(results: Sequence[Sequence[Row]], filled: Iterable[str]) -> dict[str, Table]:
    """Return the tables that there are, by name.

    Args:
        results: The rows of the role's queries, in the order of QUERIES.
        filled: The names of those that have a row.
    """
    by_name = dict(zip(QUERIES, results, strict=True))
    have_rows = set(filled)
    found = {}
    for row in by_name["tables"]:
        name = row["name"]
        indexes: dict[str, Index] = {}
        for part in (part for part in by_name["indexes"] if part["table"] == name):
            index = indexes.get(part["name"]) or Index(part["name"], (), unique=not int(part["non_unique"]))
            indexes[part["name"]] = replace(
                index,
                columns=(*index.columns, str(part["column"] or "").lower()),
                whole=index.whole and part["prefix"] is None and part["column"] is not None,
            )
        found[name] = Table(
            kind=row["kind"],
            engine=str(row["engine"] or ""),
            collation=str(row["collation"] or ""),
            columns={
                column["name"].lower(): _existing_column(column)
                for column in by_name["columns"]
                if column["table"] == name
            },
            indexes=indexes,
            checks={check["name"]: check["clause"] for check in by_name["checks"] if check["table"] == name},
            foreign_keys=frozenset(key["name"] for key in by_name["foreign_keys"] if key["table"] == name),
            next_number=int(row["next_number"] or 0),
            filled=name in have_rows,
        )
    return found


def _desired_column(column: Row, usual_collation: str) -> Column:
    kind = Type.of(str(column["type"]))
    default = default_of(kind, column.get("default"))
    nullable = bool(column.get("nullable"))
    return Column(
        name=column["name"],
        kind=column["type"],
        nullable=nullable,
        default=NULL if default is None and nullable else default,
        collation=(column.get("collation") or usual_collation) if kind.is_text else None,
        on_update=bool(column.get("on_update")),
        auto_increment=bool(column.get("auto_increment")),
        place=column.get("place") or "",
    )


def _desired_indexes(definition: Definition) -> list[Index]:
    return [
        Index(index["name"], tuple(name.lower() for name in index["columns"]), bool(index.get("unique")))
        for index in definition.get("indexes") or []
    ]


def _foreign_key_sql(key: Row, database: str) -> str:
    columns, references = (", ".join(map(quoted, key[part])) for part in ("columns", "references"))
    cascade = f" ON DELETE {key['on_delete']}" if key.get("on_delete") else ""
    name, table = quoted(key["name"]), f"{quoted(database)}.{quoted(key['table'])}"
    return f"CONSTRAINT {name} FOREIGN KEY ({columns}) REFERENCES {table} ({references}){cascade}"


def _check_sql(check: Row) -> str:
    return f"CONSTRAINT {quoted(check['name'])} CHECK ({check['clause']})"


def creation(definition: Definition, database: str) -> str:
    """Return the statement that creates a table.

    Args:
        definition: An entry of ``schema_tables``.
        database: The database that it is for.
    """
    parts = [_desired_column(column, COLLATION).sql(COLLATION) for column in definition["columns"]]
    parts.append(f"PRIMARY KEY ({', '.join(map(quoted, definition['primary_key']))})")
    parts += [index.sql for index in _desired_indexes(definition)]
    parts += [_foreign_key_sql(key, database) for key in definition.get("foreign_keys") or []]
    parts += [_check_sql(check) for check in definition.get("checks") or []]
    lines = ",\n  ".join(parts)
    name = f"{quoted(database)}.{quoted(definition['name'])}"
    return (
        f"CREATE TABLE {name} (\n  {lines}\n) ENGINE=InnoDB DEFAULT CHARACTER SET {CHARACTER_SET} COLLATE {COLLATION}"
    )


@dataclass(frozen=True)
class Change:
    """What a column's new definition means for the server and for the rows.

    Attributes:
        algorithm: The cheapest way.
        loss: narrow or retype, where values may be refused or lost; else empty.
    """

    algorithm: Algorithm
    loss: str = ""


SAME = Change(Algorithm.INSTANT)


def _integer_change(old: Type, new: Type) -> Change:
    if (old.name, old.unsigned) == (new.name, new.unsigned):
        # Only how wide it is shown: tinyint(1) is a boolean.
        return SAME
    (old_lowest, old_highest), (lowest, highest) = old.limits, new.limits
    return Change(Algorithm.COPY, "" if lowest <= old_lowest and old_highest <= highest else "narrow")


def _decimal_change(old: Type, new: Type) -> Change:
    (old_digits, old_decimals), (digits, decimals) = old.numbers, new.numbers
    holds = decimals >= old_decimals and digits - decimals >= old_digits - old_decimals
    return Change(Algorithm.COPY, "" if holds else "narrow")


def _most_characters(kind: Type, bytes_each: int) -> int:
    return _TEXTS[kind.name] // bytes_each if kind.name in _TEXTS else kind.numbers[0]


def _text_change(old: Column, new: Column) -> Change:
    before, after = old.type, new.type
    before_each, after_each = (_CHARACTER_BYTES.get(each.character_set, 4) for each in (old, new))
    if new.character_set not in (old.character_set, CHARACTER_SET):
        return Change(Algorithm.COPY, "narrow")
    if _most_characters(after, after_each) < _most_characters(before, before_each):
        return Change(Algorithm.COPY, "narrow")
    if old.character_set == new.character_set and before.name == after.name:
        sizes = [kind.numbers[0] * after_each for kind in (before, after)] if before.name == "varchar" else [0, 0]
        if before == after or (
            before.name == "varchar" and (sizes[0] < _LENGTH_BOUNDARY) == (sizes[1] < _LENGTH_BOUNDARY)
        ):
            return SAME if before == after else Change(Algorithm.INPLACE)
    return Change(Algorithm.COPY)


def _enum_change(old: Type, new: Type) -> Change:
    if new.members[: len(old.members)] == old.members and (len(old.members) < 256) == (len(new.members) < 256):
        return SAME
    return Change(Algorithm.COPY, "" if set(old.members) <= set(new.members) else "narrow")


def _type_change(old: Column, new: Column) -> Change:
    before, after = old.type, new.type
    if old.kind.lower() == new.kind.lower() and old.character_set == new.character_set:
        return SAME
    if before.name in _INTEGERS and after.name in _INTEGERS:
        return _integer_change(before, after)
    if before.name == after.name == "decimal":
        return _decimal_change(before, after)
    if before.name == after.name == "enum" and old.character_set == new.character_set:
        return _enum_change(before, after)
    lengths = {"char", "varchar", *_TEXTS}
    if before.name in lengths and after.name in lengths:
        return _text_change(old, new)
    if before.name == after.name and before.name in _MOMENTS:
        digits = [kind.numbers[0] if kind.numbers else 0 for kind in (before, after)]
        return Change(Algorithm.COPY, "" if digits[0] < digits[1] else "narrow")
    return Change(Algorithm.COPY, "retype")


def column_change(old: Column, new: Column, *, indexed: bool) -> Change | None:
    """Return what it takes that a column becomes another one; None where it is that one.

    Args:
        old: The column that exists.
        new: The column that is desired.
        indexed: Whether an index holds its values in their order.
    """
    without_name = (replace(each, name="", place="", kind=each.kind.lower()) for each in (old, new))
    if len(set(without_name)) == 1:
        return None
    change = _type_change(old, new)
    algorithm, loss = change.algorithm, change.loss
    if old.collation != new.collation:
        algorithm = max(algorithm, Algorithm.COPY if indexed else Algorithm.INPLACE)
    if old.nullable != new.nullable:
        # The table is rebuilt, while others write.
        algorithm = max(algorithm, Algorithm.INPLACE)
        loss = loss or ("narrow" if old.nullable else "")
    if new.auto_increment and not old.auto_increment:
        algorithm = Algorithm.COPY
    return Change(algorithm, loss)


def _condition(text: str) -> str:
    """Return the condition of a CHECK constraint without what the server adds to it."""
    return re.sub(r"[\s`()]", "", text).lower()


class Migration:
    """The statements that make a table that exists what its definition says."""

    def __init__(self, definition: Definition, table: Table, database: str, version: str) -> None:
        """Compare them.

        Args:
            definition: An entry of ``schema_tables``.
            table: The table that exists.
            database: The database that it is in.
            version: The server's version.
        """
        self.name = str(definition["name"])
        self._definition = definition
        self._table = table
        self._database = database
        self._title = f"{quoted(database)}.{quoted(self.name)}"
        self._version = tuple(int(part) for part in re.findall("[0-9]+", version)[:3])
        self._allowed = set(definition.get("allow") or [])
        self._usual = table.collation if table.collation.startswith(f"{CHARACTER_SET}_") else COLLATION
        self._existing = table.columns
        self._desired = {
            str(column["name"]).lower(): self._lenient(_desired_column(column, self._usual))
            for column in definition["columns"]
        }
        self._indexes = _desired_indexes(definition)
        self._gone = {
            name
            for name in self._existing
            if name not in self._desired and any(f"drop:{name}" == allowed.lower() for allowed in self._allowed)
        }
        self.refusals: list[str] = []

    def _lenient(self, new: Column) -> Column:
        """Return a column that still takes NULL where it gets a default: rows that have NULL keep it."""
        old = self._existing.get(new.name.lower())
        keeps = old and old.nullable and new.default and not self._is_allowed(f"narrow:{new.name}")
        return replace(new, nullable=True) if keeps else new

    def plan(self) -> Plan:
        """Return the plan."""
        refused = self._foreign()
        if refused:
            return Plan(self.name, exists=True, refusals=[refused])
        statements = list(self._statements())
        return Plan(
            self.name, exists=True, statements=statements, refusals=self.refusals, warnings=list(self._warnings())
        )

    def _foreign(self) -> str:
        """Return why the table cannot become the one that is defined."""
        table, where = self._table, f"The table {self.name}"
        if table.kind != "BASE TABLE":
            return f"{where} is a {table.kind.lower()}: rename it, or give the dataset another table."
        if table.engine != "InnoDB":
            return (
                f"{where} is of the engine {table.engine}, and an import needs transactions:"
                f" run ALTER TABLE {self.name} ENGINE=InnoDB, which copies it, or give the dataset another table."
            )
        primary = table.indexes.get("PRIMARY", Index("PRIMARY", ()))
        wanted = tuple(name.lower() for name in self._definition["primary_key"])
        if primary.columns != wanted:
            return (
                f"{where} has the primary key ({', '.join(primary.columns)}) instead of ({', '.join(wanted)}):"
                " it is another table. Rename it, or give the dataset another one."
            )
        return ""

    # The statements

    def _statements(self) -> Iterator[str]:
        missing, orphaned = self._index_changes()
        changes = self._column_changes(orphaned)
        touched = {name for name, change in changes.items() if change.algorithm} | self._gone
        # An index would make the change of a column dearer, or impossible.
        first = [index for index in orphaned if touched & set(index.columns)]
        yield from self._altered(Algorithm.INPLACE, [f"DROP INDEX {quoted(index.name)}" for index in first])
        yield from self._drops_of_checks()
        for algorithm in Algorithm:
            yield from self._altered(algorithm, self._additions(algorithm))
        yield from self._modifications(changes)
        later = [f"DROP INDEX {quoted(index.name)}" for index in orphaned if index not in first]
        yield from self._altered(Algorithm.INPLACE, [*later, *(f"ADD {index.sql}" for index in missing)])
        yield from self._drops_of_columns(orphaned)
        yield from self._constraints()

    def _altered(self, algorithm: Algorithm, actions: Sequence[str]) -> Iterator[str]:
        if actions:
            yield f"ALTER TABLE {self._title} {', '.join(actions)}, {algorithm.clause}"

    def _index_changes(self) -> tuple[list[Index], list[Index]]:
        """Return the indexes that are missing, and those that nothing needs."""
        existing = [index for index in self._table.indexes.values() if index.name != "PRIMARY"]
        missing = [wanted for wanted in self._indexes if not any(index.serves(wanted) for index in existing)]
        names = {index.name.lower() for index in missing}
        orphaned = [
            index
            for index in existing
            if index.name.lower() in names
            or (
                index.unique
                and index.name.startswith(OWN_INDEXES)
                and not any(index.serves(wanted) for wanted in self._indexes)
            )
        ]
        return missing, orphaned

    def _column_changes(self, orphaned: Sequence[Index]) -> dict[str, Change]:
        kept = [index for index in self._table.indexes.values() if index not in orphaned]
        indexed = {name for index in kept for name in index.columns}
        changes = {}
        for name, new in self._desired.items():
            old = self._existing.get(name)
            change = old and column_change(old, new, indexed=name in indexed)
            if old and old.generated:
                self._refuse(new, "is computed by the server", f"drop it by hand: ALTER TABLE … DROP COLUMN {old.name}")
            elif old and change:
                changes[name] = change
                self._judge(old, new, change)
        for name, old in self._existing.items():
            demanded = not (old.nullable or old.default is not None or old.auto_increment or old.generated)
            if name not in self._desired and name not in self._gone and demanded:
                self._refuse(
                    old,
                    "is not in the definition, takes no NULL and has no default, so no row could be stored",
                    f"define it, give it a default by hand, or {self._allow(f'drop:{old.name}')}, which deletes it",
                )
        return changes

    def _judge(self, old: Column, new: Column, change: Change) -> None:
        """Refuse a change that may lose values, or copies the table, where that is not allowed."""
        if not self._table.filled:
            return
        allowance = f"{change.loss}:{new.name}"
        if change.loss and not self._is_allowed(allowance):
            what = f"is {_described(old)} and would become {_described(new)}"
            why = {
                "narrow": "which may not hold all of its values",
                "retype": "another kind of values",
            }[change.loss]
            self._refuse(
                new, f"{what}, {why}", f"leave it as it is, or {self._allow(allowance)}, which converts all rows"
            )
        elif not change.loss and change.algorithm is Algorithm.COPY and not self._is_allowed("copy"):
            self._refuse(
                new,
                f"is {_described(old)} and would become {_described(new)}{_why_copy(old, new)}: {COPIES}",
                f"leave it as it is, or {self._allow('copy')}",
            )

    def _additions(self, algorithm: Algorithm) -> list[str]:
        found = []
        for name, column in self._desired.items():
            if name in self._existing or self._addition(column) is not algorithm:
                continue
            if not self._table.filled and not column.nullable and column.default is None:
                # A row that arrives in between has no value: _modifications has the server look.
                column = replace(column, nullable=True, default=NULL)  # noqa: PLW2901
            elif self._table.filled and not column.nullable and column.default is None:
                self._refuse(
                    column,
                    "is new and required, and the rows that there are have no value for it",
                    "take `required` from it, or give it csvToAurora:columnDefault",
                )
            elif self._table.filled and algorithm is Algorithm.COPY and not self._is_allowed("copy"):
                self._refuse(
                    column,
                    f"is new, of type {column.kind} and has a default: {COPIES}",
                    f"give it a length (varchar), take its default away, or {self._allow('copy')}",
                )
            found.append(f"ADD COLUMN {column.sql(self._usual)}")
        return found

    def _addition(self, column: Column) -> Algorithm:
        computed = not column.type.has_literals and column.default not in (None, NULL)
        return Algorithm.COPY if computed or column.auto_increment else Algorithm.INSTANT

    def _modifications(self, changes: Mapping[str, Change]) -> Iterator[str]:
        # Another collation and NULL or NOT NULL at once, the server gives a CHAR or TEXT only while nobody writes; one
        # after the other, while others write.
        collations = [
            f"MODIFY COLUMN {replace(new, nullable=old.nullable, default=old.default).sql(self._usual)}"
            for old, new in ((self._existing[name], self._desired[name]) for name in changes)
            if changes[new.name].algorithm is Algorithm.INPLACE
            and new.type.name != "varchar"
            and new.nullable is not old.nullable
            and new.collation != old.collation
        ]
        yield from self._altered(Algorithm.INPLACE, collations)
        for algorithm in Algorithm:
            actions = [
                self._modification(self._existing[name], self._desired[name])
                for name, change in changes.items()
                if change.algorithm is algorithm
            ]
            if algorithm is Algorithm.INPLACE and not self._table.filled:
                actions += [
                    f"MODIFY COLUMN {column.sql(self._usual)}"
                    for name, column in self._desired.items()
                    if name not in self._existing and not column.nullable and column.default is None
                ]
            yield from self._altered(algorithm, actions)

    def _modification(self, old: Column, new: Column) -> str:
        only_default = replace(old, default=None, place="", name="") == replace(new, default=None, place="", name="")
        if only_default and new.default is None:
            return f"ALTER COLUMN {quoted(old.name)} DROP DEFAULT"
        if only_default and new.default and new.type.has_literals and not _NOW.fullmatch(new.default.sql):
            return f"ALTER COLUMN {quoted(old.name)} SET DEFAULT {new.default.sql}"
        return f"MODIFY COLUMN {new.sql(self._usual)}"

    def _drops_of_columns(self, orphaned: Sequence[Index]) -> Iterator[str]:
        indexed = {name for index in self._table.indexes.values() if index not in orphaned for name in index.columns}
        at_once = self._version >= (8, 0, 29) and not self._gone & indexed
        actions = [f"DROP COLUMN {quoted(self._existing[name].name)}" for name in self._existing if name in self._gone]
        yield from self._altered(Algorithm.INSTANT if at_once else Algorithm.INPLACE, actions)

    def _changed_checks(self) -> list[Row]:
        return [
            check
            for check in self._definition.get("checks") or []
            if _condition(self._table.checks.get(check["name"], "")) != _condition(check["clause"])
        ]

    def _drops_of_checks(self) -> Iterator[str]:
        orphaned = [check["name"] for check in self._changed_checks() if check["name"] in self._table.checks]
        yield from self._altered(Algorithm.INSTANT, [f"DROP CHECK {quoted(name)}" for name in orphaned])

    def _constraints(self) -> Iterator[str]:
        checks = self._changed_checks()
        keys = [
            key for key in self._definition.get("foreign_keys") or [] if key["name"] not in self._table.foreign_keys
        ]
        names = [str(each["name"]) for each in (*checks, *keys)]
        if names and self._table.filled and not self._is_allowed("copy"):
            self.refusals.append(
                f"The table {self.name} lacks the constraint {', '.join(names)}: {COPIES}."
                f" To go on, {self._allow('copy')}."
            )
        added = [*map(_check_sql, checks), *(_foreign_key_sql(key, self._database) for key in keys)]
        yield from self._altered(Algorithm.COPY, [f"ADD {constraint}" for constraint in added])

    # What is said

    def _is_allowed(self, name: str) -> bool:
        return name.lower() in (allowed.lower() for allowed in self._allowed)

    def _allow(self, name: str) -> str:
        prop = self._definition.get("allow_property") or "allow"
        place = self._definition.get("place")
        return f"add {name} to the list {prop}{f' in {place}' if place else ''}"

    def _refuse(self, column: Column, what: str, fix: str) -> None:
        place = f" ({column.place})" if column.place else ""
        self.refusals.append(f"The column {self.name}.{column.name}{place} {what}. To go on, {fix}.")

    def _warnings(self) -> Iterator[str]:
        for column in self._existing.values():
            if column.auto_increment and column.type.name in _INTEGERS:
                highest = column.type.limits[1]
                percent = self._table.next_number * 100 // highest
                if percent >= USED_TOO_MUCH:
                    bigger = "bigint unsigned" if column.type.name == "bigint" else "bigint"
                    yield (
                        f"{percent} % of the numbers of {self.name}.{column.name} ({column.kind}) are used:"
                        f" beyond {highest}, every import fails. Make it {bigger} (csvToAurora:idType), and"
                        f" {self._allow('copy')}: {COPIES}."
                    )


def _described(column: Column) -> str:
    collation = f" {column.collation}" if column.collation else ""
    return f"{column.kind}{collation} {'NULL' if column.nullable else 'NOT NULL'}"


def _why_copy(old: Column, new: Column) -> str:
    if old.type.name == new.type.name == "varchar" and old.collation == new.collation:
        return f", across {_LENGTH_BOUNDARY - 1} bytes, where the length of a value takes a second byte"
    return ""


def schema_table_plans(
    tables: Iterable[Definition], results: Sequence[Sequence[Row]], filled: Iterable[str], database: str
) -> list[dict[str, Any]]:
    """Return what each table needs: ``name``, ``exists``, ``statements``, ``refusals``, ``warnings``.

    Args:
        tables: The value of ``schema_tables``.
        results: The rows of the role's queries, in the order of QUERIES.
        filled: The names of the tables that have a row.
        database: The database that they are in.
    """
    existing = existing_tables(results, filled)
    (version, *_) = results[QUERIES.index("versions")]
    plans = []
    for definition in tables:
        table = existing.get(definition["name"])
        if table is None:
            plans.append(Plan(definition["name"], exists=False, statements=[creation(definition, database)]))
        else:
            plans.append(Migration(definition, table, database, version["version"]).plan())
    return [vars(plan) for plan in plans]


def schema_filled_queries(tables: Iterable[Definition], results: Sequence[Sequence[Row]], database: str) -> list[str]:
    """Return queries that answer with the names of the tables that have a row.

    Args:
        tables: The value of ``schema_tables``.
        results: The rows of the role's queries, in the order of QUERIES.
        database: The database that they are in.
    """
    existing = {row["name"] for row in results[QUERIES.index("tables")]}
    names = [str(table["name"]) for table in tables if table["name"] in existing]
    return [
        f"SELECT {literal(name)} AS name FROM DUAL WHERE EXISTS (SELECT 1 FROM {quoted(database)}.{quoted(name)})"  # noqa: S608 - quoted
        for name in names
    ]


class FilterModule:
    """The filters of this file, as Ansible wants them."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"schema_filled_queries": schema_filled_queries, "schema_table_plans": schema_table_plans}
