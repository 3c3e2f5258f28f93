"""Sessions without a store: a cookie that says who and until when, signed with AUTH_SECRET."""

import base64
import hashlib
import hmac
import time

LIFETIME = 8 * 3600


def _signature(secret: str, text: str) -> str:
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def issue(secret: str, user: str, now: float | None = None) -> str:
    name = base64.urlsafe_b64encode(user.encode()).decode().rstrip("=")
    text = f"{name}.{int((now or time.time()) + LIFETIME)}"
    return f"{text}.{_signature(secret, text)}"


def read(secret: str, cookie: str, now: float | None = None) -> str | None:
    """Return the user, None when the cookie is not ours or is over."""
    text, _dot, signature = cookie.rpartition(".")
    if not text or not hmac.compare_digest(signature, _signature(secret, text)):
        return None
    name, _dot, until = text.partition(".")
    if not until.isdigit() or int(until) < (now or time.time()):
        return None
    return base64.urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode()
