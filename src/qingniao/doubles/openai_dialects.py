"""How servers that speak OpenAI's interface differ: addresses, models, fields, and their errors.

Owns facts only, as each maker documents them or its source shows. Rule: a difference between two
servers is a value here, never an `if` on a name elsewhere.
"""

from typing import Final, Literal

from msgspec import Struct

__all__ = ["DIALECTS", "Dialect", "Fault"]

_JSON = dict[str, object]


class Fault(Struct, frozen=True):
    """One error as it is told: a status, a body, perhaps headers."""

    status: int
    body: object
    headers: dict[str, str] = {}


class Dialect(Struct, frozen=True, kw_only=True):
    """One server."""

    name: str
    base: str
    """What stands between the address and `/chat/completions`."""
    models: tuple[str, ...]
    embedding_model: str = ""
    """Empty: it makes none."""
    dimensions: int = 1_024
    owner: str
    needs_key: bool = True
    thinks_in: Literal["", "reasoning_content", "reasoning"] = ""
    """The field of a delta in which thoughts come."""
    usage_in: Literal["own", "last"] = "own"
    """In a chunk of its own with no choices, when asked for; or in the last chunk, always."""
    has_role_each: bool = False
    """Every delta repeats the role."""
    has_null_usage: bool = False
    """Chunks without usage say that they have none."""
    calls_whole: bool = False
    """A tool call comes in one piece."""
    tells_cache: bool = False
    """Usage says how much of the prompt was known already."""
    last_delta: _JSON = {}
    message_extra: _JSON = {}
    """Of an answer without `stream`."""
    choice_extra: _JSON = {}
    chunk_extra: _JSON = {}
    done_after_error: bool = False
    ping: bytes = b""
    headers: dict[str, str] = {}
    faults: dict[str, Fault]

    def fault(self, name: str) -> Fault:
        """By name; what this server has no word for is its general failure."""
        return self.faults.get(name) or self.faults["error"]


def _error(message: str, kind: str, code: object = None, param: object = None) -> _JSON:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _qwen(message: str, kind: str, code: str) -> _JSON:
    body = {"message": message, "type": kind, "param": None, "code": code}
    return {"error": body, "request_id": "5f1c7a10-6f3f-9d2e-8a5a-0c6f2b1d4e77"}


_OPENAI: Final = Dialect(
    name="openai",
    base="/v1",
    models=("gpt-4o-mini", "gpt-4o"),
    embedding_model="text-embedding-3-small",
    dimensions=1_536,
    owner="system",
    has_null_usage=True,
    message_extra={"refusal": None},
    choice_extra={"logprobs": None},
    chunk_extra={"service_tier": "default", "system_fingerprint": "fp_0d0ub1e5"},
    headers={"openai-version": "2020-10-01", "openai-processing-ms": "12"},
    faults={
        "unauthorized": Fault(401, _error(
            "Incorrect API key provided: sk-wrong. You can find your API key at "
            "https://platform.openai.com/account/api-keys.",
            "invalid_request_error", "invalid_api_key",
        )),
        "forbidden": Fault(403, _error(
            "Country, region, or territory not supported",
            "request_forbidden", "unsupported_country_region_territory",
        )),
        "no_model": Fault(404, _error(
            "The model does not exist or you do not have access to it.",
            "invalid_request_error", "model_not_found",
        )),
        "bad_request": Fault(400, _error(
            "We could not parse the JSON body of your request.", "invalid_request_error",
        )),
        "too_long": Fault(400, _error(
            "This model's maximum context length is 128000 tokens. Please reduce the length of "
            "the messages.", "invalid_request_error", "context_length_exceeded", "messages",
        )),
        "filtered": Fault(400, _error(
            "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
            "invalid_request_error", "invalid_prompt",
        )),
        "rate": Fault(429, _error(
            "Rate limit reached for gpt-4o-mini on requests per min (RPM): Limit 3, Used 3, "
            "Requested 1. Please try again in 1s.", "requests", "rate_limit_exceeded",
        ), {
            "retry-after": "1", "retry-after-ms": "1000", "x-ratelimit-limit-requests": "3",
            "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1s",
        }),
        "quota": Fault(429, _error(
            "You exceeded your current quota, please check your plan and billing details.",
            "insufficient_quota", "insufficient_quota",
        )),
        "overloaded": Fault(503, _error(
            "The engine is currently overloaded, please try again later", "server_error",
        )),
        "error": Fault(500, _error(
            "The server had an error while processing your request. Sorry about that!",
            "server_error",
        )),
    },
)  # fmt: skip

