"""The table of who has a conversation, row by row."""

from itertools import product

import pytest

from qingniao.chat.lifecycle import NEXT, Event, Status, next_status
from qingniao.errors import Refused
from qingniao.protocol.codes import Code


@pytest.mark.parametrize(("row", "to"), NEXT.items(), ids=str)
def test_row_of_the_table_is_possible(row: tuple[Status, Event], to: Status) -> None:
    assert next_status(*row) is to


@pytest.mark.parametrize("row", sorted(set(product(Status, Event)) - set(NEXT)), ids=str)
def test_what_has_no_row_is_refused_in_a_sentence(row: tuple[Status, Event]) -> None:
    with pytest.raises(Refused) as refused:
        next_status(*row)
    assert refused.value.number == Code.NOT_NOW
    assert str(refused.value).endswith(".")


def test_a_person_can_be_had_from_everywhere() -> None:
    reached = {Status.OPEN}
    for _ in Status:
        reached |= {before for (before, _), after in NEXT.items() if after in reached}
    assert reached == set(Status)


def test_every_status_can_be_left_and_reached() -> None:
    assert {status for status, _ in NEXT} == set(Status) == set(NEXT.values())
