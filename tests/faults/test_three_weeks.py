"""The script of three weeks, in six days: every act of the operator, some of each day's readers."""

import pytest

from tests.faults.three_weeks import ACTS, LIVES, newsletter


@pytest.mark.slow
@pytest.mark.parametrize("life", LIVES)
def test_no_choice_changes_unseen(life: str) -> None:
    with newsletter(life, readers=40, days=6, seed=1, kind="sqlite") as lived:
        lived.live(ACTS)
    assert lived.town.violations == []