_DEEPSEEK: Final = Dialect(
    name="deepseek",
    base="",
    models=("deepseek-chat", "deepseek-reasoner"),
    owner="deepseek",
    thinks_in="reasoning_content",
    usage_in="last",
    has_null_usage=True,
    tells_cache=True,
    last_delta={"content": ""},
    choice_extra={"logprobs": None},
    chunk_extra={"system_fingerprint": "fp_ds_0d0ub1e5"},
    ping=b": keep-alive\n\n",
    faults={
        "unauthorized": Fault(401, _error(
            "Authentication Fails, Your api key is invalid",
            "authentication_error", "invalid_request_error",
        )),
        "no_model": Fault(400, _error(
            "Model Not Exist", "invalid_request_error", "invalid_request_error",
        )),
        "bad_request": Fault(422, _error(
            "Failed to deserialize the JSON body into the target type",
            "invalid_request_error", "invalid_request_error",
        )),
        "too_long": Fault(400, _error(
            "This model's maximum context length is 131072 tokens. Please reduce the length of "
            "the messages.", "invalid_request_error", "invalid_request_error",
        )),
        "filtered": Fault(400, _error(
            "Content Exists Risk", "invalid_request_error", "invalid_request_error",
        )),
        "rate": Fault(429, _error(
            "Rate limit reached", "rate_limit_reached_error", "rate_limit_reached_error",
        )),
        "quota": Fault(402, _error(
            "Insufficient Balance", "unknown_error", "invalid_request_error",
        )),
        "overloaded": Fault(503, _error(
            "Service is too busy. We advise users to temporarily switch to alternative LLM API "
            "service providers.", "service_unavailable_error", "service_unavailable_error",
        )),
        "error": Fault(500, _error("Internal Server Error", "server_error", "server_error")),
    },
)  # fmt: skip

_QWEN: Final = Dialect(
    name="qwen",
    base="/compatible-mode/v1",
    models=("qwen-plus", "qwen-turbo", "qwen-max"),
    embedding_model="text-embedding-v4",
    owner="system",
    thinks_in="reasoning_content",
    has_null_usage=True,
    last_delta={"content": ""},
    choice_extra={"logprobs": None},
    chunk_extra={"system_fingerprint": None},
    faults={
        "unauthorized": Fault(401, _qwen(
            "Incorrect API key provided. ", "invalid_request_error", "invalid_api_key",
        )),
        "forbidden": Fault(403, _qwen(
            "Access denied.", "access_denied", "access_denied",
        )),
        "no_model": Fault(404, _qwen(
            "The model does not exist or you do not have access to it.",
            "invalid_request_error", "model_not_found",
        )),
        "bad_request": Fault(400, _qwen(
            "Required body invalid, please check the request body format.",
            "invalid_request_error", "invalid_parameter_error",
        )),
        "too_long": Fault(400, _qwen(
            "Range of input length should be [1, 129024]",
            "invalid_request_error", "invalid_parameter_error",
        )),
        "filtered": Fault(400, _qwen(
            "Input data may contain inappropriate content.",
            "data_inspection_failed", "data_inspection_failed",
        )),
        "rate": Fault(429, _qwen(
            "You exceeded your current requests list.", "limit_requests", "limit_requests",
        )),
        "quota": Fault(400, _qwen(
            "Access denied, please make sure your account is in good standing.",
            "Arrearage", "Arrearage",
        )),
        "overloaded": Fault(503, _qwen(
            "Too many requests. Your requests are being throttled due to system capacity limits.",
            "service_unavailable", "service_unavailable",
        )),
        "error": Fault(500, _qwen(
            "An internal error has occurred, please try again later or contact service support.",
            "internal_error", "internal_error",
        )),
    },
)  # fmt: skip

