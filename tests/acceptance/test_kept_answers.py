"""Answers that are kept: conditional requests, refused answers, and days that are read again."""

import asyncio
import hashlib
import sqlite3
import stat
from collections.abc import Callable, Coroutine, Mapping
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from newsletter.errors import SourceError
from newsletter.sources.http_client import Client, SourceClient
from newsletter.sources.kept_answers import Answer, KeptAnswers
from tests.support.clocks import SkippingClock
from tests.support.http_servers import Response, Site, response, scripted_site
from tests.support.source_clients import fetch, new_client

MONDAY = date(2026, 8, 3)
Result = TypeVar("Result")


def at_site(
    answers: Mapping[str, Response],
    visit: Callable[[Site], Coroutine[Any, Any, Result]],
) -> tuple[Result, Site]:
    async def run() -> tuple[Result, Site]:
        async with scripted_site(answers) as site:
            return await visit(site), site

    return asyncio.run(run())


async def refuse(http: Client, url: str) -> None:
    """Ask, and find that the answer is no listing."""
    with pytest.raises(SourceError, match="not a feed"):
        async with SourceClient(http, allow_private_addresses=True).answer(url):
            raise SourceError("not a feed")


def conditions(site: Site) -> list[str | None]:
    return [each.headers.get("if-none-match") for each in site.requests]


def test_kept_answer_is_named_in_the_next_request(tmp_path: Path) -> None:
    first = response(body=b"list", ETag='"1"', Cache_Control="max-age=86400")
    same, longer = response(304, ETag='"1"'), response(body=b"longer", ETag='"2"')

    async def visit(site: Site) -> list[bytes]:
        http = new_client(tmp_path / "answers.db")
        gets = [await fetch(http, f"{site.url}/", allow_private=True) for _ in range(3)]
        assert [each.status for each in gets] == [200] * 3
        return [each.body for each in gets]

    bodies, site = at_site({"/": [first, same, longer]}, visit)
    assert bodies == [b"list", b"list", b"longer"]
    assert conditions(site) == [None, '"1"', '"1"']


def test_kept_answers_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    kept = KeptAnswers(tmp_path / "answers.db", SkippingClock())
    assert asyncio.run(kept.version("key")) is None
    assert stat.S_IMODE((tmp_path / "answers.db").stat().st_mode) == 0o600


def test_list_is_asked_for_in_full_once_a_day(tmp_path: Path) -> None:
    async def visit(site: Site) -> None:
        clock = SkippingClock()
        http = new_client(tmp_path / "answers.db", clock=clock)
        for hours in (0, 1, 24, 1):
            await clock.sleep(hours * 3600)
            await fetch(http, f"{site.url}/", allow_private=True)

    lists = [response(body=b"list", ETag='"same"') for _ in range(4)]
    _, site = at_site({"/": lists}, visit)
    assert conditions(site) == [None, '"same"', None, '"same"']


def test_old_last_modified_is_still_revalidated(tmp_path: Path) -> None:
    async def visit(site: Site) -> None:
        http = new_client(tmp_path / "answers.db")
        for _ in range(2):
            await fetch(http, f"{site.url}/", allow_private=True)

    old = response(body=b"x", Last_Modified="Mon, 01 Jan 2024 00:00:00 GMT")
    _, site = at_site({"/": old}, visit)
    assert site.requests[1].headers["if-modified-since"] == "mon, 01 jan 2024 00:00:00 gmt"


def test_refused_answer_is_asked_for_in_full(tmp_path: Path) -> None:
    async def visit(site: Site) -> None:
        http, url = new_client(tmp_path / "answers.db"), f"{site.url}/"
        await refuse(http, url)
        await fetch(http, url, allow_private=True)
        await fetch(http, url, allow_private=True)
        await refuse(http, url)
        await fetch(http, url, allow_private=True)

    _, site = at_site({"/": response(body=b"list", ETag='"a"')}, visit)
    assert conditions(site) == [None, None, '"a"', '"a"', None]


def test_newer_refused_answer_takes_the_older_tag_with_it(tmp_path: Path) -> None:
    async def visit(site: Site) -> None:
        http, url = new_client(tmp_path / "answers.db"), f"{site.url}/"
        await fetch(http, url, allow_private=True)
        await refuse(http, url)
        await fetch(http, url, allow_private=True)

    whole, half = response(body=b"list", ETag='"a"'), response(body=b"li", ETag='"b"')
    _, site = at_site({"/": [whole, half, whole]}, visit)
    assert conditions(site) == [None, '"a"', None]


