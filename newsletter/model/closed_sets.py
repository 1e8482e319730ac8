"""One check for every closed set: a table has an entry for each member, and no other."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

Member = TypeVar("Member")
Entry = TypeVar("Entry")


def complete(
    name: str, members: Iterable[Member], table: Mapping[Member, Entry]
) -> Mapping[Member, Entry]:
    """The table itself, in the order of the members.

    Called where the table is defined, so that a member without an entry stops the program when it
    starts rather than on the first day that needs the entry.

    Args:
        name: the table's name, for the error.
        members: all members, for example ``get_args(Cadence)``.
        table: what each of them means.

    Raises:
        TypeError: an entry is missing or belongs to no member; the error names it.
    """
    wanted = list(members)
    missing = [_name(member) for member in wanted if member not in table]
    unknown = [_name(member) for member in table if member not in wanted]
    if missing or unknown:
        problems = [
            f"{what} {', '.join(names)}"
            for what, names in (("has no entry for", missing), ("does not know", unknown))
            if names
        ]
        raise TypeError(f"{name} {' and '.join(problems)}")
    return {member: table[member] for member in wanted}


def _name(member: object) -> str:
    return member.__name__ if isinstance(member, type) else str(member)
