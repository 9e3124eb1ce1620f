"""The standard objects that campaigns need, as Salesforce's object reference lists them.

Only the fields that clients of campaigns read or write; each with its real type, length and rights.
"""

from __future__ import annotations

from dataclasses import replace

from sync.embedded.org.schema import Field, ObjectType

_READ = {"createable": False, "updateable": False}


def text(name: str, length: int, **more: object) -> Field:
    """A text field of at most ``length`` characters."""
    return replace(Field(name, "string", length=length), **more)  # type: ignore[arg-type]


def box(name: str, **more: object) -> Field:
    """A check box; off unless said otherwise."""
    return replace(Field(name, "boolean", nillable=False, default=False), **more)  # type: ignore[arg-type]


def number(name: str, kind: str = "double", **more: object) -> Field:
    """A number; ``kind`` is int, double, percent or currency."""
    sized = Field(name, kind, precision=0 if kind == "int" else 18)
    return replace(sized, **more)  # type: ignore[arg-type]


def look(name: str, target: str, relationship: str | None, **more: object) -> Field:
    """A reference to one object."""
    return replace(
        Field(name, "reference", length=18, reference_to=(target,), relationship=relationship),
        **more,  # type: ignore[arg-type]
    )


def choice(name: str, *values: str, **more: object) -> Field:
    """A picklist; not restricted unless said so."""
    return replace(Field(name, "picklist", length=255, picklist=values), **more)  # type: ignore[arg-type]


SYSTEM_START = (
    Field("Id", "id", length=18, nillable=False, default="", **_READ),  # type: ignore[arg-type]
    box("IsDeleted", **_READ),
)
_STAMP = {"nillable": False, "default": 0, **_READ}
SYSTEM_END = (
    Field("CreatedDate", "datetime", **_STAMP),  # type: ignore[arg-type]
    look("CreatedById", "User", "CreatedBy", **_STAMP),
    Field("LastModifiedDate", "datetime", **_STAMP),  # type: ignore[arg-type]
    look("LastModifiedById", "User", "LastModifiedBy", **_STAMP),
    Field("SystemModstamp", "datetime", indexed=True, **_STAMP),  # type: ignore[arg-type]
)
_OWNER = look("OwnerId", "User", "Owner", nillable=False, default="")
_SALUTATION = choice("Salutation", "Mr.", "Ms.", "Mrs.", "Dr.", "Prof.", length=40)
_SOURCE = choice("LeadSource", "Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other", length=255)
_FULL_NAME = "trim(ifnull({t}.FirstName || ' ', '') || {t}.LastName)"


def _address(stem: str) -> tuple[Field, ...]:
    return (
        Field(f"{stem}Street", "textarea", length=255),
        text(f"{stem}City", 40),
        text(f"{stem}State", 80),
        text(f"{stem}PostalCode", 20),
        text(f"{stem}Country", 80),
    )


def _phone(name: str) -> Field:
    return Field(name, "phone", length=40)


def _rollup(column: str) -> str:
    return f"(SELECT r.{column} FROM _rollup r WHERE r.CampaignId = {{t}}.Id)"


CAMPAIGN = ObjectType(
    "Campaign",
    "Campaign",
    "Campaigns",
    "701",
    (
        *SYSTEM_START,
        text("Name", 80, nillable=False, name_field=True, label="Campaign Name"),
        look("ParentId", "Campaign", "Parent"),
        choice("Type", "Adaptive", "Scheduled", "Drip", "Conference", "Webinar", "Trade Show", "Email", "Other"),
        choice("Status", "Planned", "In Progress", "Completed", "Aborted", default="Planned"),
        Field("StartDate", "date"),
        Field("EndDate", "date"),
        number("ExpectedRevenue", "currency"),
        number("BudgetedCost", "currency"),
        number("ActualCost", "currency"),
        number("NumberSent"),
        box("IsActive", label="Active"),
        Field("Description", "textarea", length=32000),
        number("NumberOfLeads", "int", expression=_rollup("Leads"), label="Leads in Campaign", **_READ),
        number("NumberOfConvertedLeads", "int", expression=_rollup("Converted"), **_READ),
        number("NumberOfContacts", "int", expression=_rollup("Contacts"), label="Contacts in Campaign", **_READ),
        number("NumberOfResponses", "int", expression=_rollup("Responses"), **_READ),
        _OWNER,
        *SYSTEM_END,
    ),
)

_SHARED = "CASE WHEN {{t}}.ContactId IS NOT NULL THEN {{Contact}}.{0} ELSE {{Lead}}.{1} END"


def _of_person(field: Field, on_contact: str | None = None) -> Field:
    expression = _SHARED.format(on_contact or field.name, field.name)
    return replace(field, expression=expression, derived=True, nillable=True, createable=False, updateable=False)


