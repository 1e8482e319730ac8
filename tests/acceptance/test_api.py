"""The HTTP API: who may do what, what it does to readers, and what it says is wrong."""

import logging
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from newsletter.config import read_settings
from newsletter.config.api import SCOPES
from newsletter.model import Consent, Filter, MailEvent
from newsletter.readers.joining import Joining
from newsletter.web.api.calls import MAX_BYTES
from newsletter.web.api.description import Operation
from newsletter.web.api.replays import KEPT_FOR
from newsletter.web.api.routes import CALLS_A_MINUTE, OPERATIONS, ROOT, TEN_MINUTES, WRONG_TOKENS
from tests.support.api_client import TOKENS, Program, document, problem
from tests.support.cli import Newsletter
from tests.support.factories import DAY, NOON, subscriber
from tests.support.web_client import Response, Website, open_website

CURL = shutil.which("curl")
DOCS = Path(__file__).parents[2] / "docs" / "api.md"
EXAMPLES = 300 if os.environ.get("NEWSLETTER_TESTS") == "full" else 10

ADA = "ada@example.org"
CONSENT = {"at": "2026-08-01T10:00:00+02:00", "how": "at our desk"}


@pytest.fixture(scope="module")
def website() -> Iterator[Website]:
    """A website that keeps nothing between the tests that use it."""
    with open_website(api_tokens=TOKENS) as opened:
        yield opened


@pytest.fixture
def program() -> Iterator[Program]:
    with open_website(api_tokens=TOKENS) as opened:
        yield Program(opened)


def saved(program: Program, email: str = ADA, **fields: object) -> int:
    wanted = subscriber(email, **fields)
    return program.app.store.save_reader(wanted, status="confirmed", now=NOON).id


def acts(program: Program) -> list[tuple[str, str]]:
    return [(act.who, act.what) for act in program.app.store.operator_acts(limit=9)]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.handler.__name__)
def test_each_route_needs_its_scope(website: Website, operation: Operation) -> None:
    program = Program(website)
    path = operation.path.replace("{id}", "1").replace("{day}", str(DAY))
    for token, error in (("", ""), ("wrong", ', error="invalid_token"')):
        refused = program.call(operation.method, path, token=token)
        problem(refused, 401)
        assert refused.headers["www-authenticate"] == f'Bearer realm="api"{error}'
    for scope in SCOPES:
        answer = program.call(operation.method, path, token=scope.replace(":", "."))
        if scope == operation.scope:
            assert answer.status not in {401, 403}
        else:
            assert operation.scope in problem(answer, 403)["detail"]
            assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
        website.clock.time += TEN_MINUTES


def test_without_tokens_there_is_no_api() -> None:
    with open_website() as app:
        for path in ("/issues", "/openapi.json"):
            problem(Program(app).call("GET", path), 404)


def test_description_has_every_route(website: Website) -> None:
    described = document(Program(website).call("GET", "/openapi.json", token=""))
    assert described["openapi"] == "3.1.0"
    found = {(m.upper(), path) for path, methods in described["paths"].items() for m in methods}
    assert found == {(each.method, each.path) for each in OPERATIONS}


def test_subscribing_asks_the_address(program: Program) -> None:
    saved(program)
    wanted = {"email": "bob@example.org", "topics": ["Vision"], "cadence": "weekly"}
    known, new = ({**wanted, "email": email} for email in (ADA, "bob@example.org"))
    for body in (known, new):
        answer = program.call("POST", "/readers", body, "readers.subscribe")
        assert (answer.status, document(answer)) == (202, {"email": body["email"]})
    program.app.mail_to(ADA)
    link = program.app.link(program.app.mail_to("bob@example.org"))
    assert program.app.reader(1).subscriber == subscriber(ADA)
    assert program.app.reader(2).status == "unconfirmed"
    program.app.post(link)
    bob = program.app.reader(2)
    assert (bob.status, bob.subscriber.filter.topics) == ("confirmed", ("Vision",))


@pytest.mark.slow
def test_one_program_may_subscribe_many_people(program: Program) -> None:
    emails = [f"r{number}@example.org" for number in range(12)]
    for email in emails:
        program.call("POST", "/readers", {"email": email})
    assert {mail.recipient for mail in program.app.mail(12)} == {*emails}


