"""Report on an issue in counts, and on the sources; check the coverage record for the audit."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from itertools import islice

from newsletter.model import (
    ERRORS,
    TROUBLED,
    Audit,
    Calendar,
    Counts,
    Coverage,
    Delivery,
    DeliveryState,
    InvariantCheck,
    IssueState,
    MassReport,
    ReaderFault,
    SourceHealth,
    SourceReport,
    Wave,
)
from newsletter.model.closed_sets import complete
from newsletter.model.states import NOT_BUILT
from newsletter.model.windows import SEARCHED_ISSUES
from newsletter.ports import Issues, Source
from newsletter.publisher.coverage import LOST_SHOWN, select_gaps
from newsletter.publisher.publisher import Publisher, WithSources
from newsletter.readers.stored_settings import find_fault, lost_topic_lines
from newsletter.text import clean

_CANCELLED: Collection[IssueState] = {"cancelled"}

ERROR_WORDS: Mapping[DeliveryState, str] = {
    "failed": "failed",
    "expired": "expired",
    "held": "held in doubt",
}
"""What became of letters that nobody sends any more."""

DETAILS_REMOVED = (
    "the details of the issue of {} were removed (`keep: editions`, or `newsletter store prune`); "
    "the counts, and who got which paper, are kept"
)
"""What to say where the details of an issue would be shown."""

complete("ERROR_WORDS", ERRORS, ERROR_WORDS)


@dataclass(frozen=True, slots=True)
class IssueReport:
    """The state of a day's issue.

    Attributes:
        state: None if the day has no issue.
        reason: why it is in that state, if there is something to say.
        papers: how many papers are in question for some reader.
        sources: the reports of this run, or else the stored state of each source. Empty for an
            issue that is not the newest: the stored states are about the newest.
        faults: what an unexpected exception kept out of the issue: papers, and readers' letters,
            each in one line that names it.
        reader_faults: who is skipped, or served otherwise than their settings say.
    """

    day: date
    state: IssueState | None
    reason: str
    papers: int
    counts: Counts
    sources: tuple[SourceReport, ...]
    faults: tuple[str, ...] = ()
    reader_faults: tuple[ReaderFault, ...] = ()

    @property
    def skipped(self) -> tuple[str, ...]:
        """Papers, letters and readers that are left out, each in a line that names it."""
        skipped = (line_of(fault) for fault in self.reader_faults if not fault.served)
        return (*self.faults, *skipped)

    @property
    def notes(self) -> tuple[str, ...]:
        """The readers who are served otherwise than they chose, each in a line."""
        return fault_lines(fault for fault in self.reader_faults if fault.served)

    @property
    def troubled(self) -> bool:
        """Whether a delivery failed or is in doubt."""
        return bool(self.counts.of(TROUBLED))


def report(
    publisher: WithSources,
    day: date,
    sources: Sequence[SourceReport] | None = None,
) -> IssueReport:
    """The present state of the issue of ``day``.

    ``sources`` are the reports of this run, None for the stored state of each source.
    """
    store = publisher.store
    state, reason = store.issue_state(day) or (None, "")
    waves = [_wave_facts(store.wave, head.id) for head in store.wave_heads(day)]
    counts = store.counts(day)
    papers = frozenset[int]().union(*(numbers for numbers, _ in waves))
    broken = dict(quarantined_papers(store, day))
    # The store picks them out: a server that defers everybody leaves a hundred thousand others.
    unbuilt = store.deliveries(day, states={"deferred"}, reply=NOT_BUILT) if counts.deferred else ()
    return IssueReport(
        day=day,
        state=state,
        reason=reason,
        papers=len(papers),
        counts=counts,
        sources=_stored_reports(publisher, day) if sources is None else tuple(sources),
        faults=(
            *(f"paper {key}: {why}" for key, why in broken.items()),
            *(f"reader {d.email}: {d.reply}" for d in unbuilt),
        ),
        reader_faults=find_reader_faults(publisher, day),
    )


@lru_cache(maxsize=32)  # a wave never changes, and a running newsletter asks again and again
def _wave_facts(
    read: Callable[[int], Wave], wave: int
) -> tuple[frozenset[int], tuple[tuple[str, str], ...]]:
    """The numbers of the papers that a wave is about, and the papers it could not render."""
    issue = read(wave).issue
    return frozenset(paper.number for paper in issue.in_question), issue.quarantined


def quarantined_papers(store: Issues, day: date) -> tuple[tuple[str, str], ...]:
    """The papers of a day's issue that could not be rendered, each with the reason."""
    return tuple(
        fault for head in store.wave_heads(day) for fault in _wave_facts(store.wave, head.id)[1]
    )


def mass_words(found: MassReport) -> str:
    """What the operator is told of hard bounces that speak of the sender."""
    return (
        f"{found.letter}: {found.readers} of {found.letters} emails came back as if their readers "
        "did not exist. So many at once point to the sender, so no reader is blamed. See what the "
        "servers said in the log of returned mail, and whether your relay is on a blocklist"
    )


def fault_lines(faults: Iterable[ReaderFault]) -> tuple[str, ...]:
    """A line for each reader's fault, but of lost topics one for each topic."""
    faults = tuple(faults)
    alone = (line_of(fault) for fault in faults if not fault.lost)
    return (*alone, *lost_topic_lines(faults))


