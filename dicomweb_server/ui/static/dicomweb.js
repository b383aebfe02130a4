// The DICOMweb services, as this page uses them (PS3.18 chapter 10). No state, no DOM.

export const root = document.querySelector("meta[name=dicomweb-root]").content;

export const resource = (study, series, instance) =>
  `${root}/studies/${study}` + (series ? `/series/${series}` : "") + (instance ? `/instances/${instance}` : "");

export class RequestError extends Error {}

async function answered(response) {
  if (response.ok) return response;
  let detail = `${response.status} ${response.statusText}`;
  if ((response.headers.get("content-type") || "").includes("json")) {
    const problem = await response.json().catch(() => null);
    detail = problem?.detail || problem?.title || detail;
  }
  throw new RequestError(detail);
}

async function json(url, signal) {
  const response = await answered(await fetch(url, { headers: { Accept: "application/dicom+json" }, signal }));
  const matches = response.status === 204 ? [] : await response.json();
  return { matches, total: Number(response.headers.get("X-Total-Count")) };
}

export function searchStudies(keys, { limit, offset }) {
  const query = new URLSearchParams({ ...keys, limit, offset, count: "true" });
  query.append("includefield", "StudyDescription");
  query.append("includefield", "NumberOfStudyRelatedInstances");
  return json(`${root}/studies?${query}`);
}

export const study = async (uid) =>
  (await json(`${root}/studies?StudyInstanceUID=${uid}&includefield=StudyDescription&limit=1`)).matches[0];
export const seriesOf = async (study) =>
  (await json(`${resource(study)}/series?includefield=SeriesDescription&includefield=BodyPartExamined`)).matches;
export const instancesOf = async (study, series) => (await json(`${resource(study, series)}/instances`)).matches;
export const metadata = async (study, series, instance) =>
  (await json(`${resource(study, series, instance)}/metadata`)).matches[0];
export const remove = async (study, series) => answered(await fetch(resource(study, series), { method: "DELETE" }));

export const thumbnail = (study, series) => `${resource(study, series)}/thumbnail?viewport=480,360`;
export const rendered = (study, series, instance) => `${resource(study, series, instance)}/rendered`;

// One frame as the server renders it, where this page cannot draw what is stored.
export async function picture(study, series, instance, number, signal) {
  const url = `${resource(study, series, instance)}/frames/${number}/rendered`;
  return (await answered(await fetch(url, { headers: { Accept: "image/png, image/jpeg;q=0.5" }, signal }))).blob();
}

// One frame as it is stored: its media type and its bytes. A compressed frame that the browser cannot draw is refused.
export async function frame(study, series, instance, number, signal) {
  const response = await fetch(`${resource(study, series, instance)}/frames/${number}`, {
    headers: { Accept: "application/octet-stream, image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50; q=0.5" },
    signal,
  });
  const type = (await answered(response)).headers.get("content-type").split(";")[0];
  return { type, bytes: await response.arrayBuffer() };
}

// Stores whole files, one request each; answers the parsed Store Instances Response (PS3.18 §10.5.3).
export async function store(file) {
  const zipped = /\.zip$/i.test(file.name);
  const response = await fetch(`${root}/studies`, {
    method: "POST",
    headers: { "Content-Type": zipped ? "application/zip" : "application/dicom", Accept: "application/dicom+json" },
    body: file,
  });
  const body = await response.json().catch(() => ({}));
  const items = (tag) => body[tag]?.Value ?? [];
  const stored = items("00081199").length;
  const failed = items("00081198").length + items("0008119A").length;
  if (!stored && !failed && !response.ok) throw new RequestError(body.detail || `${response.status} ${response.statusText}`);
  return { stored, failed };
}

// --- reading DICOM JSON (PS3.18 annex F) ------------------------------------------------------------------------------

export const values = (dataset, tag) => dataset?.[tag]?.Value ?? [];

export function text(dataset, tag) {
  const shown = values(dataset, tag).map((value) =>
    value === null ? "" : typeof value === "object" ? name(value) : String(value));
  return shown.join(", ");
}

export const number = (dataset, tag, otherwise) => {
  const value = values(dataset, tag)[0];
  return value === undefined || value === null ? otherwise : Number(value);
};

const name = (value) => (value.Alphabetic ?? value.Ideographic ?? "").split("^").filter(Boolean).join(" ");

export const date = (dataset, tag) => text(dataset, tag).replace(/^(\d{4})(\d{2})(\d{2})$/, "$1-$2-$3");
