"""What Dify's error codes mean for us. Owns the table; refuses to know a stream.

Rule: a code that is not here is judged by its HTTP status, and its own words are passed on.
"""

from typing import Any, Final

from qingniao.bots.base import (
    BotBusy,
    BotError,
    BotMisconfigured,
    BotOverQuota,
    BotUnavailable,
    ConversationGone,
    QueryRejected,
)
from qingniao.bots.fields import as_text, says
from qingniao.bots.http import by_status

__all__ = ["read_fault", "stream_fault"]

_MEANING: Final[dict[str, tuple[type[BotError], str]]] = {
    "app_unavailable": (BotMisconfigured, "The application is switched off or incomplete in Dify."),
    "not_chat_app": (BotMisconfigured, "This is a workflow application: choose that kind here."),
    "not_workflow_app": (BotMisconfigured, "This is a chat application: choose that kind here."),
    "agent_not_published": (BotMisconfigured, "The agent is not published in Dify yet."),
    "provider_not_initialize": (
        BotMisconfigured,
        "Dify has no key for this application's model: enter one in Dify's model providers.",
    ),
    "provider_quota_exceeded": (
        BotOverQuota,
        "What Dify gives for this model is used up: enter a key of your own in Dify.",
    ),
    "model_currently_not_support": (
        BotMisconfigured,
        "This Dify account may not use the application's model: choose another in Dify.",
    ),
    "completion_request_error": (BotUnavailable, "The model behind Dify failed."),
    "workflow_version_execution_not_allowed": (
        BotMisconfigured,
        "Dify's plan does not allow a pinned version: leave the version empty.",
    ),
    "unauthorized": (BotMisconfigured, "Dify does not accept the key: it begins with app-."),
    "forbidden": (BotMisconfigured, "Dify does not allow this with the given key."),
    "file_access_denied": (QueryRejected, "Dify does not give access to this file."),
    "no_file_uploaded": (QueryRejected, "Dify got no file."),
    "too_many_files": (QueryRejected, "Dify takes one file at a time."),
    "filename_not_exists_error": (QueryRejected, "Dify wants a file to have a name."),
    "file_too_large": (QueryRejected, "The file is too large for Dify."),
    "unsupported_file_type": (QueryRejected, "Dify does not read files of this kind."),
    "rate_limit_error": (BotOverQuota, "Dify's plan allows no more questions for now."),
    "dataset_not_initialized": (BotUnavailable, "Dify's knowledge is still being indexed."),
    "unknown": (BotUnavailable, "Dify failed inside."),
    "internal_server_error": (BotUnavailable, "Dify failed inside."),
}


def read_fault(status: int, body: dict[str, Any], wait_s: float) -> BotError | None:
    """What an answer's status and body mean; `None` if it is no error."""
    if status < 400:
        return None
    code, said = as_text(body.get("code")), as_text(body.get("message"))
    if code == "conversation_completed" or said.startswith("Conversation Not Exists"):
        return ConversationGone()
    if code == "too_many_requests":
        return BotBusy("Dify answers as many questions as it may at once.", retry_after_s=wait_s)
    if code in _MEANING:
        error, sentence = _MEANING[code]
        return error(f"{sentence}{says(said)}")
    if code == "not_found":
        return BotMisconfigured(f"Dify does not find what this bot is set to.{says(said)}")
    if code in ("bad_request", "invalid_param") and any(
        word in said for word in ("orkflow", "Agent", "is required in input form")
    ):
        return BotMisconfigured(
            f"The application wants something else than it is sent.{says(said)}"
        )
    return by_status("Dify", status, wait_s, said or code)


def stream_fault(body: dict[str, Any]) -> BotError:
    """What an `error` event means; the HTTP status was 200 already."""
    status = body.get("status")
    number = status if isinstance(status, int) and status >= 400 else 500
    return read_fault(number, body, 0.0) or BotUnavailable("Dify failed inside.")
