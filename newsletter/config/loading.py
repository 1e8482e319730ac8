"""Reading a settings file: every mistake in it at once, each with its line."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from newsletter.config.fields import Strict
from newsletter.config.models import Settings
from newsletter.config.sources import SOURCE_KINDS
from newsletter.config.yaml_file import Document, Path, Value, load
from newsletter.errors import ConfigurationError, InvalidFileError

_SECRET = frozenset({"secret", "password", "operator_password", "headers", "store"})
_KINDS = f"{', '.join(SOURCE_KINDS[:-1])} or {SOURCE_KINDS[-1]}"
_SETTINGS = "this takes settings of its own; write them below it as `key: value`"
_IN_WORDS = {
    "missing": "this must be set",
    "union_tag_not_found": f"a source needs a kind: {_KINDS}",
    "model_type": _SETTINGS,
    "model_attributes_type": _SETTINGS,
    "dict_type": _SETTINGS,
    "tuple_type": "this takes a list; write [one, two], or lines below it that begin with `- `",
    "string_type": "this takes a text, not a list or settings of its own",
}

_REMOVED = {
    "processes": "one process sends as fast as several; remove this line. A later release will "
    "send from several machines: workers that share a store on PostgreSQL",
}
"""Settings of earlier releases: what to do instead."""

Model = TypeVar("Model", bound=BaseModel)


def read_settings(source: bytes, file: str, environment: Mapping[str, str]) -> Settings:
    """The settings in a file's bytes.

    Raises:
        InvalidFileError: all that is wrong, each with file, line and the setting's path.
        ConfigurationError: the file is no YAML at all.
    """
    document = load(source, file, environment)
    if document.value is None:
        raise ConfigurationError(
            "the file is empty; `newsletter init` writes a newsletter.yaml where there is none",
            file=file,
        )
    return validated(Settings, document)


def validated(model: type[Model], document: Document) -> Model:
    """A document as this model.

    Raises:
        InvalidFileError: all that is wrong with it.
    """
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        raise InvalidFileError(in_order(_explained(error, document))) from error


def in_order(errors: Iterable[ConfigurationError]) -> list[ConfigurationError]:
    """Errors in the order of their lines."""
    return sorted(errors, key=lambda error: error.line or 0)


def schema() -> dict[str, Any]:
    """The JSON Schema of newsletter.yaml, for editors."""
    return Settings.model_json_schema()


def _explained(error: ValidationError, document: Document) -> Iterator[ConfigurationError]:
    for found in error.errors(include_url=False):
        path = _path_in(document.value, found["loc"])
        yield document.wrong(path, _problem(found))


def _path_in(value: Value, location: tuple[int | str, ...]) -> Path:
    """An error's location without the steps that name a model and stand in no file."""
    path: list[str | int] = []
    for step, part in enumerate(location):
        if isinstance(value, dict) and part in value:
            value = value[str(part)]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        elif step < len(location) - 1:
            continue
        path.append(part)
    return tuple(path)


def _problem(found: Any) -> str:  # noqa: ANN401 - pydantic's ErrorDetails is not exported
    """What is wrong, in words that quote no secret, nor a value that may have one in it."""
    match found["type"]:
        case "extra_forbidden":
            key = str(found["loc"][-1])
            return _REMOVED.get(key) or _unknown(key)
        case "value_error":
            return str(found["ctx"]["error"])
        case "union_tag_invalid":
            return f"no source is of kind {found['ctx']['tag']!r}; write {_KINDS}"
        case kind if kind in _IN_WORDS:
            return _IN_WORDS[kind]
        case _:
            secret = _SECRET.intersection(found["loc"])
            return found["msg"] if secret else f"{found['msg']} (here: {found['input']!r})"


def _unknown(key: str) -> str:
    known = _keys(Strict)
    if key in known:
        return f"{key!r} is no setting of this place; see docs/configuration.md for where it stands"
    near = difflib.get_close_matches(key, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else "see docs/configuration.md for those there are"
    return f"no setting is called {key!r}; {hint}"


def _keys(model: type[BaseModel]) -> set[str]:
    """The names of every setting of the model and those derived from it."""
    names = set(model.model_fields)
    for derived in model.__subclasses__():
        names |= _keys(derived)
    return names
