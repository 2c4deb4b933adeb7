"""What Dify says when it refuses: every error that its interface documents, by name.

Owns facts only. A name is the code, or the code and a word where one code has several messages.
Rule: status, code and message are as documented; nothing here decides when they are said.
"""

from typing import Final

from qingniao.doubles.double import json_reply
from qingniao.doubles.messages import Reply

__all__ = ["FAULTS", "GENERATION", "fault", "fault_body"]

FAULTS: Final[dict[str, tuple[int, str, str]]] = {
    "app_unavailable": (
        400, "app_unavailable", "App unavailable, please check your app configurations.",
    ),
    "not_chat_app": (
        400, "not_chat_app", "Please check if your app mode matches the right API route.",
    ),
    "not_workflow_app": (
        400, "not_workflow_app", "Please check if your app mode matches the right API route.",
    ),
    "provider_not_initialize": (
        400, "provider_not_initialize",
        "No valid model provider credentials found. Please go to Settings -> Model Provider to "
        "complete your provider credentials.",
    ),
    "provider_quota_exceeded": (
        400, "provider_quota_exceeded",
        "Your quota for Dify Hosted OpenAI has been exhausted. Please go to Settings -> Model "
        "Provider to complete your own provider credentials.",
    ),
    "model_currently_not_support": (
        400, "model_currently_not_support",
        "Dify Hosted OpenAI trial currently not support the GPT-4 model.",
    ),
    "completion_request_error": (400, "completion_request_error", "Completion request failed."),
    "bad_request": (
        400, "bad_request",
        "Cannot use draft workflow version. Workflow ID: a1b2c3d4-5678-90ab-cdef-1234567890ab. ",
    ),
    "bad_request.workflow_id": (
        400, "bad_request", "Invalid workflow_id format: 'not-a-valid-id'. ",
    ),
    "bad_request.blocking": (
        400, "bad_request", "Agent App only supports streaming response mode.",
    ),
    "bad_request.suggested": (400, "bad_request", "Suggested Questions Is Disabled."),
    "bad_request.variable": (
        400, "bad_request",
        "Type mismatch: variable 'user_preference' expects string, but got number type",
    ),
    "invalid_param": (400, "invalid_param", "Arg user must be provided."),
    "invalid_param.agent": (400, "invalid_param", "Agent App has no bound Agent"),
    "invalid_param.extension": (
        400, "invalid_param", "File extension '.exe' is not allowed for security reasons",
    ),
    "invalid_param.dataset": (400, "invalid_param", "Invalid parameter value."),
    "agent_not_published": (
        400, "agent_not_published",
        "Agent has not been published. Please publish the Agent before using the API.",
    ),
    "conversation_completed": (
        400, "conversation_completed",
        "The conversation has ended. Please start a new conversation.",
    ),
    "no_file_uploaded": (400, "no_file_uploaded", "Please upload your file."),
    "too_many_files": (400, "too_many_files", "Only one file is allowed."),
    "filename_not_exists_error": (
        400, "filename_not_exists_error", "The specified filename does not exist.",
    ),
    "dataset_not_initialized": (
        400, "dataset_not_initialized",
        "The dataset is still being initialized or indexing. Please wait a moment.",
    ),
    "unauthorized": (401, "unauthorized", "Access token is invalid"),
    "forbidden": (403, "forbidden", "Dataset api access is not enabled."),
    "forbidden.rate": (
        403, "forbidden",
        "Sorry, you have reached the knowledge base request rate limit of your subscription.",
    ),
    "file_access_denied": (
        403, "file_access_denied", "Access to the requested file is denied.",
    ),
    "workflow_version_execution_not_allowed": (
        403, "workflow_version_execution_not_allowed",
        "Workflow version execution is not available on your current plan. Please upgrade to a "
        "paid plan.",
    ),
    "not_found": (404, "not_found", "Conversation Not Exists."),
    "not_found.message": (404, "not_found", "Message Not Exists."),
    "not_found.first_message": (404, "not_found", "First Message Not Exists."),
    "not_found.last_conversation": (404, "not_found", "Last Conversation Not Exists."),
    "not_found.variable": (404, "not_found", "Conversation Variable Not Exists."),
    "not_found.workflow": (
        404, "not_found", "Workflow not found with id: a1b2c3d4-5678-90ab-cdef-1234567890ab",
    ),
    "not_found.run": (404, "not_found", "Workflow run not found."),
    "not_found.dataset": (404, "not_found", "Dataset not found."),
    "file_not_found": (404, "file_not_found", "The requested file was not found."),
    "end_user_not_found": (404, "end_user_not_found", "End user not found."),
    "file_too_large": (413, "file_too_large", ""),
    "unsupported_file_type": (415, "unsupported_file_type", "File type not allowed."),
    "too_many_requests": (
        429, "too_many_requests", "Too many requests. Please try again later.",
    ),
    "rate_limit_error": (429, "rate_limit_error", "Rate Limit Error"),
    "internal_server_error": (
        500, "internal_server_error",
        "The server encountered an internal error and was unable to complete your request. Either "
        "the server is overloaded or there is an error in the application.",
    ),
    "unknown": (500, "unknown", "Internal Server Error, please contact support."),
}  # fmt: skip

GENERATION: Final = frozenset({
    "provider_not_initialize", "provider_quota_exceeded", "model_currently_not_support",
    "completion_request_error", "internal_server_error",
})  # fmt: skip
"""Found out while the answer is made: with `streaming` they come as an event, at HTTP 200."""


def fault_body(name: str) -> dict[str, object]:
    """The three fields; of a name that is not documented, the general failure."""
    status, code, message = FAULTS.get(name) or FAULTS["completion_request_error"]
    return {"code": code, "message": message, "status": status}


def fault(name: str, message: str = "") -> Reply:
    """As an answer; `message` instead of the documented one."""
    body = fault_body(name)
    if message:
        body["message"] = message
    status = FAULTS.get(name, FAULTS["completion_request_error"])[0]
    realm = {"www-authenticate": 'Bearer realm="api"'} if status == 401 else {}
    return json_reply(body, status=status, headers=realm)
