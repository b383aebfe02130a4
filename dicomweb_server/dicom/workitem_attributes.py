"""PURE: the attributes of a workitem, and what creation, change, end and query require (PS3.4 table CC.2.5-3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum


class Given(Enum):
    """What a creation or a change has to say of an attribute (PS3.5 §7.4)."""

    VALUE = "1"  # it has to be there with a value
    PRESENT = "2"  # it has to be there, perhaps empty
    EMPTY = "2, empty"  # it has to be there, and empty
    VALUE_IF_ANY = "1C"  # if it is there, then with a value
    ANY = "3"
    NONE = "not allowed"


class Final(Enum):
    """What an end requires (table CC.2.5-1)."""

    ALWAYS = "R"
    IF_COMPLETED = "P"
    PRESENT_IF_COMPLETED = "P, empty"  # without items it says: nothing came of it
    IF_CANCELED = "X"
    NEVER = "O"


_CREATE = {each.value: each for each in Given} | {"2C": Given.ANY, "0": Given.EMPTY, "-": Given.NONE}
_CHANGE = {"3/1": Given.VALUE_IF_ANY, "3/2": Given.ANY, "1": Given.VALUE, "-": Given.NONE}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One row of the table. `returned`: its return key type is 1 or 2; `items`: the rows of a sequence's items."""

    tag: str
    create: Given
    change: Given
    final: Final = Final.NEVER
    returned: bool = False
    items: "tuple[Requirement, ...]" = ()


def _row(tag: str, create: str, change: str, final: str = "O", returned: str = "-", *items: Requirement) -> Requirement:
    return Requirement(tag, _CREATE[create], _CHANGE[change], Final(final), returned in "12", items)


_ITEM = ("1", "1")  # of type 1 wherever its item is
_CODE = (_row("00080100", "1C", "3/1"), _row("00080102", "1C", "3/1"), _row("00080104", *_ITEM))
_CONTENT_ITEM = (_row("0040A040", *_ITEM), _row("0040A043", *_ITEM, "O", "-", *_CODE))
_REFERENCE = (_row("00081150", *_ITEM), _row("00081155", *_ITEM))
# Referenced Instances and Access Macro (table CC.2.5-2c)
_INSTANCES = (
    _row("0040E020", *_ITEM),  # Type of Instances
    _row("0020000D", "1C", "3/1"),
    _row("0020000E", "1C", "3/1"),
    _row("00081199", *_ITEM, "O", "-", *_REFERENCE),
)
_OTHER_IDS = (_row("00100020", *_ITEM), _row("00100021", "2", "3/2"), _row("00100024", "2", "3/2"))
_REQUEST = (
    _row("0020000D", "1", "-"),
    _row("00080050", "2", "-"),
    _row("00080051", "2", "-"),  # Issuer of Accession Number Sequence
    _row("00402016", "1C", "-"),  # Placer Order Number
    _row("00400026", "2", "-"),  # Order Placer Identifier Sequence
    _row("00402017", "1C", "-"),  # Filler Order Number
    _row("00400027", "2", "-"),  # Order Filler Identifier Sequence
    _row("00401001", "2", "-"),  # Requested Procedure ID
    _row("00321060", "2", "-"),  # Requested Procedure Description
    _row("00321064", "2", "-", "O", "-", *_CODE),
)
_PROGRESS = (
    _row("00741004", "-", "3/1"),  # Procedure Step Progress
    _row("00741006", "-", "3/1"),  # … Description
    _row(
        "00741008", "-", "3/1", "O", "-", _row("0074100A", *_ITEM), _row("0074100C", "1C", "3/1")
    ),  # Communications URI
    _row("00404052", "-", "3/1", "X"),  # Procedure Step Cancellation DateTime
    _row("00741238", "-", "3/1"),  # Reason for Cancellation
    _row("0074100E", "-", "3/1", "X", "-", *_CODE),  # Discontinuation Reason Code
)
_PERFORMED = (
    _row("00404035", "-", "3/1"),  # Actual Human Performers
    _row("00404028", "-", "3/2", "P", "-", *_CODE),  # Performed Station Name Code
    _row("00404029", "-", "3/2", "O", "-", *_CODE),
    _row("00404030", "-", "3/2", "O", "-", *_CODE),
    _row("00404050", "-", "3/1", "P"),  # Performed Procedure Step Start DateTime
    _row("00404051", "-", "3/1", "P"),  # … End DateTime
    _row("00400254", "-", "3/1"),  # Performed Procedure Step Description
    _row("00400280", "-", "3/1"),  # Comments on the Performed Procedure Step
    _row("00404019", "-", "3/1", "P", "-", *_CODE),  # Performed Workitem Code
    _row("00741212", "-", "3/1", "O", "-", *_CONTENT_ITEM),  # Performed Processing Parameters
    _row("00404033", "-", "3/2", "P, empty", "-", *_INSTANCES),  # Output Information; of type 2, at the end only
)

