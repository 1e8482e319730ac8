import json
from importlib import import_module
from importlib.resources import files

import pytest
from pydantic import SecretStr

from newsletter.config import Settings, WebhookSettings, curated_topics, read_settings
from newsletter.config import topics as bundled
from newsletter.config.yaml_file import load
from newsletter.errors import ConfigurationError, InvalidFileError
from newsletter.model import Publication
from newsletter.readers.joining import OPEN_TO_ALL

FEED = {"kind": "feed", "url": "https://example.org/rss"}
MINIMAL = {"name": "N", "sender": "N <n@example.org>"}


MICROSOFT = {
    "provider": "microsoft",
    "tenant": "contoso.com",
    "client_id": "app",
    "client_secret": "hunter2",
}
LOGIN: dict[str, object] = {"username": "n@example.org", "oauth": MICROSOFT}


def read(**settings: object) -> Settings:
    return read_settings(json.dumps({**MINIMAL, **settings}).encode(), "newsletter.yaml", {})


def problem_in(text: str) -> str:
    """The error in a file; empty if there is none."""
    try:
        read_settings(text.encode(), "newsletter.yaml", {})
    except ConfigurationError as error:
        return str(error)
    return ""


def errors_of(text: str) -> list[str]:
    with pytest.raises(InvalidFileError) as caught:
        read_settings(text.encode(), "newsletter.yaml", {})
    return [str(error) for error in caught.value.errors]


def test_few_settings_are_required() -> None:
    settings = read()
    assert settings.publication == Publication("N", "N", "n@example.org", cadence="weekdays")
    assert (settings.store, settings.schedule.days) == ("sqlite:///newsletter.db", "weekdays")
    assert (settings.smtp.security, settings.smtp.connections) == ("starttls", 8)
    assert settings.issue.max_items == 60


def test_unknown_theme_is_reported_with_line_and_choices() -> None:
    (found,) = errors_of("name: N\nsender: n@example.org\nissue:\n  theme: gothic\n")
    assert found.startswith("newsletter.yaml:4: issue.theme: ")
    assert "serif" in found
    assert "sans" in found
    assert read(issue={"theme": "sans"}).issue.theme == "sans"


def test_empty_file_says_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match="newsletter init"):
        read_settings(b"", "newsletter.yaml", {})


