"""Who somebody is: passwords, sessions, signed tokens, and how often they may try.

Owns the secrets' shapes and rules; refuses to know where they are kept (that is `storage`) or how
they travel (that is `api` and `gateway`). Rule: nothing here stores or logs a secret in the clear.
"""

from qingniao.auth.errors import BadToken, PasswordTooWeak
from qingniao.auth.keys import KeyRing
from qingniao.auth.limits import RateLimit, SignInLimit, network_of
from qingniao.auth.passwords import Passwords
from qingniao.auth.sessions import SessionPolicy, new_session_token, token_hash
from qingniao.auth.tokens import Signer, TicketClaim, VisitorClaim

__all__ = [
    "BadToken",
    "KeyRing",
    "PasswordTooWeak",
    "Passwords",
    "RateLimit",
    "SessionPolicy",
    "SignInLimit",
    "Signer",
    "TicketClaim",
    "VisitorClaim",
    "network_of",
    "new_session_token",
    "token_hash",
]
