"""Every route of the pages answers generated requests without a server error."""

import os
import re
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast, get_args
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from starlette.routing import Route

from newsletter.letter.links import Purpose
from newsletter.web.forms import MAX_BYTES
from tests.support.factories import DAY, NOON, subscriber
from tests.support.openapi import describe_routes
from tests.support.web_client import Website, open_website

FULL = os.environ.get("NEWSLETTER_TESTS") == "full"
EXAMPLES = 300 if FULL else 15
PASSWORD = "a password of sixteen"
LOGIN = f"Basic {b64encode(f':{PASSWORD}'.encode()).decode()}"
PAYLOADS = {"edition": f"1/{DAY}", "move": "1/new@example.org"}


@pytest.fixture(scope="module")
def app() -> Iterator[Website]:
    with open_website(operator_password=PASSWORD) as opened:
        opened.store.save_reader(subscriber(), status="confirmed", now=NOON)
        opened.publish(DAY, "Vision anew", "Of other things")
        yield opened


def known(app: Website) -> dict[str, list[str]]:
    """Values of path parameters that exist, by the parameter's name."""
    purposes: tuple[Purpose, ...] = get_args(Purpose)
    signed = [app.path(purpose, PAYLOADS.get(purpose, "1")) for purpose in purposes]
    return {
        "token": [path.rpartition("/")[2] for path in signed],
        "day": [DAY.isoformat()],
        "name": ["Vision", "Other"],
        "key": [app.store.papers_by_number([1])[0].key],
        "id": ["1"],
        "act": ["erase"],
    }


def test_description_names_every_page_and_method(app: Website) -> None:
    paths = describe_routes(app.routes, known(app))["paths"]
    assert {"get", "head", "post"} <= paths["/preferences/{token}"].keys()
    assert "/paper/{key}" in paths
    assert sum(len(methods) for methods in paths.values()) >= 50


def paths(app: Website, method: str) -> set[str]:
    """The paths of the routes that answer to a method."""
    routes = [route for route in app.routes if isinstance(route, Route)]
    return {route.path for route in routes if method in (route.methods or ())}


def test_the_page_about_pages_names_each(app: Website) -> None:
    page = (Path(__file__).parents[2] / "docs" / "pages.md").read_text()
    for path in (paths(app, "GET") | paths(app, "POST")) - {
        "/join",
        "/find",
        "/style.css",
        "/htmx.js",
        "/when.js",
    }:
        named = re.escape(re.split("[{.]", path)[0].lstrip("/"))
        assert re.search(f"`/?{named}", page), f"docs/pages.md should name {path}"


def test_only_subscribing_needs_no_link_and_no_password(app: Website) -> None:
    for path in paths(app, "POST") - {"/join", "/find"}:
        assert app.post(path).status in {401, 403, 404}, f"anybody can post to {path}"


def test_no_page_reads_more_than_a_form_may_have(app: Website) -> None:
    """A form without a limit could fill the memory; one-click requests read no form."""
    for path in paths(app, "POST") - {"/unsubscribe/{token}"}:
        answer = app.post(path, {"why": "x" * MAX_BYTES})
        assert answer.status in {401, 403, 404, 413}, f"{path} reads a form of any length"


@pytest.mark.slow
def test_no_route_causes_a_server_error(app: Website) -> None:
    import schemathesis  # noqa: PLC0415 - it takes seconds to import
    from schemathesis.checks import not_a_server_error  # noqa: PLC0415 - as above
    from schemathesis.core.result import Ok  # noqa: PLC0415 - as above

    answers: set[int] = set()
    schema = schemathesis.openapi.from_dict(describe_routes(app.routes, known(app)))
    tried = 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()

        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[*HealthCheck])
        @given(operation.as_strategy())
        def ask(case: schemathesis.Case[Any]) -> None:
            answer = case.call_and_validate(
                base_url=f"http://127.0.0.1:{app.port}",
                headers={"Authorization": LOGIN},
                checks=[not_a_server_error],
            )
            answers.add(answer.status_code)

        ask()
        tried += 1
    assert tried >= 50
    assert answers >= {200, 403, 404, 422}
    assert max(answers) < 500


def test_no_page_accepts_an_altered_token(app: Website) -> None:
    """Every seventh character is altered; in the full run, every character."""
    pages = {
        route.path.partition("{")[0]: route.methods or set()
        for route in app.routes
        if isinstance(route, Route) and route.path.endswith("/{token}")
    }
    assert len(pages) >= 6
    before = app.store.readers()
    for page in pages:
        purpose = cast(
            "Purpose",
            page.strip("/").replace("farewell", "unsubscribe").replace("leave", "unsubscribe"),
        )
        token = app.path(purpose, PAYLOADS.get(purpose, "1")).rpartition("/")[2].encode()
        for place in range(0, len(token), 1 if FULL else 7):
            forged = bytearray(token)
            forged[place] ^= 1 << place % 7
            path = f"{page}{quote(bytes(forged), safe='')}"
            answers = app.get(path), app.post(path, {"do": "erase", "sure": "yes", "why": "x"})
            assert {answer.status for answer in answers} <= {403, 404, 405}, path
    assert app.store.readers() == before