def test_all_mistakes_are_reported_with_their_lines() -> None:
    found = errors_of(
        "name: N\n"
        "sender: nobody\n"
        "timezone: Mars/Olympus\n"
        "shedule: {at: '07:00'}\n"
        "smtp:\n"
        "  host: mail.example.org\n"
        "  port: 99999\n"
        "sources:\n"
        "  - kind: huggingface\n"
        "  - kind: feed\n"
        "    url: ftp://example.org/\n"
        "  - kind: page\n"
        "  - url: x\n"
        "topics:\n"
        "  - name: T\n"
        "    any: [fine, 'vision and']\n"
        "  - Resoning\n"
    )
    starts = [error.partition(": ")[0] + ": " + error.split(": ")[1] for error in found]
    assert starts == [
        "newsletter.yaml:2: sender",
        "newsletter.yaml:3: timezone",
        "newsletter.yaml:4: shedule",
        "newsletter.yaml:7: smtp.port",
        "newsletter.yaml:11: sources.1.url",
        "newsletter.yaml:12: sources.2.path",
        "newsletter.yaml:13: sources.3",
        "newsletter.yaml:16: topics.0.any.1",
        "newsletter.yaml:17: topics.1",
    ]
    assert "did you mean 'schedule'?" in found[2]
    assert "did you mean 'Reasoning'?" in found[-1]
    assert found[7].endswith("vision and\n              ^")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"smtp": {"host": "mail.example.org", "security": "none"}}, "in the clear"),
        ({"smtp": {"processes": 4}}, "one process sends as fast as several; remove this line"),
        ({"smtp": {"rate": "fast"}}, "50/second"),
        ({"smtp": {"rate": "0/second"}}, "50/second"),
        ({"smtp": {"helo": "two names"}}, "smtp.helo: write a full host name"),
        ({"smtp": {"oauth": {"client_id": "x"}}}, "smtp.oauth: write provider: microsoft or"),
        ({"smtp": {"oauth": MICROSOFT | {"provider": "yahoo"}}}, "'microsoft' or 'google'"),
        ({"smtp": {"oauth": MICROSOFT | {"provider": "google"}}}, "asks for a refresh_token"),
        ({"smtp": {"oauth": MICROSOFT | {"client_secret": None}}}, "write the app's client_secret"),
        ({"smtp": {"oauth": MICROSOFT | {"tenant": None}}}, "needs its tenant"),
        ({"smtp": {"oauth": MICROSOFT}}, "smtp: oauth needs a username"),
        ({"smtp": LOGIN | {"password": "hunter2"}}, "smtp: remove password"),
        ({"smtp": {"oauth": MICROSOFT | {"token_url": "http://h.example/"}}}, "the https URL"),
        ({"secret": "short"}, "16 characters"),
        ({"schedule": {"at": "25:00"}}, "07:30"),
        ({"sources": [{"kind": "feed", "url": "http://h:22/"}]}, "port 22"),
        (
            {"sources": [{"kind": "feed", "url": "https://rss.arxiv.org/rss/cs.CL+cs.LG"}]},
            "write: {kind: arxiv, categories: [cs.CL, cs.LG]}",
        ),
        (
            {"sources": [{"kind": "feed", "url": "http://export.arxiv.org/rss/math"}]},
            "write: {kind: arxiv, categories: [math]}",
        ),
        ({"sources": [{"kind": "arxiv", "categories": ["cs CL"]}]}, "cs.CL"),
        (
            {"sources": [{"kind": "biorxiv", "categories": ["neurosience"]}]},
            "sources.0.categories: 'neurosience' is no category of bioRxiv; write one of: neurosci",
        ),
        (
            {"sources": [{"kind": "biorxiv", "server": "medrxiv", "categories": ["zoology"]}]},
            "'zoology' is no category of medRxiv; write one of: ",
        ),
        (
            {"sources": [{"kind": "biorxiv", "server": "arxiv"}]},
            "server: write 'biorxiv' or",
        ),
        ({"sources": [{"kind": "pubmed"}]}, "sources.0.query: this must be set"),
        ({"sources": [{"kind": "crossref"}]}, "sources.0: write the journals, `issn: [0028-0836]`"),
        ({"sources": [{"kind": "crossref", "issn": ["Nature"]}]}, "'Nature' is not an ISSN; write"),
        (
            {"sources": [{"kind": "crossref", "issn": ["0028-0837"]}]},
            "sources.0.issn: '0028-0837' has a wrong digit",
        ),
        ({"sources": [{"kind": "huggingface"}, {"kind": "huggingface"}]}, "two sources"),
        ({"topics": [{"name": "A"}, {"name": "A"}]}, "two topics"),
        ({"topics": ["Zzzz"]}, "newsletter topics list"),
        ({"issue": {"when_empty": "maybe"}}, "skip"),
        ({"sender": "N\r\nBcc: x@example.org <n@example.org>"}, "sender"),
        ({"operator": "a,b@example.org"}, "not a valid email address"),
        ({"sender": f"{'s' * 65}@example.org"}, "sender: "),
        ({"sender": f"A & B <{'s' * 65}@example.org>"}, "sender: "),
        ({"sender": "A & B <a@b@example.org>"}, "not a valid email address"),
        ({"reply_to": "nobody"}, "reply_to: 'nobody' is not a valid email address"),
        (
            {"bounces": {"address": f"{'b' * 39}@example.org"}},
            "bounces.address: before the @ it has 39 characters; at most 38 are possible",
        ),
        (
            {"bounces": {"address": f"{'b' * 20}@{'d' * 60}.{'d' * 60}.{'d' * 60}.{'d' * 40}.de"}},
            "bounces.address: before the @ it has 20 characters; at most",
        ),
        ({"keep": {"editions": 7}}, "keep.editions: keep at least 30 days"),
        ({"sources": [{"kind": "gopher"}]}, "write huggingface, arxiv"),
        ({"store": "mongodb://h/n"}, "newsletter.yaml:1: store: write sqlite:///"),
        ({"store": "memory://"}, "in-memory store was removed; write sqlite:///newsletter.db"),
        ({"store": "postgresql"}, "store: write sqlite:///"),
        ({"store": "sqlite:///"}, "store: write sqlite:///"),
        ({"store": "sqlite:///:memory:"}, "store: write sqlite:///"),
        ({"store": "sqlite://newsletter.db"}, "store: write sqlite:///"),
        ({"store": {"url": "x"}}, "store: this takes a text"),
        ({"smtp": "localhost"}, "smtp: this is a section; write its settings below it"),
        ({"topics": "Reasoning"}, "topics: this takes a list"),
        (
            {"sources": [FEED | {"headers": {"X": "a\r\nHost: b"}}]},
            "headers.X: a header must be one",
        ),
        ({"sources": [FEED | {"headers": {"X: y\r\nZ": "a"}}]}, "String should match pattern"),
    ],
)
def test_wrong_setting_says_what_to_write(settings: dict[str, object], said: str) -> None:
    assert said in "\n".join(errors_of(json.dumps({**MINIMAL, **settings})))


