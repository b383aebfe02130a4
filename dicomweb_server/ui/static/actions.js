// What can be done with a study or series as a whole: download, send, anonymize, delete.
import * as dicomweb from "./dicomweb.js";
import { make } from "./elements.js";
import * as rest from "./rest.js";

const viewers = Object.entries(JSON.parse(document.querySelector("meta[name=viewers]").content));

// Links to viewers; what needs a series has none for a study.
function viewerLinks(study, series) {
  const address = new URL(dicomweb.root, location.href).href;
  const fill = (template) => Object.entries({ study, series, dicomweb: address })
    .reduce((url, [name, value]) => url.replaceAll(`{${name}}`, encodeURIComponent(value)), template);
  return viewers.filter(([, template]) => series || !template.includes("{series}"))
    .map(([name, template]) => make("a", { href: fill(template) }, `Open in ${name}`));
}

export function actions(study, series, what, after) {
  const address = new URL(dicomweb.resource(study, series), location.href).href;
  const said = make("span", { role: "status" });
  const tell = (content, kind = "quiet") => { said.className = kind; said.replaceChildren(content); };
  // Runs one thing at a time, and tells how it went.
  const button = (label, kind, work) => make("button", { type: "button", className: kind, onclick: async ({ target }) => {
    target.disabled = true;
    try {
      await work();
    } catch (error) {
      tell(error.message, "error");
    }
    target.disabled = false;
  } }, label);
  const download = make("a", { href: `${dicomweb.resource(study, series)}?accept=application/zip`, download: "" }, "Download ZIP");
  const copy = button("Copy DICOMweb address", "", () => navigator.clipboard.writeText(address));
  const remove = button(`Delete ${what}…`, "bad", async () => {
    if (!confirm(`Delete this ${what} for good?`)) return;
    await dicomweb.remove(study, series);
    location.hash = after;
  });
  const row = make("div", { className: "actions" }, download, copy, remove, said);
  row.prepend(...viewerLinks(study, series));
  if (rest.isOffered) {
    if (!series) remove.before(button("Anonymize a copy", "", () => anonymize(study, tell)));
    offerSending(row, button, (destination) => send(study, series, destination, tell));
  }
  return row;
}

async function anonymize(study, tell) {
  tell("Anonymizing…");
  const copy = await rest.anonymize(study, (progress) => tell(`Anonymizing: ${progress}`));
  tell(make("a", { href: `#/studies/${copy}` }, "Open the anonymized copy"));
}

async function send(study, series, [path, name], tell) {
  tell(`Sending to ${name}…`);
  await rest.send(study, series, path, (progress) => tell(`Sending to ${name}: ${progress}`));
  tell(`Sent to ${name}.`);
}

async function offerSending(row, button, sendTo) {
  const known = await rest.destinations();
  if (!known.length) return;
  const where = make("select", { ariaLabel: "Destination" }, ...known.map(([, name], at) => make("option", { value: at }, name)));
  row.firstElementChild.after(make("span", {}, button("Send to", "", () => sendTo(known[Number(where.value)])), " ", where));
}
