import pickle

import pytest

from newsletter.errors import (
    ConfigurationError,
    FilterError,
    InvalidFileError,
    NewsletterError,
    StoreError,
    UsageError,
)

FILTER = FilterError("a word is missing", text="a and", column=5, file="f.yaml", line=3)


@pytest.mark.parametrize(
    "error",
    [
        UsageError("say --yes"),
        StoreError("store: gone"),
        ConfigurationError("this must be set", file="f.yaml", line=3, where="sender"),
        FILTER,
        InvalidFileError([FILTER, ConfigurationError("wrong", file="f.yaml", line=4)]),
    ],
)
def test_an_error_is_the_same_in_another_process(error: NewsletterError) -> None:
    told = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert (type(told), str(told), told.exit_code) == (type(error), str(error), error.exit_code)
    assert vars(told).keys() == vars(error).keys()