@pytest.mark.parametrize(
    ("sender", "name"),
    [
        ("Müller & Söhne <n@example.org>", "Müller & Söhne"),
        ('"Müller & Söhne" <n@example.org>', "Müller & Söhne"),
        ("Papers, Inc. <n@example.org>", "Papers, Inc."),
        ("arXiv: daily (beta) <n@example.org>", "arXiv: daily (beta)"),
        ('The "Best" Papers <n@example.org>', 'The "Best" Papers'),
        ("n@example.org <n@example.org>", "n@example.org"),
        ("<n@example.org>", ""),
        ("n@example.org", ""),
    ],
)
def test_name_of_the_sender_needs_no_quotes(sender: str, name: str) -> None:
    publication = read(sender=sender, reply_to=sender).publication
    assert publication.reply_to is not None
    assert publication.reply_to.endswith("n@example.org>" if name else "n@example.org")
    assert (publication.sender_name, publication.sender_email) == (name, "n@example.org")


def test_longest_bounce_address_is_accepted() -> None:
    assert read(bounces={"address": f"{'b' * 38}@example.org"}).bounces


def test_provider_sets_server_and_limits() -> None:
    smtp = read(smtp=LOGIN).smtp
    assert (smtp.host, smtp.port, smtp.connections) == ("smtp.office365.com", 587, 3)
    assert smtp.per_second == 0.5
    assert smtp.oauth is not None
    assert smtp.oauth.endpoint.startswith("https://login.microsoftonline.com/contoso.com/")
    assert smtp.oauth.grant["scope"] == "https://outlook.office365.com/.default"
    google = MICROSOFT | {"provider": "google", "refresh_token": "r"}
    other = read(smtp=LOGIN | {"oauth": google, "host": "relay.example.org"}).smtp
    assert (other.host, other.port, other.rate) == ("relay.example.org", 587, None)


def test_secrets_of_oauth_are_never_shown() -> None:
    settings = read(smtp=LOGIN | {"oauth": MICROSOFT | {"refresh_token": "hunter2"}})
    assert "hunter2" not in repr(settings) + settings.model_dump_json()


def test_cleartext_needs_localhost_or_explicit_consent() -> None:
    assert read(smtp={"host": "127.0.0.1", "security": "none"}).smtp.security == "none"
    said = {"host": "relay.lan", "security": "none", "allow_cleartext": "true"}
    assert read(smtp=said).smtp.allow_cleartext


@pytest.mark.parametrize(
    ("rate", "per_second"), [("50/second", 50), ("3000/minute", 50), ("3600 / hour", 1)]
)
def test_rates_are_parsed(rate: str, per_second: float) -> None:
    assert read(smtp={"rate": rate}).smtp.per_second == per_second


def test_sources_have_names_or_default_names() -> None:
    settings = read(
        sources=[
            {"kind": "huggingface"},
            {"kind": "arxiv", "categories": ["cs.CL", "math"]},
            {"kind": "feed", "url": "https://example.org/rss"},
            {"kind": "feed", "url": "https://example.org/rss", "name": "Mine"},
            {"kind": "page", "path": "saved/*.txt"},
        ]
    )
    assert settings.source_names == (
        "Hugging Face Daily Papers",
        "arXiv cs.CL, math",
        "https://example.org/rss",
        "Mine",
        "saved/*.txt",
    )


def test_secrets_rotate_and_are_never_shown() -> None:
    settings = read(secret=["a" * 16, "b" * 16], smtp={"password": "hunter2hunter2"})
    assert settings.secret == (SecretStr("a" * 16), SecretStr("b" * 16))
    shown = repr(settings) + settings.model_dump_json()
    assert "aaaa" not in shown
    assert "hunter2" not in shown


def test_issns_are_written_with_or_without_hyphen() -> None:
    (source,) = read(sources=[{"kind": "crossref", "issn": ["00280836", "2434-561x"]}]).sources
    assert getattr(source, "issn", ()) == ("0028-0836", "2434-561X")


