"""Rules over every text of the project."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from tidy.source import ROOT, Offence, Rule, Source, hold, offences, read_tree, sample

MACHINE = re.compile(r"(?<![\w.~])/(?:root|home|work)/|pypi\.org/simple|files\.pythonhosted\.org|registry\.npmjs\.org")
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)|^\[[^\]]+\]:\s+(\S+)|\bsrc=\"([^\"]+)\"")


def machine_names(source: Source) -> Iterator[Offence]:
    """No path of somebody's machine, no host of a registry."""
    for line, text in enumerate(source.text.splitlines(), 1):
        if found := MACHINE.search(text):
            yield Offence(line, f"names {found[0]}")


def broken_links(source: Source) -> Iterator[Offence]:
    """A link to a file of the checkout leads somewhere."""
    if source.path.suffix != ".md":
        return
    fenced = False
    for line, text in enumerate(source.text.splitlines(), 1):
        fenced ^= text.lstrip().startswith("```")
        for found in () if fenced else LINK.finditer(re.sub(r"`[^`]*`", "", text)):
            target = next(filter(None, found.groups())).split("#")[0]
            if target and not re.match(r"[a-z]+:", target) and not (ROOT / source.path.parent / target).exists():
                yield Offence(line, f"links to {target}, which is not there")


RULES: tuple[Rule, ...] = (machine_names, broken_links)
MARKDOWN = "docs/sample.md"
BAD: list[tuple[Rule, str, str]] = [
    (machine_names, MARKDOWN, "see " + "/{}/x".format("home")),
    (machine_names, ".ci/run", "pip install -i https://{}/simple".format("pypi.org")),
    (broken_links, MARKDOWN, "read [this](nowhere.md#part)"),
    (broken_links, MARKDOWN, "[this]: ../nowhere.md"),
    (broken_links, MARKDOWN, '<img src="nowhere.svg">'),
]
GOOD: list[tuple[Rule, str, str]] = [
    (machine_names, MARKDOWN, "docs/" + "work/x and ~/" + "home/x"),
    (broken_links, MARKDOWN, "[a](../pyproject.toml#x) [b](https://example.org) [c](#d) `[e](f)`\n```\n[g](h)\n```"),
]


@pytest.mark.parametrize("rule", RULES)
def test_the_tree_keeps(rule: Rule) -> None:
    hold(offences(rule, read_tree()))


@pytest.mark.parametrize(("rule", "path", "text"), BAD)
def test_a_rule_sees_an_offence(rule: Rule, path: str, text: str) -> None:
    assert len(list(rule(sample(path, text)))) == 1


@pytest.mark.parametrize(("rule", "path", "text"), GOOD)
def test_a_rule_lets_the_rest_pass(rule: Rule, path: str, text: str) -> None:
    assert list(rule(sample(path, text))) == []


def test_every_rule_is_tried_both_ways() -> None:
    assert {rule for rule, _, _ in BAD} == {rule for rule, _, _ in GOOD} == set(RULES)
