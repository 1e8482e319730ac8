import json
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from newsletter.config.reader_lists import read_csv, write_csv
from newsletter.config.subscribers import (
    mailbox_key,
    read_subscribers,
    subscriber_from_entry,
    to_entry,
    write_yaml,
)
from newsletter.errors import ConfigurationError, InvalidFileError
from newsletter.model import Filter, ListedReader, Subscriber
from newsletter.papers.filters import parse_rule

TOPICS = ["Reasoning", "Vision"]
ADA = Subscriber(
    email="ada@example.org",
    name="Ada",
    filter=Filter(
        topics=("Vision", "Reasoning"),
        include=(parse_rule("author:Shazeer"),),
        exclude=(parse_rule("a and b"), parse_rule("speech")),
        min_upvotes=5,
        max_items=20,
    ),
    cadence="weekly",
    day=4,
    paused_until=date(2026, 9, 1),
    at="07:30",
    timezone="Europe/London",
    summary="full",
)
LISTED = ListedReader(ADA, consented=datetime(2026, 8, 1, 9, 30, tzinfo=UTC))


def read(*entries: dict[str, object]) -> tuple[Subscriber, ...]:
    return tuple(reader.subscriber for reader in read_readers(*entries))


def read_readers(*entries: dict[str, object]) -> tuple[ListedReader, ...]:
    text = json.dumps({"subscribers": entries}, indent=1)
    return read_subscribers(text.encode(), "subscribers.yaml", TOPICS, {})


def error_of(text: str) -> str:
    with pytest.raises(InvalidFileError) as caught:
        read_subscribers(text.encode(), "subscribers.yaml", TOPICS, {})
    return str(caught.value)


def test_address_alone_is_enough() -> None:
    assert read({"email": "ada@example.org"}) == (Subscriber("ada@example.org"),)


@pytest.mark.parametrize("text", ["", "subscribers:\n", "subscribers: []"])
def test_empty_file_has_no_subscribers(text: str) -> None:
    assert read_subscribers(text.encode(), "f", TOPICS, {}) == ()


@pytest.mark.parametrize("written", [write_yaml([LISTED]), write_csv([LISTED])])
def test_written_file_reads_back_the_same(written: str) -> None:
    if written.startswith("email,"):
        assert read_csv(written.encode(), "f.csv", TOPICS).checked() == (LISTED,)
    else:
        assert read_subscribers(written.encode(), "f.yaml", TOPICS, {}) == (LISTED,)


def test_entry_omits_default_values() -> None:
    assert to_entry(Subscriber("ada@example.org")) == {"email": "ada@example.org"}
    assert to_entry(replace(ADA, cadence="daily")).get("day") is None


def test_domain_becomes_lowercase_ascii() -> None:
    assert read({"email": "Ada@BÜCHER.example"})[0].email == "Ada@xn--bcher-kva.example"


@pytest.mark.parametrize("local", ["x.", "a..b", ".x", "da.me..x-."])
def test_address_may_have_dots_anywhere(local: str) -> None:
    (found,) = read({"email": f"{local}@DOCOMO.example.org"})
    assert found.email == f"{local}@docomo.example.org"
    assert mailbox_key(f"{local.upper()}@docomo.example.org") == mailbox_key(found.email)


def test_hostile_name_is_cleaned() -> None:
    (found,) = read({"email": "ada@example.org", "name": "Ada\r\nBcc: eve@example.org\u202e\x00"})
    assert found.name == "Ada Bcc: eve@example.org"


@pytest.mark.parametrize(
    "address",
    [
        "a,b@x.org",
        "u@x.org,v@y.org",
        "@a,@b:u@x.org",
        "u@x.org\x00",
        "u@x.org\r\nRCPT TO:<e@x.org>",
        "<u@x.org> <v@y.org>",
        "Name <u@x.org>",
        f"{'a' * 65}@x.org",
        "ü@x.org",
        "u@x .org",
        "u@x..org",
        "u..v@x..org",
        "..@x.org",
        "u.\n@x.org",
        f"{'a' * 63}..@x.org",
        "group: a@x.org;",
        "",
    ],
)
def test_hostile_address_is_refused_with_its_line(address: str) -> None:
    text = json.dumps({"subscribers": [{"email": "ok@x.org"}, {"email": address}]}, indent=1)
    assert error_of(text).startswith("subscribers.yaml:7: subscribers.1.email: ")


