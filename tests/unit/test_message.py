"""Messages, compared byte for byte."""

import binascii
import quopri
import re
from dataclasses import replace
from email.header import Header, decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import RenderError
from newsletter.letter.fragments import IssueFragments, placeholder
from newsletter.letter.headers import encode_subject
from newsletter.letter.links import (
    MAX_LOCAL_PART,
    TAG_ROOM,
    Keyring,
    read_bounce_tag,
)
from newsletter.letter.message import MessageBuilder, quoted_printable
from newsletter.model import Publication
from newsletter.transports.smtp.replies import is_mailbox
from tests.support.factories import paper
from tests.support.hostile_inputs import HOSTILE_TEXTS, LETTER_HEADERS, check_letter, check_message
from tests.support.letters import (
    ADA,
    BOB,
    KEYS,
    SITE,
    edition,
    links_to,
    make_fragments,
    make_letter,
    message_bytes,
    parse_message,
    section,
    text_of_part,
)

NO_SITE = Publication("Papers", "Papers", "papers@example.org")
TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\r"))
DOTTED = st.text(alphabet=". =a\n\té漢", max_size=400)


def unquoted(encoded_pieces: bytes) -> str:
    return quopri.decodestring(encoded_pieces).decode().replace("\r\n", "\n")


def without_blank_ends(text: str) -> str:
    *lines, last = text.split("\n")
    return "\n".join([*(line.rstrip(" \t") for line in lines), last])


@given(TEXT | DOTTED)
def test_decoding_restores_the_encoded_text(text: str) -> None:
    assert unquoted(quoted_printable(text)) == without_blank_ends(text)


@given(st.lists(DOTTED))
def test_encoded_fragments_join_into_the_encoded_whole(pieces: list[str]) -> None:
    expected = "".join(without_blank_ends(piece) for piece in pieces)
    assert unquoted(b"".join(map(quoted_printable, pieces))) == expected


@given(TEXT | DOTTED)
def test_encoded_lines_are_short_without_leading_dot(text: str) -> None:
    made = quoted_printable(text)
    assert made == b"" or made.endswith(b"\r\n")
    for line in made.split(b"\r\n"):
        assert len(line) <= 76
        assert not line.startswith(b".")
        assert b"\r" not in line
        assert b"\n" not in line


@given(st.text(alphabet="a-/ ", max_size=400))
def test_unencoded_line_breaks_like_any_other(text: str) -> None:
    lines = binascii.b2a_qp(f"{text}x".encode())[:-1]
    ended = lines if not text or lines.endswith(b"\n") else lines + b"=\n"
    assert quoted_printable(text) == ended.replace(b"\n", b"\r\n")


def test_every_line_ending_is_normalised() -> None:
    assert quoted_printable("a\r\nb\rc\n") == b"a\r\nb\r\nc\r\n"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=200))
def test_subject_round_trips(text: str) -> None:
    value = encode_subject(text)
    assert value.isascii()
    assert str(make_header(decode_header(value.replace("\r\n", "")))) == " ".join(text.split())


@pytest.mark.parametrize("hostile", HOSTILE_TEXTS)
def test_hostile_paper_gives_a_valid_letter(hostile: str) -> None:
    check_letter(hostile)


def test_encoded_word_in_a_title_stays_literal() -> None:
    title = "=?utf-8?q?a=0D=0ABcc:_e@x.org?="
    message = message_bytes(
        make_letter(make_fragments(paper(1, title)), edition(section("Reasoning", 0)))[1]
    )
    assert parse_message(message)["Subject"] == title
    assert b"\r\nBcc" not in message