def test_key_of_pubmed_is_never_shown() -> None:
    settings = read(sources=[{"kind": "pubmed", "query": "x", "api_key": "hunter2"}])
    assert "hunter2" not in repr(settings) + settings.model_dump_json()


def test_shown_sources_and_store_contain_no_secret() -> None:
    headers = {"Authorization": "Bearer hunter2"}
    store = "postgresql://me:hunt%40er2@h/n"
    settings = read(store=store, sources=[FEED | {"headers": headers}])
    shown = repr(settings) + settings.model_dump_json()
    assert "er2" not in shown
    assert settings.model_dump(mode="json")["store"] == "postgresql://me:**********@h/n"
    assert settings.sources[0].headers == headers
    assert settings.store == store


@pytest.mark.parametrize(
    ("store", "shown"),
    [
        ("sqlite:////srv/a:b@c.db", "sqlite:////srv/a:b@c.db"),
        ("postgresql://me@h:5432/n", "postgresql://me@h:5432/n"),
        (
            "postgresql://h/n?user=me&password=p&x=y",
            "postgresql://h/n?user=me&password=**********&x=y",
        ),
    ],
)
def test_only_the_password_of_the_store_is_masked(store: str, shown: str) -> None:
    assert read(store=store).model_dump(mode="json")["store"] == shown


@pytest.mark.parametrize(
    "settings",
    [
        {"smtp": [{"password": "hunter2"}]},
        {"smtp": "me:hunter2"},
        {"smtp": {"password": ["hunter2"]}},
        {"smtp": {"pasword": "hunter2"}},
        {"secret": {"key": "hunter2"}},
        {"secret": "hunter2"},
        {"store": ["postgresql://me:hunter2@h/n"]},
        {"store": "mongodb://me:hunter2@h/n"},
        {"store": "postgresql://me:p@hunter2@h/n"},
        {"store": "postgresql://me:p/hunter2@h/n"},
        {"store": "postgresql://me:p#hunter2@h/n"},
        {"store": "postgresql://me:p?hunter2@h/n"},
        {"store": "postgresql://me:8/hunter2@h/n"},
        {"proxy": "http://me:p/hunter2@h:3128"},
        {"sources": [FEED | {"url": "https://me:hunter2@h.example/feed"}]},
        {"sources": [FEED | {"url": "https://me:p/hunter2@h.example/feed"}]},
        {"proxy": ["http://me:hunter2@h:3128"]},
        {"proxy": "socks5://me:hunter2@h:3128"},
        {"sources": [FEED | {"headers": "Authorization: hunter2"}]},
        {"sources": [FEED | {"headers": {"Authorization": ["hunter2"]}}]},
        {"sources": [{"kind": "gopher", "headers": {"Authorization": "hunter2"}}]},
        {"sources": [{"headers": {"Authorization": "hunter2"}}]},
        {"sources": [{"kind": "pubmed", "api_key": "hunter2"}]},
        {"sources": [{"kind": "pubmed", "query": "x", "api_key": ["hunter2"]}]},
        {"url": "https://me:hunter2@example.org/"},
    ],
)
def test_errors_quote_no_secret(settings: dict[str, object]) -> None:
    assert "hunter2" not in "\n".join(errors_of(json.dumps({**MINIMAL, **settings})))


def test_webhooks_need_what_proves_their_requests() -> None:
    found = errors_of(
        "name: N\nsender: n@example.org\nbounces:\n  webhooks:\n"
        "    ses: [bounces, 'arn:aws:sns:eu-west-1:123456789012:bounces']\n"
        "    sendgrid: hunter2\n"
        "    postal: 'v=DKIM1; p=AAAA'\n"
        "    brevo: hunter2\n"
        "    mailgun: [hunter2]\n"
        "    mandrill: hunter2\n"
    )
    places = [error.partition(": ")[2].partition(": ")[0] for error in found]
    assert places == [
        "bounces.webhooks.ses.0",
        "bounces.webhooks.sendgrid",
        "bounces.webhooks.postal",
        "bounces.webhooks.brevo",
        "bounces.webhooks.mailgun",
        "bounces.webhooks.mandrill",
    ]
    assert [error.partition(": ")[0][-1] for error in found[:3]] == ["5", "6", "7"]
    assert "write a topic's ARN: arn:aws:sns:" in found[0]
    assert "copy it from the service" in found[1]
    assert "hunter2" not in "".join(found)
    arn = "arn:aws:sns:eu-west-1:123456789012:bounces"
    settings = read(bounces={"webhooks": {"ses": arn}})
    assert settings.publication.bounces is None
    assert settings.bounces is not None
    assert settings.bounces.webhooks == WebhookSettings.model_validate({"ses": [arn]})