def test_joining_rules_hold_for_programs() -> None:
    rules = Joining("domains", ("example.org",), total_hourly=2)
    with open_website(api_tokens=TOKENS, joining=rules) as app:
        program = Program(app)

        def subscribe(email: str) -> Response:
            return program.call("POST", "/readers", {"email": email})

        assert "of this domain" in problem(subscribe("x@elsewhere.org"), 422)["detail"]
        assert [subscribe(f"r{number}@example.org").status for number in range(2)] == [202, 202]
        answer = subscribe("r3@example.org")
        problem(answer, 429)
        assert 0 < int(answer.headers["retry-after"]) <= 3600


def test_stated_consent_subscribes_at_once(program: Program) -> None:
    body = {"email": ADA, "consent": CONSENT, "topics": ["Vision"]}
    problem(program.call("POST", "/readers", body, "readers.subscribe"), 403)
    answer = program.call("POST", "/readers", body)
    found = document(answer)
    assert (answer.status, found["status"], found["topics"]) == (201, "confirmed", ["Vision"])
    agreed = {"at": "2026-08-01T08:00:00+00:00", "how": "at our desk", "text": ""}
    assert found["consents"] == [agreed]
    program.app.mail_to(ADA)
    again = program.call("POST", "/readers", {**body, "topics": []})
    assert (again.status, document(again)["topics"]) == (200, ["Vision"])
    assert acts(program) == [("everything", "subscribed")]


@pytest.mark.parametrize("left", ["unsubscribed", "blocked", "erased", "complained"])
def test_consent_brings_nobody_back(program: Program, left: str) -> None:
    store, service = program.app.store, program.app.reader_service
    match left:
        case "erased":
            service.erase(program.app.reader(saved(program)), NOON)
        case "complained":
            service.refuse_address(ADA, NOON, lasting=True)
        case _:
            saved(program)
            store.set_status(ADA, "unsubscribed" if left == "unsubscribed" else "blocked", now=NOON)
    before = store.readers()
    problem(program.call("POST", "/readers", {"email": ADA, "consent": CONSENT}), 409)
    assert store.readers() == before


@pytest.mark.slow
def test_reader_is_shown_with_all_that_helps(program: Program) -> None:
    number = saved(program, name="Ada")
    program.app.store.set_status(ADA, "unconfirmed", now=NOON)
    program.app.store.record_consent(number, Consent(NOON, "on paper", "I agree."))
    program.app.publish(DAY, "Vision anew")
    found = program.get(f"/readers/{number}")
    assert found["consents"] == [{"at": NOON.isoformat(), "how": "on paper", "text": "I agree."}]
    (letter,) = found["letters"]
    assert (letter["issue"], letter["state"], letter["attempts"]) == (str(DAY), "accepted", 1)
    assert letter["reply"].startswith("250")
    complaint = MailEvent("c", "complaint", number, DAY, "abuse")
    program.app.store.record_mail_event(complaint, now=NOON)
    found = program.get(f"/readers/{number}")
    assert (found["status"], found["next_letter"]) == ("blocked", None)
    assert "abuse" in found["why_blocked"]


def test_readers_are_found_and_paged(program: Program) -> None:
    for number in range(5):
        saved(program, f"r{number}@example.org", name="Çelik" if number == 3 else "")
    page = program.get("/readers?limit=2")
    assert [reader["id"] for reader in page["items"]] == [5, 4]
    pages = [page]
    while pages[-1]["next"]:
        pages.append(
            document(program.app.get(pages[-1]["next"], Authorization="Bearer everything"))
        )
    assert [len(page["items"]) for page in pages] == [2, 2, 1]
    assert [reader["id"] for reader in program.get("/readers?q=celik")["items"]] == [4]
    assert [r["id"] for r in program.get("/readers?email=R0@Example.org")["items"]] == [1]
    assert program.get("/readers?status=blocked")["items"] == []
    for query in ("limit=0", "limit=1000", "before=x", "status=gone", "email=%00"):
        problem(program.call("GET", f"/readers?{query}"), 422)