CAMPAIGN_MEMBER = ObjectType(
    "CampaignMember",
    "Campaign Member",
    "Campaign Members",
    "00v",
    (
        *SYSTEM_START,
        look("CampaignId", "Campaign", "Campaign", nillable=False, updateable=False, indexed=True, cascade_delete=True),
        look("LeadId", "Lead", "Lead", updateable=False, indexed=True, cascade_delete=True),
        look("ContactId", "Contact", "Contact", updateable=False, indexed=True, cascade_delete=True),
        look("AccountId", "Account", "Account", updateable=False),
        text("Status", 40, type="picklist"),
        box("HasResponded", **_READ),
        Field("FirstRespondedDate", "date", **_READ),  # type: ignore[arg-type]
        text(
            "Name",
            121,
            name_field=True,
            derived=True,
            expression="CASE WHEN {t}.ContactId IS NOT NULL "
            "THEN trim(ifnull({Contact}.FirstName || ' ', '') || {Contact}.LastName) "
            "ELSE trim(ifnull({Lead}.FirstName || ' ', '') || {Lead}.LastName) END",
            **_READ,
        ),
        _of_person(_SALUTATION),
        _of_person(text("FirstName", 40)),
        _of_person(text("LastName", 80)),
        _of_person(text("Title", 128)),
        _of_person(Field("Street", "textarea", length=255), "MailingStreet"),
        _of_person(text("City", 40), "MailingCity"),
        _of_person(text("State", 80), "MailingState"),
        _of_person(text("PostalCode", 20), "MailingPostalCode"),
        _of_person(text("Country", 80), "MailingCountry"),
        _of_person(Field("Email", "email", length=80)),
        _of_person(_phone("Phone")),
        _of_person(_phone("MobilePhone")),
        _of_person(_phone("Fax")),
        _of_person(Field("Description", "textarea", length=32000)),
        _of_person(box("DoNotCall")),
        _of_person(box("HasOptedOutOfEmail", label="Email Opt Out")),
        _of_person(box("HasOptedOutOfFax", label="Fax Opt Out")),
        _of_person(_SOURCE),
        text(
            "CompanyOrAccount",
            255,
            derived=True,
            expression="CASE WHEN {t}.ContactId IS NOT NULL THEN {Contact.Account}.Name ELSE {Lead}.Company END",
            **_READ,
        ),
        text(
            "Type",
            40,
            derived=True,
            expression="CASE WHEN {t}.ContactId IS NOT NULL THEN 'Contact' WHEN {t}.LeadId IS NOT NULL THEN 'Lead' "
            "ELSE 'Account' END",
            **_READ,
        ),
        Field(
            "LeadOrContactId",
            "reference",
            length=18,
            reference_to=("Contact", "Lead"),
            id_text=True,
            derived=True,
            expression="CASE WHEN {t}.ContactId IS NOT NULL THEN id_text('003', {t}.ContactId) "
            "WHEN {t}.LeadId IS NOT NULL THEN id_text('00Q', {t}.LeadId) END",
            createable=False,
            updateable=False,
        ),
        look(
            "LeadOrContactOwnerId",
            "User",
            None,
            derived=True,
            expression="CASE WHEN {t}.ContactId IS NOT NULL THEN {Contact}.OwnerId ELSE {Lead}.OwnerId END",
            **_READ,
        ),
        *SYSTEM_END,
    ),
)

CAMPAIGN_MEMBER_STATUS = ObjectType(
    "CampaignMemberStatus",
    "Campaign Member Status",
    "Campaign Member Status",
    "01Y",
    (
        *SYSTEM_START,
        look("CampaignId", "Campaign", "Campaign", nillable=False, updateable=False, indexed=True, cascade_delete=True),
        text("Label", 765, nillable=False, name_field=True),
        number("SortOrder", "int"),
        box("IsDefault", label="Default"),
        box("HasResponded", label="Responded"),
        *SYSTEM_END,
    ),
)

_PERSON_TAIL = (
    _phone("Phone"),
    _phone("MobilePhone"),
    _phone("Fax"),
    Field("Email", "email", length=80, indexed=True),
    text("Title", 128),
    Field("Description", "textarea", length=32000),
    _SOURCE,
    _OWNER,
    box("HasOptedOutOfEmail", label="Email Opt Out"),
    box("HasOptedOutOfFax", label="Fax Opt Out"),
    box("DoNotCall"),
    text("EmailBouncedReason", 255, updateable=False, createable=False),
    Field("EmailBouncedDate", "datetime", createable=False, updateable=False),
)