def line_of(fault: ReaderFault) -> str:
    """A reader's fault in a line that names them."""
    return f"reader {fault.email}: {fault.words}"


def letters_in_error(store: Issues, now: datetime) -> Iterator[Delivery]:
    """The letters that nobody sends any more, newest first, back to the last issue without any."""
    for day in islice(reported_days(store, now), SEARCHED_ISSUES):
        if is_in(store, day, {"done"}) and store.counts(day).accepted:
            return
        yield from store.deliveries(day, states=ERRORS)


def letter_line(letter: Delivery) -> str:
    """A letter that nobody sends any more, and what the server said of it, in a line."""
    reply = clean(letter.reply) or "without a reply of the server"
    return f"{letter.email} {ERROR_WORDS[letter.state]}: {reply}"


def find_reader_faults(publisher: WithSources, day: date) -> tuple[ReaderFault, ...]:
    """The readers whom the issue of a day skips, or serves otherwise than they chose, at present.

    With the newest issue also those of later days, which may have no issue because of that.
    """
    last = day if _is_followed(publisher.store, day) else None
    topics = publisher.known_topics
    found = (
        find_fault(reader, topics)
        or (ReaderFault(reader.id, reader.subscriber.email, said) if said else None)
        for reader, said in publisher.store.faulty_readers(day, last)
    )
    return tuple(fault for fault in found if fault is not None)


def known_gaps(publisher: WithSources) -> tuple[Coverage, ...]:
    """The lists that the configured sources still owe, and those they lost lately, newest first."""
    now = publisher.clock.now()
    gaps = publisher.store.gaps(lost_since=now.date() - LOST_SHOWN)
    return select_gaps(publisher.sources, gaps, now)


def known_health(publisher: WithSources) -> tuple[SourceHealth, ...]:
    """The last report of each configured source that was asked; of no other one."""
    names = {source.name for source in publisher.sources}
    return tuple(each for each in publisher.store.sources().values() if each.name in names)


def audit_issue(publisher: Publisher, day: date) -> Audit:
    """The audit of an issue, with the invariants of the coverage record.

    Raises:
        StoreError: there is no issue of that day.
    """
    store, sources = publisher.store, publisher.sources
    rows = [row for source in sources for row in store.coverage(source.name)]
    audit = store.audit(day)
    return replace(audit, proofs=(*audit.proofs, *check_record(sources, rows, store.sources())))


def reported_days(store: Issues, now: datetime) -> Iterator[date]:
    """The days that have an issue, newest first, without cancelled ones in the future.

    A holiday may be cancelled weeks ahead; that must not hide the issue that is being sent.
    """
    for day in store.issue_days():
        called_off = day > now.date() and is_in(store, day, _CANCELLED)
        if not called_off or store.counts(day).planned:
            yield day


def is_in(store: Issues, day: date, states: Collection[IssueState]) -> bool:
    """Whether a day has an issue, and it is in one of these states."""
    state = store.issue_state(day)
    return state is not None and state[0] in states


def _stored_reports(publisher: WithSources, day: date) -> tuple[SourceReport, ...]:
    """The stored state of each source; none if there is a newer issue, which the states are of."""
    if _is_followed(publisher.store, day):
        return ()
    return tuple(
        SourceReport(health.name, health.state, detail=health.detail)
        for health in known_health(publisher)
    )


def _is_followed(store: Issues, day: date) -> bool:
    """Whether there is an issue of a later day; a cancelled one, as of a holiday, is none."""
    return any(other > day and not is_in(store, other, _CANCELLED) for other in store.issue_days())


def check_record(
    sources: Sequence[Source], rows: Sequence[Coverage], health: Mapping[str, SourceHealth]
) -> tuple[InvariantCheck, ...]:
    """The audit's invariants of the coverage record; the rows of all dates are needed."""
    broken: dict[str, list[str]] = {id_: [] for id_ in RECORD_INVARIANTS}
    for source in sources:
        checked = health[source.name].checked if source.name in health else None
        for part in source.parts:
            own = {row.day: row for row in rows if (row.source, row.part) == (source.name, part)}
            if checked is not None and own:
                for id_, day in _breaks(source.calendar, own, checked):
                    broken[id_].append(" ".join(filter(None, (source.name, part, f"{day}"))))
    return tuple(
        InvariantCheck(id_, law, tuple(broken[id_])) for id_, law in RECORD_INVARIANTS.items()
    )


RECORD_INVARIANTS: Mapping[str, str] = {
    "I11": "every listing date of a source, since it was added, is on record",
    "I12": "every list that counts as read was answered",
    "I13": "every list that was not read in time is named as missing or lost",
}
"""The laws of the coverage record, beside those of the ledger."""


def _breaks(
    calendar: Calendar, rows: Mapping[date, Coverage], checked: datetime
) -> Iterator[tuple[str, date]]:
    """What breaks an invariant in the record of one part, as of when the source was asked last."""
    for day in calendar.days(min(rows), checked):
        row = rows.get(day)
        if row is None:
            yield "I11", day
        elif row.state in {"covered", "filled"} and row.answered is None:
            yield "I12", day
        elif row.is_open and calendar.is_given_up(day, checked):
            yield "I13", day