def test_mailboxes_of_bounces_need_an_address() -> None:
    for bounces in ({}, {"maildir": "back", "webhooks": {"brevo": "x" * 16}}):
        (found,) = errors_of(json.dumps({**MINIMAL, "bounces": bounces}))
        assert "bounces: write the address that mail comes back to" in found


@pytest.mark.parametrize("first", [*"!&*@%`{[|>\"'?-:#,]}", '"\\\\', "!zebra!", "!!"])
@pytest.mark.parametrize("form", ["smtp:\n  password: {}\n", "smtp: {{password: {}}}\n"])
def test_wrong_yaml_of_a_password_shows_nothing_of_it(form: str, first: str) -> None:
    text = "name: N\nsender: n@example.org\n" + form.format(f"{first}zebra")
    said = problem_in(text)
    assert "zebra" not in said
    assert "'z'" not in said


def test_store_with_an_unencoded_password_says_how_to_write_it() -> None:
    (said,) = errors_of(json.dumps({**MINIMAL, "store": "postgresql://u:p@ss@h/n"}))
    assert "write postgresql://user:password@host/name" in said
    assert "an @ is written %40, a / %2F" in said


def test_keys_in_addresses_are_masked_when_shown() -> None:
    feed = FEED | {"url": "https://h.example/feed?api_key=hunter2&page=2"}
    settings = read(sources=[feed])
    assert settings.model_dump(mode="json")["sources"][0]["url"] == (
        "https://h.example/feed?api_key=***&page=2"
    )


def test_null_means_the_default() -> None:
    bare = read_settings(
        b"name: N\nsender: N <n@example.org>\nsecret:\nsources:\ntopics: ~\nsmtp: {rate: null}",
        "newsletter.yaml",
        {},
    )
    assert bare == read()
    name, colour = errors_of("name:\nsender: N <n@example.org>\ncolour:")
    assert name == "newsletter.yaml:1: name: this must be set"
    assert colour.startswith("newsletter.yaml:3: colour: there is no setting 'colour'; docs/")


def test_topic_is_named_or_described() -> None:
    described = {"name": "Mine", "any": ["a b"], "none": ["c"], "categories": ["cs.CL"]}
    settings = read(topics=["Reasoning", described])
    topics = [each.topic for each in settings.topics]
    assert topics[0] in curated_topics()
    assert [rule.text for rule in topics[1].any] == ["a b"]
    assert topics[1].categories == ("cs.CL",)


def test_former_name_of_two_topics_is_refused_with_its_line() -> None:
    text = (
        "name: N\nsender: N <n@example.org>\ntopics:\n- Reasoning\n- name: Sight\n"
        "  formerly: [Vision, Reasoning]\n- {name: Seeing, formerly: Vision}\n"
    )
    present, twice = errors_of(text)
    assert present.startswith(
        "newsletter.yaml:6: topics.1.formerly.1: 'Reasoning' is also the name"
    )
    assert twice.startswith("newsletter.yaml:7: topics.2.formerly.0: 'Vision' is already a former")


def test_bundled_topic_goes_by_any_name_it_had(monkeypatch: pytest.MonkeyPatch) -> None:
    renamed = "- name: Sight\n  any: [vision]\n  formerly: [Vision, Seeing]\n"
    monkeypatch.setattr(bundled, "_source", lambda: renamed)
    present, former = read(topics=["Sight"]).topics[0], read(topics=["Vision"]).topics[0]
    assert (present.name, present.formerly) == ("Sight", ("Vision", "Seeing"))
    assert (former.name, former.any, former.formerly) == ("Vision", ("vision",), ())
    mine = {"name": "Mine", "any": ["x"], "formerly": ["Seeing"]}
    shared = read(topics=["Sight", mine, {"name": "Vision", "any": ["v"]}]).topics
    assert [topic.formerly for topic in shared] == [(), ("Seeing",), ()]


def test_curated_topics_are_many_and_distinct() -> None:
    topics = curated_topics()
    for values in zip(*((t.name, t.about, t.example) for t in topics), strict=True):
        assert len(set(values)) == len(topics) >= 60
    assert all(topic.group and 3 <= len(set(topic.phrases)) <= 5 for topic in topics)


