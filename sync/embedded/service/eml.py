"""Composes a mail: merge fields, tracked links, open pixel, footer, and the RFC 5322 message itself.

Content comes from people, so it is rendered in Jinja's sandbox, HTML escaped. May import jinja2; no I/O.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime, formataddr
from html import escape, unescape

from jinja2 import Template, TemplateError, TemplateSyntaxError
from jinja2.sandbox import SandboxedEnvironment

_HTML = SandboxedEnvironment(autoescape=True)
_TEXT = SandboxedEnvironment(autoescape=False)
_ANCHOR = re.compile(r"""(<a\b[^>]*?\bhref\s*=\s*)(["'])(.*?)\2""", re.IGNORECASE | re.DOTALL)
_BARE_URL = re.compile(r"https?://[^\s<>\"')\]]+")
_SIGNED = 20
_ENCODED_WORD = 39  # bytes, so that name and word stay within 76 characters


class ContentError(Exception):
    """Content that cannot be rendered: a broken template, or an address that no header can carry."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a mail is for."""

    person_id: str
    email: str
    first_name: str | None
    last_name: str | None


@dataclass(frozen=True, slots=True)
class From:
    """Whom a mail is from, with the footer's postal address."""

    name: str
    email: str
    company: str
    address: str


def check_template(text: str | None) -> str | None:
    """What is wrong with merge fields, or None."""
    try:
        _HTML.parse(text or "")
    except TemplateSyntaxError as error:
        return f"line {error.lineno}: {error.message}"
    return None


def mail_id_of(edition_id: str, person_id: str) -> str:
    """The id of the one mail of an edition to a person; the same whenever it is asked."""
    return "m" + hashlib.sha256(f"{edition_id}\n{person_id}".encode()).hexdigest()[:24]


def token_of(secret: bytes, mail_id: str) -> str:
    """The mail id with a signature, for links that anybody may follow and nobody may guess."""
    return f"{mail_id}.{hmac.new(secret, mail_id.encode(), hashlib.sha256).hexdigest()[:_SIGNED]}"


def mail_id_in(secret: bytes, token: str) -> str | None:
    """The mail id of a token, or None when it was not signed here."""
    mail_id = token.partition(".")[0]
    expected = token_of(secret, mail_id)
    return mail_id if hmac.compare_digest(expected.encode(), token.encode("utf-8", "replace")) else None


def links_in(html: str) -> list[str]:
    """The link targets of content as written (merge fields and all), each once, in order."""
    found: dict[str, None] = {}
    for match in _ANCHOR.finditer(html):
        url = unescape(match[3]).strip()
        if _tracked(url):
            found[url] = None
    return list(found)


def _tracked(url: str) -> bool:
    return url.lower().startswith(("http://", "https://", "{{")) and "unsubscribe_url" not in url


def render_url(url: str, fields: Mapping[str, str]) -> str:
    """A link target for one recipient. Raises ContentError."""
    try:
        return _TEXT.from_string(url).render(fields)
    except TemplateError as error:
        raise ContentError(f"the link cannot be rendered: {error}") from error


def fields_of(person: Recipient, base: str, token: str, sender: From, campaign: str) -> dict[str, str]:
    """The merge fields."""
    return {
        "first_name": person.first_name or "",
        "last_name": person.last_name or "",
        "email": person.email,
        "person_id": person.person_id,
        "campaign_name": campaign,
        "company": sender.company,
        "address": sender.address,
        "unsubscribe_url": f"{base}/u/{token}",
        "completion_url": f"{base}/t/x/{token}",
        "click_base": f"{base}/t/c/{token}/",
        "open_url": f"{base}/t/o/{token}.gif",
    }


class Composer:
    """One edition's content, compiled once for all its recipients. ``numbers``: link target → its number."""

    def __init__(
        self,
        *,
        subject: str,
        html: str,
        text: str | None,
        numbers: Mapping[str, int],
        sender: From,
        base: str,
        campaign: str,
    ) -> None:
        self._sender = sender
        self._base = base
        self._campaign = campaign
        self.numbers = numbers
        try:
            self._subject: Template = _TEXT.from_string(subject)
            tracked = self._tracked_html(html)
            self._html: Template = _HTML.from_string(self._with_footer(tracked))
            plain = self._tracked_text(text) if text and text.strip() else plain_text(tracked)
            self._text: Template = _TEXT.from_string(plain + _TEXT_FOOTER)
        except TemplateError as error:
            raise ContentError(f"the content cannot be read: {error}") from error

    def _tracked_html(self, html: str) -> str:
        def replaced(match: re.Match[str]) -> str:
            number = self.numbers.get(unescape(match[3]).strip())
            return match[0] if number is None else f"{match[1]}{match[2]}{{{{ click_base }}}}{number}{match[2]}"

        return _ANCHOR.sub(replaced, html)

    def _tracked_text(self, text: str) -> str:
        def replaced(match: re.Match[str]) -> str:
            number = self.numbers.get(match[0])
            return match[0] if number is None else f"{{{{ click_base }}}}{number}"

        return _BARE_URL.sub(replaced, text)

    @staticmethod
    def _with_footer(html: str) -> str:
        at = html.lower().rfind("</body>")
        return html + _HTML_FOOTER if at < 0 else html[:at] + _HTML_FOOTER + html[at:]

    def message(self, mail_id: str, token: str, person: Recipient, at: datetime, *, test: bool = False) -> bytes:
        """The whole message for one person. Raises ContentError."""
        fields = fields_of(person, self._base, token, self._sender, self._campaign)
        try:
            subject = " ".join(self._subject.render(fields).split())
            html = self._html.render(fields)
            text = self._text.render(fields)
        except (TemplateError, ArithmeticError, TypeError, ValueError, LookupError, AttributeError) as error:
            raise ContentError(f"the content cannot be rendered: {error}") from error
        name = " ".join(f"{person.first_name or ''} {person.last_name or ''}".split())
        headers = [
            f"From: {_address(self._sender.name, self._sender.email)}",
            f"To: {_address(name, person.email)}",
            f"Subject: {_folded('Subject', subject)}",
            f"Date: {format_datetime(at)}",
            f"Message-ID: <{mail_id}@{_domain(self._sender.email)}>",
            f"List-Unsubscribe:\r\n <{fields['unsubscribe_url']}>",
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
            f"X-Predictive-Mail: {mail_id}",
            *(["X-Predictive-Test: yes"] if test else []),
            "MIME-Version: 1.0",
            f'Content-Type: multipart/alternative; boundary="=_{mail_id}"',
        ]
        return b"".join(
            (
                "\r\n".join(headers).encode(),
                b"\r\n\r\n",
                _part(mail_id, "plain", text),
                _part(mail_id, "html", html),
                f"--=_{mail_id}--\r\n".encode(),
            )
        )


_HTML_FOOTER = (
    '<hr><p style="font-size:12px;color:#666">{{ company }}, {{ address }}<br>'
    '<a href="{{ unsubscribe_url }}">Unsubscribe</a></p>'
    '<img src="{{ open_url }}" width="1" height="1" alt="" style="display:none">'
)
_TEXT_FOOTER = "\n\n-- \n{{ company }}, {{ address }}\nUnsubscribe: {{ unsubscribe_url }}\n"


def _part(boundary: str, kind: str, text: str) -> bytes:
    lines = "\r\n".join(text.splitlines()) + "\r\n"
    head = (
        f"--=_{boundary}\r\nContent-Type: text/{kind}; charset=utf-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    )
    # A lone "\r" cannot occur: splitlines took every line end.
    return head.encode() + binascii.b2a_qp(lines.encode(), istext=True) + b"\r\n"


def _folded(name: str, value: str) -> str:
    """A header's value in lines of at most 76 characters: folded at spaces, or as RFC 2047 encoded words.

    (The standard library's Header does this too, in time quadratic in the length, for every mail.)
    """
    if value.isascii() and value.isprintable() and all(len(word) < 70 for word in value.split(" ")):
        return "\r\n ".join(textwrap.wrap(value, 76 - len(name) - 2, break_long_words=False, break_on_hyphens=False))
    words, chunk = [], b""
    for character in value:
        raw = character.encode("utf-8", "replace")
        if len(chunk) + len(raw) > _ENCODED_WORD:
            words.append(chunk)
            chunk = b""
        chunk += raw
    words.append(chunk)
    return "\r\n ".join(f"=?utf-8?b?{binascii.b2a_base64(word, newline=False).decode()}?=" for word in words)


def _address(name: str, email: str) -> str:
    """Name and address for a header: ASCII where that can say it, else as RFC 6532 has it, in UTF-8."""
    local, _, domain = email.rpartition("@")
    if not email.isprintable() or "<" in email or ">" in email:
        raise ContentError(f"{email!r} cannot be written in a header")
    quoted = formataddr((_printable(name), "-"))
    try:
        address = f"{local}@{domain.encode('idna').decode()}" if local.isascii() and not domain.isascii() else email
    except UnicodeError:
        address = email
    return f"{quoted[:-2]}{address}>" if quoted != "-" else address


def _printable(name: str) -> str:
    return "".join(c for c in name if c.isprintable())[:120]


def _domain(email: str) -> str:
    return email.rpartition("@")[2] or "localhost"


def plain_text(html: str) -> str:
    """A readable text of HTML content: links after their words, blocks on lines of their own."""
    text = re.sub(r"(?is)<(style|script|head)\b.*?</\1\s*>", "", html)
    text = _ANCHOR_WHOLE.sub(lambda m: f"{m[2]} {m[1]}", text)
    text = re.sub(r"(?i)<br\s*/?>|</(p|div|h[1-6]|li|tr|table)\s*>", "\n", text)
    text = unescape(re.sub(r"(?s)<[^>]+>", "", text))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


_ANCHOR_WHOLE = re.compile(r"""<a\b[^>]*?\bhref\s*=\s*["'](.*?)["'][^>]*>(.*?)</a\s*>""", re.IGNORECASE | re.DOTALL)


def page(title: str, text: str) -> bytes:
    """A small HTML page for recipients."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title></head>'
        f"<body><h1>{escape(title)}</h1><p>{escape(text)}</p></body></html>"
    ).encode()
