"""A few connections to the reader endpoint, which read only and never for long."""

from __future__ import annotations

import logging
import queue
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pymysql
from pymysql.constants import CLIENT, CR, ER
from pymysql.cursors import DictCursor

from status_page.settings import ConfigurationError, Settings

type Row = dict[str, Any]
type Parameters = tuple[object, ...] | Mapping[str, object]

CONNECT_TIMEOUT = 2
"""Seconds to wait for a connection, and for one of the pool's to be free."""

STATEMENT_LIMIT = 2000
"""Milliseconds after which the server ends a SELECT (max_execution_time)."""

READ_TIMEOUT = 4
"""Seconds to wait for an answer: longer than the server takes to end a statement."""

LIFETIME = 60
"""Seconds for which a connection is used: then the endpoint's name is resolved again, after a failover, too."""

CONNECTIONS = 4
"""The most connections of one process."""

TOKEN_LIFETIME = 600
"""Seconds for which an IAM authentication token is used: it is valid for 900."""

# Read only, whatever the grants say. Times are those of UTC.
_SESSION = (
    "SET SESSION time_zone = '+00:00', SESSION transaction_read_only = ON, SESSION transaction_isolation ="
    f" 'READ-COMMITTED', SESSION max_execution_time = {STATEMENT_LIMIT}"
)

_LOST = (CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST)
_UPDATE = "ansible-playbook playbooks/site.yml updates it."
_CAUSES = {
    ER.ACCESS_DENIED_ERROR: "The database refuses the login of this page.",
    ER.DBACCESS_DENIED_ERROR: "The database refuses the login of this page.",
    # ER_ACCESS_DENIED_NO_PASSWORD_ERROR, ER_ACCOUNT_HAS_BEEN_LOCKED
    1698: "The database refuses the login of this page.",
    3118: "The database refuses the login of this page.",
    ER.TABLEACCESS_DENIED_ERROR: f"This page may not read what it needs: the grants are not up to date. {_UPDATE}",
    ER.COLUMNACCESS_DENIED_ERROR: f"This page may not read what it needs: the grants are not up to date. {_UPDATE}",
    ER.NO_SUCH_TABLE: f"The ledger is not complete. {_UPDATE}",
    ER.BAD_DB_ERROR: f"The ledger is not complete. {_UPDATE}",
    ER.KEY_DOES_NOT_EXITS: f"The ledger is not complete. {_UPDATE}",
    ER.BAD_FIELD_ERROR: f"The ledger is not complete. {_UPDATE}",
    ER.CON_COUNT_ERROR: "The database has no connection free.",
    ER.USER_LIMIT_REACHED: "The database has no connection free.",
    ER.TOO_MANY_USER_CONNECTIONS: "The database has no connection free.",
    ER.SERVER_SHUTDOWN: "The database is shutting down.",
    # ER_QUERY_TIMEOUT
    3024: f"The database is slow: a query was ended after {STATEMENT_LIMIT // 1000} seconds.",
}

_log = logging.getLogger(__name__)


class DatabaseUnavailable(Exception):
    """The database cannot be read now; the message is the cause in plain words, for the page."""


if TYPE_CHECKING:
    _Base = pymysql.Connection[DictCursor]
else:
    # At run time the class takes no parameters.
    _Base = pymysql.Connection


class _Connection(_Base):
    """A connection that sends nothing without TLS."""

    def _get_server_information(self) -> None:
        super()._get_server_information()  # type: ignore[misc] # not in the stubs
        # Before version 1.2, PyMySQL logs in without TLS where the server does not offer it.
        if not vars(self)["server_capabilities"] & CLIENT.SSL:
            raise ssl.SSLError("the server offers no TLS")


class Reader:
    """One connection, for the statements of one request."""

    def __init__(self, connection: _Connection) -> None:
        """Use a connection."""
        self._connection = connection

    def rows(self, statement: str, parameters: Parameters = ()) -> list[Row]:
        """Run a statement, with its parameters bound, and return all rows."""
        with self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return list(cursor.fetchall())


