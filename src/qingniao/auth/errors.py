"""What can be wrong with a credential. Rule: the message never says which part of it was wrong."""

from qingniao.errors import QingniaoError

__all__ = ["BadToken", "PasswordTooWeak"]


class BadToken(QingniaoError):
    """This token is not valid here, or no longer."""

    code = "bad_token"


class PasswordTooWeak(QingniaoError):
    """This password is too easy to guess."""

    code = "weak_password"