TABLE: Sequence[Requirement] = (
    _row("00081195", "0", "-"),  # Transaction UID: a lock, beside the data set of a change
    # Unified Procedure Step Scheduled Procedure Information
    _row("00741200", "1", "3/1", "R", "1"),  # Scheduled Procedure Step Priority
    _row("00404010", "3", "3/2", "R"),  # Modification DateTime, which is ours to say
    _row("00741204", "1", "3/1", "O", "1"),  # Procedure Step Label
    _row("00741202", "2", "3/1", "O", "1"),  # Worklist Label
    _row("00741210", "2", "3/2", "O", "2", *_CONTENT_ITEM),  # Scheduled Processing Parameters
    _row("00404025", "2", "3/2", "O", "2", *_CODE),  # Scheduled Station Name Code
    _row("00404026", "2", "3/2", "O", "2", *_CODE),  # … Class Code
    _row("00404027", "2", "3/2", "O", "2", *_CODE),  # … Geographic Location Code
    _row(  # Scheduled Human Performers
        "00404034", "2C", "3/2", "O", "2",
        _row("00404009", *_ITEM, "O", "-", *_CODE), _row("00404037", *_ITEM), _row("00404036", *_ITEM),
    ),
    _row("00404005", "1", "3/1", "R", "1"),  # Scheduled Procedure Step Start DateTime
    _row("00404011", "1C", "3/1"),  # Expected Completion DateTime
    _row("00404008", "3", "3/2"),  # Expiration DateTime
    _row("00404018", "2", "3/1", "O", "2", *_CODE),  # Scheduled Workitem Code
    _row("00400400", "2", "3/1"),  # Comments on the Scheduled Procedure Step
    _row("00404041", "1", "3/1", "R", "1"),  # Input Readiness State
    _row("00404021", "2", "3/2", "O", "2", *_INSTANCES),  # Input Information
    _row("0020000D", "1C", "3/2", "O", "2"),  # Study Instance UID
    # Unified Procedure Step Relationship
    _row("00100010", "2", "-", "O", "2"),
    _row("00100020", "1C", "-", "O", "2"),
    _row("00100021", "2", "-", "O", "2"),  # Issuer of Patient ID
    _row("00100024", "2", "-", "O", "2"),  # … Qualifiers
    _row("00101002", "2", "3/2", "O", "2", *_OTHER_IDS),  # Other Patient IDs
    _row("00100030", "2", "-", "O", "2"),
    _row("00100040", "2", "-", "O", "2"),
    _row("00380010", "2", "-", "O", "2"),  # Admission ID
    _row("00380014", "2", "-", "O", "2"),
    _row("00081080", "2", "-", "O", "2"),  # Admitting Diagnoses Description
    _row("00081084", "2", "-", "O", "2", *_CODE),
    _row("0040A370", "2", "-", "O", "2", *_REQUEST),  # Referenced Request
    _row("00741224", "1C", "-", "O", "-", *_REFERENCE),  # Replaced Procedure Step
    _row("00102000", "3", "3/2", "O", "2"),  # Medical Alerts
    _row("001021C0", "3", "3/2", "O", "2"),  # Pregnancy Status
    _row("00380050", "3", "3/2", "O", "2"),  # Special Needs
    # Unified Procedure Step Progress Information
    _row("00741000", "1", "-", "R", "1"),  # Procedure Step State
    _row("00741002", "0", "3/2", "X", "2", *_PROGRESS),
    # Unified Procedure Step Performed Procedure Information
    _row("00741216", "0", "3/2", "P", "-", *_PERFORMED),
)  # fmt: skip
BY_TAG: Mapping[str, Requirement] = {each.tag: each for each in TABLE}
# What an answer to a query has although nobody asked for it, beside the UIDs (PS3.18 §11.9.3.2).
RETURNED: Sequence[str] = ("00080016", "00080018", *(each.tag for each in TABLE if each.returned))

# Attributes with defined terms, in items or not (PS3.3 §C.30.1).
TERMS: Mapping[str, frozenset[str]] = {
    "00741200": frozenset({"HIGH", "MEDIUM", "LOW"}),
    "00404041": frozenset({"READY", "UNAVAILABLE", "INCOMPLETE"}),
}