_VLLM: Final = Dialect(
    name="vllm",
    base="/v1",
    models=("Qwen/Qwen3-8B",),
    embedding_model="BAAI/bge-m3",
    owner="vllm",
    thinks_in="reasoning_content",
    last_delta={"content": ""},
    choice_extra={"logprobs": None},
    done_after_error=True,
    faults={
        "unauthorized": Fault(401, {"error": "Unauthorized"}),
        "no_model": Fault(404, _error("The model does not exist.", "NotFoundError", 404)),
        "bad_request": Fault(400, _error("Request body is invalid.", "BadRequestError", 400)),
        "too_long": Fault(400, _error(
            "This model's maximum context length is 32768 tokens. However, your request has more "
            "input tokens. Please reduce the length of the input messages.",
            "BadRequestError", 400,
        )),
        "overloaded": Fault(503, _error("Service Unavailable", "ServiceUnavailableError", 503)),
        "old": Fault(400, {
            # Versions before mid-2025 put the error's fields at the top.
            "object": "error", "message": "Request body is invalid.", "type": "BadRequestError",
            "param": None, "code": 400,
        }),
        "rate": Fault(429, _error("Too Many Requests", "TooManyRequests", 429)),
        "quota": Fault(503, _error("Service Unavailable", "ServiceUnavailableError", 503)),
        "error": Fault(500, _error("EngineCore encountered an issue.", "InternalServerError", 500)),
    },
)  # fmt: skip

_OLLAMA: Final = Dialect(
    name="ollama",
    base="/v1",
    models=("qwen3:8b", "llama3.2:latest"),
    embedding_model="bge-m3:latest",
    owner="library",
    needs_key=False,
    thinks_in="reasoning",
    has_role_each=True,
    calls_whole=True,
    last_delta={"role": "assistant", "content": ""},
    chunk_extra={"system_fingerprint": "fp_ollama"},
    faults={
        "unauthorized": Fault(401, _error("unauthorized", "authentication_error")),
        "no_model": Fault(404, _error("model not found, try pulling it first", "not_found_error")),
        "bad_request": Fault(400, _error("invalid character in request", "invalid_request_error")),
        "too_long": Fault(400, _error(
            "the input length exceeds the context length", "invalid_request_error",
        )),
        "overloaded": Fault(503, _error(
            "server busy, please try again.  maximum pending requests exceeded", "api_error",
        )),
        "rate": Fault(429, _error("too many requests", "api_error")),
        "quota": Fault(402, _error("usage limit reached", "api_error")),
        "error": Fault(500, _error(
            "model runner has unexpectedly stopped, this may be due to resource limitations or an "
            "internal error", "api_error",
        )),
    },
)  # fmt: skip

_LITELLM: Final = Dialect(
    name="litellm",
    base="",
    models=("gpt-4o-mini", "deepseek-chat"),
    embedding_model="text-embedding-3-small",
    owner="openai",
    thinks_in="reasoning_content",
    headers={"x-litellm-version": "1.80.0", "x-litellm-model-api-base": "http://127.0.0.1"},
    faults={
        "unauthorized": Fault(401, _error(
            "Authentication Error, Invalid proxy server token passed.",
            "token_not_found_in_db", "401", "key",
        )),
        "no_model": Fault(400, _error(
            "Invalid model name passed in. Call `/v1/models` to view available models for your "
            "key.", "None", "400", "None",
        )),
        "bad_request": Fault(400, _error(
            "litellm.BadRequestError: OpenAIException - the request is invalid.",
            "invalid_request_error", "400",
        )),
        "too_long": Fault(400, _error(
            "litellm.ContextWindowExceededError: litellm.BadRequestError: "
            "ContextWindowExceededError: OpenAIException - This model's maximum context length is "
            "128000 tokens.", "None", "400", "None",
        )),
        "filtered": Fault(400, _error(
            "litellm.ContentPolicyViolationError: litellm.BadRequestError: OpenAIException - "
            "flagged.", "None", "400", "None",
        )),
        "rate": Fault(429, _error(
            "litellm.RateLimitError: RateLimitError: OpenAIException - Rate limit reached.",
            "throttling_error", "429", "None",
        ), {"retry-after": "1"}),
        "quota": Fault(400, _error(
            "Budget has been exceeded! Current cost: 0.02, Max budget: 0.01",
            "budget_exceeded", "400", "None",
        )),
        "overloaded": Fault(503, _error(
            "litellm.ServiceUnavailableError: ServiceUnavailableError: OpenAIException - "
            "overloaded.", "None", "503", "None",
        )),
        "error": Fault(500, _error(
            "litellm.InternalServerError: InternalServerError: OpenAIException - Connection "
            "error.", "None", "500", "None",
        )),
    },
)  # fmt: skip

DIALECTS: Final = {one.name: one for one in (_OPENAI, _DEEPSEEK, _QWEN, _VLLM, _OLLAMA, _LITELLM)}