def test_letter_is_from_newsletter_to_one_reader() -> None:
    _, envelope = make_letter(make_fragments(), edition(section("Reasoning", 0, 1)))
    message = message_bytes(envelope)
    check_message(message)
    read = parse_message(message)
    assert read["From"] == "Daily Papers <papers@example.org>"
    assert read["To"] == envelope.recipient == "ada@example.org"
    assert read["Subject"] == "First and 1 more"
    assert read["Date"] == "Mon, 03 Aug 2026 12:00:00 +0000"
    assert read["Message-ID"] == envelope.message_id
    assert envelope.message_id.startswith("<2026-08-03.")
    assert envelope.message_id.endswith("@example.org>")


def test_unsubscribe_headers_offer_click_and_mail() -> None:
    message = message_bytes(make_letter(make_fragments(), edition(section("Reasoning", 0)))[1])
    links = links_to()
    unfolded = message.replace(b"\r\n ", b" ").decode()
    assert f"\r\nList-Unsubscribe: <{links.post}>, <{links.mail}>\r\n" in unfolded
    assert "\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in unfolded
    assert b"=?" not in message.partition(b"\r\n\r\n")[0]


def test_unsubscribe_without_site_is_by_mail_only() -> None:
    message = message_bytes(
        make_letter(make_fragments(publication=NO_SITE), edition(section("Reasoning", 0)))[1]
    )
    read = parse_message(message)
    assert read["List-Unsubscribe"].startswith("<mailto:papers@example.org?subject=unsubscribe")
    absent = {"List-Unsubscribe-Post", "List-Archive"}
    assert [name for name, _ in read.items()] == [
        name for name in LETTER_HEADERS if name not in absent
    ]
    assert "https://" not in text_of_part(read, "html")


def test_list_headers_are_present() -> None:
    read = parse_message(
        message_bytes(make_letter(make_fragments(), edition(section("Reasoning", 0)))[1])
    )
    assert read["List-Id"] == "<papers.example.org>"
    assert read["List-Help"] == read["List-Owner"] == "<mailto:editor@example.org>"
    assert read["List-Archive"] == "<https://papers.example.org/archive>"
    assert read["List-Post"] == "NO"
    assert read["Precedence"] == "bulk"
    assert read["Auto-Submitted"] == "auto-generated"
    assert len(read["Feedback-ID"].split(":")) == 4
    assert "ada" not in read["Feedback-ID"]


def test_long_addresses_in_headers_stay_intact() -> None:
    site = f"https://{'long.' * 30}example.org"
    fragments = make_fragments(publication=replace(SITE, url=site))
    message = message_bytes(make_letter(fragments, edition(section("Reasoning", 0)))[1])
    check_message(message)
    assert b"=?" not in message.partition(b"\r\n\r\n")[0]
    assert parse_message(message)["List-Archive"] == f"<{site}/archive>"


@pytest.mark.parametrize(
    "name", ["Grüße, täglich", "Müller & Söhne", "=?utf-8?q?a=0D=0ABcc:_e@x.org?=", "a\r\nB: c", ""]
)
def test_any_sender_name_makes_one_from_header(name: str) -> None:
    fragments = make_fragments(publication=replace(SITE, sender_name=name))
    message = message_bytes(make_letter(fragments, edition(section("Reasoning", 0)))[1])
    check_message(message)
    (address,) = parse_message(message)["From"].addresses
    assert address.addr_spec == "papers@example.org"


def test_sender_without_ascii_letters_names_its_list() -> None:
    fragments = make_fragments(publication=replace(SITE, sender_email="+@example.org"))
    message = message_bytes(make_letter(fragments, edition(section("Reasoning", 0)))[1])
    assert parse_message(message)["List-Id"] == "<newsletter.example.org>"


def test_parts_decode_to_the_rendered_text() -> None:
    rendering, envelope = make_letter(
        make_fragments(), edition(section("Reasoning", 0, 1), left_out=3)
    )
    read = parse_message(message_bytes(envelope))
    assert text_of_part(read, "plain") == rendering.text
    assert text_of_part(read, "html") == rendering.html


