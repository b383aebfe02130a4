// The explorer: chooses a view by the address (#/…), and shows the list of studies.
import { showAssociations } from "./associations.js";
import * as dicomweb from "./dicomweb.js";
import { make, note, table } from "./elements.js";
import * as rest from "./rest.js";
import { showSeries } from "./series.js";
import { showStudy } from "./study.js";
import { watchUploads } from "./upload.js";

const view = document.getElementById("view");
const PAGE = 50;
const FIELDS = [
  ["PatientName", "Patient name", "text"], ["PatientID", "Patient ID", "text"], ["AccessionNumber", "Accession number", "text"],
  ["StudyDescription", "Description", "text"], ["ModalitiesInStudy", "Modality", "text"], ["from", "From", "date"], ["to", "To", "date"],
];
let shown; // aborts the loads of the view before

function matchingKeys(form) {
  const keys = {};
  for (const [key, value] of form) {
    if (!value || key === "from" || key === "to" || key === "page") continue;
    const exact = key === "ModalitiesInStudy";
    keys[key] = exact ? value.toUpperCase() : /[*?]/.test(value) ? value : `*${value}*`;
  }
  const day = (name) => (form.get(name) ?? "").replaceAll("-", "");
  if (day("from") || day("to")) keys.StudyDate = `${day("from")}-${day("to")}`;
  return keys;
}

function filterForm(query) {
  const form = make("form", { className: "filter", role: "search" });
  for (const [key, label, type] of FIELDS) {
    form.append(make("label", {}, label, make("input", { name: key, type, value: query.get(key) ?? "", autocomplete: "off" })));
  }
  let waiting;
  const search = () => {
    const entries = [...new FormData(form)].filter(([, value]) => value);
    history.replaceState(null, "", `#/?${new URLSearchParams(entries)}`);
    listStudies(form, new URLSearchParams(entries));
  };
  form.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(search, 300); });
  form.addEventListener("submit", (event) => { event.preventDefault(); search(); });
  return form;
}

function studyRow(match) {
  const uid = dicomweb.text(match, "0020000D");
  const open = () => { location.hash = `#/studies/${uid}`; };
  const cell = (content, kind = "") => make("td", { className: kind }, content);
  const patient = make("a", { href: `#/studies/${uid}` }, dicomweb.text(match, "00100010") || "(no name)");
  const modalities = dicomweb.values(match, "00080061").map((code) => make("span", { className: "badge" }, code));
  return make("tr", { className: "link", onclick: open },
    make("td", {}, patient), cell(dicomweb.text(match, "00100020")), cell(dicomweb.date(match, "00080020"), "date"),
    cell(dicomweb.text(match, "00081030")), make("td", {}, ...modalities), cell(dicomweb.text(match, "00080050")),
    cell(dicomweb.text(match, "00201206"), "number"), cell(dicomweb.text(match, "00201208"), "number"));
}

async function listStudies(form, query) {
  const page = Number(query.get("page") ?? 0);
  const keys = matchingKeys(query);
  const result = make("div", { className: "studies" });
  try {
    const { matches, total } = await dicomweb.searchStudies(keys, { limit: PAGE, offset: page * PAGE });
    if (!form.isConnected) return;
    if (matches.length) {
      const heads = [["Patient"], ["Patient ID"], ["Date"], ["Description"], ["Modalities"], ["Accession"], ["Series", "number"], ["Instances", "number"]];
      result.append(table(heads, matches.map(studyRow)), pager(query, page, matches.length, total));
    } else {
      result.append(note(Object.keys(keys).length ? "No study matches." : "No studies yet. Drop DICOM files here, or send them by STOW-RS or C-STORE."));
    }
  } catch (error) {
    result.append(note(error.message, true));
  }
  form.nextElementSibling?.remove();
  form.after(result);
}

function pager(query, page, count, total) {
  const turn = (to) => () => {
    const moved = new URLSearchParams(query);
    moved.set("page", to);
    location.hash = `#/?${moved}`;
  };
  const first = page * PAGE;
  return make("div", { className: "pager" },
    make("button", { type: "button", disabled: page === 0, onclick: turn(page - 1) }, "‹ Newer"),
    make("span", { className: "quiet" }, `${first + 1}–${first + count} of ${total || first + count}`),
    make("button", { type: "button", disabled: total ? first + count >= total : count < PAGE, onclick: turn(page + 1) }, "Older ›"));
}

export async function show() {
  shown?.abort();
  shown = new AbortController();
  const [path, query] = location.hash.replace(/^#/, "").split("?");
  const [, study, , series] = path.split("/").slice(1);
  view.replaceChildren();
  try {
    if (path === "/associations" && rest.isOffered) await showAssociations(view, shown.signal);
    else if (series) await showSeries(view, study, series, shown.signal);
    else if (study) await showStudy(view, study, shown.signal);
    else {
      const form = filterForm(new URLSearchParams(query));
      view.append(form);
      await listStudies(form, new URLSearchParams(query));
    }
  } catch (error) {
    if (error.name !== "AbortError") view.append(note(error.message, true));
  }
}

if (rest.isOffered) document.getElementById("upload").before(make("a", { href: "#/associations" }, "Associations"));
window.addEventListener("hashchange", show);
watchUploads(show);
show();
