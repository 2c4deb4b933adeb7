"""What visitors send along, for bots that cannot look at it. Owns the words for a file.

Rule: a file that no bot sees is at least named to it; a question never fails because of a file.
"""

import base64
from collections.abc import Sequence

from msgspec import structs

from qingniao.bots.base import Attachment, Query

__all__ = ["data_url", "in_words"]


def in_words(query: Query, files: Sequence[Attachment]) -> Query:
    """The question with `files` named behind its text instead of sent along."""
    if not files:
        return query
    is_chinese = query.locale.startswith("zh")
    words = [
        f"（访客发来文件：{file.name}）"
        if is_chinese
        else f"(The visitor sent a file: {file.name})"
        for file in files
    ]
    text = "\n".join(part for part in (query.text.strip(), *words) if part)
    left = tuple(file for file in query.files if file not in files)
    return structs.replace(query, text=text, files=left)


def data_url(file: Attachment) -> str:
    """Where it can be read: the content itself if it is there, as a URL, else its address."""
    if not file.content:
        return file.url
    return f"data:{file.media_type};base64,{base64.b64encode(file.content).decode()}"