def test_letter_made_again_is_the_same() -> None:
    cut = edition(section("Reasoning", 0, 1))
    assert message_bytes(make_letter(make_fragments(), cut)[1]) == message_bytes(
        make_letter(make_fragments(), cut)[1]
    )


def test_issue_of_an_earlier_version_keeps_its_bytes() -> None:
    """The digest is the one that the version before sealed links recorded for this letter."""
    fragments = replace(make_fragments(), sealed=False)
    loaded = IssueFragments.load(fragments.dump())
    _, envelope = make_letter(loaded, edition(section("Reasoning", 0, rows=[1])))
    assert envelope.digest == "c75eb52a605362c8ef72b9b17412aeb5"
    assert envelope.message_id == "<2026-08-03.e78470d3045b1d9e@example.org>"


def test_digest_is_of_all_that_a_letter_says() -> None:
    fragments = make_fragments()
    cuts = [
        edition(section("Reasoning", *cards, rows=rows), to=to, left_out=left_out)
        for cards, rows in (((0, 1), ()), ((1, 0), ()), ((0,), (1,)), ((1,), (0,)))
        for to in (ADA, replace(ADA, email="ada@example.com"), replace(ADA, id=9))
        for left_out in (0, 3, 4)
    ]
    letters = [make_letter(fragments, cut)[1] for cut in cuts]
    contents = {message_bytes(letter) for letter in letters}
    assert len({letter.digest for letter in letters}) == len(contents) == len(cuts)


def test_message_id_and_return_path_differ_per_reader() -> None:
    fragments, papers = make_fragments(), section("Reasoning", 0)
    _, ada = make_letter(fragments, edition(papers))
    _, bob = make_letter(fragments, edition(papers, to=BOB))
    assert ada.message_id != bob.message_id
    assert ada.sender != bob.sender


def test_return_path_identifies_the_letter() -> None:
    _, envelope = make_letter(make_fragments(), edition(section("Reasoning", 0)))
    local, _, domain = envelope.sender.partition("@")
    mailbox, _, tag = local.partition("+")
    assert (mailbox, domain) == ("bounce", "papers.example.org")
    assert read_bounce_tag(tag, KEYS).reader == 1


def test_too_long_return_path_has_no_tag() -> None:
    _, tagged = make_letter(make_fragments(), edition(section("Reasoning", 0)))
    tag = tagged.sender.partition("@")[0].removeprefix("bounce")
    for length in (MAX_LOCAL_PART - len(tag), MAX_LOCAL_PART - len(tag) + 1):
        bounces = f"{'b' * length}@papers.example.org"
        fragments = make_fragments(publication=replace(SITE, bounces=bounces))
        _, envelope = make_letter(fragments, edition(section("Reasoning", 0)))
        assert is_mailbox(envelope.sender)
        assert (envelope.sender == bounces) == (length == MAX_LOCAL_PART - len(tag) + 1)


@pytest.mark.parametrize("reader", [1, 9_999_999])
def test_longest_bounce_address_leaves_room_for_every_tag(reader: int) -> None:
    bounces = f"{'b' * (MAX_LOCAL_PART - TAG_ROOM)}@papers.example.org"
    fragments = make_fragments(publication=replace(SITE, bounces=bounces, url=None))
    to = replace(ADA, id=reader)
    _, envelope = make_letter(fragments, edition(section("Reasoning", 0), to=to))
    local = envelope.sender.partition("@")[0]
    assert "+" in local
    assert len(local) <= MAX_LOCAL_PART
    message = parse_message(message_bytes(envelope))
    mailto = re.search(r"mailto:([^@]+)@", message["List-Unsubscribe"])
    assert mailto is not None
    assert len(mailto[1]) <= MAX_LOCAL_PART


