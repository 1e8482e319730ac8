"""What the readers' pages ask of the store, in SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, case, delete, func, insert, select, update

from newsletter.model import (
    STOPPED_ISSUE,
    Caps,
    Consent,
    DailyGrowth,
    Delivery,
    Edition,
    MailEvent,
    Paper,
    PublishedIssue,
    Reader,
    ReaderHistory,
    Recipient,
    Status,
    Subscriber,
)
from newsletter.stores.rules import bare, in_turn, sought
from newsletter.stores.sql import schema
from newsletter.stores.sql.codec import dump, load
from newsletter.stores.sql.engine import Database, alone
from newsletter.stores.sql.growth import daily_growth
from newsletter.stores.sql.papers import read_papers
from newsletter.stores.sql.readers import ROSTER, last_decided, reader_of

REQUESTS = 4
"""The task of counting requests."""

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


class PageQueries:
    """The readers' side of a :class:`~newsletter.stores.sql.SqlStore`."""

    _database: Database

    def reader_by_id(self, id_: int) -> Reader | None:
        """See :meth:`newsletter.ports.Store.reader_by_id`."""
        query = select(schema.readers).where(schema.readers.c.id == id_)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else reader_of(row)

    def reader_by_email(self, email: str) -> Reader | None:
        """See :meth:`newsletter.ports.Store.reader_by_email`."""
        columns = schema.readers.c
        same = select(schema.readers).where(func.lower(columns.email) == email.lower())
        with self._database.reading() as connection:
            row = connection.execute(same.order_by(columns.id).limit(1)).one_or_none()
        return None if row is None else reader_of(row)

    def count_readers(self) -> Mapping[Status, int]:
        """See :meth:`newsletter.ports.Store.count_readers`."""
        status = schema.readers.c.status
        query = select(status, func.count().label("number")).group_by(status)
        with self._database.reading() as connection:
            return {row.status: row.number for row in connection.execute(query)}

    def daily_growth(self) -> tuple[DailyGrowth, ...]:
        """See :meth:`newsletter.ports.Store.daily_growth`."""
        with self._database.reading() as connection:
            return daily_growth(connection)

    def record_request(self, address: str, client: str, caps: Caps, *, now: datetime) -> bool:
        """See :meth:`newsletter.ports.Store.record_request`."""
        with self._database.writing() as connection:
            alone(connection, REQUESTS)
            asked = schema.requests.c
            old = (asked.at < now - DAY) & (asked.client != "")
            connection.execute(update(schema.requests).where(old).values(client=""))
            may = _fits(connection, address, client, caps, now)
            if may:
                row = {"address": address, "client": client, "at": now}
                connection.execute(insert(schema.requests), row)
            return may

    def forget_unconfirmed(self, *, before: datetime) -> int:
        """See :meth:`newsletter.ports.Store.forget_unconfirmed`."""
        columns = schema.readers.c
        stale = (columns.status == "unconfirmed") & (columns.changed < before)
        with self._database.writing() as connection:
            return connection.execute(delete(schema.readers).where(stale)).rowcount

    def record_consent(self, reader: int, consent: Consent) -> bool:
        """See :meth:`newsletter.ports.Store.record_consent`."""
        columns = schema.readers.c
        origin = case((columns.status == "removed", "store"), else_=columns.origin)
        may = (columns.id == reader) & columns.status.not_in(("confirmed", "blocked"))
        with self._database.writing() as connection:
            decided = last_decided(connection)
            confirmed = (
                update(schema.readers)
                .where(may)
                .values(status="confirmed", origin=origin, decided=decided, changed=consent.at)
            )
            if not connection.execute(confirmed).rowcount:
                return False
            row = {"reader": reader, "at": consent.at, "how": consent.how, "text": consent.text}
            connection.execute(insert(schema.consents), row)
            return True

    def consents(self, reader: int) -> tuple[Consent, ...]:
        """See :meth:`newsletter.ports.Store.consents`."""
        columns = schema.consents.c
        query = select(schema.consents).where(columns.reader == reader).order_by(columns.id)
        with self._database.reading() as connection:
            return tuple(Consent(r.at, r.how, r.text) for r in connection.execute(query))

    def deliveries_to(self, reader: int) -> tuple[Delivery, ...]:
        """See :meth:`newsletter.ports.Store.deliveries_to`."""
        ledger, people, issues = schema.deliveries, schema.readers, schema.issues
        query = (
            select(ledger, issues.c.day, people.c.email)
            .select_from(ledger.join(issues).join(people))
            .where(ledger.c.reader == reader)
            .order_by(issues.c.day)
        )
        with self._database.reading() as connection:
            return tuple(
                Delivery(row.day, row.email, row.state, row.attempts, row.reply, row.next_try)
                for row in connection.execute(query)
            )

    def leaving_reasons(self, *, limit: int, reader: int | None = None) -> tuple[MailEvent, ...]:
        """See :meth:`newsletter.ports.Store.leaving_reasons`."""
        columns = schema.returns.c
        said = select(schema.returns).where(columns.kind == "unsubscribe", columns.said != "")
        if reader is not None:
            said = said.where(columns.reader == reader)
        last = said.order_by(columns.noted.desc(), columns.digest).limit(limit)
        with self._database.reading() as connection:
            return tuple(
                MailEvent(row.digest, row.kind, row.reader, row.day, row.said)
                for row in connection.execute(last)
            )

    def change_email(self, reader: int, email: str, *, now: datetime) -> bool:
        """See :meth:`newsletter.ports.Store.change_email`."""
        columns = schema.readers.c
        taken = select(columns.id).where(func.lower(columns.email) == email.lower())
        theirs = select(columns.body).where(columns.id == reader, columns.origin == "store")
        with self._database.writing() as connection:
            alone(connection, ROSTER)
            body = connection.execute(theirs).scalar_one_or_none()
            if body is None or connection.execute(taken).first() is not None:
                return False
            moved = dump(replace(load(Subscriber, body), email=email))
            changed = update(schema.readers).where(columns.id == reader)
            connection.execute(changed.values(email=email, body=moved, changed=now))
            return True

    def erase(self, reader: int, alias: str, *, now: datetime) -> None:
        """See :meth:`newsletter.ports.Store.erase`."""
        with self._database.writing() as connection:
            _erase(connection, reader, alias, now)
        self._database.scrub()

    def published_issues(self) -> tuple[PublishedIssue, ...]:
        """See :meth:`newsletter.ports.Store.published_issues`."""
        days, waves = schema.issues.c, schema.waves.c
        query = (
            select(days.day, func.min(waves.frozen), func.max(waves.cutoff))
            .select_from(schema.issues.join(schema.waves))
            .where(days.state.not_in(STOPPED_ISSUE))
            .group_by(days.day)
        )
        with self._database.reading() as connection:
            return in_turn((day, at, cutoff) for day, at, cutoff in connection.execute(query))

    def find_paper(self, name: str) -> Paper | None:
        """See :meth:`newsletter.ports.Store.find_paper`."""
        query = select(schema.papers).join(schema.aliases).where(schema.aliases.c.name == name)
        with self._database.reading() as connection:
            return next(iter(read_papers(connection.execute(query))), None)

    def days_listed(self, paper: Paper) -> tuple[date, ...]:
        """See :meth:`newsletter.ports.Store.days_listed`."""
        days = schema.readings.c.day
        query = select(days).join(schema.papers).where(schema.papers.c.group == paper.group)
        with self._database.reading() as connection:
            return tuple(connection.execute(query.distinct().order_by(days)).scalars())

    def search_papers(self, words: Sequence[str], *, limit: int) -> tuple[Paper, ...]:
        """See :meth:`newsletter.ports.Store.search_papers`."""
        wanted = sought(words)
        if not wanted:
            return ()
        with self._database.reading() as connection:
            postgres = connection.dialect.name == "postgresql"
            find = func.strpos if postgres else func.instr
            said = schema.wordings.c.words
            query = (
                select(schema.papers)
                .join(schema.wordings)
                .where(~schema.papers.c.muted, *(find(said, word) > 0 for word in wanted))
                .order_by(schema.papers.c.number.desc())
                .limit(limit)
            )
            return read_papers(connection.execute(query))


