"""The links that recipients follow, without a token: open pixel, click, completion page, unsubscribe.

A link is signed with its mail's id. Test mails' links work and count nowhere. May import starlette.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from sqlalchemy import select
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sync.embedded.service import eml, schema, tracking
from sync.embedded.service.problems import Problem, invalid
from sync.embedded.service.records import LinkState, MailState
from sync.embedded.service.release import sender_of
from sync.embedded.service.service import Service
from sync.embedded.service.work import Work

_PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_NO_STORE = {"Cache-Control": "no-store"}


def routes(service: Service) -> list[BaseRoute]:
    """The public routes."""

    def route(path: str, answer: Callable[[Service, Request], Response], methods: list[str]) -> Route:
        async def endpoint(request: Request) -> Response:
            return await run_in_threadpool(answer, service, request)

        return Route(path, endpoint, methods=methods)

    return [
        route("/t/o/{token}.gif", _open, ["GET"]),
        route("/t/c/{token}/{n:int}", _click, ["GET"]),
        route("/t/x/{token}", _complete, ["GET"]),
        route("/u/{token}", _unsubscribe, ["GET", "POST"]),
    ]


def _unknown() -> Problem:
    return Problem(404, "link_unknown", "This link is not one of ours.")


def _mail(service: Service, work: Work, request: Request) -> tuple[MailState | None, str, Any]:
    """The mail (None for a test mail's link), its id, and the test mail's row. Raises Problem 404."""
    mail_id = eml.mail_id_in(service.secret, request.path_params["token"])
    if mail_id is None:
        raise _unknown()
    mail = work.mail(mail_id)
    if mail is not None:
        return mail, mail_id, None
    table = schema.test_mails
    row = work.conn.execute(select(table).where(table.c.mail_id == mail_id)).one_or_none()
    if row is None:
        raise _unknown()
    return None, mail_id, row


def _happen(
    service: Service, request: Request, kind: tracking.Kind, link: LinkState | None = None, *, everywhere: bool = True
) -> None:
    """Let it happen to the mail; a HEAD request looks only."""
    service.settle()
    with service.work() as work:
        mail, _, _ = _mail(service, work, request)
        if mail is not None and request.method != "HEAD":
            tracking.apply(work, mail, kind, work.now, link=link, everywhere=everywhere)


def _open(service: Service, request: Request) -> Response:
    _happen(service, request, "open")
    return Response(_PIXEL, media_type="image/gif", headers=_NO_STORE)


def _click(service: Service, request: Request) -> Response:
    service.settle()
    with service.work() as work:
        mail, mail_id, test = _mail(service, work, request)
        edition_id = mail.edition_id if mail is not None else test.edition_id
        link = next((link for link in work.links_of(edition_id) if link.n == request.path_params["n"]), None)
        if link is None:
            raise _unknown()
        target = _target(service, work, mail, mail_id, test, link)
        if mail is not None and request.method != "HEAD":
            tracking.apply(work, mail, "click", work.now, link=link)
    return RedirectResponse(target, status_code=302, headers=_NO_STORE)


def _target(service: Service, work: Work, mail: MailState | None, mail_id: str, test: Any, link: LinkState) -> str:
    if "{" not in link.url:
        return link.url
    person_id, email = (mail.person_id, mail.email) if mail is not None else (test.person_id, test.email)
    member = work.member(link.campaign_id, person_id)
    first, last = (member.first_name, member.last_name) if member is not None else (None, None)
    campaign = work.campaign(link.campaign_id)
    fields = eml.fields_of(
        eml.Recipient(person_id, email, first, last),
        service.public_url,
        eml.token_of(service.secret, mail_id),
        sender_of(service),
        campaign.name if campaign else "",
    )
    try:
        target = eml.render_url(link.url, fields)
    except eml.ContentError as error:
        raise _unknown() from error
    if not target.startswith(("http://", "https://")):
        raise _unknown()
    return target


def _complete(service: Service, request: Request) -> Response:
    _happen(service, request, "complete")
    return Response(eml.page("Thank you", "Your visit has been noted."), media_type="text/html", headers=_NO_STORE)


def _unsubscribe(service: Service, request: Request) -> Response:
    scope = request.query_params.get("scope", "global")
    if scope not in ("global", "campaign"):
        raise invalid("/scope", "scope is global or campaign")
    _happen(service, request, "opt_out", everywhere=scope == "global")
    where = "any more e-mail" if scope == "global" else "more e-mail of this campaign"
    text = f"You have been unsubscribed and will not get {where}."
    return Response(eml.page("Unsubscribed", text), media_type="text/html", headers=_NO_STORE)
