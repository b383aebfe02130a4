"""Edit: rules applied to the encoded elements of an instance. Only what changes is encoded anew, pixels are not read.

The encoding stays: byte order, explicit or implicit VR, deflation, compression of the pixel data.
"""

from dicomweb_server.dicom.edit_level import INSTANCE_UID, SOP_CLASS_UID, Editor, Note, Place, Task, Traced
from dicomweb_server.dicom.edit_rules import Outcome, Site
from dicomweb_server.dicom.edited import Edited, Output, deflated
from dicomweb_server.dicom.elements import is_signed
from dicomweb_server.dicom.header import Header
from dicomweb_server.dicom.part10 import edited_file_meta
from dicomweb_server.dicom.uids import uid_from

__all__ = ["Edited", "Note", "Outcome", "Task", "edit", "with_file_meta"]


def edit(header: Header, task: Task, trace: list[Traced] | None = None) -> Edited:
    """The instance after its edit; ServerError(CANNOT_UNDERSTAND) if it breaks the rules of PS3.5.

    `trace`: is told what became of each element of the top level.
    """
    editor = Editor(header.buffer, task)
    signed = not header.encoding.explicit and is_signed(header.buffer, header.start, header.end, header.encoding)
    site = Site(header.encoding, aimed_at=task.charset, facts=task.facts)
    output = editor.level(header.start, header.end, task.rules, site, Place(signed=signed), trace)
    if output is None:
        output = Output()
        output.copy(header.buffer, header.start, header.end)
    return with_file_meta(header, task, editor, output)


def with_file_meta(header: Header, task: Task, editor: Editor, output: Output) -> Edited:
    """The Part 10 file of a data set that was edited."""
    uids = {tag: uid_from(raw) for tag, raw in editor.identity.items()}
    source = header.file_meta if task.keep_file_meta else {}
    identity = (uids.get(SOP_CLASS_UID, ""), uids.get(INSTANCE_UID, ""))
    meta = edited_file_meta(source, *identity, header.transfer_syntax_uid)
    data_set = Edited(output.size, header.buffer, output.pieces)
    if header.encoding.deflated:
        return deflated(meta, data_set)
    return Edited(len(meta) + output.size, header.buffer, [meta, *output.pieces])