def _fits(connection: Connection, address: str, client: str, caps: Caps, now: datetime) -> bool:
    """Whether one more request stays within every cap."""
    columns = schema.requests.c
    own = columns.address == address
    recent = columns.at > now - HOUR
    counted = (
        (own & (columns.at > now - DAY), caps.a_day),
        (own, caps.ever),
        (recent & (columns.client == client), caps.client_an_hour),
        (recent, caps.all_an_hour),
    )
    return all(
        connection.execute(
            select(func.count()).select_from(schema.requests).where(which)
        ).scalar_one()
        < cap
        for which, cap in counted
    )


def _erase(connection: Connection, reader: int, alias: str, now: datetime) -> None:
    nobody = Subscriber(alias)
    connection.execute(delete(schema.consents).where(schema.consents.c.reader == reader))
    back = update(schema.returns).where(schema.returns.c.reader == reader)
    connection.execute(back.values(said=""))
    ledger = schema.deliveries.c
    for row in connection.execute(
        select(ledger.issue, ledger.reply, ledger.recipient).where(ledger.reader == reader)
    ).all():
        line = (ledger.issue == row.issue) & (ledger.reader == reader)
        recipient = None if row.recipient is None else alias
        bared = update(schema.deliveries).where(line)
        connection.execute(bared.values(reply=bare(row.reply), recipient=recipient))
    there = schema.editions.c
    for row in connection.execute(select(schema.editions).where(there.reader == reader)).all():
        history = load(ReaderHistory, row.standing)
        blank = replace(history.reader, subscriber=nobody)
        edition = replace(load(Edition, row.body), to=Recipient.of(blank))
        this = (there.wave == row.wave) & (there.reader == reader)
        bared = update(schema.editions).where(this)
        stored = dump(replace(history, reader=blank))
        connection.execute(bared.values(body=dump(edition), standing=stored, email=alias))
    connection.execute(
        update(schema.readers)
        .where(schema.readers.c.id == reader)
        .values(
            email=alias,
            body=dump(nobody),
            listed=None,
            status="unsubscribed",
            origin="store",
            changed=now,
        )
    )