LEAD = ObjectType(
    "Lead",
    "Lead",
    "Leads",
    "00Q",
    (
        *SYSTEM_START,
        look("MasterRecordId", "Lead", "MasterRecord", **_READ),
        text("LastName", 80, nillable=False),
        text("FirstName", 40),
        _SALUTATION,
        text("Name", 121, name_field=True, label="Full Name", expression=_FULL_NAME, **_READ),
        text("Company", 255, nillable=False),
        *_address(""),
        Field("Website", "url", length=255),
        choice(
            "Status",
            "Open - Not Contacted",
            "Working - Contacted",
            "Closed - Converted",
            "Closed - Not Converted",
            default="Open - Not Contacted",
            nillable=False,
        ),
        choice("Industry", "Technology", "Manufacturing", "Healthcare", "Education", "Retail", "Other"),
        choice("Rating", "Hot", "Warm", "Cold"),
        *_PERSON_TAIL,
        box("IsConverted", label="Converted", **_READ),
        Field("ConvertedDate", "date", createable=False, updateable=False),
        look("ConvertedAccountId", "Account", "ConvertedAccount", **_READ),
        look("ConvertedContactId", "Contact", "ConvertedContact", **_READ),
        *SYSTEM_END,
    ),
)

CONTACT = ObjectType(
    "Contact",
    "Contact",
    "Contacts",
    "003",
    (
        *SYSTEM_START,
        look("MasterRecordId", "Contact", "MasterRecord", **_READ),
        look("AccountId", "Account", "Account"),
        text("LastName", 80, nillable=False),
        text("FirstName", 40),
        _SALUTATION,
        text("Name", 121, name_field=True, label="Full Name", expression=_FULL_NAME, **_READ),
        *_address("Mailing"),
        text("Department", 80),
        Field("Birthdate", "date"),
        *_PERSON_TAIL,
        *SYSTEM_END,
    ),
)

ACCOUNT = ObjectType(
    "Account",
    "Account",
    "Accounts",
    "001",
    (
        *SYSTEM_START,
        text("Name", 255, nillable=False, name_field=True, label="Account Name"),
        choice("Type", "Customer", "Prospect", "Partner", "Other"),
        *_address("Billing"),
        _phone("Phone"),
        Field("Website", "url", length=255),
        choice("Industry", "Technology", "Manufacturing", "Healthcare", "Education", "Retail", "Other"),
        Field("Description", "textarea", length=32000),
        _OWNER,
        *SYSTEM_END,
    ),
)

USER = ObjectType(
    "User",
    "User",
    "Users",
    "005",
    (
        SYSTEM_START[0],
        text("Username", 80, nillable=False, unique=True),
        text("LastName", 80, nillable=False),
        text("FirstName", 40),
        text("Name", 121, name_field=True, label="Full Name", expression=_FULL_NAME, **_READ),
        Field("Email", "email", length=128, nillable=False),
        text("Alias", 8, nillable=False),
        box("IsActive", label="Active"),
        choice("TimeZoneSidKey", nillable=False, length=40),
        choice("LocaleSidKey", nillable=False, length=40),
        choice("LanguageLocaleKey", nillable=False, length=40),
        choice("EmailEncodingKey", nillable=False, length=40),
        choice("UserType", "Standard", length=40, **_READ),
        look("ProfileId", "Profile", "Profile"),
        box("UserPermissionsMarketingUser", label="Marketing User"),
        *SYSTEM_END,
    ),
    createable=False,
    updateable=False,
    deletable=False,
)

PROFILE = ObjectType(
    "Profile",
    "Profile",
    "Profiles",
    "00e",
    (
        SYSTEM_START[0],
        text("Name", 255, nillable=False, name_field=True, label="Name"),
        choice("UserType", "Standard", length=40, **_READ),
        text("Description", 255),
        *SYSTEM_END,
    ),
    createable=False,
    updateable=False,
    deletable=False,
)

ORGANIZATION = ObjectType(
    "Organization",
    "Organization",
    "Organizations",
    "00D",
    (
        SYSTEM_START[0],
        text("Name", 80, nillable=False, name_field=True, label="Name"),
        text("InstanceName", 5, **_READ),
        text("NamespacePrefix", 15, **_READ),
        choice("OrganizationType", "Developer Edition", "Enterprise Edition", length=40, **_READ),
        box("IsSandbox", **_READ),
        choice("TimeZoneSidKey", length=40),
        choice("DefaultLocaleSidKey", length=40),
        choice("LanguageLocaleKey", length=40),
        text("PrimaryContact", 80),
        text("Country", 80),
        Field("TrialExpirationDate", "datetime", createable=False, updateable=False),
        *SYSTEM_END,
    ),
    createable=False,
    updateable=False,
    deletable=False,
)

STANDARD = (
    CAMPAIGN,
    CAMPAIGN_MEMBER,
    CAMPAIGN_MEMBER_STATUS,
    LEAD,
    CONTACT,
    ACCOUNT,
    USER,
    PROFILE,
    ORGANIZATION,
)
