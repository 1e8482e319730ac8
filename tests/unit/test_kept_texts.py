"""What is kept of texts while an issue is made, and forgotten afterwards."""

from newsletter.text.kept import forget_texts, kept


def test_results_are_kept_until_texts_are_forgotten() -> None:
    asked = list[str]()

    @kept(2)
    def length(text: str) -> int:
        asked.append(text)
        return len(text)

    assert [length("one"), length("one"), length("three")] == [3, 3, 5]
    assert asked == ["one", "three"]
    forget_texts()
    assert length("one") == 3
    assert asked == ["one", "three", "one"]
