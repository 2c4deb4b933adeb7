"""The search index on disk. Owns its schema and its files; refuses to rank and to change it in
place.

One document is one wording of one entry, or an entry's body (title and answer), and holds nothing
but its terms and its number; beside the index lie the entries, in `entries.msgpack`, and the terms
of each, in `terms.msgpack`. Rule: a folder is written once, by `write_index`, and from then on only
read, by any number of processes.
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec
import tantivy
from msgspec import Struct

from qingniao.errors import QingniaoError
from qingniao.knowledge.entries import Entry
from qingniao.knowledge.grams import grams

__all__ = ["IndexUnusable", "Known", "OpenIndex", "open_index", "write_index"]

ENTRIES_FILE: Final = "entries.msgpack"
TERMS_FILE: Final = "terms.msgpack"
INDEX_FOLDER: Final = "index"
TERMS: Final = "terms"
NUMBER: Final = "number"
WRITER_BYTES: Final = 15_000_000
"""The least that the engine accepts; a hundred thousand entries fit."""


class IndexUnusable(QingniaoError):
    """The knowledge index is missing or damaged; it has to be built again."""

    code = "knowledge_index"


class Known(Struct, frozen=True, array_like=True):
    """The terms of an entry, each between two spaces: to look one up is to search a short text.

    As sets they would be ten times as large, and opening an index would hold up the event loop.
    """

    asked: str
    """Of its wordings."""
    told: str
    """Of its body."""


class OpenIndex:
    """An index folder, open for reading. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        try:
            self.entries = msgspec.msgpack.decode(
                (folder / ENTRIES_FILE).read_bytes(), type=tuple[Entry, ...]
            )
            self.known = msgspec.msgpack.decode(
                (folder / TERMS_FILE).read_bytes(), type=tuple[Known, ...]
            )
            self._index = tantivy.Index.open(str(folder / INDEX_FOLDER))
        except (OSError, ValueError) as exc:  # the engine raises ValueError for damaged files
            raise IndexUnusable from exc
        self._searcher = self._index.searcher()
        self._schema = self._index.schema
        self._owner = [n for n, entry in enumerate(self.entries) for _ in entry.wordings()]
        self._owner += range(len(self.entries))
        self._texts = [text for entry in self.entries for text in entry.wordings()]
        self._texts += [""] * len(self.entries)
        self.size = self._searcher.num_docs
        if self.size != len(self._texts) or len(self.known) != len(self.entries):
            raise IndexUnusable

    def frequency(self, term: str) -> int:
        """In how many documents `term` occurs."""
        return self._searcher.doc_freq(TERMS, term)

    def nearest(self, terms: Sequence[str], *, limit: int) -> list[tuple[int, str]]:
        """The documents that share most with `terms` (BM25): (number of entry, wording).

        Best first. The wording is empty when it was the body that matched.
        """
        if not terms:
            return []
        query = tantivy.Query.boolean_query([(tantivy.Occur.Should, self._term(t)) for t in terms])
        hits = self._searcher.search(query, limit, count=False).hits
        numbers = self._searcher.fast_field_values(NUMBER, [address for _, address in hits])
        known = (int(number) for number in numbers if number is not None)
        return [(self._owner[n], self._texts[n]) for n in known]

    def _term(self, term: str) -> tantivy.Query:
        return tantivy.Query.term_query(self._schema, TERMS, term, index_option="freq")


def write_index(folder: Path, entries: Sequence[Entry]) -> int:
    """Write the index of `entries` into `folder`, which must be empty; return how many wordings.

    Heavy work: for a child process. Raises `OSError` when the disk refuses.
    """
    where = folder / INDEX_FOLDER
    where.mkdir(parents=True)
    writer = tantivy.Index(_schema(), path=str(where)).writer(WRITER_BYTES, 1)
    wordings = [wording for entry in entries for wording in entry.wordings()]
    for number, text in enumerate(chain(wordings, (entry.body() for entry in entries))):
        document = tantivy.Document()
        document.add_unsigned(NUMBER, number)
        document.add_text(TERMS, " ".join(grams(text)))
        writer.add_document(document)
    writer.commit()
    writer.wait_merging_threads()
    known = [Known(_joined(entry.wordings()), _joined([entry.body()])) for entry in entries]
    (folder / TERMS_FILE).write_bytes(msgspec.msgpack.encode(known))
    (folder / ENTRIES_FILE).write_bytes(msgspec.msgpack.encode(tuple(entries)))
    return len(wordings)


def _joined(texts: Iterable[str]) -> str:
    terms = dict.fromkeys(term for text in texts for term in grams(text))
    return f" {' '.join(terms)} "


def open_index(folder: Path) -> OpenIndex:
    """Open what `write_index` wrote. Reads files: not on the event loop. Raises `IndexUnusable`."""
    return OpenIndex(folder)


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field(NUMBER, fast=True)
    builder.add_text_field(TERMS, tokenizer_name="whitespace", index_option="freq")
    return builder.build()
