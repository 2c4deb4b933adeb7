"""FastGPT's knowledge base: datasets, their collections, and rows pushed and searched.

Owns what was pushed and how it is found again. Rule: every answer is `{code, statusText, message,
data}`; what does not exist is an error at HTTP 500.
"""

from msgspec import Struct

from qingniao.doubles.double import Answer, Call, Clock, Double, Json, Refusal, json_reply
from qingniao.doubles.faq import Entry, Faq, Shelf
from qingniao.doubles.fastgpt_faults import fault
from qingniao.doubles.fastgpt_stream import score_of
from qingniao.doubles.kept import Kept
from qingniao.doubles.messages import Reply

__all__ = ["ACCOUNT_KEY", "COLLECTION", "DATASET", "FastGPTData", "fine"]

ACCOUNT_KEY = "fastgpt-double-account"
DATASET = "66a1b2c3d4e5f60718293a50"
COLLECTION = "66a1b2c3d4e5f60718293a51"
"""Both are there from the beginning, and empty."""
_MOST_ROWS = 200


class _Index(Struct):
    text: str
    type: str = "custom"


class _Row(Struct):
    q: str
    a: str = ""
    indexes: list[_Index] = []


class _Push(Struct):
    collectionId: str
    data: list[_Row]
    trainingType: str = "chunk"


class _Dataset(Struct):
    name: str
    type: str = "dataset"
    intro: str = ""


class _Collection(Struct):
    datasetId: str
    name: str
    text: str = ""
    type: str = "virtual"


class _Ids(Struct):
    collectionIds: list[str]


class _List(Struct):
    datasetId: str = ""
    collectionId: str = ""
    offset: int = 0
    pageSize: int = 10


class _Search(Struct):
    datasetId: str
    text: str
    limit: int = 5_000
    similarity: float = 0.0
    searchMode: str = "embedding"
    usingReRank: bool = False


class _Data(Struct, kw_only=True):
    id: str
    collection: str
    row: _Row


class Collection(Struct, frozen=True, kw_only=True):
    """A file, a page or a list of rows inside a dataset."""

    id: str
    dataset: str
    name: str


