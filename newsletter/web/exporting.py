"""Everything that is stored about a reader, as the reader downloads it."""

from collections.abc import Iterator

from newsletter.config.subscribers import to_entry
from newsletter.model import Delivery, Reader
from newsletter.readers.due import chosen_cadence
from newsletter.web.context import PageContext
from newsletter.web.likes import liked_papers


def data_of(context: PageContext, reader: Reader) -> dict[str, object]:
    """What is stored about a reader, under names that a reader understands.

    An email has its papers for as long as its details are kept.
    """
    consents, deliveries, reasons = context.reader_service.export(reader)
    default, own = context.default_schedule, reader.subscriber
    return {
        "subscription": to_entry(own),
        "status": reader.status,
        "schedule": {
            "how often": chosen_cadence(own, default),
            "time": own.at or default.at,
            "time zone": own.timezone or default.timezone,
        },
        "consents": [
            {"at": each.at.isoformat(), "how": each.how, "to": each.text} for each in consents
        ],
        "rated papers": [
            {
                "title": each.entry.view.title,
                "address": each.entry.view.url,
                "said": f"{'more' if each.more else 'less'} like this",
                "at": each.at.isoformat(),
            }
            for each in liked_papers(context, reader)
        ],
        "emails": [_email(context, reader, each) for each in deliveries],
        "reasons for leaving": [
            {"day": each.day.isoformat(), "reason": each.said} for each in reasons
        ],
    }


def _email(context: PageContext, reader: Reader, delivery: Delivery) -> dict[str, object]:
    papers = [*_papers(context, reader, delivery)]
    known = {"papers": papers} if papers else {}
    return {"day": delivery.day.isoformat(), "state": delivery.state, **known}


def _papers(
    context: PageContext, reader: Reader, delivery: Delivery
) -> Iterator[dict[str, str | None]]:
    """The papers of an email with their addresses; none once its details were removed."""
    found = context.page_cache.full_edition(reader, delivery.day)
    for section in found[1] if found else ():
        for entry in section.entries:
            yield {"title": entry.view.title, "address": entry.view.url}
