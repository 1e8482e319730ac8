"""Names of papers, in every form in which sources write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.papers.names import (
    find_dois,
    find_version,
    normalise_url,
    other_home,
    parse_arxiv_id,
    parse_names,
)


def names_of(raw: str) -> set[str]:
    return {name for name, _ in parse_names(raw)}


@pytest.mark.parametrize(
    "raw",
    [
        "2508.13426",
        "2508.13426v3",
        " 2508.13426 ",
        "arXiv:2508.13426v1",
        "arXiv: 2508.13426",
        "info:arxiv:2508.13426",
        "oai:arXiv.org:2508.13426v1",
        "http://arxiv.org/abs/2508.13426v1",
        "arxiv.org/abs/2508.13426",
        "https://arxiv.org/pdf/2508.13426",
        "https://arxiv.org/pdf/2508.13426v2.pdf",
        "https://arxiv.org/html/2508.13426v1",
        "https://arxiv.org/abs/2508.13426?context=cs#top",
        "https://export.arxiv.org/abs/2508.13426",
        "https://de.arxiv.org/abs/2508.13426",
        "https://huggingface.co/papers/2508.13426",
        "https://huggingface.co/papers/2508.13426.md",
        "hf.co/papers/2508.13426",
        "10.48550/arXiv.2508.13426",
        "https://doi.org/10.48550/ARXIV.2508.13426",
        "doi:10.48550/arxiv.2508.13426",
        "https://www.alphaxiv.org/abs/2508.13426",
        "https://ar5iv.labs.arxiv.org/html/2508.13426",
        "https://ar5iv.org/abs/2508.13426/",
    ],
)
def test_arxiv_id_is_found_in_every_form(raw: str) -> None:
    found = parse_arxiv_id(raw)
    assert found is not None
    assert found[0] == "2508.13426"
    assert names_of(raw) == {"arxiv:2508.13426"}


@pytest.mark.parametrize(
    ("raw", "paper", "version"),
    [
        ("2508.13426v12", "2508.13426", 12),
        ("cs/0601001", "cs/0601001", None),
        ("cs.AI/0601001v2", "cs/0601001", 2),
        ("arXiv:math.CA/0611800v2", "math/0611800", 2),
        ("http://arxiv.org/abs/astro-ph/0601001v1", "astro-ph/0601001", 1),
        ("https://export.arxiv.org/abs/hep-th/9901001", "hep-th/9901001", None),
        ("cond-mat.supr-con/9901001", "cond-mat/9901001", None),
        ("0704.0001", "0704.0001", None),
        ("1412.7878", "1412.7878", None),
        ("1501.00001", "1501.00001", None),
    ],
)
def test_version_and_old_subject_class_are_removed(
    raw: str, paper: str, version: int | None
) -> None:
    assert parse_arxiv_id(raw) == (paper, version)


@pytest.mark.parametrize(
    "raw",
    [
        "2503.0213",  # 2503.02130 read as a float
        "1501.0001",
        "0704.00001",
        "0703.0001",
        "1313.0001",
        "2405.1234567",
        "2508.13426v0",
        "abc",
        "",
        "10.5802/jep.257",
        "https://arxiv.org/api/errors#incorrect_id_format_for_abc",
        "s41586-024-07956-2",
        "https://example.org/2508.13426",
        "see arXiv:2508.13426",
    ],
)
def test_nothing_else_is_an_arxiv_id(raw: str) -> None:
    assert parse_arxiv_id(raw) is None


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("10.1038/S41586-024-07956-2", ("10.1038/s41586-024-07956-2",)),
        ("doi:10.1038/x.1", ("10.1038/x.1",)),
        ("https://doi.org/10.1038/x.1", ("10.1038/x.1",)),
        ("http://dx.doi.org/10.1038/x.1", ("10.1038/x.1",)),
        ("10.1038/x.1, 10.1103/y.2", ("10.1038/x.1", "10.1103/y.2")),
        ("10.1038/x.1 10.1103/y.2", ("10.1038/x.1", "10.1103/y.2")),
        ("10.1101/2023.12.16.571984v1", ("10.1101/2023.12.16.571984",)),
        ("10.1101/2023.12.16.571984v1.full", ("10.1101/2023.12.16.571984",)),
        ("https://example.org/10.1038/x.1", ("10.1038/x.1",)),
        ("https://example.org/2010.1038/x.1", ()),
        ("see 10.1038/x.1", ()),
        ("10.x/y", ()),
    ],
)
def test_dois_of_a_field_are_normalised(raw: str, found: tuple[str, ...]) -> None:
    assert find_dois(raw) == found


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        ("https://aclanthology.org/2024.acl-long.1/", "acl:2024.acl-long.1"),
        ("https://aclanthology.org/P19-1001.pdf", "acl:P19-1001"),
        ("https://openreview.net/forum?id=AbC_d-1", "openreview:AbC_d-1"),
        ("https://openreview.net/pdf?id=AbC_d-1", "openreview:AbC_d-1"),
        ("pmid:123456", "pmid:123456"),
        ("https://pubmed.ncbi.nlm.nih.gov/123456/", "pmid:123456"),
        ("feed:https://a.org/rss#guid 1", "feed:https://a.org/rss#guid 1"),
        (
            "http://biorxiv.org/cgi/content/short/2023.12.16.571984v1?rss=1",
            "doi:10.1101/2023.12.16.571984",
        ),
        (
            "https://www.biorxiv.org/content/10.1101/2023.12.16.571984v2.full",
            "doi:10.1101/2023.12.16.571984",
        ),
    ],
)
def test_other_archives_are_recognised(raw: str, key: str) -> None:
    assert names_of(raw) >= {key}


@pytest.mark.parametrize(
    "raw",
    [
        "doi:10.1234/AbC.5",
        "DOI 10.1234/abc.5",
        "info:doi/10.1234/abc.5",
        "urn:doi:10.1234/abc.5",
        "https://dx.doi.org/10.1234/abc.5.",
        "http://doi.org/10.1234%2Fabc.5",
        "https://journal.example/doi/abs/10.1234/abc.5?af=R",
        "https://journal.example/doi/full/10.1234/abc.5",
        "https://journal.example/doi/pdf/10.1234/abc.5",
        "https://journal.example/article/10.1234/abc.5",
        "https://journal.example/content/pdf/10.1234/abc.5.pdf",
        "https://journal.example/articles/10.1234/abc.5/full",
        "https://journal.example/content/doi/10.1234/abc.5/full/html",
        "https://journal.example/content/10.1234/abc.5.full",
        "https://journal.example/mine/article/doi/10.1234/abc.5/7654321/A-title",
        "https://journal.example/mine/advance-article/doi/10.1234/abc.5/7654321",
        "https://journal.example/article?id=10.1234/abc.5",
        "https://journal.example/show?lang=en&doi=10.1234%2Fabc.5",
        "https://journal.example/show/10.1234%252Fabc.5#top",
        "(10.1234/abc.5)"[1:],
    ],
)
def test_doi_is_found_wherever_publishers_write_it(raw: str) -> None:
    assert find_dois(raw) == ("10.1234/abc.5",)


@pytest.mark.parametrize(
    "doi",
    ["10.1016/s0140-6736(23)00001-1", "10.1002/(sici)1097-4571(1998)49:8<693::aid-asi3>3.0.co;2-o"],
)
def test_brackets_of_a_doi_stay(doi: str) -> None:
    assert find_dois(f"doi:{doi}") == (doi,)
    assert find_dois(f"https://doi.org/{doi.replace('<', '%3C').replace('>', '%3E')}") == (doi,)


def test_address_without_doi_has_none() -> None:
    assert (
        find_dois("https://www.sciencedirect.example/science/article/pii/S0140673623000011") == ()
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("10.64898/2026.11.27.70v1", "https://www.biorxiv.org/content/10.64898/2026.11.27.70v2.full.pdf+html"),
        ("https://www.medrxiv.org/content/10.1101/2026.01.02.7v1?rss=1", "10.1101/2026.01.02.7"),
        ("http://medrxiv.org/cgi/content/short/2026.01.02.7001v1?rss=1", "10.1101/2026.01.02.7001"),
        ("http://biorxiv.org/cgi/content/short/2026.01.02.7v1?rss=1", "10.64898/2026.01.02.7"),
        ("10.26434/chemrxiv-2026-abcde", "https://doi.org/10.26434/chemrxiv-2026-abcde-v2"),
        ("10.26434/chemrxiv.1234567.v1", "10.26434/chemrxiv.1234567.v2"),
        ("10.21203/rs.3.rs-700/v1", "https://www.researchsquare.com/article/rs-700/v2"),
        ("10.21203/rs.3.rs-700/v1", "https://www.researchsquare.com/article/rs-700/v2.pdf"),
        ("10.20944/preprints202611.0001.v1", "https://www.preprints.org/manuscript/202611.0001/v2"),
        ("10.2139/ssrn.4000001", "https://papers.ssrn.com/sol3/papers.cfm?abstract_id=4000001&x=1"),
        ("10.31234/osf.io/ab1cd", "https://osf.io/preprints/psyarxiv/ab1cd_v2"),
        ("https://osf.io/preprints/osf/ab1cd_v1/", "10.31219/osf.io/ab1cd_v3"),
        ("10.22541/au.17000.123/v1", "https://www.authorea.com/doi/full/10.22541/au.17000.123/v2"),
        ("10.36227/techrxiv.17000.1/v1", "https://www.techrxiv.org/doi/full/10.36227/techrxiv.17000.1/v2"),
        ("10.36227/techrxiv.1234567.v1", "10.36227/techrxiv.1234567"),
        ("10.12688/f1000research.100001.1", "10.12688/f1000research.100001.2"),
        ("https://f1000research.com/articles/15-1/v1", "https://f1000research.com/articles/15-1"),
        ("10.12688/wellcomeopenres.2001.1", "doi:10.12688/wellcomeopenres.2001.3"),
        ("https://wellcomeopenresearch.org/articles/10-1/v1", "https://wellcomeopenresearch.org/articles/10-1/v2"),
        ("https://hrbopenresearch.org/articles/3-1/v1", "https://hrbopenresearch.org/articles/3-1/v2"),
        ("10.7554/eLife.100001.1", "https://elifesciences.org/reviewed-preprints/100001v2/reviews"),
        ("10.7554/eLife.100001", "https://elifesciences.org/articles/100001"),
        ("10.32388/ABCDEF", "10.32388/ABCDEF.2"),
        ("10.7287/peerj.preprints.27001v1", "10.7287/peerj.preprints.27001v2"),
        ("10.12074/202611.00001V1", "10.12074/202611.00001V2"),
        ("10.1002/essoar.10500001.1", "10.1002/essoar.10500001.2"),
        ("https://ops.example/x/preprint/view/7/version/8", "https://ops.example/x/preprint/view/7"),
        ("10.5281/zenodo.7000001", "https://zenodo.org/records/7000001"),
        ("https://hal.science/hal-04000001v1", "https://inria.hal.science/hal-04000001v2/document"),
        ("https://vixra.org/abs/2611.0001v1", "https://vixra.org/abs/2611.0001"),
        ("10.6084/m9.figshare.123456.v1", "10.6084/m9.figshare.123456"),
        ("https://www.figshare.com/articles/preprint/A_title/7000001/1", "https://figshare.com/articles/preprint/A_title/7000001"),
        ("https://arxiv.org/abs/2611.00001v1", "https://doi.org/10.48550/arXiv.2611.00001"),
        ("https://openreview.net/forum?id=aBcD123", "https://openreview.net/forum?noteId=x&id=aBcD123"),
        ("https://aclanthology.org/2026.acl-long.1.pdf", "https://aclanthology.org/2026.acl-long.1v2.pdf"),
        ("pubmed:39000001", "https://pubmed.ncbi.nlm.nih.gov/39000001/?utm_source=x&fc=1&ff=20261130&v=2.18"),
    ],
)  # fmt: skip
def test_versions_of_a_preprint_share_a_name(first: str, second: str) -> None:
    assert names_of(first) & names_of(second)


def test_component_or_volume_is_no_version() -> None:
    assert find_dois("10.7554/eLife.12345.001") == ("10.7554/elife.12345.001",)
    assert find_dois("10.18653/v1/2026.acl-long.1") == ("10.18653/v1/2026.acl-long.1",)
    assert names_of("https://code.example/releases/v1") != names_of(
        "https://code.example/releases/v2"
    )


@pytest.mark.parametrize(
    ("raw", "version"),
    [
        ("10.21203/rs.3.rs-700/v2", 2),
        ("https://osf.io/preprints/psyarxiv/ab1cd_v3", 3),
        ("10.12688/f1000research.100001.2", 2),
        ("2611.00001v4", 4),
        ("10.1038/x", None),
    ],
)
def test_version_is_read_from_the_id(raw: str, version: int | None) -> None:
    assert find_version([raw]) == version


@pytest.mark.parametrize(
    "address",
    [
        "https://a.example/p?id=1",
        "http://www.a.example:80/p/?utm_source=rss&id=1&fbclid=x#top",
        "https://a.example/p;jsessionid=0A1B?id=1&af=R&ref=home",
        "https://a.example/p?PHPSESSID=77&id=1&rss=1&from=rss",
    ],
)
def test_tracking_and_sessions_name_no_page(address: str) -> None:
    assert names_of(address) == {"url:a.example/p?id=1"}


PATHS = st.text(st.sampled_from("abAB%2f;=&?./+ é#jsessionid"), max_size=20)


@pytest.mark.slow
@given(
    host=st.sampled_from(["a.org", "www.a.org", "www.www.a.org:80", "WWW.a.org:443"]), path=PATHS
)
def test_normalising_an_address_twice_changes_nothing(host: str, path: str) -> None:
    once = normalise_url(f"https://{host}/{path}")
    assert once is None or normalise_url(f"https://{once}") == once


@pytest.mark.parametrize(
    ("url", "ids", "home"),
    [
        ("https://arxiv.org/abs/2611.00001", ("2611.00001", "10.1234/A"), "https://doi.org/10.1234/a"),
        ("https://www.biorxiv.org/content/10.1101/2026.1v2", ("doi:10.1101/2026.1", "10.1234/a"), "https://doi.org/10.1234/a"),
        ("https://j.example/doi/full/10.1234/a", ("10.1234/a", "2611.00001"), "https://arxiv.org/abs/2611.00001"),
        ("https://j.example/7", ("10.1234/a", "2611.00001"), "https://arxiv.org/abs/2611.00001"),
        ("https://j.example/7", ("10.1234/a", "https://j.example/7"), None),
        ("https://arxiv.org/abs/2611.00001v2", ("2611.00001", "10.48550/arXiv.2611.00001"), None),
        (None, ("10.1234/a",), None),
    ],
)  # fmt: skip
def test_other_home_is_that_of_the_other_version(
    url: str | None, ids: tuple[str, ...], home: str | None
) -> None:
    assert other_home(url, ids) == home
