"""Further options of DIMSE and those of the modality worklist; a part of the table of options."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dicomweb_server.dicom.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicomweb_server.settings.entities import ApplicationEntities, ApplicationEntity
from dicomweb_server.settings.kinds import FilePath, Integer, Seconds, Several, Text, Toggle
from dicomweb_server.settings.modalities import AE_TITLE
from dicomweb_server.settings.option import option
from dicomweb_server.settings.remote_options import RemoteSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class WorklistSettings(RemoteSettings):
    """A part of the settings."""

    other_ae_titles: tuple[str, ...] = option(
        "DIMSE", Several(AE_TITLE), "AE titles by which this server may be called beside its own.", default=()
    )
    application_entities: Mapping[str, ApplicationEntity] = option(
        "DIMSE",
        ApplicationEntities(),
        "Further application entities, which may have a port of their own and show only what has their labels.",
        default={},
    )
    ae_title_case: bool = option(
        "DIMSE",
        Toggle(),
        "Whether capital and small letters differ in AE titles, as the standard says; many servers take them as equal.",
        default=True,
    )
    max_associations_per_address: int = option(
        "DIMSE",
        Integer(0, 10_000),
        "Most associations at one time with one address; 0 is as many as in all.",
        default=0,
    )
    association_timeout: float = option(
        "DIMSE",
        Seconds(1, 3600),
        "How long a node may take for its association request, or to answer ours (ARTIM, PS3.8 9.1.5).",
        default=30.0,
    )
    closing_timeout: float = option(
        "DIMSE",
        Seconds(0.1, 60),
        "How long a node may take to close the connection of an association that is over, before we do (ARTIM, too).",
        default=0.5,
    )
    implementation_class_uid: str = option(
        "DIMSE",
        Text("a UID", r"(?=.{1,64}$)(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+"),
        "Which software nodes are told that this is (PS3.7 D.3.3.2); files say who made them whatever this is.",
        default=IMPLEMENTATION_CLASS_UID,
    )
    implementation_version_name: str = option(
        "DIMSE",
        Text("1 to 16 printable ASCII characters, no backslash", r"[\x20-\x5b\x5d-\x7e]{1,16}"),
        "And which version of it.",
        default=IMPLEMENTATION_VERSION_NAME,
    )
    accepted_transfer_syntaxes: tuple[str, ...] = option(
        "DIMSE",
        Several(Text("a UID, or a pattern of UIDs with * and ?", r"[0-9.*?]{1,64}")),
        "If given, the only transfer syntaxes in which nodes may store.",
        default=(),
    )
    dimse_require_user: bool = option(
        "DIMSE",
        Toggle(),
        "Refuse nodes that do not say who they are by the name and password of one of `users` (PS3.7 D.3.3.7).",
        default=False,
    )
    fallback_archive: str | None = option(
        "DIMSE",
        Text("empty, or the name of a modality", optional=True),
        "Modality from which is fetched what C-MOVE and C-GET ask for and is not here.",
        default=None,
    )
    find_elsewhere: bool = option(
        "DIMSE",
        Toggle(),
        "Answer C-FIND also with what fallback_archive finds and is not here; it can be had by C-MOVE and C-GET then.",
        default=False,
    )
    fetch_available: tuple[str, ...] = option(
        "DIMSE",
        Several(Text("the name of a modality")),
        "Modalities from which is fetched what they tell that they have (Instance Availability Notification).",
        default=(),
    )
    synchronous_move: bool = option(
        "DIMSE",
        Toggle(),
        "Answer C-MOVE when all is sent; otherwise at once, and a job sends, again and again for `retry_for`.",
        default=True,
    )
    commitment_reports: int = option(
        "DIMSE",
        Integer(1, 100_000),
        "How many storage commitments that this server asked for are remembered, with what was told about them.",
        default=100,
    )
    worklist: bool = option(
        "Worklist",
        Toggle(),
        "Answer queries of the modality worklist, and take reports of performed procedure steps (MPPS).",
        default=True,
    )
    mpps_forward: tuple[str, ...] = option(
        "Worklist",
        Several(Text("the name of a modality")),
        "Modalities to which reports of performed procedure steps (MPPS) are passed on, such as the RIS.",
        default=(),
    )
    mpps_notify: tuple[str, ...] = option(
        "Worklist",
        Several(Text("the name of a modality")),
        "Modalities that are told of each report of a performed step, so that they can ask for the step (N-GET).",
        default=(),
    )
    worklist_folder: Path | None = option(
        "Worklist",
        FilePath(optional=True),
        "Folder of worklist files (*.wl) that others write; those in a folder below it are for who calls by its name.",
        default=None,
    )
    worklist_import: tuple[str, ...] = option(
        "Worklist",
        Several(Text("the name of a modality")),
        "Modalities, such as the RIS, whose scheduled steps are taken over by queries of their worklists.",
        default=(),
    )
    worklist_import_interval: float = option(
        "Worklist", Seconds(10, 86400), "How often their worklists are asked.", default=300.0
    )
    worklist_import_days: int = option(
        "Worklist",
        Integer(0, 366),
        "Steps that start from yesterday up to so many days from now are taken over.",
        default=7,
    )
    worklist_own_station: bool = option(
        "Worklist",
        Toggle(),
        "Offer each node only the steps that are scheduled for its own AE title.",
        default=False,
    )
    worklist_limit: int = option(
        "Worklist", Integer(0, 1_000_000), "Most answers to one query of the worklist; 0 is all.", default=0
    )
    worklist_study_uid: bool = option(
        "Worklist", Toggle(), "Give steps that are scheduled without a Study Instance UID a new one.", default=True
    )
    worklist_remove_stored: bool = option(
        "Worklist",
        Toggle(),
        "Remove a step that was scheduled by REST when its study is stored and has not changed for a minute.",
        default=True,
    )
    worklist_keep: float = option(
        "Worklist",
        Seconds(0, 10**9),
        "How long after it was scheduled by REST a step is removed in any case; 0 is never.",
        default=0.0,
    )
    worklist_interval: float = option(
        "Worklist", Seconds(1, 86400), "How often is looked for steps to be removed.", default=60.0
    )
    workitems: bool = option("Worklist", Toggle(), "Keep workitems (Unified Procedure Steps, UPS).", default=True)
    workitem_keep: float = option(
        "Worklist",
        Seconds(0, 10**9),
        "How long a workitem (UPS) is kept after its end, longer while a deletion lock holds it; 0 is for ever.",
        default=604800.0,
    )
