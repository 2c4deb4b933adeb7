"""Stand-ins for the bot platforms: Dify, FastGPT, Coze and OpenAI-compatible servers, on this
machine, without an account. Nothing of the server uses them.
"""
