"""The seeded campaigns: one that is ready to start, then types, states and names of every kind. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CampaignSeed:
    """A campaign; ``start`` and ``end`` are days from the day of the seed, ``odd`` its share of odd members."""

    name: str
    type: str
    status: str
    active: bool
    auto_sync: bool
    start: int | None
    end: int | None
    description: str | None = None
    extra_statuses: tuple[tuple[str, bool], ...] = (("Registered", False), ("Attended", True))
    odd: bool = True


_EIGHTY = "Quarterly regional partner and reseller update for the whole of Northern Europe"
FIRST = CampaignSeed(
    "Spring launch 2027",
    "Adaptive",
    "In Progress",
    True,
    True,
    -30,
    60,
    "Product launch to customers and prospects",
    odd=False,
)

_SHOWCASE = (
    CampaignSeed(
        "Ζητήματα πελατών",
        "Adaptive",
        "In Progress",
        True,
        True,
        -20,
        40,
        extra_statuses=(("Εγγεγραμμένος", False), ("Παρευρέθηκε", True)),
    ),
    CampaignSeed("Weekly product news", "Scheduled", "In Progress", True, True, -60, 120),
    CampaignSeed("Onboarding: first 30 days", "Drip", "In Progress", True, True, -10, 180),
    CampaignSeed(
        "Kundenfrühstück München",
        "Webinar",
        "In Progress",
        True,
        False,
        -5,
        14,
        extra_statuses=(("Angemeldet", False), ("Teilgenommen", True), ("No Show", False)),
    ),
    CampaignSeed(
        "Autumn fair 2026", "Scheduled", "Completed", False, True, -150, -90, "Closed, but still in the nightly run"
    ),
    CampaignSeed("Winter clearance", "Drip", "Completed", False, False, -120, -45),
    CampaignSeed("[bold red]Beta[/] testers & <friends> [#12]", "Adaptive", "Planned", False, False, 20, 80),
    CampaignSeed(
        "مؤتمر العملاء ٢٠٢٧",
        "Adaptive",
        "In Progress",
        True,
        True,
        -15,
        45,
        extra_statuses=(("مسجل", False), ("حضر", True)),
    ),
    CampaignSeed("Summer party 🎉☀️ 👩‍👩‍👧 family edition", "Drip", "Planned", True, False, 45, 75),
    CampaignSeed(_EIGHTY + "!" * (80 - len(_EIGHTY)), "Scheduled", "In Progress", True, True, -40, 20),
    CampaignSeed(
        "日本語ニュースレター", "Scheduled", "In Progress", True, True, -200, -3, "Ended, not yet marked as completed"
    ),
)

_TOPICS = (
    "Renewal reminders",
    "Newsletter",
    "Upgrade path",
    "Customer story",
    "Product tour",
    "Training days",
    "Partner update",
    "Survey",
    "Win-back",
    "Price change",
)
_REGIONS = ("EMEA", "Nordics", "DACH", "Iberia", "North America", "APAC", "Ελλάδα", "Česko", "Việt Nam", "中国")
_STATES = (
    ("In Progress", True, True, -25, 90),
    ("In Progress", True, True, -10, 45),
    ("In Progress", True, False, -40, 30),
    ("Planned", False, False, 10, 70),
    ("Completed", False, True, -160, -30),
    ("In Progress", True, True, -70, 15),
)
_TYPES = ("Adaptive", "Scheduled", "Drip", "Adaptive", "Scheduled", "Adaptive", "Drip", "Email")


def campaign_seeds(count: int) -> list[CampaignSeed]:
    """The first ``count`` campaigns, no two of one name."""
    found = [FIRST, *_SHOWCASE][:count]
    for number in range(len(found), count):
        status, active, auto, start, end = _STATES[number % len(_STATES)]
        name = f"{_TOPICS[number % len(_TOPICS)]} {_REGIONS[number // len(_TOPICS) % len(_REGIONS)]} {number + 1}"
        found.append(CampaignSeed(name, _TYPES[number % len(_TYPES)], status, active, auto, start, end))
    return found