class Database:
    """The reader endpoint, with the application's user."""

    def __init__(self, settings: Settings) -> None:
        """Prepare connections; none is opened before it is needed."""
        self._settings = settings
        self._places: queue.LifoQueue[tuple[_Connection, float] | None] = queue.LifoQueue()
        for _ in range(CONNECTIONS):
            self._places.put(None)
        self._token: tuple[str, float] | None = None
        self._token_lock = threading.Lock()

    def read[T](self, work: Callable[[Reader], T]) -> T:
        """Do work with a connection; once more where an idle one turns out to be lost.

        Raises:
            DatabaseUnavailable: The database cannot be reached, is slow, or refuses.
        """
        try:
            place = self._places.get(timeout=CONNECT_TIMEOUT)
        except queue.Empty:
            raise DatabaseUnavailable("The database is slow: all connections of this page are in use.") from None
        try:
            if place and time.monotonic() - place[1] > LIFETIME:
                _close(place[0])
                place = None
            if place:
                try:
                    return work(Reader(place[0]))
                except pymysql.MySQLError as error:
                    _close(place[0])
                    place = None
                    if error.args[0] not in _LOST:
                        raise
            place = (self._connect(), time.monotonic())
            return work(Reader(place[0]))
        except (pymysql.MySQLError, ConfigurationError) as error:
            if place:
                _close(place[0])
                place = None
            raise _unavailable(error) from error
        finally:
            self._places.put(place)

    def _connect(self) -> _Connection:
        login = self._settings.login()
        return _Connection(
            host=login.host,
            port=login.port,
            user=login.user,
            password=self._token_for(login.host) if self._settings.token_program else login.password,
            database=login.database,
            charset="utf8mb4",
            autocommit=True,
            init_command=_SESSION,
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            write_timeout=READ_TIMEOUT,
            ssl=_verifying(login.ca_file),
            cursorclass=DictCursor,
        )

    def _token_for(self, host: str) -> str:
        """Return an IAM authentication token, which is for one server.

        Raises:
            ConfigurationError: The program fails.
        """
        with self._token_lock:
            if self._token is None or time.monotonic() - self._token[1] > TOKEN_LIFETIME:
                try:
                    done = subprocess.run(
                        [str(self._settings.token_program), host],
                        check=True,
                        capture_output=True,
                        text=True,
                        timeout=10,
                    )
                except (OSError, subprocess.SubprocessError) as error:
                    # Not its output, which may be a token.
                    raise ConfigurationError(
                        f"{self._settings.token_program} gives no IAM authentication token ({type(error).__name__})"
                    ) from None
                self._token = (done.stdout.strip(), time.monotonic())
            return self._token[0]


def _verifying(ca_file: str) -> ssl.SSLContext:
    """Return the context that verifies the server's certificate and its name.

    Not that of PyMySQL 1.1: with it, Python 3.13 refuses certificates without certain extensions, as private CAs issue.

    Raises:
        ConfigurationError: There are no CA certificates.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(ca_file)
    except OSError as error:
        raise ConfigurationError(f"the CA certificates {ca_file} cannot be read ({type(error).__name__})") from None
    return context


def _close(connection: _Connection) -> None:
    # It may be lost already.
    with suppress(pymysql.MySQLError, OSError):
        connection.close()


def _unavailable(error: pymysql.MySQLError | ConfigurationError) -> DatabaseUnavailable:
    """Return what the page says of an error; the log has the error itself."""
    _log.warning("The database cannot be read: %s", error)
    if isinstance(error, ConfigurationError):
        return DatabaseUnavailable("This page cannot log in to the database. The log of the service says why.")
    code = error.args[0] if error.args else None
    if isinstance(getattr(error, "original_exception", None), ssl.SSLError):
        return DatabaseUnavailable("The certificate of the database cannot be verified, so that nothing is sent to it.")
    if code in _LOST:
        return DatabaseUnavailable("The database does not answer.")
    if code in (CR.CR_CONN_HOST_ERROR, CR.CR_UNKNOWN_HOST):
        return DatabaseUnavailable("The database cannot be reached.")
    return DatabaseUnavailable(
        _CAUSES.get(code, f"The database answers with error {code}.")
        if isinstance(code, int)
        else "The database fails."
    )