def test_change_touches_only_what_it_names(program: Program) -> None:
    number = saved(program, name="Ada", at="06:00", summary="full")
    seen = program.call("GET", f"/readers/{number}")
    change = {"topics": ["Vision"], "at": None}
    problem(program.call("PATCH", f"/readers/{number}", change), 428)
    answer = program.call(
        "PATCH", f"/readers/{number}", change, If_Match=f'"other", {seen.headers["etag"]}'
    )
    assert answer.headers["etag"] != seen.headers["etag"]
    wanted = program.app.reader(number).subscriber
    assert (wanted.filter.topics, wanted.at, wanted.summary) == (("Vision",), None, "full")
    assert acts(program) == [("everything", "changed choices")]


def test_lost_topic_of_the_reader_may_stay(program: Program) -> None:
    number = saved(program, filter=Filter(topics=("Gone",)))
    path = f"/readers/{number}"
    program.call("PATCH", path, {"topics": ["Gone", "Vision"]}, If_Match="*")
    assert program.app.reader(number).subscriber.filter.topics == ("Gone", "Vision")
    problem(program.call("PATCH", path, {"topics": ["Lost"]}, If_Match="*"), 422)


def test_what_a_reader_chose_meanwhile_stays(program: Program) -> None:
    number = saved(program)
    seen = program.call("GET", f"/readers/{number}").headers["etag"]
    path = program.app.path("preferences", str(number))
    program.app.post(path, {"do": "save", "topics": "Vision"})
    answer = program.call("PATCH", f"/readers/{number}", {"topics": []}, If_Match=seen)
    problem(answer, 412)
    assert program.app.reader(number).subscriber.filter.topics == ("Vision",)


def test_mistakes_point_at_their_fields(program: Program) -> None:
    number = saved(program)
    body = {"topics": ["Vison"], "include": ["good", "(("], "min_upvotes": -1, "a/b": 1}
    answer = program.call("PATCH", f"/readers/{number}", body, If_Match="*")
    found = {each["pointer"]: each["detail"] for each in problem(answer, 422)["errors"]}
    assert found.keys() == {"#/topics/0", "#/include/1", "#/min_upvotes", "#/a~1b"}
    assert "did you mean 'Vision'?" in found["#/topics/0"]
    for foreign in ("email", "status"):
        answer = program.call("PATCH", f"/readers/{number}", {foreign: "x"}, If_Match="*")
        (error,) = problem(answer, 422)["errors"]
        assert error["pointer"] == f"#/{foreign}"
    late = {"email": "b@x.org", "consent": {"at": "2027-01-01T00:00:00Z", "how": ""}}
    errors = problem(program.call("POST", "/readers", late), 422)["errors"]
    assert {each["pointer"] for each in errors} == {"#/consent/how"}
    late["consent"] = {"at": "2027-01-01T00:00:00Z", "how": "x"}
    errors = problem(program.call("POST", "/readers", late), 422)["errors"]
    assert {each["pointer"] for each in errors} == {"#/consent/at"}


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"name": "\\ud800"}', "application/json", 400),
        (b"[" * 9999, "application/json", 400),
        (b"[]", "application/json", 422),
        (b"{}", "application/x-www-form-urlencoded", 415),
        (b" " * (MAX_BYTES + 1), "application/json", 413),
    ],
)
def test_odd_bodies_are_refused(website: Website, body: bytes, kind: str, status: int) -> None:
    program = Program(website)
    number = saved(program)
    answer = program.call("PATCH", f"/readers/{number}", body, If_Match="*", Content_Type=kind)
    problem(answer, status)


def test_unknown_paths_and_methods_are_problems(website: Website) -> None:
    program = Program(website)
    for path in ("/nothing", "/readers/", "/readers/0", "/readers/9999999999", "/readers/%0A"):
        problem(program.call("GET", path), 404)
    for day in ("2026-08-04", "tomorrow", "2026-08-04/papers"):
        problem(program.call("GET", f"/issues/{day}"), 404)
    answer = program.call("PUT", "/readers")
    problem(answer, 405)
    assert {*answer.headers["allow"].split(", ")} == {"GET", "HEAD", "POST"}


