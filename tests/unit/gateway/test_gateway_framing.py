"""Our frame heads, read by an independent implementation."""

import pytest
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from qingniao.gateway.framing import framed


@pytest.mark.parametrize("is_binary", [True, False])
@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 100_000])
def test_message_of_any_size_is_read_by_another_parser(size: int, *, is_binary: bool) -> None:
    data = b"x" * size
    reader = StreamReader()
    reader.feed_data(framed(data, is_binary=is_binary))
    parsing = Frame.parse(reader.read_exact, mask=False)
    with pytest.raises(StopIteration) as end:
        next(parsing)
    frame = end.value.value
    assert frame.opcode is (Opcode.BINARY if is_binary else Opcode.TEXT)
    assert (frame.fin, bytes(frame.data)) == (True, data)
