"""What each key of the configuration is for, in a sentence; the settings screen shows it. Pure data."""

from __future__ import annotations

SECTIONS = {
    "": "Org",
    "timers": "Timers",
    "console": "Console, for all orgs",
    "salesforce": "Salesforce",
    "predictive": "Predictive",
    "secrets": "Secrets",
    "budget": "API budget",
    "guards": "Guards",
    "status_on": "Status by level",
    "state": "State",
    "mapping": "API names",
}
"""Parts of the configuration in the order in which they are shown, what is changed most often first."""

TEXTS = {
    "read_only": "Nothing is written to either side; scheduled runs are simulations.",
    "production": "Shows PRODUCTION in the top line, reversed.",
    "takeover": "Write although other users wrote the package's fields lately; doctor names them.",
    "nightly_closed": "The nightly run also takes closed campaigns. It costs calls for nothing.",
    "auto_sync": "Campaigns with auto-sync, for an org without the package's field.",
    "test_members": "Global test members, for an org without the package's field.",
    "state.url": "Where runs, journal and landed rows are kept.",
    "salesforce.instance_url": "The org's own address (My Domain), not login.salesforce.com.",
    "salesforce.api_version": "Version of the REST API.",
    "salesforce.auth": "How to log in.",
    "salesforce.client_id": "Client id of the External Client App.",
    "salesforce.ca": "A PEM file to trust beside the system's own.",
    "predictive.base_url": "Address of the Predictive service.",
    "predictive.ca": "A PEM file to trust beside the system's own.",
    "console.theme": "How the console looks: auto is dark, or 16 colours where the terminal has no more.",
    "console.bell": "Rings the terminal's bell when something needs a person.",
    "timers.enabled": "Hourly and nightly runs start by themselves while a console or a worker is open.",
    "timers.hourly_minute": "Minute of the hour at which the hourly run starts.",
    "timers.nightly": "Time of day of the nightly run, UTC.",
    "budget.warn": "Share of the daily API limit at which the meter warns.",
    "budget.pause": "Share at which statistics in the background wait.",
    "budget.stop": "Share at which all but opt-outs stops.",
    "budget.resume": "Share below which everything goes on again.",
    "budget.daily_cap": "Most Salesforce calls a day, beside the shares.",
    "budget.run_cap": "Most Salesforce calls of one run.",
    "guards.delete_share": "Refuse removals of more than this share of a campaign …",
    "guards.delete_floor": "… and of more than this many members.",
    "guards.delete_run": "Refuse more removals than this in one run.",
    "guards.empty_from": "Refuse when a side has nothing where this many were known.",
    "guards.changed_share": "Refuse when one field changed for more than this share …",
    "guards.changed_from": "… of at least this many members.",
    "guards.blank_share": "Refuse when names or addresses turn empty for more than this share …",
    "guards.blank_floor": "… and for more than this many members.",
    "guards.flood_first": "Refuse more mails than this for a campaign that never sent.",
    "guards.flood_run": "Refuse more mails than this in one run.",
    "status_on.sent": "Status of a member whose mail was sent; without it the default status.",
    "status_on.opened": "Status of a member who opened; without it none.",
    "status_on.clicked": "Status of a member who clicked; without it none.",
    "status_on.completed": "Status of a member who completed; without it the first responded one.",
    "secrets.salesforce.client_secret": "Secret of the External Client App.",
    "secrets.salesforce.access_token": 'An access token of yours, for auth = "token".',
    "secrets.predictive.token": "Token of the Predictive service.",
}


def text_of(section: str, key: str) -> str:
    """The sentence of a key."""
    if section == "mapping":
        return 'API name in this org; "" switches it off: its writes are dropped and listed once.'
    return TEXTS.get(f"{section}.{key}" if section else key, "")
