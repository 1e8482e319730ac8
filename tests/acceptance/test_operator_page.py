"""The operator's page over real HTTP: how things stand, behind its password."""

import base64
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from newsletter.model import Coverage, Heartbeat, MailEvent, SourceHealth
from newsletter.web.operator import WEEKS_SHOWN
from tests.support.factories import DAY, NOON, subscriber
from tests.support.publishers import StubSource
from tests.support.web_client import Response, Website, open_website

PASSWORD = "a pässword of sixteen"
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def app() -> Iterator[Website]:
    with open_website(operator_password=PASSWORD) as opened:
        yield opened


def ask(app: Website, password: str, scheme: str = "Basic") -> Response:
    coded = base64.b64encode(f"anybody:{password}".encode()).decode()
    return app.get("/operator", Authorization=f"{scheme} {coded}")


def test_status_is_shown(app: Website) -> None:
    empty = ask(app, PASSWORD).text
    assert "Scheduler No scheduler is running. Readers No readers yet." in empty
    for name in ("ada", "bob"):
        saved = subscriber(f"{name}@example.org")
        app.store.save_reader(saved, status="confirmed", now=NOON)
    app.store.set_status("bob@example.org", "unsubscribed", now=NOON)
    app.publish(DAY, "Vision anew")
    cyd = app.store.save_reader(subscriber("cyd@example.org"), status="confirmed", now=NOON)
    complaint = MailEvent("c", "complaint", cyd.id, DAY, "abuse (cyd@example.org)")
    app.store.record_mail_event(complaint, now=NOON)
    app.store.record_heartbeat(Heartbeat("run on here", NOON, NOON, SCRIPT))
    app.follow(StubSource(name=SCRIPT))
    failed = SourceHealth(SCRIPT, "failed", detail=SCRIPT, checked=NOON)
    app.store.ingest(DAY, failed, [], now=NOON)
    answer = ask(app, PASSWORD)
    assert answer.status == 200
    for words in (
        "confirmed 1",
        "unsubscribed 1",
        "Total 3",
        "Mon 3 Aug done 1 0 0 0 0 0 1 Total 1 0 0 0 0 0 1",
        "Listed ok Mon 3 Aug, 12:00",
        "run on here: last active Mon 3 Aug, 12:00",
    ):
        assert words in answer.text
    assert "3 Aug 2026: complained See blocked readers" in answer.text
    assert "cyd" not in answer.body
    assert SCRIPT not in answer.body
    assert "ada@example.org" not in answer.body
    assert '<rect x="2" y="0.0" width="16" height="100.0"/>' in answer.body
    assert answer.headers["cache-control"] == "no-store"


def test_missing_and_lost_lists_are_shown(app: Website) -> None:
    assert "Missing lists" not in ask(app, PASSWORD).text
    source = app.follow(StubSource(name="Journal"))
    rows = [
        Coverage(source.name, "", DAY, "missing", checked=NOON, detail=f"503 {SCRIPT}"),
        Coverage(source.name, "", DAY - timedelta(days=40), "lost", detail="fell out"),
        Coverage("No longer configured", "", DAY, "missing"),
    ]
    app.store.ingest(DAY, SourceHealth(source.name, "failed"), [], rows, now=NOON)
    answer = ask(app, PASSWORD)
    assert f"{source.name} Mon 3 Aug missing Mon 3 Aug, 12:00" in answer.text
    assert "lost never fell out" in answer.text
    assert "No longer configured" not in answer.text
    assert SCRIPT not in answer.body
    coded = base64.b64encode(f"anybody:{PASSWORD}".encode()).decode()
    metrics = app.get("/metrics", Authorization=f"Basic {coded}").body
    assert f'newsletter_source_lists_missing{{source="{source.name}"}} 1.0' in metrics