def test_bundled_topics_are_read_as_yaml_is() -> None:
    file = files("newsletter").joinpath("data", "topics.yaml")
    entries = load(file.read_bytes(), "topics.yaml", {}).value
    assert isinstance(entries, list)
    named = [entry["name"] for entry in entries if isinstance(entry, dict)]
    assert [bundled.bundled_settings(str(name)) for name in named] == entries


def test_schema_names_every_setting() -> None:
    assert set(Settings.model_json_schema()["properties"]) == set(Settings.model_fields)


def test_misplaced_setting_is_reported_as_misplaced() -> None:
    with pytest.raises(InvalidFileError) as caught:
        read(host="localhost")
    assert "host: 'host' is not a setting of this section; docs/" in str(caught.value)


def test_field_that_no_file_can_set_is_never_suggested() -> None:
    import_module("newsletter.transports.smtp")  # its settings have waits of their own
    with pytest.raises(InvalidFileError) as caught:
        read(smtp={"answer_timeout": 900, "answer_timeouts": 900})
    first, second = caught.value.errors
    assert "there is no setting 'answer_timeout'" in str(first)
    assert "did you mean 'answer_timeout'" not in str(second)


@pytest.mark.parametrize(
    "proxy", ["proxy.example.org:3128", "socks5://h:1", "http://", "http://h:port", "http://h/path"]
)
def test_wrong_proxy_names_the_right_form(proxy: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read_settings(
            f'name: N\nsender: n@example.org\nproxy: "{proxy}"\n'.encode(), "newsletter.yaml", {}
        )
    assert "newsletter.yaml:3: proxy: write the address of an HTTP proxy: http://" in str(raised)


def test_login_of_a_proxy_is_masked() -> None:
    shown = read(proxy="https://ada:s3cret@proxy.example.org:3128").model_dump(mode="json")
    assert shown["proxy"] == "https://ada:**********@proxy.example.org:3128"


@pytest.mark.parametrize("wrong", [-1, 601, "soon"])
def test_wrong_retry_time_is_an_error_with_its_place(wrong: object) -> None:
    with pytest.raises(ConfigurationError, match=r"sources\.0\.retry_for"):
        read(sources=[FEED | {"retry_for": wrong}])


@pytest.mark.parametrize("host", ["::1", "[::1]", "2001:db8::7"])
def test_pages_may_listen_on_ipv6(host: str) -> None:
    web = read(web={"host": host}, url=f"http://[{host.strip('[]')}]:8000/papers").web
    assert web is not None
    assert web.host == host.strip("[]")


def test_joining_domains_are_read_as_addresses_are() -> None:
    rules = read(
        joining={"mode": "domains", "domains": ["BÜCHER.example", "*.X.org"]}
    ).joining.rules
    assert rules.domains == ("xn--bcher-kva.example", "*.x.org")
    assert read().joining.rules == OPEN_TO_ALL


@pytest.mark.parametrize(
    ("joining", "problem"),
    [
        ("{mode: domains}", "joining: mode: domains needs `domains:`"),
        ("{domains: [x.org]}", "joining: anybody may join with mode: open"),
        ("{mode: domains, domains: [ada@x.org]}", "'ada@x.org' is not a domain"),
        ("{per_client_hourly: 0}", "joining.per_client_hourly: "),
    ],
)
def test_contradictory_joining_rules_are_named(joining: str, problem: str) -> None:
    (found,) = errors_of(f"name: N\nsender: n@example.org\njoining: {joining}\n")
    assert found.startswith("newsletter.yaml:3: joining")
    assert problem in found


def test_wrong_tokens_are_explained() -> None:
    right = f"{{name: c, hash: 'sha256:{'0' * 64}', scopes: [papers:read]}}"
    file = "name: N\nsender: n@example.org\napi: {tokens: [\n"
    name, hash_, scope, *_ = errors_of(file + "{name: a b, hash: dpn_secret, scopes: [all]}]}\n")
    assert name.startswith("newsletter.yaml:4: api.tokens.0.name: 'a b' is not a name")
    assert "newsletter api token" in hash_
    assert "dpn_secret" not in hash_
    assert "papers:read" in scope
    (twice,) = errors_of(f"{file}{right},\n{right}]}}\n")
    assert "two tokens are called 'c'" in twice
