"""What may stand in an envelope or a header: one plain address, one line of text, one key.

Used by the API to refuse, and again by the mail builder and the settings, so that no header can be injected.
Never mends a value; a wrong one raises ValueError with words for the person who sent it.
"""

from __future__ import annotations

import re
import unicodedata

MAX_ADDRESS = 254
MAX_LOCAL = 64
MAX_SUBJECT = 998
MAX_KEY = 128

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = re.compile(rf"{_ATOM}(\.{_ATOM})*")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_KEY = re.compile(rf"[!#-;=?-~]{{1,{MAX_KEY}}}")
# Cs: half a surrogate pair, which JSON can spell and UTF-8 cannot.
_CONTROLS = frozenset({"Cc", "Cs"})
_LINE_BREAKERS = "\u2028\u2029"


def has_control(text: str) -> bool:
    """Whether the text holds a control character, a line separator or half a surrogate pair.

    All of these end, hide or break a header.
    """
    if text.isascii() and text.isprintable():
        return False
    return any(unicodedata.category(c) in _CONTROLS or c in _LINE_BREAKERS for c in text)


def check_domain(domain: str) -> str:
    """The domain, if it is dot-separated ASCII labels; an international one must come in its xn-- form."""
    if not domain.isascii():
        raise ValueError("the domain must be ASCII; write an international one in its xn-- form")
    if len(domain) > 253 or not all(_LABEL.fullmatch(label) for label in domain.split(".")):
        raise ValueError("the domain must be letters, digits and hyphens, separated by dots")
    return domain


def check_address(address: str) -> str:
    """The address, if it is exactly one plain `local@domain` of at most 254 characters."""
    if has_control(address):
        raise ValueError("must not contain control characters (CR, LF, NUL, ...)")
    if len(address) > MAX_ADDRESS:
        raise ValueError(f"must be at most {MAX_ADDRESS} characters, has {len(address)}")
    local, at, domain = address.rpartition("@")
    if not at:
        raise ValueError("must be one address such as name@example.org")
    if not local.isascii():
        raise ValueError("a local part with characters beyond ASCII needs SMTPUTF8, which is not offered")
    if not _LOCAL.fullmatch(local) or len(local) > MAX_LOCAL:
        raise ValueError(
            "must be exactly one plain address: no display name, comma, space, quotes or brackets"
        )
    check_domain(domain)
    return address


def check_subject(subject: str) -> str:
    """The subject, if it is one non-empty line of at most 998 characters."""
    if has_control(subject):
        raise ValueError("must not contain control characters (CR, LF, NUL, ...)")
    if not subject.strip():
        raise ValueError("must not be empty")
    if len(subject) > MAX_SUBJECT:
        raise ValueError(f"must be at most {MAX_SUBJECT} characters, has {len(subject)}")
    return subject


def check_line(text: str) -> str:
    """The text, if it has no control characters; it may be empty."""
    if has_control(text):
        raise ValueError("must not contain control characters (CR, LF, NUL, ...)")
    return text


def check_body(text: str) -> str:
    """The text of a mail, if it is not empty, has no NUL, and can be written in UTF-8."""
    if not text:
        raise ValueError("must not be empty")
    if "\0" in text:
        raise ValueError("must not contain NUL")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be Unicode text without half surrogate pairs") from None
    return text


def check_key(key: str) -> str:
    """The idempotency key, if it is 1-128 visible ASCII characters without space, `<`, `>` and `"`."""
    if not _KEY.fullmatch(key):
        raise ValueError('must be 1-128 visible ASCII characters without space, "<", ">" and \'"\'')
    return key
