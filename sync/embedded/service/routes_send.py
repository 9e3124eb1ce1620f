"""Operations on sends, test sends, the mail journal and the delivery provider's events."""

from __future__ import annotations

from sqlalchemy import Connection, select

from sync.embedded.service import bodies, eml, release, schema, sending, testing, tracking, wire
from sync.embedded.service.instants import instant
from sync.embedded.service.operation import CURSOR, Call, Operation, Parameter, Result, cursor_of, limit_parameter
from sync.embedded.service.problems import invalid, not_found
from sync.embedded.service.service import Service

_STATES = ("intent", "sent", "unknown")


def prepare(service: Service, call: Call) -> Result:
    """Who is due."""
    return Result(sending.prepare(service, call.body))


def release_send(service: Service, call: Call) -> Result:
    """Send what was prepared."""
    return Result(release.release(service, call.path["send_id"], call.body.expected))


def get_send(conn: Connection, call: Call) -> Result:
    """A send and its result."""
    return Result(release.show(conn, call.path["send_id"]))


def test_send(service: Service, call: Call) -> Result:
    """An edition to its test members."""
    return Result(testing.test_send(service, call.path["edition_id"], call.client))


def list_mails(conn: Connection, call: Call) -> Result:
    """The journal of mails, by state, campaign, person or send."""
    table, limit, after = schema.mails, call.limit(2000, 10_000), call.after_text()
    query = select(table)
    state = call.query.get("state")
    if state is not None:
        if state not in _STATES:
            raise invalid("/state", f"state is one of {', '.join(_STATES)}")
        query = query.where(table.c.state == state)
    for name in ("campaign_id", "person_id", "edition_id", "send_id"):
        if name in call.query:
            query = query.where(table.c[name] == call.query[name])
    if after is not None:
        query = query.where(table.c.mail_id > after)
    rows = conn.execute(query.order_by(table.c.mail_id).limit(limit + 1)).all()
    items = [wire.Mail(*row[:9], *row[10:]) for row in rows[:limit]]
    return Result(wire.MailPage(items, cursor_of(items[-1].mail_id if len(rows) > limit else None)))


def post_event(service: Service, call: Call) -> Result:
    """What a delivery provider reports about a mail, by mail id or send token."""
    event: bodies.EventPost = call.body
    service.settle()
    mail_id = eml.mail_id_in(service.secret, event.mail_id) or event.mail_id
    with service.work(None) as work:
        mail = work.mail(mail_id)
        if mail is None:
            tests = schema.test_mails
            if work.conn.execute(select(tests.c.mail_id).where(tests.c.mail_id == mail_id)).first() is None:
                raise not_found("mail", event.mail_id)
            return Result(wire.EventTaken(mail_id, counted=False))
        at = event.at or work.now
        if at > work.now:
            raise invalid("/at", "an event cannot be in the future")
        if mail.sent_at is not None:
            at = max(at, instant(mail.sent_at))
        link = tracking.link_for(work, mail.edition_id, event.url)
        tracking.apply(work, mail, event.type, at, link=link, hard=event.hard)
    return Result(wire.EventTaken(mail_id, counted=True))


_FILTERS = tuple(
    Parameter(name, {"type": "string"}, f"Only mails of this {name.removesuffix('_id')}.")
    for name in ("campaign_id", "person_id", "edition_id", "send_id")
)
_STATE = Parameter("state", {"type": "string", "enum": list(_STATES)}, "Only mails in this state.")

OPERATIONS: tuple[Operation, ...] = (
    Operation("test_send", "POST", "/v1/editions/{edition_id}/test-send", "own", test_send, wire.TestSend,
              "Send an edition to its test members.", refusals=(404, 409, 503)),
    Operation("prepare", "POST", "/v1/sends:prepare", "own", prepare, wire.Prepared,
              "Who is due at an instant; frozen unless it is a dry run.", request=bodies.SendsPrepare,
              refusals=(400, 404, 422)),
    Operation("release", "POST", "/v1/sends/{send_id}:release", "own", release_send, wire.Released,
              "Send what was prepared; takes the expected count.", request=bodies.SendsRelease,
              refusals=(400, 404, 409, 422)),
    Operation("get_send", "GET", "/v1/sends/{send_id}", "read", get_send, wire.Send, "A send and its result.",
              refusals=(404,)),
    Operation("list_mails", "GET", "/v1/mails", "read", list_mails, wire.MailPage,
              "The journal of mails; state=unknown lists those whose fate a crash made unknowable.",
              query=(*_FILTERS, _STATE, CURSOR, limit_parameter(2000, 10_000)), refusals=(422,)),
    Operation("post_event", "POST", "/v1/events", "own", post_event, wire.EventTaken,
              "A delivery provider's report about one mail.", request=bodies.EventPost, refusals=(400, 404, 422)),
)  # fmt: skip
