"""Options about work beside the requests; a part of the table of options."""

from collections.abc import Mapping
from dataclasses import dataclass

from dicomweb_server.settings.kinds import Integer, Several, Text, Toggle
from dicomweb_server.settings.option import option
from dicomweb_server.settings.routes import Route, Routes
from dicomweb_server.settings.workitem_templates import WorkitemTemplate, WorkitemTemplates
from dicomweb_server.settings.worklist_options import WorklistSettings

_GROUP = "Jobs"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSettings(WorklistSettings):
    """How many jobs run, how long they are remembered, and which ones are made by rules."""

    concurrent_jobs: int = option(_GROUP, Integer(1, 1000), "Most jobs that run at one time.", default=2)
    jobs_history_size: int = option(
        _GROUP,
        Integer(0, 1_000_000),
        "How many jobs that succeeded are kept, and how many that failed.",
        default=1000,
    )
    save_jobs: bool = option(
        _GROUP, Toggle(), "Keep jobs over a restart, where they go on; otherwise forget them.", default=True
    )
    priors_newest: int = option(
        _GROUP, Integer(0, 10_000), "How many earlier studies of a patient are fetched by routes; 0 is all.", default=5
    )
    priors_years: int = option(
        _GROUP, Integer(0, 100), "How old, in years, these may be; 0 is no such limit.", default=5
    )
    priors_same_modality: bool = option(
        _GROUP, Toggle(), "Fetch only those that have a modality of the new study.", default=False
    )
    worklist_priors: tuple[str, ...] = option(
        _GROUP,
        Several(Text("the name of a modality")),
        "Modalities from which earlier studies of a patient are fetched when a step is scheduled.",
        default=(),
    )
    workitem_templates: Mapping[str, WorkitemTemplate] = option(
        _GROUP, WorkitemTemplates(), "What the workitems have in common that routes schedule for studies.", default={}
    )
    routes: Mapping[str, Route] = option(
        _GROUP, Routes(), "Rules by which what arrives is sent on, or worked on; see Routing.", default={}
    )
