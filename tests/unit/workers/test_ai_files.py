"""What a visitor sends along reaches a bot that looks at it, within bounds, and others by name."""

from typing import Any

import pytest
from ai_house import House, ScriptedBot, Uploads, fluent

from qingniao.bots.base import Attachment, Capabilities
from qingniao.protocol.frames import EntryType
from qingniao.workers import attachments
from qingniao.workers.attachments import FILES, Attachments, SentFile

PNG = b"\x89PNG\r\n\x1a\n"


class Seeing(ScriptedBot):
    """A bot that looks at files."""

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            streams=True, measures_confidence=False, cites=False, trains=False,
            leaves_house=True, reads_files=True,
        )  # fmt: skip


async def test_picture_and_the_question_after_it_belong_together() -> None:
    house = House(Seeing(*fluent(confidence=None).script))
    body = house.uploads.add("外套.png", PNG)
    await house.hears(body, EntryType.FILE)
    assert house.bot.asked == [], "the flow says by itself that a file has arrived"
    await house.hears("退款多久到账")
    (asked,) = house.bot.asked
    (file,) = asked.files
    assert (file.name, file.media_type, file.content) == ("外套.png", "image/png", PNG)
    assert file.url == f"https://shop.example/files/{body['id']}"
    await house.hears("退款多久到账呢")
    assert house.bot.asked[1].files == (), "it has seen it"


async def test_bot_that_sees_nothing_gets_names_only() -> None:
    house = House()
    house.says(house.uploads.add("外套.png", PNG), EntryType.FILE)
    await house.hears("退款多久到账")
    assert house.bot.asked[0].files == (Attachment(name="said.exe", media_type=""),)


@pytest.mark.parametrize("fault", ["unknown", "gone", "large", "full"])
async def test_what_cannot_go_along_is_named(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(Seeing(*fluent(confidence=None).script))
    body: dict[str, Any] = house.uploads.add("外套.png", PNG)
    if fault == "unknown":
        house.uploads.rows.clear()
    elif fault == "gone":
        house.uploads.contents.clear()
    elif fault == "large":
        monkeypatch.setattr(attachments, "FILE_BYTES", len(PNG) - 1)
    else:
        monkeypatch.setattr(attachments, "TOGETHER_BYTES", len(PNG) - 1)
    house.says(body, EntryType.FILE)
    await house.hears("退款多久到账")
    (file,) = house.bot.asked[0].files
    assert (file.name, file.content, file.url) == ("said.exe", b"", "")
    assert house.head.status == "bot"


async def test_memory_is_given_back_and_of_many_the_latest_go_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uploads = Uploads()
    bodies = [uploads.add(f"{number}.png", PNG) for number in range(FILES + 2)]
    sent = [SentFile(body["id"], "x") for body in bodies]
    monkeypatch.setattr(attachments, "TOGETHER_BYTES", FILES * len(PNG))
    lender = Attachments(uploads, uploads)
    for _ in range(3):
        async with lender.lent(sent, with_contents=True) as files:
            assert [file.name for file in files] == [f"{n}.png" for n in range(2, FILES + 2)]
            async with lender.lent(sent[:1], with_contents=True) as others:
                assert others == (Attachment(name="x", media_type=""),)