def test_pausing_and_leaving_twice_is_once(program: Program) -> None:
    path = f"/readers/{saved(program)}"
    until = {"until": "2026-09-01"}
    for _ in range(2):
        assert document(program.call("PUT", f"{path}/pause", until))["paused_until"] == "2026-09-01"
    for _ in range(2):
        assert document(program.call("DELETE", f"{path}/pause"))["paused_until"] is None
    for _ in range(2):
        left = document(program.call("POST", f"{path}/unsubscribe"))
        assert left["status"] == "unsubscribed"
    assert [what for _, what in acts(program)][:2] == ["unsubscribed", "resumed"]
    assert program.call("DELETE", path).status == 204
    problem(program.call("DELETE", path), 404)
    assert ADA not in str(program.app.store.readers())
    problem(program.call("PUT", f"/readers/{saved(program)}/pause", {"until": str(DAY)}), 409)


def test_same_key_gets_the_same_answer(program: Program) -> None:
    def subscribe(key: str, **changed: object) -> int:
        body = {"email": ADA, "consent": CONSENT, **changed}
        return program.call("POST", "/readers", body, Idempotency_Key=key).status

    assert [subscribe('"one"') for _ in range(2)] == [201, 201]
    assert subscribe('"one"', name="Ada") == 422
    assert [subscribe("two"), subscribe("x" * 300), subscribe("")] == [200, 400, 400]
    program.app.advance(seconds=KEPT_FOR.total_seconds())
    assert subscribe('"one"') == 200
    assert subscribe("three", consent=None) == 202
    assert acts(program) == [("everything", "subscribed")]


@pytest.mark.slow
def test_calls_are_limited(program: Program) -> None:
    for _ in range(CALLS_A_MINUTE):
        program.call("DELETE", "/readers/9")
    answer = program.call("GET", "/issues")
    problem(answer, 429)
    assert int(answer.headers["retry-after"]) == 60
    assert program.call("GET", "/issues", token="issues.read").status == 200
    program.app.advance(minutes=1)
    assert program.call("GET", "/issues").status == 200


def test_guessing_tokens_is_slow(program: Program) -> None:
    for _ in range(WRONG_TOKENS):
        problem(program.call("GET", "/issues", token="guess"), 401)
    answer = program.call("GET", "/issues")
    problem(answer, 429)
    assert timedelta(seconds=int(answer.headers["retry-after"])) == TEN_MINUTES


@pytest.mark.slow
def test_issues_and_papers_are_listed(program: Program) -> None:
    saved(program)
    program.app.publish(DAY, "Vision anew", "Of other things")
    program.app.advance(days=1)
    program.app.publish(DAY + timedelta(days=1), "Later")
    issues = program.get("/issues?limit=1")
    assert issues["items"][0]["issue"] == str(DAY + timedelta(days=1))
    (first,) = program.get(f"/issues?before={issues['items'][0]['issue']}")["items"]
    assert first == program.get(f"/issues/{DAY}")
    assert (first["state"], first["planned"], first["open"]) == ("done", 1, 0)
    assert first["counts"]["accepted"] == 1
    page = program.get(f"/issues/{DAY}/papers?limit=1")
    (paper,) = page["items"]
    assert (paper["title"], paper["topic"]) == ("Vision anew", "Vision")
    assert (paper["brief"], paper["keywords"], paper["media"]) == ("", [], [])
    (rest,) = program.get(f"/issues/{DAY}/papers?after={paper['number']}")["items"]
    assert rest["title"] == "Of other things"
    problem(program.call("GET", "/issues?before=x"), 422)
    problem(program.call("GET", f"/issues/{DAY}/papers?after=x"), 422)


@pytest.mark.slow
@pytest.mark.skipif(CURL is None, reason="there is no curl to run the examples with")
def test_examples_of_the_docs_work(program: Program) -> None:
    examples = re.findall(r"^curl (?:.*\\\n)*.*$", DOCS.read_text(), re.MULTILINE)
    assert len(examples) == 12
    saved(program)
    program.app.publish(DAY, "Vision anew")
    statuses: dict[str, int] = {}
    for example in examples:
        etag = program.call("GET", "/readers/1").headers.get("etag", "")
        asked = example.replace(
            "https://papers.example.org", f"http://127.0.0.1:{program.app.port}"
        )
        done = subprocess.run(  # noqa: S603 - the examples are our own
            ["/bin/sh", "-c", asked.replace("curl", f"{CURL} -s -w '\n%{{http_code}}'", 1)],
            env={"TOKEN": "everything", "ETAG": etag},
            capture_output=True,
            text=True,
            check=True,
        )
        statuses[example] = int(done.stdout.rpartition("\n")[2])
    assert [*statuses.values()] == [202, 201, 200, 200, 200, 200, 200, 200, 204, 200, 200, 200]


