"""What Dify says when it refuses: every error that its interface documents, by name.

Owns facts only. A name is the code, or the code and a word where one code has several messages.
Rule: status, code and message are as documented; nothing here decides when they are said.
"""

from typing import Final

from qingniao.doubles.double import json_reply
from qingniao.doubles.messages import Reply

__all__ = ["FAULTS", "GENERATION", "fault", "fault_body"]

FAULTS: Final[dict[str, tuple[int, str]]] = {
    "app_unavailable": (400, "App unavailable, please check your app configurations."),
    "not_chat_app": (400, "Please check if your app mode matches the right API route."),
    "not_workflow_app": (400, "Please check if your app mode matches the right API route."),
    "provider_not_initialize": (
        400,
        "No valid model provider credentials found. Please go to Settings -> Model Provider to "
        "complete your provider credentials.",
    ),
    "provider_quota_exceeded": (
        400,
        "Your quota for Dify Hosted OpenAI has been exhausted. Please go to Settings -> Model "
        "Provider to complete your own provider credentials.",
    ),
    "model_currently_not_support": (
        400, "Dify Hosted OpenAI trial currently not support the GPT-4 model.",
    ),
    "completion_request_error": (400, "Completion request failed."),
    "bad_request": (
        400,
        "Cannot use draft workflow version. Workflow ID: a1b2c3d4-5678-90ab-cdef-1234567890ab. ",
    ),
    "bad_request.workflow_id": (400, "Invalid workflow_id format: 'not-a-valid-id'. "),
    "bad_request.blocking": (400, "Agent App only supports streaming response mode."),
    "bad_request.suggested": (400, "Suggested Questions Is Disabled."),
    "bad_request.variable": (
        400, "Type mismatch: variable 'user_preference' expects string, but got number type",
    ),
    "invalid_param": (400, "Arg user must be provided."),
    "invalid_param.agent": (400, "Agent App has no bound Agent"),
    "invalid_param.extension": (400, "File extension '.exe' is not allowed for security reasons"),
    "invalid_param.dataset": (400, "Invalid parameter value."),
    "agent_not_published": (
        400, "Agent has not been published. Please publish the Agent before using the API.",
    ),
    "conversation_completed": (400, "The conversation has ended. Please start a new conversation."),
    "no_file_uploaded": (400, "Please upload your file."),
    "too_many_files": (400, "Only one file is allowed."),
    "filename_not_exists_error": (400, "The specified filename does not exist."),
    "dataset_not_initialized": (
        400, "The dataset is still being initialized or indexing. Please wait a moment.",
    ),
    "unauthorized": (401, "Access token is invalid"),
    "forbidden": (403, "Dataset api access is not enabled."),
    "forbidden.rate": (
        403, "Sorry, you have reached the knowledge base request rate limit of your subscription.",
    ),
    "file_access_denied": (403, "Access to the requested file is denied."),
    "workflow_version_execution_not_allowed": (
        403,
        "Workflow version execution is not available on your current plan. Please upgrade to a "
        "paid plan.",
    ),
    "not_found": (404, "Conversation Not Exists."),
    "not_found.message": (404, "Message Not Exists."),
    "not_found.first_message": (404, "First Message Not Exists."),
    "not_found.last_conversation": (404, "Last Conversation Not Exists."),
    "not_found.variable": (404, "Conversation Variable Not Exists."),
    "not_found.workflow": (404, "Workflow not found with id: a1b2c3d4-5678-90ab-cdef-1234567890ab"),
    "not_found.run": (404, "Workflow run not found."),
    "not_found.dataset": (404, "Dataset not found."),
    "file_not_found": (404, "The requested file was not found."),
    "end_user_not_found": (404, "End user not found."),
    "file_too_large": (413, ""),
    "unsupported_file_type": (415, "File type not allowed."),
    "too_many_requests": (429, "Too many requests. Please try again later."),
    "rate_limit_error": (429, "Rate Limit Error"),
    "internal_server_error": (
        500,
        "The server encountered an internal error and was unable to complete your request. "
        "Either the server is overloaded or there is an error in the application.",
    ),
    "unknown": (500, "Internal Server Error, please contact support."),
}  # fmt: skip
"""Status and message by name."""

GENERATION: Final = frozenset({
    "provider_not_initialize", "provider_quota_exceeded", "model_currently_not_support",
    "completion_request_error", "internal_server_error",
})  # fmt: skip
"""Found out while the answer is made: with `streaming` they come as an event, at HTTP 200."""


def fault_body(name: str) -> dict[str, object]:
    """The three fields; of a name that is not documented, the general failure."""
    name = _known(name)
    status, message = FAULTS[name]
    return {"code": name.partition(".")[0], "message": message, "status": status}


def fault(name: str, message: str = "") -> Reply:
    """As an answer; `message` instead of the documented one."""
    body = fault_body(name)
    if message:
        body["message"] = message
    status, _ = FAULTS[_known(name)]
    realm = {"www-authenticate": 'Bearer realm="api"'} if status == 401 else {}
    return json_reply(body, status=status, headers=realm)


def _known(name: str) -> str:
    return name if name in FAULTS else "completion_request_error"
