"""The two web applications: the public one has no route to what the private one shows."""

from __future__ import annotations

import datetime as dt
import logging
import mimetypes
import re
from functools import partial
from operator import attrgetter
from pathlib import Path

from flask import Flask, Response, abort, jsonify, render_template, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import BaseConverter, RequestRedirect, ValidationError

from status_page import formats, ledger
from status_page.cache import Cached
from status_page.charts import chart_of
from status_page.database import Database, DatabaseUnavailable, Reader
from status_page.metrics import CONTENT_TYPE, metrics
from status_page.settings import Settings

METHODS = ("GET", "HEAD")

COUNTS_KEPT = 5.0
"""Seconds for which the totals of the ledger are kept, in each process."""

COUNTS_AT_MOST = 60.0
"""Seconds after which they are no longer shown, even where a visitor has to wait for new ones; so with DAYS_AT_MOST."""

DAYS_KEPT = 60.0
"""Seconds for which the numbers of the charts are kept."""

DAYS_AT_MOST = 600.0

OVERVIEW_KEPT = 1.0
"""Seconds for which the rest of the overview is kept."""

STATIC_KEPT = 3600
"""Seconds for which a browser keeps the style sheet."""

HEADERS = {
    # No script, no font, no frame, nothing from elsewhere.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

NO_DATASET = "-"
"""How the imports of keys that no dataset takes are asked for."""

_LARGEST = 2**64 - 1
"""The largest number that the ledger's columns hold."""

_DATASET = re.compile(r"[A-Za-z0-9._-]{0,64}")
# In memory: what a request names is looked up there, and never on the disk.
_STATIC = {path.name: path.read_bytes() for path in (Path(__file__).parent / "static").iterdir()}
_log = logging.getLogger(__name__)


class _Number(BaseConverter):
    """An id in a path. Not Werkzeug's own converter, which fails on a number of 5,000 digits."""

    regex = "[0-9]{1,20}"

    def to_python(self, value: str) -> int:
        number = int(value)
        if number > _LARGEST:
            raise ValidationError
        return number


class _Ledger:
    """The queries of the pages, and what is kept of them."""

    def __init__(self, settings: Settings) -> None:
        self.database = Database(settings)
        self.counts = Cached(partial(self.database.read, ledger.counts), COUNTS_KEPT, COUNTS_AT_MOST)
        self.days = Cached(partial(self.database.read, ledger.days), DAYS_KEPT, DAYS_AT_MOST)
        self.overview = Cached(partial(self.database.read, ledger.overview), OVERVIEW_KEPT)
        self.newest = Cached(partial(self.database.read, ledger.newest), COUNTS_KEPT)


def public_app(settings: Settings) -> Flask:
    """Return the application for everybody: health and totals, no names of files, no values, no reasons."""
    app = _app(settings, "public")
    known = _Ledger(settings)

    def read() -> tuple[ledger.Counts, list[ledger.Newest], list[ledger.Day]]:
        counts = known.counts()
        return counts, known.newest(), ledger.all_datasets(known.days())

    @app.get("/")
    def index() -> str:
        counts, newest, days = read()
        shown = formats.public_as_json(counts, newest, days)
        ended = max((each.finished_at for each in newest if each.finished_at), default=None)
        return render_template("public.html", counts=counts, shown=shown, ended=ended, days=days)

    @app.get("/api/overview")
    def overview() -> Response:
        return jsonify(formats.public_as_json(*read()))

    _add_health(app, known)
    return app


def private_app(settings: Settings) -> Flask:
    """Return the application for those who may know the names of files and the reasons of failures."""
    app = _app(settings, "private")
    # A page of another site that resolves to the end of a tunnel is not answered.
    app.config["TRUSTED_HOSTS"] = list(settings.trusted_hosts)
    known = _Ledger(settings)

    def read_imports() -> tuple[ledger.Choice, ledger.Imports]:
        choice = _choice()
        return choice, known.database.read(lambda reader: ledger.imports(reader, choice))

    def read_import(import_id: int) -> tuple[ledger.Import, ledger.Rejects]:
        after = _number("after") or 0

        def read(reader: Reader) -> tuple[ledger.Import, ledger.Rejects] | None:
            found = ledger.one_import(reader, import_id)
            return None if found is None else (found, ledger.rejects(reader, import_id, after))

        return known.database.read(read) or abort(404)

    @app.get("/")
    def index() -> str:
        return render_template("overview.html", counts=known.counts(), overview=known.overview(), charts=known.days())

    @app.get("/api/overview")
    def overview() -> Response:
        return jsonify(formats.overview_as_json(known.counts(), known.overview(), known.days()))

    @app.get("/imports")
    def imports() -> str:
        choice, page = read_imports()
        datasets = sorted({total.dataset for total in known.counts().totals})
        return render_template("imports.html", choice=choice, page=page, datasets=datasets, statuses=ledger.STATUSES)

    @app.get("/api/imports")
    def imports_json() -> Response:
        return jsonify(formats.imports_as_json(read_imports()[1]))

    @app.get("/imports/<number:import_id>")
    def one_import(import_id: int) -> str:
        found, rejects = read_import(import_id)
        return render_template("import.html", found=found, rejects=rejects, after=_number("after"))

    @app.get("/api/imports/<number:import_id>")
    def one_import_json(import_id: int) -> Response:
        found, rejects = read_import(import_id)
        return jsonify({"import": formats.import_as_json(found), **formats.rejects_as_json(rejects)})

    @app.get("/metrics")
    def prometheus() -> Response:
        try:
            text = metrics(known.counts(), known.overview())
        except DatabaseUnavailable:
            # That it is away is a metric, too.
            text = metrics(None, None)
        return Response(text, content_type=CONTENT_TYPE)

    _add_health(app, known)
    return app


def _app(settings: Settings, kind: str) -> Flask:
    # Its own route for static files takes more methods, and is there before it can be configured.
    app = Flask("status_page", static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.json.ensure_ascii = False  # type: ignore[attr-defined] # of the default provider
    app.url_map.merge_slashes = False
    app.url_map.converters["number"] = _Number
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    for name in ("number", "iso", "duration", "age", "size"):
        app.jinja_env.filters[name] = getattr(formats, name)
    app.jinja_env.globals.update(
        environment=settings.environment,
        private=kind == "private",
        chart_of=chart_of,
        loaded=attrgetter("rows_loaded"),
        rejected=attrgetter("rows_rejected"),
        commands=partial(formats.commands, settings.environment),
        now=lambda: dt.datetime.now(dt.UTC),
    )

    @app.before_request
    def only_reads() -> None:
        if request.method not in METHODS:
            raise MethodNotAllowed(valid_methods=METHODS)
        # To an address that would be made of what the client says: of an empty path.
        if isinstance(request.routing_exception, RequestRedirect):
            abort(404)

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers.update(HEADERS)
        if response.status_code >= 400 or (kind == "private" and request.endpoint != "static"):
            response.headers["Cache-Control"] = "no-store"
        elif request.endpoint != "static":
            response.headers["Cache-Control"] = f"public, max-age={COUNTS_KEPT:.0f}"
        return response

    @app.get("/static/<name>")
    def static(name: str) -> Response:
        if name not in _STATIC:
            abort(404)
        response = Response(_STATIC[name], mimetype=mimetypes.guess_type(name)[0])
        response.add_etag()
        response.cache_control.public = True
        response.cache_control.max_age = STATIC_KEPT
        response.make_conditional(request)
        return response

    _add_errors(app)
    return app


def _add_errors(app: Flask) -> None:
    @app.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> Response:
        return _problem(error.code or 500, error.description or error.name, error)

    @app.errorhandler(DatabaseUnavailable)
    def unavailable(error: DatabaseUnavailable) -> Response:
        response = _problem(503, str(error))
        response.headers["Retry-After"] = "10"
        return response

    @app.errorhandler(Exception)
    def fail(error: Exception) -> Response:
        _log.error("%s %s failed", request.method, request.path, exc_info=error)
        return _problem(500, "This page has failed. The log of the service says why.")


def _add_health(app: Flask, known: _Ledger) -> None:
    @app.get("/healthz")
    def health() -> Response:
        known.newest()
        response = jsonify({"status": "ok"})
        response.headers["Cache-Control"] = "no-store"
        return response


def _problem(status: int, cause: str, error: HTTPException | None = None) -> Response:
    """Return a page, or JSON for a script, that says what is wrong."""
    if request.path.startswith("/api/") or request.path == "/healthz":
        response = jsonify({"status": "unavailable" if status == 503 else "error", "cause": cause})
    else:
        response = Response(
            render_template("problem.html", status=status, cause=cause), content_type="text/html; charset=utf-8"
        )
    response.status_code = status
    if isinstance(error, MethodNotAllowed):
        response.headers["Allow"] = ", ".join(METHODS)
    return response


def _number(name: str) -> int | None:
    """Return a number of the query, or None where it is not there."""
    text = request.args.get(name)
    if not text:
        return None
    if not re.fullmatch("[0-9]{1,20}", text, re.ASCII) or int(text) > _LARGEST:
        abort(400, f"The parameter {name} is no number.")
    return int(text)


def _choice() -> ledger.Choice:
    """Return which imports are asked for; an empty choice of a form is none."""
    dataset = request.args.get("dataset") or None
    if dataset is not None and not _DATASET.fullmatch(dataset):
        abort(400, "The parameter dataset is no name of a dataset.")
    status = request.args.get("status") or None
    if status is not None and status not in ledger.STATUSES:
        abort(400, f"The parameter status is none of {', '.join(ledger.STATUSES)}.")
    prefix = request.args.get("prefix", "")
    if len(prefix.encode()) > ledger.LONGEST_KEY:
        abort(400, f"The parameter prefix is longer than a key, {ledger.LONGEST_KEY} bytes.")
    # Keys that no dataset takes: a form cannot tell the empty name from none.
    return ledger.Choice("" if dataset == NO_DATASET else dataset, status, prefix, _number("before"))
