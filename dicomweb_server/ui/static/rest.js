// The REST interface, as this page uses it: anonymize, send, the jobs that do it, and associations. No state, no DOM.
import { RequestError } from "./dicomweb.js";

const root = document.querySelector("meta[name=rest-root]").content;
const PAUSE = 300; // milliseconds between two looks at a job

export const isOffered = root !== "";

async function call(path, options = {}) {
  const response = await fetch(root + path, options);
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new RequestError(answer.Details || `${response.status} ${response.statusText}`);
  return answer;
}

const post = (path, body) =>
  call(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

async function identifier(study, series) {
  const level = series ? "Series" : "Study";
  const found = await call("tools/lookup", { method: "POST", body: series ?? study });
  const match = found.find((one) => one.Type === level);
  if (!match) throw new RequestError(`there is no such ${level.toLowerCase()}`);
  return match.ID;
}

// Waits for a job, telling its progress in percent; answers what it did.
async function finished(job, tell) {
  for (;;) {
    const { State, Progress, Content, ErrorDetails, ErrorDescription } = await call(`jobs/${job.ID}`);
    if (State === "Success") return Content;
    if (State === "Failure") throw new RequestError(ErrorDetails || ErrorDescription);
    tell(State === "Retry" ? "tried again soon" : `${Progress} %`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}

// Answers the Study Instance UID of the copy.
export async function anonymize(study, tell) {
  const job = await post(`studies/${await identifier(study)}/anonymize`, { Asynchronous: true });
  const { ID } = await finished(job, tell);
  return (await call(`studies/${ID}`)).MainDicomTags.StudyInstanceUID;
}

// Where things can be sent: [path, name] of modalities, peers and DICOMweb servers.
export async function destinations() {
  const kinds = [["modalities", "store"], ["peers", "store"], ["dicom-web/servers", "stow"]];
  const named = await Promise.all(kinds.map(async ([kind, verb]) =>
    (await call(kind).catch(() => [])).map((name) => [`${kind}/${encodeURIComponent(name)}/${verb}`, name])));
  return named.flat();
}

export const associations = () => call("associations");

export const abortAssociation = (id) => call(`associations/${id}/abort`, { method: "POST" });

export async function send(study, series, destination, tell) {
  return finished(await post(destination, { Resources: [await identifier(study, series)], Asynchronous: true }), tell);
}
