"""Whatever is asked, and however: read-only, with headers, without an error of the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote_from_bytes

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from status_page.web import HEADERS, private_app, public_app
from tests.importer.mysql_server import MySqlServer
from tests.status_page.page_ledger import Ledger, Pages, make_ledger

PATHS = ("/", "/imports", "/imports/1", "/api/imports", "/api/overview", "/healthz", "/static/style.css", "/none")


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_the_headers(pages: Pages, path: str) -> None:
    pages.ledger.add()
    for client in (pages.public, pages.private):
        answer = client.get(path)
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
        assert "Set-Cookie" not in answer.headers
        assert answer.headers["Cache-Control"]
    policy = HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "script-src" not in policy


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
def test_only_get_and_head_are_answered(pages: Pages, path: str, method: str) -> None:
    answer = pages.private.open(path, method=method, data="x")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD"


def test_head_is_get_without_the_content(pages: Pages) -> None:
    pages.ledger.add()
    for path in PATHS:
        got, head = (pages.private.open(path, method=method) for method in ("GET", "HEAD"))
        assert (head.status_code, head.content_type) == (got.status_code, got.content_type)
        assert head.data == b""


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8080", "", "a b", "["]
)
def test_the_private_page_answers_under_its_own_names_only(pages: Pages, host: str) -> None:
    """A foreign name may resolve to the end of a tunnel: its page would read what is answered."""
    pages.ledger.add(object_key="a-name.csv")
    for path in ("/imports", "/api/imports", "/metrics"):
        answer = pages.private.get(path, headers={"Host": host})
        assert answer.status_code == 400
        assert "a-name" not in answer.text


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1:9000", "page.internal"])
def test_its_own_names_may_be_more(ledger: Ledger, host: str) -> None:
    client = private_app(ledger.settings(STATUS_PAGE_TRUSTED_HOSTS="page.internal, other.internal")).test_client()
    assert client.get("/imports", headers={"Host": host}).status_code == 200


def test_no_name_of_a_client_comes_back(pages: Pages) -> None:
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    for path in ("", "/", "//", "//imports", "/imports/", "/static", "/static/", "/none"):
        answer = pages.public.get("/", headers=headers, environ_overrides={"PATH_INFO": path})
        assert answer.status_code in (200, 404)
        assert "evil.example" not in answer.text + str(answer.headers)


@pytest.mark.parametrize(
    "path",
    [
        "/static/../settings.py",
        "/static/%2e%2e/settings.py",
        "/static/..%2fsettings.py",
        "/static/%2fetc%2fpasswd",
        "/static/style.css%00",
    ],
)
def test_static_files_are_those_of_their_folder(pages: Pages, path: str) -> None:
    assert pages.public.get(path).status_code == 404


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("status=done", "parameter status"),
        ("dataset=a'b", "parameter dataset"),
        ("dataset=" + "a" * 65, "parameter dataset"),
        ("before=-1", "parameter before"),
        ("before=٣", "parameter before"),
        ("before=18446744073709551616", "parameter before"),
        ("before=" + "9" * 5000, "parameter before"),
        ("prefix=" + "é" * 513, "parameter prefix"),
    ],
)
def test_what_cannot_be_is_refused_by_name(pages: Pages, query: str, said: str) -> None:
    page, json = (pages.private.get(f"{path}?{query}") for path in ("/imports", "/api/imports"))
    assert (page.status_code, json.status_code) == (400, 400)
    assert said in page.text
    assert said in json.get_json()["cause"]


@pytest.mark.parametrize(
    "number", ["0", "999", "18446744073709551615", "18446744073709551616", "9" * 5000, "-1", "x", "1.0"]
)
def test_an_import_that_there_is_not_is_not_found(pages: Pages, number: str) -> None:
    assert pages.private.get(f"/imports/{number}").status_code == 404
    assert pages.private.get(f"/api/imports/{number}").get_json()["status"] == "error"


@pytest.fixture(scope="module")
def clients(mysql: MySqlServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FlaskClient, ...]]:
    with make_ledger(mysql, tmp_path_factory.mktemp("fuzzed")) as ledger:
        ledger.fill(200)
        yield tuple(app(ledger.settings()).test_client() for app in (private_app, public_app))


NAMES = "imports api static style.css healthz metrics overview dataset status prefix before after orders failed"
TRICKS = ["1", "1e9", "𝟙", "..", "'", '"', "%", "\\", ";--", "\0", "<b>", "OR 1=1"]
WORDS = st.sampled_from([*NAMES.split(), *TRICKS])
BYTES = st.one_of(
    WORDS.map(str.encode), st.binary(max_size=12), st.text(max_size=8).map(lambda t: t.encode("utf-8", "surrogatepass"))
)
PARTS = st.lists(BYTES, max_size=5)


@settings(max_examples=300, deadline=None)
@given(PARTS, st.lists(st.tuples(BYTES, BYTES), max_size=4), st.sampled_from(["GET", "HEAD", "POST", "get", "X"]))
def test_no_request_is_an_error_of_the_server(
    clients: tuple[FlaskClient, ...], parts: list[bytes], query: list[tuple[bytes, bytes]], method: str
) -> None:
    # Decoded, as servers hand it over.
    path = (b"/" + b"/".join(parts)).decode("latin-1")
    asked = "&".join(f"{quote_from_bytes(name)}={quote_from_bytes(value)}" for name, value in query)
    for client in clients:
        answer = client.open(
            query_string=asked, method=method, headers={"Host": "localhost"}, environ_overrides={"PATH_INFO": path}
        )
        assert answer.status_code in (200, 400, 404, 405), answer.text
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


def test_an_error_of_the_page_shows_nothing_of_it(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("with a secret")

    monkeypatch.setattr("status_page.ledger.imports", fail)
    answer = private_app(ledger.settings()).test_client().get("/imports")
    assert answer.status_code == 500
    assert "The log of the service says why." in answer.text
    assert "secret" not in answer.text
    assert "with a secret" in caplog.text


def test_files_of_the_page_are_read_from_nowhere_else() -> None:
    folder = Path(private_app.__code__.co_filename).parent
    for path in (*folder.glob("templates/*.html"), *folder.glob("static/*")):
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        for word in ("http:", "https:", "//", "<script", "style=", "onclick", "@import", "url("):
            assert word not in text, f"{path.name}: {word}"