def test_duplicate_reader_is_refused_with_both_lines() -> None:
    addresses = ("ada@example.org", "bob@example.org", "ADA@example.org")
    text = "subscribers:\n" + "".join(f"- email: {address}\n" for address in addresses)
    assert error_of(text) == (
        "subscribers.yaml:4: subscribers.2.email: ADA@example.org is already on line 2"
    )


def test_all_mistakes_of_all_readers_are_reported_together() -> None:
    message = error_of(
        "subscribers:\n- email: a@x.org\n- {email: A@X.org, topics: [Vison, [x]]}\n- nobody\n"
        "- {email: [a@x.org]}\n- {email: nobody, topics: Vision}\n"
    )
    assert [line.split(": ")[:2] for line in message.splitlines()] == [
        ["subscribers.yaml:3", "subscribers.1.topics.1"],
        ["subscribers.yaml:3", "subscribers.1.email"],
        ["subscribers.yaml:3", "subscribers.1.topics.0"],
        ["subscribers.yaml:4", "subscribers.2"],
        ["subscribers.yaml:5", "subscribers.3.email"],
        ["subscribers.yaml:6", "subscribers.4.email"],
        ["subscribers.yaml:6", "subscribers.4.topics"],
    ]


def test_unknown_file_format_is_refused() -> None:
    assert "this is a section" in error_of("- email: a@x.org")
    assert "this takes a list" in error_of("subscribers: a@x.org")


def test_mailbox_is_recognised_in_any_spelling() -> None:
    assert mailbox_key(" Ada@BÜCHER.example ") == mailbox_key("ada@xn--bcher-kva.Example")
    assert mailbox_key("ada@example.org") != mailbox_key("adam@example.org")
    assert mailbox_key("Not an address") == "not an address"


def test_former_names_of_topics_are_accepted() -> None:
    known = {"Vision": "Vision", "Sight": "Vision"}
    yaml = b"subscribers:\n- {email: a@x.org, topics: [Sight]}"
    for readers in (
        read_subscribers(yaml, "subscribers.yaml", known, {}),
        read_csv(b"email,topics\na@x.org,Sight\n", "readers.csv", known).checked(),
    ):
        assert readers[0].subscriber.filter.topics == ("Sight",)
    with pytest.raises(InvalidFileError, match=r"the newsletter has no topic 'X'; it has Vision"):
        read_csv(b"email,topics\na@x.org,X\n", "readers.csv", known).checked()


def test_unknown_topics_filters_and_keys_are_refused() -> None:
    assert "did you mean 'Vision'?" in error_of("subscribers:\n- {email: a@x.org, topics: [Vison]}")
    assert "did you mean 'topics'?" in error_of("subscribers:\n- {email: a@x.org, topic: [Vision]}")
    pointed = error_of("subscribers:\n- email: a@x.org\n  include:\n  - LoRA\n  - (a or\n")
    assert pointed.startswith("subscribers.yaml:5: subscribers.0.include.1: ")
    assert pointed.endswith("^")


@pytest.mark.parametrize(
    ("csv", "said"),
    [
        ("", "the first line must name the columns"),
        ("name\nAda\n", "the first line must name the columns"),
        ("email\na@x.org,extra\n", "beyond the last column"),
        ("email\na@x.org\nnobody\n", "readers.csv:3: subscribers.1.email"),
        ("email\n\na@x.org\n\nnobody\n", "readers.csv:5: subscribers.1.email"),
        ("email,topics\na@x.org,Reasoning\na@x.org,Vision\n", "is already on line 2"),
        ("email,topics\na@x.org,Reasoning;Vison\n", "'Vison'"),
    ],
)
def test_wrong_csv_file_is_refused_with_its_line(csv: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_csv(csv.encode(), "readers.csv", TOPICS).checked()
    assert said in str(caught.value)


def test_csv_file_without_readers_reads_back() -> None:
    assert read_csv(write_csv([]).encode(), "f.csv", TOPICS).checked() == ()


def test_single_subscriber_is_checked_like_a_file() -> None:
    entry = subscriber_from_entry({"email": "a@x.org", "topics": ["Vision"]}, TOPICS)
    assert entry.filter.topics == ("Vision",)
    with pytest.raises(InvalidFileError, match="no topic"):
        subscriber_from_entry({"email": "a@x.org", "topics": ["Nope"]}, TOPICS)
