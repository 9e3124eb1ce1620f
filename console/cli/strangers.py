"""What people do in Salesforce while the engine looks elsewhere, done by a plain HTTP client for the tour.

Shares nothing with the engine's adapter: the tour would prove little if the same code made the changes and read them.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from typing import Any

PEOPLE = (("Amara", "Okafor"), ("Jean", "Dupont"), ("Lê", "Thị Hoa"))
MORE_PEOPLE = (("Ana", "Kovač"), ("Tomás", "Ruiz"))


def _client() -> Any:
    import httpx

    return httpx.Client(timeout=30, trust_env=False)


@dataclass(frozen=True, slots=True)
class PlainOrg:
    """REST requests to the org, one record a request, as a person's clicks would be."""

    instance_url: str
    version: str
    token: str
    http: Any = field(default_factory=_client, repr=False)

    def request(self, method: str, path: str, body: Any = None, **params: str) -> Any:
        """One request; its JSON answer, None when it has none. Raises httpx.HTTPError."""
        answer = self.http.request(
            method,
            f"{self.instance_url}/services/data/v{self.version}{path}",
            json=body,
            params=params,
            headers={"Authorization": f"Bearer {self.token}"},
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def query(self, soql: str) -> list[dict[str, Any]]:
        """The first page of a query."""
        rows: list[dict[str, Any]] = self.request("GET", "/query", q=soql)["records"]
        return rows

    def stir(self, campaign: str, people: tuple[tuple[str, str], ...] = PEOPLE) -> tuple[str, ...]:
        """Add *people*, remove two, change an e-mail address, set a status; a sentence for each."""
        rows = self.query(
            "SELECT Id, Status, LeadId, Lead.Name, Contact.Name FROM CampaignMember "
            f"WHERE CampaignId = '{campaign}' ORDER BY Id LIMIT 40"
        )
        done = []
        for first, last in people:
            local = unicodedata.normalize("NFKD", f"{first}.{last.split()[0]}").encode("ascii", "ignore").decode()
            email = f"{local.lower()}@firma.example"
            person = {"FirstName": first, "LastName": last, "Company": "Firma", "Email": email}
            lead = self.request("POST", "/sobjects/Lead", person)["id"]
            self.request("POST", "/sobjects/CampaignMember", {"CampaignId": campaign, "LeadId": lead})
            done.append(f"+ {first} {last} is added")
        for row in rows[:2]:
            self.request("DELETE", f"/sobjects/CampaignMember/{row['Id']}")
            done.append(f"− {_name(row)} is removed")
        moved = next(row for row in rows[2:] if row["LeadId"])
        self.request("PATCH", f"/sobjects/Lead/{moved['LeadId']}", {"Email": "new.address@firma.example"})
        done.append(f"~ {_name(moved)} has a new e-mail address")
        other = next(row for row in rows[2:] if row is not moved)
        label = self._another_label(campaign, other["Status"])
        self.request("PATCH", f"/sobjects/CampaignMember/{other['Id']}", {"Status": label})
        done.append(f"~ {_name(other)} is set to “{label}” by hand")
        return tuple(done)

    def _another_label(self, campaign: str, present: str) -> str:
        labels = self.query(
            f"SELECT Label FROM CampaignMemberStatus WHERE CampaignId = '{campaign}' ORDER BY SortOrder DESC"
        )
        return str(next(row["Label"] for row in labels if row["Label"] != present))


def _name(row: dict[str, Any]) -> str:
    return str((row["Lead"] or row["Contact"])["Name"])
