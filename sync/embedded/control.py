"""The control address of the embedded servers: clock, counts, faults, sharing, other users' changes.

Loopback only, no token, never counted as a call of either side.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

import anyio.to_thread
import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sync.clock import ControlledClock
from sync.embedded.faults import Fault, Faults, fault_of
from sync.embedded.org.build import BuiltOrg
from sync.embedded.org.errors import OrgError
from sync.embedded.org.ids import decode, normalise
from sync.embedded.org.soql_scope import instant_text
from sync.embedded.org.state import DuplicateRule, QueryFault, RowFault, SlowJob, Switches, ValidationRule
from sync.embedded.org.transactions import Transactions, operations_of
from sync.embedded.wire import Usage

Handler = Callable[[Mapping[str, Any], Mapping[str, str]], Any]


def instant_of(text: str) -> datetime:
    """An ISO 8601 instant with its offset. Raises ValueError."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError("an instant needs its offset, as in 2027-03-01T09:00:00Z")
    return moment.astimezone(UTC)


class Control:
    """The control application over the clock, the faults, the counts and (where there is one) the org."""

    def __init__(self, clock: ControlledClock, faults: Faults, usage: Usage, built: BuiltOrg | None) -> None:
        self._clock, self._faults, self._usage, self._built = clock, faults, usage, built
        faults.effect = self._effect
        self.app = Starlette(
            routes=[
                self._route("/clock", GET=self._now, POST=self._set_clock),
                self._route("/usage", GET=lambda _b, _p: self._counts()),
                self._route("/usage:reset", POST=self._reset_usage),
                self._route("/faults", GET=self._list_faults, POST=self._add_faults, DELETE=self._clear_faults),
                self._route("/sharing", GET=self._shared, POST=self._share),
                self._route("/records", POST=self._records),
                self._route("/transactions", GET=self._list_held, POST=self._begin),
                self._route("/transactions/{name}:commit", POST=lambda _b, p: self._end(p, commit=True)),
                self._route("/transactions/{name}:rollback", POST=lambda _b, p: self._end(p, commit=False)),
                self._route("/rules", GET=self._list_rules, POST=self._add_rules, DELETE=self._clear_rules),
                self._route("/settings", GET=self._settings, POST=self._set_settings),
                self._route("/sessions:end", POST=self._end_sessions),
                self._route("/quota", GET=self._quota, POST=self._set_quota),
            ]
        )

    def _route(self, path: str, **handlers: Handler) -> Route:
        async def endpoint(request: Request) -> Response:
            raw = await request.body()
            try:
                body = msgspec.json.decode(raw) if raw.strip() else {}
                found = await anyio.to_thread.run_sync(handlers[request.method], body, request.path_params)
                status = 200
            except OrgError as error:
                found, status = {"error": error.message, "code": error.code}, error.status
            except (ValueError, TypeError, KeyError, AttributeError, re.error) as error:
                found, status = {"error": str(error)}, 400
            return Response(msgspec.json.encode(found), status, media_type="application/json")

        return Route(path, endpoint, methods=list(handlers))

    @property
    def _org(self) -> BuiltOrg:
        if self._built is None:
            raise OrgError("NOT_FOUND", "There is no org in this process")
        return self._built

    def _now(self, _body: Mapping[str, Any], _path: Mapping[str, str]) -> Any:
        return {"now": self._clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")}

    def _set_clock(self, body: Mapping[str, Any], path: Mapping[str, str]) -> Any:
        if "at" in body:
            self._clock.set(instant_of(body["at"]))
        elif "advance" in body:
            self._clock.advance(float(body["advance"]))
        else:
            raise ValueError('give {"at": instant} or {"advance": seconds}')
        return self._now(body, path)

    def _counts(self) -> Any:
        return self._usage.report()

    def _reset_usage(self, _body: Any, _path: Any) -> Any:
        self._usage.reset()
        return self._usage.report()

    def _list_faults(self, _body: Any, _path: Any) -> Any:
        return {"faults": [rule.shown() for rule in self._faults.rules]}

    def _add_faults(self, body: Any, path: Any) -> Any:
        given = body.get("faults", body.get("rules", [body])) if isinstance(body, dict) else body
        self.add_faults(given)
        return self._list_faults(body, path)

    def add_faults(self, given: Any) -> None:
        """Put rules in force; rows and queries have their own, within the org. Raises ValueError."""
        rules = [fault_of(one) for one in given]
        for rule in rules:
            if rule.kind == "in_flight":
                operations_of({"operations": rule.operations})
            if rule.kind == "row":
                self._org.org.state.row_faults.append(
                    RowFault(
                        rule.object or "CampaignMember",
                        rule.code or "UNABLE_TO_LOCK_ROW",
                        rule.message or "unable to obtain exclusive access to this record or 1 records",
                        rule.times,
                        rule.after,
                        rule.operation,
                        frozenset(filter(None, map(normalise, rule.ids))),
                        rule.probability,
                        rule.seed,
                    )
                )
            elif rule.kind == "query":
                words = rule.message or "Your query request was running for too long."
                fault = QueryFault(rule.contains or "", rule.code or "QUERY_TIMEOUT", words, rule.times, rule.after)
                self._org.org.state.query_faults.append(fault)
        self._faults.add(rules)

    def _clear_faults(self, _body: Any, _path: Any) -> Any:
        self._faults.clear()
        if self._built is not None:
            self._built.org.state.row_faults.clear()
            self._built.org.state.slow_jobs.clear()
            self._built.org.state.query_faults.clear()
        return {"faults": []}

    def _shared(self, _body: Any, _path: Any) -> Any:
        return {"hidden": {name: len(keys) for name, keys in self._org.org.state.hidden.items() if keys}}

    def _share(self, body: Mapping[str, Any], path: Any) -> Any:
        org = self._org.org
        with org.store.writing() as connection:
            for verb in ("hide", "show"):
                for text in body.get(verb, ()):
                    found = decode(text)
                    owner = org.schema.of_prefix(found[0]) if found is not None else None
                    if found is None or owner is None or owner.name not in ("Lead", "Contact", "Campaign"):
                        raise ValueError(f"{text} is not the id of a lead, contact or campaign")
                    keys = org.state.hidden.setdefault(owner.name, set())
                    if verb == "hide":
                        keys.add(found[1])
                        connection.execute("INSERT OR IGNORE INTO _hidden VALUES (?, ?)", (owner.name, found[1]))
                    else:
                        keys.discard(found[1])
                        connection.execute("DELETE FROM _hidden WHERE Object = ? AND Id = ?", (owner.name, found[1]))
        return self._shared(body, path)

    def _effect(self, rule: Fault) -> None:
        """Do to the org what a fault says, before the request that it fits is carried out."""
        built = self._org
        if rule.kind == "in_flight":
            built.gateway.transactions.begin(operations_of({"operations": rule.operations}), rule.seconds or None)
        elif rule.kind == "slow_job":
            built.org.state.slow_jobs.append(SlowJob(rule.seconds, rule.polls, rule.state, rule.message))
        elif rule.kind == "use_up_quota":
            built.gateway.quota.use_up(rule.remaining)
        elif rule.kind == "end_sessions":
            built.gateway.sessions.end_all()

    def _work(self) -> Transactions:
        return self._org.gateway.transactions

    def _records(self, body: Mapping[str, Any], _path: Any) -> Any:
        return {"ids": self._work().apply(operations_of(body))}

    def _list_held(self, _body: Any, _path: Any) -> Any:
        return {"open": self._work().open()}

    def _begin(self, body: Mapping[str, Any], _path: Any) -> Any:
        for verb in ("commit", "rollback"):
            if verb in body:
                return self._end({"name": str(body[verb])}, commit=verb == "commit")
        if not body:
            raise ValueError('give {"operations": […]} to hold, or {"commit": id} or {"rollback": id} to end')
        name, stamp = self._work().begin(operations_of(body), body.get("seconds"))
        return {"id": name, "stamp": instant_text(stamp)}

    def _end(self, path: Mapping[str, str], *, commit: bool) -> Any:
        return {"ids": self._work().end(path["name"], commit=commit)}

    def _list_rules(self, _body: Any, _path: Any) -> Any:
        state = self._org.org.state
        return {"rules": [*map(asdict, state.rules), *map(asdict, state.duplicate_rules)]}

    def _add_rules(self, body: Any, path: Any) -> Any:
        """Plant an admin's rules: with ``fields`` a duplicate rule, else a validation rule."""
        given = body.get("rules", [body]) if isinstance(body, dict) else body
        state = self._org.org.state
        for one in given:
            if "fields" in one:
                state.duplicate_rules.append(DuplicateRule(**{**one, "fields": tuple(one["fields"])}))
            else:
                state.rules.append(ValidationRule(**one))
        return self._list_rules(body, path)

    def _clear_rules(self, _body: Any, _path: Any) -> Any:
        self._org.org.state.rules.clear()
        self._org.org.state.duplicate_rules.clear()
        return {"rules": []}

    def _settings(self, _body: Any, _path: Any) -> Any:
        return asdict(self._org.org.state.switches)

    def _set_settings(self, body: Mapping[str, Any], path: Any) -> Any:
        known = {f.name for f in fields(Switches)}
        for name, value in body.items():
            if name not in known:
                raise ValueError(f"unknown setting {name}; there are {', '.join(sorted(known))}")
            kind = type(getattr(Switches(), name))
            if isinstance(value, bool) != (kind is bool) or not isinstance(value, int | float):
                raise ValueError(f"setting {name} is a {'yes or no' if kind is bool else 'number'}, not {value!r}")
            setattr(self._org.org.state.switches, name, kind(value))
        return self._settings(body, path)

    def _end_sessions(self, _body: Any, _path: Any) -> Any:
        return {"ended": self._org.gateway.sessions.end_all()}

    def _quota(self, _body: Any, _path: Any) -> Any:
        quota = self._org.gateway.quota
        return {"used": quota.used(), "max": quota.most}

    def _set_quota(self, body: Mapping[str, Any], path: Any) -> Any:
        quota = self._org.gateway.quota
        if "max" in body:
            quota.most = int(body["max"])
        if "used" in body:
            quota.set_used(int(body["used"]))
        if "remaining" in body:
            quota.use_up(int(body["remaining"]))
        return self._quota(body, path)
