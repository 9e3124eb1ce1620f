"""What the engine works with, handed in once: store, both sides, settings, clock, and where events go.

Imports ports and the store; the one composition root (``sync.bootstrap``) fills it in.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from sync.clock import Clock
from sync.digest import header_digest
from sync.events import Event
from sync.guard import GuardLimits
from sync.mapping import Mapping
from sync.merge import fields_off
from sync.model import Campaign
from sync.ports import Org, OrgIdentity, Service
from sync.rules import EVERY_RULE, Rules
from sync.settings import OrgSettings
from sync.store.facts import INSTANCE_URL, ORG_AHEAD, ORG_ID, ORG_NAME, SERVICE_ID, TIME_ZONE
from sync.store.store import Store

CLOCKS_AGREE = 60
"""Seconds between the org's clock and ours that are not worth a note: a request takes some of them."""


class Cancel(Protocol):
    """What tells a run to stop: a ``threading.Event`` or anything like it."""

    def is_set(self) -> bool:
        """True when the run is to stop after the batch in flight."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """The engine's tools.

    Attributes:
        tell: takes each event as it happens.
        made_for: context manager that names run, campaign and purpose to the call ledger.
        read_only: refuses before the first write; simulation and plans still work.
        rules: the rules of a sync, all of them (``sync.rules``).
    """

    store: Store
    org: Org
    service: Service
    settings: OrgSettings
    clock: Clock
    tell: Callable[[Event], None]
    made_for: Callable[..., AbstractContextManager[None]]
    read_only: bool
    rules: Rules = EVERY_RULE

    @property
    def mapping(self) -> Mapping:
        """API names of this org."""
        return self.settings.mapping

    @property
    def off(self) -> frozenset[str]:
        """Member fields that the mapping switches off."""
        return fields_off(self.settings.mapping)

    @property
    def limits(self) -> GuardLimits:
        """The configured limits of the guards."""
        return self.settings.guards

    def limits_of(self, campaign_id: str, name: str) -> GuardLimits | None:
        """Limits that the configuration gives one campaign, by its id or exact name; None: those of the org."""
        own = self.settings.campaign_guards
        return own.get(campaign_id) or own.get(name)

    def org_identity(self) -> OrgIdentity:
        """The org's identity, asked once and then remembered in the store."""
        facts = self.store.facts
        known = facts.get(ORG_ID)
        if known:
            name, url = facts.get(ORG_NAME) or "", facts.get(INSTANCE_URL) or ""
            return OrgIdentity(known, name, facts.get(TIME_ZONE) or "UTC", url)
        identity = self.org.identity()
        facts.set(ORG_NAME, identity.name)
        facts.set(TIME_ZONE, identity.time_zone)
        facts.set(INSTANCE_URL, identity.instance_url)
        facts.set(ORG_ID, identity.org_id)
        return identity

    def note_org_time(self, at: datetime) -> None:
        """Keep the org's time zone and how far its clock is from ours: a view without the network knows its today."""
        if self.org.seen_org_id() and (zone := self.org.identity().time_zone) != self.time_zone:
            self.store.facts.set(TIME_ZONE, zone)
        ahead = round((at - self.clock.now()).total_seconds())
        kept = int(self.store.facts.get(ORG_AHEAD) or 0)
        if abs(ahead - kept) >= CLOCKS_AGREE:
            self.store.facts.set(ORG_AHEAD, str(ahead) if abs(ahead) >= CLOCKS_AGREE else None)

    def service_id(self) -> str:
        """The service's identity, asked once and then remembered in the store."""
        known = self.store.facts.get(SERVICE_ID)
        if known:
            return known
        identity = self.service.identity()
        self.store.facts.set(SERVICE_ID, identity.service_id)
        return identity.service_id

    @property
    def time_zone(self) -> str:
        """The org's time zone, UTC until it is known."""
        return self.store.facts.get(TIME_ZONE) or "UTC"

    def header_digest(self, campaign: Campaign) -> str:
        """What the service is to know of a campaign's header, as a digest; compared with what it was last told."""
        return header_digest(campaign, self.time_zone, self.settings.status_on)

    def today(self, at: datetime) -> date:
        """The org's date at *at*."""
        return at.astimezone(ZoneInfo(self.time_zone)).date()