def test_growth_is_a_chart_and_a_table(app: Website) -> None:
    assert "Growth" not in ask(app, PASSWORD).text
    weeks = [NOON + timedelta(weeks=n) for n in (-1, 0)]
    for number, at in enumerate((weeks[0], weeks[0], weeks[0], weeks[1])):
        app.store.save_reader(subscriber(f"r{number}@x.org"), status="confirmed", now=at)
    app.store.save_reader(subscriber("no@x.org"), status="unconfirmed", now=weeks[1])
    app.store.set_status("r0@x.org", "unsubscribed", now=weeks[1])
    answer = ask(app, PASSWORD)
    assert "since 27 Jul 2026. Above: readers, 3 now, 3 at most." in answer.text
    assert "3 Aug 2026 1 1 3 27 Jul 2026 3 0 3" in answer.text
    assert 'role="img" aria-label="Readers at the end of each week' in answer.body
    assert answer.body.count('<rect class="came"') == 2
    assert '<rect x="500" y="4.0" width="20" height="96.0"/>' in answer.body
    assert '<rect class="left" x="503" y="144" width="14" height="10.7"/>' in answer.body
    app.advance(weeks=40)
    later = ask(app, PASSWORD)
    assert later.body.count('<rect class="came"') == WEEKS_SHOWN
    assert "3 now, 3 at most." in later.text
    assert "0 a week at most" in later.text


def test_password_is_required(app: Website) -> None:
    refused = (
        app.get("/operator"),
        ask(app, PASSWORD[:-1]),
        ask(app, ""),
        ask(app, PASSWORD, "Bearer"),
        app.get("/operator", Authorization="Basic %%%"),
        app.get("/operator", Authorization="Basic"),
        app.get("/operator", Authorization="Basic \xe9"),
    )
    for answer in refused:
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Basic ")
        assert "Readers" not in answer.body
    assert app.post("/operator").status == 405


def metrics(app: Website, password: str = PASSWORD) -> Response:
    coded = base64.b64encode(f"prometheus:{password}".encode()).decode()
    return app.get("/metrics", Authorization=f"Basic {coded}")


@pytest.mark.slow
def test_prometheus_reads_metrics_behind_the_same_password(app: Website) -> None:
    empty = list(text_string_to_metric_families(metrics(app).body))
    assert [family.samples for family in empty] == [[]] * len(empty)
    app.store.save_reader(subscriber(), status="confirmed", now=NOON)
    app.publish(DAY, "Vision anew")
    app.store.record_heartbeat(Heartbeat("run on here", NOON, NOON))
    app.follow(StubSource(name='F "1"'))
    app.store.ingest(DAY, SourceHealth('F "1"', "failed", checked=NOON), [], now=NOON)
    answer = metrics(app)
    assert answer.headers["content-type"].startswith("text/plain; version=")
    told = {
        (sample.name.removeprefix("newsletter_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.body)
        for sample in family.samples
    }
    noon = NOON.timestamp()
    assert told["readers", "confirmed"] == 1
    assert (told["letters", "accepted"], told["letters", "failed"]) == (1, 0)
    assert told["issue_frozen_seconds", DAY.isoformat()] == noon
    assert (told["source_ok", "Listed"], told["source_ok", 'F "1"']) == (1, 0)
    assert told["source_last_ok_seconds", "Listed"] == noon
    assert ("source_last_ok_seconds", 'F "1"') not in told
    assert told["heartbeat_seconds", "run on here"] == noon
    assert "example.org" not in answer.body
    for refused in (app.get("/metrics"), metrics(app, "wrong")):
        assert (refused.status, "newsletter_" in refused.body) == (401, False)


def test_missing_extra_is_explained(app: Website, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    answer = metrics(app)
    assert answer.status == 501
    assert "daily-papers-newsletter[metrics]" in answer.text


def test_page_is_absent_unless_enabled() -> None:
    with open_website() as app:
        assert ask(app, "").status == 404
        assert metrics(app).status == 404
