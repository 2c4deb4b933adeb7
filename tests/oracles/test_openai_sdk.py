"""OpenAI's own SDK understands every dialect of the double."""

import pytest
from doubles_house import StartDouble
from oracle_house import AskClient

from qingniao.doubles.openai import OpenAIDouble
from qingniao.doubles.openai_dialects import DIALECTS

pytestmark = pytest.mark.oracle
KINDS = {
    400: "BadRequestError", 401: "AuthenticationError", 404: "NotFoundError",
    429: "RateLimitError", 500: "InternalServerError", 503: "InternalServerError",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(DIALECTS))
async def test_openai(start_double: StartDouble, ask_client: AskClient, faq, name: str) -> None:
    double = await start_double(OpenAIDouble, dialect=name)
    dialect = double.dialect
    found = await ask_client(
        "ask_openai.py", double.base_url, dialect.models[0], dialect.embedding_model
    )
    answer = faq.by_id["s01-01"].answer
    assert found["answer"] == found["stream"] == found["split"] == answer
    assert (found["finish"], found["usage"]) == ("stop", True)
    assert found["stream usage"] > 100
    assert found["tool"] == ["lookup_order", '{"order_id":"A12345"}']
    for scenario in ("unauthorized", "rate", "quota", "error", "error:too_long", "error:no_model"):
        status = dialect.fault(scenario.removeprefix("error:")).status
        assert found[scenario]["status"] == status
        assert found[scenario]["kind"] == KINDS.get(status, "APIStatusError")
    assert found["html:502"]["status"] == 502
    assert found["error-midway"]["kind"] == "APIError"
    for scenario in ("cut", "reset-midway"):
        assert found[scenario]["kind"] == "APIConnectionError"
    assert found["models"][0] == dialect.models[0]
    assert found.get("embeddings", not dialect.embedding_model) is True
    assert found["wrong key"] == ("AuthenticationError" if dialect.needs_key else "")