def test_unexpected_error_in_the_block_refuses_the_answer(tmp_path: Path) -> None:
    async def visit(site: Site) -> None:
        http, url = new_client(tmp_path / "answers.db"), f"{site.url}/"
        source = SourceClient(http, allow_private_addresses=True)
        with pytest.raises(KeyError):
            async with source.answer(url):
                raise KeyError("entries")
        await fetch(http, url, allow_private=True)

    _, site = at_site({"/": response(body=b"list", ETag='"a"')}, visit)
    assert conditions(site) == [None, None]


def test_failed_request_leaves_what_is_kept(tmp_path: Path) -> None:
    async def visit(site: Site) -> None:
        http, url = new_client(tmp_path / "answers.db"), f"{site.url}/"
        await fetch(http, url, allow_private=True)
        with pytest.raises(SourceError):
            await fetch(http, url, allow_private=True)
        await fetch(http, url, allow_private=True)

    good = response(body=b"list", ETag='"a"')
    _, site = at_site({"/": [good, response(404, b"gone", ETag='"x"'), good]}, visit)
    assert conditions(site) == [None, '"a"', '"a"']


def test_tag_goes_only_to_the_address_it_came_from(tmp_path: Path) -> None:
    async def visit(site: Site) -> None:
        http, url = new_client(tmp_path / "answers.db"), f"{site.url}/"
        await fetch(http, url, allow_private=True)
        await fetch(http, url, allow_private=True)

    answers: dict[str, Response] = {
        "/": [response(302, Location="/one"), response(302, Location="/other")],
        "/one": response(body=b"one", ETag='"1"'),
        "/other": response(body=b"other", ETag='"1"'),
    }
    _, site = at_site(answers, visit)
    assert [(each.target, "if-none-match" in each.headers) for each in site.requests] == [
        ("/", False),
        ("/one", False),
        ("/", False),
        ("/other", False),
    ]


def test_answers_are_kept_by_the_sources_headers(tmp_path: Path) -> None:
    async def visit(site: Site) -> None:
        http, url = new_client(tmp_path / "answers.db"), f"{site.url}/"
        for key in ("ada", "ben", "ada"):
            await fetch(http, url, headers={"X-Key": key}, allow_private=True)

    _, site = at_site({"/": response(body=b"list", ETag='"a"')}, visit)
    assert conditions(site) == [None, None, '"a"']


def test_unasked_not_modified_is_no_answer() -> None:
    async def visit(site: Site) -> None:
        with pytest.raises(SourceError, match="status 304"):
            await fetch(new_client(), f"{site.url}/", allow_private=True)

    at_site({"/": response(304)}, visit)


def test_sources_share_the_file_concurrently(tmp_path: Path) -> None:
    async def visit(site: Site) -> list[bytes]:
        clients = [new_client(tmp_path / "answers.db") for _ in range(3)]
        gets = (fetch(clients[n % 3], f"{site.url}/{n % 8}", allow_private=True) for n in range(24))
        return [each.body for each in await asyncio.gather(*gets)]

    answers: dict[str, Response] = {
        f"/{n}": response(body=b"%d" % n, ETag=f'"{n}"') for n in range(8)
    }
    assert at_site(answers, visit)[0] == [b"%d" % (n % 8) for n in range(24)]


# -- a file that fails costs a request ------------------------------------------------------------


def no_database(path: Path) -> None:
    path.write_bytes(b"this is no database" * 100)


