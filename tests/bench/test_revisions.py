"""Two published versions each of real servers: what drift finds is what a person found."""

import json

import pytest

from tests.bench.revisions import DATA, PAIRS, Compared, compared

FOUND = compared()


@pytest.mark.parametrize("item", FOUND, ids=lambda item: item.pair.name)
def test_every_change_between_two_real_versions_is_found_and_none_is_invented(item: Compared):
    assert not item.missed
    assert not item.invented


def test_every_pair_is_kept_and_every_kept_list_belongs_to_one():
    assert [item.pair for item in FOUND] == list(PAIRS)
    assert json.loads((DATA / "expected.json").read_text()).keys() == {p.name for p in PAIRS}
    kept = {path.name for path in DATA.glob("*.json")} - {"expected.json"}
    assert kept == {f"{server.place}.json" for p in PAIRS for server in (p.before, p.after)}
