"""Actors that are restarted together, in the order of the list."""

from __future__ import annotations

from typing import Generic, TypeVar, assert_never, final

from attrs import define

from ...protocols.restart import Strategy

C = TypeVar("C")


@final
@define(eq=False, repr=False)
class Group(Generic[C]):
    """A list of members and a strategy."""

    strategy: Strategy
    members: list[C]

    def replace(self, member: C, successor: C) -> None:
        """A member that had ended was revived."""
        self.members[self.members.index(member)] = successor

    def affected_by(self, member: C) -> list[C]:
        """Who is restarted when ``member`` is, itself included."""
        match self.strategy:
            case Strategy.ONE_FOR_ONE:
                return [member]
            case Strategy.ONE_FOR_ALL:
                return list(self.members)
            case Strategy.REST_FOR_ONE:
                return self.members[self.members.index(member) :]
            case _:
                assert_never(self.strategy)