def damaged(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xff" * (len(content) - 100))


def other_tables(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE answers (facts TEXT)")


def folder_in_its_place(path: Path) -> None:
    path.unlink()
    path.mkdir()


def bad_body(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE answers SET body = x'00'")


@pytest.mark.parametrize(
    "spoil", [no_database, damaged, other_tables, folder_in_its_place, bad_body]
)
def test_file_that_fails_costs_only_a_request(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    path = tmp_path / "answers.db"

    async def visit(site: Site) -> list[bytes]:
        http, url = new_client(path), f"{site.url}/"
        await fetch(http, url, allow_private=True)
        spoil(path)
        return [(await fetch(http, url, allow_private=True)).body for _ in range(2)]

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(response(body=b"x", ETag='"1"'))

    assert at_site({"/": answer}, visit)[0] == [b"x", b"x"]


def test_locked_file_costs_only_a_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("newsletter.sources.kept_answers._LOCK_WAIT", 0.01)
    path = tmp_path / "answers.db"

    async def visit(site: Site) -> bytes:
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("CREATE TABLE other (facts TEXT)")
            return (await fetch(new_client(path), f"{site.url}/", allow_private=True)).body

    assert at_site({"/": response(body=b"x")}, visit)[0] == b"x"


def test_damaged_file_starts_afresh(tmp_path: Path) -> None:
    no_database(tmp_path / "answers.db")

    async def visit(site: Site) -> None:
        http = new_client(tmp_path / "answers.db")
        for _ in range(2):
            await fetch(http, f"{site.url}/", allow_private=True)

    _, site = at_site({"/": response(body=b"x", ETag='"1"')}, visit)
    assert conditions(site) == [None, '"1"']


def test_body_gone_since_it_was_named_is_asked_for_again(tmp_path: Path) -> None:
    path = tmp_path / "answers.db"

    async def visit(site: Site) -> Answer:
        async def unchanged(writer: asyncio.StreamWriter) -> None:
            with closing(sqlite3.connect(path)) as db, db:
                db.execute("DELETE FROM answers")
            writer.write(response(304))
            site.answers["/"] = response(body=b"again")

        http = new_client(path)
        await fetch(http, f"{site.url}/", allow_private=True)
        site.answers["/"] = unchanged
        return await fetch(http, f"{site.url}/", allow_private=True)

    assert at_site({"/": response(body=b"x", ETag='"1"')}, visit)[0].body == b"again"


# -- days that are read again ---------------------------------------------------------------------


def keeping(path: Path, *bodies: tuple[int, bytes, bool]) -> KeptAnswers:
    """Answers kept at hours after Monday noon, accepted or not."""
    clock = SkippingClock()
    kept, noon = KeptAnswers(path, clock), clock.instant

    async def run() -> None:
        for hours, body, accepted in bodies:
            clock.instant = noon + timedelta(hours=hours)
            await kept.keep("key", Answer(200, {}, body, "https://example.org/"), accepted=accepted)

    asyncio.run(run())
    return kept


def on(kept: KeptAnswers, days: int) -> bytes | None:
    answer = asyncio.run(kept.on("key", MONDAY + timedelta(days=days)))
    return None if answer is None else answer.body


def test_last_answer_of_each_day_is_found(tmp_path: Path) -> None:
    kept = keeping(tmp_path / "a.db", (0, b"1", True), (2, b"2", True), (24, b"3", True))
    assert [on(kept, days) for days in (-1, 0, 1, 2)] == [None, b"2", b"3", None]


def test_unchanged_answer_belongs_to_all_its_days(tmp_path: Path) -> None:
    kept = keeping(tmp_path / "a.db", (0, b"1", True), (48, b"1", True))
    assert [on(kept, days) for days in (0, 1, 2, 3)] == [b"1", b"1", b"1", None]
    with closing(sqlite3.connect(tmp_path / "a.db")) as db, db:
        assert db.execute("SELECT count(*) FROM answers").fetchone() == (1,)


def test_refused_answer_is_read_again_without_a_better_one(tmp_path: Path) -> None:
    kept = keeping(
        tmp_path / "a.db", (0, b"good", True), (1, b"cut", False), (24, b"renamed", False)
    )
    assert [on(kept, days) for days in (0, 1)] == [b"good", b"renamed"]


def test_answers_are_deleted_after_seven_days(tmp_path: Path) -> None:
    kept = keeping(tmp_path / "a.db", (0, b"1", True), (24, b"2", True), (24 * 7 + 1, b"3", True))
    assert [on(kept, days) for days in (0, 1, 7)] == [None, b"2", b"3"]


def test_oldest_answers_make_room(tmp_path: Path) -> None:
    kept = KeptAnswers(tmp_path / "a.db", SkippingClock(), max_bytes=1000)
    bodies = [hashlib.shake_256(bytes([number])).digest(400) for number in range(4)]

    async def run() -> list[bool]:
        for number, body in enumerate(bodies):
            await kept.keep(str(number), Answer(200, {}, body), accepted=True)
        found = [await kept.on(str(number), MONDAY) for number in range(len(bodies))]
        return [each is not None for each in found]

    assert asyncio.run(run()) == [False, False, True, True]


def test_replaying_client_gives_the_days_answer(tmp_path: Path) -> None:
    clock = SkippingClock()

    async def visit(site: Site) -> bytes:
        http, url = new_client(tmp_path / "answers.db", clock=clock), f"{site.url}/"
        await fetch(http, url, allow_private=True)
        clock.instant += timedelta(days=1)
        await fetch(http, url, allow_private=True)
        again = http.replaying(MONDAY)
        async with again.spaced(3), again.spaced(3):
            return (await fetch(again, url, allow_private=True)).body

    first, second = response(body=b"Monday"), response(body=b"Tuesday")
    body, site = at_site({"/": [first, second]}, visit)
    assert body == b"Monday"
    assert len(site.requests) == 2
    assert clock.slept == []


def test_replaying_a_day_without_an_answer_fails() -> None:
    again = new_client().replaying(MONDAY)
    with pytest.raises(SourceError, match=r"^https://example\.org/: no answer of 2026-08-03 is"):
        asyncio.run(fetch(again, "https://example.org/"))