def test_docs_have_each_scope_and_its_words() -> None:
    docs = DOCS.read_text()
    assert all(f"| `{scope}` | {words} |\n" in docs for scope, words in SCOPES.items())
    (lines,) = re.findall(r"^```yaml\n(.*?)^```", docs, re.DOTALL | re.MULTILINE)
    config = f"name: N\nsender: n@example.org\n{lines}"
    assert read_settings(config.encode(), "newsletter.yaml", {}).api.tokens


@pytest.mark.slow
def test_made_token_opens_the_api(tmp_path: Path) -> None:
    arguments = ("api", "token", "website", "--scope", "papers:read", "--scope", "issues:read")
    made = Newsletter(tmp_path).run(*arguments).stdout
    token, _, lines = made.partition("\n")
    config = f"name: N\nsender: n@example.org\n{lines}"
    (entry,) = read_settings(config.encode(), "newsletter.yaml", {}).api.tokens
    assert (entry.name, entry.scopes) == ("website", ("issues:read", "papers:read"))
    assert entry.matches(token)
    assert token not in lines
    with open_website(api_tokens=(entry,)) as app:
        assert Program(app).call("GET", "/issues", token=token).status == 200
    wrong = Newsletter(tmp_path).run("api", "token", "two words", "--scope", "papers:read", code=2)
    assert "is not a name" in wrong.stderr


def describe_known(described: dict[str, Any]) -> dict[str, Any]:
    """The description with values of parameters that lead further than random ones."""
    known: dict[str, dict[str, Any]] = {
        "id": {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 9}, {"type": "string"}]},
        "day": {"enum": [str(DAY), "2026-08-04"]},
        "If-Match": {"enum": ["*"]},
    }
    for methods in described["paths"].values():
        for operation in methods.values():
            for each in operation["parameters"]:
                each["schema"] = known.get(each["name"], each["schema"])
    return described


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [False, True])
def test_generated_calls_get_described_answers(program: Program, *, wrong: bool) -> None:
    import schemathesis  # noqa: PLC0415 - it takes seconds to import
    from schemathesis.checks import not_a_server_error  # noqa: PLC0415 - as above
    from schemathesis.core.result import Ok  # noqa: PLC0415 - as above
    from schemathesis.specs.openapi import checks  # noqa: PLC0415 - as above

    for number in range(9):
        saved(program, f"r{number}@example.org")
    program.app.publish(DAY, "Vision anew", "Of other things")
    described = describe_known(program.get("/openapi.json"))
    schema = schemathesis.openapi.from_dict(described)
    mode = schemathesis.GenerationMode.NEGATIVE if wrong else schemathesis.GenerationMode.POSITIVE
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) == len(OPERATIONS)
    answers: set[int] = set()
    for operation in sorted(operations, key=lambda each: each.label == "DELETE /readers/{id}"):

        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[*HealthCheck])
        @given(operation.as_strategy(generation_mode=mode))
        def ask(case: schemathesis.Case[Any]) -> None:
            program.app.advance(seconds=1)  # else there would be too many calls a minute
            answer = case.call_and_validate(
                base_url=f"http://127.0.0.1:{program.app.port}{ROOT}",
                headers={"Authorization": "Bearer everything"},
                checks=[
                    not_a_server_error,
                    checks.status_code_conformance,
                    checks.content_type_conformance,
                    checks.response_schema_conformance,
                ],
            )
            answers.add(answer.status_code)

        ask()
    assert answers >= ({400, 404, 422} if wrong else {200, 202, 204, 404})


def test_token_reaches_no_log(program: Program, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        program.call("GET", "/readers")
        program.call("GET", "/readers", token="a-wrong-token")
        program.call("POST", "/readers", {"email": ADA})
    logged = "\n".join(each.getMessage() for each in caplog.records if each.name != "mail.log")
    assert not re.search("everything|a-wrong-token|ada@", logged)
