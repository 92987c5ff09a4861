"""MySQL's errors as those of the importer."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pymysql

from csv_importer.errors import ConfigurationError, Contended, FileRefused, TooManyConnections, TransientError
from csv_importer.feed import TOO_LARGE, FeedConnection
from csv_importer.ports import RowsAltered

_TRANSIENT = {
    1040: "too many connections",
    1053: "the server is shutting down",
    1158: "the connection was lost",
    1159: "the connection was lost",
    1160: "the connection was lost",
    1161: "the connection was lost",
    1180: "the server could not commit",
    1203: "too many connections of this user",
    1205: "a lock wait timeout",
    1213: "a deadlock",
    1226: "too many connections of this user, or another of its limits is reached",
    1290: "the server is read-only",
    1317: "the statement was interrupted",
    1412: "a table has been altered meanwhile",
    1792: "the server is read-only",
    1836: "the server is read-only",
    2003: "the server cannot be reached",
    2006: "the connection was lost",
    2013: "the connection was lost",
    2014: "commands are out of sync",
    2055: "the connection was lost",
    3024: "the statement took too long",
    3168: "the server is not ready",
    3169: "the session was killed",
    4031: "the session was idle for too long",
}
_KINDS = {
    1040: TooManyConnections,
    1203: TooManyConnections,
    1205: Contended,
    1213: Contended,
    1226: TooManyConnections,
}
# The function may be deployed before site.yml has migrated the tables, or after.
_MIGRATED = {
    1054: "a table lacks a column",
    1136: "a table has other columns",
    1146: "a table is missing",
    1364: "a table has another column",
}
MIGRATION = "site.yml migrates the tables"
"""What brings the tables to what the datasets need."""

_REFUSED = {
    3: "the database's disk is full",
    28: "the database's disk is full",
    1021: "the database's disk is full",
    1030: "the database's storage failed",
    1114: "the database's disk or table is full",
    1467: "the numbers for the column id are used up: csvToAurora:idType bigint and csvToAurora:allow copy add some",
}
# A statement with one row, or a value that the server makes of one, such as JSON.
_TOO_LARGE = frozenset({TOO_LARGE, 1301})
COMMAND_DENIED = 1142
"""A privilege on a table is missing; without any, that the table itself is missing, too."""
DUPLICATE = 1062
"""A second row with the same key."""
LOGIN_REFUSED = frozenset({1045, 1698})
"""The password, or the token, is not accepted."""
# A value that does not fit, a constraint or a trigger; LOAD DATA LOCAL forbidden since.
_ROWS_REFUSED = frozenset(
    {1048, 1062, 1169, 1264, 1265, 1292, 1366, 1406, 1452, 1644, 1690, 3140, 3141, 3157, 3819, 1148, 3948, 3950}
)


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into those of csv_importer.errors."""
    try:
        yield
    except pymysql.MySQLError as error:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        cause = getattr(error, "original_exception", None)
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise ConfigurationError(
                f"the database's certificate is refused: {cause.verify_message or cause.reason}."
                " The CA certificates come with the function as ca.pem, or from DATABASE_CA_FILE"
            ) from error
        # 0: the connection was closed under the driver.
        if code in _TRANSIENT or code == 0:
            kind = _KINDS.get(code, TransientError)
            raise kind(f"{_TRANSIENT.get(code, 'the connection was lost')} (MySQL error {code})") from error
        text = str(error.args[1]) if len(error.args) > 1 else ""
        if code in _MIGRATED:
            raise TransientError(f"{_MIGRATED[code]} (MySQL error {code}: {text}); {MIGRATION}") from error
        if code in _REFUSED:
            raise FileRefused(f"{_REFUSED[code]} (MySQL error {code}: {text})") from error
        if code in _TOO_LARGE:
            raise RowsAltered(f"it is larger than max_allowed_packet of the server (MySQL error {code})") from error
        if code in _ROWS_REFUSED:
            # The server's own text may hold a value.
            raise RowsAltered(f"MySQL error {code}") from error
        raise ConfigurationError(f"the database refuses: {text} (MySQL error {code})") from error
    except OSError as error:
        raise TransientError(f"the connection was lost ({type(error).__name__})") from error


@contextmanager
def transaction(connection: FeedConnection) -> Iterator[None]:
    """Commit at the end; roll back on an exception."""
    with translated():
        connection.begin()
    try:
        yield
        with translated():
            connection.commit()
    except BaseException:
        # A connection that cannot roll back is closed by the server, which rolls back too.
        with suppress(pymysql.MySQLError, OSError):
            connection.rollback()
        raise


def code_of(error: BaseException | None) -> int:
    """Return MySQL's number of an error; 0 where it is none of MySQL."""
    return error.args[0] if isinstance(error, pymysql.MySQLError) and isinstance(error.args[0], int) else 0
