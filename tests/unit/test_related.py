from newsletter.web.related import RelatedPapers, TitledPaper

TITLES = (
    "Segmenting glioma in magnetic resonance images with efficient attention",
    "Efficient attention for long video generation",
    "A unified framework towards robust video models with efficient diffusion",
    "Glioma grading from magnetic resonance images",
    "Real-time video editing",
    "Robot hands",
)


def test_related_papers_share_more_than_common_words() -> None:
    papers = [TitledPaper(title, title, "Vision") for title in TITLES]
    found = RelatedPapers(papers).find(TITLES[0], TITLES[0], ["Vision"], 5)
    assert [paper.title for paper in found] == [TITLES[3]]
    alone = "A unified framework for efficient and robust attention to pollen"
    assert RelatedPapers(papers).find("", alone, ["Vision"], 5) == ()
