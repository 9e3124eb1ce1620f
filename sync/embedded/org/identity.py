"""Who the integration user is, in the forms that the login interfaces show."""

from __future__ import annotations

from typing import Any

from sync.embedded.org.core import Org
from sync.embedded.org.ids import encoder

_COLUMNS = (
    "Username, FirstName, LastName, Email, IsActive, TimeZoneSidKey, LocaleSidKey, LanguageLocaleKey, SystemModstamp"
)


def is_user(org: Org, username: str) -> bool:
    """Whether the org has an active user of that name, whatever its case."""
    with org.store.reading() as connection:
        sql = "SELECT 1 FROM User WHERE Username = ? COLLATE NOCASE AND IsActive = 1"
        return connection.execute(sql, (username,)).fetchone() is not None


def _user(org: Org) -> tuple[Any, ...]:
    with org.store.reading() as connection:
        sql = f"SELECT {_COLUMNS} FROM User WHERE Id = ?"
        found: tuple[Any, ...] = connection.execute(sql, (org.identity.user,)).fetchone()
        return found


def user_name(org: Org) -> str:
    """The integration user's name to log in with."""
    return str(_user(org)[0])


def identity(org: Org, instance_url: str) -> dict[str, Any]:
    """What ``/services/oauth2/userinfo`` and ``/id/{org}/{user}`` answer."""
    name, first, last, email, active, zone, locale, language, stamp = _user(org)
    base = f"{instance_url}/services/data/v{{version}}"
    where = f"{instance_url}/id/{org.organization_id}/{org.user_id}"
    soap = f"{instance_url}/services/Soap"
    return {
        "id": where,
        "sub": where,
        "asserted_user": True,
        "user_id": org.user_id,
        "organization_id": org.organization_id,
        "username": name,
        "preferred_username": name,
        "nick_name": first,
        "nickname": first,
        "name": f"{first} {last}",
        "display_name": f"{first} {last}",
        "email": email,
        "email_verified": True,
        "given_name": first,
        "family_name": last,
        "first_name": first,
        "last_name": last,
        "zoneinfo": zone,
        "timezone": zone,
        "locale": locale,
        "language": language,
        "active": bool(active),
        "is_salesforce_integration_user": False,
        "user_type": "STANDARD",
        "utcOffset": 0,
        "updated_at": stamp,
        "urls": {
            "enterprise": f"{soap}/c/{{version}}/{org.organization_id[:15]}",
            "partner": f"{soap}/u/{{version}}/{org.organization_id[:15]}",
            "rest": f"{base}/",
            "sobjects": f"{base}/sobjects/",
            "query": f"{base}/query/",
            "search": f"{base}/search/",
            "recent": f"{base}/recent/",
            "profile": f"{instance_url}/{org.user_id}",
            "custom_domain": instance_url,
        },
    }


def soap_user_info(org: Org) -> dict[str, str | bool | int]:
    """The elements of ``getUserInfo``."""
    name, first, last, email, _, zone, locale, language, _ = _user(org)
    with org.store.reading() as connection:
        (organization,) = connection.execute("SELECT Name FROM Organization").fetchone()
        (profile,) = connection.execute("SELECT ProfileId FROM User WHERE Id = ?", (org.identity.user,)).fetchone()
    return {
        "accessibilityMode": False,
        "organizationId": org.organization_id,
        "organizationMultiCurrency": False,
        "organizationName": organization,
        "profileId": encoder("00e")(profile),
        "sessionSecondsValid": int(org.state.switches.session_seconds or 7_200),
        "userEmail": email,
        "userFullName": f"{first} {last}",
        "userId": org.user_id,
        "userLanguage": language,
        "userLocale": locale,
        "userName": name,
        "userTimeZone": zone,
        "userType": "Standard",
    }
