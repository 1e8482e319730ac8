"""Validate a settings file: report every mistake at once, each with its line."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from newsletter.config.fields import Strict
from newsletter.config.models import Settings
from newsletter.config.sources import SOURCE_KINDS
from newsletter.config.topics import former_name_errors
from newsletter.config.yaml_file import SECRETS, Document, SettingPath, Value, load
from newsletter.errors import ConfigurationError, InvalidFileError

_KINDS = f"{', '.join(SOURCE_KINDS[:-1])} or {SOURCE_KINDS[-1]}"
_MAPPING_EXPECTED = "this is a section; write its settings below it as `key: value`"
_NO_VALUE = (
    "a word here is no setting and has no value; if it is a part of a password with a comma or a "
    "colon, write that password in 'single quotes'"
)
_MESSAGES = {
    "missing": "this must be set",
    "int_parsing": "write a whole number",
    "int_from_float": "write a whole number",
    "int_type": "write a whole number",
    "bool_parsing": "write true or false",
    "bool_type": "write true or false",
    "union_tag_not_found": f"a source needs a kind: {_KINDS}",
    "model_type": _MAPPING_EXPECTED,
    "model_attributes_type": _MAPPING_EXPECTED,
    "dict_type": _MAPPING_EXPECTED,
    "tuple_type": "this takes a list; write [one, two], or lines below it that begin with `- `",
    "string_type": "this takes a text, not a list or a section",
}
"""The message for each of pydantic's types of errors."""

_REMOVED = {
    "processes": "one process sends as fast as several; remove this line. A later release will "
    "send from several machines: workers that share a store on PostgreSQL",
}
"""Settings of earlier releases: what to do instead."""

Model = TypeVar("Model", bound=BaseModel)


def read_settings(source: bytes, file: str, environment: Mapping[str, str]) -> Settings:
    """The settings in a file's bytes.

    Raises:
        InvalidFileError: every mistake, each with file, line and the setting's path.
        ConfigurationError: the file is not YAML.
    """
    document = load(source, file, environment)
    if document.value is None:
        raise ConfigurationError(
            "the file is empty; delete it, then `newsletter init` writes a new newsletter.yaml",
            file=file,
        )
    errors = [*former_name_errors(document)]
    try:
        settings = validate(Settings, document)
    except InvalidFileError as error:
        raise InvalidFileError(sorted_by_line([*error.errors, *errors])) from error
    if errors:
        raise InvalidFileError(errors)
    return settings


def validate(model: type[Model], document: Document) -> Model:
    """The document as an instance of the model.

    Raises:
        InvalidFileError: every mistake in it.
    """
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        raise InvalidFileError(sorted_by_line(_explain(error, document))) from error


def sorted_by_line(errors: Iterable[ConfigurationError]) -> list[ConfigurationError]:
    """The errors in the order of their lines; those without a line first."""
    return sorted(errors, key=lambda error: error.line or 0)


def _explain(error: ValidationError, document: Document) -> Iterator[ConfigurationError]:
    for detail in error.errors(include_url=False):
        path = _path_in(document.value, detail["loc"])
        if detail["input"] is None and _is_beside_a_secret(document.value, path):
            yield document.error_at(path[:-1], _NO_VALUE)
        else:
            yield document.error_at(path, _problem(detail))


def _is_beside_a_secret(value: Value, path: SettingPath) -> bool:
    """Whether an unknown key may be the end of an unquoted password: ``{password: one,two}``."""
    for part in path[:-1]:
        value = value[part] if isinstance(value, dict | list) else None  # type: ignore[index]
    return isinstance(value, dict) and path[-1] in value and not SECRETS.isdisjoint(value)


def _path_in(value: Value, location: tuple[int | str, ...]) -> SettingPath:
    """An error's location in the file, without pydantic's steps that name a model."""
    path: list[str | int] = []
    for step, part in enumerate(location):
        if isinstance(value, dict) and part in value:
            value = value[str(part)]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        elif step < len(location) - 1 or part in SOURCE_KINDS:
            continue
        path.append(part)
    return tuple(path)


def _problem(detail: Any) -> str:  # noqa: ANN401 - pydantic's ErrorDetails is not exported
    """What is wrong; a value that may contain a secret is not quoted."""
    match detail["type"]:
        case "extra_forbidden":
            key = str(detail["loc"][-1])
            return _REMOVED.get(key) or _unknown_key(key)
        case "value_error":
            return str(detail["ctx"]["error"])
        case "literal_error":
            return f"write {detail['ctx']['expected']}, not {detail['input']!r}"
        case "union_tag_invalid":
            return f"{detail['ctx']['tag']!r} is not a kind of source; write {_KINDS}"
        case kind if kind in _MESSAGES:
            return _MESSAGES[kind]
        case _:
            secret = SECRETS.intersection(detail["loc"])
            return detail["msg"] if secret else f"{detail['msg']} (here: {detail['input']!r})"


def _unknown_key(key: str) -> str:
    known = _keys(Strict)
    if key in known:
        return f"{key!r} is not a setting of this section; docs/configuration.md shows where it is"
    near = difflib.get_close_matches(key, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else "docs/configuration.md lists the settings"
    return f"there is no setting {key!r}; {hint}"


def _keys(model: type[BaseModel]) -> set[str]:
    """The names of every setting of the model and of its subclasses that a file can have."""
    names = set(model.model_fields)
    for subclass in model.__subclasses__():
        if subclass.__module__.startswith(f"{__package__}."):  # others add fields of their own
            names |= _keys(subclass)
    return names
