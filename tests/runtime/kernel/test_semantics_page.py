from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_every_test_that_the_semantics_page_names_exists() -> None:
    named = re.findall(r"`(test_\w+)`", (ROOT / "docs" / "semantics.md").read_text(encoding="utf-8"))
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    existing = {name for source in sources for name in re.findall(r"def (test_\w+)", source)}
    assert len(named) > 50
    assert set(named) <= existing, sorted(set(named) - existing)


def test_every_sentence_of_the_semantics_page_names_a_test() -> None:
    page = (ROOT / "docs" / "semantics.md").read_text(encoding="utf-8")
    sentences = re.findall(r"^- .*?(?=^- |^#|\Z)", page, re.MULTILINE | re.DOTALL)
    assert [sentence for sentence in sentences if "`test_" not in sentence] == []
