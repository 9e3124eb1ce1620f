"""The deployable source: every file parses, and it says exactly what the mapping names, of the types the org has."""

from __future__ import annotations

import json
import re
import tomllib
import xml.etree.ElementTree as ET
from dataclasses import fields, replace
from pathlib import PurePosixPath

from sync.deployable import PERMISSION_SET, deployable, own_names
from sync.embedded.org.objects_package import org_schema
from sync.mapping import WITHOUT_PACKAGE, Mapping

NS = "{http://soap.sforce.com/2006/04/metadata}"
OBJECTS = ("edition", "click_through", "history")
PARENTS = {
    "campaign": ("Campaign",),
    "member": ("CampaignMember",),
    "person": ("Lead", "Contact"),
    "edition": ("PAM_Email_Edition__c",),
    "click": ("PAM_Click_Through__c",),
    "history": ("PAM_Email_History__c",),
}
TYPES = {
    "Checkbox": "boolean",
    "Date": "date",
    "DateTime": "datetime",
    "Lookup": "reference",
    "MasterDetail": "reference",
    "Number": "double",
    "Summary": "double",
    "Text": "string",
    "Url": "url",
}


def text(tree: ET.Element, name: str) -> str:
    return tree.findtext(NS + name) or ""


def made(files: dict[str, str]) -> dict[tuple[str, str], ET.Element]:
    """Object and field → its definition."""
    out = {}
    for path, content in files.items():
        if path.endswith(".field-meta.xml"):
            tree = ET.fromstring(content)
            parent = PurePosixPath(path).parts[-3]
            assert PurePosixPath(path).name == f"{text(tree, 'fullName')}.field-meta.xml"
            out[parent, text(tree, "fullName")] = tree
    return out


def named(mapping: Mapping) -> set[tuple[str, str]]:
    """Object and field of every custom field that a mapping names."""
    return {
        (parent, name)
        for item in fields(mapping)
        if item.name not in OBJECTS and (name := getattr(mapping, item.name)).endswith("__c")
        for parent in PARENTS[item.name.partition("_")[0]]
    }


def test_it_makes_what_the_mapping_names_and_nothing_else() -> None:
    files = deployable(Mapping())
    names = own_names(Mapping())
    assert set(made(files)) == named(names)
    assert not [name for _, name in made(files) if "__" in name.removesuffix("__c")], "a namespace is nobody else's"
    for key in OBJECTS:
        name = getattr(names, key)
        tree = ET.fromstring(files[f"force-app/main/default/objects/{name}/{name}.object-meta.xml"])
        assert text(tree, "sharingModel") == "ControlledByParent"
    assert json.loads(files["sfdx-project.json"])["packageDirectories"][0]["path"] == "force-app"


def test_its_mapping_file_is_the_mapping_of_the_org_that_deployed_it() -> None:
    overrides = tomllib.loads(deployable(Mapping())["mapping.toml"])["orgs"]["main"]["mapping"]
    assert Mapping().with_overrides(overrides) == own_names(Mapping())
    mine = Mapping(member_level="Stage__c")
    assert ("CampaignMember", "Stage__c") in made(deployable(mine)), "a name of the org's own is kept"


def test_the_types_are_those_of_the_org_with_the_package() -> None:
    schema = org_schema(package=True)
    theirs = {item.name: getattr(Mapping(), item.name) for item in fields(Mapping)}
    back = {getattr(own_names(Mapping()), key): value for key, value in theirs.items() if value}
    for (parent, name), tree in made(deployable(Mapping())).items():
        field = schema.get(back.get(parent, parent)).find(back[name])
        assert field is not None
        assert TYPES[text(tree, "type")] == field.type, (parent, name)
        if text(tree, "type") == "Text":
            assert int(text(tree, "length")) == field.length
        assert (text(tree, "externalId") == "true") == field.external_id


def test_manifest_and_permission_set_name_what_there_is() -> None:
    files = deployable(Mapping())
    there = {f"{parent}.{name}" for parent, name in made(files)}
    manifest = ET.fromstring(files["manifest/package.xml"])
    listed = {text(part, "name"): [item.text for item in part.findall(NS + "members")] for part in manifest}
    assert set(listed["CustomField"]) == there
    assert set(listed["CustomObject"]) == {getattr(own_names(Mapping()), key) for key in OBJECTS}
    path = f"force-app/main/default/permissionsets/{PERMISSION_SET}.permissionset-meta.xml"
    rights = ET.fromstring(files[path]).findall(NS + "fieldPermissions")
    master = {f"{p}.{n}" for (p, n), tree in made(files).items() if text(tree, "type") == "MasterDetail"}
    assert {text(right, "field") for right in rights} == there - master, "a required field takes no permission"


def test_the_permission_set_can_be_deployed_by_itself() -> None:
    """The platform refuses "Read" or "Read All" of a detail whose master has it not in the same permission set."""
    files = deployable(Mapping())
    granted: dict[str, set[str]] = {}
    path = f"force-app/main/default/permissionsets/{PERMISSION_SET}.permissionset-meta.xml"
    for right in ET.fromstring(files[path]).findall(NS + "objectPermissions"):
        granted[text(right, "object")] = {each.tag.removeprefix(NS) for each in right if each.text == "true"}
    masters = {
        (p, text(tree, "referenceTo")) for (p, _), tree in made(files).items() if text(tree, "type") == "MasterDetail"
    }
    assert {master for _, master in masters} == {"Campaign"}
    for detail, master in masters:
        for wanted in ("allowRead", "viewAllRecords", "modifyAllRecords"):
            assert wanted not in granted[detail] or wanted in granted[master], (detail, wanted)
        assert "allowCreate" in granted[detail]
    assert granted["Campaign"] == {"allowRead", "viewAllRecords"}, "no more than is needed"
    written = [tree for tree in made(files).values() if text(tree, "type") == "MasterDetail"]
    assert {text(tree, "writeRequiresMasterRead") for tree in written} == {"true"}


def test_names_and_labels_keep_the_platforms_limits() -> None:
    files = deployable(Mapping())
    relationships: set[tuple[str, str]] = set()
    for (parent, name), tree in made(files).items():
        assert re.fullmatch(r"[A-Za-z](?:_?[A-Za-z0-9])*__c", name), name
        assert len(name.removesuffix("__c")) <= 40
        assert 0 < len(text(tree, "label")) <= 40
        if text(tree, "type") in ("Lookup", "MasterDetail"):
            relation = (text(tree, "referenceTo"), text(tree, "relationshipName"))
            assert relation not in relationships, f"{parent}.{name}: two child relationships of one name"
            relationships.add(relation)


def test_what_is_switched_off_is_left_out() -> None:
    assert made(deployable(WITHOUT_PACKAGE)) == {}
    files = deployable(replace(Mapping(), history="", member_active=""))
    assert not [path for path in files if "History" in path]
    assert ("Campaign", "PAM_Active_Members__c") not in made(files), "it would count a field that is not there"
