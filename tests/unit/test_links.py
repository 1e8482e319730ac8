"""Signed links."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import TokenError
from newsletter.letter.links import (
    MAX_AGE,
    SEALED,
    BounceTag,
    Keyring,
    LetterSeals,
    Links,
    Purpose,
    bounce_tag,
    keyed_hash,
    letter_tag,
    read_bounce_tag,
    readers_by_letter_tag,
    sign_links,
    sign_token,
    signed_at,
    verify_token,
)
from newsletter.model import Publication
from tests.support.factories import DAY, NOON

KEYS = Keyring(("new key", "old key"), "papers@example.org")
SITE = Publication("Papers", "Papers", "papers@example.org", url="https://papers.example.org/")
NO_SITE = Publication("Papers", "Papers", "papers@example.org")
YEARS = timedelta(days=3650)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.sampled_from([*MAX_AGE]))
def test_signed_token_round_trips(payload: str, purpose: Purpose) -> None:
    assert (
        verify_token(sign_token(payload, purpose, KEYS, NOON), purpose, KEYS, NOON, None) == payload
    )


def test_same_instant_gives_the_same_token() -> None:
    assert sign_token("7", "edition", KEYS, NOON) == sign_token("7", "edition", KEYS, NOON)
    later = NOON + timedelta(seconds=1)
    assert sign_token("7", "edition", KEYS, NOON) != sign_token("7", "edition", KEYS, later)


def test_token_of_the_earliest_instant_is_signed() -> None:
    dawn = datetime.fromtimestamp(0, UTC)
    assert verify_token(sign_token("7", "edition", KEYS, dawn), "edition", KEYS, dawn, YEARS) == "7"


def test_token_with_a_flipped_bit_is_refused() -> None:
    token = sign_token("7", "unsubscribe", KEYS, NOON).encode()
    for place in range(len(token)):
        for bit in range(8):
            forged = bytearray(token)
            forged[place] ^= 1 << bit
            with pytest.raises(TokenError):
                verify_token(forged.decode("latin-1"), "unsubscribe", KEYS, NOON, None)


def test_token_of_another_purpose_is_refused() -> None:
    purposes: tuple[Purpose, ...] = get_args(Purpose)
    for made in purposes:
        for asked in set(purposes) - {made}:
            with pytest.raises(TokenError, match="incomplete or wrong"):
                verify_token(sign_token("7", made, KEYS, NOON), asked, KEYS, NOON, None)


def test_token_of_another_newsletter_is_refused() -> None:
    other = Keyring(KEYS.secrets, "other@example.org")
    with pytest.raises(TokenError):
        verify_token(sign_token("7", "unsubscribe", other, NOON), "unsubscribe", KEYS, NOON, None)


def test_retired_key_is_accepted_and_removed_key_refused() -> None:
    token = sign_token("7", "unsubscribe", Keyring(("old key",), KEYS.audience), NOON)
    assert verify_token(token, "unsubscribe", KEYS, NOON, None) == "7"
    with pytest.raises(TokenError):
        verify_token(token, "unsubscribe", Keyring(("new key",), KEYS.audience), NOON, None)


def letter_tokens(keys: Keyring = KEYS) -> dict[Purpose, str]:
    tokens, _ = LetterSeals(keys, DAY).sign(7)
    return dict(zip(SEALED, tokens, strict=True))


def test_letters_token_serves_its_purpose_alone() -> None:
    payloads = {"unsubscribe": "7", "preferences": "7", "edition": f"7/{DAY.isoformat()}"}
    for purpose, token in letter_tokens().items():
        assert verify_token(token, purpose, KEYS, NOON, MAX_AGE[purpose]) == payloads[purpose]
        for other in {*get_args(Purpose)} - {purpose}:
            with pytest.raises(TokenError):
                verify_token(token, other, KEYS, NOON, None)


def test_changed_token_of_a_letter_is_refused() -> None:
    token = letter_tokens()["unsubscribe"]
    for place in range(len(token)):
        for forged in (
            token[:place] + "0é"[token[place] == "0"] + token[place + 1 :],
            token[:place],
        ):
            with pytest.raises(TokenError):
                verify_token(forged, "unsubscribe", KEYS, NOON, None)


def test_letters_token_is_of_one_newsletter_and_its_keys() -> None:
    token = letter_tokens(Keyring(("old key",), KEYS.audience))["edition"]
    assert verify_token(token, "edition", KEYS, NOON, None) == f"7/{DAY.isoformat()}"
    for keys in (Keyring(("new key",), KEYS.audience), Keyring(("old key",), "b@example.org")):
        with pytest.raises(TokenError):
            verify_token(token, "edition", keys, NOON, None)


def test_letters_token_is_valid_from_the_end_of_its_day() -> None:
    token, age = letter_tokens()["preferences"], timedelta(days=30)
    ends = datetime(DAY.year, DAY.month, DAY.day, 12, tzinfo=UTC) + timedelta(days=1)
    assert verify_token(token, "preferences", KEYS, ends + age, age) == "7"
    assert signed_at(token) <= NOON
    with pytest.raises(TokenError, match="too old"):
        verify_token(token, "preferences", KEYS, ends + age + timedelta(seconds=1), age)


def test_message_ids_of_both_forms_are_known() -> None:
    _, tag = LetterSeals(KEYS, DAY).sign(7)
    tags = readers_by_letter_tag(DAY, [7, 8], KEYS)
    assert tags[tag] == tags[letter_tag(DAY, 7, KEYS)] == 7


@pytest.mark.parametrize("purpose", ["preferences", "confirm", "edition"])
def test_expired_token_is_refused(purpose: Purpose) -> None:
    token, age = sign_token("7", purpose, KEYS, NOON), MAX_AGE[purpose]
    assert age is not None
    assert verify_token(token, purpose, KEYS, NOON + age, age) == "7"
    with pytest.raises(TokenError, match="too old"):
        verify_token(token, purpose, KEYS, NOON + age + timedelta(seconds=1), age)


def test_unsubscribe_link_works_after_years() -> None:
    token = sign_token("7", "unsubscribe", KEYS, NOON)
    later = NOON + timedelta(days=3650)
    assert verify_token(token, "unsubscribe", KEYS, later, MAX_AGE["unsubscribe"]) == "7"


@pytest.mark.parametrize("junk", ["", ".", "..", "a.b.c", "é.1.x", "\ud800", "a" * 10_000])
def test_junk_is_refused(junk: str) -> None:
    with pytest.raises(TokenError):
        verify_token(junk, "unsubscribe", KEYS, NOON, None)


def test_every_purpose_has_a_link() -> None:
    made = sign_links(SITE, KEYS, DAY, NOON, 7)
    tokens: dict[Purpose, str] = {
        "preferences": made.preferences,
        "unsubscribe": made.unsubscribe,
        "edition": made.edition,
    }
    for purpose, link in tokens.items():
        start = f"https://papers.example.org/{purpose}/"
        assert link.startswith(start)
        payload = "7/2026-08-03" if purpose == "edition" else "7"
        assert verify_token(link.removeprefix(start), purpose, KEYS, NOON, YEARS) == payload
    assert made.post == made.unsubscribe
    assert made.pause == f"{made.preferences}?pause=2"
    assert made.weekly == f"{made.preferences}?cadence=weekly"
    assert made.mail.startswith("mailto:papers@example.org?subject=unsubscribe%20")


def test_links_without_a_site_use_the_mailbox() -> None:
    publication = Publication("P", "P", "p@example.org", bounces="bounce@example.org")
    made = sign_links(publication, KEYS, DAY, NOON, 7)
    assert isinstance(made, Links)
    assert (made.post, made.edition) == ("", "")
    verbs = {
        "preferences": made.preferences,
        "pause": made.pause,
        "weekly": made.weekly,
        "unsubscribe": made.unsubscribe,
    }
    for verb, link in verbs.items():
        tag = f"+u{bounce_tag(7, KEYS)}" if verb == "unsubscribe" else ""
        assert link.startswith(f"mailto:bounce{tag}@example.org?subject={verb}%20")
    assert sign_links(NO_SITE, KEYS, DAY, NOON, 7).mail.startswith("mailto:papers@example.org?")


@pytest.mark.parametrize("site", [None, "https://papers.example.org"])
def test_unsubscribe_mails_go_where_replies_go(site: str | None) -> None:
    """Often nobody reads the sender's own address."""
    reply_to = '"Ada, the editor" <ada@example.org>'
    publication = Publication("P", "P", "noreply@example.org", site, reply_to=reply_to)
    mail = sign_links(publication, KEYS, DAY, NOON, 7).mail
    assert mail.startswith("mailto:ada@example.org?subject=unsubscribe%20")


def test_frozen_issue_keeps_its_signing_key() -> None:
    old = Keyring(("old key",), KEYS.audience)
    assert sign_token("7", "edition", KEYS.signing_as(old.fingerprint), NOON) == sign_token(
        "7", "edition", old, NOON
    )
    assert KEYS.signing_as("a key nobody has") == KEYS


def test_bounce_tags_need_the_key() -> None:
    assert keyed_hash("7", KEYS) != keyed_hash("8", KEYS)
    assert keyed_hash("7", KEYS) != keyed_hash("7", Keyring(("old key",)))


def test_bounce_tag_is_read_in_any_letter_case() -> None:
    tag = bounce_tag(7, Keyring(("old key",), KEYS.audience))
    assert read_bounce_tag(tag.upper(), KEYS) == BounceTag(7)


@pytest.mark.parametrize("tag", ["", "7", "8-", "7-0123456789abcdef", "x-y", "٣-a", "9" * 5000])
def test_foreign_return_path_is_refused(tag: str) -> None:
    with pytest.raises(TokenError, match="return path"):
        read_bounce_tag(tag, KEYS)