@pytest.mark.slow
def test_replies_go_where_the_settings_say() -> None:
    papers = edition(section("Reasoning", 0))
    _, without = make_letter(make_fragments(), papers)
    assert parse_message(message_bytes(without))["Reply-To"] is None
    for name in ("", "Müller & Söhne"):
        written = f'"{name}" <editor@example.org>' if name else "editor@example.org"
        fragments = make_fragments(publication=replace(SITE, reply_to=written))
        message = message_bytes(make_letter(fragments, papers)[1])
        assert message.isascii()
        (address,) = parse_message(message)["Reply-To"].addresses
        assert (address.display_name, address.addr_spec) == (name, "editor@example.org")


@pytest.mark.parametrize("domain", ["x.io", "abc.de", "papers.example.org", "a" * 63 + ".org"])
def test_sender_in_feedback_id_has_5_to_15_characters(domain: str) -> None:
    fragments = make_fragments(publication=replace(SITE, sender_email=f"papers@{domain}"))
    message = parse_message(
        message_bytes(make_letter(fragments, edition(section("Reasoning", 0)))[1])
    )
    again = parse_message(
        message_bytes(make_letter(fragments, edition(section("Reasoning", 1)))[1])
    )
    sender = message["Feedback-ID"].split(":")[-1]
    assert 5 <= len(sender) <= 15
    assert again["Feedback-ID"].endswith(f":{sender}")


def test_without_bounce_mailbox_sender_is_return_path() -> None:
    fragments = make_fragments(publication=replace(SITE, bounces=None))
    _, envelope = make_letter(fragments, edition(section("Reasoning", 0)))
    assert envelope.sender == "papers@example.org"


def test_rotated_key_leaves_a_frozen_letter_unchanged() -> None:
    fragments = replace(make_fragments(), signed_by=KEYS.fingerprint)
    cut = edition(section("Reasoning", 0))
    _, before = make_letter(fragments, cut)
    rotated = Keyring(("newer key", *KEYS.secrets), KEYS.audience)
    assert MessageBuilder(fragments, rotated).build(cut) == before


@pytest.mark.parametrize(
    "email",
    [
        "a@x.org\r\nBcc: e@x.org",
        "a@x.org,b@y.org",
        "a b@x.org",
        "<a@x.org>",
        "ü@x.org",
        "a@x.org\x00",
    ],
)
def test_invalid_address_is_refused(email: str) -> None:
    with pytest.raises(RenderError, match="cannot be written in a header"):
        make_letter(
            make_fragments(), edition(section("Reasoning", 0), to=replace(ADA, email=email))
        )


@given(st.text(st.sampled_from('aé漢🎉… =?_"xbc'), max_size=120))
def test_subjects_are_as_the_standard_library_writes_them(subject: str) -> None:
    text = " ".join(subject.split())
    plain = text.isascii() and "=?" not in text
    charset = "us-ascii" if plain else "utf-8"
    header = Header(text, charset, maxlinelen=76, header_name="Subject")
    assert encode_subject(subject) == header.encode(linesep="\r\n")


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (("A title and ", 7, " more"), "A title and 7 more"),
        (("Grüße and ", 7, " more"), "Grüße and 7 more"),
        (("Grüße ", 7, " übrig"), "Grüße 7 übrig"),
        (("", 7, " new"), "7 new"),
        (("w" * 62 + " and ", 1000, " more"), "w" * 62 + " and 1000 more"),
        (("漢" * 62 + " and ", 1000, " more"), "漢" * 62 + " and 1000 more"),
        (("alone", 0, ""), "alone"),
    ],
)
def test_subject_fragments_are_read_whole(subject: tuple[str, int, str], expected: str) -> None:
    before, more, after = subject
    set_subject = ((before,), (before, placeholder("more"), after))
    fragments = replace(make_fragments(), subjects=(set_subject, set_subject))
    cut = edition(section("Reasoning", 0), more=[1] * more)
    message = message_bytes(make_letter(fragments, cut)[1])
    check_message(message)
    assert parse_message(message)["Subject"] == expected
    head = message.partition(b"\r\nMessage-ID")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 78