class FastGPTData(Double):
    """Everything but the answers."""

    def __init__(
        self, faq: Faq, *, clock: Clock, pace_s: float = 0.0, ping_s: float = 10.0
    ) -> None:
        self._datasets: Kept[_Dataset] = Kept()
        self._collections: Kept[Collection] = Kept()
        self._rows: Kept[_Data] = Kept()
        self._shelf: Shelf | None = None
        self._datasets[DATASET] = _Dataset(name="售后资料")
        self._collections[COLLECTION] = Collection(id=COLLECTION, dataset=DATASET, name="问答")
        super().__init__(faq, clock=clock, pace_s=pace_s, ping_s=ping_s)

    @property
    def learnt(self) -> Shelf:
        """Everything pushed, made ready to be searched once after each change."""
        if self._shelf is None:
            self._shelf = Shelf([_entry(data) for data in self._rows])
        return self._shelf

    def routes(self) -> dict[str, Answer]:
        base = "/api/core/dataset"
        return {
            f"POST {base}/create": self._create,
            f"POST {base}/list": self._list,
            f"GET {base}/detail": self._detail,
            f"DELETE {base}/delete": self._delete,
            f"POST {base}/collection/create": self._create_collection,
            f"POST {base}/collection/create/text": self._create_text,
            f"POST {base}/collection/listV2": self._list_collections,
            f"GET {base}/collection/detail": self._collection_detail,
            f"DELETE {base}/collection/delete": self._delete_collection,
            f"POST {base}/collection/delete": self._delete_collections,
            f"POST {base}/data/pushData": self._push,
            f"POST {base}/data/v2/list": self._list_rows,
            f"DELETE {base}/data/delete": self._delete_row,
            f"POST {base}/searchTest": self._search,
        }

    def refuse_as_told(self, call: Call, *, streams: bool = False) -> None:
        """Whatever the script refuses, with a key of either kind."""
        for word, name in (("quota", "insufficientQuota"), ("rate", "tooManyRequest")):
            if word in call.script:
                raise Refusal(fault(name, streams=streams))
        if "error" in call.script:
            raise Refusal(fault(call.script.argument("error", "error"), streams=streams))

    def object_id(self, kind: str) -> str:
        """The next one, as its database makes them."""
        return self.new_id(kind).replace("-", "")[:24]

    def account(self, call: Call) -> None:
        """The key of an account, which is not an app's."""
        if call.bearer != ACCOUNT_KEY or "unauthorized" in call.script:
            raise Refusal(fault("unAuthApiKey"))
        self.refuse_as_told(call)

    # Datasets

    def _create(self, call: Call) -> Reply:
        body = call.body(_Dataset)
        self.account(call)
        name = self.object_id("dataset")
        self._datasets[name] = body
        return fine(name)

    def _list(self, call: Call) -> Reply:
        self.account(call)
        return fine([self._dataset_body(name) for name in self._datasets.names()])

    def _dataset_body(self, name: str) -> Json:
        dataset = self._datasets.get(name)
        if dataset is None:
            raise Refusal(fault("unExistDataset"))
        return {
            "_id": name, "parentId": None, "type": dataset.type, "name": dataset.name,
            "intro": dataset.intro, "avatar": "core/dataset/commonDatasetColor",
        }  # fmt: skip

    def _detail(self, call: Call) -> Reply:
        self.account(call)
        return fine(self._dataset_body(call.request.query.get("id", "")))

    def _delete(self, call: Call) -> Reply:
        self.account(call)
        name = call.request.query.get("id", "")
        self._dataset_body(name)
        for collection in self._collections:
            if collection.dataset == name:
                self._forget(collection.id)
        self._datasets.forget(name)
        return fine(None)

    # Collections

    def _create_collection(self, call: Call) -> Reply:
        body = call.body(_Collection)
        self.account(call)
        return fine(self._new_collection(body))

    def _create_text(self, call: Call) -> Reply:
        body = call.body(_Collection)
        self.account(call)
        name = self._new_collection(body)
        parts = [part for part in body.text.split("\n\n") if part.strip()]
        for part in parts:
            self._keep(name, _Row(q=part.strip()))
        report = {"insertLen": len(parts), "overToken": [], "repeat": [], "error": []}
        return fine({"collectionId": name, "results": report})

    def _new_collection(self, body: _Collection) -> str:
        self._dataset_body(body.datasetId)
        name = self.object_id("collection")
        self._collections[name] = Collection(id=name, dataset=body.datasetId, name=body.name)
        return name

    def _collection(self, name: str) -> Collection:
        found = self._collections.get(name)
        if found is None:
            raise Refusal(fault("unExistCollection"))
        return found

    def _collection_body(self, collection: Collection) -> Json:
        count = sum(data.collection == collection.id for data in self._rows)
        return {
            "_id": collection.id, "parentId": None, "datasetId": collection.dataset,
            "type": "virtual", "name": collection.name, "dataAmount": count, "trainingAmount": 0,
        }  # fmt: skip

    def _list_collections(self, call: Call) -> Reply:
        body = call.body(_List)
        self.account(call)
        own = [one for one in self._collections if one.dataset == body.datasetId]
        page = own[body.offset : body.offset + body.pageSize]
        return fine({"list": [self._collection_body(one) for one in page], "total": len(own)})

    def _collection_detail(self, call: Call) -> Reply:
        self.account(call)
        return fine(self._collection_body(self._collection(call.request.query.get("id", ""))))

    def _delete_collection(self, call: Call) -> Reply:
        self.account(call)
        self._forget(self._collection(call.request.query.get("id", "")).id)
        return fine(None)

    def _delete_collections(self, call: Call) -> Reply:
        body = call.body(_Ids)
        self.account(call)
        for name in body.collectionIds:
            self._forget(self._collection(name).id)
        return fine(None)

    def _forget(self, collection: str) -> None:
        for data in self._rows:
            if data.collection == collection:
                self._rows.forget(data.id)
        self._collections.forget(collection)
        self._shelf = None

    # Rows

    def _keep(self, collection: str, row: _Row) -> None:
        name = self.object_id("data")
        self._rows[name] = _Data(id=name, collection=collection, row=row)
        self._shelf = None

    def _push(self, call: Call) -> Reply:
        body = call.body(_Push)
        self.account(call)
        self._collection(body.collectionId)
        if len(body.data) > _MOST_ROWS:
            raise Refusal(fault("error", f"Data is too long, max {_MOST_ROWS}"))
        known = {
            (data.row.q, data.row.a) for data in self._rows if data.collection == body.collectionId
        }
        repeated: list[Json] = []
        empty: list[Json] = []
        inserted = 0
        for row in body.data:
            told: Json = {"q": row.q, "a": row.a}
            if not row.q.strip():
                empty.append(told)
            elif (row.q, row.a) in known:
                repeated.append(told)
            else:
                known.add((row.q, row.a))
                self._keep(body.collectionId, row)
                inserted += 1
        return fine({"insertLen": inserted, "overToken": [], "repeat": repeated, "error": empty})

    def _list_rows(self, call: Call) -> Reply:
        body = call.body(_List)
        self.account(call)
        collection = self._collection(body.collectionId)
        own = [data for data in self._rows if data.collection == collection.id]
        page = [
            {
                "_id": data.id, "datasetId": collection.dataset, "collectionId": collection.id,
                "q": data.row.q, "a": data.row.a, "chunkIndex": place,
            }
            for place, data in enumerate(own)
        ][body.offset : body.offset + body.pageSize]  # fmt: skip
        return fine({"list": page, "total": len(own)})

    def _delete_row(self, call: Call) -> Reply:
        self.account(call)
        self._rows.forget(call.request.query.get("id", ""))
        self._shelf = None
        return fine(None)

    def _search(self, call: Call) -> Reply:
        body = call.body(_Search)
        question = call.question(body.text)
        self.account(call)
        self._dataset_body(body.datasetId)
        found: list[Json] = []
        for place, (entry, score) in enumerate(self.learnt.search(question)):
            data = self._rows.get(entry.id)
            collection = self._collections.get(data.collection) if data else None
            if (
                collection is None
                or collection.dataset != body.datasetId
                or score < body.similarity
            ):
                continue
            found.append({
                "id": entry.id, "q": entry.question, "a": entry.answer,
                "score": score_of(score, place, call.script),
                "datasetId": body.datasetId, "collectionId": collection.id,
                "sourceName": collection.name, "sourceId": collection.id, "chunkIndex": 0,
            })  # fmt: skip
        if "old" in call.script:
            return fine(found)
        return fine({
            "list": found, "duration": "0.021s", "limit": body.limit, "searchMode": body.searchMode,
            "usingReRank": body.usingReRank, "similarity": body.similarity,
        })  # fmt: skip


def fine(data: object) -> Reply:
    """What every address but the chat answers."""
    return json_reply({"code": 200, "statusText": "", "message": "", "data": data})


def _entry(data: _Data) -> Entry:
    return Entry(
        id=data.id, title="", question=data.row.q, answer=data.row.a or data.row.q, category="",
        alternatives=tuple(index.text for index in data.row.indexes),
    )  # fmt: skip
